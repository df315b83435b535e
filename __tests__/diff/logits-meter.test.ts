// The streaming comparison of logits against a plain one that holds everything.

import { describe, expect, test } from '@jest/globals';
import { logitsMeter, type LogitsMeter, type LogitsSummary } from '../../src/diff/logits-meter.js';
import { seededRandom } from '../weights/made-files.js';

type Matrix = readonly (readonly number[])[];

/** Feeds whole logits, oracle first, in blocks of the given widths. */
function streamed(
  lanes: readonly Matrix[],
  targets: readonly number[],
  widths: readonly number[],
  noise: readonly number[] = [0],
  known?: readonly number[],
): LogitsSummary {
  const meter = logitsMeter(lanes.length, Int32Array.from(targets));
  let start = 0;
  for (const width of widths) {
    const blocks = lanes.map((lane, index) => {
      const flat = lane.flatMap((row) => row.slice(start, start + width));
      return { data: index === 0 ? Float64Array.from(flat) : Float32Array.from(flat), shape: [targets.length, width] };
    });
    meter.add(start, blocks);
    start += width;
  }
  return meter.summarise(noise, 10, known);
}

function logSoftmax(row: readonly number[]): number[] {
  const top = Math.max(...row);
  const sum = row.reduce((total, value) => total + Math.exp(value - top), 0);
  return row.map((value) => value - top - Math.log(sum));
}

function naiveKl(oracle: Matrix, lane: Matrix): number {
  const perPosition = oracle.map((row, p) => {
    const [a, b] = [logSoftmax(row), logSoftmax(lane[p] as number[])];
    return a.reduce((sum, value, i) => sum + Math.exp(value) * (value - (b[i] as number)), 0);
  });
  return perPosition.reduce((sum, value) => sum + value, 0) / oracle.length;
}

function naivePerplexity(lane: Matrix, targets: readonly number[]): number {
  const losses = lane.flatMap((row, p) => ((targets[p] as number) < 0 ? [] : [-(logSoftmax(row)[targets[p] as number] as number)]));
  return Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
}

const argmax = (row: readonly number[]) => row.indexOf(Math.max(...row));

function randomLogits(seed: number, positions: number, vocabulary: number): Matrix {
  const random = seededRandom(seed);
  return Array.from({ length: positions }, () => Array.from({ length: vocabulary }, () => Math.fround((random() - 0.5) * 20)));
}

function disturbed(matrix: Matrix, seed: number, size: number): Matrix {
  const random = seededRandom(seed);
  return matrix.map((row) => row.map((value) => Math.fround(value + (random() - 0.5) * size)));
}

const VOCABULARY = 60;
const TARGETS = [5, 59, 0, -1, 31, -1];

describe.each([
  ['one block', [60]],
  ['blocks of ten', [10, 10, 10, 10, 10, 10]],
  ['blocks of different widths', [1, 7, 2, 30, 19, 1]],
])('in %s', (_, widths) => {
  test.each([3, 0.5, 1e-2])('KL, top-1 agreement and perplexity of lanes that differ by %d are those of whole logits', (size) => {
    const oracle = randomLogits(1, TARGETS.length, VOCABULARY);
    const lanes = [oracle, disturbed(oracle, 2, size), disturbed(oracle, 3, size * 2)];
    const result = streamed(lanes, TARGETS, widths, [0, 1]);
    expect(result.positions).toBe(6);
    for (const lane of [1, 2]) {
      const values = lanes[lane] as Matrix;
      const expected = naiveKl(oracle, values);
      expect(Math.abs((result.kl[lane - 1] as number) / expected - 1)).toBeLessThan(1e-7);
      const agreeing = oracle.filter((row, p) => argmax(row) === argmax(values[p] as number[])).length;
      expect(result.top1_agreement[lane - 1]).toBeCloseTo(agreeing / 6, 12);
    }
    for (const [lane, values] of lanes.entries()) {
      expect(Math.abs((result.perplexity[lane] as number) / naivePerplexity(values, TARGETS) - 1)).toBeLessThan(1e-10);
    }
    expect(result.non_finite).toEqual([0, 0, 0]);
  });

  test('a difference of a millionth keeps its digits, where subtracting whole distributions has none left', () => {
    // One logit of an even distribution raised by d: KL = log(1 + (e^d − 1)/n) − d/n = d²·(n − 1)/(2n²) + O(d³).
    const d = 2 ** -20;
    const oracle = [Array.from({ length: VOCABULARY }, () => 1)];
    const lane = [Array.from({ length: VOCABULARY }, (_value, i) => (i === 17 ? 1 + d : 1))];
    const expected = (d * d * (VOCABULARY - 1)) / (2 * VOCABULARY ** 2);
    const [kl] = streamed([oracle, lane], [-1], widths).kl;
    expect(Math.abs((kl as number) / expected - 1)).toBeLessThan(1e-5);
  });

  test('a shift of all logits is no difference at all', () => {
    const oracle = randomLogits(4, 2, VOCABULARY).map((row) => row.map((value) => Math.round(value)));
    const lane = oracle.map((row) => row.map((value) => value + 64));
    const result = streamed([oracle, lane], [3, -1], widths);
    expect(result.kl[0]).toBeLessThan(1e-14);
    expect((result.perplexity[1] as number) / (result.perplexity[0] as number)).toBeCloseTo(1, 9);
  });

  test.each([
    ['raised', 300],
    ['lowered', -300],
  ])('a huge difference is as large as it is: one of two sure tokens %s by %d', (_word, d) => {
    const row = (first: number, rest: number) => [Array.from({ length: VOCABULARY }, (_v, i) => (i === 3 ? first : rest))];
    const oracle = row(0, -50);
    const lane = row(d, -50);
    const expected = naiveKl(oracle, lane);
    const result = streamed([oracle, lane], [3], widths);
    expect(Math.abs((result.kl[0] as number) - expected)).toBeLessThan(1e-9 * Math.max(1, expected));
    if (d < 0) expect(result.kl[0]).toBeGreaterThan(200);
    if (d < 0) expect(Math.log(result.perplexity[1] as number)).toBeCloseTo(-(logSoftmax(lane[0] as number[])[3] as number), 6);
  });

  test.each([1e3, 1e10, 1e30])('unlikely tokens raised by %d make a huge KL, never 0 and never NaN', (by) => {
    const oracle = [Array.from({ length: VOCABULARY }, (_v, i) => (i === 3 ? 300 : 0))];
    const lane = [Array.from({ length: VOCABULARY }, (_v, i) => (i === 3 ? 0 : by))];
    const [kl] = streamed([oracle, lane], [-1], widths).kl;
    expect(kl).toBeGreaterThan(299);
    expect(kl).toBeLessThan(2000);
  });
});

describe('what is not finite', () => {
  test.each([NaN, Infinity, -Infinity])(
    '%d in a lane is counted by position, makes its KL unknown and leaves the others alone',
    (value) => {
      const oracle = randomLogits(5, 3, 8);
      const broken = oracle.map((row, p) => row.map((logit, i) => (p === 1 && i > 4 ? value : logit)));
      const result = streamed([oracle, broken, disturbed(oracle, 6, 0.1)], [1, 2, -1], [3, 5], [1]);
      expect(result.non_finite).toEqual([0, 1, 0]);
      expect(result.first_non_finite).toEqual([-1, 1, -1]);
      expect(result.kl[0]).toBeNaN();
      expect(result.perplexity[1]).toBeNull();
      expect(result.kl[1]).toBeGreaterThan(0);
      expect(result.perplexity[2]).toBeGreaterThan(0);
    },
  );

  test('in the oracle is counted too', () => {
    const oracle = [[0, NaN, 1]];
    expect(streamed([oracle, [[0, 1, 1]]], [-1], [3]).non_finite[0]).toBe(1);
  });
});

describe('decisive flips', () => {
  /** The noise lane alternates ±1 around the oracle, so the logit noise is exactly 1. */
  function flips(margin: number, fused: readonly number[]): number {
    const oracle = [0, margin, -5, -5];
    const noisy = oracle.map((value, i) => value + (i % 2 === 0 ? 1 : -1));
    return streamed([[oracle], [noisy], [fused]], [-1], [2, 2], [0]).decisive_flips[1] as number;
  }

  test('are changes of the first token where the margin is over ten times the noise', () => {
    expect(flips(10.5, [20, 10.5, -5, -5])).toBe(1);
    expect(flips(9.5, [20, 9.5, -5, -5])).toBe(0);
  });
  test('need a change of the first token', () => {
    expect(flips(10.5, [10.4, 10.5, -5, -5])).toBe(0);
  });
  test('take the noisiest of the valid recipes', () => {
    const oracle = [0, 15, -5, -5];
    const quiet = oracle.map((value, i) => value + (i % 2 === 0 ? 0.1 : -0.1));
    const loud = oracle.map((value, i) => value + (i % 2 === 0 ? 2 : -2));
    const fused = [20, 15, -5, -5];
    expect(streamed([[oracle], [quiet], [loud], [fused]], [-1], [4], [0]).decisive_flips[2]).toBe(1);
    expect(streamed([[oracle], [quiet], [loud], [fused]], [-1], [4], [0, 1]).decisive_flips[2]).toBe(0);
  });

  test('take noise that is known from another walk, where that is the larger', () => {
    const oracle = [0, 15, -5, -5];
    const quiet = oracle.map((value, i) => value + (i % 2 === 0 ? 0.1 : -0.1));
    const fused = [20, 15, -5, -5];
    const flips = (noise: readonly number[], known: readonly number[]) =>
      streamed([[oracle], [quiet], [fused]], [-1], [4], noise, known).decisive_flips[1];
    expect(flips([], [1.4])).toBe(1);
    expect(flips([], [1.6])).toBe(0);
    expect(flips([0], [0.01])).toBe(1);
    expect(flips([0], [1.6])).toBe(0);
  });

  test('see the second best in another block', () => {
    const oracle = [1, 11.5, 0, 11];
    const fused = [1, 11, 0, 11.5];
    const noisy = oracle.map((value, i) => value + (i % 2 === 0 ? 1 : -1));
    expect(streamed([[oracle], [noisy], [fused]], [-1], [2, 2], [0]).decisive_flips[1]).toBe(0);
  });
});

test('without a next token there is no perplexity', () => {
  expect(streamed([[[1, 2]], [[1, 2]]], [-1], [2]).perplexity).toEqual([null, null]);
});

test('what an earlier run summed up of lanes takes the place of their logits, to the last digit', () => {
  const oracle = randomLogits(1, 5, 40);
  const lanes = [oracle, disturbed(oracle, 2, 0.1), disturbed(oracle, 3, 3), disturbed(oracle, 4, 0.2)];
  const targets = Int32Array.of(3, 39, -1, 0, 7);
  const fed = (meter: LogitsMeter, given: readonly Matrix[]) => {
    for (const start of [0, 15, 30]) {
      const blocks = given.map((lane, index) => {
        const flat = lane.flatMap((row) => row.slice(start, start + 15));
        return { data: index === 0 ? Float64Array.from(flat) : Float32Array.from(flat), shape: [5, flat.length / 5] };
      });
      meter.add(start, blocks);
    }
    return { summary: meter.summarise([0, 1], 10), views: meter.perPosition([0, 1]) };
  };
  const first = logitsMeter(4, targets);
  const whole = fed(first, lanes);
  const second = logitsMeter(4, targets);
  second.restore([1, 2], first.state([1, 2, 0]));
  const nothing: Matrix = oracle.map(() => []);
  expect(fed(second, [oracle, nothing, nothing, lanes[3] as Matrix])).toEqual(whole);
  const third = logitsMeter(4, targets);
  third.restore([1, 2, 0], first.state([1, 2, 0]));
  third.restore([3], first.state([3]));
  expect({ summary: third.summarise([0, 1], 10), views: third.perPosition([0, 1]) }).toEqual(whole);
  // Without them the lanes would be something else.
  expect(fed(logitsMeter(4, targets), [oracle, oracle, oracle, lanes[3] as Matrix])).not.toEqual(whole);
});
