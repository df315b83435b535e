// Whether a model's report says one thing and its own numbers another. A report that was made up as a whole nobody can tell from an honest
// one; one whose verdict was edited can be.

import type { NumericThresholds, StaticThresholds } from '../config/types.js';
import type { ReasonCode } from '../errors.js';
import type { Canary, KernelResult, Level, ModelLevel, ModelReport, NumericResult, Policy, StaticResult } from '../report/types.js';
import { VERDICTS } from '../report/types.js';
import { verdictOf } from './verdict.js';

export interface Thresholds {
  readonly static: StaticThresholds;
  readonly numeric: NumericThresholds;
}

/** Reasons that follow from the static check and the numeric diff; any other says which stage failed. */
const DERIVED: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'static_incompatible',
  'static_warning',
  'static_compatible',
  'static_inconclusive',
  'standard_fail',
  'kernel_fail',
  'kernel_warn',
  'kernel_pass',
  'kernel_inconclusive',
  'canary_passed',
  'model_fail',
  'model_warn',
  'model_pass',
  'model_inconclusive',
  'generation_incoherent',
  'sensitive_checkpoint',
  'no_kernels',
]);

/** Kernels that stand for whole layers are judged by the logits, not by these ratios. */
const JUDGED_BY_LOGITS: readonly string[] = ['decoder_layer', 'model', 'generate'];

/**
 * What in the report of a model is milder than its own numbers allow, as a clause; null: nothing.
 * @param thresholds those that it was judged by; null: not known, so that only what needs none is compared
 */
export function contradiction(model: ModelReport, policy: Policy, thresholds: Thresholds | null): string | null {
  const { static: checked, numeric, verdict, reasons } = model;
  const found =
    (checked === null || thresholds === null ? null : ofStatic(checked, thresholds.static)) ??
    (numeric === null ? null : ofNumeric(numeric, thresholds?.numeric ?? null));
  if (found !== null) return found;
  const failure = reasons.find(({ code }) => !DERIVED.has(code)) ?? null;
  const due = verdictOf({ static: checked, numeric, failure, policy });
  return VERDICTS.indexOf(verdict) <= VERDICTS.indexOf(due) ? null : `its verdict is ${verdict}, but what it holds makes it ${due}`;
}

function ofStatic({ status, score, k_weight_ratio: ratio, max_k_weight: max }: StaticResult, limits: StaticThresholds): string | null {
  const sensitive = score < limits.score_warning || (ratio ?? 0) >= limits.compatible_ratio || (max ?? 0) >= limits.compatible_max_weight;
  const tooMild = (score < limits.score_incompatible && status !== 'INCOMPATIBLE') || (sensitive && status === 'COMPATIBLE');
  return tooMild ? `its static check is ${status}, but not by its numbers` : null;
}

function ofNumeric({ kernels, model, canaries }: NumericResult, limits: NumericThresholds | null): string | null {
  for (const kernel of kernels) {
    const fault = isFine(kernel.status) ? faultOf(kernel, canaries ?? [], limits) : null;
    if (fault !== null) return `its kernel ${JSON.stringify(kernel.kernel)} is ${kernel.status}, but ${fault}`;
  }
  const fault = model !== null && isFine(model.status) ? faultOfModel(model, canaries ?? [], limits) : null;
  return fault === null ? null : `the model as a whole is ${model?.status}, but ${fault}`;
}

function isFine(level: Level): boolean {
  return level === 'pass' || level === 'warn';
}

function faultOf(kernel: KernelResult, canaries: readonly Canary[], limits: NumericThresholds | null): string | null {
  if (kernel.non_finite > 0) return `${kernel.non_finite} elements of its output are not finite`;
  const probe = kernel.probes?.find(({ status }) => !isFine(status));
  if (probe !== undefined) return `a probe is ${probe.status}`;
  if (canaries.some((canary) => canary.kernel === kernel.kernel && !canary.caught)) return 'a planted fault was not seen';
  const ratios = JUDGED_BY_LOGITS.includes(kernel.op) ? [] : [kernel.accuracy_ratio, kernel.max_ratio];
  return beyond(kernel.status, ratios, limits);
}

function faultOfModel(
  { status, decisive_flips: flips, kl_ratio: ratio }: ModelLevel,
  canaries: readonly Canary[],
  limits: NumericThresholds | null,
) {
  if ((flips ?? 0) > 0) return 'there are decisive flips';
  if (canaries.some(({ kernel, caught }) => kernel === null && !caught)) return 'a planted fault was not seen';
  return beyond(status, [ratio], limits);
}

function beyond(level: Level, ratios: readonly (number | null)[], limits: NumericThresholds | null): string | null {
  if (limits === null) return null;
  const limit = level === 'pass' ? limits.pass_ratio : limits.warn_ratio;
  const ratio = ratios.find((each) => each !== null && each > limit);
  return ratio === undefined ? null : `it is ${String(ratio)} times the noise floor, which is above ${limit}`;
}
