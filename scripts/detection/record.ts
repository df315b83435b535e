// Asks kernels for their outputs at the sites of a model and for the inputs of the probes, and what other tools say of them. Bundled by
// scripts/detection.mjs; what the gate itself says comes from the program.

import { buildProgram } from '../../src/architectures/registry.js';
import { probeSets, type Trial } from '../../src/diff/probe-set.js';
import { oneSequence, takeRows } from '../../src/diff/probe-inputs.js';
import { callKernel, laneInputs, laneOutputs, runSite, siteWeights, type SiteContext, type Tensors } from '../../src/diff/site.js';
import { openFolder } from '../../src/hub/folder.js';
import { KernelError, type Kernel } from '../../src/kernels/kernel.js';
import { loadManifests, type KernelManifest } from '../../src/kernels/manifest.js';
import { kernelProcesses } from '../../src/kernels/processes.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { joinPrompts } from '../../src/reference/sequence.js';
import { walk, type Lane } from '../../src/reference/walk.js';
import type { ServingDtype } from '../../src/report/types.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { refuseUnlessRunnable } from '../../src/weights/runnable.js';
import { CRITERIA, TOOLS, type Tool } from './criteria.js';

/** How many calls each tool looked at, and how many it rejected. */
export interface Said {
  calls: number;
  rejected: Record<Tool, number>;
}

/** What other tools say of a kernel's outputs on the model's own activations, and on the inputs of our probes. */
export interface Record_ {
  readonly op: string;
  readonly sites: Said;
  readonly probes: Said;
  /** Why the kernel gave no answer; null: it did. */
  failure: string | null;
}

export interface RecordOptions {
  readonly models: readonly string[];
  /** Folder with manifests. */
  readonly kernels: string;
  readonly dtype: ServingDtype;
  readonly prompts: readonly (readonly number[])[];
  /** The script of kernels' own processes. */
  readonly host: URL;
  readonly log: (line: string) => void;
}

/** @returns records by model and kernel; kernels without a site in a model are left out there */
export async function record(options: RecordOptions): Promise<Record<string, Record<string, Record_>>> {
  const manifests = await loadManifests(options.kernels);
  const processes = kernelProcesses({ execution_provider: 'cpu', host: options.host, log: options.log });
  try {
    const records: Record<string, Record<string, Record_>> = {};
    for (const model of options.models) records[model] = await recordModel(options, model, manifests, processes);
    return records;
  } finally {
    await processes.close();
  }
}

type Processes = ReturnType<typeof kernelProcesses>;

function kernelOf(manifest: KernelManifest, dtype: ServingDtype, processes: Processes): Kernel {
  return {
    name: manifest.name,
    op: manifest.op,
    backend: manifest.backend,
    start: () => processes.start(manifest, dtype),
    run: (call) => processes.call(manifest, call),
    close: () => Promise.resolve(),
  };
}

async function recordModel(
  { dtype, prompts }: RecordOptions,
  model: string,
  manifests: readonly KernelManifest[],
  processes: Processes,
): Promise<Record<string, Record_>> {
  const files = await openFolder(model);
  const read = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const config = refuseUnlessRunnable(checkpoint, read);
    const program = buildProgram(config);
    const runner = createOpRunner(await loadOnnxRuntime());
    const context = { program, checkpoint, dtype, runner, recipes: validRecipes(dtype) };
    const sites = new Map(manifests.map(({ op }) => [op, findSites(program, op, config)]));
    const standing = manifests.filter(({ op }) => (sites.get(op)?.length ?? 0) > 0);
    const kernels = standing.map((manifest) => kernelOf(manifest, dtype, processes));
    const records = new Map(kernels.map(({ name, op }) => [name, { op, sites: nothing(), probes: nothing(), failure: null }]));
    const sequence = joinPrompts(program, prompts);
    const lane: Lane = { recipe: eager(dtype), values: new Map(), standIns: new Map() };
    const all = [...sites.values()].flat();
    await walk({
      program,
      checkpoint,
      sequence,
      runner,
      dtype,
      lanes: [lane],
      scanAll: false,
      keep: lastLooks(all),
      async afterOp(index) {
        for (const site of all.filter(({ end }) => end === index)) {
          const inputs = laneInputs(site, lane);
          const given = { ...inputs, ...(await siteWeights(context, site)) };
          const oracle = await runSite(context, site, ORACLE, inputs, sequence);
          const expected = laneOutputs(site, lane);
          for (const kernel of kernels.filter(({ op }) => op === site.op)) {
            await asked(records.get(kernel.name) as Record_, async (to) => {
              const { outputs } = await callKernel(context, kernel, site, given, sequence);
              say(to.sites, site, dtype, outputs, expected, oracle);
            });
          }
        }
      },
    });
    for (const op of new Set(kernels.map((kernel) => kernel.op))) {
      const [set] = await probeSets(context, sites.get(op) ?? []);
      if (set === undefined) continue;
      for (const kernel of kernels.filter((each) => each.op === op)) {
        for (const trial of set.probes.flatMap(({ trials }) => trials)) {
          await asked(records.get(kernel.name) as Record_, async (to) => {
            const inputs = { ...copied(trial.inputs), ...copied(set.weights) };
            const { outputs } = await callKernel(context, kernel, trial.site, inputs, oneSequence(trial.inputs));
            await sayOfTrial(to.probes, context, trial, outputs);
          });
        }
      }
    }
    return Object.fromEntries(records);
  } finally {
    await checkpoint.close();
  }
}

/** Value → last op of the sites that have it as input or output. */
function lastLooks(sites: readonly Site[]): Map<string, number> {
  const until = new Map<string, number>();
  for (const { inputs, outputs, end } of sites)
    for (const value of [...inputs.values(), ...outputs.values()]) until.set(value, Math.max(end, until.get(value) ?? 0));
  return until;
}

/** A kernel that gave no answer is not asked again. */
async function asked(to: Record_, ask: (to: Record_) => Promise<void>): Promise<void> {
  if (to.failure !== null) return;
  try {
    await ask(to);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    to.failure = error.message;
  }
}

function nothing(): Said {
  return { calls: 0, rejected: Object.fromEntries(TOOLS.map((tool) => [tool, 0])) as Record<Tool, number> };
}

async function sayOfTrial(to: Said, { dtype }: Pick<SiteContext, 'dtype'>, trial: Trial, outputs: Tensors): Promise<void> {
  // The rows that the probe looks at: where one row is NaN, the others.
  const rows = (tensors: Tensors, some: boolean) => (some ? takeRows(tensors, trial.rows) : tensors);
  const { oracle, recipes } = await trial.reference();
  const count = (tensors: Tensors) => Object.values(tensors)[0]?.shape[0] ?? 0;
  const part = (tensors: Tensors) => rows(tensors, count(tensors) !== trial.rows.length);
  say(to, trial.site, dtype, part(outputs), part(recipes[0] as Tensors), part(oracle));
}

/** A call is rejected when one of its outputs is. */
function say(to: Said, site: Site, dtype: ServingDtype, fused: Tensors, expected: Tensors, oracle: Tensors): void {
  to.calls++;
  for (const tool of TOOLS) {
    const rejected = Object.entries(fused).some(([name, { data }]) =>
      CRITERIA[tool](
        { fused: data as Float32Array, eager: expected[name]?.data as Float32Array, oracle: oracle[name]?.data as Float64Array },
        site.op,
        dtype,
      ),
    );
    if (rejected) to.rejected[tool]++;
  }
}

function copied(tensors: Tensors): Record<string, NdArray> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));
}
