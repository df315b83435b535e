// Qwen 2 and 2.5: Llama with biases on Q, K and V and, in the last layers, a window; transformers' modeling_qwen2.py.

import { dimensions, LIKE_LLAMA, qwenLayers } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, refuseUnless, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function qwen2(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32_768 });
  refuseUnless(config, 'use_mrope', [], 'rotary embeddings of images and video are not built in');
  return {
    ...LIKE_LLAMA,
    architecture: 'qwen2',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: qwenLayers(config, size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: true, o: false, mlp: false },
  };
}
