// Runs jobs in worker threads: starts them when needed, one job per thread at a time, and kills what takes too long.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { fromPlainError, type ModelError, type PlainError } from './errors.js';
import type { Job, JobResults, OnLayer, Question, Reply } from './jobs.js';
// The main thread must have this module loaded before workers load onnxruntime: it settles telemetry and the unpacked library.
import './reference/runtime.js';

/** What a worker starts with: how many threads compute for its job, and the script of those beside itself. */
export interface ThreadData {
  readonly threads: number;
  readonly hand: string;
}

/** What a worker is told: a job, or what it asked for. */
export type Message = { kind: 'job'; job: Job } | { kind: 'reply'; id: number; reply: Reply };

/** What a worker says. */
export type Answer =
  | { kind: 'layer'; layer: number }
  | { kind: 'ask'; id: number; question: Question }
  | { kind: 'done'; result: unknown }
  | ({ kind: 'failed' } & PlainError);

export interface Engine {
  /**
   * Runs a job in a free thread.
   * @throws ModelError as the job does, or the time-out's error
   */
  run<K extends Job['kind']>(job: Extract<Job, { kind: K }>, options?: JobOptions): Promise<JobResults[K]>;
  /** The script of kernels' own processes (src/host.ts), which lies beside the threads' one. */
  readonly host: URL;
  /** Ends all threads. */
  close(): Promise<void>;
}

export interface JobOptions {
  readonly onLayer?: OnLayer;
  readonly timeout?: Timeout;
  /** Answers what the job asks on its way; never rejects. */
  readonly onQuestion?: (question: Question) => Promise<Reply>;
}

export interface Timeout {
  readonly ms: number;
  /** What the job's time running out means. */
  readonly error: ModelError;
}

/**
 * Starts an engine of at most `size` jobs at a time. Threads start with the first jobs.
 * @param cores processors that the jobs share: each gets as many threads as there are for it, and one at least
 */
export function startThreads(
  size: number,
  script: URL = new URL('./worker.js', import.meta.url),
  cores: number = availableParallelism(),
): Engine {
  const beside = (name: string) => new URL(script.pathname.endsWith('.mjs') ? `./${name}.mjs` : `./${name}.js`, script);
  const workerData: ThreadData = { threads: Math.max(1, Math.floor(cores / size)), hand: beside('hand').href };
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const waiting: ((worker: Worker) => void)[] = [];
  let closed = false;

  const take = async (): Promise<Worker> => {
    const free = idle.pop();
    if (free !== undefined) return free;
    if (all.size < size) return start();
    return new Promise((resolve) => waiting.push(resolve));
  };
  const start = () => {
    const worker = new Worker(script, { workerData });
    // A thread that waits for work must not keep the process alive.
    worker.unref();
    all.add(worker);
    // A thread can break when no job listens (a late error of a native library). Without listeners that would end the process.
    worker.on('error', () => forget(worker)).on('exit', () => forget(worker));
    return worker;
  };
  const forget = (worker: Worker) => {
    all.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  };
  const giveBack = (worker: Worker) => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  const drop = (worker: Worker) => {
    all.delete(worker);
    void worker.terminate();
    const next = closed ? undefined : waiting.shift();
    if (next !== undefined) next(start());
  };

  return {
    host: beside('host'),
    async run<K extends Job['kind']>(job: Extract<Job, { kind: K }>, options: JobOptions = {}) {
      const worker = await take();
      worker.ref();
      const { result, usable } = await converse(worker, job, options);
      worker.unref();
      if (usable) giveBack(worker);
      else drop(worker);
      if (result instanceof Error) throw result;
      return result.value as JobResults[K];
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
      all.clear();
    },
  };
}

interface Outcome {
  readonly result: { value: unknown } | Error;
  /** Whether the thread can take another job. */
  readonly usable: boolean;
}

function converse(worker: Worker, job: Job, { onLayer, onQuestion, timeout }: JobOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const finish = (outcome: Outcome) => {
      clearTimeout(timer);
      // One by one: Worker has listeners of its own, which removeAllListeners would take away with these.
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      resolve(outcome);
    };
    const onMessage = (answer: Answer) => {
      if (answer.kind === 'layer') onLayer?.(answer.layer);
      else if (answer.kind === 'ask')
        void onQuestion?.(answer.question).then((reply) => worker.postMessage({ kind: 'reply', id: answer.id, reply } satisfies Message));
      else if (answer.kind === 'done') finish({ result: { value: answer.result }, usable: true });
      else finish({ result: fromPlainError(answer), usable: true });
    };
    const onError = (error: unknown) => finish({ result: error instanceof Error ? error : new Error(String(error)), usable: false });
    const onExit = (code: number) =>
      finish({ result: new Error(`a worker thread ended with code ${code} before its job was done`), usable: false });
    const timer = timeout === undefined ? undefined : setTimeout(() => finish({ result: timeout.error, usable: false }), timeout.ms);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage({ kind: 'job', job } satisfies Message);
  });
}
