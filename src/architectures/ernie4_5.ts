// ERNIE 4.5 (dense): interleaved RoPE, computed in float32 to the end; transformers' modeling_ernie4_5.py.

import { dimensions, everyLayer, LIKE_LLAMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function ernie45(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 131_072, head_dim: 128 });
  const bias = flag(config, 'use_bias', false);
  return {
    ...LIKE_LLAMA,
    architecture: 'ernie4_5',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', true),
    eager_rotary: 'float32',
    rope_layout: 'interleaved',
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 500_000 }) },
    layers: everyLayer(size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: bias, o: bias, mlp: bias },
  };
}
