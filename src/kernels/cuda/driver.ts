// The CUDA driver API as typed functions: what fails throws with CUDA's own name for it. What is launched, and on which memory, is not here.

import { printable } from '../../hub/names.js';
import { DeviceLost, KernelError } from '../kernel.js';
import { loadKoffi, type Library } from './koffi.js';

/** What cuda.h says; the values are part of the ABI. */
const SUCCESS = 0;
const NO_DEVICE = 100;
const NOT_READY = 600;
export const OUT_OF_MEMORY = 2;
export const INVALID_IMAGE = 200;
export const NO_BINARY_FOR_GPU = 209;
export const INVALID_PTX = 218;
export const JIT_COMPILER_NOT_FOUND = 221;
export const UNSUPPORTED_PTX_VERSION = 222;
export const INVALID_SOURCE = 300;
export const NOT_FOUND = 500;

/**
 * After these the context gives nothing but the same error again, or the GPU is gone: ECC, NVLink and contained memory errors, illegal and
 * misaligned addresses, time-outs, assertions, hardware stack and instruction errors, failed launches, the unknown one.
 */
const STICKY = new Set([4, 46, 201, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999]);

const ATTRIBUTES = {
  max_threads: 1,
  max_block_x: 2,
  max_block_y: 3,
  max_block_z: 4,
  max_grid_x: 5,
  max_grid_y: 6,
  max_grid_z: 7,
  shared_bytes: 8,
  l2_bytes: 38,
  major: 75,
  minor: 76,
  shared_bytes_opt_in: 97,
} as const;

const FUNCTION_MAX_THREADS = 0;
const FUNCTION_STATIC_SHARED = 1;
const FUNCTION_MAX_DYNAMIC_SHARED = 8;

const JIT_INFO_LOG_BUFFER = 3;
const JIT_INFO_LOG_BUFFER_SIZE = 4;
const JIT_ERROR_LOG_BUFFER = 5;
const JIT_ERROR_LOG_BUFFER_SIZE = 6;
const LOG_BYTES = 16384;

/** A failed call of the driver, for callers that have more to say about it. */
export class CudaError extends KernelError {
  constructor(
    message: string,
    readonly code: number,
    /** What the driver's compiler said, where it ran. */
    readonly log: string = '',
  ) {
    super(message);
  }
}

export interface Device {
  /** `NVIDIA H200` */
  readonly name: string;
  /** 90 for sm_90 */
  readonly capability: number;
  /** `13.0` */
  readonly driver: string;
  /** Devices that can be seen; the first is the one. */
  readonly count: number;
  readonly limits: Readonly<Record<keyof typeof ATTRIBUTES, number>>;
}

export type Address = bigint;

export interface LoadedFunction {
  readonly handle: bigint;
  /** Threads per block that its registers leave room for. */
  readonly maxThreads: number;
  readonly staticShared: number;
}

export interface LaunchShape {
  readonly grid: readonly [number, number, number];
  readonly block: readonly [number, number, number];
  readonly sharedBytes: number;
}

export interface Driver {
  readonly device: Device;
  /**
   * @param image PTX, cubin or fatbin
   * @throws CudaError with the compiler's log
   */
  loadModule(image: Uint8Array): bigint;
  unloadModule(module: bigint): void;
  /** @throws CudaError NOT_FOUND */
  functionOf(module: bigint, name: string): LoadedFunction;
  allowShared(kernel: LoadedFunction, bytes: number): void;
  /** @throws CudaError OUT_OF_MEMORY */
  allocate(bytes: number): Address;
  free(address: Address): void;
  freeBytes(): number;
  upload(to: Address, from: ArrayBufferView): void;
  download(to: ArrayBufferView, from: Address): void;
  /** Fills memory with a value of 1, 2 or 4 bytes; the GPU may still be at it on return. */
  fill(at: Address, width: 1 | 2 | 4, value: number, count: number): void;
  /** @param params the host addresses of the arguments; keep them until the launch has returned */
  launch(kernel: LoadedFunction, shape: LaunchShape, params: BigUint64Array): void;
  /** Whether everything that was started has ended. */
  idle(): boolean;
  createEvent(): bigint;
  recordEvent(event: bigint): void;
  /** @returns microseconds */
  elapsed(from: bigint, to: bigint): number;
  destroyEvent(event: bigint): void;
  close(): void;
}

function bind(library: Library) {
  return {
    cuInit: library.func('int cuInit(uint32_t flags)') as (flags: number) => number,
    cuDriverGetVersion: library.func('int cuDriverGetVersion(void *version)') as (version: Int32Array) => number,
    cuGetErrorName: library.func('int cuGetErrorName(int error, _Out_ const char **text)') as (
      error: number,
      text: [string | null],
    ) => number,
    cuGetErrorString: library.func('int cuGetErrorString(int error, _Out_ const char **text)') as (
      error: number,
      text: [string | null],
    ) => number,
    cuDeviceGetCount: library.func('int cuDeviceGetCount(void *count)') as (count: Int32Array) => number,
    cuDeviceGet: library.func('int cuDeviceGet(void *device, int ordinal)') as (device: Int32Array, ordinal: number) => number,
    cuDeviceGetName: library.func('int cuDeviceGetName(void *name, int bytes, int device)') as (
      name: Uint8Array,
      bytes: number,
      device: number,
    ) => number,
    cuDeviceGetAttribute: library.func('int cuDeviceGetAttribute(void *value, int attribute, int device)') as (
      value: Int32Array,
      attribute: number,
      device: number,
    ) => number,
    cuDevicePrimaryCtxRetain: library.func('int cuDevicePrimaryCtxRetain(void *context, int device)') as (
      context: BigUint64Array,
      device: number,
    ) => number,
    cuDevicePrimaryCtxRelease: library.func('int cuDevicePrimaryCtxRelease_v2(int device)') as (device: number) => number,
    cuCtxSetCurrent: library.func('int cuCtxSetCurrent(uint64_t context)') as (context: bigint) => number,
    cuModuleLoadDataEx: library.func(
      'int cuModuleLoadDataEx(void *module, const void *image, uint32_t count, void *options, void *values)',
    ) as (module: BigUint64Array, image: Uint8Array, count: number, options: Int32Array, values: BigUint64Array) => number,
    cuModuleUnload: library.func('int cuModuleUnload(uint64_t module)') as (module: bigint) => number,
    cuModuleGetFunction: library.func('int cuModuleGetFunction(void *kernel, uint64_t module, const char *name)') as (
      kernel: BigUint64Array,
      module: bigint,
      name: string,
    ) => number,
    cuFuncGetAttribute: library.func('int cuFuncGetAttribute(void *value, int attribute, uint64_t kernel)') as (
      value: Int32Array,
      attribute: number,
      kernel: bigint,
    ) => number,
    cuFuncSetAttribute: library.func('int cuFuncSetAttribute(uint64_t kernel, int attribute, int value)') as (
      kernel: bigint,
      attribute: number,
      value: number,
    ) => number,
    cuMemAlloc: library.func('int cuMemAlloc_v2(void *address, size_t bytes)') as (address: BigUint64Array, bytes: number) => number,
    cuMemFree: library.func('int cuMemFree_v2(uint64_t address)') as (address: bigint) => number,
    cuMemGetInfo: library.func('int cuMemGetInfo_v2(void *free, void *total)') as (free: BigUint64Array, total: BigUint64Array) => number,
    cuMemcpyHtoD: library.func('int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)') as (
      to: bigint,
      from: ArrayBufferView,
      bytes: number,
    ) => number,
    cuMemcpyDtoH: library.func('int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes)') as (
      to: ArrayBufferView,
      from: bigint,
      bytes: number,
    ) => number,
    cuMemsetD8: library.func('int cuMemsetD8_v2(uint64_t at, uint8_t value, size_t count)') as Fill,
    cuMemsetD16: library.func('int cuMemsetD16_v2(uint64_t at, uint16_t value, size_t count)') as Fill,
    cuMemsetD32: library.func('int cuMemsetD32_v2(uint64_t at, uint32_t value, size_t count)') as Fill,
    cuLaunchKernel: library.func(
      'int cuLaunchKernel(uint64_t kernel, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by, uint32_t bz, uint32_t shared, uint64_t stream, void *params, void *extra)',
    ) as (...args: [bigint, number, number, number, number, number, number, number, bigint, BigUint64Array, null]) => number,
    cuStreamQuery: library.func('int cuStreamQuery(uint64_t stream)') as (stream: bigint) => number,
    cuEventCreate: library.func('int cuEventCreate(void *event, uint32_t flags)') as (event: BigUint64Array, flags: number) => number,
    cuEventRecord: library.func('int cuEventRecord(uint64_t event, uint64_t stream)') as (event: bigint, stream: bigint) => number,
    cuEventElapsedTime: library.func('int cuEventElapsedTime(void *milliseconds, uint64_t start, uint64_t end)') as (
      milliseconds: Float32Array,
      start: bigint,
      end: bigint,
    ) => number,
    cuEventDestroy: library.func('int cuEventDestroy_v2(uint64_t event)') as (event: bigint) => number,
  };
}

type Fill = (at: bigint, value: number, count: number) => number;
type Functions = ReturnType<typeof bind>;

/** The default stream. */
const STREAM = 0n;

/**
 * Loads the driver, takes the first device that can be seen (CUDA_VISIBLE_DEVICES says which can) and makes its context current.
 * @throws KernelError when there is no driver, or no device
 */
export async function openDriver(env: NodeJS.ProcessEnv = process.env): Promise<Driver> {
  const cuda = bindDriver(await loadKoffi());
  const failure = failureOf(cuda);
  const check = (code: number, what: string) => {
    if (code !== SUCCESS) throw failure(code, what);
  };
  const started = cuda.cuInit(0);
  if (started !== SUCCESS) throw noDevice(started, failure(started, 'CUDA cannot start').message, env);
  const count = int((value) => check(cuda.cuDeviceGetCount(value), 'devices could not be counted'));
  if (count === 0) throw noDevice(NO_DEVICE, 'the driver shows no device', env);
  const ordinal = int((value) => check(cuda.cuDeviceGet(value, 0), 'device 0 could not be opened'));
  const device = describe(cuda, check, ordinal, count);
  const context = handle((value) => check(cuda.cuDevicePrimaryCtxRetain(value, ordinal), `${device.name} could not be opened`));
  check(cuda.cuCtxSetCurrent(context), `${device.name} could not be opened`);
  const { koffi } = cuda;
  return {
    device,
    loadModule: (image) => loadModule(cuda, koffi.address, failure, image),
    unloadModule: (module) => void cuda.cuModuleUnload(module),
    functionOf(module, name) {
      const kernel = handle((value) => check(cuda.cuModuleGetFunction(value, module, name), `function ${name} could not be found`));
      const attribute = (which: number) => int((value) => check(cuda.cuFuncGetAttribute(value, which, kernel), `function ${name}`));
      return { handle: kernel, maxThreads: attribute(FUNCTION_MAX_THREADS), staticShared: attribute(FUNCTION_STATIC_SHARED) };
    },
    allowShared: (kernel, bytes) =>
      check(cuda.cuFuncSetAttribute(kernel.handle, FUNCTION_MAX_DYNAMIC_SHARED, bytes), `${bytes} bytes of shared memory were refused`),
    allocate: (bytes) => handle((value) => check(cuda.cuMemAlloc(value, bytes), `${bytes} bytes of GPU memory were refused`)),
    free: (address) => void cuda.cuMemFree(address),
    freeBytes() {
      const total = new BigUint64Array(1);
      return Number(handle((value) => check(cuda.cuMemGetInfo(value, total), 'the free memory could not be read')));
    },
    upload: (to, from) => check(cuda.cuMemcpyHtoD(to, from, from.byteLength), 'an input could not be copied to the GPU'),
    download: (to, from) => check(cuda.cuMemcpyDtoH(to, from, to.byteLength), 'an output could not be copied from the GPU'),
    fill(at, width, value, size) {
      const fill = { 1: cuda.cuMemsetD8, 2: cuda.cuMemsetD16, 4: cuda.cuMemsetD32 }[width];
      if (size > 0) check(fill(at, value, size), 'GPU memory could not be filled');
    },
    launch: (kernel, { grid, block, sharedBytes }, params) =>
      check(cuda.cuLaunchKernel(kernel.handle, ...grid, ...block, sharedBytes, STREAM, params, null), 'the launch was refused'),
    idle() {
      const code = cuda.cuStreamQuery(STREAM);
      if (code !== NOT_READY) check(code, 'the kernel failed');
      return code !== NOT_READY;
    },
    createEvent: () => handle((value) => check(cuda.cuEventCreate(value, 0), 'no event could be made')),
    recordEvent: (event) => check(cuda.cuEventRecord(event, STREAM), 'the launch could not be timed'),
    elapsed(from, to) {
      const milliseconds = new Float32Array(1);
      check(cuda.cuEventElapsedTime(milliseconds, from, to), 'the launch could not be timed');
      return (milliseconds[0] as number) * 1000;
    },
    destroyEvent: (event) => void cuda.cuEventDestroy(event),
    close: () => void cuda.cuDevicePrimaryCtxRelease(ordinal),
  };
}

function bindDriver(koffi: Awaited<ReturnType<typeof loadKoffi>>): Functions & { koffi: typeof koffi } {
  let library: Library;
  try {
    library = koffi.load('libcuda.so.1');
  } catch (error) {
    const reason = printable((error as Error).message.split('\n')[0] ?? '');
    throw new KernelError(`libcuda.so.1 cannot be loaded (${reason}): run on a machine with an NVIDIA GPU and its driver`);
  }
  try {
    return { ...bind(library), koffi };
  } catch (error) {
    throw new KernelError(
      `the NVIDIA driver is too old for fused-compat (${printable((error as Error).message)}): install one for CUDA 11 or newer`,
    );
  }
}

function failureOf(cuda: Functions): (code: number, what: string, log?: string) => KernelError {
  const text = (get: Functions['cuGetErrorName'], code: number): string => {
    const out: [string | null] = [null];
    return get(code, out) === SUCCESS && out[0] !== null ? printable(out[0]) : `error ${code}`;
  };
  return (code, what, log) => {
    const message = `${what} (${text(cuda.cuGetErrorName, code)}: ${text(cuda.cuGetErrorString, code)})`;
    return STICKY.has(code) ? new DeviceLost(message) : new CudaError(message, code, log);
  };
}

function noDevice(code: number, message: string, env: NodeJS.ProcessEnv): KernelError {
  const visible = env['CUDA_VISIBLE_DEVICES'];
  const named = visible === undefined ? '' : `; CUDA_VISIBLE_DEVICES is ${printable(JSON.stringify(visible.slice(0, 100)))}`;
  const advice = code === NO_DEVICE ? 'run on a machine with an NVIDIA GPU that this process may use' : 'check the driver with nvidia-smi';
  return new KernelError(`${message}${named}: ${advice}`);
}

function describe(cuda: Functions, check: (code: number, what: string) => void, ordinal: number, count: number): Device {
  const name = new Uint8Array(256);
  check(cuda.cuDeviceGetName(name, name.length, ordinal), 'the device has no name');
  const version = int((value) => check(cuda.cuDriverGetVersion(value), 'the driver has no version'));
  const limits = Object.fromEntries(
    Object.entries(ATTRIBUTES).map(([key, attribute]) => [
      key,
      int((value) => check(cuda.cuDeviceGetAttribute(value, attribute, ordinal), `the device did not tell its ${key}`)),
    ]),
  ) as Record<keyof typeof ATTRIBUTES, number>;
  return {
    name: printable(Buffer.from(name).toString('utf8').replace(/\0.*$/s, '')),
    capability: limits.major * 10 + limits.minor,
    driver: `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
    count,
    limits,
  };
}

function loadModule(
  cuda: Functions,
  address: (array: Uint8Array) => bigint,
  failure: (code: number, what: string, log?: string) => KernelError,
  image: Uint8Array,
): bigint {
  const [info, errors] = [new Uint8Array(LOG_BYTES), new Uint8Array(LOG_BYTES)];
  const options = Int32Array.of(JIT_INFO_LOG_BUFFER, JIT_INFO_LOG_BUFFER_SIZE, JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE);
  const values = BigUint64Array.of(address(info), BigInt(LOG_BYTES), address(errors), BigInt(LOG_BYTES));
  // PTX has to end with a zero; the others do not mind one.
  const ended = new Uint8Array(image.length + 1);
  ended.set(image);
  const module = new BigUint64Array(1);
  const code = cuda.cuModuleLoadDataEx(module, ended, options.length, options, values);
  // Read here: the driver wrote to addresses that the garbage collector does not know to be in use.
  const log = [errors, info].map((bytes) => Buffer.from(bytes).toString('utf8').replace(/\0.*$/s, '').trim()).filter((text) => text !== '');
  if (code !== SUCCESS) throw failure(code, 'it did not load', log.join('\n'));
  return module[0] as bigint;
}

function int(read: (value: Int32Array) => void): number {
  const value = new Int32Array(1);
  read(value);
  return value[0] as number;
}

function handle(read: (value: BigUint64Array) => void): bigint {
  const value = new BigUint64Array(1);
  read(value);
  return value[0] as bigint;
}
