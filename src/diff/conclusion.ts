// What the numbers of a walk say of the model: its levels, the sites responsible for a fault, causes, and who writes text and is timed.

import { KernelError, type Kernel } from '../kernels/kernel.js';
import type { Placement } from '../kernels/sites.js';
import type { Canary, Cause, Control, ModelLevel } from '../report/types.js';
import { findResponsible, walkTrial } from './bisection.js';
import { modelCanary } from './canaries.js';
import { findCauses } from './causes.js';
import { controlled, modelControl } from './control.js';
import { isGenerator, judgeGenerator, type Generator } from './generator.js';
import type { WentThrough } from './go-through.js';
import type { KernelRecord } from './kernel-level.js';
import type { Diff } from './line-up.js';
import { findModelCause } from './model-causes.js';
import { modelJudgement, modelLevels, worstLevel } from './model-level.js';
import type { Timed } from './performance.js';
import { logitsOf } from './whole-model.js';
import type { FusedModel } from './writers.js';

export interface Conclusion {
  /** The level of the report; null: no model with kernels standing in was measured. */
  readonly model: ModelLevel | null;
  readonly canaries: readonly Canary[];
  readonly controls: readonly Control[];
  readonly causes: readonly Cause[];
  /** Of several models with kernels standing in, the one that the level tells of; null: it gave up, or there is none. */
  readonly writes: FusedModel | null;
  readonly timed: readonly Timed[];
  /** Logit noise of the valid recipes: the median over the positions. */
  readonly noise: number;
}

/** Judges the model with kernels standing in, and whole models; these judgements go into the records of their kernels. */
export async function conclude(diff: Diff, through: WentThrough): Promise<Conclusion> {
  const { recipes, records, assemblies, models, started, limits } = diff;
  const { logits, targets } = through;
  const names = recipes.map(({ name }) => name);
  const noiseLanes = recipes.map((_, i) => i);
  const summary = logits.summarise(noiseLanes, limits.decisive_margin);
  const control = modelControl(summary, names, diff);
  const overflow = diff.overflow.found;
  const levelOf = modelLevels({
    ...diff,
    ...through,
    recipes: names,
    logits: summary,
    assemblies: [
      ...assemblies.map(({ placements, failures }) => ({ placements, failure: failures[0] ?? overflow })),
      ...models.map(({ failure }) => ({ placements: [], failure: failure ?? overflow })),
      { placements: [], failure: null },
    ],
    injected: (placement: Placement<Kernel>) => records.get(placement.kernel)?.injected(placement.site) ?? null,
  });
  const watched = modelCanary(levelOf.pop() as ModelLevel);
  for (const [i, { kernel }] of models.entries()) {
    records.get(kernel)?.conclude(modelJudgement(levelOf[assemblies.length + i] as ModelLevel, limits));
  }
  const generators: Generator[] = [];
  for (const kernel of started.filter(isGenerator))
    generators.push(await judgeGenerator(diff, kernel, records.get(kernel) as KernelRecord));
  levelOf.push(...generators.map(({ level }) => level));
  const noises = logits.perPosition(noiseLanes).map((position) => position.noise);
  const rest = {
    causes: await causesOf(diff, levelOf.slice(assemblies.length)),
    timed: timedCalls(diff, through, generators),
    noise: [...noises].sort((a, b) => a - b)[noises.length >> 1] as number,
  };
  const worst = worstLevel(levelOf);
  if (worst === null) return { ...rest, model: null, canaries: [], controls: [], writes: null };
  const placements = assemblies[levelOf.indexOf(worst)]?.placements;
  const explained = placements === undefined ? worst : await withResponsible(diff, worst, placements, targets, noises);
  return {
    ...rest,
    model: controlled(watched.judged(explained), control),
    canaries: watched.canaries,
    controls: control === null ? [] : [control],
    writes: writers(diff, generators)[levelOf.indexOf(worst)] ?? null,
  };
}

/** The calls that are timed: of each started kernel that did not give up, at its site or on a whole prompt. */
function timedCalls({ timed, models, records, devices }: Diff, { inputs }: WentThrough, generators: readonly Generator[]): Timed[] {
  const placed = timed.map(({ kernel, site }) => ({ kernel, site, inputs: inputs.get(site) }));
  const whole = [...models, ...generators].map(({ kernel, call }) => ({ kernel, ...call }));
  return [...placed, ...whole].flatMap(({ kernel, site, inputs: given }): Timed[] => {
    const device = devices.get(kernel);
    const ran = device !== undefined && !(device instanceof KernelError) && !(records.get(kernel) as KernelRecord).failed;
    return ran && given !== undefined ? [{ kernel, device, site, inputs: given }] : [];
  });
}

/** What can write text, in the order of the model levels; null for what gave up. */
function writers({ assemblies, models, dtype }: Diff, generators: readonly Generator[]): (FusedModel | null)[] {
  return [
    ...assemblies.map(({ placements, failures }): FusedModel | null => (failures.length === 0 ? { kind: 'sites', placements } : null)),
    ...models.map((each): FusedModel | null =>
      each.failure === null ? { kind: 'model', logits: (ids) => logitsOf(each, ids, dtype) } : null,
    ),
    ...generators.map(({ texts }): FusedModel | null => (texts === null ? null : { kind: 'texts', texts })),
  ];
}

/** Causes of the kernels' faults at their sites, and of those that are whole models. */
async function causesOf(diff: Diff, levels: readonly ModelLevel[]): Promise<Cause[]> {
  const causes = await findCauses(diff, diff.suspects);
  for (const [i, model] of diff.models.entries()) {
    const cause = levels[i]?.status === 'fail' || levels[i]?.status === 'warn' ? await findModelCause(diff, model) : null;
    if (cause !== null) causes.push(cause);
  }
  return causes;
}

/** A model level that is not a pass, with the smallest set of sites that makes it so. */
async function withResponsible(
  diff: Diff,
  level: ModelLevel,
  placements: readonly Placement<Kernel>[],
  targets: Int32Array,
  noise: readonly number[],
): Promise<ModelLevel> {
  if (level.status !== 'fail' && level.status !== 'warn') return level;
  const responsible = await findResponsible({
    placements,
    full: { reproduces: true, kl_ratio: level.kl_ratio },
    fails: ({ kernel, site }) => (diff.records.get(kernel) as KernelRecord).fails(site),
    trial: walkTrial({ ...diff, level, targets, noise }),
  });
  return { ...level, responsible };
}
