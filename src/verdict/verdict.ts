// Evidence → verdict, and verdicts → gate. Pure: no file, no clock, no formatting beyond the reasons' words (reasons.ts).

import type { NumericThresholds, StaticThresholds } from '../config/types.js';
import type { ReasonCode } from '../errors.js';
import type { Level, ModelReport, NumericResult, Policy, Reason, StaticResult, Verdict } from '../report/types.js';
import { wasJudged } from '../report/judged.js';
import { failureReason, numericReasons, sensitiveReason, staticReason } from './reasons.js';
import { recommend } from './recommendations.js';

/** Why a stage could not do its work; a ModelError has this shape. */
export interface Failure {
  code: ReasonCode;
  message: string;
}

export interface Evidence {
  /** null: the static check could not run. */
  static: StaticResult | null;
  /** null: no kernel ran. */
  numeric: NumericResult | null;
  /** The first stage that failed, if one did. */
  failure: Failure | null;
  policy: Policy;
  /** The thresholds that the stages used, for the words of the reasons. */
  thresholds: { static: StaticThresholds; numeric: NumericThresholds };
}

export interface Decision {
  verdict: Verdict;
  /** The deciding one first. */
  reasons: Reason[];
  recommendations: string[];
}

/**
 * Failures after which the model itself is in doubt, so that its static figures are no evidence: they were computed from
 * weights, or under a meaning of config.json, that cannot be trusted. Any other failure leaves the static check standing.
 */
const MODEL_IN_DOUBT: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'model_not_found',
  'config_invalid',
  'unknown_model_type',
  'unsupported_config',
  'weights_invalid',
  'weights_mismatch',
  'tensor_missing',
  'non_finite_weights',
  'integrity',
]);

/** The verdict on one model by the table of the design, section 8, with its reasons and recommendations. */
export function decide(evidence: Evidence): Decision {
  const level = numericLevel(evidence.numeric);
  const verdict = verdictOf(evidence);
  return {
    verdict,
    reasons: reasonsFor(evidence, level, verdict),
    recommendations: recommend(evidence, verdict),
  };
}

/** The verdict alone. Which stage failed counts, its message does not. */
export function verdictOf({ static: checked, numeric, failure, policy }: Omit<Evidence, 'thresholds'>): Verdict {
  const level = numericLevel(numeric);
  // What is known to be wrong stays wrong, whatever else could not be found out, and under every policy.
  if (numericFails(numeric, level)) return 'INCOMPATIBLE';
  const inDoubt = failure !== null && MODEL_IN_DOUBT.has(failure.code);
  if (policy === 'strict' && checked?.status === 'INCOMPATIBLE' && !inDoubt) return 'INCOMPATIBLE';
  if (standardFails(numeric)) return 'IMPLEMENTATION_ISSUE';
  if (inDoubt) return 'INCONCLUSIVE';

  const proven = policy !== 'static' && (level === 'pass' || level === 'warn');
  if (checked?.status === 'INCOMPATIBLE' && (policy !== 'evidence' || !proven)) return 'INCOMPATIBLE';
  if (failure !== null || checked === null) return 'INCONCLUSIVE';
  if (policy === 'static') return checked.status;
  if (!proven) return 'INCONCLUSIVE';
  return level === 'warn' || checked.status !== 'COMPATIBLE' ? 'WARNING' : 'COMPATIBLE';
}

/** Whether the user's own unfused path leaves the reference: what the whole model does with the fused one then says nothing about fusing. */
function standardFails(numeric: NumericResult | null): boolean {
  return numeric?.kernels.some(({ standard }) => standard?.status === 'fail') ?? false;
}

/** Whether the numeric diff alone makes a model INCOMPATIBLE. */
function numericFails(numeric: NumericResult | null, level: Level | null): boolean {
  if (level !== 'fail') return false;
  return !standardFails(numeric) || (numeric?.kernels.some(({ status }) => status === 'fail') ?? false);
}

/**
 * The worst of everything the numeric diff says: a fail beats an inconclusive, which beats a warning. The parts are looked at
 * too, not only the summary, and a diff that compared nothing has shown nothing.
 */
export function numericLevel(numeric: NumericResult | null): Level | null {
  if (numeric === null) return null;
  const levels = [numeric.status, ...numeric.kernels.map((kernel) => kernel.status), numeric.model?.status ?? 'inconclusive'];
  if (!numeric.kernels.some((kernel) => kernel.sites > 0)) levels.push('inconclusive');
  return (['fail', 'inconclusive', 'warn'] as const).find((level) => levels.includes(level)) ?? 'pass';
}

/** Deciding reason first: what failed, then what the checkpoint looks like, then what was found to be fine. */
function reasonsFor(evidence: Evidence, level: Level | null, verdict: Verdict): Reason[] {
  const { static: checked, numeric, failure, policy, thresholds } = evidence;
  const failures = failure === null ? [] : [failureReason(failure)];
  const statics = checked === null ? [] : [staticReason(checked, thresholds.static)];
  const numerics = numericReasons(numeric, thresholds.numeric);
  const unmeasured: Reason[] =
    numeric === null && failure === null && policy !== 'static'
      ? [{ code: 'no_kernels', message: 'No kernel was run on this model, so there is no numeric evidence.' }]
      : [];
  const unchecked: Reason[] =
    checked === null && failure === null ? [{ code: 'static_inconclusive', message: 'The static check did not run.' }] : [];

  if (verdict === 'IMPLEMENTATION_ISSUE') {
    const deciding = numerics.filter(({ code }) => code === 'standard_fail');
    return [...deciding, ...numerics.filter((reason) => !deciding.includes(reason)), ...failures, ...statics, ...unchecked];
  }
  if (numericFails(numeric, level)) return [...numerics, ...failures, ...statics, ...unchecked];
  if (verdict === 'INCONCLUSIVE') return [...failures, ...unchecked, ...unmeasured, ...numerics, ...statics];
  if (verdict === 'INCOMPATIBLE') return [...statics, ...failures, ...unmeasured, ...numerics];
  const sensitive = checked !== null && checked.status !== 'COMPATIBLE' && (level === 'pass' || level === 'warn');
  return sensitive && policy !== 'static' ? [sensitiveReason(level), ...statics, ...numerics] : [...numerics, ...statics];
}

/**
 * Fails when a verdict is one of `failOn`, and when a model was not judged at all: nobody said that what was not looked at is fine. No model
 * at all is no pass either, unless the gate never fails.
 */
export function gate(models: readonly Pick<ModelReport, 'verdict' | 'reasons'>[], failOn: readonly Verdict[]): 'pass' | 'fail' {
  if (failOn.length === 0) return 'pass';
  return models.length === 0 || models.some((model) => failOn.includes(model.verdict) || !wasJudged(model)) ? 'fail' : 'pass';
}
