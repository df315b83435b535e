// What the Llama-like families read alike from config.json. A family's own file adds what is its own.

import { ModelError } from '../errors.js';
import type { DecoderSpec } from './decoder.js';
import { flag, layerCount, layerTypes, positiveInteger, positiveNumber, refuseUnless, type RawConfig } from './fields.js';

export type Dimensions = Pick<
  DecoderSpec,
  | 'hidden_size'
  | 'intermediate_size'
  | 'num_hidden_layers'
  | 'num_attention_heads'
  | 'num_key_value_heads'
  | 'head_dim'
  | 'rms_norm_eps'
  | 'vocab_size'
  | 'max_position_embeddings'
>;

/** How Llama is laid out and rounds in transformers, which most families share. */
export const LIKE_LLAMA = {
  weight_offset: 0,
  eager_weight: 'after_rounding',
  eager_rotary: 'serving',
  rope_layout: 'half',
  qk_norm: null,
  norms: 'before',
  fused_projections: false,
  attention_softcap: 0,
  logit_softcap: 0,
  embedding_scale: 1,
} as const satisfies Partial<DecoderSpec>;

/** What Gemma 2 and 3 share: norms on both sides that multiply by 1 + weight. */
export const LIKE_GEMMA = {
  ...LIKE_LLAMA,
  weight_offset: 1,
  eager_weight: 'before_rounding',
  norms: 'both',
} as const satisfies Partial<DecoderSpec>;

/** Sizes of the model, checked against each other. `headDim`: what transformers assumes when config.json has no head_dim. */
export function dimensions(
  config: RawConfig,
  defaults: { rms_norm_eps: number; max_position_embeddings: number; head_dim?: number },
): Dimensions {
  refuseUnless(config, 'quantization_config', [], 'quantised checkpoints cannot be run by the numeric diff; use the unquantised one');
  const hidden = positiveInteger(config, 'hidden_size');
  const heads = positiveInteger(config, 'num_attention_heads');
  const kvHeads = positiveInteger(config, 'num_key_value_heads', heads);
  if (heads % kvHeads !== 0) {
    throw new ModelError('config_invalid', `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${kvHeads}`);
  }
  if (config['head_dim'] == null && defaults.head_dim === undefined && hidden % heads !== 0) {
    throw new ModelError(
      'config_invalid',
      `config.json: hidden_size ${hidden} is not a multiple of num_attention_heads ${heads} and there is no head_dim`,
    );
  }
  const headDim = positiveInteger(config, 'head_dim', defaults.head_dim ?? hidden / heads);
  if (headDim % 2 !== 0) throw new ModelError('config_invalid', `config.json: head_dim ${headDim} is odd; rotary embeddings need pairs`);
  return {
    hidden_size: hidden,
    intermediate_size: positiveInteger(config, 'intermediate_size'),
    num_hidden_layers: layerCount(config),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    rms_norm_eps: positiveNumber(config, 'rms_norm_eps', defaults.rms_norm_eps),
    vocab_size: positiveInteger(config, 'vocab_size'),
    max_position_embeddings: positiveInteger(config, 'max_position_embeddings', defaults.max_position_embeddings),
  };
}

/** The same window (0: none) in every layer, and one RoPE table. */
export function everyLayer(size: Dimensions, window = 0): DecoderSpec['layers'] {
  return Array.from({ length: size.num_hidden_layers }, () => ({ window, rope: 'default' }));
}

/** Layers of Qwen 2 and 3: a window only with `use_sliding_window`, from layer `max_window_layers` on or where `layer_types` says so. */
export function qwenLayers(config: RawConfig, size: Dimensions): DecoderSpec['layers'] {
  const sliding = flag(config, 'use_sliding_window', false) && config['sliding_window'] !== null;
  const window = sliding ? positiveInteger(config, 'sliding_window', 4096) : 0;
  const from = firstWindowLayer(config);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => (sliding && layer >= from ? 'sliding_attention' : 'full_attention'));
  return types.map((type) => ({ window: type === 'sliding_attention' ? window : 0, rope: 'default' }));
}

/** 0 is common: every layer has the window. */
function firstWindowLayer(config: RawConfig): number {
  return config['max_window_layers'] === 0 ? 0 : positiveInteger(config, 'max_window_layers', 28);
}
