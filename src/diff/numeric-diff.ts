// The numeric diff of one model: kernels teacher-forced at their sites and free-running through the whole model, beside the oracle and the
// valid recipes, in one walk over the weights. What the numbers mean for the verdict is src/verdict's.

import type { Program } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import { ModelError } from '../errors.js';
import { KernelError, type Kernel, type KernelDevice } from '../kernels/kernel.js';
import { assemble, findSites, type Placement, type Site } from '../kernels/sites.js';
import type { Keeper } from '../reference/keeper.js';
import type { OpRunner } from '../reference/op-runner.js';
import { ORACLE, validRecipes } from '../reference/recipes.js';
import type { Sums } from '../reference/resting.js';
import { joinPrompts, type Sequence } from '../reference/sequence.js';
import { walk, type Lane } from '../reference/walk.js';
import type { Cause, ModelLevel, NumericResult, ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { findResponsible, walkTrial } from './bisection.js';
import { modelCanary, zeroLogits } from './canaries.js';
import { findCauses, suspectList } from './causes.js';
import { compareSites, type SiteComparison } from './compare-sites.js';
import { controlled, modelControl } from './control.js';
import { fusedLane, lookedAt } from './fused-lane.js';
import { generate } from './generation.js';
import { isGenerator, judgeGenerator, type Generator } from './generator.js';
import { kernelRecord, type KernelRecord } from './kernel-level.js';
import { logitsMeter, type LogitsMeter } from './logits-meter.js';
import { measurePerformance, timedSite, type Timed } from './performance.js';
import { findModelCause } from './model-causes.js';
import { layerMeter, modelJudgement, modelLevels, worstLevel, type LayerMeter } from './model-level.js';
import { probeSets } from './probe-set.js';
import { runProbes } from './probes.js';
import { overflowWatch, type OverflowWatch } from './overflow.js';
import { perturbed, type Perturbed } from './sensitivity.js';
import { laneInputs, type Tensors } from './site.js';
import { isWholeModel, logitsOf, wholeModel, type WholeModel } from './whole-model.js';
import type { FusedModel } from './writers.js';

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

interface Diff extends DiffOptions, SiteComparison {
  /** Oracle, then the recipes (eager first), then models with kernels standing in. */
  readonly lanes: readonly Lane[];
  /** Teacher-forced sites by the index of their last op. */
  readonly sitesAt: ReadonlyMap<number, readonly Placement<Kernel>[]>;
  /** Kernels that are a whole model; their logits come after those of the lanes. */
  readonly models: readonly WholeModel[];
  /** What stands in the lanes. */
  readonly placed: readonly Placement<Kernel>[];
  /** Where each started kernel is timed. */
  readonly timed: readonly Placement<Kernel>[];
  readonly overflow: OverflowWatch;
  /** Null: no kernel stands in anywhere. */
  readonly perturbed: Perturbed | null;
}

/**
 * Runs the numeric diff. Kernels that have no site in this program are left out of the result.
 * @throws ModelError for prompts that do not fit and for damaged weights; what a kernel does wrong never throws
 */
export async function numericDiff(runner: OpRunner, options: DiffOptions): Promise<NumericResult> {
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
  const base: NumericResult = {
    status: 'inconclusive',
    recipes: names,
    prompt_tokens: options.prompts.map((prompt) => prompt.length),
    kernels: [],
    causes: [],
    model: null,
    generation: null,
    performance: null,
    canaries: null,
    controls: null,
    smallest_scale_error: null,
  };
  if (standing.length === 0) return base;

  // A kernel that cannot start stands nowhere: the model level tells of the others.
  const started = standing.filter((kernel) => !(devices.get(kernel) instanceof KernelError));
  const assemblies = assemble(started, (kernel) => sites.get(kernel) ?? []);
  const pure = [ORACLE, ...recipes].map((recipe, i): Lane => {
    // Sites are looked at in eager's lane.
    return { recipe, values: new Map(), standIns: new Map(), kept: { values: i === 1 ? 'looked_at' : 'ends' } };
  });
  const whole = { ...options, sequence };
  const models = started.filter(isWholeModel).map((kernel) => wholeModel(kernel, records.get(kernel) as KernelRecord, whole));
  const failures = assemblies.map((): string[] => []);
  const first = assemblies[0]?.[0];
  const fused: Lane[] = [];
  const diff: Diff = {
    ...options,
    runner,
    sequence,
    recipes,
    records,
    standards,
    models,
    placed: assemblies.flat(),
    timed: started.flatMap((kernel) => {
      const site = timedSite(options.program, sites.get(kernel) ?? []);
      return site === undefined ? [] : [{ kernel, site }];
    }),
    lanes: [],
    eagerLane: pure[1] as Lane,
    sitesAt: teacherForced(options, sites),
    suspects: suspectList(),
    canariesAt: canarySites(options, sites),
    controls: new Map(),
    overflow: overflowWatch(dtype, sequence, pure[0] as Lane, pure[1] as Lane),
    perturbed: first === undefined ? null : perturbed(program, first.site, dtype),
  };
  for (const [i, placements] of assemblies.entries()) {
    const of = [...new Set(placements.map(({ kernel }) => kernel.name))].join(' ');
    fused.push({ ...fusedLane(diff, placements, diff.eagerLane, failures[i] as string[]), kept: { values: 'ends', of } });
  }
  const lanes = [...pure, ...fused];
  const layers = layerMeter(program, lanes);
  const beside = layerMeter(program, [pure[0] as Lane, ...(diff.perturbed === null ? [] : [diff.perturbed.lane])]);
  const targets = nextTokens(sequence);
  // After the lanes and the whole models comes the canary of the model level.
  const logits = logitsMeter(lanes.length + models.length + 1, targets);
  const inputs = await run({ ...diff, lanes }, [layers, beside], logits);
  const overflow = diff.overflow.found;
  if (overflow !== null) for (const record of records.values()) record.unreached(`not compared: ${overflow}`);
  await probe(diff, started, sites, devices);

  const noise = recipes.map((_, i) => i);
  const summary = logits.summarise(noise, limits.decisive_margin);
  const control = modelControl(summary, names, diff);
  const levelOf = modelLevels({
    program,
    sequence,
    recipes: names,
    assemblies: [
      ...assemblies.map((placements, i) => ({ placements, failure: failures[i]?.[0] ?? overflow })),
      ...models.map(({ failure }) => ({ placements: [], failure: failure ?? overflow })),
      { placements: [], failure: null },
    ],
    injected: (placement: Placement<Kernel>) => records.get(placement.kernel)?.injected(placement.site) ?? null,
    layers,
    logits: summary,
    sensitivity: diff.perturbed?.sensitivity(beside.final[0]) ?? null,
    limits,
  });
  const watched = modelCanary(levelOf.pop() as ModelLevel);
  for (const [i, { kernel }] of models.entries()) {
    records.get(kernel)?.conclude(modelJudgement(levelOf[assemblies.length + i] as ModelLevel, limits));
  }
  const generators: Generator[] = [];
  for (const kernel of started.filter(isGenerator))
    generators.push(await judgeGenerator(diff, kernel, records.get(kernel) as KernelRecord));
  levelOf.push(...generators.map(({ level }) => level));
  const worst = worstLevel(levelOf);
  const placements = worst === null ? undefined : assemblies[levelOf.indexOf(worst)];
  const judged =
    worst === null ? null : watched.judged(placements === undefined ? worst : await explained(diff, worst, placements, targets, logits));
  const model = judged === null ? null : controlled(judged, control);
  const results = standing.map((kernel) => (records.get(kernel) as KernelRecord).result(standards.get(kernel)?.result()));
  const levels = [...results.map(({ status }) => status), ...(model === null ? [] : [model.status])];
  const status = (['fail', 'inconclusive', 'warn'] as const).find((level) => levels.includes(level)) ?? 'pass';
  // Of several models with kernels standing in, the one that the model level tells of.
  const fusedModel = worst === null ? null : (writers(diff, assemblies, failures, generators)[levelOf.indexOf(worst)] ?? null);
  const noises = logits.perPosition(noise).map((position) => position.noise);
  const smallest = results.flatMap(({ smallest_scale_error: smallestOf }) => smallestOf ?? []);
  return {
    ...base,
    status,
    kernels: results,
    causes: await causesOf(diff, models, levelOf.slice(assemblies.length)),
    model,
    generation:
      fusedModel === null || options.max_new_tokens === 0 || overflow !== null
        ? null
        : await generate({
            ...diff,
            fused: fusedModel,
            noise: noises.sort((a, b) => a - b)[noises.length >> 1] as number,
            decisive_margin: limits.decisive_margin,
          }),
    performance: await measurePerformance(diff, timedCalls(diff, devices, inputs, generators)),
    canaries: [
      ...standing.flatMap((kernel) => (records.get(kernel) as KernelRecord).canaries),
      ...(model === null ? [] : watched.canaries),
    ],
    controls: [...diff.controls.values(), ...(model === null || control === null ? [] : [control])],
    smallest_scale_error: smallest.length === 0 ? null : Math.max(...smallest),
  };
}

/** The calls that are timed: of each started kernel that did not give up, at its site or on a whole prompt. */
function timedCalls(
  { timed, models, records }: Diff,
  devices: ReadonlyMap<Kernel, KernelDevice | KernelError>,
  inputs: ReadonlyMap<Site, Tensors>,
  generators: readonly Generator[],
): Timed[] {
  const placed = timed.map(({ kernel, site }) => ({ kernel, site, inputs: inputs.get(site) }));
  const whole = [...models, ...generators].map(({ kernel, call }) => ({ kernel, ...call }));
  return [...placed, ...whole].flatMap(({ kernel, site, inputs: given }): Timed[] => {
    const device = devices.get(kernel);
    const ran = device !== undefined && !(device instanceof KernelError) && !(records.get(kernel) as KernelRecord).failed;
    return ran && given !== undefined ? [{ kernel, device, site, inputs: given }] : [];
  });
}

/** What can write text, in the order of the model levels; null for what gave up. */
function writers(
  { models, dtype }: Diff,
  assemblies: readonly (readonly Placement<Kernel>[])[],
  failures: readonly (readonly string[])[],
  generators: readonly Generator[],
): (FusedModel | null)[] {
  return [
    ...assemblies.map((placements, i): FusedModel | null => (failures[i]?.length === 0 ? { kind: 'sites', placements } : null)),
    ...models.map((each): FusedModel | null =>
      each.failure === null ? { kind: 'model', logits: (ids) => logitsOf(each, ids, dtype) } : null,
    ),
    ...generators.map(({ texts }): FusedModel | null => (texts === null ? null : { kind: 'texts', texts })),
  ];
}

/** Causes of the kernels' faults at their sites, and of those that are whole models. */
async function causesOf(diff: Diff, models: readonly WholeModel[], levels: readonly ModelLevel[]): Promise<Cause[]> {
  const causes = await findCauses(diff, diff.suspects);
  for (const [i, model] of models.entries()) {
    const cause = levels[i]?.status === 'fail' || levels[i]?.status === 'warn' ? await findModelCause(diff, model) : null;
    if (cause !== null) causes.push(cause);
  }
  return causes;
}

/** A model level that is not a pass, with the smallest set of sites that makes it so. */
async function explained(
  diff: Diff,
  level: ModelLevel,
  placements: readonly Placement<Kernel>[],
  targets: Int32Array,
  logits: LogitsMeter,
): Promise<ModelLevel> {
  if (level.status !== 'fail' && level.status !== 'warn') return level;
  const noise = logits.perPosition(diff.recipes.map((_, i) => i)).map((position) => position.noise);
  const responsible = await findResponsible({
    placements,
    full: { reproduces: true, kl_ratio: level.kl_ratio },
    fails: ({ kernel, site }) => (diff.records.get(kernel) as KernelRecord).fails(site),
    trial: walkTrial({ ...diff, level, targets, noise }),
  });
  return { ...level, responsible };
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

/** @returns eager's inputs of the sites that are to be timed */
async function run(diff: Diff, meters: readonly LayerMeter[], logits: LogitsMeter): Promise<Map<Site, Tensors>> {
  const { program, sitesAt, records, timed, recipes, models } = diff;
  const looksBack = [...[...sitesAt.values()].flat(), ...timed, ...diff.placed].map(({ site }) => site);
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
      for (const meter of meters) meter.afterOp(op);
      // The last op gives the logits, in blocks that do not wait for a kernel.
      if (index === program.ops.length - 2) for (const model of models) await model.run();
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) diff.onLayer?.(op.layer);
    },
    logits(start, blocks) {
      const compared = blocks.slice(0, 1 + recipes.length);
      logits.add(start, [...blocks, ...models.map((model) => model.block(start, compared)), zeroLogits(blocks)]);
    },
  }).finally(() => comparing);
  return inputs;
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
function injectedAt({ placed, records }: Diff, site: Site): number {
  const kernel = placed.find((placement) => placement.site === site)?.kernel;
  return kernel === undefined ? 0 : (records.get(kernel)?.injected(site)?.rms ?? 0);
}

/** Probes the kernels that gave an answer at every site. Kernels of the same op share inputs and references, one op after the other. */
async function probe(
  diff: Diff,
  started: readonly Kernel[],
  sites: ReadonlyMap<Kernel, readonly Site[]>,
  devices: ReadonlyMap<Kernel, KernelDevice | KernelError>,
): Promise<void> {
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

/** Next token per position, −1 at the end of each prompt. */
function nextTokens({ ids, segments }: Sequence): Int32Array {
  const targets = new Int32Array(ids.length).fill(-1);
  for (const { start, end } of segments) for (let t = start; t + 1 < end; t++) targets[t] = ids[t + 1] as number;
  return targets;
}

function isCompared({ layers }: DiffOptions, { layer }: Site): boolean {
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
