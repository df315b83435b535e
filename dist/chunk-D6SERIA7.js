import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/weights/model-config.ts
init_errors();

// src/weights/foreign.ts
var FOREIGN_BYTES = 512;
var SIGNATURES = [
  [[80, 75, 3, 4], "this is a zip archive (a PyTorch .bin checkpoint?), not safetensors. Convert it to safetensors"],
  [[80, 75, 5, 6], "this is an empty zip archive, not safetensors"],
  [[71, 71, 85, 70], "this is a GGUF file, not safetensors. Use the safetensors version of the model"],
  [[31, 139], "this is a gzip archive, not safetensors. Unpack it"]
];
function describeForeign(start) {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString("latin1");
  if (text.startsWith("version https://git-lfs")) return describePointer(text);
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(text)) {
    return "this is a web page, not a model file: a proxy or a login page answered the download. Download it again";
  }
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, index) => start[index] === byte));
  if (signature !== void 0) return signature[1];
  const protocol = start[1] ?? 0;
  if (start[0] === 128 && protocol >= 2 && protocol <= 5) {
    return "this is a Python pickle (a PyTorch checkpoint?), not safetensors. Convert it to safetensors";
  }
  if (start.byteLength > 0 && start.every((byte) => byte === 0)) {
    return `the first ${start.byteLength} bytes are all zero: the download did not complete. Download it again`;
  }
  return null;
}
function describeJsonText(start) {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString("latin1");
  return /^\s*\{\s*"/.test(text) ? "this is JSON text, not safetensors: a server answered the download with a message. Download it again" : null;
}
function describePointer(text) {
  const hash = /\noid sha256:([0-9a-f]{64})\n/.exec(text)?.[1];
  const size = /\nsize ([0-9]{1,16})\s/.exec(text)?.[1];
  const of = hash === void 0 ? "" : ` for sha256 ${hash}`;
  return `this is a Git LFS pointer${of}${size === void 0 ? "" : `, ${size} bytes`}, not the file itself. Run "git lfs pull" in the model folder`;
}

// src/weights/json-scanner.ts
import { isUtf8 } from "node:buffer";
var QUOTE = 34;
var COMMA = 44;
var MINUS = 45;
var DOT = 46;
var ZERO = 48;
var NINE = 57;
var COLON = 58;
var OPEN_ARRAY = 91;
var BACKSLASH = 92;
var CLOSE_ARRAY = 93;
var OPEN_OBJECT = 123;
var CLOSE_OBJECT = 125;
var DEPTH_LIMIT = 100;
function startText(bytes, fault) {
  if (bytes[0] === 239 && bytes[1] === 187 && bytes[2] === 191)
    throw fault(0, "the text starts with a byte order mark, which JSON does not allow");
  if (!isUtf8(bytes)) throw fault(invalidUtf8At(bytes), "the text is not valid UTF-8");
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, fault };
}
function invalidUtf8At(bytes) {
  let valid = 0;
  let invalid2 = bytes.byteLength;
  while (invalid2 - valid > 1) {
    let middle = valid + invalid2 >>> 1;
    while (middle > valid && ((bytes[middle] ?? 0) & 192) === 128) middle--;
    if (middle === valid) break;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else invalid2 = middle;
  }
  return valid;
}
function expectEnd(cursor) {
  skipSpace(cursor);
  if (cursor.at < cursor.bytes.byteLength) throw unexpected(cursor, "the end of the text");
}
function skipSpace(cursor) {
  const { bytes } = cursor;
  let at = cursor.at;
  for (; ; at++) {
    const byte = bytes[at];
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) break;
  }
  cursor.at = at;
}
function scanObject(cursor, what, visit) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_OBJECT) throw unexpected(cursor, `${what} as an object {...}`);
  cursor.at++;
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_OBJECT) {
    cursor.at++;
    return;
  }
  for (; ; ) {
    skipSpace(cursor);
    const keyAt = cursor.at;
    const key = readString(cursor, "a key in double quotes");
    passColon(cursor);
    visit(key, keyAt);
    if (!passComma(cursor, CLOSE_OBJECT)) return;
  }
}
function readUnsignedArray(cursor, what) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_ARRAY) throw unexpected(cursor, `${what} as an array [...]`);
  cursor.at++;
  const values = [];
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_ARRAY) {
    cursor.at++;
    return values;
  }
  do {
    skipSpace(cursor);
    values.push(readUnsigned(cursor, what));
  } while (passComma(cursor, CLOSE_ARRAY));
  return values;
}
function readUnsigned(cursor, what) {
  const { bytes } = cursor;
  const start = cursor.at;
  let at = start;
  let value = 0;
  for (; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + (byte - ZERO);
  }
  if (at === start) throw unexpected(cursor, `${what} of whole numbers, none negative`);
  const next = bytes[at];
  if (next === DOT || next === 101 || next === 69) {
    throw cursor.fault(start, `${what} holds a number with a fraction or an exponent; only whole numbers are allowed`);
  }
  if (bytes[start] === ZERO && at > start + 1) throw cursor.fault(start, `${what} holds a number with a leading zero`);
  if (value > Number.MAX_SAFE_INTEGER) {
    const digits = bytes.toString("latin1", start, Math.min(at, start + 40));
    throw cursor.fault(start, `${what} holds ${digits}${at - start > 40 ? "…" : ""}: no file is that large`);
  }
  cursor.at = at;
  return value;
}
function readString(cursor, what) {
  skipSpace(cursor);
  const start = cursor.at;
  const plain = skipString(cursor, what);
  if (plain) return cursor.bytes.toString("utf8", start + 1, cursor.at - 1);
  const value = JSON.parse(cursor.bytes.toString("utf8", start, cursor.at));
  if (typeof value !== "string" || new RegExp("\\p{Cs}", "u").test(value)) throw cursor.fault(start, "a string holds half of a surrogate pair");
  return value;
}
function skipString(cursor, what) {
  const { bytes } = cursor;
  if (bytes[cursor.at] !== QUOTE) throw unexpected(cursor, what);
  let plain = true;
  for (let at = cursor.at + 1; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      cursor.at = at + 1;
      return plain;
    }
    if (byte < 32) throw cursor.fault(at, `a string holds the control character 0x${byte.toString(16).padStart(2, "0")}`);
    if (byte === BACKSLASH) {
      plain = false;
      at += escapeLength(bytes, at) - 1;
      if (Number.isNaN(at)) throw cursor.fault(cursor.at, "a string holds an escape that JSON does not have");
    }
  }
  throw cursor.fault(cursor.at, "a string has no end");
}
function escapeLength(bytes, at) {
  const letter = String.fromCharCode(bytes[at + 1] ?? 0);
  if (letter !== "u") return '"\\/bfnrt'.includes(letter) ? 2 : NaN;
  const digits = String.fromCharCode(...bytes.subarray(at + 2, at + 6));
  return /^[0-9a-f]{4}$/i.test(digits) ? 6 : NaN;
}
function skipValue(cursor) {
  const closers = [];
  for (; ; ) {
    skipSpace(cursor);
    const opener = cursor.bytes[cursor.at];
    if (opener === OPEN_OBJECT || opener === OPEN_ARRAY) {
      if (closers.length === DEPTH_LIMIT) throw cursor.fault(cursor.at, `nested deeper than ${DEPTH_LIMIT} levels`);
      const closer = opener === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      cursor.at++;
      skipSpace(cursor);
      if (cursor.bytes[cursor.at] !== closer) {
        closers.push(closer);
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        continue;
      }
      cursor.at++;
    } else skipScalar(cursor);
    for (; ; ) {
      const closer = closers.at(-1);
      if (closer === void 0) return;
      if (passComma(cursor, closer)) {
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        break;
      }
      closers.pop();
    }
  }
}
function skipKey(cursor) {
  skipSpace(cursor);
  skipString(cursor, "a key in double quotes");
  passColon(cursor);
}
function skipScalar(cursor) {
  const { bytes, at } = cursor;
  const first = bytes[at] ?? 0;
  if (first === QUOTE) {
    skipString(cursor, "a value");
    return;
  }
  const pattern = first === MINUS || first >= ZERO && first <= NINE ? /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/ : /^(?:true|false|null)/;
  const text = bytes.toString("latin1", at, at + 400);
  const length = pattern.exec(text)?.[0].length;
  if (length === void 0) throw unexpected(cursor, "a value");
  cursor.at += length;
}
function passColon(cursor) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== COLON) throw unexpected(cursor, '":" after a key');
  cursor.at++;
}
function passComma(cursor, closer) {
  skipSpace(cursor);
  const byte = cursor.bytes[cursor.at];
  if (byte !== COMMA && byte !== closer) throw unexpected(cursor, `"," or "${String.fromCharCode(closer)}"`);
  cursor.at++;
  return byte === COMMA;
}
function unexpected(cursor, expected) {
  const byte = cursor.bytes[cursor.at];
  if (byte === void 0) return cursor.fault(cursor.at, `expected ${expected}, got the end of the text`);
  const got = byte > 32 && byte < 127 ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, "0")}`;
  return cursor.fault(cursor.at, `expected ${expected}, got ${got}`);
}

// src/weights/usual-names.ts
var SINGLE = "model.safetensors";
var INDEX = "model.safetensors.index.json";
var TORCH_SINGLE = "pytorch_model.bin";
var TORCH_INDEX = "pytorch_model.bin.index.json";
var ADAPTER = /^adapter_.*\.safetensors$/;
function holdsSafetensors(names) {
  return names.some((name) => name.endsWith(".safetensors") && !ADAPTER.test(name));
}
async function bringsOwnConfig(files) {
  const own = (name) => name.endsWith(".gguf") || name.endsWith(".onnx");
  if (files.main !== void 0) return own(files.main);
  const names = await files.list();
  const others = [INDEX, TORCH_SINGLE, TORCH_INDEX];
  return names.some(own) && !holdsSafetensors(names) && !names.some((name) => others.includes(name));
}

// src/weights/model-config.ts
var NAME = "config.json";
var CONFIG_LIMIT = 1e7;
async function readModelConfig(files) {
  if (files.main?.endsWith(".gguf") === true) return null;
  const bytes = await readBytes(files);
  if (bytes === null) return null;
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid(`${foreign}.`);
  const fault = (at, problem) => invalid(`${problem} (${lineAndColumn(bytes, at)}).`);
  const cursor = startText(bytes, fault);
  skipValue(cursor);
  expectEnd(cursor);
  const value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  if (!isObject(value)) throw invalid("must be a JSON object {...} of settings.");
  return value;
}
async function readBytes(files) {
  let source = null;
  try {
    source = await files.open(NAME);
    if (source === null) {
      if (await bringsOwnConfig(files)) return null;
      throw invalid("is missing. A model folder holds Hugging Face's config.json beside its weights: download it, or check the path.");
    }
    if (source.byteLength > CONFIG_LIMIT) throw invalid(`${source.byteLength} bytes; the limit is ${CONFIG_LIMIT}.`);
    return await source.slice(0, source.byteLength);
  } catch (error) {
    throw error instanceof ModelError && error.code === "weights_invalid" ? new ModelError("config_invalid", error.message) : error;
  } finally {
    await source?.close();
  }
}
function lineAndColumn(bytes, at) {
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, at).toString("utf8").split("\n");
  return `line ${before.length}, column ${[...before.at(-1) ?? ""].length + 1}`;
}
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function invalid(problem) {
  return new ModelError("config_invalid", `${NAME}: ${problem}`);
}

// src/hub/folder.ts
init_errors();
import { constants as bufferConstants } from "node:buffer";
import { constants } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";

// src/hub/joined.ts
function joined(run) {
  let last = Promise.resolve();
  let next = null;
  return () => {
    next ??= last.catch(() => void 0).then(() => {
      next = null;
      return last = run();
    });
    return next;
  };
}

// src/hub/folder.ts
var PIECE_BYTES = 64 * 1024 * 1024;
var BLOB_NAME = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
var WEIGHT_FILE = /\.(?:gguf|onnx|safetensors|bin|pt|pth)$/;
async function openFolder(path) {
  const main = await namedFile(path);
  const root = await canonicalFolder(main === void 0 ? path : dirname(path));
  return {
    id: path,
    revision: null,
    ...main === void 0 ? {} : { main },
    list: () => listFiles(root, path),
    open: (name) => openFile(root, name)
  };
}
async function namedFile(path) {
  if (!WEIGHT_FILE.test(path)) return void 0;
  const stats = await stat(path).catch(() => null);
  return stats?.isFile() === true ? basename(path) : void 0;
}
async function canonicalFolder(path) {
  if (path === "") throw new ModelError("model_not_found", "A model has an empty name: give the path of a model folder.");
  try {
    const root = await realpath(path);
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    throw missingFolder(path, errorCode(error));
  }
  const what = `${quote(path)} is a file, not a folder.`;
  throw new ModelError("model_not_found", `${what} Give the model's folder, or a .gguf or .onnx file.`);
}
function missingFolder(path, code) {
  if (code === "EACCES" || code === "EPERM") {
    return new ModelError("model_not_found", `Model folder ${quote(path)} cannot be opened: no permission (${code}).`);
  }
  return new ModelError("model_not_found", `There is no model folder ${quote(path)} (${code}). Check the path.`);
}
async function listFiles(root, path) {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries.flatMap((entry) => entry.isDirectory() ? [] : [entry.name]).sort();
  } catch (error) {
    throw new ModelError("model_not_found", `Model folder ${quote(path)} cannot be listed (${errorCode(error)}).`);
  }
}
async function openFile(root, name) {
  const problem = fileNameProblem(name);
  if (problem !== null) throw new ModelError("weights_invalid", `File name ${quote(name)} ${problem}: refused.`);
  const path = await canonicalFile(root, name);
  if (path === null) return null;
  const shown = printable(name);
  let handle;
  try {
    const before = await stat(path, { bigint: true });
    if (!before.isFile()) throw new ModelError("weights_invalid", `${shown}: is ${kindOf(before)}, not a file: refused.`);
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    const opened = await handle.stat({ bigint: true });
    if (!sameFile(before, opened)) throw changed(shown);
    return fileSource(shown, path, handle, opened);
  } catch (error) {
    await handle?.close();
    throw error instanceof ModelError ? error : unreadable(shown, error);
  }
}
async function canonicalFile(root, name) {
  const literal = join(root, ...name.split("/"));
  const shown = printable(name);
  let path;
  try {
    path = await realpath(literal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ENAMETOOLONG") throw unreadable(shown, error);
    const link = await lstat(literal).catch(() => null);
    if (link === null) return null;
    throw new ModelError(
      "weights_invalid",
      `${shown}: is a link to a file that is not there. Was the download interrupted? Download it again.`
    );
  }
  if (isInside(root, path) || isHubBlob(root, path)) return path;
  throw new ModelError(
    "weights_invalid",
    `${shown}: is a link out of the model folder, to ${quote(path)}: refused. Copy the file into the folder, or name the folder it is in.`
  );
}
function isInside(root, path) {
  const inner = relative(root, path);
  return inner !== "" && inner !== ".." && !inner.startsWith(`..${sep}`) && !isAbsolute(inner);
}
function isHubBlob(root, path) {
  const snapshots = dirname(root);
  if (basename(snapshots) !== "snapshots") return false;
  return dirname(path) === join(dirname(snapshots), "blobs") && BLOB_NAME.test(basename(path));
}
function fileSource(name, path, handle, opened) {
  const byteLength = Number(opened.size);
  const assertUnchanged = joined(async () => {
    const [now, atPath] = await Promise.all([handle.stat({ bigint: true }), stat(path, { bigint: true }).catch(() => null)]);
    if (atPath === null || !sameFile(opened, now) || !sameFile(opened, atPath)) throw changed(name);
  });
  return {
    name,
    byteLength,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= byteLength)) {
        throw new ModelError("weights_invalid", `${name}: bytes ${start} to ${end} are outside the file, which has ${byteLength} bytes.`);
      }
      const bytes = allocate(name, end - start);
      try {
        if (!await fill(handle, bytes, start)) throw changed(name);
        await assertUnchanged();
      } catch (error) {
        throw error instanceof ModelError ? error : unreadable(name, error);
      }
      return bytes;
    },
    close: () => handle.close()
  };
}
function allocate(name, byteLength) {
  try {
    if (byteLength <= bufferConstants.MAX_LENGTH) return new Uint8Array(Buffer.allocUnsafeSlow(byteLength).buffer, 0, byteLength);
  } catch {
  }
  throw new ModelError("weights_invalid", `${name}: ${byteLength} bytes in one read are more than this machine's memory allows.`);
}
async function fill(handle, bytes, position) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done), position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
function sameFile(a, b) {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
function kindOf(stats) {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
function changed(name) {
  return new ModelError(
    "weights_invalid",
    `${name}: the file changed during the read. Let the download or the writer finish, then run again.`
  );
}
function unreadable(name, error) {
  return new ModelError("weights_invalid", `${name}: cannot be read (${errorCode(error)}). Check the permissions and the disk.`);
}
function errorCode(error) {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") return error.code;
  return "unknown error";
}

export {
  openFolder,
  FOREIGN_BYTES,
  describeForeign,
  describeJsonText,
  startText,
  expectEnd,
  skipSpace,
  scanObject,
  readUnsignedArray,
  readString,
  skipValue,
  SINGLE,
  INDEX,
  TORCH_SINGLE,
  TORCH_INDEX,
  ADAPTER,
  holdsSafetensors,
  readModelConfig
};
