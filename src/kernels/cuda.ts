// Backend `cuda`: a function of the user's PTX, cubin, fatbin or CUDA source, launched through the driver. It runs in a process of its own (src/host.ts):
// what it does to the device or to this process stays there.

import { setTimeout as sleep } from 'node:timers/promises';
import type { NdArray } from '../reference/ndarray.js';
import { contractInputs, contractOutputs, outputShapes } from './contracts.js';
import { namedTensors } from './cuda-manifest.js';
import { openDriver, type Driver, type LaunchShape, type LoadedFunction } from './cuda/driver.js';
import { launchArguments, launchShape, launchSizes, packArguments, slotAddresses } from './cuda/launch.js';
import { gpuMemory, layoutOf, unwritten, valuesOf, type GpuMemory, type GpuTensor } from './cuda/memory.js';
import { loadKernel, type LoadedKernel } from './cuda/module.js';
import { loadKoffi, type Koffi } from './cuda/koffi.js';
import { KernelError, type Kernel, type KernelAnswer, type KernelCall, type Violation } from './kernel.js';
import type { CudaManifest } from './manifest.js';

/** Launches before the timed ones: clocks rise, code and constants arrive. */
const WARM_UPS = 3;
/** A launch that takes longer is waited for without keeping the processor busy, and so that this process still notices when its parent is gone. */
const BUSY_WAIT_MS = 20;
/** Without this much dynamic shared memory nothing has to be asked for. */
const SHARED_BYTES_DEFAULT = 48 * 1024;
/** Written over between timed launches: as many L2 caches, so that none of the inputs is left in it (Triton's do_bench does the same). */
const L2_CACHES = 4;

interface Open {
  readonly koffi: Koffi;
  readonly driver: Driver;
  readonly memory: GpuMemory;
  readonly loaded: LoadedKernel;
}

/**
 * Opens the device and loads the kernel.
 * @throws KernelError when there is no driver, no device, or nothing that the device takes
 */
export async function cudaKernel(manifest: CudaManifest): Promise<Kernel> {
  const driver = await openDriver();
  const open: Open = { koffi: await loadKoffi(), driver, memory: gpuMemory(driver), loaded: await loadKernel(driver, manifest) };
  // A missing function is no matter of the first call.
  for (const dtype of manifest.dtypes) open.loaded.entry(dtype);
  const { name, capability, driver: version, count } = driver.device;
  const others = count === 1 ? '' : `, device 0 of ${count}`;
  return {
    name: manifest.name,
    op: manifest.op,
    backend: 'cuda',
    start: () =>
      Promise.resolve({
        device: `${name} (sm_${capability}, driver CUDA ${version}${others})`,
        gpu: true,
        variants: ['fused'],
        observes: ['inputs_unchanged', 'guard_bands', 'outputs_written'],
      }),
    run: (call) => answer(open, manifest, call),
    close() {
      open.memory.close();
      driver.unloadModule(open.loaded.module);
      driver.close();
      return Promise.resolve();
    },
  };
}

async function answer(open: Open, manifest: CudaManifest, call: KernelCall): Promise<KernelAnswer> {
  if (call.variant !== 'fused') throw new KernelError('backend cuda has no variant standard');
  const { driver, memory, loaded } = open;
  refuseLeftOut(manifest, call);
  const kernel = loaded.entry(call.dtype);
  const sizes = launchSizes(manifest.op, call);
  const shape = launchShape(manifest, sizes, driver.device, kernel);
  const tensors: GpuTensor[] = [];
  try {
    place(memory, manifest.op, call, tensors);
    const addressOf = (name: string) => tensors.find((tensor) => tensor.name === name)?.address;
    const args = packArguments(launchArguments(manifest, call.attributes, sizes, addressOf));
    if (shape.sharedBytes + kernel.staticShared > SHARED_BYTES_DEFAULT) driver.allowShared(kernel, shape.sharedBytes);
    const launch = launcher(open, kernel, shape, args, manifest.args.length);
    launch();
    await finished(driver);
    const { outputs, violations } = collect(memory, manifest.op, tensors);
    const time_us = call.repeat > 1 ? await timed(open, launch, call.repeat) : null;
    return { outputs, time_us, violations };
  } finally {
    for (const { allocation } of tensors) memory.release(allocation);
  }
}

/** A tensor that the model has and the kernel has no place for would silently count as zero. */
function refuseLeftOut({ op, args }: CudaManifest, { inputs }: KernelCall): void {
  const left = contractInputs(op).find(({ name, optional }) => optional && inputs[name] !== undefined && !args.includes(name));
  if (left !== undefined)
    throw new KernelError(
      `the model has ${left.name} here, which args does not name; take it as a pointer that is null where there is none`,
    );
}

/** Puts the tensors of a call on the GPU, in `into`, so that what is there is released whatever happens. */
function place(memory: GpuMemory, op: string, { inputs, attributes, dtype }: KernelCall, into: GpuTensor[]): void {
  const shapes = outputShapes(op, inputs, attributes);
  for (const { name, role, tensor } of namedTensors(op)) {
    const declared = (role === 'input' ? contractInputs(op) : contractOutputs(op)).find((each) => each.name === tensor);
    const layout = layoutOf(declared?.dtype ?? 'serving', dtype);
    const given = inputs[tensor];
    if (role === 'input') {
      if (given !== undefined) into.push(memory.input(name, given, layout));
      continue;
    }
    const shape = shapes[tensor]?.map((size) => {
      if (size === null) throw new KernelError(`the shape of output ${tensor} of ${op} is only known to the kernel; use backend command`);
      return size;
    });
    into.push(memory.output(name, shape ?? [], layout));
  }
}

function launcher({ koffi, driver }: Open, kernel: LoadedFunction, shape: LaunchShape, args: Uint8Array, count: number): () => void {
  const params = slotAddresses(koffi.address(args), count);
  return () => {
    driver.launch(kernel, shape, params);
    // `params` holds bare addresses into `args`: a use after the launch keeps the collector from taking it away.
    if (args.length === 0) throw new KernelError('no arguments');
  };
}

async function finished(driver: Driver): Promise<void> {
  const start = performance.now();
  while (!driver.idle()) if (performance.now() - start > BUSY_WAIT_MS) await sleep(1);
}

function collect(memory: GpuMemory, op: string, tensors: readonly GpuTensor[]) {
  const outputs: Record<string, NdArray> = {};
  const violations: Violation[] = [];
  const contractNames = new Map(namedTensors(op).map(({ name, tensor }) => [name, tensor]));
  for (const tensor of tensors) {
    violations.push(...memory.guardViolations(tensor), ...memory.inputViolations(tensor));
    if (tensor.role === 'input') continue;
    const bits = memory.read(tensor);
    const name = contractNames.get(tensor.name) ?? tensor.name;
    violations.push(...unwritten(name, bits, tensor.layout, tensor.shape));
    outputs[name] = valuesOf(bits, tensor.layout, tensor.shape);
  }
  return { outputs, violations };
}

/** Median time of a launch in microseconds, between two events. */
async function timed({ driver, memory }: Open, launch: () => void, repeat: number): Promise<number> {
  const cache = memory.scratch(Math.max(2 ** 20, L2_CACHES * driver.device.limits.l2_bytes));
  const [start, end] = [driver.createEvent(), driver.createEvent()];
  try {
    for (let i = 0; i < WARM_UPS; i++) launch();
    await finished(driver);
    const times: number[] = [];
    for (let i = 0; i < repeat; i++) {
      // While the GPU fills the cache, the events and the launch get in line behind it: the time it takes to launch is not measured.
      driver.fill(cache.address, 4, 0, cache.bytes / 4);
      driver.recordEvent(start);
      launch();
      driver.recordEvent(end);
      await finished(driver);
      times.push(driver.elapsed(start, end));
    }
    times.sort((a, b) => a - b);
    return times[times.length >> 1] as number;
  } finally {
    driver.destroyEvent(start);
    driver.destroyEvent(end);
    memory.release(cache);
  }
}
