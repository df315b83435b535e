// Backend `onnxruntime`: ONNX Runtime's own fused operators, or the user's ONNX file, as kernels under test.

import type * as ort from 'onnxruntime-node';
import type { AttributeValue } from '../architectures/program.js';
import { printable } from '../hub/names.js';
import type { NdArray } from '../reference/ndarray.js';
import { OUTPUT_PREFIX } from '../reference/graphs.js';
import { SESSION_OPTIONS, type Ort } from '../reference/op-runner.js';
import type { ServingDtype } from '../report/types.js';
import { bfloat16ToFloat32, float16ToFloat32, roundToBfloat16, roundToFloat16 } from '../weights/values.js';
import { roundToServing } from '../reference/served-weights.js';
import { checkOutputs, KernelError, type Kernel } from './kernel.js';
import type { KernelManifest } from './manifest.js';
import { operatorFits, operatorGraph, operatorKey, type Call } from './ort-operators.js';

export type ExecutionProvider = 'cpu' | 'webgpu' | 'cuda' | 'auto';

/** `auto`: the CPU provider, which is the one that every build carries. */
function providerOf(provider: ExecutionProvider): 'cpu' | 'webgpu' | 'cuda' {
  return provider === 'auto' ? 'cpu' : provider;
}

/** Makes a kernel from a manifest. Nothing is loaded before the first call. */
export function onnxruntimeKernel(runtime: Ort, version: string, manifest: KernelManifest, provider: ExecutionProvider): Kernel {
  const device = providerOf(provider);
  const options: ort.InferenceSession.SessionOptions = { ...SESSION_OPTIONS, executionProviders: [device] };
  const sessions = new Map<string, Promise<ort.InferenceSession>>();
  const session = (key: string, create: () => Promise<ort.InferenceSession>) => {
    const known =
      sessions.get(key) ?? (device === 'cpu' ? create() : create().catch((error: unknown) => Promise.reject(noSession(device, error))));
    sessions.set(key, known);
    return known;
  };
  const answer = async (call: Call, dtype: ServingDtype) => {
    const { operator, model, op } = manifest;
    if (model !== undefined) {
      // The user's graph runs as users run it: with onnxruntime's default optimisations.
      const running = await session(model, () => runtime.InferenceSession.create(model, { ...options, graphOptimizationLevel: 'all' }));
      return userModel(runtime, running, op, call, dtype);
    }
    if (operator === undefined || !operatorFits(operator, op))
      throw new KernelError(`ONNX Runtime's ${operator ?? 'operator'} does not implement ${op}`);
    const type = dtype === 'float16' ? 'float16' : 'float32';
    const running = await session(operatorKey(operator, op, type, call), () =>
      runtime.InferenceSession.create(operatorGraph(operator, op, type, call), options),
    );
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, array] of Object.entries(call.inputs)) {
      if (running.inputNames.includes(name)) feeds[name] = feed(runtime, array, type === 'float16' ? 'float16_bits' : 'float32');
    }
    const results = await running.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [name.slice(OUTPUT_PREFIX.length), outputValues(name, value, dtype)]),
    );
  };
  return {
    name: manifest.name,
    op: manifest.op,
    backend: 'onnxruntime',
    device: `${device === 'cpu' ? 'CPU' : device} (onnxruntime ${version})`,
    gpu: device !== 'cpu',
    async run(inputs, attributes, dtype) {
      let outputs: Record<string, NdArray>;
      try {
        outputs = await answer({ inputs, attributes }, dtype);
      } catch (error) {
        if (error instanceof KernelError) throw error;
        throw new KernelError(firstLine(error));
      }
      return checkOutputs(manifest.op, inputs, attributes, outputs);
    },
    async close() {
      for (const made of sessions.values()) await made.then((running) => running.release()).catch(() => undefined);
      sessions.clear();
    },
  };
}

function noSession(device: string, error: unknown): KernelError {
  return new KernelError(
    `no session could be made on the ${device} execution provider (${firstLine(error)}); ` +
      `run on a machine with such a device and its driver, or with execution-provider cpu`,
  );
}

/** The first line of a native error, without the place in ONNX Runtime's own sources that may come before what happened. */
function firstLine(error: unknown): string {
  const line = (String(error instanceof Error ? error.message : error).split('\n')[0] ?? '').slice(0, 2000);
  return printable(line.replace(/\/\S+\.(?:cc|h):\d+ (?:.* was false\. ?)?/, ''));
}

type FeedForm = 'float32' | 'float16_bits' | 'bfloat16_bits';

function feed(runtime: Ort, array: NdArray, form: FeedForm): ort.Tensor {
  const values = array.data as Float32Array;
  if (form === 'float32') return new runtime.Tensor('float32', values, array.shape);
  return new runtime.Tensor('uint16', form === 'float16_bits' ? roundToFloat16(values) : roundToBfloat16(values), array.shape);
}

// A float32 output is the kernel's unrounded result: the serving dtype is applied as the store of a fused kernel would.
function outputValues(name: string, tensor: ort.Tensor, dtype: ServingDtype): NdArray {
  const { data, dims } = tensor;
  if (tensor.type === 'float32') return { data: roundToServing(data as Float32Array, dtype), shape: dims };
  if (tensor.type === 'uint16' && dtype !== 'float32') {
    const bits = data as Uint16Array;
    return { data: dtype === 'bfloat16' ? bfloat16ToFloat32(bits) : float16ToFloat32(bits), shape: dims };
  }
  throw new KernelError(
    `output ${printable(name)} has type ${tensor.type}; for ${dtype} it must be float32${dtype === 'float32' ? '' : ` or uint16 (the bits of ${dtype})`}`,
  );
}

async function userModel(
  runtime: Ort,
  session: ort.InferenceSession,
  op: string,
  call: Call,
  dtype: ServingDtype,
): Promise<Record<string, NdArray>> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const meta of session.inputMetadata) {
    const { name } = meta;
    const type = meta.isTensor ? meta.type : 'no tensor';
    const array = call.inputs[name];
    const attribute = call.attributes[name];
    if (array !== undefined) {
      if (type !== 'float32' && !(type === 'uint16' && dtype !== 'float32')) {
        throw new KernelError(
          `input ${printable(name)} has type ${type}; for ${dtype} it must be float32${dtype === 'float32' ? '' : ` or uint16 (the bits of ${dtype})`}`,
        );
      }
      feeds[name] = feed(runtime, array, type === 'float32' ? 'float32' : `${dtype as 'float16' | 'bfloat16'}_bits`);
    } else if (attribute !== undefined) {
      feeds[name] = scalar(runtime, name, type, attribute);
    } else {
      const known = [...Object.keys(call.inputs), ...Object.keys(call.attributes)].join(', ');
      throw new KernelError(`input ${printable(name)} is no tensor or attribute of ${op} here; there are: ${known}`);
    }
  }
  const results = await session.run(feeds);
  // ONNX has one name space for inputs and outputs: where a contract has q in and q out, the output is called out_q.
  const contractName = (name: string) => (name.startsWith(OUTPUT_PREFIX) ? name.slice(OUTPUT_PREFIX.length) : name);
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [contractName(name), outputValues(name, value, dtype)]));
}

function scalar(runtime: Ort, name: string, type: string, value: AttributeValue): ort.Tensor {
  if (type === 'float32' && typeof value === 'number') return new runtime.Tensor('float32', Float32Array.of(value), []);
  if (type === 'int64' && typeof value === 'number') return new runtime.Tensor('int64', BigInt64Array.of(BigInt(Math.trunc(value))), []);
  if (type === 'bool' && typeof value === 'boolean') return new runtime.Tensor('bool', Uint8Array.of(value ? 1 : 0), []);
  if (type === 'string' && typeof value === 'string') return new runtime.Tensor('string', [value], []);
  throw new KernelError(
    `input ${printable(name)} has type ${type}; the attribute is ${JSON.stringify(value)} and goes to a scalar float32, int64, bool or string`,
  );
}
