// The processes of the kernels under test: one per kernel, dtype and run, started with the first call, kept for all models, ended with the run.
// What a process is told and what it answers is its backend's (command.ts, hosted.ts).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServingDtype } from '../report/types.js';
import { commandProcess } from './command.js';
import { hostedProcess } from './hosted.js';
import { KernelError, type KernelAnswer, type KernelCall, type KernelDevice } from './kernel.js';
import type { KernelManifest } from './manifest.js';
import type { ExecutionProvider } from './onnxruntime.js';
import { automaticProvider, machineShowsGpu } from './provider.js';

/** A running kernel. */
export interface KernelProcess {
  readonly device: KernelDevice;
  /**
   * One call; they come one after the other.
   * @throws KernelError when there is no usable answer
   */
  call(call: KernelCall): Promise<KernelAnswer>;
  /** Whether it can take another call; false after a crash, a time-out or an answer that made no sense. */
  readonly usable: boolean;
  /** Asks it to end, and ends it when it does not. */
  close(): Promise<void>;
  /** Ends it and everything it started, at once and synchronously: this process is about to end. */
  kill(): void;
}

/** What a backend needs to start a process. */
export interface ProcessOptions {
  readonly dtype: ServingDtype;
  readonly execution_provider: ExecutionProvider;
  /** The script of a process of ours. */
  readonly host: URL;
  /** A private folder for files that travel between the processes. Removed at the end of the run. */
  readonly folder: string;
  /** One line of what the kernel prints. */
  readonly log: (line: string) => void;
  /** Tells of the process the moment that it exists, so that it is ended with the run also while it starts. */
  readonly onSpawn: (kill: () => void) => void;
}

export interface KernelProcesses {
  /** Where ONNX Runtime's kernels run: what was asked for, or what `auto` turned out to be. */
  provider(): Promise<ExecutionProvider>;
  /** The GPUs on which kernels have answered calls; null: none has. */
  gpu(): string | null;
  /** @throws KernelError */
  start(kernel: KernelManifest, dtype: ServingDtype): Promise<KernelDevice>;
  /** @throws KernelError */
  call(kernel: KernelManifest, call: KernelCall): Promise<KernelAnswer>;
  close(): Promise<void>;
}

/** What ends us by default; GitHub sends SIGINT when a job is cancelled, and SIGTERM 7.5 s later. */
const CANCELS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Slot {
  starting: Promise<KernelProcess>;
  /** Calls wait for the one before. */
  turn: Promise<unknown>;
}

/** Nothing is started before the first call. */
export function kernelProcesses(
  given: Pick<ProcessOptions, 'host' | 'log'> & { execution_provider: ExecutionProvider | 'auto' },
  showsGpu: () => boolean = machineShowsGpu,
): KernelProcesses {
  const slots = new Map<string, Slot>();
  const kills = new Set<() => void>();
  const gpus = new Set<string>();
  let chosen: Promise<ExecutionProvider> | undefined;
  let folder: string | undefined;
  let closed = false;
  const killAll = () => {
    for (const kill of kills) kill();
    kills.clear();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
  // Covers process.exit(), also the one that follows a signal; SIGKILL closes the children's stdin instead, which ends them.
  process.on('exit', killAll);
  // A cancelled job: processes that lead groups of their own do not get the terminal's or the runner's signal.
  const onSignal = (signal: NodeJS.Signals) => {
    killAll();
    forget();
    process.kill(process.pid, signal);
  };
  for (const signal of CANCELS) process.on(signal, onSignal);
  const forget = () => {
    process.off('exit', killAll);
    for (const signal of CANCELS) process.off(signal, onSignal);
  };

  const common = () => {
    if (closed) throw new KernelError('the run has ended');
    folder ??= mkdtempSync(join(process.env['RUNNER_TEMP'] ?? tmpdir(), 'fused-compat-kernels-'));
    return { host: given.host, log: given.log, folder, onSpawn: (kill: () => void) => void kills.add(kill) };
  };
  const provider = async (): Promise<ExecutionProvider> => {
    const { execution_provider: asked } = given;
    return asked === 'auto' ? (chosen ??= automaticProvider(common(), showsGpu)) : asked;
  };
  const open = async (kernel: KernelManifest, dtype: ServingDtype): Promise<KernelProcess> => {
    const options: ProcessOptions = { ...common(), dtype, execution_provider: kernel.backend === 'onnxruntime' ? await provider() : 'cpu' };
    return kernel.backend === 'command' ? commandProcess(kernel, options) : hostedProcess(kernel, options);
  };
  const slotOf = (kernel: KernelManifest, dtype: ServingDtype): Slot => {
    const key = `${kernel.name} ${dtype}`;
    const known = slots.get(key);
    if (known !== undefined) return known;
    const slot = { starting: open(kernel, dtype), turn: Promise.resolve() };
    slot.starting.catch(() => undefined);
    slots.set(key, slot);
    return slot;
  };
  return {
    provider,
    gpu: () => (gpus.size === 0 ? null : [...gpus].sort().join(', ')),
    start: async (kernel, dtype) => (await slotOf(kernel, dtype).starting).device,
    async call(kernel, call) {
      const slot = slotOf(kernel, call.dtype);
      const answer = slot.turn.then(async () => {
        // A crash on one model's shapes says nothing of the next model: it gets a fresh process. One that cannot start stays failed.
        if (!(await slot.starting).usable) slot.starting = open(kernel, call.dtype);
        const running = await slot.starting;
        const answered = await running.call(call);
        if (running.device.gpu) gpus.add(running.device.device);
        return answered;
      });
      slot.turn = answer.catch(() => undefined);
      return answer;
    },
    async close() {
      closed = true;
      await Promise.all([...slots.values()].map(({ starting }) => starting.then((running) => running.close()).catch(() => undefined)));
      forget();
      killAll();
    },
  };
}
