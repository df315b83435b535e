// What a kernel under test is to the rest of the program, whatever backend runs it.

import type { AttributeValue } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import type { ServingDtype } from '../report/types.js';
import { CONTRACTS } from './contracts.js';

/** A kernel that can be called. Made from a manifest by its backend. */
export interface Kernel {
  readonly name: string;
  readonly op: string;
  readonly backend: string;
  /** What runs it, for the report: `CPU (onnxruntime 1.30.0)`. */
  readonly device: string;
  readonly gpu: boolean;
  /**
   * Runs one call. Inputs by contract name, float32 arrays whose values the serving dtype holds exactly (cos and sin: any float32).
   * @returns outputs by contract name, likewise
   * @throws KernelError when there is no usable answer
   */
  run(
    inputs: Readonly<Record<string, NdArray>>,
    attributes: Readonly<Record<string, AttributeValue>>,
    dtype: ServingDtype,
  ): Promise<Record<string, NdArray>>;
  close(): Promise<void>;
}

/** The kernel gave no usable answer: it crashed, refused, or gave the wrong shape. INCONCLUSIVE, never a pass. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
}

type Inputs = Readonly<Record<string, NdArray>>;
type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * Checks that a kernel gave every output of its contract in the contract's shape, and drops what else it gave.
 * @throws KernelError
 */
export function checkOutputs(
  op: string,
  inputs: Inputs,
  attributes: Attributes,
  outputs: Readonly<Record<string, NdArray>>,
): Record<string, NdArray> {
  const names = CONTRACTS.get(op)?.outputs ?? [];
  const checked: Record<string, NdArray> = {};
  for (const name of names) {
    const output = outputs[name];
    if (output === undefined) throw new KernelError(`output ${name} is missing; ${op} gives ${names.join(', ')}`);
    const shape = outputShape(op, name, inputs, attributes);
    if (shape.length !== output.shape.length || shape.some((size, i) => size !== output.shape[i])) {
      throw new KernelError(`output ${name} has shape [${output.shape.join(', ')}]; it must be [${shape.join(', ')}]`);
    }
    checked[name] = output;
  }
  return checked;
}

function outputShape(op: string, output: string, inputs: Inputs, attributes: Attributes): readonly number[] {
  const shapeOf = (name: string) => inputs[name]?.shape ?? [];
  switch (op) {
    case 'linear':
      return [shapeOf('x')[0] ?? 0, shapeOf('weight')[0] ?? 0];
    case 'rms_norm_qkv':
      return [shapeOf('x')[0] ?? 0, Number(attributes[output === 'q' ? 'num_heads' : 'num_kv_heads']), Number(attributes['head_dim'])];
    case 'attention':
      return shapeOf('q');
    case 'silu_mul':
    case 'gelu_tanh_mul':
      return shapeOf('gate');
    default:
      // Everything else gives back what goes in: q as q, k as k, the rest as x.
      return shapeOf(output === 'q' || output === 'k' ? output : 'x');
  }
}
