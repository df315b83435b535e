// What else makes a checkpoint sensitive, in words: one finding per kind, for the worst layer. The score takes no notice of them.

import type { StaticThresholds } from '../config/types.js';
import { printable } from '../hub/names.js';
import type { Finding, StaticLayer } from '../report/types.js';
import type { NormInventory, Projection } from './norm-tensors.js';
import type { LayerVectors, NormValues, Vector } from './norm-values.js';
import { headDimOf, largest, lowerMedian, textConfig } from './norm-values.js';
import { jointGain } from './rope-gain.js';
import { schemeFindings } from './scheme-findings.js';

/** Largest finite float16; rounding makes infinity of anything from 65,520 on. */
const FLOAT16_MAX = 65_504;

/**
 * Findings in a fixed order, empty for a checkpoint with nothing of note.
 * @param layers the Q/K norm statistics of the same checkpoint
 */
export function collectFindings(
  inventory: NormInventory,
  values: NormValues,
  layers: readonly StaticLayer[],
  modelConfig: Record<string, unknown>,
  thresholds: StaticThresholds,
): Finding[] {
  const config = textConfig(modelConfig);
  return [
    ...zeroMedians(values),
    ...jointGains(values, layers, config, thresholds),
    ...biases(values, thresholds),
    ...massiveNorms(values, thresholds),
    ...outlierChannels(values, thresholds),
    ...float16Overflow(values),
    ...schemeFindings(inventory, values, config),
  ];
}

/** A number for reading: three significant digits. */
function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function place(layer: number | null): string {
  return layer === null ? 'outside of the layers' : `in layer ${layer}`;
}

function sharing(count: number, total: number): string {
  return count === 1 ? `1 of ${total} layers` : `${count} of ${total} layers`;
}

interface Measured {
  readonly vector: Vector;
  readonly value: number;
}

function worst(candidates: readonly Measured[]): Measured | undefined {
  return candidates.reduce<Measured | undefined>((best, next) => (best === undefined || next.value > best.value ? next : best), undefined);
}

function distinctLayers(candidates: readonly Measured[]): number {
  return new Set(candidates.map(({ vector }) => vector.layer)).size;
}

function zeroMedians(values: NormValues): Finding[] {
  return (['k', 'q'] as const).flatMap((side) => {
    const zero = values.layers.flatMap((layer) => {
      const vector = layer[side];
      return vector !== null && lowerMedian(vector.values) === 0 ? [{ vector, value: largest(vector.values) }] : [];
    });
    const first = worst(zero);
    if (first === undefined) return [];
    const norm = side === 'k' ? 'K' : 'Q';
    const consequence = side === 'k' ? '; its ratio counts as infinite' : '';
    const message =
      `The ${norm} norm ${place(first.vector.layer)} has a median weight of 0 and a largest one of ${shown(first.value)} ` +
      `(${sharing(distinctLayers(zero), values.layers.length)})${consequence}. Half of its channels are switched off: check how the checkpoint was exported.`;
    return [{ code: 'zero_median_norm', layer: first.vector.layer, tensor: first.vector.name, value: first.value, message }];
  });
}

/** Told where the K or Q weights look sensitive, because it says whether they are once multiplied, and where only the product does. */
function jointGains(
  values: NormValues,
  layers: readonly StaticLayer[],
  config: Record<string, unknown>,
  thresholds: StaticThresholds,
): Finding[] {
  const limit = thresholds.extreme_weight ** 2;
  const gains = values.layers.flatMap((layer) => {
    const gain = layerGain(layer, config);
    return gain === null || layer.k === null ? [] : [{ ...gain, vector: layer.k, value: gain.max }];
  });
  const over = gains.filter((gain) => gain.max > limit);
  const suspicious = layers.some(
    ({ extreme, max_k, k_ratio }) => extreme || (max_k !== null && (k_ratio === null || k_ratio > thresholds.ratio_warn)),
  );
  const top = gains.reduce<(typeof gains)[number] | undefined>(
    (best, next) => (best === undefined || next.max > best.max ? next : best),
    undefined,
  );
  if (top === undefined || (over.length === 0 && !suspicious)) return [];
  const compared = top.median === 0 ? '' : `, ${shown(top.max / top.median)} times the median pair`;
  const judged =
    over.length === 0
      ? `At or below ${shown(limit)} everywhere: taken together the norms are less extreme than the weights of one of them suggest.`
      : `Over ${shown(limit)} in ${sharing(over.length, values.layers.length)}: such pairs dominate the attention scores.`;
  const message =
    `The joint gain of K and Q norm reaches ${shown(top.max)} for one RoPE pair ${place(top.vector.layer)}${compared}; ` +
    `unlike the K ratio it stays the same when scale is moved between K and Q. ${judged}`;
  return [{ code: 'qk_joint_gain', layer: top.vector.layer, tensor: top.vector.name, value: top.max, message }];
}

function layerGain(layer: LayerVectors, config: Record<string, unknown>): ReturnType<typeof jointGain> {
  if (layer.k === null || layer.q === null) return null;
  const headDim = headDimOf(config) ?? Math.min(layer.k.values.length, layer.q.values.length);
  const nested = config['rope_parameters'];
  const fraction = [nested, config]
    .map((source) =>
      typeof source === 'object' && source !== null && 'partial_rotary_factor' in source ? source.partial_rotary_factor : undefined,
    )
    .find((value) => typeof value === 'number' && value > 0 && value <= 1);
  const rotaryDim = 2 * Math.floor((headDim * (typeof fraction === 'number' ? fraction : 1)) / 2);
  return jointGain(layer.q.values, layer.k.values, headDim, rotaryDim);
}

function biases(values: NormValues, { extreme_weight: limit }: StaticThresholds): Finding[] {
  const projections: readonly Projection[] = ['K', 'Q', 'V', 'QKV'];
  return projections.flatMap((projection) => {
    const found = values.layers.flatMap((layer) => layer.biases.filter((bias) => bias.projection === projection));
    const over = found.map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
    const top = worst(over);
    if (top === undefined) return [];
    const norm = Math.sqrt(top.vector.values.reduce((sum, value) => sum + value * value, 0));
    const message =
      `The ${projection} projection's bias reaches ${shown(top.value)} ${place(top.vector.layer)} (L2 norm ${shown(norm)}); it is over ` +
      `${limit} in ${sharing(distinctLayers(over), values.layers.length)}. Rounding steps grow with it, and what the input adds is lost in them.`;
    return [{ code: 'bias_norm', layer: top.vector.layer, tensor: top.vector.name, value: norm, message }];
  });
}

function otherNorms(values: NormValues): Vector[] {
  return [...values.layers.flatMap((layer) => layer.norms), ...values.outer];
}

function massiveNorms(values: NormValues, { max_weight_warn: limit }: StaticThresholds): Finding[] {
  const over = otherNorms(values)
    .map((vector) => ({ vector, value: largest(vector.values) }))
    .filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === undefined) return [];
  const message =
    `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has a weight of ${shown(top.value)}; norms other than Q and K are over ${limit} ` +
    `${affected(over, values.layers.length)}. It multiplies rounding errors of its input as much as the input.`;
  return [{ code: 'massive_norm_weight', layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}

function outlierChannels(values: NormValues, { ratio_fail: limit }: StaticThresholds): Finding[] {
  const over = otherNorms(values)
    .map((vector) => ({ vector, value: largest(vector.values) / lowerMedian(vector.values) }))
    // All zero is 0/0: a norm that lets nothing through has no outliers.
    .filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === undefined) return [];
  const times = Number.isFinite(top.value) ? `${shown(top.value)} times` : 'a weight while most have none, beyond any multiple of';
  const message =
    `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has an outlier channel at ${times} its median weight; norms other than Q and K ` +
    `are over ${limit} times ${affected(over, values.layers.length)}. A few channels carry most of the signal, and their errors.`;
  return [
    {
      code: 'norm_outlier_channels',
      layer: top.vector.layer,
      tensor: top.vector.name,
      value: Number.isFinite(top.value) ? top.value : null,
      message,
    },
  ];
}

/** Where the candidates are: so many layers, and beside them perhaps the final norm. */
function affected(over: readonly Measured[], total: number): string {
  const inLayers = over.filter(({ vector }) => vector.layer !== null);
  if (inLayers.length === 0) return 'nowhere else';
  return `in ${sharing(distinctLayers(inLayers), total)}${inLayers.length === over.length ? '' : ' and outside of them'}`;
}

function float16Overflow(values: NormValues): Finding[] {
  const all = [
    ...values.layers.flatMap((layer) => [layer.k, layer.q, ...layer.biases].filter((vector) => vector !== null)),
    ...otherNorms(values),
  ];
  const over = all.map((vector) => ({ vector, value: vector.maxStored })).filter(({ value }) => value > FLOAT16_MAX);
  const top = worst(over);
  if (top === undefined) return [];
  const message =
    `${printable(top.vector.module)} ${place(top.vector.layer)} holds ${shown(top.value)}, more than float16 can (${FLOAT16_MAX})` +
    `${over.length === 1 ? '' : `, and so do ${over.length - 1} more of the norms and biases`}. Served in float16 it overflows: use bfloat16 or float32.`;
  return [{ code: 'float16_overflow', layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}
