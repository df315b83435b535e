// The tensors of a call on their way to a program of backend `command` and back: safetensors files in a private folder.

import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../errors.js';
import { printable } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { NdArray } from '../reference/ndarray.js';
import type { ServingDtype } from '../report/types.js';
import type { Dtype } from '../weights/checkpoint.js';
import { readSafetensors, tensorBytes } from '../weights/safetensors.js';
import { roundToBfloat16, roundToFloat16, toFloat32 } from '../weights/values.js';
import { writePassingSafetensors } from '../weights/write-safetensors.js';
import { contractInputs, contractOutputs, outputShapes } from './contracts.js';
import { checkOutputs, KernelError, type KernelCall, type KernelTensor } from './kernel.js';

const STORED: Readonly<Record<ServingDtype, Dtype>> = { bfloat16: 'BF16', float16: 'F16', float32: 'F32' };

/** Room for the header, and for tensors that a program gives beside its outputs. */
const SPARE_BYTES = 16 * 2 ** 20;
/** For a length that only the kernel knows: more than any vocabulary. */
const UNKNOWN_LENGTH = 2 ** 20;
const WATCH_MS = 100;
/** Node aborts the process on a read of 2^31 bytes or more. */
const PIECE_BYTES = 64 * 2 ** 20;

/**
 * Writes a call's inputs: BF16, F16 or F32 as the model is served, cos and sin F32, token ids I64.
 * @throws KernelError when the disk does not take them
 */
export async function writeInputs(path: string, op: string, { inputs, dtype }: Pick<KernelCall, 'inputs' | 'dtype'>): Promise<void> {
  const float32 = new Set(contractInputs(op).flatMap((tensor) => (tensor.dtype === 'float32' ? [tensor.name] : [])));
  const storedAs = (name: string): Dtype => (float32.has(name) ? 'F32' : STORED[dtype]);
  const tensors = Object.entries(inputs).map(([name, tensor]) => ({ name, shape: tensor.shape, ...stored(tensor, storedAs(name)) }));
  try {
    await writePassingSafetensors(path, tensors);
  } catch (error) {
    throw new KernelError(`its inputs could not be written: ${printable(error instanceof Error ? error.message : String(error))}`);
  }
}

function stored({ data }: KernelTensor, dtype: Dtype): { dtype: Dtype; data: Uint8Array } {
  if (data instanceof Int32Array) return { dtype: 'I64', data: bytesOf(BigInt64Array.from(data, BigInt)) };
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype === 'F32') return { dtype, data: bytesOf(values) };
  return { dtype, data: bytesOf(dtype === 'BF16' ? roundToBfloat16(values) : roundToFloat16(values)) };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The most that a call's outputs may take on the disk: their own bytes, those of the inputs given back beside them, and 16 MiB. */
export function outputLimit(op: string, { inputs, attributes }: Pick<KernelCall, 'inputs' | 'attributes'>): number {
  // 8 bytes are those of an int64; the serving dtypes need less, which only widens the limit.
  const size = (shape: readonly (number | null)[]) => shape.reduce<number>((product, length) => product * (length ?? UNKNOWN_LENGTH), 8);
  const shapes = [...Object.values(outputShapes(op, inputs, attributes)), ...Object.values(inputs).map(({ shape }) => shape)];
  return shapes.reduce((sum, shape) => sum + size(shape), SPARE_BYTES);
}

/**
 * Reads a call's outputs. What else is in the file is left alone.
 * @param limit bytes that the file may have
 * @returns float32 values that the serving dtype holds exactly; token ids as float64, which holds every one
 * @throws KernelError naming what is missing or wrong
 */
export async function readOutputs(path: string, op: string, call: KernelCall, limit: number): Promise<Record<string, NdArray>> {
  const bytes = await readRegular(path, limit);
  try {
    const file = await readSafetensors(inMemory(bytes));
    const outputs: Record<string, NdArray> = {};
    for (const { name, dtype } of contractOutputs(op)) {
      const tensor = file.tensors.get(name);
      if (tensor === undefined) continue;
      const wanted = dtype === 'int64' ? 'I64' : dtype === 'float32' ? 'F32' : STORED[call.dtype];
      if (tensor.dtype !== wanted) throw new KernelError(`output ${name} has dtype ${tensor.dtype}; it must be ${wanted}`);
      const data = await file.read(tensor, 0, tensorBytes(tensor.dtype, tensor.shape) as number);
      outputs[name] = { shape: tensor.shape, data: wanted === 'I64' ? idsOf(data) : toFloat32(data, wanted) };
    }
    return checkOutputs(op, call.inputs, call.attributes, outputs);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    // The advice is for files that were downloaded.
    throw new KernelError(`its outputs cannot be read: ${error.message.replace(/ (?:Download|The (?:file|header) is) [^.]*\.$/, '')}`);
  }
}

function idsOf(bytes: Uint8Array): Float64Array {
  const copy = bytes.slice();
  return Float64Array.from(new BigInt64Array(copy.buffer), Number);
}

/** A program may leave anything under the name: a link, a pipe that never ends, a file that still grows. */
async function readRegular(path: string, limit: number): Promise<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new KernelError(code === 'ENOENT' ? 'it wrote no outputs file' : `its outputs file cannot be opened (${code})`);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new KernelError('what it wrote as outputs is no file');
    if (stats.size > limit) throw tooLarge(stats.size, limit);
    const bytes = new Uint8Array(stats.size);
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done), done);
      if (bytesRead === 0) throw new KernelError('its outputs file became shorter while it was read');
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

function inMemory(bytes: Uint8Array): ByteSource {
  return {
    name: 'outputs',
    byteLength: bytes.byteLength,
    slice: (start, end) => Promise.resolve(bytes.subarray(start, end)),
    close: () => Promise.resolve(),
  };
}

function tooLarge(bytes: number, limit: number): KernelError {
  return new KernelError(`it wrote ${bytes.toLocaleString('en-US')} bytes; this call's outputs may have ${limit.toLocaleString('en-US')}`);
}

/**
 * Looks ten times a second at what a program writes into its folder beside the inputs, so that it cannot fill the disk.
 * @returns how to end the watch
 */
export function watchFolder(folder: string, inputs: string, limit: number, onTooLarge: (error: KernelError) => void): () => void {
  let looking = false;
  const look = async () => {
    const names = (await readdir(folder)).filter((name) => name !== inputs);
    const sizes = await Promise.all(names.map((name) => lstat(join(folder, name)).then(({ size }) => size)));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total > limit) onTooLarge(tooLarge(total, limit));
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    // A file that went away between the two looks is seen next time.
    void look()
      .catch(() => undefined)
      .finally(() => (looking = false));
  }, WATCH_MS);
  return () => clearInterval(timer);
}
