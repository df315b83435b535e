// A kernel in a child process of ours (src/host.ts): GPU drivers and users' native code may crash or hang there without taking the run along.

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printable } from '../hub/names.js';
import type { ServingDtype } from '../report/types.js';
import { kernelEnvironment } from './environment.js';
import { KernelError, type KernelAnswer, type KernelCall, type KernelDevice } from './kernel.js';
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
const START_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 120_000;
/** What the process wrote last may arrive after the news of its end. */
const LAST_WORDS_MS = 50;
/** Enough of stderr to see why a native library gave up. */
const STDERR_TAIL = 2000;

/**
 * Starts a host for a kernel of backend `cuda` or `onnxruntime`.
 * @throws KernelError when the kernel cannot run here
 */
export async function hostedProcess(kernel: KernelManifest, options: ProcessOptions): Promise<KernelProcess> {
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
    const started = await ask({ kind: 'start', id: 0, kernel, dtype, execution_provider }, START_TIMEOUT_MS);
    if (started.kind !== 'started') throw new KernelError('the host gave an answer that does not belong here');
    let next = 1;
    return {
      device: started.device,
      get usable() {
        return usable;
      },
      async call(call) {
        const answer = await ask({ kind: 'call', id: next++, call }, CALL_TIMEOUT_MS);
        if (answer.kind !== 'answer') throw new KernelError('the host gave an answer that does not belong here');
        return answer.answer;
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
        ended = new KernelError(`the kernel's process ${how}${last === '' ? '' : `; its last words: ${last}`}`);
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
    const answer = message as HostAnswer;
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  return {
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
