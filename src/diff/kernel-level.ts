// Teacher-forced comparison: what a kernel does with the reference's own inputs at each site, gathered into one result per kernel.

import type { NumericThresholds } from '../config/types.js';
import { KernelError, type Kernel, type KernelDevice, type Violation } from '../kernels/kernel.js';
import type { Site } from '../kernels/sites.js';
import type { Sequence } from '../reference/sequence.js';
import type { Canary, Control, Criterion, KernelResult, Level, ServingDtype, StandardResult } from '../report/types.js';
import { UNIT_ROUNDOFF, type Measure } from './measure.js';
import { tokenName } from './rows.js';

export interface KernelRecord {
  /**
   * Adds what was measured for one output of one site.
   * @param sequence the tokens that are its rows
   */
  add(site: Site, output: string, measure: Measure, sequence: Sequence): void;
  /** Why its sites, or some of them, were not compared, where that is not its own doing; told when none was. */
  unreached(reason: string): void;
  /** The kernel gave no usable answer; it is not called again. */
  fail(site: Site, message: string): void;
  /** It did something beside giving a result: a fault. */
  violate(site: Site, violations: readonly Violation[]): void;
  readonly failed: boolean;
  /** What the probes of the kernel gave; a fault in one is a fault of the kernel. */
  probed(probes: readonly Probe[]): void;
  /** Known faults that were judged by the same criteria; one that passed leaves open what the sites let pass. */
  watched(canaries: readonly Omit<Canary, 'kernel'>[]): void;
  readonly canaries: readonly Canary[];
  /** The reference against itself at one of its sites; a difference there leaves open what the sites say. */
  controlled(control: Control): void;
  /** Whether an output of this site fails by itself. */
  fails(site: Site): boolean;
  /** Judged by something else than its sites: this takes the place of the criteria for them. A site is named where nothing was measured. */
  conclude(judgement: Judgement, site?: Site): void;
  /** RMS error over all outputs of a site, if it was measured. */
  injected(site: Site): { rms: number; relative: number } | null;
  /** @param standard what the kernel's standard variant gave at the same sites, where it has one */
  result(standard?: KernelResult): KernelResult;
}

type Probe = NonNullable<KernelResult['probes']>[number];

interface Entry {
  readonly site: Site;
  readonly output: string;
  readonly measure: Measure;
  readonly sequence: Sequence;
}

export interface Judgement {
  readonly level: Level;
  /** What is wrong; null for a pass. */
  readonly detail: string | null;
}

/** @param device what it runs on, or why it could not start */
export function kernelRecord(
  kernel: Kernel,
  device: KernelDevice | KernelError,
  recipes: readonly string[],
  dtype: ServingDtype,
  limits: NumericThresholds,
): KernelRecord {
  const entries: Entry[] = [];
  let failure: string | null = device instanceof KernelError ? device.message : null;
  let violation: { site: Site; detail: string } | null = null;
  let probes: Probe[] | null = null;
  let conclusion: Judgement | null = null;
  let canaries: Canary[] = [];
  let control: Control | null = null;
  let unreached: Judgement | null = null;
  const sites = new Set<Site>();
  return {
    add(site, output, measure, sequence) {
      sites.add(site);
      entries.push({ site, output, measure, sequence });
    },
    unreached(reason) {
      unreached = { level: 'inconclusive', detail: reason };
    },
    fail(site, message) {
      failure ??= `${place(site)}: ${message}`;
    },
    violate(site, violations) {
      const [first] = violations;
      if (first !== undefined) violation ??= { site, detail: `${place(site)}: ${first.detail}` };
    },
    conclude(judgement, site) {
      conclusion = judgement;
      if (site !== undefined) sites.add(site);
    },
    probed(given) {
      probes = [...given];
    },
    watched(given) {
      canaries = given.map((canary) => ({ kernel: kernel.name, ...canary }));
    },
    controlled(given) {
      control = given;
    },
    get canaries() {
      return canaries;
    },
    fails: (site) => entries.some((entry) => entry.site === site && judge(entry, dtype, limits).level === 'fail'),
    get failed() {
      return failure !== null;
    },
    injected(site) {
      const here = entries.filter((entry) => entry.site === site);
      if (here.length === 0) return null;
      const elements = here.reduce((sum, { measure }) => sum + measure.elements, 0);
      const rms = Math.sqrt(here.reduce((sum, { measure }) => sum + measure.rms_error ** 2 * measure.elements, 0) / elements);
      const relative = Math.max(...here.map(({ measure }) => (measure.rms_oracle === 0 ? 0 : measure.rms_error / measure.rms_oracle)));
      return { rms, relative };
    },
    result(standard) {
      const { name, op, backend } = kernel;
      const named = device instanceof KernelError ? null : device.device;
      const base = { kernel: name, op, backend, device: named, sites: sites.size, probes, standard: standardOf(standard) };
      const summary = summarise(base, entries, failure, recipes, dtype, limits, conclusion ?? (entries.length === 0 ? unreached : null));
      const result = withControl(withCanaries(withProbes(summary), canaries), control);
      // Writing where it must not is its own fault, whatever its standard variant does.
      if (violation !== null) return { ...result, ...worstAt(violation.site), status: 'fail', detail: violation.detail };
      return standard?.status === 'fail' ? { ...result, status: 'inconclusive', detail: unjudged(result, standard) } : result;
    },
  };
}

/** A probe that failed fails the kernel; one without an answer leaves open what the sites let pass. */
function withProbes(result: KernelResult): KernelResult {
  for (const status of ['fail', 'inconclusive'] as const) {
    const probe = result.probes?.find((one) => one.status === status);
    if (result.status === 'fail' || probe === undefined) continue;
    return { ...result, status, detail: `probe ${probe.name}: ${probe.detail}` };
  }
  return result;
}

/** Criteria that let a known fault pass say nothing by letting the kernel pass; a fault that they did see stays one. */
function withCanaries(result: KernelResult, canaries: readonly Canary[]): KernelResult {
  const missed = canaries.find(({ caught }) => !caught);
  if (missed === undefined || result.status === 'fail') return result;
  return { ...result, status: 'inconclusive', detail: `canary ${missed.name} was not caught: ${missed.detail}` };
}

/** Where the reference differs from itself, so may a kernel that is right. */
function withControl(result: KernelResult, control: Control | null): KernelResult {
  if (control === null || control.passed) return result;
  return { ...result, status: 'inconclusive', detail: `identity control: the reference differs from itself: ${control.detail}` };
}

const NO_SITE = 'no site of the chosen layers';

function standardOf(standard: KernelResult | undefined): StandardResult | null {
  // Where the fused one gave no answer, the standard one was not asked.
  if (standard === undefined || (standard.sites === 0 && standard.detail === NO_SITE)) return null;
  const { status, detail, accuracy_ratio, max_abs_diff, bitwise_equal } = standard;
  return { status, detail, accuracy_ratio, max_abs_diff, bitwise_equal };
}

/** A fused kernel is made to do what the standard path does: where that is wrong already, the fused one says nothing about fusing. */
function unjudged(fused: KernelResult, standard: KernelResult): string {
  const beside: Record<Level, string> = {
    fail: 'the fused one leaves the reference too',
    warn: 'the fused one is near the limit',
    pass: 'the fused one stays within the noise of the reference',
    inconclusive: 'the fused one gave no usable answer',
  };
  return `its own standard variant already leaves the reference (${standard.detail ?? 'it fails'}); ${beside[fused.status]}`;
}

/** `layer 3 self_attn.rotary_emb`, as a reader looks for it. */
export function place(site: Site): string {
  return site.layer === null ? site.name : `layer ${site.layer} ${site.name}`;
}

function summarise(
  base: Pick<KernelResult, 'kernel' | 'op' | 'backend' | 'device' | 'sites' | 'probes' | 'standard'>,
  entries: readonly Entry[],
  failure: string | null,
  recipes: readonly string[],
  dtype: ServingDtype,
  limits: NumericThresholds,
  conclusion: Judgement | null,
): KernelResult {
  if (entries.length === 0) {
    const nothing: Judgement = { level: 'inconclusive', detail: failure ?? NO_SITE };
    const { level, detail } = failure === null && conclusion !== null ? conclusion : nothing;
    return { ...base, ...NOTHING_MEASURED, status: level, detail };
  }
  const total = (value: (measure: Measure) => number) => entries.reduce((sum, { measure }) => sum + value(measure), 0);
  const elements = total((m) => m.elements);
  const worst = worstOf(entries, (entry) => accuracyRatio(entry.measure));
  const scale = worstOf(entries, ({ measure }) => standardErrors(measure)).measure.scale;
  const nearest = nearestRecipe(recipes.map((name, i) => ({ name, equal: total((m) => m.equal_to[i] as number) / elements })));
  const judged = conclusion === null ? worstJudgement(entries, dtype, limits) : { ...conclusion, site: null };
  // A fault that was seen stays a fault, also when the kernel gave up later.
  const [status, detail]: [Level, string | null] =
    failure !== null && judged.level !== 'fail' ? ['inconclusive', failure] : [judged.level, judged.detail];
  const bins = ['0', '1', '2', '3-4', '5-8', '>8'] as const;
  return {
    ...base,
    status,
    detail,
    max_abs_diff: Math.max(...entries.map(({ measure }) => measure.max_abs_diff)),
    mean_abs_diff: total((m) => m.sum_abs_diff) / elements,
    bitwise_equal: total((m) => m.bitwise_equal) / elements,
    max_ulp: Math.max(...entries.map(({ measure }) => measure.max_ulp)),
    ulp_histogram: Object.fromEntries(
      bins.map((bin, i) => [bin, total((m) => m.ulp_counts[i] as number) / elements]),
    ) as KernelResult['ulp_histogram'],
    accuracy_ratio: finite(accuracyRatio(worst.measure)),
    max_ratio: finite(Math.max(...entries.map(({ measure }) => maxRatio(measure)))),
    scale_error: Number.isFinite(scale.standard_error) ? scale.mean : null,
    scale_error_standard_error: Number.isFinite(scale.standard_error) ? scale.standard_error : null,
    non_finite: total((m) => m.non_finite),
    nearest_recipe: nearest?.name ?? null,
    nearest_recipe_equal: nearest?.equal ?? null,
    ...worstAt(judged.site ?? worst.site),
    smallest_scale_error: smallestOf(entries, dtype, limits),
  };
}

/** Where to look first: what the detail tells of, or the largest accuracy_ratio of a kernel that passes. */
function worstAt({ layer, name }: Site): Pick<KernelResult, 'worst_layer' | 'worst_site'> {
  return { worst_layer: layer, worst_site: name };
}

/** Shares of equal elements that are this near to each other are a tie. */
const TIE = 0.001;

/** The recipe with the largest share; of those that tie, the first: eager, then those that change one thing only. */
function nearestRecipe(shares: readonly { readonly name: string; readonly equal: number }[]) {
  const most = Math.max(...shares.map(({ equal }) => equal));
  return shares.find(({ equal }) => equal >= most - TIE);
}

/** A ratio to a floor of 0 (an oracle that is 0 everywhere) is no number for a report; the detail says what happened. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

const NOTHING_MEASURED = {
  max_abs_diff: null,
  mean_abs_diff: null,
  bitwise_equal: null,
  max_ulp: null,
  ulp_histogram: null,
  accuracy_ratio: null,
  max_ratio: null,
  scale_error: null,
  scale_error_standard_error: null,
  non_finite: 0,
  nearest_recipe: null,
  nearest_recipe_equal: null,
  worst_layer: null,
  worst_site: null,
  smallest_scale_error: null,
} as const;

function worstOf(entries: readonly Entry[], value: (entry: Entry) => number): Entry {
  return entries.reduce((worst, entry) => (value(entry) > value(worst) ? entry : worst));
}

export function accuracyRatio({ rms_error, rms_floor }: Measure): number {
  return rms_error === 0 ? 0 : rms_error / rms_floor;
}

function maxRatio({ max_error, max_floor }: Measure): number {
  return max_error === 0 ? 0 : max_error / max_floor;
}

function standardErrors({ scale }: Measure): number {
  return scale.mean === 0 ? 0 : Math.abs(scale.mean) / scale.standard_error;
}

/**
 * Kernels compute in float32 inside, so a mean relative error of a few float32 ULPs is their arithmetic and no fault: onnxruntime's QuickGelu and
 * skip-norm show up to 3e-8 on the demo models served in float32, where a quarter of the unit roundoff is 1.5e-8. In bfloat16 and
 * float16 that quarter is far above this bound; in float32 a scale error beyond it already is over 4 times the noise floor.
 */
const FLOAT32_ARITHMETIC = 8 * UNIT_ROUNDOFF.float32;

const SEVERITY: readonly Level[] = ['pass', 'inconclusive', 'warn', 'fail'];

interface PlacedJudgement extends Judgement {
  /** Null for a pass. */
  readonly site: Site | null;
}

function worstJudgement(entries: readonly Entry[], dtype: ServingDtype, limits: NumericThresholds): PlacedJudgement {
  // What is not finite has no ratio, and comes first: in the order of the walk, so that the first layer is the one that is named.
  const ratio = ({ measure }: Entry) => (measure.non_finite > 0 ? Number.MAX_VALUE : Math.max(accuracyRatio(measure), maxRatio(measure)));
  const none: PlacedJudgement = { level: 'pass', detail: null, site: null };
  return [...entries]
    .sort((a, b) => ratio(b) - ratio(a))
    .map((entry): PlacedJudgement => ({ ...judge(entry, dtype, limits), site: entry.site }))
    .reduce((worst, judgement) => (SEVERITY.indexOf(judgement.level) > SEVERITY.indexOf(worst.level) ? judgement : worst), none);
}

function judge({ site, output, measure, sequence }: Entry, dtype: ServingDtype, limits: NumericThresholds): Judgement {
  const { level, detail } = judgeMeasure(measure, dtype, limits);
  const { elements, first_non_finite: first } = measure;
  const at = first === null ? '' : `, the first at ${tokenName(sequence, Math.floor((first * sequence.ids.length) / elements))}`;
  return { level, detail: detail === null ? null : `${place(site)}, output ${output}: ${detail}${at}` };
}

/** What a measure is judged to be, and by what when it fails. */
export interface MeasureJudgement extends Judgement {
  readonly by: Criterion | null;
}

/** A mean relative error up to this is none, however surely it is there. */
function invisibleScale({ scale_floor }: Measure, dtype: ServingDtype): number {
  return Math.max(UNIT_ROUNDOFF[dtype] / 4, FLOAT32_ARITHMETIC, 2 * scale_floor);
}

/** The criteria for one output of one call (docs/reference.md). */
export function judgeMeasure(measure: Measure, dtype: ServingDtype, limits: NumericThresholds): MeasureJudgement {
  if (measure.non_finite > 0) {
    return {
      level: 'fail',
      by: 'non_finite',
      detail: `${measure.non_finite} of ${measure.elements} elements are NaN or infinite where the oracle is finite`,
    };
  }
  const ratios = [
    ['accuracy_ratio', accuracyRatio(measure)],
    ['max_ratio', maxRatio(measure)],
  ] as const;
  const [name, ratio] = ratios[0][1] >= ratios[1][1] ? ratios[0] : ratios[1];
  if (ratio > limits.warn_ratio) return { level: 'fail', by: name, detail: `${name} ${ratio.toPrecision(3)} > ${limits.warn_ratio}` };
  const { mean, standard_error: standardError } = measure.scale;
  const beyond = Math.abs(mean);
  if (beyond > limits.scale_standard_errors * standardError && beyond > invisibleScale(measure, dtype)) {
    return {
      level: 'fail',
      by: 'scale_error',
      detail: `all values are off by a factor of ${(1 + mean).toPrecision(5)} (scale error ${mean.toExponential(1)}, ${(beyond / standardError).toFixed(0)} standard errors)`,
    };
  }
  if (ratio > limits.pass_ratio) return { level: 'warn', by: name, detail: `${name} ${ratio.toPrecision(3)} > ${limits.pass_ratio}` };
  return { level: 'pass', by: null, detail: null };
}

/**
 * The smallest scale error that fails this output, whichever its sign: beyond all three bounds of the scale error, from where the kernel stands
 * now; or so large that accuracy_ratio sees it, where the elements are too few for a small standard error (a scale error adds to the rounding errors
 * as squares do). Null: the oracle is 0, and 0 has no scale.
 */
export function smallestScaleError(measure: Measure, dtype: ServingDtype, limits: NumericThresholds): number | null {
  const { mean, standard_error: standardError } = measure.scale;
  const byScale = Math.abs(mean) + Math.max(limits.scale_standard_errors * standardError, invisibleScale(measure, dtype));
  const byRatio = Math.sqrt(Math.max(0, (limits.warn_ratio * measure.rms_floor) ** 2 - measure.rms_error ** 2)) / measure.rms_oracle;
  return finite(Math.min(byScale, byRatio));
}

/** What would have been seen at every site: the largest of its outputs. Where something was seen already there is nothing to look for. */
function smallestOf(entries: readonly Entry[], dtype: ServingDtype, limits: NumericThresholds): number | null {
  const seen = entries.flatMap(({ measure }) =>
    judgeMeasure(measure, dtype, limits).level === 'fail' ? [] : (smallestScaleError(measure, dtype, limits) ?? []),
  );
  return seen.length === 0 ? null : Math.max(...seen);
}
