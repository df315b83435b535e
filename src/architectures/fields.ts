// Reads single keys of a config.json, hostile until checked: each getter names the key, the value and what is allowed.

import { ModelError } from '../errors.js';

export type RawConfig = Readonly<Record<string, unknown>>;

/** More layers than any published model (the largest have some 130); a loop bound must not come from a hostile file. */
const MAX_LAYERS = 1024;
/** Largest size of a dimension that is believed; Gemma's vocabulary, the largest in use, is 262,144. */
const MAX_DIMENSION = 2 ** 24;

function wrong(key: string, value: unknown, allowed: string): ModelError {
  const shown = JSON.stringify(value) ?? 'missing';
  return new ModelError(
    'config_invalid',
    `config.json: ${key} is ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}; it must be ${allowed}`,
  );
}

/** An integer from 1 to `max`; `fallback` stands in for a missing or null key. */
export function positiveInteger(config: RawConfig, key: string, fallback?: number, max = MAX_DIMENSION): number {
  const value = config[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max)
    throw wrong(key, config[key], `an integer from 1 to ${max}`);
  return value;
}

export function layerCount(config: RawConfig): number {
  return positiveInteger(config, 'num_hidden_layers', undefined, MAX_LAYERS);
}

/** A finite number above 0. */
export function positiveNumber(config: RawConfig, key: string, fallback?: number): number {
  const value = config[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) throw wrong(key, config[key], 'a number above 0');
  return value;
}

/** A cap on scores or logits, 0 for none: null says so, an absent key is `fallback`. */
export function softcap(config: RawConfig, key: string, fallback: number): number {
  if (config[key] === null) return 0;
  return positiveNumber(config, key, fallback);
}

export function flag(config: RawConfig, key: string, fallback: boolean): boolean {
  const value = config[key] ?? fallback;
  if (typeof value !== 'boolean') throw wrong(key, value, 'true or false');
  return value;
}

/** Refuses a key whose meaning is not built in, unless it is absent, null, false or one of `harmless`. */
export function refuseUnless(config: RawConfig, key: string, harmless: readonly unknown[], why: string): void {
  const value = config[key];
  if (value === undefined || value === null || value === false || harmless.includes(value)) return;
  throw new ModelError('unsupported_config', `config.json: ${key} is ${JSON.stringify(value)?.slice(0, 80)}; ${why}`);
}

/** `layer_types` of transformers, one entry per layer, or what `fallback` says for each layer. */
export function layerTypes(config: RawConfig, layers: number, fallback: (layer: number) => LayerType): LayerType[] {
  const value = config['layer_types'];
  if (value === undefined || value === null) return Array.from({ length: layers }, (_, layer) => fallback(layer));
  if (!Array.isArray(value) || value.length !== layers) {
    throw wrong('layer_types', value, `a list of ${layers} entries, one per layer (num_hidden_layers)`);
  }
  return value.map((entry: unknown) => {
    if (entry !== 'full_attention' && entry !== 'sliding_attention')
      throw wrong('layer_types', entry, '"full_attention" or "sliding_attention"');
    return entry;
  });
}

export type LayerType = 'full_attention' | 'sliding_attention';

export function objectOrNull(config: RawConfig, key: string): RawConfig | null {
  const value = config[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(key, value, 'an object');
  return value as RawConfig;
}

/** The gated activation's op for transformers' `hidden_act` / `hidden_activation`. */
export function gatedActivation(config: RawConfig, key: string, fallback: string): 'silu_mul' | 'gelu_tanh_mul' {
  const value = config[key] ?? fallback;
  if (value === 'silu' || value === 'swish') return 'silu_mul';
  if (value === 'gelu_pytorch_tanh') return 'gelu_tanh_mul';
  throw new ModelError(
    'unsupported_config',
    `config.json: ${key} is ${JSON.stringify(value)?.slice(0, 40)}; known: "silu", "gelu_pytorch_tanh"`,
  );
}
