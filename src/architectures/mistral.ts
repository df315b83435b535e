// Mistral: Llama with a sliding window over all layers; transformers' modeling_mistral.py.

import { dimensions, everyLayer, LIKE_LLAMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, positiveInteger, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function mistral(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131_072 });
  return {
    ...LIKE_LLAMA,
    architecture: 'mistral',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: everyLayer(size, config['sliding_window'] == null ? 0 : positiveInteger(config, 'sliding_window')),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: false, o: false, mlp: false },
  };
}
