// Made-up inputs of a site, always the same ones: shapes from the program, values from a seeded generator.

import type { Program } from '../architectures/program.js';
import type { Site } from '../kernels/sites.js';
import type { NdArray } from '../reference/ndarray.js';
import { rotaryAt, type Sequence } from '../reference/sequence.js';
import { roundToServing } from '../reference/served-weights.js';
import type { ServingDtype } from '../report/types.js';
import type { Tensors } from './site.js';

/** Shape of one token's part of each value of a program. */
export function tokenShapes(program: Program): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const op of program.ops) {
    for (const [tensor, value] of Object.entries(op.outputs)) {
      const like = (name: string) => shapes.get(op.inputs[name] as string) ?? [];
      if (op.op === 'embed') shapes.set(value, [program.hidden_size]);
      else if (op.op === 'linear') shapes.set(value, [op.weights['weight']?.shape[0] ?? 0]);
      else if (op.op === 'qkv' || op.op === 'split_heads') {
        shapes.set(value, [Number(op.attributes[tensor === 'q' ? 'num_heads' : 'num_kv_heads']), Number(op.attributes['head_dim'])]);
      } else if (op.op === 'attention') shapes.set(value, like('q'));
      else if (op.op === 'silu_mul' || op.op === 'gelu_tanh_mul') shapes.set(value, like('gate'));
      else shapes.set(value, like(tensor in op.inputs ? tensor : 'x'));
    }
  }
  return shapes;
}

/** Whether a contract tensor is computed from positions alone. */
export function isRotary(name: string): boolean {
  return name === 'cos' || name === 'sin';
}

/**
 * Inputs of a site without its weights: values of mean 0 and deviation 1 that the serving dtype holds exactly, and cos and sin of the positions.
 * @param positions one per row
 */
export function randomInputs(program: Program, site: Site, dtype: ServingDtype, positions: readonly number[], seed: number): Tensors {
  const shapes = tokenShapes(program);
  const inputs: Record<string, NdArray> = {};
  for (const [index, [name, value]] of [...site.inputs].entries()) {
    if (isRotary(name)) {
      inputs[name] = rotaryAt(program, value, positions);
      continue;
    }
    const shape = shapes.get(value) ?? [];
    const width = shape.reduce((product, size) => product * size, 1);
    inputs[name] = {
      data: roundToServing(normal(positions.length * width, seed + index), dtype),
      shape: name === 'x' ? [positions.length, width] : [positions.length, ...shape],
    };
  }
  return inputs;
}

/** Multiplies all values but cos and sin, or those of one tensor. */
export function scaled(inputs: Tensors, factor: number, dtype: ServingDtype, only: (name: string) => boolean = () => true): Tensors {
  const change = ([name, array]: [string, NdArray]): [string, NdArray] => {
    if (isRotary(name) || !only(name)) return [name, array];
    const values = new Float32Array(array.data.length);
    for (let i = 0; i < values.length; i++) values[i] = (array.data[i] as number) * factor;
    return [name, { ...array, data: roundToServing(values, dtype) }];
  };
  return Object.fromEntries(Object.entries(inputs).map(change));
}

/** The given rows of every tensor, in that order; a row may come more than once. */
export function takeRows(tensors: Tensors, chosen: readonly number[]): Record<string, NdArray> {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, take(array, chosen)]));
}

function take({ data, shape: [count = 1, ...rest] }: NdArray, chosen: readonly number[]): NdArray {
  const width = data.length / count;
  const taken = data instanceof Float64Array ? new Float64Array(chosen.length * width) : new Float32Array(chosen.length * width);
  for (const [i, row] of chosen.entries()) taken.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { data: taken, shape: [chosen.length, ...rest] };
}

/** Replaces the values of one row. */
export function changeRow(inputs: Tensors, names: readonly string[], row: number, change: (value: number) => number): Tensors {
  const changed = { ...inputs };
  for (const name of names) {
    const { data, shape } = inputs[name] as NdArray;
    const width = data.length / (shape[0] ?? 1);
    const copy = Float32Array.from(data);
    for (let at = row * width; at < (row + 1) * width; at++) copy[at] = change(copy[at] as number);
    changed[name] = { data: copy, shape };
  }
  return changed;
}

/** Normally distributed numbers: Box-Muller over mulberry32 (https://github.com/cprosche/mulberry32), the same on every machine. */
export function normal(count: number, seed: number): Float32Array {
  let state = Math.imul(seed + 1, 0x9e3779b9);
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return values;
}

export function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** Inputs as one prompt; which token ids it has is of no matter to a site. */
export function oneSequence(inputs: Tensors): Sequence {
  return { ids: [], segments: [{ start: 0, end: Object.values(inputs)[0]?.shape[0] ?? 0 }] };
}
