// Gemma 2: Gemma 3 without Q/K norms and with one RoPE, but with scores and logits capped by tanh; transformers' modeling_gemma2.py.

import { dimensions, LIKE_GEMMA } from './common.js';
import type { DecoderSpec } from './decoder.js';
import { flag, gatedActivation, layerTypes, positiveInteger, positiveNumber, refuseUnless, softcap, type RawConfig } from './fields.js';
import { ropeTable } from './rope.js';

export function gemma2(config: RawConfig): DecoderSpec {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 8192, head_dim: 256 });
  refuseUnless(config, 'use_bidirectional_attention', [], 'only causal attention is built in');
  const window = positiveInteger(config, 'sliding_window', 4096);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => (layer % 2 === 0 ? 'sliding_attention' : 'full_attention'));
  const bias = flag(config, 'attention_bias', false);
  return {
    ...LIKE_GEMMA,
    architecture: 'gemma2',
    ...size,
    tie_word_embeddings: flag(config, 'tie_word_embeddings', true),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 10_000 }) },
    layers: types.map((type) => ({ window: type === 'sliding_attention' ? window : 0, rope: 'default' })),
    attention_scale: positiveNumber(config, 'query_pre_attn_scalar', 256) ** -0.5,
    attention_softcap: softcap(config, 'attn_logit_softcapping', 50),
    logit_softcap: softcap(config, 'final_logit_softcapping', 30),
    embedding_scale: Math.sqrt(size.hidden_size),
    activation: gatedActivation(config, 'hidden_activation', 'gelu_pytorch_tanh'),
    bias: { qkv: bias, o: bias, mlp: false },
  };
}
