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
import type { NumericResult, ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { kernelRecord, type KernelRecord } from './kernel-level.js';
import { logitsMeter, type LogitsMeter } from './logits-meter.js';
import { measure } from './measure.js';
import { layerMeter, modelLevel, type LayerMeter } from './model-level.js';
import { callKernel, laneInputs, laneOutputs, runSite, siteWeights, type Called, type Tensors } from './site.js';

export interface DiffOptions {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  readonly dtype: ServingDtype;
  /** Token ids of each prompt. */
  readonly prompts: readonly (readonly number[])[];
  readonly kernels: readonly Kernel[];
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
}

/**
 * Runs the numeric diff. Kernels that have no site in this program are left out of the result.
 * @throws ModelError for prompts that do not fit and for damaged weights; what a kernel does wrong never throws
 */
export async function numericDiff(runner: OpRunner, options: DiffOptions): Promise<NumericResult> {
  const { program, dtype, kernels, limits } = options;
  const sequence = joinPrompts(program, options.prompts);
  const recipes = validRecipes(dtype);
  const sites = new Map(kernels.map((kernel) => [kernel, findSites(program, kernel.op)]));
  const standing = kernels.filter((kernel) => (sites.get(kernel)?.length ?? 0) > 0);
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
  const failures = assemblies.map((): string[] => []);
  const fused: Lane[] = [];
  const diff: Diff = {
    ...options,
    runner,
    sequence,
    recipes,
    records,
    standards,
    lanes: [],
    eagerLane: pure[1] as Lane,
    sitesAt: teacherForced(options, sites),
  };
  for (const [i, placements] of assemblies.entries()) fused.push(fusedLane(diff, placements, failures[i] as string[]));
  const lanes = [...pure, ...fused];
  const layers = layerMeter(program, lanes);
  const logits = logitsMeter(lanes.length, nextTokens(sequence));
  await run({ ...diff, lanes }, layers, logits);

  const model =
    assemblies.length === 0
      ? null
      : modelLevel({
          program,
          recipes: base.recipes,
          assemblies: assemblies.map((placements, i) => ({ placements, failure: failures[i]?.[0] ?? null })),
          injected: (placement) => records.get(placement.kernel)?.injected(placement.site) ?? null,
          layers,
          logits: logits.summarise(
            recipes.map((_, i) => i),
            limits.decisive_margin,
          ),
          limits,
        });
  const results = standing.map((kernel) => (records.get(kernel) as KernelRecord).result(standards.get(kernel)?.result()));
  const levels = [...results.map(({ status }) => status), ...(model === null ? [] : [model.status])];
  const status = (['fail', 'inconclusive', 'warn'] as const).find((level) => levels.includes(level)) ?? 'pass';
  return { ...base, status, kernels: results, model };
}

/**
 * Starts all kernels at once: drivers and compilers take their time.
 * @throws ModelError `no_gpu` when a GPU is required and a kernel runs elsewhere
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
  for (const [{ name }, device] of started) {
    if (requireGpu && !(device instanceof KernelError) && !device.gpu)
      throw new ModelError('no_gpu', `require-gpu is set, but kernel ${name} would run on ${device.device}`);
  }
  return new Map(started);
}

function offersStandard(device: KernelDevice | KernelError | undefined): boolean {
  return device !== undefined && !(device instanceof KernelError) && device.variants.includes('standard');
}

async function run(diff: Diff, layers: LayerMeter, logits: LogitsMeter): Promise<void> {
  const { program, lanes, sitesAt, records } = diff;
  const keepUntil = keptUntil(
    program,
    [...sitesAt.values()].flat().map(({ site }) => site),
    lanes,
  );
  await walk({
    ...diff,
    scanAll: true,
    keepUntil: (index) => keepUntil[index] as number,
    async afterOp(index, op) {
      await compareSites(
        diff,
        (sitesAt.get(index) ?? []).filter(({ kernel }) => !(records.get(kernel) as KernelRecord).failed),
      );
      layers.afterOp(op);
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) diff.onLayer?.(op.layer);
    },
    logits: (start, blocks) => logits.add(start, blocks),
  });
}

/** Next token per position, −1 at the end of each prompt. */
function nextTokens({ ids, segments }: Sequence): Int32Array {
  const targets = new Int32Array(ids.length).fill(-1);
  for (const { start, end } of segments) for (let t = start; t + 1 < end; t++) targets[t] = ids[t + 1] as number;
  return targets;
}

function teacherForced({ layers }: DiffOptions, sites: ReadonlyMap<Kernel, readonly Site[]>): Map<number, Placement<Kernel>[]> {
  const at = new Map<number, Placement<Kernel>[]>();
  for (const [kernel, own] of sites) {
    for (const site of own) {
      if (layers !== 'all' && site.layer !== null && !layers.includes(site.layer)) continue;
      at.set(site.end, [...(at.get(site.end) ?? []), { kernel, site }]);
    }
  }
  return at;
}

/** A site needs its inputs until its last op, so values live on until the longest run through each op has ended. */
function keptUntil(program: Program, sites: readonly Site[], lanes: readonly Lane[]): number[] {
  const until = program.ops.map((_, index) => index);
  const spans = [
    ...sites.map(({ start, end }) => [start, end] as const),
    ...lanes.flatMap(({ standIns }) => [...standIns].map(([index, { end }]) => [index, end] as const)),
  ];
  for (const [start, end] of spans) for (let index = start; index <= end; index++) until[index] = Math.max(until[index] as number, end);
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
    const standard = diff.standards.get(kernel);
    const own = standard === undefined || standard.failed ? null : await answerOf(diff, kernel, site, given, 'standard', standard);
    if (called === null && own === null) continue;
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
    if (called !== null) compare(record, called);
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
        let outputs: Record<string, NdArray>;
        try {
          const inputs = { ...laneInputs(site, lane), ...(await siteWeights(diff, site)) };
          ({ outputs } = await callKernel(diff, kernel, site, inputs, diff.sequence));
        } catch (error) {
          if (!(error instanceof KernelError)) throw error;
          failures.push(`${kernel.name}: ${error.message}`);
          outputs = laneOutputs(site, diff.eagerLane);
        }
        for (const [name, value] of site.outputs) lane.values.set(value, outputs[name] as NdArray);
      },
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return { recipe: diff.recipes[0] as Recipe, values: new Map(), standIns };
}
