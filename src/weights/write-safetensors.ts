// Writing a safetensors file: whole or not at all. Reading is in safetensors.ts.

import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { UsageError } from '../errors.js';
import { printable, quote } from '../hub/names.js';
import type { Dtype } from './checkpoint.js';
import { DTYPE_BITS, HEADER_LIMIT, PREFIX_BYTES, tensorBytes } from './safetensors.js';

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly data: Uint8Array;
}

const PIECE_BYTES = 64 * 1024 * 1024;

/**
 * Writes tensors to `path` through a temporary file in the same folder, so that a reader never sees half a file. Wider dtypes come
 * first, otherwise in the order given, so that every tensor is aligned.
 * @throws UsageError when `path` cannot be written; RangeError when the tensors contradict themselves
 */
export async function writeSafetensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const write = prepare(tensors);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    // 'wx': a file or link that is there already is never written through.
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // Where the folder itself is the trouble there is nothing to remove.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new UsageError(`Cannot write ${printable(path)}: ${reason(error)}.`);
  }
}

/**
 * Writes tensors into a new file and leaves it to the system when that reaches the disk: for a file that is read at once and deleted.
 * @throws Error of the file system, also when the file is there already; RangeError when the tensors contradict themselves
 */
export async function writePassingSafetensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const write = prepare(tensors);
  const handle = await open(path, 'wx');
  try {
    await write(handle);
  } finally {
    await handle.close();
  }
}

function prepare(tensors: readonly TensorToWrite[]): (handle: FileHandle) => Promise<void> {
  const ordered = [...tensors].sort((a, b) => DTYPE_BITS[b.dtype] - DTYPE_BITS[a.dtype]);
  const header = encodeHeader(ordered);
  return async (handle) => {
    await writeAll(handle, header);
    for (const { data } of ordered) await writeAll(handle, data);
  };
}

/** Length field and header, padded with spaces to a multiple of 8 bytes. */
function encodeHeader(tensors: readonly TensorToWrite[]): Uint8Array {
  const members: string[] = [];
  const names = new Set<string>(['__metadata__']);
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new RangeError(`tensor name ${quote(name)} is taken`);
    names.add(name);
    const byteLength = tensorBytes(dtype, shape);
    if (byteLength !== data.byteLength) {
      throw new RangeError(`tensor ${quote(name)}: ${dtype} [${shape.join(',')}] needs ${byteLength} bytes, got ${data.byteLength}`);
    }
    const end = begin + byteLength;
    members.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`);
    begin = end;
  }
  const text = Buffer.from(`{${members.join(',')}}`);
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > HEADER_LIMIT) throw new RangeError(`a header of ${length} bytes is over the format's limit of ${HEADER_LIMIT}`);
  const header = Buffer.alloc(PREFIX_BYTES + length, ' ');
  header.writeBigUInt64LE(BigInt(length));
  text.copy(header, PREFIX_BYTES);
  return header;
}

/** In pieces: a single write of 2^31 bytes or more is cut short. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done));
    done += bytesWritten;
  }
}

function reason(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'the folder does not exist';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `no permission (${code})`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `the disk is full (${code})`;
    default:
      return code === '' ? printable(String(error)) : code;
  }
}
