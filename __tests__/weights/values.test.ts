import { describe, expect, test } from '@jest/globals';

import { ModelError } from '../../src/errors.js';
import type { Dtype } from '../../src/weights/checkpoint.js';
import {
  allFinite,
  bfloat16Bits,
  bfloat16ToFloat32,
  bfloat16Values,
  float16ToFloat32,
  NUMERIC_DTYPES,
  numericDtype,
  roundToBfloat16,
  roundToFloat16,
  toFloat32,
  toFloat64,
} from '../../src/weights/values.js';

const ALL = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);
const fromBits = (...bits: number[]): Float32Array => new Float32Array(Uint32Array.from(bits).buffer);
const bytesOf = (array: Uint16Array | Float32Array | Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** What the pattern means by the definition of the format; NaN for NaN. */
function meaning(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const top = 2 ** exponentBits - 1;
  const exponent = (bits >> fractionBits) & top;
  const fraction = bits & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === top) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

test('values rounded to bfloat16 four at a time are those that are rounded and widened one by one, to the bit', () => {
  // Every upper half with the lower halves around a tie, and with some of each kind of NaN.
  const lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
  const values = new Float32Array(Uint32Array.from(lower.flatMap((low) => Array.from(ALL, (high) => high * 0x10000 + low))).buffer);
  // A NaN makes its array take another way: few arrays hold one, at any place.
  for (let start = 0; start < values.length; start += 1021) {
    const some = values.subarray(start, start + 1021);
    const expected = fromBits(...Array.from(some, (_, i) => (roundToBfloat16(some.subarray(i, i + 1))[0] as number) * 0x10000));
    expect(Buffer.compare(bytesOf(bfloat16Values(some)), bytesOf(expected))).toBe(0);
  }
  expect(bitsOf(bfloat16Values(values.subarray(3, 7)))).toEqual(bitsOf(bfloat16ToFloat32(roundToBfloat16(values.slice(3, 7)))));
});

test.each([0, 1, 2, 3, 5])('bfloat16 bits are widened from any place of a buffer, in any number (from %i)', (from) => {
  for (const count of [0, 1, 7, 8, 9, 23]) {
    const bits = ALL.subarray(16_000 + from, 16_000 + from + count);
    expect(bfloat16ToFloat32(bits)).toEqual(Float32Array.from(bits, (upper) => meaning(upper, 8, 7)));
  }
});

test('values of bfloat16 are told from others by one bit in any place, and keep all of theirs', () => {
  for (const count of [0, 1, 4, 7, 9]) {
    const values = bfloat16ToFloat32(ALL.subarray(32_700, 32_700 + count));
    expect(bfloat16Bits(values)).toEqual(ALL.slice(32_700, 32_700 + count));
    for (let at = 0; at < count; at++) {
      const bits = bitsOf(values).slice();
      bits[at] = (bits[at] as number) | (1 << at);
      expect(bfloat16Bits(new Float32Array(bits.buffer))).toBeNull();
    }
  }
});

describe.each([
  ['bfloat16', bfloat16ToFloat32, roundToBfloat16, 8, 7],
  ['float16', float16ToFloat32, roundToFloat16, 5, 10],
] as const)('%s', (_, widen, round, exponentBits, fractionBits) => {
  const wide = widen(ALL);
  const infinity = (2 ** exponentBits - 1) << fractionBits;

  test('all 65,536 patterns mean what the format says', () => {
    const wrong = [...ALL].filter((bits) => !Object.is(wide[bits], meaning(bits, exponentBits, fractionBits)));
    expect(wrong).toEqual([]);
  });

  test('all 65,536 patterns come back to the bit, NaN payloads too', () => {
    expect(round(wide)).toEqual(ALL);
  });

  test('between all neighbours, values round to nearest and ties to even', () => {
    const lower = Uint16Array.from({ length: infinity }, (__, bits) => bits);
    const from = bitsOf(widen(lower));
    // The neighbour of the largest finite value is infinity, as if the format went on one binade further.
    const to = Float64Array.from(lower, (bits) =>
      bits + 1 === infinity ? 2 ** (2 ** (exponentBits - 1)) : meaning(bits + 1, exponentBits, fractionBits),
    );
    const wrong: string[] = [];
    const check = (value: number, expected: number): void => {
      for (const sign of [0, 0x8000]) {
        const rounded = round(Float32Array.of(sign ? -value : value))[0];
        if (rounded !== (expected | sign)) wrong.push(`${value}: ${rounded} for ${expected | sign}`);
      }
    };
    for (const bits of lower) {
      const low = meaning(bits, exponentBits, fractionBits);
      const middle = (low + (to[bits] ?? 0)) / 2;
      if (Math.fround(middle) !== middle) throw new Error('a tie must be a float32 for this test to test it');
      const middleBits = bitsOf(Float32Array.of(middle))[0] ?? 0;
      check(middle, bits % 2 === 0 ? bits : bits + 1);
      check(fromBits(middleBits - 1)[0] ?? 0, bits);
      check(fromBits(middleBits + 1)[0] ?? 0, bits + 1);
      check(fromBits((from[bits] ?? 0) + 1)[0] ?? 0, bits);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test('a NaN whose payload is cut away is still a NaN', () => {
    const rounded = round(fromBits(0x7f800001, 0xff800001));
    expect([...widen(rounded)]).toEqual([NaN, NaN]);
    expect((rounded[1] ?? 0) >> 15).toBe(1);
  });

  test('a view into the middle of a larger array is rounded, not its start', () => {
    const whole = Float32Array.of(9, 1, 2, 9);
    expect([...widen(round(whole.subarray(1, 3)))]).toEqual([1, 2]);
  });
});

describe('widening', () => {
  const values = [0, -0, 1.5, -3, 2 ** -14, Infinity, -Infinity, NaN];
  const stored: [Dtype, Uint8Array][] = [
    ['F32', bytesOf(Float32Array.from(values))],
    ['F64', bytesOf(Float64Array.from(values))],
    ['BF16', bytesOf(roundToBfloat16(Float32Array.from(values)))],
    ['F16', bytesOf(roundToFloat16(Float32Array.from(values)))],
  ];

  test.each(stored)('%s gives the values as float32 and float64, aligned or not', (dtype, bytes) => {
    const shifted = new Uint8Array(bytes.byteLength + 1).subarray(1);
    shifted.set(bytes);
    for (const input of [bytes, shifted]) {
      expect([...toFloat32(input, dtype)]).toEqual(values);
      expect([...toFloat64(input, dtype)]).toEqual(values);
    }
  });

  test.each(stored)('%s comes in new memory', (dtype, bytes) => {
    const before = bytes.slice();
    toFloat32(bytes, dtype).fill(7);
    toFloat64(bytes, dtype).fill(7);
    expect(bytes).toEqual(before);
  });

  test('F32 keeps signalling NaN bits', () => {
    expect([...bitsOf(toFloat32(bytesOf(Uint32Array.of(0x7fa00001)), 'F32'))]).toEqual([0x7fa00001]);
  });

  test('F64 rounds to nearest even in float32 and is exact in float64', () => {
    const bytes = bytesOf(Float64Array.of(0.1, 1 + 2 ** -24, 1 + 3 * 2 ** -24, 1e300));
    expect([...toFloat32(bytes, 'F64')]).toEqual([Math.fround(0.1), 1, 1 + 2 ** -22, Infinity]);
    expect([...toFloat64(bytes, 'F64')]).toEqual([0.1, 1 + 2 ** -24, 1 + 3 * 2 ** -24, 1e300]);
  });

  test('bytes that are not whole values are refused', () => {
    for (const dtype of NUMERIC_DTYPES) expect(() => toFloat32(new Uint8Array(3), dtype)).toThrow(RangeError);
    expect(() => toFloat64(new Uint8Array(12), 'F64')).toThrow(RangeError);
    expect(() => allFinite(new Uint8Array(12), 'F64')).toThrow(RangeError);
    expect(toFloat32(new Uint8Array(0), 'BF16')).toHaveLength(0);
  });
});

describe('dtypes that are not computed with', () => {
  test('are refused with tensor and dtype', () => {
    const error = (run: () => unknown): unknown => {
      try {
        return run();
      } catch (thrown) {
        return thrown;
      }
    };
    for (const run of [
      () => toFloat32(new Uint8Array(4), 'I8', 'model.x'),
      () => toFloat64(new Uint8Array(4), 'I8', 'model.x'),
      () => allFinite(new Uint8Array(4), 'I8', 'model.x'),
      () => numericDtype({ name: 'model.x', dtype: 'I8', file: 'model.safetensors' }),
    ]) {
      expect(error(run)).toBeInstanceOf(ModelError);
      expect(error(run)).toMatchObject({
        code: 'weights_invalid',
        message: expect.stringMatching(/tensor "model\.x" has dtype I8; this version computes with F32, F16, BF16, F64\./),
      });
    }
    expect(numericDtype({ name: 'a', dtype: 'BF16' })).toBe('BF16');
  });
});

describe('a look for what is not finite', () => {
  test.each([
    ['BF16', 0x7f80],
    ['F16', 0x7c00],
  ] as const)('finds each NaN and infinity of %s at any place, and takes no finite value for one', (dtype, infinity) => {
    const finite = ALL.filter((bits) => (bits & infinity) !== infinity);
    expect(allFinite(bytesOf(finite), dtype)).toBe(true);
    for (const bits of ALL.filter((each) => (each & infinity) === infinity)) {
      for (const place of [0, 1, 2]) expect(allFinite(bytesOf(Uint16Array.of(1, 2, 3).fill(bits, place, place + 1)), dtype)).toBe(false);
    }
  });

  test('knows the edges of float32', () => {
    expect(allFinite(bytesOf(Uint32Array.of(0x7f7fffff, 0xff7fffff, 0, 0x80000000, 1)), 'F32')).toBe(true);
    for (const bits of [0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7fa00001])
      expect(allFinite(bytesOf(Uint32Array.of(0, bits, 1)), 'F32')).toBe(false);
  });

  test('knows the edges of float64', () => {
    expect(allFinite(bytesOf(Uint32Array.of(0xffffffff, 0x7fefffff, 0xffffffff, 0xffefffff, 0x7ff00000, 0)), 'F64')).toBe(true);
    for (const upper of [0x7ff00000, 0xfff00000, 0xfff80000]) expect(allFinite(bytesOf(Uint32Array.of(0, 0, 1, upper)), 'F64')).toBe(false);
  });

  test('reads unaligned bytes', () => {
    for (const [dtype, bits] of [
      ['F32', [0x00, 0x00, 0x80, 0x7f]],
      ['BF16', [0x00, 0x00, 0x80, 0x7f]],
    ] as const) {
      for (const start of [1, 2]) {
        const bytes = new Uint8Array(8);
        bytes.set(bits, start);
        expect(allFinite(bytes.subarray(start, start + 4), dtype)).toBe(false);
        bytes.fill(0);
        expect(allFinite(bytes.subarray(start, start + 4), dtype)).toBe(true);
      }
    }
  });
});
