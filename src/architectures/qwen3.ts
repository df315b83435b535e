// Qwen 3: Llama with RMS norms over each head of Q and K; transformers' modeling_qwen3.py.

import { dimensions, LIKE_LLAMA, qwenLayers } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function qwen3(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32_768, head_dim: 128 });
  const bias = flag(config, 'attention_bias', false);
  return {
    ...LIKE_LLAMA,
    architecture: 'qwen3',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: qwenLayers(config, size),
    qk_norm: 'head',
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: bias, o: bias, mlp: false },
  };
}
