// What each family's config.json means: both of its forms, defaults, windows, layer types, biases, and values that are refused.

import { describe, expect, test } from '@jest/globals';
import type { RawConfig } from '../../src/architectures/fields.js';
import type { Op, OpName, Program } from '../../src/architectures/program.js';
import { buildProgram } from '../../src/architectures/registry.js';
import { ModelError } from '../../src/errors.js';
import { config, FAMILIES, type Family } from './configs.js';

function refusal(raw: RawConfig): string {
  try {
    buildProgram(raw);
  } catch (error) {
    if (error instanceof ModelError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

function opsOf(program: Program, name: OpName): Op[] {
  return program.ops.filter(({ op }) => op === name);
}

function windows(raw: RawConfig): unknown[] {
  return opsOf(buildProgram(raw), 'attention').map(({ attributes }) => attributes['window']);
}

function biases(raw: RawConfig): string[] {
  const tensors = buildProgram(raw).ops.flatMap(({ weights }) => Object.values(weights).map(({ tensor }) => tensor));
  return tensors.filter((name) => name.startsWith('model.layers.0.') && name.endsWith('.bias'));
}

describe('both forms of config.json give the same program', () => {
  test.each(FAMILIES.filter((family) => family !== 'gemma3_text'))('%s', (family) => {
    const theta = 123_456;
    const older = buildProgram(config(family, { rope_theta: theta, rope_scaling: null }));
    const newer = buildProgram(config(family, { rope_theta: undefined, rope_parameters: { rope_theta: theta, rope_type: 'default' } }));
    expect(newer).toEqual(older);
    expect(buildProgram(config(family, { rope_theta: theta + 1 }))).not.toEqual(older);
  });

  test('gemma3_text, whose newer form is keyed by layer type', () => {
    const older = buildProgram(config('gemma3_text', { rope_theta: 2e6, rope_local_base_freq: 5e3, rope_scaling: null }));
    const rope_parameters = {
      full_attention: { rope_theta: 2e6, rope_type: 'default' },
      sliding_attention: { rope_theta: 5e3, rope_type: 'default' },
    };
    const newer = buildProgram(config('gemma3_text', { rope_theta: undefined, rope_local_base_freq: undefined, rope_parameters }));
    expect(newer).toEqual(older);
    expect(older.rope_tables['full_attention']).not.toEqual(older.rope_tables['sliding_attention']);
  });

  test('the newer form wins where a file has both', () => {
    const both = buildProgram(config('llama', { rope_theta: 1, rope_parameters: { rope_theta: 10_000 } }));
    expect(both).toEqual(buildProgram(config('llama')));
  });

  test('angles are computed in float32 steps, as transformers does', () => {
    const table = buildProgram(config('llama', { head_dim: 8 })).rope_tables['default'];
    expect(table?.inv_freq).toEqual([1, Math.fround(0.1), Math.fround(0.01), Math.fround(1 / Math.fround(10_000 ** 0.75))]);
  });
});

describe('defaults are those of transformers', () => {
  test.each([
    ['llama', 10_000],
    ['mistral', 10_000],
    ['qwen3', 10_000],
    ['qwen2', 10_000],
    ['gemma2', 10_000],
    ['olmo2', 10_000],
    ['phi3', 10_000],
    ['ernie4_5', 500_000],
  ] as const)('%s: rope_theta is %d', (family, theta) => {
    expect(buildProgram(config(family, { rope_theta: undefined }))).toEqual(buildProgram(config(family, { rope_theta: theta })));
  });

  test.each([
    ['llama', 1e-6],
    ['mistral', 1e-6],
    ['qwen3', 1e-6],
    ['ernie4_5', 1e-5],
    ['gemma3_text', 1e-6],
    ['gemma2', 1e-6],
    ['qwen2', 1e-6],
    ['olmo2', 1e-5],
    ['phi3', 1e-5],
  ] as const)('%s: rms_norm_eps is %d', (family, eps) => {
    expect(opsOf(buildProgram(config(family)), 'rms_norm')[0]?.attributes['eps']).toBe(eps);
    expect(opsOf(buildProgram(config(family, { rms_norm_eps: 0.25 })), 'rms_norm')[0]?.attributes['eps']).toBe(0.25);
  });

  test('head_dim is hidden_size over heads in Llama, and a number of their own in Qwen 3, ERNIE 4.5 and Gemma', () => {
    const headDim = (family: Family) => opsOf(buildProgram(config(family, { head_dim: undefined })), 'qkv')[0]?.attributes['head_dim'];
    expect([headDim('llama'), headDim('mistral'), headDim('qwen2'), headDim('phi3')]).toEqual([2, 2, 2, 2]);
    expect([headDim('qwen3'), headDim('ernie4_5'), headDim('gemma3_text'), headDim('gemma2')]).toEqual([128, 128, 256, 256]);
  });

  test('every head has its own key/value head where num_key_value_heads is absent', () => {
    expect(opsOf(buildProgram(config('llama', { num_key_value_heads: undefined })), 'qkv')[0]?.attributes['num_kv_heads']).toBe(4);
  });

  test('tied embeddings are the head, untied ones have their own', () => {
    const head = (family: Family, tied?: boolean) =>
      buildProgram(config(family, { tie_word_embeddings: tied })).ops.at(-1)?.weights['weight']?.tensor;
    expect(head('llama', true)).toBe('model.embed_tokens.weight');
    expect(head('gemma3_text', false)).toBe('lm_head.weight');
    expect([head('llama'), head('mistral'), head('qwen3')]).toEqual(['lm_head.weight', 'lm_head.weight', 'lm_head.weight']);
    expect([head('ernie4_5'), head('gemma3_text')]).toEqual(['model.embed_tokens.weight', 'model.embed_tokens.weight']);
  });
});

describe('what is a family’s own', () => {
  test('ERNIE 4.5 has interleaved RoPE in float32, all others half-split RoPE, which only OLMo 2 computes in float32', () => {
    for (const family of FAMILIES) {
      const [rope] = opsOf(buildProgram(config(family)), 'rope');
      expect([rope?.attributes['layout'], rope?.eager?.rotary]).toEqual(
        family === 'ernie4_5' ? ['interleaved', 'float32'] : ['half', family === 'olmo2' ? 'float32' : 'serving'],
      );
    }
  });

  test('Gemma 3 has 1 + w norms rounded once, sandwich norms, scaled embeddings, tanh-GELU and its own attention scale', () => {
    const program = buildProgram(config('gemma3_text', { query_pre_attn_scalar: 64 }));
    expect(
      opsOf(program, 'rms_norm')
        .filter(({ layer }) => layer === 0)
        .map(({ site }) => site),
    ).toEqual(['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm']);
    for (const norm of [...opsOf(program, 'rms_norm'), ...opsOf(program, 'qk_norm')]) {
      expect([norm.attributes['weight_offset'], norm.eager?.weight]).toEqual([1, 'before_rounding']);
    }
    expect(program.ops[0]?.attributes['scale']).toBe(Math.sqrt(8));
    expect(opsOf(program, 'gelu_tanh_mul')).toHaveLength(3);
    expect(opsOf(program, 'attention')[0]?.attributes['scale']).toBe(0.125);
  });

  test('Gemma 2 caps scores and logits, and is else like Gemma 3 without norms of Q and K', () => {
    const softcaps = (keys: RawConfig) => {
      const program = buildProgram(config('gemma2', keys));
      return [...opsOf(program, 'attention'), ...program.ops.slice(-1)].map(({ attributes }) => attributes['softcap']);
    };
    expect(softcaps({})).toEqual([50, 50, 50, 30]);
    expect(softcaps({ attn_logit_softcapping: 20, final_logit_softcapping: null })).toEqual([20, 20, 20, 0]);
    expect(softcaps({ attn_logit_softcapping: null })).toEqual([0, 0, 0, 30]);
    for (const value of [0, -1, '30', true])
      expect(refusal(config('gemma2', { final_logit_softcapping: value }))).toContain('final_logit_softcapping');
    const [two, three] = (['gemma2', 'gemma3_text'] as const).map((family) => opsOf(buildProgram(config(family)), 'rms_norm'));
    expect(two).toEqual(three);
    expect(buildProgram(config('llama')).ops.at(-1)?.attributes['softcap']).toBe(0);
  });

  test('OLMo 2 norms after attention and MLP, and Q and K over their whole width', () => {
    const program = buildProgram(config('olmo2'));
    const layer = program.ops.filter(({ layer }) => layer === 0);
    expect(layer.map(({ op, site }) => `${op} ${site}`)).toEqual([
      'linear self_attn.q_proj',
      'linear self_attn.k_proj',
      'linear self_attn.v_proj',
      'rms_norm self_attn.q_norm',
      'rms_norm self_attn.k_norm',
      'split_heads self_attn.heads',
      'rope self_attn.rotary_emb',
      'attention self_attn.attention',
      'linear self_attn.o_proj',
      'rms_norm post_attention_layernorm',
      'add residual_attention',
      'linear mlp.gate_proj',
      'linear mlp.up_proj',
      'silu_mul mlp.act_fn',
      'linear mlp.down_proj',
      'rms_norm post_feedforward_layernorm',
      'add residual_mlp',
    ]);
    const norms = layer.filter(({ op }) => op === 'rms_norm');
    expect(norms.map(({ weights, eager }) => [weights['weight']?.shape[0], eager?.weight])).toEqual([
      [16, 'before_rounding'],
      [8, 'before_rounding'],
      [8, 'before_rounding'],
      [8, 'before_rounding'],
    ]);
  });

  test('Phi-3 takes Q, K and V from rows of one tensor, gate and up from rows of another', () => {
    const weights = buildProgram(config('phi3'))
      .ops.filter(({ layer }) => layer === 1)
      .flatMap((op) => Object.values(op.weights))
      .filter(({ rows }) => rows !== undefined);
    const [qkv, gateUp] = ['model.layers.1.self_attn.qkv_proj.weight', 'model.layers.1.mlp.gate_up_proj.weight'];
    expect(weights).toEqual([
      { tensor: qkv, shape: [16, 8], rows: { start: 0, total: 32 } },
      { tensor: qkv, shape: [8, 8], rows: { start: 16, total: 32 } },
      { tensor: qkv, shape: [8, 8], rows: { start: 24, total: 32 } },
      { tensor: gateUp, shape: [12, 8], rows: { start: 0, total: 24 } },
      { tensor: gateUp, shape: [12, 8], rows: { start: 12, total: 24 } },
    ]);
  });

  test('Qwen 3 and Gemma 3 norm Q and K, the others do not', () => {
    const normed = FAMILIES.filter((family) => opsOf(buildProgram(config(family)), 'qk_norm').length === 3);
    expect(normed).toEqual(['qwen3', 'gemma3_text']);
    expect(opsOf(buildProgram(config('llama')), 'qk_norm')).toHaveLength(0);
  });

  test('the hidden states are the embeddings, each layer’s output, and the last one after the norm', () => {
    const { hidden, layer_outputs } = buildProgram(config('llama'));
    expect(hidden).toEqual(['embeddings', '0.out', '1.out', 'normed']);
    expect(layer_outputs).toEqual(['0.out', '1.out', '2.out']);
  });
});

describe('windows and layer types', () => {
  test('Mistral and Phi-3 have their window in every layer, or none', () => {
    expect([windows(config('phi3')), windows(config('phi3', { sliding_window: null }))]).toEqual([
      [5, 5, 5],
      [0, 0, 0],
    ]);
    expect(windows(config('mistral'))).toEqual([5, 5, 5]);
    expect(windows(config('mistral', { sliding_window: null }))).toEqual([0, 0, 0]);
    expect(windows(config('mistral', { sliding_window: undefined }))).toEqual([0, 0, 0]);
  });

  test('Gemma 2 has it in every other layer, from the first on', () => {
    expect(windows(config('gemma2'))).toEqual([5, 0, 5]);
    expect(windows(config('gemma2', { sliding_window: undefined }))).toEqual([4096, 0, 4096]);
  });

  test.each(['qwen2', 'qwen3'] as const)('%s has one only with use_sliding_window, from max_window_layers on', (family) => {
    expect(windows(config(family, { sliding_window: 7, use_sliding_window: true, max_window_layers: 0 }))).toEqual([7, 7, 7]);
    expect(windows(config(family, { use_sliding_window: true, max_window_layers: 2 }))).toEqual([0, 0, 4096]);
    expect(windows(config(family, { sliding_window: 7 }))).toEqual([0, 0, 0]);
    expect(windows(config(family, { sliding_window: 7, use_sliding_window: true, max_window_layers: 1 }))).toEqual([0, 7, 7]);
    expect(windows(config(family, { sliding_window: 7, use_sliding_window: true, max_window_layers: 28 }))).toEqual([0, 0, 0]);
    expect(windows(config(family, { sliding_window: null, use_sliding_window: true }))).toEqual([0, 0, 0]);
  });

  test('layer_types says it layer by layer, in Gemma 3 for RoPE too', () => {
    const layer_types = ['full_attention', 'sliding_attention', 'full_attention'];
    const raw = config('gemma3_text', { layer_types });
    expect(windows(raw)).toEqual([0, 5, 0]);
    expect(opsOf(buildProgram(raw), 'rope').map(({ inputs }) => inputs['cos'])).toEqual(layer_types.map((type) => `cos:${type}`));
    expect(windows(config('qwen3', { sliding_window: 7, use_sliding_window: true, layer_types }))).toEqual([0, 7, 0]);
  });

  test.each(['sliding_window_pattern', '_sliding_window_pattern'])('without layer_types, every %s-th layer of Gemma 3 is global', (key) => {
    expect(windows(config('gemma3_text', { [key]: 2 }))).toEqual([5, 0, 5]);
    expect(windows(config('gemma3_text', { num_hidden_layers: 7 }))).toEqual([5, 5, 5, 5, 5, 0, 5]);
  });

  test.each([
    [['full_attention'], 'a list of 3 entries, one per layer (num_hidden_layers)'],
    ['full_attention', 'a list of 3 entries'],
    [['full_attention', 'full_attention', 'linear_attention'], '"full_attention" or "sliding_attention"'],
    [['full_attention', 'full_attention', null], '"full_attention" or "sliding_attention"'],
  ])('layer_types %j are refused', (layer_types, allowed) => {
    expect(refusal(config('gemma3_text', { layer_types }))).toContain(allowed);
  });

  test.each([0, -1, 2.5, '24'])('a sliding_window of %j is refused', (sliding_window) => {
    expect(refusal(config('mistral', { sliding_window }))).toMatch(
      /^config_invalid: config\.json: sliding_window is .*; it must be an integer from 1/,
    );
  });
});

describe('biases', () => {
  const attention = (...names: string[]) => names.map((name) => `model.layers.0.self_attn.${name}_proj.bias`);
  const mlp = ['gate', 'up', 'down'].map((name) => `model.layers.0.mlp.${name}_proj.bias`);

  test('none by default, but on Q, K and V of Qwen 2', () => {
    for (const family of FAMILIES) expect(biases(config(family))).toEqual(family === 'qwen2' ? attention('q', 'k', 'v') : []);
  });

  test('attention_bias means Q, K, V and output, mlp_bias the MLP, use_bias of ERNIE 4.5 all of them', () => {
    for (const family of ['llama', 'qwen3', 'gemma3_text', 'gemma2', 'olmo2'] as const) {
      expect(biases(config(family, { attention_bias: true }))).toEqual(attention('q', 'k', 'v', 'o'));
    }
    expect(biases(config('llama', { mlp_bias: true }))).toEqual(mlp);
    expect(biases(config('ernie4_5', { use_bias: true }))).toEqual([...attention('q', 'k', 'v', 'o'), ...mlp]);
  });
});

describe.each(FAMILIES)('hostile numbers in a %s config', (family) => {
  const integers = [
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
    'num_attention_heads',
    'num_key_value_heads',
    'head_dim',
    'vocab_size',
    'max_position_embeddings',
  ];
  test.each(integers)('%s must be a positive integer of believable size', (key) => {
    for (const value of [0, -1, 2.5, '32', 1e9, 1e308, true, [4], {}]) {
      expect(refusal(config(family, { [key]: value }))).toMatch(
        new RegExp(`^config_invalid: config\\.json: ${key} is .*; it must be an integer from 1 to \\d+$`),
      );
    }
  });

  test('a billion layers are refused at once', () => {
    expect(refusal(config(family, { num_hidden_layers: 1e9 }))).toContain('an integer from 1 to 1024');
  });

  test.each([0, -1e-6, '1e-6', false, []])('an rms_norm_eps of %j is refused', (rms_norm_eps) => {
    expect(refusal(config(family, { rms_norm_eps }))).toContain('rms_norm_eps');
  });

  test.each([0, -1, '1e6', {}])('a rope_theta of %j is refused in both forms', (rope_theta) => {
    expect(refusal(config(family, { rope_theta }))).toContain('rope_theta');
    expect(refusal(config(family, { rope_parameters: { rope_theta } }))).toContain('rope_theta');
  });

  test.each(['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'vocab_size'])(
    'a missing %s is named',
    (key) => {
      expect(refusal(config(family, { [key]: undefined }))).toContain(`${key} is missing`);
    },
  );
});

describe('contradictions and what is not built in', () => {
  test('heads that key/value heads do not divide are refused', () => {
    expect(refusal(config('llama', { num_key_value_heads: 3 }))).toContain(
      'num_attention_heads 4 is not a multiple of num_key_value_heads 3',
    );
  });

  test('a hidden_size that heads do not divide is refused where there is no head_dim', () => {
    expect(refusal(config('llama', { head_dim: undefined, num_attention_heads: 3, num_key_value_heads: 3 }))).toContain(
      'there is no head_dim',
    );
    expect(() => buildProgram(config('llama', { num_attention_heads: 3, num_key_value_heads: 3 }))).not.toThrow();
  });

  test('an odd head_dim is refused: RoPE turns pairs', () => {
    expect(refusal(config('qwen3', { head_dim: 5 }))).toContain('head_dim 5 is odd');
  });

  test.each(FAMILIES)('%s: quantised checkpoints, RoPE scaling, partial RoPE and unknown activations are refused', (family) => {
    const activation = family.startsWith('gemma') ? 'hidden_activation' : 'hidden_act';
    const refused: [RawConfig, string][] = [
      [{ quantization_config: { quant_method: 'gptq' } }, 'quantization_config is {"quant_method":"gptq"}; quantised checkpoints'],
      [{ rope_scaling: { rope_type: 'dynamic', factor: 8 } }, 'RoPE scaling of type "dynamic" is not built in'],
      [{ rope_parameters: { rope_type: 'mrope', rope_theta: 1e4 } }, 'RoPE scaling of type "mrope"'],
      ...(family === 'phi3'
        ? []
        : ([[{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5; only 1']] satisfies [RawConfig, string][])),
      [{ [activation]: 'relu2' }, `${activation} is "relu2"; known: "silu", "gelu_pytorch_tanh"`],
    ];
    for (const [keys, words] of refused) {
      const message = refusal(config(family, keys));
      expect(message).toMatch(/^unsupported_config: config\.json: /);
      expect(message).toContain(words);
    }
  });

  test('biases in Phi-3 and rotary embeddings of images in Qwen 2 are refused', () => {
    for (const key of ['attention_bias', 'mlp_bias', 'lm_head_bias']) {
      expect(refusal(config('phi3', { [key]: true }))).toMatch(new RegExp(`^unsupported_config: .*${key} is true`));
      expect(() => buildProgram(config('phi3', { [key]: false }))).not.toThrow();
    }
    expect(refusal(config('qwen2', { use_mrope: true }))).toContain('use_mrope is true');
  });

  test.each(['attn_logit_softcapping', 'final_logit_softcapping', 'use_bidirectional_attention'])('Gemma 3 with %s is refused', (key) => {
    expect(refusal(config('gemma3_text', { [key]: key.startsWith('use') ? true : 30 }))).toMatch(
      new RegExp(`^unsupported_config: .*${key}`),
    );
    expect(() => buildProgram(config('gemma3_text', { [key]: null }))).not.toThrow();
  });

  test.each(['yes', 1, []])('a tie_word_embeddings of %j is refused', (tie_word_embeddings) => {
    expect(refusal(config('llama', { tie_word_embeddings }))).toContain('tie_word_embeddings is');
  });

  test.each([[], 'default', 5])('rope_parameters %j are refused', (rope_parameters) => {
    expect(refusal(config('llama', { rope_parameters }))).toContain('rope_parameters is');
  });

  test('a value of enormous length is cut in the message', () => {
    expect(refusal(config('llama', { hidden_size: 'x'.repeat(1e6) })).length).toBeLessThan(300);
  });
});
