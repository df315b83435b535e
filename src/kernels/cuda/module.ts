// From the files of a manifest to a function on the device: the first of cubin, fatbin, PTX and source that this device takes.

import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { quote } from '../../hub/names.js';
import type { ServingDtype } from '../../report/types.js';
import { KernelError } from '../kernel.js';
import type { CudaManifest } from '../manifest.js';
import {
  CudaError,
  INVALID_IMAGE,
  INVALID_PTX,
  INVALID_SOURCE,
  JIT_COMPILER_NOT_FOUND,
  NO_BINARY_FOR_GPU,
  NOT_FOUND,
  UNSUPPORTED_PTX_VERSION,
  type Device,
  type Driver,
  type LoadedFunction,
} from './driver.js';
import { compile, logLines } from './nvrtc.js';

const MAX_FILE_BYTES = 2 ** 28;
const KINDS = ['cubin', 'fatbin', 'ptx', 'source'] as const;
type Kind = (typeof KINDS)[number];

export interface LoadedKernel {
  readonly module: bigint;
  /** @throws KernelError when the module has no such function */
  entry(dtype: ServingDtype): LoadedFunction;
}

/**
 * Loads what the manifest names.
 * @throws KernelError naming every file that was tried and why it was no good; DeviceLost
 */
export async function loadKernel(driver: Driver, manifest: CudaManifest): Promise<LoadedKernel> {
  const refused: string[] = [];
  for (const kind of KINDS) {
    const path = manifest[kind];
    if (path === undefined) continue;
    const file = quote(basename(path));
    try {
      const content = await readWhole(path);
      const image = kind === 'source' ? await compile(path, content.toString('utf8'), driver.device.capability) : content;
      const module = driver.loadModule(image);
      return { module, entry: (dtype) => entry(driver, module, manifest, dtype, file) };
    } catch (error) {
      if (error instanceof CudaError) refused.push(`${file}: ${explain(error, kind, path, driver.device, await head(path))}`);
      else if (error instanceof KernelError && error.name === 'KernelError') refused.push(`${file}: ${error.message}`);
      else throw error;
    }
  }
  throw new KernelError(refused.join('; '));
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new KernelError(`it has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError(`it cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
}

async function head(path: string): Promise<string> {
  return (await readFile(path)).subarray(0, 65536).toString('latin1');
}

/** What a refused file needs. PTX says itself what it was made for. */
function explain({ code, message, log }: CudaError, kind: Kind, path: string, device: Device, text: string): string {
  const said = logLines(log);
  const told = said === '' ? message : `${message}; the driver's compiler says: ${said}`;
  const own = `sm_${device.capability}`;
  if (kind === 'ptx') {
    const target = Number(/^\s*\.target\s+sm_(\d+)/m.exec(text)?.[1]);
    if (target > device.capability)
      return `made for sm_${target}, newer than the device's ${own}: compile with -arch=compute_${device.capability} or lower (${told})`;
    const version = /^\s*\.version\s+(\d+\.\d+)/m.exec(text)?.[1] ?? 'its';
    if (code === UNSUPPORTED_PTX_VERSION)
      return `PTX version ${version} is newer than the driver (CUDA ${device.driver}) knows: update the driver, or compile with CUDA ${device.driver} or older (${told})`;
    if (code === JIT_COMPILER_NOT_FOUND) return `the driver comes without its PTX compiler: ship a cubin for ${own} (${told})`;
    if (code === INVALID_PTX || code === INVALID_IMAGE || code === INVALID_SOURCE)
      return `the driver does not take it as PTX; compile it with nvcc -ptx (${told})`;
  }
  if (code === NO_BINARY_FOR_GPU) return `it has no code for ${own}: compile for ${own}, or ship PTX (${told})`;
  if (code === INVALID_IMAGE || code === INVALID_SOURCE) return `${quote(basename(path))} is no CUDA ${kind} (${told})`;
  return told;
}

function entry(driver: Driver, module: bigint, manifest: CudaManifest, dtype: ServingDtype, file: string): LoadedFunction {
  const name = typeof manifest.entry === 'string' ? manifest.entry : manifest.entry[dtype];
  if (name === undefined) throw new KernelError(`entry has none for dtype ${dtype}`);
  try {
    return driver.functionOf(module, name);
  } catch (error) {
    if (!(error instanceof CudaError) || error.code !== NOT_FOUND) throw error;
    throw new KernelError(`${file} has no function ${name} (${error.message}); declare it as extern "C" __global__`);
  }
}
