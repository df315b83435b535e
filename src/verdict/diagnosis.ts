// Names what a kernel does differently, where a rerun of the reference with that one change gives the kernel's very bits.

import type { NumericResult } from '../report/types.js';

/** Share of outputs that must be bitwise equal before a cause is named: below it, silence. */
const SAME_BITS = 0.99;

/** In words, what the recipes other than eager do differently. */
const RECIPES: Readonly<Record<string, string>> = {
  norm_weight_swapped: 'rounds on the other side of the norm weight than PyTorch eager does for this family',
  float32_probabilities: 'keeps the softmax probabilities in float32, as flash attention does',
  float32_inside: 'keeps values inside the op in float32 and rounds once at its outputs',
  split_sums: 'adds its products in another order',
  all_variants: 'rounds once at its outputs, with float32 in between and another order of sums',
};

/** Causes for the kernels that are not a plain pass, or for all of them when the whole model is not. */
export function diagnose(numeric: NumericResult | null): { code: string; message: string }[] {
  if (numeric === null) return [];
  const modelOff = numeric.model?.status === 'warn' || numeric.model?.status === 'fail';
  return numeric.kernels.flatMap(({ kernel, status, nearest_recipe: recipe, nearest_recipe_equal: equal }) => {
    const off = modelOff || status === 'warn' || status === 'fail';
    const words = recipe === null ? undefined : RECIPES[recipe];
    if (!off || words === undefined || equal === null || equal < SAME_BITS) return [];
    return [
      {
        code: 'rounding_point',
        message: `${kernel} ${words}: ${(equal * 100).toFixed(1)} % of its outputs are bitwise those of recipe ${recipe}.`,
      },
    ];
  });
}
