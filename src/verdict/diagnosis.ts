// Says what the kernels do otherwise than the model needs, in sentences: causes that the numeric diff found by running the reference with one
// change at a time, and rounding points, where a kernel gives a recipe's very bits. Finding causes is src/diff/causes.ts's.

import type { Cause, KernelResult, NumericResult } from '../report/types.js';

/** Share of outputs that must be bitwise equal before a rounding point is named: below it, silence. */
const SAME_BITS = 0.99;

/** In words, what the recipes other than eager do differently. */
const RECIPES: Readonly<Record<string, string>> = {
  norm_weight_swapped: 'rounds on the other side of the norm weight than PyTorch eager does for this family',
  float32_probabilities: 'keeps the softmax probabilities in float32, as flash attention does',
  float32_inside: 'keeps values inside the op in float32 and rounds once at its outputs',
  float32_between: 'keeps what its ops hand to each other in float32',
  split_sums: 'adds its products in another order',
  split_sums_by_four: 'adds its products in another order, in four parts',
  all_variants: 'rounds once at its outputs, with float32 in between and another order of sums',
};

/** What made Qwen3 write gibberish in the report that started this: worth knowing of a kernel that passes, too. */
const ALWAYS_TOLD = 'norm_weight_swapped';

export interface Diagnosis {
  readonly code: string;
  readonly message: string;
}

/** Causes of what fails or warns; rounding points of the kernels that are not a plain pass, or of all of them when the whole model is not. */
export function diagnose(numeric: NumericResult | null): Diagnosis[] {
  if (numeric === null) return [];
  const modelOff = numeric.model?.status === 'warn' || numeric.model?.status === 'fail';
  return numeric.kernels.flatMap((kernel) => {
    const causes = numeric.causes.filter((cause) => cause.kernel === kernel.kernel);
    return causes.length > 0 ? ofCauses(kernel.kernel, causes) : ofRounding(kernel, modelOff);
  });
}

/** One sentence where both variants of a kernel do the same. */
function ofCauses(kernel: string, causes: readonly Cause[]): Diagnosis[] {
  const fused = causes.find(({ variant }) => variant === 'fused');
  const standard = causes.find(({ variant }) => variant === 'standard');
  if (fused !== undefined && fused.code === standard?.code)
    return [{ code: fused.code, message: `${kernel}, standard and fused alike, ${fused.message}.` }];
  return causes.map(({ variant, code, message }) => ({
    code,
    message: `${kernel}${variant === 'standard' ? ' in its standard variant' : ''} ${message}.`,
  }));
}

function ofRounding(kernel: KernelResult, modelOff: boolean): Diagnosis[] {
  const { status, nearest_recipe: recipe, nearest_recipe_equal: equal, bitwise_equal: faithful } = kernel;
  const words = recipe === null ? undefined : RECIPES[recipe];
  const off = modelOff || status === 'warn' || status === 'fail';
  const told = off || (recipe === ALWAYS_TOLD && status === 'pass' && (faithful ?? 1) < SAME_BITS);
  if (!told || words === undefined || equal === null || equal < SAME_BITS) return [];
  const harmless = off ? '' : ' That is within the noise of correct implementations here.';
  const message = `${kernel.kernel} ${words}: ${(equal * 100).toFixed(1)} % of its outputs are bitwise those of recipe ${recipe}.${harmless}`;
  return [{ code: 'rounding_point', message }];
}
