// A kernel that writes text itself, behind backends `command` and `onnxruntime`: judged token by token by the oracle, never by equality.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { DATA_TYPE, graphBuilder, type ElementType, type GraphBuilder } from '../../src/reference/onnx.js';
import type { ModelReport } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { changeJson, copyModel, modelFolder, scratch } from '../support/models.js';
import { plant } from './planted/pen.js';

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

async function judgedWith(kernels: string, model = modelFolder(MODEL)): Promise<ModelReport> {
  const ids = prompts.map(({ input_ids }) => ({ input_ids }));
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [model], kernels, prompts: ids } });
  return (await check(config, { engine })).models[0] as ModelReport;
}

async function judged(text: 'bf16' | 'bf16_sdpa', fault: string, model?: string): Promise<ModelReport> {
  const kernels = await mkdtemp(join(root.folder, 'kernels-'));
  const program = join(ROOT, '__tests__/kernels/fixtures/greedy-model.mjs');
  const command = [process.execPath, program, join(ROOT, '__tests__/goldens'), text, fault];
  await writeFile(
    join(kernels, 'kernel.json'),
    JSON.stringify({ name: 'greedy', op: 'generate', dtypes: ['bfloat16'], backend: 'command', command }),
  );
  return judgedWith(kernels, model);
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

describe('an ONNX model that writes text itself', () => {
  type Draw = (g: GraphBuilder) => void;

  /** Of the two golden prompts, which differ in length, it knows what transformers wrote; as many tokens as it is asked for. */
  function written(g: GraphBuilder, change: (ids: number[]) => number[] = (ids) => ids): string {
    const [first, second] = prompts.map(({ greedy_bf16_ids: ids }) => g.constant('int64', change(ids.slice(0, 20)))) as [string, string];
    const length = prompts[0]?.input_ids.length ?? 0;
    const isFirst = g.node('Equal', [g.node('Shape', [g.input('input_ids', 'int64')]), g.constant('int64', [length])]);
    const most = g.node('Unsqueeze', [g.input('max_new_tokens', 'int64'), g.constant('int64', [0])]);
    return g.node('Slice', [g.node('Where', [isFirst, first, second]), g.constant('int64', [0]), most]);
  }

  const giving =
    (change: (ids: number[]) => number[]): Draw =>
    (g) =>
      g.output('output_ids', written(g, change), 'int64');
  const cast = (g: GraphBuilder, value: string, type: ElementType) => g.node('Cast', [value], { to: DATA_TYPE[type] });

  async function judgedOnnx(kernels: Readonly<Record<string, Draw>>): Promise<ModelReport> {
    const folder = await mkdtemp(join(root.folder, 'kernels-'));
    for (const [name, draw] of Object.entries(kernels)) {
      const g = graphBuilder('writer');
      draw(g);
      await plant(folder, name, 'generate', g.build());
    }
    return judgedWith(folder);
  }

  const RIGHT = giving((ids) => ids);

  test('passes with the tokens that PyTorch wrote, whatever else the graph gives', async () => {
    const report = await judgedOnnx({
      writer: (g) => {
        const ids = written(g);
        g.output('output_ids', ids, 'int64');
        g.output('count', g.node('Size', [ids]), 'int64');
      },
    });
    expect(report).toMatchObject({
      verdict: 'COMPATIBLE',
      numeric: {
        kernels: [{ kernel: 'writer', op: 'generate', backend: 'onnxruntime', status: 'pass', sites: 1, probes: null }],
        model: { status: 'pass', kl_fused: null, decisive_flips: 0, positions: 32 },
        performance: { kernels: [{ kernel: 'writer' }] },
      },
    });
    const texts = report.numeric?.generation?.map(({ ids_fused }) => ids_fused);
    expect(texts).toEqual(prompts.map(({ greedy_bf16_ids }) => greedy_bf16_ids.slice(0, 16)));
  });

  test('fails with a token that the oracle would not choose', async () => {
    const report = await judgedOnnx({ writer: giving((ids) => ids.map((id, i) => (i === 2 ? id + 1 : id))) });
    const right = prompts[0]?.greedy_bf16_ids[2] ?? 0;
    expect(report).toMatchObject({ verdict: 'INCOMPATIBLE', numeric: { kernels: [{ status: 'fail' }], model: { status: 'fail' } } });
    expect(report.numeric?.kernels[0]?.detail).toContain(
      `prompt 1, new token 3: it wrote ${right + 1} where the oracle's choice is ${right},`,
    );
  });

  test('is inconclusive with the reason when it gives no text of the model, and another one is judged', async () => {
    const wrong: Record<string, [Draw, string]> = {
      'after-the-vocabulary': [giving((ids) => ids.with(0, 1024)), 'prompt 1: output_ids holds 1024; ids go from 0 to 1023'],
      'below-zero': [giving((ids) => ids.with(3, -1)), 'prompt 1: output_ids holds -1; ids go from 0 to 1023'],
      // float32 would make 2^40 of it, and its lower half is token 1.
      'beyond-float32': [giving((ids) => ids.with(0, 2 ** 40 + 1)), 'prompt 1: output_ids holds 1099511627777; ids go from 0 to 1023'],
      batch: [
        (g) => g.output('output_ids', g.node('Unsqueeze', [written(g), g.constant('int64', [0])]), 'int64'),
        'output output_ids has shape [1, 16]; it must be [any]',
      ],
      scalar: [
        (g) => g.output('output_ids', g.node('Gather', [written(g), g.constant('int64', 0)]), 'int64'),
        'output output_ids has shape []; it must be [any]',
      ],
      nothing: [
        (g) => g.output('output_ids', g.node('Slice', [written(g), g.constant('int64', [0]), g.constant('int64', [0])]), 'int64'),
        'prompt 1: output_ids is empty; it holds the new tokens, one at least',
      ],
      'prompt-too': [
        (g) => g.output('output_ids', g.node('Concat', [written(g), 'input_ids'], { axis: 0 }), 'int64'),
        'prompt 1: output_ids has 31 tokens, more than max_new_tokens 16; it holds the new tokens only',
      ],
      int32: [
        (g) => g.output('output_ids', cast(g, written(g), 'int32'), 'int32'),
        'output output_ids has type int32; token ids are int64',
      ],
      float32: [
        (g) => g.output('output_ids', cast(g, written(g), 'float32'), 'float32'),
        'output output_ids has type float32; token ids are int64',
      ],
      'other-name': [(g) => g.output('tokens', written(g), 'int64'), 'output output_ids is missing; generate gives output_ids'],
      'other-input': [
        (g) => g.output('output_ids', cast(g, g.input('input_ids', 'int32'), 'int64'), 'int64'),
        'input input_ids has type int32; token ids are int64',
      ],
    };
    const report = await judgedOnnx({ right: RIGHT, ...Object.fromEntries(Object.entries(wrong).map(([name, [draw]]) => [name, draw])) });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: { model: { status: 'inconclusive' }, generation: null } });
    const found = report.numeric?.kernels.map(({ kernel, status, detail }) => [kernel, [status, detail]]) ?? [];
    expect(Object.fromEntries(found)).toEqual({
      right: ['pass', null],
      ...Object.fromEntries(Object.entries(wrong).map(([name, [, words]]) => [name, ['inconclusive', `model: ${words}`]])),
    });
  });
});
