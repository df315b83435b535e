// Compares one output of one kernel call with the oracle, with eager and with every valid recipe. One pass of plain loops; no verdicts here.

import type { NdArray } from '../reference/ndarray.js';
import type { ServingDtype } from '../report/types.js';
import { roundToFloat16 } from '../weights/values.js';
import { roundToServing } from '../reference/served-weights.js';
import type { Tensors } from './site.js';

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

/** What every answer to the same call is measured against. */
export interface Yardstick {
  readonly dtype: ServingDtype;
  /** The op in float64. */
  readonly oracle: Float64Array;
  /** Outputs of the valid recipes on the same inputs, eager first. */
  readonly recipes: readonly Float32Array[];
  readonly rms_oracle: number;
  readonly rms_floor: number;
  readonly max_floor: number;
  readonly scale_floor: number;
  /** 1 / oracle where a relative error counts for the scale error, else 0. */
  readonly inverse: Float64Array;
}

/**
 * @param oracle one output in float64
 * @param recipes what the valid recipes give on the same inputs, eager first: float32 values of the serving dtype
 * @param floors of these, where they are known
 */
export function yardstick(
  oracle: Float64Array,
  recipes: readonly Float32Array[],
  dtype: ServingDtype,
  floors: readonly number[] = floorsOf(oracle, recipes, dtype),
): Yardstick {
  const [rms_oracle = NaN, rms_floor = NaN, max_floor = NaN, scale_floor = NaN] = floors;
  return { dtype, oracle, recipes, rms_oracle, rms_floor, max_floor, scale_floor, inverse: inverses(oracle, rms_oracle) };
}

/** @returns `rms_oracle`, `rms_floor`, `max_floor` and `scale_floor` of a yardstick */
export function floorsOf(oracle: Float64Array, recipes: readonly Float32Array[], dtype: ServingDtype): number[] {
  const rounded = roundToServing(new Float32Array(oracle), dtype);
  const rmsOracle = rootMeanSquare(oracle);
  const inverse = inverses(oracle, rmsOracle);
  // Recipes that do the same at a site share their outputs.
  const recipeErrors = [...new Set(recipes)].map((recipe) => errors(recipe, oracle, inverse));
  const roundingError = errors(rounded, oracle, inverse);
  // Where every correct answer is exact (a sum that needs no rounding), one ULP of a small element still is no fault.
  const least = Math.max(UNIT_ROUNDOFF[dtype] * rmsOracle * 2 ** -4, LEAST_FLOOR[dtype]);
  return [
    rmsOracle,
    Math.max(recipeErrors[0]?.rms ?? 0, roundingError.rms, least),
    Math.max(...recipeErrors.map(({ max }) => max), roundingError.max, least),
    Math.max(...recipeErrors.map(({ scale }) => Math.abs(scale.mean))),
  ];
}

/** The yardstick of one output of a site by the name that the contract gives it. */
export function yardstickOf(name: string, oracle: Tensors, recipes: readonly Tensors[], dtype: ServingDtype): Yardstick {
  const given = recipes.map((values) => (values[name] as NdArray).data as Float32Array);
  return yardstick((oracle[name] as NdArray).data as Float64Array, given, dtype);
}

/**
 * Measures one output.
 * @param fused the kernel's output, float32 values of the serving dtype
 */
export function measure(fused: Float32Array, { dtype, oracle, recipes, inverse, ...floors }: Yardstick): Measure {
  const eager = recipes[0] as Float32Array;
  const error = errors(fused, oracle, inverse);
  const equal = new Map([...new Set(recipes)].map((recipe) => [recipe, equalCount(fused, recipe)]));
  return {
    elements: fused.length,
    ...difference(fused, eager),
    ...ulps(orderedBits(fused, dtype), orderedBits(eager, dtype)),
    rms_error: error.rms,
    max_error: error.max,
    non_finite: error.nonFinite,
    first_non_finite: error.first,
    scale: error.scale,
    ...floors,
    equal_to: recipes.map((recipe) => equal.get(recipe) as number),
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

/** A relative error of an element far below the typical one says more of its rounding than of a factor. */
function inverses(oracle: Float64Array, rms: number): Float64Array {
  const threshold = rms / 16;
  const out = new Float64Array(oracle.length);
  for (let i = 0; i < oracle.length; i++) {
    const value = oracle[i] as number;
    if (Math.abs(value) >= threshold && value !== 0 && Number.isFinite(value)) out[i] = 1 / value;
  }
  return out;
}

/**
 * One pass, because these loops were a sixth of a numeric diff.
 * @returns errors where the oracle is finite; `scale`: mean of (value − oracle) / oracle over the elements that count for it. A fault of 0.2 %
 * shows there, hidden as it is in each element's rounding
 */
function errors(
  values: Float32Array,
  oracle: Float64Array,
  inverse: Float64Array,
): { rms: number; max: number; nonFinite: number; first: number | null; scale: ScaleError } {
  let first: number | null = null;
  let [sum, max, nonFinite, count, relatives, squares] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i] as number;
    const delta = (values[i] as number) - expected;
    const size = Math.abs(delta);
    if (size <= Number.MAX_VALUE) {
      sum += delta * delta;
      if (size > max) max = size;
      const factor = inverse[i] as number;
      if (factor !== 0) {
        const relative = delta * factor;
        count++;
        relatives += relative;
        squares += relative * relative;
      }
    } else if (Number.isFinite(expected)) {
      nonFinite++;
      first ??= i;
    }
  }
  const mean = count === 0 ? 0 : relatives / count;
  // Of relative errors, whose mean is no larger than their spread by more than the digits of a double can bear.
  const variance = Math.max(0, squares - mean * relatives) / (count - 1);
  return {
    rms: Math.sqrt(sum / Math.max(1, oracle.length)),
    max,
    nonFinite,
    first,
    scale: { mean, standard_error: count < 2 ? Infinity : Math.sqrt(variance / count) },
  };
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
