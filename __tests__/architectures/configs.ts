// A small valid config.json of each family, for tests to change one key of.

import type { RawConfig } from '../../src/architectures/fields.js';

const SIZES = {
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  vocab_size: 20,
  max_position_embeddings: 64,
};

export const CONFIGS = {
  llama: { model_type: 'llama', ...SIZES, rope_theta: 10_000, tie_word_embeddings: false },
  mistral: { model_type: 'mistral', ...SIZES, rope_theta: 10_000, sliding_window: 5, tie_word_embeddings: false },
  qwen3: { model_type: 'qwen3', ...SIZES, rope_theta: 1_000_000, tie_word_embeddings: true },
  ernie4_5: { model_type: 'ernie4_5', ...SIZES, rope_theta: 500_000, tie_word_embeddings: true },
  gemma3_text: { model_type: 'gemma3_text', ...SIZES, rope_theta: 1_000_000, rope_local_base_freq: 10_000, sliding_window: 5 },
  gemma2: { model_type: 'gemma2', ...SIZES, rope_theta: 10_000, sliding_window: 5 },
  olmo2: { model_type: 'olmo2', ...SIZES, rope_theta: 500_000, tie_word_embeddings: false },
  phi3: { model_type: 'phi3', ...SIZES, rope_theta: 10_000, sliding_window: 5, original_max_position_embeddings: 16 },
  qwen2: { model_type: 'qwen2', ...SIZES, rope_theta: 1_000_000, tie_word_embeddings: true },
} as const satisfies Record<string, RawConfig>;

export type Family = keyof typeof CONFIGS;
export const FAMILIES = Object.keys(CONFIGS) as Family[];

/** The family's config with some keys set; `undefined` takes a key away. */
export function config(family: Family, keys: RawConfig = {}): RawConfig {
  return Object.fromEntries(Object.entries({ ...CONFIGS[family], ...keys }).filter(([, value]) => value !== undefined));
}
