// The numeric diff of one model: kernels teacher-forced at their sites and free-running through the whole model, beside the oracle and the
// valid recipes, in one walk over the weights. What the numbers mean for the verdict is src/verdict's.

import type { Program } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import { ModelError } from '../errors.js';
import { KernelError, type Kernel, type KernelDevice, type Variant } from '../kernels/kernel.js';
import { assemble, findSites, type Placement, type Site } from '../kernels/sites.js';
import type { NdArray } from '../reference/ndarray.js';
import type { OpRunner } from '../reference/op-runner.js';
import { ORACLE, validRecipes, type Recipe } from '../reference/recipes.js';
import { joinPrompts, type Sequence } from '../reference/sequence.js';
import { walk, type Lane, type StandIn } from '../reference/walk.js';
import type { ModelLevel, NumericResult, ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { kernelRecord, type KernelRecord } from './kernel-level.js';
import { logitsMeter, type LogitsMeter } from './logits-meter.js';
import { measure } from './measure.js';
import { measurePerformance, timedSite, type Timed } from './performance.js';
import { layerMeter, modelJudgement, modelLevels, worstLevel, type LayerMeter } from './model-level.js';
import { probeSet } from './probe-set.js';
import { runProbes } from './probes.js';
import { callKernel, laneInputs, laneOutputs, runSite, siteWeights, type Called, type Tensors } from './site.js';
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
  /** Kernels on the CPU are no evidence. */
  readonly require_gpu: boolean;
  readonly onLayer?: (layer: number) => void;
}

interface Diff extends DiffOptions {
  readonly runner: OpRunner;
  readonly sequence: Sequence;
  readonly recipes: readonly Recipe[];
  /** Oracle, then the recipes (eager first), then models with kernels standing in. */
  readonly lanes: readonly Lane[];
  readonly eagerLane: Lane;
  /** Teacher-forced sites by the index of their last op. */
  readonly sitesAt: ReadonlyMap<number, readonly Placement<Kernel>[]>;
  readonly records: ReadonlyMap<Kernel, KernelRecord>;
  /** Of the kernels that offer a `standard` variant. */
  readonly standards: ReadonlyMap<Kernel, KernelRecord>;
  /** Kernels that are a whole model; their logits come after those of the lanes. */
  readonly models: readonly WholeModel[];
  /** What stands in the lanes. */
  readonly placed: readonly Placement<Kernel>[];
  /** Where each started kernel is timed. */
  readonly timed: readonly Placement<Kernel>[];
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
  const standing = kernels.filter((kernel) => isWholeModel(kernel) || (sites.get(kernel)?.length ?? 0) > 0);
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
    model: null,
    generation: null,
    performance: null,
    canaries: null,
  };
  if (standing.length === 0) return base;

  // A kernel that cannot start stands nowhere: the model level tells of the others.
  const started = standing.filter((kernel) => !(devices.get(kernel) instanceof KernelError));
  const assemblies = assemble(started, (kernel) => sites.get(kernel) ?? []);
  const pure = [ORACLE, ...recipes].map((recipe): Lane => ({ recipe, values: new Map(), standIns: new Map() }));
  const whole = { ...options, sequence };
  const models = started.filter(isWholeModel).map((kernel) => wholeModel(kernel, records.get(kernel) as KernelRecord, whole));
  const failures = assemblies.map((): string[] => []);
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
  };
  for (const [i, placements] of assemblies.entries()) fused.push(fusedLane(diff, placements, failures[i] as string[]));
  const lanes = [...pure, ...fused];
  const layers = layerMeter(program, lanes);
  const logits = logitsMeter(lanes.length + models.length, nextTokens(sequence));
  const inputs = await run({ ...diff, lanes }, layers, logits);
  await probe(diff, started, sites, devices);

  const noise = recipes.map((_, i) => i);
  const levelOf = modelLevels({
    program,
    recipes: names,
    assemblies: [
      ...assemblies.map((placements, i) => ({ placements, failure: failures[i]?.[0] ?? null })),
      ...models.map(({ failure }) => ({ placements: [], failure })),
    ],
    injected: (placement: Placement<Kernel>) => records.get(placement.kernel)?.injected(placement.site) ?? null,
    layers,
    logits: logits.summarise(noise, limits.decisive_margin),
    limits,
  });
  for (const [i, { kernel }] of models.entries()) {
    records.get(kernel)?.conclude(modelJudgement(levelOf[assemblies.length + i] as ModelLevel, limits));
  }
  const model = worstLevel(levelOf);
  const results = standing.map((kernel) => (records.get(kernel) as KernelRecord).result(standards.get(kernel)?.result()));
  const levels = [...results.map(({ status }) => status), ...(model === null ? [] : [model.status])];
  const status = (['fail', 'inconclusive', 'warn'] as const).find((level) => levels.includes(level)) ?? 'pass';
  const placed = diff.timed.map(({ kernel, site }) => ({ kernel, site, inputs: inputs.get(site) }));
  const timed = [...placed, ...models.map(({ kernel, call }) => ({ kernel, ...call }))].flatMap(
    ({ kernel, site, inputs: given }): Timed[] => {
      const device = devices.get(kernel);
      const ran = device !== undefined && !(device instanceof KernelError) && !(records.get(kernel) as KernelRecord).failed;
      return ran && given !== undefined ? [{ kernel, device, site, inputs: given }] : [];
    },
  );
  return { ...base, status, kernels: results, model, performance: await measurePerformance(diff, timed) };
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
async function run(diff: Diff, layers: LayerMeter, logits: LogitsMeter): Promise<Map<Site, Tensors>> {
  const { program, sitesAt, records, timed, recipes, models } = diff;
  const looksBack = [...[...sitesAt.values()].flat(), ...timed, ...diff.placed].map(({ site }) => site);
  const inputs = new Map<Site, Tensors>();
  await walk({
    ...diff,
    scanAll: true,
    keep: lookedAt(looksBack),
    async afterOp(index, op) {
      await compareSites(
        diff,
        (sitesAt.get(index) ?? []).filter(({ kernel }) => !(records.get(kernel) as KernelRecord).failed),
      );
      for (const { site } of timed) if (site.end === index) inputs.set(site, laneInputs(site, diff.eagerLane));
      layers.afterOp(op);
      // The last op gives the logits, in blocks that do not wait for a kernel.
      if (index === program.ops.length - 2) for (const model of models) await model.run();
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) diff.onLayer?.(op.layer);
    },
    logits(start, blocks) {
      const compared = blocks.slice(0, 1 + recipes.length);
      logits.add(start, [...blocks, ...models.map((model) => model.block(start, compared))]);
    },
  });
  return inputs;
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
    const set = await probeSet(diff, compared);
    if (set === null) continue;
    for (const kernel of kernels) {
      const results = await runProbes(diff, set, kernel, devices.get(kernel) as KernelDevice);
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

/** Value → last op of the sites that have it as input or output: what is inside a run need not be kept for it. */
function lookedAt(sites: readonly Site[]): Map<string, number> {
  const until = new Map<string, number>();
  for (const { inputs, outputs, end } of sites)
    for (const value of [...inputs.values(), ...outputs.values()]) until.set(value, Math.max(end, until.get(value) ?? 0));
  return until;
}

/** Runs the oracle, the other recipes and each kernel on eager's own inputs. Sites of the same op share the references. */
async function compareSites(diff: Diff, placements: readonly Placement<Kernel>[]): Promise<void> {
  const references = new Map<string, { oracle: Tensors; recipes: Tensors[] }>();
  for (const { kernel, site } of placements) {
    const record = diff.records.get(kernel) as KernelRecord;
    const inputs = laneInputs(site, diff.eagerLane);
    const given = { ...inputs, ...(await siteWeights(diff, site)) };
    const called = await answerOf(diff, kernel, site, given, 'fused', record);
    if (called === null) continue;
    const standard = diff.standards.get(kernel);
    const own = standard === undefined || standard.failed ? null : await answerOf(diff, kernel, site, given, 'standard', standard);
    const run = (recipe: Recipe) => runSite(diff, site, recipe, inputs, diff.sequence);
    const known = references.get(site.op) ?? {
      oracle: await run(ORACLE),
      recipes: [laneOutputs(site, diff.eagerLane), ...(await Promise.all(diff.recipes.slice(1).map(run)))],
    };
    references.set(site.op, known);
    const compare = (to: KernelRecord, answered: Called) => {
      to.violate(site, answered.violations);
      for (const [name, output] of Object.entries(answered.outputs)) {
        const recipes = known.recipes.map((values) => values[name]?.data as Float32Array);
        to.add(site, name, measure(output.data as Float32Array, known.oracle[name]?.data as Float64Array, recipes, diff.dtype));
      }
    };
    compare(record, called);
    if (standard !== undefined && own !== null) compare(standard, own);
  }
}

/** What a variant gives at a site; null, and noted, when it gives no usable answer. */
async function answerOf(
  diff: Diff,
  kernel: Kernel,
  site: Site,
  inputs: Tensors,
  variant: Variant,
  record: KernelRecord,
): Promise<Called | null> {
  try {
    return await callKernel(diff, kernel, site, inputs, diff.sequence, variant);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    record.fail(site, error.message);
    return null;
  }
}

/** A lane that computes as eager does, with kernels standing in. When a kernel gives up, eager's values take over and the failure is noted. */
function fusedLane(diff: Diff, placements: readonly Placement<Kernel>[], failures: string[]): Lane {
  const standIns = new Map<number, StandIn>();
  for (const { kernel, site } of placements) {
    const standIn: StandIn = {
      end: site.end,
      async run(lane) {
        let outputs = laneOutputs(site, diff.eagerLane);
        // One failure is all that is reported of this model; a kernel that hangs must not be waited for at every site.
        if (failures.length === 0) {
          try {
            const inputs = { ...laneInputs(site, lane), ...(await siteWeights(diff, site)) };
            ({ outputs } = await callKernel(diff, kernel, site, inputs, diff.sequence));
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            failures.push(`${kernel.name}: ${error.message}`);
          }
        }
        for (const [name, value] of site.outputs) lane.values.set(value, outputs[name] as NdArray);
      },
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return { recipe: diff.recipes[0] as Recipe, values: new Map(), standIns };
}
