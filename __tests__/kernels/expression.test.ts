// Arithmetic of manifests: computed as CUDA programmers expect, and never anything else than arithmetic.

import { describe, expect, test } from '@jest/globals';
import { parseExpression } from '../../src/kernels/expression.js';

const SIZES = { T: 13, H: 64, Nq: 8, Nkv: 2, D: 16 };

describe('an expression', () => {
  test.each([
    [7, 7],
    ['7', 7],
    ['T', 13],
    ['T * H', 832],
    ['2 + 3 * 4', 14],
    ['(2 + 3) * 4', 20],
    ['20 - 5 - 3', 12],
    ['T / 4', 3],
    ['100 / 7 / 2', 7],
    ['2 * T / 4 * 4', 24],
    ['ceil_div(T, 4)', 4],
    ['ceil_div(T, 13)', 1],
    ['min(T, 4) + max(T, 20)', 24],
    ['ceil_div((Nq + 2 * Nkv) * D, 32 + 96 * min(1, T / 512))', 6],
    ['- - 5', 5],
    ['10 + -3', 7],
    ['-7 / 2 + 10', 7],
    [' T+ 1\n', 14],
    ['0', 0],
    ['999999999999999', 999_999_999_999_999],
    [`${'('.repeat(32)}1${')'.repeat(32)}`, 1],
  ])('%j is %i', (text, value) => {
    expect(parseExpression(text).compute(SIZES)).toBe(value);
  });

  test('names the sizes that it needs', () => {
    expect([...parseExpression('ceil_div(T, 2) * Nq + T').sizes].sort()).toEqual(['Nq', 'T']);
    expect(parseExpression('3 * 4').sizes).toEqual([]);
  });

  test.each([
    [
      'process.exit()',
      /^"process" is not known; known are T, H, Nq, Nkv, D, R, S, I, ceil_div, min and max$|"\." at character 8 is not allowed/,
    ],
    ['__proto__', '"__proto__" is not known'],
    ['constructor', '"constructor" is not known'],
    ['toString', '"toString" is not known'],
    ['t', '"t" is not known'],
    ['T; T', '";" at character 2 is not allowed'],
    ['T ** 2', '"*" at character 4 does not belong there'],
    ['T % 2', '"%" at character 3 is not allowed'],
    ['T >> 1', '">" at character 3 is not allowed'],
    ['`T`', '"`" at character 1 is not allowed'],
    ['1e9', '"1" at character 1 is not allowed'],
    ['0x10', '"0" at character 1 is not allowed'],
    ['1.5', '"1" at character 1 is not allowed'],
    ['99999999999999999999', '"9" at character 1 is not allowed'],
    ['', 'it ends too early'],
    ['   ', 'it ends too early'],
    ['T +', 'it ends too early'],
    ['(T', 'it ends too early'],
    ['T)', '")" at character 2 does not belong there'],
    ['T T', '"T" at character 3 does not belong there'],
    ['+ T', '"+" at character 1 does not belong there'],
    ['min(T)', '")" at character 6 does not belong there'],
    ['min(T, 1, 2)', '"," at character 9 does not belong there'],
    ['min', 'it ends too early'],
    ['()', '")" at character 2 does not belong there'],
    [`${'('.repeat(10_000)}1${')'.repeat(10_000)}`, 'brackets are nested deeper than 32'],
    [`${'-'.repeat(10_000)}1`, 'nested deeper than 32'],
    [`${'min('.repeat(10_000)}1`, 'brackets are nested deeper than 32'],
  ])('%.40j is refused', (text, message) => {
    expect(() => parseExpression(text)).toThrow(SyntaxError);
    expect(() => parseExpression(text)).toThrow(message);
  });

  test.each([
    ['T / (H - 64)', 'it divides by 0'],
    ['ceil_div(T, 0)', 'it divides by 0'],
    ['T - 14', 'T - 14 is -1 here; it must be a whole number from 0'],
    ['R', 'R has no value for this op'],
    ['999999999999999 * 999999999999999', /is 9\.99\d*e\+29 here; it must be a whole number from 0$/],
    [Array<string>(40).fill('999999999999999').join('*'), /is Infinity here/],
  ])('%.40j has no value here', (text, message) => {
    expect(() => parseExpression(text).compute(SIZES)).toThrow(RangeError);
    expect(() => parseExpression(text).compute(SIZES)).toThrow(message);
  });
});
