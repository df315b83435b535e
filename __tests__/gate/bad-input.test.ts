// Models and prompts at the edge of what can be compared, through the gate: values that the serving dtype cannot hold, one token, one layer,
// a tokenizer that does not fit. Each gets its verdict with its reason, never NaN for a figure; and what can be judged still is, both ways.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { openFolder } from '../../src/hub/folder.js';
import { serializeReport } from '../../src/report/write.js';
import type { ModelReport } from '../../src/report/types.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { bfloat16ToFloat32, roundToBfloat16, toFloat32 } from '../../src/weights/values.js';
import { writeSafetensors, type TensorToWrite } from '../../src/weights/write-safetensors.js';
import { norm, replaceRows, silu } from '../kernels/planted/ops.js';
import { drawKernel, plant, type Pen } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { changeJson, changeTensors, copyModel, modelFolder, scratch } from '../support/models.js';

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
const IDS = Array.from({ length: 24 }, (_, i) => 17 + 31 * i);
const PROMPTS = [{ input_ids: IDS.slice(0, 9) }, { input_ids: IDS.slice(9, 16) }];

async function judged(folder: string, overrides: Record<string, unknown> = {}): Promise<ModelReport> {
  const config = await loadConfig({ cwd: root.folder, overrides: { models: [folder], prompts: PROMPTS, ...overrides } });
  const report = await check(config, { engine, max_new_tokens: 2 });
  // Valid by its schema, and no number that is none has got into its words.
  serializeReport(report);
  const [model] = report.models;
  const words = [...(model?.reasons ?? []).map(({ message }) => message), ...(model?.numeric?.canaries ?? []).map(({ detail }) => detail)];
  expect(words.join('\n')).not.toMatch(/Infinity|NaN(?! or infinite)/);
  expect(report.gate).toBe(['COMPATIBLE', 'WARNING'].includes(report.models[0]?.verdict ?? '') ? 'pass' : 'fail');
  return report.models[0] as ModelReport;
}

/** A copy of the model with some of its weights changed, in float32. */
async function changed(as: string, changes: Readonly<Record<string, (values: Float32Array) => Float32Array>>): Promise<string> {
  const folder = await copyModel(MODEL, root.folder, as);
  await changeTensors(join(folder, 'model.safetensors'), (_header, data) => {
    for (const [tensor, change] of Object.entries(changes)) {
      const bits = data(tensor);
      bits.set(roundToBfloat16(change(bfloat16ToFloat32(bits))));
    }
  });
  return folder;
}

/** Writes the weights of a model's copy anew: without some tensors, and with other rows. */
async function rewritten(
  folder: string,
  leftOut: (name: string) => boolean,
  rows: (tensor: { name: string; data: Uint8Array; rowBytes: number }) => Uint8Array,
): Promise<void> {
  const checkpoint = await openCheckpoint(await openFolder(folder));
  const tensors: TensorToWrite[] = [];
  for (const [name, { shape, byteLength }] of checkpoint.tensors) {
    if (leftOut(name)) continue;
    const rowBytes = byteLength / (shape[0] ?? 1);
    const data = rows({ name, data: await checkpoint.read(name), rowBytes });
    tensors.push({ name, dtype: 'BF16', shape: [data.byteLength / rowBytes, ...shape.slice(1)], data });
  }
  await checkpoint.close();
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}

const times = (factor: number) => (values: Float32Array) => values.map((value) => value * factor);
const siluMul = (p: Pen) => p.op('Mul', silu(p, p.tensor('gate')), p.tensor('up'));

async function planted(as: string, op: string, draw: (p: Pen) => void): Promise<string> {
  const path = join(root.folder, as);
  await plant(path, as, op, drawKernel({ draw }));
  return path;
}

describe('weights that float16 cannot hold', () => {
  test('are named with their tensor, value and the limit, and no figure is made of them', async () => {
    const tensor = 'model.layers.3.mlp.down_proj.weight';
    const folder = await changed('weights', { [tensor]: (values) => values.fill(-70_144, 100, 101) });
    const report = await judged(folder, { dtype: 'float16' });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]).toEqual({
      code: 'serving_overflow',
      message:
        `model.safetensors: ${tensor} holds -70144, too large for float16, whose largest finite value is 65504; ` +
        'serve the model in bfloat16 or float32',
    });
    expect(report.recommendations[0]).toMatch(/^Serve the model in bfloat16 or float32/);
    expect((await judged(folder)).verdict).toBe('COMPATIBLE');
  });
});

describe('activations that overflow float16', () => {
  test('are named with the op, the layer and their size, and no correct kernel is blamed', async () => {
    const folder = await changed('activations', { 'model.layers.4.mlp.up_proj.weight': times(30_000) });
    const report = await judged(folder, { dtype: 'float16' });
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.reasons[0]?.code).toBe('model_inconclusive');
    expect(report.reasons[0]?.message).toMatch(
      /: layer 4 mlp\.up_proj \(linear\), prompt 1, position \d: values of up to \d{5,} overflow float16, whose largest finite value is 65504, in PyTorch eager too; serve the model in bfloat16 or float32\.$/,
    );
    expect(report.numeric?.kernels.map(({ status }) => status)).toEqual(Array(5).fill('pass'));
    expect(report.numeric?.kernels.every(({ worst_layer }) => worst_layer !== null && worst_layer <= 4)).toBe(true);
    expect(report.numeric?.model).toMatchObject({ status: 'inconclusive', kl_ratio: null, decisive_flips: null });
    expect(report.numeric?.canaries?.every(({ caught }) => caught)).toBe(true);
    expect(report.numeric?.generation).toBeNull();
    expect(report.recommendations).toEqual([expect.stringMatching(/^Serve the model in bfloat16 or float32 \(`dtype`\)/)]);
    expect((await judged(folder)).verdict).toBe('COMPATIBLE');
  });

  test('inside an op are named with it, however small its results; a kernel without a site before it has nothing to show', async () => {
    const folder = await changed('scores', {
      'model.layers.0.self_attn.q_proj.weight': times(1000),
      'model.layers.0.self_attn.k_proj.weight': times(1000),
    });
    const report = await judged(folder, { dtype: 'float16' });
    const where =
      /layer 0 self_attn\.attention \(attention\), prompt 1, position \d: something inside the op overflows float16 \(its results are [\d.]+ at most\)/;
    expect(report.verdict).toBe('INCONCLUSIVE');
    expect(report.numeric?.model?.detail).toMatch(where);
    const attention = report.numeric?.kernels.find(({ op }) => op === 'attention');
    expect(attention).toMatchObject({ status: 'inconclusive', sites: 0, accuracy_ratio: null });
    expect(attention?.detail).toMatch(/^not compared: layer 0 self_attn\.attention/);
    expect((await judged(folder)).verdict).toBe('COMPATIBLE');
  });

  test('do not hide a kernel that was wrong before them', async () => {
    const folder = await changed('wrong before', { 'model.layers.4.mlp.up_proj.weight': times(30_000) });
    const kernels = await planted('half', 'silu_mul', (p) => p.give('y', p.op('Mul', siluMul(p), p.scalar(0.5))));
    const report = await judged(folder, { dtype: 'float16', kernels });
    expect(report.verdict).toBe('INCOMPATIBLE');
    expect(report.numeric?.kernels[0]).toMatchObject({ status: 'fail', non_finite: 0 });
    expect(report.numeric?.kernels[0]?.worst_layer).toBeLessThan(4);
  });
});

describe.each([
  ['prompts of one token', () => modelFolder(MODEL), [{ input_ids: [5] }, { input_ids: [900] }]],
  ['one prompt of one token', () => modelFolder(MODEL), [{ input_ids: [5] }]],
  ['a model of one layer', () => oneLayer('one layer'), PROMPTS],
  ['a model of one layer and a prompt of one token', () => oneLayer('one of each'), [{ input_ids: [5] }]],
])('%s', (_what, model, prompts) => {
  test('are judged: correct kernels pass, a wrong one fails', async () => {
    const folder = await model();
    const report = await judged(folder, { prompts });
    expect(report.verdict).toBe('COMPATIBLE');
    expect(report.numeric?.model).toMatchObject({ status: 'pass', top1_agreement: 1, decisive_flips: 0 });
    const oneToken = prompts.every(({ input_ids }) => input_ids.length === 1);
    // One token has no next one that its probability could be looked at.
    expect(report.numeric?.model?.perplexity.fused === null).toBe(oneToken);
    expect(report.numeric?.canaries?.every(({ caught }) => caught)).toBe(true);
    const kernels = await planted(`wrong-${_what.replaceAll(' ', '-')}`, 'silu_mul', (p) =>
      p.give('y', p.op('Mul', siluMul(p), p.scalar(1.02))),
    );
    const wrong = await judged(folder, { prompts, kernels });
    expect(wrong.verdict).toBe('INCOMPATIBLE');
    expect(wrong.numeric?.kernels[0]?.status).toBe('fail');
  });
});

async function oneLayer(as: string): Promise<string> {
  const folder = await copyModel(MODEL, root.folder, as);
  await rewritten(
    folder,
    (name) => /^model\.layers\.[1-9]/.test(name),
    ({ data }) => data,
  );
  await changeJson(join(folder, 'config.json'), { num_hidden_layers: 1 });
  return folder;
}

describe('a kernel that gives NaN at one position', () => {
  /** A norm that is right but for token 12 of all prompts, in one layer or in all. */
  async function nanAt(layer: number | null): Promise<string> {
    const checkpoint = await openCheckpoint(await openFolder(modelFolder(MODEL)));
    const weights = await checkpoint.read(`model.layers.${layer ?? 0}.input_layernorm.weight`);
    const first = [...toFloat32(weights, 'BF16').subarray(0, 4)];
    await checkpoint.close();
    return planted(`nan-${layer}`, 'rms_norm', (p) => {
      const y = norm(p, p.tensor('x'), 'weight');
      const broken = replaceRows(p, y, 2, (positions) => p.op('Equal', positions, p.ints(12)), NaN);
      const own = p.slice(p.tensor('weight'), 0, p.ints(0), p.ints(first.length));
      const far = p.op('ReduceMax', p.op('Abs', p.op('Sub', own, p.g.constant(p.type, first))));
      p.give('y', layer === null ? broken : p.op('Where', p.op('Equal', far, p.scalar(0)), broken, y));
    });
  }

  test('in one layer fails, and the layer, the prompt and the position are named at the site and for the whole model', async () => {
    const report = await judged(modelFolder(MODEL), { kernels: await nanAt(7) });
    expect(report.verdict).toBe('INCOMPATIBLE');
    expect(report.numeric?.kernels[0]).toMatchObject({ status: 'fail', non_finite: 64, worst_layer: expect.any(Number) });
    expect(report.numeric?.kernels[0]?.detail).toBe(
      'layer 7 input_layernorm, output y: 64 of 1024 elements are NaN or infinite where the oracle is finite, the first at prompt 2, position 3',
    );
    expect(report.numeric?.model).toMatchObject({
      status: 'fail',
      // A masked probability is 0, and 0 times a NaN value is NaN: attention takes it to the tokens before it too.
      detail: "the fused model's logits are NaN or infinite at 7 of 16 positions (the first: prompt 2, position 0)",
      kl_fused: null,
      first_layer_above_floor: 7,
      responsible: [{ layers: [7], kl_ratio: null }],
    });
  });

  test('in every layer is named with the first', async () => {
    const report = await judged(modelFolder(MODEL), { kernels: await nanAt(null) });
    expect(report.verdict).toBe('INCOMPATIBLE');
    expect(report.numeric?.kernels[0]?.detail).toMatch(/^layer 0 input_layernorm, .*, the first at prompt 2, position 3$/);
    expect(report.numeric?.model?.first_layer_above_floor).toBe(0);
  });
});

describe('a tokenizer that is not of the size of the vocabulary', () => {
  /** The model with another number of rows in its embeddings and its head: cut, or the first ones once more at the end. */
  async function withRows(as: string, vocab_size: number): Promise<string> {
    const folder = await copyModel(MODEL, root.folder, as);
    await rewritten(
      folder,
      () => false,
      ({ name, data, rowBytes }) =>
        /embed_tokens|lm_head/.test(name) ? Buffer.concat([data, data]).subarray(0, vocab_size * rowBytes) : data,
    );
    await changeJson(join(folder, 'config.json'), { vocab_size });
    return folder;
  }
  const text = [{ text: 'In the beginning God created the heaven and the earth.' }];

  test('and has fewer ids is fine: rows without a token are padding', async () => {
    const report = await judged(await withRows('fewer ids', 1100), { prompts: text });
    expect(report.verdict).toBe('COMPATIBLE');
    expect(report.numeric?.generation?.[0]).toMatchObject({ coherent: true, prompt: text[0]?.text });
  });

  test('and gives ids beyond it is that of another model, with the built-in prompts too', async () => {
    const folder = await withRows('more ids', 300);
    for (const prompts of [text, undefined]) {
      const report = await judged(folder, { prompts });
      expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
      expect(report.reasons[0]?.code).toBe('tokenizer_invalid');
      expect(report.reasons[0]?.message).toMatch(
        /^prompt 1 becomes the token id \d{3}, but vocab_size is 300, so ids go from 0 to 299: the tokenizer is that of another model$/,
      );
    }
    // Token ids need no tokenizer.
    expect((await judged(folder, { prompts: [{ input_ids: [5, 299, 17] }] })).verdict).toBe('COMPATIBLE');
  });
});

describe('a prompt', () => {
  test.each([
    ['of no tokens', { input_ids: [] }, 'prompts[0].input-ids: [] is empty'],
    ['of no text', { text: '' }, 'prompts[0].text: "" is empty'],
  ])('%s is wrong usage', async (_what, prompt, words) => {
    await expect(loadConfig({ cwd: root.folder, overrides: { models: ['m'], prompts: [prompt] } })).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(words),
    });
  });

  test('whose text becomes no tokens is an error of the tokenizer', async () => {
    const folder = await copyModel(MODEL, root.folder, 'nothing left');
    const normalizer = { type: 'Replace', pattern: { Regex: '[a-z]+' }, content: '' };
    await changeJson(join(folder, 'tokenizer.json'), { normalizer });
    const report = await judged(folder, { prompts: [{ text: 'abc' }] });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]?.code).toBe('tokenizer_invalid');
    expect(report.reasons[0]?.message).toContain('no tokens');
  });

  test('of text longer than max_position_embeddings is refused, while the built-in ones are cut to what the model has', async () => {
    const folder = await copyModel(MODEL, root.folder, 'few positions');
    await changeJson(join(folder, 'config.json'), { max_position_embeddings: 6 });
    const report = await judged(folder, { prompts: [{ text: 'In the beginning God created the heaven and the earth.' }] });
    expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
    expect(report.reasons[0]?.code).toBe('prompt_too_long');
    expect(report.reasons[0]?.message).toMatch(/^prompt 1 has \d+ tokens, more than max_position_embeddings 6; shorten it$/);
    const cut = await judged(folder, { prompts: undefined });
    expect(cut.verdict).toBe('COMPATIBLE');
    expect(cut.numeric?.prompt_tokens).toEqual([6, 6, 3, 1]);
    // There is no position left to write to after the first ones.
    expect(cut.numeric?.generation).toEqual([]);
  });
});
