// The onnxruntime backend with kernels that give no usable answer: INCONCLUSIVE with the reason, and the other kernels go on.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { graphBuilder, type GraphBuilder } from '../../src/reference/onnx.js';
import type { ModelReport, NumericResult } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch } from '../support/models.js';
import { numericWithoutTimes } from '../support/report.js';
import { CORRECT, type Planted } from './planted/kernels.js';
import { drawKernel, plant } from './planted/pen.js';

let root: { folder: string; remove: () => Promise<void> };
const engine = startEngine();
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const GOOD = CORRECT.find(({ name }) => name === 'silu-mul-sigmoid') as Planted;
let cases = 0;

async function judged(op: string, model: Uint8Array, manifest: Readonly<Record<string, unknown>> = {}): Promise<ModelReport> {
  const folder = join(root.folder, `case-${++cases}`);
  await plant(folder, 'bad', op, model, manifest);
  await plant(folder, GOOD.name, GOOD.op, drawKernel(GOOD));
  const prompts = [{ input_ids: [1, 5, 9, 30, 7] }];
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [modelFolder('mistral-mini')], kernels: folder, prompts } });
  return (await check(config, { engine })).models[0] as ModelReport;
}

function graph(draw: (g: GraphBuilder) => void): Uint8Array {
  const g = graphBuilder('fused');
  draw(g);
  return g.build();
}

/** rms_norm's output as it is wanted: x itself will do for its shape. */
const same = (g: GraphBuilder, name = 'y') => g.output(name, g.input('x', 'float32'), 'float32');

const SOUND = drawKernel(CORRECT.find(({ name }) => name === 'rms-norm-split-sums') as Planted);

test.each<[string, Uint8Array, RegExp]>([
  ['a missing output', graph((g) => same(g, 'z')), /output y is missing; rms_norm gives y$/],
  [
    'an output of the wrong shape',
    graph((g) => g.output('y', g.node('Transpose', [g.input('x', 'float32')], { perm: [1, 0] }), 'float32')),
    /output y has shape \[64, 5\]; it must be \[5, 64\]$/,
  ],
  [
    'an output of the wrong rank',
    graph((g) => g.output('y', g.node('Unsqueeze', [g.input('x', 'float32'), g.constant('int64', [0])]), 'float32')),
    /output y has shape \[1, 5, 64\]; it must be \[5, 64\]$/,
  ],
  [
    'an output of the wrong type',
    graph((g) => g.output('y', g.node('Cast', [g.input('x', 'float32')], { to: 11 }), 'float64')),
    /output y has type float64; for bfloat16 it must be float32 or uint16 \(the bits of bfloat16\)$/,
  ],
  [
    'an input that the contract has not',
    graph((g) => g.output('y', g.node('Add', [g.input('x', 'float32'), g.input('bias', 'float32')]), 'float32')),
    /input bias is no tensor or attribute of rms_norm here; there are: x, weight, eps, weight_offset$/,
  ],
  [
    'a tensor of the wrong type',
    graph((g) => g.output('y', g.node('Cast', [g.input('x', 'float64')], { to: 1 }), 'float32')),
    /input x has type float64; for bfloat16 it must be float32 or uint16 \(the bits of bfloat16\)$/,
  ],
  [
    'an attribute of the wrong type',
    graph((g) => {
      const eps = g.node('Cast', [g.input('eps', 'float64')], { to: 1 });
      g.output('y', g.node('Add', [g.input('x', 'float32'), eps]), 'float32');
    }),
    /input eps has type float64; the attribute is 0\.00001 and goes to a scalar float32, int64, bool or string$/,
  ],
  [
    'a graph that fails when it runs',
    graph((g) => g.output('y', g.node('Reshape', [g.input('x', 'float32'), g.constant('int64', [7, 13])]), 'float32')),
    /Non-zero status code returned while running Reshape node/,
  ],
  [
    'a graph with an operator that does not exist',
    graph((g) => g.output('y', g.node('NoSuchOperator', [g.input('x', 'float32')]), 'float32')),
    /NoSuchOperator/,
  ],
  ['a file that is no ONNX', new TextEncoder().encode('<!DOCTYPE html>'), /protobuf|model|format/i],
  ['an empty file', new Uint8Array(0), /\S/],
  ['a file that was cut', SOUND.slice(0, SOUND.length / 2), /protobuf|model|format/i],
])('%s is INCONCLUSIVE with its reason, and the other kernel is judged', async (_word, model, message) => {
  const report = await judged('rms_norm', model);
  expect(report.verdict).toBe('INCONCLUSIVE');
  const [bad, good] = report.numeric?.kernels ?? [];
  expect(bad).toMatchObject({ kernel: 'bad', status: 'inconclusive', sites: 0, accuracy_ratio: null, max_abs_diff: null });
  expect(bad?.detail).toMatch(/^layer 0 input_layernorm: /);
  expect(bad?.detail).toMatch(message);
  expect(bad?.detail).not.toMatch(/\n|\u001b/);
  expect(good).toMatchObject({ kernel: GOOD.name, status: 'pass', sites: 10 });
  expect(report.reasons.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['kernel_inconclusive', 'model_inconclusive', 'kernel_pass']),
  );
  expect(report.reasons.find(({ code }) => code === 'kernel_inconclusive')?.message).toContain('bad');
  expect(report.numeric?.model).toMatchObject({ status: 'inconclusive', kl_fused: null });
});

test('a kernel for other serving dtypes is not run, and says nothing', async () => {
  const report = await judged('rms_norm', SOUND, { dtypes: ['float16'] });
  expect(report.numeric?.kernels.map(({ kernel }) => kernel)).toEqual([GOOD.name]);
  expect(report.verdict).toBe('COMPATIBLE');
});

test('an operator that does not implement the op says so', async () => {
  const report = await judged('rms_norm', new Uint8Array(0), { operator: 'QuickGelu', model: undefined });
  expect(report.numeric?.kernels[0]).toMatchObject({ status: 'inconclusive' });
  expect(report.numeric?.kernels[0]?.detail).toContain("ONNX Runtime's QuickGelu does not implement rms_norm");
});

test('the same kernel gives the same figures in every run', async () => {
  const [first, second] = [await judged('rms_norm', SOUND), await judged('rms_norm', SOUND)];
  expect(first.numeric?.kernels[0]?.status).toBe('pass');
  expect(numericWithoutTimes(second.numeric as NumericResult)).toEqual(numericWithoutTimes(first.numeric as NumericResult));
});

test('the shipped manifests are the files in kernels/onnxruntime', async () => {
  const { loadManifests } = await import('../../src/kernels/manifest.js');
  const { SHIPPED_KERNELS } = await import('../../src/kernels/shipped.js');
  const files = await loadManifests('kernels/onnxruntime');
  expect([...files].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([...SHIPPED_KERNELS].sort((a, b) => (a.name < b.name ? -1 : 1)));
  expect(JSON.parse(await readFile('kernels/onnxruntime/rms-norm/kernel.json', 'utf8'))).toEqual(
    files.find(({ name }) => name === 'ort-rms-norm'),
  );
});
