import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openFolder } from '../../src/hub/folder.js';
import type { ByteSource, ModelFiles } from '../../src/hub/source.js';
import type { TensorDtype } from '../../src/weights/checkpoint.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { PATTERNS, startHistogram } from '../../src/weights/histogram.js';
import { decodeNarrow, NARROW_DTYPES } from '../../src/weights/narrow-floats.js';
import type { TensorStatistics } from '../../src/weights/statistics.js';
import { statisticsOf, tensorStatistics } from '../../src/weights/statistics.js';
import { toFloat64 } from '../../src/weights/values.js';
import { refusal, safetensorsBytes, seededRandom, withFolder } from './made-files.js';

const bytesOf = (array: Uint16Array | Float32Array | Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Random patterns: of float16 and bfloat16 a few in a hundred are not finite. */
function patterned(length: number, seed: number): Uint16Array {
  const random = seededRandom(seed);
  return Uint16Array.from({ length }, () => Math.floor(random() * PATTERNS));
}

/** Many random patterns, quickly: the same 65,536 again and again. */
function tiled(length: number, seed: number): Uint16Array {
  const tile = patterned(PATTERNS, seed);
  const all = new Uint16Array(length);
  for (let at = 0; at < length; at += PATTERNS) all.set(tile.subarray(0, length - at), at);
  return all;
}

/** The same in whole numbers of 2^-80, of which all values of these tests are multiples: nothing is rounded until the last division. */
function exactly(values: Iterable<number>): TensorStatistics {
  const all = [...values];
  const finite = all.filter((value) => Number.isFinite(value));
  const unit = (value: number): bigint => BigInt(value / 2 ** -80);
  let sum = 0n;
  let squares = 0n;
  for (const value of finite) {
    sum += unit(value);
    squares += unit(value) ** 2n;
  }
  const scaled = (total: bigint, scale: number): number => Number((total << 64n) / BigInt(finite.length)) * 2 ** -64 * scale;
  const none = finite.length === 0;
  return {
    count: all.length,
    nan: all.filter((value) => Number.isNaN(value)).length,
    inf: all.filter((value) => Math.abs(value) === Infinity).length,
    zeros: finite.filter((value) => value === 0).length,
    min: none ? null : finite.reduce((a, b) => Math.min(a, b)),
    max: none ? null : finite.reduce((a, b) => Math.max(a, b)),
    mean: none ? null : scaled(sum, 2 ** -80),
    rms: none ? null : Math.sqrt(scaled(squares, 2 ** -160)),
  };
}

function expectSame(got: TensorStatistics, expected: TensorStatistics): void {
  const { mean, rms, ...counted } = got;
  expect(counted).toEqual({
    count: expected.count,
    nan: expected.nan,
    inf: expected.inf,
    zeros: expected.zeros,
    min: expected.min,
    max: expected.max,
  });
  for (const [value, right] of [
    [mean, expected.mean],
    [rms, expected.rms],
  ] as const) {
    if (right === null) expect(value).toBeNull();
    else expect(Math.abs((value ?? NaN) - right)).toBeLessThanOrEqual(4 * Number.EPSILON * Math.abs(right));
  }
}

/** Values of 16 bits whose sums the exact arithmetic above can hold: from 2^-60 to 2^60 for bfloat16, all for float16, and what is not finite. */
function comparable(dtype: 'BF16' | 'F16', length: number, seed: number): Uint8Array {
  const bits = patterned(length, seed).map((pattern) => {
    const exponent = (pattern >>> 7) & 255;
    return dtype === 'F16' || exponent === 255 || (exponent > 67 && exponent < 187) ? pattern : 0x8000;
  });
  return bytesOf(bits);
}

describe('statistics of values', () => {
  test.each([
    ['BF16', 1001],
    ['BF16', 100_001],
    ['F16', 1001],
    ['F16', 100_001],
  ] as const)('of %s are those of exact arithmetic, for %i values', (dtype, length) => {
    const bytes = comparable(dtype, length, length);
    expectSame(statisticsOf(bytes, dtype), exactly(toFloat64(bytes, dtype)));
  });

  test('of F32 and F64 are those of exact arithmetic', () => {
    const random = seededRandom(5);
    const values = Float32Array.from({ length: 150_001 }, () => (random() - 0.5) * 2 ** Math.floor(random() * 40));
    values.set([NaN, Infinity, -Infinity, 0, -0, 1e15, -1e14], 70_000);
    expectSame(statisticsOf(bytesOf(values), 'F32'), exactly(values));
    expectSame(statisticsOf(bytesOf(new Float64Array(values)), 'F64'), exactly(values));
  });

  test('do not lose small values beside large ones that cancel', () => {
    const values = Float32Array.of(2 ** 100, 1, -(2 ** 100), 1);
    expect(statisticsOf(bytesOf(values), 'F32').mean).toBe(0.5);
  });

  test.each(NARROW_DTYPES.filter((dtype) => dtype !== 'BOOL'))('of %s are those of its decoded values (32)', (dtype) => {
    const random = seededRandom(9);
    const bytes = Uint8Array.from({ length: 5000 }, () =>
      dtype === 'F8_E8M0' ? 100 + Math.floor(random() * 50) : Math.floor(random() * 256),
    );
    expectSame(statisticsOf(bytes, dtype), exactly(decodeNarrow(bytes, dtype) ?? []));
  });

  test('count NaN payloads, both infinities, both zeros and subnormals on the bits (31)', () => {
    const special = Uint32Array.of(0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7fa00001, 0, 0x80000000, 1, 0x7f7fffff);
    expect(statisticsOf(bytesOf(special), 'F32')).toMatchObject({ count: 9, nan: 3, inf: 2, zeros: 2, min: 0, max: 3.4028234663852886e38 });
  });

  test('of nothing, or of nothing finite, are null and never NaN', () => {
    const none = { zeros: 0, min: null, max: null, mean: null, rms: null };
    for (const dtype of ['F32', 'F64', 'BF16', 'F16', 'F8_E4M3', 'F4'] as const)
      expect(statisticsOf(new Uint8Array(0), dtype)).toEqual({ count: 0, nan: 0, inf: 0, ...none });
    expect(statisticsOf(bytesOf(Float32Array.of(NaN, Infinity)), 'F32')).toEqual({ count: 2, nan: 1, inf: 1, ...none });
    expect(statisticsOf(bytesOf(Float64Array.of(1e308, 1e308)), 'F64')).toMatchObject({ max: 1e308, mean: null, rms: null });
  });

  test('of dtypes without numbers are refused by name', () => {
    for (const dtype of ['I64', 'F6_E2M3', 'Q4_0', 'C64'] satisfies TensorDtype[])
      expect(() => statisticsOf(new Uint8Array(8), dtype, 'ids')).toThrow(new RegExp(`tensor "ids" has dtype ${dtype}`));
    for (const dtype of ['BF16', 'F16', 'F32', 'F64'] as const)
      expect(() => statisticsOf(new Uint8Array(100_001), dtype)).toThrow(RangeError);
  });
});

describe('a histogram', () => {
  test('counts every pattern, in any pieces, and is not disturbed by another that is filled in turn', () => {
    const values = [tiled(700_003, 1), tiled(400_001, 2)] as const;
    const expected = values.map((all) => {
      const counts = new Float64Array(PATTERNS);
      for (const pattern of all) counts[pattern] = (counts[pattern] ?? 0) + 1;
      return counts;
    });
    const histograms = [startHistogram(), startHistogram()] as const;
    const random = seededRandom(3);
    const done = [0, 0];
    while (done.some((at, i) => at < (values[i]?.length ?? 0))) {
      for (const [i, histogram] of histograms.entries()) {
        const from = done[i] ?? 0;
        const to = from + Math.floor(random() * 200_000);
        histogram.add(bytesOf(values[i as 0 | 1].slice(from, to)));
        done[i] = to;
      }
    }
    for (const [i, histogram] of histograms.entries()) {
      expect(histogram.counts()).toEqual(expected[i]);
      expect(histogram.counts()).toEqual(expected[i]);
    }
  });
});

describe('statistics of a tensor in a file', () => {
  async function statisticsIn(folder: string, name: string): Promise<TensorStatistics> {
    const checkpoint = await openCheckpoint(await openFolder(folder));
    try {
      return await tensorStatistics(checkpoint, name);
    } finally {
      await checkpoint.close();
    }
  }

  const header = (dtype: string, elements: number, bytes: number): string =>
    JSON.stringify({ w: { dtype, shape: [elements], data_offsets: [0, bytes] } });

  test.each(['BF16', 'F32', 'F8_E5M2'] as const)('are those of the same values in memory, %s over several reads', (dtype) => {
    const data = bytesOf(tiled(2 ** 21 + 12, 11));
    const elements = data.byteLength / { BF16: 2, F32: 4, F8_E5M2: 1 }[dtype];
    return withFolder({ 'model.safetensors': safetensorsBytes(header(dtype, elements, data.byteLength), data) }, async (folder) => {
      expect(await statisticsIn(folder, 'w')).toEqual(statisticsOf(data, dtype));
    });
  });

  test('that is not there, or has no elements, are no riddle', () =>
    withFolder({ 'model.safetensors': safetensorsBytes(header('BF16', 0, 0)) }, async (folder) => {
      expect(await statisticsIn(folder, 'w')).toMatchObject({ count: 0, mean: null });
      expect(await refusal(statisticsIn(folder, 'other'))).toMatch(/^tensor_missing: Tensor "other" is not among the 1 tensors/);
    }));

  const MORE_THAN_4_GIB = 2 ** 32 + 6;
  const marksOf = (elements: number): (readonly [index: number, bits: number])[] => [
    [0, 0x4000],
    [2 ** 30 - 1, 0xc040],
    [2 ** 30, 0x7fc0],
    [2 ** 31 - 1, 0x7f80],
    [elements - 1, 0x4080],
  ];

  test('of more than 4 GiB are exact to its last value, in memory that does not grow with it (33)', async () => {
    const elements = MORE_THAN_4_GIB / 2;
    const start = safetensorsBytes(header('BF16', elements, MORE_THAN_4_GIB));
    const marks = marksOf(elements).map(([index, bits]) => [start.byteLength + 2 * index, bits] as const);
    // Made up on the way: a file of zeros takes no room on disk, but filling the page cache with it takes the machine half a minute.
    const source: ByteSource = {
      name: 'model.safetensors',
      byteLength: start.byteLength + MORE_THAN_4_GIB,
      async slice(from, to) {
        const bytes = new Uint8Array(to - from);
        if (from < start.byteLength) bytes.set(start.subarray(from, to));
        for (const [at, bits] of marks) if (at >= from && at < to) bytes.set([bits & 255, bits >>> 8], at - from);
        return bytes;
      },
      close: async () => {},
    };
    const files: ModelFiles = {
      id: 'made',
      revision: null,
      list: async () => [source.name],
      open: async (name: string) => (name === source.name ? source : null),
    };
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
    const found = await tensorStatistics(await openCheckpoint(files), 'w');
    clearInterval(watch);
    expect(found).toMatchObject({ count: elements, nan: 1, inf: 1, zeros: elements - 5, min: -3, max: 4 });
    expect(found.mean).toBe(3 / (elements - 2));
    expect(found.rms).toBe(Math.sqrt(29 / (elements - 2)));
    expect(peak - before).toBeLessThan(512 * 2 ** 20);
  });

  test.each([2 ** 31, 2 ** 32, MORE_THAN_4_GIB])(
    'of %i bytes on disk, sparse: its first and last values are where they belong (33)',
    (bytes) =>
      withFolder({}, async (folder) => {
        const path = join(folder, 'model.safetensors');
        const start = safetensorsBytes(header('BF16', bytes / 2, bytes));
        const marks = marksOf(bytes / 2).filter(([index]) => index < bytes / 2);
        const file = await open(path, 'wx');
        await file.write(start);
        for (const [index, bits] of marks) await file.write(bytesOf(Uint16Array.of(bits)), 0, 2, start.byteLength + 2 * index);
        await file.close();
        await truncate(path, start.byteLength + bytes);
        expect((await stat(path)).blocks * 512).toBeLessThan(2 ** 20);
        const checkpoint = await openCheckpoint(await openFolder(folder));
        for (const [index, bits] of new Map(marks))
          expect([index, await checkpoint.read('w', 2 * index, 2 * index + 2)]).toEqual([index, Uint8Array.of(bits & 255, bits >>> 8)]);
        await checkpoint.close();
      }),
  );
});
