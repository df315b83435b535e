import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  SHIPPED_KERNELS
} from "./chunk-52E5HEIC.js";
import {
  package_default
} from "./chunk-3CLCL3EW.js";
import {
  DTYPE_BITS,
  HEADER_LIMIT,
  PREFIX_BYTES,
  buildProgram,
  checkPrompt,
  checkWeights,
  countNonFinite,
  dequantize,
  isRunnable,
  modelType,
  onnxruntimeVersion,
  openCheckpoint,
  openFolder,
  readModelConfig,
  refuseUnlessRunnable,
  tensorBytes,
  toFloat64
} from "./chunk-KF7EEG2V.js";
import "./chunk-LOTU3U5T.js";
import {
  require_undici
} from "./chunk-SO7XHSHO.js";
import {
  against,
  count,
  difference,
  magnitude,
  multiple,
  percent,
  score
} from "./chunk-GJGK3S23.js";
import {
  loadManifests
} from "./chunk-GLCLHHNL.js";
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  UsageError,
  init_errors
} from "./chunk-LNJXDEHV.js";
import "./chunk-2WZLVRTP.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/gate.ts
import { availableParallelism, cpus } from "node:os";
init_errors();

// src/hub/lanes.ts
function lanes(count2) {
  let free = count2;
  const waiting = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise((resolve2) => waiting.push(resolve2));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === void 0) free++;
      else next();
    }
  };
}

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
var SHAPE = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@(.+))?$/;
function hubReference(id) {
  const [, repository, revision = "main"] = SHAPE.exec(id) ?? [];
  if (repository === void 0) return null;
  const problem = revision.length > 255 ? "is too long" : /[\p{C}\s~^:?*[\]]/u.test(revision) ? "holds a character no revision has" : fileNameProblem(revision);
  if (problem !== null) {
    throw new ModelError("refused_for_safety", `${quote(id)}: the revision ${problem}: refused. Write org/name@branch, @tag or @commit.`);
  }
  return { id, repository, revision };
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
async function cachedSnapshot(settings, reference2) {
  const { repository, revision } = reference2;
  for (const cache of caches(settings)) {
    const root = modelFolder(cache, repository);
    const commit = isCommit(revision) ? revision : await commitOf(join(root, "refs", ...revision.split("/")));
    if (commit === null) continue;
    const folder = join(root, "snapshots", commit);
    if ((await lstat(folder).catch(() => null))?.isDirectory() === true) return { folder, commit };
  }
  throw new ModelError(
    "hub_unreachable",
    `${quote(reference2.id)}: there is no such folder, the network is not used (--offline or HF_HUB_OFFLINE), and no cache has revision ${quote(revision)} (looked in ${caches(settings).map(quote).join(" and ")}). Run once with the network, or give a local folder.`
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
    const check2 = contentHash(hash, size);
    const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(size, 1)));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - at), at);
      if (bytesRead === 0) return false;
      check2.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return check2.result().matches;
  } finally {
    await file.close();
  }
}

// src/hub/download.ts
init_errors();
import { constants as constants3 } from "node:fs";
import { copyFile, link, lstat as lstat2, mkdir, open as open3, readlink as readlink2, rename as rename2, rm as rm2, statfs, symlink, writeFile } from "node:fs/promises";
import { randomUUID as randomUUID2 } from "node:crypto";
import { dirname as dirname2, join as join2, relative } from "node:path";

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
  return { commit, repository: renamed(client, model, subject), files: filesOf(subject, entries) };
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
function remoteFile(entry, place2) {
  const { name, size } = entry;
  const shown2 = printable(name);
  const fetchRange = rangeFetcher(entry, place2);
  const headBytes = Math.min(size, /-\d+-of-\d+/.test(name) ? SHARD_HEAD_BYTES : HEAD_BYTES);
  let head = null;
  let whole = null;
  let unverified = false;
  const fetchWhole = () => whole ??= verifiedWhole(entry, place2, fetchRange);
  const batch = batchedReads((range) => place2.lanes(() => fetchRange(range)));
  const ranged = (range) => {
    if (!unverified) place2.onUnverified();
    unverified = true;
    return batch(range);
  };
  return {
    name: shown2,
    byteLength: size,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= size)) {
        throw new ModelError("weights_invalid", `${shown2}: bytes ${start} to ${end} are outside the file, which has ${size} bytes.`);
      }
      if (end - start > SLICE_LIMIT) throw new ModelError("weights_invalid", `${shown2}: ${end - start} bytes in one read are too many.`);
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
async function verifiedWhole(entry, place2, fetchRange) {
  const { hash, size } = entry;
  if (hash === null) {
    place2.onUnverified();
    return place2.lanes(() => fetchRange({ start: 0, end: size }));
  }
  return place2.client.persist(place2.subject, async () => {
    const bytes = await place2.lanes(() => fetchRange({ start: 0, end: size }));
    const check2 = contentHash(hash, size);
    check2.update(bytes);
    const { matches, got } = check2.result();
    if (matches) return bytes;
    throw new Transient(`${hashName(hash)} mismatch`, mismatch(place2.subject, hash, got), 0, 1);
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
function rangeFetcher(entry, place2) {
  const { client, subject } = place2;
  const check2 = answerChecker(entry, place2);
  let route = null;
  let finding2 = null;
  const ask = async (range) => {
    while (route === null && finding2 !== null) await finding2;
    const headers = { range: `bytes=${range.start}-${range.end - 1}` };
    const asked = client.get({ url: route ?? place2.url, subject, tally: place2.tally, headers });
    if (route === null) {
      const found = asked.then(
        (answer) => void (route = answer.url),
        () => void 0
      );
      finding2 = found.finally(() => finding2 = null);
    }
    return asked;
  };
  return async ({ start, end }) => {
    const bytes = new Uint8Array(end - start);
    let got = 0;
    await client.persist(subject, async (progressed) => {
      try {
        const rest = { start: start + got, end };
        const answer = await ask(rest);
        let skip = checked(answer, () => check2(answer, rest));
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
    return bytes;
  };
}
function checked(answer, check2) {
  try {
    return check2();
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
  const shown2 = nameOf(subject);
  return ({ status, headers, linked, url }, range, wholeUpTo = SMALL_BYTES) => {
    assertListed(subject, { size, hash, commit }, linked ?? headers);
    if (/^text\/html\b/i.test(header(headers, "content-type") ?? "") && !/\.html?$/i.test(name)) {
      throw new ModelError("hub_unreachable", `${shown2}: ${url.host} answered with a web page: a proxy or a login page stands in between.`);
    }
    const encoding = header(headers, "content-encoding") ?? "identity";
    if (encoding !== "identity") {
      throw new ModelError(
        "integrity",
        `${shown2}: ${url.host} compressed the answer (${printable(encoding)}) although it was asked not to.`
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
      `${shown2}: ${url.host} does not support range requests (it answered ${status}), so ${size} bytes would have to be read for a few. Use another mirror.`
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
async function openHub(reference2, client) {
  const tally = { requests: 0, bytes: 0 };
  const listing = await listModel(client, reference2, tally);
  const { commit, repository, files } = listing;
  const opened = /* @__PURE__ */ new Set();
  const unverified = /* @__PURE__ */ new Set();
  const run = lanes(PARALLEL_RANGES);
  const open5 = async (name) => {
    const entry = files.get(name);
    if (entry === void 0) return null;
    opened.add(name);
    const onUnverified = () => void unverified.add(name);
    const local = await cachedBlob(client.settings, repository, entry);
    if (local !== null) {
      onUnverified();
      return local;
    }
    const subject = { repository, revision: reference2.revision, file: name };
    const url = fileUrl(client.settings.endpoint, repository, commit, name);
    return remoteFile(entry, { client, subject, url, commit, tally, lanes: run, onUnverified });
  };
  client.log(`${nameOf({ ...reference2, file: null })}: commit ${commit}`);
  return {
    id: reference2.id,
    revision: commit,
    listing,
    tally,
    unverified,
    opened,
    list: () => Promise.resolve([...files.keys()].filter((name) => !name.includes("/")).sort()),
    open: open5
  };
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
  let since = performance.now();
  while (!await create(path, text)) {
    const holder = await holderOf(path);
    if (holder === null) continue;
    if (seen === null || holder.text !== seen.text || holder.beat !== seen.beat) {
      seen = holder;
      since = performance.now();
    }
    if (isDead(holder) || performance.now() - since > SILENCE_MS) await takeAway(path, holder);
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

// src/hub/progress.ts
function startProgress(name, total, { log, patience }) {
  const started = performance.now();
  let done = 0;
  let said = started;
  log(`${name}: downloading ${bytesInWords(total)}`);
  return {
    advance(bytes) {
      done += bytes;
      const now = performance.now();
      if (done >= total) return;
      if (now - said < patience.progressMs || bytes <= 0) return;
      said = now;
      const rate = done / Math.max(1e-3, (now - started) / 1e3);
      const left = Math.ceil((total - done) / rate);
      const share = Math.floor(100 * done / total);
      log(`${name}: downloading, ${share} % of ${bytesInWords(total)}, ${bytesInWords(rate)}/s, ${timeInWords(left)} left`);
    }
  };
}
function bytesInWords(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1e3 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step] ?? ""}`;
}
function timeInWords(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

// src/hub/download.ts
var PARALLEL_FILES = 4;
var READ_BYTES2 = 4 * 1024 * 1024;
async function downloadModel(model, reference2, names, client) {
  const { commit, repository, files } = model.listing;
  const root = modelFolder(client.settings.cache, repository);
  const place2 = { model, reference: reference2, client, root };
  const wanted = [...names].flatMap((name) => {
    const entry = files.get(name);
    return entry === void 0 ? [] : [withHash(place2, entry)];
  });
  try {
    const snapshot = await folders(root, commit);
    await fetchMissing(place2, wanted);
    for (const entry of wanted) await linkBlob(root, snapshot, entry);
    if (!isCommit(reference2.revision)) await writeRef(root, reference2.revision, commit);
    return snapshot;
  } catch (error) {
    throw error instanceof ModelError ? error : diskError(place2, error);
  }
}
function subjectOf({ model, reference: reference2 }, file) {
  return { repository: model.listing.repository, revision: reference2.revision, file };
}
function withHash(place2, entry) {
  const { hash } = entry;
  if (hash !== null) return { ...entry, hash };
  const name = nameOf(subjectOf(place2, entry.name));
  throw new ModelError(
    "download_failed",
    `${name}: the mirror lacks its hash, so a download could not be verified. Use another HF_ENDPOINT.`
  );
}
async function folders(root, commit) {
  const snapshot = join2(root, "snapshots", commit);
  await mkdir(snapshot, { recursive: true });
  await mkdir(join2(root, "blobs"), { recursive: true });
  for (const folder of [root, join2(root, "blobs"), join2(root, "snapshots"), snapshot]) {
    if (!(await lstat2(folder)).isDirectory()) {
      throw new ModelError("refused_for_safety", `The cache folder ${quote(folder)} is a link or a file: refused. Remove it.`);
    }
  }
  return snapshot;
}
async function fetchMissing(place2, wanted) {
  const missing = /* @__PURE__ */ new Map();
  for (const entry of wanted) if (!await isPresent(place2, entry)) missing.set(entry.hash, entry);
  if (missing.size === 0) return;
  await assertSpace(place2, [...missing.values()]);
  const { client } = place2;
  const total = [...missing.values()].reduce((sum, { size }) => sum + size, 0);
  const progress = startProgress(nameOf(subjectOf(place2, null)), total, client);
  const run = lanes(PARALLEL_FILES);
  const results = await Promise.allSettled([...missing.values()].map((entry) => run(() => fetchBlob(place2, entry, progress))));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== void 0) throw failed.reason;
}
var blobPath = (root, { hash }) => join2(root, "blobs", hash);
async function isPresent({ model, client, root }, entry) {
  const path = blobPath(root, entry);
  const stats = await lstat2(path).catch(() => null);
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
async function assertSpace(place2, missing) {
  let needed = 0;
  for (const entry of missing) {
    const part = await lstat2(`${blobPath(place2.root, entry)}.part`).catch(() => null);
    needed += Math.max(0, entry.size - (part?.size ?? 0));
  }
  const { bavail, bsize } = await statfs(place2.root);
  const free = bavail * bsize;
  if (needed > free) throw noSpace(place2, `${needed} bytes are needed, ${free} are free`);
}
function noSpace({ model, root }, problem) {
  return new ModelError(
    "no_disk_space",
    `${model.id}: ${problem} on the disk of ${quote(root)}. Set FUSED_COMPAT_CACHE to a folder on a larger one.`
  );
}
function diskError(place2, error) {
  const { code } = codeAndMessage(error);
  if (code === "ENOSPC" || code === "EDQUOT") return noSpace(place2, `the disk is full (${code})`);
  if (!/^E[A-Z]+$/.test(code)) return error;
  const problem = `the cache ${quote(place2.root)} cannot be written (${code})`;
  return new ModelError("download_failed", `${place2.model.id}: ${problem}. Set FUSED_COMPAT_CACHE to a folder that can.`);
}
async function fetchBlob(place2, entry, progress) {
  const path = blobPath(place2.root, entry);
  await withLock(`${path}.lock`, async () => {
    if (await hasContent(path, entry.size, entry.hash)) {
      progress.advance(entry.size);
      return;
    }
    const part = `${path}.part`;
    const file = await openPart(place2, part);
    try {
      await fetchInto(place2, entry, file, progress);
      await file.sync();
      const [opened, named] = await Promise.all([file.stat(), lstat2(part)]);
      if (opened.ino !== named.ino || opened.size !== entry.size) {
        throw new ModelError(
          "integrity",
          `${nameOf(subjectOf(place2, entry.name))}: the file in the cache was changed while it was written. Run again.`
        );
      }
      await rename2(part, path);
    } catch (error) {
      const full = ["ENOSPC", "EDQUOT"].includes(codeAndMessage(error).code);
      if (full || error instanceof ModelError && error.code === "integrity") await rm2(part, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await syncFolder(dirname2(path));
  });
}
async function openPart(place2, path) {
  const refuse = () => new ModelError("refused_for_safety", `${place2.model.id}: ${quote(path)} in the cache is a link: refused. Remove it.`);
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
async function fetchInto(place2, entry, file, progress) {
  let { size: kept } = await file.stat();
  if (kept > entry.size) await file.truncate(kept = 0);
  for (; ; ) {
    const check2 = contentHash(entry.hash, entry.size);
    await hashStart(file, kept, check2);
    progress.advance(kept);
    await fetchRest(place2, entry, file, kept, check2, progress);
    const { matches, got } = check2.result();
    if (matches) return;
    await file.truncate(0);
    progress.advance(-entry.size);
    if (kept === 0) throw mismatch(subjectOf(place2, entry.name), entry.hash, got);
    place2.client.log(`${nameOf(subjectOf(place2, entry.name))}: what an earlier run left was damaged; fetching all of it`);
    kept = 0;
  }
}
async function hashStart(file, length, check2) {
  const buffer = new Uint8Array(Math.min(READ_BYTES2, Math.max(1, length)));
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, length - at), at);
    if (bytesRead === 0) throw new ModelError("integrity", "a file in the cache became shorter while it was read. Run again.");
    check2.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
async function fetchRest(place2, entry, file, from, check2, progress) {
  const { client, model } = place2;
  const { commit, repository } = model.listing;
  const { name, size } = entry;
  const subject = subjectOf(place2, name);
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
      check2.update(fresh);
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
  const path = join2(snapshot, ...entry.name.split("/"));
  const blob = blobPath(root, entry);
  const target = relative(dirname2(path), blob);
  if (await readlink2(path).catch(() => null) === target) return;
  await mkdir(dirname2(path), { recursive: true });
  const temporary = `${path}.${randomUUID2()}`;
  await symlink(target, temporary).catch(() => link(blob, temporary)).catch(() => copyFile(blob, temporary, constants3.COPYFILE_EXCL));
  await rename2(temporary, path);
}
async function writeRef(root, revision, commit) {
  const path = join2(root, "refs", ...revision.split("/"));
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
        try {
          for await (const piece of body) {
            tally.bytes += piece.byteLength;
            await take(piece);
          }
        } catch (error) {
          drop();
          if (error instanceof ModelError || error instanceof Transient) throw error;
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
import { isAbsolute, join as join3, resolve } from "node:path";
var PUBLIC_HUB = "https://huggingface.co";
async function hubSettings(env, offline) {
  const cacheHome = set(env["XDG_CACHE_HOME"]) ?? join3(set(env["HOME"]) ?? homedir(), ".cache");
  const hfHome = absolute(env, set(env["HF_HOME"]) ?? join3(cacheHome, "huggingface"));
  const endpoint = endpointOf(set(env["HF_ENDPOINT"]) ?? PUBLIC_HUB);
  return {
    endpoint,
    token: await tokenOf(env, hfHome, endpoint),
    offline: offline || isTrue(set(env["HF_HUB_OFFLINE"]) ?? env["TRANSFORMERS_OFFLINE"]),
    hubCache: absolute(env, set(env["HF_HUB_CACHE"]) ?? set(env["HUGGINGFACE_HUB_CACHE"]) ?? join3(hfHome, "hub")),
    cache: absolute(env, set(env["FUSED_COMPAT_CACHE"]) ?? join3(cacheHome, "fused-compat")),
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
  const expanded = path === "~" ? home : path.startsWith("~/") ? join3(home, path.slice(2)) : path;
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
  const path = absolute(env, set(env["HF_TOKEN_PATH"]) ?? join3(hfHome, "token"));
  const stored2 = set(await readFile3(path, "utf8").catch(() => ""));
  return stored2 === void 0 ? null : checkedToken(stored2, path);
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
function hubAccess(env, offline, options = {}) {
  let settings = null;
  let client = null;
  const read = () => settings ??= hubSettings(env, offline).catch((error) => {
    throw error instanceof UsageError ? new ModelError("hub_unreachable", error.message) : error;
  });
  return {
    settings: read,
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
  const reference2 = isThere ? null : hubReference(ref.id);
  if (reference2 === null) return { ...localModel(await openFolder(ref.path), ref.path), unverified: () => null };
  const settings = await hub.settings();
  if (settings.offline) {
    const { folder, commit } = await cachedSnapshot(settings, reference2);
    const files = { ...await openFolder(folder), id: ref.id, revision: commit };
    return {
      files,
      remote: true,
      unverified: () => `Read from the cache ${quote(folder)} offline: not hash-verified.`,
      folder: async () => {
        await verifySnapshot(folder);
        return folder;
      }
    };
  }
  const client = await hub.client();
  const model = await openHub(reference2, client).catch((error) => {
    throw error instanceof ModelError ? neither(ref.id, error) : error;
  });
  return {
    files: model,
    remote: true,
    unverified: () => rangedReads(model, settings),
    folder: () => downloadModel(model, reference2, neededFiles(model), client)
  };
}
function localModel(files, path) {
  return { files, remote: false, folder: () => Promise.resolve(path) };
}
function neither(id, { code, message }) {
  if (code !== "model_not_found" && code !== "hub_unreachable") return new ModelError(code, message);
  return new ModelError(code, `There is no folder ${quote(id)}, and as a model on the Hub: ${message}`);
}
function neededFiles({ opened, listing }) {
  return [.../* @__PURE__ */ new Set([...opened, ...[...listing.files.keys()].filter((name) => TOKENIZER_FILES.test(name))])];
}
function rangedReads({ unverified, tally, revision, listing }, { endpoint }) {
  if (unverified.size === 0) return null;
  const total = [...unverified].reduce((sum, name) => sum + (listing.files.get(name)?.size ?? 0), 0);
  const cost = `${bytesInWords(tally.bytes)} in ${tally.requests} requests`;
  return `Read by range from ${endpoint} at commit ${revision}: ${cost}, of ${bytesInWords(total)} of weights; not hash-verified, because a hash is of a whole file.`;
}

// src/checker/norm-values.ts
init_errors();

// src/checker/norm-tensors.ts
var QK_NORMS = [
  { k: "k_norm", q: "q_norm", families: "Qwen3, Gemma 3, OLMo 2, OLMoE, EXAONE 4, GLM-4.5, MiniMax-M2, Command R+, Chameleon" },
  { k: "k_layernorm", q: "q_layernorm", families: "Phi-1/2, Persimmon, LFM2; StableLM 2 with a norm per head below it (.norms.0 ...)" },
  { k: "key_layernorm", q: "query_layernorm", families: "HunYuan, Ling (Bailing)" },
  { k: "k_layer_norm", q: "q_layer_norm", families: "Idefics" },
  { k: "k_ln", q: "q_ln", families: "MPT" },
  { k: "attn_k_norm", q: "attn_q_norm", families: "GGUF, whatever the family" }
];
var BIASES = {
  q_proj: "Q",
  k_proj: "K",
  v_proj: "V",
  query: "Q",
  key: "K",
  value: "V",
  qkv_proj: "QKV",
  query_key_value: "QKV",
  c_attn: "QKV",
  Wqkv: "QKV",
  in_proj_qkv: "QKV",
  attn_q: "Q",
  attn_k: "K",
  attn_v: "V",
  attn_qkv: "QKV"
};
var NORM_MODULE = /norm(?:_?\d+)?$|^ln(?:_\w+)?$/i;
var IN_LAYER = /^(|.*?\.)(layers|layer|h|blocks|block|blk)\.(\d{1,5})\.(.+)\.(weight|bias)$/;
var OTHER_TOWER = /(?:^|[._])(?:vision|visual|vit|siglip|clip|image|audio|speech|whisper|talker|mtp|nextn|draft|eagle)|^[va]\.$/i;
var INDEXER = /(?:^|\.)indexer\./;
var GENAI_FINAL_NORM = "final_norm_layernorm";
var MAX_NORM_ELEMENTS = 2 ** 22;
function findNormTensors(checkpoint) {
  const stacks = /* @__PURE__ */ new Map();
  const outer = [];
  for (const tensor of checkpoint.tensors.values()) {
    const name = torchName(tensor.name);
    const match = IN_LAYER.exec(name);
    if (match === null) {
      const module2 = /^(.+)\.weight$/.exec(name)?.[1];
      if (module2 !== void 0 && isNorm(module2, tensor) && !OTHER_TOWER.test(module2)) outer.push({ tensor, module: module2, layer: null });
      continue;
    }
    const [, prefix = "", container = "", index = "", module = "", kind] = match;
    if (OTHER_TOWER.test(prefix)) continue;
    if (module === GENAI_FINAL_NORM) {
      if (kind === "weight") outer.push({ tensor, module, layer: null });
      continue;
    }
    const stack = getOrAdd(stacks, prefix + container, () => /* @__PURE__ */ new Map());
    const layer = Number(index);
    const entry = getOrAdd(stack, layer, () => ({ layer, k: [], q: [], norms: [], biases: [], normBiases: [] }));
    if (kind === "weight") sortWeight(entry, { tensor, module, layer });
    else sortBias(entry, { tensor, module, layer });
  }
  const deepest = [...stacks.values()].reduce((best, stack) => stack.size > best.size ? stack : best, /* @__PURE__ */ new Map());
  const layers = [...deepest.values()].sort((a, b) => a.layer - b.layer);
  return { layers, layersTotal: (layers.at(-1)?.layer ?? -1) + 1, outer };
}
function torchName(name) {
  const dotted = name.startsWith("/") ? name.slice(1).replaceAll("/", ".") : name;
  return dotted.replace(/(\.[qk]_norm)\.layernorm\.(weight|bias)$/, "$1.$2").replace(/(_proj)\.Add\.bias$/, "$1.bias");
}
function isGenaiExport(checkpoint) {
  if (checkpoint.format !== "onnx") return false;
  return [...checkpoint.tensors.keys()].some((name) => /\.attn\.[qk]_norm\.layernorm\.weight$|\.final_norm_layernorm\.weight$/.test(name));
}
function sortWeight(entry, norm) {
  const parts = norm.module.replace(/\.norms\.\d+$/, "").split(".");
  const last = parts.at(-1) ?? "";
  const elements = elementsOf(norm.tensor);
  if (INDEXER.test(norm.module)) return;
  if (norm.tensor.shape.length <= 2 && elements > 0 && elements <= MAX_NORM_ELEMENTS) {
    if (QK_NORMS.some(({ k }) => k === last)) return void entry.k.push(norm);
    if (QK_NORMS.some(({ q }) => q === last)) return void entry.q.push(norm);
  }
  if (isNorm(norm.module, norm.tensor)) entry.norms.push(norm);
}
function sortBias(entry, bias) {
  const last = bias.module.split(".").at(-1) ?? "";
  const projection = Object.hasOwn(BIASES, last) ? BIASES[last] : void 0;
  if (INDEXER.test(bias.module)) return;
  if (projection !== void 0 && isVector(bias.tensor)) entry.biases.push({ ...bias, projection });
  else if (isNorm(bias.module, bias.tensor)) entry.normBiases.push(bias);
}
function isNorm(module, tensor) {
  return isVector(tensor) && NORM_MODULE.test(module.split(".").at(-1) ?? "");
}
function isVector(tensor) {
  return tensor.shape.length === 1 && elementsOf(tensor) > 0 && elementsOf(tensor) <= MAX_NORM_ELEMENTS;
}
function elementsOf(tensor) {
  return tensor.shape.reduce((product, size) => product * size, 1);
}
function getOrAdd(map, key, make) {
  const found = map.get(key);
  if (found !== void 0) return found;
  const made = make();
  map.set(key, made);
  return made;
}

// src/checker/norm-values.ts
var ONE_PLUS_WEIGHT = /* @__PURE__ */ new Set([
  "gemma",
  "gemma2",
  "gemma3",
  "gemma3_text",
  "recurrent_gemma",
  "vaultgemma",
  "qwen3_next",
  "qwen3_5",
  "qwen3_5_text",
  "qwen3_5_moe",
  "qwen3_5_moe_text",
  "nemotron"
]);
var PLAIN_MODULE = /(?:^|\.)linear_attn\.norm$/;
function multipliesByOnePlusWeight(checkpoint, modelConfig) {
  if (checkpoint.format === "gguf" || isGenaiExport(checkpoint)) return false;
  return [modelConfig, textConfig(modelConfig)].some(
    (config) => typeof config["model_type"] === "string" && ONE_PLUS_WEIGHT.has(config["model_type"])
  );
}
function textConfig(modelConfig) {
  const text = modelConfig["text_config"];
  return typeof text === "object" && text !== null && !Array.isArray(text) ? { ...modelConfig, ...text } : modelConfig;
}
function headDimOf(config) {
  const explicit = positive(config["head_dim"]);
  if (explicit !== void 0) return explicit;
  const hidden = positive(config["hidden_size"]);
  const heads = positive(config["num_attention_heads"]);
  return hidden !== void 0 && heads !== void 0 && hidden % heads === 0 ? hidden / heads : void 0;
}
function positive(value) {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : void 0;
}
async function readNormValues(checkpoint, inventory, onePlusWeight) {
  const norm = (found) => readVector(checkpoint, found, onePlusWeight && !PLAIN_MODULE.test(found.module) ? 1 : 0);
  const layers = inventory.layers.map(async (layer) => {
    const [k, q, norms, biases2] = await Promise.all([
      Promise.all(layer.k.map(norm)),
      Promise.all(layer.q.map(norm)),
      Promise.all(layer.norms.map(norm)),
      Promise.all(layer.biases.map(async (bias) => ({ ...await readVector(checkpoint, bias, 0), projection: bias.projection })))
    ]);
    const perHead = [...layer.k, ...layer.q].some(({ tensor }) => tensor.shape.length === 2) || layer.k.length > 1 || layer.q.length > 1;
    return { layer: layer.layer, k: joined(k), q: joined(q), perHead, norms, biases: biases2 };
  });
  return { layers: await Promise.all(layers), outer: await Promise.all(inventory.outer.map(norm)) };
}
async function readVector(checkpoint, { tensor, module, layer }, offset) {
  const stored2 = await checkpoint.read(tensor.name);
  const dequantized = dequantize(stored2, tensor.dtype);
  const bytes = dequantized === null ? stored2 : new Uint8Array(dequantized.buffer);
  const dtype = dequantized === null ? tensor.dtype : "F32";
  const { nan, inf } = countNonFinite(bytes, dtype, tensor.name);
  if (nan + inf > 0) throw nonFinite(tensor, nan, inf);
  const values = toFloat64(bytes, dtype, tensor.name);
  let maxStored = 0;
  for (let i = 0; i < values.length; i++) {
    const stored3 = values[i];
    maxStored = Math.max(maxStored, Math.abs(stored3));
    values[i] = Math.abs(offset + stored3);
  }
  return { name: tensor.name, module, layer, values, maxStored };
}
function nonFinite(tensor, nan, inf) {
  const counts = [nan > 0 ? `${nan} NaN` : "", inf > 0 ? `${inf} infinite` : ""].filter((part) => part !== "").join(" and ");
  const values = tensor.shape.reduce((product, size) => product * size, 1);
  return new ModelError(
    "non_finite_weights",
    `${tensor.file}: tensor ${quote(tensor.name)} holds ${counts} of ${values} values; the checkpoint is damaged. Download or export it again.`
  );
}
function joined(vectors) {
  const [first] = vectors;
  if (first === void 0 || vectors.length === 1) return first ?? null;
  const heads = [...vectors].sort((a, b) => a.module.localeCompare(b.module, "en", { numeric: true }));
  const values = Float64Array.from(heads.flatMap((head) => [...head.values]));
  return {
    ...first,
    module: first.module.replace(/\.norms\.\d+$/, ""),
    values,
    maxStored: Math.max(...heads.map((head) => head.maxStored))
  };
}
function largest(values) {
  let result = -Infinity;
  for (const value of values) if (value > result) result = value;
  return result;
}
function lowerMedian(values) {
  return values.toSorted()[values.length - 1 >> 1] ?? 0;
}

// src/checker/rope-gain.ts
function jointGain(q, k, headDim, rotaryDim) {
  const heads = q.length / headDim;
  const kvHeads = k.length / headDim;
  if (!Number.isInteger(heads) || !Number.isInteger(kvHeads) || kvHeads === 0 || heads % kvHeads !== 0 && heads !== 1) return null;
  const pairs = [];
  for (let head = 0; head < Math.max(heads, kvHeads); head++) {
    const qHead = headAt(q, heads === 1 ? 0 : head, headDim);
    const kHead = headAt(k, heads === 1 ? head : Math.floor(head * kvHeads / heads), headDim);
    const half = rotaryDim / 2;
    for (let i = 0; i < half; i++) pairs.push(pairMax(qHead, i, i + half) * pairMax(kHead, i, i + half));
    for (let i = rotaryDim; i < headDim; i++) pairs.push(pairMax(qHead, i, i) * pairMax(kHead, i, i));
  }
  return { max: largest(pairs), median: lowerMedian(Float64Array.from(pairs)) };
}
function headAt(values, head, headDim) {
  return values.subarray(head * headDim, (head + 1) * headDim);
}
function pairMax(values, i, j) {
  return Math.max(values[i] ?? 0, values[j] ?? 0);
}

// src/checker/scheme-findings.ts
var OUTPUT_NORMS = ["post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm", "post_ffw_norm"];
var INPUT_NORMS = ["input_layernorm", "ln_1", "norm_1", "attention_norm", "attention_layernorm", "pre_attention_layernorm", "attn_norm"];
var LATENT_NORM = /(?:^|\.)(?:(?:kv_a|q_a)_layernorm|attn_(?:kv_a|q_a)_norm)$/;
function schemeFindings(inventory, values, config) {
  return [
    ...layerCount(inventory, config),
    ...qkNormExtent(inventory, values, config),
    ...qkNormPartial(inventory),
    ...qkNormWithoutWeights(inventory, config),
    ...outputNorms(inventory),
    ...latentNorms(inventory),
    ...missingNorms(inventory),
    ...normBiases(inventory)
  ];
}
function finding(code, first, value, message) {
  return { code, layer: first?.layer ?? null, tensor: first?.tensor.name ?? null, value, message };
}
function of(count2, inventory) {
  return `${count2} of ${inventory.layersTotal} layers`;
}
function layerCount(inventory, config) {
  const stated = config["num_hidden_layers"] ?? config["n_layer"] ?? config["n_layers"] ?? config["num_layers"];
  const { layersTotal, layers } = inventory;
  if (layersTotal === 0) {
    const message2 = "No layers were found by the names of the tensors, so nothing was checked: a score of 1.00 says nothing about this checkpoint.";
    return [finding("no_layers_found", void 0, 0, message2)];
  }
  if (typeof stated !== "number" || stated === layersTotal && layers.length === layersTotal) return [];
  const gaps = layers.length === layersTotal ? "" : `, of which only ${layers.length} have tensors`;
  const message = `config.json says ${stated} layers, but the weights have ${layersTotal}${gaps}; the numbers here are those of the weights.`;
  return [finding("layer_count_mismatch", void 0, layersTotal, message)];
}
function qkNormExtent(inventory, values, config) {
  const perHead = values.layers.filter((layer) => layer.perHead);
  const headDim = headDimOf(config);
  const first = (layer) => inventory.layers.find((entry) => entry.layer === layer)?.k[0];
  if (perHead.length > 0) {
    const message2 = `Q/K norm has own weights for each head in ${of(perHead.length, inventory)}; kernels that use one vector for all heads get it wrong.`;
    return [finding("qk_norm_per_head", first(perHead[0]?.layer), perHead.length, message2)];
  }
  const wide = values.layers.filter((layer) => headDim !== void 0 && layer.k !== null && layer.k.values.length > headDim);
  if (wide.length === 0) return [];
  const message = `Q/K norm goes over all heads at once in ${of(wide.length, inventory)} (${wide[0]?.k?.values.length ?? 0} weights, head_dim ${headDim ?? 0}), as in OLMo 2; kernels that normalise each head get it wrong.`;
  return [finding("qk_norm_all_heads", first(wide[0]?.layer), wide.length, message)];
}
function qkNormPartial(inventory) {
  const both = inventory.layers.filter((layer) => layer.k.length > 0 && layer.q.length > 0).length;
  const any = inventory.layers.filter((layer) => layer.k.length > 0 || layer.q.length > 0).length;
  if (any === 0 || both === inventory.layers.length) return [];
  const without = inventory.layers.find((layer) => layer.k.length === 0 || layer.q.length === 0);
  const message = `Both Q and K norm are in ${of(both, inventory)}, one of them alone in ${any - both}; layer ${without?.layer ?? 0} is the first that differs.`;
  return [{ ...finding("qk_norm_partial", void 0, both, message), layer: without?.layer ?? null }];
}
function qkNormWithoutWeights(inventory, config) {
  if (config["use_qk_norm"] !== true || inventory.layers.some((layer) => layer.k.length > 0 || layer.q.length > 0)) return [];
  const message = "config.json says use_qk_norm, but no layer has Q/K norm weights: Q and K are normalised without weights, as in Llama 4. The score has nothing to look at; kernels must normalise all the same.";
  return [finding("qk_norm_weightless", void 0, inventory.layersTotal, message)];
}
function outputNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => OUTPUT_NORMS.includes(norm.module)));
  const layers = inventory.layers.filter((layer) => layer.norms.some((norm) => OUTPUT_NORMS.includes(norm.module)));
  if (layers.length === 0) return [];
  const sandwich = layers.some((layer) => layer.norms.some((norm) => INPUT_NORMS.includes(norm.module)));
  const message = sandwich ? `Sandwich norms in ${of(layers.length, inventory)}: attention and MLP are normalised before and after; a fused residual-add-and-norm must add after the second.` : `Norms after attention and MLP and none before, in ${of(layers.length, inventory)}, as in OLMo 2; a fused norm-and-projection has no place there.`;
  return [finding(sandwich ? "sandwich_norms" : "post_norms", norms[0], layers.length, message)];
}
function latentNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => LATENT_NORM.test(norm.module)));
  if (norms.length === 0) return [];
  const layers = new Set(norms.map((norm) => norm.layer)).size;
  const message = `Norms on compressed Q or KV (multi-head latent attention) in ${of(layers, inventory)}; they are not the Q/K norms that the score is about.`;
  return [finding("latent_norms", norms[0], layers, message)];
}
function missingNorms(inventory) {
  const { layers } = inventory;
  if (layers.length === 0) return [];
  if (layers.every((layer) => layer.norms.length === 0 && layer.k.length === 0 && layer.q.length === 0)) {
    const message2 = `No layer has norm weights: either its norms have none (as in OLMo 1) or the tensors bear names that are not known here.`;
    return [finding("norm_missing", void 0, 0, message2)];
  }
  const counts = /* @__PURE__ */ new Map();
  for (const layer of layers) for (const module of layerModules(layer)) counts.set(module, (counts.get(module) ?? 0) + 1);
  const partial = [...counts].filter(([, count2]) => count2 > layers.length / 2 && count2 < layers.length);
  const [first] = partial;
  if (first === void 0) return [];
  const without = layers.find((layer) => !layerModules(layer).has(first[0]));
  const message = `The norm ${printable(first[0])} is in ${of(first[1], inventory)} only; layer ${without?.layer ?? 0} is the first without it.`;
  return [{ ...finding("norm_missing", void 0, first[1], message), layer: without?.layer ?? null }];
}
function layerModules(layer) {
  return new Set(layer.norms.map((norm) => norm.module).filter((module) => !module.includes(".")));
}
function normBiases(inventory) {
  const biases2 = inventory.layers.flatMap((layer) => layer.normBiases);
  if (biases2.length === 0) return [];
  const layers = new Set(biases2.map((bias) => bias.layer)).size;
  const message = `Norms have biases in ${of(layers, inventory)}: this is LayerNorm, which also subtracts the mean; RMSNorm kernels get it wrong.`;
  return [finding("layernorm_bias", biases2[0], layers, message)];
}

// src/checker/findings.ts
var FLOAT16_MAX = 65504;
function collectFindings(inventory, values, layers, modelConfig, thresholds) {
  const config = textConfig(modelConfig);
  return [
    ...zeroMedians(values),
    ...jointGains(values, layers, config, thresholds),
    ...biases(values, thresholds),
    ...massiveNorms(values, thresholds),
    ...outlierChannels(values, thresholds),
    ...float16Overflow(values),
    ...schemeFindings(inventory, values, config)
  ];
}
function shown(value) {
  return String(Number(value.toPrecision(3)));
}
function place(layer) {
  return layer === null ? "outside of the layers" : `in layer ${layer}`;
}
function sharing(count2, total) {
  return count2 === 1 ? `1 of ${total} layers` : `${count2} of ${total} layers`;
}
function worst(candidates) {
  return candidates.reduce((best, next) => best === void 0 || next.value > best.value ? next : best, void 0);
}
function distinctLayers(candidates) {
  return new Set(candidates.map(({ vector }) => vector.layer)).size;
}
function zeroMedians(values) {
  return ["k", "q"].flatMap((side) => {
    const zero = values.layers.flatMap((layer) => {
      const vector = layer[side];
      return vector !== null && lowerMedian(vector.values) === 0 ? [{ vector, value: largest(vector.values) }] : [];
    });
    const first = worst(zero);
    if (first === void 0) return [];
    const norm = side === "k" ? "K" : "Q";
    const consequence = side === "k" ? "; its ratio counts as infinite" : "";
    const message = `The ${norm} norm ${place(first.vector.layer)} has a median weight of 0 and a largest one of ${shown(first.value)} (${sharing(distinctLayers(zero), values.layers.length)})${consequence}. Half of its channels are switched off: check how the checkpoint was exported.`;
    return [{ code: "zero_median_norm", layer: first.vector.layer, tensor: first.vector.name, value: first.value, message }];
  });
}
function jointGains(values, layers, config, thresholds) {
  const limit = thresholds.extreme_weight ** 2;
  const gains = values.layers.flatMap((layer) => {
    const gain = layerGain(layer, config);
    return gain === null || layer.k === null ? [] : [{ ...gain, vector: layer.k, value: gain.max }];
  });
  const over = gains.filter((gain) => gain.max > limit);
  const suspicious = layers.some(
    ({ extreme, max_k, k_ratio }) => extreme || max_k !== null && (k_ratio === null || k_ratio > thresholds.ratio_warn)
  );
  const top = gains.reduce(
    (best, next) => best === void 0 || next.max > best.max ? next : best,
    void 0
  );
  if (top === void 0 || over.length === 0 && !suspicious) return [];
  const compared = top.median === 0 ? "" : `, ${shown(top.max / top.median)} times the median pair`;
  const judged = over.length === 0 ? `At or below ${shown(limit)} everywhere: taken together the norms are less extreme than the weights of one of them suggest.` : `Over ${shown(limit)} in ${sharing(over.length, values.layers.length)}: such pairs dominate the attention scores.`;
  const message = `The joint gain of K and Q norm reaches ${shown(top.max)} for one RoPE pair ${place(top.vector.layer)}${compared}; unlike the K ratio it stays the same when scale is moved between K and Q. ${judged}`;
  return [{ code: "qk_joint_gain", layer: top.vector.layer, tensor: top.vector.name, value: top.max, message }];
}
function layerGain(layer, config) {
  if (layer.k === null || layer.q === null) return null;
  const headDim = headDimOf(config) ?? Math.min(layer.k.values.length, layer.q.values.length);
  const nested = config["rope_parameters"];
  const fraction = [nested, config].map(
    (source) => typeof source === "object" && source !== null && "partial_rotary_factor" in source ? source.partial_rotary_factor : void 0
  ).find((value) => typeof value === "number" && value > 0 && value <= 1);
  const rotaryDim = 2 * Math.floor(headDim * (typeof fraction === "number" ? fraction : 1) / 2);
  return jointGain(layer.q.values, layer.k.values, headDim, rotaryDim);
}
function biases(values, { extreme_weight: limit }) {
  const projections = ["K", "Q", "V", "QKV"];
  return projections.flatMap((projection) => {
    const found = values.layers.flatMap((layer) => layer.biases.filter((bias) => bias.projection === projection));
    const over = found.map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
    const top = worst(over);
    if (top === void 0) return [];
    const norm = Math.sqrt(top.vector.values.reduce((sum, value) => sum + value * value, 0));
    const message = `The ${projection} projection's bias reaches ${shown(top.value)} ${place(top.vector.layer)} (L2 norm ${shown(norm)}); it is over ${limit} in ${sharing(distinctLayers(over), values.layers.length)}. Rounding steps grow with it, and what the input adds is lost in them.`;
    return [{ code: "bias_norm", layer: top.vector.layer, tensor: top.vector.name, value: norm, message }];
  });
}
function otherNorms(values) {
  return [...values.layers.flatMap((layer) => layer.norms), ...values.outer];
}
function massiveNorms(values, { max_weight_warn: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has a weight of ${shown(top.value)}; norms other than Q and K are over ${limit} ${affected(over, values.layers.length)}. It multiplies rounding errors of its input as much as the input.`;
  return [{ code: "massive_norm_weight", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}
function outlierChannels(values, { ratio_fail: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) / lowerMedian(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const times = Number.isFinite(top.value) ? `${shown(top.value)} times` : "a weight while most have none, beyond any multiple of";
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has an outlier channel at ${times} its median weight; norms other than Q and K are over ${limit} times ${affected(over, values.layers.length)}. A few channels carry most of the signal, and their errors.`;
  return [
    {
      code: "norm_outlier_channels",
      layer: top.vector.layer,
      tensor: top.vector.name,
      value: Number.isFinite(top.value) ? top.value : null,
      message
    }
  ];
}
function affected(over, total) {
  const inLayers = over.filter(({ vector }) => vector.layer !== null);
  if (inLayers.length === 0) return "nowhere else";
  return `in ${sharing(distinctLayers(inLayers), total)}${inLayers.length === over.length ? "" : " and outside of them"}`;
}
function float16Overflow(values) {
  const all = [
    ...values.layers.flatMap((layer) => [layer.k, layer.q, ...layer.biases].filter((vector) => vector !== null)),
    ...otherNorms(values)
  ];
  const over = all.map((vector) => ({ vector, value: vector.maxStored })).filter(({ value }) => value > FLOAT16_MAX);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `${printable(top.vector.module)} ${place(top.vector.layer)} holds ${shown(top.value)}, more than float16 can (${FLOAT16_MAX})${over.length === 1 ? "" : `, and so do ${over.length - 1} more of the norms and biases`}. Served in float16 it overflows: use bfloat16 or float32.`;
  return [{ code: "float16_overflow", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}

// src/checker/static-check.ts
async function staticCheck(checkpoint, modelConfig, thresholds) {
  const inventory = findNormTensors(checkpoint);
  const values = await readNormValues(checkpoint, inventory, multipliesByOnePlusWeight(checkpoint, modelConfig));
  const measured = values.layers.filter((layer) => layer.k !== null || layer.q !== null).map((layer) => measure(layer, thresholds));
  const layers = measured.map(({ report }) => report);
  const ratio = maxOrNull(measured.map((layer) => layer.ratio));
  const maxK = maxOrNull(layers.map((layer) => layer.max_k));
  const extreme = layers.filter((layer) => layer.extreme);
  const share = inventory.layersTotal === 0 ? 0 : extreme.length / inventory.layersTotal;
  const scores = {
    ratio: ratioScore(ratio ?? 0, thresholds),
    extreme_layers: extremeLayersScore(share, thresholds),
    max_weight: maxWeightScore(maxK ?? 0, thresholds)
  };
  const { ratio_weight, extreme_layers_weight, max_weight_weight, amplification_per_weight } = thresholds;
  const score2 = cleaned(
    ratio_weight * scores.ratio + extreme_layers_weight * scores.extreme_layers + max_weight_weight * scores.max_weight
  );
  return {
    status: statusOf(score2, ratio ?? 0, maxK ?? 0, thresholds),
    score: score2,
    scores,
    max_k_weight: maxK,
    k_weight_ratio: finiteOrNull(ratio),
    max_q_weight: maxOrNull(layers.map((layer) => layer.max_q)),
    extreme_layers: extreme.length,
    layers_total: inventory.layersTotal,
    estimated_amplification: extreme.reduce((product, layer) => product * (1 + amplification_per_weight * meanMax(layer)), 1),
    bytes_read: checkpoint.bytesRead,
    bytes_total: checkpoint.byteLength,
    findings: [...unknownFamily(checkpoint, modelConfig), ...collectFindings(inventory, values, layers, modelConfig, thresholds)],
    layers
  };
}
function unknownFamily(checkpoint, modelConfig) {
  if (checkpoint.format !== "onnx" || typeof modelConfig["model_type"] === "string" || isGenaiExport(checkpoint)) return [];
  const message = "The ONNX file comes without config.json, so its norms count by |weight|. For Gemma-style models, whose norms multiply by 1 + weight, that is wrong: put the config.json of the model beside the file.";
  return [{ code: "model_type_unknown", layer: null, tensor: null, value: null, message }];
}
function measure(layer, thresholds) {
  const k = statistics(layer.k);
  const q = statistics(layer.q);
  const report = {
    layer: layer.layer,
    max_k: k.max,
    median_k: k.median,
    k_ratio: finiteOrNull(k.ratio),
    max_q: q.max,
    median_q: q.median,
    q_ratio: finiteOrNull(q.ratio),
    extreme: (k.max ?? 0) > thresholds.extreme_weight || (q.max ?? 0) > thresholds.extreme_weight
  };
  return { report, ratio: k.ratio };
}
function statistics(vector) {
  if (vector === null) return { max: null, median: null, ratio: null };
  const max = largest(vector.values);
  const median = lowerMedian(vector.values);
  return { max, median, ratio: median === 0 ? Infinity : max / median };
}
function ratioScore(ratio, { ratio_warn: warn, ratio_fail: fail }) {
  if (ratio > fail) return 0;
  return ratio > warn ? cleaned(0.5 * (fail - ratio) / (fail - warn)) : 1;
}
function extremeLayersScore(share, { extreme_share_warn: warn, extreme_share_fail: fail }) {
  if (share > fail) return 0;
  return share > warn ? cleaned(1 - 0.4 * (share - warn) / (fail - warn)) : 1;
}
function maxWeightScore(max, { max_weight_warn: warn, max_weight_fail: fail }) {
  if (max > fail) return 0;
  return max > warn ? cleaned((fail - max) / (fail - warn)) : 1;
}
function statusOf(score2, ratio, maxK, thresholds) {
  if (score2 < thresholds.score_incompatible) return "INCOMPATIBLE";
  if (score2 < thresholds.score_warning) return "WARNING";
  return ratio < thresholds.compatible_ratio && maxK < thresholds.compatible_max_weight ? "COMPATIBLE" : "WARNING";
}
function meanMax({ max_k: k, max_q: q }) {
  return ((k ?? q ?? 0) + (q ?? k ?? 0)) / 2;
}
function maxOrNull(values) {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : largest(present);
}
function finiteOrNull(value) {
  return value !== null && Number.isFinite(value) ? value : null;
}
function cleaned(value) {
  return Math.round(value * 1e12) / 1e12;
}

// src/models.ts
init_errors();

// src/tokenizer/prompts.ts
var ENGLISH = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light. And God saw the light, that it was good: and God divided the light from the darkness.";
var CODE = `def root_mean_square(values: list[float], eps: float = 1e-6) -> float:
    """Root of the mean of squares, e.g. [3.0, 4.0] -> 3.5355339."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * value
        if index % 1024 == 0:
            print(f"{index:>6d}: {total:.8f}")
    return (total / max(len(values), 1) + eps) ** 0.5
`;
var SCRIPTS = "清晨,河边的小镇刚刚醒来,面包师打开了店门,孩子们背着书包走过石桥。老人坐在树下读报,风把落叶吹到水面上,船慢慢地向远方的大海驶去。 في المساء عاد الصيادون إلى الميناء ومعهم سلال مليئة بالسمك، وجلسوا قرب النار يروون حكايات البحر القديمة. सुबह होते ही किसान अपने खेतों की ओर चल पड़े, और पहाड़ों के पीछे से सूरज धीरे-धीरे निकल आया।";
var GERMAN = "Als der Regen endlich nachließ, öffnete die Uhrmacherin das Fenster ihrer Werkstatt über dem Marktplatz. Drüben läutete die Kirchturmglocke, und zwischen den Pflastersteinen glänzten Pfützen wie kleine Spiegel. „Heute“, sagte sie leise, „stelle ich die Rathausuhr, die seit siebenundzwanzig Jahren fünf Minuten nachgeht.“ Ihr Lehrling lachte und griff nach der Werkzeugkiste.";
function builtInPrompts() {
  return [ENGLISH, CODE, SCRIPTS, GERMAN];
}
var SHORTER_BY = [0, 0, 3, 14];
function builtInLength(index, limit) {
  return Math.max(1, limit - (SHORTER_BY[index] ?? 0));
}

// src/verdict/diagnosis.ts
var SAME_BITS = 0.99;
var RECIPES = {
  norm_weight_swapped: "rounds on the other side of the norm weight than PyTorch eager does for this family",
  float32_probabilities: "keeps the softmax probabilities in float32, as flash attention does",
  float32_inside: "keeps values inside the op in float32 and rounds once at its outputs",
  split_sums: "adds its products in another order",
  all_variants: "rounds once at its outputs, with float32 in between and another order of sums"
};
function diagnose(numeric2) {
  if (numeric2 === null) return [];
  const modelOff = numeric2.model?.status === "warn" || numeric2.model?.status === "fail";
  return numeric2.kernels.flatMap(({ kernel, status, nearest_recipe: recipe, nearest_recipe_equal: equal }) => {
    const off = modelOff || status === "warn" || status === "fail";
    const words = recipe === null ? void 0 : RECIPES[recipe];
    if (!off || words === void 0 || equal === null || equal < SAME_BITS) return [];
    return [
      {
        code: "rounding_point",
        message: `${kernel} ${words}: ${(equal * 100).toFixed(1)} % of its outputs are bitwise those of recipe ${recipe}.`
      }
    ];
  });
}

// src/verdict/reasons.ts
function failureReason({ code, message }) {
  return { code, message };
}
var STATIC_CODES = { INCOMPATIBLE: "static_incompatible", WARNING: "static_warning", COMPATIBLE: "static_compatible" };
function staticReason(result, limits) {
  const head = `Static check ${result.status}, score ${score(result.score)}`;
  const facts = staticFacts(result, limits);
  return { code: STATIC_CODES[result.status], message: `${head}: ${facts.join("; ")}.` };
}
function staticFacts(result, limits) {
  const facts = [];
  const { k_weight_ratio: ratio, max_k_weight: max } = result;
  if (ratio === null && max === null && result.max_q_weight === null) return [`no Q/K norm in ${count(result.layers_total, "layer")}`];
  if (ratio !== null) facts.push(aboveFact("k_ratio", ratio, [limits.ratio_fail, limits.ratio_warn]));
  if (result.extreme_layers > 0) {
    facts.push(`${result.extreme_layers} of ${result.layers_total} layers extreme (a Q or K norm weight above ${limits.extreme_weight})`);
  }
  if (max !== null) facts.push(aboveFact("max_k", max, [limits.max_weight_fail, limits.max_weight_warn, limits.compatible_max_weight]));
  return facts;
}
function aboveFact(name, value, limits) {
  const limit = limits.find((candidate) => value > candidate);
  return limit === void 0 ? `${name} ${magnitude(value)}` : `${name} ${against(value, limit)} > ${limit}`;
}
function numericReasons(numeric2, limits) {
  if (numeric2 === null) return [];
  if (numeric2.kernels.length === 0) {
    return [
      { code: "no_kernels", message: "None of the kernels under test stands for an op of this model, so there is no numeric evidence." }
    ];
  }
  const reasons = ["fail", "inconclusive", "warn"].flatMap((status) => [
    ...numeric2.kernels.filter((kernel) => kernel.status === status).map((kernel) => kernelReason(kernel, limits)),
    ...numeric2.model?.status === status ? [modelReason(numeric2.model, limits)] : []
  ]);
  if (numeric2.model === null) reasons.push({ code: "model_inconclusive", message: "The whole model was not run with the fused kernels." });
  if (numeric2.model?.status === "pass") reasons.push(modelReason(numeric2.model, limits));
  const passing = numeric2.kernels.filter((kernel) => kernel.status === "pass");
  if (passing.length > 0) reasons.push(passingKernels(passing));
  return reasons;
}
var KERNEL_CODES = { fail: "kernel_fail", warn: "kernel_warn", inconclusive: "kernel_inconclusive", pass: "kernel_pass" };
var KERNEL_WORDS = { fail: "fails", warn: "is near the limit", inconclusive: "could not be judged", pass: "passes" };
function kernelReason(kernel, limits) {
  const said = kernel.detail?.replace(/\.$/, "") ?? "";
  const facts = said === "" ? [] : [said];
  if (said === "" && kernel.non_finite > 0)
    facts.push(`${count(kernel.non_finite, "output element")} NaN or infinite where the oracle is finite`);
  if (said === "") facts.push(...ratioFacts(kernel, limits));
  if (kernel.max_abs_diff !== null && !said.includes("max_abs_diff")) facts.push(`max_abs_diff ${difference(kernel.max_abs_diff)}`);
  if (kernel.worst_layer !== null && !said.includes("layer"))
    facts.push(`worst in layer ${kernel.worst_layer}${kernel.worst_site === null ? "" : ` at ${kernel.worst_site}`}`);
  return {
    code: KERNEL_CODES[kernel.status],
    message: sentence(`Kernel ${kernel.kernel} (${kernel.op}) ${KERNEL_WORDS[kernel.status]}`, facts)
  };
}
function ratioFacts(kernel, limits) {
  const ratios = [
    ["accuracy_ratio", kernel.accuracy_ratio],
    ["max_ratio", kernel.max_ratio]
  ];
  return ratios.flatMap(
    ([name, ratio]) => ratio === null || ratio <= limits.pass_ratio ? [] : [aboveFact(name, ratio, [limits.warn_ratio, limits.pass_ratio])]
  );
}
var MODEL_CODES = { fail: "model_fail", warn: "model_warn", inconclusive: "model_inconclusive", pass: "model_pass" };
var MODEL_WORDS = {
  fail: "The whole model leaves the reference",
  warn: "The whole model is near the limit",
  inconclusive: "The whole model could not be judged",
  pass: "The whole model stays within the noise of correct implementations"
};
function modelReason(model, limits) {
  const said = model.detail?.replace(/\.$/, "") ?? "";
  const facts = said === "" ? [] : [said];
  if (model.kl_ratio !== null && !said.includes("kl_ratio")) {
    facts.push(
      model.kl_ratio > limits.pass_ratio ? aboveFact("kl_ratio", model.kl_ratio, [limits.warn_ratio, limits.pass_ratio]) : `kl_ratio ${multiple(model.kl_ratio)}`
    );
  }
  if (model.decisive_flips !== null && !said.includes("flip"))
    facts.push(`${count(model.decisive_flips, "decisive flip")} in ${count(model.positions, "position")}`);
  if (model.top1_agreement !== null) facts.push(`top-1 agreement ${percent(model.top1_agreement)}`);
  return { code: MODEL_CODES[model.status], message: sentence(MODEL_WORDS[model.status], facts) };
}
function passingKernels(kernels) {
  const sites = kernels.reduce((sum, kernel) => sum + kernel.sites, 0);
  const ratios = kernels.flatMap((kernel) => kernel.accuracy_ratio === null ? [] : [kernel.accuracy_ratio]);
  const worst2 = ratios.length === 0 ? "" : `; largest error ${multiple(Math.max(...ratios))} the noise floor`;
  return {
    code: "kernel_pass",
    message: `${count(kernels.length, "kernel")} ${kernels.length === 1 ? "passes" : "pass"} at ${count(sites, "site")}${worst2}.`
  };
}
function sensitiveReason(level) {
  const kernels = level === "pass" ? "this kernel set is fine on it: its error stays within the noise floor" : "this kernel set is near its limit on it";
  return { code: "sensitive_checkpoint", message: `Sensitive checkpoint: its weights can magnify rounding differences, and ${kernels}.` };
}
function sentence(head, facts) {
  return facts.length === 0 ? `${head}.` : `${head}: ${facts.join("; ")}.`;
}

// src/verdict/recommendations.ts
var AFTER_FAILURE = {
  model_not_found: "Check the path: a model is a folder that holds config.json, relative to the file or the folder that names it, or org/name[@revision] on the Hugging Face Hub.",
  access_denied: "Open the page of the model as the owner of the token: accept its licence if it has one, and set HF_TOKEN to a token that may read it.",
  hub_unreachable: "See that the runner reaches the Hub (HF_ENDPOINT, HTTPS_PROXY, NO_PROXY), then run again; or give a local folder.",
  download_failed: "Run again: what was downloaded is kept. If it fails again, the server or a proxy between damages its answers.",
  integrity: "Run again. If it repeats, a proxy, a mirror or the disk changes bytes: compare the file with the published hash.",
  refused_for_safety: "Do not use this source before you know why it names such a path or address.",
  no_disk_space: "Free space, or set FUSED_COMPAT_CACHE to a folder on a larger disk; `policy: static` needs no download.",
  config_invalid: "Compare the model's config.json with the published one; download it again if it was cut.",
  unknown_model_type: "Take the model out of the list, or ask for its architecture; until then only `fused-compat inspect` says something about its weights.",
  unsupported_config: "Use a checkpoint without the unsupported setting, or ask for it; guessing it would make the reference worthless.",
  weights_invalid: "Download the weight files again and compare their size or hash with the published ones.",
  weights_mismatch: "Make config.json and the weights come from the same revision of the same model.",
  unsupported_weights: "Give the safetensors checkpoint for a numeric diff; `fused-compat inspect` (or `policy: static`) judges these weights by themselves.",
  tensor_missing: "Make sure that every file which the index names is there, and that config.json belongs to these weights.",
  non_finite_weights: "Repair or re-export the checkpoint: no kernel can be judged on NaN or infinite weights.",
  tokenizer_invalid: "Give token ids, which need no tokenizer: `prompts: [{input-ids: [1, 2, 3]}]`; or add the tokenizer.json or tokenizer.model of the model.",
  prompt_too_long: "Shorten the prompt or lower max-prompt-tokens to what the model's max_position_embeddings allows.",
  input_ids_out_of_range: "Use token ids below the model's vocab_size; ids of another model's tokenizer do not fit.",
  no_kernels: "Name the folder of your kernel manifests in `kernels`, or use `policy: static` if no kernel is to be judged.",
  no_gpu: "Run on a runner with a GPU, or drop `require-gpu` to check on the CPU.",
  no_runtime: "Run on linux-x64, or install onnxruntime-node for this platform.",
  internal_error: "This is a defect of fused-compat: run again with FUSED_COMPAT_DEBUG=1 and report the stack."
};
function recommend(evidence, verdict) {
  const { static: checked2, numeric: numeric2, failure, policy } = evidence;
  const advice = [];
  if (failure !== null) advice.push(AFTER_FAILURE[failure.code]);
  if (numeric2?.kernels.length === 0) advice.push(AFTER_FAILURE.no_kernels);
  for (const kernel of numeric2?.kernels ?? []) advice.push(forKernel(kernel, evidence.thresholds.numeric.scale_standard_errors));
  const kernelsHold = !numeric2?.kernels.some((kernel) => kernel.status === "fail");
  if (numeric2?.model?.status === "fail" && kernelsHold) {
    advice.push(
      "Every kernel holds by itself, yet their errors add up over the layers: look at the per-layer errors in report.json and start at the layer where `inherited` leaves `floor`."
    );
  }
  if (checked2 !== null && checked2.status !== "COMPATIBLE") advice.push(...forCheckpoint(checked2, policy, verdict, numeric2 !== null));
  return [...new Set(advice.filter((entry) => entry !== void 0))];
}
function forKernel(kernel, standardErrors) {
  const where = `Kernel ${kernel.kernel}`;
  if (kernel.status === "inconclusive")
    return `${where}: see that it runs to its end on this model's shapes; until then nothing is known about it.`;
  if (kernel.status === "pass") return void 0;
  if (kernel.non_finite > 0)
    return `${where}: look for an overflow of the serving dtype, a division by zero, or output that is never written.`;
  if (kernel.nearest_recipe !== null && kernel.nearest_recipe !== "eager" && (kernel.nearest_recipe_equal ?? 0) > 0.99) {
    return `${where}: ${percent(kernel.nearest_recipe_equal)} of its output equals the recipe ${kernel.nearest_recipe}; move the rounding to where PyTorch eager has it.`;
  }
  const biased = kernel.scale_error !== null && kernel.scale_error_standard_error !== null && Math.abs(kernel.scale_error) > standardErrors * kernel.scale_error_standard_error;
  const scale = biased ? ` Its output is off by a factor of ${(1 + (kernel.scale_error ?? 0)).toFixed(5)}: look for a constant that is wrong, such as eps, a scale or a reciprocal.` : "";
  return `${where}: ${suspects(kernel.op)}${scale}`;
}
function suspects(op) {
  if (op === "attention")
    return "check the scale (1/sqrt(head_dim)), the causal mask and window, which KV head a query head reads, and that softmax accumulates in float32.";
  if (op.includes("norm"))
    return "round the normalised value to the serving dtype BEFORE the multiply with the norm weight, as PyTorch does; then check eps, weight_offset, and that the mean of squares accumulates in float32.";
  if (op.includes("rope")) return "check the layout (half or interleaved), rotary_dim, and that position 0 is the first token.";
  if (op.endsWith("_mul") || op === "swiglu_mlp")
    return "check which half is the gate, the activation, and that it is rounded before the multiply as PyTorch does.";
  return "check accumulation in float32, the tail of sizes that are no multiple of a tile, and the order of the weight rows.";
}
function forCheckpoint(checked2, policy, verdict, ran) {
  const advice = [];
  const size = checked2.max_k_weight === null ? "large Q/K norm weights" : `K-norm weights up to ${magnitude(checked2.max_k_weight)}`;
  if (verdict === "WARNING" && policy === "evidence" && ran) {
    advice.push(`Keep this model in the list: ${size} make it the first to show a changed rounding, tiling or accumulation.`);
  } else {
    advice.push(
      `Mind ${size}: accumulate the Q/K norm in float32 and round once to the serving dtype before the norm weight is applied, as PyTorch does.`
    );
  }
  if (policy === "static")
    advice.push("Use `policy: evidence` to see whether your kernels really fail on this checkpoint: the static check only tells a risk.");
  if (policy === "strict" && verdict === "INCOMPATIBLE" && ran)
    advice.push("Under `policy: evidence` the numeric diff would decide; `strict` asks for a checkpoint without extreme Q/K norm weights.");
  return advice;
}

// src/verdict/verdict.ts
var MODEL_IN_DOUBT = /* @__PURE__ */ new Set([
  "model_not_found",
  "config_invalid",
  "unknown_model_type",
  "unsupported_config",
  "weights_invalid",
  "weights_mismatch",
  "tensor_missing",
  "non_finite_weights",
  "integrity"
]);
function decide(evidence) {
  const level = numericLevel(evidence.numeric);
  const verdict = verdictOf(evidence, level);
  return {
    verdict,
    reasons: reasonsFor(evidence, level, verdict),
    recommendations: recommend(evidence, verdict)
  };
}
function verdictOf({ static: checked2, failure, policy }, level) {
  if (level === "fail") return "INCOMPATIBLE";
  if (failure !== null && MODEL_IN_DOUBT.has(failure.code)) return "INCONCLUSIVE";
  const proven = policy !== "static" && (level === "pass" || level === "warn");
  if (checked2?.status === "INCOMPATIBLE" && (policy !== "evidence" || !proven)) return "INCOMPATIBLE";
  if (failure !== null || checked2 === null) return "INCONCLUSIVE";
  if (policy === "static") return checked2.status;
  if (!proven) return "INCONCLUSIVE";
  return level === "warn" || checked2.status !== "COMPATIBLE" ? "WARNING" : "COMPATIBLE";
}
function numericLevel(numeric2) {
  if (numeric2 === null) return null;
  const levels = [numeric2.status, ...numeric2.kernels.map((kernel) => kernel.status), numeric2.model?.status ?? "inconclusive"];
  if (!numeric2.kernels.some((kernel) => kernel.sites > 0)) levels.push("inconclusive");
  return ["fail", "inconclusive", "warn"].find((level) => levels.includes(level)) ?? "pass";
}
function reasonsFor(evidence, level, verdict) {
  const { static: checked2, numeric: numeric2, failure, policy, thresholds } = evidence;
  const failures = failure === null ? [] : [failureReason(failure)];
  const statics = checked2 === null ? [] : [staticReason(checked2, thresholds.static)];
  const numerics = numericReasons(numeric2, thresholds.numeric);
  const unmeasured = numeric2 === null && failure === null && policy !== "static" ? [{ code: "no_kernels", message: "No kernel was run on this model, so there is no numeric evidence." }] : [];
  const unchecked = checked2 === null && failure === null ? [{ code: "static_inconclusive", message: "The static check did not run." }] : [];
  if (level === "fail") return [...numerics, ...failures, ...statics, ...unchecked];
  if (verdict === "INCONCLUSIVE") return [...failures, ...unchecked, ...unmeasured, ...numerics, ...statics];
  if (verdict === "INCOMPATIBLE") return [...statics, ...failures, ...unmeasured, ...numerics];
  const sensitive = checked2 !== null && checked2.status !== "COMPATIBLE" && (level === "pass" || level === "warn");
  return sensitive && policy !== "static" ? [sensitiveReason(level), ...statics, ...numerics] : [...numerics, ...statics];
}
function gate(verdicts, failOn) {
  if (failOn.length === 0) return "pass";
  return verdicts.length === 0 || verdicts.some((verdict) => failOn.includes(verdict)) ? "fail" : "pass";
}

// src/models.ts
var TOKENIZER_TIMEOUT_MS = 1e4;
async function judgeModel(run, ref) {
  const found = { revision: null, architecture: null, dtype: null, static: null, numeric: null };
  let failure = null;
  try {
    await stages(run, ref, found);
  } catch (error) {
    failure = asFailure(error);
  }
  const { config } = run;
  const evidence = { static: found.static, numeric: found.numeric, failure, policy: config.policy, thresholds: config };
  const { verdict, reasons, recommendations } = decide(evidence);
  return { id: ref.id, ...found, verdict, reasons, diagnosis: diagnose(found.numeric), recommendations };
}
function asFailure(error) {
  if (error instanceof ModelError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal_error", message: `this is a defect of fused-compat, please report it: ${message}` };
}
async function stages(run, ref, found) {
  const { config } = run;
  const model = await openModel(ref, run.hub);
  const { files } = model;
  found.revision = files.revision;
  const described = await readModelConfig(files);
  found.architecture = modelType(described ?? {});
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = checkpoint.config ?? described ?? {};
    found.architecture = modelType(raw);
    run.log(`${ref.id}: static check`);
    const dtype = isRunnable(checkpoint) ? servingDtype(config.dtype, raw, checkpoint) : null;
    found.dtype = dtype;
    found.static = withNote(await staticCheck(checkpoint, raw, config.static), model.unverified());
    if (dtype === null && run.kernels === null) return;
    const program = buildProgram(refuseUnlessRunnable(checkpoint, raw));
    checkWeights(program, checkpoint);
    if (run.kernels === null || dtype === null) return;
    const folder = await model.folder();
    if (model.remote) found.static = await staticCheckOf(folder, raw, config);
    found.numeric = await numeric(run, ref, folder, program, dtype, run.kernels);
  } finally {
    await checkpoint.close();
  }
}
async function staticCheckOf(folder, raw, config) {
  const checkpoint = await openCheckpoint(await openFolder(folder));
  try {
    return await staticCheck(checkpoint, raw, config.static);
  } finally {
    await checkpoint.close();
  }
}
function withNote(result, unverified) {
  if (unverified === null) return result;
  const note = { code: "not_hash_verified", layer: null, tensor: null, value: null, message: unverified };
  return { ...result, findings: [...result.findings, note] };
}
async function numeric(run, ref, folder, program, dtype, kernels) {
  const { config, engine, log } = run;
  log(`${ref.id}: tokenizing the prompts`);
  const prompts = await tokenIds(engine, folder, program, config);
  return engine.run(
    {
      kind: "diff",
      model: folder,
      dtype,
      prompts,
      kernels,
      execution_provider: config.execution_provider,
      require_gpu: config.require_gpu,
      layers: config.layers,
      limits: config.numeric
    },
    { onLayer: (layer) => log(`${ref.id}: layer ${layer + 1} of ${program.num_hidden_layers}`) }
  );
}
async function tokenIds(engine, folder, program, config) {
  const prompts = config.prompts ?? builtInPrompts().map((text) => ({ text }));
  const texts = prompts.flatMap((prompt) => "text" in prompt ? [prompt.text] : []);
  const encoded = texts.length === 0 ? [] : await tokenize(engine, folder, texts);
  let next = 0;
  return prompts.map((prompt, index) => {
    const ids = "text" in prompt ? encoded[next++] : prompt.input_ids;
    const limit = Math.min(config.max_prompt_tokens, program.max_position_embeddings);
    if (config.prompts === null) return ids.slice(0, builtInLength(index, limit));
    checkPrompt(program, ids, `prompt ${index + 1}`);
    return ids.slice(0, limit);
  });
}
function tokenize(engine, model, texts) {
  const error = new ModelError(
    "tokenizer_invalid",
    `tokenizer.json: encoding did not end within ${TOKENIZER_TIMEOUT_MS / 1e3} s; check the regular expressions of its pre_tokenizer`
  );
  return engine.run({ kind: "tokenize", model, texts }, { timeout: { ms: TOKENIZER_TIMEOUT_MS, error } });
}
function servingDtype(chosen, raw, checkpoint) {
  if (chosen !== "auto") return chosen;
  const named = raw["dtype"] ?? raw["torch_dtype"];
  if (named === "bfloat16" || named === "float16" || named === "float32") return named;
  const bytes = { bfloat16: 0, float16: 0, float32: 0 };
  for (const { dtype, byteLength } of checkpoint.tensors.values()) {
    bytes[dtype === "BF16" ? "bfloat16" : dtype === "F16" ? "float16" : "float32"] += byteLength;
  }
  return ["bfloat16", "float16", "float32"].reduce((most, dtype) => bytes[dtype] > bytes[most] ? dtype : most);
}

// src/threads.ts
init_errors();
import { Worker } from "node:worker_threads";
function startThreads(size, script = new URL("./worker.js", import.meta.url)) {
  const idle = [];
  const all = /* @__PURE__ */ new Set();
  const waiting = [];
  let closed = false;
  const take = async () => {
    const free = idle.pop();
    if (free !== void 0) return free;
    if (all.size < size) return start();
    return new Promise((resolve2) => waiting.push(resolve2));
  };
  const start = () => {
    const worker = new Worker(script);
    worker.unref();
    all.add(worker);
    worker.on("error", () => forget(worker)).on("exit", () => forget(worker));
    return worker;
  };
  const forget = (worker) => {
    all.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  };
  const giveBack = (worker) => {
    const next = waiting.shift();
    if (next === void 0) idle.push(worker);
    else next(worker);
  };
  const drop = (worker) => {
    all.delete(worker);
    void worker.terminate();
    const next = closed ? void 0 : waiting.shift();
    if (next !== void 0) next(start());
  };
  return {
    async run(job, options = {}) {
      const worker = await take();
      worker.ref();
      const { result, usable } = await converse(worker, job, options);
      worker.unref();
      if (usable) giveBack(worker);
      else drop(worker);
      if (result instanceof Error) throw result;
      return result.value;
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
      all.clear();
    }
  };
}
function converse(worker, job, { onLayer, timeout }) {
  return new Promise((resolve2) => {
    const finish = (outcome) => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      resolve2(outcome);
    };
    const onMessage = (answer) => {
      if (answer.kind === "layer") onLayer?.(answer.layer);
      else if (answer.kind === "done") finish({ result: { value: answer.result }, usable: true });
      else finish({ result: asError(answer), usable: true });
    };
    const onError = (error) => finish({ result: error instanceof Error ? error : new Error(String(error)), usable: false });
    const onExit = (code) => finish({ result: new Error(`a worker thread ended with code ${code} before its job was done`), usable: false });
    const timer = timeout === void 0 ? void 0 : setTimeout(() => finish({ result: timeout.error, usable: false }), timeout.ms);
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage(job);
  });
}
function asError({ code, message, stack }) {
  if (code !== null) return new ModelError(code, message);
  const error = new Error(message);
  if (stack !== null) error.stack = stack;
  return error;
}

// src/weights/write-safetensors.ts
init_errors();
import { randomBytes } from "node:crypto";
import { open as open4, rename as rename3, rm as rm3 } from "node:fs/promises";
import { basename as basename2, dirname as dirname3, join as join4 } from "node:path";
var PIECE_BYTES = 64 * 1024 * 1024;
async function writeSafetensors(path, tensors) {
  const ordered = [...tensors].sort((a, b) => DTYPE_BITS[b.dtype] - DTYPE_BITS[a.dtype]);
  const header2 = encodeHeader(ordered);
  const temporary = join4(dirname3(path), `.${basename2(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const handle = await open4(temporary, "wx");
    try {
      await writeAll2(handle, header2);
      for (const { data } of ordered) await writeAll2(handle, data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename3(temporary, path);
  } catch (error) {
    await rm3(temporary, { force: true }).catch(() => void 0);
    throw new UsageError(`Cannot write ${printable(path)}: ${reason(error)}.`);
  }
}
function encodeHeader(tensors) {
  const members = [];
  const names = /* @__PURE__ */ new Set(["__metadata__"]);
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new RangeError(`tensor name ${quote(name)} is taken`);
    names.add(name);
    const byteLength = tensorBytes(dtype, shape);
    if (byteLength !== data.byteLength) {
      throw new RangeError(`tensor ${quote(name)}: ${dtype} [${shape.join(",")}] needs ${byteLength} bytes, got ${data.byteLength}`);
    }
    const end = begin + byteLength;
    members.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${begin},${end}]}`);
    begin = end;
  }
  const text = Buffer.from(`{${members.join(",")}}`);
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > HEADER_LIMIT) throw new RangeError(`a header of ${length} bytes is over the format's limit of ${HEADER_LIMIT}`);
  const header2 = Buffer.alloc(PREFIX_BYTES + length, " ");
  header2.writeBigUInt64LE(BigInt(length));
  text.copy(header2, PREFIX_BYTES);
  return header2;
}
async function writeAll2(handle, bytes) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done));
    done += bytesWritten;
  }
}
function reason(error) {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "the folder does not exist";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `no permission (${code})`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code})`;
    default:
      return code === "" ? printable(String(error)) : code;
  }
}

// src/gate.ts
var MAX_THREADS = 4;
var STATIC_JOBS = 8;
async function check(config, edges = {}) {
  const { clock = () => /* @__PURE__ */ new Date(), log = () => void 0 } = edges;
  const started = clock();
  const kernels = await kernelsUnderTest(config);
  const jobs = Math.min(jobsOf(config), config.models.length);
  const engine = edges.engine ?? startThreads(jobs);
  const hub = accessOf(edges, config.offline);
  try {
    const inTurn = lanes(jobs);
    const judge = async (ref) => {
      const from = clock();
      const model = await judgeModel({ config, kernels, engine, hub, log }, ref);
      return { model, timing: { id: ref.id, duration_ms: clock().getTime() - from.getTime() } };
    };
    const judged = await Promise.all(config.models.map((ref) => inTurn(() => judge(ref))));
    const models = judged.map(({ model }) => model);
    const timing = {
      started_at: started.toISOString(),
      duration_ms: clock().getTime() - started.getTime(),
      models: judged.map((one) => one.timing)
    };
    return { ...heading(config, models), models, timing };
  } finally {
    await hub.close();
    if (edges.engine === void 0) await engine.close();
  }
}
function jobsOf({ jobs, policy }) {
  return jobs ?? (policy === "static" ? STATIC_JOBS : Math.min(MAX_THREADS, availableParallelism()));
}
function accessOf({ env = process.env, log, patience }, offline) {
  return hubAccess(env, offline, { ...log === void 0 ? {} : { log }, ...patience === void 0 ? {} : { patience } });
}
async function kernelsUnderTest(config) {
  if (config.policy === "static") return null;
  return config.kernels === null ? SHIPPED_KERNELS : loadManifests(config.kernels);
}
function heading(config, models) {
  return {
    schema_version: 1,
    tool: { name: "fused-compat", version: package_default.version, onnxruntime: config.policy === "static" ? null : onnxruntimeVersion() },
    host: { platform: process.platform, arch: process.arch, node: process.version, cpu: cpus()[0]?.model ?? null, gpu: null },
    policy: config.policy,
    fail_on: config.fail_on,
    gate: gate(
      models.map(({ verdict }) => verdict),
      config.fail_on
    )
  };
}
async function reference(request2, edges = {}) {
  const { program, dtype, folder: model } = await openProgram(request2, edges);
  const engine = edges.engine ?? startThreads(1);
  try {
    const ids = "text" in request2.prompt ? (await tokenize(engine, model, [request2.prompt.text]))[0] ?? [] : request2.prompt.input_ids;
    asUsage(() => checkPrompt(program, ids, "the prompt"));
    const onLayer = (layer) => edges.log?.(`${request2.recipe}: layer ${layer + 1} of ${program.num_hidden_layers}`);
    const result = await engine.run({ kind: "reference", model, dtype, ids, recipe: request2.recipe }, { onLayer });
    const tensors = [stored("logits", result.logits), stored("hidden", result.hidden)];
    await writeSafetensors(request2.output, tensors);
    return { tensors: tensors.map(({ name, dtype: storedDtype, shape }) => ({ name, dtype: storedDtype, shape })) };
  } finally {
    if (edges.engine === void 0) await engine.close();
  }
}
async function openProgram(request2, edges) {
  const hub = accessOf(edges, false);
  try {
    return await openOn(hub, request2);
  } finally {
    await hub.close();
  }
}
async function openOn(hub, { model: ref, dtype }) {
  const { files, folder } = await openModel(ref, hub);
  const described = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = refuseUnlessRunnable(checkpoint, described);
    const program = buildProgram(raw);
    checkWeights(program, checkpoint);
    return { program, dtype: servingDtype(dtype, raw, checkpoint), folder: await folder() };
  } finally {
    await checkpoint.close();
  }
}
function asUsage(check2) {
  try {
    check2();
  } catch (error) {
    throw error instanceof ModelError ? new UsageError(error.message) : error;
  }
}
function stored(name, { data, shape }) {
  return {
    name,
    dtype: data instanceof Float64Array ? "F64" : "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  };
}
export {
  check,
  reference
};
