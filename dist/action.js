import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderTerminal
} from "./chunk-OBZR34GB.js";
import "./chunk-RL7SFSGR.js";
import {
  writeReport
} from "./chunk-6QFUVHIA.js";
import {
  renderMarkdown
} from "./chunk-3RVBLUDV.js";
import "./chunk-XZGXZK4Z.js";
import "./chunk-37TJ2BCS.js";
import {
  bytesInWords,
  lanes
} from "./chunk-Y2OHPJCQ.js";
import "./chunk-KHIMGIT3.js";
import {
  gateLine,
  isFailing,
  wasCancelled
} from "./chunk-JUYFWEVH.js";
import {
  CONFIG_NAMES,
  configName,
  isInside,
  keptRoot,
  keysOf,
  leadsOut,
  loadConfig,
  loadFailOn,
  parseConfigFile,
  readConfigFile,
  show
} from "./chunk-MKTFFUYI.js";
import {
  VERDICTS
} from "./chunk-HEL6FPUC.js";
import {
  html,
  plain,
  plainName
} from "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import {
  core_exports,
  debug,
  getInput,
  setFailed,
  setOutput,
  setSecret
} from "./chunk-4LY4M3ZL.js";
import {
  attemptOf,
  eventOfReports,
  readEvent
} from "./chunk-YKJODRZD.js";
import "./chunk-WH6H6QG7.js";
import "./chunk-SO7XHSHO.js";
import "./chunk-H45APEIH.js";

// src/action.ts
import { once } from "node:events";
import { resolve as resolve2 } from "node:path";
init_errors();

// src/github/actions-cache.ts
import { execFile, spawn } from "node:child_process";
import { lstat, mkdtemp, readdir, realpath, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
var LARGEST_BYTES = 10 * 1024 ** 3;
var limitOf = (bytes) => 6e4 + bytes / 1e4;
var SLACK_BYTES = 64 * 1024 * 1024;
var WATCH_MS = 500;
var PASSED = new RegExp(
  "^(?:ACTIONS_(?:RESULTS_URL|CACHE_URL|RUNTIME_TOKEN|CACHE_SERVICE_V2|CACHE_MODE|ORCHESTRATION_ID)|GITHUB_SERVER_URL|RUNNER_TRACKING_ID|PATH|HOME|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|https?_proxy|no_proxy)$",
  "i"
);
var FENCE = { TAR_OPTIONS: "--no-same-owner --no-same-permissions --transform=s,^.*/,,;s,^,blobs/,", LC_ALL: "C" };
function actionsCache(options) {
  const { env, log, script = new URL("./actions-cache.js", import.meta.url), limitMs = limitOf } = options;
  const noted = /* @__PURE__ */ new Map();
  const inTurn = lanes(1);
  let usable = true;
  const send = async (task, entry, folder, temp) => {
    const mostBytes = SLACK_BYTES + (task === "restore" ? 2 : 1) * entry.bytes;
    const { bavail, bsize } = await statfs(temp);
    if (bavail * bsize < mostBytes) return { found: false, problem: `it needs ${bytesInWords(mostBytes)} of disk space` };
    const request = { task, key: entry.key, paths: entry.hashes.map((hash) => `blobs/${hash}`) };
    return run({ request, folder, temp, limitMs: limitMs(entry.bytes), mostBytes }, script, env);
  };
  const restore = async (entry, use) => {
    if (entry.bytes > LARGEST_BYTES) return { found: false, problem: `${bytesInWords(entry.bytes)} are more than it holds` };
    if (!usable) return { found: false, problem: null };
    return withTemporaryFolder(env, async (temp) => {
      const answer = await isTarGnu(env) ? await send("restore", entry, temp, temp) : { found: false, problem: "GNU tar is needed" };
      usable = answer.found || answer.problem === null;
      if (answer.found) await use(temp);
      return answer;
    });
  };
  const saveOne = async ({ entry, folder }) => {
    const { problem } = await withTemporaryFolder(env, async (temp) => send("save", entry, await realpath(folder), temp));
    if (problem === null) log(`saved in the Actions cache: ${bytesInWords(entry.bytes)} as ${entry.key}`);
    return problem;
  };
  return {
    name: "the Actions cache",
    restore: (entry, use) => inTurn(() => restore(entry, use)),
    save(entry, folder) {
      if (usable) noted.set(entry.key, { entry, folder });
    },
    async saveAll() {
      for (const one of noted.values()) {
        const problem = await saveOne(one).catch(reasonOf);
        if (problem === null) continue;
        log(`not saved in the Actions cache: ${problem}`);
        break;
      }
      noted.clear();
    }
  };
}
async function withTemporaryFolder(env, work) {
  const temp = await realpath(await mkdtemp(join(env["RUNNER_TEMP"] ?? tmpdir(), "fused-compat-cache-")));
  try {
    return await work(temp);
  } finally {
    await rm(temp, { recursive: true, force: true }).catch(() => void 0);
  }
}
async function isTarGnu({ PATH }) {
  const { stdout } = await promisify(execFile)("tar", ["--version"], { env: { PATH }, timeout: 1e4 }).catch(() => ({ stdout: "" }));
  return stdout.includes("GNU tar");
}
async function run(errand, script, env) {
  const passed = Object.fromEntries(Object.entries(env).filter(([name]) => PASSED.test(name)));
  const fence = errand.request.task === "restore" ? FENCE : {};
  const child = spawn(process.execPath, [fileURLToPath(script)], {
    cwd: errand.folder,
    env: { ...passed, ...fence, GITHUB_WORKSPACE: errand.folder, RUNNER_TEMP: errand.temp },
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"]
  });
  let found = false;
  let timers = [];
  const problem = await new Promise((resolve3) => {
    child.on("error", (error) => resolve3(reasonOf(error)));
    child.on("exit", (code, signal) => resolve3(`its process ended (${code ?? signal ?? "unknown"})`));
    child.on("message", (answer) => {
      found ||= answer.found;
      if (answer.done) resolve3(answer.problem);
    });
    child.send(errand.request, () => void 0);
    const seconds = Math.round(errand.limitMs / 1e3);
    timers = [
      setTimeout(() => resolve3(`it took longer than ${seconds} s`), errand.limitMs),
      setInterval(
        () => void sizeOf(errand.temp).then((size) => size > errand.mostBytes && resolve3("it unpacks to more than was saved")),
        WATCH_MS
      )
    ];
  });
  for (const timer of timers) clearTimeout(timer);
  endGroup(child);
  return { found, problem: problem === null ? null : plain2(problem) };
}
function endGroup({ pid }) {
  try {
    if (pid !== void 0) process.kill(-pid, "SIGKILL");
  } catch {
  }
}
async function sizeOf(folder) {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await lstat(join(folder, name)).catch(() => null))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}
function reasonOf(error) {
  return plain2(error instanceof Error ? error.message : String(error));
}
function plain2(text) {
  return printable(text.replaceAll(/https?:\/\/[^\s/]+\S*/g, "(an address)").trim());
}

// src/github/log.ts
var CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu;
function plainLine(text) {
  const line = text.replace(CONTROL, " ").replaceAll("##[", "## [");
  return /^\s*::/.test(line) ? `| ${line}` : line;
}
function createLog(writer, redact) {
  let warnings = 0;
  const info = (text) => writer.info(plainLine(redact(text)));
  return {
    info,
    warning(text) {
      warnings += 1;
      writer.warning(plainLine(redact(text)));
    },
    block(text) {
      for (const line of text.split(/\r\n|\r|\n/)) info(line);
    },
    warnings: () => warnings
  };
}

// src/github/annotations.ts
var MAX_ANNOTATIONS = 10;
var MAX_MESSAGE = 4096;
var MAX_NAME = 200;
function message(lines) {
  const text = lines.map(plainLine).join("\n");
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`;
}
function annotateKind(models, room, emit) {
  if (models.length === 0 || room <= 0) return;
  const single = models.length > room ? models.slice(0, room - 1) : models;
  for (const model of single) {
    emit(message([plainName(plainLine(model.id), MAX_NAME), ...model.reasons.map((reason) => reason.message)]), {
      title: `fused-compat: ${model.verdict}`
    });
  }
  const rest = models.slice(single.length);
  if (rest.length === 0) return;
  const names = rest.map(({ id, verdict }) => `${plainName(plainLine(id), MAX_NAME)}: ${verdict}`);
  emit(message([`${rest.length} more models`, ...names]), { title: `fused-compat: ${rest.length} more` });
}
function annotate(report, annotator, room) {
  const failing = report.models.filter((model) => isFailing(model, report));
  const noted = report.models.filter((model) => model.verdict !== "COMPATIBLE" && !isFailing(model, report));
  annotateKind(failing, room.errors, (text, properties) => annotator.error(text, properties));
  annotateKind(noted, room.warnings, (text, properties) => annotator.warning(text, properties));
}

// src/github/cancel.ts
var CANCELS = ["SIGINT", "SIGTERM"];
function cancellation(target = process) {
  const controller = new AbortController();
  let first = null;
  for (const name of CANCELS) {
    target.on(name, () => {
      if (first !== null && first !== name) target.exit();
      first ??= name;
      controller.abort();
    });
  }
  return controller.signal;
}

// src/github/inputs.ts
init_errors();
var COMMENT_MODES = ["always", "on-failure", "never"];
function quote2(value) {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}
function readPosting(getInput2) {
  const comment = getInput2("comment") || "always";
  const mode = COMMENT_MODES.find((known) => known === comment);
  if (mode === void 0) throw new UsageError(`input comment must be one of ${COMMENT_MODES.join(", ")}; got ${quote2(comment)}`);
  const commentKey = getInput2("comment-key") || "default";
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(commentKey) || commentKey.includes("--")) {
    throw new UsageError(
      `input comment-key must be 1 to 64 letters, digits, dots, underscores or single hyphens; got ${quote2(commentKey)}`
    );
  }
  return { comment: mode, commentKey, statusContext: readStatusContext(getInput2) };
}
function readStatusContext(getInput2) {
  const context = getInput2("status-context") || "fused-compat";
  if (context.length > 140 || new RegExp("\\p{Cc}", "u").test(context)) {
    throw new UsageError(`input status-context must be one line of at most 140 characters, or none; got ${quote2(context)}`);
  }
  return context === "none" ? null : context;
}
function promptsOf(text) {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim()).filter((line) => line !== "");
  const [first = ""] = lines;
  return lines.length === 1 && /\.(txt|json)$/i.test(first) ? first : lines;
}
var MODES = ["check", "plan", "shard", "merge"];
function readMode(getInput2) {
  const given = getInput2("mode") || "check";
  const mode = MODES.find((known) => known === given);
  if (mode === void 0) throw new UsageError(`input mode must be one of ${MODES.join(", ")}; got ${quote2(given)}`);
  const unheard = (mode === "merge" ? JUDGING_INPUTS : ["parts"]).filter((name) => getInput2(name) !== "");
  if (unheard.length === 0) return mode;
  const why = mode === "merge" ? "mode merge judges nothing: give them to the jobs of mode plan and shard" : `the mode is ${mode}`;
  throw new UsageError(
    unheard.map((name) => `input ${name} is only for mode ${mode === "merge" ? "check, plan and shard" : "merge"}; ${why}`).join("\n")
  );
}
function readShard(getInput2, mode) {
  const given = getInput2("shard");
  if (mode === "shard" && given === "") throw new UsageError("input shard is empty; in mode shard it is ${{ toJSON(matrix) }}");
  if (mode !== "shard" && given !== "") throw new UsageError(`input shard is only for mode shard; the mode is ${mode}`);
  return given;
}
function readMergeInputs(getInput2) {
  const parts = (getInput2("parts") || "fused-compat-parts").split(/\r\n|\r|\n/).map((line) => line.trim());
  return {
    parts: parts.filter((line) => line !== ""),
    failOn: getInput2("fail-on"),
    baseline: getInput2("baseline"),
    output: getInput2("output") || "fused-compat-report"
  };
}
var CONFIG_INPUTS = [
  "models",
  "kernels",
  "policy",
  "fail-on",
  "dtype",
  "execution-provider",
  "require-gpu",
  "offline",
  "prompts",
  "layers",
  "jobs",
  "baseline",
  "shards",
  "runs-on",
  "output"
];
var JUDGING_INPUTS = ["config", "cache", ...CONFIG_INPUTS.filter((name) => !["fail-on", "baseline", "output"].includes(name))];
function readConfigInputs(getInput2) {
  const given = CONFIG_INPUTS.map((name) => [name, getInput2(name)]).filter(([, text]) => text !== "");
  const overrides = given.map(([name, text]) => [name, name === "prompts" ? promptsOf(text) : text]);
  return { file: getInput2("config") || void 0, overrides: Object.fromEntries(overrides) };
}
function readHubToken(getInput2) {
  return getInput2("hf-token");
}
var CACHE_MODES = ["auto", "true", "false"];
function readCache(getInput2, env) {
  const given = getInput2("cache") || "auto";
  const mode = CACHE_MODES.find((known) => known === (/^(?:True|TRUE|False|FALSE)$/.test(given) ? given.toLowerCase() : given));
  if (mode === void 0) throw new UsageError(`input cache must be one of ${CACHE_MODES.join(", ")}; got ${quote2(given)}`);
  return mode === "auto" ? env["RUNNER_ENVIRONMENT"] === "github-hosted" : mode === "true";
}
function readReferenceCache(getInput2, env, cwd, fork) {
  const given = getInput2("reference-cache") || "auto";
  if (given === "auto" && (fork || env["RUNNER_ENVIRONMENT"] !== "self-hosted")) return null;
  return keptRoot(given, env, cwd);
}
function nameInput(key) {
  return `input ${key}`;
}

// src/github/outsider.ts
import { existsSync } from "node:fs";
import { readFile, realpath as realpath2 } from "node:fs/promises";
import { basename, dirname, join as join2, relative as relative2, resolve, sep } from "node:path";

// src/config/foreign.ts
import { relative } from "node:path";
var WHO = "a pull request from another repository";
var POLICIES = ["static", "evidence", "strict"];
var FIXED = [
  "kernels",
  "dtype",
  "execution_provider",
  "prompts",
  "max_prompt_tokens",
  "layers",
  "shards",
  "runs_on",
  "runners",
  "output"
];
function loosened(theirs, ours, root, place) {
  const lines = [];
  const shown = (value) => show(typeof value === "string" && value.startsWith(`${root}/`) ? relative(root, value) : value);
  const say = (key, what, rule) => lines.push(`${place(key.replaceAll("_", "-"))}: ${what}; ${WHO} may ${rule}`);
  for (const key of FIXED)
    if (JSON.stringify(theirs[key]) !== JSON.stringify(ours[key]))
      say(key, `${shown(theirs[key])} is not what the base branch has (${shown(ours[key])})`, "not change it");
  for (const group of ["static", "numeric"])
    for (const [key, value] of Object.entries(theirs[group])) {
      const own = ours[group][key];
      if (value !== own) say(`${group}.${key}`, `${String(value)} is not what the base branch has (${own})`, "not change it");
    }
  if (POLICIES.indexOf(theirs.policy) < POLICIES.indexOf(ours.policy))
    say("policy", `${theirs.policy} is looser than ${ours.policy}, which the base branch has`, "only make it stricter");
  if (ours.require_gpu && !theirs.require_gpu) say("require_gpu", "is true on the base branch", "not take it back");
  const ids = (config) => config.models.map(({ id }) => id);
  sayMissing("models", ids(theirs), ids(ours));
  sayMissing("fail_on", theirs.fail_on, ours.fail_on);
  for (const rule of theirs.allow) {
    if (ours.allow.some((own) => covers(own, rule))) continue;
    const kernel = rule.kernel === null ? "" : `, kernel ${show(rule.kernel)}`;
    say(
      "allow",
      `${show(rule.model)}${kernel} up to ${rule.until} is not allowed on the base branch`,
      "only take entries out or shorten them"
    );
  }
  return lines;
  function sayMissing(key, here, there) {
    const missing = there.filter((entry) => !here.includes(entry));
    if (missing.length > 0) say(key, `lacks ${missing.map(show).join(", ")}, which the base branch has`, "only add to it");
  }
}
function covers(own, { model, kernel, until }) {
  return own.model === model && own.kernel === kernel && until <= own.until;
}

// src/github/outsider.ts
init_errors();

// src/github/api.ts
var REQUEST_TIMEOUT_MS = 3e4;
var ATTEMPTS = 4;
var LONGEST_WAIT_MS = 6e4;
var UNNAMED_LIMIT_MS = 6e4;
async function connect(token, apiUrl) {
  const github = await import("./github-I5G7BXQF.js");
  const octokit = github.getOctokit(token, { baseUrl: apiUrl.replace(/\/+$/, "") });
  octokit.hook.before("request", (options) => {
    options.request = { ...options.request, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
  });
  octokit.hook.after("request", ({ data, headers }) => {
    if (typeof data === "object" && data !== null) return;
    const type = headers["content-type"]?.split(";")[0];
    throw new Error(`${apiUrl} gave ${data === "" || data === void 0 ? "an empty answer" : `${type ?? "text"} instead of JSON`}`);
  });
  return octokit;
}
function describe(error) {
  const message2 = error instanceof Error ? error.message : String(error);
  if (typeof error !== "object" || error === null) return { status: null, message: message2, headers: {} };
  const { response } = error;
  return { status: typeof response?.status === "number" ? response.status : null, message: message2, headers: response?.headers ?? {} };
}
function isConnectionFailure(error) {
  return error instanceof Error && (error.name === "HttpError" || error.name === "AbortError" || error.name === "TimeoutError");
}
function isRateLimit({ status, message: message2, headers }) {
  if (status === 429) return true;
  return status === 403 && (headers["retry-after"] !== void 0 || headers["x-ratelimit-remaining"] === "0" || /rate limit/i.test(message2));
}
function waitFor(failure, attempt2, now) {
  const { headers } = failure;
  const asked = typeof headers["retry-after"] === "string" ? headers["retry-after"] : "";
  if (/^\d+$/.test(asked)) return Number(asked) * 1e3;
  const date = Date.parse(asked);
  if (Number.isFinite(date)) return Math.max(0, date - now);
  const reset = Number(headers["x-ratelimit-reset"] ?? NaN);
  if (headers["x-ratelimit-remaining"] === "0" && Number.isFinite(reset)) return Math.max(0, reset * 1e3 - now);
  if (isRateLimit(failure)) return UNNAMED_LIMIT_MS;
  return 1e3 * 2 ** (attempt2 - 1);
}
async function withRetries(task, sleep, now = Date.now) {
  let waited = 0;
  for (let attempt2 = 1; ; attempt2 += 1) {
    try {
      return await task();
    } catch (error) {
      const failure = describe(error);
      const passing = failure.status === null ? isConnectionFailure(error) : failure.status >= 500 || isRateLimit(failure);
      const wait = waitFor(failure, attempt2, now());
      if (!passing || attempt2 === ATTEMPTS || waited + wait > LONGEST_WAIT_MS) throw error;
      waited += wait;
      await sleep(wait);
    }
  }
}
function isForbidden(error) {
  const failure = describe(error);
  return (failure.status === 403 || failure.status === 404) && !isRateLimit(failure);
}
function isNotFound(error) {
  return describe(error).status === 404;
}
function explain(error, fork) {
  const { status, message: said } = describe(error);
  const message2 = plain(said, 300);
  if (status === null) return `no usable answer from GitHub (${message2})`;
  const answer = `(HTTP ${status}: ${message2})`;
  if (isRateLimit(describe(error))) return `GitHub's rate limit is used up ${answer}`;
  if (status === 401) return `the token in the input github-token is not valid ${answer}`;
  if (status === 422) return `GitHub refused what was sent ${answer}`;
  if (status !== 403 && status !== 404) return `GitHub did not answer properly ${answer}`;
  return fork ? `the pull request comes from a fork, whose runs get a read-only token ${answer}` : `the token may not do this ${answer}`;
}
function remedy(error, permission) {
  const failure = describe(error);
  const { status } = failure;
  if (status !== null && [401, 403, 404].includes(status) && !isRateLimit(failure)) return `It takes the permission ${permission}`;
  if (status === 422) return "If it happens again, please report it";
  return "Run the job again to have it";
}

// src/github/outsider.ts
function ownersCommit({ name, pullRequest, followed, checkout }) {
  if (name === "workflow_run") return followed?.fork === true ? { commit: checkout } : null;
  return pullRequest?.fork === true ? { commit: pullRequest.base } : null;
}
async function loadGuarded(options, desk) {
  const { event } = desk;
  const owners = event === null ? null : ownersCommit(event);
  const config = owners === null ? await loadConfig(options) : await loadForeign(options, owners.commit, desk);
  if (event !== null && config.policy !== "static" && config.kernels !== null) await refuseKernels(event, config.kernels, owners !== null);
  return config;
}
async function loadForeign(options, commit, desk) {
  const { file, cwd, overrides = {} } = options;
  const root = await realpath2(cwd);
  const name = configName(file, cwd);
  const path = name === void 0 ? null : resolve(cwd, name);
  if (path !== null && !isInside(root, path))
    return loadConfig({ ...options, confine: { root, own: keysOf(await readConfigFile(file, cwd)) } });
  if (path !== null && await leadsOut(path, root))
    throw new UsageError(`${name}: is a link out of the workspace; a pull request from another repository may not bring one`);
  const source = await readConfigFile(file, cwd);
  const { owned, problem } = await ownersFile(name === void 0 || file === void 0 ? CONFIG_NAMES : [name], cwd, commit, desk);
  const confine = { root, own: keysOf(owned) };
  const theirs = await loadConfig({ ...options, source, confine });
  const models = overrides["models"] ?? (confine.own["models"] === void 0 ? theirs.models.map(({ id }) => id) : void 0);
  const ours = await loadConfig({ ...options, source: owned, overrides: { ...overrides, models }, confine }).catch((error) => {
    throw error instanceof UsageError ? new UsageError(`on the base branch: ${error.message.replaceAll("\n", "\non the base branch: ")}`) : error;
  });
  const place = (key) => source === null ? `there is no configuration file: ${key}` : `${source.name}: ${key}`;
  const lines = loosened(theirs, ours, cwd, place);
  if (lines.length === 0) return theirs;
  const doubt = problem === null ? [] : [`The base branch was taken to have no configuration: ${problem}.`];
  throw new UsageError([...lines, ...doubt].join("\n"));
}
async function ownersFile(names, cwd, commit, desk) {
  const { event } = desk;
  if (commit === null || event === null) return { owned: null, problem: "the event does not name its commit" };
  if (desk.connect === null) return { owned: null, problem: "the input github-token is empty, and it takes a token to read it" };
  try {
    const octokit = await desk.connect();
    for (const name of names) {
      const path = resolve(cwd, name);
      const text = await withRetries(() => textAt(octokit, event, inRepository(path, cwd), commit), desk.sleep);
      if (text !== null) return { owned: parseConfigFile(text, name, path), problem: null };
    }
    return { owned: null, problem: null };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`on the base branch: ${error.message}`);
    return { owned: null, problem: `${explain(error, false)}; it takes the permission contents: read` };
  }
}
async function textAt(octokit, { owner, repo }, path, ref) {
  try {
    const { data } = await octokit.rest.repos.getContent({ owner, repo, path, ref });
    if (Array.isArray(data) || data.type !== "file") throw new Error(`${quote(path)} is no file there`);
    if (data.encoding !== "base64") throw new Error(`${quote(path)} is too large there`);
    return Buffer.from(data.content, "base64").toString("utf8");
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
function inRepository(path, cwd) {
  return relative2(checkoutOf(dirname(path), cwd) ?? cwd, path).split(sep).join("/");
}
function checkoutOf(folder, cwd) {
  for (let at = folder; isInside(cwd, at); at = dirname(at)) if (existsSync(join2(at, ".git"))) return at;
  return null;
}
async function refuseKernels({ name, checkout }, kernels, stranger) {
  if (stranger && (name === "pull_request_target" || name === "workflow_run"))
    throw new UsageError(
      `on ${name} the kernels of another repository would run with the token and the secrets of this one: judge them on pull_request, or use policy static, which runs none`
    );
  if (name === "pull_request_target" && checkout !== null && await commitOf(kernels) === checkout)
    throw new UsageError(
      `input kernels: ${quote(basename(kernels))} is checked out at the base branch, so the kernels of the pull request would not be judged: use the event pull_request`
    );
}
async function commitOf(folder) {
  try {
    const real = await realpath2(folder);
    let at = real;
    while (!existsSync(join2(at, ".git")) && dirname(at) !== at) at = dirname(at);
    const git = join2(at, ".git");
    const head = (await readFile(join2(git, "HEAD"), "utf8")).trim();
    const ref = /^ref: (refs\/[\w./-]+)$/.exec(head)?.[1];
    if (ref === void 0) return head;
    const loose = await readFile(join2(git, ...ref.split("/")), "utf8").catch(() => null);
    if (loose !== null) return loose.trim();
    const packed = await readFile(join2(git, "packed-refs"), "utf8");
    return packed.split("\n").find((line) => line.endsWith(` ${ref}`))?.split(" ")[0] ?? null;
  } catch {
    return null;
  }
}

// src/github/outputs.ts
var NO_REPORT = {
  verdict: "",
  gate: "fail",
  "report-json": "",
  "report-markdown": "",
  models: "",
  compatible: "",
  warning: "",
  incompatible: "",
  "implementation-issue": "",
  inconclusive: "",
  matrix: "",
  plan: ""
};
function outputsOfPlan(matrix, plan2) {
  return { ...NO_REPORT, matrix, plan: plan2 };
}
function outputsOf(report, files) {
  const count = (verdict) => String(report.models.filter((model) => model.verdict === verdict).length);
  return {
    // VERDICTS goes from the worst to the best.
    verdict: VERDICTS.find((verdict) => report.models.some((model) => model.verdict === verdict)) ?? "",
    gate: files === null ? "fail" : report.gate,
    "report-json": files?.json ?? "",
    "report-markdown": files?.markdown ?? "",
    models: String(report.models.length),
    compatible: count("COMPATIBLE"),
    warning: count("WARNING"),
    incompatible: count("INCOMPATIBLE"),
    "implementation-issue": count("IMPLEMENTATION_ISSUE"),
    inconclusive: count("INCONCLUSIVE"),
    matrix: "",
    plan: ""
  };
}

// src/github/publish.ts
import { setTimeout as setTimeout2 } from "node:timers/promises";

// src/github/comment.ts
var MAX_COMMENT_BYTES = 65e3;
var ACTIONS_BOT = "github-actions[bot]";
function markerPrefix(key) {
  return `<!-- fused-compat:${key} `;
}
function origin(report, { sha, runUrl }) {
  const attempt2 = /\/attempts\/(\d+)$/.exec(runUrl ?? "")?.[1];
  const run2 = runUrl === null ? "" : ` · [run${attempt2 === void 0 ? "" : `, attempt ${attempt2}`}](${runUrl})`;
  return `<sub>fused-compat ${html(report.tool.version)} · commit ${sha}${run2}</sub>`;
}
function commentBody(report, key, event) {
  const head = `${markerPrefix(key)}v1 -->
`;
  const foot = `

${origin(report, event)}
`;
  const budget = MAX_COMMENT_BYTES - Buffer.byteLength(head) - Buffer.byteLength(foot);
  const rest = event.runUrl === null ? "report.json" : `the [summary of the run](${event.runUrl}) and report.json`;
  return Buffer.from(head + renderMarkdown(report, { budget, rest }).trimEnd() + foot).toString();
}
async function findCandidates(octokit, event, pull, key) {
  const { owner, repo } = event;
  const found = [];
  const pages = octokit.paginate.iterator(octokit.rest.issues.listComments, { owner, repo, issue_number: pull.number, per_page: 100 });
  for await (const page of pages) {
    if (!Array.isArray(page.data)) throw new Error("the list of comments is not a list");
    for (const { id, body, user } of page.data) {
      if (body === void 0 || !body.startsWith(markerPrefix(key)) || user === null) continue;
      found.push({ id, body, login: user.login, bot: user.type === "Bot" });
    }
    if (found.some(({ login }) => login === ACTIONS_BOT)) break;
  }
  return found;
}
async function ownLogin(octokit, amongBots) {
  if (amongBots) return (await octokit.graphql("query { viewer { login } }")).viewer.login;
  try {
    return (await octokit.rest.users.getAuthenticated()).data.login;
  } catch (error) {
    if (isForbidden(error)) return null;
    throw error;
  }
}
function sameLogin(a, b) {
  const bare = (login) => login.toLowerCase().replace(/\[bot\]$/, "");
  return bare(a) === bare(b);
}
async function findOurs(octokit, event, pull, key) {
  const candidates = await findCandidates(octokit, event, pull, key);
  const byActions = candidates.find(({ login, bot }) => bot && login === ACTIONS_BOT);
  if (byActions !== void 0 || candidates.length === 0) return byActions ?? null;
  const bots = candidates.some(({ bot }) => bot);
  const own = await ownLogin(octokit, bots);
  return own === null ? null : candidates.find(({ login }) => sameLogin(login, own)) ?? null;
}
async function upsertComment(octokit, event, pull, { key, body, onlyUpdate }) {
  const { owner, repo } = event;
  const ours = await findOurs(octokit, event, pull, key);
  if (ours === null && onlyUpdate) return "not-needed";
  if (ours?.body.replaceAll("\r\n", "\n").trimEnd() === body.trimEnd()) return "unchanged";
  const current = await octokit.rest.pulls.get({ owner, repo, pull_number: pull.number });
  if (current.data.head.sha !== pull.headSha) return "moved";
  if (ours === null) await octokit.rest.issues.createComment({ owner, repo, issue_number: pull.number, body });
  else await octokit.rest.issues.updateComment({ owner, repo, comment_id: ours.id, body });
  return ours === null ? "created" : "updated";
}

// src/github/status.ts
var MAX_DESCRIPTION = 140;
function fit(text) {
  const line = plainLine(text).trim();
  if (line.length <= MAX_DESCRIPTION) return line;
  const cut = line.slice(0, MAX_DESCRIPTION - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}
function statusOfReport(report) {
  const failing = report.models.filter((model) => isFailing(model, report)).map(({ id }) => id);
  const names = report.gate === "fail" && failing.length > 0 ? ` (${failing.join(", ")})` : "";
  return {
    state: report.gate === "pass" ? "success" : "failure",
    description: fit(`${gateLine(report)}${names}`)
  };
}
function statusOfFailure(message2) {
  return { state: "error", description: fit(`no verdict: ${message2}`) };
}
async function setStatus(octokit, event, context, { state, description }) {
  const { owner, repo, sha, runUrl } = event;
  const target = runUrl === null ? {} : { target_url: runUrl };
  await octokit.rest.repos.createCommitStatus({ owner, repo, sha, state, description, context, ...target });
}

// src/github/publish.ts
var COMMENT_PERMISSION = "pull-requests: write";
var STATUS_PERMISSION = "statuses: write";
async function openDesk(env, token, log, redact) {
  const event = await readEvent(env).catch((error) => {
    log.warning(`The event of this run cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  });
  let client = null;
  const open = () => client ??= connect(token, env["GITHUB_API_URL"] || "https://api.github.com");
  return { event, connect: token === "" ? null : open, sleep: (milliseconds) => setTimeout2(milliseconds), log, redact };
}
async function attempt(what, permission, desk, act) {
  const { event, log, sleep } = desk;
  if (event === null) {
    log.info(`No ${what}: this is no run of GitHub Actions on a commit (GITHUB_REPOSITORY and GITHUB_SHA tell).`);
    return;
  }
  if (desk.connect === null) {
    log.info(`No ${what}: the input github-token is empty. It takes a token with the permission ${permission}.`);
    return;
  }
  try {
    const octokit = await desk.connect();
    await withRetries(() => act(octokit, event), sleep);
  } catch (error) {
    const fork = event.pullRequest?.fork ?? false;
    const line = `No ${what}: ${explain(error, fork)}. ${remedy(error, permission)}; the result of the gate stays as it is.`;
    if (fork) log.info(line);
    else log.warning(line);
  }
}
function outcomeLine(outcome, pull) {
  const where = `on pull request #${pull.number}`;
  switch (outcome) {
    case "created":
      return `Comment created ${where}.`;
    case "updated":
      return `Comment updated ${where}.`;
    case "unchanged":
      return `The comment ${where} already says this.`;
    case "not-needed":
      return `No comment ${where}: the gate passed, and the input comment is on-failure.`;
    case "moved":
      return `No comment ${where}: it has newer commits than the judged ${pull.headSha}; their own run comments.`;
  }
}
function headOf({ followed }) {
  return followed?.head ?? null;
}
async function findPullRequest(octokit, { owner, repo, sha }, head) {
  if (head === null) return null;
  const { data } = await octokit.rest.pulls.list({ owner, repo, head, state: "open", per_page: 100 });
  if (!Array.isArray(data)) throw new Error("the list of pull requests is not a list");
  const found = data.find((pull) => pull.head.sha === sha);
  return found === void 0 ? null : { number: found.number, headSha: sha, fork: false, base: null };
}
async function postComment(report, { comment, commentKey }, desk) {
  if (comment === "never") return;
  if (desk.event !== null && desk.event.pullRequest === null && headOf(desk.event) === null) {
    desk.log.info(`No comment: the event ${desk.event.name} has no pull request (on one, it takes the permission ${COMMENT_PERMISSION}).`);
    return;
  }
  await attempt("comment", COMMENT_PERMISSION, desk, async (octokit, event) => {
    const pull = event.pullRequest ?? await findPullRequest(octokit, event, headOf(event));
    if (pull === null) {
      desk.log.info(`No comment: no open pull request has the head ${event.sha}; where there are newer commits, their own run comments.`);
      return;
    }
    const body = desk.redact(commentBody(report, commentKey, event));
    const onlyUpdate = comment === "on-failure" && report.gate === "pass";
    const outcome = await upsertComment(octokit, event, pull, { key: commentKey, body, onlyUpdate });
    desk.log.info(outcomeLine(outcome, pull));
  });
}
async function postStatus({ state, description }, { statusContext }, desk) {
  if (statusContext === null) return;
  await attempt("commit status", STATUS_PERMISSION, desk, async (octokit, event) => {
    await setStatus(octokit, event, statusContext, { state, description: desk.redact(description) });
    desk.log.info(`Commit status ${statusContext} set to ${state} on ${event.sha}.`);
  });
}

// src/github/redact.ts
var MASK = "***";
var SHORTEST_SECRET = 6;
var TOKEN = /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9_.-]{16,}|github_pat_[A-Za-z0-9_]{16,}|hf_[A-Za-z0-9]{16,})/g;
function redactor(secrets) {
  const known = secrets.filter((secret) => secret.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const secret of known) clean = clean.replaceAll(secret, MASK);
    return clean.replaceAll(TOKEN, MASK);
  };
}
function redactData(data, redact) {
  const copy = (value) => {
    if (typeof value === "string") return redact(value);
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copy(entry)]));
  };
  return copy(data);
}

// src/github/summary.ts
import { appendFile, stat } from "node:fs/promises";
var MAX_SUMMARY_BYTES = 1024 * 1024;
async function writeSummary(report, file, event = null) {
  if (file === void 0 || file === "") return false;
  const used = await stat(file).then(
    ({ size }) => size,
    () => 0
  );
  const before = used > 0 ? "\n\n" : "";
  const after = event === null ? "\n" : `

${origin(report, event)}
`;
  const budget = MAX_SUMMARY_BYTES - used - before.length - Buffer.byteLength(after);
  await appendFile(file, `${before}${renderMarkdown(report, { budget }).trimEnd()}${after}`);
  return true;
}

// src/action.ts
var SECRETS = ["HF_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
var REFUSED_SHOWN = 3;
function setOutputs(outputs) {
  for (const [name, value] of Object.entries(outputs)) setOutput(name, value);
}
function reasonOf2(error) {
  if (error instanceof UsageError) return error.message;
  return `the run itself failed: ${error instanceof Error ? error.message : String(error)}`;
}
async function main() {
  const cancelled = cancellation();
  const token = getInput("github-token");
  const hfToken = readHubToken(getInput);
  const secrets = [token, hfToken, ...SECRETS.map((name) => process.env[name] ?? "")].filter((secret) => secret !== "");
  for (const secret of secrets) setSecret(secret);
  const redact = redactor(secrets);
  const log = createLog(core_exports, redact);
  setOutputs(NO_REPORT);
  const desk = await openDesk(process.env, token, log, redact);
  const run2 = { desk, redact, secrets, cancelled, env: hfToken === "" ? process.env : { ...process.env, HF_TOKEN: hfToken } };
  let statusContext = null;
  try {
    statusContext = readStatusContext(getInput);
    const mode = readMode(getInput);
    const shard = readShard(getInput, mode);
    if (mode === "plan" || mode === "shard") statusContext = null;
    if (mode === "plan") await plan(run2);
    else if (mode === "shard") await judgeShard(shard, run2);
    else await (mode === "merge" ? merge : check)(readPosting(getInput), run2);
  } catch (error) {
    const reason = redact(reasonOf2(error));
    await postStatus(statusOfFailure(reason), { statusContext }, desk);
    setFailed(reason.split("\n").map(plainLine).join("\n"));
    if (!(error instanceof UsageError) && error instanceof Error) debug(redact(error.stack ?? ""));
  }
}
function configOfInputs({ desk }) {
  return loadGuarded({ ...readConfigInputs(getInput), cwd: process.cwd(), nameOverride: nameInput }, desk);
}
async function judge(config, { desk, redact, env, cancelled }) {
  const { log } = desk;
  const cache = readCache(getInput, process.env) ? actionsCache({ env: process.env, log: log.info }) : null;
  const gate = await import("./gate-SBYUQCOX.js");
  const reference_cache = readReferenceCache(getInput, process.env, process.cwd(), desk.event?.pullRequest?.fork ?? false);
  const own = { env, signal: cancelled, reference_cache, ...cache === null ? {} : { shared: cache } };
  const edges = { log: (line) => log.info(line), ...own };
  const report = redactData(await gate.check(config, edges), redact);
  const saveCache = async () => {
    if (cache !== null && !cancelled.aborted) await Promise.race([cache.saveAll(), once(cancelled, "abort")]);
  };
  return { report, saveCache };
}
async function check(posting, run2) {
  const config = await configOfInputs(run2);
  const { report, saveCache } = await judge(config, run2);
  await publish(report, config.output, posting, run2);
  await saveCache();
}
async function plan(run2) {
  const { desk, env } = run2;
  const { planRun, writePlan } = await import("./plan-run-TMLIQV2L.js");
  const config = await configOfInputs(run2);
  const { plan: made, matrix, notes } = await planRun(config, momentOf(desk), env, desk.log.info);
  for (const note of notes) desk.log.warning(note);
  refuseMasked(matrix, config, run2);
  const file = await writePlan(made, config.output);
  setOutputs(outputsOfPlan(matrix, file));
  for (const { name, models } of made.shards) desk.log.info(`shard ${name}: ${models.join(", ")}`);
}
function refuseMasked(matrix, { models, runs_on, runners }, { redact, secrets }) {
  const isMasked = (text) => redact(text) !== text || secrets.some((secret) => text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1)));
  if (!isMasked(matrix)) return;
  const named = models.flatMap(({ id }, index) => isMasked(id) ? [`models[${index}]`] : []);
  const labels = isMasked(JSON.stringify([runs_on, runners])) ? ["runs-on"] : [];
  throw new UsageError(
    `${[...named, ...labels].slice(0, 10).join(", ") || "models"}: the matrix holds a secret of this job, or what looks like a token. GitHub would drop the whole output and run no job: write that entry otherwise, or keep the secret out of this job`
  );
}
async function judgeShard(entryText, run2) {
  const { entryFromMatrix, shardConfig, stamped, stampOf } = await import("./shard-G5MTIEBB.js");
  const entry = entryFromMatrix(entryText, "input shard");
  const config = shardConfig(await configOfInputs(run2), entry, process.cwd());
  const { report: bare, saveCache } = await judge(config, run2);
  const report = stamped(bare, stampOf(entry, momentOf(run2.desk)));
  const files = await writeReport(report, config.output);
  setOutputs(outputsOf(report, files));
  run2.desk.log.block(renderTerminal(report, { color: false }));
  if (run2.cancelled.aborted && wasCancelled(report.models)) setFailed("cancelled: not all models of this shard were judged");
  await saveCache();
}
async function merge(posting, run2) {
  const { desk, redact } = run2;
  if (desk.event !== null) desk.event = eventOfReports(desk.event);
  const [{ readArrived }, { merge: join3 }, { readBaseline }] = await Promise.all([
    import("./arrived-C5WH6SS6.js"),
    import("./merge-DLBU6NJ7.js"),
    import("./baseline-63YB265V.js")
  ]);
  const { parts, failOn, baseline, output } = readMergeInputs(getInput);
  const fail_on = failOn === "" ? null : loadFailOn(failOn, nameInput("fail-on"));
  const arrived = await readArrived(parts, process.cwd());
  const { report, notes, refused } = join3(arrived, {
    commit: desk.event?.sha ?? null,
    attempt: desk.event === null ? null : desk.event.followed?.attempt ?? attemptOf(process.env),
    fail_on,
    baseline: baseline === "" ? null : await readBaseline(resolve2(baseline))
  });
  for (const note of notes) desk.log.info(note);
  for (const [index, line] of refused.entries()) desk.log[index < REFUSED_SHOWN ? "warning" : "info"](`Not used: ${line}`);
  await publish(redactData(report, redact), resolve2(output), posting, run2);
}
function momentOf({ event }) {
  return { cwd: process.cwd(), commit: event?.sha ?? null, attempt: attemptOf(process.env) };
}
async function publish(report, folder, posting, { desk, cancelled }) {
  const { log, event } = desk;
  const { files, problem } = await writeReport(report, folder).then(
    (written) => ({ files: written, problem: null }),
    (error) => ({ files: null, problem: desk.redact(error instanceof Error ? error.message : String(error)) })
  );
  setOutputs(outputsOf(report, files));
  log.block(renderTerminal(report, { color: false }));
  await writeSummary(report, process.env["GITHUB_STEP_SUMMARY"], event).catch(
    (error) => log.warning(`No job summary: ${String(error)}`)
  );
  if (cancelled.aborted && wasCancelled(report.models)) {
    log.info("No comment and no commit status: the job was cancelled, and the run that takes its place writes them.");
    setFailed(`cancelled: ${gateLine(report)}`);
    return;
  }
  await postComment(report, posting, desk);
  await postStatus(problem === null ? statusOfReport(report) : statusOfFailure(problem), posting, desk);
  annotate(report, core_exports, { errors: MAX_ANNOTATIONS - 1, warnings: MAX_ANNOTATIONS - log.warnings() });
  if (problem !== null) setFailed(plainLine(problem));
  else if (report.gate === "fail") setFailed(gateLine(report));
}
process.on("uncaughtException", (error) => {
  setFailed(`the run itself failed: ${plainLine(error.message)}`);
  process.exit();
});
await main();
process.stdout.write("", () => process.exit());
