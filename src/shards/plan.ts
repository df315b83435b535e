// A plan: which models go to which job of a matrix, and on which runner. Pure but for its hash: the same models, sizes and configuration
// give the same plan on every machine.

import { createHash } from 'node:crypto';
import { isAbsolute, relative, sep } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { AllowRule, Config, NumericThresholds, RunsOn, StaticThresholds } from '../config/types.js';
import { UsageError } from '../errors.js';
import { plain } from '../report/escape.js';
import type { Policy, Verdict } from '../report/types.js';
import { costsOf, type ModelSize } from './cost.js';

/** https://docs.github.com/actions/reference/limits: jobs of one matrix. */
const MAX_JOBS = 256;
/** Outputs of a job may have 1 MB, counted as UTF-16. */
const MAX_OUTPUT_BYTES = 1_000_000;
const NAME_LIMIT = 60;

export interface PlannedModel {
  id: string;
  /** Bytes of its weight files; null: not known when the plan was made. */
  bytes: number | null;
  layers: number | null;
  /** In MiB of weights. */
  cost: number;
}

export interface PlannedShard {
  /** From 1. */
  shard: number;
  name: string;
  runs_on: RunsOn;
  /** In the user's order. */
  models: string[];
  cost: number;
}

/** What plan.json holds; schemas/plan.schema.json says the same to the outside. */
export interface Plan {
  schema_version: 1;
  tool: { name: 'fused-compat'; version: string };
  /** SHA-256 over the rest but for `attempt`. */
  id: string;
  /** Attempt of the run that made it. */
  attempt: number;
  /** Commit that is judged; null: not known. */
  commit: string | null;
  /** SHA-256 of the configuration. */
  config: string;
  policy: Policy;
  /** Thresholds, which the merge holds the verdicts of the parts against. */
  static: StaticThresholds;
  numeric: NumericThresholds;
  fail_on: Verdict[];
  /** Known failures; the merge applies them. */
  allow: AllowRule[];
  /** All models, in the user's order. */
  models: PlannedModel[];
  shards: PlannedShard[];
}

/** One entry of the matrix: all that a shard needs to know beside the configuration. */
export interface ShardEntry {
  shard: number;
  of: number;
  plan: string;
  config: string;
  models: string[];
}

export interface Matrix {
  include: (ShardEntry & { name: string; 'runs-on': RunsOn })[];
}

/** Where and when a plan or a report is made. */
export interface Moment {
  readonly cwd: string;
  readonly commit: string | null;
  readonly attempt: number;
}

/**
 * Splits the models of a configuration.
 * @param sizes of the models, in their order
 * @param kernels how many kernels are under test
 * @throws UsageError when there are more kinds of runners than GitHub allows jobs
 */
export function makePlan(config: Config, sizes: readonly ModelSize[], kernels: number, moment: Moment): Plan {
  const costs = costsOf(sizes, config, kernels);
  const models = config.models.map(({ id }, index) => {
    const { bytes = null, layers = null } = sizes[index] ?? {};
    return { id, bytes, layers, cost: costs[index] ?? 1 };
  });
  const { policy, static: limits, numeric, fail_on, allow } = config;
  const body = {
    schema_version: 1 as const,
    tool: { name: 'fused-compat' as const, version: packageJson.version },
    commit: moment.commit,
    config: configDigest(config, moment.cwd),
    policy,
    static: limits,
    numeric,
    fail_on,
    allow,
    models,
    shards: shardsOf(models, config),
  };
  return { ...body, id: planId(body), attempt: moment.attempt };
}

/** The `id` that a plan must have. */
export function planId(plan: Omit<Plan, 'id' | 'attempt'> & Partial<Plan>): string {
  const { schema_version, tool, commit, config, policy, fail_on } = plan;
  const limits = [plan.static, plan.numeric].map((group) => Object.entries(group).sort());
  const allow = plan.allow.map(({ model, kernel, reason, until }) => [model, kernel, reason, until]);
  const models = plan.models.map(({ id, bytes, layers, cost }) => [id, bytes, layers, cost]);
  const shards = plan.shards.map(({ shard, name, runs_on, models: ids, cost }) => [shard, name, runs_on, ids, cost]);
  return sha256([schema_version, tool.name, tool.version, commit, config, policy, limits, fail_on, allow, models, shards]);
}

/**
 * SHA-256 of what decides a verdict: two jobs with the same one judge alike. Paths in the workspace count relative to it, because it is
 * elsewhere on each runner; what only decides where and how fast things run does not count.
 */
export function configDigest(config: Config, cwd: string): string {
  const inWorkspace = (path: string): string => {
    const inside = relative(cwd, path);
    return inside.startsWith('..') || isAbsolute(inside) ? path : inside.split(sep).join('/');
  };
  const { policy, fail_on, dtype, execution_provider, require_gpu, prompts, max_prompt_tokens, layers, numeric } = config;
  return sha256([
    config.models.map(({ id, path }) => [id, inWorkspace(path)]),
    config.kernels === null ? null : inWorkspace(config.kernels),
    [policy, fail_on, dtype, execution_provider, require_gpu, prompts, max_prompt_tokens, layers],
    Object.entries(config.static).sort(),
    Object.entries(numeric).sort(),
  ]);
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

interface Group {
  readonly runs_on: RunsOn;
  readonly models: PlannedModel[];
  shards: number;
}

/** Shards by kind of runner, in the order in which the models ask for them. */
function shardsOf(models: readonly PlannedModel[], config: Config): PlannedShard[] {
  const groups = groupsOf(models, config);
  if (groups.length > MAX_JOBS)
    throw new UsageError(`runners: ${groups.length} kinds of runners; allowed: at most ${MAX_JOBS}, the jobs of one matrix`);
  // One job each, then one more wherever a job has most to do.
  for (let left = Math.min(config.shards, models.length) - groups.length; left > 0; left--) {
    const busiest = groups.filter((group) => group.shards < group.models.length).sort((a, b) => loadOf(b) - loadOf(a))[0];
    if (busiest !== undefined) busiest.shards += 1;
  }
  const parts = groups.flatMap((group) => balance(group).map((part) => ({ runs_on: group.runs_on, part })));
  return parts.map(({ runs_on, part }, index) => ({
    shard: index + 1,
    name: nameOf(index + 1, parts.length, part),
    runs_on,
    models: part.map(({ id }) => id),
    cost: sum(part),
  }));
}

function groupsOf(models: readonly PlannedModel[], { runs_on, runners }: Config): Group[] {
  const groups = new Map<string, Group>();
  for (const model of models) {
    const runner = runners.find((entry) => entry.models.includes(model.id))?.runs_on ?? runs_on;
    const key = JSON.stringify([runner].flat());
    const group = groups.get(key) ?? { runs_on: runner, models: [], shards: 1 };
    group.models.push(model);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function loadOf({ models, shards }: Group): number {
  return sum(models) / shards;
}

function sum(models: readonly PlannedModel[]): number {
  return models.reduce((total, { cost }) => total + cost, 0);
}

/** Longest processing time first: each model, the largest first, goes where least is to do yet. At most 4/3 of the best there is (Graham 1969). */
function balance({ models, shards }: Group): PlannedModel[][] {
  const parts = Array.from({ length: shards }, () => ({ load: 0, models: [] as PlannedModel[] }));
  const order = new Map(models.map((model, index) => [model, index]));
  const position = (model: PlannedModel): number => order.get(model) ?? 0;
  for (const model of [...models].sort((a, b) => b.cost - a.cost || position(a) - position(b))) {
    const least = parts.reduce((best, part) => (part.load < best.load ? part : best));
    least.load += model.cost;
    least.models.push(model);
  }
  return parts.map((part) => part.models.sort((a, b) => position(a) - position(b)));
}

/** `2 of 4: Qwen/Qwen3-8B and 2 more`: the costliest model stands for its shard. */
function nameOf(shard: number, of: number, models: readonly PlannedModel[]): string {
  const main = models.reduce((most, model) => (model.cost > most.cost ? model : most));
  const more = models.length > 1 ? ` and ${models.length - 1} more` : '';
  return `${shard} of ${of}: ${plain(main.id, NAME_LIMIT)}${more}`;
}

/**
 * The plan as a workflow's `strategy: matrix:` takes it, in one line.
 * @throws UsageError when it is larger than a job's output may be
 */
export function matrixOf(plan: Plan): string {
  const matrix: Matrix = {
    include: plan.shards.map((shard) => ({ name: shard.name, 'runs-on': shard.runs_on, ...entryOf(plan, shard) })),
  };
  const text = JSON.stringify(matrix);
  if (text.length * 2 <= MAX_OUTPUT_BYTES) return text;
  throw new UsageError(
    `models: their names make a matrix of ${text.length} characters; GitHub takes ${MAX_OUTPUT_BYTES / 2} from a job. Split the list over several workflows.`,
  );
}

/** What the job of a shard is told. */
export function entryOf(plan: Plan, { shard, models }: PlannedShard): ShardEntry {
  return { shard, of: plan.shards.length, plan: plan.id, config: plan.config, models };
}

/** Lines about entries of `runners` that name no model of the plan: nobody gets that runner. */
export function unusedRunners({ runners, models }: Config): string[] {
  const known = new Set(models.map(({ id }) => id));
  return runners.flatMap((entry, index) =>
    entry.models.filter((id) => !known.has(id)).map((id) => `runners[${index}].models: ${JSON.stringify(plain(id))} is none of the models`),
  );
}
