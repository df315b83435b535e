// The cache of GitHub Actions as a SharedCache. What moves the bytes is a process of its own (src/actions-cache.ts), because what it runs
// is not to be trusted with more: @actions/cache unpacks with `tar -P`, which writes wherever an archive says, talks to stdout in workflow
// commands, and waits as long as it likes. Here it is fenced in: its environment, its folder, its time.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { lstat, mkdtemp, readdir, realpath, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { CacheAnswer, CacheRequest } from '../actions-cache.js';
import { lanes } from '../hub/lanes.js';
import { printable } from '../hub/names.js';
import { bytesInWords } from '../hub/progress.js';
import type { Environment } from '../hub/settings.js';
import type { Restored, SharedCache, SharedEntry } from '../hub/shared-cache.js';

export interface ActionsCache extends SharedCache {
  /** Saves what was noted, one entry after the other. Never throws; a failure is one line in the log and ends it. */
  saveAll(): Promise<void>;
}

export interface ActionsCacheOptions {
  readonly env: Environment;
  readonly log: (line: string) => void;
  readonly script?: URL;
  /** How long one entry may take, in ms. */
  readonly limitMs?: (bytes: number) => number;
}

/** What GitHub gives a repository; a larger entry would push out all others, and then itself. */
const LARGEST_BYTES = 10 * 1024 ** 3;
/** Slower than 10 MB/s a download from the Hub is as good. */
const limitOf = (bytes: number): number => 60_000 + bytes / 10_000;
/** Headers of an archive, and what compression adds to bytes that do not compress. */
const SLACK_BYTES = 64 * 1024 * 1024;
const WATCH_MS = 500;

/** No token but the cache's own, nothing of the job's environment that is not needed. */
const PASSED = new RegExp(
  '^(?:ACTIONS_(?:RESULTS_URL|CACHE_URL|RUNTIME_TOKEN|CACHE_SERVICE_V2|CACHE_MODE|ORCHESTRATION_ID)|GITHUB_SERVER_URL|RUNNER_TRACKING_ID|' +
    'PATH|HOME|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|https?_proxy|no_proxy)$',
  'i',
);

/**
 * GNU tar takes these before its own arguments: every member, and every target of a link, loses its folders and lies in blobs/. In the C
 * locale `.` also matches bytes that are no character.
 */
const FENCE = { TAR_OPTIONS: '--no-same-owner --no-same-permissions --transform=s,^.*/,,;s,^,blobs/,', LC_ALL: 'C' };

interface Errand {
  readonly request: CacheRequest;
  /** Where `blobs/` is. */
  readonly folder: string;
  /** For the archive. */
  readonly temp: string;
  readonly limitMs: number;
  /** Bytes that `temp` may grow to. */
  readonly mostBytes: number;
}

export function actionsCache(options: ActionsCacheOptions): ActionsCache {
  const { env, log, script = new URL('./actions-cache.js', import.meta.url), limitMs = limitOf } = options;
  const noted = new Map<string, { entry: SharedEntry; folder: string }>();
  const inTurn = lanes(1);
  // A service that failed once is not waited for again.
  let usable = true;

  const send = async (task: CacheRequest['task'], entry: SharedEntry, folder: string, temp: string): Promise<Restored> => {
    const mostBytes = SLACK_BYTES + (task === 'restore' ? 2 : 1) * entry.bytes;
    const { bavail, bsize } = await statfs(temp);
    if (bavail * bsize < mostBytes) return { found: false, problem: `it needs ${bytesInWords(mostBytes)} of disk space` };
    const request = { task, key: entry.key, paths: entry.hashes.map((hash) => `blobs/${hash}`) };
    return run({ request, folder, temp, limitMs: limitMs(entry.bytes), mostBytes }, script, env);
  };

  const restore = async (entry: SharedEntry, use: (folder: string) => Promise<void>): Promise<Restored> => {
    if (entry.bytes > LARGEST_BYTES) return { found: false, problem: `${bytesInWords(entry.bytes)} are more than it holds` };
    if (!usable) return { found: false, problem: null };
    return withTemporaryFolder(env, async (temp) => {
      const answer = (await isTarGnu(env)) ? await send('restore', entry, temp, temp) : { found: false, problem: 'GNU tar is needed' };
      usable = answer.found || answer.problem === null;
      if (answer.found) await use(temp);
      return answer;
    });
  };

  const saveOne = async ({ entry, folder }: { entry: SharedEntry; folder: string }): Promise<string | null> => {
    const { problem } = await withTemporaryFolder(env, async (temp) => send('save', entry, await realpath(folder), temp));
    if (problem === null) log(`saved in the Actions cache: ${bytesInWords(entry.bytes)} as ${entry.key}`);
    return problem;
  };

  return {
    name: 'the Actions cache',
    restore: (entry, use) => inTurn(() => restore(entry, use)),
    save(entry, folder) {
      if (usable) noted.set(entry.key, { entry, folder });
    },
    async saveAll() {
      for (const one of noted.values()) {
        const problem = await saveOne(one).catch(reasonOf);
        if (problem === null) continue;
        log(`not saved in the Actions cache: ${problem}`);
        break;
      }
      noted.clear();
    },
  };
}

/** The runner empties RUNNER_TEMP with every job, so that nothing of a killed one stays. Its real path, because tar's names are told from it. */
async function withTemporaryFolder<T>(env: Environment, work: (temp: string) => Promise<T>): Promise<T> {
  const temp = await realpath(await mkdtemp(join(env['RUNNER_TEMP'] ?? tmpdir(), 'fused-compat-cache-')));
  try {
    return await work(temp);
  } finally {
    await rm(temp, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** No other tar knows the fence. */
async function isTarGnu({ PATH }: Environment): Promise<boolean> {
  const { stdout } = await promisify(execFile)('tar', ['--version'], { env: { PATH }, timeout: 10_000 }).catch(() => ({ stdout: '' }));
  return stdout.includes('GNU tar');
}

/** Runs one errand in a process group of its own, which is gone when this returns. */
async function run(errand: Errand, script: URL, env: Environment): Promise<Restored> {
  const passed = Object.fromEntries(Object.entries(env).filter(([name]) => PASSED.test(name)));
  const fence = errand.request.task === 'restore' ? FENCE : {};
  const child = spawn(process.execPath, [fileURLToPath(script)], {
    cwd: errand.folder,
    env: { ...passed, ...fence, GITHUB_WORKSPACE: errand.folder, RUNNER_TEMP: errand.temp },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  let found = false;
  let timers: readonly NodeJS.Timeout[] = [];
  const problem = await new Promise<string | null>((resolve) => {
    child.on('error', (error) => resolve(reasonOf(error)));
    child.on('exit', (code, signal) => resolve(`its process ended (${code ?? signal ?? 'unknown'})`));
    child.on('message', (answer: CacheAnswer) => {
      found ||= answer.found;
      if (answer.done) resolve(answer.problem);
    });
    child.send(errand.request, () => undefined);
    const seconds = Math.round(errand.limitMs / 1000);
    timers = [
      setTimeout(() => resolve(`it took longer than ${seconds} s`), errand.limitMs),
      setInterval(
        () => void sizeOf(errand.temp).then((size) => size > errand.mostBytes && resolve('it unpacks to more than was saved')),
        WATCH_MS,
      ),
    ];
  });
  for (const timer of timers) clearTimeout(timer);
  endGroup(child);
  return { found, problem: problem === null ? null : plain(problem) };
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Bytes of all files below a folder; what goes away meanwhile does not count. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await lstat(join(folder, name)).catch(() => null))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function reasonOf(error: unknown): string {
  return plain(error instanceof Error ? error.message : String(error));
}

/** One line that is safe to show: addresses of the service are signed. */
function plain(text: string): string {
  return printable(text.replaceAll(/https?:\/\/[^\s/]+\S*/g, '(an address)').trim());
}
