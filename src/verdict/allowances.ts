// Known failures that the configuration allows up to a day. They change what the gate makes of a verdict, never the verdict. Pure.

import type { AllowRule } from '../config/types.js';
import type { Allowance, AllowEntry, KernelResult, Level, ModelReport, Report, Verdict } from '../report/types.js';
import { wasJudged } from '../report/judged.js';

/** Reasons that come of the numeric diff or of the static check as such; any other is about the model or the machine, not about a kernel. */
const OF_KERNELS: readonly string[] = [
  'kernel_fail',
  'kernel_warn',
  'kernel_pass',
  'kernel_inconclusive',
  'standard_fail',
  'model_fail',
  'model_warn',
  'model_pass',
  'static_compatible',
  'static_warning',
  'static_incompatible',
  'sensitive_checkpoint',
];

/** One rule on one model that fails: what it does there. */
interface Effect {
  readonly status: AllowEntry['status'];
  readonly detail: string | null;
}

/**
 * The report with `allowed` at models whose failure is allowed, `allow` with what came of each rule, and a gate that passes when nothing
 * else fails it. A rule counts to the end of its last day. A rule with a kernel covers a model only if nothing but the kernels that are
 * allowed there makes it fail.
 * @param today `YYYY-MM-DD`, UTC
 */
export function applyAllowances(report: Report, rules: readonly AllowRule[], today: string): Report {
  const valid = rules.filter(({ until }) => until >= today);
  const models = report.models.map((model) => ({ ...model, allowed: fails(model, report) ? allowanceOf(model, valid, report) : null }));
  const allow = rules.map((rule) => ({ ...rule, ...effectOf(rule, { ...report, models }, today) }));
  // Nobody can know beforehand what comes of a model that was not judged.
  const judged = models.length > 0 && models.every(wasJudged);
  const settled = judged && models.every((model) => model.allowed !== null || !fails(model, report));
  return { ...report, models, allow, gate: settled ? 'pass' : report.gate };
}

function fails({ verdict }: ModelReport, { fail_on }: Report): boolean {
  return fail_on.includes(verdict);
}

function isFor({ model }: AllowRule, { id }: ModelReport): boolean {
  return id === model || id.startsWith(`${model}@`);
}

/** Of a model that fails. */
function allowanceOf(model: ModelReport, rules: readonly AllowRule[], report: Report): Allowance | null {
  const own = rules.filter((rule) => isFor(rule, model));
  if (!wasJudged(model)) return null;
  // The rule that lasts longest: it is the one that decides.
  const [whole] = own.filter(({ kernel }) => kernel === null).sort((a, b) => (a.until < b.until ? 1 : -1));
  if (whole !== undefined) return { reason: whole.reason, until: whole.until, kernels: null };
  const named = new Set(own.flatMap(({ kernel }) => kernel ?? []));
  const faulty = faultyKernels(model, report.fail_on).filter((name) => named.has(name));
  if (faulty.length === 0 || othersFail(model, named, report)) return null;
  const used = own.filter(({ kernel }) => faulty.includes(kernel ?? ''));
  return {
    reason: [...new Set(used.map(({ reason }) => reason))].join('; '),
    until: used.map(({ until }) => until).sort()[0] ?? '',
    kernels: faulty,
  };
}

/** Whether this outcome of one kernel could make a model fail the gate. */
function counts(level: Level | undefined, failOn: readonly Verdict[]): boolean {
  return (
    level === 'fail' || (level === 'warn' && failOn.includes('WARNING')) || (level === 'inconclusive' && failOn.includes('INCONCLUSIVE'))
  );
}

function isFaulty({ status, standard }: KernelResult, failOn: readonly Verdict[]): boolean {
  return counts(status, failOn) || counts(standard?.status, failOn);
}

function faultyKernels({ numeric }: ModelReport, failOn: readonly Verdict[]): string[] {
  return (numeric?.kernels ?? []).filter((kernel) => isFaulty(kernel, failOn)).map(({ kernel }) => kernel);
}

/** Whether the model would fail the gate even if the named kernels were fine, as far as the report can tell. */
function othersFail(model: ModelReport, named: ReadonlySet<string>, { fail_on, policy }: Report): boolean {
  const { numeric, static: checked, reasons } = model;
  if (numeric?.model == null || checked === null || !reasons.every(({ code }) => OF_KERNELS.includes(code))) return true;
  if (checked.status !== 'COMPATIBLE' && fail_on.includes('WARNING')) return true;
  if (checked.status === 'INCOMPATIBLE' && policy !== 'evidence') return true;
  if (faultyKernels(model, fail_on).some((name) => !named.has(name))) return true;
  const { status, responsible } = numeric.model;
  if (!counts(status, fail_on)) return false;
  // An empty search found that no kernel alone does it; without a search it is put down to the kernels that fail.
  return (
    status === 'inconclusive' ||
    (responsible !== null && (responsible.length === 0 || !responsible.every(({ kernel }) => named.has(kernel))))
  );
}

function effectOf(rule: AllowRule, report: Report, today: string): Effect {
  const models = report.models.filter((model) => isFor(rule, model));
  const [worst] = models.filter((model) => fails(model, report));
  const expired = rule.until < today;
  if (!expired && models.some(({ allowed }) => covers(allowed, rule))) return { status: 'used', detail: null };
  const why = unusedBecause(rule, models, worst);
  if (!expired) return { status: 'unused', detail: why };
  const now = worst === undefined || worst.allowed !== null ? `${why}: remove it` : `${worst.id} fails the gate again`;
  return { status: 'expired', detail: `expired after ${rule.until}; ${now}` };
}

function covers(allowed: Allowance | null, { kernel, reason, until }: AllowRule): boolean {
  if (allowed === null) return false;
  return kernel === null
    ? allowed.kernels === null && allowed.reason === reason && allowed.until === until
    : (allowed.kernels?.includes(kernel) ?? false);
}

function unusedBecause({ kernel }: AllowRule, models: readonly ModelReport[], failing: ModelReport | undefined): string {
  if (models.length === 0) return 'no model of this run has that name';
  const kernels = new Set(models.flatMap(({ numeric }) => numeric?.kernels.map(({ kernel: name }) => name) ?? []));
  if (kernel !== null && models.some(({ numeric }) => numeric !== null) && !kernels.has(kernel))
    return 'no kernel of that name ran on this model';
  if (failing === undefined) return 'nothing there fails the gate';
  if (failing.allowed !== null) return 'another entry allows it already';
  return kernel === null ? 'the model was not judged' : 'this kernel is not all that makes the model fail';
}
