// A kernel in a child process of ours (src/host.ts): GPU drivers and users' native code may crash or hang there without taking the run along.

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printable } from '../hub/names.js';
import type { ServingDtype } from '../report/types.js';
import { kernelEnvironment } from './environment.js';
import { checkOutputs, KernelError, type KernelAnswer, type KernelCall, type KernelDevice } from './kernel.js';
import type { KernelManifest } from './manifest.js';
import type { ExecutionProvider } from './onnxruntime.js';
import type { KernelProcess, ProcessOptions } from './processes.js';

/** What the host is asked. Numbers tie answers to questions. */
export type HostQuestion =
  | { kind: 'start'; id: number; kernel: KernelManifest; dtype: ServingDtype; execution_provider: ExecutionProvider }
  | { kind: 'call'; id: number; call: KernelCall };

export type HostAnswer =
  | { kind: 'started'; id: number; device: KernelDevice }
  | { kind: 'answer'; id: number; answer: KernelAnswer }
  | { kind: 'failed'; id: number; message: string; usable: boolean };

/** A driver that compiles PTX for a new device takes seconds, NVRTC tens of them; a call that takes minutes hangs. */
const TIMEOUTS_MS = { start: 120_000, call: 120_000 };
/** What the process wrote last may arrive after the news of its end. */
const LAST_WORDS_MS = 50;
/** Enough of stderr to see why a native library gave up. */
const STDERR_TAIL = 2000;

/**
 * Starts a host for a kernel of backend `cuda` or `onnxruntime`.
 * @throws KernelError when the kernel cannot run here
 */
export async function hostedProcess(kernel: KernelManifest, options: ProcessOptions, timeouts = TIMEOUTS_MS): Promise<KernelProcess> {
  const child = fork(fileURLToPath(options.host), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    env: kernelEnvironment(process.env),
  });
  const kill = () => child.kill('SIGKILL');
  options.onSpawn(kill);
  const conversation = converse(child);
  const { dtype, execution_provider } = options;
  let usable = true;
  const nonsense = (): KernelError => {
    usable = false;
    kill();
    return new KernelError(NONSENSE);
  };
  const ask = async (question: HostQuestion, timeoutMs: number): Promise<HostAnswer> => {
    const answer = await conversation.ask(question, timeoutMs).catch((error: unknown) => {
      usable = false;
      kill();
      throw error;
    });
    if (answer.kind !== 'failed') return answer;
    if (!answer.usable) {
      usable = false;
      kill();
    }
    throw new KernelError(answer.message);
  };
  try {
    const started = await ask({ kind: 'start', id: 0, kernel, dtype, execution_provider }, timeouts.start);
    if (started.kind !== 'started') throw nonsense();
    let next = 1;
    return {
      device: started.device,
      get usable() {
        return usable && !conversation.over();
      },
      async call(call) {
        const answer = await ask({ kind: 'call', id: next++, call }, timeouts.call);
        if (answer.kind !== 'answer') throw nonsense();
        // The process has checked them; memory that a kernel wrote over may say anything.
        return { ...answer.answer, outputs: checkOutputs(kernel.op, call.inputs, call.attributes, answer.answer.outputs) };
      },
      // The host ends by itself when the channel closes; a driver that hangs does not.
      close: () => conversation.end(),
      kill,
    };
  } catch (error) {
    kill();
    throw error;
  }
}

const NONSENSE = "the kernel's process gave an answer that makes no sense and was ended; its memory may be damaged";

/** A message as the answer that it claims to be; null when it is none. */
function readAnswer(message: unknown): HostAnswer | null {
  if (!isRecord(message) || typeof message['id'] !== 'number') return null;
  const { kind, device, answer, message: words, usable } = message;
  const sound =
    (kind === 'started' && isRecord(device) && typeof device['device'] === 'string' && Array.isArray(device['variants'])) ||
    (kind === 'failed' && typeof words === 'string' && typeof usable === 'boolean') ||
    (kind === 'answer' && isRecord(answer) && isAnswer(answer));
  return sound ? (message as HostAnswer) : null;
}

function isAnswer({ outputs, time_us, violations }: Record<string, unknown>): boolean {
  const timed = time_us === null || (typeof time_us === 'number' && time_us >= 0);
  return timed && Array.isArray(violations) && isRecord(outputs) && Object.values(outputs).every(isArray);
}

function isArray(value: unknown): boolean {
  if (!isRecord(value) || !Array.isArray(value['shape'])) return false;
  const { data, shape } = value as { data: unknown; shape: unknown[] };
  const size = shape.reduce<number>((product, length) => product * (typeof length === 'number' ? length : NaN), 1);
  return (data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array) && data.length === size;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function converse(child: ChildProcess) {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-STDERR_TAIL)));
  const waiting = new Map<number, { resolve: (answer: HostAnswer) => void; reject: (error: KernelError) => void }>();
  let ended: KernelError | null = null;
  const gone = new Promise<void>((resolve) => {
    // Not `close`: that waits for the end of stderr, which a process that the kernel left behind may hold open.
    child.on('exit', (code, signal) => {
      setTimeout(() => {
        const how = signal === null ? `ended with exit code ${String(code)}` : `was ended by ${signal}`;
        const last = printable(tail.trim().split('\n').slice(-3).join(' | '));
        ended ??= new KernelError(`the kernel's process ${how}${last === '' ? '' : `; its last words: ${last}`}`);
        for (const { reject } of waiting.values()) reject(ended);
        waiting.clear();
        resolve();
      }, LAST_WORDS_MS);
    });
  });
  child.on('error', (error) => {
    ended = new KernelError(`the kernel's process could not be started: ${printable(error.message)}`);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  });
  child.on('message', (message) => {
    const answer = readAnswer(message);
    const asked = answer === null ? undefined : waiting.get(answer.id);
    if (answer !== null && asked !== undefined) {
      waiting.delete(answer.id);
      asked.resolve(answer);
      return;
    }
    ended ??= new KernelError(NONSENSE);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    child.kill('SIGKILL');
  });
  return {
    /** Also a process that answered everything may die between two models. */
    over: () => ended !== null,
    ask: (question: HostQuestion, timeoutMs: number) =>
      new Promise<HostAnswer>((resolve, reject) => {
        if (ended !== null) {
          reject(ended);
          return;
        }
        const timer = setTimeout(() => {
          waiting.delete(question.id);
          reject(new KernelError(`no answer within ${timeoutMs / 1000} s; the kernel was ended`));
        }, timeoutMs);
        const settled =
          <T>(then: (value: T) => void) =>
          (value: T) => {
            clearTimeout(timer);
            then(value);
          };
        waiting.set(question.id, { resolve: settled(resolve), reject: settled(reject) });
        child.send(question, (error) => {
          if (error !== null && ended === null) waiting.get(question.id)?.reject(new KernelError("the kernel's process is gone"));
        });
      }),
    async end() {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      if (child.exitCode === null && child.signalCode === null) await gone;
      clearTimeout(timer);
    },
  };
}
