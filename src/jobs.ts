// What a worker thread is asked to do, as plain data in and plain data out. A job is one stage of one model.

import { buildProgram, checkWeights } from './architectures/registry.js';
import type { NumericThresholds } from './config/types.js';
import { numericDiff } from './diff/numeric-diff.js';
import { arrivingFiles, type ArrivingFile, type FileQuestion, type FileReply } from './hub/arriving.js';
import { openFolder } from './hub/folder.js';
import type { ModelFiles } from './hub/source.js';
import type { KernelManifest, OnnxruntimeManifest } from './kernels/manifest.js';
import { onnxruntimeKernel, type ExecutionProvider } from './kernels/onnxruntime.js';
import { remoteKernel, type KernelQuestion, type KernelReply } from './kernels/remote.js';
import { forward, type Forward } from './reference/forward.js';
import { startHands } from './reference/hands.js';
import type { Keeper } from './reference/keeper.js';
import { keeperOf, type KeptFolder } from './reference/kept-folder.js';
import { createOpRunner, type OpRunner, type Ort } from './reference/op-runner.js';
import { eager, ORACLE } from './reference/recipes.js';
import { loadOnnxRuntime, onnxruntimeVersion } from './reference/runtime.js';
import type { NumericResult, ServingDtype } from './report/types.js';
import { loadTokenizer } from './tokenizer/tokenizer.js';
import { openCheckpoint, type Checkpoint } from './weights/checkpoint.js';
import { readModelConfig } from './weights/model-config.js';
import { refuseUnlessRunnable } from './weights/runnable.js';

export interface TokenizeJob {
  readonly kind: 'tokenize';
  readonly model: string;
  readonly texts: readonly string[];
}

/** Token ids back to text. */
export interface DetokenizeJob {
  readonly kind: 'detokenize';
  readonly model: string;
  readonly ids: readonly (readonly number[])[];
}

export interface DiffJob {
  readonly kind: 'diff';
  readonly model: string;
  /** Files of the model that may not be in its folder yet. */
  readonly arriving: readonly ArrivingFile[];
  readonly dtype: ServingDtype;
  readonly prompts: readonly (readonly number[])[];
  readonly kernels: readonly KernelManifest[];
  /** Kernels of ours that `cuda` kernels are compared with for speed. */
  readonly unfused: readonly KernelManifest[];
  readonly execution_provider: ExecutionProvider;
  readonly require_gpu: boolean;
  readonly layers: 'all' | readonly number[];
  readonly limits: NumericThresholds;
  /** Most tokens of each text that is written greedily; 0: none is. */
  readonly max_new_tokens: number;
  /** Where results of the reference are kept between runs; null: nowhere. */
  readonly keep_in: KeptFolder | null;
}

/** The numeric diff, and how many results of the reference were found and computed; null: none are kept. */
export interface DiffOutcome {
  readonly numeric: NumericResult;
  readonly kept: Keeper['counts'] | null;
}

export interface ReferenceJob {
  readonly kind: 'reference';
  readonly model: string;
  readonly dtype: ServingDtype;
  readonly ids: readonly number[];
  readonly recipe: 'oracle' | 'eager';
}

export type Job = TokenizeJob | DetokenizeJob | DiffJob | ReferenceJob;

export interface JobResults {
  tokenize: number[][];
  detokenize: string[];
  diff: DiffOutcome;
  reference: Forward;
}

/** Called when all work on a layer is done. */
export type OnLayer = (layer: number) => void;

/** What a job asks the main thread on its way, and what it is told. */
export type Question = KernelQuestion | FileQuestion;
export type Reply = KernelReply | FileReply;
export type ReplyTo<Q extends Question> = Q extends FileQuestion ? FileReply : KernelReply;

/** A job's line to the main thread. */
export interface Line {
  readonly onLayer: OnLayer;
  readonly share: Share;
  ask<Q extends Question>(question: Q): Promise<ReplyTo<Q>>;
}

/** What a job's thread may take of the machine. */
export interface Share {
  /** Threads that compute for one job, its own among them. */
  readonly threads: number;
  /** The script of the others (src/hand.ts). */
  readonly hand: URL;
}

let runner: Promise<{ ort: Ort; runner: OpRunner }> | undefined;

// Sessions depend on ops and recipes, not on the model, so they serve all jobs of a thread.
function engine({ threads, hand }: Share): Promise<{ ort: Ort; runner: OpRunner }> {
  return (runner ??= loadOnnxRuntime().then((ort) => {
    const local = createOpRunner(ort);
    return { ort, runner: threads === 1 ? local : startHands(local, threads - 1, hand).runner };
  }));
}

/**
 * Runs a job in this thread.
 * @throws ModelError for everything that is wrong with the model, its prompts or the machine's ONNX Runtime
 */
export async function runJob<K extends Job['kind']>(job: Extract<Job, { kind: K }>, line: Line): Promise<JobResults[K]>;
export async function runJob(job: Job, line: Line): Promise<JobResults[Job['kind']]> {
  switch (job.kind) {
    case 'tokenize': {
      const tokenizer = await loadTokenizer(await openFolder(job.model));
      return job.texts.map((text) => tokenizer.encode(text));
    }
    case 'detokenize': {
      const tokenizer = await loadTokenizer(await openFolder(job.model));
      return job.ids.map((ids) => tokenizer.decode(ids));
    }
    case 'diff':
      return withCheckpoint(arrivingFiles(await openFolder(job.model), job.arriving, line.ask), (checkpoint, config) =>
        diff(job, checkpoint, config, line),
      );
    case 'reference':
      return withCheckpoint(await openFolder(job.model), async (checkpoint, config) => {
        const program = buildProgram(config);
        checkWeights(program, checkpoint);
        const recipe = job.recipe === 'oracle' ? ORACLE : eager(job.dtype);
        return forward((await engine(line.share)).runner, program, checkpoint, {
          ids: job.ids,
          dtype: job.dtype,
          recipe,
          onLayer: line.onLayer,
        });
      });
  }
}

async function withCheckpoint<T>(
  files: ModelFiles,
  use: (checkpoint: Checkpoint, config: Record<string, unknown>) => Promise<T>,
): Promise<T> {
  const config = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    return await use(checkpoint, refuseUnlessRunnable(checkpoint, config));
  } finally {
    await checkpoint.close();
  }
}

async function diff(job: DiffJob, checkpoint: Checkpoint, config: Record<string, unknown>, line: Line): Promise<DiffOutcome> {
  const program = buildProgram(config);
  checkWeights(program, checkpoint);
  const { ort, runner: ops } = await engine(line.share);
  const forDtype = ({ dtypes }: KernelManifest) => dtypes.includes(job.dtype);
  const usable = job.kernels.filter(forDtype);
  const unfused = job.unfused.filter(forDtype).map((manifest) => remoteKernel(manifest, job.dtype, line.ask));
  const kernels = usable.map((manifest) =>
    runsInThread(manifest, job.execution_provider)
      ? onnxruntimeKernel(ort, onnxruntimeVersion(), manifest, job.execution_provider)
      : remoteKernel(manifest, job.dtype, line.ask),
  );
  try {
    const keeper = job.keep_in === null ? null : await keeperOf(job.keep_in, job.dtype, checkpoint);
    const numeric = await numericDiff(ops, { ...job, config, program, checkpoint, kernels, unfused, keeper, onLayer: line.onLayer });
    await keeper?.flush();
    return { numeric, kept: keeper?.counts ?? null };
  } finally {
    await Promise.all(kernels.map((kernel) => kernel.close()));
  }
}

/** ONNX Runtime's own operators on the CPU are as safe as the reference, which is made of them; all else gets a process. */
function runsInThread(manifest: KernelManifest, provider: ExecutionProvider): manifest is OnnxruntimeManifest {
  return manifest.backend === 'onnxruntime' && manifest.operator !== undefined && provider === 'cpu';
}
