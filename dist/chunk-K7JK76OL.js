import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  KernelError,
  bfloat16ToFloat32,
  checkOutputs,
  float16ToFloat32,
  roundToBfloat16,
  roundToFloat16,
  roundToServing
} from "./chunk-S2ZBP3JJ.js";
import {
  contractOutputs
} from "./chunk-OWGKBW5B.js";
import {
  printable
} from "./chunk-NAEFPM7V.js";
import {
  DATA_TYPE,
  OUTPUT_PREFIX,
  SESSION_OPTIONS,
  graphBuilder
} from "./chunk-DJ56H66L.js";

// src/kernels/ort-operators.ts
var MICROSOFT = "com.microsoft";
var OPERATORS = {
  SimplifiedLayerNormalization: {
    rms_norm: (s) => s.output("y", simplifiedNorm(s, "x", "weight")),
    qk_norm: (s) => {
      s.output("q", simplifiedNorm(s, "q", "q_weight"));
      s.output("k", simplifiedNorm(s, "k", "k_weight"));
    }
  },
  SkipSimplifiedLayerNormalization: { add_rms_norm: skipNorm },
  RotaryEmbedding: { rope: rotaryEmbedding },
  GroupQueryAttention: { attention: groupQueryAttention },
  QuickGelu: {
    silu_mul: (s) => s.output("y", s.g.node("Mul", [s.g.node("QuickGelu", [s.input("gate")], { alpha: { float: 1 } }, MICROSOFT), s.input("up")]))
  },
  FastGelu: {
    gelu_tanh_mul: (s) => s.output("y", s.g.node("Mul", [s.g.node("FastGelu", [s.input("gate")], {}, MICROSOFT), s.input("up")]))
  }
};
function operatorFits(operator, op) {
  return OPERATORS[operator]?.[op] !== void 0;
}
function operatorKey(operator, op, type, call) {
  const heads = Object.entries(call.inputs).map(([name, { shape: shape2 }]) => [name, shape2.slice(1)]);
  return JSON.stringify([
    operator,
    op,
    type,
    call.attributes,
    heads,
    op === "rope" || op === "attention" ? [call.inputs["q"]?.shape[0], call.inputs["k"]?.shape[0]] : null
  ]);
}
function operatorGraph(operator, op, type, call) {
  const build = OPERATORS[operator]?.[op];
  if (build === void 0) throw new Error(`${operator} does not implement ${op}`);
  const g = graphBuilder(operator);
  build({
    g,
    call,
    // float16 travels as raw bits: what JavaScript type onnxruntime wants for it depends on the Node version.
    input: (name) => type === "float32" ? g.input(name, "float32") : g.node("BitCast", [g.input(name, "uint16")], { to: DATA_TYPE.float16 }),
    output: (name, value) => type === "float32" ? g.output(OUTPUT_PREFIX + name, value, "float32") : g.output(OUTPUT_PREFIX + name, g.node("BitCast", [value], { to: DATA_TYPE.uint16 }), "uint16"),
    int64: (value) => g.constant("int64", value)
  });
  return g.build();
}
function number(s, attribute) {
  return Number(s.call.attributes[attribute] ?? 0);
}
function shape(s, tensor) {
  return s.call.inputs[tensor]?.shape ?? [];
}
function gamma(s, weight) {
  const offset = number(s, "weight_offset");
  const value = s.input(weight);
  return offset === 0 ? value : s.g.node("Add", [value, s.g.node("CastLike", [s.g.constant("float32", offset), value])]);
}
function simplifiedNorm(s, x, weight) {
  return s.g.node("SimplifiedLayerNormalization", [s.input(x), gamma(s, weight)], {
    axis: -1,
    epsilon: { float: number(s, "eps") },
    stash_type: 1
  });
}
function skipNorm(s) {
  const [y = "", , , sum = ""] = s.g.nodes(
    "SkipSimplifiedLayerNormalization",
    [s.input("x"), s.input("residual"), gamma(s, "weight")],
    [true, false, false, true],
    { epsilon: { float: number(s, "eps") } },
    MICROSOFT
  );
  s.output("y", y);
  s.output("residual_out", sum);
}
function rotaryEmbedding(s) {
  const [T = 0] = shape(s, "q");
  const positions = s.g.node("Unsqueeze", [
    s.g.constant(
      "int64",
      Array.from({ length: T }, (_, t) => t)
    ),
    s.int64([0])
  ]);
  const cos = s.input("cos");
  const sin = s.input("sin");
  const rotaryDim = number(s, "rotary_dim");
  for (const name of ["q", "k"]) {
    const [, heads = 1, D = 1] = shape(s, name);
    const x = s.g.node("Unsqueeze", [s.g.node("Transpose", [s.input(name)], { perm: [1, 0, 2] }), s.int64([0])]);
    const rotated = s.g.node(
      "RotaryEmbedding",
      [x, positions, cos, sin],
      // 0 stands for "all of head_dim"; num_heads matters for partial rotation only.
      {
        interleaved: s.call.attributes["layout"] === "interleaved" ? 1 : 0,
        rotary_embedding_dim: rotaryDim < D ? rotaryDim : 0,
        num_heads: heads
      },
      MICROSOFT
    );
    s.output(name, s.g.node("Transpose", [s.g.node("Squeeze", [rotated, s.int64([0])])], { perm: [1, 0, 2] }));
  }
}
function groupQueryAttention(s) {
  const [T = 0, Nq = 1, D = 1] = shape(s, "q");
  const [S = 0, Nkv = 1] = shape(s, "k");
  const flat = (value, tokens, heads) => s.g.node("Reshape", [value, s.int64([1, tokens, heads * D])]);
  const split = (name) => {
    const value = s.input(name);
    if (S === T) return { past: "", now: flat(value, T, Nkv) };
    const [before = "", last = ""] = s.g.nodes("Split", [value, s.int64([S - T, T])], [true, true], { axis: 0 });
    return { past: s.g.node("Unsqueeze", [s.g.node("Transpose", [before], { perm: [1, 0, 2] }), s.int64([0])]), now: flat(last, T, Nkv) };
  };
  const [k, v] = [split("k"), split("v")];
  const window = number(s, "window");
  const [o = ""] = s.g.nodes(
    "GroupQueryAttention",
    [flat(s.input("q"), T, Nq), k.now, v.now, k.past, v.past, s.g.constant("int32", [S - 1]), s.g.constant("int32", S)],
    // present_key and present_value are asked for because some versions compute nothing useful without them.
    [true, true, true],
    {
      num_heads: Nq,
      kv_num_heads: Nkv,
      scale: { float: number(s, "scale") },
      local_window_size: window > 0 ? window : -1,
      ...number(s, "softcap") > 0 ? { softcap: { float: number(s, "softcap") } } : {}
    },
    MICROSOFT
  );
  s.output("o", s.g.node("Reshape", [o, s.int64([T, Nq, D])]));
}

// src/kernels/onnxruntime.ts
function onnxruntimeKernel(runtime, version, manifest, device) {
  const options = { ...SESSION_OPTIONS, executionProviders: [device] };
  const sessions = /* @__PURE__ */ new Map();
  const session = (key, create) => {
    const known2 = sessions.get(key) ?? (device === "cpu" ? create() : create().catch((error) => Promise.reject(noSession(device, error))));
    sessions.set(key, known2);
    return known2;
  };
  const prepare = async (call, dtype) => {
    const { operator, model, op } = manifest;
    if (model !== void 0) {
      const running2 = await session(model, () => runtime.InferenceSession.create(model, { ...options, graphOptimizationLevel: "all" }));
      const contractName = (name) => name.startsWith(OUTPUT_PREFIX) ? name.slice(OUTPUT_PREFIX.length) : name;
      return { running: running2, feeds: userFeeds(runtime, running2, op, call, dtype), contractName };
    }
    if (operator === void 0 || !operatorFits(operator, op))
      throw new KernelError(`ONNX Runtime's ${operator ?? "operator"} does not implement ${op}`);
    const type = dtype === "float16" ? "float16" : "float32";
    const running = await session(
      operatorKey(operator, op, type, call),
      () => runtime.InferenceSession.create(operatorGraph(operator, op, type, call), options)
    );
    const feeds = {};
    for (const [name, array] of Object.entries(call.inputs)) {
      if (running.inputNames.includes(name)) feeds[name] = feed(runtime, array, type === "float16" ? "float16_bits" : "float32");
    }
    return { running, feeds, contractName: (name) => name.slice(OUTPUT_PREFIX.length) };
  };
  const known = new Map(contractOutputs(manifest.op).map((output) => [output.name, output.dtype]));
  const answer = async (call, dtype, repeat) => {
    const { running, feeds, contractName } = await prepare(call, dtype);
    const { results, time_us } = await timed(repeat, () => running.run(feeds));
    const outputs = Object.fromEntries(
      Object.entries(results).flatMap(([name, value]) => {
        const contract = contractName(name);
        if (!known.has(contract)) return [];
        return [[contract, known.get(contract) === "int64" ? outputIds(name, value) : outputValues(name, value, dtype)]];
      })
    );
    return { outputs, time_us };
  };
  return {
    name: manifest.name,
    op: manifest.op,
    backend: "onnxruntime",
    async start() {
      if (device !== "cpu") await computeOnce(runtime, device);
      return { device: `${device === "cpu" ? "CPU" : device} (onnxruntime ${version})`, gpu: device !== "cpu", variants: ["fused"] };
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
      for (const made of sessions.values()) await made.then((running) => running.release()).catch(() => void 0);
      sessions.clear();
    }
  };
}
async function timed(repeat, run) {
  let results = await run();
  if (repeat <= 1) return { results, time_us: null };
  const times = [];
  for (let i = 0; i < repeat; i++) {
    const start = performance.now();
    results = await run();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { results, time_us: times[times.length >> 1] * 1e3 };
}
async function computeOnce(runtime, device) {
  const g = graphBuilder("trial");
  const x = g.input("x", "float32");
  g.output("y", g.node("Add", [x, x]), "float32");
  const extra = { session: { disable_cpu_ep_fallback: "1" } };
  try {
    const session = await runtime.InferenceSession.create(g.build(), { ...SESSION_OPTIONS, executionProviders: [device], extra });
    await session.run({ x: new runtime.Tensor("float32", Float32Array.of(1), [1]) });
    await session.release();
  } catch (error) {
    throw noSession(device, error);
  }
}
var NEEDS = {
  cpu: "the processor",
  webgpu: "a GPU, its driver and the Vulkan loader (libvulkan.so.1)",
  cuda: "an NVIDIA GPU and the CUDA libraries of ONNX Runtime (libonnxruntime_providers_cuda.so), which are too large to come with fused-compat: execution-provider webgpu or kernels of backend cuda use the GPU without them"
};
function noSession(device, error) {
  return new KernelError(
    `no session could be made on the ${device} execution provider (${firstLine(error)}); it needs ${NEEDS[device]}. Without such a device use execution-provider cpu`
  );
}
function firstLine(error) {
  const line = (String(error instanceof Error ? error.message : error).split("\n")[0] ?? "").slice(0, 2e3);
  return printable(line.replace(/\/\S+\.(?:cc|h):\d+ (?:.* was false\. ?)?/, ""));
}
function feed(runtime, array, form) {
  const values = array.data;
  if (form === "float32") return new runtime.Tensor("float32", values, array.shape);
  return new runtime.Tensor("uint16", form === "float16_bits" ? roundToFloat16(values) : roundToBfloat16(values), array.shape);
}
function outputValues(name, tensor, dtype) {
  const { data, dims } = tensor;
  if (tensor.type === "float32") return { data: roundToServing(data, dtype), shape: dims };
  if (tensor.type === "uint16" && dtype !== "float32") {
    const bits = data;
    return { data: dtype === "bfloat16" ? bfloat16ToFloat32(bits) : float16ToFloat32(bits), shape: dims };
  }
  throw new KernelError(
    `output ${printable(name)} has type ${tensor.type}; for ${dtype} it must be float32${dtype === "float32" ? "" : ` or uint16 (the bits of ${dtype})`}`
  );
}
function outputIds(name, tensor) {
  if (tensor.type !== "int64") throw new KernelError(`output ${printable(name)} has type ${tensor.type}; token ids are int64`);
  return { data: Float64Array.from(tensor.data, Number), shape: tensor.dims };
}
function userFeeds(runtime, session, op, call, dtype) {
  const feeds = {};
  for (const meta of session.inputMetadata) {
    const { name } = meta;
    const type = meta.isTensor ? meta.type : "no tensor";
    const array = call.inputs[name];
    const attribute = call.attributes[name];
    if (array?.data instanceof Int32Array) {
      if (type !== "int64") throw new KernelError(`input ${printable(name)} has type ${type}; token ids are int64`);
      feeds[name] = new runtime.Tensor("int64", BigInt64Array.from(array.data, BigInt), array.shape);
    } else if (array !== void 0) {
      if (type !== "float32" && !(type === "uint16" && dtype !== "float32")) {
        throw new KernelError(
          `input ${printable(name)} has type ${type}; for ${dtype} it must be float32${dtype === "float32" ? "" : ` or uint16 (the bits of ${dtype})`}`
        );
      }
      feeds[name] = feed(runtime, array, type === "float32" ? "float32" : `${dtype}_bits`);
    } else if (attribute !== void 0) {
      feeds[name] = scalar(runtime, name, type, attribute);
    } else {
      const known = [...Object.keys(call.inputs), ...Object.keys(call.attributes)].join(", ");
      throw new KernelError(`input ${printable(name)} is no tensor or attribute of ${op} here; there are: ${known}`);
    }
  }
  return feeds;
}
function scalar(runtime, name, type, value) {
  if (type === "float32" && typeof value === "number") return new runtime.Tensor("float32", Float32Array.of(value), []);
  if (type === "int64" && typeof value === "number") return new runtime.Tensor("int64", BigInt64Array.of(BigInt(Math.trunc(value))), []);
  if (type === "bool" && typeof value === "boolean") return new runtime.Tensor("bool", Uint8Array.of(value ? 1 : 0), []);
  if (type === "string" && typeof value === "string") return new runtime.Tensor("string", [value], []);
  throw new KernelError(
    `input ${printable(name)} has type ${type}; the attribute is ${JSON.stringify(value)} and goes to a scalar float32, int64, bool or string`
  );
}

export {
  onnxruntimeKernel
};
