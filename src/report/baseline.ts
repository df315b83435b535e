// This report beside the one of the base branch: what is new, worse, better or the same. It is information: no verdict and no gate follows.

import { plain } from './escape.js';
import { multiple } from './numbers.js';
import { asReport, FileProblem, readJsonFile, REPORT_BYTES } from './read.js';
import { noiseRatio } from './rows.js';
import type { Baseline, Change, KernelBaseline, KernelResult, Level, ModelBaseline, ModelReport, Report } from './types.js';
import { VERDICTS } from './types.js';

/** From worst to best, as `VERDICTS` is. */
const LEVELS: readonly Level[] = ['fail', 'inconclusive', 'warn', 'pass'];
/** Names of another run's models and kernels that are repeated here, and characters of each. */
const NAMES_SHOWN = 100;
const NAME_LIMIT = 200;

/**
 * A report of another run. It may come out of a stranger's artifact: it is read with bounds and checked against the schema.
 * @returns the report, or why there is none to compare with
 */
export async function readBaseline(path: string): Promise<Report | string> {
  try {
    return asReport((await readJsonFile(path, REPORT_BYTES)).value);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return /ENOENT/.test(error.message) ? 'the file is not there, as on the first run of a base branch' : `the file ${error.message}`;
  }
}

/** `report` with what changed since `base` at every model; `base` in words is why there is nothing to compare with. */
export function compareWithBaseline(report: Report, base: Report | string): Report {
  const problem = typeof base === 'string' ? base : incomparable(report, base);
  if (typeof base === 'string' || problem !== null) {
    const made = typeof base === 'string' ? { version: null, started_at: null } : madeBy(base);
    return { ...report, baseline: { ...made, problem, missing_models: [] } };
  }
  const before = new Map(base.models.map((model) => [model.id, model]));
  const here = new Set(report.models.map(({ id }) => id));
  const baseline: Baseline = { ...madeBy(base), problem: null, missing_models: names([...before.keys()].filter((id) => !here.has(id))) };
  return {
    ...report,
    baseline,
    models: report.models.map((model) => ({ ...model, baseline: modelBaseline(model, before.get(model.id)) })),
  };
}

function incomparable({ policy }: Report, base: Report): string | null {
  return base.policy === policy ? null : `it was made under policy ${base.policy}, this report under ${policy}`;
}

function madeBy({ tool, timing }: Report): Pick<Baseline, 'version' | 'started_at'> {
  return { version: plain(tool.version, NAME_LIMIT), started_at: plain(timing.started_at, NAME_LIMIT) };
}

function names(list: readonly string[]): string[] {
  return list.slice(0, NAMES_SHOWN).map((name) => plain(name, NAME_LIMIT));
}

function modelBaseline(model: ModelReport, before: ModelReport | undefined): ModelBaseline {
  const kernels = model.numeric?.kernels ?? [];
  const old = new Map((before?.numeric?.kernels ?? []).map((kernel) => [kernel.kernel, kernel]));
  const compared = kernels.map((kernel) => kernelBaseline(kernel, old.get(kernel.kernel)));
  if (before === undefined)
    return { change: 'new', verdict: null, noise_ratio: null, detail: null, kernels: compared, missing_kernels: [] };
  const verdict = step(VERDICTS, before.verdict, model.verdict);
  const kl = ratioChange(before.numeric?.model?.kl_ratio ?? null, model.numeric?.model?.kl_ratio ?? null);
  const ran = new Set(kernels.map(({ kernel }) => kernel));
  const [was, is] = [noiseRatio(before), noiseRatio(model)];
  const facts = [
    ...(verdict === 'same' ? [] : [`verdict ${before.verdict} → ${model.verdict}`]),
    ...(ratioChange(was, is) === 'same' ? [] : [`× noise floor ${multiple(was)} → ${multiple(is)}`]),
    ...(['worse', 'better', 'new'] as const).flatMap((change) => counted(change, compared)),
    ...(before.revision === model.revision ? [] : ['other weights (revision)']),
    ...(before.dtype === model.dtype ? [] : [`dtype ${before.dtype ?? 'unknown'} → ${model.dtype ?? 'unknown'}`]),
  ];
  return {
    // The verdict speaks first; where it stays, anything worse is worse, whatever became better.
    change: verdict === 'same' ? worst([kl, ...compared.map(({ change }) => change)]) : verdict,
    verdict: before.verdict,
    noise_ratio: was,
    detail: facts.length === 0 ? null : facts.join('; '),
    kernels: compared,
    missing_kernels: names([...old.keys()].filter((name) => !ran.has(name))),
  };
}

function counted(change: Change, kernels: readonly KernelBaseline[]): string[] {
  const number = kernels.filter((kernel) => kernel.change === change).length;
  return number === 0 ? [] : [`${number} ${number === 1 ? 'kernel' : 'kernels'} ${change}`];
}

function worst(changes: readonly Change[]): Change {
  return (['worse', 'better'] as const).find((change) => changes.includes(change)) ?? 'same';
}

function kernelBaseline(kernel: KernelResult, before: KernelResult | undefined): KernelBaseline {
  if (before === undefined) return { kernel: kernel.kernel, change: 'new', status: null, noise_ratio: null, detail: null };
  const [was, is] = [largerRatio(before), largerRatio(kernel)];
  const status = step(LEVELS, before.status, kernel.status);
  const change = status === 'same' ? ratioChange(was, is) : status;
  const levels = status === 'same' ? '' : `${before.status} → ${kernel.status}, `;
  const detail = change === 'same' ? null : `${levels}× noise floor ${multiple(was)} → ${multiple(is)}`;
  return { kernel: kernel.kernel, change, status: before.status, noise_ratio: was, detail };
}

function largerRatio({ accuracy_ratio: rms, max_ratio: max }: KernelResult): number | null {
  return rms === null || max === null ? (rms ?? max) : Math.max(rms, max);
}

/** In a list from worst to best. */
function step<T>(order: readonly T[], before: T, now: T): Change {
  return now === before ? 'same' : order.indexOf(now) < order.indexOf(before) ? 'worse' : 'better';
}

/**
 * Errors in multiples of the noise floor. What two correct implementations differ by moves an error by up to one floor, and the floor, a
 * largest value over a few recipes, is itself not known better than to a tenth: a change within the larger of the two is noise.
 */
function ratioChange(before: number | null, now: number | null): Change {
  if (before === null || now === null || Math.abs(now - before) <= Math.max(1, before / 10)) return 'same';
  return now > before ? 'worse' : 'better';
}
