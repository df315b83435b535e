// A kernel that writes text itself, behind backend `command`: judged token by token by the oracle, never by equality.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { changeJson, copyModel, modelFolder, scratch } from '../support/models.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODEL = 'tinyllama-mini';
const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
let prompts: { input_ids: number[]; greedy_bf16_ids: number[]; greedy_bf16_sdpa_ids: number[] }[];
beforeAll(async () => {
  root = await scratch();
  const golden = await readFile(join(ROOT, `__tests__/goldens/${MODEL}/golden.json`), 'utf8');
  ({ prompts } = JSON.parse(golden) as { prompts: typeof prompts });
  prompts = prompts.slice(0, 2);
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

async function judged(text: 'bf16' | 'bf16_sdpa', fault: string, model = modelFolder(MODEL)): Promise<ModelReport> {
  const kernels = await mkdtemp(join(root.folder, 'kernels-'));
  const program = join(ROOT, '__tests__/kernels/fixtures/greedy-model.mjs');
  const command = [process.execPath, program, join(ROOT, '__tests__/goldens'), text, fault];
  await writeFile(
    join(kernels, 'kernel.json'),
    JSON.stringify({ name: 'greedy', op: 'generate', dtypes: ['bfloat16'], backend: 'command', command }),
  );
  const ids = prompts.map(({ input_ids }) => ({ input_ids }));
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [model], kernels, prompts: ids } });
  return (await check(config, { engine })).models[0] as ModelReport;
}

describe('a kernel that writes text itself', () => {
  test.each(['bf16', 'bf16_sdpa'] as const)('passes with what PyTorch wrote (%s), also where that parts from eager’s', async (text) => {
    const report = await judged(text, 'none');
    expect(report).toMatchObject({
      verdict: 'COMPATIBLE',
      numeric: {
        kernels: [{ kernel: 'greedy', op: 'generate', status: 'pass', sites: 1, max_abs_diff: null, probes: null }],
        model: { status: 'pass', kl_fused: null, decisive_flips: 0, positions: 32 },
        performance: { kernels: [{ kernel: 'greedy' }] },
      },
    });
    const generation = report.numeric?.generation ?? [];
    expect(generation.map(({ ids_fused }) => ids_fused)).toEqual(prompts.map((prompt) => prompt[`greedy_${text}_ids`].slice(0, 16)));
    expect(generation.map(({ coherent }) => coherent)).toEqual([true, true]);
    // One of the two texts of SDPA is another than eager's.
    expect(generation.some(({ first_divergence }) => first_divergence !== null)).toBe(text === 'bf16_sdpa');
    expect(report.numeric?.performance?.tokens_per_second?.fused).toBeGreaterThan(0);
  });

  test('fails with a token that the oracle would not choose, and the place and both tokens are named', async () => {
    const report = await judged('bf16', 'another token');
    const wrong = (prompts[0]?.greedy_bf16_ids[2] ?? 0) + 1;
    expect(report).toMatchObject({ verdict: 'INCOMPATIBLE', numeric: { kernels: [{ status: 'fail' }], model: { status: 'fail' } } });
    expect(report.numeric?.kernels[0]?.detail).toMatch(
      new RegExp(`^prompt 1, new token 3: it wrote ${wrong} where the oracle's choice is ${wrong - 1}, by a margin of`),
    );
  });

  test.each([
    ['nothing', 'prompt 1: output_ids is empty'],
    ['the prompt too', 'prompt 1: output_ids has 31 tokens, more than max_new_tokens 16'],
    ['no token of the model', 'prompt 1: output_ids holds 1024; ids go from 0 to 1023'],
  ])('is inconclusive when it gives %s', async (fault, words) => {
    const report = await judged('bf16', fault);
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: { kernels: [{ status: 'inconclusive' }], generation: null } });
    expect(report.numeric?.kernels[0]?.detail).toContain(words);
  });

  test('fails when it ends a text where the oracle would go on', async () => {
    const report = await judged('bf16', 'an early end');
    expect(report.verdict).toBe('INCOMPATIBLE');
    expect(report.numeric?.kernels[0]?.detail).toMatch(/^prompt 1, new token 4: the text ends where the oracle's choice is \d+/);
  });

  test('may end a text with the token for the end', async () => {
    const folder = join(root.folder, 'ends');
    await mkdir(folder);
    // The third token that it writes, made the end of all texts.
    const copy = await copyModel(MODEL, folder, MODEL);
    await changeJson(join(copy, 'config.json'), { eos_token_id: [2, prompts[0]?.greedy_bf16_ids[2] as number] });
    const report = await judged('bf16', 'an early end', copy);
    const [first] = report.numeric?.generation ?? [];
    expect(first).toMatchObject({ ids_standard: prompts[0]?.greedy_bf16_ids.slice(0, 3), first_divergence: null });
    // The other text has no such token.
    expect(report.numeric?.kernels[0]?.detail).toMatch(/^prompt 2, new token 4: the text ends/);
  });
});
