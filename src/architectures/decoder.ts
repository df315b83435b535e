// Lays out a decoder-only transformer as a program. What differs between families comes in as a spec; config.json is not read here.

import type { EagerRounding, Op, OpName, Program, RopeTable, WeightRef } from './program.js';

export interface DecoderSpec {
  readonly architecture: string;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly rms_norm_eps: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
  /** 1 where norms multiply by 1 + weight (Gemma). */
  readonly weight_offset: 0 | 1;
  readonly eager_weight: NonNullable<EagerRounding['weight']>;
  readonly eager_rotary: NonNullable<EagerRounding['rotary']>;
  readonly rope_layout: 'half' | 'interleaved';
  readonly rope_tables: Readonly<Record<string, RopeTable>>;
  /** Per layer: the attention window (0: none) and the RoPE table. */
  readonly layers: readonly { readonly window: number; readonly rope: string }[];
  readonly qk_norm: boolean;
  /** Norms after attention and after the MLP, before the residual is added (Gemma). */
  readonly sandwich_norms: boolean;
  readonly attention_scale: number;
  /** Factor on the embeddings; 1 in most families. */
  readonly embedding_scale: number;
  readonly activation: 'silu_mul' | 'gelu_tanh_mul';
  readonly bias: { readonly qkv: boolean; readonly o: boolean; readonly mlp: boolean };
}

/** Builds the program: embeddings, `num_hidden_layers` layers, final norm, head. Tensor names are transformers' (`model.layers.N...`). */
export function buildDecoder(spec: DecoderSpec): Program {
  const ops: Op[] = [];
  const H = spec.hidden_size;
  const embedding: WeightRef = { tensor: 'model.embed_tokens.weight', shape: [spec.vocab_size, H] };
  ops.push({
    op: 'embed',
    layer: null,
    site: 'embed_tokens',
    inputs: {},
    weights: { weight: embedding },
    attributes: { scale: spec.embedding_scale },
    outputs: { y: 'embeddings' },
  });
  let stream = 'embeddings';
  const layerOutputs: string[] = [];
  for (let layer = 0; layer < spec.num_hidden_layers; layer++) {
    stream = addLayer(ops, spec, layer, stream);
    layerOutputs.push(stream);
  }
  ops.push(norm(spec, null, 'norm', 'model.norm', stream, 'normed'));
  ops.push({
    op: 'linear',
    layer: null,
    site: 'lm_head',
    inputs: { x: 'normed' },
    weights: { weight: spec.tie_word_embeddings ? embedding : { tensor: 'lm_head.weight', shape: [spec.vocab_size, H] } },
    attributes: {},
    outputs: { y: 'logits' },
  });
  return {
    architecture: spec.architecture,
    ops,
    rope_tables: spec.rope_tables,
    num_hidden_layers: spec.num_hidden_layers,
    hidden_size: H,
    vocab_size: spec.vocab_size,
    max_position_embeddings: spec.max_position_embeddings,
    hidden: ['embeddings', ...layerOutputs.slice(0, -1), 'normed'],
    layer_outputs: layerOutputs,
    logits: 'logits',
  };
}

function norm(spec: DecoderSpec, layer: number | null, site: string, module: string, x: string, y: string): Op {
  return {
    op: 'rms_norm',
    layer,
    site,
    inputs: { x },
    weights: { weight: { tensor: `${module}.weight`, shape: [spec.hidden_size] } },
    attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
    outputs: { y },
    eager: { weight: spec.eager_weight },
  };
}

function addLayer(ops: Op[], spec: DecoderSpec, layer: number, input: string): string {
  const prefix = `model.layers.${layer}`;
  const value = (name: string) => `${layer}.${name}`;
  const add = (site: string, x: string, residual: string, y: string): Op => ({
    op: 'add',
    layer,
    site,
    inputs: { x, residual },
    weights: {},
    attributes: {},
    outputs: { y },
  });

  ops.push(norm(spec, layer, 'input_layernorm', `${prefix}.input_layernorm`, input, value('normed')));
  addAttention(ops, spec, layer, value('normed'), value('attention_out'));
  let branch = value('attention_out');
  if (spec.sandwich_norms) {
    ops.push(norm(spec, layer, 'post_attention_layernorm', `${prefix}.post_attention_layernorm`, branch, value('attention_normed')));
    branch = value('attention_normed');
  }
  ops.push(add('residual_attention', branch, input, value('residual')));

  const beforeMlp = spec.sandwich_norms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
  ops.push(norm(spec, layer, beforeMlp, `${prefix}.${beforeMlp}`, value('residual'), value('mlp_in')));
  addMlp(ops, spec, layer, value('mlp_in'), value('mlp_out'));
  branch = value('mlp_out');
  if (spec.sandwich_norms) {
    ops.push(norm(spec, layer, 'post_feedforward_layernorm', `${prefix}.post_feedforward_layernorm`, branch, value('mlp_normed')));
    branch = value('mlp_normed');
  }
  ops.push(add('residual_mlp', branch, value('residual'), value('out')));
  return value('out');
}

function linear(layer: number, module: string, site: string, shape: [number, number], bias: boolean, x: string, y: string): Op {
  const weights: Record<string, WeightRef> = { weight: { tensor: `${module}.weight`, shape } };
  if (bias) weights['bias'] = { tensor: `${module}.bias`, shape: [shape[0]] };
  return { op: 'linear', layer, site, inputs: { x }, weights, attributes: {}, outputs: { y } };
}

function addAttention(ops: Op[], spec: DecoderSpec, layer: number, x: string, out: string): void {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name: string) => `${layer}.${name}`;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: D, hidden_size: H } = spec;
  const { window, rope } = spec.layers[layer] ?? { window: 0, rope: 'default' };

  const weights: Record<string, WeightRef> = {};
  for (const [name, count] of [
    ['q', heads],
    ['k', kvHeads],
    ['v', kvHeads],
  ] as const) {
    weights[`${name}_weight`] = { tensor: `${module}.${name}_proj.weight`, shape: [count * D, H] };
    if (spec.bias.qkv) weights[`${name}_bias`] = { tensor: `${module}.${name}_proj.bias`, shape: [count * D] };
  }
  ops.push({
    op: 'qkv',
    layer,
    site: 'self_attn.qkv_proj',
    inputs: { x },
    weights,
    attributes: { num_heads: heads, num_kv_heads: kvHeads, head_dim: D },
    outputs: { q: value('q'), k: value('k'), v: value('v') },
  });
  let q = value('q');
  let k = value('k');
  if (spec.qk_norm) {
    ops.push({
      op: 'qk_norm',
      layer,
      site: 'self_attn.qk_norm',
      inputs: { q, k },
      weights: { q_weight: { tensor: `${module}.q_norm.weight`, shape: [D] }, k_weight: { tensor: `${module}.k_norm.weight`, shape: [D] } },
      attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
      outputs: { q: value('q_normed'), k: value('k_normed') },
      eager: { weight: spec.eager_weight },
    });
    q = value('q_normed');
    k = value('k_normed');
  }
  ops.push({
    op: 'rope',
    layer,
    site: 'self_attn.rotary_emb',
    inputs: { q, k, cos: `cos:${rope}`, sin: `sin:${rope}` },
    weights: {},
    attributes: { layout: spec.rope_layout, rotary_dim: (spec.rope_tables[rope]?.inv_freq.length ?? D / 2) * 2 },
    outputs: { q: value('q_rotated'), k: value('k_rotated') },
    eager: { rotary: spec.eager_rotary },
  });
  ops.push({
    op: 'attention',
    layer,
    site: 'self_attn.attention',
    inputs: { q: value('q_rotated'), k: value('k_rotated'), v: value('v') },
    weights: {},
    attributes: { scale: spec.attention_scale, causal: true, window, softcap: 0 },
    outputs: { o: value('o') },
  });
  ops.push(linear(layer, `${module}.o_proj`, 'self_attn.o_proj', [H, heads * D], spec.bias.o, value('o'), out));
}

function addMlp(ops: Op[], spec: DecoderSpec, layer: number, x: string, out: string): void {
  const module = `model.layers.${layer}.mlp`;
  const value = (name: string) => `${layer}.${name}`;
  const { hidden_size: H, intermediate_size: I } = spec;
  const activation: OpName = spec.activation;
  ops.push(linear(layer, `${module}.gate_proj`, 'mlp.gate_proj', [I, H], spec.bias.mlp, x, value('gate')));
  ops.push(linear(layer, `${module}.up_proj`, 'mlp.up_proj', [I, H], spec.bias.mlp, x, value('up')));
  ops.push({
    op: activation,
    layer,
    site: 'mlp.act_fn',
    inputs: { gate: value('gate'), up: value('up') },
    weights: {},
    attributes: {},
    outputs: { y: value('activated') },
  });
  ops.push(linear(layer, `${module}.down_proj`, 'mlp.down_proj', [H, I], spec.bias.mlp, value('activated'), out));
}
