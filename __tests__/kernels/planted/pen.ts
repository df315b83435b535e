// Writes ONNX kernels as a user would bring them: a folder with kernel.json and fused.onnx, in the contract's names.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DATA_TYPE, graphBuilder, type GraphBuilder } from '../../../src/reference/onnx.js';

/** What a kernel computes in, and with which it draws its graph. */
export interface Pen {
  readonly g: GraphBuilder;
  readonly type: 'float32' | 'float64';
  /** A contract tensor, widened to the compute type. */
  tensor(name: string): string;
  /** A numeric attribute as a scalar in the compute type. */
  attribute(name: string): string;
  /** An integer attribute as int64 [1]. */
  size(name: string): string;
  scalar(value: number): string;
  ints(...values: number[]): string;
  op(operator: string, ...inputs: string[]): string;
  /** Size of one axis of a value (−1: the last), int64 [1]. */
  dim(value: string, axis: number): string;
  slice(value: string, axis: number, start: string, end: string, step?: number): string;
  join(axis: number, ...values: string[]): string;
  turn(value: string, ...perm: number[]): string;
  /** An output of the contract. */
  give(name: string, value: string): void;
}

export interface Drawing {
  readonly type?: 'float32' | 'float64';
  /** Tensors come and go as the bits of bfloat16. */
  readonly bits?: boolean;
  /** Names that are both inputs and outputs: their outputs are called `out_NAME`. */
  readonly inOut?: readonly string[];
  readonly draw: (pen: Pen) => void;
  /** Applied to every output before it is given. */
  readonly spoil?: (pen: Pen, value: string) => string;
}

/** Serialises a kernel's graph. */
export function drawKernel({ type = 'float32', bits = false, inOut = [], draw, spoil }: Drawing): Uint8Array {
  const g = graphBuilder('fused');
  const inputs = new Map<string, string>();
  const once = (name: string, make: () => string) => {
    const known = inputs.get(name) ?? make();
    inputs.set(name, known);
    return known;
  };
  const widened = (value: string) => (type === 'float32' ? value : g.node('Cast', [value], { to: DATA_TYPE.float64 }));
  const pen: Pen = {
    g,
    type,
    tensor: (name) =>
      once(name, () => {
        if (!bits) return widened(g.input(name, 'float32'));
        const typed = g.node('BitCast', [g.input(name, 'uint16')], { to: DATA_TYPE.bfloat16 });
        return g.node('Cast', [typed], { to: DATA_TYPE[type] });
      }),
    attribute: (name) => once(name, () => widened(g.input(name, 'float32'))),
    size: (name) => once(name, () => g.node('Reshape', [g.input(name, 'int64'), g.constant('int64', [1])])),
    scalar: (value) => g.constant(type, value),
    ints: (...values) => g.constant('int64', values),
    op: (operator, ...values) => g.node(operator, values),
    dim: (value, axis) => g.node('Shape', [value], axis === -1 ? { start: -1 } : { start: axis, end: axis + 1 }),
    slice: (value, axis, start, end, step = 1) =>
      g.node('Slice', [value, start, end, g.constant('int64', [axis]), g.constant('int64', [step])]),
    join: (axis, ...values) => g.node('Concat', values, { axis }),
    turn: (value, ...perm) => g.node('Transpose', [value], { perm }),
    give(name, value) {
      const given = spoil === undefined ? value : spoil(pen, value);
      const output = inOut.includes(name) ? `out_${name}` : name;
      if (bits) {
        const rounded = g.node('Cast', [given], { to: DATA_TYPE.bfloat16 });
        g.output(output, g.node('BitCast', [rounded], { to: DATA_TYPE.uint16 }), 'uint16');
      } else g.output(output, type === 'float32' ? given : g.node('Cast', [given], { to: DATA_TYPE.float32 }), 'float32');
    },
  };
  draw(pen);
  return g.build();
}

/** Plants a kernel: writes `folder/NAME/kernel.json` and `fused.onnx`. */
export async function plant(
  folder: string,
  name: string,
  op: string,
  model: Uint8Array,
  manifest: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'fused.onnx'), model);
  const keys = { name, op, dtypes: ['bfloat16', 'float16', 'float32'], backend: 'onnxruntime', model: 'fused.onnx', ...manifest };
  await writeFile(join(path, 'kernel.json'), JSON.stringify(keys));
}
