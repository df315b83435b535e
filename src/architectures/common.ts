// What the Llama-like families read alike from config.json. A family's own file adds what is its own.

import { ModelError } from '../errors.js';
import type { DecoderSpec } from './decoder.js';
import { layerCount, positiveInteger, positiveNumber, refuseUnless, type RawConfig } from './fields.js';

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
