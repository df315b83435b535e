// The protocol speaker of the tests (fixtures/speaker.mjs) as a kernel, and what it left behind.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandManifest } from '../../src/kernels/manifest.js';

export const SPEAKER = fileURLToPath(new URL('fixtures/speaker.mjs', import.meta.url));

/** What every process of one test has in its environment. */
export function newMark(): string {
  return `speaker-${randomUUID()}`;
}

/** @param mark from `newMark` */
export function speaker(fault: string, cwd: string, mark: string, timeout_s = 30): CommandManifest {
  const command = [process.execPath, SPEAKER, fault] as const;
  return { name: 'speaker', op: 'rms_norm', dtypes: ['bfloat16'], backend: 'command', command, cwd, env: { OWN_MARK: mark }, timeout_s };
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

/** `running` is empty, at the latest when the system has taken away what was killed. */
export async function allGone(mark: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (running(mark).length === 0) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
