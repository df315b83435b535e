// What a kernel under test is to the rest of the program, whatever backend runs it.

import type { AttributeValue } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import type { ServingDtype } from '../report/types.js';
import { outputShapes } from './contracts.js';
import type { KernelManifest } from './manifest.js';

/** What goes into a kernel and comes out: float32 values that the serving dtype holds exactly (cos and sin: any float32), or token ids. */
export interface KernelTensor {
  readonly data: NdArray['data'] | Int32Array;
  readonly shape: readonly number[];
}

export type Variant = 'fused' | 'standard';

export interface KernelCall {
  /** By contract name. */
  readonly inputs: Readonly<Record<string, KernelTensor>>;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly dtype: ServingDtype;
  /** `standard`: the user's own unfused path; only where the kernel said that it has one. */
  readonly variant: Variant;
  /** The kernel is run this many times on the same inputs; more than once to time it. */
  readonly repeat: number;
}

/** Something that a kernel did beside giving a result, seen by its backend. Each is a fault, whatever the numbers say. */
export interface Violation {
  readonly check: 'inputs_unchanged' | 'guard_bands' | 'outputs_written';
  /** `input q was changed (first at element 17)`. */
  readonly detail: string;
}

export interface KernelAnswer {
  /** By contract name, float32 arrays whose values the serving dtype holds exactly. */
  readonly outputs: Record<string, NdArray>;
  /** Median of the repeats in microseconds, by the device's events where it has them; null: not measured. */
  readonly time_us: number | null;
  readonly violations: readonly Violation[];
}

/** What a kernel turned out to run on. */
export interface KernelDevice {
  /** For the report: `CPU (onnxruntime 1.30.0)`, `NVIDIA H200`. */
  readonly device: string;
  readonly gpu: boolean;
  readonly variants: readonly Variant[];
  /** The violations that its backend would see in every call; what is not named here is not known to be in order. */
  readonly observes?: readonly Violation['check'][];
}

/** A kernel that can be called. Made from a manifest by its backend. */
export interface Kernel {
  readonly name: string;
  readonly op: string;
  readonly backend: KernelManifest['backend'];
  /**
   * Gets it ready, once; later calls give the same answer.
   * @throws KernelError when it cannot run here
   */
  start(): Promise<KernelDevice>;
  /** @throws KernelError when there is no usable answer */
  run(call: KernelCall): Promise<KernelAnswer>;
  close(): Promise<void>;
}

/** The kernel gave no usable answer: it crashed, refused, or gave the wrong shape. INCONCLUSIVE, never a pass. */
export class KernelError extends Error {
  override readonly name: string = 'KernelError';
}

/** The device or its context is of no use any more (an illegal address, a lost GPU): the kernel's process has to go. */
export class DeviceLost extends KernelError {
  override readonly name = 'DeviceLost';
}

/**
 * Checks that a kernel gave every output of its contract in the contract's shape, and drops what else it gave.
 * @throws KernelError
 */
export function checkOutputs(
  op: string,
  inputs: KernelCall['inputs'],
  attributes: KernelCall['attributes'],
  outputs: Readonly<Record<string, NdArray>>,
): Record<string, NdArray> {
  const shapes = Object.entries(outputShapes(op, inputs, attributes));
  const checked: Record<string, NdArray> = {};
  for (const [name, shape] of shapes) {
    const output = outputs[name];
    if (output === undefined) throw new KernelError(`output ${name} is missing; ${op} gives ${shapes.map(([each]) => each).join(', ')}`);
    if (shape.length !== output.shape.length || shape.some((size, i) => size !== null && size !== output.shape[i])) {
      throw new KernelError(
        `output ${name} has shape [${output.shape.join(', ')}]; it must be [${shape.map((size) => size ?? 'any').join(', ')}]`,
      );
    }
    checked[name] = output;
  }
  return checked;
}
