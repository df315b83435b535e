// Models that are wrong, through the gate: each gets its verdict and its reason, and never stops the others.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/cli/program.js';
import { loadConfig } from '../../src/config/load.js';
import { check, reference } from '../../src/gate.js';
import { serializeReport } from '../../src/report/write.js';
import type { ModelReport } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { changeJson, changeTensors, copyModel, modelFolder, scratch, shortModel } from '../support/models.js';
import { withoutTimes } from '../support/report.js';

let root: { folder: string; remove: () => Promise<void> };
const engine = startEngine();
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const PROMPTS = [{ input_ids: [1, 5, 9, 30, 7, 100, 3] }];

async function judged(folder: string, overrides: Record<string, unknown> = {}): Promise<ModelReport> {
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [folder], prompts: PROMPTS, ...overrides } });
  const report = await check(config, { engine, max_new_tokens: 2 });
  // Whatever is wrong with a model, the report is one that can be written.
  serializeReport(report);
  return report.models[0] as ModelReport;
}

interface Case {
  readonly what: string;
  readonly change: (folder: string) => Promise<unknown>;
  readonly code: string;
  readonly message: RegExp;
  /** Whether the static check could still run. */
  readonly static: boolean;
}

const WEIGHTS = 'model.safetensors';
const CASES: readonly Case[] = [
  {
    what: 'missing folder',
    change: (f) => rm(f, { recursive: true }),
    code: 'model_not_found',
    message: /There is no model folder/,
    static: false,
  },
  {
    what: 'missing config.json',
    change: (f) => rm(join(f, 'config.json')),
    code: 'config_invalid',
    message: /config\.json/,
    static: false,
  },
  {
    what: 'config.json that is no JSON',
    change: (f) => writeFile(join(f, 'config.json'), '{'),
    code: 'config_invalid',
    message: /config\.json/,
    static: false,
  },
  { what: 'missing weights', change: (f) => rm(join(f, WEIGHTS)), code: 'tensor_missing', message: /safetensors/, static: false },
  {
    what: 'unknown model_type',
    change: (f) => changeJson(join(f, 'config.json'), { model_type: 'mamba' }),
    code: 'unknown_model_type',
    message: /"mamba" is not built in; known: ernie4_5, gemma2, gemma3_text, llama, mistral, olmo2, phi3, qwen2, qwen3/,
    static: true,
  },
  {
    what: 'hidden_size that contradicts the weights',
    change: (f) => changeJson(join(f, 'config.json'), { hidden_size: 128 }),
    code: 'weights_mismatch',
    message: /has shape \[1024, 64\], but config\.json implies \[1024, 128\]/,
    static: true,
  },
  {
    what: 'head_dim that contradicts the weights',
    change: (f) => changeJson(join(f, 'config.json'), { head_dim: 8 }),
    code: 'weights_mismatch',
    message: /_proj\.weight has shape .* but config\.json implies/,
    static: true,
  },
  {
    what: 'too few layers in config.json',
    change: (f) => changeJson(join(f, 'config.json'), { num_hidden_layers: 9 }),
    code: 'weights_mismatch',
    message: /layers beyond num_hidden_layers 9/,
    static: true,
  },
  {
    what: 'too many layers in config.json',
    change: (f) => changeJson(join(f, 'config.json'), { num_hidden_layers: 11 }),
    code: 'tensor_missing',
    message: /model\.layers\.10\./,
    static: true,
  },
  {
    what: 'a missing tensor',
    change: (f) =>
      changeTensors(join(f, WEIGHTS), (header) => {
        header['model.layers.3.mlp.up_proj.wrong'] = header['model.layers.3.mlp.up_proj.weight'] as (typeof header)[string];
        delete header['model.layers.3.mlp.up_proj.weight'];
      }),
    code: 'tensor_missing',
    message: /model\.layers\.3\.mlp\.up_proj\.weight/,
    static: true,
  },
  {
    what: 'a file that was cut',
    change: (f) => truncate(join(f, WEIGHTS), 100_000),
    code: 'weights_invalid',
    message: /model\.safetensors.*(truncat|cut|short|ends|bytes)/,
    static: false,
  },
  {
    what: 'a file that is too long',
    change: (f) => appendFile(join(f, WEIGHTS), 'x'),
    code: 'weights_invalid',
    message: /model\.safetensors/,
    static: false,
  },
  {
    what: 'a Git LFS pointer for weights',
    change: (f) => writeFile(join(f, WEIGHTS), 'version https://git-lfs.github.com/spec/v1\n'),
    code: 'weights_invalid',
    message: /model\.safetensors/,
    static: false,
  },
  {
    what: 'NaN in an MLP weight',
    change: (f) => changeTensors(join(f, WEIGHTS), (_header, data) => data('model.layers.7.mlp.down_proj.weight').fill(0x7fc0, 100, 103)),
    code: 'non_finite_weights',
    message: /model\.layers\.7\.mlp\.down_proj\.weight holds 3 NaN and 0 infinite values/,
    static: true,
  },
  {
    what: 'infinity and NaN in rows of the untied embedding that no prompt reads',
    change: (f) =>
      changeTensors(join(f, WEIGHTS), (_header, data) => {
        const embedding = data('model.embed_tokens.weight');
        embedding.fill(0x7f80, embedding.length - 2);
        embedding[embedding.length - 500] = 0xffc0;
      }),
    code: 'non_finite_weights',
    message: /model\.embed_tokens\.weight holds 1 NaN and 2 infinite values/,
    static: true,
  },
];

describe.each(CASES)('$what', ({ what, change, code, message, static: checked }) => {
  let folder: string;
  beforeAll(async () => {
    folder = await copyModel('mistral-mini', root.folder, `bad ${what}`);
    await change(folder);
  });

  test('is INCONCLUSIVE with its reason, and static as far as it goes', async () => {
    const report = await judged(folder);
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]).toMatchObject({ code });
    expect(report.reasons[0]?.message).toMatch(message);
    expect(report.reasons.map(({ message: said }) => said).join()).not.toMatch(/defect of fused-compat|\n\s+at /);
    expect(report.static !== null).toBe(checked);
  });

  test('exits 1 from check and from inspect, without a stack', async () => {
    for (const command of ['check', 'inspect']) {
      let printed = '';
      const stream = { write: (text: string) => (printed += text) };
      const exit = await run([command, folder, '--output', join(root.folder, 'out')], {
        stdout: stream,
        stderr: stream,
        env: {},
        cwd: root.folder,
        loadGate: () =>
          Promise.resolve({ check: (config, options) => check({ ...config, prompts: PROMPTS }, { ...options, engine }), reference }),
      });
      // What only running the weights can tell, and what the static check of a Llama-like model does not need, `inspect` may pass.
      const seen = command === 'check' || !['non_finite_weights'].includes(code);
      expect([command, exit]).toEqual([command, seen ? 1 : 0]);
      expect(printed).not.toMatch(/\n\s+at /);
    }
  });
});

test('bad models never stop the good ones, and each is judged for itself', async () => {
  const bad = await copyModel('mistral-mini', root.folder, 'bad among good');
  await writeFile(join(bad, 'config.json'), '[]');
  const config = await loadConfig({
    cwd: root.folder,
    overrides: {
      models: [bad, modelFolder('mistral-mini'), join(root.folder, 'nowhere'), modelFolder('tinyllama-mini')],
      prompts: PROMPTS,
    },
  });
  const report = await check(config, { engine });
  expect(report.models.map(({ verdict }) => verdict)).toEqual(['INCONCLUSIVE', 'COMPATIBLE', 'INCONCLUSIVE', 'COMPATIBLE']);
  expect(report.gate).toBe('fail');
});

describe('prompts', () => {
  test('of more tokens than max_position_embeddings are refused, not cut', async () => {
    const folder = await copyModel('mistral-mini', root.folder, 'short positions');
    await changeJson(join(folder, 'config.json'), { max_position_embeddings: 8 });
    const report = await judged(folder, { prompts: [{ input_ids: [1, 2] }, { input_ids: [1, 2, 3, 4, 5, 6, 7, 8, 9] }] });
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.reasons[0]).toEqual({
      code: 'prompt_too_long',
      message: 'prompt 2 has 9 tokens, more than max_position_embeddings 8; shorten it',
    });
    expect((await judged(folder, { prompts: [{ input_ids: [1, 2, 3, 4, 5, 6, 7, 8] }] })).verdict).toBe('COMPATIBLE');
  });

  test('with ids beyond the vocabulary are refused', async () => {
    const report = await judged(modelFolder('mistral-mini'), { prompts: [{ input_ids: [1, 1024] }] });
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.reasons[0]).toMatchObject({ code: 'input_ids_out_of_range' });
    expect(report.reasons[0]?.message).toContain('prompt 1 has the token id 1024; vocab_size is 1024, so ids go from 0 to 1023');
    expect((await judged(modelFolder('mistral-mini'), { prompts: [{ input_ids: [1, 1023] }] })).verdict).toBe('COMPATIBLE');
  });

  test('of a model without a tokenizer are an error of the tokenizer, while token ids need none', async () => {
    const folder = await copyModel('mistral-mini', root.folder, 'no tokenizer');
    await rm(join(folder, 'tokenizer.json'));
    const report = await judged(folder, { prompts: undefined });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]?.code).toBe('tokenizer_invalid');
    expect((await judged(folder)).verdict).toBe('COMPATIBLE');
  });

  test('with a tokenizer whose regular expression would run for ever end in INCONCLUSIVE', async () => {
    const folder = await copyModel('mistral-mini', root.folder, 'hostile tokenizer');
    const file = join(folder, 'tokenizer.json');
    // Nothing repeats inside of a repetition, so no sieve sees it; every character can be read in two ways.
    const hostile = '(?:[a-z]|[a-y]|[ a-z])+#';
    await changeJson(file, { pre_tokenizer: { type: 'Split', pattern: { Regex: hostile }, behavior: 'Isolated', invert: false } });
    const report = await judged(folder, { prompts: [{ text: 'a'.repeat(60) }] });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]?.code).toBe('tokenizer_invalid');
    expect(report.reasons[0]?.message).toMatch(/did not end within 10 s/);
  });
});

describe('hardware that is not there', () => {
  test.each([
    ['auto', /^require-gpu is set, but kernel ort-.* would run on CPU \(onnxruntime /],
    [
      'webgpu',
      /^require-gpu is set, but no kernel could start on a GPU; ort-.*: no session could be made on the webgpu execution provider/,
    ],
    ['cuda', /^require-gpu is set, but no kernel could start on a GPU; ort-.*: no session could be made on the cuda execution provider/],
  ])('require-gpu with execution provider %s is INCONCLUSIVE and says why', async (provider, message) => {
    const report = await judged(modelFolder('mistral-mini'), { 'require-gpu': true, 'execution-provider': provider });
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.reasons[0]).toMatchObject({ code: 'no_gpu' });
    expect(report.reasons[0]?.message).toMatch(message);
    expect(report.reasons[0]?.message).not.toContain('onnxruntime_src');
  });

  test.each([
    ['webgpu', /adapter.*\); it needs a GPU, its driver and the Vulkan loader \(libvulkan\.so\.1\)/],
    [
      'cuda',
      /\); it needs an NVIDIA GPU and the CUDA libraries of ONNX Runtime .* too large to come with fused-compat: .*kernels of backend cuda/,
    ],
  ])('the %s execution provider without its device is INCONCLUSIVE by kernel, and says what it needs', async (provider, needs) => {
    const report = await judged(modelFolder('mistral-mini'), { 'execution-provider': provider });
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.numeric?.kernels.map(({ status, device }) => [status, device])).toEqual(Array(5).fill(['inconclusive', null]));
    for (const { detail } of report.numeric?.kernels ?? []) {
      expect(detail).toMatch(new RegExp(`^no session could be made on the ${provider} execution provider \\(`));
      expect(detail).toMatch(needs);
      expect(detail).not.toContain('onnxruntime_src');
    }
    expect(report.reasons[0]?.code).toBe('kernel_inconclusive');
  });
});

describe('policies on a checkpoint whose weights are suspect and whose kernels are fine', () => {
  test.each([
    ['evidence', 'WARNING', 'sensitive_checkpoint', 'pass'],
    ['strict', 'INCOMPATIBLE', 'static_incompatible', 'fail'],
    ['static', 'INCOMPATIBLE', 'static_incompatible', 'fail'],
  ] as const)('%s: %s', async (policy, verdict, code, outcome) => {
    const config = await loadConfig({ cwd: root.folder, overrides: { models: [modelFolder('qwen3-mini')], policy, prompts: PROMPTS } });
    const report = await check(config, { engine, max_new_tokens: 0 });
    expect(report.gate).toBe(outcome);
    const [model] = report.models;
    expect(model).toMatchObject({ verdict, static: { status: 'INCOMPATIBLE', score: 0, extreme_layers: 16, layers_total: 28 } });
    expect(model?.reasons[0]?.code).toBe(code);
    expect(model?.static?.max_k_weight).toBeCloseTo(96.5, 1);
    expect(model?.static?.k_weight_ratio).toBeCloseTo(42.3, 1);
    expect(model?.numeric?.status ?? null).toBe(policy === 'static' ? null : 'pass');
    expect(report.tool.onnxruntime === null).toBe(policy === 'static');
  });
});

test('two runs give the same report but for timing and the times of the kernels', async () => {
  const models = [
    await shortModel('mistral-mini', root.folder, 'short mistral', 3),
    await shortModel('gemma3-mini', root.folder, 'short gemma', 3),
  ];
  const config = await loadConfig({ cwd: root.folder, overrides: { models, prompts: [{ text: 'In the beginning' }, { text: 'And' }] } });
  const [first, second] = [await check(config, { engine }), await check(config, { engine })];
  const text = (report: typeof first) => serializeReport(withoutTimes(report));
  expect(text(second)).toBe(text(first));
  expect(first.models.map(({ verdict }) => verdict)).toEqual(['COMPATIBLE', 'COMPATIBLE']);
});

test('timing comes from the clock that was given', async () => {
  let now = 0;
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [modelFolder('mistral-mini')], policy: 'static' } });
  const report = await check(config, { engine, clock: () => new Date((now += 1000)) });
  expect(report.timing).toEqual({
    started_at: '1970-01-01T00:00:01.000Z',
    duration_ms: 3000,
    models: [{ id: modelFolder('mistral-mini'), duration_ms: 1000 }],
  });
});

test('wrong kernel manifests stop the run before any model is read', async () => {
  const folder = join(root.folder, 'kernels');
  await mkdir(folder);
  await writeFile(join(folder, 'kernel.json'), await readFile('package.json'));
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [join(root.folder, 'nowhere')], kernels: folder } });
  await expect(check(config, { engine })).rejects.toMatchObject({ name: 'UsageError' });
});
