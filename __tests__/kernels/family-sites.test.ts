// Where kernels stand in families whose weights or norms are laid out otherwise than Llama's, and which weights they are given there.

import { describe, expect, test } from '@jest/globals';
import { tokenShapes } from '../../src/diff/probe-inputs.js';
import { siteWeights } from '../../src/diff/site.js';
import { CONTRACTS } from '../../src/kernels/contracts.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { createOpRunner } from '../../src/reference/op-runner.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { wholeWeight } from '../../src/reference/served-weights.js';
import { goldenFolder, openModel, type FamilyModel, type OpenModel } from '../support/goldens.js';

/** Sites in layer 1 by contract, those without left out. */
function counts({ program }: OpenModel): Record<string, number> {
  const entries = [...CONTRACTS.keys()].map((op) => [op, findSites(program, op).filter(({ layer }) => layer === 1).length] as const);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

async function withModel<Result>(name: FamilyModel, use: (model: OpenModel) => Promise<Result> | Result): Promise<Result> {
  const model = await openModel(goldenFolder(name));
  try {
    return await use(model);
  } finally {
    await model.checkpoint.close();
  }
}

const LLAMA = {
  rms_norm: 2,
  add_rms_norm: 2,
  linear: 4,
  rms_norm_qkv: 1,
  rope: 1,
  attention: 1,
  silu_mul: 1,
  swiglu_mlp: 1,
  decoder_layer: 1,
};

function likeLlamaWithout(...names: string[]): Record<string, number> {
  return Object.fromEntries(Object.entries(LLAMA).filter(([name]) => !names.includes(name)));
}

describe('sites in one layer', () => {
  test.each(['phi3-longrope-mini', 'qwen2-mini', 'llama3-rope-mini', 'llama-yarn-mini'] as const)('%s is like Llama', async (name) => {
    expect(await withModel(name, counts)).toEqual(LLAMA);
  });

  test.each(['llama-linear-bias-mini', 'ernie45-bias-mini'] as const)(
    '%s has biases in its MLP, for which `swiglu_mlp` has no place',
    async (name) => {
      expect(await withModel(name, counts)).toEqual(likeLlamaWithout('swiglu_mlp'));
    },
  );

  test('gemma2-mini has four norms, and no norm before an addition’s', async () => {
    expect(await withModel('gemma2-mini', counts)).toEqual({ ...likeLlamaWithout('silu_mul'), rms_norm: 4, gelu_tanh_mul: 1 });
  });

  test('olmo2-mini has no place for kernels of Q/K norms per head, and more for plain norms and linear layers', async () => {
    expect(await withModel('olmo2-mini', counts)).toEqual({ ...likeLlamaWithout('rms_norm_qkv', 'add_rms_norm'), rms_norm: 4, linear: 7 });
  });
});

test('OLMo 2’s norm of K is as wide as all of its heads, and its values are cut into heads afterwards', async () => {
  await withModel('olmo2-mini', ({ program }) => {
    const norm = findSites(program, 'rms_norm').find(({ name }) => name === 'self_attn.k_norm');
    expect(norm?.weights.get('weight')).toEqual([{ tensor: 'model.layers.0.self_attn.k_norm.weight', shape: [16] }]);
    const shapes = tokenShapes(program);
    expect(['0.k_proj_normed', '0.k', '0.q', '0.v', '0.k_rotated', '0.o'].map((value) => shapes.get(value))).toEqual([
      [16],
      [2, 8],
      [4, 8],
      [2, 8],
      [2, 8],
      [4, 8],
    ]);
  });
});

test('Gemma 2 tells attention kernels its cap and its scale', async () => {
  await withModel('gemma2-mini', ({ program }) => {
    const [first, second] = findSites(program, 'attention').map(({ attributes }) => attributes);
    expect(first).toEqual({ scale: 20 ** -0.5, causal: true, window: 8, softcap: 4 });
    expect(second).toEqual({ ...first, window: 0 });
  });
});

test('kernels in Phi-3 are given their rows of the tensors that hold several weights, a whole layer the tensors', async () => {
  await withModel('phi3-longrope-mini', async ({ program, checkpoint }) => {
    const runner = createOpRunner(await loadOnnxRuntime());
    const context = { program, checkpoint, dtype: 'bfloat16', runner, weights: new Map() } as const;
    const inFirst = (op: string) => findSites(program, op).find(({ layer }) => layer === 0) as Site;
    const whole = (name: string, ...shape: number[]) =>
      wholeWeight(checkpoint, { tensor: `model.layers.0.${name}.weight`, shape }, 'bfloat16');
    const qkv = await whole('self_attn.qkv_proj', 64, 32);
    const gateUp = await whole('mlp.gate_up_proj', 96, 32);

    expect((await siteWeights(context, inFirst('rms_norm_qkv')))['qkv_weight']).toEqual({ data: qkv.data, shape: [64, 32] });
    const { gate_weight, up_weight } = await siteWeights(context, inFirst('swiglu_mlp'));
    expect(gate_weight).toEqual({ data: gateUp.data.subarray(0, 48 * 32), shape: [48, 32] });
    expect(up_weight).toEqual({ data: gateUp.data.subarray(48 * 32), shape: [48, 32] });
    expect(up_weight?.data).not.toEqual(gate_weight?.data);

    const layer = inFirst('decoder_layer');
    expect([...layer.weights.keys()].sort()).toEqual(
      ['input_layernorm', 'mlp.down_proj', 'mlp.gate_up_proj', 'post_attention_layernorm', 'self_attn.o_proj', 'self_attn.qkv_proj'].map(
        (name) => `model.layers.0.${name}.weight`,
      ),
    );
    // The tensor is not mistaken for its first rows, which were kept before.
    expect((await siteWeights(context, layer))['model.layers.0.self_attn.qkv_proj.weight']).toEqual(qkv);
    expect((await siteWeights(context, layer))['model.layers.0.mlp.gate_up_proj.weight']).toEqual(gateUp);
    expect(layer.attributes['rotary_dim']).toBe(12);
  });
});
