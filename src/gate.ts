// The main job, top to bottom: what the user asked for → kernels × models → evidence → verdicts → gate.

import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { buildProgram, checkWeights } from './architectures/registry.js';
import type { Program } from './architectures/program.js';
import type { Config, ModelRef, Prompt } from './config/types.js';
import { MAX_NEW_TOKENS } from './diff/generation.js';
import { ModelError, UsageError } from './errors.js';
import type { Patience } from './hub/http.js';
import { lanes } from './hub/lanes.js';
import { hubAccess, openModel, type HubAccess } from './hub/model.js';
import type { Environment } from './hub/settings.js';
import type { SharedCache } from './hub/shared-cache.js';
import { loadManifests, type KernelManifest } from './kernels/manifest.js';
import { kernelProcesses } from './kernels/processes.js';
import { SHIPPED_KERNELS, unfusedName } from './kernels/shipped.js';
import { judgeModel, servingDtype, tokenize } from './models.js';
import type { NdArray } from './reference/ndarray.js';
import { prune } from './reference/kept-folder.js';
import { checkPrompt } from './reference/sequence.js';
import { onnxruntimeVersion } from './reference/runtime.js';
import { compareWithBaseline, readBaseline } from './report/baseline.js';
import type { ModelReport, Report, ServingDtype } from './report/types.js';
import { startThreads, type Engine } from './threads.js';
import { applyAllowances } from './verdict/allowances.js';
import { gate } from './verdict/verdict.js';
import { openCheckpoint } from './weights/checkpoint.js';
import { readModelConfig } from './weights/model-config.js';
import { refuseUnlessRunnable } from './weights/runnable.js';
import { writeSafetensors } from './weights/write-safetensors.js';

/** Threads hold a few weight blocks and a prompt batch each; more than this many models at once would fight for memory bandwidth. */
const MAX_THREADS = 4;
/** The static check waits for the network, not for the processor: 8 models at once keep the 16 ranges of the Hub's client busy. */
const STATIC_JOBS = 8;

/** What the gate takes from outside; tests put their own in. */
export interface Edges {
  readonly engine?: Engine;
  /** Most tokens of each text that is written greedily; default: 16. 0: none is. */
  readonly max_new_tokens?: number;
  readonly clock?: () => Date;
  /** One line of progress, in plain words. */
  readonly log?: (message: string) => void;
  /** HF_TOKEN, HF_ENDPOINT and the others of docs/hub.md; default: the process's. */
  readonly env?: Environment;
  /** How long the Hub is waited for. */
  readonly patience?: Patience;
  /** Asked before the Hub for the files that the numeric diff needs. */
  readonly shared?: SharedCache;
  /** Absolute path of the folder in which results of the reference are kept between runs; default: they are not. */
  readonly reference_cache?: string | null;
  /** Aborted when the job is cancelled: models that are not judged by then become INCONCLUSIVE, and the report comes at once. */
  readonly signal?: AbortSignal;
}

/**
 * Judges every model of the configuration and gives the report.
 * @throws UsageError for wrong kernel manifests; what is wrong with a model is in the report
 */
export async function check(config: Config, edges: Edges = {}): Promise<Report> {
  const { clock = () => new Date(), log = () => undefined, max_new_tokens = MAX_NEW_TOKENS, signal = new AbortController().signal } = edges;
  const { reference_cache = null } = edges;
  const started = clock();
  const kernels = await kernelsUnderTest(config);
  const unfused = await unfusedKernels(kernels);
  const jobs = Math.min(jobsOf(config), config.models.length);
  const engine = edges.engine ?? startThreads(jobs);
  const hub = accessOf(edges, config.offline);
  const processes = kernelProcesses({ execution_provider: config.execution_provider, host: engine.host, log });
  try {
    const inTurn = lanes(jobs);
    const judge = async (ref: ModelRef) => {
      const from = clock();
      const model = await judgeModel(
        { config, kernels, unfused, processes, engine, max_new_tokens, reference_cache, hub, log, signal },
        ref,
      );
      return { model, timing: { id: ref.id, duration_ms: clock().getTime() - from.getTime() } };
    };
    const judged = await Promise.all(config.models.map((ref) => inTurn(() => judge(ref))));
    const models = judged.map(({ model }) => model);
    const timing = {
      started_at: started.toISOString(),
      duration_ms: clock().getTime() - started.getTime(),
      models: judged.map((one) => one.timing),
    };
    if (reference_cache !== null && kernels !== null) await prune(reference_cache);
    return await settled({ ...heading(config, models, processes.gpu()), models, timing }, config, started);
  } finally {
    const closing = Promise.all([hub.close(), processes.close(), ...(edges.engine === undefined ? [engine.close()] : [])]);
    // Who cancels has seconds left and ends this process, and with it all of these.
    if (signal.aborted) closing.catch(() => undefined);
    else await closing;
  }
}

/** The report beside the baseline's, and with the failures that are allowed on that day. */
async function settled(report: Report, { baseline, allow }: Config, day: Date): Promise<Report> {
  const compared = baseline === null ? report : compareWithBaseline(report, await readBaseline(baseline));
  return applyAllowances(compared, allow, day.toISOString().slice(0, 10));
}

/** How many models are judged at the same time; a numeric diff keeps a thread busy. */
function jobsOf({ jobs, policy }: Config): number {
  return jobs ?? (policy === 'static' ? STATIC_JOBS : Math.min(MAX_THREADS, availableParallelism()));
}

function accessOf({ env = process.env, log, patience, shared }: Edges, offline: boolean): HubAccess {
  return hubAccess(env, offline, {
    ...(log === undefined ? {} : { log }),
    ...(patience === undefined ? {} : { patience }),
    ...(shared === undefined ? {} : { shared }),
  });
}

async function kernelsUnderTest(config: Config): Promise<readonly KernelManifest[] | null> {
  if (config.policy === 'static') return null;
  return config.kernels === null ? SHIPPED_KERNELS : loadManifests(config.kernels);
}

/** Our CUDA kernels for single ops, under names of their own; only where there are CUDA kernels to compare with them. */
async function unfusedKernels(kernels: readonly KernelManifest[] | null): Promise<readonly KernelManifest[]> {
  const folder = fileURLToPath(new URL('../kernels/cuda', import.meta.url));
  if (kernels?.some(({ backend }) => backend === 'cuda') !== true || !existsSync(folder)) return [];
  return (await loadManifests(folder)).map((manifest) => ({ ...manifest, name: unfusedName(manifest.name) }));
}

function heading(config: Config, models: readonly ModelReport[], gpu: string | null): Omit<Report, 'models' | 'timing'> {
  return {
    schema_version: 1,
    tool: { name: 'fused-compat', version: packageJson.version, onnxruntime: config.policy === 'static' ? null : onnxruntimeVersion() },
    host: { platform: process.platform, arch: process.arch, node: process.version, cpu: cpus()[0]?.model ?? null, gpu },
    policy: config.policy,
    fail_on: config.fail_on,
    gate: gate(models, config.fail_on),
    baseline: null,
    allow: [],
    reproduce: config.reproduce,
  };
}

export interface ReferenceRequest {
  readonly model: ModelRef;
  readonly prompt: Prompt;
  readonly recipe: 'oracle' | 'eager';
  readonly dtype: Config['dtype'];
  readonly offline: boolean;
  /** Absolute path of the safetensors file to write. */
  readonly output: string;
}

/**
 * One prompt through one model by one recipe of the reference, written as a safetensors file: `logits` [tokens, vocab_size] and `hidden`
 * [num_hidden_layers + 1, tokens, hidden_size] (the embeddings, each layer's output, the last one after the final norm), float64 for the
 * oracle and float32 otherwise.
 * @throws ModelError for everything that is wrong with the model, UsageError for the prompt and the output
 */
export async function reference(request: ReferenceRequest, edges: Edges = {}): Promise<{ tensors: StoredShape[] }> {
  const { program, dtype, folder: model } = await openProgram(request, edges);
  const engine = edges.engine ?? startThreads(1);
  try {
    const ids = 'text' in request.prompt ? ((await tokenize(engine, model, [request.prompt.text]))[0] ?? []) : request.prompt.input_ids;
    asUsage(() => checkPrompt(program, ids, 'the prompt'));
    const onLayer = (layer: number) => edges.log?.(`${request.recipe}: layer ${layer + 1} of ${program.num_hidden_layers}`);
    const result = await engine.run({ kind: 'reference', model, dtype, ids, recipe: request.recipe }, { onLayer });
    const tensors = [stored('logits', result.logits), stored('hidden', result.hidden)];
    await writeSafetensors(request.output, tensors);
    return { tensors: tensors.map(({ name, dtype: storedDtype, shape }) => ({ name, dtype: storedDtype, shape })) };
  } finally {
    if (edges.engine === undefined) await engine.close();
  }
}

interface StoredShape {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

async function openProgram(request: ReferenceRequest, edges: Edges): Promise<{ program: Program; dtype: ServingDtype; folder: string }> {
  const hub = accessOf(edges, request.offline);
  try {
    return await openOn(hub, request);
  } finally {
    await hub.close();
  }
}

async function openOn(
  hub: HubAccess,
  { model: ref, dtype }: ReferenceRequest,
): Promise<{ program: Program; dtype: ServingDtype; folder: string }> {
  const { files, copy } = await openModel(ref, hub);
  const described = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = refuseUnlessRunnable(checkpoint, described);
    const program = buildProgram(raw);
    checkWeights(program, checkpoint);
    return { program, dtype: servingDtype(dtype, raw, checkpoint), folder: (await copy([])).folder };
  } finally {
    await checkpoint.close();
  }
}

/** A prompt on the command line is usage, not a model. */
function asUsage(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof ModelError ? new UsageError(error.message) : error;
  }
}

function stored(
  name: string,
  { data, shape }: NdArray,
): { name: string; dtype: 'F32' | 'F64'; shape: readonly number[]; data: Uint8Array } {
  return {
    name,
    dtype: data instanceof Float64Array ? 'F64' : 'F32',
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}
