// Llama (TinyLlama, Llama 2, SmolLM ...): transformers' modeling_llama.py.

import { dimensions } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, ropeTable, type RawConfig } from './fields.js';

export function llama(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 2048 });
  const attentionBias = flag(config, 'attention_bias', false);
  return {
    architecture: 'llama',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    weight_offset: 0,
    eager_weight: 'after_rounding',
    eager_rotary: 'serving',
    rope_layout: 'half',
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: Array.from({ length: size.num_hidden_layers }, () => ({ window: 0, rope: 'default' })),
    qk_norm: false,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: attentionBias, o: attentionBias, mlp: flag(config, 'mlp_bias', false) },
  };
}
