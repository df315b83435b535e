// One process at a time for one file, between processes that may die without a word. What they do meanwhile is not known here.
// A lock file and not flock: Node has none, and on Lustre, GPFS and NFS it locks nothing (huggingface_hub#4306).

import { constants } from 'node:fs';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';

import { codeAndMessage } from './answers.js';

const HEARTBEAT_MS = 5_000;
/** A holder that gave no sign of life for so long, by the waiting process's own clock, is taken for dead. */
const SILENCE_MS = 60_000;
const POLL_MS = 100;

/** Locks of this process, to tell them from those of a dead one that had the same number. */
const own = new Set<string>();

interface Holder {
  readonly text: string;
  readonly beat: number;
}

/**
 * Does `work` while no other process that asks for the same path does its own. Safe only as an economy: a file system that stalls for a
 * minute lets two in, so what they write must be verified all the same.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const text = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  own.add(text);
  await acquire(path, text);
  const heartbeat = setInterval(() => void beat(path), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    own.delete(text);
    if ((await holderOf(path))?.text === text) await rm(path, { force: true });
  }
}

async function beat(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

async function acquire(path: string, text: string): Promise<void> {
  let seen: Holder | null = null;
  let polls = 0;
  while (!(await create(path, text))) {
    const holder = await holderOf(path);
    if (holder === null) continue;
    if (seen === null || holder.text !== seen.text || holder.beat !== seen.beat) {
      seen = holder;
      polls = 0;
    }
    // Counted and not measured: while the machine slept, the holder could give no sign either.
    if (isDead(holder) || polls++ * POLL_MS > SILENCE_MS) await takeAway(path, holder);
    else await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeAndMessage(error).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<Holder | null> {
  try {
    const { mtimeMs } = await stat(path);
    return { text: await readFile(path, 'utf8'), beat: mtimeMs };
  } catch (error) {
    // A link to nothing is not ENOENT to `create`: it must not be waited for in a tight circle.
    await new Promise((resolve) => setTimeout(resolve, POLL_MS / 10));
    if (codeAndMessage(error).code === 'ENOENT') return null;
    throw error;
  }
}

/** Only of this machine can it be known; an empty lock is one that is being written. */
function isDead({ text }: Holder): boolean {
  const [, pid, host] = /^\{"pid":(\d{1,10}),"host":("(?:[^"\\]|\\.)*"),/.exec(text) ?? [];
  if (pid === undefined || host !== JSON.stringify(hostname())) return false;
  if (Number(pid) === process.pid) return !own.has(text);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return codeAndMessage(error).code === 'ESRCH';
  }
}

/** Of several that find the same dead holder one moves its lock away; one that moved a new lock by mistake gives it back. */
async function takeAway(path: string, { text }: Holder): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readFile(aside, 'utf8').catch(() => text);
  if (moved === text) return rm(aside, { force: true });
  await rename(aside, path).catch(() => undefined);
}
