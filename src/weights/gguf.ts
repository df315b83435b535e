// The GGUF format: a file's metadata and tensor table, as strictly as llama.cpp reads them. Specification: docs/gguf.md of ggml.
// Which files make a model, and what its metadata says of it, is in gguf-model.ts.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { ByteStream } from './byte-stream.js';
import { left, need, position, skip, startStream } from './byte-stream.js';
import type { TensorInfo } from './checkpoint.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import { GGML_TYPES, REMOVED_TYPES } from './ggml-types.js';
import type { WeightFile } from './weight-file.js';

export const GGUF_HEADER_LIMIT = 2 ** 30;
const KEYS_LIMIT = 100_000;
const TENSORS_LIMIT = 1_000_000;
const ARRAY_LIMIT = 2 ** 30;
const KEY_BYTES = 65_535;
/** GGML_MAX_NAME, with its closing NUL. */
const NAME_BYTES = 63;
const DIMENSIONS = 4;
const ALIGNMENT_LIMIT = 2 ** 20;
/** Longer strings and arrays (templates, vocabularies) are checked and passed over, not kept. */
const KEPT_BYTES = 65_536;
const KEPT_NUMBERS = 4096;

const STRING = 8;
const ARRAY = 9;
/** Bytes of a value, by type number; strings and arrays have no fixed size. */
const SIZES: ReadonlyMap<number, number> = new Map([1, 1, 2, 2, 4, 4, 4, 1, NaN, NaN, 8, 8, 8].map((size, type) => [type, size]));
const TYPE_NAMES = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
];

/** `null`: a string or array that is too long to be kept. Integers beyond 2^53 are bigint. */
export type GgufValue = number | bigint | boolean | string | readonly number[] | null;

export interface GgufFile extends WeightFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

interface PlacedTensor extends TensorInfo {
  /** First byte, counted from the start of the data. */
  readonly begin: number;
}

/**
 * Reads and checks a file's header: its metadata and tensor table, not the data.
 * @throws ModelError `weights_invalid`, with file, key or tensor, byte offset and what was expected
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const fault = (at: number, problem: string): ModelError => invalid(source.name, `${problem} (byte ${at}).`);
  const stream = startStream(source, fault);
  const counts = await readPreamble(stream);
  const metadata = new Map<string, GgufValue>();
  let alignment = 32;
  for (let i = 0; i < counts.keys; i++) {
    const at = position(stream);
    const key = await readText(stream, 'a key', KEY_BYTES);
    if (key === '') throw fault(at, 'a key of the metadata is empty');
    if (metadata.has(key)) throw fault(at, `the key ${quote(key)} stands in the metadata twice`);
    await want(stream, 4, `the type of ${quote(key)}`);
    const type = u32(stream);
    if (key === 'general.alignment' && type !== 4) throw fault(at, `general.alignment has type ${typeName(type)}; it must be uint32`);
    const value = await readValue(stream, type, `the value of ${quote(key)}`);
    metadata.set(key, value);
    if (key === 'general.alignment') alignment = checkAlignment(value, (problem) => fault(at, problem));
    if (position(stream) > GGUF_HEADER_LIMIT) throw fault(position(stream), `the header is over the limit of ${GGUF_HEADER_LIMIT} bytes`);
  }
  const tensors = await readTable(stream, counts.tensors, alignment);
  const dataStart = padded(position(stream), alignment);
  const last = [...tensors.values()].at(-1);
  const end = last === undefined ? 0 : dataStart + last.begin + last.byteLength;
  if (last !== undefined && end > source.byteLength) {
    const cut = `file cut: the tensors need ${end} bytes, the file has ${source.byteLength}; the last tensor is ${quote(last.name)}`;
    throw invalid(source.name, `${cut}. Download it again.`);
  }
  return {
    source,
    metadata,
    tensors,
    read({ name }, from, to) {
      const first = dataStart + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + from, first + to);
    },
  };
}

async function readPreamble(stream: ByteStream): Promise<{ keys: number; tensors: number }> {
  const { source, fault } = stream;
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const magic = Buffer.from(start.subarray(0, 4)).toString('latin1');
  if (magic !== 'GGUF') throw invalid(source.name, notGguf(magic, start));
  await want(stream, 24, 'the start of the file');
  stream.at += 4;
  const version = u32(stream);
  if ((version & 0xffff) === 0 && version !== 0) {
    throw fault(4, 'this file is big-endian; only little-endian GGUF is read: convert it again on, or for, a little-endian machine');
  }
  if (version < 2 || version > 3) {
    const old = version === 1 ? 'version 1 is older than llama.cpp reads: convert the model again' : 'versions 2 and 3 are read';
    throw fault(4, `GGUF version ${version}; ${old}`);
  }
  const tensors = count(stream, 'tensors', 24, TENSORS_LIMIT);
  const keys = count(stream, 'metadata keys', 13, KEYS_LIMIT);
  return { keys, tensors };
}

function notGguf(magic: string, start: Uint8Array): string {
  if (magic === 'FUGG')
    return 'this is a GGUF file with its bytes swapped (big-endian); only little-endian GGUF is read. Convert it again.';
  if (['GGML', 'GGJT', 'GGMF', 'lmgg', 'tjgg', 'fmgg'].includes(magic)) {
    return `this is a ${magic.startsWith('GG') ? magic : [...magic].reverse().join('').toUpperCase()} file, older than GGUF. Convert it with llama.cpp, or download a GGUF.`;
  }
  const foreign = describeForeign(start)?.replaceAll('not safetensors', 'not GGUF');
  return `${foreign ?? `not a GGUF file: it begins with ${quote(magic)}`}. Download it again.`;
}

/** A count that the rest of the file can hold, each item taking at least `size` bytes. */
function count(stream: ByteStream, what: string, size: number, limit: number): number {
  const at = position(stream);
  const value = u64(stream);
  if (typeof value === 'bigint' || value > limit) throw stream.fault(at, `the header says ${value} ${what}; the limit is ${limit}`);
  if (value * size > left(stream)) throw stream.fault(at, `the header says ${value} ${what}, for which the file is too short: file cut?`);
  return value;
}

function checkAlignment(value: GgufValue, fault: (problem: string) => Error): number {
  if (typeof value !== 'number' || value === 0 || (value & (value - 1)) !== 0 || value > ALIGNMENT_LIMIT || value < 0) {
    throw fault(`general.alignment is ${String(value)}; it must be a power of two up to ${ALIGNMENT_LIMIT}`);
  }
  return value;
}

async function readValue(stream: ByteStream, type: number, what: string): Promise<GgufValue> {
  if (type === STRING) return readKeptText(stream, what);
  if (type === ARRAY) return readArray(stream, what);
  const size = SIZES.get(type);
  if (size === undefined) throw stream.fault(position(stream), `${what} has the unknown type ${type}`);
  await want(stream, size, what);
  return scalar(stream, type, what);
}

function scalar(stream: ByteStream, type: number, what: string): number | bigint | boolean {
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

function exact(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

async function readArray(stream: ByteStream, what: string): Promise<readonly number[] | null> {
  const at = position(stream);
  await want(stream, 12, what);
  const type = u32(stream);
  const length = u64(stream);
  if (type === ARRAY) throw stream.fault(at, `${what} is an array of arrays, which GGUF does not have`);
  const size = type === STRING ? 8 : SIZES.get(type);
  if (size === undefined) throw stream.fault(at, `${what} is an array of the unknown type ${type}`);
  if (typeof length === 'bigint' || length > ARRAY_LIMIT)
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

async function readTable(stream: ByteStream, length: number, alignment: number): Promise<Map<string, PlacedTensor>> {
  const tensors = new Map<string, PlacedTensor>();
  let expected = 0;
  for (let i = 0; i < length; i++) {
    const at = position(stream);
    const name = await readText(stream, 'the name of a tensor', NAME_BYTES);
    const fault = (problem: string) => stream.fault(at, `tensor ${quote(name)}: ${problem}`);
    if (tensors.has(name)) throw fault('stands in the file twice');
    const tensor = await readTensor(stream, name, fault);
    if (tensor.begin % alignment !== 0) throw fault(`offset ${tensor.begin} is not a multiple of the alignment ${alignment}`);
    if (tensor.begin !== expected) {
      const kind = tensor.begin < expected ? 'overlaps the tensor before it' : 'leaves a hole';
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

async function readTensor(stream: ByteStream, name: string, fault: (problem: string) => Error): Promise<PlacedTensor> {
  await want(stream, 4, `tensor ${quote(name)}`);
  const dimensions = u32(stream);
  if (dimensions > DIMENSIONS) throw fault(`has ${dimensions} dimensions; at most ${DIMENSIONS} are allowed`);
  await want(stream, 8 * dimensions + 12, `tensor ${quote(name)}`);
  // The first dimension is the one whose elements lie side by side: PyTorch's last.
  const sizes = Array.from({ length: dimensions }, () => u64(stream));
  const type = u32(stream);
  const begin = u64(stream);
  const known = GGML_TYPES.get(type);
  if (known === undefined)
    throw fault(REMOVED_TYPES.includes(type) ? `type ${type} was taken out of GGUF: convert the model again` : `unknown type ${type}`);
  const elements = sizes.reduce<number>((product, size) => product * Number(size), 1);
  // Rounding is monotonic: what is at most 2^53 - 1 after all was exact on the way.
  if (sizes.some((size) => typeof size === 'bigint') || elements * known.bytes > Number.MAX_SAFE_INTEGER) {
    throw fault(`the size of shape [${[...sizes].reverse().join(',')}] overflows`);
  }
  const row = Number(sizes[0] ?? 1);
  if (row % known.values !== 0) throw fault(`its rows of ${row} values are not a multiple of ${known.values}, the block of ${known.dtype}`);
  if (typeof begin === 'bigint') throw fault(`offset ${begin} is beyond any file`);
  const byteLength = (elements / known.values) * known.bytes;
  return { name, dtype: known.dtype, shape: sizes.map(Number).reverse(), byteLength, file: stream.source.name, begin };
}

async function want(stream: ByteStream, bytes: number, what: string): Promise<void> {
  if (stream.at + bytes > stream.window.byteLength) await need(stream, bytes, what);
}

function u32(stream: ByteStream): number {
  const value = stream.window.readUInt32LE(stream.at);
  stream.at += 4;
  return value;
}

function u64(stream: ByteStream): number | bigint {
  const value = exact(stream.window.readBigUInt64LE(stream.at));
  stream.at += 8;
  return value;
}

/** Length of a string, whose 8 bytes are in the window; never more than the file has left. */
function textLength(stream: ByteStream, what: string): number {
  const at = position(stream);
  const stated = stream.window.readBigUInt64LE(stream.at);
  const length = Number(stated);
  stream.at += 8;
  if (length > left(stream)) throw stream.fault(at, `${what} is a string of ${stated} bytes, ${left(stream)} are left: file cut?`);
  return length;
}

async function readText(stream: ByteStream, what: string, limit: number): Promise<string> {
  const at = position(stream);
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length > limit) throw stream.fault(at, `${what} is ${length} bytes long; the limit is ${limit}`);
  await want(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}

async function readKeptText(stream: ByteStream, what: string): Promise<string | null> {
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length <= KEPT_BYTES) {
    stream.at -= 8;
    return readText(stream, what, KEPT_BYTES);
  }
  skip(stream, length, what);
  return null;
}

function typeName(type: number): string {
  return TYPE_NAMES[type] ?? String(type);
}

function padded(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}
