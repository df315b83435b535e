import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  bytesInWords,
  lanes,
  startProgress
} from "./chunk-Y2OHPJCQ.js";
import {
  openFolder
} from "./chunk-D6SERIA7.js";
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import {
  require_undici
} from "./chunk-SO7XHSHO.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/hub/model.ts
init_errors();
import { stat as stat2 } from "node:fs/promises";

// src/hub/cache.ts
init_errors();
import { constants } from "node:fs";
import { lstat, open, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

// src/hub/content-hash.ts
import { createHash } from "node:crypto";
function isContentHash(text) {
  return /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text);
}
function contentHash(expected, size) {
  const hash = createHash(expected.length === 64 ? "sha256" : "sha1");
  if (expected.length === 40) hash.update(`blob ${size}\0`);
  return {
    update: (bytes) => void hash.update(bytes),
    result: () => {
      const got = hash.digest("hex");
      return { matches: got === expected, got };
    }
  };
}
function hashName(expected) {
  return expected.length === 64 ? "sha256" : "git blob sha1";
}

// src/hub/reference.ts
init_errors();
var SHAPE = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:\/([^@]+\.(?:gguf|onnx)))?(?:@(.+))?$/;
function hubReference(id) {
  const [, repository, file = null, revision = "main"] = SHAPE.exec(id) ?? [];
  if (repository === void 0 || file !== null && fileNameProblem(file) !== null) return null;
  const problem = revision.length > 255 ? "is too long" : /[\p{C}\s~^:?*[\]]/u.test(revision) ? "holds a character no revision has" : fileNameProblem(revision);
  if (problem !== null) {
    throw new ModelError("refused_for_safety", `${quote(id)}: the revision ${problem}: refused. Write org/name@branch, @tag or @commit.`);
  }
  return { id, repository, revision, file };
}
function isCommit(revision) {
  return /^[0-9a-f]{40}$/.test(revision);
}

// src/hub/cache.ts
var READ_BYTES = 4 * 1024 * 1024;
function modelFolder(cache, repository) {
  return join(cache, `models--${repository.replace("/", "--")}`);
}
function caches({ cache, hubCache }) {
  return [cache, hubCache];
}
async function cachedBlob(settings, repository, { name, size, hash }) {
  const path = await findBlob(settings, repository, hash, size);
  if (path === null || hash === null) return null;
  const source = await (await openFolder(dirname(path))).open(hash);
  return source === null ? null : { ...source, name: printable(name) };
}
async function findBlob(settings, repository, hash, size) {
  if (hash === null) return null;
  for (const cache of caches(settings)) {
    const path = join(modelFolder(cache, repository), "blobs", hash);
    const found = await lstat(path).catch(() => null);
    if (found?.isFile() === true && found.size === size) return path;
  }
  return null;
}
async function cachedSnapshot(settings, reference) {
  const { repository, revision } = reference;
  for (const cache of caches(settings)) {
    const root = modelFolder(cache, repository);
    const commit = isCommit(revision) ? revision : await commitOf(join(root, "refs", ...revision.split("/")));
    if (commit === null) continue;
    const folder = join(root, "snapshots", commit);
    if ((await lstat(folder).catch(() => null))?.isDirectory() === true) return { folder, commit };
  }
  throw new ModelError(
    "hub_unreachable",
    `${quote(reference.id)}: there is no such folder, the network is not used (--offline or HF_HUB_OFFLINE), and no cache has revision ${quote(revision)} (looked in ${caches(settings).map(quote).join(" and ")}). Run once with the network, or give a local folder.`
  );
}
async function verifySnapshot(folder) {
  for (const name of await readdir(folder)) {
    const target = await readlink(join(folder, name)).catch(() => null);
    const hash = target === null ? "" : basename(target);
    if (!isContentHash(hash)) continue;
    const blob = await realpath(join(folder, name)).catch(() => null);
    const size = blob === null ? 0 : (await lstat(blob)).size;
    if (blob !== null && await hasContent(blob, size, hash)) continue;
    throw new ModelError(
      "integrity",
      `${quote(join(folder, name))} is not what its hash ${hash} says. Remove the folder ${quote(dirname(dirname(folder)))} and run once with the network.`
    );
  }
}
async function commitOf(ref) {
  const text = await readFile(ref, "utf8").catch(() => "");
  const commit = text.trim();
  return isCommit(commit) ? commit : null;
}
async function hasContent(path, size, hash) {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size !== size) return false;
    const check = contentHash(hash, size);
    const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(size, 1)));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - at), at);
      if (bytesRead === 0) return false;
      check.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return check.result().matches;
  } finally {
    await file.close();
  }
}

// src/hub/download.ts
init_errors();
import { constants as constants3 } from "node:fs";
import { copyFile, link, lstat as lstat3, mkdir, open as open3, readlink as readlink2, rename as rename2, rm as rm2, statfs, symlink, writeFile } from "node:fs/promises";
import { randomUUID as randomUUID2 } from "node:crypto";
import { dirname as dirname2, join as join3, relative } from "node:path";

// src/hub/answers.ts
init_errors();
var Transient = class extends Error {
  constructor(message, final, waitMs = null, retries = null) {
    super(message);
    this.final = final;
    this.waitMs = waitMs;
    this.retries = retries;
  }
  final;
  waitMs;
  retries;
  name = "Transient";
};
function header(headers, name) {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0] ?? null;
}
function nameOf({ repository, revision, file }) {
  const model = revision === "main" ? repository : `${repository}@${printable(revision)}`;
  return file === null ? model : `${model}: ${printable(file)}`;
}
function requestId(headers) {
  const id = header(headers, "x-request-id") ?? header(headers, "x-amz-cf-id");
  return id === null ? "" : ` (request id ${printable(id)})`;
}
var RETRIED = /* @__PURE__ */ new Set([408, 429, 500, 502, 503, 504]);
function refusalOf(status, headers, subject, settings, now) {
  const name = nameOf(subject);
  const id = requestId(headers);
  if (status === 429) {
    const limit = header(headers, "ratelimit-policy") ?? header(headers, "ratelimit");
    const which = limit === null ? "" : `, limit ${printable(limit)}`;
    const hint = settings.token === null ? " Set HF_TOKEN: with a token the limit is higher." : " Run later, or with fewer models at once.";
    const final = new ModelError("hub_unreachable", `${name}: ${hostOf(settings)} says "too many requests" (429${which})${id}.${hint}`);
    return new Transient("too many requests (429)", final, waitOf(headers, now));
  }
  if (RETRIED.has(status)) {
    const final = new ModelError("hub_unreachable", `${name}: the server answered ${status} again and again${id}. Run again later.`);
    return new Transient(`server error ${status}`, final, waitOf(headers, now));
  }
  return denialOf(status, headers, subject, settings) ?? unexpected(name, status, headers);
}
function unexpected(name, status, headers) {
  const said = header(headers, "x-error-message");
  const words = said === null ? "" : `: ${printable(said)}`;
  return new ModelError("download_failed", `${name}: the server answered ${status}${words}${requestId(headers)}.`);
}
function denialOf(status, headers, subject, settings) {
  const { repository } = subject;
  const name = nameOf(subject);
  const code = header(headers, "x-error-code");
  const said = header(headers, "x-error-message") ?? "";
  const id = requestId(headers);
  const page = `${settings.endpoint}/${repository}`;
  const fork = settings.inActions && settings.token === null ? " In a pull request from a fork, secrets such as HF_TOKEN are not available." : "";
  if (code === "GatedRepo") {
    const next = settings.token === null ? "then set HF_TOKEN to a token of that account" : "with the account whose token is in HF_TOKEN";
    return new ModelError("access_denied", `${name}: the model is gated. Accept its licence at ${page}, ${next}.${fork}${id}`);
  }
  if (status === 451 || /disabled/i.test(said) || code === "DisabledRepo") {
    return new ModelError("access_denied", `${name}: the Hub has disabled this model; ${page} says why. Take it out of the list.${id}`);
  }
  if (code === "RevisionNotFound") {
    return new ModelError(
      "model_not_found",
      `${repository}: has no revision ${quote(subject.revision)}. Was the branch renamed, or the commit removed by a force push? See ${page}/commits${id}`
    );
  }
  if (code === "EntryNotFound") {
    return new ModelError(
      "download_failed",
      `${name}: the Hub lists this file but does not have it${id}. Run again; it may have just been changed.`
    );
  }
  if (status === 401 && settings.token !== null) {
    return new ModelError(
      "access_denied",
      `${name}: the Hub does not accept the token (401)${id}. Set HF_TOKEN to a valid one, or unset it.`
    );
  }
  if (status === 401 || status === 404 || code === "RepoNotFound") {
    const token = settings.token === null ? "set HF_TOKEN to a token that may read it" : "see that the account of HF_TOKEN may read it";
    return new ModelError(
      "model_not_found",
      `${name}: the Hub at ${settings.endpoint} has no such model, or it is private (${status})${id}. Check the name; if it is private, ${token}.${fork}`
    );
  }
  if (status === 403) {
    return new ModelError(
      "access_denied",
      `${name}: access is forbidden (403)${said === "" ? "" : `: ${printable(said)}`}${id}. See ${page}${fork}`
    );
  }
  return null;
}
var HTTP_BYTES = 5e10;
function tooLargeForHttp(error, { repository }, size) {
  if (!(error instanceof ModelError) || size <= HTTP_BYTES) return error;
  if (error.code !== "download_failed" && error.code !== "access_denied") return error;
  const hint = `The file has ${(size / 1e9).toFixed(1)} GB, and those over 50 GB the Hub gives by Xet alone, which this program does not speak: run "hf download ${repository}" (huggingface_hub with hf_xet) first, then again with the same HF_HOME, or with that folder as the model.`;
  return new ModelError(error.code, `${error.message} ${hint}`);
}
function waitOf(headers, now) {
  const after = header(headers, "retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1e3;
  const date = Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  const reset = /\bt=(\d{1,9})\b/.exec(header(headers, "ratelimit") ?? "")?.[1];
  return reset === void 0 ? null : (Number(reset) + 1) * 1e3;
}
function hostOf(settings) {
  return new URL(settings.endpoint).host;
}
var CONNECTION = {
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  UND_ERR_SOCKET: "the connection was closed",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "no connection was made in time",
  UND_ERR_HEADERS_TIMEOUT: "the server did not answer in time",
  UND_ERR_BODY_TIMEOUT: "the data stopped coming",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer was cut",
  UND_ERR_ABORTED: "the connection was given up",
  ECONNREFUSED: "the connection was refused",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  ENETUNREACH: "the network cannot be reached",
  EHOSTUNREACH: "the host cannot be reached"
};
var NOT_THERE = /* @__PURE__ */ new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);
function failureOf(error, url, subject, met, proxy) {
  const { code, message } = codeAndMessage(error);
  const name = nameOf(subject);
  if (code === "INTERNAL_ADDRESS") {
    return new ModelError("refused_for_safety", `${name}: the server redirects into the internal network: ${printable(message)}. Refused.`);
  }
  const through = proxy === null ? "" : ` through the proxy ${new URL(proxy).host}`;
  if (/Proxy response|proxy/i.test(message) && proxy !== null) {
    return new ModelError(
      "hub_unreachable",
      `${name}: the proxy ${new URL(proxy).host} refused (${printable(message)}). Check HTTPS_PROXY and NO_PROXY.`
    );
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|ERR_TLS|EPROTO/.test(code)) {
    return new ModelError(
      "hub_unreachable",
      `${name}: no safe connection to ${url.host}${through} (${code}). If a proxy inspects traffic, set NODE_EXTRA_CA_CERTS to its certificate.`
    );
  }
  const what = CONNECTION[code];
  const words = what === void 0 ? printable(message) : `${what} (${code})`;
  const final = new ModelError(
    "hub_unreachable",
    `${name}: ${url.host} could not be reached${through}: ${words}. Check the network, HF_ENDPOINT and the proxy.`
  );
  if (what === void 0) return final;
  if (!met && NOT_THERE.has(code)) return code === "EAI_AGAIN" || code === "ECONNREFUSED" ? new Transient(words, final, 200, 1) : final;
  return new Transient(words, final);
}
function codeAndMessage(error) {
  if (typeof error !== "object" || error === null) return { code: "", message: String(error) };
  const message = "message" in error ? String(error.message) : "";
  if ("code" in error && typeof error.code === "string") return { code: error.code, message };
  const [first] = "errors" in error && Array.isArray(error.errors) ? error.errors : [];
  if (first !== void 0) return codeAndMessage(first);
  return "cause" in error && error.cause !== void 0 ? codeAndMessage(error.cause) : { code: "", message };
}

// src/hub/hub.ts
init_errors();
import { extname } from "node:path";

// src/hub/listing.ts
init_errors();
var LISTING_BYTES = 64 * 1024 * 1024;
var FILES_LIMIT = 1e5;
async function listModel(client, { repository, revision }, tally) {
  const subject = { repository, revision, file: null };
  const base = `${client.settings.endpoint}/api/models/${repository}`;
  const { value } = await getJson(client, subject, new URL(`${base}/revision/${encodeURIComponent(revision)}?blobs=true`), tally);
  const model = asObject(value);
  const commit = model?.["sha"];
  const siblings = model?.["siblings"];
  if (model === null || typeof commit !== "string" || !isCommit(commit) || !Array.isArray(siblings)) {
    throw new ModelError(
      "download_failed",
      `${nameOf(subject)}: ${base} gave no commit and file list. Is HF_ENDPOINT the address of a Hub?`
    );
  }
  if (isCommit(revision) && revision !== commit) {
    throw new ModelError(
      "integrity",
      `${nameOf(subject)}: the Hub answered with commit ${commit}: a branch that is named like a commit? Refused.`
    );
  }
  let entries = siblings.map((file) => entryOf(subject, asObject(file), "rfilename", "blobId"));
  if (entries.some((entry) => entry === null)) entries = await listTree(client, subject, base, commit, tally);
  const open4 = client.settings.token === null ? model["gated"] !== "auto" && model["gated"] !== "manual" : model["gated"] === false && model["private"] === false;
  return { commit, repository: renamed(client, model, subject), files: filesOf(subject, entries), open: open4 };
}
function renamed(client, model, subject) {
  const now = model["id"];
  if (typeof now !== "string" || now === subject.repository || !/^[\w.-]+\/[\w.-]+$/.test(now) || fileNameProblem(now) !== null) {
    return subject.repository;
  }
  if (now.toLowerCase() !== subject.repository.toLowerCase()) {
    client.log(`${subject.repository} is now called ${now} on the Hub: change the name in your list`);
  }
  return now;
}
async function listTree(client, subject, base, commit, tally) {
  const entries = [];
  let url = new URL(`${base}/tree/${commit}?recursive=true`);
  const origin = url.origin;
  while (url !== null && entries.length <= FILES_LIMIT) {
    const { value, next } = await getJson(client, subject, url, tally);
    if (!Array.isArray(value)) throw lacks(subject);
    for (const item of value) {
      const file = asObject(item);
      if (file?.["type"] === "file") entries.push(entryOf(subject, file, "path", "oid"));
    }
    url = next !== null && next.origin === origin && next.href !== url.href ? next : null;
  }
  return entries;
}
function filesOf(subject, entries) {
  if (entries.length > FILES_LIMIT) {
    throw new ModelError("download_failed", `${nameOf(subject)}: lists more than ${FILES_LIMIT} files; no model has that many.`);
  }
  const files = /* @__PURE__ */ new Map();
  for (const entry of entries) {
    if (entry === null) throw lacks(subject);
    files.set(entry.name, entry);
  }
  return files;
}
function lacks(subject) {
  return new ModelError(
    "download_failed",
    `${nameOf(subject)}: the mirror lacks the sizes of the files, without which a cut download is not seen. Use another HF_ENDPOINT.`
  );
}
function entryOf(subject, file, nameKey, hashKey) {
  const name = file?.[nameKey];
  if (file === null || typeof name !== "string") return null;
  const problem = fileNameProblem(name);
  if (problem !== null)
    throw new ModelError("refused_for_safety", `${nameOf(subject)}: lists a file ${quote(name)}, which ${problem}: refused.`);
  const lfs = asObject(file["lfs"]);
  const size = lfs?.["size"] ?? file["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return null;
  const hash = lfs === null ? file[hashKey] : lfs["sha256"] ?? lfs["oid"];
  if (hash === void 0 || hash === null) return { name, size, hash: null };
  if (typeof hash === "string" && isContentHash(hash)) return { name, size, hash };
  throw new ModelError(
    "refused_for_safety",
    `${nameOf(subject)}: lists ${quote(name)} with a hash that is none: ${printable(JSON.stringify(hash))}. Refused.`
  );
}
async function getJson(client, subject, url, tally) {
  return client.persist(subject, async () => {
    const answer = await client.get({ url, subject, tally });
    const pieces = [];
    let length = 0;
    await answer.read((piece) => {
      length += piece.byteLength;
      if (length > LISTING_BYTES)
        throw new ModelError("download_failed", `${nameOf(subject)}: the file list is over ${LISTING_BYTES} bytes.`);
      pieces.push(piece);
    });
    const next = /<([^>]+)>\s*;\s*rel="next"/.exec(header(answer.headers, "link") ?? "")?.[1];
    const following = next !== void 0 && URL.canParse(next, url.href) ? new URL(next, url) : null;
    return { value: parsed(subject, url, Buffer.concat(pieces).toString("utf8")), next: following };
  });
}
function parsed(subject, url, text) {
  try {
    return JSON.parse(text);
  } catch {
    const page = /^\s*</.test(text) ? "a web page: a proxy or a login page stands in between" : `no JSON: ${printable(text.slice(0, 40))}`;
    throw new ModelError("hub_unreachable", `${nameOf(subject)}: ${url.host} answered with ${page}.`);
  }
}
function asObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}

// src/hub/remote-file.ts
init_errors();

// src/hub/ranges.ts
var FREE_GAP = 4 * 1024;
var LARGEST_GAP = 1024 * 1024;
var LARGEST_MERGED = 64 * 1024 * 1024;
function mergeRanges(reads) {
  const sorted = [...reads].sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
  const merged = [];
  let wanted = 0;
  for (const read of sorted) {
    const last = merged.at(-1);
    const length = read.range.end - read.range.start;
    if (last !== void 0) {
      const gap = read.range.start - last.range.end;
      const allowed = Math.min(LARGEST_GAP, Math.max(FREE_GAP, Math.min(wanted, length) / 8));
      const end = Math.max(last.range.end, read.range.end);
      if (gap <= allowed && (gap < 0 || end - last.range.start <= LARGEST_MERGED)) {
        last.range = { start: last.range.start, end };
        last.members.push(read);
        wanted += length;
        continue;
      }
    }
    merged.push({ range: read.range, members: [read] });
    wanted = length;
  }
  return merged;
}

// src/hub/remote-file.ts
var HEAD_BYTES = 64 * 1024;
var SHARD_HEAD_BYTES = 16 * 1024;
var WHOLE_BYTES = 256 * 1024 * 1024;
var SMALL_BYTES = 1024 * 1024;
var SLICE_LIMIT = 2 ** 31;
function remoteFile(entry, place) {
  const { name, size } = entry;
  const shown = printable(name);
  const fetchRange = rangeFetcher(entry, place);
  const headBytes = Math.min(size, /-\d+-of-\d+/.test(name) ? SHARD_HEAD_BYTES : HEAD_BYTES);
  let head = null;
  let whole = null;
  let unverified = false;
  const fetchWhole = () => whole ??= verifiedWhole(entry, place, fetchRange);
  const batch = batchedReads((range) => place.lanes(() => fetchRange(range)));
  const ranged = (range) => {
    if (!unverified) place.onUnverified();
    unverified = true;
    return batch(range);
  };
  return {
    name: shown,
    byteLength: size,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= size)) {
        throw new ModelError("weights_invalid", `${shown}: bytes ${start} to ${end} are outside the file, which has ${size} bytes.`);
      }
      if (end - start > SLICE_LIMIT) throw new ModelError("weights_invalid", `${shown}: ${end - start} bytes in one read are too many.`);
      if (start === end) return new Uint8Array(0);
      if (whole !== null || size <= headBytes || end - start === size && size <= WHOLE_BYTES)
        return (await fetchWhole()).slice(start, end);
      if (start >= headBytes) return ranged({ start, end });
      const first = await (head ??= ranged({ start: 0, end: headBytes }));
      if (end <= headBytes) return first.slice(start, end);
      const bytes = new Uint8Array(end - start);
      bytes.set(first.subarray(start));
      bytes.set(await ranged({ start: headBytes, end }), headBytes - start);
      return bytes;
    },
    close: async () => {
      head = null;
      whole = null;
    }
  };
}
async function verifiedWhole(entry, place, fetchRange) {
  const { hash, size } = entry;
  if (hash === null) {
    place.onUnverified();
    return place.lanes(() => fetchRange({ start: 0, end: size }));
  }
  return place.client.persist(place.subject, async () => {
    const bytes = await place.lanes(() => fetchRange({ start: 0, end: size }));
    const check = contentHash(hash, size);
    check.update(bytes);
    const { matches, got } = check.result();
    if (matches) return bytes;
    throw new Transient(`${hashName(hash)} mismatch`, mismatch(place.subject, hash, got), 0, 1);
  });
}
function mismatch(subject, expected, got) {
  return new ModelError(
    "integrity",
    `${nameOf(subject)}: ${hashName(expected)} mismatch: expected ${expected}, got ${got}. What was downloaded is not used.`
  );
}
function batchedReads(fetchRange) {
  let waiting = [];
  const flush = () => {
    const batch = waiting;
    waiting = [];
    for (const { range, members } of mergeRanges(batch)) {
      const fetched = fetchRange(range);
      for (const member of members) {
        const { start, end } = member.range;
        const alone = start === range.start && end === range.end && members.length === 1;
        member.resolve(alone ? fetched : fetched.then((bytes) => bytes.slice(start - range.start, end - range.start)));
      }
    }
  };
  return (range) => new Promise((resolve2) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push({ range, resolve: resolve2 });
  });
}
function rangeFetcher(entry, place) {
  const { client, subject } = place;
  const check = answerChecker(entry, place);
  let route = null;
  let finding = null;
  const ask = async (range) => {
    while (route === null && finding !== null) await finding;
    const headers = { range: `bytes=${range.start}-${range.end - 1}` };
    const asked = client.get({ url: route ?? place.url, subject, tally: place.tally, headers });
    if (route === null) {
      const found = asked.then(
        (answer) => void (route = answer.url),
        () => void 0
      );
      finding = found.finally(() => finding = null);
    }
    return asked;
  };
  return async ({ start, end }) => {
    const bytes = new Uint8Array(end - start);
    let got = 0;
    const fetched = client.persist(subject, async (progressed) => {
      try {
        const rest = { start: start + got, end };
        const answer = await ask(rest);
        let skip = checked(answer, () => check(answer, rest));
        await answer.read((piece) => {
          const wanted = piece.subarray(Math.min(skip, piece.byteLength));
          skip -= piece.byteLength - wanted.byteLength;
          const fits = answer.status === 200 ? wanted.subarray(0, bytes.byteLength - got) : wanted;
          if (got + fits.byteLength > bytes.byteLength) {
            got = 0;
            throw wrongRange(subject, `more than the ${bytes.byteLength} bytes that were asked for`);
          }
          bytes.set(fits, got);
          got += fits.byteLength;
          if (fits.byteLength > 0) progressed();
        });
        if (got < bytes.byteLength) throw cut(subject, start + got, end);
      } catch (error) {
        if (error instanceof Transient) route = null;
        throw error;
      }
    });
    await fetched.catch((error) => {
      throw tooLargeForHttp(error, subject, entry.size);
    });
    return bytes;
  };
}
function checked(answer, check) {
  try {
    return check();
  } catch (error) {
    answer.drop();
    throw error;
  }
}
function cut(subject, at, end) {
  const problem = `${nameOf(subject)}: the server's answer ends at byte ${at} of ${end}, every time. Run again later.`;
  return new Transient(`the answer was cut at byte ${at} of ${end}`, new ModelError("download_failed", problem));
}
function wrongRange(subject, problem) {
  const final = `${nameOf(subject)}: the server answered a range request with ${problem}. A proxy or mirror in between is at fault.`;
  return new Transient(`wrong range: ${problem}`, new ModelError("integrity", final), 0, 1);
}
function answerChecker({ name, size, hash }, { subject, commit }) {
  const etags = /* @__PURE__ */ new Map();
  const shown = nameOf(subject);
  return ({ status, headers, linked, url }, range, wholeUpTo = SMALL_BYTES) => {
    assertListed(subject, { size, hash, commit }, linked ?? headers);
    if (/^text\/html\b/i.test(header(headers, "content-type") ?? "") && !/\.html?$/i.test(name)) {
      throw new ModelError("hub_unreachable", `${shown}: ${url.host} answered with a web page: a proxy or a login page stands in between.`);
    }
    const encoding = header(headers, "content-encoding") ?? "identity";
    if (encoding !== "identity") {
      throw new ModelError(
        "integrity",
        `${shown}: ${url.host} compressed the answer (${printable(encoding)}) although it was asked not to.`
      );
    }
    const etag = header(headers, "etag");
    const before = etags.get(url.host);
    if (etag !== null && before !== void 0 && etag !== before)
      throw changed(subject, `ETag ${printable(before)}, then ${printable(etag)}`);
    if (etag !== null) etags.set(url.host, etag);
    if (status === 206) {
      const said = header(headers, "content-range");
      if (said?.trim() === `bytes ${range.start}-${range.end - 1}/${size}`) return 0;
      throw wrongRange(
        subject,
        `Content-Range ${said === null ? "missing" : printable(said)}, expected bytes ${range.start}-${range.end - 1}/${size}`
      );
    }
    const length = header(headers, "content-length");
    if (length !== null && Number(length) !== size) throw wrongRange(subject, `${printable(length)} bytes; the file has ${size}`);
    if (range.start === 0 && range.end === size) return 0;
    if (size <= wholeUpTo) return range.start;
    throw new ModelError(
      "download_failed",
      `${shown}: ${url.host} does not support range requests (it answered ${status}), so ${size} bytes would have to be read for a few. Use another mirror.`
    );
  };
}
function assertListed(subject, listed, headers) {
  const commit = header(headers, "x-repo-commit");
  if (commit !== null && commit !== listed.commit) throw changed(subject, `commit ${listed.commit}, then ${printable(commit)}`);
  const size = header(headers, "x-linked-size");
  if (size !== null && Number(size) !== listed.size)
    throw changed(subject, `listed with ${listed.size} bytes, served with ${printable(size)}`);
  const etag = header(headers, "x-linked-etag")?.replace(/^W\//, "").replaceAll('"', "");
  if (etag !== void 0 && listed.hash !== null && etag.length === listed.hash.length && etag !== listed.hash) {
    throw changed(subject, `hash ${listed.hash}, then ${printable(etag)}`);
  }
}
function changed(subject, how) {
  return new ModelError(
    "integrity",
    `${nameOf(subject)}: changed during the run (${how}). Run again; if it repeats, the mirror is at fault.`
  );
}

// src/hub/hub.ts
var PARALLEL_RANGES = 16;
var FILES_SHOWN = 10;
async function openHub(reference, client) {
  const tally = { requests: 0, bytes: 0 };
  const listing = await listModel(client, reference, tally);
  const { commit, repository, files } = listing;
  if (reference.file !== null && !files.has(reference.file)) throw noFile(reference, reference.file, [...files.keys()]);
  const opened = /* @__PURE__ */ new Set();
  const unverified = /* @__PURE__ */ new Set();
  const run = lanes(PARALLEL_RANGES);
  const open4 = async (name) => {
    const entry = files.get(name);
    if (entry === void 0) return null;
    opened.add(name);
    const onUnverified = () => void unverified.add(name);
    const local = await cachedBlob(client.settings, repository, entry);
    if (local !== null) {
      onUnverified();
      return local;
    }
    const subject = { repository, revision: reference.revision, file: name };
    const url = fileUrl(client.settings.endpoint, repository, commit, name);
    return remoteFile(entry, { client, subject, url, commit, tally, lanes: run, onUnverified });
  };
  client.log(`${nameOf({ ...reference, file: null })}: commit ${commit}`);
  return {
    id: reference.id,
    revision: commit,
    ...reference.file === null ? {} : { main: reference.file },
    listing,
    tally,
    unverified,
    opened,
    list: () => Promise.resolve([...files.keys()].filter((name) => !name.includes("/")).sort()),
    open: open4
  };
}
function noFile(reference, file, names) {
  const alike = names.filter((name) => extname(name) === extname(file)).sort();
  const shown = alike.slice(0, FILES_SHOWN).map((name) => printable(name));
  const has = alike.length === 0 ? `no ${extname(file)} file at all` : `${shown.join(", ")}${alike.length > FILES_SHOWN ? ", …" : ""}`;
  return new ModelError("model_not_found", `${nameOf({ ...reference, file: null })}: has no file ${quote(file)}; it has ${has}.`);
}
function fileUrl(endpoint, repository, commit, name) {
  return new URL(`${endpoint}/${repository}/resolve/${commit}/${name.split("/").map(encodeURIComponent).join("/")}`);
}

// src/hub/lock.ts
import { constants as constants2 } from "node:fs";
import { open as open2, readFile as readFile2, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { randomUUID } from "node:crypto";
var HEARTBEAT_MS = 5e3;
var SILENCE_MS = 6e4;
var POLL_MS = 100;
var own = /* @__PURE__ */ new Set();
async function withLock(path, work) {
  const text = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  own.add(text);
  await acquire(path, text);
  const heartbeat = setInterval(() => void beat(path), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    own.delete(text);
    if ((await holderOf(path))?.text === text) await rm(path, { force: true });
  }
}
async function beat(path) {
  const now = /* @__PURE__ */ new Date();
  await utimes(path, now, now).catch(() => void 0);
}
async function acquire(path, text) {
  let seen = null;
  let polls = 0;
  while (!await create(path, text)) {
    const holder = await holderOf(path);
    if (holder === null) continue;
    if (seen === null || holder.text !== seen.text || holder.beat !== seen.beat) {
      seen = holder;
      polls = 0;
    }
    if (isDead(holder) || polls++ * POLL_MS > SILENCE_MS) await takeAway(path, holder);
    else await new Promise((resolve2) => setTimeout(resolve2, POLL_MS));
  }
}
async function create(path, text) {
  try {
    const file = await open2(path, constants2.O_WRONLY | constants2.O_CREAT | constants2.O_EXCL | constants2.O_NOFOLLOW, 420);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeAndMessage(error).code === "EEXIST") return false;
    throw error;
  }
}
async function holderOf(path) {
  try {
    const { mtimeMs } = await stat(path);
    return { text: await readFile2(path, "utf8"), beat: mtimeMs };
  } catch (error) {
    await new Promise((resolve2) => setTimeout(resolve2, POLL_MS / 10));
    if (codeAndMessage(error).code === "ENOENT") return null;
    throw error;
  }
}
function isDead({ text }) {
  const [, pid, host] = /^\{"pid":(\d{1,10}),"host":("(?:[^"\\]|\\.)*"),/.exec(text) ?? [];
  if (pid === void 0 || host !== JSON.stringify(hostname())) return false;
  if (Number(pid) === process.pid) return !own.has(text);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return codeAndMessage(error).code === "ESRCH";
  }
}
async function takeAway(path, { text }) {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readFile2(aside, "utf8").catch(() => text);
  if (moved === text) return rm(aside, { force: true });
  await rename(aside, path).catch(() => void 0);
}

// src/hub/shared-cache.ts
import { createHash as createHash2 } from "node:crypto";
import { lstat as lstat2 } from "node:fs/promises";
import { join as join2 } from "node:path";
var MODEL_CHARACTERS = 200;
function sharedEntry({ repository, commit }, files) {
  const sizes = new Map(files.map(({ hash, size }) => [hash, size]));
  const hashes = [...sizes.keys()].sort();
  const model = repository.replaceAll(/[^\w.-]/g, "--").slice(0, MODEL_CHARACTERS);
  const set2 = createHash2("sha256").update(hashes.join("\n")).digest("hex");
  return { key: `fused-compat-1-${model}-${commit}-${set2}`, hashes, bytes: total(sizes.values()) };
}
async function takeShared(shared, entry, missing, take, say) {
  const wanted = missing.size;
  const bytes = total([...missing.values()].map(({ size }) => size));
  if (bytes < entry.bytes / 2) return false;
  const result = await shared.restore(entry, async (folder) => {
    for (const [hash, file] of [...missing]) {
      const path = join2(folder, "blobs", hash);
      if (await isOwnFile(path) && await hasContent(path, file.size, hash) && await take(path, file)) missing.delete(hash);
    }
  }).catch((error) => ({ found: true, problem: error instanceof Error ? error.message : String(error) }));
  const { found, problem } = result;
  if (missing.size === 0) {
    say(`${bytesInWords(bytes)} from ${shared.name}, verified`);
  } else if (found) {
    const why = problem === null ? "" : ` (${problem})`;
    say(
      `${wanted - missing.size} of ${wanted} files came right from ${shared.name}${why}; downloading the rest. If this stays so, delete its entry ${entry.key}`
    );
  } else if (problem !== null) say(`nothing from ${shared.name}: ${problem}`);
  return !found && problem === null;
}
function total(sizes) {
  return [...sizes].reduce((sum, size) => sum + size, 0);
}
async function isOwnFile(path) {
  const stats = await lstat2(path).catch(() => null);
  return stats !== null && stats.isFile() && stats.nlink === 1;
}

// src/hub/download.ts
var PARALLEL_FILES = 4;
var READ_BYTES2 = 4 * 1024 * 1024;
var FULL = /* @__PURE__ */ new Map([
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the user's share of the disk is used up"],
  ["EFBIG", "the file is too large"]
]);
async function startDownload(model, reference, names, client, shared = null) {
  const { commit, repository, files } = model.listing;
  const root = modelFolder(client.settings.cache, repository);
  const place = { model, reference, client, root, shared };
  const wanted = [...new Set(names)].flatMap((name) => {
    const entry = files.get(name);
    return entry === void 0 ? [] : [withHash(place, entry)];
  });
  const explained = (error) => {
    throw error instanceof ModelError ? error : diskError(place, error);
  };
  try {
    const snapshot = await folders(root, commit);
    const { fetched, save } = await fetchMissing(place, wanted);
    const stands = async (entry) => {
      await fetched.get(entry.hash);
      await linkBlob(root, snapshot, entry);
    };
    const arrivals = new Map(wanted.map((entry) => [entry.name, stands(entry).catch(explained)]));
    const failed = Promise.all(arrivals.values());
    const ended = Promise.allSettled(arrivals.values()).then(async (results) => {
      const failure = results.find((result) => result.status === "rejected");
      if (failure !== void 0) throw failure.reason;
      if (!isCommit(reference.revision)) await writeRef(root, reference.revision, commit).catch(explained);
      save?.();
    });
    for (const promise of [failed, ended]) promise.catch(() => void 0);
    return {
      folder: snapshot,
      // Raced, not awaited one by one: what comes after a failed file would be computed for nothing.
      arrival: (name) => Promise.race([failed, arrivals.get(name)]).then(() => void 0),
      whole: () => ended
    };
  } catch (error) {
    return explained(error);
  }
}
function subjectOf({ model, reference }, file) {
  return { repository: model.listing.repository, revision: reference.revision, file };
}
function withHash(place, entry) {
  const { hash } = entry;
  if (hash !== null) return { ...entry, hash };
  const name = nameOf(subjectOf(place, entry.name));
  throw new ModelError(
    "download_failed",
    `${name}: the mirror lacks its hash, so a download could not be verified. Use another HF_ENDPOINT.`
  );
}
async function folders(root, commit) {
  const snapshot = join3(root, "snapshots", commit);
  await mkdir(snapshot, { recursive: true });
  await mkdir(join3(root, "blobs"), { recursive: true });
  for (const folder of [root, join3(root, "blobs"), join3(root, "snapshots"), snapshot]) {
    if (!(await lstat3(folder)).isDirectory()) {
      throw new ModelError("refused_for_safety", `The cache folder ${quote(folder)} is a link or a file: refused. Remove it.`);
    }
  }
  return snapshot;
}
async function fetchMissing(place, wanted) {
  const nothing = { fetched: /* @__PURE__ */ new Map(), save: null };
  const missing = /* @__PURE__ */ new Map();
  for (const entry of wanted) if (!await isPresent(place, entry)) missing.set(entry.hash, entry);
  if (missing.size === 0) return nothing;
  const save = await fetchShared(place, wanted, missing);
  if (missing.size === 0) return nothing;
  await assertSpace(place, [...missing.values()]);
  const { client } = place;
  const total2 = [...missing.values()].reduce((sum, { size }) => sum + size, 0);
  const progress = startProgress(nameOf(subjectOf(place, null)), total2, client);
  const run = lanes(PARALLEL_FILES);
  return { fetched: new Map([...missing].map(([hash, entry]) => [hash, run(() => fetchBlob(place, entry, progress))])), save };
}
async function fetchShared(place, wanted, missing) {
  const { shared, client, model, root } = place;
  if (shared === null) return null;
  const say = (message) => client.log(`${nameOf(subjectOf(place, null))}: ${message}`);
  if (!model.listing.open) {
    say(`it may not be open to all (gated or private) and stays out of ${shared.name}`);
    return null;
  }
  const entry = sharedEntry(model.listing, wanted);
  const worthSaving = await takeShared(shared, entry, missing, (path, file) => adopt(path, blobPath(root, file), file), say);
  return worthSaving ? () => shared.save(entry, root) : null;
}
var blobPath = (root, { hash }) => join3(root, "blobs", hash);
async function isPresent({ model, client, root }, entry) {
  const path = blobPath(root, entry);
  const stats = await lstat3(path).catch(() => null);
  if (stats !== null) {
    if (await hasContent(path, entry.size, entry.hash)) return true;
    client.log(`${model.id}: the cached copy of ${entry.name} is damaged and is fetched again`);
    await rm2(path, { force: true });
  }
  const other = await findBlob(client.settings, model.listing.repository, entry.hash, entry.size);
  if (other === null || !await hasContent(other, entry.size, entry.hash)) return false;
  return adopt(other, path, entry);
}
async function adopt(from, path, entry) {
  try {
    await link(from, path);
    return true;
  } catch {
    const temporary = `${path}.${randomUUID2()}`;
    await copyFile(from, temporary, constants3.COPYFILE_EXCL | constants3.COPYFILE_FICLONE);
    const right = await hasContent(temporary, entry.size, entry.hash);
    await (right ? rename2(temporary, path) : rm2(temporary, { force: true }));
    return right;
  }
}
async function assertSpace(place, missing) {
  let needed = 0;
  for (const entry of missing) {
    const part = await lstat3(`${blobPath(place.root, entry)}.part`).catch(() => null);
    needed += Math.max(0, entry.size - (part?.size ?? 0));
  }
  const { bavail, bsize } = await statfs(place.root);
  const free = bavail * bsize;
  if (needed > free) throw noSpace(place, `${needed} bytes are needed, ${free} are free`);
}
function noSpace({ model, root }, problem) {
  return new ModelError(
    "no_disk_space",
    `${model.id}: ${problem} on the disk of ${quote(root)}. Set FUSED_COMPAT_CACHE to a folder on a larger one.`
  );
}
function diskError(place, error) {
  const { code } = codeAndMessage(error);
  const full = FULL.get(code);
  if (full !== void 0) return noSpace(place, `${full} (${code})`);
  if (!/^E[A-Z]+$/.test(code)) return error;
  const problem = `the cache ${quote(place.root)} cannot be written (${code})`;
  return new ModelError("download_failed", `${place.model.id}: ${problem}. Set FUSED_COMPAT_CACHE to a folder that can.`);
}
async function fetchBlob(place, entry, progress) {
  const path = blobPath(place.root, entry);
  await withLock(`${path}.lock`, async () => {
    if (await hasContent(path, entry.size, entry.hash)) {
      progress.advance(entry.size);
      return;
    }
    const part = `${path}.part`;
    const file = await openPart(place, part);
    try {
      await fetchInto(place, entry, file, progress);
      await file.sync();
      const [opened, named] = await Promise.all([file.stat(), lstat3(part)]);
      if (opened.ino !== named.ino || opened.size !== entry.size) {
        throw new ModelError(
          "integrity",
          `${nameOf(subjectOf(place, entry.name))}: the file in the cache was changed while it was written. Run again.`
        );
      }
      await rename2(part, path);
    } catch (error) {
      const full = FULL.has(codeAndMessage(error).code);
      if (full || error instanceof ModelError && error.code === "integrity") await rm2(part, { force: true });
      throw tooLargeForHttp(error, subjectOf(place, entry.name), entry.size);
    } finally {
      await file.close();
    }
    await syncFolder(dirname2(path));
  });
}
async function openPart(place, path) {
  const refuse = () => new ModelError("refused_for_safety", `${place.model.id}: ${quote(path)} in the cache is a link: refused. Remove it.`);
  let file;
  try {
    file = await open3(path, constants3.O_RDWR | constants3.O_CREAT | constants3.O_NOFOLLOW | constants3.O_NONBLOCK, 420);
  } catch (error) {
    throw codeAndMessage(error).code === "ELOOP" ? refuse() : error;
  }
  const stats = await file.stat();
  if (stats.isFile() && stats.nlink === 1) return file;
  await file.close();
  throw refuse();
}
async function fetchInto(place, entry, file, progress) {
  let { size: kept } = await file.stat();
  if (kept > entry.size) await file.truncate(kept = 0);
  for (; ; ) {
    const check = contentHash(entry.hash, entry.size);
    await hashStart(file, kept, check);
    progress.advance(kept);
    await fetchRest(place, entry, file, kept, check, progress);
    const { matches, got } = check.result();
    if (matches) return;
    await file.truncate(0);
    progress.advance(-entry.size);
    if (kept === 0) throw mismatch(subjectOf(place, entry.name), entry.hash, got);
    place.client.log(`${nameOf(subjectOf(place, entry.name))}: what an earlier run left was damaged; fetching all of it`);
    kept = 0;
  }
}
async function hashStart(file, length, check) {
  const buffer = new Uint8Array(Math.min(READ_BYTES2, Math.max(1, length)));
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, length - at), at);
    if (bytesRead === 0) throw new ModelError("integrity", "a file in the cache became shorter while it was read. Run again.");
    check.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
async function fetchRest(place, entry, file, from, check, progress) {
  const { client, model } = place;
  const { commit, repository } = model.listing;
  const { name, size } = entry;
  const subject = subjectOf(place, name);
  const url = fileUrl(client.settings.endpoint, repository, commit, name);
  const assertAnswer = answerChecker(entry, { subject, commit });
  let at = from;
  if (at === size) return;
  await client.persist(subject, async (progressed) => {
    const range = { start: at, end: size };
    const answer = await client.get({ url, subject, tally: model.tally, headers: { range: `bytes=${at}-${size - 1}` } });
    let skip = checked(answer, () => assertAnswer(answer, range, Infinity));
    await answer.read(async (piece) => {
      const fresh = piece.subarray(Math.min(skip, piece.byteLength));
      skip -= piece.byteLength - fresh.byteLength;
      if (fresh.byteLength === 0) return;
      if (at + fresh.byteLength > size) throw wrongRange(subject, `more than the ${size} bytes of the file`);
      check.update(fresh);
      await writeAll(file, fresh, at);
      at += fresh.byteLength;
      progress.advance(fresh.byteLength);
      progressed();
    });
    if (at < size) throw cut(subject, at, size);
  });
}
async function writeAll(file, bytes, at) {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done);
    done += bytesWritten;
  }
}
async function syncFolder(path) {
  const folder = await open3(path, constants3.O_RDONLY).catch(() => null);
  await folder?.sync().catch(() => void 0);
  await folder?.close();
}
async function linkBlob(root, snapshot, entry) {
  const path = join3(snapshot, ...entry.name.split("/"));
  const blob = blobPath(root, entry);
  const target = relative(dirname2(path), blob);
  if (await readlink2(path).catch(() => null) === target) return;
  await mkdir(dirname2(path), { recursive: true });
  const temporary = `${path}.${randomUUID2()}`;
  await symlink(target, temporary).catch(() => link(blob, temporary)).catch(() => copyFile(blob, temporary, constants3.COPYFILE_EXCL));
  await rename2(temporary, path);
}
async function writeRef(root, revision, commit) {
  const path = join3(root, "refs", ...revision.split("/"));
  await mkdir(dirname2(path), { recursive: true });
  const temporary = `${path}.${randomUUID2()}`;
  await writeFile(temporary, commit, { flag: "wx" });
  await rename2(temporary, path);
}

// src/hub/http.ts
var import_undici = __toESM(require_undici(), 1);
init_errors();

// src/hub/addresses.ts
import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP } from "node:net";
var INTERNAL = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3]
]) {
  INTERNAL.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8]
]) {
  INTERNAL.addSubnet(network, prefix, "ipv6");
}
function isInternalHost(hostname2) {
  const host = hostname2.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const family = isIP(host);
  if (family !== 0) return INTERNAL.check(host, family === 4 ? "ipv4" : "ipv6");
  return host === "localhost" || host.endsWith(".localhost");
}
function publicLookup(hostname2, options, found) {
  systemLookup(hostname2, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return found(error, []);
    const internal = addresses.find(({ address }) => isInternalHost(address));
    if (internal !== void 0) {
      const message = `${hostname2} is the internal address ${internal.address}`;
      return found(Object.assign(new Error(message), { code: "INTERNAL_ADDRESS" }), []);
    }
    const [first] = addresses;
    if (options.all === true) found(null, addresses);
    else found(null, first?.address ?? "", first?.family ?? 4);
  });
}

// src/hub/http.ts
var PATIENCE = {
  connectMs: 1e4,
  idleMs: 3e4,
  retries: 5,
  firstWaitMs: 1e3,
  longestWaitMs: 8e3,
  longestServerWaitMs: 12e4,
  progressMs: 5e3
};
var REDIRECTS = 5;
var CONNECTIONS = 64;
function connectHub(settings, options = {}) {
  const { log = () => void 0, patience = PATIENCE } = options;
  const dispatchers = dispatcherPool(settings, patience);
  const met = /* @__PURE__ */ new Set();
  const endpoint = new URL(settings.endpoint);
  const send = async (url, { subject, tally, headers = {} }) => {
    tally.requests++;
    const token = settings.token !== null && url.origin === endpoint.origin ? { authorization: `Bearer ${settings.token}` } : {};
    try {
      const answer = await (0, import_undici.request)(url, {
        dispatcher: dispatchers.of(url),
        headers: { "user-agent": "fused-compat", "accept-encoding": "identity", ...headers, ...token },
        headersTimeout: patience.idleMs,
        bodyTimeout: patience.idleMs
      });
      met.add(url.origin);
      return answer;
    } catch (error) {
      throw failureOf(error, url, subject, met.has(url.origin), settings.proxyFor(url));
    }
  };
  const get = async (what) => {
    let { url } = what;
    let linked = null;
    for (let hop = 0; hop <= REDIRECTS; hop++) {
      const { statusCode, headers, body } = await send(url, what);
      if (statusCode >= 200 && statusCode < 300) return answerOf(statusCode, headers, body, linked, url, what);
      await body.dump({ limit: 16384 }).catch(() => null);
      if (statusCode === 403 && url.origin !== endpoint.origin) throw expired(what.subject, url);
      if (![301, 302, 303, 307, 308].includes(statusCode)) throw refusalOf(statusCode, headers, what.subject, settings, Date.now());
      if (header(headers, "x-linked-size") !== null || header(headers, "x-linked-etag") !== null) linked = headers;
      url = redirected(url, headers, what.subject, endpoint);
    }
    throw new ModelError(
      "refused_for_safety",
      `${nameOf(what.subject)}: more than ${REDIRECTS} redirects, the last one to ${url.host}: refused.`
    );
  };
  const answerOf = (status, headers, body, linked, url, { subject, tally }) => {
    const drop = () => {
      body.on("error", () => void 0).destroy();
    };
    return {
      status,
      headers,
      linked,
      url,
      drop,
      async read(take) {
        let taking = false;
        try {
          for await (const piece of body) {
            tally.bytes += piece.byteLength;
            taking = true;
            await take(piece);
            taking = false;
          }
        } catch (error) {
          drop();
          if (taking) throw error;
          throw failureOf(error, url, subject, true, settings.proxyFor(url));
        }
      }
    };
  };
  const persist = async (subject, work) => {
    let failures = 0;
    let grave = 0;
    for (; ; ) {
      try {
        return await work(() => {
          failures = 0;
        });
      } catch (error) {
        if (!(error instanceof Transient)) throw error;
        if (error.retries === null) failures++;
        else grave++;
        if (failures > patience.retries || grave > (error.retries ?? Infinity)) throw error.final;
        const waitMs = waitBefore(Math.max(failures, 1), error, patience);
        log(`${nameOf(subject)}: ${error.message}; trying again in ${(waitMs / 1e3).toFixed(1)} s`);
        await new Promise((resolve2) => setTimeout(resolve2, waitMs));
      }
    }
  };
  return { settings, patience, log, get, persist, close: dispatchers.close };
}
function waitBefore(failures, { waitMs }, patience) {
  if (waitMs !== null) return Math.min(waitMs, patience.longestServerWaitMs);
  return Math.min(patience.firstWaitMs * 2 ** (failures - 1), patience.longestWaitMs) * (1 + Math.random() / 4);
}
function expired(subject, url) {
  const problem = `${nameOf(subject)}: ${url.host} answered 403 (forbidden), also at a new address that the Hub gave for it.`;
  return new Transient("the address of the file has run out (403)", new ModelError("download_failed", `${problem} Run again.`), 0, 1);
}
function redirected(from, headers, subject, endpoint) {
  const location = header(headers, "location");
  const refuse = (problem) => new ModelError("refused_for_safety", `${nameOf(subject)}: ${from.host} ${problem}: refused.`);
  if (location === null || !URL.canParse(location, from.href))
    throw refuse(`redirects to ${location === null ? "nowhere" : quote(location)}`);
  const to = new URL(location, from);
  if (to.protocol !== "http:" && to.protocol !== "https:")
    throw refuse(`redirects to ${quote(`${to.protocol}...`)}, which is no web address`);
  if (to.protocol === "http:" && from.protocol === "https:") throw refuse(`redirects from https to http (${to.host})`);
  if (isInternalHost(to.hostname) && to.hostname !== endpoint.hostname && !isInternalHost(endpoint.hostname)) {
    throw refuse(`redirects into the internal network (${to.host})`);
  }
  to.username = "";
  to.password = "";
  return to;
}
function dispatcherPool(settings, patience) {
  const made = /* @__PURE__ */ new Map();
  const endpoint = new URL(settings.endpoint);
  const trustsNetwork = isInternalHost(endpoint.hostname);
  const options = { connections: CONNECTIONS, pipelining: 1, keepAliveTimeout: 1e4 };
  const connect = { timeout: patience.connectMs };
  const make = (kind, proxy) => {
    if (proxy !== null) return new import_undici.ProxyAgent({ uri: proxy, ...options, connect });
    return new import_undici.Agent({ ...options, connect: kind === "straight" ? connect : { ...connect, lookup: publicLookup } });
  };
  return {
    of(url) {
      const proxy = settings.proxyFor(url);
      const kind = proxy ?? (trustsNetwork || url.hostname === endpoint.hostname ? "straight" : "public");
      let dispatcher = made.get(kind);
      if (dispatcher === void 0) made.set(kind, dispatcher = make(kind, proxy));
      return dispatcher;
    },
    async close() {
      await Promise.all([...made.values()].map((dispatcher) => dispatcher.destroy()));
      made.clear();
    }
  };
}

// src/hub/settings.ts
init_errors();
import { readFile as readFile3 } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join as join4, resolve } from "node:path";
var PUBLIC_HUB = "https://huggingface.co";
async function hubSettings(env, offline) {
  const cacheHome = set(env["XDG_CACHE_HOME"]) ?? join4(set(env["HOME"]) ?? homedir(), ".cache");
  const hfHome = absolute(env, set(env["HF_HOME"]) ?? join4(cacheHome, "huggingface"));
  const endpoint = endpointOf(set(env["HF_ENDPOINT"]) ?? PUBLIC_HUB);
  return {
    endpoint,
    token: await tokenOf(env, hfHome, endpoint),
    offline: offline || isTrue(set(env["HF_HUB_OFFLINE"]) ?? env["TRANSFORMERS_OFFLINE"]),
    hubCache: absolute(env, set(env["HF_HUB_CACHE"]) ?? set(env["HUGGINGFACE_HUB_CACHE"]) ?? join4(hfHome, "hub")),
    cache: absolute(env, set(env["FUSED_COMPAT_CACHE"]) ?? join4(cacheHome, "fused-compat")),
    proxyFor: proxies(env),
    inActions: env["GITHUB_ACTIONS"] === "true"
  };
}
function set(value) {
  const trimmed = value?.trim();
  return trimmed === "" ? void 0 : trimmed;
}
function isTrue(value) {
  return ["1", "on", "yes", "true"].includes(value?.trim().toLowerCase() ?? "");
}
function absolute(env, path) {
  const home = set(env["HOME"]) ?? homedir();
  const expanded = path === "~" ? home : path.startsWith("~/") ? join4(home, path.slice(2)) : path;
  return isAbsolute(expanded) ? expanded : resolve(expanded);
}
function endpointOf(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new UsageError(`HF_ENDPOINT: ${quote(text)} is not the address of a Hub; allowed: a URL such as ${PUBLIC_HUB}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError("HF_ENDPOINT: must not hold a user name or password; put the token into HF_TOKEN");
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}
async function tokenOf(env, hfHome, endpoint) {
  const given = set(env["HF_TOKEN"]) ?? set(env["HUGGING_FACE_HUB_TOKEN"]);
  if (given !== void 0) return checkedToken(given, "HF_TOKEN");
  if (endpoint !== PUBLIC_HUB || isTrue(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return null;
  const path = absolute(env, set(env["HF_TOKEN_PATH"]) ?? join4(hfHome, "token"));
  const stored = set(await readFile3(path, "utf8").catch(() => ""));
  return stored === void 0 ? null : checkedToken(stored, path);
}
function checkedToken(token, where) {
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new UsageError(`${where}: the token holds a space, a line break or a character that no token has; copy it again`);
}
function proxies(env) {
  const named = (name) => {
    const value = set(env[name]) ?? set(env[name.toUpperCase()]);
    if (value === void 0) return null;
    const text = value.includes("://") ? value : `http://${value}`;
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
    throw new UsageError(`${name.toUpperCase()}: is not the URL of an http or https proxy, such as http://proxy.example:3128`);
  };
  const byProtocol = { "http:": named("http_proxy"), "https:": named("https_proxy") };
  const without = (set(env["no_proxy"]) ?? set(env["NO_PROXY"]) ?? "").split(/[,\s]+/).filter((entry) => entry !== "");
  return (origin) => {
    if (without.some((entry) => isExcluded(entry.toLowerCase(), origin))) return null;
    return origin.protocol === "https:" ? byProtocol["https:"] : byProtocol["http:"];
  };
}
function isExcluded(entry, { hostname: hostname2, port, protocol }) {
  if (entry === "*") return true;
  const [, name = "", entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry.replace(/^\[(.*)\](.*)$/, "[$1]$2")) ?? [];
  if (entryPort !== void 0 && entryPort !== (port === "" ? protocol === "https:" ? "443" : "80" : port)) return false;
  const bare = name.replace(/^\*?\./, "");
  return hostname2 === bare || hostname2.endsWith(`.${bare}`);
}

// src/hub/model.ts
var TOKENIZER_FILES = /^(?:tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|merges|generation_config)\.(?:json|model|txt)$/;
function standing(folder) {
  return { folder, arrival: () => Promise.resolve(), whole: () => Promise.resolve() };
}
function hubAccess(env, offline, options = {}) {
  let settings = null;
  let client = null;
  const read = () => settings ??= hubSettings(env, offline).catch((error) => {
    throw error instanceof UsageError ? new ModelError("hub_unreachable", error.message) : error;
  });
  return {
    settings: read,
    shared: options.shared ?? null,
    client: () => client ??= read().then((found) => connectHub(found, options)),
    close: async () => {
      await (await client?.catch(() => null))?.close();
    }
  };
}
async function openModel(ref, hub) {
  const isThere = await stat2(ref.path).then(
    () => true,
    () => false
  );
  const reference = isThere ? null : hubReference(ref.id);
  if (reference === null) return { ...localModel(await openFolder(ref.path), ref.path), unverified: () => null };
  const settings = await hub.settings();
  if (settings.offline) {
    const { folder, commit } = await cachedSnapshot(settings, reference);
    const named = reference.file === null ? {} : { main: reference.file };
    const files = { ...await openFolder(folder), ...named, id: ref.id, revision: commit };
    return {
      files,
      remote: true,
      cost: () => null,
      unverified: () => `Read from the cache ${quote(folder)} offline: not hash-verified.`,
      copy: async () => {
        await verifySnapshot(folder);
        return standing(folder);
      }
    };
  }
  const client = await hub.client();
  const model = await openHub(reference, client).catch((error) => {
    throw error instanceof ModelError ? neither(ref.id, error) : error;
  });
  return {
    files: model,
    remote: true,
    cost: () => ({ ...model.tally }),
    unverified: () => rangedReads(model, settings),
    copy: async (later) => {
      const first = neededFiles(model).filter((name) => !later.includes(name));
      const copy = await startDownload(model, reference, [...first, ...later], client, hub.shared);
      if (later.length === 0) await copy.whole();
      else await Promise.all(first.map((name) => copy.arrival(name))).catch(() => copy.whole());
      return copy;
    }
  };
}
function localModel(files, path) {
  return { files, remote: false, cost: () => null, copy: () => Promise.resolve(standing(path)) };
}
function neither(id, { code, message }) {
  if (code !== "model_not_found" && code !== "hub_unreachable") return new ModelError(code, message);
  return new ModelError(
    code,
    `There is no ${/\.(?:gguf|onnx)$/.test(id) ? "file" : "folder"} ${quote(id)}, and as a model on the Hub: ${message}`
  );
}
function neededFiles({ opened, listing }) {
  return [.../* @__PURE__ */ new Set([...opened, ...[...listing.files.keys()].filter((name) => TOKENIZER_FILES.test(name))])];
}
function rangedReads({ unverified, tally, revision, listing }, { endpoint }) {
  if (unverified.size === 0) return null;
  const total2 = [...unverified].reduce((sum, name) => sum + (listing.files.get(name)?.size ?? 0), 0);
  const cost = `${bytesInWords(tally.bytes)} in ${tally.requests} requests`;
  return `Read by range from ${endpoint} at commit ${revision}: ${cost}, of ${bytesInWords(total2)} of weights; not hash-verified, because a hash is of a whole file.`;
}

export {
  hubAccess,
  openModel
};
