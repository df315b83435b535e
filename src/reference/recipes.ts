// Where values are rounded: the oracle, PyTorch eager, and other legitimate ways to compute the same model.

import type { OpName } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';

export interface Recipe {
  readonly name: string;
  readonly compute: 'float64' | 'float32';
  /** What values are rounded to at rounding points. */
  readonly round: ServingDtype | 'none';
  /** Norms: as the family's eager code does, or with the multiplication by the weight on the other side of the rounding. */
  readonly norm_weight: 'eager' | 'swapped';
  /** Softmax probabilities (and the scores before them): rounded to the serving dtype as eager does, or kept in float32 as flash attention does. */
  readonly probabilities: 'serving' | 'float32';
  /** Rounding inside one contract (between the products of RoPE, between activation and gate, ...): as eager, or only at its outputs. */
  readonly inside: 'eager' | 'float32';
  /**
   * What one contract hands to the next, the residual stream included: rounded to the serving dtype, or left in float32, where a model's logits and the
   * keys and values that attention sees (the KV cache) still are rounded.
   */
  readonly between: 'serving' | 'float32';
  /** Sums over the inner dimension: in one go, as two halves added, or as four quarters, the last one first (split-K by 2 and by 4). */
  readonly sums: 'whole' | 'halves' | 'quarters';
}

const EAGER = {
  compute: 'float32',
  norm_weight: 'eager',
  probabilities: 'serving',
  inside: 'eager',
  between: 'serving',
  sums: 'whole',
} as const;

/** float64 throughout, never rounded: the yardstick for accuracy. */
export const ORACLE: Recipe = { ...EAGER, name: 'oracle', compute: 'float64', round: 'none' };

/** What PyTorch eager computes in the serving dtype: the yardstick for fidelity. */
export function eager(dtype: ServingDtype): Recipe {
  return { ...EAGER, name: 'eager', round: dtype };
}

/**
 * Valid recipes, eager first: the noise floor is measured with them. Of those that round after each op none is better than
 * another; PyTorch's own eager and SDPA attention differ as much (docs/reference.md).
 */
export function validRecipes(dtype: ServingDtype): Recipe[] {
  const base = eager(dtype);
  return [
    base,
    { ...base, name: 'norm_weight_swapped', norm_weight: 'swapped' },
    { ...base, name: 'float32_probabilities', probabilities: 'float32' },
    { ...base, name: 'float32_inside', inside: 'float32' },
    { ...base, name: 'float32_between', between: 'float32' },
    { ...base, name: 'split_sums', sums: 'halves' },
    { ...base, name: 'split_sums_by_four', sums: 'quarters' },
    { ...base, name: 'all_variants', norm_weight: 'swapped', probabilities: 'float32', inside: 'float32', sums: 'halves' },
  ];
}

/**
 * Ways to round and to sum that make a difference to an op at a site of its own. `between` never does: a site takes and gives values of the
 * serving dtype, whatever the recipe.
 */
const MATTERS: Readonly<Record<OpName, readonly (keyof Recipe)[]>> = {
  embed: [],
  rms_norm: ['norm_weight', 'inside', 'sums'],
  qk_norm: ['norm_weight', 'inside', 'sums'],
  linear: ['sums'],
  qkv: ['sums'],
  split_heads: [],
  rope: ['inside'],
  attention: ['probabilities', 'inside', 'sums'],
  silu_mul: ['inside'],
  gelu_tanh_mul: ['inside'],
  add: [],
};

/** A recipe for what leaves the model or a single site, which is rounded whatever is kept between contracts. */
export function leaving(recipe: Recipe): Recipe {
  return recipe.between === 'serving' ? recipe : { ...recipe, between: 'serving' };
}

/** Whether what an op gives is rounded to the serving dtype. */
export function roundsOutputs({ round, between }: Recipe): boolean {
  return round !== 'none' && between === 'serving';
}

/** The first of the recipes that gives the same as `recipe` for these ops. */
export function sameRecipe(recipes: readonly Recipe[], recipe: Recipe, ops: readonly OpName[]): Recipe {
  const matters = new Set(ops.flatMap((op) => MATTERS[op]));
  return recipes.find((other) => [...matters].every((field) => other[field] === recipe[field])) ?? recipe;
}

/** The recipes without those that give the same as one before them for these ops. */
export function distinctRecipes(recipes: readonly Recipe[], ops: readonly OpName[]): Recipe[] {
  return recipes.filter((recipe) => sameRecipe(recipes, recipe, ops) === recipe);
}
