// Compares logits of several lanes with the oracle's while they arrive in blocks of the vocabulary, so that no lane's logits are ever whole in memory.

import type { NdArray } from '../reference/ndarray.js';

/** Per lane, per position; index 0 of `lanes` in `add` is the oracle. */
export interface LogitsSummary {
  readonly positions: number;
  /** KL(oracle ‖ lane) in nats, mean over positions; NaN when the lane is not finite. */
  readonly kl: readonly number[];
  /** Share of positions where the lane's first choice is the oracle's. */
  readonly top1_agreement: readonly number[];
  /** Positions where the lane's first choice differs although the oracle's margin is over `decisive_margin` times the logit noise. */
  readonly decisive_flips: readonly number[];
  /** Perplexity of the prompts' own next tokens, oracle first; null when no prompt has two tokens. */
  readonly perplexity: readonly (number | null)[];
  /** Positions with a non-finite logit, oracle first. */
  readonly non_finite: readonly number[];
  /** The first of them, oracle first; −1: there is none. */
  readonly first_non_finite: readonly number[];
}

/** What the oracle makes of the next token at one position. */
export interface OracleView {
  /** Its first choice. */
  readonly best: number;
  /** First choices of the other lanes; −1 where one of their logits is not finite. */
  readonly choices: readonly number[];
  /** −log p of the next token, nats; NaN where a logit of the oracle is not finite. */
  readonly nll: number;
  /** How far the next token's logit is below the first choice's: 0 where it is the first choice. */
  readonly below_best: number;
  /** Largest spread over the vocabulary of (lane − oracle) of the given lanes. */
  readonly noise: number;
}

export interface LogitsMeter {
  /** Columns `[start, start + width)` of every lane, oracle first: each [T, width]. */
  add(start: number, blocks: readonly NdArray[]): void;
  /**
   * @param noiseLanes lanes (0: the first after the oracle) whose distance from the oracle is the logit noise
   * @param leastNoise logit noise per position that is known already
   */
  summarise(noiseLanes: readonly number[], decisiveMargin: number, leastNoise?: readonly number[]): LogitsSummary;
  /** What is summed up of lanes, 0 the oracle: all that is asked of their logits. */
  state(which: readonly number[]): Record<string, NdArray>;
  /** Takes what `state` gave of lanes in an earlier run with the same oracle; `add` passes over their logits from here on. */
  restore(which: readonly number[], state: Readonly<Record<string, NdArray>>): void;
  /** One entry per position; where there is no next token `nll` and `below_best` mean nothing. */
  perPosition(noiseLanes: readonly number[]): OracleView[];
}

/** exp(±700) is still a number; a logit that far from the oracle's is a fault whatever the exact number, so it counts as this far. */
const MAX_SHIFT = 700;

interface Running {
  /** Σ w·expm1(d), Σ w·d and Σ w·(expm1(d) − d), with w = exp(oracle − max) and d = lane − oracle. */
  readonly expm1: Float64Array;
  readonly shift: Float64Array;
  readonly excess: Float64Array;
  /** Σ w·exp(d) */
  readonly partition: Float64Array;
  /** Σ d and Σ d², for the spread of d over the vocabulary. */
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  readonly best: Float64Array;
  readonly bestId: Int32Array;
  readonly target: Float64Array;
  readonly broken: Uint8Array;
}

const SUMS = ['expm1', 'shift', 'excess', 'partition', 'sum', 'squares', 'best', 'bestId', 'target', 'broken'] as const;

/** @param targets next token per position, −1 where there is none */
export function logitsMeter(lanes: number, targets: Int32Array): LogitsMeter {
  const positions = targets.length;
  const running = Array.from({ length: lanes }, () => empty(positions));
  const max = new Float64Array(positions).fill(-Infinity);
  const weight = new Float64Array(positions);
  const second = new Float64Array(positions).fill(-Infinity);
  let weights = new Float64Array(0);
  const known = new Set<number>();
  let vocabulary = 0;
  const stateOf = (lane: number): [string, Float64Array | Int32Array | Uint8Array][] => [
    ...SUMS.map((name): [string, Running[typeof name]] => [name, (running[lane] as Running)[name]]),
    ...(lane === 0 ? Object.entries({ max, weight, second }) : []),
  ];
  return {
    add(start, blocks) {
      const oracle = blocks[0]?.data as Float64Array;
      const width = oracle.length / positions;
      vocabulary += width;
      if (weights.length < oracle.length) weights = new Float64Array(oracle.length);
      const open = running.filter((_, lane) => !known.has(lane));
      for (let p = 0; p < positions; p++) addOracle(oracle, p, width, start, targets[p] as number, { max, weight, second }, open, weights);
      for (let lane = 1; lane < lanes; lane++) {
        if (known.has(lane)) continue;
        addLane(running[lane] as Running, oracle, blocks[lane]?.data as Float32Array, width, start, targets, weights);
      }
    },
    summarise(noiseLanes, decisiveMargin, leastNoise = []) {
      const noise = Float64Array.from(targets, (_, p) =>
        Math.max(leastNoise[p] ?? 0, noiseAt(running.slice(1), noiseLanes, p, vocabulary)),
      );
      return summarise(running, { max, weight, second }, targets, noise, decisiveMargin);
    },
    state(which) {
      const arrays = which.flatMap((lane, i) => stateOf(lane).map(([name, data]): [string, ArrayLike<number>] => [`${i} ${name}`, data]));
      return Object.fromEntries(
        [...arrays, ['vocabulary', [vocabulary]] as const].map(([name, data]) => [
          name,
          { data: Float64Array.from(data), shape: [data.length] },
        ]),
      );
    },
    restore(which, state) {
      for (const [i, lane] of which.entries()) {
        known.add(lane);
        for (const [name, data] of stateOf(lane)) data.set((state[`${i} ${name}`] as NdArray).data);
      }
      if (known.has(0)) vocabulary = state['vocabulary']?.data[0] as number;
    },
    perPosition: (noiseLanes) =>
      Array.from(targets, (_, p) => {
        const { best, bestId, target, broken } = running[0] as Running;
        const below = (best[p] as number) - (target[p] as number);
        return {
          best: bestId[p] as number,
          choices: running.slice(1).map((lane) => (lane.broken[p] === 1 ? -1 : (lane.bestId[p] as number))),
          nll: broken[p] === 1 ? NaN : Math.log(weight[p] as number) + below,
          below_best: below,
          noise: noiseAt(running.slice(1), noiseLanes, p, vocabulary),
        };
      }),
  };
}

function empty(positions: number): Running {
  const zeros = () => new Float64Array(positions);
  return {
    expm1: zeros(),
    shift: zeros(),
    excess: zeros(),
    partition: zeros(),
    sum: zeros(),
    squares: zeros(),
    best: zeros().fill(-Infinity),
    bestId: new Int32Array(positions).fill(-1),
    target: zeros(),
    broken: new Uint8Array(positions),
  };
}

interface OracleState {
  readonly max: Float64Array;
  /** Σ exp(oracle − max) */
  readonly weight: Float64Array;
  readonly second: Float64Array;
}

function addOracle(
  block: Float64Array,
  p: number,
  width: number,
  start: number,
  target: number,
  state: OracleState,
  running: readonly Running[],
  weights: Float64Array,
): void {
  const own = running[0] as Running;
  let best = own.best[p] as number;
  let second = state.second[p] as number;
  let id = own.bestId[p] as number;
  for (let i = 0; i < width; i++) {
    const value = block[p * width + i] as number;
    if (!Number.isFinite(value)) own.broken[p] = 1;
    if (value > best) {
      second = best;
      best = value;
      id = start + i;
    } else if (value > second) second = value;
  }
  own.best[p] = best;
  own.bestId[p] = id;
  state.second[p] = second;
  if (target >= start && target < start + width) own.target[p] = block[p * width + target - start] as number;
  // Weights are relative to the largest oracle logit so far: when it grows, what was summed shrinks with it.
  const rescale = Math.exp((state.max[p] as number) - best);
  if (rescale !== 1) {
    state.weight[p] = (state.weight[p] as number) * rescale;
    for (const { expm1, shift, excess, partition } of running)
      for (const sum of [expm1, shift, excess, partition]) sum[p] = (sum[p] as number) * rescale;
    state.max[p] = best;
  }
  let weight = 0;
  for (let i = p * width; i < (p + 1) * width; i++) {
    const w = Math.exp((block[i] as number) - best);
    weights[i] = w;
    weight += w;
  }
  state.weight[p] = (state.weight[p] as number) + weight;
}

/** @param weights exp(oracle − max) of the block */
function addLane(
  lane: Running,
  oracle: Float64Array,
  block: Float32Array,
  width: number,
  start: number,
  targets: Int32Array,
  weights: Float64Array,
): void {
  for (let p = 0; p < targets.length; p++) {
    let [expm1, shift, excess, partition, sum, squares] = [0, 0, 0, 0, 0, 0];
    let best = lane.best[p] as number;
    let id = -1;
    for (let i = p * width; i < (p + 1) * width; i++) {
      const value = block[i] as number;
      const raw = value - (oracle[i] as number);
      // Anything that is not finite becomes NaN.
      if (raw - raw !== 0) {
        lane.broken[p] = 1;
        continue;
      }
      const w = weights[i] as number;
      const d = clamped(raw);
      const near = d <= 1 && d >= -1;
      // Far from 0 nothing cancels, and expm1(d) + 1 has no digits left where d is far below.
      const grown = near ? 0 : Math.exp(d);
      const beyond = near ? excessOf(d) : grown - 1 - d;
      expm1 += w * (beyond + d);
      shift += w * d;
      excess += w * beyond;
      partition += w * (near ? beyond + d + 1 : grown);
      sum += raw;
      squares += raw * raw;
      if (value > best) {
        best = value;
        id = i;
      }
    }
    lane.expm1[p] = (lane.expm1[p] as number) + expm1;
    lane.shift[p] = (lane.shift[p] as number) + shift;
    lane.excess[p] = (lane.excess[p] as number) + excess;
    lane.partition[p] = (lane.partition[p] as number) + partition;
    lane.sum[p] = (lane.sum[p] as number) + sum;
    lane.squares[p] = (lane.squares[p] as number) + squares;
    lane.best[p] = best;
    if (id >= 0) lane.bestId[p] = start + id - p * width;
    const target = targets[p] as number;
    if (target >= start && target < start + width) {
      const at = p * width + target - start;
      const expected = oracle[at] as number;
      lane.target[p] = expected + clamped((block[at] as number) - expected);
    }
  }
}

/**
 * exp(d) − 1 − d. Near 0, where nearly all differences are, by its series, without the cancellation: up to 2⁻³ the first term left out is below
 * 2⁻⁵⁸ of the sum. A call of expm1 per logit was a fifth of a model's whole numeric diff.
 */
function excessOf(d: number): number {
  if (d > 0.125 || d < -0.125) return Math.expm1(d) - d;
  const s = d * d;
  const even = 1 / 2 + s * (1 / 24 + s * (1 / 720 + s * (1 / 40320 + s / 3628800)));
  const odd = 1 / 6 + s * (1 / 120 + s * (1 / 5040 + s * (1 / 362880 + s / 39916800)));
  return s * (even + d * odd);
}

function clamped(d: number): number {
  return d > MAX_SHIFT ? MAX_SHIFT : d < -MAX_SHIFT ? -MAX_SHIFT : d;
}

function summarise(
  running: readonly Running[],
  oracle: OracleState,
  targets: Int32Array,
  noise: Float64Array,
  decisiveMargin: number,
): LogitsSummary {
  const positions = targets.length;
  const reference = running[0] as Running;
  const lanes = running.slice(1);
  const broken = (lane: Running) => lane.broken.reduce((sum, flag) => sum + flag, 0);
  const mean = (lane: Running, value: (p: number) => number) => {
    if (broken(lane) > 0) return NaN;
    let sum = 0;
    for (let p = 0; p < positions; p++) sum += value(p);
    return sum / positions;
  };
  const differs = (lane: Running, p: number) => lane.bestId[p] !== reference.bestId[p];
  const margin = (p: number) => (reference.best[p] as number) - (oracle.second[p] as number);
  const logSum = (lane: Running, p: number) =>
    (oracle.max[p] as number) +
    Math.log(oracle.weight[p] as number) +
    (lane === reference ? 0 : logRatio(lane, oracle.weight[p] as number, p));
  return {
    positions,
    kl: lanes.map((lane) => mean(lane, (p) => divergence(lane, oracle.weight[p] as number, p))),
    top1_agreement: lanes.map((lane) => 1 - sumOver(positions, (p) => (differs(lane, p) ? 1 : 0)) / positions),
    decisive_flips: lanes.map((lane) =>
      sumOver(positions, (p) => (differs(lane, p) && margin(p) > decisiveMargin * (noise[p] as number) ? 1 : 0)),
    ),
    perplexity: running.map((lane) => perplexity(targets, (p) => logSum(lane, p) - (lane.target[p] as number), broken(lane) > 0)),
    non_finite: running.map(broken),
    first_non_finite: running.map((lane) => lane.broken.indexOf(1)),
  };
}

function sumOver(count: number, value: (index: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum;
}

/** Beyond this |e| the two distributions are so far apart that nothing cancels, and sums of e would lose what counts. */
const CLOSE = 0.5;

/** log Σ p·exp(d) */
function logRatio(lane: Running, weight: number, p: number): number {
  const e = (lane.expm1[p] as number) / weight;
  return Math.abs(e) < CLOSE ? Math.log1p(e) : Math.log((lane.partition[p] as number) / weight);
}

/**
 * KL(p ‖ q) = log Σ p·exp(d) − Σ p·d with d = lane − oracle (the softmax's shift cancels). Written as Σ p·(expm1(d) − d) + (log1p(e) − e),
 * e = Σ p·expm1(d), it keeps its digits where the two distributions are nearly the same, down to 1e-14 nats.
 */
function divergence(lane: Running, weight: number, p: number): number {
  const e = (lane.expm1[p] as number) / weight;
  if (Math.abs(e) >= CLOSE) return Math.max(0, logRatio(lane, weight, p) - (lane.shift[p] as number) / weight);
  // log1p(e) − e cancels for small e: its series starts with −e²/2.
  const correction = Math.abs(e) < 1e-4 ? -(e * e) / 2 + (e * e * e) / 3 : Math.log1p(e) - e;
  return Math.max(0, (lane.excess[p] as number) / weight + correction);
}

function noiseAt(lanes: readonly Running[], noiseLanes: readonly number[], p: number, vocabulary: number): number {
  return Math.max(0, ...noiseLanes.map((lane) => spread(lanes[lane] as Running, p, vocabulary)));
}

/** Standard deviation over the vocabulary of lane − oracle; a shift of all logits changes nothing and does not count. */
function spread(lane: Running, p: number, vocabulary: number): number {
  const mean = (lane.sum[p] as number) / vocabulary;
  return Math.sqrt(Math.max(0, (lane.squares[p] as number) / vocabulary - mean * mean));
}

function perplexity(targets: Int32Array, nll: (p: number) => number, broken: boolean): number | null {
  let [sum, count] = [0, 0];
  for (const [p, target] of targets.entries()) {
    if (target < 0) continue;
    sum += nll(p);
    count++;
  }
  const value = Math.exp(sum / count);
  return count === 0 || broken || !Number.isFinite(value) ? null : value;
}
