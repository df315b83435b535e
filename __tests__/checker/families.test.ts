// K and Q norms of each family under the names and shapes of its published checkpoints, two layers of each made up.

import { describe, expect, test } from '@jest/globals';

import { staticCheck } from '../../src/checker/static-check.js';
import type { StaticResult } from '../../src/report/types.js';
import type { Checkpoint } from '../../src/weights/checkpoint.js';
import type { Given } from './checkpoints.js';
import { inMemory, THRESHOLDS } from './checkpoints.js';

type Members = Record<string, readonly number[] | Given | null>;

const K = [2, 40, 2, 2];
const Q = [1, 3, 1, 1];

/** Two layers, each with the members that `of` gives, and what every decoder has. */
function layers(path: string, of: (layer: string) => Members): Members {
  return Object.assign({}, ...[0, 1].map((index) => of(`${path}.${index}`))) as Members;
}

const pair = (path: string, k: string, q: string, more: (layer: string) => Members = () => ({})): Members =>
  layers(path, (layer) => ({ [`${layer}.${k}.weight`]: K, [`${layer}.${q}.weight`]: Q, ...more(layer) }));

async function check(
  tensors: Members,
  config: Record<string, unknown> = {},
  format: Checkpoint['format'] = 'safetensors',
): Promise<StaticResult> {
  return staticCheck({ ...inMemory(tensors), format }, config, THRESHOLDS);
}
const codes = (result: StaticResult): string[] => result.findings.map(({ code }) => code);

describe('K and Q norm', () => {
  test.each<[string, Members, Record<string, unknown>]>([
    [
      'Qwen3-MoE',
      pair('model.layers', 'self_attn.k_norm', 'self_attn.q_norm', (layer) => ({
        [`${layer}.mlp.experts.0.up_proj.weight`]: null,
        [`${layer}.mlp.gate.weight`]: null,
      })),
      { model_type: 'qwen3_moe', num_hidden_layers: 2, head_dim: 4 },
    ],
    ['GLM-4.5', pair('model.layers', 'self_attn.k_norm', 'self_attn.q_norm'), { model_type: 'glm4_moe', use_qk_norm: true, head_dim: 4 }],
    [
      'OLMoE and OLMo 2',
      pair('model.layers', 'self_attn.k_norm', 'self_attn.q_norm'),
      { model_type: 'olmo2', hidden_size: 4, num_attention_heads: 2 },
    ],
    ['Phi-1 and 2', pair('model.layers', 'self_attn.k_layernorm', 'self_attn.q_layernorm'), { model_type: 'phi' }],
    ['HunYuan', pair('model.layers', 'self_attn.key_layernorm', 'self_attn.query_layernorm'), { model_type: 'hunyuan_v1_dense' }],
    ['Ling', pair('model.layers', 'attention.key_layernorm', 'attention.query_layernorm'), { model_type: 'bailing_moe_v2' }],
    ['Idefics', pair('model.layers', 'self_attn.k_layer_norm', 'self_attn.q_layer_norm'), { model_type: 'idefics' }],
    ['MPT', pair('transformer.blocks', 'attn.k_ln', 'attn.q_ln'), { model_type: 'mpt' }],
    ['OpenELM', pair('transformer.layers', 'attn.k_norm', 'attn.q_norm'), { model_type: 'openelm' }],
  ])('of %s is found', async (_, tensors, config) => {
    expect(await check(tensors, config)).toMatchObject({
      max_k_weight: 40,
      k_weight_ratio: 20,
      max_q_weight: 3,
      layers_total: 2,
      extreme_layers: 2,
    });
  });

  test('of Gemma 3 counts as 1 + w, also below text_config', async () => {
    const tensors = pair('model.language_model.layers', 'self_attn.k_norm', 'self_attn.q_norm');
    expect(await check(tensors, { model_type: 'gemma3', text_config: { model_type: 'gemma3_text' } })).toMatchObject({
      max_k_weight: 41,
      max_q_weight: 4,
    });
  });

  test('of Command R+ has own weights per head', async () => {
    const matrix: Given = { values: [...K, ...K], shape: [2, 4] };
    const tensors = layers('model.layers', (layer) => ({
      [`${layer}.self_attn.k_norm.weight`]: matrix,
      [`${layer}.self_attn.q_norm.weight`]: matrix,
    }));
    const result = await check(tensors, { model_type: 'cohere', use_qk_norm: true });
    expect(result).toMatchObject({ max_k_weight: 40 });
    expect(codes(result)).toContain('qk_norm_per_head');
  });

  test('of StableLM 2 12B is a tensor per head', async () => {
    const tensors = layers('model.layers', (layer) =>
      Object.fromEntries(
        ['k', 'q'].flatMap((side) =>
          [0, 1].map((head) => [`${layer}.self_attn.${side}_layernorm.norms.${head}.weight`, head === 0 ? K : Q]),
        ),
      ),
    );
    const result = await check(tensors, { model_type: 'stablelm' });
    expect(result).toMatchObject({ max_k_weight: 40, max_q_weight: 40 });
    expect(codes(result)).toContain('qk_norm_per_head');
  });

  test('of GGUF is found whatever the family, and counts as it is stored even where transformers adds 1', async () => {
    const tensors = pair('blk', 'attn_k_norm', 'attn_q_norm', (layer) => ({
      [`${layer}.attn_norm.weight`]: [1, 1],
      [`${layer}.attn_k.bias`]: [30, 0],
    }));
    for (const architecture of ['qwen3', 'qwen3moe', 'olmo2', 'gemma3', 'cohere2', 'hunyuan-dense', 'stablelm']) {
      const result = await check(tensors, { model_type: architecture }, 'gguf');
      expect(result).toMatchObject({ max_k_weight: 40, max_q_weight: 3, layers_total: 2 });
      expect(codes(result)).toContain('bias_norm');
    }
  });
});

describe('what is no Q/K norm', () => {
  test("DeepSeek's norms of compressed Q and KV are a finding", async () => {
    const safetensors = layers('model.layers', (layer) => ({
      [`${layer}.self_attn.kv_a_layernorm.weight`]: K,
      [`${layer}.self_attn.q_a_layernorm.weight`]: Q,
    }));
    const gguf = layers('blk', (layer) => ({ [`${layer}.attn_kv_a_norm.weight`]: K, [`${layer}.attn_q_a_norm.weight`]: Q }));
    for (const result of [
      await check(safetensors, { model_type: 'deepseek_v3' }),
      await check(gguf, { model_type: 'deepseek2' }, 'gguf'),
    ]) {
      expect(result).toMatchObject({ max_k_weight: null, extreme_layers: 0, score: 1 });
      expect(codes(result)).toContain('latent_norms');
    }
  });

  test("the norm of DeepSeek V3.2's indexer is left alone, in both namings", async () => {
    const indexer = (layer: string): Members => ({
      [`${layer}.indexer.k_norm.weight`]: { values: [], shape: [4] },
      [`${layer}.indexer.k_norm.bias`]: { values: [], shape: [4] },
    });
    const safetensors = layers('model.layers', (layer) => ({
      ...indexer(`${layer}.self_attn`),
      [`${layer}.self_attn.kv_a_layernorm.weight`]: [1, 1],
    }));
    const gguf = layers('blk', (layer) => ({ ...indexer(layer), [`${layer}.attn_kv_a_norm.weight`]: [1, 1] }));
    expect(codes(await check(safetensors))).toEqual(['latent_norms']);
    expect(codes(await check(gguf, {}, 'gguf'))).toEqual(['latent_norms']);
  });

  test("Llama 4's norm without weights is a finding, and none where weights are or config.json is silent", async () => {
    const plain = layers('language_model.model.layers', (layer) => ({ [`${layer}.input_layernorm.weight`]: [1, 1] }));
    const llama4 = { model_type: 'llama4', text_config: { model_type: 'llama4_text', use_qk_norm: true } };
    const result = await check(plain, llama4);
    expect(result.findings).toContainEqual(expect.objectContaining({ code: 'qk_norm_weightless', value: 2 }));
    expect(result.max_k_weight).toBeNull();
    expect(codes(await check(plain, { model_type: 'llama4', text_config: { use_qk_norm: false } }))).not.toContain('qk_norm_weightless');
    const weighted = pair('model.layers', 'self_attn.k_norm', 'self_attn.q_norm');
    expect(codes(await check(weighted, { use_qk_norm: true }))).not.toContain('qk_norm_weightless');
  });

  test.each(['v.blk.0.attn_k_norm.weight', 'a.blk.0.attn_k_norm.weight'])('%s, of a tower in GGUF, is left alone', async (name) => {
    const result = await check({ 'blk.0.attn_norm.weight': [1, 1], [name]: { values: [], shape: [4] } }, {}, 'gguf');
    expect(result).toMatchObject({ max_k_weight: null, layers_total: 1 });
  });

  test('sandwich and post-norms are told by their names in GGUF too', async () => {
    const after = (layer: string): Members => ({
      [`${layer}.post_attention_norm.weight`]: [1, 1],
      [`${layer}.post_ffw_norm.weight`]: [1, 1],
    });
    const gemma = layers('blk', (layer) => ({ ...after(layer), [`${layer}.attn_norm.weight`]: [1, 1] }));
    expect(codes(await check(gemma, { model_type: 'gemma3' }, 'gguf'))).toEqual(['sandwich_norms']);
    expect(codes(await check(layers('blk', after), { model_type: 'olmo2' }, 'gguf'))).toEqual(['post_norms']);
  });
});
