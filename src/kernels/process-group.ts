// A program and everything that it starts: started as a group of processes, ended as one. What is said to it is in command.ts.

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

export interface ProcessGroup {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Asks all of them to end (SIGTERM). */
  terminate(): void;
  /**
   * Ends all of them, at once and synchronously; does nothing where none is left.
   * @returns how many there were beside the program itself, as far as the system tells
   */
  kill(): number;
}

/** A program that starts processes faster than they are found would keep us here for ever. */
const MAX_ROUNDS = 1000;

/** Every process that the program starts inherits it, wherever that process goes, unless it is given another environment. */
const MARKER = 'FUSED_COMPAT_KERNEL';

/**
 * Starts a program without a shell, leading a process group of its own, with three pipes. That it cannot be started is told by the event
 * `error` of the child.
 */
export function startGroup(
  [program, ...args]: readonly [string, ...string[]],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): ProcessGroup {
  const mark = randomBytes(16).toString('hex');
  const child = spawn(program, args, {
    cwd,
    env: { ...env, [MARKER]: mark },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  // The number of an ended process may be given to another: the group is signalled for the last time in `exit`'s own turn.
  let leads = child.pid !== undefined;
  // One that was killed may still be seen for a moment, and is counted once.
  const left = new Set<number>();
  const signal = (name: 'SIGTERM' | 'SIGKILL'): void => {
    const signalled = new Set<number>();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // What was started while we looked is found by looking again; a process that has its SIGKILL starts nothing more.
      const found = marked(mark).filter((pid) => !signalled.has(pid));
      if (leads) signalGroup(child, name);
      if (found.length === 0) break;
      for (const pid of found) {
        signalled.add(pid);
        send(pid, name);
      }
      if (name === 'SIGTERM') break;
    }
    if (name === 'SIGKILL') for (const pid of signalled) if (pid !== child.pid) left.add(pid);
  };
  child.on('exit', () => {
    signal('SIGKILL');
    leads = false;
  });
  return {
    child,
    terminate: () => signal('SIGTERM'),
    kill() {
      signal('SIGKILL');
      return left.size;
    },
  };
}

function signalGroup(child: ProcessGroup['child'], name: NodeJS.Signals): void {
  if (process.platform === 'win32') child.kill(name);
  else if (child.pid !== undefined) send(-child.pid, name);
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

/**
 * Processes that bear the mark in the environment they were started with, and their children: one that was given another environment, or
 * is being started just now and shows none yet. Only Linux tells: elsewhere the group has to do.
 */
function marked(mark: string): number[] {
  if (process.platform !== 'linux') return [];
  const entry = Buffer.from(`${MARKER}=${mark}\0`);
  const children = new Map<number, number[]>();
  const found = new Set<number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(pid);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
    if (read(pid, 'environ').includes(entry)) found.add(Number(pid));
  }
  // A set goes on with what is added while it is gone through: children of children come too.
  for (const parent of found) for (const pid of children.get(parent) ?? []) found.add(pid);
  return [...found];
}

/** 0 for a process that has ended, also for one that nobody has waited for yet. */
function parentOf(pid: string): number {
  // "4242 (name) S 17 ...": the name may hold anything, also a parenthesis.
  const stat = read(pid, 'stat').toString('latin1');
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? 0 : Number(parent ?? 0);
}

/** Empty for a process that has ended, or belongs to another user. */
function read(pid: string, file: 'environ' | 'stat'): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return Buffer.alloc(0);
  }
}
