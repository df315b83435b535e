// The numeric diff of one model: kernels teacher-forced at their sites and free-running through the whole model, beside the oracle and the
// valid recipes, in one walk over the weights. What the numbers mean for the verdict is src/verdict's.

import type { Kernel, KernelDevice } from '../kernels/kernel.js';
import type { OpRunner } from '../reference/op-runner.js';
import type { NumericResult } from '../report/types.js';
import { conclude } from './conclusion.js';
import { generate } from './generation.js';
import { goThrough } from './go-through.js';
import type { KernelRecord } from './kernel-level.js';
import { isCompared, lineUp, type Diff, type DiffOptions } from './line-up.js';
import { measurePerformance } from './performance.js';
import { probeSets } from './probe-set.js';
import { runProbes } from './probes.js';

/**
 * Runs the numeric diff. Kernels that have no site in this program are left out of the result.
 * @throws ModelError for prompts that do not fit and for damaged weights; what a kernel does wrong never throws
 */
export async function numericDiff(runner: OpRunner, options: DiffOptions): Promise<NumericResult> {
  const diff = await lineUp(runner, options);
  if (diff.standing.length === 0) return nothing(diff);
  const through = await goThrough(diff);
  const overflow = diff.overflow.found;
  if (overflow !== null) for (const record of diff.records.values()) record.unreached(`not compared: ${overflow}`);
  await probe(diff);
  const { model, causes, timed, writes, noise, ...shown } = await conclude(diff, through);
  const kernels = diff.standing.map((kernel) => (diff.records.get(kernel) as KernelRecord).result(diff.standards.get(kernel)?.result()));
  const levels = [...kernels.map(({ status }) => status), ...(model === null ? [] : [model.status])];
  const isWritten = writes !== null && options.max_new_tokens > 0 && overflow === null;
  const smallest = kernels.flatMap(({ smallest_scale_error: smallestOf }) => smallestOf ?? []);
  return {
    ...nothing(diff),
    status: (['fail', 'inconclusive', 'warn'] as const).find((level) => levels.includes(level)) ?? 'pass',
    kernels,
    causes: [...causes],
    model,
    generation: isWritten ? await generate({ ...diff, fused: writes, noise, decisive_margin: diff.limits.decisive_margin }) : null,
    performance: await measurePerformance(diff, timed),
    canaries: [...diff.standing.flatMap((kernel) => (diff.records.get(kernel) as KernelRecord).canaries), ...shown.canaries],
    controls: [...diff.controls.values(), ...shown.controls],
    smallest_scale_error: smallest.length === 0 ? null : Math.max(...smallest),
  };
}

/** Where no kernel stands anywhere. */
function nothing({ recipes, prompts }: Diff): NumericResult {
  return {
    status: 'inconclusive',
    recipes: recipes.map(({ name }) => name),
    prompt_tokens: prompts.map((prompt) => prompt.length),
    kernels: [],
    causes: [],
    model: null,
    generation: null,
    performance: null,
    canaries: null,
    controls: null,
    smallest_scale_error: null,
  };
}

/** Probes the kernels that gave an answer at every site. Kernels of the same op share inputs and references, one op after the other. */
async function probe(diff: Diff): Promise<void> {
  const { started, sites, devices } = diff;
  const sound = started.filter((kernel) => !(diff.records.get(kernel) as KernelRecord).failed);
  for (const op of new Set(sound.map((kernel) => kernel.op))) {
    const kernels = sound.filter((kernel) => kernel.op === op);
    const compared = (sites.get(kernels[0] as Kernel) ?? []).filter((site) => isCompared(diff, site));
    const sets = await probeSets(diff, compared);
    if (sets.length === 0) continue;
    for (const kernel of kernels) {
      const results = await runProbes(diff, sets, kernel, devices.get(kernel) as KernelDevice);
      (diff.records.get(kernel) as KernelRecord).probed(results);
    }
  }
}
