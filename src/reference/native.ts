// The native halves of ONNX Runtime and koffi: from the brotli files in dist/native into a private cache folder and into the process.
// It knows files, hashes and folders; what the libraries are for, and which machines have one, is runtime.ts and src/kernels/cuda/koffi.ts.

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { createBrotliDecompress } from 'node:zlib';
import { ModelError } from '../errors.js';

interface NativeFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** The manifest of a library in a folder of dist/native: its version under its name. The first file is the one to load; the others lie beside it. */
interface NativeManifest extends Partial<Record<LibraryName, string>> {
  files: [NativeFile, ...NativeFile[]];
}

type LibraryName = 'onnxruntime' | 'koffi';

const LIBRARIES = {
  onnxruntime: {
    manifest: 'manifest.json',
    title: 'ONNX Runtime',
    space: '50 MB',
    system: 'glibc 2.28 or newer and libstdc++',
    loaded: setBinding,
    /** Handed to worker threads at their start: the addon's path, once this process has checked and loaded it. */
    checkedPath: 'fused-compat:onnxruntime-binding',
  },
  koffi: {
    manifest: 'koffi.json',
    title: 'koffi',
    space: '2 MB',
    system: 'glibc 2.28 or newer and libstdc++',
    loaded: setKoffi,
    checkedPath: 'fused-compat:koffi',
  },
} as const;

export interface NativeSource {
  /** Holds the manifest and, for each file it names, `<name>.br`. */
  folder: string;
  env: NodeJS.ProcessEnv;
  /** Loads the addon at a path; `require`. */
  load: (path: string) => unknown;
}

let binding: unknown;
let koffi: unknown;

/** The addon, for onnxruntime-node's own JavaScript: scripts/build.mjs puts a call of this where that requires its .node file. */
export function nativeBinding(): unknown {
  return binding;
}

/** The same for koffi's. */
export function nativeKoffi(): unknown {
  return koffi;
}

function setBinding(loaded: unknown): void {
  binding = loaded;
}

function setKoffi(loaded: unknown): void {
  koffi = loaded;
}

/** `loadPacked` for ONNX Runtime. */
export function loadNative(source: NativeSource): Promise<void> {
  return loadPacked('onnxruntime', source);
}

/**
 * Unpacks a library's files if they are not there or not intact, and loads the addon.
 * Safe when several processes and threads do it at once: files appear under their name by rename only, whole.
 * @throws ModelError `no_runtime` in one sentence
 */
export async function loadPacked(name: LibraryName, { folder, env, load }: NativeSource): Promise<void> {
  const library = LIBRARIES[name];
  const checked = getEnvironmentData(library.checkedPath);
  if (typeof checked === 'string') {
    library.loaded(load(checked));
    return;
  }
  const manifest = JSON.parse(await readFile(join(folder, library.manifest), 'utf8')) as NativeManifest;
  const refused: string[] = [];
  for (const root of cacheRoots(env)) {
    try {
      const path = await place(folder, `${name}-${manifest[name] ?? ''}`, manifest, root);
      library.loaded(load(path));
      setEnvironmentData(library.checkedPath, path);
      return;
    } catch (error) {
      if (error instanceof ModelError) throw error;
      const reason = firstLine(error);
      if (LACKS_SYSTEM_LIBRARY.test(reason)) throw lacksSystemLibrary(library, reason);
      refused.push(`${root}: ${reason}`);
    }
  }
  throw new ModelError(
    'no_runtime',
    `${library.title} could not be unpacked and loaded from any cache folder (${refused.join('; ')}): set XDG_CACHE_HOME to a folder of your own, ` +
      `with ${library.space} free, that no one else can write to and that allows programs to run.`,
  );
}

/** What glibc's and musl's loaders say when the machine is not one that the library was built for. */
const LACKS_SYSTEM_LIBRARY = /GLIBC|CXXABI|cannot open shared object|Error loading shared library|Error relocating|undefined symbol/;

function lacksSystemLibrary({ title, system }: { title: string; system: string }, reason: string): ModelError {
  return new ModelError(
    'no_runtime',
    `${title} needs ${system}, which this system does not have (${reason}): ` +
      'use a Debian, Ubuntu, Fedora or Red Hat image (not Alpine, whose libc is musl), from 2019 or later.',
  );
}

/** Folders to unpack into, best first. What the environment gives as a relative path does not count. */
function cacheRoots(env: NodeJS.ProcessEnv): string[] {
  const bases = [env.RUNNER_TOOL_CACHE, env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache')];
  const roots = bases.filter((base): base is string => base !== undefined && isAbsolute(base)).map((base) => join(base, 'fused-compat'));
  // Everybody shares tmpdir, so there each user has a name of their own.
  return [...new Set([...roots, join(env.TMPDIR ?? tmpdir(), `fused-compat-${String(process.getuid?.() ?? 'user')}`)])];
}

/** Makes sure that all files are in the cache below `root`, intact; gives the path of the first. */
async function place(folder: string, name: string, manifest: NativeManifest, root: string): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 16);
  const target = join(root, `${name}-${key}`);
  await makePrivate(root);
  await makePrivate(target);
  for (const file of manifest.files) {
    const path = join(target, file.name);
    if ((await sha256(path)) !== file.sha256) await unpack(join(folder, `${file.name}.br`), file, path);
  }
  return join(target, manifest.files[0].name);
}

/** A folder that another user could write to, or made, could hold another library by the time it is loaded. */
async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw new Error('not a folder');
  if (process.getuid !== undefined && stats.uid !== process.getuid()) throw new Error('belongs to another user');
  if ((stats.mode & 0o022) !== 0) throw new Error('other users can write to it');
}

/** Hash of a file in hex; `null` when there is none. */
async function sha256(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return hash.digest('hex');
}

async function unpack(packed: string, file: NativeFile, path: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const decoder = createBrotliDecompress({ chunkSize: 1 << 20 });
    const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > file.bytes) return;
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(createReadStream(packed), decoder, count, createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
    if (bytes !== file.bytes || hash.digest('hex') !== file.sha256) throw new Error('other content');
    await rename(temporary, path);
  } catch (error) {
    // Only the file system's errors name a system call; the others are the decoder's.
    const { syscall, path: at } = error as NodeJS.ErrnoException;
    throw syscall === undefined || at === packed ? damaged(packed) : error;
  } finally {
    await rm(temporary, { force: true });
  }
}

function damaged(packed: string): ModelError {
  return new ModelError(
    'no_runtime',
    `${packed} is damaged (its content does not have the hash in its manifest): check fused-compat out again.`,
  );
}

/** An error's message for use inside a sentence. */
export function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
