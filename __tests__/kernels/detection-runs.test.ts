// What the seeded runs and the runs with a fault in one layer of docs/detection.md rest on: some of them through the gate, on the smallest model.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { markLayers } from '../../scripts/detection/gate.js';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport, ServingDtype } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch } from '../support/models.js';
import { NUMPY_PYTHON, PYTHON_ENV } from './python.js';

const ZOO = fileURLToPath(new URL('zoo/zoo.py', import.meta.url));
const SEEDS = new URL('../../scripts/detection/seeds.mjs', import.meta.url).href;
const MODEL = modelFolder('mistral-mini');
/** Its first, middle and last layer. */
const LAYERS = [0, 5, 9] as const;

let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(() => root.remove());

/** As the runs of scripts/detection.mjs draw them. */
function drawn(...seeds: readonly number[]): number[][][] {
  const code = `console.log(JSON.stringify(${JSON.stringify(seeds)}.map((await import(${JSON.stringify(SEEDS)})).promptsOf)))`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })) as number[][][];
}

test('a seed draws the same prompts each time and others than another seed, of 1, 2, 17 and 64 tokens and two more lengths', () => {
  const [first = [], again = [], other = []] = drawn(5, 5, 6);
  expect(again).toEqual(first);
  expect(first.map(({ length }) => length).slice(0, 4)).toEqual([1, 2, 17, 64]);
  expect(first.length).toBe(6);
  expect(new Set(first[5]).size).toBe(1);
  expect(other[3]).not.toEqual(first[3]);
  expect(first.flat().every((id) => Number.isInteger(id) && id >= 3 && id < 1024)).toBe(true);
});

(NUMPY_PYTHON === null ? describe.skip : describe)('kernels in NumPy, through the gate', () => {
  const engine = startEngine();
  afterAll(() => engine.close());

  async function judged(
    kernels: Readonly<Record<string, string>>,
    prompts: readonly (readonly number[])[],
    dtype: ServingDtype,
    options: readonly string[] = [],
  ): Promise<ModelReport> {
    const folder = join(root.folder, [...Object.keys(kernels), dtype, ...options].join(' ').replaceAll('/', ' '));
    for (const [name, op] of Object.entries(kernels)) {
      await mkdir(join(folder, name), { recursive: true });
      const command = [NUMPY_PYTHON, ZOO, name, '--dtype', dtype, ...options];
      await writeFile(
        join(folder, name, 'kernel.json'),
        JSON.stringify({ name, op, dtypes: [dtype], backend: 'command', command, env: PYTHON_ENV }),
      );
    }
    const overrides = { models: [MODEL], kernels: folder, prompts: prompts.map((input_ids) => ({ input_ids })), dtype };
    const report = await check(await loadConfig({ cwd: root.folder, overrides }), { engine, max_new_tokens: 0 });
    return report.models[0] as ModelReport;
  }

  const CORRECT = {
    'rms-norm-late-rounding': 'rms_norm',
    'attention-split-kv': 'attention',
    'silu-mul-tanh': 'silu_mul',
  };

  test.each([
    ['bfloat16', 11],
    ['float16', 12],
  ] as const)('correct ones raise no alarm in %s with the prompts of seed %i', async (dtype, seed) => {
    const { verdict, numeric } = await judged(CORRECT, drawn(seed)[0] ?? [], dtype);
    expect(numeric?.kernels.map(({ kernel, status, detail }) => [kernel, status, detail]).sort()).toEqual(
      Object.keys(CORRECT)
        .map((name) => [name, 'pass', null])
        .sort(),
    );
    expect(numeric?.model).toMatchObject({ status: 'pass', decisive_flips: 0 });
    expect(verdict).toBe('COMPATIBLE');
  });

  describe('wrong in one layer only', () => {
    const prompts = drawn(14)[0] ?? [];
    const fileOf = (layer: number) => (op: string) => join(root.folder, `${layer}-${op}.safetensors`);
    const wrongIn = (layer: number, name: string, op: string) =>
      judged({ [name]: op }, prompts, 'bfloat16', ['--only-in', fileOf(layer)(op)]);
    beforeAll(async () => {
      for (const layer of LAYERS) await markLayers({ dtype: 'bfloat16', prompts, layers: new Map([[MODEL, layer]]) }, fileOf(layer));
    });

    // Attention is told by its inputs, which only resemble eager's where the model runs free; the norm by its weights.
    test.each(LAYERS)('attention without its scale in layer %i fails the gate, which names that layer alone', async (layer) => {
      const { verdict, numeric } = await wrongIn(layer, 'attention-no-scale', 'attention');
      expect(verdict).toBe('INCOMPATIBLE');
      expect(numeric?.kernels[0]).toMatchObject({ status: 'fail', worst_layer: layer });
      expect(numeric?.kernels[0]?.detail).toMatch(new RegExp(`^layer ${layer} `));
      expect(numeric?.model).toMatchObject({ status: 'fail', responsible: [{ kernel: 'attention-no-scale', layers: [layer] }] });
    });

    test('an eps that the activations of the last layer do not show is found by a probe with the weights of that layer', async () => {
      const { verdict, numeric } = await wrongIn(9, 'rms-norm-eps', 'rms_norm');
      expect(verdict).toBe('INCOMPATIBLE');
      expect(numeric?.kernels[0]?.accuracy_ratio).toBeLessThan(2);
      expect(numeric?.kernels[0]?.detail).toMatch(/^probe tails: .* \(weights of layer 9 input_layernorm\)$/);
      expect(numeric?.model).toMatchObject({ status: 'pass', responsible: null });
    });
  });
});
