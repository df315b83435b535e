// Tensors on the GPU between guard bands, and what a kernel did to them that it should not have done.

import type { NdArray } from '../../reference/ndarray.js';
import type { ServingDtype } from '../../report/types.js';
import { bfloat16ToFloat32, float16ToFloat32, roundToBfloat16, roundToFloat16 } from '../../weights/values.js';
import type { TensorDtype } from '../contracts.js';
import { KernelError, type KernelTensor, type Violation } from '../kernel.js';
import { CudaError, OUT_OF_MEMORY, type Address, type Driver } from './driver.js';

/** How elements lie in memory. */
export type Layout = 'bfloat16' | 'float16' | 'float32' | 'int64';

type Bits = Uint16Array | Uint32Array | BigInt64Array;

export function layoutOf(dtype: TensorDtype, serving: ServingDtype): Layout {
  return dtype === 'serving' ? serving : dtype;
}

/**
 * What memory is filled with before a launch: NaNs with a payload that no arithmetic gives (the GPU's own is 0x7fff, x86's 0xffc0), so that what is read
 * there shows in the result and what was never written is known. For int64 bytes that make no token id.
 */
const POISON: Readonly<Record<Layout, { readonly width: 1 | 2 | 4; readonly value: number }>> = {
  bfloat16: { width: 2, value: 0xffd5 },
  float16: { width: 2, value: 0xfeab },
  float32: { width: 4, value: 0xffd5a5a5 },
  int64: { width: 1, value: 0xa5 },
};

const ELEMENT_BYTES: Readonly<Record<Layout, number>> = { bfloat16: 2, float16: 2, float32: 4, int64: 8 };

/** cuMemAlloc aligns to 256 bytes; bands are multiples of it, so tensors are aligned too. */
const ALIGNMENT = 256;
const MIN_BAND = 4096;
const MAX_BAND = 2 ** 20;
/** A tile that runs over the last row writes whole rows: a band of 64 rows catches it before it reaches another tensor. */
const BAND_ROWS = 64;

/** A tensor on the GPU. */
export interface GpuTensor {
  readonly name: string;
  readonly role: 'input' | 'output';
  readonly layout: Layout;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Bytes of each of the two bands. */
  readonly band: number;
  /** Of the first element. */
  readonly address: Address;
  readonly allocation: Allocation;
  /** What an input holds. */
  readonly uploaded: Bits | null;
}

interface Allocation {
  readonly address: Address;
  readonly bytes: number;
}

export interface GpuMemory {
  /** @throws KernelError when there is not enough memory */
  input(name: string, tensor: KernelTensor, layout: Layout): GpuTensor;
  /** @throws KernelError when there is not enough memory */
  output(name: string, shape: readonly number[], layout: Layout): GpuTensor;
  /** What an output holds now. */
  read(tensor: GpuTensor): Bits;
  /** Bytes of guard bands that changed. */
  guardViolations(tensor: GpuTensor): Violation[];
  /** Whether an input is what it was. */
  inputViolations(tensor: GpuTensor): Violation[];
  /** Memory without bands; the caller gives it back. */
  scratch(bytes: number): Allocation;
  /** Keeps the memory for later calls. */
  release(allocation: Allocation): void;
  close(): void;
}

export function gpuMemory(driver: Driver): GpuMemory {
  const idle: Allocation[] = [];
  const freeIdle = () => {
    for (const { address } of idle.splice(0)) driver.free(address);
  };
  const allocate = (wanted: number, what: string): Allocation => {
    const bytes = roundUp(wanted, ALIGNMENT);
    // The smallest that fits, unless it is far too large: a small tensor must not keep a large one's memory.
    let best = -1;
    for (const [i, each] of idle.entries())
      if (each.bytes >= bytes && each.bytes <= 2 * bytes + MIN_BAND && (best < 0 || each.bytes < (idle[best] as Allocation).bytes))
        best = i;
    const [reused] = best < 0 ? [] : idle.splice(best, 1);
    if (reused !== undefined) return reused;
    try {
      return { address: driver.allocate(bytes), bytes };
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== OUT_OF_MEMORY) throw error;
    }
    freeIdle();
    try {
      return { address: driver.allocate(bytes), bytes };
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== OUT_OF_MEMORY) throw error;
      throw new KernelError(`out of GPU memory: ${what} needs ${bytes} bytes, ${driver.freeBytes()} are free (${error.message})`);
    }
  };
  const place = (name: string, role: GpuTensor['role'], shape: readonly number[], layout: Layout, uploaded: Bits | null): GpuTensor => {
    const bytes = shape.reduce((product, size) => product * size, ELEMENT_BYTES[layout]);
    const rowBytes = shape.length < 2 ? 0 : bytes / Math.max(1, shape[0] ?? 1);
    const band = roundUp(Math.min(MAX_BAND, Math.max(MIN_BAND, BAND_ROWS * rowBytes)), ALIGNMENT);
    const allocation = allocate(bytes + 2 * band, `${role} ${name}`);
    return { name, role, layout, shape, bytes, band, address: allocation.address + BigInt(band), allocation, uploaded };
  };
  const poison = (layout: Layout, at: Address, bytes: number) => {
    const { width, value } = POISON[layout];
    driver.fill(at, width, value, bytes / width);
  };
  return {
    input(name, { data, shape }, layout) {
      const bits = bitsOf(data, layout);
      const tensor = place(name, 'input', shape, layout, bits);
      poison(layout, tensor.allocation.address, tensor.band);
      poison(layout, tensor.address + BigInt(tensor.bytes), tensor.band);
      if (tensor.bytes > 0) driver.upload(tensor.address, bits);
      return tensor;
    },
    output(name, shape, layout) {
      const tensor = place(name, 'output', shape, layout, null);
      poison(layout, tensor.allocation.address, tensor.bytes + 2 * tensor.band);
      return tensor;
    },
    read: (tensor) => download(driver, tensor),
    guardViolations(tensor) {
      const clean = poisonBytes(tensor.layout, tensor.band);
      const seen = new Uint8Array(tensor.band);
      const violations: Violation[] = [];
      driver.download(seen, tensor.allocation.address);
      if (!equal(seen, clean)) {
        const last = seen.findLastIndex((byte, i) => byte !== clean[i]);
        violations.push(overwritten(tensor, 'before', `the nearest is ${tensor.band - last} bytes before its start`));
      }
      driver.download(seen, tensor.address + BigInt(tensor.bytes));
      if (!equal(seen, clean)) {
        const first = seen.findIndex((byte, i) => byte !== clean[i]);
        violations.push(overwritten(tensor, 'after', `the first is ${first} bytes behind its end`));
      }
      return violations;
    },
    inputViolations(tensor) {
      const { uploaded, name } = tensor;
      if (uploaded === null || tensor.bytes === 0) return [];
      const now = download(driver, tensor);
      if (equal(bytesOf(now), bytesOf(uploaded))) return [];
      const first = now.findIndex((bits, i) => bits !== uploaded[i]);
      return [{ check: 'inputs_unchanged', detail: `input ${name} was changed (first at element ${first})` }];
    },
    scratch: (bytes) => allocate(bytes, 'the memory that empties the cache between timed launches'),
    release: (allocation) => void idle.push(allocation),
    close: freeIdle,
  };
}

function overwritten({ role, name }: GpuTensor, side: 'before' | 'after', where: string): Violation {
  return { check: 'guard_bands', detail: `memory ${side} ${role} ${name} was overwritten (${where})` };
}

/** Elements as they lie on the GPU, in memory of their own. */
function bitsOf(data: KernelTensor['data'], layout: Layout): Bits {
  if (layout === 'int64') return BigInt64Array.from(data as Int32Array, BigInt);
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (layout === 'bfloat16') return roundToBfloat16(values);
  if (layout === 'float16') return roundToFloat16(values);
  return new Uint32Array(values.slice().buffer);
}

/** Elements of an output as float32, which holds every one of them exactly. */
export function valuesOf(bits: Bits, layout: Layout, shape: readonly number[]): NdArray {
  if (layout === 'int64') return { data: Float64Array.from(bits as BigInt64Array, Number), shape };
  if (layout === 'float32') return { data: new Float32Array(bits.buffer as ArrayBuffer), shape };
  return { data: layout === 'bfloat16' ? bfloat16ToFloat32(bits as Uint16Array) : float16ToFloat32(bits as Uint16Array), shape };
}

function download(driver: Driver, { layout, bytes, address }: GpuTensor): Bits {
  const count = bytes / ELEMENT_BYTES[layout];
  const bits = layout === 'int64' ? new BigInt64Array(count) : layout === 'float32' ? new Uint32Array(count) : new Uint16Array(count);
  if (bytes > 0) driver.download(bits, address);
  return bits;
}

/**
 * Elements of an output that still hold the poison, in the user's words: `rows 120 to 127 of q were not written for T = 128`.
 * @param given what the output holds after the launch
 */
export function unwritten(name: string, given: Bits, layout: Layout, shape: readonly number[]): Violation[] {
  const rows = shape[0] ?? 0;
  if (given.length === 0 || rows === 0) return [];
  const poison = layout === 'int64' ? BigInt.asIntN(64, 0xa5a5a5a5a5a5a5a5n) : POISON[layout].value;
  const stride = given.length / rows;
  const missing = new Uint32Array(rows);
  for (let i = 0; i < given.length; i++) {
    if (given[i] !== poison) continue;
    const row = Math.floor(i / stride);
    missing[row] = (missing[row] as number) + 1;
  }
  const first = missing.findIndex((count) => count > 0);
  if (first < 0) return [];
  const total = missing.reduce((sum, count) => sum + count, 0);
  const tokens = `for T = ${rows}`;
  if (total === given.length) return [{ check: 'outputs_written', detail: `${name} was not written at all ${tokens}` }];
  let last = first;
  while (last + 1 < rows && (missing[last + 1] as number) > 0) last++;
  const whole = missing.every((count) => count === 0 || count === stride);
  const span = first === last ? `row ${first}` : `rows ${first} to ${last}`;
  const others = missing.subarray(last + 1).filter((count) => count > 0).length;
  const more = others === 0 ? '' : ` and ${others} other${others === 1 ? '' : 's'}`;
  const verb = whole && first === last && others === 0 ? 'was' : 'were';
  const element = given.subarray(first * stride, (first + 1) * stride).findIndex((bits) => bits === poison);
  const detail = whole
    ? `${span}${more} of ${name} ${verb} not written ${tokens}`
    : `${total} elements in ${span}${more} of ${name} were not written ${tokens} (first: element ${element} of row ${first})`;
  return [{ check: 'outputs_written', detail }];
}

const bands = new Map<string, Uint8Array>();

/** What an untouched band holds. */
function poisonBytes(layout: Layout, bytes: number): Uint8Array {
  const key = `${layout} ${bytes}`;
  const known = bands.get(key);
  if (known !== undefined) return known;
  const { width, value } = POISON[layout];
  const pattern = Uint8Array.from({ length: width }, (_, i) => (value >>> (8 * i)) & 0xff);
  const made = Buffer.alloc(bytes, pattern);
  bands.set(key, made);
  return made;
}

function bytesOf(bits: Bits): Uint8Array {
  return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function roundUp(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}
