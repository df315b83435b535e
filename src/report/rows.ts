// What every rendering of a report shows first: the gate's line and one row of figures per model, failing models first.

import { difference, magnitude, multiple, NOT_MEASURED, percent, score } from './numbers.js';
import type { ModelReport, Performance, Report, Verdict } from './types.js';
import { VERDICTS } from './types.js';
import { wasJudged } from './judged.js';

export const EMOJI: Record<Verdict, string> = {
  INCOMPATIBLE: '❌',
  IMPLEMENTATION_ISSUE: '🛠',
  INCONCLUSIVE: '❔',
  WARNING: '⚠️',
  COMPATIBLE: '✅',
};

const STATIC_COLUMNS = ['K max', 'K ratio', 'score'];
const NUMERIC_COLUMNS = ['kernel difference', '× noise floor', 'amplification', 'top-1', 'speed fused/standard'];

export interface Row {
  model: ModelReport;
  failing: boolean;
  /** In the order of `columnsOf`. */
  figures: string[];
}

/** The names of the figures; under policy `static` no kernel runs, so there are none of the numeric diff. */
export function columnsOf(report: Report): string[] {
  return [...STATIC_COLUMNS, ...(report.policy === 'static' ? [] : NUMERIC_COLUMNS), ...(isCompared(report) ? ['baseline'] : [])];
}

/** Whether a model fails the gate. */
export function isFailing(model: ModelReport, { fail_on }: Report): boolean {
  return (fail_on.includes(model.verdict) && model.allowed === null) || (fail_on.length > 0 && !wasJudged(model));
}

/** Rows with failing models first, then by how bad their verdict is, then in the user's order. */
export function rowsOf(report: Report): Row[] {
  const rows = report.models.map((model) => ({
    model,
    failing: isFailing(model, report),
    figures: [
      ...figuresOf(model).slice(0, report.policy === 'static' ? STATIC_COLUMNS.length : undefined),
      ...(isCompared(report) ? [modelChange(model) ?? NOT_MEASURED] : []),
    ],
  }));
  const rank = (row: Row): number => (row.failing ? 0 : VERDICTS.length) + VERDICTS.indexOf(row.model.verdict);
  return rows.sort((a, b) => rank(a) - rank(b));
}

function figuresOf({ static: checked, numeric }: ModelReport): string[] {
  // "none" is a finding (no K norm), a dash is the lack of one.
  const norm = (value: number | null): string => (checked !== null && value === null ? 'none' : magnitude(value));
  const kernels = numeric?.kernels ?? [];
  return [
    norm(checked?.max_k_weight ?? null),
    norm(checked?.k_weight_ratio ?? null),
    score(checked?.score ?? null),
    difference(largest(kernels.map((kernel) => kernel.max_abs_diff))),
    multiple(noiseRatio({ numeric })),
    multiple(numeric?.model?.amplification ?? null),
    percent(numeric?.model?.top1_agreement ?? null),
    multiple(speed(numeric?.performance ?? null)),
  ];
}

/** How much faster than standard: of the whole model where a kernel is one, else of the timed kernels together, one call of each. */
function speed(performance: Performance | null): number | null {
  const { fused = null, standard = null } = performance?.tokens_per_second ?? {};
  if (fused !== null && standard !== null && standard > 0) return fused / standard;
  const compared = performance?.kernels.filter(({ speedup }) => speedup !== null) ?? [];
  const sum = (of: 'fused_us' | 'standard_us') => compared.reduce((total, kernel) => total + (kernel[of] ?? 0), 0);
  return compared.length === 0 ? null : sum('standard_us') / sum('fused_us');
}

/** Whether there is a baseline to compare with. */
export function isCompared({ baseline }: Pick<Report, 'baseline'>): boolean {
  return baseline !== null && baseline.problem === null;
}

/** `worse: was COMPATIBLE, 1.20× → 812×`, `same, 1.20× → 1.21×`, `new`. */
function modelChange(model: ModelReport): string | null {
  const { baseline } = model;
  if (baseline === null) return null;
  const was = baseline.verdict === null || baseline.verdict === model.verdict ? '' : `: was ${baseline.verdict}`;
  return baseline.change + was + ratioStep(baseline.noise_ratio, noiseRatio(model));
}

/** `, 1.20× → 812×`; nothing where one of them was not measured. */
export function ratioStep(before: number | null, now: number | null): string {
  return before === null || now === null ? '' : `, ${multiple(before)} → ${multiple(now)}`;
}

/** The worst error of a model's kernels and of the model as a whole, in multiples of the noise floor. */
export function noiseRatio({ numeric }: Pick<ModelReport, 'numeric'>): number | null {
  const kernels = numeric?.kernels ?? [];
  return largest([...kernels.flatMap((kernel) => [kernel.accuracy_ratio, kernel.max_ratio]), numeric?.model?.kl_ratio ?? null]);
}

function largest(values: (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : Math.max(...measured);
}

/** `1 INCOMPATIBLE, 2 COMPATIBLE`. */
export function tally(models: readonly ModelReport[]): string {
  const counts = VERDICTS.map((verdict) => [models.filter((model) => model.verdict === verdict).length, verdict] as const);
  const shown = counts.filter(([number]) => number > 0).map(([number, verdict]) => `${number} ${verdict}`);
  return shown.length === 0 ? 'no model' : shown.join(', ');
}

/** `gate failed: 1 INCOMPATIBLE, 2 COMPATIBLE`. */
export function gateLine(report: Report): string {
  const never = report.fail_on.length === 0 ? ' (fail-on: never)' : '';
  const allowed = report.models.filter((model) => model.allowed !== null).length;
  const known = allowed === 0 ? '' : `, ${allowed} of them allowed`;
  return `gate ${report.gate === 'fail' ? 'failed' : 'passed'}${never}: ${tally(report.models)}${known}`;
}

/** The rule that the gate followed: `policy evidence, fails on INCOMPATIBLE, INCONCLUSIVE`. */
export function ruleLine(report: Report): string {
  return `policy ${report.policy}, ${report.fail_on.length === 0 ? 'never fails' : `fails on ${report.fail_on.join(', ')}`}`;
}
