// The folder in which results of the reference are kept: whose it must be, which engine and which model its parts are for, and how large it
// may grow. What is kept there is not known here.

import { createHash, webcrypto } from 'node:crypto';
import { readFileSync, statSync, type Stats } from 'node:fs';
import { lstat, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { openKeeper, type Keeper } from './keeper.js';
import { onnxruntimeVersion } from './runtime.js';

/** Set by scripts/build.mjs to a hash of the sources; from source there is no such variable, and nothing is kept. */
declare const BUNDLED_SOURCES: string | undefined;

/** Several models of a few billion parameters: one takes about as much as its weights (docs/reference.md). */
const LIMIT_BYTES = 20 * 2 ** 30;
/** Each is looked at after every run: 7 µs, under a second for all of them. A model has some thousand (docs/reference.md). */
const LIMIT_FILES = 100_000;
/** Of the space that is left on the disk, for one run. */
const SHARE_OF_FREE = 0.5;
const PIECE_BYTES = 8 * 2 ** 20;
/** As many as Node's pool has threads. */
const PIECES_AT_ONCE = 4;

const { subtle } = webcrypto;

/** What the job of one model is told. */
export interface KeptFolder {
  /** Absolute path. */
  readonly root: string;
  /** Names the weights where they came with a name of their own (repository and commit); null: they are named by their content. */
  readonly weights: string | null;
}

/**
 * The keeper for one model in one serving dtype.
 * @returns null where nothing can be kept: the program is not bundled, or the folder cannot be had for this user alone
 * @throws ModelError for damaged weights
 */
export async function keeperOf({ root, weights }: KeptFolder, dtype: ServingDtype, checkpoint: Checkpoint): Promise<Keeper | null> {
  const engine = engineName();
  if (engine === null || !(await isOwn(root))) return null;
  const model = hashOf([dtype, weights ?? (await contentOf(checkpoint))]);
  const folder = join(root, engine, model);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(folder);
    return openKeeper(folder, Math.min(LIMIT_BYTES, bavail * bsize * SHARE_OF_FREE));
  } catch {
    return null;
  }
}

/** Other sources, another ONNX Runtime or another processor may give other bits: what one of them left is never taken by another. */
function engineName(): string | null {
  if (typeof BUNDLED_SOURCES === 'undefined') return null;
  return hashOf([BUNDLED_SOURCES, onnxruntimeVersion(), process.platform, process.arch, processor()]);
}

/** ONNX Runtime takes other kernels on processors with other vector instructions. */
function processor(): string {
  const model = cpus()[0]?.model ?? '';
  if (process.platform !== 'linux') return model;
  try {
    return `${model} ${/^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''}`;
  } catch {
    return model;
  }
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** Results that another user could have written are none. */
async function isOwn(root: string): Promise<boolean> {
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const stats = await lstat(root);
    const own = process.getuid === undefined || stats.uid === process.getuid();
    return stats.isDirectory() && own && (stats.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/**
 * Names and bytes of all tensors: a folder may hold other weights tomorrow, with the same size and date. A digest of the digests of pieces, which
 * threads of Node's pool make while others are read.
 */
async function contentOf({ tensors, read }: Checkpoint): Promise<string> {
  // All names first: pieces of the next tensor are read while those of the one before are digested.
  const described = [...tensors.values()].map(({ name, dtype, shape, byteLength }) => [name, dtype, shape, byteLength]);
  const hash = createHash('sha256').update(JSON.stringify(described));
  const pieces: Promise<ArrayBuffer>[] = [];
  const take = async (left: number) => {
    while (pieces.length > left) hash.update(new Uint8Array((await pieces.shift()) as ArrayBuffer));
  };
  for (const { name, byteLength } of tensors.values()) {
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const piece = read(name, start, Math.min(start + PIECE_BYTES, byteLength)).then((bytes) => subtle.digest('SHA-256', bytes));
      // One that fails is told when its turn comes.
      piece.catch(() => undefined);
      pieces.push(piece);
      await take(PIECES_AT_ONCE - 1);
    }
  }
  await take(0);
  return hash.digest('hex');
}

/** Removes what was not used for the longest time, until the rest is within the limits. */
export async function prune(root: string, limits = { bytes: LIMIT_BYTES, files: LIMIT_FILES }): Promise<void> {
  const files: { path: string; bytes: number; used: number }[] = [];
  for (const engine of await names(root)) {
    for (const model of await names(join(root, engine))) {
      for (const name of await names(join(root, engine, model))) {
        const path = join(root, engine, model, name);
        const stats = lookAt(path);
        if (stats !== null) files.push({ path, bytes: stats.size, used: stats.mtimeMs });
      }
    }
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let count = files.length;
  for (const file of files.sort((a, b) => a.used - b.used)) {
    if (bytes <= limits.bytes && count <= limits.files) return;
    await rm(file.path, { force: true }).catch(() => undefined);
    bytes -= file.bytes;
    count--;
  }
}

/** Nothing else goes on by now, and a promise for each file takes ten times as long. */
function lookAt(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
