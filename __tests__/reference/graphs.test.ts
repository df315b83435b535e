// Each op's graph against plain loops written here, in float64, with rounding where PyTorch eager rounds. Small sizes, made-up values.

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Op } from '../../src/architectures/program.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { attentionMask, createOpRunner, type LocalOpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE, validRecipes, type Recipe } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { roundToServing } from '../../src/reference/served-weights.js';
import type { ServingDtype } from '../../src/report/types.js';
import { seededRandom } from '../weights/made-files.js';

let runner: LocalOpRunner;
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});

type Round = (x: number) => number;
const SERVED: readonly ServingDtype[] = ['bfloat16', 'float16', 'float32'];

function rounding(dtype: ServingDtype): Round {
  return (x) => roundToServing(Float32Array.of(x), dtype)[0] as number;
}

/** Values of the serving dtype, of the size of 1 and, one in eight, of 8. */
function made(seed: number, dtype: ServingDtype, ...shape: number[]): NdArray {
  const random = seededRandom(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, () => (random() - 0.5) * (random() < 0.125 ? 16 : 2));
  return { data: roundToServing(values, dtype), shape };
}

function wide({ data, shape }: NdArray): NdArray {
  return { data: Float64Array.from(data), shape };
}

function at(array: NdArray, ...index: number[]): number {
  const flat = index.reduce((sum, one, axis) => sum * (array.shape[axis] as number) + one, 0);
  return array.data[flat] as number;
}

function op(name: Op['op'], attributes: Op['attributes'], extra: Partial<Op> = {}): Op {
  return { op: name, layer: 0, site: name, inputs: {}, weights: {}, attributes, outputs: {}, ...extra };
}

async function run(one: Op, recipe: Recipe, inputs: Record<string, NdArray>): Promise<Record<string, NdArray>> {
  return runner.run(one, recipe, inputs);
}

/** The oracle takes activations in float64; weights and tables stay float32. */
function forOracle(inputs: Record<string, NdArray>): Record<string, NdArray> {
  const parameters = /weight|cos|sin/;
  return Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, parameters.test(name) ? array : wide(array)]));
}

/** Largest difference, relative to the largest value. */
function relativeError(ours: ArrayLike<number>, expected: readonly number[]): number {
  expect(ours).toHaveLength(expected.length);
  const size = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((x, i) => Math.abs((ours[i] as number) - x))) / size;
}

/** Share of values with the same bits. Float32 sums may be taken in another order here than there, so a few may round the other way. */
function equalShare(ours: ArrayLike<number>, expected: readonly number[]): number {
  expect(ours).toHaveLength(expected.length);
  return expected.filter((x, i) => Object.is(ours[i], x)).length / expected.length;
}

function expectAgreement(ours: NdArray | undefined, expected: readonly number[], dtype: ServingDtype): void {
  const values = ours?.data ?? new Float32Array(0);
  // float32 has no rounding points to be told by: there a few units in the last place are what sums differ by.
  if (dtype === 'float32') expect(relativeError(values, expected)).toBeLessThan(1e-6);
  else expect(equalShare(values, expected)).toBeGreaterThan(0.98);
}

/** Values that were not rounded at the end. A value that rounds the other way before that is off by a unit of the serving dtype, so most must agree. */
function expectInFloat32(ours: NdArray | undefined, expected: readonly number[], dtype: ServingDtype): void {
  const values = ours?.data ?? new Float32Array(0);
  expect(values).toHaveLength(expected.length);
  const size = Math.max(...expected.map(Math.abs));
  const near = expected.filter((x, i) => Math.abs((values[i] as number) - x) <= 1e-6 * size);
  expect(near.length / expected.length).toBeGreaterThan(0.98);
  // Rounding would leave none of them; where an angle is 0, or one factor a power of two, a product needs none.
  if (dtype !== 'float32') expect(equalShare(values, Array.from(roundToServing(Float32Array.from(values), dtype)))).toBeLessThan(0.9);
}

describe.each(SERVED)('served in %s', (dtype) => {
  const R = rounding(dtype);
  const between: Recipe = { ...eager(dtype), between: 'float32' };
  const T = 5;

  describe.each(['after_rounding', 'before_rounding'] as const)('an RMS norm with its weight %s', (weight) => {
    const offset = weight === 'before_rounding' ? 1 : 0;
    const H = 48;
    const x = made(1, dtype, T, H);
    const w = made(2, dtype, H);
    const norm = op(
      'rms_norm',
      { eps: 1e-2, weight_offset: offset },
      { eager: { weight }, weights: { weight: { tensor: 'w', shape: [H] } } },
    );
    const expected = (finish: (normed: number, w: number) => number) =>
      Array.from({ length: T * H }, (_, i) => {
        const row = Array.from({ length: H }, (__, j) => at(x, Math.floor(i / H), j));
        const scale = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / H + 1e-2);
        return finish((x.data[i] as number) * scale, offset + (w.data[i % H] as number));
      });
    const afterRounding = (normed: number, factor: number) => R(R(normed) * factor);
    const beforeRounding = (normed: number, factor: number) => R(normed * factor);
    const own = weight === 'after_rounding' ? afterRounding : beforeRounding;
    const other = weight === 'after_rounding' ? beforeRounding : afterRounding;

    test('rounds there in eager', async () => {
      const { y } = await run(norm, eager(dtype), { x, weight: w });
      expectAgreement(y, expected(own), dtype);
    });

    test('rounds on the other side in the swapped recipe', async () => {
      const swapped = { ...eager(dtype), norm_weight: 'swapped' as const };
      const { y } = await run(norm, swapped, { x, weight: w });
      expectAgreement(y, expected(other), dtype);
      // The two are told apart, so agreement above means something.
      if (dtype !== 'float32') expect(equalShare(y?.data ?? [], expected(own))).toBeLessThan(0.9);
    });

    test('hands its result on in float32 where that is kept between contracts, and rounds inside as eager does', async () => {
      const { y } = await run(norm, between, { x, weight: w });
      const inside: Round = weight === 'after_rounding' ? R : (normed) => normed;
      expectInFloat32(
        y,
        expected((normed, factor) => inside(normed) * factor),
        dtype,
      );
    });

    test.each(['halves', 'quarters'] as const)('gives the same with its sum in %s, but for their rounding', async (sums) => {
      const { y } = await run(norm, { ...ORACLE, sums }, forOracle({ x, weight: w }));
      expect(
        relativeError(
          y?.data ?? [],
          expected((normed, factor) => normed * factor),
        ),
      ).toBeLessThan(1e-14);
    });

    test('is float64 in the oracle', async () => {
      const { y } = await run(norm, ORACLE, forOracle({ x, weight: w }));
      expect(y?.data).toBeInstanceOf(Float64Array);
      expect(
        relativeError(
          y?.data ?? [],
          expected((normed, factor) => normed * factor),
        ),
      ).toBeLessThan(1e-14);
    });
  });

  test('Q/K norm is a norm of each head', async () => {
    const D = 8;
    const [q, k] = [made(3, dtype, T, 4, D), made(4, dtype, T, 2, D)];
    const [q_weight, k_weight] = [made(5, dtype, D), made(6, dtype, D)];
    const norm = op(
      'qk_norm',
      { eps: 1e-6, weight_offset: 0 },
      { eager: { weight: 'after_rounding' }, weights: { q_weight: { tensor: 'w', shape: [D] } } },
    );
    const outputs = await run(norm, eager(dtype), { q, k, q_weight, k_weight });
    for (const [name, x, w] of [
      ['q', q, q_weight],
      ['k', k, k_weight],
    ] as const) {
      const expected = Array.from(x.data, (value, i) => {
        const head = Array.from(x.data.subarray(i - (i % D), i - (i % D) + D));
        return R(R(value / Math.sqrt(head.reduce((sum, v) => sum + v * v, 0) / D + 1e-6)) * (w.data[i % D] as number));
      });
      expect(outputs[name]?.shape).toEqual(x.shape);
      expectAgreement(outputs[name], expected, dtype);
    }
  });

  describe.each(['half', 'interleaved'] as const)('RoPE of the %s layout', (layout) => {
    const D = 12;
    describe.each([12, 8])('turning %d of 12 elements', (rotaryDim) => {
      const half = rotaryDim / 2;
      const [q, k] = [made(7, dtype, T, 4, D), made(8, dtype, T, 2, D)];
      const angles = Array.from({ length: T * half }, (_, i) => Math.floor(i / half) * 0.7 ** (i % half));
      const cos: NdArray = { data: Float32Array.from(angles, Math.cos), shape: [T, half] };
      const sin: NdArray = { data: Float32Array.from(angles, Math.sin), shape: [T, half] };
      const partner = (d: number) => (layout === 'half' ? (d < half ? d + half : d - half) : d ^ 1);
      const pair = (d: number) => (layout === 'half' ? d % half : d >> 1);
      const isFirst = (d: number) => (layout === 'half' ? d < half : d % 2 === 0);
      const rotated = (x: NdArray, table: Round, product: Round, result: Round) =>
        Array.from(x.data, (value, i) => {
          const [t, d] = [Math.floor(i / (D * (x.shape[1] as number))), i % D];
          if (d >= rotaryDim) return value;
          const c = table(at(cos, t, pair(d)));
          const s = table(at(sin, t, pair(d)));
          const other = (x.data[i - d + partner(d)] as number) * (isFirst(d) ? -1 : 1);
          return result(product(value * c) + product(other * s));
        });
      const rope = (rotary: 'serving' | 'float32') => op('rope', { layout, rotary_dim: rotaryDim }, { eager: { rotary } });
      const same: Round = (x) => x;

      test('rounds cos, sin and every product, as Llama does', async () => {
        const outputs = await run(rope('serving'), eager(dtype), { q, k, cos, sin });
        expect(outputs['k']?.shape).toEqual([T, 2, D]);
        expectAgreement(outputs['q'], rotated(q, R, R, R), dtype);
        expectAgreement(outputs['k'], rotated(k, R, R, R), dtype);
        if (dtype === 'bfloat16') expect(equalShare(outputs['q']?.data ?? [], rotated(q, same, same, R))).toBeLessThan(0.9);
      });

      test('rounds the end only, as ERNIE 4.5 does', async () => {
        const outputs = await run(rope('float32'), eager(dtype), { q, k, cos, sin });
        expectAgreement(outputs['q'], rotated(q, same, same, R), dtype);
      });

      test('hands q and k on in float32 where that is kept between contracts', async () => {
        // Elements that do not turn pass through as they came.
        if (rotaryDim !== D) return;
        const outputs = await run(rope('serving'), between, { q, k, cos, sin });
        expectInFloat32(outputs['q'], rotated(q, R, R, same), dtype);
        expectInFloat32(outputs['k'], rotated(k, R, R, same), dtype);
      });

      test('is float64 in the oracle', async () => {
        const outputs = await run(rope('serving'), ORACLE, forOracle({ q, k, cos, sin }));
        expect(relativeError(outputs['k']?.data ?? [], rotated(k, same, same, same))).toBeLessThan(1e-14);
      });
    });
  });

  describe.each([
    { about: 'causal', heads: [4, 4], window: 0, softcap: 0, causal: true },
    { about: 'not causal', heads: [2, 2], window: 0, softcap: 0, causal: false },
    { about: 'four query heads to one key/value head', heads: [4, 1], window: 0, softcap: 0, causal: true },
    { about: 'six query heads to two key/value heads', heads: [6, 2], window: 0, softcap: 0, causal: true },
    { about: 'a window of 3', heads: [4, 2], window: 3, softcap: 0, causal: true },
    { about: 'a window of 1', heads: [4, 2], window: 1, softcap: 0, causal: true },
    { about: 'soft-capped scores', heads: [4, 2], window: 0, softcap: 3, causal: true },
  ])('attention, $about', ({ heads: [Nq = 1, Nkv = 1], window, softcap, causal }) => {
    const D = 8;
    const tokens = 9;
    const scale = D ** -0.5;
    const [q, k, v] = [made(9, dtype, tokens, Nq, D), made(10, dtype, tokens, Nkv, D), made(11, dtype, tokens, Nkv, D)];
    const attention = op('attention', { scale, causal, window, softcap });
    const expected = (score: Round, probability: Round, result: Round) => {
      const out: number[] = [];
      for (let t = 0; t < tokens; t++)
        for (let h = 0; h < Nq; h++) {
          const kv = Math.floor(h / (Nq / Nkv));
          const scores = Array.from({ length: tokens }, (_, s) => {
            if ((causal && s > t) || (window > 0 && s <= t - window)) return -Infinity;
            let x = score(Array.from({ length: D }, (__, d) => at(q, t, h, d) * at(k, s, kv, d)).reduce((a, b) => a + b, 0));
            x = score(x * scale);
            return softcap > 0 ? score(score(Math.tanh(score(x / softcap))) * softcap) : x;
          });
          const max = Math.max(...scores);
          const total = scores.reduce((sum, x) => sum + Math.exp(x - max), 0);
          const weights = scores.map((x) => probability(Math.exp(x - max) / total));
          for (let d = 0; d < D; d++) out.push(result(weights.reduce((sum, p, s) => sum + p * at(v, s, kv, d), 0)));
        }
      return out;
    };
    const same: Round = (x) => x;

    test('rounds scores, probabilities and result in eager', async () => {
      const { o } = await run(attention, eager(dtype), { q, k, v });
      expect(o?.shape).toEqual([tokens, Nq, D]);
      expectAgreement(o, expected(R, R, R), dtype);
    });

    test('rounds the result only where probabilities stay in float32', async () => {
      const { o } = await run(attention, { ...eager(dtype), probabilities: 'float32' }, { q, k, v });
      expectAgreement(o, expected(same, same, R), dtype);
      if (dtype === 'bfloat16' && window !== 1) expect(equalShare(o?.data ?? [], expected(R, R, R))).toBeLessThan(0.9);
    });

    test('is float64 in the oracle', async () => {
      const { o } = await run(attention, ORACLE, forOracle({ q, k, v }));
      expect(relativeError(o?.data ?? [], expected(same, same, same))).toBeLessThan(1e-13);
    });

    test.each(['halves', 'quarters'] as const)('gives the same with sums in %s, but for their rounding', async (sums) => {
      const { o } = await run(attention, { ...ORACLE, sums }, forOracle({ q, k, v }));
      expect(relativeError(o?.data ?? [], expected(same, same, same))).toBeLessThan(1e-13);
    });

    test('sees keys and values as a cache holds them, and all else in float32, where that is kept between contracts', async () => {
      // A seventh off the serving dtype's own values.
      const off = ({ data, shape }: NdArray): NdArray => ({ data: data.map((x) => x * (1 + 2 ** -11 / 7)), shape });
      const held = ({ data, shape }: NdArray): NdArray => ({ data: roundToServing(Float32Array.from(data), dtype), shape });
      const precise: Recipe = { ...between, probabilities: 'float32' };
      const given = { q: off(q), k: off(k), v: off(v) };
      const { o } = await run(attention, precise, given);
      const exact = await run(attention, ORACLE, forOracle({ q: given.q, k: held(given.k), v: held(given.v) }));
      // With a window of 1 the result is one value of the cache.
      if (window === 1) expectAgreement(o, Array.from(exact['o']?.data ?? []), dtype);
      else expectInFloat32(o, Array.from(exact['o']?.data ?? []), dtype);
      if (dtype === 'float32') return;
      const others = [
        { ...given, k: held(given.k) },
        { ...given, v: held(given.v) },
        { q: held(given.q), k: held(given.k), v: held(given.v) },
      ];
      // There q and k do not matter either.
      for (const other of window === 1 ? others.slice(0, 1) : others) {
        const { o: differs } = await run(attention, ORACLE, forOracle(other));
        expect(relativeError(o?.data ?? [], Array.from(differs?.data ?? []))).toBeGreaterThan(1e-6);
      }
    });
  });

  describe.each(['silu_mul', 'gelu_tanh_mul'] as const)('%s', (name) => {
    const up = made(13, dtype, T, 40);
    // Not below -2: further out 1 + tanh(x) loses float32 digits by cancellation, in PyTorch as here.
    const gate: NdArray = { data: made(12, dtype, T, 40).data.map((x) => Math.max(x, -2)), shape: [T, 40] };
    const act = (x: number) =>
      name === 'silu_mul' ? x / (1 + Math.exp(-x)) : 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    const expected = (inside: Round, result: Round) => Array.from(gate.data, (x, i) => result(inside(act(x)) * (up.data[i] as number)));
    const same: Round = (x) => x;

    test('rounds the activation and the product in eager', async () => {
      const { y } = await run(op(name, {}), eager(dtype), { gate, up });
      expectAgreement(y, expected(R, R), dtype);
    });

    test('rounds the product only where the inside stays in float32', async () => {
      const { y } = await run(op(name, {}), { ...eager(dtype), inside: 'float32' }, { gate, up });
      expectAgreement(y, expected(same, R), dtype);
      if (dtype === 'bfloat16') expect(equalShare(y?.data ?? [], expected(R, R))).toBeLessThan(0.9);
    });

    test('hands the product on in float32 where that is kept between contracts', async () => {
      const { y } = await run(op(name, {}), between, { gate, up });
      expectInFloat32(y, expected(R, same), dtype);
    });

    test('is float64 in the oracle', async () => {
      const { y } = await run(op(name, {}), ORACLE, forOracle({ gate, up }));
      expect(relativeError(y?.data ?? [], expected(same, same))).toBeLessThan(1e-14);
    });
  });

  test('a residual sum is rounded once', async () => {
    const [x, residual] = [made(14, dtype, T, 16), made(15, dtype, T, 16)];
    const { y } = await run(op('add', {}), eager(dtype), { x, residual });
    expect(Array.from(y?.data ?? [])).toEqual(Array.from(x.data, (value, i) => R(Math.fround(value + (residual.data[i] as number)))));
  });

  test('a residual sum stays in float32 where that is kept between contracts', async () => {
    const [x, residual] = [made(14, dtype, T, 16), made(15, dtype, T, 16)];
    const { y } = await run(op('add', {}), between, { x, residual });
    expect(Array.from(y?.data ?? [])).toEqual(Array.from(x.data, (value, i) => Math.fround(value + (residual.data[i] as number))));
  });

  describe('a linear layer', () => {
    const [A, B] = [24, 10];
    const [x, w, bias] = [made(16, dtype, T, A), made(17, dtype, B, A), made(18, dtype, B)];
    const expected = (withBias: boolean, round: Round) =>
      Array.from({ length: T * B }, (_, i) => {
        const [t, b] = [Math.floor(i / B), i % B];
        const sum = Array.from({ length: A }, (__, a) => at(x, t, a) * at(w, b, a)).reduce((p, q) => p + q, 0);
        return round(sum + (withBias ? (bias.data[b] as number) : 0));
      });
    const weight = { form: 'float32', data: w.data as Float32Array, shape: [B, A] } as const;

    test.each([false, true])('is rounded once, bias (%s) included, or not at all', async (withBias) => {
      for (const recipe of validRecipes(dtype)) {
        const y = await runner.linear(recipe, x, weight, withBias ? (bias.data as Float32Array) : null);
        expect(y.shape).toEqual([T, B]);
        if (recipe.between === 'serving') expectAgreement(y, expected(withBias, R), dtype);
        else
          expectInFloat32(
            y,
            expected(withBias, (value) => value),
            dtype,
          );
      }
      const y = await runner.linear(ORACLE, wide(x), weight, withBias ? (bias.data as Float32Array) : null);
      expect(
        relativeError(
          y.data,
          expected(withBias, (value) => value),
        ),
      ).toBeLessThan(1e-14);
    });
  });
});

test('raw bfloat16 and float16 bits give the bits that the same values give as float32', async () => {
  const x = made(19, 'bfloat16', 3, 32);
  const values = made(20, 'bfloat16', 6, 32).data as Float32Array;
  const float16 = new Uint16Array(values.length);
  const bfloat16 = new Uint16Array(new Int32Array(values.buffer).map((bits) => bits >>> 16));
  // Powers of two: exact in float16 and easy to write as its bits.
  values.forEach((_, i) => (float16[i] = ((10 + (i % 8)) << 10) | ((i & 1) << 15)));
  const wideFloat16 = Float32Array.from(float16, (bits) => (bits >>> 15 ? -1 : 1) * 2 ** (((bits >>> 10) & 31) - 15));
  const split = (['halves', 'quarters'] as const).map((sums): Recipe => ({ ...eager('bfloat16'), sums }));
  for (const recipe of [eager('bfloat16'), ORACLE, ...split]) {
    const input = recipe === ORACLE ? wide(x) : x;
    const shape = [6, 32] as const;
    const fromBits = await runner.linear(recipe, input, { form: 'bfloat16_bits', data: bfloat16, shape }, null);
    expect(fromBits.data).toEqual((await runner.linear(recipe, input, { form: 'float32', data: values, shape }, null)).data);
    const fromHalves = await runner.linear(recipe, input, { form: 'float16_bits', data: float16, shape }, null);
    expect(fromHalves.data).toEqual((await runner.linear(recipe, input, { form: 'float32', data: wideFloat16, shape }, null)).data);
  }
  const widened = await runner.widen({ form: 'bfloat16_bits', data: bfloat16, shape: [6, 32] });
  expect(widened.form).toBe('float32');
  expect(widened.data).toEqual(values);
});

describe('sums in parts', () => {
  const product = async (sums: Recipe['sums'], products: readonly number[]) => {
    const x: NdArray = { data: Float32Array.from(products), shape: [1, products.length] };
    const weight = { form: 'float32', data: new Float32Array(products.length).fill(1), shape: [1, products.length] } as const;
    return (await runner.linear({ ...eager('float32'), sums }, x, weight, null)).data[0];
  };

  test('are two halves added, or four quarters from the last to the first', async () => {
    // 2^24 + 1 is 2^24 in float32, 2^24 − 1 is exact.
    const products = [2 ** 24, 1, 1, -(2 ** 24)];
    expect(await product('halves', products)).toBe(1);
    expect(await product('quarters', products)).toBe(2);
    expect(await product('quarters', [...products].reverse())).toBe(0);
  });

  test('are one where they cannot be cut evenly', async () => {
    expect(await product('halves', [1, 2, 3])).toBe(6);
    expect(await product('quarters', [1, 2, 3, 4, 5, 6])).toBe(21);
  });

  test.each([
    { about: 'a product', of: 'linear' },
    { about: 'a norm', of: 'rms_norm' },
    { about: 'attention', of: 'attention' },
  ] as const)('give $about bits of their own, each way', async ({ of }) => {
    const [T, H] = [16, 256];
    const x = made(21, 'float32', T, H);
    const results = await Promise.all(
      (['whole', 'halves', 'quarters'] as const).map(async (sums) => {
        const recipe = { ...eager('float32'), sums };
        if (of === 'linear')
          return runner.linear(recipe, x, { form: 'float32', data: made(22, 'float32', 32, H).data as Float32Array, shape: [32, H] }, null);
        const heads = (seed: number) => made(seed, 'float32', T, 2, 64);
        const one =
          of === 'rms_norm'
            ? op('rms_norm', { eps: 1e-6 }, { weights: { weight: { tensor: 'w', shape: [H] } } })
            : op('attention', { scale: 0.125, causal: true });
        const inputs: Record<string, NdArray> =
          of === 'rms_norm' ? { x, weight: made(23, 'float32', H) } : { q: heads(24), k: heads(25), v: heads(26) };
        const [output] = Object.values(await run(one, recipe, inputs));
        return output as NdArray;
      }),
    );
    const [whole = [], halves = [], quarters = []] = results.map(({ data }) => Array.from(data));
    for (const [a, b] of [
      [whole, halves],
      [whole, quarters],
      [halves, quarters],
    ] as const) {
      expect(equalShare(a, b)).toBeLessThan(0.99);
      expect(relativeError(a, b)).toBeLessThan(1e-5);
    }
  });
});

test('SiLU is right far out on the negative side, where onnxruntime’s own Sigmoid is not', async () => {
  const gate: NdArray = { data: Float32Array.from({ length: 150 }, (_, i) => -i / 10), shape: [1, 150] };
  const up: NdArray = { data: new Float32Array(150).fill(1), shape: [1, 150] };
  const { y } = await run(op('silu_mul', {}), eager('float32'), { gate, up });
  const errors = Array.from(gate.data, (x, i) => Math.abs((y?.data[i] as number) / (x / (1 + Math.exp(-x))) - 1));
  expect(Math.max(...errors.slice(1))).toBeLessThan(3e-7);
});

test('the queries are the last positions, and a window counts the query itself', () => {
  const mask = new Float32Array(2 * 5);
  attentionMask(mask, 2, 5, true, 2);
  const x = -Infinity;
  expect(Array.from(mask)).toEqual([x, x, 0, 0, x, x, x, x, 0, 0]);
  attentionMask(mask, 2, 5, true, 0);
  expect(Array.from(mask)).toEqual([0, 0, 0, 0, x, 0, 0, 0, 0, 0]);
  attentionMask(mask, 2, 5, false, 0);
  expect(Array.from(mask)).toEqual(new Array(10).fill(0));
});
