// Gemma 3 (text): 1 + w norms, sandwich norms, Q/K norms, local and global RoPE, scaled embeddings; transformers' modeling_gemma3.py.

import { dimensions, LIKE_GEMMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, layerTypes, positiveInteger, positiveNumber, refuseUnless, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function gemma3Text(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131_072, head_dim: 256 });
  refuseUnless(config, 'attn_logit_softcapping', [], 'soft-capped attention scores are not built in for gemma3_text');
  refuseUnless(config, 'final_logit_softcapping', [], 'soft-capped logits are not built in for gemma3_text');
  refuseUnless(config, 'use_bidirectional_attention', [], 'only causal attention is built in');
  const window = positiveInteger(config, 'sliding_window', 4096);
  // Published checkpoints write `sliding_window_pattern`, transformers 5 `_sliding_window_pattern`; every such layer is global.
  const pattern = positiveInteger(
    config,
    config['sliding_window_pattern'] == null ? '_sliding_window_pattern' : 'sliding_window_pattern',
    6,
  );
  const types = layerTypes(config, size.num_hidden_layers, (layer) =>
    (layer + 1) % pattern === 0 ? 'full_attention' : 'sliding_attention',
  );
  const bias = flag(config, 'attention_bias', false);
  return {
    ...LIKE_GEMMA,
    architecture: 'gemma3_text',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', true),
    rope_tables: {
      full_attention: ropeTable(config, size.head_dim, { layerType: 'full_attention', theta: 1_000_000 }),
      sliding_attention: ropeTable(config, size.head_dim, { layerType: 'sliding_attention', key: 'rope_local_base_freq', theta: 10_000 }),
    },
    layers: types.map((type) => ({ window: type === 'sliding_attention' ? window : 0, rope: type })),
    qk_norm: 'head',
    attention_scale: positiveNumber(config, 'query_pre_attn_scalar', 256) ** -0.5,
    embedding_scale: Math.sqrt(size.hidden_size),
    activation: gatedActivation(config, 'hidden_activation', 'gelu_pytorch_tanh'),
    bias: { qkv: bias, o: bias, mlp: false },
  };
}
