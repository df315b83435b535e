// Waiting for what others do: processes, servers, files. As long as it takes, on a machine that is slow or stands still; what never comes
// is an error that says what was waited for.

import type { ChildProcess } from 'node:child_process';
import type { Server } from 'node:http';

/** NODE_OPTIONS of a process whose limits a machine that stands still is not to use up either. */
export const PATIENT_CHILD = `--import=${new URL('patient-timers-here.mjs', import.meta.url).href}`;

/** Seconds that this process itself had, in which nothing honest is still to come. */
const PATIENCE_S = 300;
const POLL_MS = 5;
/** Enough of what a process printed to see what it was doing. */
const TAIL = 2000;

/**
 * Waits until something is so.
 * @throws Error naming `what` when it never is
 */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  let over = false;
  const limit = setTimeout(() => (over = true), PATIENCE_S * 1000);
  try {
    while (!(await isSo())) {
      if (over) throw new Error(`waited ${PATIENCE_S} s in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    clearTimeout(limit);
  }
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Waits for the end of a child process and of its output. Call it right after the start: what was printed before is lost.
 * @throws Error when it could not be started, or did not end and was killed for it: what it left is half done, and no result
 */
export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  // A process whose channel was closed from here never comes to `close`.
  const last = child.stdout === null && child.stderr === null ? 'exit' : 'close';
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      const printed = `${stdout}\n${stderr}`.trim().slice(-TAIL);
      reject(new Error(`${child.spawnargs.join(' ')} did not end within ${PATIENCE_S} s and was killed; it printed last:\n${printed}`));
    }, PATIENCE_S * 1000);
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.once(last, (code: number | null, signal: NodeJS.Signals | null) => {
      clearTimeout(limit);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

/** Takes a server's own limits away: after seconds it would close what a client that stood still is about to use. */
export function unhurried(server: Server): void {
  server.keepAliveTimeout = 3_600_000;
  server.headersTimeout = 0;
  server.requestTimeout = 0;
}
