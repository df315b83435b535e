// Weights as the serving dtype holds them, read ahead in blocks so that memory holds a few blocks and never a model.

import type { WeightRef } from '../architectures/program.js';
import { ModelError } from '../errors.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint, TensorInfo } from '../weights/checkpoint.js';
import { tensorStatistics } from '../weights/statistics.js';
import { allFinite, bfloat16Values, float16ToFloat32, roundToFloat16, toFloat32 } from '../weights/values.js';
import type { LinearWeight } from './op-runner.js';

/** A block of a matrix. 1 MiB: widened to float64 it is still in the processor's cache for the product, and memory is used again, not mapped anew. */
const BLOCK_BYTES = 2 ** 20;
/**
 * A block has half as many rows as this or more, where the matrix has them. onnxruntime's Gemm sums in another order for results of up to 32 columns
 * in float64 and 64 in float32 (measured, docs/reference.md), and a sum must not depend on where a matrix was cut.
 */
const MIN_STEP = 256;
/** Bytes that are read before they are needed. */
const READ_AHEAD_BYTES = 8 * 2 ** 20;

export interface Block {
  readonly ref: WeightRef;
  /** Rows `[start, end)` of the weight, which may begin within its tensor. */
  readonly start: number;
  readonly end: number;
}

/** Splits a tensor into blocks of rows, of the same size give or take a row. */
export function blocksOf(checkpoint: Checkpoint, ref: WeightRef): Block[] {
  const rows = ref.shape[0] ?? 1;
  const rowBytes = bytesPerRow(checkpoint, ref);
  const count = Math.ceil(rows / Math.max(MIN_STEP, Math.floor(BLOCK_BYTES / rowBytes)));
  const border = (i: number) => Math.floor((i * rows) / count);
  return Array.from({ length: count }, (_, i) => ({ ref, start: border(i), end: border(i + 1) }));
}

/** Blocks in an order that was given: each is asked for, or skipped. */
export interface BlockReader {
  /** @throws ModelError `non_finite_weights` naming the tensor and the counts in the whole tensor */
  next(): Promise<{ block: Block; bytes: Uint8Array }>;
  /** Leaves out the next `count` blocks, without reading those that were not begun. */
  skip(count: number): void;
}

/** Reads blocks in the given order, ahead of their use. Every block that is asked for is checked for NaN and infinity on the way. */
export function readAhead(checkpoint: Checkpoint, blocks: readonly Block[]): BlockReader {
  const started: { block: Block; bytes: Promise<Uint8Array>; size: number }[] = [];
  let next = 0;
  let ahead = 0;
  const start = () => {
    while (next < blocks.length && (started.length === 0 || ahead < READ_AHEAD_BYTES)) {
      const block = blocks[next++] as Block;
      const rowBytes = bytesPerRow(checkpoint, block.ref);
      const first = block.ref.rows?.start ?? 0;
      const bytes = checkpoint.read(block.ref.tensor, (first + block.start) * rowBytes, (first + block.end) * rowBytes);
      // A failed read is reported where the block is used; until then it must not count as unhandled.
      bytes.catch(() => undefined);
      started.push({ block, bytes, size: (block.end - block.start) * rowBytes });
      ahead += (block.end - block.start) * rowBytes;
    }
  };
  return {
    async next() {
      start();
      const first = started.shift();
      if (first === undefined) throw new Error('read past the last block');
      const bytes = await first.bytes;
      ahead -= first.size;
      start();
      await refuseNonFiniteOnce(checkpoint, first.block, bytes);
      return { block: first.block, bytes };
    },
    skip(count) {
      for (const { size } of started.splice(0, count)) {
        ahead -= size;
        count--;
      }
      next += count;
    },
  };
}

/** Blocks in which there is no NaN and no infinity. A file that changes is refused by who reads it, and decoding reads all of it for every token. */
const sound = new WeakMap<Checkpoint, Set<string>>();

async function refuseNonFiniteOnce(checkpoint: Checkpoint, { ref, start, end }: Block, bytes: Uint8Array): Promise<void> {
  const blocks = sound.get(checkpoint) ?? new Set<string>();
  sound.set(checkpoint, blocks);
  const first = ref.rows?.start ?? 0;
  const name = `${ref.tensor} ${first + start} ${first + end}`;
  if (blocks.has(name)) return;
  await refuseNonFinite(checkpoint, ref, bytes);
  blocks.add(name);
}

async function refuseNonFinite(checkpoint: Checkpoint, ref: WeightRef, bytes: Uint8Array): Promise<void> {
  const { dtype, file } = info(checkpoint, ref);
  if (allFinite(bytes, dtype, ref.tensor)) return;
  const { nan, inf } = await tensorStatistics(checkpoint, ref.tensor);
  throw new ModelError(
    'non_finite_weights',
    `${file}: ${ref.tensor} holds ${nan} NaN and ${inf} infinite values; the checkpoint is damaged or diverged in training`,
  );
}

/** A block of a matrix as it is fed to `linear`: raw bits where the serving dtype can hold the file's values, else rounded float32 values. */
export function servedBlock(checkpoint: Checkpoint, block: Block, bytes: Uint8Array, dtype: ServingDtype): LinearWeight {
  const shape = [block.end - block.start, block.ref.shape[1] ?? 1] as const;
  const tensor = info(checkpoint, block.ref);
  const exact = dtype === 'float32' || (tensor.dtype === 'BF16' && dtype === 'bfloat16') || (tensor.dtype === 'F16' && dtype === 'float16');
  if (exact && (tensor.dtype === 'BF16' || tensor.dtype === 'F16')) {
    const data = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    return { form: tensor.dtype === 'BF16' ? 'bfloat16_bits' : 'float16_bits', data, shape };
  }
  return { form: 'float32', data: servedValues(tensor, bytes, dtype), shape };
}

/**
 * Bytes of a tensor as float32 values of the serving dtype.
 * @throws ModelError `serving_overflow` when finite weights overflow the serving dtype
 */
export function servedValues(tensor: TensorInfo, bytes: Uint8Array, dtype: ServingDtype): Float32Array {
  const values = toFloat32(bytes, tensor.dtype);
  const served = roundToServing(values, dtype);
  let overflows = 0;
  let largest = 0;
  for (let i = 0; i < served.length; i++) {
    if (served[i] !== Infinity && served[i] !== -Infinity) continue;
    overflows++;
    if (Math.abs(values[i] as number) > Math.abs(largest)) largest = values[i] as number;
  }
  if (overflows > 0) {
    // A float64 beyond float32 is infinite by now.
    const held = Number.isFinite(largest) ? `${Number(largest.toPrecision(6))}` : 'values beyond float32';
    throw new ModelError(
      'serving_overflow',
      `${tensor.file}: ${tensor.name} holds ${held}, too large for ${dtype}, whose largest finite value is ${limitOf(dtype)}; serve the model ${elsewhere(dtype)}`,
    );
  }
  return served;
}

/** Largest finite value of a dtype. */
export const LARGEST_FINITE: Readonly<Record<ServingDtype, number>> = {
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
  float16: 65504,
  float32: (2 - 2 ** -23) * 2 ** 127,
};

/** The same in words: `65504`, `3.39e38`. */
export function limitOf(dtype: ServingDtype): string {
  const limit = LARGEST_FINITE[dtype];
  return limit < 1e6 ? String(limit) : limit.toExponential(2).replace('e+', 'e');
}

/** What helps against an overflow. */
export function elsewhere(dtype: ServingDtype): string {
  return dtype === 'float16' ? 'in bfloat16 or float32' : 'in a dtype of a larger range';
}

/** Rounds float32 values to the serving dtype (to nearest even) and gives them back as float32. */
export function roundToServing(values: Float32Array, dtype: ServingDtype): Float32Array {
  if (dtype === 'bfloat16') return bfloat16Values(values);
  if (dtype === 'float16') return float16ToFloat32(roundToFloat16(values));
  return values;
}

/** A whole weight, small or needed by a kernel at once. */
export async function wholeWeight(
  checkpoint: Checkpoint,
  ref: WeightRef,
  dtype: ServingDtype,
): Promise<{ data: Float32Array; shape: readonly number[] }> {
  const { rows } = ref;
  const rowBytes = bytesPerRow(checkpoint, ref);
  const bytes = await (rows === undefined
    ? checkpoint.read(ref.tensor)
    : checkpoint.read(ref.tensor, rows.start * rowBytes, (rows.start + (ref.shape[0] ?? 0)) * rowBytes));
  await refuseNonFinite(checkpoint, ref, bytes);
  return { data: servedValues(info(checkpoint, ref), bytes, dtype), shape: ref.shape };
}

/** Rows of the embedding table, one per token id: [T, H]. Only the rows that are used are read. */
export async function embeddingRows(
  checkpoint: Checkpoint,
  ref: WeightRef,
  ids: readonly number[],
  dtype: ServingDtype,
): Promise<Float32Array> {
  const tensor = info(checkpoint, ref);
  const width = ref.shape[1] ?? 1;
  const rowBytes = tensor.byteLength / (ref.shape[0] ?? 1);
  const rows = new Map<number, Promise<Uint8Array>>();
  for (const id of ids) if (!rows.has(id)) rows.set(id, checkpoint.read(ref.tensor, id * rowBytes, (id + 1) * rowBytes));
  const out = new Float32Array(ids.length * width);
  for (const [t, id] of ids.entries()) {
    const bytes = await (rows.get(id) as Promise<Uint8Array>);
    await refuseNonFinite(checkpoint, ref, bytes);
    out.set(servedValues(tensor, bytes, dtype), t * width);
  }
  return out;
}

function bytesPerRow(checkpoint: Checkpoint, ref: WeightRef): number {
  return info(checkpoint, ref).byteLength / (ref.rows?.total ?? ref.shape[0] ?? 1);
}

function info(checkpoint: Checkpoint, ref: WeightRef): TensorInfo {
  const tensor = checkpoint.tensors.get(ref.tensor);
  if (tensor === undefined) throw new ModelError('tensor_missing', `${ref.tensor} is not in the checkpoint`);
  return tensor;
}
