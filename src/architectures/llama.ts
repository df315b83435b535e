// Llama (Llama 2 and 3, TinyLlama, SmolLM ...): transformers' modeling_llama.py.

import { dimensions, everyLayer, LIKE_LLAMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function llama(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 2048 });
  const attentionBias = flag(config, 'attention_bias', false);
  return {
    ...LIKE_LLAMA,
    architecture: 'llama',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: everyLayer(size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: attentionBias, o: attentionBias, mlp: flag(config, 'mlp_bias', false) },
  };
}
