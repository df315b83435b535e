// Names the smallest set of sites (kernel, layers) that makes a whole model leave the reference: models in which the kernels stand in at some of
// their sites only, several side by side in one walk. What a model is judged by is model-level.ts's.

import type { NumericThresholds } from '../config/types.js';
import type { Kernel } from '../kernels/kernel.js';
import type { Placement } from '../kernels/sites.js';
import { ORACLE } from '../reference/recipes.js';
import { walk, type Lane } from '../reference/walk.js';
import type { ModelLevel, Responsible } from '../report/types.js';
import { fusedLane, lookedAt, type FusedLaneContext } from './fused-lane.js';
import { logitsMeter } from './logits-meter.js';
import { judgeLogits, LEAST_KL, SEVERITY } from './model-level.js';

/** Walks over the weights that a search may take, and models side by side in one. */
const MOST_WALKS = 8;
const MOST_LANES = 8;

/** What a model with some of the placements shows. */
export interface Outcome {
  /** It is as bad as the model with all of them. */
  readonly reproduces: boolean;
  readonly kl_ratio: number | null;
}

/** One walk: the outcomes of models with these placements only. */
export type Trial = (subsets: readonly (readonly Placement<Kernel>[])[]) => Promise<readonly Outcome[]>;

export interface Search {
  /** Of the model that is not a pass. */
  readonly placements: readonly Placement<Kernel>[];
  readonly full: Outcome;
  /** Whether a kernel fails at this site by itself, on the reference's own inputs. */
  fails(placement: Placement<Kernel>): boolean;
  readonly trial: Trial;
}

interface Part extends Outcome {
  readonly placements: readonly Placement<Kernel>[];
}

/**
 * Searches the smallest sets of one kernel's layers that alone make the model as bad as it is.
 * @returns empty: no kernel alone does
 */
export async function findResponsible({ placements, full, fails, trial }: Search): Promise<Responsible[]> {
  const tries = limited(trial);
  const suspects = placements.filter(fails);
  const proven = await bySuspects(suspects, placements, full, tries);
  if (proven !== null) return proven.map(named);
  const kernels = byKernel(placements);
  const alone = kernels.length === 1 ? [{ placements, ...full }] : ((await tries(kernels)) ?? []);
  const responsible: Part[] = [];
  for (const part of alone.filter(({ reproduces }) => reproduces)) responsible.push(await narrowed(part, tries));
  return responsible.map(named);
}

/** Runs subsets in as many walks as they need; null when that would be too many. */
type Tries = (subsets: readonly (readonly Placement<Kernel>[])[]) => Promise<Part[] | null>;

function limited(trial: Trial): Tries {
  let walks = 0;
  return async (subsets) => {
    const needed = Math.ceil(subsets.length / MOST_LANES);
    if (walks + needed > MOST_WALKS) return null;
    walks += needed;
    const parts: Part[] = [];
    for (let start = 0; start < subsets.length; start += MOST_LANES) {
      const chosen = subsets.slice(start, start + MOST_LANES);
      const outcomes = await trial(chosen);
      for (const [i, placements] of chosen.entries()) parts.push({ placements, ...(outcomes[i] as Outcome) });
    }
    return parts;
  };
}

/**
 * Sites that fail by themselves are the answer where they alone make the model as bad as it is and the rest does not: one walk, or none where
 * a kernel fails everywhere. Null: they are not.
 */
async function bySuspects(
  suspects: readonly Placement<Kernel>[],
  all: readonly Placement<Kernel>[],
  full: Outcome,
  tries: Tries,
): Promise<Part[] | null> {
  if (suspects.length === 0) return null;
  const kernels = byKernel(suspects);
  const rest = all.filter((placement) => !suspects.includes(placement));
  if (rest.length === 0 && kernels.length === 1) return [{ placements: all, ...full }];
  const parts = await tries([...(rest.length === 0 ? [] : [rest]), ...kernels]);
  if (parts === null) return null;
  const guilty = (rest.length === 0 ? parts : parts.slice(1)).filter(({ reproduces }) => reproduces);
  const innocent = rest.length === 0 || parts[0]?.reproduces === false;
  return innocent && guilty.length > 0 ? guilty : null;
}

/** The layers of a part that alone do what the part does, split again as long as some do and some do not. */
async function narrowed(part: Part, tries: Tries): Promise<Part> {
  let known = part;
  for (;;) {
    const groups = split(known.placements);
    const parts = groups.length < 2 ? null : await tries(groups);
    const hits = parts?.filter(({ reproduces }) => reproduces) ?? [];
    if (hits.length === 0 || hits.length === groups.length) return known;
    const [first] = hits as [Part];
    const together = hits.flatMap(({ placements }) => placements);
    known = hits.length === 1 ? first : ((await tries([together]))?.[0] ?? { ...first, placements: together });
  }
}

/** Up to as many groups of consecutive layers as there is room for; sites of one layer stay together. */
function split(placements: readonly Placement<Kernel>[]): Placement<Kernel>[][] {
  const layers = [...new Set(placements.map(({ site }) => site.layer))];
  const count = Math.min(MOST_LANES, layers.length);
  const group = new Map(layers.map((layer, i) => [layer, Math.floor((i * count) / layers.length)]));
  const groups: Placement<Kernel>[][] = Array.from({ length: count }, () => []);
  for (const placement of placements) groups[group.get(placement.site.layer) as number]?.push(placement);
  return groups;
}

function byKernel(placements: readonly Placement<Kernel>[]): Placement<Kernel>[][] {
  const kernels = [...new Set(placements.map(({ kernel }) => kernel))];
  return kernels.map((kernel) => placements.filter((placement) => placement.kernel === kernel));
}

function named({ placements, kl_ratio }: Part): Responsible {
  const layers = [...new Set(placements.flatMap(({ site }) => site.layer ?? []))].sort((a, b) => a - b);
  return { kernel: placements[0]?.kernel.name ?? '', layers, kl_ratio };
}

export interface TrialContext extends FusedLaneContext {
  readonly limits: NumericThresholds;
  /** Next token per position, −1 where there is none. */
  readonly targets: Int32Array;
  /** Logit noise of the valid recipes per position. */
  readonly noise: readonly number[];
  /** Of the model that is not a pass. */
  readonly level: ModelLevel;
}

/** Walks the weights with the oracle and one lane per subset, and judges each as the whole model was. */
export function walkTrial(context: TrialContext): Trial {
  const { limits, targets, level } = context;
  return async (subsets) => {
    const failures = subsets.map((): string[] => []);
    const oracle: Lane = { recipe: ORACLE, values: new Map(), standIns: new Map() };
    const lanes = [oracle, ...subsets.map((placements, i) => fusedLane(context, placements, oracle, failures[i] as string[]))];
    const meter = logitsMeter(lanes.length, targets);
    await walk({
      ...context,
      lanes,
      scanAll: false,
      keep: lookedAt(subsets.flat().map(({ site }) => site)),
      afterOp: () => Promise.resolve(),
      logits: (start, blocks) => meter.add(start, blocks),
    });
    const logits = meter.summarise([], limits.decisive_margin, context.noise);
    return subsets.map((_, lane): Outcome => {
      if (failures[lane]?.length !== 0) return { reproduces: false, kl_ratio: null };
      const ratio = (logits.kl[lane] as number) / Math.max(level.kl_floor ?? 0, LEAST_KL);
      const { status } = judgeLogits(logits, context.sequence, 0, lane, ratio, limits);
      return {
        reproduces: SEVERITY.indexOf(status) >= SEVERITY.indexOf(level.status) && status !== 'inconclusive',
        kl_ratio: Number.isFinite(ratio) ? ratio : null,
      };
    });
  };
}
