// Ops as the search for causes does them, by recipes that round what an op gives and by one that hands it on in float32.

import { describe, expect, test } from '@jest/globals';
import type { Op } from '../../src/architectures/program.js';
import { accumulations } from '../../src/diff/accumulation.js';
import { gated } from '../../src/diff/activations.js';
import type { OpCall, Tensors } from '../../src/diff/site.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { eager, ORACLE, type Recipe } from '../../src/reference/recipes.js';
import { roundToServing } from '../../src/reference/served-weights.js';
import { seededRandom } from '../weights/made-files.js';

const EAGER = eager('bfloat16');
const BETWEEN: Recipe = { ...EAGER, between: 'float32' };
const T = 6;
const H = 32;

function made(seed: number, ...shape: number[]): NdArray {
  const random = seededRandom(seed);
  return { data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5), shape };
}

function held({ data, shape }: NdArray): NdArray {
  return { data: roundToServing(Float32Array.from(data), 'bfloat16'), shape };
}

function isServed(array: NdArray | undefined): boolean {
  const data = array?.data as Float32Array;
  return roundToServing(data, 'bfloat16').every((x, i) => x === data[i]);
}

const heads = (seed: number) => made(seed, T, 2, H / 2);
const base = { layer: 0, inputs: {}, outputs: { y: 'y' } };
const weight = made(2, H);
const OPS: [Op, Tensors][] = [
  [
    { ...base, op: 'rms_norm', site: 'norm', attributes: { eps: 1e-6 }, weights: { weight: { tensor: 'w', shape: [H] } } },
    { x: made(1, T, H), weight },
  ],
  [
    { ...base, op: 'linear', site: 'o_proj', attributes: {}, weights: { weight: { tensor: 'w', shape: [4, H] } } },
    { x: made(1, T, H), weight: made(3, 4, H) },
  ],
  [
    { ...base, op: 'attention', site: 'attn', attributes: { scale: 0.25, causal: true }, weights: {} },
    { q: heads(4), k: heads(5), v: heads(6) },
  ],
];

/** The first hypothesis that concerns the op. */
async function accumulated(op: Op, inputs: Tensors, recipe: Recipe): Promise<NdArray> {
  const change = accumulations('bfloat16').find(({ concerns }) => concerns?.(op))?.change;
  if (change === undefined) throw new Error(`nothing accumulates in ${op.op}`);
  const call: OpCall = {
    recipe,
    sequence: { ids: Array.from({ length: T }, () => 0), segments: [{ start: 0, end: T }] },
    run: () => Promise.reject(new Error('was to be done otherwise')),
    weight: () => Promise.resolve(inputs['weight'] as NdArray),
  };
  const [output] = Object.values(await change(op, inputs, call));
  return output as NdArray;
}

describe.each(OPS.map(([op, inputs]) => ({ name: op.op, op, inputs })))('$name that accumulates in bfloat16', ({ op, inputs }) => {
  test('gives bfloat16 by eager, float32 where that is kept between contracts, and float64 by the oracle', async () => {
    expect(isServed(await accumulated(op, inputs, EAGER))).toBe(true);
    const between = await accumulated(op, inputs, BETWEEN);
    expect(between.data).toBeInstanceOf(Float32Array);
    // A product in which every step is rounded is of bfloat16 whatever becomes of it.
    expect(isServed(between)).toBe(op.op !== 'rms_norm');
    expect((await accumulated(op, inputs, ORACLE)).data).toBeInstanceOf(Float64Array);
  });
});

test('attention takes keys and values as a cache holds them, not the queries', async () => {
  const [op, inputs] = OPS[2] as [Op, Tensors];
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', NdArray>;
  const given = await accumulated(op, inputs, BETWEEN);
  expect(given.data).toEqual((await accumulated(op, { q, k: held(k), v: held(v) }, BETWEEN)).data);
  // The oracle, which has no serving dtype, takes them as they are.
  const exact = await accumulated(op, inputs, ORACLE);
  expect(exact.data).not.toEqual((await accumulated(op, { q, k: held(k), v: held(v) }, ORACLE)).data);
});

test('an activation of another kind gives bfloat16 by eager, float32 where that is kept between contracts, and float64 by the oracle', () => {
  const inputs = { gate: made(7, T, H), up: made(8, T, H) };
  const [served, between, exact] = [EAGER, BETWEEN, ORACLE].map((recipe) => gated('gelu', inputs, recipe)['y']);
  expect(isServed(served)).toBe(true);
  expect(isServed(between)).toBe(false);
  expect(exact?.data).toBeInstanceOf(Float64Array);
});
