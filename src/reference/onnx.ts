// Builds small ONNX models in memory. Knows the file format, not what any graph means.

import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

export type ElementType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'uint16' | 'int32' | 'int64';

/** TensorProto.DataType of the ONNX format. */
export const DATA_TYPE: Record<ElementType, number> = { float32: 1, uint16: 4, int32: 6, int64: 7, float16: 10, float64: 11, bfloat16: 16 };

// The newest operator set that onnxruntime 1.30 accepts (27 is refused); BitCast exists from 26 on.
const OPSET = 26;
const IR_VERSION = 10;

export type Attribute = number | string | readonly number[] | { float: number } | { floats: readonly number[] };

export interface GraphBuilder {
  /** Declares a graph input of free shape and returns its name. */
  input(name: string, type: ElementType): string;
  /** Adds a node and returns the name of its only output. */
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>, domain?: string): string;
  /** Adds a node with several outputs; those marked false are optional ones left out, and their names are empty. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputs: readonly boolean[],
    attributes?: Record<string, Attribute>,
    domain?: string,
  ): string[];
  /** A constant: a scalar, or a one-dimensional tensor. */
  constant(type: 'float32' | 'float64' | 'int32' | 'int64', value: number | readonly number[]): string;
  /** Makes a value a graph output of the given name. */
  output(name: string, value: string, type: ElementType): void;
  /** The serialised ModelProto. */
  build(): Uint8Array;
}

/** Starts an empty graph. Integer attributes are plain numbers; float attributes are `{ float: x }`. */
export function graphBuilder(name: string): GraphBuilder {
  const node: InstanceType<typeof onnx.NodeProto>[] = [];
  const initializer: InstanceType<typeof onnx.TensorProto>[] = [];
  const input: InstanceType<typeof onnx.ValueInfoProto>[] = [];
  const output: InstanceType<typeof onnx.ValueInfoProto>[] = [];
  const domains = new Set<string>();
  let count = 0;

  const valueInfo = (valueName: string, type: ElementType) =>
    onnx.ValueInfoProto.create({ name: valueName, type: { tensorType: { elemType: DATA_TYPE[type] } } });

  const nodes: GraphBuilder['nodes'] = (operator, inputs, outputs, attributes = {}, domain = '') => {
    const names = outputs.map((wanted) => (wanted ? `${operator}_${count++}` : ''));
    if (domain !== '') domains.add(domain);
    node.push(
      onnx.NodeProto.create({
        opType: operator,
        domain,
        input: [...inputs],
        output: names,
        name: `${operator}_${count++}`,
        attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      }),
    );
    return names;
  };

  return {
    input(valueName, type) {
      input.push(valueInfo(valueName, type));
      return valueName;
    },
    nodes,
    node(operator, inputs, attributes, domain) {
      return nodes(operator, inputs, [true], attributes, domain)[0] as string;
    },
    constant(type, value) {
      const valueName = `const_${count++}`;
      const values = typeof value === 'number' ? [value] : value;
      initializer.push(
        onnx.TensorProto.create({
          name: valueName,
          dataType: DATA_TYPE[type],
          dims: typeof value === 'number' ? [] : [values.length],
          rawData: rawBytes(type, values),
        }),
      );
      return valueName;
    },
    output(valueName, value, type) {
      node.push(onnx.NodeProto.create({ opType: 'Identity', input: [value], output: [valueName], name: `output_${valueName}` }));
      output.push(valueInfo(valueName, type));
    },
    build() {
      return onnx.ModelProto.encode({
        irVersion: IR_VERSION,
        producerName: 'fused-compat',
        opsetImport: [{ domain: '', version: OPSET }, ...[...domains].map((domain) => ({ domain, version: 1 }))],
        graph: { name, node, initializer, input, output },
      }).finish();
    },
  };
}

function attributeProto(name: string, value: Attribute) {
  const types = onnx.AttributeProto.AttributeType;
  if (typeof value === 'number') return onnx.AttributeProto.create({ name, type: types.INT, i: value });
  if (typeof value === 'string') return onnx.AttributeProto.create({ name, type: types.STRING, s: Buffer.from(value) });
  if ('float' in value) return onnx.AttributeProto.create({ name, type: types.FLOAT, f: value.float });
  if ('floats' in value) return onnx.AttributeProto.create({ name, type: types.FLOATS, floats: [...value.floats] });
  return onnx.AttributeProto.create({ name, type: types.INTS, ints: [...value] });
}

function rawBytes(type: 'float32' | 'float64' | 'int32' | 'int64', values: readonly number[]): Uint8Array {
  const array = {
    float32: () => Float32Array.from(values),
    float64: () => Float64Array.from(values),
    int32: () => Int32Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
  }[type]();
  return new Uint8Array(array.buffer);
}
