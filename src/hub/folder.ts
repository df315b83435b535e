// A model in a local folder: which of its files may be opened, and reading them by range.
// What is in the files is not known here.

import { constants as bufferConstants } from 'node:buffer';
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';

import { ModelError } from '../errors.js';
import { joined } from './joined.js';
import { fileNameProblem, printable, quote } from './names.js';
import type { ByteSource, ModelFiles } from './source.js';

/** Node aborts the process on a read of 2^31 bytes or more, and cuts one of 2^31 - 1 short without a word. */
const PIECE_BYTES = 64 * 1024 * 1024;

/** Git commit-like names that huggingface_hub gives its blobs: sha1 for small files, sha256 for LFS ones. */
const BLOB_NAME = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Files of weights that can be named instead of their folder. */
const WEIGHT_FILE = /\.(?:gguf|onnx|safetensors|bin|pt|pth)$/;

/**
 * A model's files in a local folder, which may be named by its file of weights. `list()` gives the files of the folder itself; files of
 * sub-folders are opened by name.
 * @throws ModelError `model_not_found` when there is no such folder
 */
export async function openFolder(path: string): Promise<ModelFiles> {
  const main = await namedFile(path);
  const root = await canonicalFolder(main === undefined ? path : dirname(path));
  return {
    id: path,
    revision: null,
    ...(main === undefined ? {} : { main }),
    list: () => listFiles(root, path),
    open: (name) => openFile(root, name),
  };
}

/** Its name, when the path is that of a file of weights: a link to one counts, for the cache of huggingface_hub. */
async function namedFile(path: string): Promise<string | undefined> {
  if (!WEIGHT_FILE.test(path)) return undefined;
  const stats = await stat(path).catch(() => null);
  return stats?.isFile() === true ? basename(path) : undefined;
}

async function canonicalFolder(path: string): Promise<string> {
  if (path === '') throw new ModelError('model_not_found', 'A model has an empty name: give the path of a model folder.');
  try {
    const root = await realpath(path);
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    throw missingFolder(path, errorCode(error));
  }
  const what = `${quote(path)} is a file, not a folder.`;
  throw new ModelError('model_not_found', `${what} Give the model's folder, or a .gguf or .onnx file.`);
}

function missingFolder(path: string, code: string): ModelError {
  if (code === 'EACCES' || code === 'EPERM') {
    return new ModelError('model_not_found', `Model folder ${quote(path)} cannot be opened: no permission (${code}).`);
  }
  return new ModelError('model_not_found', `There is no model folder ${quote(path)} (${code}). Check the path.`);
}

async function listFiles(root: string, path: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort();
  } catch (error) {
    throw new ModelError('model_not_found', `Model folder ${quote(path)} cannot be listed (${errorCode(error)}).`);
  }
}

async function openFile(root: string, name: string): Promise<ByteSource | null> {
  const problem = fileNameProblem(name);
  if (problem !== null) throw new ModelError('weights_invalid', `File name ${quote(name)} ${problem}: refused.`);
  const path = await canonicalFile(root, name);
  if (path === null) return null;
  const shown = printable(name);
  let handle: FileHandle | undefined;
  try {
    const before = await stat(path, { bigint: true });
    if (!before.isFile()) throw new ModelError('weights_invalid', `${shown}: is ${kindOf(before)}, not a file: refused.`);
    // Between the two looks the path may have become a pipe or a link: neither is waited for or followed.
    // Windows has neither flag: there they are undefined, which counts as 0.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    const opened = await handle.stat({ bigint: true });
    if (!sameFile(before, opened)) throw changed(shown);
    return fileSource(shown, path, handle, opened);
  } catch (error) {
    await handle?.close();
    throw error instanceof ModelError ? error : unreadable(shown, error);
  }
}

/** Path without links of a file of the model; `null` when there is none. Refuses links that leave the model. */
async function canonicalFile(root: string, name: string): Promise<string | null> {
  const literal = join(root, ...name.split('/'));
  const shown = printable(name);
  let path: string;
  try {
    path = await realpath(literal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ENAMETOOLONG') throw unreadable(shown, error);
    const link = await lstat(literal).catch(() => null);
    if (link === null) return null;
    throw new ModelError(
      'weights_invalid',
      `${shown}: is a link to a file that is not there. Was the download interrupted? Download it again.`,
    );
  }
  if (isInside(root, path) || isHubBlob(root, path)) return path;
  throw new ModelError(
    'weights_invalid',
    `${shown}: is a link out of the model folder, to ${quote(path)}: refused. Copy the file into the folder, or name the folder it is in.`,
  );
}

function isInside(root: string, path: string): boolean {
  const inner = relative(root, path);
  return inner !== '' && inner !== '..' && !inner.startsWith(`..${sep}`) && !isAbsolute(inner);
}

/** huggingface_hub's cache: `<repo>/snapshots/<commit>/<file>` links to `<repo>/blobs/<hash>`. Both paths are free of links. */
function isHubBlob(root: string, path: string): boolean {
  const snapshots = dirname(root);
  if (basename(snapshots) !== 'snapshots') return false;
  return dirname(path) === join(dirname(snapshots), 'blobs') && BLOB_NAME.test(basename(path));
}

function fileSource(name: string, path: string, handle: FileHandle, opened: BigIntStats): ByteSource {
  const byteLength = Number(opened.size);
  /**
   * Also the path is looked at again: shards that were replaced one by one must not be mixed with those opened before. One look for all reads that
   * ended before it: with one for each block a pass spent as long on them as on reading.
   */
  const assertUnchanged = joined(async (): Promise<void> => {
    const [now, atPath] = await Promise.all([handle.stat({ bigint: true }), stat(path, { bigint: true }).catch(() => null)]);
    if (atPath === null || !sameFile(opened, now) || !sameFile(opened, atPath)) throw changed(name);
  });
  return {
    name,
    byteLength,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= byteLength)) {
        throw new ModelError('weights_invalid', `${name}: bytes ${start} to ${end} are outside the file, which has ${byteLength} bytes.`);
      }
      const bytes = allocate(name, end - start);
      try {
        if (!(await fill(handle, bytes, start))) throw changed(name);
        await assertUnchanged();
      } catch (error) {
        throw error instanceof ModelError ? error : unreadable(name, error);
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Not zero-filled, since every byte is overwritten or the array is dropped; never from Buffer's pool, so offset 0 of its own memory. */
function allocate(name: string, byteLength: number): Uint8Array {
  try {
    if (byteLength <= bufferConstants.MAX_LENGTH) return new Uint8Array(Buffer.allocUnsafeSlow(byteLength).buffer, 0, byteLength);
  } catch {
    // Out of memory: the message below.
  }
  throw new ModelError('weights_invalid', `${name}: ${byteLength} bytes in one read are more than this machine's memory allows.`);
}

/** Fills `bytes` from `position` on; `false` when the file ends first. */
async function fill(handle: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done), position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

function sameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

function changed(name: string): ModelError {
  return new ModelError(
    'weights_invalid',
    `${name}: the file changed during the read. Let the download or the writer finish, then run again.`,
  );
}

function unreadable(name: string, error: unknown): ModelError {
  return new ModelError('weights_invalid', `${name}: cannot be read (${errorCode(error)}). Check the permissions and the disk.`);
}

function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') return error.code;
  return 'unknown error';
}
