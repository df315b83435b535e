// Near ties, through the gate: a model in which every token has a twin that is as likely within rounding. Correct kernels choose the other twin here and
// there, which is no alarm; a wrong kernel fails by what it does to the distribution.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import { attention } from '../kernels/planted/ops.js';
import { drawKernel, plant } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { changeTensors, copyModel, modelFolder, scratch } from '../support/models.js';

const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const MODEL = 'mistral-mini';
const HIDDEN = 64;
const PROMPTS = [0, 1].map((prompt) => ({ input_ids: Array.from({ length: 30 }, (_, i) => 20 + 16 * i + prompt) }));

async function judged(folder: string, kernels = ''): Promise<ModelReport> {
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [folder], kernels, prompts: PROMPTS } });
  return (await check(config, { engine })).models[0] as ModelReport;
}

/** The model with the rows of the second half of its head those of the first, but for the last bit of some weights. */
async function twins(): Promise<string> {
  const folder = await copyModel(MODEL, root.folder, 'twins');
  await changeTensors(join(folder, 'model.safetensors'), (_header, data) => {
    const head = data('lm_head.weight');
    const half = head.length / 2;
    for (let i = 0; i < half; i++) head[half + i] = (head[i] as number) ^ (i % HIDDEN < 2 ? 1 : 0);
  });
  return folder;
}

/** Attention without its scale. */
async function unscaled(): Promise<string> {
  const folder = join(root.folder, 'unscaled');
  await plant(folder, 'unscaled', 'attention', drawKernel({ draw: (p) => p.give('o', attention(p, { noScale: true })) }));
  return folder;
}

test('correct kernels choose another token at near ties, and there is no alarm', async () => {
  const { verdict, numeric } = await judged(await twins());
  expect(verdict).toBe('COMPATIBLE');
  expect(numeric?.model).toMatchObject({ status: 'pass', decisive_flips: 0 });
  // It did happen: a test of equal tokens would have failed.
  expect(numeric?.model?.top1_agreement).toBeLessThan(1);
  expect(numeric?.model?.kl_ratio).toBeLessThan(2);
  for (const { coherent, first_divergence } of numeric?.generation ?? []) {
    expect(coherent).toBe(true);
    expect(first_divergence?.near_tie ?? true).toBe(true);
  }
});

test('a wrong kernel fails all the same, although no flip between twins is decisive; where there are no twins, flips are', async () => {
  const kernels = await unscaled();
  const tied = await judged(await twins(), kernels);
  expect(tied.verdict).toBe('INCOMPATIBLE');
  expect(tied.numeric?.model).toMatchObject({ status: 'fail', decisive_flips: 0 });
  expect(tied.numeric?.model?.kl_ratio).toBeGreaterThan(4);
  const untied = await judged(modelFolder(MODEL), kernels);
  expect(untied.numeric?.model?.status).toBe('fail');
  expect(untied.numeric?.model?.decisive_flips).toBeGreaterThan(0);
});
