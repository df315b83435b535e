// Backend `onnxruntime`: ONNX Runtime's own fused operators, or the user's ONNX file, as kernels under test.

import type * as ort from 'onnxruntime-node';
import type { AttributeValue } from '../architectures/program.js';
import { printable } from '../hub/names.js';
import type { NdArray } from '../reference/ndarray.js';
import { OUTPUT_PREFIX } from '../reference/graphs.js';
import { graphBuilder } from '../reference/onnx.js';
import { SESSION_OPTIONS, type Ort } from '../reference/op-runner.js';
import type { ServingDtype } from '../report/types.js';
import { bfloat16ToFloat32, float16ToFloat32, roundToBfloat16, roundToFloat16 } from '../weights/values.js';
import { roundToServing } from '../reference/served-weights.js';
import { contractOutputs } from './contracts.js';
import { checkOutputs, KernelError, type Kernel, type KernelTensor } from './kernel.js';
import type { OnnxruntimeManifest } from './manifest.js';
import { operatorFits, operatorGraph, operatorKey, type Call } from './ort-operators.js';

export type ExecutionProvider = 'cpu' | 'webgpu' | 'cuda';

interface Prepared {
  readonly running: ort.InferenceSession;
  readonly feeds: Record<string, ort.Tensor>;
  /** Name of an output of the session → contract tensor. */
  contractName(name: string): string;
}

/** Makes a kernel from a manifest. Nothing is loaded before the first call. */
export function onnxruntimeKernel(runtime: Ort, version: string, manifest: OnnxruntimeManifest, device: ExecutionProvider): Kernel {
  const options: ort.InferenceSession.SessionOptions = { ...SESSION_OPTIONS, executionProviders: [device] };
  const sessions = new Map<string, Promise<ort.InferenceSession>>();
  const session = (key: string, create: () => Promise<ort.InferenceSession>) => {
    const known =
      sessions.get(key) ?? (device === 'cpu' ? create() : create().catch((error: unknown) => Promise.reject(noSession(device, error))));
    sessions.set(key, known);
    return known;
  };
  const prepare = async (call: Call, dtype: ServingDtype): Promise<Prepared> => {
    const { operator, model, op } = manifest;
    if (model !== undefined) {
      // The user's graph runs as users run it: with onnxruntime's default optimisations.
      const running = await session(model, () => runtime.InferenceSession.create(model, { ...options, graphOptimizationLevel: 'all' }));
      // ONNX has one name space for inputs and outputs: where a contract has q in and q out, the output is called out_q.
      const contractName = (name: string) => (name.startsWith(OUTPUT_PREFIX) ? name.slice(OUTPUT_PREFIX.length) : name);
      return { running, feeds: userFeeds(runtime, running, op, call, dtype), contractName };
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
    return { running, feeds, contractName: (name) => name.slice(OUTPUT_PREFIX.length) };
  };
  const known = new Map(contractOutputs(manifest.op).map((output) => [output.name, output.dtype]));
  const answer = async (call: Call, dtype: ServingDtype, repeat: number) => {
    const { running, feeds, contractName } = await prepare(call, dtype);
    const { results, time_us } = await timed(repeat, () => running.run(feeds));
    const outputs = Object.fromEntries(
      Object.entries(results).flatMap(([name, value]) => {
        const contract = contractName(name);
        // What else a graph gives, of whatever type, nobody asked for.
        if (!known.has(contract)) return [];
        return [[contract, known.get(contract) === 'int64' ? outputIds(name, value) : outputValues(name, value, dtype)]];
      }),
    );
    return { outputs, time_us };
  };
  return {
    name: manifest.name,
    op: manifest.op,
    backend: 'onnxruntime',
    async start() {
      if (device !== 'cpu') await computeOnce(runtime, device);
      return { device: `${device === 'cpu' ? 'CPU' : device} (onnxruntime ${version})`, gpu: device !== 'cpu', variants: ['fused'] };
    },
    async run({ inputs, attributes, dtype, repeat }) {
      try {
        const { outputs, time_us } = await answer({ inputs, attributes }, dtype, repeat);
        return { outputs: checkOutputs(manifest.op, inputs, attributes, outputs), time_us, violations: [] };
      } catch (error) {
        if (error instanceof KernelError) throw error;
        throw new KernelError(firstLine(error));
      }
    },
    async close() {
      for (const made of sessions.values()) await made.then((running) => running.release()).catch(() => undefined);
      sessions.clear();
    },
  };
}

/** Runs once, or `repeat` times after one that is not counted (the first run of a session allocates). */
async function timed<T>(repeat: number, run: () => Promise<T>): Promise<{ results: T; time_us: number | null }> {
  let results = await run();
  if (repeat <= 1) return { results, time_us: null };
  const times: number[] = [];
  for (let i = 0; i < repeat; i++) {
    const start = performance.now();
    results = await run();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { results, time_us: (times[times.length >> 1] as number) * 1000 };
}

/**
 * One addition on the device, so that a missing one is told at the start and not by every kernel's first call.
 * @throws KernelError
 */
async function computeOnce(runtime: Ort, device: ExecutionProvider): Promise<void> {
  const g = graphBuilder('trial');
  const x = g.input('x', 'float32');
  g.output('y', g.node('Add', [x, x]), 'float32');
  // Without this the CPU would quietly take what the device does not.
  const extra = { session: { disable_cpu_ep_fallback: '1' } };
  try {
    const session = await runtime.InferenceSession.create(g.build(), { ...SESSION_OPTIONS, executionProviders: [device], extra });
    await session.run({ x: new runtime.Tensor('float32', Float32Array.of(1), [1]) });
    await session.release();
  } catch (error) {
    throw noSession(device, error);
  }
}

const NEEDS: Readonly<Record<ExecutionProvider, string>> = {
  cpu: 'the processor',
  webgpu: 'a GPU, its driver and the Vulkan loader (libvulkan.so.1)',
  cuda:
    'an NVIDIA GPU and the CUDA libraries of ONNX Runtime (libonnxruntime_providers_cuda.so), which are too large to come with fused-compat: ' +
    'execution-provider webgpu or kernels of backend cuda use the GPU without them',
};

function noSession(device: ExecutionProvider, error: unknown): KernelError {
  return new KernelError(
    `no session could be made on the ${device} execution provider (${firstLine(error)}); it needs ${NEEDS[device]}. ` +
      `Without such a device use execution-provider cpu`,
  );
}

/** The first line of a native error, without the place in ONNX Runtime's own sources that may come before what happened. */
function firstLine(error: unknown): string {
  const line = (String(error instanceof Error ? error.message : error).split('\n')[0] ?? '').slice(0, 2000);
  return printable(line.replace(/\/\S+\.(?:cc|h):\d+ (?:.* was false\. ?)?/, ''));
}

type FeedForm = 'float32' | 'float16_bits' | 'bfloat16_bits';

function feed(runtime: Ort, array: KernelTensor, form: FeedForm): ort.Tensor {
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

/** Token ids as float64, which holds every one. */
function outputIds(name: string, tensor: ort.Tensor): NdArray {
  if (tensor.type !== 'int64') throw new KernelError(`output ${printable(name)} has type ${tensor.type}; token ids are int64`);
  return { data: Float64Array.from(tensor.data as BigInt64Array, Number), shape: tensor.dims };
}

function userFeeds(runtime: Ort, session: ort.InferenceSession, op: string, call: Call, dtype: ServingDtype): Record<string, ort.Tensor> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const meta of session.inputMetadata) {
    const { name } = meta;
    const type = meta.isTensor ? meta.type : 'no tensor';
    const array = call.inputs[name];
    const attribute = call.attributes[name];
    if (array?.data instanceof Int32Array) {
      if (type !== 'int64') throw new KernelError(`input ${printable(name)} has type ${type}; token ids are int64`);
      feeds[name] = new runtime.Tensor('int64', BigInt64Array.from(array.data, BigInt), array.shape);
    } else if (array !== undefined) {
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
  return feeds;
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
