// Making a plan: the kernels are counted, the models measured, and plan.json is written. How models are split is plan.ts's business.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/types.js';
import { UsageError } from '../errors.js';
import { hubAccess } from '../hub/model.js';
import { quote } from '../hub/names.js';
import type { Environment } from '../hub/settings.js';
import { loadManifests } from '../kernels/manifest.js';
import { SHIPPED_KERNELS } from '../kernels/shipped.js';
import { makePlan, matrixOf, unusedRunners, type Moment, type Plan } from './plan.js';
import { measureModels } from './sizes.js';

export interface PlanRun {
  readonly plan: Plan;
  /** For `strategy: matrix:`, one line of JSON. */
  readonly matrix: string;
  readonly notes: readonly string[];
}

/**
 * Plans the shards of a configuration.
 * @throws UsageError for wrong kernel manifests, and for more than GitHub takes; what is wrong with a model stops nobody here
 */
export async function planRun(config: Config, moment: Moment, env: Environment, log?: (message: string) => void): Promise<PlanRun> {
  const kernels = await kernelCount(config);
  const hub = hubAccess(env, config.offline, log === undefined ? {} : { log });
  try {
    const sizes =
      config.policy === 'static' ? config.models.map(() => ({ bytes: null, layers: null })) : await measureModels(config.models, hub);
    const plan = makePlan(config, sizes, kernels, moment);
    return { plan, matrix: matrixOf(plan), notes: unusedRunners(config) };
  } finally {
    await hub.close();
  }
}

async function kernelCount({ policy, kernels }: Config): Promise<number> {
  if (policy === 'static') return 0;
  return (kernels === null ? SHIPPED_KERNELS : await loadManifests(kernels)).length;
}

/**
 * Writes plan.json into `folder`, which is made if it is not there.
 * @returns its path
 * @throws UsageError that names the folder
 */
export async function writePlan(plan: Plan, folder: string): Promise<string> {
  const path = join(folder, 'plan.json');
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, `${JSON.stringify(plan, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`output: the plan cannot be written to ${quote(folder)} (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  return path;
}
