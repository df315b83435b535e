// The identity control: the reference compared with itself, by the criteria of the kernels. Canaries show that a fault is seen, this that nothing is
// seen where nothing is (docs/report.md). What that means for the verdict is src/verdict's.

import type { Site } from '../kernels/sites.js';
import type { Recipe } from '../reference/recipes.js';
import type { Control, ModelLevel } from '../report/types.js';
import type { CanaryContext, KnownOutputs } from './canaries.js';
import { accuracyRatio, judgeMeasure, place } from './kernel-level.js';
import type { LogitsSummary } from './logits-meter.js';
import { measure, type Yardstick } from './measure.js';
import { LEAST_KL, judgeLogits } from './model-level.js';
import { runSite, type Tensors } from './site.js';

/**
 * Runs eager once more at a site, as a kernel is called there: on what the walk has for its inputs. It passes when its outputs are the walk's bit for
 * bit, so that what a kernel gets and what it is compared with belong together, and when the criteria pass them.
 * @param inputs eager's inputs of the site, without weights
 */
export async function identityControl(context: CanaryContext, site: Site, inputs: Tensors, known: KnownOutputs): Promise<Control> {
  const { dtype, limits, recipes, sequence } = context;
  const again = await runSite(context, site, recipes[0] as Recipe, inputs, sequence);
  let [elements, equal, difference, ratio] = [0, 0, 0, 0];
  let wrong: string | null = null;
  for (const [name, { data }] of Object.entries(again)) {
    const measured = measure(data as Float32Array, known.yardsticks[name] as Yardstick);
    elements += measured.elements;
    equal += measured.bitwise_equal;
    difference = Math.max(difference, measured.max_abs_diff);
    ratio = Math.max(ratio, accuracyRatio(measured));
    const { level, detail } = judgeMeasure(measured, dtype, limits);
    if (level !== 'pass') wrong ??= `output ${name}: ${detail ?? level}`;
  }
  if (equal < elements) wrong ??= `${elements - equal} of ${elements} elements differ, by up to ${difference.toPrecision(2)}`;
  const figures = { max_abs_diff: difference, bitwise_equal: equal / elements };
  const passes = `all ${elements} elements the same, accuracy_ratio ${ratio.toFixed(2)}`;
  return { level: site.op, passed: wrong === null, ...figures, detail: `${place(site)}: ${wrong ?? passes}` };
}

/** Every valid recipe, eager first, judged as the fused model is: none may fail or warn. */
export function modelControl(
  logits: LogitsSummary,
  names: readonly string[],
  context: Pick<CanaryContext, 'sequence' | 'limits'>,
): Control | null {
  const { sequence, limits } = context;
  // Where there is no noise floor nothing is judged at all.
  if (logits.non_finite.slice(0, names.length + 1).some((count) => count > 0)) return null;
  const floor = Math.max(...names.map((_, i) => logits.kl[i] as number), LEAST_KL);
  const judged = names.map((name, i) => {
    const ratio = (logits.kl[i] as number) / floor;
    return { name, ratio, ...judgeLogits(logits, sequence, names.length, i, ratio, limits) };
  });
  const wrong = judged.find(({ status }) => status !== 'pass');
  const [eager] = judged;
  const detail =
    wrong === undefined
      ? `${names.length} recipes pass; eager has kl_ratio ${eager?.ratio.toFixed(2) ?? ''}`
      : `recipe ${wrong.name}: ${wrong.detail ?? `kl_ratio ${wrong.ratio.toPrecision(3)}`}`;
  return { level: 'model', passed: wrong === undefined, max_abs_diff: null, bitwise_equal: null, detail };
}

/** A model level, or inconclusive where the same criteria would not let a correct implementation pass. */
export function controlled(level: ModelLevel, control: Control | null): ModelLevel {
  if (control === null || control.passed) return level;
  return { ...level, status: 'inconclusive', detail: `identity control: a correct implementation would not pass: ${control.detail}` };
}
