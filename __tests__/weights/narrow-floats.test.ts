// The tables below are written down by hand from the formats' definitions; the code makes them by rule.

import { describe, expect, test } from '@jest/globals';

import { ModelError } from '../../src/errors.js';
import { decodeNarrow, isNarrow, NARROW_DTYPES, narrowTable } from '../../src/weights/narrow-floats.js';

const at = (dtype: (typeof NARROW_DTYPES)[number], ...patterns: number[]): number[] =>
  patterns.map((pattern) => narrowTable(dtype)[pattern] ?? 0);

describe('a pattern of 8 bits (32)', () => {
  test('of F8_E4M3 reaches 448, has no infinity, and NaN only where all bits but the sign are set', () => {
    expect(at('F8_E4M3', 0x00, 0x80, 0x01, 0x07, 0x08, 0x38, 0x39, 0x77, 0x7e, 0xfe)).toEqual([
      0,
      -0,
      2 ** -9,
      0.013671875,
      2 ** -6,
      1,
      1.125,
      240,
      448,
      -448,
    ]);
    const table = [...narrowTable('F8_E4M3')];
    expect(table.flatMap((value, pattern) => (Number.isFinite(value) ? [] : [pattern]))).toEqual([0x7f, 0xff]);
    expect(table.some((value) => Math.abs(value) === Infinity)).toBe(false);
  });

  test('of F8_E5M2 reaches 57344 and has infinities and six NaN', () => {
    expect(at('F8_E5M2', 0x00, 0x80, 0x01, 0x03, 0x04, 0x3c, 0x3d, 0x7b, 0xfb, 0x7c, 0xfc)).toEqual([
      0,
      -0,
      2 ** -16,
      3 * 2 ** -16,
      2 ** -14,
      1,
      1.25,
      57344,
      -57344,
      Infinity,
      -Infinity,
    ]);
    const nan = [...narrowTable('F8_E5M2')].flatMap((value, pattern) => (Number.isNaN(value) ? [pattern] : []));
    expect(nan).toEqual([0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff]);
  });

  test('of the FNUZ kinds has one zero, one NaN at its sign, and half the range', () => {
    expect(at('F8_E4M3FNUZ', 0x00, 0x01, 0x08, 0x40, 0x7f, 0xff)).toEqual([0, 2 ** -10, 2 ** -7, 1, 240, -240]);
    expect(at('F8_E5M2FNUZ', 0x00, 0x01, 0x04, 0x40, 0x7f, 0xff)).toEqual([0, 2 ** -17, 2 ** -15, 1, 57344, -57344]);
    for (const dtype of ['F8_E4M3FNUZ', 'F8_E5M2FNUZ'] as const) {
      const table = [...narrowTable(dtype)];
      expect(table.flatMap((value, pattern) => (Number.isFinite(value) ? [] : [pattern]))).toEqual([0x80]);
      expect(table.filter((value) => value === 0)).toHaveLength(1);
    }
  });

  test('of F8_E8M0 is a power of two from 2^-127 to 2^127, or NaN', () => {
    expect(at('F8_E8M0', 0, 1, 126, 127, 128, 254, 255)).toEqual([2 ** -127, 2 ** -126, 0.5, 1, 2, 2 ** 127, NaN]);
  });

  test.each([
    ['F8_E4M3', 8],
    ['F8_E5M2', 4],
    ['F8_E4M3FNUZ', 8],
    ['F8_E5M2FNUZ', 4],
  ] as const)('of %s grows with the pattern and is negated by the sign bit', (dtype, step) => {
    const table = narrowTable(dtype);
    const finite = [...table.subarray(0, 128)].filter((value) => Number.isFinite(value));
    expect(finite).toEqual([...finite].sort((a, b) => a - b));
    expect(new Set(finite).size).toBe(finite.length);
    for (let pattern = 1; pattern < finite.length; pattern++) expect(table[pattern + 128]).toBe(-(table[pattern] as number));
    // A binade has `step` values: every one is twice that of the binade before.
    for (let pattern = 2 * step; pattern < finite.length; pattern++) expect(table[pattern]).toBe(2 * (table[pattern - step] as number));
  });
});

describe('decoding', () => {
  test('takes F4 two to a byte, the first from the low four bits', () => {
    const values = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
    expect([...narrowTable('F4')]).toEqual([...values, ...values.map((value) => -value)]);
    expect([...(decodeNarrow(Uint8Array.of(0x10, 0x7f, 0xa8), 'F4') ?? [])]).toEqual([0, 0.5, -6, 6, -0, -1]);
  });

  test('takes a BOOL of 0 and 1, and names the first byte that is neither', () => {
    expect([...(decodeNarrow(Uint8Array.of(0, 1, 1, 0), 'BOOL') ?? [])]).toEqual([0, 1, 1, 0]);
    for (const odd of [2, 255]) {
      const run = (): unknown => decodeNarrow(Uint8Array.of(0, 1, odd, 7), 'BOOL', 'mask\n');
      expect(run).toThrow(ModelError);
      expect(run).toThrow(`tensor "mask\\u{a}" is BOOL, but its element 2 is the byte ${odd}; 0 or 1 was expected`);
    }
  });

  test('takes every pattern of a dtype to its value, from any place in memory', () => {
    const all = Uint8Array.from({ length: 257 }, (_, i) => (i + 255) & 255).subarray(1);
    for (const dtype of NARROW_DTYPES.filter((each) => each !== 'F4' && each !== 'BOOL')) {
      expect(decodeNarrow(all, dtype)).toEqual(narrowTable(dtype));
    }
  });

  test('leaves other dtypes alone', () => {
    for (const dtype of ['F32', 'F16', 'BF16', 'I8', 'U8', 'F6_E2M3', 'Q4_0'] as const) {
      expect(decodeNarrow(new Uint8Array(4), dtype)).toBeNull();
      expect(isNarrow(dtype)).toBe(false);
    }
  });
});
