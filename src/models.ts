// One model through its stages: files, static check, program, prompts, numeric diff. Each stage's failure keeps what came before it.

import { buildProgram, checkWeights, filesInOrder, modelType } from './architectures/registry.js';
import type { Program } from './architectures/program.js';
import { staticCheck } from './checker/static-check.js';
import type { Config, ModelRef, Prompt } from './config/types.js';
import { ModelError } from './errors.js';
import type { ArrivingFile, FileQuestion, FileReply } from './hub/arriving.js';
import type { Arriving } from './hub/download.js';
import { openFolder } from './hub/folder.js';
import { openModel, type HubAccess, type OpenModel } from './hub/model.js';
import { CONTRACTS } from './kernels/contracts.js';
import type { KernelManifest } from './kernels/manifest.js';
import type { KernelProcesses } from './kernels/processes.js';
import type { KernelQuestion, KernelReply } from './kernels/remote.js';
import { checkPrompt } from './reference/sequence.js';
import type { Generation, ModelReport, NumericResult, ServingDtype, StaticResult } from './report/types.js';
import type { Engine, Timeout } from './threads.js';
import { builtInLength, builtInPrompts } from './tokenizer/prompts.js';
import { diagnose } from './verdict/diagnosis.js';
import { decide, type Failure } from './verdict/verdict.js';
import { openCheckpoint, type Checkpoint, type FiledCheckpoint } from './weights/checkpoint.js';
import { readModelConfig } from './weights/model-config.js';
import { isRunnable, refuseUnlessRunnable } from './weights/runnable.js';
import type { WeightFile } from './weights/weight-file.js';

/** A regular expression of tokenizer.json can run for ever; the largest real vocabulary loads in a second. */
const TOKENIZER_TIMEOUT_MS = 10_000;

export interface ModelRun {
  readonly config: Config;
  /** null: no kernels are run (policy `static`). */
  readonly kernels: readonly KernelManifest[] | null;
  /** Kernels of ours that `cuda` kernels are compared with for speed. */
  readonly unfused: readonly KernelManifest[];
  readonly processes: KernelProcesses;
  readonly engine: Engine;
  /** Most tokens of each text that is written greedily; 0: none is. */
  readonly max_new_tokens: number;
  /** Folder in which results of the reference are kept between runs; null: they are not. */
  readonly reference_cache: string | null;
  readonly hub: HubAccess;
  /** One line of progress, in plain words. */
  readonly log: (message: string) => void;
  /** Aborted: the job is cancelled. */
  readonly signal: AbortSignal;
}

interface Found {
  revision: string | null;
  architecture: string | null;
  dtype: ServingDtype | null;
  static: StaticResult | null;
  numeric: NumericResult | null;
}

/** Judges one model. Never throws for what is wrong with the model: that is in its reasons. */
export async function judgeModel(run: ModelRun, ref: ModelRef): Promise<ModelReport> {
  const found: Found = { revision: null, architecture: null, dtype: null, static: null, numeric: null };
  let failure: Failure | null = null;
  try {
    await unlessCancelled(run.signal, () => stages(run, ref, found));
  } catch (error) {
    failure = asFailure(error);
  }
  const { config } = run;
  const evidence = { static: found.static, numeric: found.numeric, failure, policy: config.policy, thresholds: config };
  const { verdict, reasons, recommendations } = decide(evidence);
  const unsettled = { baseline: null, allowed: null };
  return { id: ref.id, ...found, verdict, reasons, diagnosis: diagnose(found.numeric), recommendations, ...unsettled };
}

/** The work's result, or the failure `cancelled` as soon as the job is cancelled: what it had found by then is kept. */
async function unlessCancelled<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let onAbort = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    onAbort = () => reject(new ModelError('cancelled', 'The job was cancelled before this model was judged.'));
    signal.addEventListener('abort', onAbort);
  });
  cancelled.catch(() => undefined);
  if (signal.aborted) onAbort();
  try {
    return await (signal.aborted ? cancelled : Promise.race([work(), cancelled]));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

// A defect in one model's run must not take the other models' results with it.
function asFailure(error: unknown): Failure {
  if (error instanceof ModelError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal_error', message: `this is a defect of fused-compat, please report it: ${message}` };
}

async function stages(run: ModelRun, ref: ModelRef, found: Found): Promise<void> {
  const { config } = run;
  const model = await openModel(ref, run.hub);
  const { files } = model;
  found.revision = files.revision;
  const described = await readModelConfig(files);
  found.architecture = modelType(described ?? {});
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = checkpoint.config ?? described ?? {};
    found.architecture = modelType(raw);
    run.log(`${ref.id}: static check`);
    const dtype = isRunnable(checkpoint) ? servingDtype(config.dtype, raw, checkpoint) : null;
    found.dtype = dtype;
    found.static = withCost(await staticCheck(checkpoint, raw, config.static), model);
    if (dtype === null && run.kernels === null) return;
    const program = buildProgram(refuseUnlessRunnable(checkpoint, raw));
    checkWeights(program, checkpoint);
    if (run.kernels === null || dtype === null) return;
    const later = model.remote ? await arrivingOf(checkpoint, program, run.kernels) : [];
    const copy = await model.copy(later.map(({ name }) => name));
    const [arrived, ran] = await Promise.allSettled([
      copy.whole(),
      numeric(run, ref, { ...copy, later, revision: files.revision }, program, dtype, run.kernels),
    ]);
    // Whatever was computed before a download failed is thrown away, and what made the diff fail then was the download.
    if (arrived.status === 'rejected') throw arrived.reason;
    // The verified copy speaks where there is one.
    if (model.remote) found.static = await staticCheckOf(copy.folder, raw, config);
    if (ran.status === 'rejected') throw ran.reason;
    found.numeric = ran.value;
  } finally {
    await checkpoint.close();
  }
}

/**
 * Files that the numeric diff can wait for one by one, in the order in which it needs them; none where it needs all of them at once: there
 * is one file only, or a kernel is a whole model and reads the folder itself.
 */
async function arrivingOf(checkpoint: FiledCheckpoint, program: Program, kernels: readonly KernelManifest[]): Promise<ArrivingFile[]> {
  const names = filesInOrder(program, checkpoint);
  if (names.length <= 1 || kernels.some(({ op }) => CONTRACTS.get(op)?.stands_for === 'model')) return [];
  return Promise.all(
    names.map(async (name) => {
      const { source, headBytes = 0 } = checkpoint.files.get(name) as WeightFile;
      return { name, byteLength: source.byteLength, head: await source.slice(0, headBytes) };
    }),
  );
}

async function staticCheckOf(folder: string, raw: Record<string, unknown>, config: Config): Promise<StaticResult> {
  const checkpoint = await openCheckpoint(await openFolder(folder));
  try {
    return await staticCheck(checkpoint, raw, config.static);
  } finally {
    await checkpoint.close();
  }
}

function withCost(read: StaticResult, model: OpenModel): StaticResult {
  const { requests = null, bytes = null } = model.cost() ?? {};
  const result = { ...read, requests, bytes_transferred: bytes };
  const unverified = model.unverified();
  if (unverified === null) return result;
  const note = { code: 'not_hash_verified', layer: null, tensor: null, value: null, message: unverified };
  return { ...result, findings: [...result.findings, note] };
}

async function numeric(
  run: ModelRun,
  ref: ModelRef,
  { revision, ...copy }: Arriving & { readonly later: readonly ArrivingFile[]; readonly revision: string | null },
  program: Program,
  dtype: ServingDtype,
  kernels: readonly KernelManifest[],
): Promise<NumericResult> {
  const { config, engine, log } = run;
  log(`${ref.id}: tokenizing the prompts`);
  const prompts = await tokenIds(engine, copy.folder, program, config);
  const { numeric: result, kept } = await engine.run(
    {
      kind: 'diff',
      model: copy.folder,
      arriving: copy.later,
      dtype,
      prompts,
      kernels,
      unfused: run.unfused,
      execution_provider: kernels.some(({ backend }) => backend === 'onnxruntime') ? await run.processes.provider() : 'cpu',
      require_gpu: config.require_gpu,
      layers: config.layers,
      limits: config.numeric,
      max_new_tokens: run.max_new_tokens,
      keep_in:
        run.reference_cache === null ? null : { root: run.reference_cache, weights: revision === null ? null : `${ref.id}@${revision}` },
    },
    {
      onLayer: (layer) => log(`${ref.id}: layer ${layer + 1} of ${program.num_hidden_layers}`),
      onQuestion: (question) =>
        question.kind === 'await_file'
          ? answerFileQuestion(copy, question)
          : answerKernelQuestion(run.processes, [...kernels, ...run.unfused], question),
    },
  );
  if (kept !== null && kept.found > 0) log(`${ref.id}: ${kept.found} results kept from earlier runs, ${kept.made} computed`);
  return { ...result, generation: result.generation === null ? null : await withTexts(engine, copy.folder, result.generation) };
}

async function answerFileQuestion(copy: Arriving, { file }: FileQuestion): Promise<FileReply> {
  try {
    await copy.arrival(file);
    return { arrived: true };
  } catch (error) {
    const { code, message } = asFailure(error);
    return { refused: { code, message } };
  }
}

async function answerKernelQuestion(
  processes: KernelProcesses,
  kernels: readonly KernelManifest[],
  question: KernelQuestion,
): Promise<KernelReply> {
  const kernel = kernels.find(({ name }) => name === question.kernel);
  if (kernel === undefined) return { failed: 'there is no such kernel' };
  try {
    if (question.kind === 'start_kernel') return { device: await processes.start(kernel, question.dtype) };
    return { answer: await processes.call(kernel, question.call) };
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** Token ids of the prompts, cut to `max_prompt_tokens`. A prompt of the user's that the model cannot hold is refused before it is cut. */
async function tokenIds(engine: Engine, folder: string, program: Program, config: Config): Promise<number[][]> {
  const prompts: readonly Prompt[] = config.prompts ?? builtInPrompts().map((text) => ({ text }));
  const texts = prompts.flatMap((prompt) => ('text' in prompt ? [prompt.text] : []));
  const encoded = texts.length === 0 ? [] : await tokenize(engine, folder, texts);
  let next = 0;
  return prompts.map((prompt, index) => {
    const name = `prompt ${index + 1}`;
    const ids = 'text' in prompt ? checkEncoded(program, encoded[next++] as number[], name) : prompt.input_ids;
    const limit = Math.min(config.max_prompt_tokens, program.max_position_embeddings);
    if (config.prompts === null) return ids.slice(0, builtInLength(index, limit));
    checkPrompt(program, ids, name);
    return ids.slice(0, limit);
  });
}

/** A tokenizer may know more ids than the model has rows, for tokens that nobody uses; one that uses them is another model's. */
function checkEncoded({ vocab_size }: Program, ids: number[], name: string): number[] {
  const beyond = ids.find((id) => id >= vocab_size);
  if (beyond === undefined) return ids;
  const words = `${name} becomes the token id ${beyond}, but vocab_size is ${vocab_size}, so ids go from 0 to ${vocab_size - 1}`;
  throw new ModelError('tokenizer_invalid', `${words}: the tokenizer is that of another model`);
}

/** Encodes texts in a thread that is killed when a tokenizer does not come to an end. */
export function tokenize(engine: Engine, model: string, texts: readonly string[]): Promise<number[][]> {
  return engine.run({ kind: 'tokenize', model, texts }, { timeout: tokenizerTimeout('encoding') });
}

function tokenizerTimeout(what: string): Timeout {
  const words = `tokenizer.json: ${what} did not end within ${TOKENIZER_TIMEOUT_MS / 1000} s; check the regular expressions of its pre_tokenizer`;
  return { ms: TOKENIZER_TIMEOUT_MS, error: new ModelError('tokenizer_invalid', words) };
}

/** Token ids as text, in such a thread too. Where the tokenizer is missing or broken the ids stay: texts decide nothing. */
async function withTexts(engine: Engine, model: string, generation: readonly Generation[]): Promise<Generation[]> {
  const ids = generation.flatMap(({ ids_prompt, ids_standard, ids_fused }) => [ids_prompt, ids_standard, ids_fused]);
  try {
    const texts = await engine.run({ kind: 'detokenize', model, ids }, { timeout: tokenizerTimeout('decoding') });
    return generation.map((entry, i) => {
      const [prompt = '', text_standard = '', text_fused = ''] = texts.slice(3 * i);
      return { ...entry, prompt, text_standard, text_fused };
    });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return [...generation];
  }
}

/** The dtype that the user chose, or the checkpoint's own: config.json's word, else what most of the weights are stored in. */
export function servingDtype(chosen: Config['dtype'], raw: Readonly<Record<string, unknown>>, checkpoint: Checkpoint): ServingDtype {
  if (chosen !== 'auto') return chosen;
  const named = raw['dtype'] ?? raw['torch_dtype'];
  if (named === 'bfloat16' || named === 'float16' || named === 'float32') return named;
  const bytes = { bfloat16: 0, float16: 0, float32: 0 };
  for (const { dtype, byteLength } of checkpoint.tensors.values()) {
    bytes[dtype === 'BF16' ? 'bfloat16' : dtype === 'F16' ? 'float16' : 'float32'] += byteLength;
  }
  return (['bfloat16', 'float16', 'float32'] as const).reduce((most, dtype) => (bytes[dtype] > bytes[most] ? dtype : most));
}
