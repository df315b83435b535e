// Greedy texts with kernels standing in: what kernels are called with, and what is made of what they write.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { generate, planOf, type GenerationOptions } from '../../src/diff/generation.js';
import { runSite, type Tensors } from '../../src/diff/site.js';
import { writeFused } from '../../src/diff/writers.js';
import { check } from '../../src/gate.js';
import { KernelError, type Kernel, type KernelAnswer, type KernelCall } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { forward } from '../../src/reference/forward.js';
import { eager } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { Generation, ModelReport } from '../../src/report/types.js';
import { bfloat16ToFloat32, roundToBfloat16 } from '../../src/weights/values.js';
import { BROKEN, type Planted } from '../kernels/planted/kernels.js';
import { drawKernel, plant } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { GOLDEN_MODELS, openModel, type OpenModel } from '../support/goldens.js';
import { copyModel, modelFolder, scratch } from '../support/models.js';

const NAME = 'mistral-mini';
const DTYPE = 'bfloat16';
const TOKENS = 6;

let runner: OpRunner;
let model: OpenModel;
let golden: { input_ids: number[]; greedy_bf16_ids: number[] }[];
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
  model = await openModel(GOLDEN_MODELS[NAME]);
  const text = await readFile(`__tests__/goldens/${NAME}/golden.json`, 'utf8');
  golden = (JSON.parse(text) as { prompts: typeof golden }).prompts;
});
afterAll(() => model.checkpoint.close());

function prompt(index: number): number[] {
  return golden[index]?.input_ids ?? [];
}

function written(index: number, tokens = TOKENS): number[] {
  return golden[index]?.greedy_bf16_ids.slice(0, tokens) ?? [];
}

function write(fused: GenerationOptions['fused'], changes: Partial<GenerationOptions> = {}): Promise<Generation[]> {
  const rest = { dtype: DTYPE, runner, prompts: [prompt(0)], max_new_tokens: TOKENS, noise: 0.06, decisive_margin: 10 } as const;
  return generate({ ...model, ...rest, fused, ...changes });
}

type Spoil = (outputs: Tensors, call: KernelCall) => KernelAnswer['outputs'];

/** A kernel that computes its site as eager does, and what it is then made to give. */
function standing(op: string, seen: KernelCall[], spoil: Spoil = (outputs) => outputs): GenerationOptions['fused'] {
  const sites = findSites(model.program, op);
  const kernel = (site: Site): Kernel => ({
    name: 'mine',
    op,
    backend: 'command',
    start: () => Promise.resolve({ device: 'CPU', gpu: false, variants: ['fused'] }),
    async run(call) {
      seen.push(call);
      const inputs = call.inputs as Tensors;
      const rows = Object.values(inputs)[0]?.shape[0] ?? 0;
      const sequence = { ids: [], segments: [{ start: 0, end: rows }] };
      const outputs = await runSite({ ...model, dtype: DTYPE, runner }, site, eager(DTYPE), inputs, sequence);
      return { outputs: spoil(outputs, call), time_us: null, violations: [] };
    },
    close: () => Promise.resolve(),
  });
  return { kind: 'sites', placements: sites.map((site) => ({ kernel: kernel(site), site })) };
}

const rowsOf = (call: KernelCall, tensor: string) => call.inputs[tensor]?.shape[0] ?? 0;
const full = (outputs: Tensors, value: number): Tensors =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data, shape }]) => [name, { data: data.slice().fill(value), shape }]));

describe('an attention kernel', () => {
  test('gets the whole prompt once, then one query and all keys; it writes what eager writes', async () => {
    const seen: KernelCall[] = [];
    const [entry] = await write(standing('attention', seen));
    const layers = model.program.num_hidden_layers;
    // Each layer gets the prompt, and then all other tokens one after the other.
    const first = [...seen.slice(0, 1), ...seen.slice(layers, layers + TOKENS - 1)];
    const shapes = first.map((call) => [rowsOf(call, 'q'), rowsOf(call, 'k'), rowsOf(call, 'v')]);
    const T = prompt(0).length;
    expect(shapes).toEqual([[T, T, T], ...Array.from({ length: TOKENS - 1 }, (_, i) => [1, T + i + 1, T + i + 1])]);
    expect(entry).toMatchObject({
      tokens: TOKENS,
      ids_prompt: prompt(0),
      ids_standard: written(0),
      ids_fused: written(0),
      text_fused: written(0).join(' '),
      first_divergence: null,
      coherent: true,
      detail: null,
    });
    expect(entry?.nll_fused).toBe(entry?.nll_standard);
    expect(entry?.excess_fused).toBeLessThan(0.01);
  });

  test('that is wrong with one query only writes another text, and the place is named', async () => {
    const [entry] = await write(standing('attention', [], (outputs, call) => (rowsOf(call, 'q') === 1 ? full(outputs, 0) : outputs)));
    expect(entry?.ids_standard).toEqual(written(0));
    // The first token is the prompt's doing.
    expect(entry?.ids_fused[0]).toBe(written(0)[0]);
    expect(entry?.first_divergence?.position).toBeGreaterThan(0);
    expect(entry?.nll_fused).toBeGreaterThan(entry?.nll_standard ?? Infinity);
  });

  test('that refuses one query ends the fused text only, with its words', async () => {
    const seen: KernelCall[] = [];
    const refuse: Spoil = (outputs, call) => {
      if (rowsOf(call, 'q') === 1) throw new KernelError('T must be a multiple of 16');
      return outputs;
    };
    const [entry] = await write(standing('attention', seen, refuse));
    expect(entry).toMatchObject({ ids_standard: written(0), ids_fused: written(0, 1), coherent: null, first_divergence: null });
    expect(entry?.detail).toBe('the fused text ends after 1 tokens: mine: T must be a multiple of 16');
    // It is not asked again.
    expect(seen).toHaveLength(model.program.num_hidden_layers + 1);
  });

  test('that gives NaN makes no text at all, which is incoherent', async () => {
    const [entry] = await write(standing('attention', [], (outputs) => full(outputs, NaN)));
    expect(entry).toMatchObject({ ids_standard: written(0), ids_fused: [], nll_fused: null, excess_fused: null, coherent: false });
    expect(entry?.detail).toContain('NaN or infinite');
  });
});

describe('a draft', () => {
  const others = (from: number) => written(0).map((id, i) => (i < from ? id : (id + 1) % model.program.vocab_size));
  test.each<[string, () => number[]]>([
    ['that is right', () => written(0)],
    ['that is right and ends early', () => written(0, 3)],
    ['that is wrong from the first token on', () => others(0)],
    ['that is wrong from the second token on', () => others(1)],
    ['that is wrong in the middle', () => others(TOKENS >> 1)],
    ['that is wrong in the last token', () => others(TOKENS - 1)],
    ['of no tokens', () => []],
  ])('%s leads to the same text', async (_, draft) => {
    const task = { prompt: prompt(0), tokens: TOKENS, ends: new Set<number>() };
    const fused = standing('attention', []);
    const [text] = await writeFused({ ...model, dtype: DTYPE, runner }, fused, [task], [draft()]);
    expect(text).toEqual({ ids: written(0), stopped: null });
  });
});

test('every other kernel gets one token at a time', async () => {
  const seen: KernelCall[] = [];
  const [entry] = await write(standing('rms_norm', seen));
  const tokens = new Set(seen.map((call) => rowsOf(call, 'x')));
  expect([...tokens]).toEqual([prompt(0).length, 1]);
  expect(entry).toMatchObject({ ids_fused: written(0), coherent: true });
});

test('a kernel that is a decoder layer, which keeps no keys, gets all tokens each time', async () => {
  const seen: KernelCall[] = [];
  const [entry] = await write(standing('decoder_layer', seen), { max_new_tokens: 3 });
  const tokens = [...new Set(seen.map((call) => rowsOf(call, 'x')))];
  expect(tokens).toEqual([0, 1, 2].map((more) => prompt(0).length + more));
  expect(entry).toMatchObject({ ids_fused: written(0, 3), coherent: true });
});

test('a kernel that is a whole model gets all tokens each time, one prompt, 8 tokens', async () => {
  const seen: number[] = [];
  const logits = async (ids: readonly number[]) => {
    seen.push(ids.length);
    return (await forward(runner, model.program, model.checkpoint, { ids, recipe: eager(DTYPE), dtype: DTYPE })).logits;
  };
  const entries = await write({ kind: 'model', logits }, { prompts: [prompt(0), prompt(1)], max_new_tokens: 10 });
  expect(entries.map(({ ids_fused }) => ids_fused)).toEqual([written(0, 8)]);
  expect(seen).toEqual(Array.from({ length: 8 }, (_, i) => prompt(0).length + i));
});

describe('a text', () => {
  test('is coherent where it is another that the oracle finds as likely, and incoherent where it is any', async () => {
    const other = [...written(0, 3), ...written(1, 3)];
    const texts = [written(0), other.map((id) => (id * 7 + 11) % model.program.vocab_size)];
    const [same, any] = await write({ kind: 'texts', texts }, { prompts: [prompt(0), prompt(0)] });
    expect(same).toMatchObject({ coherent: true, first_divergence: null });
    expect(any).toMatchObject({ coherent: false, first_divergence: { position: 0, near_tie: false } });
    expect(any?.detail).toMatch(/^to the oracle its tokens are \S+ times less likely than the best ones/);
  });

  test('that loops is incoherent where the standard one does not and the oracle would not have gone there', async () => {
    const loop = [...written(0, 2), ...Array.from({ length: 10 }, () => written(0, 2)[1] as number)];
    const [entry] = await write({ kind: 'texts', texts: [loop] }, { max_new_tokens: 12 });
    expect(entry).toMatchObject({ loops: { standard: false, fused: true }, coherent: false });
  });

  test('that loops as the standard one does is coherent: that is the model, not its kernels', async () => {
    // Layers that add nothing to embeddings that are all the same: whatever came before, one token is the likeliest.
    const read = async (...[name, start, end]: Parameters<typeof model.checkpoint.read>) => {
      const bytes = await model.checkpoint.read(name, start, end);
      if (!/embed_tokens|o_proj|down_proj/.test(name)) return bytes;
      return new Uint8Array(new Uint16Array(bytes.byteLength / 2).fill(name.includes('embed') ? 0x3f80 : 0).buffer);
    };
    const checkpoint = { ...model.checkpoint, read };
    const [entry] = await write(standing('silu_mul', []), { checkpoint, max_new_tokens: 10 });
    expect(new Set(entry?.ids_standard).size).toBe(1);
    expect(entry).toMatchObject({ loops: { standard: true, fused: true }, first_divergence: null, coherent: true, excess_fused: 0 });
  });

  test('where eager overflows the serving dtype is not compared: there the standard one ends, with the reason', async () => {
    // Scores beyond float16: eager has no logits to choose by.
    const read = async (...[name, start, end]: Parameters<typeof model.checkpoint.read>) => {
      const bytes = await model.checkpoint.read(name, start, end);
      if (!/layers\.0\.self_attn\.[qk]_proj/.test(name)) return bytes;
      const bits = new Uint16Array(Uint8Array.from(bytes).buffer);
      return new Uint8Array(roundToBfloat16(bfloat16ToFloat32(bits).map((value) => value * 1000)).buffer);
    };
    const checkpoint = { ...model.checkpoint, read };
    const [entry] = await write({ kind: 'texts', texts: [written(0)] }, { dtype: 'float16', checkpoint });
    expect(entry).toMatchObject({ ids_fused: written(0), ids_standard: [], first_divergence: null, nll_standard: null, coherent: null });
    expect(entry?.detail).toBe('the standard text ends after 0 tokens: logits are NaN or infinite');
    // In bfloat16 the same weights give a text.
    const [fine] = await write({ kind: 'texts', texts: [written(0)] }, { checkpoint });
    expect(fine?.ids_standard).toHaveLength(TOKENS);
  });

  test('is as long as the model has positions for, and none where the prompt fills them', async () => {
    const short = (room: number) => ({ program: { ...model.program, max_position_embeddings: prompt(0).length + room } });
    const [two] = await write(standing('silu_mul', []), short(2));
    expect(two).toMatchObject({ tokens: 2, ids_standard: written(0, 2), ids_fused: written(0, 2) });
    expect(await write(standing('silu_mul', []), short(0))).toEqual([]);
  });

  test('ends with an end-of-text token', async () => {
    const [entry] = await write(standing('silu_mul', []), { config: { eos_token_id: written(0)[2] } });
    expect(entry).toMatchObject({ ids_standard: written(0, 3), ids_fused: written(0, 3), coherent: true });
  });
});

test.each([
  [2 ** 20, 'sites', 2, 16],
  [100 * 2 ** 20, 'sites', 2, 10],
  [2 ** 29, 'sites', 1, 8],
  [16e9, 'sites', 1, 8],
  [2 ** 20, 'model', 1, 8],
] as const)('a model of which a token reads %d bytes (%s) writes after %d prompts, %d tokens', (bytes, kind, prompts, tokens) => {
  expect(planOf(bytes, kind, 16)).toEqual({ prompts, tokens });
});

describe('the gate', () => {
  const engine = startEngine();
  let root: { folder: string; remove: () => Promise<void> };
  beforeAll(async () => {
    root = await scratch();
  });
  afterAll(async () => {
    await engine.close();
    await root.remove();
  });

  async function judged(path: string, kernels: string): Promise<ModelReport> {
    const prompts = golden.slice(0, 1).map(({ input_ids }) => ({ input_ids }));
    const config = await loadConfig({ cwd: root.folder, overrides: { models: [path], kernels, prompts, layers: '0' } });
    return (await check(config, { engine })).models[0] as ModelReport;
  }

  test('shows texts as the tokenizer has them, and as ids where there is none; they decide nothing', async () => {
    const report = await judged(modelFolder(NAME), '');
    const [entry] = report.numeric?.generation ?? [];
    expect(entry).toMatchObject({ prompt: 'In the beginning God created the heaven and the', coherent: true });
    expect(entry?.text_standard).toMatch(/^[A-Za-z ,.;:]+$/);
    const copy = await copyModel(NAME, root.folder, 'without-tokenizer');
    await rm(join(copy, 'tokenizer.json'));
    const bare = await judged(copy, '');
    expect(bare.verdict).toBe(report.verdict);
    expect(bare.numeric?.generation?.[0]).toEqual({
      ...entry,
      prompt: entry?.ids_prompt.join(' '),
      text_standard: entry?.ids_standard.join(' '),
      text_fused: entry?.ids_fused.join(' '),
    });
  });

  test('says so when a broken kernel makes gibberish', async () => {
    const kernel = BROKEN.find(({ name }) => name === 'rope-interleaved-for-half') as Planted;
    const folder = join(root.folder, 'rope');
    await plant(folder, kernel.name, kernel.op, drawKernel(kernel));
    const report = await judged(modelFolder(NAME), folder);
    expect(report).toMatchObject({ verdict: 'INCOMPATIBLE', numeric: { generation: [{ coherent: false }] } });
    const reason = report.reasons.find(({ code }) => code === 'generation_incoherent');
    expect(reason?.message).toMatch(/^The fused model's greedy text is incoherent after 1 of 1 prompt: to the oracle its tokens are/);
  });
});
