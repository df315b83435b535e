// Backend `command`: any program that speaks process protocol 1 (docs/kernels.md) over its pipes. Starting and ending processes is in
// process-group.ts, the tensors are in tensor-files.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { printable, quote } from '../hub/names.js';
import { kernelEnvironment } from './environment.js';
import { KernelError, type KernelAnswer, type KernelCall, type KernelDevice } from './kernel.js';
import { listen, splitLines } from './lines.js';
import type { CommandManifest } from './manifest.js';
import { startGroup, type ProcessGroup } from './process-group.js';
import type { KernelProcess, ProcessOptions } from './processes.js';
import { readAnswer, shown, type Answer, type Result } from './protocol.js';
import { outputLimit, readOutputs, watchFolder, writeInputs } from './tensor-files.js';

/** An answer names a call and a time: nothing honest comes near. */
const MAX_LINE_BYTES = 2 ** 20;
/** From the end of its stdin to SIGTERM, and from there to SIGKILL. */
const CLOSE_MS = 5000;
const TERMINATE_MS = 1000;
/** What the process wrote last may arrive after the news of its end; a child that holds the pipe open would be waited for in vain. */
const LAST_WORDS_MS = 250;
/** From SIGKILL to going on without its end. */
const STUCK_MS = 2000;

/**
 * Starts a program and greets it.
 * @throws KernelError when it cannot be started, or is not ready in time, or does not offer the op
 */
export async function commandProcess(manifest: CommandManifest, options: ProcessOptions): Promise<KernelProcess> {
  const { name, op, timeout_s } = manifest;
  const folder = mkdtempSync(join(options.folder, `${name}-`));
  const group = startGroup(manifest.command, { cwd: manifest.cwd, env: kernelEnvironment(process.env, manifest.env) });
  options.onSpawn(() => void group.kill());
  const log = (line: string) => options.log(`kernel ${name}: ${line}`);
  const talk = converse(group, manifest.command[0], log);
  let usable = true;
  const give = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      // Not earlier: a process that dies, or answers again, between two calls owes the second one its reason.
      if (talk.broken()) usable = false;
      throw error;
    }
  };
  const end = async () => {
    group.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const device = await give(() => greet(talk, op, options.dtype, timeout_s));
    let next = 1;
    return {
      device,
      get usable() {
        return usable;
      },
      call: (call) => give(() => oneCall(talk, { folder, op, timeout_s, id: next++ }, device, call)),
      async close() {
        // What nobody was told yet.
        if (usable && talk.broken()) log((await talk.ended()).message);
        await finish(group, talk, log);
        await end();
      },
      kill() {
        group.kill();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function greet(talk: Conversation, op: string, dtype: string, timeoutS: number): Promise<KernelDevice> {
  const answer = await talk.ask({ type: 'hello', protocol: 1, dtype }, null, timeoutS);
  if (answer.type === 'error') throw await talk.fail(`it does not start: ${answer.message}`);
  if (answer.type !== 'ready') throw await talk.fail(`it answered hello with ${answer.type}, not with ready`);
  if (!answer.ops.includes(op)) {
    const offered = printable(answer.ops.join(', '));
    throw await talk.fail(`it does not offer ${op}, the op of its kernel.json; its ops are: ${offered === '' ? 'none' : offered}`);
  }
  return answer.device;
}

interface Place {
  readonly folder: string;
  readonly op: string;
  readonly timeout_s: number;
  readonly id: number;
}

async function oneCall(
  talk: Conversation,
  { folder, op, timeout_s, id }: Place,
  device: KernelDevice,
  call: KernelCall,
): Promise<KernelAnswer> {
  if (!device.variants.includes(call.variant)) throw new KernelError(`it has no variant ${call.variant}`);
  if (talk.broken()) throw await talk.ended();
  const inputs = join(folder, `${id}.in.safetensors`);
  const outputs = join(folder, `${id}.out.safetensors`);
  const limit = outputLimit(op, call);
  let unwatch: (() => void) | undefined;
  try {
    await writeInputs(inputs, op, call);
    unwatch = watchFolder(folder, basename(inputs), limit, (error) => void talk.fail(error.message));
    const { variant, attributes, repeat } = call;
    const answer = await talk.ask({ type: 'call', id, op, variant, attributes, inputs, outputs, repeat }, id, timeout_s);
    if (answer.type === 'error')
      throw new KernelError(answer.message === '' ? 'it answered with an error, and no message' : answer.message);
    const read = await readOutputs(outputs, op, call, limit).catch(async (error: unknown) => {
      // A program that gives nonsense once is not asked again.
      throw error instanceof KernelError ? await talk.fail(error.message) : error;
    });
    const { time_us, violations } = answer as Result;
    return { outputs: read, time_us, violations };
  } finally {
    unwatch?.();
    await Promise.all([rm(inputs, { force: true }), rm(outputs, { force: true, recursive: true })]);
  }
}

/** Closes its stdin, and ends it when that does not. Answers that it gave stand; how it ends is only logged. */
async function finish({ child, terminate, kill }: ProcessGroup, talk: Conversation, log: (line: string) => void): Promise<void> {
  if (talk.broken()) return;
  talk.dismiss();
  child.stdin.end();
  if (!(await within(talk.ended(), CLOSE_MS))) {
    log(`still ran ${CLOSE_MS / 1000} s after its stdin was closed; it was ended`);
    terminate();
    await within(talk.ended(), TERMINATE_MS);
    kill();
    return;
  }
  const left = kill();
  if (left > 0) log(`left ${left} ${left === 1 ? 'process' : 'processes'} behind; ended`);
}

async function within(what: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const done = await Promise.race([what.then(() => true), late]);
  clearTimeout(timer);
  return done;
}

interface Conversation {
  /**
   * Says something and waits for the answer that bears `id` (null: the one to `hello`).
   * @throws KernelError when there is none, or one that makes no sense; the program is ended then
   */
  ask(message: Readonly<Record<string, unknown>>, id: number | null, timeoutS: number): Promise<Answer>;
  /** Ends the program for a fault of its own, and gives the error to throw. The first fault is the one that counts. */
  fail(fault: string): Promise<KernelError>;
  broken(): boolean;
  /** Why it ended, with its last words, once it has. */
  ended(): Promise<KernelError>;
  /** From now on nothing that it says matters. */
  dismiss(): void;
}

function converse(group: ProcessGroup, program: string, log: (line: string) => void): Conversation {
  const { child } = group;
  const words = listen(log);
  let fault: string | null = null;
  let dismissed = false;
  let waiting: { readonly id: number | null; readonly resolve: (answer: Answer) => void } | null = null;
  let ready = false;
  let asked = 0;
  let over: (error: KernelError) => void;
  const ended = new Promise<KernelError>((resolve) => (over = resolve));
  const fail = (why: string): Promise<KernelError> => {
    if (!dismissed) fault ??= why;
    group.kill();
    // A process inside a driver may not end even so.
    setTimeout(() => over(new KernelError(why + words.last())), STUCK_MS).unref();
    return ended;
  };
  const hear = (line: string) => {
    if (dismissed || fault !== null || line.trim() === '') return;
    let answer: Answer;
    try {
      answer = readAnswer(line);
    } catch (error) {
      void fail(`${ready ? '' : 'before it was ready '}it ${(error as Error).message}; stdout is for the protocol, print to stderr`);
      return;
    }
    const id = answer.type === 'ready' ? null : answer.id;
    if (waiting?.id === id) {
      ready = true;
      waiting.resolve(answer);
      waiting = null;
    } else if (id !== null && id >= 1 && id <= asked) void fail(`it answered call ${id} twice`);
    else if (id !== null) void fail(`it answered call ${id}, which was not asked`);
    else void fail(`it sent a message that belongs nowhere: ${shown(line)}`);
  };
  child.stdout.on(
    'data',
    splitLines(MAX_LINE_BYTES, hear, (start) => void fail(`it printed a line of more than ${MAX_LINE_BYTES} bytes: ${shown(start)}`)),
  );
  child.stderr.on('data', words.push);
  // It has ended, or closed its stdin: the one is told by `exit`, the other by a time-out.
  child.stdin.on('error', () => undefined);
  child.on('error', (error: NodeJS.ErrnoException) => {
    fault ??= `it could not be started: ${startProblem(error, program)}`;
    over(new KernelError(fault));
  });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  child.on('exit', (code, signal) => {
    void within(closed, LAST_WORDS_MS).then(() => {
      fault ??= signal === null ? `its process ended with exit code ${String(code)}` : `its process was ended by ${signal}`;
      over(new KernelError(fault + words.last()));
    });
  });
  return {
    async ask(message, id, timeoutS) {
      if (fault !== null) throw await ended;
      const answer = new Promise<Answer>((resolve) => (waiting = { id, resolve }));
      if (id !== null) asked = id;
      child.stdin.write(`${JSON.stringify(message)}\n`);
      const what = id === null ? 'it was not ready' : 'it gave no answer';
      const timer = setTimeout(() => void fail(`${what} within ${timeoutS} s (timeout_s of its kernel.json)`), timeoutS * 1000);
      try {
        const first = await Promise.race([answer, ended]);
        if (first instanceof KernelError) throw first;
        return first;
      } finally {
        clearTimeout(timer);
        waiting = null;
      }
    },
    fail,
    broken: () => fault !== null,
    ended: () => ended,
    dismiss: () => (dismissed = true),
  };
}

function startProblem({ code, message }: NodeJS.ErrnoException, program: string): string {
  if (code === 'ENOENT') return `the program ${quote(program)} was not found; is it installed on this machine?`;
  if (code === 'EACCES') return `${quote(program)} may not be executed (EACCES)`;
  return printable(message);
}
