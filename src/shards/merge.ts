// Joins whatever arrived of a plan into one report. It fails closed: a model without a report that counts is INCONCLUSIVE.

import type { AllowRule } from '../config/types.js';
import { UsageError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ArrivedShard, ModelReport, Report, Verdict } from '../report/types.js';
import { compareWithBaseline } from '../report/baseline.js';
import { isPlain } from '../report/reproduce.js';
import { applyAllowances } from '../verdict/allowances.js';
import { contradiction, type Thresholds } from '../verdict/consistent.js';
import { AFTER_FAILURE } from '../verdict/recommendations.js';
import { gate } from '../verdict/verdict.js';
import type { Arrived, ArrivedReport } from './arrived.js';
import type { Plan, PlannedShard } from './plan.js';

export interface MergeOptions {
  /** Commit that this run speaks of; null: not known, so it is not compared. */
  readonly commit: string | null;
  /** Attempt of the run whose parts these are: nothing in them is of a later one. null: not known. */
  readonly attempt?: number | null;
  /** null: as the plan says. */
  readonly fail_on: Verdict[] | null;
  /** Report to compare with, or why there is none in words; null: none was asked for. */
  readonly baseline?: Report | string | null;
  readonly clock?: () => Date;
}

export interface Merged {
  readonly report: Report;
  /** One line for each part that an earlier attempt left over. */
  readonly notes: string[];
  /** One line for each file that is not what it should be, and why. */
  readonly refused: string[];
}

/**
 * One report of the parts that belong to the newest plan. Without a plan it is the one whole report that arrived.
 * @throws UsageError when nobody can tell what should have arrived
 */
export function merge(arrived: Arrived, options: MergeOptions): Merged {
  const plan = newestPlan(arrived);
  const { attempt = null } = options;
  if (plan === null) return single(arrived, options);
  if (options.commit !== null && plan.commit !== null && options.commit !== plan.commit)
    throw new UsageError(
      `plan.json is of commit ${plan.commit}, but this run is of ${options.commit}: these artifacts belong to another run`,
    );
  if (attempt !== null && plan.attempt > attempt)
    throw new UsageError(
      `plan.json is of attempt ${plan.attempt}, but this run is in attempt ${attempt}: these artifacts belong to another run`,
    );
  const sorted = sortParts(plan, arrived, attempt);
  const { left, refused } = sorted;
  const report = settled(joined(plan, sorted, options), plan.allow, options);
  return { report, notes: left, refused: [...arrived.refused, ...refused.values()].flat() };
}

function newestPlan({ plans, refused }: Arrived): Plan | null {
  const attempt = Math.max(0, ...plans.map(({ plan }) => plan.attempt));
  const newest = plans.filter(({ plan }) => plan.attempt === attempt);
  const [first, other] = [...new Map(newest.map((entry) => [entry.plan.id, entry])).values()];
  if (other !== undefined)
    throw new UsageError(`${quote(first?.file ?? '')} and ${quote(other.file)} are two different plans; give the artifacts of one run`);
  const broken = refused.find((line) => /plan\.json" /.test(line));
  if (first === undefined && broken !== undefined)
    throw new UsageError(`${broken}; without its plan nobody knows what should have arrived`);
  return first?.plan ?? null;
}

/** A run without shards, whose report another workflow posts. */
function single({ reports, refused }: Arrived, options: MergeOptions): Merged {
  const [only] = reports;
  const hint = refused.length === 0 ? '' : `\n${refused.join('\n')}`;
  if (only === undefined)
    throw new UsageError(
      `no plan.json and no report.json arrived: the jobs failed before they wrote any, or their artifacts have other names${hint}`,
    );
  if (reports.length > 1 || only.report.shard !== undefined)
    throw new UsageError(`no plan.json arrived, so nobody knows which shards are missing: upload it in the job of mode plan${hint}`);
  const problem = firstContradiction(only.report.models, only.report.policy, null);
  if (problem !== null) throw new UsageError(`${quote(only.file)} ${problem}`);
  const fail_on = options.fail_on ?? only.report.fail_on;
  const report = {
    ...only.report,
    fail_on,
    gate: gate(only.report.models, fail_on),
    reproduce: harmless(only.report.reproduce),
  };
  return { report: settled(report, only.report.allow, options), notes: [], refused };
}

/** As src/gate.ts ends a run: beside the baseline, with the failures that are allowed today. What the parts say of either does not count. */
function settled(report: Report, rules: readonly AllowRule[], { baseline = null, clock = () => new Date() }: MergeOptions): Report {
  const allow = rules.map(({ model, kernel, reason, until }) => ({ model, kernel, reason, until }));
  const compared = baseline === null ? report : compareWithBaseline(report, baseline);
  return applyAllowances(compared, allow, clock().toISOString().slice(0, 10));
}

/** Arguments that are shown as they are; others nobody could copy. */
function harmless(args: readonly string[]): string[] {
  return args.every(isPlain) ? [...args] : [];
}

interface SortedParts {
  /** The report of each shard that counts: of the last attempt, if that is one. */
  readonly parts: ReadonlyMap<number, ArrivedReport>;
  /** Of attempts before the plan was made anew. */
  readonly left: string[];
  /** Why reports do not count, by the shard that they say they are. */
  readonly refused: ReadonlyMap<number, string[]>;
  /** Files that no shard is known of. */
  readonly unknown: readonly string[];
}

function sortParts(plan: Plan, { reports, refused: unknown }: Arrived, latest: number | null): SortedParts {
  const parts = new Map<number, ArrivedReport>();
  const doubtful = new Map<number, { attempt: number; files: string }>();
  const left: string[] = [];
  const refused = new Map<number, string[]>();
  const refuse = (shard: number, line: string): unknown => refused.set(shard, [...(refused.get(shard) ?? []), line]);
  for (const part of reports) {
    const { shard = 0, attempt = 0 } = part.report.shard ?? {};
    const known = parts.get(shard);
    const knownAttempt = known?.report.shard?.attempt ?? 0;
    if (part.report.shard !== undefined && attempt < plan.attempt) {
      left.push(`${quote(part.file)} is left over from attempt ${attempt}; the plan was made anew in attempt ${plan.attempt}: left out`);
      continue;
    }
    const problem = whyNot(plan, part.report, latest);
    if (problem !== null) refuse(shard, `${quote(part.file)} ${problem}`);
    else if (known === undefined || attempt > knownAttempt) parts.set(shard, part);
    else if (attempt === knownAttempt && !known.bytes.equals(part.bytes))
      doubtful.set(shard, { attempt, files: `${quote(known.file)} and ${quote(part.file)}` });
  }
  for (const [shard, { attempt, files }] of doubtful) {
    if (parts.get(shard)?.report.shard?.attempt !== attempt) continue;
    refuse(shard, `${files} are two different reports of attempt ${attempt}: neither counts`);
    parts.delete(shard);
  }
  return { parts, left, refused, unknown };
}

/** Why a report is no part of the plan, as the end of a sentence; null: it is one. */
function whyNot(plan: Plan, { shard: stamp, tool, policy, fail_on, models }: Report, latest: number | null): string | null {
  if (stamp === undefined) return 'is not the report of a shard';
  if (stamp.plan !== plan.id) return 'belongs to another plan';
  if (stamp.config !== plan.config) return 'was made with another configuration than the plan';
  if (stamp.commit !== plan.commit) return `judged commit ${stamp.commit ?? 'unknown'}, not the plan's ${plan.commit ?? 'unknown'}`;
  if (tool.version !== plan.tool.version) return `was made by version ${quote(tool.version)}, the plan by ${quote(plan.tool.version)}`;
  if (policy !== plan.policy || !sameList(fail_on, plan.fail_on)) return 'followed another policy or fail-on than the plan';
  const planned = plan.shards[stamp.shard - 1];
  if (planned === undefined || stamp.of !== plan.shards.length)
    return `says that it is shard ${stamp.shard} of ${stamp.of}; the plan has ${plan.shards.length}`;
  if (latest !== null && stamp.attempt > latest) return `says that it is of attempt ${stamp.attempt}, but this run is in attempt ${latest}`;
  const ids = models.map(({ id }) => id);
  if (!sameList(ids, planned.models)) return `holds other models than the plan gives to shard ${stamp.shard}`;
  return firstContradiction(models, policy, plan);
}

/** As the end of a sentence. */
function firstContradiction(models: readonly ModelReport[], policy: Report['policy'], thresholds: Thresholds | null): string | null {
  for (const model of models) {
    const found = contradiction(model, policy, thresholds);
    if (found !== null) return `contradicts itself at model ${quote(model.id)}: ${found}. It is not as it was written`;
  }
  return null;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}

function joined(plan: Plan, sorted: SortedParts, { fail_on, clock = () => new Date() }: MergeOptions): Report {
  const { parts } = sorted;
  const reports = [...parts.values()].map(({ report }) => report);
  const judged = new Map(reports.flatMap(({ models }) => models.map((model) => [model.id, model] as const)));
  const missing = new Map(
    plan.shards.flatMap((planned) => planned.models.map((id) => [id, missingModel(id, planned, plan, sorted)] as const)),
  );
  const models = plan.models.flatMap(({ id }) => judged.get(id) ?? missing.get(id) ?? []).map((model) => ({ ...model, baseline: null }));
  const failOn = fail_on ?? plan.fail_on;
  return {
    schema_version: 1,
    tool: { ...plan.tool, onnxruntime: together(reports.map(({ tool }) => tool.onnxruntime)) },
    host: hostOf(reports),
    policy: plan.policy,
    fail_on: failOn,
    gate: gate(models, failOn),
    models,
    baseline: null,
    allow: [],
    reproduce: harmless(reports[0]?.reproduce ?? []),
    shards: plan.shards.map((planned) => arrivedShard(planned, parts.get(planned.shard)?.report)),
    timing: timingOf(plan, reports, clock),
  };
}

function arrivedShard({ shard, models }: PlannedShard, report: Report | undefined): ArrivedShard {
  return { shard, models: models.length, attempt: report?.shard?.attempt ?? null, gpu: report?.host.gpu ?? null };
}

/** Refused files that a reason names. */
const FILES_SHOWN = 3;

function missingModel(id: string, { shard }: PlannedShard, { shards }: Plan, { refused, unknown }: SortedParts): ModelReport {
  const own = refused.get(shard) ?? [];
  const stray = [...refused].flatMap(([of, lines]) => (of < 1 || of > shards.length ? lines : []));
  const other = own.length > 0 ? [] : [...stray, ...unknown];
  const list = (lines: readonly string[]): string => lines.slice(0, FILES_SHOWN).join('; ');
  const why = own.length > 0 ? list(own) : 'its job failed, was cancelled or timed out';
  const unused = other.length === 0 ? '' : ` Of no shard, and not used: ${list(other)}.`;
  const message = `Shard ${shard} of ${shards.length} left no report that counts: ${why}.${unused} Rerun it.`;
  return {
    id,
    revision: null,
    architecture: null,
    dtype: null,
    verdict: 'INCONCLUSIVE',
    reasons: [{ code: 'shard_missing', message }],
    static: null,
    numeric: null,
    diagnosis: [],
    recommendations: [AFTER_FAILURE.shard_missing].filter((line) => line !== undefined),
    baseline: null,
    allowed: null,
  };
}

/** `null` when there is none, the one value, or the different ones in a row. */
function together(values: readonly (string | null)[]): string | null {
  const found = [...new Set(values.filter((value) => value !== null))];
  return found.length === 0 ? null : found.join(', ');
}

/** Runners may differ; what each had is in its own report, and its GPU in `shards`. */
function hostOf(reports: readonly Report[]): Report['host'] {
  const of = (key: keyof Report['host']): string | null => together(reports.map(({ host }) => host[key]));
  return {
    platform: of('platform') ?? process.platform,
    arch: of('arch') ?? process.arch,
    node: of('node') ?? process.version,
    cpu: of('cpu'),
    gpu: of('gpu'),
  };
}

/** From the first start to the last end, which is what the user waited for. */
function timingOf(plan: Plan, reports: readonly Report[], clock: () => Date): Report['timing'] {
  const spans = reports.flatMap(({ timing }) => {
    const start = Date.parse(timing.started_at);
    return Number.isNaN(start) ? [] : [{ start, end: start + timing.duration_ms }];
  });
  const start = spans.length === 0 ? clock().getTime() : Math.min(...spans.map((span) => span.start));
  const end = Math.max(start, ...spans.map((span) => span.end));
  const took = new Map(reports.flatMap(({ timing }) => timing.models.map(({ id, duration_ms }) => [id, duration_ms] as const)));
  const models = plan.models.flatMap(({ id }) => {
    const duration = took.get(id);
    return duration === undefined ? [] : [{ id, duration_ms: duration }];
  });
  return { started_at: new Date(start).toISOString(), duration_ms: end - start, models };
}
