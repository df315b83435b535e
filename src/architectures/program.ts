// A model as data: a list of ops with their weights. Architectures only build programs; running them is src/reference's.

/** Ops that stand in programs. Fused ops (src/kernels/contracts.ts) are runs of these. */
export type OpName =
  'embed' | 'rms_norm' | 'linear' | 'qkv' | 'split_heads' | 'qk_norm' | 'rope' | 'attention' | 'silu_mul' | 'gelu_tanh_mul' | 'add';

export type AttributeValue = number | string | boolean;

/** A tensor of the checkpoint and the shape it must have there, or some rows of one that holds several weights. */
export interface WeightRef {
  readonly tensor: string;
  /** Of the rows, where it is not the whole tensor. */
  readonly shape: readonly number[];
  /** The first row, and how many rows the tensor has in all. */
  readonly rows?: { readonly start: number; readonly total: number };
}

/** The tensor of which a weight is part. */
export function wholeTensor({ tensor, shape, rows }: WeightRef): WeightRef {
  return { tensor, shape: rows === undefined ? shape : [rows.total, ...shape.slice(1)] };
}

export interface Op {
  readonly op: OpName;
  /** null before the first layer and after the last. */
  readonly layer: number | null;
  /** Where it stands in the layer, in transformers' module names: `self_attn.rotary_emb`. */
  readonly site: string;
  /** Contract tensor → value computed by an earlier op, or a RoPE table (`cos:NAME`, `sin:NAME`). */
  readonly inputs: Readonly<Record<string, string>>;
  /** Contract tensor → checkpoint tensor. */
  readonly weights: Readonly<Record<string, WeightRef>>;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Contract tensor → name of the value it makes. */
  readonly outputs: Readonly<Record<string, string>>;
  /** How transformers' eager code rounds here, where that differs between families. */
  readonly eager?: EagerRounding;
}

export interface EagerRounding {
  /** `rms_norm`, `qk_norm`: round, then multiply by the weight (Llama), or multiply, then round once (Gemma). */
  readonly weight?: 'after_rounding' | 'before_rounding';
  /** `rope`: cos and sin are cast to the serving dtype and every product is rounded (Llama), or all stays in float32 to the end (ERNIE 4.5). */
  readonly rotary?: 'serving' | 'float32';
}

/** Angles of a rotary embedding: cos and sin of position × inv_freq, times `attention_factor`. */
export interface RopeTable {
  /** [rotary_dim / 2], computed in float32 as transformers does. */
  readonly inv_freq: readonly number[];
  readonly attention_factor: number;
  /** LongRoPE: the frequencies of prompts with more tokens than `above`. */
  readonly long?: { readonly above: number; readonly inv_freq: readonly number[] };
}

export interface Program {
  readonly architecture: string;
  readonly ops: readonly Op[];
  readonly rope_tables: Readonly<Record<string, RopeTable>>;
  readonly num_hidden_layers: number;
  readonly hidden_size: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  /** transformers' `hidden_states`: the embeddings, each layer's output, the last one after the final norm. */
  readonly hidden: readonly string[];
  /** Output of each layer before anything that follows it. */
  readonly layer_outputs: readonly string[];
  readonly logits: string;
}
