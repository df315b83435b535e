// Qwen 3: Llama with RMS norms over each head of Q and K; transformers' modeling_qwen3.py.

import { dimensions } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, layerTypes, positiveInteger, ropeTable, type RawConfig } from './fields.js';

export function qwen3(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32_768, head_dim: 128 });
  const sliding = flag(config, 'use_sliding_window', false) && config['sliding_window'] != null;
  const window = sliding ? positiveInteger(config, 'sliding_window') : 0;
  const from = positiveInteger(config, 'max_window_layers', 28);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => (sliding && layer >= from ? 'sliding_attention' : 'full_attention'));
  const bias = flag(config, 'attention_bias', false);
  return {
    architecture: 'qwen3',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', false),
    weight_offset: 0,
    eager_weight: 'after_rounding',
    eager_rotary: 'serving',
    rope_layout: 'half',
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: types.map((type) => ({ window: type === 'sliding_attention' ? window : 0, rope: 'default' })),
    qk_norm: true,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, 'hidden_act', 'silu'),
    bias: { qkv: bias, o: bias, mlp: false },
  };
}
