// Scale moved between K-norm and Q-norm weights changes no function: the evidence must stay, bit for bit, while the static score swings.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { changeTensors, copyModel, modelFolder, scratch } from '../support/models.js';

const LAYERS = 28;
const HEAD_DIM = 32;
/** One place of a bfloat16's exponent. */
const OCTAVE = 1 << 7;

const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
let original: ModelReport;
beforeAll(async () => {
  root = await scratch();
  original = await judged(modelFolder('qwen3-mini'));
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

async function judged(model: string): Promise<ModelReport> {
  const prompts = [{ input_ids: [5, 17, 90, 33, 8, 250, 12, 7, 61, 44, 3, 99] }];
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [model], prompts } });
  return (await check(config, { engine, max_new_tokens: 0 })).models[0] as ModelReport;
}

const magnitude = (bits: number) => new Float32Array(Uint32Array.of((bits & 0x7fff) << 16).buffer)[0] as number;

/** A copy of qwen3-mini; `octaves` says by how many powers of two a RoPE pair's K-norm weights shrink and its Q-norm weights grow. */
async function moved(name: string, octaves: (largest: number, pair: number) => number): Promise<string> {
  const folder = await copyModel('qwen3-mini', root.folder, name);
  await changeTensors(join(folder, 'model.safetensors'), (_header, data) => {
    for (let layer = 0; layer < LAYERS; layer++) {
      const [k, q] = ['k', 'q'].map((side) => data(`model.layers.${layer}.self_attn.${side}_norm.weight`)) as [Uint16Array, Uint16Array];
      for (let pair = 0; pair < HEAD_DIM / 2; pair++) {
        const both = [pair, pair + HEAD_DIM / 2];
        const largest = Math.max(...both.map((i) => magnitude(k[i] as number)));
        const shift = octaves(largest, pair) * OCTAVE;
        for (const i of both) {
          k[i] = (k[i] as number) - shift;
          q[i] = (q[i] as number) + shift;
        }
      }
    }
  });
  return folder;
}

/** What does not depend on how large Q and K are by themselves: the model level, and kernels that do not put Q or K out. */
function evidence({ numeric }: ModelReport): unknown {
  const { layers, ...model } = numeric?.model ?? { layers: [] };
  const kernels = numeric?.kernels.filter(({ op }) => op !== 'qk_norm' && op !== 'rope');
  return { model, layers: layers.map(({ inherited, floor }) => ({ inherited, floor })), kernels };
}

test('K-norm weights made even keep every result to the bit, and the verdict is no longer a warning', async () => {
  const even = await judged(await moved('even', (largest) => Math.round(Math.log2(largest / 2))));
  expect(original.static).toMatchObject({ status: 'INCOMPATIBLE' });
  expect(original.static?.k_weight_ratio).toBeGreaterThan(40);
  expect(even.static?.k_weight_ratio).toBeLessThan(3);
  expect(even.static?.score).toBeGreaterThan(original.static?.score ?? 1);
  expect([even.verdict, even.static?.status]).toEqual(['COMPATIBLE', 'COMPATIBLE']);
  expect(evidence(even)).toEqual(evidence(original));
  expect(original.numeric?.model?.status).toBe('pass');
  expect(original.verdict).toBe('WARNING');
});

test('K-norm weights made worse keep every result to the bit, and the evidence still decides', async () => {
  const steep = await judged(await moved('steep', (largest) => (largest > 20 ? -3 : 0)));
  expect(steep.static?.k_weight_ratio).toBeGreaterThan(200);
  expect(steep.static?.status).toBe('INCOMPATIBLE');
  expect(evidence(steep)).toEqual(evidence(original));
  expect(steep.verdict).toBe(original.verdict);
});
