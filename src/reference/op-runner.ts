// Runs single ops on onnxruntime: one session per graph, made once and reused for every layer. Order of ops and weights is the walk's.

import type * as ort from 'onnxruntime-node';
import type { Op } from '../architectures/program.js';
import { linearGraph, opGraph, OUTPUT_PREFIX, widenGraph, type HeadCounts, type WeightForm } from './graphs.js';
import type { NdArray } from './ndarray.js';
import type { Recipe } from './recipes.js';

/** The part of onnxruntime-node that is used; src/reference/runtime.ts gets it. */
export type Ort = Pick<typeof ort, 'InferenceSession' | 'Tensor'>;

/** Part of a linear weight, rows [B', A], as it is fed to a graph. */
export interface LinearWeight {
  readonly form: WeightForm;
  readonly data: Uint16Array | Float32Array;
  readonly shape: readonly [number, number];
  /** Nothing else looks at the data or at its buffer: another thread may have it. */
  readonly movable?: boolean;
}

/** What a weight is multiplied with, and how. */
export interface Factor {
  readonly recipe: Recipe;
  readonly x: NdArray;
}

export interface OpRunner {
  /** Ops that are run at the same time. */
  readonly threads: number;
  /** Any op but `embed`, `linear` and `qkv`; inputs by contract name, weights included. Attention takes one sequence at a time. */
  run(op: Op, recipe: Recipe, inputs: Readonly<Record<string, NdArray>>): Promise<Record<string, NdArray>>;
  /** y = x Wᵀ (+ bias), capped where `softcap` is not 0, for a block of rows of W: [T, B']. */
  linear(recipe: Recipe, x: NdArray, weight: LinearWeight, bias: Float32Array | null, softcap?: number): Promise<NdArray>;
  /** The same for several factors, with the weight widened once. Pass the same array of factors for all blocks of a matrix. */
  linears(factors: readonly Factor[], weight: LinearWeight, bias: Float32Array | null, softcap?: number): Promise<readonly NdArray[]>;
}

/** An OpRunner that runs in this thread. */
export interface LocalOpRunner extends OpRunner {
  /** Raw 16-bit weights as float32 values. */
  widen(weight: LinearWeight): Promise<LinearWeight>;
}

/**
 * Options that keep the numbers what the graphs say: fusions at `basic` and above change bits, as does prepacking; with one thread the
 * bits are the same between runs and processes (measured, docs/reference.md). Parallelism comes from worker threads (hands.ts).
 */
export const SESSION_OPTIONS: ort.InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'disabled',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  // The arena keeps its peak for ever and per session; plain malloc is as fast here and gives memory back.
  enableCpuMemArena: false,
  logSeverityLevel: 4,
  extra: { session: { disable_prepacking: '1' } },
};

export function createOpRunner(runtime: Ort): LocalOpRunner {
  const sessions = new Map<string, Promise<ort.InferenceSession>>();
  const session = (key: string, graph: () => Uint8Array) => {
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const made = runtime.InferenceSession.create(graph(), SESSION_OPTIONS);
    sessions.set(key, made);
    return made;
  };
  const tensor = (data: Float32Array | Float64Array | Uint16Array, shape: readonly number[]) => {
    const type = data instanceof Float64Array ? 'float64' : data instanceof Float32Array ? 'float32' : 'uint16';
    return new runtime.Tensor(type, data, shape);
  };
  const recipeKey = ({ compute, round, norm_weight, probabilities, inside, between, sums }: Recipe) =>
    [compute, round, norm_weight, probabilities, inside, between, sums].join(' ');

  const local: LocalOpRunner = {
    threads: 1,
    async run(op, recipe, inputs) {
      const heads = op.op === 'attention' ? headCounts(inputs) : null;
      const key = JSON.stringify([op.op, op.attributes, op.eager, Object.values(op.weights)[0]?.shape, heads, recipeKey(recipe)]);
      const running = await session(key, () => opGraph(op, recipe, heads));
      const feeds: Record<string, ort.Tensor> = {};
      for (const [name, array] of Object.entries(inputs)) feeds[name] = tensor(array.data, array.shape);
      if (op.op === 'attention') feeds['mask'] = maskTensor(tensor, op, recipe, inputs);
      return arrays(await running.run(feeds));
    },
    async linear(recipe, x, weight, bias, softcap = 0) {
      const [, columns] = weight.shape;
      const key = JSON.stringify(['linear', weight.form, bias !== null, softcap, recipe.sums === 'whole' ? 0 : columns, recipeKey(recipe)]);
      const running = await session(key, () => linearGraph(recipe, weight.form, bias !== null, columns, softcap));
      const feeds: Record<string, ort.Tensor> = {
        x: tensor(x.data, [x.data.length / columns, columns]),
        weight: tensor(weight.data, weight.shape),
      };
      if (bias !== null) feeds['bias'] = tensor(bias, [bias.length]);
      return arrays(await running.run(feeds))['y'] as NdArray;
    },
    async linears(factors, weight, bias, softcap) {
      const shared = factors.length > 1 ? await local.widen(weight) : weight;
      const products: NdArray[] = [];
      for (const { recipe, x } of factors) products.push(await local.linear(recipe, x, shared, bias, softcap));
      return products;
    },
    async widen(weight) {
      const { form } = weight;
      if (form === 'float32') return weight;
      const running = await session(`widen ${form}`, () => widenGraph(form));
      const out = arrays(await running.run({ weight: tensor(weight.data, weight.shape) }))['weight'] as NdArray;
      return { form: 'float32', data: out.data as Float32Array, shape: weight.shape };
    },
  };
  return local;
}

function arrays(results: ort.InferenceSession.ReturnType): Record<string, NdArray> {
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [
      name.slice(OUTPUT_PREFIX.length),
      { data: value.data as Float32Array | Float64Array, shape: value.dims },
    ]),
  );
}

function headCounts(inputs: Readonly<Record<string, NdArray>>): HeadCounts {
  const [, num_heads = 1, head_dim = 1] = inputs['q']?.shape ?? [];
  return { num_heads, num_kv_heads: inputs['k']?.shape[1] ?? 1, head_dim };
}

function maskTensor(
  tensor: (data: Float32Array | Float64Array, shape: readonly number[]) => ort.Tensor,
  op: Op,
  recipe: Recipe,
  inputs: Readonly<Record<string, NdArray>>,
): ort.Tensor {
  const T = inputs['q']?.shape[0] ?? 0;
  const S = inputs['k']?.shape[0] ?? 0;
  const mask = recipe.compute === 'float64' ? new Float64Array(T * S) : new Float32Array(T * S);
  attentionMask(mask, T, S, op.attributes['causal'] === true, Number(op.attributes['window'] ?? 0));
  return tensor(mask, [T, S]);
}

/** Fills an additive mask [T, S]: the queries are the last T of S positions; a window of w lets a query see itself and the w − 1 before it. */
export function attentionMask(mask: Float32Array | Float64Array, T: number, S: number, causal: boolean, window: number): void {
  for (let t = 0; t < T; t++) {
    const position = S - T + t;
    for (let s = 0; s < S; s++) {
      const hidden = (causal && s > position) || (window > 0 && s <= position - window);
      mask[t * S + s] = hidden ? -Infinity : 0;
    }
  }
}
