// The measures of one output, against values worked out by hand.

import { describe, expect, test } from '@jest/globals';
import { measure, UNIT_ROUNDOFF, yardstick, type Measure } from '../../src/diff/measure.js';
import type { ServingDtype } from '../../src/report/types.js';

/** Fused against an oracle; eager is right where it is not given. */
function measured(fused: number[], oracle: number[], dtype: ServingDtype = 'float32', recipes: number[][] = [oracle]): Measure {
  const given = recipes.map((values) => Float32Array.from(values));
  return measure(Float32Array.from(fused), yardstick(Float64Array.from(oracle), given, dtype));
}

describe('differences from eager', () => {
  test('are the largest and the sum of |fused − eager|, and the shares of equal elements of each recipe', () => {
    const result = measured([1, 2.5, -4, 8], [1, 2, -4, 9], 'float32', [
      [1, 2, -3, 8],
      [1, 2.5, -4, 8],
    ]);
    expect(result).toMatchObject({ elements: 4, max_abs_diff: 1, sum_abs_diff: 1.5, bitwise_equal: 2, equal_to: [2, 4] });
  });

  test.each([
    ['bfloat16', 2 ** -7, 2 ** -133],
    ['float16', 2 ** -10, 2 ** -24],
    ['float32', 2 ** -23, 2 ** -149],
  ] as const)('are counted in ULP of %s, across zero and in bins', (dtype, step, smallest) => {
    const ulp = (fused: number, eager: number) => measured([fused], [eager], dtype, [[eager]]).max_ulp;
    expect(ulp(1, 1)).toBe(0);
    expect(ulp(1 + step, 1)).toBe(1);
    // Below a power of two the spacing halves.
    expect(ulp(1 - step / 2, 1)).toBe(1);
    expect(ulp(-1 - 3 * step, -1)).toBe(3);
    expect(ulp(-0, 0)).toBe(0);
    expect(ulp(smallest, 0)).toBe(1);
    expect(ulp(smallest, -smallest)).toBe(2);
    const one = [0, 1, 2, 3, 4, 5, 8, 9].map((n) => 1 + n * step);
    const bins = measured(
      one,
      one.map(() => 1),
      dtype,
      [one.map(() => 1)],
    );
    expect(bins.ulp_counts).toEqual([1, 1, 1, 2, 2, 1]);
    expect(bins.max_ulp).toBe(9);
  });
});

describe('distance from the oracle', () => {
  test('is the RMS and the maximum of fused − oracle', () => {
    const result = measured([4, 3, 0, 0], [1, -1, 0, 0]);
    expect(result.rms_error).toBe(2.5);
    expect(result.max_error).toBe(4);
    expect(result.rms_oracle).toBeCloseTo(Math.SQRT1_2, 15);
  });

  test('has for its floor what eager shows, where that is more than rounding', () => {
    const result = measured([1, 1], [1, 1], 'bfloat16', [[1.5, 1]]);
    expect(result.rms_floor).toBeCloseTo(0.5 / Math.SQRT2, 15);
    expect(result.max_floor).toBe(0.5);
  });

  test('has for the floor of the maximum the worst of all valid recipes, of the RMS only eager', () => {
    const result = measured([1, 1], [1, 1], 'bfloat16', [
      [1, 1],
      [1, 1.25],
    ]);
    expect(result.max_floor).toBe(0.25);
    expect(result.rms_floor).toBeLessThan(0.01);
  });

  test('has for its floor the rounding of the oracle, where eager is closer by chance', () => {
    const third = 1 / 3;
    const rounded = 0.333984375; // 171 / 512, the bfloat16 next to 1/3
    const result = measured([rounded], [third], 'bfloat16', [[third]]);
    expect(result.rms_floor).toBeCloseTo(rounded - third, 15);
    expect(result.rms_error).toBeCloseTo(rounded - third, 15);
  });

  test.each(['bfloat16', 'float16', 'float32'] as const)('has a floor in %s even where every correct answer is exact', (dtype) => {
    const result = measured([3, 5], [3, 4], dtype);
    expect(result.rms_floor).toBeCloseTo((UNIT_ROUNDOFF[dtype] * Math.sqrt(12.5)) / 16, 12);
    expect(result.max_floor).toBe(result.rms_floor);
    expect(result.rms_floor).toBeGreaterThan(0);
  });
});

describe('where every value is 0 or next to it', () => {
  const ratio = ({ rms_error, rms_floor }: Measure) => rms_error / rms_floor;

  test.each(['bfloat16', 'float16', 'float32'] as const)('nothing in %s is divided by 0, and no error is none', (dtype) => {
    const right = measured([0, -0], [0, 0], dtype);
    expect(right).toMatchObject({ rms_error: 0, max_error: 0, non_finite: 0 });
    expect(right.rms_floor).toBeGreaterThan(0);
    expect(right.max_floor).toBeGreaterThan(0);
    const wrong = ratio(measured([0.001, 0], [0, 0], dtype));
    expect(Number.isFinite(wrong)).toBe(true);
    expect(wrong).toBeGreaterThan(1000);
  });

  test.each(['bfloat16', 'float32'] as const)('a kernel in %s may flush subnormals to 0, and nothing larger', (dtype) => {
    expect(ratio(measured([0, 0], [2 ** -127, 2 ** -130], dtype))).toBeLessThan(1);
    expect(ratio(measured([0, 0], [2 ** -120, 2 ** -120], dtype))).toBeGreaterThan(4);
  });

  test('a kernel in float16 may not: it is held to the rounding of subnormals', () => {
    expect(ratio(measured([2 ** -24, 0], [2 ** -25, 2 ** -26], 'float16'))).toBeLessThan(2);
    expect(ratio(measured([0, 0], [2 ** -20, 2 ** -20], 'float16'))).toBeGreaterThan(4);
  });
});

describe('what is not finite', () => {
  test('counts where the oracle is finite, and leaves the other figures usable', () => {
    const result = measured([NaN, Infinity, -Infinity, 3], [1, 2, 3, 4]);
    expect(result).toMatchObject({ non_finite: 3, first_non_finite: 0 });
    expect(measured([1, 2, NaN, NaN], [1, 2, 3, 4]).first_non_finite).toBe(2);
    expect(result.max_error).toBe(1);
    expect(result.max_abs_diff).toBe(1);
    for (const value of [result.rms_error, result.rms_floor, result.scale.mean, result.sum_abs_diff])
      expect(Number.isFinite(value)).toBe(true);
  });

  test('does not count where the oracle itself is not finite', () => {
    const result = measured([Infinity, NaN, 3], [Infinity, NaN, 3]);
    expect(result).toMatchObject({ non_finite: 0, first_non_finite: null, rms_error: 0, max_error: 0 });
    expect(result.rms_oracle).toBeCloseTo(3 / Math.sqrt(3), 15);
  });
});

describe('scale error', () => {
  test('is the mean relative error with its standard error', () => {
    const { scale } = measured([1.5, -1.5, 1.25, -1.25], [1, -1, 1, -1]);
    expect(scale.mean).toBeCloseTo(0.375, 15);
    // Deviations ±0.125: variance 4 · 0.125² / 3, over 4 elements.
    expect(scale.standard_error).toBeCloseTo(Math.sqrt((4 * 0.125 ** 2) / 3 / 4), 15);
  });

  test('is zero for errors that cancel, with a standard error that says how sure that is', () => {
    const { scale } = measured([1.5, 0.5, -1.5, -0.5], [1, 1, -1, -1]);
    expect(scale.mean).toBe(0);
    expect(scale.standard_error).toBeCloseTo(0.5 / Math.sqrt(3), 15);
  });

  test('looks only at elements of a sixteenth of the RMS and more', () => {
    const oracle = [16, 16, 16, 16, 0.5, 0];
    const { scale } = measured([16, 16, 16, 16, 50, 7], oracle);
    expect(scale).toEqual({ mean: 0, standard_error: 0 });
    expect(measured([16, 16, 16, 16, 1.5, 7], [16, 16, 16, 16, 1, 0]).scale.mean).toBeCloseTo(0.1, 15);
  });

  test('is not known from fewer than two elements', () => {
    expect(measured([2], [1]).scale.standard_error).toBe(Infinity);
    expect(measured([0, 0], [0, 0]).scale.standard_error).toBe(Infinity);
  });

  test('sees 0.2 % through bfloat16 rounding in four thousand elements, and nothing where there is nothing', () => {
    // Values spread over an octave, rounded to 8 bits as bfloat16 does.
    const values = Array.from({ length: 4096 }, (_, i) => 1 + ((i * 2654435761) % 4096) / 4096);
    const round = (value: number) => Math.round(value * 128) / 128;
    const right = measured(values.map(round), values, 'bfloat16', [values.map(round)]);
    const wrong = measured(
      values.map((value) => round(value * 1.002)),
      values,
      'bfloat16',
      [values.map(round)],
    );
    expect(Math.abs(right.scale.mean)).toBeLessThan(6 * right.scale.standard_error);
    expect(wrong.scale.mean).toBeCloseTo(0.002, 4);
    expect(wrong.scale.mean).toBeGreaterThan(50 * wrong.scale.standard_error);
    // The RMS alone would have let it pass.
    expect(wrong.rms_error / wrong.rms_floor).toBeLessThan(2);
  });

  test('has for its floor the largest of the valid recipes', () => {
    const { scale_floor } = measured([1, 1], [1, 1], 'bfloat16', [
      [1, 1],
      [0.5, 0.5],
      [1.25, 1.25],
    ]);
    expect(scale_floor).toBe(0.5);
  });
});
