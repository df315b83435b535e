// NVRTC, NVIDIA's compiler as a library: CUDA source to code for the device at hand, where it is installed.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printable } from '../../hub/names.js';
import { KernelError } from '../kernel.js';
import { loadKoffi, type Koffi, type Library } from './koffi.js';

const SUCCESS = 0;
const NAMES = ['libnvrtc.so', 'libnvrtc.so.13', 'libnvrtc.so.12'];
/** Enough of a compiler's log to find the line. */
const LOG_LINES = 10;

function bind(library: Library) {
  return {
    nvrtcVersion: library.func('int nvrtcVersion(void *major, void *minor)') as (major: Int32Array, minor: Int32Array) => number,
    nvrtcGetErrorString: library.func('const char *nvrtcGetErrorString(int error)') as (error: number) => string,
    nvrtcGetNumSupportedArchs: library.func('int nvrtcGetNumSupportedArchs(void *count)') as (count: Int32Array) => number,
    nvrtcGetSupportedArchs: library.func('int nvrtcGetSupportedArchs(void *archs)') as (archs: Int32Array) => number,
    nvrtcCreateProgram: library.func(
      'int nvrtcCreateProgram(void *program, const char *source, const char *name, int headers, void *contents, void *names)',
    ) as (program: BigUint64Array, source: string, name: string, headers: number, contents: null, names: null) => number,
    nvrtcCompileProgram: library.func('int nvrtcCompileProgram(uint64_t program, int count, const char **options)') as (
      program: bigint,
      count: number,
      options: readonly string[],
    ) => number,
    nvrtcGetProgramLogSize: library.func('int nvrtcGetProgramLogSize(uint64_t program, void *bytes)') as ReadSize,
    nvrtcGetProgramLog: library.func('int nvrtcGetProgramLog(uint64_t program, void *log)') as Read,
    nvrtcGetCUBINSize: library.func('int nvrtcGetCUBINSize(uint64_t program, void *bytes)') as ReadSize,
    nvrtcGetCUBIN: library.func('int nvrtcGetCUBIN(uint64_t program, void *cubin)') as Read,
    nvrtcGetPTXSize: library.func('int nvrtcGetPTXSize(uint64_t program, void *bytes)') as ReadSize,
    nvrtcGetPTX: library.func('int nvrtcGetPTX(uint64_t program, void *ptx)') as Read,
    nvrtcDestroyProgram: library.func('int nvrtcDestroyProgram(void *program)') as (program: BigUint64Array) => number,
  };
}

type ReadSize = (program: bigint, bytes: BigUint64Array) => number;
type Read = (program: bigint, into: Uint8Array) => number;
type Functions = ReturnType<typeof bind>;

interface Found {
  readonly nvrtc: Functions;
  /** Folder of the library; null: the loader knew it. */
  readonly folder: string | null;
}

/**
 * Compiles a source file for a device.
 * @param capability 90 for sm_90
 * @returns a cubin, or PTX where this NVRTC is older than the device
 * @throws KernelError with the compiler's log, or saying that NVRTC is not there
 */
export async function compile(path: string, source: string, capability: number, env: NodeJS.ProcessEnv = process.env): Promise<Uint8Array> {
  const { nvrtc, folder } = find(await loadKoffi(), env);
  const target = targetFor(nvrtc, capability);
  const options = [
    `--gpu-architecture=${target.option}`,
    '--std=c++17',
    `-I${dirname(path)}`,
    ...includeFolders(folder, env).map((include) => `-I${include}`),
  ];
  const program = new BigUint64Array(1);
  check(nvrtc, nvrtc.nvrtcCreateProgram(program, source, path, 0, null, null), 'NVRTC took no source');
  const handle = program[0] as bigint;
  try {
    const code = nvrtc.nvrtcCompileProgram(handle, options.length, options);
    if (code !== SUCCESS) {
      const log = Buffer.from(sized(nvrtc, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, handle)).toString('utf8');
      throw new KernelError(
        `NVRTC ${version(nvrtc)} does not compile it for ${target.option}: ${logLines(log) || nvrtc.nvrtcGetErrorString(code)}`,
      );
    }
    return target.cubin
      ? sized(nvrtc, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, handle)
      : sized(nvrtc, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, handle);
  } finally {
    nvrtc.nvrtcDestroyProgram(program);
  }
}

/** The first lines of a compiler's log, as one line. */
export function logLines(log: string): string {
  const lines = log
    .replace(/\0.*$/s, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const more = lines.length > LOG_LINES ? ' | ...' : '';
  return (
    lines
      .slice(0, LOG_LINES)
      .map((line) => printable(line.slice(0, 300)))
      .join(' | ') + more
  );
}

/** LD_LIBRARY_PATH and the folders that name a CUDA first, because their headers lie beside the library; then what the loader knows. */
function find(koffi: Koffi, env: NodeJS.ProcessEnv): Found {
  const homes = [env['CUDA_HOME'], env['CUDA_PATH']].filter((home): home is string => home !== undefined && home !== '');
  const folders = [...(env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== ''), ...libraryFolders(homes)];
  const candidates = [
    ...folders.flatMap((folder) => NAMES.map((name) => ({ folder, path: join(folder, name) }))).filter(({ path }) => existsSync(path)),
    ...NAMES.map((name) => ({ folder: null, path: name })),
    ...libraryFolders(['/usr/local/cuda', '/opt/cuda'])
      .flatMap((folder) => NAMES.map((name) => ({ folder, path: join(folder, name) })))
      .filter(({ path }) => existsSync(path)),
  ];
  let reason = '';
  for (const { folder, path } of candidates) {
    try {
      return { nvrtc: bind(koffi.load(path)), folder };
    } catch (error) {
      // Of a library that is there but does not load it is worth to hear why; that others are not there is expected.
      if (folder !== null) reason ||= ` (${printable((error as Error).message.split('\n')[0] ?? '')})`;
    }
  }
  throw new KernelError(`NVRTC (libnvrtc.so) cannot be loaded${reason}: ship PTX, or install NVRTC (cuda-nvrtc)`);
}

function libraryFolders(homes: readonly string[]): string[] {
  return homes.flatMap((home) => [join(home, 'lib64'), join(home, 'lib')]);
}

/** Where cuda_fp16.h and cuda_bf16.h may be: in a toolkit beside the libraries, in pip's packages in one of their own. */
function includeFolders(library: string | null, env: NodeJS.ProcessEnv): string[] {
  const homes = [env['CUDA_HOME'], env['CUDA_PATH'], ...(library === null ? [] : [join(library, '..')]), '/usr/local/cuda', '/opt/cuda'];
  const found = homes.filter((home): home is string => home !== undefined && home !== '').map((home) => join(home, 'include'));
  if (library !== null) found.push(join(library, '../../cuda_runtime/include'));
  return [...new Set(found)].filter((folder) => existsSync(join(folder, 'cuda_fp16.h')));
}

function targetFor(nvrtc: Functions, capability: number): { readonly option: string; readonly cubin: boolean } {
  const count = new Int32Array(1);
  check(nvrtc, nvrtc.nvrtcGetNumSupportedArchs(count), 'NVRTC names no architectures');
  const known = new Int32Array(Math.max(1, count[0] as number));
  check(nvrtc, nvrtc.nvrtcGetSupportedArchs(known), 'NVRTC names no architectures');
  if (known.includes(capability)) return { option: `sm_${capability}`, cubin: true };
  const older = known.filter((arch) => arch > 0 && arch < capability);
  if (older.length > 0) return { option: `compute_${Math.max(...older)}`, cubin: false };
  throw new KernelError(
    `NVRTC ${version(nvrtc)} knows no architecture as old as the device's sm_${capability}: install an older cuda-nvrtc, or ship PTX`,
  );
}

function version(nvrtc: Functions): string {
  const [major, minor] = [new Int32Array(1), new Int32Array(1)];
  nvrtc.nvrtcVersion(major, minor);
  return `${major[0] ?? 0}.${minor[0] ?? 0}`;
}

function check(nvrtc: Functions, code: number, what: string): void {
  if (code !== SUCCESS) throw new KernelError(`${what} (${nvrtc.nvrtcGetErrorString(code)})`);
}

function sized(nvrtc: Functions, size: ReadSize, read: Read, program: bigint): Uint8Array {
  const bytes = new BigUint64Array(1);
  check(nvrtc, size(program, bytes), 'NVRTC gave nothing');
  const content = new Uint8Array(Math.max(1, Number(bytes[0])));
  check(nvrtc, read(program, content), 'NVRTC gave nothing');
  return content;
}
