// Activations that no program of ours has, for the search for causes: act(gate) · up in float64, rounded where the recipe rounds.

import type { NdArray } from '../reference/ndarray.js';
import { roundsOutputs, type Recipe } from '../reference/recipes.js';
import { roundToServing } from '../reference/served-weights.js';
import type { Tensors } from './site.js';

const ACTIVATIONS = {
  /** PyTorch's GELU with `approximate='none'`. */
  gelu: (x: number) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  /** As CLIP has it. */
  quick_gelu: (x: number) => x / (1 + Math.exp(-1.702 * x)),
  relu: (x: number) => Math.max(0, x),
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
} as const;

/** @param inputs gate and up [T, I] */
export function gated(name: keyof typeof ACTIVATIONS, inputs: Tensors, recipe: Recipe): Record<string, NdArray> {
  const gate = inputs['gate'] as NdArray;
  const up = inputs['up'] as NdArray;
  const activation = ACTIVATIONS[name];
  if (recipe.round === 'none') {
    return { y: { data: Float64Array.from(gate.data, (x, i) => activation(x) * (up.data[i] as number)), shape: gate.shape } };
  }
  const activated = Float32Array.from(gate.data, activation);
  const left = recipe.inside === 'float32' ? activated : roundToServing(activated, recipe.round);
  const data = left.map((x, i) => x * (up.data[i] as number));
  return { y: { data: roundsOutputs(recipe) ? roundToServing(data, recipe.round) : data, shape: gate.shape } };
}

/** Error function to some 1e-15: its series near 0, the continued fraction of erfc beyond (Abramowitz and Stegun 7.1.6 and 7.1.14). */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = z;
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction);
}
