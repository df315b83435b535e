// A model with kernels standing in, as a lane of the walk. Which kernels stand where is src/kernels/sites.ts's.

import { KernelError, type Kernel } from '../kernels/kernel.js';
import type { Placement, Site } from '../kernels/sites.js';
import type { NdArray } from '../reference/ndarray.js';
import type { Recipe } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import { roundToServing } from '../reference/served-weights.js';
import type { Lane, StandIn } from '../reference/walk.js';
import { callKernel, laneInputs, laneOutputs, siteWeights, type SiteContext } from './site.js';

export interface FusedLaneContext extends SiteContext {
  readonly sequence: Sequence;
  /** Eager first: what the lane computes by where nothing stands in. */
  readonly recipes: readonly Recipe[];
}

/**
 * A lane that computes as eager does, with kernels standing in. When a kernel gives up, the values of another lane take over and the failure is noted.
 * @param fallback keeps the outputs of the sites
 */
export function fusedLane(context: FusedLaneContext, placements: readonly Placement<Kernel>[], fallback: Lane, failures: string[]): Lane {
  const standIns = new Map<number, StandIn>();
  for (const { kernel, site } of placements) {
    const standIn: StandIn = {
      end: site.end,
      async run(lane) {
        let outputs = laneOutputs(site, fallback);
        // One failure is all that is reported of this model; a kernel that hangs must not be waited for at every site.
        if (failures.length === 0) {
          try {
            const inputs = { ...laneInputs(site, lane), ...(await siteWeights(context, site)) };
            ({ outputs } = await callKernel(context, kernel, site, inputs, context.sequence));
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            failures.push(`${kernel.name}: ${error.message}`);
          }
        }
        for (const [name, value] of site.outputs) lane.values.set(value, served(outputs[name] as NdArray, context));
      },
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return { recipe: context.recipes[0] as Recipe, values: new Map(), standIns };
}

function served({ data, shape }: NdArray, { dtype }: SiteContext): NdArray {
  return { data: data instanceof Float64Array ? roundToServing(Float32Array.from(data), dtype) : data, shape };
}

/** The kernels that stand in by name, each once. */
export function kernelNames(placements: readonly Placement<Kernel>[]): string {
  return [...new Set(placements.map(({ kernel }) => kernel.name))].join(' ');
}

/** Value → last op of the sites that have it as input or output: what is inside a run need not be kept for it. */
export function lookedAt(sites: readonly Site[]): Map<string, number> {
  const until = new Map<string, number>();
  for (const { inputs, outputs, end } of sites)
    for (const value of [...inputs.values(), ...outputs.values()]) until.set(value, Math.max(end, until.get(value) ?? 0));
  return until;
}
