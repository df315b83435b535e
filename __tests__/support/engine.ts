// The engine as it runs for users: real worker threads, from src/worker.ts bundled here. Threads are outside of jest's VM context, in which
// loops over numbers are ten times slower.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startThreads, type Engine } from '../../src/threads.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Starts an engine of two threads, or of as many jobs on as many cores as are given. Close it when the tests are done.
 * @param sources what the bundle takes for the hash of its sources: without one, no results of the reference are kept
 */
export function startEngine(jobs = 2, cores = 2, sources?: string): Engine {
  const folder = bundle('.mjs', ['worker', 'host', 'hand'], sources);
  const threads = startThreads(jobs, pathToFileURL(join(folder, 'worker.mjs')), cores);
  return {
    host: threads.host,
    run: threads.run.bind(threads),
    async close() {
      await threads.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The command line with its threads, from the sources, for tests that end its process. Remove it when the tests are done. */
export function bundledProgram(): { path: string; remove: () => void } {
  const folder = bundle('.js', ['cli', 'worker', 'host', 'hand']);
  return { path: join(folder, 'cli.js'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The script of the reference's other threads. Remove it when the tests are done. */
export function bundledHand(): { script: URL; remove: () => void } {
  const folder = bundle('.mjs', ['hand']);
  return { script: pathToFileURL(join(folder, 'hand.mjs')), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Bundles entries of src/ into a new folder. */
function bundle(extension: string, entries: readonly string[], sources?: string): string {
  // Below the repository, so that the packages, which stay outside the bundle, are found in node_modules.
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'build', 'test-engine-'));
  execFileSync(
    join(ROOT, 'node_modules/.bin/esbuild'),
    [
      ...entries.map((entry) => join(ROOT, `src/${entry}.ts`)),
      '--bundle',
      '--packages=external',
      '--platform=node',
      '--format=esm',
      '--log-level=error',
      ...(sources === undefined ? [] : [`--define:BUNDLED_SOURCES=${JSON.stringify(sources)}`]),
      `--out-extension:.js=${extension}`,
      `--outdir=${folder}`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return folder;
}
