// Dequantisation against an independent way to the same numbers: blocks are packed here from known scales and integers, field by field as the
// bit diagrams of gguf-py/gguf/quants.py draw them, and the values computed from those integers, never from the bytes.

import { describe, expect, test } from '@jest/globals';

import { DEQUANTIZED, dequantize, GGML_TYPES } from '../../src/weights/ggml-types.js';
import { roundToFloat16 } from '../../src/weights/values.js';
import { seededRandom } from './made-files.js';

const f = Math.fround;
const random = seededRandom(7);
const ints = (count: number, from: number, to: number): number[] =>
  Array.from({ length: count }, () => from + Math.floor(random() * (to - from + 1)));
/** A float16 number and its two bytes. */
const half = (): { value: number; bytes: number[] } => {
  const value = (Math.floor(random() * 2048) - 1024) / 4096;
  const [bits = 0] = roundToFloat16(Float32Array.of(value));
  return { value, bytes: [bits & 255, bits >> 8] };
};
const at = (values: readonly number[], index: number): number => values[index] ?? NaN;

interface Packed {
  bytes: number[];
  values: number[];
}

function packHalves(bits: 4 | 5, withMin: boolean): Packed {
  const d = half();
  const min = half();
  const zero = withMin ? 0 : 2 ** (bits - 1);
  const q = ints(32, 0, 2 ** bits - 1);
  const high = q.reduce((word, value, index) => word + (value >> 4) * 2 ** index, 0);
  const word = bits === 5 ? [0, 8, 16, 24].map((shift) => Math.floor(high / 2 ** shift) % 256) : [];
  const nibbles = Array.from({ length: 16 }, (_, index) => (at(q, index) & 15) + 16 * (at(q, index + 16) & 15));
  return {
    bytes: [...d.bytes, ...(withMin ? min.bytes : []), ...word, ...nibbles],
    values: q.map((value) => f(f(d.value * (value - zero)) + (withMin ? min.value : 0))),
  };
}

function packQ8(): Packed {
  const d = half();
  const q = ints(32, -128, 127);
  return { bytes: [...d.bytes, ...q.map((value) => value & 255)], values: q.map((value) => f(d.value * value)) };
}

/** 256 values of 2 bits: byte b of part p holds the values p·128 + b, + 32, + 64, + 96. */
function packTwoBits(q: readonly number[]): number[] {
  return Array.from({ length: 64 }, (_, byte) => {
    const first = Math.floor(byte / 32) * 128 + (byte % 32);
    return [0, 1, 2, 3].reduce((sum, j) => sum + (at(q, first + 32 * j) & 3) * 4 ** j, 0);
  });
}

function packQ2K(): Packed {
  const [d, dmin] = [half(), half()];
  const [scales, mins, q] = [ints(16, 0, 15), ints(16, 0, 15), ints(256, 0, 3)];
  return {
    bytes: [...scales.map((scale, index) => scale + 16 * at(mins, index)), ...packTwoBits(q), ...d.bytes, ...dmin.bytes],
    values: q.map((value, index) => {
      const group = Math.floor(index / 16);
      return f(f(f(d.value * at(scales, group)) * value) - f(dmin.value * at(mins, group)));
    }),
  };
}

function packQ3K(): Packed {
  const d = half();
  const [scales, q] = [ints(16, 0, 63), ints(256, -4, 3)];
  const mask = Array.from({ length: 32 }, (_, byte) =>
    [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, bit) => sum + (at(q, 32 * bit + byte) >= 0 ? 2 ** bit : 0), 0),
  );
  const low = Array.from({ length: 8 }, (_, index) => (at(scales, index) & 15) + 16 * (at(scales, index + 8) & 15));
  const high = Array.from({ length: 4 }, (_, index) =>
    [0, 4, 8, 12].reduce((sum, j) => sum + (at(scales, index + j) >> 4) * 2 ** (j / 2), 0),
  );
  return {
    bytes: [...mask, ...packTwoBits(q.map((value) => value & 3)), ...low, ...high, ...d.bytes],
    values: q.map((value, index) => f(f(d.value * (at(scales, Math.floor(index / 16)) - 32)) * value)),
  };
}

function packQ45K(bits: 4 | 5): Packed {
  const [d, dmin] = [half(), half()];
  const [scales, mins, q] = [ints(8, 0, 63), ints(8, 0, 63), ints(256, 0, 2 ** bits - 1)];
  const lower = (values: readonly number[]) => [0, 1, 2, 3].map((index) => (at(values, index) & 63) + (at(values, index + 4) >> 4) * 64);
  const joint = [4, 5, 6, 7].map((index) => (at(scales, index) & 15) + 16 * (at(mins, index) & 15));
  const high = Array.from({ length: 32 }, (_, byte) =>
    [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, group) => sum + (at(q, 32 * group + byte) >> 4) * 2 ** group, 0),
  );
  const nibbles = Array.from({ length: 128 }, (_, byte) => {
    const first = Math.floor(byte / 32) * 64 + (byte % 32);
    return (at(q, first) & 15) + 16 * (at(q, first + 32) & 15);
  });
  return {
    bytes: [...d.bytes, ...dmin.bytes, ...lower(scales), ...lower(mins), ...joint, ...(bits === 5 ? high : []), ...nibbles],
    values: q.map((value, index) => {
      const group = Math.floor(index / 32);
      return f(f(f(d.value * at(scales, group)) * value) - f(dmin.value * at(mins, group)));
    }),
  };
}

function packQ6K(): Packed {
  const d = half();
  const [scales, q] = [ints(16, -128, 127), ints(256, -32, 31)];
  const raw = q.map((value) => value + 32);
  const low = Array.from({ length: 128 }, (_, byte) => {
    const first = Math.floor(byte / 64) * 128 + (byte % 64);
    return (at(raw, first) & 15) + 16 * (at(raw, first + 64) & 15);
  });
  return {
    bytes: [...low, ...packTwoBits(raw.map((value) => value >> 4)), ...scales.map((scale) => scale & 255), ...d.bytes],
    values: q.map((value, index) => f(f(d.value * at(scales, Math.floor(index / 16))) * value)),
  };
}

const PACKERS: Record<string, () => Packed> = {
  Q4_0: () => packHalves(4, false),
  Q4_1: () => packHalves(4, true),
  Q5_0: () => packHalves(5, false),
  Q5_1: () => packHalves(5, true),
  Q8_0: packQ8,
  Q2_K: packQ2K,
  Q3_K: packQ3K,
  Q4_K: () => packQ45K(4),
  Q5_K: () => packQ45K(5),
  Q6_K: packQ6K,
};

describe('dequantisation', () => {
  test('of each type that is claimed is tested here', () => {
    expect(Object.keys(PACKERS).sort()).toEqual([...DEQUANTIZED].sort());
  });

  test.each(Object.entries(PACKERS))('of %s gives the values its integers and scales mean, to the bit', (dtype, pack) => {
    const blocks = Array.from({ length: 20 }, pack);
    const bytes = Uint8Array.from(blocks.flatMap((block) => block.bytes));
    const type = [...GGML_TYPES.values()].find((known) => known.dtype === dtype);
    expect(bytes.byteLength).toBe(20 * (type?.bytes ?? NaN));
    const values = dequantize(bytes, dtype);
    expect(values).toHaveLength(20 * (type?.values ?? NaN));
    // Of the signs of zero nothing depends.
    expect([...(values ?? [])].map((value) => value + 0)).toEqual(blocks.flatMap((block) => block.values.map((value) => value + 0)));
  });

  test('of types in blocks that have no values here, and of plain ones, is left to others', () => {
    for (const dtype of ['IQ2_XXS', 'TQ1_0', 'F32', 'BF16', 'constructor']) expect(dequantize(new Uint8Array(66), dtype)).toBeNull();
  });

  test('of half a block is a defect', () => {
    expect(() => dequantize(new Uint8Array(17), 'Q4_0')).toThrow(/17 bytes are no whole number of Q4_0 blocks/);
  });
});
