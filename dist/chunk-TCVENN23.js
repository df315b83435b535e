import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  float16ToFloat32
} from "./chunk-OKHQOVWE.js";
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/weights/checkpoint.ts
init_errors();

// src/weights/gguf-model.ts
init_errors();

// src/weights/gguf.ts
init_errors();

// src/weights/byte-stream.ts
var FIRST_BYTES = 64 * 1024;
var AFTER_JUMP_BYTES = 4 * 1024;
var MOST_BYTES = 4 * 1024 * 1024;
function startStream(source, fault) {
  return { source, fault, window: Buffer.alloc(0), windowStart: 0, at: 0, nextRead: FIRST_BYTES };
}
function position(stream) {
  return stream.windowStart + stream.at;
}
function left(stream) {
  return stream.source.byteLength - position(stream);
}
async function need(stream, bytes, what) {
  const inWindow = stream.window.byteLength - stream.at;
  if (inWindow >= bytes) return;
  const start = position(stream);
  if (bytes > left(stream)) throw stream.fault(start, `${what} needs ${bytes} bytes, ${Math.max(0, left(stream))} are left: file cut?`);
  const jumped = inWindow < 0;
  if (jumped) stream.nextRead = AFTER_JUMP_BYTES;
  const kept = jumped ? Buffer.alloc(0) : stream.window.subarray(stream.at);
  const from = start + kept.byteLength;
  const to = Math.min(stream.source.byteLength, from + Math.max(bytes - kept.byteLength, stream.nextRead));
  const read = await stream.source.slice(from, to);
  const fresh = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
  stream.window = kept.byteLength === 0 ? fresh : Buffer.concat([kept, fresh]);
  stream.windowStart = start;
  stream.at = 0;
  stream.nextRead = Math.min(MOST_BYTES, stream.nextRead * 2);
}
function skip(stream, bytes, what) {
  if (bytes > left(stream)) throw stream.fault(position(stream), `${what} needs ${bytes} bytes, ${left(stream)} are left: file cut?`);
  stream.at += bytes;
}

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

// src/weights/ggml-types.ts
var GGML_TYPES = new Map([
  [0, "F32", 1, 4],
  [1, "F16", 1, 2],
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  [24, "I8", 1, 1],
  [25, "I16", 1, 2],
  [26, "I32", 1, 4],
  [27, "I64", 1, 8],
  [28, "F64", 1, 8],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18]
].map(([id, dtype, values, bytes]) => [id, { dtype, values, bytes }]));
var REMOVED_TYPES = [4, 5, 31, 32, 33, 36, 37, 38];
var f = Math.fround;
var DECODERS = {
  Q4_0: { values: 32, bytes: 18, decode: (block, out) => decodeHalves(block, out, { at: 2, high: null, min: null, zero: 8 }) },
  Q4_1: { values: 32, bytes: 20, decode: (block, out) => decodeHalves(block, out, { at: 4, high: null, min: 2, zero: 0 }) },
  Q5_0: { values: 32, bytes: 22, decode: (block, out) => decodeHalves(block, out, { at: 6, high: 2, min: null, zero: 16 }) },
  Q5_1: { values: 32, bytes: 24, decode: (block, out) => decodeHalves(block, out, { at: 8, high: 4, min: 2, zero: 0 }) },
  Q8_0: { values: 32, bytes: 34, decode: decodeQ8 },
  Q2_K: { values: 256, bytes: 84, decode: decodeQ2K },
  Q3_K: { values: 256, bytes: 110, decode: decodeQ3K },
  Q4_K: { values: 256, bytes: 144, decode: (block, out) => decodeQ45K(block, out, null, 16) },
  Q5_K: { values: 256, bytes: 176, decode: (block, out) => decodeQ45K(block, out, 16, 48) },
  Q6_K: { values: 256, bytes: 210, decode: decodeQ6K }
};
var DEQUANTIZED = Object.keys(DECODERS);
function dequantize(bytes, dtype) {
  const decoder = Object.hasOwn(DECODERS, dtype) ? DECODERS[dtype] : void 0;
  if (decoder === void 0) return null;
  const blocks = bytes.byteLength / decoder.bytes;
  if (!Number.isInteger(blocks)) throw new RangeError(`${bytes.byteLength} bytes are no whole number of ${dtype} blocks`);
  const out = new Float32Array(blocks * decoder.values);
  for (let i = 0; i < blocks; i++) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + i * decoder.bytes, decoder.bytes);
    decoder.decode(block, out.subarray(i * decoder.values, (i + 1) * decoder.values));
  }
  return out;
}
function half(block, at) {
  return float16ToFloat32(Uint16Array.of(block.getUint16(at, true)))[0];
}
function decodeHalves(block, out, layout) {
  const d = half(block, 0);
  const min = layout.min === null ? 0 : half(block, layout.min);
  const high = layout.high === null ? 0 : block.getUint32(layout.high, true);
  for (let i = 0; i < 32; i++) {
    const nibble = block.getUint8(layout.at + i % 16) >>> (i < 16 ? 0 : 4) & 15;
    const q = (nibble | (high >>> i & 1) << 4) - layout.zero;
    out[i] = f(d * q) + min;
  }
}
function decodeQ8(block, out) {
  const d = half(block, 0);
  for (let i = 0; i < 32; i++) out[i] = d * block.getInt8(2 + i);
}
function decodeQ2K(block, out) {
  const d = half(block, 80);
  const dmin = half(block, 82);
  for (let i = 0; i < 256; i++) {
    const scale = block.getUint8(i >> 4);
    const q = block.getUint8(16 + (i >> 7) * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3;
    out[i] = f(f(d * (scale & 15)) * q) - f(dmin * (scale >>> 4));
  }
}
function decodeQ3K(block, out) {
  const d = half(block, 108);
  for (let i = 0; i < 256; i++) {
    const s = i >> 4;
    const low = block.getUint8(96 + (s & 7)) >>> (s < 8 ? 0 : 4) & 15;
    const scale = (low | (block.getUint8(104 + (s & 3)) >>> 2 * (s >> 2) & 3) << 4) - 32;
    const high = block.getUint8(i & 31) >>> (i >> 5) & 1;
    const q = (block.getUint8(32 + (i >> 7) * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3) - (high === 1 ? 0 : 4);
    out[i] = f(d * scale) * q;
  }
}
function decodeQ45K(block, out, high, values) {
  const d = half(block, 0);
  const dmin = half(block, 2);
  for (let i = 0; i < 256; i++) {
    const group = i >> 5;
    const { scale, min } = scaleAndMin(block, group);
    const nibble = block.getUint8(values + (group >> 1) * 32 + (i & 31)) >>> 4 * (group & 1) & 15;
    const q = nibble | (high === null ? 0 : (block.getUint8(high + (i & 31)) >>> group & 1) << 4);
    out[i] = f(f(d * scale) * q) - f(dmin * min);
  }
}
function scaleAndMin(block, group) {
  const at = (index) => block.getUint8(4 + index);
  if (group < 4) return { scale: at(group) & 63, min: at(group + 4) & 63 };
  const packed = at(group + 4);
  return { scale: packed & 15 | at(group - 4) >>> 6 << 4, min: packed >>> 4 | at(group) >>> 6 << 4 };
}
function decodeQ6K(block, out) {
  const d = half(block, 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7;
    const low = block.getUint8(part * 64 + (i & 63)) >>> (i & 64 ? 4 : 0) & 15;
    const high = block.getUint8(128 + part * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3;
    out[i] = f(d * block.getInt8(192 + (i >> 4))) * ((low | high << 4) - 32);
  }
}

// src/weights/gguf.ts
var GGUF_HEADER_LIMIT = 2 ** 30;
var KEYS_LIMIT = 1e5;
var TENSORS_LIMIT = 1e6;
var ARRAY_LIMIT = 2 ** 30;
var KEY_BYTES = 65535;
var NAME_BYTES = 63;
var DIMENSIONS = 4;
var ALIGNMENT_LIMIT = 2 ** 20;
var KEPT_BYTES = 65536;
var KEPT_NUMBERS = 4096;
var STRING = 8;
var ARRAY = 9;
var SIZES = new Map([1, 1, 2, 2, 4, 4, 4, 1, NaN, NaN, 8, 8, 8].map((size, type) => [type, size]));
var TYPE_NAMES = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64"
];
async function readGguf(source) {
  const fault = (at, problem) => invalid(source.name, `${problem} (byte ${at}).`);
  const stream = startStream(source, fault);
  const counts = await readPreamble(stream);
  const metadata = /* @__PURE__ */ new Map();
  let alignment = 32;
  for (let i = 0; i < counts.keys; i++) {
    const at = position(stream);
    const key = await readText(stream, "a key", KEY_BYTES);
    if (key === "") throw fault(at, "a key of the metadata is empty");
    if (metadata.has(key)) throw fault(at, `the key ${quote(key)} stands in the metadata twice`);
    await want(stream, 4, `the type of ${quote(key)}`);
    const type = u32(stream);
    if (key === "general.alignment" && type !== 4) throw fault(at, `general.alignment has type ${typeName(type)}; it must be uint32`);
    const value = await readValue(stream, type, `the value of ${quote(key)}`);
    metadata.set(key, value);
    if (key === "general.alignment") alignment = checkAlignment(value, (problem) => fault(at, problem));
    if (position(stream) > GGUF_HEADER_LIMIT) throw fault(position(stream), `the header is over the limit of ${GGUF_HEADER_LIMIT} bytes`);
  }
  const tensors = await readTable(stream, counts.tensors, alignment);
  const dataStart2 = padded(position(stream), alignment);
  const last = [...tensors.values()].at(-1);
  const end = last === void 0 ? 0 : dataStart2 + last.begin + last.byteLength;
  if (last !== void 0 && end > source.byteLength) {
    const cut = `file cut: the tensors need ${end} bytes, the file has ${source.byteLength}; the last tensor is ${quote(last.name)}`;
    throw invalid(source.name, `${cut}. Download it again.`);
  }
  return {
    source,
    metadata,
    tensors,
    read({ name }, from, to) {
      const first = dataStart2 + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + from, first + to);
    }
  };
}
async function readPreamble(stream) {
  const { source, fault } = stream;
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const magic = Buffer.from(start.subarray(0, 4)).toString("latin1");
  if (magic !== "GGUF") throw invalid(source.name, notGguf(magic, start));
  await want(stream, 24, "the start of the file");
  stream.at += 4;
  const version = u32(stream);
  if ((version & 65535) === 0 && version !== 0) {
    throw fault(4, "this file is big-endian; only little-endian GGUF is read: convert it again on, or for, a little-endian machine");
  }
  if (version < 2 || version > 3) {
    const old = version === 1 ? "version 1 is older than llama.cpp reads: convert the model again" : "versions 2 and 3 are read";
    throw fault(4, `GGUF version ${version}; ${old}`);
  }
  const tensors = count(stream, "tensors", 24, TENSORS_LIMIT);
  const keys = count(stream, "metadata keys", 13, KEYS_LIMIT);
  return { keys, tensors };
}
function notGguf(magic, start) {
  if (magic === "FUGG")
    return "this is a GGUF file with its bytes swapped (big-endian); only little-endian GGUF is read. Convert it again.";
  if (["GGML", "GGJT", "GGMF", "lmgg", "tjgg", "fmgg"].includes(magic)) {
    return `this is a ${magic.startsWith("GG") ? magic : [...magic].reverse().join("").toUpperCase()} file, older than GGUF. Convert it with llama.cpp, or download a GGUF.`;
  }
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not GGUF");
  return `${foreign ?? `not a GGUF file: it begins with ${quote(magic)}`}. Download it again.`;
}
function count(stream, what, size, limit) {
  const at = position(stream);
  const value = u64(stream);
  if (typeof value === "bigint" || value > limit) throw stream.fault(at, `the header says ${value} ${what}; the limit is ${limit}`);
  if (value * size > left(stream)) throw stream.fault(at, `the header says ${value} ${what}, for which the file is too short: file cut?`);
  return value;
}
function checkAlignment(value, fault) {
  if (typeof value !== "number" || value === 0 || (value & value - 1) !== 0 || value > ALIGNMENT_LIMIT || value < 0) {
    throw fault(`general.alignment is ${String(value)}; it must be a power of two up to ${ALIGNMENT_LIMIT}`);
  }
  return value;
}
async function readValue(stream, type, what) {
  if (type === STRING) return readKeptText(stream, what);
  if (type === ARRAY) return readArray(stream, what);
  const size = SIZES.get(type);
  if (size === void 0) throw stream.fault(position(stream), `${what} has the unknown type ${type}`);
  await want(stream, size, what);
  return scalar(stream, type, what);
}
function scalar(stream, type, what) {
  const { window, at } = stream;
  stream.at += SIZES.get(type) ?? 0;
  switch (type) {
    case 0:
      return window.readUInt8(at);
    case 1:
      return window.readInt8(at);
    case 2:
      return window.readUInt16LE(at);
    case 3:
      return window.readInt16LE(at);
    case 4:
      return window.readUInt32LE(at);
    case 5:
      return window.readInt32LE(at);
    case 6:
      return window.readFloatLE(at);
    case 7: {
      const value = window.readUInt8(at);
      if (value > 1) throw stream.fault(stream.windowStart + at, `${what} is a bool of ${value}; only 0 and 1 are`);
      return value === 1;
    }
    case 10:
      return exact(window.readBigUInt64LE(at));
    case 11:
      return exact(window.readBigInt64LE(at));
    default:
      return window.readDoubleLE(at);
  }
}
function exact(value) {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
async function readArray(stream, what) {
  const at = position(stream);
  await want(stream, 12, what);
  const type = u32(stream);
  const length = u64(stream);
  if (type === ARRAY) throw stream.fault(at, `${what} is an array of arrays, which GGUF does not have`);
  const size = type === STRING ? 8 : SIZES.get(type);
  if (size === void 0) throw stream.fault(at, `${what} is an array of the unknown type ${type}`);
  if (typeof length === "bigint" || length > ARRAY_LIMIT)
    throw stream.fault(at, `${what} has ${length} elements; the limit is ${ARRAY_LIMIT}`);
  if (length * size > left(stream)) throw stream.fault(at, `${what} has ${length} elements, for which the file is too short: file cut?`);
  if (type === STRING) {
    for (let i = 0; i < length; i++) {
      if (stream.at + 8 > stream.window.byteLength) await need(stream, 8, what);
      skip(stream, textLength(stream, what), what);
    }
    return null;
  }
  if (length > KEPT_NUMBERS || type === 7) {
    skip(stream, length * size, what);
    return null;
  }
  await want(stream, length * size, what);
  return Array.from({ length }, () => Number(scalar(stream, type, what)));
}
async function readTable(stream, length, alignment) {
  const tensors = /* @__PURE__ */ new Map();
  let expected = 0;
  for (let i = 0; i < length; i++) {
    const at = position(stream);
    const name = await readText(stream, "the name of a tensor", NAME_BYTES);
    const fault = (problem) => stream.fault(at, `tensor ${quote(name)}: ${problem}`);
    if (tensors.has(name)) throw fault("stands in the file twice");
    const tensor = await readTensor(stream, name, fault);
    if (tensor.begin % alignment !== 0) throw fault(`offset ${tensor.begin} is not a multiple of the alignment ${alignment}`);
    if (tensor.begin !== expected) {
      const kind = tensor.begin < expected ? "overlaps the tensor before it" : "leaves a hole";
      throw fault(`offset ${tensor.begin} ${kind}; ${expected} was expected`);
    }
    expected = padded(tensor.begin + tensor.byteLength, alignment);
    if (tensor.begin + tensor.byteLength > stream.source.byteLength) {
      throw fault(`needs ${tensor.byteLength} bytes at offset ${tensor.begin}, more than the file has: file cut? Download it again`);
    }
    tensors.set(name, tensor);
  }
  return tensors;
}
async function readTensor(stream, name, fault) {
  await want(stream, 4, `tensor ${quote(name)}`);
  const dimensions = u32(stream);
  if (dimensions > DIMENSIONS) throw fault(`has ${dimensions} dimensions; at most ${DIMENSIONS} are allowed`);
  await want(stream, 8 * dimensions + 12, `tensor ${quote(name)}`);
  const sizes = Array.from({ length: dimensions }, () => u64(stream));
  const type = u32(stream);
  const begin = u64(stream);
  const known = GGML_TYPES.get(type);
  if (known === void 0)
    throw fault(REMOVED_TYPES.includes(type) ? `type ${type} was taken out of GGUF: convert the model again` : `unknown type ${type}`);
  const elements = sizes.reduce((product, size) => product * Number(size), 1);
  if (sizes.some((size) => typeof size === "bigint") || elements * known.bytes > Number.MAX_SAFE_INTEGER) {
    throw fault(`the size of shape [${[...sizes].reverse().join(",")}] overflows`);
  }
  const row = Number(sizes[0] ?? 1);
  if (row % known.values !== 0) throw fault(`its rows of ${row} values are not a multiple of ${known.values}, the block of ${known.dtype}`);
  if (typeof begin === "bigint") throw fault(`offset ${begin} is beyond any file`);
  const byteLength = elements / known.values * known.bytes;
  return { name, dtype: known.dtype, shape: sizes.map(Number).reverse(), byteLength, file: stream.source.name, begin };
}
async function want(stream, bytes, what) {
  if (stream.at + bytes > stream.window.byteLength) await need(stream, bytes, what);
}
function u32(stream) {
  const value = stream.window.readUInt32LE(stream.at);
  stream.at += 4;
  return value;
}
function u64(stream) {
  const value = exact(stream.window.readBigUInt64LE(stream.at));
  stream.at += 8;
  return value;
}
function textLength(stream, what) {
  const at = position(stream);
  const stated = stream.window.readBigUInt64LE(stream.at);
  const length = Number(stated);
  stream.at += 8;
  if (length > left(stream)) throw stream.fault(at, `${what} is a string of ${stated} bytes, ${left(stream)} are left: file cut?`);
  return length;
}
async function readText(stream, what, limit) {
  const at = position(stream);
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length > limit) throw stream.fault(at, `${what} is ${length} bytes long; the limit is ${limit}`);
  await want(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}
async function readKeptText(stream, what) {
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length <= KEPT_BYTES) {
    stream.at -= 8;
    return readText(stream, what, KEPT_BYTES);
  }
  skip(stream, length, what);
  return null;
}
function typeName(type) {
  return TYPE_NAMES[type] ?? String(type);
}
function padded(offset, alignment) {
  return Math.ceil(offset / alignment) * alignment;
}
function invalid(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/shards.ts
init_errors();

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
  let invalid8 = bytes.byteLength;
  while (invalid8 - valid > 1) {
    let middle = valid + invalid8 >>> 1;
    while (middle > valid && ((bytes[middle] ?? 0) & 192) === 128) middle--;
    if (middle === valid) break;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else invalid8 = middle;
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

// src/weights/shards.ts
var INDEX_LIMIT = 25e7;
var SHARD_LIMIT = 1e4;
var PARALLEL_READS = 8;
var LISTED = 10;
async function readShards(index, open2) {
  const weightMap = await readWeightMap(index);
  const names = [...new Set(weightMap.values())].sort();
  if (names.length > SHARD_LIMIT) throw invalid2(index.name, `names ${names.length} shards; the limit is ${SHARD_LIMIT}.`);
  const shards = await mapInOrder(names, async (name, position2) => {
    const shard = await open2(name);
    if (shard !== null) return shard;
    const which = `shard ${position2 + 1} of ${names.length}, ${quote(name)},`;
    throw invalid2(index.name, `${which} is missing from the model. Download it: without it the model is not complete.`);
  });
  checkAgreement(index.name, weightMap, new Map(shards.map((shard, position2) => [names[position2] ?? "", shard])));
  return shards;
}
async function readWeightMap(index) {
  const { name, byteLength } = index;
  if (byteLength > INDEX_LIMIT) throw invalid2(name, `${byteLength} bytes; the limit for an index is ${INDEX_LIMIT}.`);
  const bytes = await index.slice(0, byteLength);
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid2(name, `${foreign}.`);
  const cursor = startText(bytes, (at, problem) => invalid2(name, `${problem} (byte ${at}). The index is damaged: download it again.`));
  const found = [];
  scanObject(cursor, "the index", (key, keyAt) => {
    if (key !== "weight_map") skipValue(cursor);
    else if (found.length === 0) found.push(scanWeightMap(cursor));
    else throw cursor.fault(keyAt, '"weight_map" stands in the index twice');
  });
  expectEnd(cursor);
  const [weightMap] = found;
  if (weightMap === void 0) throw invalid2(name, 'has no "weight_map", which says which shard each tensor is in. Download it again.');
  return weightMap;
}
function scanWeightMap(cursor) {
  const start = cursor.at;
  const weightMap = /* @__PURE__ */ new Map();
  const known = /* @__PURE__ */ new Map();
  scanObject(cursor, '"weight_map"', (tensor, tensorAt) => {
    if (weightMap.has(tensor)) throw cursor.fault(tensorAt, `tensor ${quote(tensor)} stands in "weight_map" twice`);
    const read = readString(cursor, `the shard of tensor ${quote(tensor)} as a string`);
    let shard = known.get(read);
    if (shard === void 0) {
      const problem = fileNameProblem(read);
      if (problem !== null) throw cursor.fault(tensorAt, `the shard ${quote(read)} of tensor ${quote(tensor)} ${problem}: refused`);
      known.set(read, read);
      shard = read;
    }
    weightMap.set(tensor, shard);
  });
  if (weightMap.size === 0) throw cursor.fault(start, '"weight_map" lists no tensors');
  return weightMap;
}
function checkAgreement(index, weightMap, shards) {
  const repeated = /* @__PURE__ */ new Set();
  const extra = [];
  const owners = /* @__PURE__ */ new Map();
  for (const [shard, { tensors }] of shards) {
    for (const tensor of tensors.keys()) {
      const owner = owners.get(tensor);
      if (owner !== void 0) repeated.add(`${quote(tensor)} in ${quote(owner)} and ${quote(shard)}`);
      else owners.set(tensor, shard);
      if (!weightMap.has(tensor)) extra.push(`${quote(tensor)} in ${quote(shard)}`);
    }
  }
  const again = "The index and the shards do not belong together: download the model again.";
  if (repeated.size > 0) throw invalid2(index, `tensors that are in two shards: ${list([...repeated])}. ${again}`);
  const absent = [...weightMap].filter(([tensor, shard]) => owners.get(tensor) !== shard).map(([tensor, shard]) => missing(tensor, shard, owners));
  if (absent.length > 0) {
    throw new ModelError("tensor_missing", `${index}: tensors that are not in the shard the index names: ${list(absent)}. ${again}`);
  }
  if (extra.length > 0) throw invalid2(index, `tensors that the index does not list: ${list(extra)}. ${again}`);
}
function missing(tensor, shard, owners) {
  const owner = owners.get(tensor);
  return `${quote(tensor)} (index: ${quote(shard)}, ${owner === void 0 ? "in no shard" : `is in ${quote(owner)}`})`;
}
function list(items2) {
  const more = items2.length > LISTED ? ` and ${items2.length - LISTED} more` : "";
  return `${items2.slice(0, LISTED).join(", ")}${more}`;
}
async function mapInOrder(items2, work) {
  const results = [];
  const errors = /* @__PURE__ */ new Map();
  let next = 0;
  const worker = async () => {
    while (next < items2.length && errors.size === 0) {
      const position2 = next++;
      try {
        results[position2] = await work(items2[position2], position2);
      } catch (error) {
        errors.set(position2, error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, worker));
  if (errors.size > 0) throw errors.get(Math.min(...errors.keys()));
  return results;
}
function invalid2(index, problem) {
  return new ModelError("weights_invalid", `${index}: ${problem}`);
}

// src/weights/gguf-model.ts
var PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
var TOWER = /^mmproj/i;
function onlyGguf(names) {
  const found = names.filter((name) => name.endsWith(".gguf") && !TOWER.test(name));
  const models = new Set(found.map((name) => PART.exec(name)?.[1] ?? name));
  if (models.size <= 1) return found[0] ?? null;
  const shown = found.slice(0, 10).map((name) => quote(name));
  throw new ModelError(
    "weights_invalid",
    `Found ${models.size} GGUF models (${shown.join(", ")}${found.length > 10 ? ", …" : ""}). Name the one file that is meant, not the folder; on the Hub as org/name/file.gguf.`
  );
}
async function openGguf(name, open2) {
  const [, stem = "", number = "", total = ""] = PART.exec(name) ?? [];
  const count2 = Number(total);
  if (count2 > SHARD_LIMIT) throw invalid3(name, `says it is one of ${count2} parts; the limit is ${SHARD_LIMIT}.`);
  if (total !== "" && (Number(number) < 1 || Number(number) > count2))
    throw invalid3(name, `is named as part ${Number(number)} of ${count2}.`);
  const names = total === "" ? [name] : Array.from({ length: count2 }, (_, index) => `${stem}-${String(index + 1).padStart(5, "0")}-of-${total}.gguf`);
  const files = [];
  for (const [index, part] of names.entries()) {
    const source = await open2(part);
    if (source === null) {
      const which = total === "" ? quote(part) : `part ${index + 1} of ${count2}, ${quote(part)},`;
      throw new ModelError("tensor_missing", `${which} is missing from the model. Download it: without it the model is not complete.`);
    }
    files.push(await readGguf(source));
  }
  checkParts(files);
  return { files, config: configOf(files) };
}
function checkParts(files) {
  const [first] = files;
  if (first === void 0) return;
  const again = "The parts do not belong together: download the model again.";
  const seen = /* @__PURE__ */ new Map();
  for (const [index, { source, metadata, tensors }] of files.entries()) {
    const stated = metadata.get("split.count") ?? 1;
    const count2 = files.length;
    if (stated !== count2 && !(stated === 0 && count2 === 1)) {
      const problem = count2 === 1 ? `is one part of a set of ${String(stated)}; keep the names that end in -00001-of-0000N.gguf.` : `says split.count ${String(stated)}, its name says ${count2}. ${again}`;
      throw invalid3(source.name, problem);
    }
    const number = metadata.get("split.no") ?? 0;
    if (number !== index) throw invalid3(source.name, `says split.no ${String(number)}, its name says ${index}. ${again}`);
    const architecture = metadata.get("general.architecture");
    if (architecture !== void 0 && architecture !== first.metadata.get("general.architecture")) {
      throw invalid3(source.name, `is of architecture ${quote(String(architecture))}, ${quote(first.source.name)} is not. ${again}`);
    }
    for (const name of tensors.keys()) {
      const owner = seen.get(name);
      if (owner !== void 0) throw invalid3(source.name, `tensor ${quote(name)} is in ${quote(owner)} too. ${again}`);
      seen.set(name, source.name);
    }
  }
  const total = first.metadata.get("split.tensors.count");
  if (files.length > 1 && total !== void 0 && total !== seen.size) {
    throw invalid3(first.source.name, `says split.tensors.count ${String(total)}, the parts have ${seen.size} tensors. ${again}`);
  }
}
var CONFIG_KEYS = [
  ["block_count", "num_hidden_layers"],
  ["embedding_length", "hidden_size"],
  ["attention.head_count", "num_attention_heads"],
  ["attention.head_count_kv", "num_key_value_heads"],
  ["attention.key_length", "head_dim"],
  ["context_length", "max_position_embeddings"]
];
function configOf(files) {
  const metadata = files[0]?.metadata ?? /* @__PURE__ */ new Map();
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string") {
    throw invalid3(files[0]?.source.name ?? "", "has no general.architecture: not a language model, or damaged.");
  }
  const config = { model_type: architecture };
  for (const [from, to] of CONFIG_KEYS) {
    const value = metadata.get(`${architecture}.${from}`);
    if (typeof value === "number") config[to] = value;
  }
  const rotary = metadata.get(`${architecture}.rope.dimension_count`);
  const headDim = config["head_dim"] ?? Number(config["hidden_size"]) / Number(config["num_attention_heads"]);
  if (typeof rotary === "number" && typeof headDim === "number" && rotary < headDim) config["partial_rotary_factor"] = rotary / headDim;
  return config;
}
function invalid3(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/onnx-initializers.ts
init_errors();

// src/weights/onnx-graph.ts
init_errors();

// src/weights/protobuf-stream.ts
async function scanFields(stream, end, what, visit) {
  while (position(stream) < end) {
    const at = position(stream);
    const tag = await readVarint(stream, what);
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (field === 0 || field > 536870911) throw stream.fault(at, `${what} has a field of number ${field}`);
    const length = await valueLength(stream, wire, at, what);
    const valueEnd = position(stream) + length;
    if (valueEnd > end) throw stream.fault(at, `${what}: field ${field} goes ${valueEnd - end} bytes past its end`);
    if (!await visit(field, wire, valueEnd)) {
      if (wire === 0) await readVarint(stream, what);
      else skip(stream, valueEnd - position(stream), what);
    } else if (wire !== 0 && position(stream) !== valueEnd) throw stream.fault(at, `${what}: field ${field} does not end where it should`);
  }
  if (position(stream) !== end) throw stream.fault(position(stream), `${what} does not end where it should`);
}
async function valueLength(stream, wire, at, what) {
  if (wire === 0) return 1;
  if (wire === 1) return 8;
  if (wire === 5) return 4;
  if (wire !== 2) throw stream.fault(at, `${what} has a field of wire type ${wire}`);
  const length = await readVarint(stream, what);
  if (length > BigInt(left(stream))) throw stream.fault(at, `${what} has a field of ${length} bytes, ${left(stream)} are left: file cut?`);
  return Number(length);
}
async function readVarint(stream, what) {
  if (stream.at + 10 > stream.window.byteLength) await need(stream, Math.max(1, Math.min(10, left(stream))), what);
  const { window, at } = stream;
  let small = 0;
  for (let i = 0; i < 10; i++) {
    const byte = window[at + i];
    if (byte === void 0) break;
    if (i < 7) small += (byte & 127) * 2 ** (7 * i);
    if ((byte & 128) !== 0) continue;
    stream.at += i + 1;
    if (i < 7) return BigInt(small);
    let value = 0n;
    for (let j = i; j >= 0; j--) value = value << 7n | BigInt((window[at + j] ?? 0) & 127);
    if (value > 0xffffffffffffffffn) break;
    return value;
  }
  throw stream.fault(position(stream), `${what} holds a number that is cut or longer than 64 bits`);
}
async function readBytes(stream, length, what) {
  if (stream.at + length > stream.window.byteLength) await need(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  return bytes;
}

// src/weights/onnx-graph.ts
var ONNX_LIMIT = 2 ** 31 - 1;
var TENSORS_LIMIT2 = 1e6;
var DIMENSIONS_LIMIT = 64;
var NAME_BYTES2 = 65535;
var ENTRY_BYTES = 4096;
var EXTERNAL_KEYS = ["location", "offset", "length", "checksum", "basepath"];
var VALUE_FIELDS = /* @__PURE__ */ new Map([
  [4, "float_data"],
  [5, "int32_data"],
  [6, "string_data"],
  [7, "int64_data"],
  [9, "raw_data"],
  [10, "double_data"],
  [11, "uint64_data"]
]);
var RAW_DATA = 9;
var INT32_DATA = 5;
async function readInitializers(source) {
  const { name, byteLength } = source;
  if (byteLength > ONNX_LIMIT)
    throw invalid4(name, `${byteLength} bytes; an ONNX file has at most ${ONNX_LIMIT}: its weights must be external.`);
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, byteLength));
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not ONNX");
  if (foreign !== void 0) throw invalid4(name, `${foreign}.`);
  const stream = startStream(
    source,
    (at, problem) => invalid4(name, `${problem} (byte ${at}): not an ONNX file, or damaged. Download it again.`)
  );
  const found = /* @__PURE__ */ new Map();
  let graphs = 0;
  await scanFields(stream, byteLength, "the model", async (field, wire, end) => {
    if (field !== 7 || wire !== 2) return false;
    graphs++;
    if (graphs > 1) throw stream.fault(end, "the model has two graphs");
    await scanFields(stream, end, "the graph", async (inner, innerWire, innerEnd) => {
      if (inner !== 5 || innerWire !== 2) return false;
      const initializer = await readInitializer(stream, innerEnd);
      if (initializer.name === "") throw stream.fault(initializer.at, "an initializer has no name");
      if (found.has(initializer.name))
        throw stream.fault(initializer.at, `initializer ${quote(initializer.name)} stands in the graph twice`);
      if (found.size === TENSORS_LIMIT2) throw stream.fault(initializer.at, `more than ${TENSORS_LIMIT2} initializers`);
      found.set(initializer.name, initializer);
      return true;
    });
    return true;
  });
  if (graphs === 0) throw invalid4(name, "has no graph: not an ONNX model, or cut. Download it again.");
  return found;
}
async function readInitializer(stream, end) {
  const at = stream.windowStart + stream.at;
  const found = { at, name: "", dims: [], type: 0, external: false, entries: /* @__PURE__ */ new Map(), field: null, ranges: [] };
  await scanFields(stream, end, "an initializer", async (field, wire, fieldEnd) => {
    const here = stream.windowStart + stream.at;
    if (VALUE_FIELDS.has(field)) {
      if (found.field !== null && (found.field !== field || field === RAW_DATA)) {
        const both = found.field === field ? "raw_data twice" : `both ${VALUE_FIELDS.get(found.field)} and ${VALUE_FIELDS.get(field)}`;
        throw stream.fault(here, `initializer ${quote(found.name)} has ${both}`);
      }
      found.field = field;
      if (found.ranges.length < 2) found.ranges.push({ start: here, length: wire === 2 ? fieldEnd - here : NaN });
      return false;
    }
    if (field === 1 && wire === 0) found.dims.push(dimension(stream, await readVarint(stream, "a dimension")));
    else if (field === 1 && wire === 2)
      while (stream.windowStart + stream.at < fieldEnd) found.dims.push(dimension(stream, await readVarint(stream, "a dimension")));
    else if (field === 2 && wire === 0) found.type = Number(await readVarint(stream, "the data type"));
    else if (field === 8 && wire === 2) found.name = await readText2(stream, fieldEnd, "the name of an initializer", NAME_BYTES2);
    else if (field === 13 && wire === 2) await readEntry(stream, fieldEnd, found.entries);
    else if (field === 14 && wire === 0) found.external = await readVarint(stream, "data_location") === 1n;
    else return false;
    if (found.dims.length > DIMENSIONS_LIMIT) throw stream.fault(here, `an initializer has more than ${DIMENSIONS_LIMIT} dimensions`);
    return true;
  });
  return found;
}
function dimension(stream, value) {
  const signed = BigInt.asIntN(64, value);
  if (signed < 0n) throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}`);
  if (signed > BigInt(Number.MAX_SAFE_INTEGER))
    throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}: it overflows`);
  return Number(signed);
}
async function readText2(stream, end, what, limit) {
  const at = stream.windowStart + stream.at;
  if (end - at > limit) throw stream.fault(at, `${what} is ${end - at} bytes long; the limit is ${limit}`);
  const bytes = await readBytes(stream, end - at, what);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}
async function readEntry(stream, end, entries) {
  const at = stream.windowStart + stream.at;
  let key = "";
  let value = "";
  await scanFields(stream, end, "an entry of external_data", async (field, wire, fieldEnd) => {
    if (wire !== 2 || field !== 1 && field !== 2) return false;
    const text = await readText2(stream, fieldEnd, "external_data", ENTRY_BYTES);
    if (field === 1) key = text;
    else value = text;
    return true;
  });
  if (!EXTERNAL_KEYS.includes(key))
    throw stream.fault(at, `external_data has the key ${quote(key)}; known are ${EXTERNAL_KEYS.join(", ")}`);
  if (entries.has(key)) throw stream.fault(at, `external_data has the key ${quote(key)} twice`);
  entries.set(key, value);
}
function invalid4(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/onnx-initializers.ts
var VARINT_BYTES = 64 * 1024 * 1024;
var DATA_TYPES = /* @__PURE__ */ new Map([
  [1, ["F32", 32]],
  [2, ["U8", 8]],
  [3, ["I8", 8]],
  [4, ["U16", 16]],
  [5, ["I16", 16]],
  [6, ["I32", 32]],
  [7, ["I64", 64]],
  [8, ["STRING", 0]],
  [9, ["BOOL", 8]],
  [10, ["F16", 16]],
  [11, ["F64", 64]],
  [12, ["U32", 32]],
  [13, ["U64", 64]],
  [14, ["C64", 64]],
  [15, ["C128", 128]],
  [16, ["BF16", 16]],
  [17, ["F8_E4M3", 8]],
  [18, ["F8_E4M3FNUZ", 8]],
  [19, ["F8_E5M2", 8]],
  [20, ["F8_E5M2FNUZ", 8]],
  [21, ["U4", 4]],
  [22, ["I4", 4]],
  [23, ["F4", 4]],
  [24, ["F8_E8M0", 8]],
  [25, ["U2", 2]],
  [26, ["I2", 2]]
]);
var OWN_FIELDS = { F32: 4, C64: 4, F64: 10, C128: 10, I64: 7, U32: 11, U64: 11 };
async function openOnnx(name, open2) {
  const source = await open2(name);
  if (source === null) throw new ModelError("tensor_missing", `${quote(name)} is missing from the model.`);
  const initializers = await readInitializers(source);
  const folder = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
  const inline = /* @__PURE__ */ new Map();
  const externals = /* @__PURE__ */ new Map();
  for (const initializer of initializers.values()) {
    const fault = (problem) => invalid4(source.name, `initializer ${quote(initializer.name)}: ${problem} (byte ${initializer.at}).`);
    if (!initializer.external) {
      inline.set(initializer.name, placeInline(initializer, source.name, fault));
      continue;
    }
    const { location, offset, length } = externalPlace(initializer, fault);
    let file = externals.get(location);
    if (file === void 0) {
      const opened = await open2(folder + location);
      if (opened === null) {
        throw new ModelError(
          "tensor_missing",
          `${source.name}: external data ${quote(location)} is missing. Download it too, into the same folder.`
        );
      }
      file = { source: opened, tensors: /* @__PURE__ */ new Map() };
      externals.set(location, file);
    }
    file.tensors.set(initializer.name, placeExternal(initializer, { source: file.source, offset, length }, fault));
  }
  return [{ source, tensors: inline }, ...externals.values()].map((file) => ({ ...file, read: reader(file.source, file.tensors) }));
}
function describe({ name, dims, type }, file, fault) {
  const known = DATA_TYPES.get(type);
  if (known === void 0) throw fault(`unknown data type ${type}`);
  const [dtype, bits] = known;
  const elements = dims.reduce((product, size) => product * size, 1);
  if (elements * Math.max(bits, 8) > Number.MAX_SAFE_INTEGER) throw fault(`the size of shape [${dims.join(",")}] overflows`);
  return { name, dtype, shape: dims, byteLength: Math.ceil(elements * bits / 8), file, bits, elements };
}
function placeInline(initializer, file, fault) {
  if (initializer.entries.size > 0) throw fault("has external_data, but is not said to be external");
  const { bits, elements, ...tensor } = describe(initializer, file, fault);
  const { field, ranges } = initializer;
  const [range] = ranges;
  if (tensor.dtype === "STRING") return { ...tensor, begin: 0, unreadable: "holds texts" };
  if (field === null || range === void 0) {
    if (elements > 0) throw fault(`has no values; ${elements} were expected`);
    return { ...tensor, begin: 0 };
  }
  if (field !== RAW_DATA && field !== (OWN_FIELDS[tensor.dtype] ?? INT32_DATA))
    throw fault(`its values are ${tensor.dtype}, which do not stand in ${VALUE_FIELDS.get(field)}`);
  const packed = ranges.length === 1 && !Number.isNaN(range.length);
  const plain = field === RAW_DATA || field === 4 && bits === 32 || field === 10 && bits === 64;
  if (packed && plain) {
    if (range.length !== tensor.byteLength)
      throw fault(`${tensor.dtype} of shape [${tensor.shape.join(",")}] needs ${tensor.byteLength} bytes, ${range.length} are there`);
    return { ...tensor, begin: range.start };
  }
  if (packed && field === INT32_DATA && bits >= 8 && range.length <= VARINT_BYTES) {
    if (elements > range.length) throw fault(`int32_data does not hold ${elements} values`);
    return { ...tensor, begin: range.start, varints: { length: range.length, width: bits / 8 } };
  }
  return {
    ...tensor,
    begin: 0,
    unreadable: `keeps its values in ${VALUE_FIELDS.get(field)}, not in one piece: save the model with raw_data`
  };
}
function externalPlace({ entries, field }, fault) {
  const stated = entries.get("location");
  if (stated === void 0) throw fault("is external, but names no location");
  if (field !== null) throw fault(`has both external data and ${VALUE_FIELDS.get(field)}`);
  const location = stated.replace(/^\.\//, "");
  const problem = fileNameProblem(location);
  if (problem !== null) throw fault(`its external file ${quote(stated)} ${problem}: refused`);
  const number = (key) => {
    const text = entries.get(key);
    if (text === void 0) return null;
    if (!/^\d{1,15}$/.test(text)) throw fault(`external_data has ${key} ${quote(text)}; a whole number of bytes was expected`);
    return Number(text);
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}
function placeExternal(initializer, place2, fault) {
  const { source, offset, length } = place2;
  const { dtype, name, shape, byteLength } = describe(initializer, source.name, fault);
  if (dtype === "STRING") throw fault("holds texts, which cannot be external");
  if (length !== null && length !== byteLength) {
    throw fault(`${dtype} of shape [${shape.join(",")}] needs ${byteLength} bytes, external_data has length ${length}`);
  }
  if (offset + byteLength > source.byteLength) {
    throw fault(
      `needs bytes ${offset} to ${offset + byteLength} of ${source.name}, which has ${source.byteLength}: file cut? Download it again`
    );
  }
  return { name, dtype, shape, byteLength, file: source.name, begin: offset };
}
function reader(source, tensors) {
  return async ({ name }, start, end) => {
    const tensor = tensors.get(name);
    if (tensor === void 0) throw new RangeError(`no tensor ${quote(name)}`);
    if (tensor.unreadable !== void 0) throw invalid4(source.name, `initializer ${quote(name)} ${tensor.unreadable}.`);
    if (tensor.varints === void 0) return source.slice(tensor.begin + start, tensor.begin + end);
    const packed = await source.slice(tensor.begin, tensor.begin + tensor.varints.length);
    const values = unpack(packed, tensor.byteLength, tensor.varints.width);
    if (values === null)
      throw invalid4(
        source.name,
        `initializer ${quote(name)}: int32_data does not hold ${tensor.byteLength / tensor.varints.width} values.`
      );
    return values.slice(start, end);
  };
}
function unpack(packed, byteLength, width) {
  const values = new Uint8Array(byteLength);
  let at = 0;
  let word = 0;
  let shift = 0;
  for (const byte of packed) {
    if (shift < 32) word |= (byte & 127) << shift;
    shift += 7;
    if ((byte & 128) !== 0) {
      if (shift >= 70) return null;
      continue;
    }
    if (at + width > byteLength) return null;
    for (let i = 0; i < width; i++) values[at++] = word >>> 8 * i & 255;
    word = 0;
    shift = 0;
  }
  return at === byteLength && shift === 0 ? values : null;
}

// src/weights/safetensors.ts
init_errors();
var DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64
};
var HEADER_LIMIT = 1e8;
var PREFIX_BYTES = 8;
async function readSafetensors(source) {
  const headerLength = await readHeaderLength(source);
  const dataStart2 = PREFIX_BYTES + headerLength;
  const header = await source.slice(PREFIX_BYTES, dataStart2);
  const tensors = scanHeader(source.name, header);
  if (tensors === null) {
    const foreign = await describeStart(source);
    throw invalid5(
      source.name,
      foreign ?? 'the header does not begin with "{" (byte 8): not a safetensors file, or damaged. Download it again.'
    );
  }
  checkLayout(source.name, tensors, dataStart2, source.byteLength);
  return {
    source,
    headBytes: dataStart2,
    dataStart: dataStart2,
    tensors,
    read({ name }, start, end) {
      const first = dataStart2 + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + start, first + end);
    }
  };
}
async function readHeaderLength(source) {
  const { name, byteLength } = source;
  if (byteLength < PREFIX_BYTES) {
    throw invalid5(name, `not a safetensors file: 8 bytes needed, file has ${byteLength}. Download it again.`);
  }
  const prefix = await source.slice(0, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > 0n && length <= HEADER_LIMIT && Number(length) <= byteLength - PREFIX_BYTES) return Number(length);
  const foreign = await describeStart(source);
  if (foreign !== null) throw invalid5(name, foreign);
  if (length === 0n) throw invalid5(name, "header length 0 (byte 0): a header has 2 bytes or more. Download the file again.");
  if (length > HEADER_LIMIT) {
    const shown = length.toLocaleString("en-US");
    throw invalid5(name, `header length ${shown} (byte 0) is over the limit of 100,000,000: not a safetensors file, or damaged.`);
  }
  throw invalid5(name, `header says ${length} bytes, ${byteLength - PREFIX_BYTES} present: file cut? Download it again.`);
}
async function describeStart(source) {
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const foreign = describeForeign(start) ?? describeJsonText(start);
  return foreign === null ? null : `${foreign}.`;
}
function scanHeader(file, header) {
  let tensor = null;
  const fault = (at, problem) => {
    const where = tensor === null ? "" : `tensor ${quote(tensor)}: `;
    return invalid5(file, `${where}${problem} (byte ${PREFIX_BYTES + at}). The header is damaged: download or save the file again.`);
  };
  const cursor = startText(header, fault);
  skipSpace(cursor);
  if (header[cursor.at] !== 123) return null;
  const tensors = /* @__PURE__ */ new Map();
  let metadataSeen = false;
  scanObject(cursor, "the header", (name, nameAt) => {
    if (name === "__metadata__") {
      if (metadataSeen) throw fault(nameAt, '"__metadata__" stands in the header twice');
      metadataSeen = true;
      scanMetadata(cursor);
      return;
    }
    tensor = name;
    if (tensors.has(name)) throw fault(nameAt, "stands in the header twice");
    tensors.set(name, scanTensor(cursor, file, name));
    tensor = null;
  });
  expectEnd(cursor);
  return tensors;
}
function scanMetadata(cursor) {
  const keys = /* @__PURE__ */ new Set();
  scanObject(cursor, '"__metadata__"', (key, keyAt) => {
    if (keys.has(key)) throw cursor.fault(keyAt, `"__metadata__" has the key ${quote(key)} twice`);
    keys.add(key);
    readString(cursor, 'a string in "__metadata__"');
  });
}
function scanTensor(cursor, file, name) {
  skipSpace(cursor);
  const start = cursor.at;
  let dtype;
  let shape;
  let offsets;
  scanObject(cursor, "dtype, shape and data_offsets", (field, fieldAt) => {
    if (field === "dtype" && dtype === void 0) dtype = readDtype(cursor);
    else if (field === "shape" && shape === void 0) shape = readUnsignedArray(cursor, "shape");
    else if (field === "data_offsets" && offsets === void 0) offsets = readUnsignedArray(cursor, "data_offsets");
    else if (field === "dtype" || field === "shape" || field === "data_offsets") throw cursor.fault(fieldAt, `has ${field} twice`);
    else throw cursor.fault(fieldAt, `has a field ${quote(field)}; only dtype, shape and data_offsets are allowed`);
  });
  if (dtype === void 0) throw cursor.fault(start, "has no dtype");
  if (shape === void 0) throw cursor.fault(start, "has no shape");
  if (offsets === void 0) throw cursor.fault(start, "has no data_offsets");
  const [begin, end] = offsets;
  if (begin === void 0 || end === void 0 || offsets.length !== 2) {
    throw cursor.fault(start, `data_offsets has ${offsets.length} numbers; expected 2, [begin, end]`);
  }
  if (end < begin) throw cursor.fault(start, `data_offsets [${begin},${end}] end before they begin`);
  const byteLength = tensorBytes(dtype, shape);
  if (typeof byteLength === "string") throw cursor.fault(start, byteLength);
  if (byteLength !== end - begin) {
    const needed = `${dtype} of shape [${shape.join(",")}] needs ${byteLength} bytes`;
    throw cursor.fault(start, `${needed}, data_offsets [${begin},${end}] hold ${end - begin}`);
  }
  return { name, dtype, shape, byteLength, file, begin };
}
function readDtype(cursor) {
  skipSpace(cursor);
  const at = cursor.at;
  const dtype = readString(cursor, "dtype as a string");
  if (!isDtype(dtype)) throw cursor.fault(at, `unknown dtype ${quote(dtype)}; known are ${Object.keys(DTYPE_BITS).join(", ")}`);
  return dtype;
}
function isDtype(name) {
  return Object.hasOwn(DTYPE_BITS, name);
}
function tensorBytes(dtype, shape) {
  let bits = DTYPE_BITS[dtype];
  for (const size of shape) {
    bits *= size;
    if (bits > Number.MAX_SAFE_INTEGER)
      return `the size of shape [${shape.slice(0, 8).join(",")}${shape.length > 8 ? ",…" : ""}] overflows`;
  }
  if (bits % 8 !== 0) return `${dtype} of shape [${shape.join(",")}] has ${bits} bits, which do not fill bytes`;
  return bits / 8;
}
function checkLayout(file, tensors, dataStart2, fileLength) {
  const dataLength = fileLength - dataStart2;
  let previous = null;
  for (const tensor of inFileOrder(tensors)) {
    const expected = previous === null ? 0 : previous.begin + previous.byteLength;
    if (tensor.begin !== expected) throw invalid5(file, describeGap(tensor, previous, expected, dataLength));
    previous = tensor;
  }
  const end = previous === null ? 0 : previous.begin + previous.byteLength;
  if (end > dataLength) {
    const last = previous === null ? "" : `; the last tensor is ${quote(previous.name)}`;
    throw invalid5(file, `file cut: expected ${dataStart2 + end} bytes, has ${fileLength}${last}. Download it again.`);
  }
  if (end < dataLength) {
    throw invalid5(file, `${dataLength - end} bytes after the last tensor (byte ${dataStart2 + end}): damaged, or something was appended.`);
  }
}
function inFileOrder(tensors) {
  let last = 0;
  for (const { begin, byteLength } of tensors.values()) {
    if (begin < last) return [...tensors.values()].sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
    last = begin + byteLength;
  }
  return tensors.values();
}
function describeGap(tensor, previous, expected, dataLength) {
  const end = tensor.begin + tensor.byteLength;
  const place2 = `tensor ${quote(tensor.name)}: data_offsets [${tensor.begin},${end}]`;
  if (end > dataLength)
    return `${place2} are outside the data, which has ${dataLength} bytes. The file is cut or damaged: download it again.`;
  if (tensor.begin > expected) return `${place2} leave a hole: bytes ${expected} to ${tensor.begin} of the data belong to no tensor.`;
  const other = previous === null ? "" : ` tensor ${quote(previous.name)} [${previous.begin},${expected}]`;
  return `${place2} overlap${other}: two tensors on the same bytes. The file is damaged: save it again.`;
}
function invalid5(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/torch.ts
init_errors();
import { crc32 } from "node:zlib";

// src/weights/torch-pickle.ts
var OPCODE_LIMIT = 5e6;
var STORAGES = {
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.ComplexFloatStorage": "C64",
  "torch.ComplexDoubleStorage": "C128",
  "torch.storage.UntypedStorage": null,
  "torch.UntypedStorage": null
};
var DTYPES = {
  "torch.float32": "F32",
  "torch.float64": "F64",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.uint16": "U16",
  "torch.uint32": "U32",
  "torch.uint64": "U64",
  "torch.bool": "BOOL",
  "torch.complex64": "C64",
  "torch.complex128": "C128",
  "torch.float8_e4m3fn": "F8_E4M3",
  "torch.float8_e5m2": "F8_E5M2",
  "torch.float8_e4m3fnuz": "F8_E4M3FNUZ",
  "torch.float8_e5m2fnuz": "F8_E5M2FNUZ"
};
var ORDERED_DICT = "collections.OrderedDict";
var REBUILD = ["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"];
var PARAMETERS = ["torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"];
var CALLED = [ORDERED_DICT, "torch.Size", ...REBUILD, ...PARAMETERS];
function readPickle(bytes, fault) {
  const machine = {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    fault,
    opcodeAt: 0,
    at: 0,
    stack: [],
    marks: [],
    memo: /* @__PURE__ */ new Map()
  };
  for (let opcodes = 0; ; opcodes++) {
    if (opcodes === OPCODE_LIMIT) throw fault(machine.at, `the pickle has more than ${OPCODE_LIMIT} opcodes`);
    machine.opcodeAt = machine.at;
    const opcode = u8(machine);
    if (opcode === 46) break;
    step(machine, opcode);
  }
  const rest = machine.bytes.byteLength - machine.at;
  if (rest > 0) throw fault(machine.at, `${rest} bytes follow the end of the pickle: something was appended`);
  const value = pop(machine);
  if (machine.stack.length > 0) throw fault(machine.opcodeAt, "the pickle ends with more than one value");
  return value;
}
function step(machine, opcode) {
  const { stack, memo } = machine;
  const push = (value) => void stack.push(value);
  switch (opcode) {
    case 128: {
      const protocol = u8(machine);
      if (protocol < 2 || protocol > 5) throw broken(machine, `has pickle protocol ${protocol}; 2 to 5 are read`);
      return;
    }
    case 149:
      return void take(machine, 8);
    case 40:
      return void machine.marks.push(stack.length);
    case 78:
      return push(null);
    case 136:
    case 137:
      return push(opcode === 136);
    case 74:
      return push(take(machine, 4).readInt32LE());
    case 75:
      return push(u8(machine));
    case 77:
      return push(take(machine, 2).readUInt16LE());
    case 138:
      return push(long(take(machine, u8(machine))));
    case 71:
      return push(take(machine, 8).readDoubleBE());
    case 88:
      return push(take(machine, take(machine, 4).readUInt32LE()).toString("utf8"));
    case 140:
      return push(take(machine, u8(machine)).toString("utf8"));
    case 84:
      return push(take(machine, take(machine, 4).readUInt32LE()).toString("latin1"));
    case 85:
      return push(take(machine, u8(machine)).toString("latin1"));
    case 41:
      return push({ kind: "tuple", items: [] });
    case 133:
    case 134:
    case 135:
      return push({ kind: "tuple", items: Array.from({ length: opcode - 132 }, () => pop(machine)).reverse() });
    case 116:
      return push({ kind: "tuple", items: popMark(machine) });
    case 93:
      return push({ kind: "list", items: [] });
    case 143:
      return push({ kind: "set", items: [] });
    case 125:
      return push({ kind: "dict", entries: /* @__PURE__ */ new Map() });
    case 97:
      return append(machine, [pop(machine)]);
    case 101:
    case 144:
      return append(machine, popMark(machine));
    case 115: {
      const value = pop(machine);
      return setItems(machine, [pop(machine), value]);
    }
    case 117:
      return setItems(machine, popMark(machine));
    case 113:
      return void memo.set(u8(machine), top(machine));
    case 114:
      return void memo.set(take(machine, 4).readUInt32LE(), top(machine));
    case 148:
      return void memo.set(memo.size, top(machine));
    case 104:
      return push(recall(machine, u8(machine)));
    case 106:
      return push(recall(machine, take(machine, 4).readUInt32LE()));
    case 99:
    case 105: {
      const module = line(machine);
      return push(global(machine, module, line(machine), opcode === 105));
    }
    case 147: {
      const name = pop(machine);
      const module = pop(machine);
      if (typeof name !== "string" || typeof module !== "string") throw broken(machine, "names something by what is no text");
      return push(global(machine, module, name, false));
    }
    case 81:
      return push(storage(machine, pop(machine)));
    case 82: {
      const given = pop(machine);
      return push(rebuild(machine, pop(machine), given));
    }
    case 98: {
      pop(machine);
      const target = kindOf(top(machine));
      if (target !== "dict" && target !== "tensor") throw broken(machine, "sets the state of what is no dict and no tensor");
      return;
    }
    default:
      throw broken(machine, `has opcode 0x${opcode.toString(16).padStart(2, "0")}, which no file of tensors needs; not run, not read`);
  }
}
function broken(machine, problem) {
  return machine.fault(machine.opcodeAt, `the pickle ${problem}`);
}
function take(machine, length) {
  const end = machine.at + length;
  if (end > machine.bytes.byteLength) throw machine.fault(machine.opcodeAt, "the pickle is cut");
  const bytes = machine.bytes.subarray(machine.at, end);
  machine.at = end;
  return bytes;
}
function u8(machine) {
  return take(machine, 1).readUInt8();
}
function line(machine) {
  const end = machine.bytes.indexOf(10, machine.at);
  if (end < 0) throw machine.fault(machine.opcodeAt, "the pickle is cut");
  const length = end - machine.at;
  return take(machine, length + 1).toString("utf8", 0, length);
}
function long(bytes) {
  let value = 0n;
  for (let i = bytes.byteLength - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i] ?? 0);
  const signed = BigInt.asIntN(8 * bytes.byteLength, value);
  return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed;
}
function pop(machine) {
  const value = top(machine);
  machine.stack.pop();
  return value;
}
function top(machine) {
  const value = machine.stack.at(-1);
  if (value === void 0 || machine.stack.length <= (machine.marks.at(-1) ?? 0)) throw broken(machine, "takes more values than it has");
  return value;
}
function popMark(machine) {
  const mark = machine.marks.pop();
  if (mark === void 0) throw broken(machine, "takes values up to a mark that it has not set");
  return machine.stack.splice(mark);
}
function recall(machine, index) {
  const value = machine.memo.get(index);
  if (value === void 0) throw broken(machine, `recalls value ${index}, which it has not stored`);
  return value;
}
function kindOf(value) {
  return typeof value === "object" && value !== null ? value.kind : "scalar";
}
function append(machine, items2) {
  const target = top(machine);
  if (typeof target !== "object" || target === null || target.kind !== "list" && target.kind !== "set")
    throw broken(machine, "appends to what is no list");
  for (const item of items2) target.items.push(item);
}
function setItems(machine, items2) {
  const target = top(machine);
  if (typeof target !== "object" || target === null || target.kind !== "dict") throw broken(machine, "sets items of what is no dict");
  if (items2.length % 2 !== 0) throw broken(machine, "sets a key without a value");
  for (let i = 0; i < items2.length; i += 2) {
    const key = items2[i];
    if (target.entries.has(key)) throw broken(machine, `sets the key ${typeof key === "string" ? quote(key) : "of a dict"} twice`);
    target.entries.set(key, items2[i + 1]);
  }
}
function global(machine, module, member, called) {
  const name = `${module}.${member}`;
  const known = CALLED.includes(name) || Object.hasOwn(STORAGES, name) || Object.hasOwn(DTYPES, name);
  if (!known || called) throw broken(machine, `refers to ${quote(name)}; not run, not read`);
  return { kind: "global", name };
}
function items(value) {
  return typeof value === "object" && value !== null && (value.kind === "tuple" || value.kind === "list") ? value.items : [];
}
function nameOf(value) {
  return typeof value === "object" && value !== null && value.kind === "global" ? value.name : "";
}
function isCount(value) {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
function storage(machine, id) {
  const [word, type, key, , elements] = items(id);
  const name = nameOf(type);
  if (word !== "storage" || !Object.hasOwn(STORAGES, name) || typeof key !== "string" || !isCount(elements)) {
    throw broken(machine, "describes a storage in a way that is not torch.save's");
  }
  return { kind: "storage", dtype: STORAGES[name] ?? null, key, elements };
}
function rebuild(machine, called, given) {
  const name = nameOf(called);
  const values = items(given);
  if (name === ORDERED_DICT && values.length === 0) return { kind: "dict", entries: /* @__PURE__ */ new Map() };
  if (name === "torch.Size") return { kind: "tuple", items: items(values[0]) };
  const [first] = values;
  if (PARAMETERS.includes(name) && typeof first === "object" && first?.kind === "tensor") return first;
  if (!REBUILD.includes(name))
    throw broken(machine, `calls ${name === "" ? "what is no function" : quote(name)} in a way that is not torch.save's`);
  const [, offset, size, stride, , , dtypeGlobal] = values;
  const shape = items(size);
  const steps = items(stride);
  const isStorage = typeof first === "object" && first?.kind === "storage";
  if (!isStorage || !isCount(offset) || !shape.every(isCount) || !steps.every(isCount) || shape.length !== steps.length) {
    throw broken(machine, "describes a tensor with a negative or missing offset, size or stride");
  }
  const dtype = name.endsWith("v3") ? DTYPES[nameOf(dtypeGlobal)] : first.dtype;
  if (dtype === void 0 || dtype === null) throw broken(machine, "describes a tensor without a dtype");
  return { kind: "tensor", dtype, storage: first, offset, shape: shape.map(Number), stride: steps.map(Number) };
}

// src/weights/torch-zip.ts
var DIRECTORY_LIMIT = 64 * 1024 * 1024;
var TAIL_BYTES = 22 + 65535;
var LOCAL_BYTES = 30;
var ENTRY_BYTES2 = 46;
async function readZip(source, fault) {
  const directory = await findDirectory(source, fault);
  const bytes = view(await source.slice(directory.start, directory.end));
  const entries = /* @__PURE__ */ new Map();
  let at = 0;
  while (at < bytes.byteLength) {
    const { entry, length } = readEntry2(bytes, at, fault);
    if (entries.has(entry.name)) throw fault(`two entries of the archive are named ${quote(entry.name)}`);
    entries.set(entry.name, entry);
    at += length;
  }
  if (entries.size !== directory.count) throw fault(`the archive says ${directory.count} entries, its directory has ${entries.size}`);
  checkLayout2([...entries.values()], directory.start, fault);
  return entries;
}
async function findDirectory(source, fault) {
  const tailStart = Math.max(0, source.byteLength - TAIL_BYTES);
  const tail = view(await source.slice(tailStart, source.byteLength));
  let at = tail.byteLength - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === 101010256 && at + 22 + tail.readUInt16LE(at + 20) === tail.byteLength)) at--;
  if (at < 0) throw fault("the archive has no directory at its end: file cut? Download it again");
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) throw fault("the archive is one of several volumes");
  const plain = { count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), start: tail.readUInt32LE(at + 16) };
  const endAt = tailStart + at;
  const wide = await readZip64(source, endAt, fault);
  const found = wide ?? { ...plain, before: endAt };
  const lies = wide !== null && (plain.count !== 65535 && plain.count !== wide.count || plain.size !== 4294967295 && plain.size !== wide.size || plain.start !== 4294967295 && plain.start !== wide.start);
  if (lies) throw fault("the two end records of the archive contradict each other");
  if (found.size > DIRECTORY_LIMIT) throw fault(`the directory of the archive has ${found.size} bytes; the limit is ${DIRECTORY_LIMIT}`);
  if (found.start + found.size !== found.before) {
    throw fault(`the directory of the archive ends at byte ${found.start + found.size}, not at its end record (byte ${found.before})`);
  }
  return { count: found.count, start: found.start, end: found.start + found.size };
}
async function readZip64(source, endAt, fault) {
  if (endAt < 20) return null;
  const locator = view(await source.slice(endAt - 20, endAt));
  if (locator.readUInt32LE(0) !== 117853008) return null;
  const at = exact2(locator.readBigUInt64LE(8), fault);
  if (at + 56 > endAt - 20) throw fault(`the zip64 end record is said to be at byte ${at}, where it does not fit`);
  const record = view(await source.slice(at, at + 56));
  if (record.readUInt32LE(0) !== 101075792 || at + 12 + exact2(record.readBigUInt64LE(4), fault) !== endAt - 20) {
    throw fault(`there is no zip64 end record at byte ${at}`);
  }
  const [count2 = 0, size = 0, start = 0] = [32, 40, 48].map((offset) => exact2(record.readBigUInt64LE(offset), fault));
  return { count: count2, size, start, before: at };
}
function readEntry2(bytes, at, fault) {
  if (at + ENTRY_BYTES2 > bytes.byteLength || bytes.readUInt32LE(at) !== 33639248) throw fault("the directory of the archive is damaged");
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
  const length = ENTRY_BYTES2 + nameLength + extraLength + commentLength;
  if (at + length > bytes.byteLength) throw fault("the directory of the archive is damaged");
  const name = bytes.toString("utf8", at + ENTRY_BYTES2, at + ENTRY_BYTES2 + nameLength);
  const extra = bytes.subarray(at + ENTRY_BYTES2 + nameLength, at + ENTRY_BYTES2 + nameLength + extraLength);
  const stated = [24, 20, 42].map((offset) => bytes.readUInt32LE(at + offset));
  const [size = 0, compressed = 0, headerAt = 0] = widened(
    stated,
    extra,
    () => fault(`the zip64 field of entry ${quote(name)} is damaged`),
    fault
  );
  if ((bytes.readUInt16LE(at + 8) & 8257) !== 0) throw fault(`entry ${quote(name)} of the archive is encrypted`);
  const method = bytes.readUInt16LE(at + 10);
  if (method !== 0 || compressed !== size) {
    throw fault(`entry ${quote(name)} of the archive is compressed (method ${method}); torch.save stores its entries as they are`);
  }
  return { entry: { name, crc: bytes.readUInt32LE(at + 16), size, headerAt }, length };
}
function widened(stated, extra, damaged, fault) {
  if (!stated.includes(4294967295)) return [...stated];
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const end = at + 4 + extra.readUInt16LE(at + 2);
    let next = at + 4;
    return stated.map((value) => {
      if (value !== 4294967295) return value;
      if (next + 8 > end || end > extra.byteLength) throw damaged();
      next += 8;
      return exact2(extra.readBigUInt64LE(next - 8), fault);
    });
  }
  throw damaged();
}
function checkLayout2(entries, directoryStart, fault) {
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.headerAt - b.headerAt)) {
    if (entry.headerAt < end) throw fault(`entry ${quote(entry.name)} of the archive overlaps the one before it`);
    end = entry.headerAt + LOCAL_BYTES + Buffer.byteLength(entry.name) + entry.size;
    if (end > directoryStart)
      throw fault(`entry ${quote(entry.name)} of the archive goes past byte ${directoryStart}, where its directory is`);
  }
}
async function dataStart(source, entry, fault) {
  const nameBytes = Buffer.byteLength(entry.name);
  const header = view(await source.slice(entry.headerAt, entry.headerAt + LOCAL_BYTES + nameBytes));
  const agrees = header.readUInt32LE(0) === 67324752 && header.readUInt16LE(8) === 0 && (header.readUInt16LE(6) & 8257) === 0 && header.readUInt16LE(26) === nameBytes && header.toString("utf8", LOCAL_BYTES) === entry.name;
  if (!agrees)
    throw fault(`entry ${quote(entry.name)} of the archive is described otherwise at byte ${entry.headerAt} than in the directory`);
  const start = entry.headerAt + LOCAL_BYTES + nameBytes + header.readUInt16LE(28);
  if (start + entry.size > source.byteLength) throw fault(`entry ${quote(entry.name)} of the archive goes past the end of the file`);
  return start;
}
function exact2(value, fault) {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fault(`the archive has a size or offset of ${value}`);
  return Number(value);
}
function view(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// src/weights/torch.ts
var PICKLE_LIMIT = 256 * 1024 * 1024;
var WRAPPERS = ["state_dict", "model", "module"];
var LEGACY = Buffer.from("80028a0a6cfc9c46f920", "hex");
var ITEM_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  C128: 16,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2
};
async function readTorch(source) {
  await refuseForeign(source);
  const fault = (problem) => invalid6(source.name, `${problem}.`);
  const entries = await readZip(source, fault);
  const prefix = archivePrefix(entries, fault);
  const byteorder = entries.get(`${prefix}byteorder`);
  if (byteorder !== void 0 && Buffer.from(await readEntry3(source, byteorder, 16, fault)).toString("latin1") !== "little") {
    throw fault("the values are big-endian; only little-endian ones are read. Save the checkpoint as safetensors");
  }
  const pickle = await readEntry3(source, entries.get(`${prefix}data.pkl`), PICKLE_LIMIT, fault);
  const value = readPickle(pickle, (at, problem) => invalid6(source.name, `${problem} (byte ${at} of data.pkl).`));
  const tensors = /* @__PURE__ */ new Map();
  for (const [name, tensor] of stateDict(value, fault)) {
    tensors.set(name, place(source.name, name, tensor, entries.get(`${prefix}data/${tensor.storage.key}`)));
  }
  return { source, tensors, read: reader2(source, tensors, fault) };
}
async function refuseForeign(source) {
  const start = Buffer.from(await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength)));
  if (start.subarray(0, 4).toString("latin1") === "PK") return;
  const convert = "Load it with PyTorch and save it as safetensors";
  if (start.subarray(0, LEGACY.byteLength).equals(LEGACY)) {
    throw invalid6(source.name, `this is a checkpoint of the legacy format, from before PyTorch 1.6, which is not read. ${convert}.`);
  }
  if (start.toString("latin1", 257, 262) === "ustar")
    throw invalid6(source.name, `this is a tar archive, as PyTorch 0.1 wrote, which is not read. ${convert}.`);
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not a checkpoint that torch.save wrote");
  throw invalid6(source.name, `${foreign ?? "not a PyTorch checkpoint: it does not begin as a zip archive. Download it again"}.`);
}
function archivePrefix(entries, fault) {
  const names = [...entries.keys()];
  const pickles = names.filter((name) => /(?:^|\/)data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === void 0) throw fault("the archive holds no data.pkl: not a PyTorch checkpoint");
  if (pickles.length > 1) throw fault(`the archive holds ${pickles.length} files data.pkl; one was expected`);
  const prefix = pickle.slice(0, -"data.pkl".length);
  if (names.some((name) => name === `${prefix}constants.pkl` || name.startsWith(`${prefix}code/`))) {
    throw fault("this is a TorchScript program, which is not read. Save its state_dict() as safetensors");
  }
  return prefix;
}
async function readEntry3(source, entry, limit, fault) {
  if (entry.size > limit) throw fault(`entry ${quote(entry.name)} has ${entry.size} bytes; the limit is ${limit}`);
  const start = await dataStart(source, entry, fault);
  const bytes = await source.slice(start, start + entry.size);
  checkSum(bytes, entry, fault);
  return bytes;
}
function checkSum(bytes, entry, fault) {
  if (crc32(bytes) !== entry.crc)
    throw fault(`entry ${quote(entry.name)} of the archive does not have its checksum: damaged. Download it again`);
}
function stateDict(value, fault) {
  if (!isDict(value)) throw fault("the checkpoint is not a dict of tensors");
  const found = tensorsOf(value);
  if (found.length > 0) return found;
  for (const wrapper of WRAPPERS) {
    const inner = value.entries.get(wrapper);
    if (inner !== void 0 && isDict(inner) && tensorsOf(inner).length > 0) return tensorsOf(inner);
  }
  throw new ModelError("tensor_missing", fault("the checkpoint holds no tensors").message);
}
function isDict(value) {
  return typeof value === "object" && value !== null && value.kind === "dict";
}
function tensorsOf({ entries }) {
  return [...entries].flatMap(
    ([name, value]) => typeof name === "string" && typeof value === "object" && value !== null && value.kind === "tensor" ? [[name, value]] : []
  );
}
function place(file, name, tensor, entry) {
  const fault = (problem) => invalid6(file, `tensor ${quote(name)}: ${problem}.`);
  const { dtype, storage: storage2, offset, shape, stride } = tensor;
  if (entry === void 0) throw fault(`its storage ${quote(storage2.key)} is not in the archive`);
  const itemBytes = ITEM_BYTES[dtype] ?? 1;
  const stated = storage2.elements * (storage2.dtype === null ? 1 : ITEM_BYTES[storage2.dtype] ?? 1);
  if (stated !== entry.size)
    throw fault(`its storage ${quote(storage2.key)} has ${entry.size} bytes in the archive, the pickle says ${stated}`);
  const elements = shape.reduce((product, size) => product * size, 1);
  const reach = shape.reduce((sum, size, axis) => sum + (size - 1) * (stride[axis] ?? 0), 0);
  const end = elements === 0 ? offset : offset + reach + 1;
  if (!(end * itemBytes <= entry.size) || !Number.isSafeInteger(elements * itemBytes)) {
    throw fault(`shape [${shape.join(",")}], stride [${stride.join(",")}] and offset ${offset} leave its storage of ${entry.size} bytes`);
  }
  return {
    name,
    dtype,
    shape,
    byteLength: elements * itemBytes,
    file,
    entry,
    begin: offset * itemBytes,
    contiguous: isContiguous(shape, stride)
  };
}
function isContiguous(shape, stride) {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && stride[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}
function reader2(source, tensors, fault) {
  const starts = /* @__PURE__ */ new Map();
  return async ({ name }, from, to) => {
    const tensor = tensors.get(name);
    if (tensor === void 0) throw new RangeError(`no tensor ${quote(name)}`);
    if (!tensor.contiguous) {
      throw fault(
        `tensor ${quote(name)} is a view of its storage (transposed or with steps), which is not read. Save the checkpoint with .contiguous(), or as safetensors`
      );
    }
    let start = starts.get(tensor.entry);
    if (start === void 0) {
      start = dataStart(source, tensor.entry, fault);
      starts.set(tensor.entry, start);
    }
    const first = await start + tensor.begin;
    const bytes = await source.slice(first + from, first + to);
    if (bytes.byteLength === tensor.entry.size) checkSum(bytes, tensor.entry, fault);
    return bytes;
  };
}
function invalid6(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/checkpoint.ts
var SINGLE = "model.safetensors";
var INDEX = "model.safetensors.index.json";
var TORCH_SINGLE = "pytorch_model.bin";
var TORCH_INDEX = "pytorch_model.bin.index.json";
var OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pdparams)$/i;
var ADAPTER = /^adapter_.*\.safetensors$/;
var SUPPORTED = `This version reads safetensors (${SINGLE}, or ${INDEX} with its shards), PyTorch (${TORCH_SINGLE}, or ${TORCH_INDEX} with its shards), GGUF and ONNX.`;
async function openCheckpoint(files) {
  const sources = [];
  const tally = { bytes: 0 };
  const open2 = async (name) => {
    const source = await files.open(name);
    if (source === null) return null;
    sources.push(source);
    return counted(source, tally);
  };
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    return checkpointOf(files.main === void 0 ? await openFound(files, open2) : await openNamed(files.main, open2), tally, close);
  } catch (error) {
    await close();
    throw error;
  }
}
async function bringsOwnConfig(files) {
  const own = (name) => name.endsWith(".gguf") || name.endsWith(".onnx");
  if (files.main !== void 0) return own(files.main);
  const names = await files.list();
  const others = [INDEX, TORCH_SINGLE, TORCH_INDEX];
  return names.some(own) && !names.some((name) => name.endsWith(".safetensors") || others.includes(name));
}
async function openNamed(name, open2) {
  if (name.endsWith(".gguf")) return { format: "gguf", ...await openGguf(name, open2) };
  if (name.endsWith(".onnx")) return { format: "onnx", config: null, files: await openOnnx(name, open2) };
  if (/\.(?:bin|pt|pth)$/.test(name)) return torch([present(name, await openTorch(name, open2))]);
  if (name.endsWith(".safetensors")) return safetensors([present(name, await openSafetensors(name, open2))]);
  throw new ModelError("weights_invalid", `${printable(name)}: not a file of weights by its name. ${SUPPORTED}`);
}
async function openFound(files, open2) {
  const single = await openSafetensors(SINGLE, open2);
  if (single !== null) return safetensors([single]);
  const shards = await openShards(files, INDEX, (name) => openSafetensors(name, open2));
  if (shards !== null) return safetensors(shards);
  const names = await files.list();
  if (!names.some((name) => name.endsWith(".safetensors"))) {
    if (names.includes(TORCH_SINGLE)) return openNamed(TORCH_SINGLE, open2);
    const torchShards = await openShards(files, TORCH_INDEX, (name) => openTorch(name, open2));
    if (torchShards !== null) return torch(torchShards);
    const gguf = onlyGguf(names);
    if (gguf !== null) return openNamed(gguf, open2);
    const onnx = onlyOnnx(names);
    if (onnx !== null) return openNamed(onnx, open2);
  }
  const only = onlyCandidate(names);
  return safetensors([present(only, await openSafetensors(only, open2))]);
}
async function openShards(files, name, open2) {
  const index = await files.open(name);
  if (index === null) return null;
  try {
    return await readShards(index, open2);
  } finally {
    await index.close();
  }
}
async function openTorch(name, open2) {
  const source = await open2(name);
  return source === null ? null : readTorch(source);
}
function torch(files) {
  return { format: "torch", config: null, files };
}
function onlyOnnx(names) {
  const found = names.filter((name) => name.endsWith(".onnx"));
  if (found.length <= 1) return found[0] ?? null;
  throw new ModelError(
    "weights_invalid",
    `Found ${found.length} ONNX files (${listed(found)}). Name the one file that is meant, not the folder; on the Hub as org/name/file.onnx.`
  );
}
async function openSafetensors(name, open2) {
  const source = await open2(name);
  return source === null ? null : readSafetensors(source);
}
function safetensors(files) {
  return { format: "safetensors", config: null, files };
}
function present(name, file) {
  if (file === null) throw new ModelError("weights_invalid", `${printable(name)}: the file went away while the model was opened.`);
  return file;
}
function onlyCandidate(names) {
  const candidates = names.filter((name) => name.endsWith(".safetensors") && !ADAPTER.test(name));
  const [only] = candidates;
  if (only !== void 0 && candidates.length === 1) return only;
  if (only !== void 0) {
    const found2 = `Found ${candidates.length} safetensors files (${listed(candidates)}) but neither ${SINGLE} nor ${INDEX}`;
    throw new ModelError("weights_invalid", `${found2}, which says which tensor is where. Download the index too.`);
  }
  if (names.some((name) => ADAPTER.test(name))) {
    throw new ModelError(
      "tensor_missing",
      `Found an adapter (${listed(names.filter((name) => ADAPTER.test(name)))}) but no model. Merge it into its base model first. ${SUPPORTED}`
    );
  }
  const others = names.filter((name) => OTHER_WEIGHTS.test(name));
  if (others.length > 0)
    throw new ModelError(
      "tensor_missing",
      `Found weights only as ${listed(others)}. ${SUPPORTED} Convert them or get the safetensors version.`
    );
  const found = names.length === 0 ? "The folder has no files" : `Found no weights, only ${listed(names)}`;
  throw new ModelError("tensor_missing", `${found}. ${SUPPORTED}`);
}
function listed(names) {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : "";
  return `${names.slice(0, 10).map((name) => printable(name)).join(", ")}${more}`;
}
function counted(source, tally) {
  return {
    name: source.name,
    byteLength: source.byteLength,
    async slice(start, end) {
      const bytes = await source.slice(start, end);
      tally.bytes += bytes.byteLength;
      return bytes;
    },
    close: () => source.close()
  };
}
function checkpointOf({ format, config, files }, tally, close) {
  const owners = new Map(files.flatMap((file) => [...file.tensors.keys()].map((name) => [name, file])));
  const [only] = files;
  const tensors = only !== void 0 && files.length === 1 ? only.tensors : new Map(files.flatMap((file) => [...file.tensors]));
  return {
    format,
    config,
    tensors,
    files: new Map(files.map((file) => [file.source.name, file])),
    byteLength: files.reduce((sum, file) => sum + file.source.byteLength, 0),
    get bytesRead() {
      return tally.bytes;
    },
    async read(name, start, end) {
      const tensor = tensors.get(name);
      const file = owners.get(name);
      if (tensor === void 0 || file === void 0) {
        throw new ModelError(
          "tensor_missing",
          `Tensor ${quote(name)} is not among the ${tensors.size} tensors of ${listed(files.map(({ source }) => source.name))}.`
        );
      }
      const from = start ?? 0;
      const to = end ?? tensor.byteLength;
      if (!(from >= 0 && from <= to && to <= tensor.byteLength)) {
        throw new RangeError(`bytes ${from} to ${to} of tensor ${quote(name)}, which has ${tensor.byteLength}`);
      }
      return file.read(tensor, from, to);
    },
    close
  };
}

// src/weights/model-config.ts
init_errors();
var NAME = "config.json";
var CONFIG_LIMIT = 1e7;
async function readModelConfig(files) {
  if (files.main?.endsWith(".gguf") === true) return null;
  const bytes = await readBytes2(files);
  if (bytes === null) return null;
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid7(`${foreign}.`);
  const fault = (at, problem) => invalid7(`${problem} (${lineAndColumn(bytes, at)}).`);
  const cursor = startText(bytes, fault);
  skipValue(cursor);
  expectEnd(cursor);
  const value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  if (!isObject(value)) throw invalid7("must be a JSON object {...} of settings.");
  return value;
}
async function readBytes2(files) {
  let source = null;
  try {
    source = await files.open(NAME);
    if (source === null) {
      if (await bringsOwnConfig(files)) return null;
      throw invalid7("is missing. A model folder holds Hugging Face's config.json beside its weights: download it, or check the path.");
    }
    if (source.byteLength > CONFIG_LIMIT) throw invalid7(`${source.byteLength} bytes; the limit is ${CONFIG_LIMIT}.`);
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
function invalid7(problem) {
  return new ModelError("config_invalid", `${NAME}: ${problem}`);
}

// src/hub/folder.ts
init_errors();
import { constants as bufferConstants } from "node:buffer";
import { constants } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
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
    if (!before.isFile()) throw new ModelError("weights_invalid", `${shown}: is ${kindOf2(before)}, not a file: refused.`);
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
  const assertUnchanged = async () => {
    const [now, atPath] = await Promise.all([handle.stat({ bigint: true }), stat(path, { bigint: true }).catch(() => null)]);
    if (atPath === null || !sameFile(opened, now) || !sameFile(opened, atPath)) throw changed(name);
  };
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
async function fill(handle, bytes, position2) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done), position2 + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
function sameFile(a, b) {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
function kindOf2(stats) {
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
  DTYPE_BITS,
  HEADER_LIMIT,
  PREFIX_BYTES,
  readSafetensors,
  tensorBytes,
  dequantize,
  openCheckpoint,
  readModelConfig
};
