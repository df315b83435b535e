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
  /** RMS norms of Q and K before RoPE: over each head, or over all heads at once (OLMo 2). */
  readonly qk_norm: 'head' | 'projection' | null;
  /** Where attention and MLP have their norms: before, after but before the residual is added (OLMo 2), or both (Gemma). */
  readonly norms: 'before' | 'after' | 'both';
  /** Q, K and V in one tensor, gate and up in another (Phi-3). */
  readonly fused_projections: boolean;
  readonly attention_scale: number;
  /** Scores and logits become cap · tanh(x / cap); 0 for none (Gemma 2). */
  readonly attention_softcap: number;
  readonly logit_softcap: number;
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
    attributes: { softcap: spec.logit_softcap },
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

function norm(spec: DecoderSpec, layer: number | null, site: string, module: string, x: string, y: string, size = spec.hidden_size): Op {
  return {
    op: 'rms_norm',
    layer,
    site,
    inputs: { x },
    weights: { weight: { tensor: `${module}.weight`, shape: [size] } },
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

  const normed = (site: string, x: string, y: string) => {
    ops.push(norm(spec, layer, site, `${prefix}.${site}`, x, value(y)));
    return value(y);
  };
  const { norms } = spec;

  let branch = norms === 'after' ? input : normed('input_layernorm', input, 'normed');
  addAttention(ops, spec, layer, branch, value('attention_out'));
  branch = value('attention_out');
  if (norms !== 'before') branch = normed('post_attention_layernorm', branch, 'attention_normed');
  ops.push(add('residual_attention', branch, input, value('residual')));

  branch = value('residual');
  if (norms !== 'after') branch = normed(norms === 'both' ? 'pre_feedforward_layernorm' : 'post_attention_layernorm', branch, 'mlp_in');
  addMlp(ops, spec, layer, branch, value('mlp_out'));
  branch = value('mlp_out');
  if (norms !== 'before') branch = normed('post_feedforward_layernorm', branch, 'mlp_normed');
  ops.push(add('residual_mlp', branch, value('residual'), value('out')));
  return value('out');
}

function linear(layer: number, site: string, weight: WeightRef, bias: WeightRef | null, x: string, y: string): Op {
  const weights: Record<string, WeightRef> = bias === null ? { weight } : { weight, bias };
  return { op: 'linear', layer, site, inputs: { x }, weights, attributes: {}, outputs: { y } };
}

/** Weights [rows, columns] of parts that read the same input, each in its own tensor or, fused, one after the other in the tensor `fused`. */
function projections(module: string, fused: string | null, columns: number, parts: readonly (readonly [string, number])[]): WeightRef[] {
  const total = parts.reduce((sum, [, rows]) => sum + rows, 0);
  let start = 0;
  return parts.map(([name, rows]) => {
    const shape = [rows, columns];
    if (fused === null) return { tensor: `${module}.${name}.weight`, shape };
    start += rows;
    return { tensor: `${module}.${fused}.weight`, shape, rows: { start: start - rows, total } };
  });
}

function biasOf(has: boolean, module: string, rows: number): WeightRef | null {
  return has ? { tensor: `${module}.bias`, shape: [rows] } : null;
}

function addAttention(ops: Op[], spec: DecoderSpec, layer: number, x: string, out: string): void {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name: string) => `${layer}.${name}`;
  const { num_attention_heads: heads, head_dim: D, hidden_size: H } = spec;
  const { window, rope } = spec.layers[layer] ?? { window: 0, rope: 'default' };
  const [q, k] = spec.qk_norm === 'projection' ? addWidelyNormed(ops, spec, layer, x) : addHeads(ops, spec, layer, x);
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
    attributes: { scale: spec.attention_scale, causal: true, window, softcap: spec.attention_softcap },
    outputs: { o: value('o') },
  });
  const weight = { tensor: `${module}.o_proj.weight`, shape: [H, heads * D] };
  ops.push(linear(layer, 'self_attn.o_proj', weight, biasOf(spec.bias.o, `${module}.o_proj`, H), value('o'), out));
}

/** Parts of the input projection with their rows. */
function headParts({ num_attention_heads, num_key_value_heads, head_dim }: DecoderSpec) {
  const [q, kv] = [num_attention_heads * head_dim, num_key_value_heads * head_dim];
  return [
    ['q_proj', q],
    ['k_proj', kv],
    ['v_proj', kv],
  ] as const;
}

function headCounts(spec: DecoderSpec) {
  return { num_heads: spec.num_attention_heads, num_kv_heads: spec.num_key_value_heads, head_dim: spec.head_dim };
}

/** Q, K and V in one op, and norms of single heads where the family has them. */
function addHeads(ops: Op[], spec: DecoderSpec, layer: number, x: string): [string, string] {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name: string) => `${layer}.${name}`;
  const parts = headParts(spec);
  const [q_weight, k_weight, v_weight] = projections(module, spec.fused_projections ? 'qkv_proj' : null, spec.hidden_size, parts);
  const weights = { q_weight, k_weight, v_weight } as Record<string, WeightRef>;
  for (const [name, rows] of spec.bias.qkv ? parts : [])
    weights[`${name.slice(0, 1)}_bias`] = { tensor: `${module}.${name}.bias`, shape: [rows] };
  ops.push({
    op: 'qkv',
    layer,
    site: 'self_attn.qkv_proj',
    inputs: { x },
    weights,
    attributes: headCounts(spec),
    outputs: { q: value('q'), k: value('k'), v: value('v') },
  });
  if (spec.qk_norm === null) return [value('q'), value('k')];
  const weight = (name: string): WeightRef => ({ tensor: `${module}.${name}_norm.weight`, shape: [spec.head_dim] });
  ops.push({
    op: 'qk_norm',
    layer,
    site: 'self_attn.qk_norm',
    inputs: { q: value('q'), k: value('k') },
    weights: { q_weight: weight('q'), k_weight: weight('k') },
    attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
    outputs: { q: value('q_normed'), k: value('k_normed') },
    eager: { weight: spec.eager_weight },
  });
  return [value('q_normed'), value('k_normed')];
}

/**
 * Q and K normed over all their heads at once: plain linear layers and RMS norms, since the contracts `qkv` and `qk_norm` are of single heads,
 * then cut into heads.
 */
function addWidelyNormed(ops: Op[], spec: DecoderSpec, layer: number, x: string): [string, string] {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name: string) => `${layer}.${name}`;
  const parts = headParts(spec);
  const refs = projections(module, null, spec.hidden_size, parts);
  for (const [i, [name, rows]] of parts.entries()) {
    const bias = biasOf(spec.bias.qkv, `${module}.${name}`, rows);
    ops.push(linear(layer, `self_attn.${name}`, refs[i] as WeightRef, bias, x, value(name)));
  }
  for (const [name, rows] of parts.slice(0, 2)) {
    const site = `self_attn.${name.slice(0, 1)}_norm`;
    ops.push(norm(spec, layer, site, `model.layers.${layer}.${site}`, value(name), value(`${name}_normed`), rows));
  }
  ops.push({
    op: 'split_heads',
    layer,
    site: 'self_attn.heads',
    inputs: { q: value('q_proj_normed'), k: value('k_proj_normed'), v: value('v_proj') },
    weights: {},
    attributes: headCounts(spec),
    outputs: { q: value('q'), k: value('k'), v: value('v') },
  });
  return [value('q'), value('k')];
}

function addMlp(ops: Op[], spec: DecoderSpec, layer: number, x: string, out: string): void {
  const module = `model.layers.${layer}.mlp`;
  const value = (name: string) => `${layer}.${name}`;
  const { hidden_size: H, intermediate_size: I } = spec;
  const activation: OpName = spec.activation;
  const parts = [
    ['gate_proj', I],
    ['up_proj', I],
  ] as const;
  for (const [i, weight] of projections(module, spec.fused_projections ? 'gate_up_proj' : null, H, parts).entries()) {
    const [name, rows] = parts[i] as (typeof parts)[number];
    ops.push(
      linear(layer, `mlp.${name}`, weight, biasOf(spec.bias.mlp, `${module}.${name}`, rows), x, value(name.slice(0, -'_proj'.length))),
    );
  }
  ops.push({
    op: activation,
    layer,
    site: 'mlp.act_fn',
    inputs: { gate: value('gate'), up: value('up') },
    weights: {},
    attributes: {},
    outputs: { y: value('activated') },
  });
  const weight = { tensor: `${module}.down_proj.weight`, shape: [H, I] };
  ops.push(linear(layer, 'mlp.down_proj', weight, biasOf(spec.bias.mlp, `${module}.down_proj`, H), value('activated'), out));
}
