// Mistral: Llama with a sliding window over all layers; transformers' modeling_mistral.py.

import { dimensions } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, positiveInteger, ropeTable, type RawConfig } from './fields.js';

export function mistral(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131_072 });
  const window = config['sliding_window'] == null ? 0 : positiveInteger(config, 'sliding_window');
  return {
    architecture: 'mistral',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    weight_offset: 0,
    eager_weight: 'after_rounding',
    eager_rotary: 'serving',
    rope_layout: 'half',
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: Array.from({ length: size.num_hidden_layers }, () => ({ window, rope: 'default' })),
    qk_norm: false,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: false, o: false, mlp: false },
  };
}
