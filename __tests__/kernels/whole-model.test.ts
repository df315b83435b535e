// A whole model behind backend `command`: a real process that gets token ids and the checkpoint's folder, and gives logits.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch } from '../support/models.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

test.each([
  ['PyTorch’s own', 'COMPATIBLE', [], 'pass'],
  ['twice as large', 'INCOMPATIBLE', ['scaled'], 'fail'],
])('logits that are %s make the model %s', async (_what, verdict, fault, status) => {
  const program = join(ROOT, '__tests__/kernels/fixtures/golden-model.mjs');
  const command = [process.execPath, program, join(ROOT, '__tests__/goldens'), ...fault];
  const kernels = join(root.folder, verdict);
  await mkdir(kernels);
  await writeFile(
    join(kernels, 'kernel.json'),
    JSON.stringify({ name: 'golden', op: 'model', dtypes: ['bfloat16'], backend: 'command', command }),
  );
  const golden = JSON.parse(await readFile(join(ROOT, '__tests__/goldens/tinyllama-mini/golden.json'), 'utf8')) as {
    prompts: { input_ids: number[] }[];
  };
  const prompts = golden.prompts.slice(0, 2).map(({ input_ids }) => ({ input_ids }));
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [modelFolder('tinyllama-mini')], kernels, prompts } });
  const [model] = (await check(config, { engine })).models;
  expect(model).toMatchObject({ verdict, numeric: { kernels: [{ kernel: 'golden', op: 'model', device: 'CPU', sites: 1, status }] } });
  expect(model?.numeric?.model).toMatchObject({ status, positions: 39 });
});
