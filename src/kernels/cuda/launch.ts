// What one launch looks like: sizes, grid, block, shared memory and the arguments, from the manifest and a call. Pure arithmetic: no GPU here.

import type { AttributeValue } from '../../architectures/program.js';
import { callSizes } from '../contracts.js';
import { list, parameters, type ScalarType } from '../cuda-manifest.js';
import { parseExpression, SIZES, type Sizes } from '../expression.js';
import { KernelError, type KernelCall } from '../kernel.js';
import type { CudaManifest, Expression } from '../manifest.js';
import type { Address, Device, LaunchShape, LoadedFunction } from './driver.js';

type Called = Pick<KernelCall, 'inputs' | 'attributes'>;

/** Sizes of a call under the names that manifests use. `linear` has no names of its own for its sides: H in, I out. */
export function launchSizes(op: string, { inputs, attributes }: Called): Sizes {
  const known = callSizes(op, inputs, attributes);
  const alias: Readonly<Record<string, string>> = op === 'linear' ? { H: 'A', I: 'B' } : {};
  return Object.fromEntries(
    SIZES.map((name) => [name, known.get(alias[name] ?? name)] as const).filter(
      (entry): entry is [(typeof SIZES)[number], number] => entry[1] !== undefined,
    ),
  );
}

/**
 * Grid, block and shared memory of a call, within what the device and the kernel allow.
 * @throws KernelError naming the number that is not
 */
export function launchShape(manifest: CudaManifest, sizes: Sizes, device: Device, kernel: LoadedFunction): LaunchShape {
  const { limits } = device;
  const grid = extent('grid', manifest.grid, sizes, [limits.max_grid_x, limits.max_grid_y, limits.max_grid_z]);
  const block = extent('block', manifest.block, sizes, [limits.max_block_x, limits.max_block_y, limits.max_block_z]);
  const threads = block[0] * block[1] * block[2];
  if (threads > limits.max_threads)
    throw new KernelError(`block is ${block.join(' × ')} = ${threads} threads${at(sizes)}; the device allows ${limits.max_threads}`);
  if (threads > kernel.maxThreads)
    throw new KernelError(
      `block is ${block.join(' × ')} = ${threads} threads${at(sizes)}; the kernel's registers or its __launch_bounds__ allow ${kernel.maxThreads}`,
    );
  const sharedBytes = compute('shared_bytes', manifest.shared_bytes ?? 0, sizes);
  const room = Math.max(limits.shared_bytes_opt_in, limits.shared_bytes) - kernel.staticShared;
  if (sharedBytes > room) {
    const own = kernel.staticShared === 0 ? '' : ` beside the kernel's own ${kernel.staticShared}`;
    throw new KernelError(`shared_bytes is ${sharedBytes}${at(sizes)}; the device has ${room} bytes for a block${own}`);
  }
  return { grid, block, sharedBytes };
}

function extent(
  key: string,
  given: Expression | readonly Expression[],
  sizes: Sizes,
  limits: readonly [number, number, number],
): [number, number, number] {
  const values: [number, number, number] = [1, 1, 1];
  for (const [i, expression] of list(given).entries()) {
    const name = `${key}.${'xyz'[i] ?? ''}`;
    const value = compute(name, expression, sizes);
    const limit = limits[i] ?? 1;
    if (value < 1 || value > limit) throw new KernelError(`${name} (${expression}) is ${value}${at(sizes)}; it must be from 1 to ${limit}`);
    values[i] = value;
  }
  return values;
}

function compute(key: string, expression: Expression, sizes: Sizes): number {
  try {
    return parseExpression(expression).compute(sizes);
  } catch (error) {
    throw new KernelError(`${key} (${expression}): ${(error as Error).message}${at(sizes)}`);
  }
}

/** ` for T = 5, H = 64` */
export function at(sizes: Sizes): string {
  return ` for ${Object.entries(sizes)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')}`;
}

/** What each argument is in a call. */
export type Argument = { readonly type: 'pointer'; readonly value: Address } | { readonly type: ScalarType; readonly value: number };

/**
 * The arguments of a call in the order of the kernel's parameters.
 * @param addressOf of a buffer by its name in the manifest; undefined: this call does not have it
 * @throws KernelError for a scalar that its type cannot hold
 */
export function launchArguments(
  manifest: CudaManifest,
  attributes: Called['attributes'],
  sizes: Sizes,
  addressOf: (name: string) => Address | undefined,
): Argument[] {
  return parameters(manifest).map(({ name, type }): Argument => {
    // An optional tensor that this model does not have is a null pointer.
    if (type === undefined) return { type: 'pointer', value: addressOf(name) ?? 0n };
    const value = (sizes as Readonly<Record<string, number | undefined>>)[name] ?? asNumber(attributes[name]);
    if (value === undefined) throw new KernelError(`${name}:${type} has no value in this call`);
    if (!fits(type, value)) throw new KernelError(`${name} is ${value} here, which ${type} cannot hold; give it another type in args`);
    return { type, value };
  });
}

/** Strings as numbers, by their place in the list. */
const CODES: readonly (readonly string[])[] = [
  ['half', 'interleaved'],
  ['silu', 'gelu_tanh'],
];

function asNumber(value: AttributeValue | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  const code = CODES.map((names) => names.indexOf(String(value))).find((index) => index >= 0);
  return value === undefined ? undefined : code;
}

const RANGES: Readonly<Record<'i32' | 'u32' | 'i64' | 'u64' | 'bool', readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

function fits(type: ScalarType, value: number): boolean {
  if (type === 'f32' || type === 'f64') return true;
  const [least, most] = RANGES[type];
  return Number.isInteger(value) && value >= least && value <= most;
}

/** Every argument gets this much room, which is the alignment of the largest. */
const SLOT_BYTES = 8;

/** Writes arguments into memory as C has them: one slot each. */
export function packArguments(given: readonly Argument[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(1, given.length) * SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, argument] of given.entries()) {
    const offset = i * SLOT_BYTES;
    if (argument.type === 'pointer') view.setBigUint64(offset, argument.value, true);
    else WRITE[argument.type](view, offset, argument.value);
  }
  return bytes;
}

const WRITE: Readonly<Record<ScalarType, (view: DataView, offset: number, value: number) => void>> = {
  i32: (view, offset, value) => view.setInt32(offset, value, true),
  u32: (view, offset, value) => view.setUint32(offset, value, true),
  i64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  u64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
  f32: (view, offset, value) => view.setFloat32(offset, value, true),
  f64: (view, offset, value) => view.setFloat64(offset, value, true),
  bool: (view, offset, value) => view.setUint8(offset, value),
};

/** The address of each slot, as cuLaunchKernel wants them. */
export function slotAddresses(base: Address, count: number): BigUint64Array {
  return BigUint64Array.from({ length: count }, (_, i) => base + BigInt(i * SLOT_BYTES));
}
