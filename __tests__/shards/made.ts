// Configurations, plans and parts for the tests of shards: real files in a folder, as artifacts leave them.

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/types.js';
import type { ModelReport, NumericResult, Report, Verdict } from '../../src/report/types.js';
import { serializeReport } from '../../src/report/write.js';
import { entryOf, makePlan, type Plan } from '../../src/shards/plan.js';
import { stamped, stampOf } from '../../src/shards/shard.js';
import { aReport } from '../github/report.js';
import { modelReport, numericAt, qwenStatic, staticResult } from '../support/report.js';

export const COMMIT = 'a'.repeat(40);
export const CWD = '/work';

export function configOf(models: string[], overrides: Record<string, unknown> = {}): Promise<Config> {
  return loadConfig({ cwd: CWD, overrides: { models, ...overrides } });
}

/** Twelve models of 1, 2, ... 12 GiB. */
export const TWELVE = Array.from({ length: 12 }, (_, index) => `org/model-${index + 1}`);

export async function planOf(models: string[], overrides: Record<string, unknown> = {}, attempt = 1): Promise<Plan> {
  const sizes = models.map((_, index) => ({ bytes: (index + 1) * 2 ** 30, layers: 28 }));
  return makePlan(await configOf(models, overrides), sizes, 6, { cwd: CWD, commit: COMMIT, attempt });
}

const MADE: Record<Verdict, Partial<ModelReport>> = {
  COMPATIBLE: { static: staticResult(), numeric: numericAt('pass') },
  WARNING: { static: qwenStatic(), numeric: numericAt('pass') },
  INCOMPATIBLE: { static: staticResult(), numeric: numericAt('fail') },
  IMPLEMENTATION_ISSUE: { static: staticResult(), numeric: standardFails() },
  INCONCLUSIVE: { static: staticResult(), numeric: numericAt('inconclusive') },
};

function standardFails(): NumericResult {
  const numeric = numericAt('inconclusive');
  const standard = { status: 'fail' as const, detail: 'it fails', accuracy_ratio: 9, max_abs_diff: 1, bitwise_equal: 0 };
  return { ...numeric, kernels: numeric.kernels.map((kernel) => ({ ...kernel, standard })) };
}

/** A model whose numbers make it `verdict` under policy evidence. */
export function judgedModel(id: string, verdict: Verdict): ModelReport {
  return modelReport({ id, verdict, reasons: [{ code: 'kernel_pass', message: 'the numbers say so' }], ...MADE[verdict] });
}

export interface PartOf {
  attempt?: number;
  verdict?: Verdict;
  /** Changes to the report of the shard. */
  change?: (report: Report) => unknown;
}

/** The text of the report of one shard. */
export function partOf(
  plan: Plan,
  number: number,
  { attempt = 1, verdict = 'COMPATIBLE', change = (report) => report }: PartOf = {},
): string {
  const planned = plan.shards[number - 1];
  if (planned === undefined) throw new Error(`the plan has no shard ${number}`);
  const report = aReport(
    planned.models.map((id) => judgedModel(id, verdict)),
    plan.fail_on,
  );
  const tool = { ...report.tool, version: plan.tool.version };
  const stamp = stampOf(entryOf(plan, planned), { cwd: CWD, commit: plan.commit, attempt });
  const whole = stamped({ ...report, tool, policy: plan.policy }, stamp);
  const changed = change(whole);
  return changed === whole ? serializeReport(whole) : JSON.stringify(changed);
}

/** A folder with these files, by their path in it. */
export async function folderOf(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'fused-compat-parts-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}
