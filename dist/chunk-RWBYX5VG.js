import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  firstLine,
  init_native,
  loadNative
} from "./chunk-LOTU3U5T.js";
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  init_errors
} from "./chunk-LNJXDEHV.js";

// src/architectures/registry.ts
init_errors();

// src/architectures/decoder.ts
function buildDecoder(spec) {
  const ops = [];
  const H = spec.hidden_size;
  const embedding = { tensor: "model.embed_tokens.weight", shape: [spec.vocab_size, H] };
  ops.push({
    op: "embed",
    layer: null,
    site: "embed_tokens",
    inputs: {},
    weights: { weight: embedding },
    attributes: { scale: spec.embedding_scale },
    outputs: { y: "embeddings" }
  });
  let stream = "embeddings";
  const layerOutputs = [];
  for (let layer = 0; layer < spec.num_hidden_layers; layer++) {
    stream = addLayer(ops, spec, layer, stream);
    layerOutputs.push(stream);
  }
  ops.push(norm(spec, null, "norm", "model.norm", stream, "normed"));
  ops.push({
    op: "linear",
    layer: null,
    site: "lm_head",
    inputs: { x: "normed" },
    weights: { weight: spec.tie_word_embeddings ? embedding : { tensor: "lm_head.weight", shape: [spec.vocab_size, H] } },
    attributes: {},
    outputs: { y: "logits" }
  });
  return {
    architecture: spec.architecture,
    ops,
    rope_tables: spec.rope_tables,
    num_hidden_layers: spec.num_hidden_layers,
    hidden_size: H,
    vocab_size: spec.vocab_size,
    max_position_embeddings: spec.max_position_embeddings,
    hidden: ["embeddings", ...layerOutputs.slice(0, -1), "normed"],
    layer_outputs: layerOutputs,
    logits: "logits"
  };
}
function norm(spec, layer, site, module, x, y) {
  return {
    op: "rms_norm",
    layer,
    site,
    inputs: { x },
    weights: { weight: { tensor: `${module}.weight`, shape: [spec.hidden_size] } },
    attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
    outputs: { y },
    eager: { weight: spec.eager_weight }
  };
}
function addLayer(ops, spec, layer, input) {
  const prefix = `model.layers.${layer}`;
  const value = (name) => `${layer}.${name}`;
  const add = (site, x, residual, y) => ({
    op: "add",
    layer,
    site,
    inputs: { x, residual },
    weights: {},
    attributes: {},
    outputs: { y }
  });
  ops.push(norm(spec, layer, "input_layernorm", `${prefix}.input_layernorm`, input, value("normed")));
  addAttention(ops, spec, layer, value("normed"), value("attention_out"));
  let branch = value("attention_out");
  if (spec.sandwich_norms) {
    ops.push(norm(spec, layer, "post_attention_layernorm", `${prefix}.post_attention_layernorm`, branch, value("attention_normed")));
    branch = value("attention_normed");
  }
  ops.push(add("residual_attention", branch, input, value("residual")));
  const beforeMlp = spec.sandwich_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  ops.push(norm(spec, layer, beforeMlp, `${prefix}.${beforeMlp}`, value("residual"), value("mlp_in")));
  addMlp(ops, spec, layer, value("mlp_in"), value("mlp_out"));
  branch = value("mlp_out");
  if (spec.sandwich_norms) {
    ops.push(norm(spec, layer, "post_feedforward_layernorm", `${prefix}.post_feedforward_layernorm`, branch, value("mlp_normed")));
    branch = value("mlp_normed");
  }
  ops.push(add("residual_mlp", branch, value("residual"), value("out")));
  return value("out");
}
function linear(layer, module, site, shape, bias, x, y) {
  const weights = { weight: { tensor: `${module}.weight`, shape } };
  if (bias) weights["bias"] = { tensor: `${module}.bias`, shape: [shape[0]] };
  return { op: "linear", layer, site, inputs: { x }, weights, attributes: {}, outputs: { y } };
}
function addAttention(ops, spec, layer, x, out) {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name) => `${layer}.${name}`;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: D, hidden_size: H } = spec;
  const { window, rope } = spec.layers[layer] ?? { window: 0, rope: "default" };
  const weights = {};
  for (const [name, count] of [
    ["q", heads],
    ["k", kvHeads],
    ["v", kvHeads]
  ]) {
    weights[`${name}_weight`] = { tensor: `${module}.${name}_proj.weight`, shape: [count * D, H] };
    if (spec.bias.qkv) weights[`${name}_bias`] = { tensor: `${module}.${name}_proj.bias`, shape: [count * D] };
  }
  ops.push({
    op: "qkv",
    layer,
    site: "self_attn.qkv_proj",
    inputs: { x },
    weights,
    attributes: { num_heads: heads, num_kv_heads: kvHeads, head_dim: D },
    outputs: { q: value("q"), k: value("k"), v: value("v") }
  });
  let q = value("q");
  let k = value("k");
  if (spec.qk_norm) {
    ops.push({
      op: "qk_norm",
      layer,
      site: "self_attn.qk_norm",
      inputs: { q, k },
      weights: { q_weight: { tensor: `${module}.q_norm.weight`, shape: [D] }, k_weight: { tensor: `${module}.k_norm.weight`, shape: [D] } },
      attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
      outputs: { q: value("q_normed"), k: value("k_normed") },
      eager: { weight: spec.eager_weight }
    });
    q = value("q_normed");
    k = value("k_normed");
  }
  ops.push({
    op: "rope",
    layer,
    site: "self_attn.rotary_emb",
    inputs: { q, k, cos: `cos:${rope}`, sin: `sin:${rope}` },
    weights: {},
    attributes: { layout: spec.rope_layout, rotary_dim: (spec.rope_tables[rope]?.inv_freq.length ?? D / 2) * 2 },
    outputs: { q: value("q_rotated"), k: value("k_rotated") },
    eager: { rotary: spec.eager_rotary }
  });
  ops.push({
    op: "attention",
    layer,
    site: "self_attn.attention",
    inputs: { q: value("q_rotated"), k: value("k_rotated"), v: value("v") },
    weights: {},
    attributes: { scale: spec.attention_scale, causal: true, window, softcap: 0 },
    outputs: { o: value("o") }
  });
  ops.push(linear(layer, `${module}.o_proj`, "self_attn.o_proj", [H, heads * D], spec.bias.o, value("o"), out));
}
function addMlp(ops, spec, layer, x, out) {
  const module = `model.layers.${layer}.mlp`;
  const value = (name) => `${layer}.${name}`;
  const { hidden_size: H, intermediate_size: I } = spec;
  const activation = spec.activation;
  ops.push(linear(layer, `${module}.gate_proj`, "mlp.gate_proj", [I, H], spec.bias.mlp, x, value("gate")));
  ops.push(linear(layer, `${module}.up_proj`, "mlp.up_proj", [I, H], spec.bias.mlp, x, value("up")));
  ops.push({
    op: activation,
    layer,
    site: "mlp.act_fn",
    inputs: { gate: value("gate"), up: value("up") },
    weights: {},
    attributes: {},
    outputs: { y: value("activated") }
  });
  ops.push(linear(layer, `${module}.down_proj`, "mlp.down_proj", [H, I], spec.bias.mlp, value("activated"), out));
}

// src/architectures/common.ts
init_errors();

// src/architectures/fields.ts
init_errors();
var MAX_LAYERS = 1024;
var MAX_DIMENSION = 2 ** 24;
function wrong(key, value, allowed) {
  const shown = JSON.stringify(value) ?? "missing";
  return new ModelError(
    "config_invalid",
    `config.json: ${key} is ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}; it must be ${allowed}`
  );
}
function positiveInteger(config, key, fallback, max = MAX_DIMENSION) {
  const value = config[key] ?? fallback;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max)
    throw wrong(key, config[key], `an integer from 1 to ${max}`);
  return value;
}
function layerCount(config) {
  return positiveInteger(config, "num_hidden_layers", void 0, MAX_LAYERS);
}
function positiveNumber(config, key, fallback) {
  const value = config[key] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) throw wrong(key, config[key], "a number above 0");
  return value;
}
function flag(config, key, fallback) {
  const value = config[key] ?? fallback;
  if (typeof value !== "boolean") throw wrong(key, value, "true or false");
  return value;
}
function refuseUnless(config, key, harmless, why) {
  const value = config[key];
  if (value === void 0 || value === null || value === false || harmless.includes(value)) return;
  throw new ModelError("unsupported_config", `config.json: ${key} is ${JSON.stringify(value)?.slice(0, 80)}; ${why}`);
}
function layerTypes(config, layers, fallback) {
  const value = config["layer_types"];
  if (value === void 0 || value === null) return Array.from({ length: layers }, (_, layer) => fallback(layer));
  if (!Array.isArray(value) || value.length !== layers) {
    throw wrong("layer_types", value, `a list of ${layers} entries, one per layer (num_hidden_layers)`);
  }
  return value.map((entry) => {
    if (entry !== "full_attention" && entry !== "sliding_attention")
      throw wrong("layer_types", entry, '"full_attention" or "sliding_attention"');
    return entry;
  });
}
function ropeTable(config, rotaryDim, options) {
  const parameters = objectOrNull(config, "rope_parameters");
  const perType = options.layerType !== void 0 && parameters !== null ? objectOrNull(parameters, options.layerType) : null;
  const newer = perType ?? parameters;
  const key = options.key ?? "rope_theta";
  const theta = newer !== null && newer["rope_theta"] !== void 0 ? positiveNumber(newer, "rope_theta") : positiveNumber(config, key, options.theta);
  const scaling = newer ?? (options.layerType === "sliding_attention" ? null : objectOrNull(config, "rope_scaling"));
  const type = scaling?.["rope_type"] ?? scaling?.["type"] ?? "default";
  if (type !== "default") {
    throw new ModelError(
      "unsupported_config",
      `config.json: RoPE scaling of type ${JSON.stringify(type)?.slice(0, 40)} is not built in; known: "default"`
    );
  }
  const partial = newer?.["partial_rotary_factor"] ?? config["partial_rotary_factor"] ?? 1;
  if (partial !== 1)
    throw new ModelError("unsupported_config", `config.json: partial_rotary_factor is ${JSON.stringify(partial)}; only 1 is built in`);
  return { inv_freq: inverseFrequencies(theta, rotaryDim), attention_factor: 1 };
}
function inverseFrequencies(theta, dim) {
  return Array.from({ length: dim / 2 }, (_, i) => Math.fround(1 / Math.fround(Math.pow(theta, Math.fround(2 * i / dim)))));
}
function objectOrNull(config, key) {
  const value = config[key];
  if (value === void 0 || value === null) return null;
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(key, value, "an object");
  return value;
}
function gatedActivation(config, key, fallback) {
  const value = config[key] ?? fallback;
  if (value === "silu" || value === "swish") return "silu_mul";
  if (value === "gelu_pytorch_tanh") return "gelu_tanh_mul";
  throw new ModelError(
    "unsupported_config",
    `config.json: ${key} is ${JSON.stringify(value)?.slice(0, 40)}; known: "silu", "gelu_pytorch_tanh"`
  );
}

// src/architectures/common.ts
function dimensions(config, defaults) {
  refuseUnless(config, "quantization_config", [], "quantised checkpoints cannot be run by the numeric diff; use the unquantised one");
  const hidden = positiveInteger(config, "hidden_size");
  const heads = positiveInteger(config, "num_attention_heads");
  const kvHeads = positiveInteger(config, "num_key_value_heads", heads);
  if (heads % kvHeads !== 0) {
    throw new ModelError("config_invalid", `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${kvHeads}`);
  }
  if (config["head_dim"] == null && defaults.head_dim === void 0 && hidden % heads !== 0) {
    throw new ModelError(
      "config_invalid",
      `config.json: hidden_size ${hidden} is not a multiple of num_attention_heads ${heads} and there is no head_dim`
    );
  }
  const headDim = positiveInteger(config, "head_dim", defaults.head_dim ?? hidden / heads);
  if (headDim % 2 !== 0) throw new ModelError("config_invalid", `config.json: head_dim ${headDim} is odd; rotary embeddings need pairs`);
  return {
    hidden_size: hidden,
    intermediate_size: positiveInteger(config, "intermediate_size"),
    num_hidden_layers: layerCount(config),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    rms_norm_eps: positiveNumber(config, "rms_norm_eps", defaults.rms_norm_eps),
    vocab_size: positiveInteger(config, "vocab_size"),
    max_position_embeddings: positiveInteger(config, "max_position_embeddings", defaults.max_position_embeddings)
  };
}

// src/architectures/ernie4_5.ts
function ernie45(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 131072, head_dim: 128 });
  const bias = flag(config, "use_bias", false);
  return {
    architecture: "ernie4_5",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", true),
    weight_offset: 0,
    eager_weight: "after_rounding",
    eager_rotary: "float32",
    rope_layout: "interleaved",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 5e5 }) },
    layers: Array.from({ length: size.num_hidden_layers }, () => ({ window: 0, rope: "default" })),
    qk_norm: false,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: bias, o: bias, mlp: bias }
  };
}

// src/architectures/gemma3_text.ts
function gemma3Text(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131072, head_dim: 256 });
  refuseUnless(config, "attn_logit_softcapping", [], "soft-capped attention scores are not built in for gemma3_text");
  refuseUnless(config, "final_logit_softcapping", [], "soft-capped logits are not built in for gemma3_text");
  refuseUnless(config, "use_bidirectional_attention", [], "only causal attention is built in");
  const window = positiveInteger(config, "sliding_window", 4096);
  const pattern = positiveInteger(
    config,
    config["sliding_window_pattern"] == null ? "_sliding_window_pattern" : "sliding_window_pattern",
    6
  );
  const types = layerTypes(
    config,
    size.num_hidden_layers,
    (layer) => (layer + 1) % pattern === 0 ? "full_attention" : "sliding_attention"
  );
  const bias = flag(config, "attention_bias", false);
  return {
    architecture: "gemma3_text",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", true),
    weight_offset: 1,
    eager_weight: "before_rounding",
    eager_rotary: "serving",
    rope_layout: "half",
    rope_tables: {
      full_attention: ropeTable(config, size.head_dim, { layerType: "full_attention", theta: 1e6 }),
      sliding_attention: ropeTable(config, size.head_dim, { layerType: "sliding_attention", key: "rope_local_base_freq", theta: 1e4 })
    },
    layers: types.map((type) => ({ window: type === "sliding_attention" ? window : 0, rope: type })),
    qk_norm: true,
    sandwich_norms: true,
    attention_scale: positiveNumber(config, "query_pre_attn_scalar", 256) ** -0.5,
    embedding_scale: Math.sqrt(size.hidden_size),
    activation: gatedActivation(config, "hidden_activation", "gelu_pytorch_tanh"),
    bias: { qkv: bias, o: bias, mlp: false }
  };
}

// src/architectures/llama.ts
function llama(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 2048 });
  const attentionBias = flag(config, "attention_bias", false);
  return {
    architecture: "llama",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    weight_offset: 0,
    eager_weight: "after_rounding",
    eager_rotary: "serving",
    rope_layout: "half",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: Array.from({ length: size.num_hidden_layers }, () => ({ window: 0, rope: "default" })),
    qk_norm: false,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: attentionBias, o: attentionBias, mlp: flag(config, "mlp_bias", false) }
  };
}

// src/architectures/mistral.ts
function mistral(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131072 });
  const window = config["sliding_window"] == null ? 0 : positiveInteger(config, "sliding_window");
  return {
    architecture: "mistral",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    weight_offset: 0,
    eager_weight: "after_rounding",
    eager_rotary: "serving",
    rope_layout: "half",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: Array.from({ length: size.num_hidden_layers }, () => ({ window, rope: "default" })),
    qk_norm: false,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: false, o: false, mlp: false }
  };
}

// src/architectures/qwen3.ts
function qwen3(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32768, head_dim: 128 });
  const sliding = flag(config, "use_sliding_window", false) && config["sliding_window"] != null;
  const window = sliding ? positiveInteger(config, "sliding_window") : 0;
  const from = positiveInteger(config, "max_window_layers", 28);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => sliding && layer >= from ? "sliding_attention" : "full_attention");
  const bias = flag(config, "attention_bias", false);
  return {
    architecture: "qwen3",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    weight_offset: 0,
    eager_weight: "after_rounding",
    eager_rotary: "serving",
    rope_layout: "half",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: types.map((type) => ({ window: type === "sliding_attention" ? window : 0, rope: "default" })),
    qk_norm: true,
    sandwich_norms: false,
    attention_scale: size.head_dim ** -0.5,
    embedding_scale: 1,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: bias, o: bias, mlp: false }
  };
}

// src/architectures/registry.ts
var FAMILIES = /* @__PURE__ */ new Map([
  ["ernie4_5", ernie45],
  ["gemma3_text", gemma3Text],
  ["llama", llama],
  ["mistral", mistral],
  ["qwen3", qwen3]
]);
var MODEL_TYPES = [...FAMILIES.keys()];
function modelType(config) {
  const value = config["model_type"];
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : null;
}
function buildProgram(config) {
  const type = modelType(config);
  const family = type === null ? void 0 : FAMILIES.get(type);
  if (family === void 0) {
    const shown = JSON.stringify(config["model_type"])?.slice(0, 80) ?? "missing";
    throw new ModelError("unknown_model_type", `config.json: model_type ${shown} is not built in; known: ${MODEL_TYPES.join(", ")}`);
  }
  return buildDecoder(family(config));
}
function checkWeights(program, checkpoint) {
  const missing2 = [];
  for (const ref of weightRefs(program)) {
    const tensor = checkpoint.tensors.get(ref.tensor);
    if (tensor === void 0) {
      if (!missing2.includes(ref.tensor)) missing2.push(ref.tensor);
    } else if (tensor.shape.length !== ref.shape.length || tensor.shape.some((size, i) => size !== ref.shape[i])) {
      throw new ModelError(
        "weights_mismatch",
        `${tensor.file}: ${ref.tensor} has shape [${tensor.shape.join(", ")}], but config.json implies [${ref.shape.join(", ")}]; check hidden_size, intermediate_size, num_attention_heads, num_key_value_heads, head_dim and vocab_size`
      );
    }
  }
  if (missing2.length > 0) {
    const shown = missing2.slice(0, 5).join(", ");
    throw new ModelError(
      "tensor_missing",
      `${missing2.length} of the tensors that config.json implies are not in the checkpoint: ${shown}${missing2.length > 5 ? ", …" : ""}; check num_hidden_layers and model_type`
    );
  }
  refuseUnusedTensors(program, checkpoint);
}
function refuseUnusedTensors(program, checkpoint) {
  const used = new Set([...weightRefs(program)].map((ref) => ref.tensor));
  const harmless = /(^lm_head\.weight$|\.rotary_emb\.inv_freq$|\.masked_bias$|\.attn\.bias$)/;
  const unused = [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && !harmless.test(name));
  if (unused.length === 0) return;
  const layers = new Set(
    unused.map((name) => /^model\.layers\.(\d+)\./.exec(name)?.[1]).filter((layer) => layer !== void 0 && Number(layer) >= program.num_hidden_layers)
  );
  const hint = layers.size > 0 ? `the checkpoint has layers beyond num_hidden_layers ${program.num_hidden_layers}` : "config.json and the checkpoint describe different models";
  throw new ModelError(
    "weights_mismatch",
    `${unused.length} tensors of the checkpoint have no place in the ${program.architecture} model that config.json describes (${unused.slice(0, 3).join(", ")}${unused.length > 3 ? ", …" : ""}): ${hint}`
  );
}
function* weightRefs(program) {
  for (const op of program.ops) yield* Object.values(op.weights);
}

// src/hub/folder.ts
init_errors();
import { constants as bufferConstants } from "node:buffer";
import { constants } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
var PIECE_BYTES = 64 * 1024 * 1024;
var BLOB_NAME = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
var HUB_ID = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(?:@[\w./-]+)?$/;
async function openFolder(path) {
  const root = await canonicalFolder(path);
  return {
    id: path,
    revision: null,
    list: () => listFiles(root, path),
    open: (name) => openFile(root, name)
  };
}
async function canonicalFolder(path) {
  if (path === "") throw new ModelError("model_not_found", "A model has an empty name: give the path of a model folder.");
  try {
    const root = await realpath(path);
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    throw missingFolder(path, errorCode(error));
  }
  const what = `${quote(path)} is a file, not a folder.`;
  throw new ModelError("model_not_found", `${what} This version reads model folders with config.json and *.safetensors: give the folder.`);
}
function missingFolder(path, code) {
  if (code === "EACCES" || code === "EPERM") {
    return new ModelError("model_not_found", `Model folder ${quote(path)} cannot be opened: no permission (${code}).`);
  }
  if (HUB_ID.test(path)) {
    const [id = path, revision] = path.split("@");
    const download = `hf download ${id}${revision === void 0 ? "" : ` --revision ${revision}`} --local-dir FOLDER`;
    return new ModelError(
      "model_not_found",
      `There is no folder ${quote(path)}. If this is a model on the Hugging Face Hub: this version reads models from local folders, so download it first ("${download}") and give that folder.`
    );
  }
  return new ModelError("model_not_found", `There is no model folder ${quote(path)} (${code}). Check the path.`);
}
async function listFiles(root, path) {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries.flatMap((entry) => entry.isDirectory() ? [] : [entry.name]).sort();
  } catch (error) {
    throw new ModelError("model_not_found", `Model folder ${quote(path)} cannot be listed (${errorCode(error)}).`);
  }
}
async function openFile(root, name) {
  const problem = fileNameProblem(name);
  if (problem !== null) throw new ModelError("weights_invalid", `File name ${quote(name)} ${problem}: refused.`);
  const path = await canonicalFile(root, name);
  if (path === null) return null;
  const shown = printable(name);
  let handle;
  try {
    const before = await stat(path, { bigint: true });
    if (!before.isFile()) throw new ModelError("weights_invalid", `${shown}: is ${kindOf(before)}, not a file: refused.`);
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    const opened = await handle.stat({ bigint: true });
    if (!sameFile(before, opened)) throw changed(shown);
    return fileSource(shown, path, handle, opened);
  } catch (error) {
    await handle?.close();
    throw error instanceof ModelError ? error : unreadable(shown, error);
  }
}
async function canonicalFile(root, name) {
  const literal = join(root, ...name.split("/"));
  const shown = printable(name);
  let path;
  try {
    path = await realpath(literal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ENAMETOOLONG") throw unreadable(shown, error);
    const link = await lstat(literal).catch(() => null);
    if (link === null) return null;
    throw new ModelError(
      "weights_invalid",
      `${shown}: is a link to a file that is not there. Was the download interrupted? Download it again.`
    );
  }
  if (isInside(root, path) || isHubBlob(root, path)) return path;
  throw new ModelError(
    "weights_invalid",
    `${shown}: is a link out of the model folder, to ${quote(path)}: refused. Copy the file into the folder, or name the folder it is in.`
  );
}
function isInside(root, path) {
  const inner = relative(root, path);
  return inner !== "" && inner !== ".." && !inner.startsWith(`..${sep}`) && !isAbsolute(inner);
}
function isHubBlob(root, path) {
  const snapshots = dirname(root);
  if (basename(snapshots) !== "snapshots") return false;
  return dirname(path) === join(dirname(snapshots), "blobs") && BLOB_NAME.test(basename(path));
}
function fileSource(name, path, handle, opened) {
  const byteLength = Number(opened.size);
  const assertUnchanged = async () => {
    const [now, atPath] = await Promise.all([handle.stat({ bigint: true }), stat(path, { bigint: true }).catch(() => null)]);
    if (atPath === null || !sameFile(opened, now) || !sameFile(opened, atPath)) throw changed(name);
  };
  return {
    name,
    byteLength,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= byteLength)) {
        throw new ModelError("weights_invalid", `${name}: bytes ${start} to ${end} are outside the file, which has ${byteLength} bytes.`);
      }
      const bytes = allocate(name, end - start);
      try {
        if (!await fill(handle, bytes, start)) throw changed(name);
        await assertUnchanged();
      } catch (error) {
        throw error instanceof ModelError ? error : unreadable(name, error);
      }
      return bytes;
    },
    close: () => handle.close()
  };
}
function allocate(name, byteLength) {
  try {
    if (byteLength <= bufferConstants.MAX_LENGTH) return new Uint8Array(Buffer.allocUnsafeSlow(byteLength).buffer, 0, byteLength);
  } catch {
  }
  throw new ModelError("weights_invalid", `${name}: ${byteLength} bytes in one read are more than this machine's memory allows.`);
}
async function fill(handle, bytes, position) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done), position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
function sameFile(a, b) {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
function kindOf(stats) {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
function changed(name) {
  return new ModelError(
    "weights_invalid",
    `${name}: the file changed during the read. Let the download or the writer finish, then run again.`
  );
}
function unreadable(name, error) {
  return new ModelError("weights_invalid", `${name}: cannot be read (${errorCode(error)}). Check the permissions and the disk.`);
}
function errorCode(error) {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") return error.code;
  return "unknown error";
}

// src/reference/sequence.ts
init_errors();
function joinPrompts(program, prompts) {
  const ids = [];
  const segments = prompts.map((prompt, index) => {
    checkPrompt(program, prompt, prompts.length > 1 ? `prompt ${index + 1}` : "the prompt");
    const start = ids.length;
    ids.push(...prompt);
    return { start, end: ids.length };
  });
  return { ids, segments };
}
function checkPrompt(program, prompt, name) {
  if (prompt.length === 0) throw new ModelError("tokenizer_invalid", `${name} has no tokens`);
  if (prompt.length > program.max_position_embeddings) {
    throw new ModelError(
      "prompt_too_long",
      `${name} has ${prompt.length} tokens, more than max_position_embeddings ${program.max_position_embeddings}; shorten it`
    );
  }
  const wrong2 = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= program.vocab_size);
  if (wrong2 !== void 0) {
    throw new ModelError(
      "input_ids_out_of_range",
      `${name} has the token id ${wrong2}; vocab_size is ${program.vocab_size}, so ids go from 0 to ${program.vocab_size - 1}`
    );
  }
}
function rotaryValues(program, sequence) {
  const values = /* @__PURE__ */ new Map();
  for (const [name, table] of Object.entries(program.rope_tables)) {
    const half = table.inv_freq.length;
    const cos = new Float32Array(sequence.ids.length * half);
    const sin = new Float32Array(sequence.ids.length * half);
    for (const { start, end } of sequence.segments) {
      for (let t = start; t < end; t++) {
        for (let i = 0; i < half; i++) {
          const angle = Math.fround((t - start) * table.inv_freq[i]);
          cos[t * half + i] = Math.cos(angle) * table.attention_factor;
          sin[t * half + i] = Math.sin(angle) * table.attention_factor;
        }
      }
    }
    values.set(`cos:${name}`, { data: cos, shape: [sequence.ids.length, half] });
    values.set(`sin:${name}`, { data: sin, shape: [sequence.ids.length, half] });
  }
  return values;
}

// src/weights/checkpoint.ts
init_errors();

// src/weights/safetensors.ts
init_errors();

// src/weights/foreign.ts
var FOREIGN_BYTES = 512;
var SIGNATURES = [
  [[80, 75, 3, 4], "this is a zip archive (a PyTorch .bin checkpoint?), not safetensors. Convert it to safetensors"],
  [[80, 75, 5, 6], "this is an empty zip archive, not safetensors"],
  [[71, 71, 85, 70], "this is a GGUF file, not safetensors. Use the safetensors version of the model"],
  [[31, 139], "this is a gzip archive, not safetensors. Unpack it"]
];
function describeForeign(start) {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString("latin1");
  if (text.startsWith("version https://git-lfs")) return describePointer(text);
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(text)) {
    return "this is a web page, not a model file: a proxy or a login page answered the download. Download it again";
  }
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, index) => start[index] === byte));
  if (signature !== void 0) return signature[1];
  const protocol = start[1] ?? 0;
  if (start[0] === 128 && protocol >= 2 && protocol <= 5) {
    return "this is a Python pickle (a PyTorch checkpoint?), not safetensors. Convert it to safetensors";
  }
  if (start.byteLength > 0 && start.every((byte) => byte === 0)) {
    return `the first ${start.byteLength} bytes are all zero: the download did not complete. Download it again`;
  }
  return null;
}
function describeJsonText(start) {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString("latin1");
  return /^\s*\{\s*"/.test(text) ? "this is JSON text, not safetensors: a server answered the download with a message. Download it again" : null;
}
function describePointer(text) {
  const hash = /\noid sha256:([0-9a-f]{64})\n/.exec(text)?.[1];
  const size = /\nsize ([0-9]{1,16})\s/.exec(text)?.[1];
  const of = hash === void 0 ? "" : ` for sha256 ${hash}`;
  return `this is a Git LFS pointer${of}${size === void 0 ? "" : `, ${size} bytes`}, not the file itself. Run "git lfs pull" in the model folder`;
}

// src/weights/json-scanner.ts
import { isUtf8 } from "node:buffer";
var QUOTE = 34;
var COMMA = 44;
var MINUS = 45;
var DOT = 46;
var ZERO = 48;
var NINE = 57;
var COLON = 58;
var OPEN_ARRAY = 91;
var BACKSLASH = 92;
var CLOSE_ARRAY = 93;
var OPEN_OBJECT = 123;
var CLOSE_OBJECT = 125;
var DEPTH_LIMIT = 100;
function startText(bytes, fault) {
  if (bytes[0] === 239 && bytes[1] === 187 && bytes[2] === 191)
    throw fault(0, "the text starts with a byte order mark, which JSON does not allow");
  if (!isUtf8(bytes)) throw fault(invalidUtf8At(bytes), "the text is not valid UTF-8");
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, fault };
}
function invalidUtf8At(bytes) {
  let valid = 0;
  let invalid4 = bytes.byteLength;
  while (invalid4 - valid > 1) {
    let middle = valid + invalid4 >>> 1;
    while (middle > valid && ((bytes[middle] ?? 0) & 192) === 128) middle--;
    if (middle === valid) break;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else invalid4 = middle;
  }
  return valid;
}
function expectEnd(cursor) {
  skipSpace(cursor);
  if (cursor.at < cursor.bytes.byteLength) throw unexpected(cursor, "the end of the text");
}
function skipSpace(cursor) {
  const { bytes } = cursor;
  let at = cursor.at;
  for (; ; at++) {
    const byte = bytes[at];
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) break;
  }
  cursor.at = at;
}
function scanObject(cursor, what, visit) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_OBJECT) throw unexpected(cursor, `${what} as an object {...}`);
  cursor.at++;
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_OBJECT) {
    cursor.at++;
    return;
  }
  for (; ; ) {
    skipSpace(cursor);
    const keyAt = cursor.at;
    const key = readString(cursor, "a key in double quotes");
    passColon(cursor);
    visit(key, keyAt);
    if (!passComma(cursor, CLOSE_OBJECT)) return;
  }
}
function readUnsignedArray(cursor, what) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_ARRAY) throw unexpected(cursor, `${what} as an array [...]`);
  cursor.at++;
  const values = [];
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_ARRAY) {
    cursor.at++;
    return values;
  }
  do {
    skipSpace(cursor);
    values.push(readUnsigned(cursor, what));
  } while (passComma(cursor, CLOSE_ARRAY));
  return values;
}
function readUnsigned(cursor, what) {
  const { bytes } = cursor;
  const start = cursor.at;
  let at = start;
  let value = 0;
  for (; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + (byte - ZERO);
  }
  if (at === start) throw unexpected(cursor, `${what} of whole numbers, none negative`);
  const next = bytes[at];
  if (next === DOT || next === 101 || next === 69) {
    throw cursor.fault(start, `${what} holds a number with a fraction or an exponent; only whole numbers are allowed`);
  }
  if (bytes[start] === ZERO && at > start + 1) throw cursor.fault(start, `${what} holds a number with a leading zero`);
  if (value > Number.MAX_SAFE_INTEGER) {
    const digits = bytes.toString("latin1", start, Math.min(at, start + 40));
    throw cursor.fault(start, `${what} holds ${digits}${at - start > 40 ? "…" : ""}: no file is that large`);
  }
  cursor.at = at;
  return value;
}
function readString(cursor, what) {
  skipSpace(cursor);
  const start = cursor.at;
  const plain = skipString(cursor, what);
  if (plain) return cursor.bytes.toString("utf8", start + 1, cursor.at - 1);
  const value = JSON.parse(cursor.bytes.toString("utf8", start, cursor.at));
  if (typeof value !== "string" || new RegExp("\\p{Cs}", "u").test(value)) throw cursor.fault(start, "a string holds half of a surrogate pair");
  return value;
}
function skipString(cursor, what) {
  const { bytes } = cursor;
  if (bytes[cursor.at] !== QUOTE) throw unexpected(cursor, what);
  let plain = true;
  for (let at = cursor.at + 1; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      cursor.at = at + 1;
      return plain;
    }
    if (byte < 32) throw cursor.fault(at, `a string holds the control character 0x${byte.toString(16).padStart(2, "0")}`);
    if (byte === BACKSLASH) {
      plain = false;
      at += escapeLength(bytes, at) - 1;
      if (Number.isNaN(at)) throw cursor.fault(cursor.at, "a string holds an escape that JSON does not have");
    }
  }
  throw cursor.fault(cursor.at, "a string has no end");
}
function escapeLength(bytes, at) {
  const letter = String.fromCharCode(bytes[at + 1] ?? 0);
  if (letter !== "u") return '"\\/bfnrt'.includes(letter) ? 2 : NaN;
  const digits = String.fromCharCode(...bytes.subarray(at + 2, at + 6));
  return /^[0-9a-f]{4}$/i.test(digits) ? 6 : NaN;
}
function skipValue(cursor) {
  const closers = [];
  for (; ; ) {
    skipSpace(cursor);
    const opener = cursor.bytes[cursor.at];
    if (opener === OPEN_OBJECT || opener === OPEN_ARRAY) {
      if (closers.length === DEPTH_LIMIT) throw cursor.fault(cursor.at, `nested deeper than ${DEPTH_LIMIT} levels`);
      const closer = opener === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      cursor.at++;
      skipSpace(cursor);
      if (cursor.bytes[cursor.at] !== closer) {
        closers.push(closer);
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        continue;
      }
      cursor.at++;
    } else skipScalar(cursor);
    for (; ; ) {
      const closer = closers.at(-1);
      if (closer === void 0) return;
      if (passComma(cursor, closer)) {
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        break;
      }
      closers.pop();
    }
  }
}
function skipKey(cursor) {
  skipSpace(cursor);
  skipString(cursor, "a key in double quotes");
  passColon(cursor);
}
function skipScalar(cursor) {
  const { bytes, at } = cursor;
  const first = bytes[at] ?? 0;
  if (first === QUOTE) {
    skipString(cursor, "a value");
    return;
  }
  const pattern = first === MINUS || first >= ZERO && first <= NINE ? /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/ : /^(?:true|false|null)/;
  const text = bytes.toString("latin1", at, at + 400);
  const length = pattern.exec(text)?.[0].length;
  if (length === void 0) throw unexpected(cursor, "a value");
  cursor.at += length;
}
function passColon(cursor) {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== COLON) throw unexpected(cursor, '":" after a key');
  cursor.at++;
}
function passComma(cursor, closer) {
  skipSpace(cursor);
  const byte = cursor.bytes[cursor.at];
  if (byte !== COMMA && byte !== closer) throw unexpected(cursor, `"," or "${String.fromCharCode(closer)}"`);
  cursor.at++;
  return byte === COMMA;
}
function unexpected(cursor, expected) {
  const byte = cursor.bytes[cursor.at];
  if (byte === void 0) return cursor.fault(cursor.at, `expected ${expected}, got the end of the text`);
  const got = byte > 32 && byte < 127 ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, "0")}`;
  return cursor.fault(cursor.at, `expected ${expected}, got ${got}`);
}

// src/weights/safetensors.ts
var DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64
};
var HEADER_LIMIT = 1e8;
var PREFIX_BYTES = 8;
async function readSafetensors(source) {
  const headerLength = await readHeaderLength(source);
  const dataStart = PREFIX_BYTES + headerLength;
  const header = await source.slice(PREFIX_BYTES, dataStart);
  const tensors = scanHeader(source.name, header);
  if (tensors === null) {
    const foreign = await describeStart(source);
    throw invalid(
      source.name,
      foreign ?? 'the header does not begin with "{" (byte 8): not a safetensors file, or damaged. Download it again.'
    );
  }
  checkLayout(source.name, tensors, dataStart, source.byteLength);
  return { source, dataStart, tensors };
}
async function readHeaderLength(source) {
  const { name, byteLength } = source;
  if (byteLength < PREFIX_BYTES) {
    throw invalid(name, `not a safetensors file: 8 bytes needed, file has ${byteLength}. Download it again.`);
  }
  const prefix = await source.slice(0, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > 0n && length <= HEADER_LIMIT && Number(length) <= byteLength - PREFIX_BYTES) return Number(length);
  const foreign = await describeStart(source);
  if (foreign !== null) throw invalid(name, foreign);
  if (length === 0n) throw invalid(name, "header length 0 (byte 0): a header has 2 bytes or more. Download the file again.");
  if (length > HEADER_LIMIT) {
    const shown = length.toLocaleString("en-US");
    throw invalid(name, `header length ${shown} (byte 0) is over the limit of 100,000,000: not a safetensors file, or damaged.`);
  }
  throw invalid(name, `header says ${length} bytes, ${byteLength - PREFIX_BYTES} present: file cut? Download it again.`);
}
async function describeStart(source) {
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const foreign = describeForeign(start) ?? describeJsonText(start);
  return foreign === null ? null : `${foreign}.`;
}
function scanHeader(file, header) {
  let tensor = null;
  const fault = (at, problem) => {
    const where = tensor === null ? "" : `tensor ${quote(tensor)}: `;
    return invalid(file, `${where}${problem} (byte ${PREFIX_BYTES + at}). The header is damaged: download or save the file again.`);
  };
  const cursor = startText(header, fault);
  skipSpace(cursor);
  if (header[cursor.at] !== 123) return null;
  const tensors = /* @__PURE__ */ new Map();
  let metadataSeen = false;
  scanObject(cursor, "the header", (name, nameAt) => {
    if (name === "__metadata__") {
      if (metadataSeen) throw fault(nameAt, '"__metadata__" stands in the header twice');
      metadataSeen = true;
      scanMetadata(cursor);
      return;
    }
    tensor = name;
    if (tensors.has(name)) throw fault(nameAt, "stands in the header twice");
    tensors.set(name, scanTensor(cursor, file, name));
    tensor = null;
  });
  expectEnd(cursor);
  return tensors;
}
function scanMetadata(cursor) {
  const keys = /* @__PURE__ */ new Set();
  scanObject(cursor, '"__metadata__"', (key, keyAt) => {
    if (keys.has(key)) throw cursor.fault(keyAt, `"__metadata__" has the key ${quote(key)} twice`);
    keys.add(key);
    readString(cursor, 'a string in "__metadata__"');
  });
}
function scanTensor(cursor, file, name) {
  skipSpace(cursor);
  const start = cursor.at;
  let dtype;
  let shape;
  let offsets;
  scanObject(cursor, "dtype, shape and data_offsets", (field, fieldAt) => {
    if (field === "dtype" && dtype === void 0) dtype = readDtype(cursor);
    else if (field === "shape" && shape === void 0) shape = readUnsignedArray(cursor, "shape");
    else if (field === "data_offsets" && offsets === void 0) offsets = readUnsignedArray(cursor, "data_offsets");
    else if (field === "dtype" || field === "shape" || field === "data_offsets") throw cursor.fault(fieldAt, `has ${field} twice`);
    else throw cursor.fault(fieldAt, `has a field ${quote(field)}; only dtype, shape and data_offsets are allowed`);
  });
  if (dtype === void 0) throw cursor.fault(start, "has no dtype");
  if (shape === void 0) throw cursor.fault(start, "has no shape");
  if (offsets === void 0) throw cursor.fault(start, "has no data_offsets");
  const [begin, end] = offsets;
  if (begin === void 0 || end === void 0 || offsets.length !== 2) {
    throw cursor.fault(start, `data_offsets has ${offsets.length} numbers; expected 2, [begin, end]`);
  }
  if (end < begin) throw cursor.fault(start, `data_offsets [${begin},${end}] end before they begin`);
  const byteLength = tensorBytes(dtype, shape);
  if (typeof byteLength === "string") throw cursor.fault(start, byteLength);
  if (byteLength !== end - begin) {
    const needed = `${dtype} of shape [${shape.join(",")}] needs ${byteLength} bytes`;
    throw cursor.fault(start, `${needed}, data_offsets [${begin},${end}] hold ${end - begin}`);
  }
  return { name, dtype, shape, byteLength, file, begin };
}
function readDtype(cursor) {
  skipSpace(cursor);
  const at = cursor.at;
  const dtype = readString(cursor, "dtype as a string");
  if (!isDtype(dtype)) throw cursor.fault(at, `unknown dtype ${quote(dtype)}; known are ${Object.keys(DTYPE_BITS).join(", ")}`);
  return dtype;
}
function isDtype(name) {
  return Object.hasOwn(DTYPE_BITS, name);
}
function tensorBytes(dtype, shape) {
  let bits = DTYPE_BITS[dtype];
  for (const size of shape) {
    bits *= size;
    if (bits > Number.MAX_SAFE_INTEGER)
      return `the size of shape [${shape.slice(0, 8).join(",")}${shape.length > 8 ? ",…" : ""}] overflows`;
  }
  if (bits % 8 !== 0) return `${dtype} of shape [${shape.join(",")}] has ${bits} bits, which do not fill bytes`;
  return bits / 8;
}
function checkLayout(file, tensors, dataStart, fileLength) {
  const dataLength = fileLength - dataStart;
  let previous = null;
  for (const tensor of inFileOrder(tensors)) {
    const expected = previous === null ? 0 : previous.begin + previous.byteLength;
    if (tensor.begin !== expected) throw invalid(file, describeGap(tensor, previous, expected, dataLength));
    previous = tensor;
  }
  const end = previous === null ? 0 : previous.begin + previous.byteLength;
  if (end > dataLength) {
    const last = previous === null ? "" : `; the last tensor is ${quote(previous.name)}`;
    throw invalid(file, `file cut: expected ${dataStart + end} bytes, has ${fileLength}${last}. Download it again.`);
  }
  if (end < dataLength) {
    throw invalid(file, `${dataLength - end} bytes after the last tensor (byte ${dataStart + end}): damaged, or something was appended.`);
  }
}
function inFileOrder(tensors) {
  let last = 0;
  for (const { begin, byteLength } of tensors.values()) {
    if (begin < last) return [...tensors.values()].sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
    last = begin + byteLength;
  }
  return tensors.values();
}
function describeGap(tensor, previous, expected, dataLength) {
  const end = tensor.begin + tensor.byteLength;
  const place = `tensor ${quote(tensor.name)}: data_offsets [${tensor.begin},${end}]`;
  if (end > dataLength)
    return `${place} are outside the data, which has ${dataLength} bytes. The file is cut or damaged: download it again.`;
  if (tensor.begin > expected) return `${place} leave a hole: bytes ${expected} to ${tensor.begin} of the data belong to no tensor.`;
  const other = previous === null ? "" : ` tensor ${quote(previous.name)} [${previous.begin},${expected}]`;
  return `${place} overlap${other}: two tensors on the same bytes. The file is damaged: save it again.`;
}
function invalid(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/shards.ts
init_errors();
var INDEX_LIMIT = 25e7;
var SHARD_LIMIT = 1e4;
var PARALLEL_READS = 8;
var LISTED = 10;
async function readShards(index, open2) {
  const weightMap = await readWeightMap(index);
  const names = [...new Set(weightMap.values())].sort();
  if (names.length > SHARD_LIMIT) throw invalid2(index.name, `names ${names.length} shards; the limit is ${SHARD_LIMIT}.`);
  const shards = await mapInOrder(names, async (name, position) => {
    const shard = await open2(name);
    if (shard !== null) return shard;
    const which = `shard ${position + 1} of ${names.length}, ${quote(name)},`;
    throw invalid2(index.name, `${which} is missing from the model. Download it: without it the model is not complete.`);
  });
  checkAgreement(index.name, weightMap, new Map(shards.map((shard, position) => [names[position] ?? "", shard])));
  return shards;
}
async function readWeightMap(index) {
  const { name, byteLength } = index;
  if (byteLength > INDEX_LIMIT) throw invalid2(name, `${byteLength} bytes; the limit for an index is ${INDEX_LIMIT}.`);
  const bytes = await index.slice(0, byteLength);
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid2(name, `${foreign}.`);
  const cursor = startText(bytes, (at, problem) => invalid2(name, `${problem} (byte ${at}). The index is damaged: download it again.`));
  const found = [];
  scanObject(cursor, "the index", (key, keyAt) => {
    if (key !== "weight_map") skipValue(cursor);
    else if (found.length === 0) found.push(scanWeightMap(cursor));
    else throw cursor.fault(keyAt, '"weight_map" stands in the index twice');
  });
  expectEnd(cursor);
  const [weightMap] = found;
  if (weightMap === void 0) throw invalid2(name, 'has no "weight_map", which says which shard each tensor is in. Download it again.');
  return weightMap;
}
function scanWeightMap(cursor) {
  const start = cursor.at;
  const weightMap = /* @__PURE__ */ new Map();
  const known = /* @__PURE__ */ new Map();
  scanObject(cursor, '"weight_map"', (tensor, tensorAt) => {
    if (weightMap.has(tensor)) throw cursor.fault(tensorAt, `tensor ${quote(tensor)} stands in "weight_map" twice`);
    const read = readString(cursor, `the shard of tensor ${quote(tensor)} as a string`);
    let shard = known.get(read);
    if (shard === void 0) {
      const problem = fileNameProblem(read);
      if (problem !== null) throw cursor.fault(tensorAt, `the shard ${quote(read)} of tensor ${quote(tensor)} ${problem}: refused`);
      known.set(read, read);
      shard = read;
    }
    weightMap.set(tensor, shard);
  });
  if (weightMap.size === 0) throw cursor.fault(start, '"weight_map" lists no tensors');
  return weightMap;
}
function checkAgreement(index, weightMap, shards) {
  const repeated = /* @__PURE__ */ new Set();
  const extra = [];
  const owners = /* @__PURE__ */ new Map();
  for (const [shard, { tensors }] of shards) {
    for (const tensor of tensors.keys()) {
      const owner = owners.get(tensor);
      if (owner !== void 0) repeated.add(`${quote(tensor)} in ${quote(owner)} and ${quote(shard)}`);
      else owners.set(tensor, shard);
      if (!weightMap.has(tensor)) extra.push(`${quote(tensor)} in ${quote(shard)}`);
    }
  }
  const again = "The index and the shards do not belong together: download the model again.";
  if (repeated.size > 0) throw invalid2(index, `tensors that are in two shards: ${list([...repeated])}. ${again}`);
  const absent = [...weightMap].filter(([tensor, shard]) => owners.get(tensor) !== shard).map(([tensor, shard]) => missing(tensor, shard, owners));
  if (absent.length > 0) {
    throw new ModelError("tensor_missing", `${index}: tensors that are not in the shard the index names: ${list(absent)}. ${again}`);
  }
  if (extra.length > 0) throw invalid2(index, `tensors that the index does not list: ${list(extra)}. ${again}`);
}
function missing(tensor, shard, owners) {
  const owner = owners.get(tensor);
  return `${quote(tensor)} (index: ${quote(shard)}, ${owner === void 0 ? "in no shard" : `is in ${quote(owner)}`})`;
}
function list(items) {
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : "";
  return `${items.slice(0, LISTED).join(", ")}${more}`;
}
async function mapInOrder(items, work) {
  const results = [];
  const errors = /* @__PURE__ */ new Map();
  let next = 0;
  const worker = async () => {
    while (next < items.length && errors.size === 0) {
      const position = next++;
      try {
        results[position] = await work(items[position], position);
      } catch (error) {
        errors.set(position, error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, worker));
  if (errors.size > 0) throw errors.get(Math.min(...errors.keys()));
  return results;
}
function invalid2(index, problem) {
  return new ModelError("weights_invalid", `${index}: ${problem}`);
}

// src/weights/checkpoint.ts
var SINGLE = "model.safetensors";
var INDEX = "model.safetensors.index.json";
var OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pdparams)$/i;
var ADAPTER = /^adapter_.*\.safetensors$/;
async function openCheckpoint(files) {
  const sources = [];
  const tally = { bytes: 0 };
  const open2 = async (name) => {
    const source = await files.open(name);
    if (source === null) return null;
    sources.push(source);
    return readSafetensors(counted(source, tally));
  };
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    return checkpointOf(await openWeights(files, open2), tally, close);
  } catch (error) {
    await close();
    throw error;
  }
}
async function openWeights(files, open2) {
  const single = await open2(SINGLE);
  if (single !== null) return [single];
  const index = await files.open(INDEX);
  if (index !== null) {
    try {
      return await readShards(index, open2);
    } finally {
      await index.close();
    }
  }
  const names = await files.list();
  const only = await open2(onlyCandidate(names));
  if (only === null) throw new ModelError("weights_invalid", `The weights of the model went away while it was opened.`);
  return [only];
}
function onlyCandidate(names) {
  const candidates = names.filter((name) => name.endsWith(".safetensors") && !ADAPTER.test(name));
  const [only] = candidates;
  if (only !== void 0 && candidates.length === 1) return only;
  if (only !== void 0) {
    const found2 = `Found ${candidates.length} safetensors files (${listed(candidates)}) but neither ${SINGLE} nor ${INDEX}`;
    throw new ModelError("weights_invalid", `${found2}, which says which tensor is where. Download the index too.`);
  }
  const supported = `This version reads safetensors: ${SINGLE}, or ${INDEX} with its shards.`;
  if (names.some((name) => ADAPTER.test(name))) {
    throw new ModelError(
      "tensor_missing",
      `Found an adapter (${listed(names.filter((name) => ADAPTER.test(name)))}) but no model. Merge it into its base model first. ${supported}`
    );
  }
  const others = names.filter((name) => OTHER_WEIGHTS.test(name));
  if (others.length > 0)
    throw new ModelError(
      "tensor_missing",
      `Found weights only as ${listed(others)}. ${supported} Convert them or get the safetensors version.`
    );
  const found = names.length === 0 ? "The folder has no files" : `Found no weights, only ${listed(names)}`;
  throw new ModelError("tensor_missing", `${found}. ${supported}`);
}
function listed(names) {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : "";
  return `${names.slice(0, 10).map((name) => printable(name)).join(", ")}${more}`;
}
function counted(source, tally) {
  return {
    name: source.name,
    byteLength: source.byteLength,
    async slice(start, end) {
      const bytes = await source.slice(start, end);
      tally.bytes += bytes.byteLength;
      return bytes;
    },
    close: () => source.close()
  };
}
function checkpointOf(opened, tally, close) {
  const tensors = mergeTensors(opened);
  return {
    tensors,
    byteLength: opened.reduce((sum, file) => sum + file.source.byteLength, 0),
    get bytesRead() {
      return tally.bytes;
    },
    async read(name, start, end) {
      const tensor = tensors.get(name);
      const file = opened.find((candidate) => candidate.tensors.has(name));
      if (tensor === void 0 || file === void 0) {
        throw new ModelError(
          "tensor_missing",
          `Tensor ${quote(name)} is not among the ${tensors.size} tensors of ${listed(opened.map(({ source }) => source.name))}.`
        );
      }
      const from = start ?? 0;
      const to = end ?? tensor.byteLength;
      if (!(from >= 0 && from <= to && to <= tensor.byteLength)) {
        throw new RangeError(`bytes ${from} to ${to} of tensor ${quote(name)}, which has ${tensor.byteLength}`);
      }
      const first = file.dataStart + tensor.begin;
      return file.source.slice(first + from, first + to);
    },
    close
  };
}
function mergeTensors(opened) {
  const [only] = opened;
  if (only !== void 0 && opened.length === 1) return only.tensors;
  return new Map(opened.flatMap((file) => [...file.tensors]));
}

// src/weights/model-config.ts
init_errors();
var NAME = "config.json";
var CONFIG_LIMIT = 1e7;
async function readModelConfig(files) {
  const bytes = await readBytes(files);
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid3(`${foreign}.`);
  const fault = (at, problem) => invalid3(`${problem} (${lineAndColumn(bytes, at)}).`);
  const cursor = startText(bytes, fault);
  skipValue(cursor);
  expectEnd(cursor);
  const value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  if (!isObject(value)) throw invalid3("must be a JSON object {...} of settings.");
  return value;
}
async function readBytes(files) {
  let source = null;
  try {
    source = await files.open(NAME);
    if (source === null) {
      throw invalid3("is missing. A model folder holds Hugging Face's config.json beside its weights: download it, or check the path.");
    }
    if (source.byteLength > CONFIG_LIMIT) throw invalid3(`${source.byteLength} bytes; the limit is ${CONFIG_LIMIT}.`);
    return await source.slice(0, source.byteLength);
  } catch (error) {
    throw error instanceof ModelError ? new ModelError("config_invalid", error.message) : error;
  } finally {
    await source?.close();
  }
}
function lineAndColumn(bytes, at) {
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, at).toString("utf8").split("\n");
  return `line ${before.length}, column ${[...before.at(-1) ?? ""].length + 1}`;
}
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function invalid3(problem) {
  return new ModelError("config_invalid", `${NAME}: ${problem}`);
}

// src/reference/runtime.ts
init_errors();
init_native();
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
if (isMainThread) process.env.ORT_DISABLE_TELEMETRY = "1";
var loading;
function loadOnnxRuntime() {
  if (process.env.ORT_DISABLE_TELEMETRY !== "1")
    throw new Error("src/reference/runtime.ts must be imported by the main thread before workers start");
  return loading ??= false ? importInstalled() : openBundled("1.30.0");
}
function onnxruntimeVersion() {
  if (true) return "1.30.0";
  const manifest = createRequire(import.meta.url)("onnxruntime-node/package.json");
  return manifest.version;
}
async function openBundled(version) {
  const host = `${process.platform}-${process.arch}`;
  const folder = fileURLToPath(new URL(`./native/${host}`, import.meta.url));
  if (!existsSync(folder)) return requireBeside(version, host);
  await loadNative({ folder, env: process.env, load: createRequire(import.meta.url) });
  return import("./onnxruntime-node-J7R2LPCT.js");
}
function requireBeside(version, host) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const advice = `run on linux-x64, or run \`npm ci --omit=dev\` in ${root} first`;
  let found;
  try {
    found = createRequire(import.meta.url)("onnxruntime-node");
  } catch (error) {
    const missing2 = error.code === "MODULE_NOT_FOUND";
    const reason = missing2 ? "" : ` and the installed onnxruntime-node does not load (${firstLine(error)})`;
    throw new ModelError("no_runtime", `fused-compat brings ONNX Runtime for linux-x64 only, not for ${host}${reason}: ${advice}.`);
  }
  if (found.env.versions.node === version) return found;
  throw new ModelError(
    "no_runtime",
    `fused-compat needs onnxruntime-node ${version} on ${host}, and the one installed is ${found.env.versions.node ?? "of unknown version"}: ${advice}.`
  );
}

// src/weights/values.ts
init_errors();
var NUMERIC_DTYPES = ["F32", "F16", "BF16", "F64"];
function numericDtype(tensor) {
  const found = NUMERIC_DTYPES.find((dtype) => dtype === tensor.dtype);
  if (found !== void 0) return found;
  const where = tensor.file === void 0 ? "" : `${tensor.file}: `;
  throw new ModelError(
    "weights_invalid",
    `${where}tensor ${quote(tensor.name)} has dtype ${tensor.dtype}; this version computes with ${NUMERIC_DTYPES.join(", ")}. Use a checkpoint that is not quantized, or convert it.`
  );
}
function toFloat32(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return bfloat16ToFloat32(words16(bytes));
    case "F16":
      return float16ToFloat32(words16(bytes));
    case "F32":
      return new Float32Array(wholeCopy(bytes, 4));
    case "F64":
      return new Float32Array(float64View(bytes));
  }
}
function toFloat64(bytes, dtype, tensor = "") {
  if (dtype === "F64") return new Float64Array(wholeCopy(bytes, 8));
  return new Float64Array(toFloat32(bytes, dtype, tensor));
}
function bfloat16ToFloat32(bits) {
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16;
  return new Float32Array(wide.buffer);
}
function roundToBfloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) {
    const x = wide[i];
    bits[i] = (x & 2147483647) > 2139095040 ? quietNaN(x >>> 16, 127, 64) : x + 32767 + (x >>> 16 & 1) >>> 16;
  }
  return bits;
}
function quietNaN(cut, payload, quiet) {
  return (cut & payload) === 0 ? cut | quiet : cut;
}
function float16ToFloat32(bits) {
  const table = float16Table();
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i]];
  return new Float32Array(wide.buffer);
}
var float16Bits = null;
function float16Table() {
  if (float16Bits !== null) return float16Bits;
  const table = new Int32Array(65536);
  const value = new Float32Array(1);
  const valueBits = new Int32Array(value.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 32768) << 16;
    const exponent = half >>> 10 & 31;
    const fraction = half & 1023;
    if (exponent === 31) table[half] = sign | 2139095040 | fraction << 13;
    else if (exponent !== 0) table[half] = sign | exponent + 112 << 23 | fraction << 13;
    else {
      value[0] = fraction * 2 ** -24;
      table[half] = sign | valueBits[0];
    }
  }
  float16Bits = table;
  return table;
}
function roundToFloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) bits[i] = float16Of(wide[i]);
  return bits;
}
function float16Of(x) {
  const sign = x >>> 16 & 32768;
  const magnitude = x & 2147483647;
  if (magnitude > 2139095040) return sign | quietNaN(31744 | magnitude >>> 13 & 1023, 1023, 512);
  if (magnitude >= 1199570944) return sign | 31744;
  if (magnitude >= 947912704) return sign | magnitude - 939524096 + 4095 + (magnitude >>> 13 & 1) >>> 13;
  if (magnitude <= 855638016) return sign;
  const significand = magnitude & 8388607 | 8388608;
  const shift = 126 - (magnitude >>> 23);
  return sign | significand + (1 << shift - 1) - 1 + (significand >>> shift & 1) >>> shift;
}
function countNonFinite(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return countIn16(words16(bytes), 32640);
    case "F16":
      return countIn16(words16(bytes), 31744);
    case "F32":
      return countIn32(words32(bytes, 4));
    case "F64":
      return countIn64(words32(bytes, 8));
  }
}
function countIn16(words, infinity) {
  if (allFinite16(words, infinity)) return { nan: 0, inf: 0 };
  let nan = 0;
  let inf = 0;
  for (let i = 0; i < words.length; i++) {
    const magnitude = words[i] & 32767;
    if (magnitude < infinity) continue;
    if (magnitude === infinity) inf++;
    else nan++;
  }
  return { nan, inf };
}
function allFinite16(words, infinity) {
  if (words.byteOffset % 4 !== 0 || words.length % 2 !== 0) return false;
  const pairs = new Int32Array(words.buffer, words.byteOffset, words.length / 2);
  const upper = infinity << 16;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i];
    if ((pair & infinity) === infinity || (pair & upper) === upper) return false;
  }
  return true;
}
function countIn32(words) {
  let nan = 0;
  let inf = 0;
  for (let i = 0; i < words.length; i++) {
    const magnitude = words[i] & 2147483647;
    if (magnitude < 2139095040) continue;
    if (magnitude === 2139095040) inf++;
    else nan++;
  }
  return { nan, inf };
}
function countIn64(words) {
  let nan = 0;
  let inf = 0;
  for (let i = 1; i < words.length; i += 2) {
    const magnitude = words[i] & 2147483647;
    if (magnitude < 2146435072) continue;
    if (magnitude === 2146435072 && words[i - 1] === 0) inf++;
    else nan++;
  }
  return { nan, inf };
}
function words16(bytes) {
  const whole = aligned(bytes, 2);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}
function words32(bytes, size) {
  const whole = aligned(bytes, size);
  return new Int32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
}
function float64View(bytes) {
  const whole = aligned(bytes, 8);
  return new Float64Array(whole.buffer, whole.byteOffset, whole.byteLength / 8);
}
function aligned(bytes, size) {
  return bytes.byteOffset % size === 0 && bytes.byteLength % size === 0 ? bytes : new Uint8Array(wholeCopy(bytes, size));
}
function wholeCopy(bytes, size) {
  if (bytes.byteLength % size !== 0) throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${size}-byte values`);
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}

export {
  modelType,
  buildProgram,
  checkWeights,
  openFolder,
  toFloat32,
  toFloat64,
  bfloat16ToFloat32,
  roundToBfloat16,
  float16ToFloat32,
  roundToFloat16,
  countNonFinite,
  joinPrompts,
  checkPrompt,
  rotaryValues,
  DTYPE_BITS,
  HEADER_LIMIT,
  PREFIX_BYTES,
  tensorBytes,
  openCheckpoint,
  readModelConfig,
  loadOnnxRuntime,
  onnxruntimeVersion
};
