// Which rows are wrong and how, in words.

import { describe, expect, test } from '@jest/globals';
import { measure, yardstick } from '../../src/diff/measure.js';
import { describeRows, differingRows, rowNames, wrongRows, type Compared } from '../../src/diff/rows.js';

test.each([
  [[5], 'row 5'],
  [[0, 1], 'rows 0 to 1'],
  [[120, 121, 122, 123, 124, 125, 126, 127], 'rows 120 to 127'],
  [[15, 31, 47, 63], 'every 16th row from 15 to 63'],
  [[0, 2, 4, 6], 'every 2nd row from 0 to 6'],
  [[1, 4, 7], 'rows 1, 4 and 7'],
  [[0, 1, 5, 9, 10], 'rows 0 to 1, 5 and 9 to 10'],
  [[0, 2, 5, 6, 9, 12, 14], 'rows 0, 2, 5 to 6, 9 and 2 more'],
])('rows %j are named %s', (rows, words) => {
  expect(rowNames(rows)).toBe(words);
});

/** Four rows of eight values near 1, some of them changed. */
function compared(change: (value: number, row: number) => number): Compared {
  const oracle = Float64Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (1 + i / 64));
  const eager = Float32Array.from(oracle, (value) => value * (1 + 2 ** -9));
  const fused = Float32Array.from(oracle, (value, i) => change(value, Math.floor(i / 8)));
  return { fused, oracle, measure: measure(fused, yardstick(oracle, [eager], 'bfloat16')), rows: [10, 11, 12, 13] };
}

describe('wrong rows are told by their numbers and by what is wrong', () => {
  test.each<[string, (value: number, row: number) => number, boolean, string]>([
    ['0', (value, row) => (row === 3 ? 0 : value), true, 'row 13 of y is 0'],
    ['a factor', (value, row) => (row > 1 ? value * 1.5 : value), true, 'rows 12 to 13 of y are off by a factor of 1.500'],
    ['NaN', (value, row) => (row === 0 ? NaN : value), true, 'row 10 of y is NaN or infinite'],
    [
      'NaN in a part',
      (value, row) => (row === 0 && value > 0 ? Infinity : value),
      true,
      'row 10 of y is NaN or infinite in 4 of 8 elements',
    ],
    ['rows left out', (value, row) => (row === 3 ? NaN : value), false, 'row 13 of y was not written'],
    ['all rows', () => 0, true, 'all 4 rows of y are 0'],
  ])('%s', (_what, change, written, words) => {
    const case_ = compared(change);
    expect(describeRows('y', case_, wrongRows(case_, 4), written)).toBe(words);
  });

  test('other errors with their size beside that of correct implementations', () => {
    const case_ = compared((value, row) => (row === 2 ? value + 0.5 : value));
    expect(describeRows('y', case_, wrongRows(case_, 4), true)).toMatch(
      /^row 12 of y is wrong \(by up to 0\.50; correct ones by 0\.00\d+\)$/,
    );
  });

  test('an error within the noise is in no row', () => {
    const case_ = compared((value) => value * (1 + 2 ** -9));
    expect(wrongRows(case_, 4)).toEqual([]);
    expect(describeRows('y', case_, [], true)).toBeNull();
  });
});

test('differing rows are found by their bits, and NaN is like NaN', () => {
  const array = (...values: number[]) => ({ y: { data: Float32Array.from(values), shape: [2, 2] } });
  expect(differingRows(array(1, NaN, 3, 4), array(1, NaN, 3, 4))).toBeNull();
  expect(differingRows(array(1, 2, 3, 4), array(1, 2, 3, 5))).toMatchObject({ rows: 'row 1', name: 'y', was: 'was' });
});
