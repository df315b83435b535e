// The protocol speaker of the tests (fixtures/speaker.mjs) as a kernel, and what it left behind.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../support/waiting.js';
import type { CommandManifest } from '../../src/kernels/manifest.js';

export const SPEAKER = fileURLToPath(new URL('fixtures/speaker.mjs', import.meta.url));

/** What every process of one test has in its environment. */
export function newMark(): string {
  return `speaker-${randomUUID()}`;
}

/** Of kernels whose time is not to run out: longer than a test may take. */
export const NO_HURRY_S = 3600;

/** @param mark from `newMark` */
export function speaker(fault: string, cwd: string, mark: string, timeout_s = NO_HURRY_S): CommandManifest {
  const command = [process.execPath, SPEAKER, fault] as const;
  return { name: 'speaker', op: 'rms_norm', dtypes: ['bfloat16'], backend: 'command', command, cwd, env: { OWN_MARK: mark }, timeout_s };
}

/**
 * Tries with seconds that are enough for a program to start, but soon over: more of them on a machine on which it starts slowly.
 * @param attempt null: it did not start in that time
 */
export async function inItsTime<T>(attempt: (timeout_s: number) => Promise<T | null>): Promise<T> {
  for (const timeout_s of [2, 10, 60]) {
    const result = await attempt(timeout_s);
    if (result !== null) return result;
  }
  throw new Error('a program did not start within a minute');
}

/** Processes that run with the mark. A process that has ended, but was not waited for, does not run. */
export function running(mark: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(join('/proc', name, 'environ'), 'latin1').includes(mark);
    } catch {
      return false;
    }
  });
}

/** Waits until `running` is empty: the system takes its time to take away what was killed. */
export async function allGone(mark: string): Promise<void> {
  await until(`the end of all processes of ${mark}`, () => running(mark).length === 0);
}
