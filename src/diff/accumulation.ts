// Sums kept in the serving dtype, for the search for causes: norms, products and attention whose accumulators are rounded at every step, as a
// kernel does that has no float32 accumulator. Orders of sums are the common ones; another order is not recognised.

import type { Op } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { roundsOutputs, type Recipe } from '../reference/recipes.js';
import { roundToServing } from '../reference/served-weights.js';
import { roundsBeforeWeight } from '../reference/graphs.js';
import { attentionMask } from '../reference/op-runner.js';
import { matrices, perSegment } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import type { Hypothesis } from './hypothesis.js';
import type { OpCall, Tensors } from './site.js';

type Round = (value: number) => number;

/** Sums of larger ops are not tried: 2^28 steps are some two seconds. */
const MOST_STEPS = 2 ** 28;
/** Terms that are summed in float32 before they go into the accumulator: one, or a tile of the inner dimension. */
const TILES = [1, 16, 32, 64, 128];

/** Hypotheses that an accumulator has the serving dtype; none when that is float32. */
export function accumulations(dtype: ServingDtype): Hypothesis[] {
  if (dtype === 'float32') return [];
  const round = rounder(dtype);
  const is = (code: 'norm' | 'product' | 'attention', says: string, change: Hypothesis['change']): Hypothesis => {
    const concerns = ({ op }: Op) =>
      code === 'norm' ? op === 'rms_norm' || op === 'qk_norm' : code === 'attention' ? op === 'attention' : op === 'linear' || op === 'qkv';
    return {
      code: 'accumulation_dtype',
      says,
      concerns,
      change: (op, inputs, call) => (concerns(op) ? change(op, inputs, call) : call.run(op, inputs)),
    };
  };
  const needs = 'where float32 is needed';
  return [
    is('norm', `sums the squares of a norm in ${dtype} ${needs}`, (op, inputs, call) =>
      normed(op, inputs, call, sumOfSquares(round, round)),
    ),
    is('norm', `sums the squares of a norm in ${dtype} ${needs}`, (op, inputs, call) =>
      normed(
        op,
        inputs,
        call,
        sumOfSquares(round, (x) => x),
      ),
    ),
    is('norm', `computes every step of a norm in ${dtype} ${needs}`, (op, inputs, call) =>
      normed(op, inputs, call, inServingDtype(round), round),
    ),
    ...TILES.map((tile) =>
      is('product', `accumulates matrix products in ${dtype} ${needs}${ofTile(tile)}`, (op, inputs, call) =>
        products(op, inputs, call, round, tile),
      ),
    ),
    ...[1, 16, 32, 64].flatMap((tile) =>
      [true, false].map((normalised) =>
        is('attention', `accumulates attention's sums over keys in ${dtype} ${needs}${ofTile(tile)}`, (op, inputs, call) =>
          perSegment(call.sequence, inputs, (part) => Promise.resolve(attention(op, part, call.recipe, round, tile, normalised))),
        ),
      ),
    ),
  ];
}

function ofTile(tile: number): string {
  return tile === 1 ? '' : `, tile by tile of ${tile}`;
}

/** Rounds a float64 to the nearest value of a dtype, ties to even. */
function rounder(dtype: Recipe['round']): Round {
  if (dtype === 'none' || dtype === 'float32') return (x) => x;
  if (dtype === 'bfloat16') {
    const value = new Float32Array(1);
    const bits = new Uint32Array(value.buffer);
    return (x) => {
      value[0] = x;
      const b = bits[0] as number;
      bits[0] = b + 0x7fff + ((b >>> 16) & 1);
      bits[0] &= 0xffff0000;
      return value[0];
    };
  }
  // Adding 1.5 · 2^52 units of the last place rounds to that place; 24 is float16's smallest step.
  return (x) => {
    const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x) || 1)));
    const shift = 1.5 * 2 ** (52 + exponent - 10);
    const rounded = x + shift - shift;
    return Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded;
  };
}

/** Result of an op in the recipe's own precision. */
function inRecipe(values: Float64Array, shape: readonly number[], recipe: Recipe): NdArray {
  if (recipe.round === 'none') return { data: values, shape };
  const data = Float32Array.from(values);
  return { data: roundsOutputs(recipe) ? roundToServing(data, recipe.round) : data, shape };
}

// ---- norms

/** Factor of a row: 1 / sqrt(mean(x²) + eps). */
type RowScale = (row: NdArray['data'], eps: number) => number;

function sumOfSquares(round: Round, roundSquare: Round): RowScale {
  return (row, eps) => {
    let sum = 0;
    for (const x of row) sum = round(sum + roundSquare(x * x));
    return 1 / Math.sqrt(sum / row.length + eps);
  };
}

/** As PyTorch does it for a tensor that is not widened first: the sum itself is float32, each operator's result is rounded. */
function inServingDtype(round: Round): RowScale {
  return (row, eps) => {
    let sum = 0;
    for (const x of row) sum += round(x * x);
    return round(1 / Math.sqrt(round(round(sum / row.length) + eps)));
  };
}

/** @param always rounds the normalised value, whatever the recipe does there */
function normed(op: Op, inputs: Tensors, { recipe }: OpCall, scaleOf: RowScale, always?: Round): Promise<Tensors> {
  const byRecipe = roundsBeforeWeight(op, recipe) ? rounder(recipe.round) : (value: number) => value;
  const roundNormed = always ?? byRecipe;
  const offset = Number(op.attributes['weight_offset'] ?? 0);
  const eps = Number(op.attributes['eps']);
  const names = Object.keys(op.weights).map((weight) => [weight, weight === 'weight' ? 'x' : weight.slice(0, 1)] as const);
  const outputs = names.map(([weightName, name]): [string, NdArray] => {
    const { data, shape } = inputs[name] as NdArray;
    const weight = inputs[weightName]?.data as NdArray['data'];
    const out = new Float64Array(data.length);
    for (let start = 0; start < data.length; start += weight.length) {
      const row = data.subarray(start, start + weight.length);
      const scale = scaleOf(row, eps);
      for (let i = 0; i < row.length; i++) {
        const value = (row[i] as number) * scale;
        out[start + i] = roundNormed(value) * ((weight[i] as number) + offset);
      }
    }
    return [name === 'x' ? 'y' : name, inRecipe(out, shape, recipe)];
  });
  return Promise.resolve(Object.fromEntries(outputs));
}

// ---- products

async function products(op: Op, inputs: Tensors, call: OpCall, round: Round, tile: number): Promise<Tensors> {
  const x = inputs['x'] as NdArray;
  const tokens = x.shape[0] ?? 0;
  const parts = matrices(op);
  if (parts.reduce((sum, { ref }) => sum + x.data.length * (ref.shape[0] ?? 1), 0) > MOST_STEPS) return call.run(op, inputs);
  const outputs: Record<string, NdArray> = {};
  for (const { tensor, ref, bias, shape } of parts) {
    const weight = (await call.weight(ref)).data;
    const added = bias === undefined ? null : (await call.weight(bias)).data;
    const y = product(x.data, weight, tokens, round, tile);
    if (added !== null) for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + (added[i % added.length] as number);
    outputs[tensor] = inRecipe(y, shape(tokens), call.recipe);
  }
  return outputs;
}

/** x [T, A] times weight [B, A] transposed. */
function product(x: NdArray['data'], weight: NdArray['data'], tokens: number, round: Round, tile: number): Float64Array {
  const A = x.length / tokens;
  const B = weight.length / A;
  const y = new Float64Array(tokens * B);
  for (let t = 0; t < tokens; t++) {
    for (let b = 0; b < B; b++) {
      let sum = 0;
      for (let start = 0; start < A; start += tile) {
        const end = Math.min(A, start + tile);
        let part = 0;
        for (let a = start; a < end; a++) part += (x[t * A + a] as number) * (weight[b * A + a] as number);
        sum = round(sum + part);
      }
      y[t * B + b] = sum;
    }
  }
  return y;
}

// ---- attention

/** @param normalised sums p · v with the finished probabilities; else sums exp and exp · v, and divides at the end */
function attention(op: Op, inputs: Tensors, recipe: Recipe, round: Round, tile: number, normalised: boolean): Record<string, NdArray> {
  const q = inputs['q'] as NdArray;
  const [k, v] = ['k', 'v'].map((name) => cached(inputs[name] as NdArray, recipe)) as [NdArray, NdArray];
  const [T = 0, Nq = 1, D = 1] = q.shape;
  const [S = 0, Nkv = 1] = k.shape;
  const mask = new Float64Array(T * S);
  attentionMask(mask, T, S, op.attributes['causal'] === true, Number(op.attributes['window'] ?? 0));
  const out = new Float64Array(q.data.length);
  const weights = new Float64Array(S);
  for (let t = 0; t < T; t++) {
    for (let h = 0; h < Nq; h++) {
      const kv = Math.floor(h / (Nq / Nkv));
      scoresOf(op, q, k, (t * Nq + h) * D, (s) => (s * Nkv + kv) * D, mask.subarray(t * S, (t + 1) * S), weights);
      const total = exponentials(weights, normalised ? (x) => x : round, normalised ? S : tile);
      for (let d = 0; d < D; d++) {
        let sum = 0;
        for (let start = 0; start < S; start += tile) {
          let part = 0;
          for (let s = start; s < Math.min(S, start + tile); s++) {
            part += ((weights[s] as number) / (normalised ? total : 1)) * (v.data[(s * Nkv + kv) * D + d] as number);
          }
          sum = round(sum + part);
        }
        out[(t * Nq + h) * D + d] = normalised ? sum : sum / total;
      }
    }
  }
  return { o: inRecipe(out, q.shape, recipe) };
}

/** Keys or values as a cache holds them, also where the recipe hands them on in float32. */
function cached({ data, shape }: NdArray, { round }: Recipe): NdArray {
  return { data: round === 'none' ? data : roundToServing(Float32Array.from(data), round), shape };
}

function scoresOf(
  op: Op,
  q: NdArray,
  k: NdArray,
  query: number,
  keyAt: (s: number) => number,
  mask: Float64Array,
  scores: Float64Array,
): void {
  const D = q.shape[2] ?? 1;
  const scale = Number(op.attributes['scale']);
  const softcap = Number(op.attributes['softcap'] ?? 0);
  for (let s = 0; s < scores.length; s++) {
    let score = 0;
    for (let d = 0; d < D; d++) score += (q.data[query + d] as number) * (k.data[keyAt(s) + d] as number);
    score *= scale;
    if (softcap > 0) score = softcap * Math.tanh(score / softcap);
    scores[s] = score + (mask[s] as number);
  }
}

/** exp(score − largest score) in place, and their sum. */
function exponentials(scores: Float64Array, round: Round, tile: number): number {
  let top = -Infinity;
  for (const score of scores) if (score > top) top = score;
  let total = 0;
  for (let start = 0; start < scores.length; start += tile) {
    let part = 0;
    for (let s = start; s < Math.min(scores.length, start + tile); s++) {
      scores[s] = Math.exp((scores[s] as number) - top);
      part += scores[s] as number;
    }
    total = round(total + part);
  }
  return total;
}
