// OLMo 2: no norm before attention and MLP but one after each, Q and K normed over their whole width; transformers' modeling_olmo2.py.

import { dimensions, everyLayer, LIKE_LLAMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function olmo2(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 2048 });
  const bias = flag(config, 'attention_bias', false);
  return {
    ...LIKE_LLAMA,
    architecture: 'olmo2',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    eager_weight: 'before_rounding',
    eager_rotary: 'float32',
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: everyLayer(size),
    qk_norm: 'projection',
    norms: 'after',
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: bias, o: bias, mlp: false },
  };
}
