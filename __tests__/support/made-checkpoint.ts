// Small checkpoints that tests make: real safetensors files in a temporary folder, opened as a user's would be.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wholeTensor, type Program } from '../../src/architectures/program.js';
import { openFolder } from '../../src/hub/folder.js';
import { openCheckpoint, type Checkpoint } from '../../src/weights/checkpoint.js';
import { roundToBfloat16, roundToFloat16, type NumericDtype } from '../../src/weights/values.js';
import { writeSafetensors, type TensorToWrite } from '../../src/weights/write-safetensors.js';

export interface MadeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  /** BF16 when absent. */
  readonly dtype?: NumericDtype;
}

/** Calls `use` with a checkpoint that holds these tensors, then removes it. */
export async function withTensors<Result>(
  tensors: readonly MadeTensor[],
  use: (checkpoint: Checkpoint) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'fused-compat-test-'));
  try {
    await writeSafetensors(join(folder, 'model.safetensors'), tensors.map(toWrite));
    const checkpoint = await openCheckpoint(await openFolder(folder));
    try {
      return await use(checkpoint);
    } finally {
      await checkpoint.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function toWrite({ name, shape, values, dtype = 'BF16' }: MadeTensor): TensorToWrite {
  const array = { F64: () => Float64Array.from(values), F32: () => Float32Array.from(values), ...halves(values) }[dtype]();
  return { name, dtype, shape, data: new Uint8Array(array.buffer) };
}

function halves(values: ArrayLike<number>) {
  return { BF16: () => roundToBfloat16(Float32Array.from(values)), F16: () => roundToFloat16(Float32Array.from(values)) };
}

/** The tensors that a program wants, with values from `draw`: norm weights near 1, everything else near 0. */
export function tensorsOf(program: Program, draw: () => number): MadeTensor[] {
  const shapes = new Map<string, readonly number[]>();
  for (const op of program.ops) for (const ref of Object.values(op.weights)) shapes.set(ref.tensor, wholeTensor(ref).shape);
  return [...shapes].map(([name, shape]) => {
    const size = shape.reduce((product, count) => product * count, 1);
    const middle = name.includes('norm') ? 1 : 0;
    return { name, shape, values: Float32Array.from({ length: size }, () => middle + (draw() - 0.5) / 2) };
  });
}
