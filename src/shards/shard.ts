// One shard of a plan: the models it judges and the stamp on its report. Where a shard is told which it is: from the matrix, or from plan.json.

import type { Config } from '../config/types.js';
import { UsageError } from '../errors.js';
import { FileProblem, checked, readJsonFile, schemaCheck } from '../report/read.js';
import { plain } from '../report/escape.js';
import type { Report, ShardStamp } from '../report/types.js';
import planSchema from '../../schemas/plan.schema.json' with { type: 'json' };
import { configDigest, entryOf, planId, type Moment, type Plan, type ShardEntry } from './plan.js';

/** 1000 models with the longest names in JSON's longest spelling. */
export const PLAN_BYTES = 64 * 2 ** 20;

const isPlan = schemaCheck<Plan>(planSchema);
const { shard, models } = planSchema.properties.shards.items.properties;
const isEntry = schemaCheck<ShardEntry>({
  type: 'object',
  required: ['shard', 'of', 'plan', 'config', 'models'],
  properties: { shard, of: shard, plan: planSchema.properties.id, config: planSchema.properties.config, models },
});

/**
 * `value` as a plan: by its schema, with the id that its content has, and each model in exactly one shard.
 * @throws FileProblem
 */
export function asPlan(value: unknown): Plan {
  const plan = checked(value, isPlan, 'a plan');
  if (planId(plan) !== plan.id) throw new FileProblem('is not a plan as it was made: its id does not fit its content');
  const all = new Set(plan.models.map(({ id }) => id));
  const given = plan.shards.flatMap((entry) => entry.models);
  const numbered = plan.shards.every((entry, index) => entry.shard === index + 1);
  const each = all.size === plan.models.length && given.length === all.size && given.every((id) => all.has(id));
  if (!numbered || !each || new Set(given).size !== given.length)
    throw new FileProblem('is not a plan: each of its models must be in one shard, and shards count from 1');
  return plan;
}

/**
 * Shard `K/N` of a plan.json.
 * @throws UsageError
 */
export async function entryFromPlan(wanted: string, path: string, name: string): Promise<ShardEntry> {
  const [, number = '', of = ''] = /^(\d{1,3})\/(\d{1,3})$/.exec(wanted) ?? [];
  if (number === '') throw new UsageError(`--shard: ${JSON.stringify(wanted)} is not allowed; allowed: K/N, such as 2/4`);
  const plan = await planFile(path, name);
  const found = plan.shards.find((entry) => entry.shard === Number(number));
  if (found === undefined || Number(of) !== plan.shards.length)
    throw new UsageError(`--shard: ${wanted} is not in ${name}, which has ${plan.shards.length} shards: 1/${plan.shards.length} ...`);
  return entryOf(plan, found);
}

async function planFile(path: string, name: string): Promise<Plan> {
  try {
    return asPlan((await readJsonFile(path, PLAN_BYTES)).value);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new UsageError(`${name} ${error.message}; \`fused-compat plan\` makes it`);
  }
}

/**
 * The entry of a matrix, as `toJSON(matrix)` gives it; keys that the user added are left alone.
 * @throws UsageError
 */
export function entryFromMatrix(text: string, name: string): ShardEntry {
  try {
    const { shard: number, of, plan, config, models: ids } = checked(JSON.parse(text) as unknown, isEntry, 'an entry of the matrix');
    return { shard: number, of, plan, config, models: ids };
  } catch (error) {
    const why = error instanceof FileProblem ? error.message : 'is not JSON';
    throw new UsageError(`${name} ${why}; allowed: \${{ toJSON(matrix) }} in a job whose matrix is the output of mode plan`);
  }
}

/**
 * The configuration of one shard. What is allowed and what changed is told of all models together, when they are merged.
 * @throws UsageError when this job is configured in another way than the plan
 */
export function shardConfig(config: Config, entry: ShardEntry, cwd: string): Config {
  const known = new Map(config.models.map((ref) => [ref.id, ref]));
  const unknown = entry.models.find((id) => !known.has(id));
  const same = configDigest(config, cwd) === entry.config;
  if (unknown === undefined && same)
    return { ...config, models: entry.models.flatMap((id) => known.get(id) ?? []), baseline: null, allow: [] };
  const difference = unknown === undefined ? '' : `, which has no model ${JSON.stringify(plain(unknown))}`;
  throw new UsageError(
    `shard ${entry.shard} of ${entry.of}: the configuration here is not the one that the plan was made with${difference}. ` +
      'Give every shard the same configuration file and the same inputs or options as the plan.',
  );
}

/** The stamp that ties a report to its shard. */
export function stampOf({ shard: number, of, plan, config }: ShardEntry, { commit, attempt }: Moment): ShardStamp {
  return { shard: number, of, plan, config, commit, attempt };
}

/** The report of a shard. */
export function stamped(report: Report, stamp: ShardStamp): Report {
  return { ...report, shard: stamp };
}
