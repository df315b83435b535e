// Compares one output of one kernel call with the oracle, with eager and with every valid recipe. One pass of plain loops; no verdicts here.

import type { ServingDtype } from '../report/types.js';
import { roundToFloat16 } from '../weights/values.js';
import { roundToServing } from '../reference/served-weights.js';

/** Unit roundoff: half the spacing of the dtype's numbers just above 1. */
export const UNIT_ROUNDOFF: Readonly<Record<ServingDtype, number>> = { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 2 ** -24 };

/**
 * No floor is below this, however small the values: nothing is divided by 0, and an error that no number of the dtype can show is none. In bfloat16
 * and float32 implementations may flush subnormals, so it is the smallest normal number; in float16, where none does, the RMS of rounding
 * to a multiple of the smallest subnormal, 2^-24 / √12.
 */
export const LEAST_FLOOR: Readonly<Record<ServingDtype, number>> = {
  bfloat16: 2 ** -126,
  float16: 2 ** -24 / Math.sqrt(12),
  float32: 2 ** -126,
};

/** A mean relative error and its standard error. */
export interface ScaleError {
  readonly mean: number;
  readonly standard_error: number;
}

export interface Measure {
  readonly elements: number;
  /** fused − eager. */
  readonly max_abs_diff: number;
  readonly sum_abs_diff: number;
  readonly bitwise_equal: number;
  readonly max_ulp: number;
  /** Elements at 0, 1, 2, 3–4, 5–8 and more ULP from eager. */
  readonly ulp_counts: readonly number[];
  /** RMS and maximum of fused − oracle. */
  readonly rms_error: number;
  readonly max_error: number;
  readonly rms_oracle: number;
  /** max(RMS(eager − oracle), RMS(round(oracle) − oracle)). */
  readonly rms_floor: number;
  /** The same of maxima, over all valid recipes: a maximum is one element's luck, and correct kernels differ in it by more than in their RMS. */
  readonly max_floor: number;
  readonly scale: ScaleError;
  /** Largest |scale error| of a valid recipe. */
  readonly scale_floor: number;
  /** Non-finite where the oracle is finite. */
  readonly non_finite: number;
  /** Index of the first of them; null: there is none. */
  readonly first_non_finite: number | null;
  /** Elements bitwise equal to each recipe's. */
  readonly equal_to: readonly number[];
}

/**
 * Measures one output.
 * @param fused the kernel's output, float32 values of the serving dtype
 * @param oracle the same op in float64 on the same inputs
 * @param recipes outputs of the valid recipes on the same inputs, eager first
 */
export function measure(fused: Float32Array, oracle: Float64Array, recipes: readonly Float32Array[], dtype: ServingDtype): Measure {
  const eager = recipes[0] as Float32Array;
  const rounded = roundToServing(Float32Array.from(oracle), dtype);
  const error = errors(fused, oracle);
  const recipeErrors = recipes.map((recipe) => errors(recipe, oracle));
  const eagerError = recipeErrors[0] as (typeof recipeErrors)[number];
  const roundingError = errors(rounded, oracle);
  const rmsOracle = rootMeanSquare(oracle);
  // Where every correct answer is exact (a sum that needs no rounding), one ULP of a small element still is no fault.
  const least = Math.max(UNIT_ROUNDOFF[dtype] * rmsOracle * 2 ** -4, LEAST_FLOOR[dtype]);
  const threshold = rmsOracle / 16;
  return {
    elements: fused.length,
    ...difference(fused, eager),
    ...ulps(orderedBits(fused, dtype), orderedBits(eager, dtype)),
    rms_error: error.rms,
    max_error: error.max,
    non_finite: error.nonFinite,
    first_non_finite: error.first,
    rms_oracle: rmsOracle,
    rms_floor: Math.max(eagerError.rms, roundingError.rms, least),
    max_floor: Math.max(...recipeErrors.map(({ max }) => max), roundingError.max, least),
    scale: scaleError(fused, oracle, threshold),
    scale_floor: Math.max(...recipes.map((recipe) => Math.abs(scaleError(recipe, oracle, threshold).mean))),
    equal_to: recipes.map((recipe) => equalCount(fused, recipe)),
  };
}

function rootMeanSquare(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value)) sum += value * value;
  }
  return Math.sqrt(sum / Math.max(1, values.length));
}

function errors(values: Float32Array, oracle: Float64Array): { rms: number; max: number; nonFinite: number; first: number | null } {
  let sum = 0;
  let max = 0;
  let nonFinite = 0;
  let first: number | null = null;
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i] as number;
    if (!Number.isFinite(expected)) continue;
    const delta = Math.abs((values[i] as number) - expected);
    if (delta <= Number.MAX_VALUE) {
      sum += delta * delta;
      if (delta > max) max = delta;
    } else {
      nonFinite++;
      first ??= i;
    }
  }
  return { rms: Math.sqrt(sum / Math.max(1, oracle.length)), max, nonFinite, first };
}

function difference(fused: Float32Array, eager: Float32Array): { max_abs_diff: number; sum_abs_diff: number } {
  let max = 0;
  let sum = 0;
  for (let i = 0; i < fused.length; i++) {
    const delta = Math.abs((fused[i] as number) - (eager[i] as number));
    if (delta <= Number.MAX_VALUE) {
      sum += delta;
      if (delta > max) max = delta;
    }
  }
  return { max_abs_diff: max, sum_abs_diff: sum };
}

/** Bits of the serving dtype as integers in the order of the values: neighbours differ by 1, and ±0 are both 0. */
function orderedBits(values: Float32Array, dtype: ServingDtype): Int32Array {
  const out = new Int32Array(values.length);
  if (dtype === 'float16') {
    const bits = roundToFloat16(values);
    for (let i = 0; i < out.length; i++) out[i] = ordered(((bits[i] as number) << 16) | 0, 16);
    return out;
  }
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const shift = dtype === 'bfloat16' ? 16 : 0;
  for (let i = 0; i < out.length; i++) out[i] = ordered(bits[i] as number, shift);
  return out;
}

function ordered(bits: number, shift: number): number {
  const magnitude = (bits & 0x7fffffff) >>> shift;
  return bits < 0 ? -magnitude : magnitude;
}

const ULP_BOUNDS = [0, 1, 2, 4, 8] as const;

function ulps(a: Int32Array, b: Int32Array): { max_ulp: number; ulp_counts: number[]; bitwise_equal: number } {
  const counts = [0, 0, 0, 0, 0, 0];
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs((a[i] as number) - (b[i] as number));
    if (distance > max) max = distance;
    let bin = 0;
    while (bin < ULP_BOUNDS.length && distance > (ULP_BOUNDS[bin] as number)) bin++;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { max_ulp: max, ulp_counts: counts, bitwise_equal: counts[0] as number };
}

function equalCount(a: Float32Array, b: Float32Array): number {
  let equal = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) equal++;
  return equal;
}

/** Mean of (value − oracle) / oracle over the elements with |oracle| ≥ threshold: a fault of 0.2 % shows here, hidden as it is in each element's rounding. */
function scaleError(values: Float32Array, oracle: Float64Array, threshold: number): ScaleError {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i] as number;
    if (!(Math.abs(expected) >= threshold) || expected === 0) continue;
    const relative = ((values[i] as number) - expected) / expected;
    if (!Number.isFinite(relative)) continue;
    count++;
    // Welford's update: the mean and the spread in one pass without cancellation.
    const delta = relative - mean;
    mean += delta / count;
    squares += delta * (relative - mean);
  }
  return { mean, standard_error: count < 2 ? Infinity : Math.sqrt(squares / (count - 1) / count) };
}
