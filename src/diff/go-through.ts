// The one walk over the weights of a numeric diff: sites compared as they come by, lanes measured from layer to layer and at the logits. What
// the numbers say is conclusion.ts's.

import type { Kernel } from '../kernels/kernel.js';
import type { Placement, Site } from '../kernels/sites.js';
import type { Sums } from '../reference/resting.js';
import type { Sequence } from '../reference/sequence.js';
import { walk, type Lane } from '../reference/walk.js';
import { zeroLogits } from './canaries.js';
import { compareSites } from './compare-sites.js';
import { lookedAt } from './fused-lane.js';
import type { KernelRecord } from './kernel-level.js';
import type { Diff } from './line-up.js';
import { logitsMeter, type LogitsMeter } from './logits-meter.js';
import { layerMeter, type LayerMeter } from './model-level.js';
import { laneInputs, type Tensors } from './site.js';

export interface WentThrough {
  readonly layers: LayerMeter;
  readonly logits: LogitsMeter;
  /** Next token per position, −1 at the end of each prompt. */
  readonly targets: Int32Array;
  /** Eager's inputs of the sites that are to be timed. */
  readonly inputs: ReadonlyMap<Site, Tensors>;
  /** RMS error of the final hidden state over that of the perturbation; null: there was none. */
  readonly sensitivity: number | null;
}

/** Goes through the model once: compares the sites, and measures the lanes from layer to layer and at the logits. */
export async function goThrough(diff: Diff): Promise<WentThrough> {
  const { program, sequence, sitesAt, records, timed, recipes, models } = diff;
  const layers = layerMeter(program, diff.lanes);
  const beside = layerMeter(program, [diff.lanes[0] as Lane, ...(diff.perturbed === null ? [] : [diff.perturbed.lane])]);
  const targets = nextTokens(sequence);
  // After the lanes and the whole models comes the canary of the model level.
  const logits = logitsMeter(diff.lanes.length + models.length + 1, targets);
  const looksBack = [...[...sitesAt.values()].flat(), ...timed, ...placed(diff)].map(({ site }) => site);
  const inputs = new Map<Site, Tensors>();
  const lanes = [...diff.lanes, ...(diff.perturbed === null ? [] : [diff.perturbed.lane])];
  // The lanes go on while the last site is compared, up to the next call of a kernel: kernels are asked in one order, always the same.
  let comparing = Promise.resolve();
  await walk({
    ...diff,
    lanes,
    scanAll: true,
    keep: lookedAt(looksBack),
    beforeStandIns: () => comparing,
    // Whole models are compared with the logits themselves.
    ...(models.length === 0 ? { sums: sumsOf(diff, logits) } : {}),
    async afterOp(index, op) {
      diff.overflow.afterOp(op);
      const here = diff.overflow.found === null ? sitesAt.get(index) : undefined;
      if (here !== undefined) {
        await comparing;
        const sound = here.filter(({ kernel }) => !(records.get(kernel) as KernelRecord).failed);
        comparing = compareSites({ ...diff, eagerLane: { ...diff.eagerLane, values: new Map(diff.eagerLane.values) } }, sound);
        comparing.catch(() => undefined);
      }
      for (const { site } of timed) if (site.end === index) inputs.set(site, laneInputs(site, diff.eagerLane));
      if (diff.perturbed?.site.end === index) await comparing.then(() => diff.perturbed?.perturb(injectedAt(diff, diff.perturbed.site)));
      for (const meter of [layers, beside]) meter.afterOp(op);
      // The last op gives the logits, in blocks that do not wait for a kernel.
      if (index === program.ops.length - 2) for (const model of models) await model.run();
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) diff.onLayer?.(op.layer);
    },
    logits(start, blocks) {
      const compared = blocks.slice(0, 1 + recipes.length);
      logits.add(start, [...blocks, ...models.map((model) => model.block(start, compared)), zeroLogits(blocks)]);
    },
  }).finally(() => comparing);
  return { layers, logits, targets, inputs, sensitivity: diff.perturbed?.sensitivity(beside.final[0]) ?? null };
}

/** What stands in the lanes. */
function placed({ assemblies }: Pick<Diff, 'assemblies'>): Placement<Kernel>[] {
  return assemblies.flatMap(({ placements }) => placements);
}

/** Sums of the logits: of all that no kernel changes together, and of each model with kernels standing in. */
function sumsOf({ lanes, recipes }: Diff, logits: LogitsMeter): Sums {
  const canary = lanes.length;
  // The oracle comes last: it is left out where its logits are seen all the same.
  const pure = [...recipes.map((_, i) => i + 1), canary, 0];
  const which = (lane: Lane | null) => (lane === null ? pure : [lanes.indexOf(lane)]);
  return {
    state: (lane) => logits.state(which(lane)),
    restore(lane, state, whole) {
      logits.restore(lane === null && !whole ? pure.slice(0, -1) : which(lane), state);
    },
  };
}

/** RMS error of the kernel that stands at a site; 0 where it was not measured. */
function injectedAt({ assemblies, records }: Diff, site: Site): number {
  const kernel = placed({ assemblies }).find((placement) => placement.site === site)?.kernel;
  return kernel === undefined ? 0 : (records.get(kernel)?.injected(site)?.rms ?? 0);
}

/** Next token per position, −1 at the end of each prompt. */
function nextTokens({ ids, segments }: Sequence): Int32Array {
  const targets = new Int32Array(ids.length).fill(-1);
  for (const { start, end } of segments) for (let t = start; t + 1 < end; t++) targets[t] = ids[t + 1] as number;
  return targets;
}
