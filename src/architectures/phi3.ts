// Phi-3, 3.5 and 4 (mini): Llama with Q, K and V in one tensor, gate and up in another, part of a head rotated, LongRoPE; transformers'
// modeling_phi3.py.

import { dimensions, everyLayer, LIKE_LLAMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, positiveInteger, refuseUnless, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function phi3(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 4096 });
  for (const key of ['attention_bias', 'mlp_bias', 'lm_head_bias']) refuseUnless(config, key, [], 'transformers has no biases in phi3');
  return {
    ...LIKE_LLAMA,
    architecture: 'phi3',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    rope_tables: {
      default: ropeTable(config, size.head_dim, { theta: 10_000, phi3: { original_max_position_embeddings: 4096 } }),
    },
    layers: everyLayer(size, config['sliding_window'] == null ? 0 : positiveInteger(config, 'sliding_window')),
    fused_projections: true,
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: false, o: false, mlp: false },
  };
}
