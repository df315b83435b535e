// Causes: an implementation that shares nothing with the reference, with one mistake planted in it at a time, and what the gate says of it. The
// table of docs/causes.md is what these runs give.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { single } from '../../src/diff/causes.js';
import { check } from '../../src/gate.js';
import type { CauseCode, ModelReport } from '../../src/report/types.js';
import { NUMPY_PYTHON, PYTHON_ENV } from '../kernels/python.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch, shortModel, type ModelName } from '../support/models.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PLANTED = join(ROOT, '__tests__/kernels/fixtures/planted.mjs');

const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

interface Row {
  /** As planted.mjs calls it. */
  readonly fault: string;
  readonly op: string;
  /** null: nothing may be named. */
  readonly code: CauseCode | 'rounding_point' | null;
  readonly env?: Readonly<Record<string, string>>;
}

const row = (fault: string, op: string, code: Row['code'], env: Row['env'] = {}): Row => ({ fault, op, code, env });

const ROWS: Readonly<Partial<Record<ModelName, readonly Row[]>>> = {
  'qwen3-mini': [
    row('rounding', 'rms_norm', 'rounding_point'),
    row('rope-layout', 'rope', 'rope_layout'),
    row('rope-base', 'rope', 'rope_base', { WRONG_THETA: '10000' }),
    row('position-offset', 'rope', 'position_offset'),
    row('missing-qk-norm', 'qk_norm', 'missing_qk_norm'),
    row('eps', 'qk_norm', 'eps'),
    row('scale', 'attention', 'scale'),
    row('mask', 'attention', 'mask'),
    row('head-mapping', 'attention', 'head_mapping'),
    row('head-dim', 'attention', 'head_dim', { HIDDEN_SIZE: '64' }),
    row('activation', 'silu_mul', 'activation'),
    row('gate-up-order', 'silu_mul', 'gate_up_order'),
    row('accumulation', 'linear', 'accumulation_dtype'),
    row('none', 'rms_norm', null),
    row('none', 'qk_norm', null),
    row('none', 'rope', null),
    row('none', 'attention', null),
    row('none', 'silu_mul', null),
    row('tail', 'rms_norm', null),
    row('times', 'rms_norm', null),
    row('times', 'qk_norm', null),
  ],
  'ernie45-mini': [
    row('rope-layout', 'rope', 'rope_layout'),
    row('rope-layout', 'decoder_layer', 'rope_layout'),
    row('rope-layout', 'model', 'rope_layout'),
    row('head-dim', 'decoder_layer', 'head_dim'),
    row('head-dim', 'model', 'head_dim'),
    row('accumulation', 'rms_norm', 'accumulation_dtype'),
    row('none', 'decoder_layer', null),
    row('none', 'model', null),
    row('times', 'rms_norm', null),
  ],
  'tinyllama-mini': [
    row('tied-head', 'model', 'tied_head'),
    row('rope-base', 'model', 'rope_base', { WRONG_THETA: '500000' }),
    row('mask', 'model', 'mask'),
    row('tail', 'model', null),
    row('eps', 'rms_norm', 'eps'),
  ],
  'mistral-mini': [row('window', 'attention', 'window'), row('none', 'attention', null)],
  'gemma3-mini': [
    row('norm-weight-offset', 'rms_norm', 'norm_weight_offset'),
    row('window', 'attention', 'window'),
    row('activation', 'gelu_tanh_mul', 'activation'),
    row('none', 'qk_norm', null),
    row('tail', 'rms_norm', null),
  ],
};

const nameOf = ({ fault, op }: Row) => `${fault}-${op.replaceAll('_', '-')}`;

async function prompts(model: ModelName): Promise<{ input_ids: number[] }[]> {
  const golden = JSON.parse(await readFile(join(ROOT, `__tests__/goldens/${model}/golden.json`), 'utf8')) as {
    prompts: { input_ids: number[] }[];
  };
  const ids = golden.prompts.at(-1)?.input_ids ?? [];
  return [{ input_ids: ids.slice(0, 18) }, { input_ids: ids.slice(18, 46) }];
}

async function judged(model: ModelName, path: string, kernels: string): Promise<ModelReport> {
  const overrides = { models: [path], kernels, prompts: await prompts(model) };
  const report = await check(await loadConfig({ cwd: root.folder, overrides }), { engine, max_new_tokens: 0 });
  return report.models[0] as ModelReport;
}

/** One run of all that is planted in a model. */
async function tried(model: ModelName): Promise<ModelReport> {
  const kernels = join(root.folder, `${model}-kernels`);
  for (const each of ROWS[model] ?? []) {
    const { fault, op, env } = each;
    await mkdir(join(kernels, nameOf(each)), { recursive: true });
    const command = [process.execPath, PLANTED, fault, op];
    const manifest = { name: nameOf(each), op, dtypes: ['bfloat16'], backend: 'command', command, env };
    await writeFile(join(kernels, nameOf(each), 'kernel.json'), JSON.stringify(manifest));
  }
  return judged(model, await shortModel(model, root.folder, model, 2), kernels);
}

/** What the diagnosis says of a kernel, without its name and its numbers. */
function said({ diagnosis }: ModelReport, each: Row): { code: string; words: string }[] {
  const name = nameOf(each);
  return diagnosis
    .filter(({ message }) => message.startsWith(`${name} `))
    .map(({ code, message }) => ({ code, words: (message.slice(name.length + 1).split(/: with that one change|: \d/)[0] ?? '').trim() }));
}

const table: string[] = [];

describe('an implementation with one mistake', () => {
  test.each(Object.keys(ROWS) as ModelName[])('has it named, or nothing, never something else, on %s', async (model) => {
    const report = await tried(model);
    const given = (ROWS[model] ?? []).map((each) => {
      const [first, ...more] = said(report, each);
      // That a correct kernel keeps more digits than PyTorch is said where the whole model fails, and is no fault.
      const code = each.code === null && first?.code === 'rounding_point' ? null : (first?.code ?? null);
      if (each.code !== null)
        table.push(`| ${each.fault} | \`${each.op}\` | ${model} | \`${first?.code ?? '–'}\` | ${first?.words ?? '(nothing)'} |`);
      return { kernel: nameOf(each), code, more: more.length };
    });
    expect(given).toEqual((ROWS[model] ?? []).map((each) => ({ kernel: nameOf(each), code: each.code, more: 0 })));
  });

  test('and all 15 causes are planted, correct kernels pass, and docs/causes.md has the table of what was said', async () => {
    const codes = new Set(Object.values(ROWS).flatMap((rows) => rows.flatMap(({ code }) => code ?? [])));
    for (const code of ISSUE) expect(codes).toContain(code);
    const document = (await readFile(join(ROOT, 'docs/causes.md'), 'utf8')).replaceAll(/ +/g, ' ');
    expect(table.filter((line) => !document.includes(line))).toEqual([]);
    expect(table.length).toBe(Object.values(ROWS).flatMap((rows) => rows.filter(({ code }) => code !== null)).length);
  });
});

const ISSUE: readonly Row['code'][] = [
  'rounding_point',
  'rope_layout',
  'rope_base',
  'position_offset',
  'missing_qk_norm',
  'norm_weight_offset',
  'eps',
  'scale',
  'mask',
  'window',
  'head_mapping',
  'head_dim',
  'activation',
  'tied_head',
  'accumulation_dtype',
];

describe('hypotheses that fit', () => {
  const fit = (code: CauseCode, says: string, worst: number) => ({ hypothesis: { code, says }, worst });

  test('name a cause when they are of one kind, the best of them, with those that fit as well', () => {
    expect(single([fit('eps', 'a', 1), fit('eps', 'b', 1.05), fit('eps', 'c', 1.9)])).toMatchObject({
      best: { worst: 1 },
      says: 'a, or b',
    });
  });

  test('name nothing when they are of several kinds, and nothing when there are none', () => {
    expect(single([fit('eps', 'a', 0.5), fit('norm_weight', 'b', 1.5)])).toBeNull();
    expect(single([])).toBeNull();
  });
});

const withNumPy = NUMPY_PYTHON === null ? describe.skip : describe;

withNumPy('the example of an ERNIE 4.5 implementation', () => {
  async function example(layout: string): Promise<ModelReport> {
    const folder = join(ROOT, 'examples/implementations/ernie45', layout);
    const manifest = JSON.parse(await readFile(join(folder, 'kernel.json'), 'utf8')) as { command: string[]; env: Record<string, string> };
    const kernels = join(root.folder, layout);
    await mkdir(kernels);
    const command = [NUMPY_PYTHON as string, join(folder, manifest.command[1] as string), ...manifest.command.slice(2)];
    await writeFile(join(kernels, 'kernel.json'), JSON.stringify({ ...manifest, command, env: PYTHON_ENV }));
    return judged('ernie45-mini', modelFolder('ernie45-mini'), kernels);
  }

  test('with half-split RoPE, standard and fused alike, is an IMPLEMENTATION_ISSUE, and the cause is named', async () => {
    const report = await example('half-split');
    expect(report).toMatchObject({ verdict: 'IMPLEMENTATION_ISSUE', reasons: [{ code: 'standard_fail' }, {}, {}] });
    expect(report.numeric?.causes.map(({ variant, code }) => `${variant} ${code}`).sort()).toEqual([
      'fused rope_layout',
      'standard rope_layout',
    ]);
    const [diagnosis, ...more] = report.diagnosis;
    expect(more).toEqual([]);
    expect(diagnosis?.message).toMatch(
      /^my-rope, standard and fused alike, rotates half-split pairs .* where this model needs interleaved ones .*: with that one change the reference gives its output \(accuracy_ratio [\d.]+ instead of \d+ at layer \d+ self_attn\.rotary_emb, [\d.]+ instead of \d+ at layer \d+ self_attn\.rotary_emb\)\.$/,
    );
    expect(report.recommendations.join()).toContain('interleaved ones 2i with 2i + 1 (ERNIE 4.5)');
  });

  test('with the cause fixed is COMPATIBLE', async () => {
    expect(await example('interleaved')).toMatchObject({ verdict: 'COMPATIBLE', diagnosis: [], numeric: { causes: [] } });
  });
});
