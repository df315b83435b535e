// Reads the rotary embedding of a config.json and computes its frequencies, every step rounded to float32 as in transformers'
// modeling_rope_utils.py. What is rotated by them is the program's.

import { ModelError } from '../errors.js';
import { objectOrNull, positiveInteger, positiveNumber, type LayerType, type RawConfig } from './fields.js';
import type { RopeTable } from './program.js';

export interface RopeOptions {
  /** Where a family has a table per layer type. */
  readonly layerType?: LayerType;
  /** Key of the base beside `rope_scaling`; `rope_theta` when absent. */
  readonly key?: string;
  /** What transformers assumes without that key. */
  readonly theta: number;
  /** Phi-3: only the first part of a head is rotated, and `original_max_position_embeddings` stands beside `rope_scaling` with this default. */
  readonly phi3?: { readonly original_max_position_embeddings: number };
}

/** The settings of one table, wherever config.json has them. */
interface Settings {
  readonly config: RawConfig;
  /** Keys with the block's name in front, for messages: `rope_scaling.factor`. */
  readonly block: RawConfig;
  readonly name: string;
  readonly theta: number;
  readonly rotaryDim: number;
  readonly options: RopeOptions;
}

interface Scaling {
  /** Keys that it reads, beside those of every type. */
  readonly keys: readonly string[];
  table(settings: Settings): RopeTable;
}

const SCALINGS: ReadonlyMap<string, Scaling> = new Map([
  ['default', { keys: [], table: (s) => ({ inv_freq: inverse(powers(s)), attention_factor: 1 }) }],
  ['linear', { keys: ['factor'], table: linear }],
  ['llama3', { keys: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'], table: llama3 }],
  [
    'yarn',
    {
      keys: [
        'factor',
        'original_max_position_embeddings',
        'attention_factor',
        'beta_fast',
        'beta_slow',
        'mscale',
        'mscale_all_dim',
        'truncate',
      ],
      table: yarn,
    },
  ],
  [
    'longrope',
    { keys: ['short_factor', 'long_factor', 'factor', 'original_max_position_embeddings', 'attention_factor'], table: longrope },
  ],
]);
const COMMON_KEYS = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];

const f32 = Math.fround;

/**
 * RoPE settings of either form of config.json: `rope_theta` beside `rope_scaling` (published checkpoints up to 2025) or `rope_parameters`
 * (transformers 5), flat or keyed by layer type.
 * @throws ModelError `config_invalid`, `unsupported_config` for types and keys that are not built in
 */
export function ropeTable(config: RawConfig, headDim: number, options: RopeOptions): RopeTable {
  const parameters = objectOrNull(config, 'rope_parameters');
  const older = objectOrNull(config, 'rope_scaling');
  if (parameters !== null && older !== null) {
    throw new ModelError('config_invalid', 'config.json: has both rope_parameters and rope_scaling; keep the one that is meant');
  }
  const perType = options.layerType !== undefined && parameters !== null ? objectOrNull(parameters, options.layerType) : null;
  const newer = perType ?? parameters;
  // Gemma 3's `rope_scaling` concerns its full-attention layers only.
  const scaling = newer ?? (options.layerType === 'sliding_attention' ? null : older) ?? {};
  const name = newer === null ? 'rope_scaling' : 'rope_parameters';
  const block = Object.fromEntries(Object.entries(scaling).map(([key, value]) => [`${name}.${key}`, value]));
  const ownTheta = newer !== null && newer['rope_theta'] !== undefined;
  const theta = ownTheta ? positiveNumber(block, `${name}.rope_theta`) : positiveNumber(config, options.key ?? 'rope_theta', options.theta);
  const rotaryDim = rotary(config, scaling, headDim, options);
  return scalingOf(scaling, name, options).table({ config, block, name, theta, rotaryDim, options });
}

function scalingOf(block: RawConfig, name: string, options: RopeOptions): Scaling {
  let type = block['rope_type'] ?? block['type'] ?? 'default';
  // Older Phi-3 files call LongRoPE "su" or "yarn", and transformers takes them as that (configuration_phi3.py).
  if (options.phi3 !== undefined && (type === 'su' || type === 'yarn')) type = 'longrope';
  const known = options.phi3 === undefined ? [...SCALINGS.keys()] : ['default', 'longrope'];
  const scaling = typeof type === 'string' && known.includes(type) ? SCALINGS.get(type) : undefined;
  if (scaling === undefined) {
    throw new ModelError(
      'unsupported_config',
      `config.json: RoPE scaling of type ${JSON.stringify(type)?.slice(0, 40)} is not built in; known: ${known.map((each) => `"${each}"`).join(', ')}`,
    );
  }
  const unknown = Object.keys(block).find((key) => block[key] != null && !COMMON_KEYS.includes(key) && !scaling.keys.includes(key));
  if (unknown !== undefined) {
    throw new ModelError(
      'unsupported_config',
      `config.json: ${name} has the key ${JSON.stringify(unknown.slice(0, 60))}, which is not built in for RoPE scaling of type ` +
        `${JSON.stringify(type)}; known: ${[...scaling.keys, ...COMMON_KEYS].join(', ')}`,
    );
  }
  return scaling;
}

function rotary(config: RawConfig, block: RawConfig, headDim: number, options: RopeOptions): number {
  const partial = block['partial_rotary_factor'] ?? config['partial_rotary_factor'] ?? 1;
  if (options.phi3 === undefined) {
    if (partial === 1) return headDim;
    throw new ModelError('unsupported_config', `config.json: partial_rotary_factor is ${JSON.stringify(partial)}; only 1 is built in`);
  }
  const dim = typeof partial === 'number' && partial > 0 && partial <= 1 ? Math.floor(headDim * partial) : 0;
  if (dim > 0 && dim % 2 === 0) return dim;
  throw new ModelError(
    'config_invalid',
    `config.json: partial_rotary_factor is ${JSON.stringify(partial)?.slice(0, 40)}; it must be a number above 0 and at most 1 that makes ` +
      `an even number of the ${headDim} elements of a head`,
  );
}

/** `base ** (arange(0, dim, 2).float() / dim)` */
function powers({ theta, rotaryDim }: Pick<Settings, 'theta' | 'rotaryDim'>): number[] {
  return Array.from({ length: rotaryDim / 2 }, (_, i) => f32(Math.pow(theta, f32((2 * i) / rotaryDim))));
}

function inverse(values: readonly number[]): number[] {
  return values.map((value) => f32(1 / value));
}

/** `_compute_linear_scaling_rope_parameters` */
function linear(settings: Settings): RopeTable {
  const factor = number(settings, 'factor');
  return { inv_freq: inverse(powers(settings)).map((frequency) => f32(frequency / f32(factor))), attention_factor: 1 };
}

/** `_compute_llama3_parameters`: long wavelengths are stretched by the factor, short ones stay, those between are blended. */
function llama3(settings: Settings): RopeTable {
  const factor = number(settings, 'factor');
  const low = number(settings, 'low_freq_factor');
  const high = number(settings, 'high_freq_factor');
  if (high <= low) throw wrong(settings, 'high_freq_factor', `above low_freq_factor ${low}`);
  const original = originalLength(settings);
  const stretch = (frequency: number) => {
    const wavelength = f32(f32(1 / frequency) * f32(2 * Math.PI));
    if (wavelength > f32(original / low)) return f32(frequency / f32(factor));
    if (wavelength < f32(original / high)) return frequency;
    const smooth = f32(f32(f32(f32(1 / wavelength) * original) - f32(low)) / f32(high - low));
    return f32(f32(f32(f32(1 - smooth) * frequency) / f32(factor)) + f32(smooth * frequency));
  };
  return { inv_freq: inverse(powers(settings)).map(stretch), attention_factor: 1 };
}

/** `_compute_yarn_parameters` (https://arxiv.org/abs/2309.00071): interpolated below one number of rotations, as it was above another. */
function yarn(settings: Settings): RopeTable {
  const { theta, rotaryDim, block, name } = settings;
  const factor = number(settings, 'factor');
  const original = originalLength(settings);
  const truncate = block[`${name}.truncate`] ?? true;
  if (typeof truncate !== 'boolean') throw wrong(settings, 'truncate', 'true or false');
  const dimensionOf = (rotations: number) => (rotaryDim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [dimensionOf(number(settings, 'beta_fast', 32)), dimensionOf(number(settings, 'beta_slow', 1))];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const end = Math.min(truncate ? Math.ceil(last) : last, rotaryDim - 1);
  const high = low === end ? end + 0.001 : end;
  const inv_freq = powers(settings).map((power, i) => {
    const ramp = Math.min(Math.max(f32(f32(i - f32(low)) / f32(high - low)), 0), 1);
    const kept = f32(1 - ramp);
    const interpolated = f32(f32(1 / f32(f32(factor) * power)) * f32(1 - kept));
    return f32(interpolated + f32(f32(1 / power) * kept));
  });
  return { inv_freq, attention_factor: yarnAttentionFactor(settings, factor) };
}

function yarnAttentionFactor(settings: Settings, factor: number): number {
  const { block, name } = settings;
  if (block[`${name}.attention_factor`] != null) return number(settings, 'attention_factor');
  const mscale = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  if (!block[`${name}.mscale`] || !block[`${name}.mscale_all_dim`]) return mscale(1);
  return mscale(number(settings, 'mscale')) / mscale(number(settings, 'mscale_all_dim'));
}

/** `_compute_longrope_parameters`: one list of factors for prompts up to the original length, another for longer ones. */
function longrope(settings: Settings): RopeTable {
  const { config, block, name } = settings;
  const original = originalLength(settings);
  const ratio = positiveInteger(config, 'max_position_embeddings', original) / original;
  const factor = block[`${name}.factor`] == null ? ratio : number(settings, 'factor');
  const attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const frequencies = (key: string) => {
    const factors = factorList(settings, key);
    return inverse(powers(settings).map((power, i) => f32(f32(factors[i] as number) * power)));
  };
  return {
    inv_freq: frequencies('short_factor'),
    attention_factor: block[`${name}.attention_factor`] == null ? attention : number(settings, 'attention_factor'),
    long: { above: original, inv_freq: frequencies('long_factor') },
  };
}

function factorList(settings: Settings, key: string): readonly number[] {
  const { block, name, rotaryDim } = settings;
  const value = block[`${name}.${key}`];
  const valid = (entry: unknown): entry is number => typeof entry === 'number' && Number.isFinite(entry) && entry > 0;
  if (!Array.isArray(value) || value.length !== rotaryDim / 2 || !value.every(valid)) {
    throw wrong(settings, key, `a list of ${rotaryDim / 2} numbers above 0, one per pair of rotated elements`);
  }
  return value;
}

/**
 * Length of the prompts in training. transformers lets the key beside the block win over the one inside; two that differ are refused, for
 * one of them is wrong.
 */
function originalLength(settings: Settings): number {
  const { config, block, name, options } = settings;
  const key = 'original_max_position_embeddings';
  const fallback = options.phi3?.[key] ?? positiveInteger(config, 'max_position_embeddings');
  const outside = config[key] == null ? null : positiveInteger(config, key);
  const inside = block[`${name}.${key}`] == null ? null : positiveInteger(block, `${name}.${key}`);
  const assumed = outside ?? (options.phi3 === undefined ? inside : null) ?? fallback;
  if (inside !== null && inside !== assumed) {
    throw new ModelError(
      'config_invalid',
      `config.json: ${name}.${key} is ${inside}, but ${key} beside it is ${outside ?? `missing, which means ${assumed}`}`,
    );
  }
  return assumed;
}

function number({ block, name }: Settings, key: string, fallback?: number): number {
  return positiveNumber(block, `${name}.${key}`, fallback);
}

function wrong({ block, name }: Settings, key: string, allowed: string): ModelError {
  const shown = JSON.stringify(block[`${name}.${key}`])?.slice(0, 80) ?? 'missing';
  return new ModelError('config_invalid', `config.json: ${name}.${key} is ${shown}; it must be ${allowed}`);
}
