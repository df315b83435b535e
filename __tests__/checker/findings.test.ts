// Findings: each kind is told where it holds, with layer, tensor and value, and is silent where it does not.
import { describe, expect, test } from '@jest/globals';
import { jointGain } from '../../src/checker/rope-gain.js';
import { staticCheck } from '../../src/checker/static-check.js';
import type { Finding } from '../../src/report/types.js';
import type { Given } from './checkpoints.js';
import { THRESHOLDS, inMemory, norm, qkLayers } from './checkpoints.js';

type Tensors = Record<string, readonly number[] | Given | null>;

async function findings(tensors: Tensors, config: Record<string, unknown> = {}): Promise<Finding[]> {
  return (await staticCheck(inMemory(tensors), config, THRESHOLDS)).findings;
}

async function find(code: string, tensors: Tensors, config: Record<string, unknown> = {}): Promise<Finding | undefined> {
  const found = (await findings(tensors, config)).filter((finding) => finding.code === code);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0];
}

const ones = [1, 1, 1, 1];
/** Three Llama layers without anything of note. */
const plain = (): Tensors => qkLayers([{}, {}, {}]);

test('a checkpoint with nothing of note has no findings', async () => {
  expect(await findings({ ...plain(), 'model.norm.weight': [2, 2, 1, 2] }, { num_hidden_layers: 3 })).toEqual([]);
});

describe('biases before attention', () => {
  test.each([
    ['k_proj', 'K'],
    ['q_proj', 'Q'],
    ['v_proj', 'V'],
    ['qkv_proj', 'QKV'],
  ])('%s: the layer with the largest bias is named, with its norm and how many layers share it', async (module, word) => {
    const bias = (layer: number) => `model.layers.${layer}.self_attn.${module}.bias`;
    const tensors = { ...plain(), [bias(0)]: [0, 10.5, 0, 0], [bias(1)]: [-30, 40, 0, 0], [bias(2)]: [10, 10, -10, 10] };
    const finding = await find('bias_norm', tensors);
    expect(finding).toMatchObject({ layer: 1, tensor: bias(1), value: 50 });
    expect(finding?.message).toContain(`The ${word} projection's bias reaches 40 in layer 1 (L2 norm 50)`);
    expect(finding?.message).toContain('over 10 in 2 of 3 layers');
  });
  test('a bias of up to 10 is none, nor is one of another projection', async () => {
    const tensors = { ...plain(), 'model.layers.0.self_attn.k_proj.bias': [10, -10], 'model.layers.0.mlp.down_proj.bias': [99, 99] };
    expect(await findings(tensors)).toEqual([]);
  });
  test('the biases of a Gemma-style model are taken as they are', async () => {
    expect(await findings({ ...plain(), 'model.layers.0.self_attn.k_proj.bias': [10, 0] }, { model_type: 'gemma2' })).toEqual([]);
  });
});

describe('norms other than Q and K', () => {
  test('a weight over 20 is massive, one of 20 is not', async () => {
    expect(await find('massive_norm_weight', { ...plain(), 'model.layers.1.input_layernorm.weight': [20, 20, 20, 20] })).toBeUndefined();
    const tensors = { ...plain(), 'model.layers.1.input_layernorm.weight': [20.5, 20, 20, 20], 'model.norm.weight': [-24, 20, 20, 20] };
    const finding = await find('massive_norm_weight', tensors);
    expect(finding).toMatchObject({ layer: null, tensor: 'model.norm.weight', value: 24 });
    expect(finding?.message).toContain('over 20 in 1 of 3 layers and outside of them');
  });
  test('a channel over 20 times the median is an outlier, one of 20 times is not', async () => {
    const at = (value: number) =>
      find('norm_outlier_channels', { ...plain(), 'model.layers.2.post_attention_layernorm.weight': [0.5, value, 0.5, 0.5] });
    expect(await at(10)).toBeUndefined();
    expect(await at(10.5)).toMatchObject({ layer: 2, tensor: 'model.layers.2.post_attention_layernorm.weight', value: 21 });
  });
  test('an outlier over a median of zero has no number, a norm of zeros no outlier', async () => {
    const at = (value: number) => find('norm_outlier_channels', { ...plain(), 'model.norm.weight': [0, 0, 0, value] });
    expect(await at(0)).toBeUndefined();
    expect(await at(1)).toMatchObject({ layer: null, value: null });
  });
});

describe('float16', () => {
  test('a stored value over 65504 overflows, 65504 does not', async () => {
    const at = (value: number) => find('float16_overflow', { ...plain(), 'model.layers.1.self_attn.v_proj.bias': [value, 1] });
    expect(await at(65504)).toBeUndefined();
    expect(await at(-65505)).toMatchObject({ layer: 1, tensor: 'model.layers.1.self_attn.v_proj.bias', value: 65505 });
  });
  test('what is stored counts, not 1 + weight', async () => {
    expect(await find('float16_overflow', { ...plain(), 'model.norm.weight': [65504, 0] }, { model_type: 'gemma' })).toBeUndefined();
  });
});

describe('joint gain of K and Q norm', () => {
  const config = { head_dim: 4 };
  test('takes the larger weight of each half-layout pair on both sides', () => {
    // Pairs (0, 2) and (1, 3): 3·5 and 8·2.
    expect(jointGain(Float64Array.of(1, 8, 3, 2), Float64Array.of(5, 1, 4, 2), 4, 4)).toEqual({ max: 16, median: 15 });
  });
  test('leaves channels beyond the rotated ones on their own', () => {
    // Pair (0, 1), then channels 2 and 3: 8·5, 3·4, 2·2.
    expect(jointGain(Float64Array.of(1, 8, 3, 2), Float64Array.of(5, 1, 4, 2), 4, 2)).toEqual({ max: 40, median: 12 });
  });
  test('lets several query heads share a K head', () => {
    expect(jointGain(Float64Array.of(1, 1, 2, 1, 3, 1, 4, 1), Float64Array.of(10, 1, 100, 1), 2, 2)).toEqual({ max: 400, median: 20 });
    expect(jointGain(Float64Array.of(2, 1), Float64Array.of(10, 1, 100, 1), 2, 2)).toEqual({ max: 200, median: 20 });
  });
  test('is unknown when lengths and heads do not fit', () => {
    expect(jointGain(Float64Array.of(1, 2, 3), Float64Array.of(1, 2), 2, 2)).toBeNull();
    expect(jointGain(new Float64Array(6), new Float64Array(4), 2, 2)).toBeNull();
  });

  test('stays the same when powers of two move between K and Q within a pair, while the K ratio changes', async () => {
    const k = [96, 2.5, 3, 2];
    const q = [1, 1.25, 2, 0.75];
    // Pair (0, 2) by 1/16, pair (1, 3) by 4.
    const movedK = [6, 10, 0.1875, 8];
    const movedQ = [16, 0.3125, 32, 0.1875];
    const before = await staticCheck(inMemory(qkLayers([{ k, q }])), config, THRESHOLDS);
    const after = await staticCheck(inMemory(qkLayers([{ k: movedK, q: movedQ }])), config, THRESHOLDS);
    const gain = (result: typeof before) => result.findings.find((finding) => finding.code === 'qk_joint_gain')?.value;
    expect(gain(before)).toBe(192);
    expect(gain(after)).toBe(192);
    expect(after.k_weight_ratio).not.toBe(before.k_weight_ratio);
  });
  test('says where it dominates, and where it shows that the K weights alone mislead', async () => {
    const large = await find(
      'qk_joint_gain',
      qkLayers([
        { k: norm(50, 10), q: norm(4, 1) },
        { k: ones, q: ones },
      ]),
      config,
    );
    expect(large).toMatchObject({ layer: 0, tensor: 'model.layers.0.self_attn.k_norm.weight', value: 200 });
    expect(large?.message).toContain('Over 100 in 1 of 2 layers');
    const harmless = await find('qk_joint_gain', qkLayers([{ k: [1, 64, 1, 64], q: [1, 0.25, 1, 0.25] }]), config);
    expect(harmless).toMatchObject({ value: 16 });
    expect(harmless?.message).toContain('less extreme than the weights of one of them suggest');
  });
  test('is not told where neither weights nor gain are large', async () => {
    expect(await find('qk_joint_gain', qkLayers([{ k: norm(10, 1), q: norm(10, 1) }]), config)).toBeUndefined();
  });
  test('follows partial_rotary_factor, in both forms of config.json', async () => {
    const tensors = qkLayers([{ k: [11, 1, 1, 1], q: [1, 20, 30, 1] }]);
    expect(await find('qk_joint_gain', tensors, config)).toMatchObject({ value: 330 });
    expect(await find('qk_joint_gain', tensors, { ...config, partial_rotary_factor: 0.5 })).toMatchObject({ value: 220 });
    expect(await find('qk_joint_gain', tensors, { ...config, rope_parameters: { partial_rotary_factor: 0.5 } })).toMatchObject({
      value: 220,
    });
  });
});

describe('how a model is normalised', () => {
  test('Q/K norm over all heads at once is named, per head is not', async () => {
    const tensors = qkLayers([{ k: ones, q: ones }]);
    expect(await find('qk_norm_all_heads', tensors, { head_dim: 4 })).toBeUndefined();
    expect(await find('qk_norm_all_heads', tensors, { hidden_size: 8, num_attention_heads: 4 })).toMatchObject({ layer: 0, value: 1 });
  });
  test('own weights for each head are named, as a matrix and as a tensor per head', async () => {
    const matrix = {
      ...plain(),
      'model.layers.0.self_attn.k_norm.weight': { values: [1, 2, 3, 4], shape: [2, 2] },
      'model.layers.0.self_attn.q_norm.weight': { values: ones, shape: [2, 2] },
    };
    expect(await find('qk_norm_per_head', matrix)).toMatchObject({ layer: 0, tensor: 'model.layers.0.self_attn.k_norm.weight' });
    const list: Tensors = plain();
    for (const head of [10, 2]) {
      list[`model.layers.1.self_attn.k_layernorm.norms.${head}.weight`] = [head, 1];
      list[`model.layers.1.self_attn.q_layernorm.norms.${head}.weight`] = [1, 1];
    }
    expect(await find('qk_norm_per_head', list)).toMatchObject({ layer: 1 });
    expect(await staticCheck(inMemory(list), {}, THRESHOLDS)).toMatchObject({
      max_k_weight: 10,
      layers: [{ layer: 1, median_k: 1, max_q: 1 }],
    });
  });
  test('Q/K norm in some layers only is named with the first layer without it', async () => {
    expect(
      await find(
        'qk_norm_partial',
        qkLayers([
          { k: ones, q: ones },
          { k: ones, q: ones },
        ]),
      ),
    ).toBeUndefined();
    expect(await find('qk_norm_partial', qkLayers([{ k: ones, q: ones }, {}, { k: ones }]))).toMatchObject({ layer: 1, value: 1 });
  });
  test('norms after attention and MLP: sandwich with norms before, post-norm without', async () => {
    const after = { 'model.layers.0.post_attention_layernorm.weight': ones, 'model.layers.0.post_feedforward_layernorm.weight': ones };
    expect(await find('post_norms', after)).toMatchObject({ layer: 0, value: 1 });
    expect(await find('sandwich_norms', after)).toBeUndefined();
    expect(await find('sandwich_norms', { ...plain(), ...after })).toMatchObject({
      layer: 0,
      tensor: 'model.layers.0.post_feedforward_layernorm.weight',
    });
    expect(await find('post_norms', { ...plain(), ...after })).toBeUndefined();
  });
  test('a norm that one layer lacks is named', async () => {
    const tensors = plain();
    delete tensors['model.layers.1.input_layernorm.weight'];
    expect(await find('norm_missing', tensors)).toMatchObject({ layer: 1, value: 2 });
  });
  test('layers without any norm weights are named', async () => {
    expect(await find('norm_missing', { 'model.layers.0.self_attn.q_proj.weight': null })).toMatchObject({ layer: null, value: 0 });
  });
  test('LayerNorm is told by its biases, which are not read', async () => {
    expect(await find('layernorm_bias', { ...plain(), 'model.layers.2.input_layernorm.bias': { values: [], shape: [4] } })).toMatchObject({
      layer: 2,
      value: 1,
    });
  });
  test('norms on latents are named and are no Q/K norms', async () => {
    const result = await staticCheck(inMemory({ ...plain(), 'model.layers.0.self_attn.kv_a_layernorm.weight': [15, 1] }), {}, THRESHOLDS);
    expect(result).toMatchObject({ max_k_weight: null, extreme_layers: 0 });
    expect(result.findings.map((finding) => finding.code)).toEqual(['latent_norms']);
  });
  test('a layer count that contradicts config.json is named, with gaps', async () => {
    expect(await find('layer_count_mismatch', plain(), { num_hidden_layers: 3 })).toBeUndefined();
    expect(await find('layer_count_mismatch', plain(), { num_hidden_layers: 4 })).toMatchObject({ value: 3 });
    const gap = Object.fromEntries(Object.entries(plain()).filter(([name]) => !name.includes('layers.1.')));
    const finding = await find('layer_count_mismatch', gap, { text_config: { num_hidden_layers: 3 } });
    expect(finding?.message).toContain('the weights have 3, of which only 2 have tensors');
  });
  test('a checkpoint whose layers are not recognised is not passed over in silence', async () => {
    expect(await find('no_layers_found', { 'encoder.stage_one.weight': null })).toMatchObject({ value: 0 });
  });
});

describe('names of tensors', () => {
  test.each([
    ['model.layers.0.self_attn.k_norm', 'model.layers.0.self_attn.q_norm'],
    ['model.layers.0.self_attn.k_layernorm', 'model.layers.0.self_attn.q_layernorm'],
    ['model.layers.0.self_attn.key_layernorm', 'model.layers.0.self_attn.query_layernorm'],
    ['transformer.blocks.0.attn.k_ln', 'transformer.blocks.0.attn.q_ln'],
    ['transformer.h.0.attn.k_norm', 'transformer.h.0.attn.q_norm'],
    ['model.language_model.layers.0.self_attn.k_norm', 'model.language_model.layers.0.self_attn.q_norm'],
  ])('%s is found', async (k, q) => {
    const result = await staticCheck(
      inMemory({ [`${k}.weight`]: norm(12, 6), [`${q}.weight`]: norm(3, 1) }),
      { model_type: 'never-heard-of' },
      THRESHOLDS,
    );
    expect(result).toMatchObject({ max_k_weight: 12, max_q_weight: 3, extreme_layers: 1, layers_total: 1 });
  });

  test.each([
    'model.visual.blocks.0.attn.k_norm.weight',
    'vision_tower.encoder.layers.0.self_attn.k_norm.weight',
    'audio_tower.layers.0.k_norm.weight',
    'mtp.layers.0.self_attn.k_norm.weight',
  ])('%s belongs to another tower and is left alone', async (name) => {
    const result = await staticCheck(inMemory({ ...plain(), [name]: { values: [], shape: [4] } }), {}, THRESHOLDS);
    expect(result).toMatchObject({ max_k_weight: null, layers_total: 3, findings: [] });
  });

  test('of several stacks the deepest is the language model', async () => {
    const result = await staticCheck(
      inMemory({ ...plain(), 'adapter.layers.0.self_attn.k_norm.weight': { values: [], shape: [4] } }),
      {},
      THRESHOLDS,
    );
    expect(result).toMatchObject({ layers_total: 3, max_k_weight: null });
  });

  test('projections, matrices and empty tensors are never read', async () => {
    const tensors = {
      ...plain(),
      'model.layers.0.norm.weight': { values: [], shape: [64, 64] },
      'model.layers.0.self_attn.k_norm.weight': { values: [], shape: [0] },
    };
    expect(await staticCheck(inMemory(tensors), {}, THRESHOLDS)).toMatchObject({ max_k_weight: null });
  });

  test('a hostile name reaches no message unescaped', async () => {
    const found = await findings({ ...plain(), 'model.layers.0.\u001b[31m\u202eevil_norm.weight': [21, 21] });
    expect(found).toHaveLength(1);
    expect(found[0]?.message).not.toMatch(/\p{C}/u);
  });
});
