// Who takes part in the numeric diff of a model: the kernels that run, the sites at which they stand, and the lanes. What is measured of them is
// measured elsewhere.

import type { Program } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import { ModelError } from '../errors.js';
import { KernelError, type Kernel, type KernelDevice } from '../kernels/kernel.js';
import { assemble, findSites, type Placement, type Site } from '../kernels/sites.js';
import type { Keeper } from '../reference/keeper.js';
import type { OpRunner } from '../reference/op-runner.js';
import { ORACLE, validRecipes } from '../reference/recipes.js';
import { joinPrompts } from '../reference/sequence.js';
import type { Lane } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { suspectList } from './causes.js';
import type { SiteComparison } from './compare-sites.js';
import { fusedLane, kernelNames } from './fused-lane.js';
import { isGenerator } from './generator.js';
import { kernelRecord, type KernelRecord } from './kernel-level.js';
import { overflowWatch, type OverflowWatch } from './overflow.js';
import { timedSite } from './performance.js';
import { perturbed, type Perturbed } from './sensitivity.js';
import { isWholeModel, wholeModel, type WholeModel } from './whole-model.js';

export interface DiffOptions {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Path of the checkpoint's folder, for kernels that are a whole model. */
  readonly model: string;
  readonly dtype: ServingDtype;
  /** Token ids of each prompt. */
  readonly prompts: readonly (readonly number[])[];
  readonly kernels: readonly Kernel[];
  /** Kernels of ours that `cuda` kernels are compared with for speed. */
  readonly unfused: readonly Kernel[];
  /** Layers whose sites are compared teacher-forced; sites outside the layers always are. */
  readonly layers: 'all' | readonly number[];
  readonly limits: NumericThresholds;
  /** Most tokens of each text that is written greedily; 0: none is. */
  readonly max_new_tokens: number;
  /** Kernels on the CPU are no evidence. */
  readonly require_gpu: boolean;
  /** Has what the reference made in earlier runs; default: there is none. */
  readonly keeper?: Keeper | null;
  readonly onLayer?: (layer: number) => void;
}

/** All that takes part in the numeric diff of one model. */
export interface Diff extends DiffOptions, SiteComparison {
  /** Kernels with a place in this program. */
  readonly standing: readonly Kernel[];
  /** Those of them that run. */
  readonly started: readonly Kernel[];
  readonly devices: ReadonlyMap<Kernel, KernelDevice | KernelError>;
  readonly sites: ReadonlyMap<Kernel, readonly Site[]>;
  /** Models with kernels standing in: which stand where, and why one gave up, where it did. */
  readonly assemblies: readonly Assembly[];

  /** Oracle, then the recipes (eager first), then models with kernels standing in. */
  readonly lanes: readonly Lane[];
  /** Teacher-forced sites by the index of their last op. */
  readonly sitesAt: ReadonlyMap<number, readonly Placement<Kernel>[]>;
  /** Kernels that are a whole model; their logits come after those of the lanes. */
  readonly models: readonly WholeModel[];
  /** Where each started kernel is timed. */
  readonly timed: readonly Placement<Kernel>[];
  readonly overflow: OverflowWatch;
  /** Null: no kernel stands in anywhere. */
  readonly perturbed: Perturbed | null;
}

export interface Assembly {
  readonly placements: readonly Placement<Kernel>[];
  /** Grows while its lane is computed; empty: no kernel gave up. */
  readonly failures: string[];
}

/**
 * Starts the kernels and lays out what is to be compared. Kernels that have no site in this program are left out.
 * @throws ModelError for prompts that do not fit, and `no_gpu` when a GPU is required and a kernel runs elsewhere, or none can start
 */
export async function lineUp(runner: OpRunner, options: DiffOptions): Promise<Diff> {
  const { program, dtype, kernels, limits } = options;
  const sequence = joinPrompts(program, options.prompts);
  const recipes = validRecipes(dtype);
  const sites = new Map(kernels.map((kernel) => [kernel, findSites(program, kernel.op, options.config)]));
  const standing = kernels.filter((kernel) => isWholeModel(kernel) || isGenerator(kernel) || (sites.get(kernel)?.length ?? 0) > 0);
  const devices = await startKernels(standing, options.require_gpu);
  const names = recipes.map(({ name }) => name);
  const recordOf = (kernel: Kernel) => kernelRecord(kernel, devices.get(kernel) as KernelDevice | KernelError, names, dtype, limits);
  const records = new Map(standing.map((kernel) => [kernel, recordOf(kernel)]));
  const standards = new Map(standing.filter((kernel) => offersStandard(devices.get(kernel))).map((kernel) => [kernel, recordOf(kernel)]));
  // A kernel that cannot start stands nowhere: the model level tells of the others.
  const started = standing.filter((kernel) => !(devices.get(kernel) instanceof KernelError));
  const assemblies = assemble(started, (kernel) => sites.get(kernel) ?? []).map((placements): Assembly => ({ placements, failures: [] }));
  const pure = [ORACLE, ...recipes].map((recipe, i): Lane => {
    // Sites are looked at in eager's lane.
    return { recipe, values: new Map(), standIns: new Map(), kept: { values: i === 1 ? 'looked_at' : 'ends' } };
  });
  const [oracle, eagerLane] = pure as [Lane, Lane];
  const fused = assemblies.map(({ placements, failures }): Lane => {
    const of = kernelNames(placements);
    const context = { ...options, runner, sequence, recipes };
    return { ...fusedLane(context, placements, eagerLane, failures), kept: { values: 'ends', of } };
  });
  const whole = { ...options, sequence };
  const first = assemblies[0]?.placements[0];
  return {
    ...options,
    runner,
    sequence,
    recipes,
    standing,
    started,
    devices,
    sites,
    assemblies,
    records,
    standards,
    models: started.filter(isWholeModel).map((kernel) => wholeModel(kernel, records.get(kernel) as KernelRecord, whole)),
    timed: started.flatMap((kernel) => {
      const site = timedSite(program, sites.get(kernel) ?? []);
      return site === undefined ? [] : [{ kernel, site }];
    }),
    lanes: [...pure, ...fused],
    eagerLane,
    sitesAt: teacherForced(options, sites),
    suspects: suspectList(),
    canariesAt: canarySites(options, sites),
    controls: new Map(),
    overflow: overflowWatch(dtype, sequence, oracle, eagerLane),
    perturbed: first === undefined ? null : perturbed(program, first.site, dtype),
  };
}

/**
 * Starts all kernels at once: drivers and compilers take their time.
 * @throws ModelError `no_gpu` when a GPU is required and a kernel runs elsewhere, or none can start
 */
async function startKernels(kernels: readonly Kernel[], requireGpu: boolean): Promise<Map<Kernel, KernelDevice | KernelError>> {
  const started = await Promise.all(
    kernels.map(async (kernel): Promise<[Kernel, KernelDevice | KernelError]> => {
      try {
        return [kernel, await kernel.start()];
      } catch (error) {
        if (error instanceof KernelError) return [kernel, error];
        throw error;
      }
    }),
  );
  if (!requireGpu) return new Map(started);
  for (const [{ name }, device] of started) {
    if (!(device instanceof KernelError) && !device.gpu)
      throw new ModelError('no_gpu', `require-gpu is set, but kernel ${name} would run on ${device.device}`);
  }
  const [first] = started;
  if (first?.[1] instanceof KernelError && started.every(([, device]) => device instanceof KernelError))
    throw new ModelError('no_gpu', `require-gpu is set, but no kernel could start on a GPU; ${first[0].name}: ${first[1].message}`);
  return new Map(started);
}

function offersStandard(device: KernelDevice | KernelError | undefined): boolean {
  return device !== undefined && !(device instanceof KernelError) && device.variants.includes('standard');
}

/** Whether sites of its layer are compared teacher-forced. */
export function isCompared({ layers }: DiffOptions, { layer }: Site): boolean {
  return layers === 'all' || layer === null || layers.includes(layer);
}

function teacherForced(options: DiffOptions, sites: ReadonlyMap<Kernel, readonly Site[]>): Map<number, Placement<Kernel>[]> {
  const at = new Map<number, Placement<Kernel>[]>();
  for (const [kernel, own] of sites) {
    for (const site of own) {
      if (isCompared(options, site)) at.set(site.end, [...(at.get(site.end) ?? []), { kernel, site }]);
    }
  }
  return at;
}

/** The middle one of the compared sites of each op, where most of what a model does to its values has happened. */
function canarySites(options: DiffOptions, sites: ReadonlyMap<Kernel, readonly Site[]>): Map<string, number> {
  const at = new Map<string, number>();
  for (const [kernel, own] of sites) {
    const compared = own.filter((site) => isCompared(options, site));
    const middle = compared[compared.length >> 1];
    if (middle !== undefined) at.set(kernel.op, middle.start);
  }
  return at;
}
