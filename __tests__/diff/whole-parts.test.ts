// Kernels that are a whole layer or a whole model, correct and broken, through the real numeric diff.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Program } from '../../src/architectures/program.js';
import { numericDiff } from '../../src/diff/numeric-diff.js';
import { runSite, type Tensors } from '../../src/diff/site.js';
import { checkOutputs, KernelError, type Kernel, type KernelAnswer, type KernelCall } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { NumericResult } from '../../src/report/types.js';
import { GOLDEN_MODELS, openModel, readGolden, runForward, type Golden, type OpenModel } from '../support/goldens.js';
import { modelFolder, scratch, shortModel, type ModelName } from '../support/models.js';

const LIMITS = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
const DTYPE = 'bfloat16';

let runner: OpRunner;
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});

function kernel(op: string, outputs: (call: KernelCall) => Promise<KernelAnswer['outputs']>, changes: Partial<KernelAnswer> = {}): Kernel {
  return {
    name: 'mine',
    op,
    backend: 'command',
    start: () => Promise.resolve({ device: 'CPU', gpu: false, variants: ['fused'] }),
    run: async (call) => ({
      outputs: checkOutputs(op, call.inputs, call.attributes, await outputs(call)),
      time_us: null,
      violations: [],
      ...changes,
    }),
    close: () => Promise.resolve(),
  };
}

function diff(
  name: ModelName,
  model: OpenModel,
  kernels: readonly Kernel[],
  prompts: readonly (readonly number[])[],
): Promise<NumericResult> {
  return numericDiff(runner, {
    ...model,
    model: modelFolder(name),
    dtype: DTYPE,
    prompts,
    kernels,
    unfused: [],
    layers: [0, 1],
    limits: LIMITS,
    max_new_tokens: 0,
    require_gpu: false,
  });
}

/** Computes the layer that it is asked for with the reference's own ops, from nothing but what the call brings. */
function layerKernel({ program, checkpoint }: OpenModel, seen: KernelCall[], recipe = eager(DTYPE)): Kernel {
  const sites = findSites(program, 'decoder_layer');
  return kernel('decoder_layer', async (call) => {
    seen.push(call);
    const site = sites[Number(call.attributes['layer_idx'])] as Site;
    const tokens = call.inputs['x']?.shape[0] ?? 0;
    const sequence = { ids: Array.from({ length: tokens }, () => 0), segments: [{ start: 0, end: tokens }] };
    const kept = new Map(
      [...site.weights.keys()].map((tensor) => [tensor, Promise.resolve((call.inputs as Tensors)[tensor] as Tensors[string])]),
    );
    return runSite({ program, checkpoint, dtype: DTYPE, runner, weights: kept }, site, recipe, call.inputs as Tensors, sequence);
  });
}

// Gemma 3: two RoPE tables, windows, norms on both sides of attention and MLP. Both kinds of layers: all of them go through jest's slow loops.
describe('a kernel that is a decoder layer', () => {
  const name = 'gemma3-mini';
  let root: { folder: string; remove: () => Promise<void> };
  let model: OpenModel;
  let prompts: (readonly number[])[];
  beforeAll(async () => {
    root = await scratch();
    model = await openModel(await shortModel(name, root.folder, name, 3));
    const { ids } = await readGolden(name);
    prompts = [ids[0]?.slice(0, 5) ?? [], ids[1]?.slice(0, 8) ?? []];
  });
  afterAll(async () => {
    await model.checkpoint.close();
    await root.remove();
  });

  test('and computes as eager does passes, bit by bit, and gets one prompt at a time with the weights by their checkpoint names', async () => {
    const seen: KernelCall[] = [];
    const result = await diff(name, model, [layerKernel(model, seen)], prompts);
    expect(result.kernels).toMatchObject([{ status: 'pass', sites: 2, bitwise_equal: 1, nearest_recipe: 'eager' }]);
    expect(result.model).toMatchObject({ status: 'pass', kl_fused: result.model?.kl_recipes['eager'] });
    // Teacher-forced in two layers only, free-running in all.
    expect(new Set(seen.map(({ attributes }) => attributes['layer_idx'])).size).toBe(model.program.num_hidden_layers);
    for (const [i, { inputs, attributes }] of seen.slice(0, 2).entries()) {
      const tokens = prompts[i]?.length ?? 0;
      expect(inputs['x']?.shape).toEqual([tokens, model.program.hidden_size]);
      expect(inputs['cos']?.shape[0]).toBe(tokens);
      expect(inputs['model.layers.0.self_attn.q_proj.weight']?.shape).toEqual(
        model.checkpoint.tensors.get('model.layers.0.self_attn.q_proj.weight')?.shape,
      );
      expect(attributes).toMatchObject({
        layer_idx: 0,
        hidden_size: model.program.hidden_size,
        rms_norm_eps: model.config['rms_norm_eps'],
      });
    }
  });

  test('and computes otherwise, but validly, passes', async () => {
    const other = validRecipes(DTYPE).find((recipe) => recipe.name === 'all_variants');
    const result = await diff(name, model, [layerKernel(model, [], other)], prompts);
    expect(result.kernels).toMatchObject([{ status: 'pass', nearest_recipe_equal: 1 }]);
    expect(result.kernels[0]?.bitwise_equal).toBeLessThan(1);
    expect(result.status).toBe('pass');
  });

  test('and pairs the elements of RoPE the other way fails', async () => {
    const swap = (layout: unknown) => (layout === 'half' ? 'interleaved' : 'half');
    const ops = model.program.ops.map((op) =>
      op.op === 'rope' ? { ...op, attributes: { ...op.attributes, layout: swap(op.attributes['layout']) } } : op,
    );
    const program: Program = { ...model.program, ops };
    const result = await diff(name, model, [layerKernel({ ...model, program }, [])], prompts);
    expect(result.kernels).toMatchObject([{ status: 'fail', op: 'decoder_layer', worst_site: 'layer' }]);
    expect(result.model?.status).toBe('fail');
  });
});

describe('a kernel that is a whole model', () => {
  const name = 'qwen3-mini';
  let root: { folder: string; remove: () => Promise<void> };
  /** Two layers of it, for the kernels that are not right. */
  let model: OpenModel;
  let golden: Golden;
  let prompts: (readonly number[])[];
  let right: NdArray;
  beforeAll(async () => {
    root = await scratch();
    model = await openModel(await shortModel(name, root.folder, name, 2));
    golden = await readGolden(name);
    prompts = [golden.ids[0] ?? []];
    right = (await runForward(runner, model, prompts[0] ?? [], eager(DTYPE))).logits;
  });
  afterAll(async () => {
    await model.checkpoint.close();
    await root.remove();
  });

  /** What eager computes, which the kernel knows its prompt by. */
  function logits({ inputs }: KernelCall, change: (values: Float32Array) => Float32Array = (values) => values) {
    expect(Array.from(inputs['input_ids']?.data ?? [])).toEqual(prompts[0]);
    return { data: change(Float32Array.from(right.data)), shape: right.shape };
  }

  test('passes with the logits of PyTorch, and is told where the checkpoint is', async () => {
    const whole = await openModel(GOLDEN_MODELS[name]);
    const seen: KernelCall[] = [];
    const mine = kernel('model', async (call) => {
      seen.push(call);
      expect(Array.from(call.inputs['input_ids']?.data ?? [])).toEqual(golden.ids[0]);
      return { logits: { data: Float32Array.from(golden.tensor('p0.bf16.logits')), shape: [15, 1024] } };
    });
    const result = await diff(name, whole, [mine], prompts);
    await whole.checkpoint.close();
    // Once for each prompt, and then to be timed.
    expect(seen.length).toBeGreaterThan(prompts.length);
    for (const { attributes } of seen) expect(attributes).toEqual({ model_path: modelFolder(name), vocab_size: 1024 });
    expect(result.kernels).toMatchObject([{ kernel: 'mine', status: 'pass', detail: null, sites: 1, non_finite: 0 }]);
    expect(result.kernels[0]?.bitwise_equal).toBeGreaterThan(0.3);
    expect(result.model).toMatchObject({ status: 'pass', decisive_flips: 0, positions: 15 });
    expect(result.model?.kl_ratio).toBeLessThan(2);
    expect(result.model?.perplexity.fused).toBeCloseTo(result.model?.perplexity.eager ?? 0, 1);
  });

  test.each([
    ['logits of other tokens', (values: Float32Array) => values.reverse(), /decisive flips/],
    ['NaN', (values: Float32Array) => values.fill(NaN, 5, 6), /NaN or infinite at 1 of 15 positions/],
    ['logits of another temperature', (values: Float32Array) => values.map((value) => value * 0.8), /kl_ratio .* > 4/],
  ])('fails with %s', async (_what, change, detail) => {
    const result = await diff(name, model, [kernel('model', async (call) => ({ logits: logits(call, change) }))], prompts);
    expect(result).toMatchObject({ status: 'fail', kernels: [{ status: 'fail' }], model: { status: 'fail' } });
    expect(result.kernels[0]?.detail).toMatch(detail);
  });

  test.each([
    [
      'logits of another vocabulary',
      () => Promise.resolve({ logits: { data: new Float32Array(15), shape: [15, 1] } }),
      /shape \[15, 1\]; it must be \[15, 1024\]/,
    ],
    ['an error', () => Promise.reject(new KernelError('out of memory')), /^model: out of memory$/],
  ])('is inconclusive with %s, and the other kernels are judged', async (_what, outputs, detail) => {
    const judged = { ...kernel('model', (call) => Promise.resolve({ logits: logits(call) })), name: 'other' };
    const result = await diff(name, model, [kernel('model', outputs), judged], prompts);
    expect(result.kernels).toMatchObject([
      { kernel: 'mine', status: 'inconclusive' },
      { kernel: 'other', status: 'pass' },
    ]);
    expect(result.kernels[0]?.detail).toMatch(detail);
    expect(result.model).toMatchObject({ status: 'inconclusive', kl_fused: null });
  });

  test('fails when it writes where it must not, whatever its logits', async () => {
    const violations = [{ check: 'inputs_unchanged' as const, detail: 'input input_ids was changed (first at element 0)' }];
    const result = await diff(name, model, [kernel('model', async (call) => ({ logits: logits(call) }), { violations })], prompts);
    expect(result.kernels).toMatchObject([{ status: 'fail', detail: 'model: input input_ids was changed (first at element 0)' }]);
  });
});
