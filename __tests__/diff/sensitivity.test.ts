// A perturbation of a known size at the first site.

import { describe, expect, test } from '@jest/globals';
import type { Program } from '../../src/architectures/program.js';
import { perturbed, type Perturbed } from '../../src/diff/sensitivity.js';
import type { Site } from '../../src/kernels/sites.js';
import type { ServingDtype } from '../../src/report/types.js';

const base = { layer: null, site: '', weights: {}, attributes: {} };
const PROGRAM: Program = {
  architecture: 'llama',
  ops: [
    { ...base, op: 'qk_norm', inputs: {}, outputs: { q: 'q', k: 'k' } },
    { ...base, op: 'linear', inputs: { x: 'q' }, outputs: { y: 'logits' } },
  ],
  rope_tables: {},
  num_hidden_layers: 1,
  hidden_size: 2,
  vocab_size: 4,
  max_position_embeddings: 8,
  hidden: [],
  layer_outputs: [],
  logits: 'logits',
};
const SITE: Site = {
  op: 'qk_norm',
  start: 0,
  end: 0,
  layer: 0,
  name: 'qk_norm',
  inputs: new Map(),
  weights: new Map(),
  outputs: new Map([
    ['q', 'q'],
    ['k', 'k'],
  ]),
  attributes: {},
};

const Q = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i));
const K = Float32Array.from({ length: 1000 }, (_, i) => 10 * Math.cos(i));

function made(rms: number | null, dtype: ServingDtype = 'bfloat16'): Perturbed {
  const one = perturbed(PROGRAM, SITE, dtype);
  one.lane.values.set('q', { data: Q.slice(), shape: [4000] });
  one.lane.values.set('k', { data: K.slice(), shape: [1000] });
  if (rms !== null) one.perturb(rms);
  return one;
}

function put(one: Perturbed): number {
  let squares = 0;
  for (const [name, before] of [['q', Q] as const, ['k', K] as const]) {
    const after = one.lane.values.get(name)?.data ?? [];
    for (const [i, value] of before.entries()) squares += ((after[i] as number) - value) ** 2;
  }
  return Math.sqrt(squares / 5000);
}

function rms(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

describe('the perturbation', () => {
  test('is of the size of the kernel error, over all outputs of the site, in powers of two of theirs', () => {
    const size = put(made(0.01)) / 0.01;
    expect(size).toBeGreaterThan(0.7);
    expect(size).toBeLessThan(1.42);
    const relative = put(made(0.01)) / rms([...Q, ...K]);
    expect(Math.abs(Math.log2(relative) - Math.round(Math.log2(relative)))).toBeLessThan(0.05);
    expect(put(made(0.04))).toBeCloseTo(4 * put(made(0.01)), 6);
  });

  test('is the same in every run, and for a kernel that was changed a little', () => {
    const values = (one: Perturbed) => one.lane.values.get('q')?.data;
    expect(values(made(0.01))).toEqual(values(made(0.01)));
    expect(values(made(0.0101))).toEqual(values(made(0.01)));
    expect(values(made(0.02))).not.toEqual(values(made(0.01)));
  });

  test('is what the final error is measured in', () => {
    const one = made(0.01);
    expect(one.sensitivity(put(one) * 7)).toBeCloseTo(7, 10);
  });

  test.each([
    ['the kernel showed no error', 0],
    ['the kernel was not measured', null],
    ['the error is not a number', NaN],
  ])('is none, and the sensitivity null, where %s', (_why, rms) => {
    const one = made(rms);
    expect(put(one)).toBe(0);
    expect(one.sensitivity(1)).toBeNull();
  });

  test('goes through a model that rounds nowhere, in float64 where float32 would round as much as the kernel', () => {
    expect(made(null).lane.recipe).toMatchObject({ compute: 'float32', round: 'none' });
    expect(made(null, 'float32').lane.recipe).toMatchObject({ compute: 'float64', round: 'none' });
  });

  test('makes no logits: something stands in for the head', () => {
    expect([...made(null).lane.standIns.keys()]).toEqual([1]);
    expect(made(0.01).sensitivity(undefined)).toBeNull();
    expect(made(0.01).sensitivity(Infinity)).toBeNull();
  });
});
