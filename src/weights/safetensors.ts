// The safetensors format: reading a file's header, as strictly as the Rust parser or more so.
// Which files a checkpoint has, and reading tensors, are elsewhere.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { Dtype, TensorInfo } from './checkpoint.js';
import { describeForeign, describeJsonText, FOREIGN_BYTES } from './foreign.js';
import type { Cursor } from './json-scanner.js';
import { expectEnd, readString, readUnsignedArray, scanObject, skipSpace, startText } from './json-scanner.js';
import type { WeightFile } from './weight-file.js';

/** Bits of one element, by dtype: https://github.com/huggingface/safetensors (safetensors/src/tensor.rs, `Dtype::bitsize`). */
// prettier-ignore
export const DTYPE_BITS: Readonly<Record<Dtype, number>> = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
};

/** The format's own limit, so that a wrong length is not allocated. */
export const HEADER_LIMIT = 100_000_000;

/** Length field before the header. */
export const PREFIX_BYTES = 8;

export interface StoredTensor extends TensorInfo {
  readonly dtype: Dtype;
  /** First byte of the tensor, counted from `SafetensorsFile.dataStart`. */
  readonly begin: number;
}

export interface SafetensorsFile extends WeightFile {
  /** Offset in the file of the byte after the header. */
  readonly dataStart: number;
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Reads and checks a file's header; reads `8 + header length` bytes. Stricter than the Rust parser in that it refuses unknown fields,
 * `"__metadata__": null`, repeated metadata keys, repeated tensor names with equal offsets, and dimensions over 2^53 - 1.
 * @throws ModelError `weights_invalid`, with file, tensor, byte offset and what was expected
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const headerLength = await readHeaderLength(source);
  const dataStart = PREFIX_BYTES + headerLength;
  const header = await source.slice(PREFIX_BYTES, dataStart);
  const tensors = scanHeader(source.name, header);
  if (tensors === null) {
    const foreign = await describeStart(source);
    throw invalid(
      source.name,
      foreign ?? 'the header does not begin with "{" (byte 8): not a safetensors file, or damaged. Download it again.',
    );
  }
  checkLayout(source.name, tensors, dataStart, source.byteLength);
  return {
    source,
    headBytes: dataStart,
    dataStart,
    tensors,
    read({ name }, start, end) {
      const first = dataStart + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + start, first + end);
    },
  };
}

async function readHeaderLength(source: ByteSource): Promise<number> {
  const { name, byteLength } = source;
  if (byteLength < PREFIX_BYTES) {
    throw invalid(name, `not a safetensors file: 8 bytes needed, file has ${byteLength}. Download it again.`);
  }
  const prefix = await source.slice(0, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > 0n && length <= HEADER_LIMIT && Number(length) <= byteLength - PREFIX_BYTES) return Number(length);
  const foreign = await describeStart(source);
  if (foreign !== null) throw invalid(name, foreign);
  if (length === 0n) throw invalid(name, 'header length 0 (byte 0): a header has 2 bytes or more. Download the file again.');
  if (length > HEADER_LIMIT) {
    const shown = length.toLocaleString('en-US');
    throw invalid(name, `header length ${shown} (byte 0) is over the limit of 100,000,000: not a safetensors file, or damaged.`);
  }
  throw invalid(name, `header says ${length} bytes, ${byteLength - PREFIX_BYTES} present: file cut? Download it again.`);
}

async function describeStart(source: ByteSource): Promise<string | null> {
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const foreign = describeForeign(start) ?? describeJsonText(start);
  return foreign === null ? null : `${foreign}.`;
}

/** Tensors of a header, offsets not yet checked against each other; `null` when it does not even begin with an object. */
function scanHeader(file: string, header: Uint8Array): Map<string, StoredTensor> | null {
  let tensor: string | null = null;
  const fault = (at: number, problem: string): ModelError => {
    const where = tensor === null ? '' : `tensor ${quote(tensor)}: `;
    return invalid(file, `${where}${problem} (byte ${PREFIX_BYTES + at}). The header is damaged: download or save the file again.`);
  };
  const cursor = startText(header, fault);
  skipSpace(cursor);
  if (header[cursor.at] !== 0x7b) return null;
  const tensors = new Map<string, StoredTensor>();
  let metadataSeen = false;
  scanObject(cursor, 'the header', (name, nameAt) => {
    if (name === '__metadata__') {
      if (metadataSeen) throw fault(nameAt, '"__metadata__" stands in the header twice');
      metadataSeen = true;
      scanMetadata(cursor);
      return;
    }
    tensor = name;
    if (tensors.has(name)) throw fault(nameAt, 'stands in the header twice');
    tensors.set(name, scanTensor(cursor, file, name));
    tensor = null;
  });
  expectEnd(cursor);
  return tensors;
}

function scanMetadata(cursor: Cursor): void {
  const keys = new Set<string>();
  scanObject(cursor, '"__metadata__"', (key, keyAt) => {
    if (keys.has(key)) throw cursor.fault(keyAt, `"__metadata__" has the key ${quote(key)} twice`);
    keys.add(key);
    readString(cursor, 'a string in "__metadata__"');
  });
}

function scanTensor(cursor: Cursor, file: string, name: string): StoredTensor {
  skipSpace(cursor);
  const start = cursor.at;
  let dtype: Dtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanObject(cursor, 'dtype, shape and data_offsets', (field, fieldAt) => {
    if (field === 'dtype' && dtype === undefined) dtype = readDtype(cursor);
    else if (field === 'shape' && shape === undefined) shape = readUnsignedArray(cursor, 'shape');
    else if (field === 'data_offsets' && offsets === undefined) offsets = readUnsignedArray(cursor, 'data_offsets');
    else if (field === 'dtype' || field === 'shape' || field === 'data_offsets') throw cursor.fault(fieldAt, `has ${field} twice`);
    else throw cursor.fault(fieldAt, `has a field ${quote(field)}; only dtype, shape and data_offsets are allowed`);
  });
  if (dtype === undefined) throw cursor.fault(start, 'has no dtype');
  if (shape === undefined) throw cursor.fault(start, 'has no shape');
  if (offsets === undefined) throw cursor.fault(start, 'has no data_offsets');
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2) {
    throw cursor.fault(start, `data_offsets has ${offsets.length} numbers; expected 2, [begin, end]`);
  }
  if (end < begin) throw cursor.fault(start, `data_offsets [${begin},${end}] end before they begin`);
  const byteLength = tensorBytes(dtype, shape);
  if (typeof byteLength === 'string') throw cursor.fault(start, byteLength);
  if (byteLength !== end - begin) {
    const needed = `${dtype} of shape [${shape.join(',')}] needs ${byteLength} bytes`;
    throw cursor.fault(start, `${needed}, data_offsets [${begin},${end}] hold ${end - begin}`);
  }
  return { name, dtype, shape, byteLength, file, begin };
}

function readDtype(cursor: Cursor): Dtype {
  skipSpace(cursor);
  const at = cursor.at;
  const dtype = readString(cursor, 'dtype as a string');
  if (!isDtype(dtype)) throw cursor.fault(at, `unknown dtype ${quote(dtype)}; known are ${Object.keys(DTYPE_BITS).join(', ')}`);
  return dtype;
}

function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BITS, name);
}

/** Bytes of a tensor, exactly; a sentence when that is not a whole number of bytes or over 2^53 bits on the way. */
export function tensorBytes(dtype: Dtype, shape: readonly number[]): number | string {
  let bits: number = DTYPE_BITS[dtype];
  for (const size of shape) {
    bits *= size;
    // Rounding is monotonic: a product over 2^53 - 1 is never rounded down to it, so what passes here is exact.
    if (bits > Number.MAX_SAFE_INTEGER)
      return `the size of shape [${shape.slice(0, 8).join(',')}${shape.length > 8 ? ',…' : ''}] overflows`;
  }
  if (bits % 8 !== 0) return `${dtype} of shape [${shape.join(',')}] has ${bits} bits, which do not fill bytes`;
  return bits / 8;
}

/** Tensors must fill the data from its first byte to the file's last: no hole, no overlap, nothing after them. */
function checkLayout(file: string, tensors: ReadonlyMap<string, StoredTensor>, dataStart: number, fileLength: number): void {
  const dataLength = fileLength - dataStart;
  let previous: StoredTensor | null = null;
  for (const tensor of inFileOrder(tensors)) {
    const expected: number = previous === null ? 0 : previous.begin + previous.byteLength;
    if (tensor.begin !== expected) throw invalid(file, describeGap(tensor, previous, expected, dataLength));
    previous = tensor;
  }
  const end = previous === null ? 0 : previous.begin + previous.byteLength;
  if (end > dataLength) {
    const last = previous === null ? '' : `; the last tensor is ${quote(previous.name)}`;
    throw invalid(file, `file cut: expected ${dataStart + end} bytes, has ${fileLength}${last}. Download it again.`);
  }
  if (end < dataLength) {
    throw invalid(file, `${dataLength - end} bytes after the last tensor (byte ${dataStart + end}): damaged, or something was appended.`);
  }
}

/** Files are nearly always written in order: then nothing is sorted or copied. */
function inFileOrder(tensors: ReadonlyMap<string, StoredTensor>): Iterable<StoredTensor> {
  let last = 0;
  for (const { begin, byteLength } of tensors.values()) {
    if (begin < last) return [...tensors.values()].sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
    last = begin + byteLength;
  }
  return tensors.values();
}

function describeGap(tensor: StoredTensor, previous: StoredTensor | null, expected: number, dataLength: number): string {
  const end = tensor.begin + tensor.byteLength;
  const place = `tensor ${quote(tensor.name)}: data_offsets [${tensor.begin},${end}]`;
  if (end > dataLength)
    return `${place} are outside the data, which has ${dataLength} bytes. The file is cut or damaged: download it again.`;
  if (tensor.begin > expected) return `${place} leave a hole: bytes ${expected} to ${tensor.begin} of the data belong to no tensor.`;
  const other = previous === null ? '' : ` tensor ${quote(previous.name)} [${previous.begin},${expected}]`;
  return `${place} overlap${other}: two tensors on the same bytes. The file is damaged: save it again.`;
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}
