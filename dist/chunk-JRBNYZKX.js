import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  ADAPTER,
  FOREIGN_BYTES,
  INDEX,
  SINGLE,
  TORCH_INDEX,
  TORCH_SINGLE,
  describeForeign,
  describeJsonText,
  expectEnd,
  holdsSafetensors,
  readString,
  readUnsignedArray,
  scanObject,
  skipSpace,
  skipValue,
  startText
} from "./chunk-D6SERIA7.js";
import {
  KernelError,
  bfloat16Bits,
  bfloat16ToFloat32,
  blocksOf,
  embeddingRows,
  float16ToFloat32,
  readAhead,
  roundToServing,
  servedBlock,
  wholeWeight
} from "./chunk-S2ZBP3JJ.js";
import {
  fileNameProblem,
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ORACLE,
  eager,
  leaving,
  onnxruntimeVersion,
  roundsOutputs
} from "./chunk-CKWNN2OS.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

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
    attributes: { softcap: spec.logit_softcap },
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
function norm(spec, layer, site, module, x, y, size = spec.hidden_size) {
  return {
    op: "rms_norm",
    layer,
    site,
    inputs: { x },
    weights: { weight: { tensor: `${module}.weight`, shape: [size] } },
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
  const normed = (site, x, y) => {
    ops.push(norm(spec, layer, site, `${prefix}.${site}`, x, value(y)));
    return value(y);
  };
  const { norms } = spec;
  let branch = norms === "after" ? input : normed("input_layernorm", input, "normed");
  addAttention(ops, spec, layer, branch, value("attention_out"));
  branch = value("attention_out");
  if (norms !== "before") branch = normed("post_attention_layernorm", branch, "attention_normed");
  ops.push(add("residual_attention", branch, input, value("residual")));
  branch = value("residual");
  if (norms !== "after") branch = normed(norms === "both" ? "pre_feedforward_layernorm" : "post_attention_layernorm", branch, "mlp_in");
  addMlp(ops, spec, layer, branch, value("mlp_out"));
  branch = value("mlp_out");
  if (norms !== "before") branch = normed("post_feedforward_layernorm", branch, "mlp_normed");
  ops.push(add("residual_mlp", branch, value("residual"), value("out")));
  return value("out");
}
function linear(layer, site, weight, bias, x, y) {
  const weights = bias === null ? { weight } : { weight, bias };
  return { op: "linear", layer, site, inputs: { x }, weights, attributes: {}, outputs: { y } };
}
function projections(module, fused, columns, parts) {
  const total = parts.reduce((sum2, [, rows2]) => sum2 + rows2, 0);
  let start = 0;
  return parts.map(([name, rows2]) => {
    const shape = [rows2, columns];
    if (fused === null) return { tensor: `${module}.${name}.weight`, shape };
    start += rows2;
    return { tensor: `${module}.${fused}.weight`, shape, rows: { start: start - rows2, total } };
  });
}
function biasOf(has, module, rows2) {
  return has ? { tensor: `${module}.bias`, shape: [rows2] } : null;
}
function addAttention(ops, spec, layer, x, out) {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name) => `${layer}.${name}`;
  const { num_attention_heads: heads, head_dim: D, hidden_size: H } = spec;
  const { window, rope } = spec.layers[layer] ?? { window: 0, rope: "default" };
  const [q, k] = spec.qk_norm === "projection" ? addWidelyNormed(ops, spec, layer, x) : addHeads(ops, spec, layer, x);
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
    attributes: { scale: spec.attention_scale, causal: true, window, softcap: spec.attention_softcap },
    outputs: { o: value("o") }
  });
  const weight = { tensor: `${module}.o_proj.weight`, shape: [H, heads * D] };
  ops.push(linear(layer, "self_attn.o_proj", weight, biasOf(spec.bias.o, `${module}.o_proj`, H), value("o"), out));
}
function headParts({ num_attention_heads, num_key_value_heads, head_dim }) {
  const [q, kv] = [num_attention_heads * head_dim, num_key_value_heads * head_dim];
  return [
    ["q_proj", q],
    ["k_proj", kv],
    ["v_proj", kv]
  ];
}
function headCounts(spec) {
  return { num_heads: spec.num_attention_heads, num_kv_heads: spec.num_key_value_heads, head_dim: spec.head_dim };
}
function addHeads(ops, spec, layer, x) {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name) => `${layer}.${name}`;
  const parts = headParts(spec);
  const [q_weight, k_weight, v_weight] = projections(module, spec.fused_projections ? "qkv_proj" : null, spec.hidden_size, parts);
  const weights = { q_weight, k_weight, v_weight };
  for (const [name, rows2] of spec.bias.qkv ? parts : [])
    weights[`${name.slice(0, 1)}_bias`] = { tensor: `${module}.${name}.bias`, shape: [rows2] };
  ops.push({
    op: "qkv",
    layer,
    site: "self_attn.qkv_proj",
    inputs: { x },
    weights,
    attributes: headCounts(spec),
    outputs: { q: value("q"), k: value("k"), v: value("v") }
  });
  if (spec.qk_norm === null) return [value("q"), value("k")];
  const weight = (name) => ({ tensor: `${module}.${name}_norm.weight`, shape: [spec.head_dim] });
  ops.push({
    op: "qk_norm",
    layer,
    site: "self_attn.qk_norm",
    inputs: { q: value("q"), k: value("k") },
    weights: { q_weight: weight("q"), k_weight: weight("k") },
    attributes: { eps: spec.rms_norm_eps, weight_offset: spec.weight_offset },
    outputs: { q: value("q_normed"), k: value("k_normed") },
    eager: { weight: spec.eager_weight }
  });
  return [value("q_normed"), value("k_normed")];
}
function addWidelyNormed(ops, spec, layer, x) {
  const module = `model.layers.${layer}.self_attn`;
  const value = (name) => `${layer}.${name}`;
  const parts = headParts(spec);
  const refs = projections(module, null, spec.hidden_size, parts);
  for (const [i, [name, rows2]] of parts.entries()) {
    const bias = biasOf(spec.bias.qkv, `${module}.${name}`, rows2);
    ops.push(linear(layer, `self_attn.${name}`, refs[i], bias, x, value(name)));
  }
  for (const [name, rows2] of parts.slice(0, 2)) {
    const site = `self_attn.${name.slice(0, 1)}_norm`;
    ops.push(norm(spec, layer, site, `model.layers.${layer}.${site}`, value(name), value(`${name}_normed`), rows2));
  }
  ops.push({
    op: "split_heads",
    layer,
    site: "self_attn.heads",
    inputs: { q: value("q_proj_normed"), k: value("k_proj_normed"), v: value("v_proj") },
    weights: {},
    attributes: headCounts(spec),
    outputs: { q: value("q"), k: value("k"), v: value("v") }
  });
  return [value("q"), value("k")];
}
function addMlp(ops, spec, layer, x, out) {
  const module = `model.layers.${layer}.mlp`;
  const value = (name) => `${layer}.${name}`;
  const { hidden_size: H, intermediate_size: I } = spec;
  const activation = spec.activation;
  const parts = [
    ["gate_proj", I],
    ["up_proj", I]
  ];
  for (const [i, weight2] of projections(module, spec.fused_projections ? "gate_up_proj" : null, H, parts).entries()) {
    const [name, rows2] = parts[i];
    ops.push(
      linear(layer, `mlp.${name}`, weight2, biasOf(spec.bias.mlp, `${module}.${name}`, rows2), x, value(name.slice(0, -"_proj".length)))
    );
  }
  ops.push({
    op: activation,
    layer,
    site: "mlp.act_fn",
    inputs: { gate: value("gate"), up: value("up") },
    weights: {},
    attributes: {},
    outputs: { y: value("activated") }
  });
  const weight = { tensor: `${module}.down_proj.weight`, shape: [H, I] };
  ops.push(linear(layer, "mlp.down_proj", weight, biasOf(spec.bias.mlp, `${module}.down_proj`, H), value("activated"), out));
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
function softcap(config, key, fallback) {
  if (config[key] === null) return 0;
  return positiveNumber(config, key, fallback);
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
var LIKE_LLAMA = {
  weight_offset: 0,
  eager_weight: "after_rounding",
  eager_rotary: "serving",
  rope_layout: "half",
  qk_norm: null,
  norms: "before",
  fused_projections: false,
  attention_softcap: 0,
  logit_softcap: 0,
  embedding_scale: 1
};
var LIKE_GEMMA = {
  ...LIKE_LLAMA,
  weight_offset: 1,
  eager_weight: "before_rounding",
  norms: "both"
};
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
function everyLayer(size, window = 0) {
  return Array.from({ length: size.num_hidden_layers }, () => ({ window, rope: "default" }));
}
function qwenLayers(config, size) {
  const sliding = flag(config, "use_sliding_window", false) && config["sliding_window"] !== null;
  const window = sliding ? positiveInteger(config, "sliding_window", 4096) : 0;
  const from = firstWindowLayer(config);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => sliding && layer >= from ? "sliding_attention" : "full_attention");
  return types.map((type) => ({ window: type === "sliding_attention" ? window : 0, rope: "default" }));
}
function firstWindowLayer(config) {
  return config["max_window_layers"] === 0 ? 0 : positiveInteger(config, "max_window_layers", 28);
}

// src/architectures/rope.ts
init_errors();
var SCALINGS = /* @__PURE__ */ new Map([
  ["default", { keys: [], table: (s) => ({ inv_freq: inverse(powers(s)), attention_factor: 1 }) }],
  ["linear", { keys: ["factor"], table: linear2 }],
  ["llama3", { keys: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"], table: llama3 }],
  [
    "yarn",
    {
      keys: [
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate"
      ],
      table: yarn
    }
  ],
  [
    "longrope",
    { keys: ["short_factor", "long_factor", "factor", "original_max_position_embeddings", "attention_factor"], table: longrope }
  ]
]);
var COMMON_KEYS = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
var f32 = Math.fround;
function ropeTable(config, headDim, options) {
  const parameters = objectOrNull(config, "rope_parameters");
  const older = objectOrNull(config, "rope_scaling");
  if (parameters !== null && older !== null) {
    throw new ModelError("config_invalid", "config.json: has both rope_parameters and rope_scaling; keep the one that is meant");
  }
  const perType = options.layerType !== void 0 && parameters !== null ? objectOrNull(parameters, options.layerType) : null;
  const newer = perType ?? parameters;
  const scaling = newer ?? (options.layerType === "sliding_attention" ? null : older) ?? {};
  const name = newer === null ? "rope_scaling" : "rope_parameters";
  const block = Object.fromEntries(Object.entries(scaling).map(([key, value]) => [`${name}.${key}`, value]));
  const ownTheta = newer !== null && newer["rope_theta"] !== void 0;
  const theta = ownTheta ? positiveNumber(block, `${name}.rope_theta`) : positiveNumber(config, options.key ?? "rope_theta", options.theta);
  const rotaryDim = rotary(config, scaling, headDim, options);
  return scalingOf(scaling, name, options).table({ config, block, name, theta, rotaryDim, options });
}
function scalingOf(block, name, options) {
  let type = block["rope_type"] ?? block["type"] ?? "default";
  if (options.phi3 !== void 0 && (type === "su" || type === "yarn")) type = "longrope";
  const known = options.phi3 === void 0 ? [...SCALINGS.keys()] : ["default", "longrope"];
  const scaling = typeof type === "string" && known.includes(type) ? SCALINGS.get(type) : void 0;
  if (scaling === void 0) {
    throw new ModelError(
      "unsupported_config",
      `config.json: RoPE scaling of type ${JSON.stringify(type)?.slice(0, 40)} is not built in; known: ${known.map((each) => `"${each}"`).join(", ")}`
    );
  }
  const unknown = Object.keys(block).find((key) => block[key] != null && !COMMON_KEYS.includes(key) && !scaling.keys.includes(key));
  if (unknown !== void 0) {
    throw new ModelError(
      "unsupported_config",
      `config.json: ${name} has the key ${JSON.stringify(unknown.slice(0, 60))}, which is not built in for RoPE scaling of type ${JSON.stringify(type)}; known: ${[...scaling.keys, ...COMMON_KEYS].join(", ")}`
    );
  }
  return scaling;
}
function rotary(config, block, headDim, options) {
  const partial = block["partial_rotary_factor"] ?? config["partial_rotary_factor"] ?? 1;
  if (options.phi3 === void 0) {
    if (partial === 1) return headDim;
    throw new ModelError("unsupported_config", `config.json: partial_rotary_factor is ${JSON.stringify(partial)}; only 1 is built in`);
  }
  const dim = typeof partial === "number" && partial > 0 && partial <= 1 ? Math.floor(headDim * partial) : 0;
  if (dim > 0 && dim % 2 === 0) return dim;
  throw new ModelError(
    "config_invalid",
    `config.json: partial_rotary_factor is ${JSON.stringify(partial)?.slice(0, 40)}; it must be a number above 0 and at most 1 that makes an even number of the ${headDim} elements of a head`
  );
}
function powers({ theta, rotaryDim }) {
  return Array.from({ length: rotaryDim / 2 }, (_, i) => f32(Math.pow(theta, f32(2 * i / rotaryDim))));
}
function inverse(values) {
  return values.map((value) => f32(1 / value));
}
function linear2(settings) {
  const factor = number(settings, "factor");
  return { inv_freq: inverse(powers(settings)).map((frequency) => f32(frequency / f32(factor))), attention_factor: 1 };
}
function llama3(settings) {
  const factor = number(settings, "factor");
  const low = number(settings, "low_freq_factor");
  const high = number(settings, "high_freq_factor");
  if (high <= low) throw wrong2(settings, "high_freq_factor", `above low_freq_factor ${low}`);
  const original = originalLength(settings);
  const stretch = (frequency) => {
    const wavelength = f32(f32(1 / frequency) * f32(2 * Math.PI));
    if (wavelength > f32(original / low)) return f32(frequency / f32(factor));
    if (wavelength < f32(original / high)) return frequency;
    const smooth = f32(f32(f32(f32(1 / wavelength) * original) - f32(low)) / f32(high - low));
    return f32(f32(f32(f32(1 - smooth) * frequency) / f32(factor)) + f32(smooth * frequency));
  };
  return { inv_freq: inverse(powers(settings)).map(stretch), attention_factor: 1 };
}
function yarn(settings) {
  const { theta, rotaryDim, block, name } = settings;
  const factor = number(settings, "factor");
  const original = originalLength(settings);
  const truncate = block[`${name}.truncate`] ?? true;
  if (typeof truncate !== "boolean") throw wrong2(settings, "truncate", "true or false");
  const dimensionOf = (rotations) => rotaryDim * Math.log(original / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
  const [first, last] = [dimensionOf(number(settings, "beta_fast", 32)), dimensionOf(number(settings, "beta_slow", 1))];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const end = Math.min(truncate ? Math.ceil(last) : last, rotaryDim - 1);
  const high = low === end ? end + 1e-3 : end;
  const inv_freq = powers(settings).map((power, i) => {
    const ramp = Math.min(Math.max(f32(f32(i - f32(low)) / f32(high - low)), 0), 1);
    const kept = f32(1 - ramp);
    const interpolated = f32(f32(1 / f32(f32(factor) * power)) * f32(1 - kept));
    return f32(interpolated + f32(f32(1 / power) * kept));
  });
  return { inv_freq, attention_factor: yarnAttentionFactor(settings, factor) };
}
function yarnAttentionFactor(settings, factor) {
  const { block, name } = settings;
  if (block[`${name}.attention_factor`] != null) return number(settings, "attention_factor");
  const mscale = (weight) => factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
  if (!block[`${name}.mscale`] || !block[`${name}.mscale_all_dim`]) return mscale(1);
  return mscale(number(settings, "mscale")) / mscale(number(settings, "mscale_all_dim"));
}
function longrope(settings) {
  const { config, block, name } = settings;
  const original = originalLength(settings);
  const ratio = positiveInteger(config, "max_position_embeddings", original) / original;
  const factor = block[`${name}.factor`] == null ? ratio : number(settings, "factor");
  const attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const frequencies = (key) => {
    const factors = factorList(settings, key);
    return inverse(powers(settings).map((power, i) => f32(f32(factors[i]) * power)));
  };
  return {
    inv_freq: frequencies("short_factor"),
    attention_factor: block[`${name}.attention_factor`] == null ? attention : number(settings, "attention_factor"),
    long: { above: original, inv_freq: frequencies("long_factor") }
  };
}
function factorList(settings, key) {
  const { block, name, rotaryDim } = settings;
  const value = block[`${name}.${key}`];
  const valid = (entry) => typeof entry === "number" && Number.isFinite(entry) && entry > 0;
  if (!Array.isArray(value) || value.length !== rotaryDim / 2 || !value.every(valid)) {
    throw wrong2(settings, key, `a list of ${rotaryDim / 2} numbers above 0, one per pair of rotated elements`);
  }
  return value;
}
function originalLength(settings) {
  const { config, block, name, options } = settings;
  const key = "original_max_position_embeddings";
  const fallback = options.phi3?.[key] ?? positiveInteger(config, "max_position_embeddings");
  const outside = config[key] == null ? null : positiveInteger(config, key);
  const inside = block[`${name}.${key}`] == null ? null : positiveInteger(block, `${name}.${key}`);
  const assumed = outside ?? (options.phi3 === void 0 ? inside : null) ?? fallback;
  if (inside !== null && inside !== assumed) {
    throw new ModelError(
      "config_invalid",
      `config.json: ${name}.${key} is ${inside}, but ${key} beside it is ${outside ?? `missing, which means ${assumed}`}`
    );
  }
  return assumed;
}
function number({ block, name }, key, fallback) {
  return positiveNumber(block, `${name}.${key}`, fallback);
}
function wrong2({ block, name }, key, allowed) {
  const shown = JSON.stringify(block[`${name}.${key}`])?.slice(0, 80) ?? "missing";
  return new ModelError("config_invalid", `config.json: ${name}.${key} is ${shown}; it must be ${allowed}`);
}

// src/architectures/ernie4_5.ts
function ernie45(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 131072, head_dim: 128 });
  const bias = flag(config, "use_bias", false);
  return {
    ...LIKE_LLAMA,
    architecture: "ernie4_5",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", true),
    eager_rotary: "float32",
    rope_layout: "interleaved",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 5e5 }) },
    layers: everyLayer(size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: bias, o: bias, mlp: bias }
  };
}

// src/architectures/gemma2.ts
function gemma2(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 8192, head_dim: 256 });
  refuseUnless(config, "use_bidirectional_attention", [], "only causal attention is built in");
  const window = positiveInteger(config, "sliding_window", 4096);
  const types = layerTypes(config, size.num_hidden_layers, (layer) => layer % 2 === 0 ? "sliding_attention" : "full_attention");
  const bias = flag(config, "attention_bias", false);
  return {
    ...LIKE_GEMMA,
    architecture: "gemma2",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", true),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: types.map((type) => ({ window: type === "sliding_attention" ? window : 0, rope: "default" })),
    attention_scale: positiveNumber(config, "query_pre_attn_scalar", 256) ** -0.5,
    attention_softcap: softcap(config, "attn_logit_softcapping", 50),
    logit_softcap: softcap(config, "final_logit_softcapping", 30),
    embedding_scale: Math.sqrt(size.hidden_size),
    activation: gatedActivation(config, "hidden_activation", "gelu_pytorch_tanh"),
    bias: { qkv: bias, o: bias, mlp: false }
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
    ...LIKE_GEMMA,
    architecture: "gemma3_text",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", true),
    rope_tables: {
      full_attention: ropeTable(config, size.head_dim, { layerType: "full_attention", theta: 1e6 }),
      sliding_attention: ropeTable(config, size.head_dim, { layerType: "sliding_attention", key: "rope_local_base_freq", theta: 1e4 })
    },
    layers: types.map((type) => ({ window: type === "sliding_attention" ? window : 0, rope: type })),
    qk_norm: "head",
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
    ...LIKE_LLAMA,
    architecture: "llama",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: everyLayer(size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: attentionBias, o: attentionBias, mlp: flag(config, "mlp_bias", false) }
  };
}

// src/architectures/mistral.ts
function mistral(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 131072 });
  return {
    ...LIKE_LLAMA,
    architecture: "mistral",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: everyLayer(size, config["sliding_window"] == null ? 0 : positiveInteger(config, "sliding_window")),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: false, o: false, mlp: false }
  };
}

// src/architectures/olmo2.ts
function olmo2(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 2048 });
  const bias = flag(config, "attention_bias", false);
  return {
    ...LIKE_LLAMA,
    architecture: "olmo2",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    eager_weight: "before_rounding",
    eager_rotary: "float32",
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: everyLayer(size),
    qk_norm: "projection",
    norms: "after",
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: bias, o: bias, mlp: false }
  };
}

// src/architectures/phi3.ts
function phi3(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-5, max_position_embeddings: 4096 });
  for (const key of ["attention_bias", "mlp_bias", "lm_head_bias"]) refuseUnless(config, key, [], "transformers has no biases in phi3");
  return {
    ...LIKE_LLAMA,
    architecture: "phi3",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    rope_tables: {
      default: ropeTable(config, size.head_dim, { theta: 1e4, phi3: { original_max_position_embeddings: 4096 } })
    },
    layers: everyLayer(size, config["sliding_window"] == null ? 0 : positiveInteger(config, "sliding_window")),
    fused_projections: true,
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: false, o: false, mlp: false }
  };
}

// src/architectures/program.ts
function wholeTensor({ tensor, shape, rows: rows2 }) {
  return { tensor, shape: rows2 === void 0 ? shape : [rows2.total, ...shape.slice(1)] };
}

// src/architectures/qwen2.ts
function qwen2(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32768 });
  refuseUnless(config, "use_mrope", [], "rotary embeddings of images and video are not built in");
  return {
    ...LIKE_LLAMA,
    architecture: "qwen2",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: qwenLayers(config, size),
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: true, o: false, mlp: false }
  };
}

// src/architectures/qwen3.ts
function qwen3(config) {
  const size = dimensions(config, { rms_norm_eps: 1e-6, max_position_embeddings: 32768, head_dim: 128 });
  const bias = flag(config, "attention_bias", false);
  return {
    ...LIKE_LLAMA,
    architecture: "qwen3",
    ...size,
    tie_word_embeddings: flag(config, "tie_word_embeddings", false),
    rope_tables: { default: ropeTable(config, size.head_dim, { theta: 1e4 }) },
    layers: qwenLayers(config, size),
    qk_norm: "head",
    attention_scale: size.head_dim ** -0.5,
    activation: gatedActivation(config, "hidden_act", "silu"),
    bias: { qkv: bias, o: bias, mlp: false }
  };
}

// src/architectures/registry.ts
var FAMILIES = /* @__PURE__ */ new Map([
  ["ernie4_5", ernie45],
  ["gemma2", gemma2],
  ["gemma3_text", gemma3Text],
  ["llama", llama],
  ["mistral", mistral],
  ["olmo2", olmo2],
  ["phi3", phi3],
  ["qwen2", qwen2],
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
function filesInOrder(program, checkpoint) {
  const needed = [...weightRefs(program)].map(({ tensor }) => checkpoint.tensors.get(tensor)?.file);
  const all = [...needed, ...[...checkpoint.tensors.values()].map(({ file }) => file)];
  return [...new Set(all.filter((file) => file !== void 0))];
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
  for (const op of program.ops) for (const ref of Object.values(op.weights)) yield wholeTensor(ref);
}

// src/reference/sequence.ts
init_errors();

// src/reference/ndarray.ts
function firstNonFinite(data) {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length - data.length % 4;
  for (let i = 0; i < whole; i += 4) {
    a += 0 * data[i];
    b += 0 * data[i + 1];
    c += 0 * data[i + 2];
    d += 0 * data[i + 3];
  }
  for (let i = whole; i < data.length; i++) a += 0 * data[i];
  if (a + b + c + d === 0) return -1;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}
function rows(array, start, end) {
  const [count2 = 1, ...rest] = array.shape;
  const stride = count2 === 0 ? 0 : array.data.length / count2;
  return { data: array.data.subarray(start * stride, end * stride), shape: [end - start, ...rest] };
}
function joinRows(parts) {
  const [first] = parts;
  if (first === void 0) throw new Error("joinRows of nothing");
  if (parts.length === 1) return first;
  const length = parts.reduce((sum2, part) => sum2 + part.data.length, 0);
  const data = first.data instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, shape: [parts.reduce((sum2, part) => sum2 + (part.shape[0] ?? 0), 0), ...first.shape.slice(1)] };
}

// src/reference/sequence.ts
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
  const wrong3 = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= program.vocab_size);
  if (wrong3 !== void 0) {
    throw new ModelError(
      "input_ids_out_of_range",
      `${name} has the token id ${wrong3}; vocab_size is ${program.vocab_size}, so ids go from 0 to ${program.vocab_size - 1}`
    );
  }
}
function rotaryValues(program, sequence) {
  const { segments, past = 0 } = sequence;
  const prompts = segments.map(({ start, end }) => Array.from({ length: end - start }, (_, i) => past + i));
  const names2 = Object.keys(program.rope_tables).flatMap((name) => [`cos:${name}`, `sin:${name}`]);
  return new Map(names2.map((name) => [name, joinRows(prompts.map((positions) => rotaryAt(program, name, positions)))]));
}
function rotaryAt(program, value, positions) {
  const of = value.startsWith("cos:") ? Math.cos : Math.sin;
  const table = program.rope_tables[value.slice("cos:".length)];
  if (table === void 0) throw new Error(`no RoPE table for ${value}`);
  const { long: long2 } = table;
  const inv_freq = long2 !== void 0 && positions.some((position2) => position2 >= long2.above) ? long2.inv_freq : table.inv_freq;
  const factor = Math.fround(table.attention_factor);
  const half2 = inv_freq.length;
  const data = new Float32Array(positions.length * half2);
  for (const [t, position2] of positions.entries()) {
    for (let i = 0; i < half2; i++) data[t * half2 + i] = Math.fround(of(Math.fround(position2 * inv_freq[i]))) * factor;
  }
  return { data, shape: [positions.length, half2] };
}

// src/reference/keeper.ts
import { createHash, randomBytes } from "node:crypto";
import { readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
var MAGIC = Buffer.from("FCKEPT1\n");
var CHECKED_FROM = MAGIC.length + 4;
var HEADER_FROM = CHECKED_FROM + 4;
var WAITING_BYTES = 64 * 2 ** 20;
function openKeeper(folder, room) {
  const found = /* @__PURE__ */ new Set();
  const made = /* @__PURE__ */ new Set();
  const writing = /* @__PURE__ */ new Set();
  let waiting = 0;
  let left2 = room;
  const write2 = async (path, bytes) => {
    const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      await writeFile(temporary, bytes, { flag: "wx" });
      await rename(temporary, path);
    } catch {
      left2 = 0;
      await rm(temporary, { force: true }).catch(() => void 0);
    }
    waiting -= bytes.length;
  };
  return {
    get counts() {
      return { found: found.size, made: made.size };
    },
    async find(key) {
      const name = nameOf(key);
      const path = join(folder, name);
      const bytes = await readFile(path).catch(() => null);
      const kept = bytes === null ? null : decode(bytes, arraysOf(key));
      if (kept === null) {
        if (bytes !== null) await rm(path, { force: true }).catch(() => void 0);
        return null;
      }
      if (kept === OTHER_ARRAYS) return null;
      if (!made.has(name)) found.add(name);
      await touch(path).catch(() => void 0);
      return kept;
    },
    has: (key) => touch(join(folder, nameOf(key))).then(
      () => true,
      () => false
    ),
    async put(key, kept) {
      const name = nameOf(key);
      made.add(name);
      if (left2 <= 0) return;
      const bytes = encode(kept, arraysOf(key));
      left2 -= bytes.length;
      waiting += bytes.length;
      const written2 = write2(join(folder, name), bytes).finally(() => writing.delete(written2));
      writing.add(written2);
      while (waiting > WAITING_BYTES && writing.size > 0) await Promise.race(writing);
    },
    async flush() {
      await Promise.all(writing);
    }
  };
}
function touch(path) {
  const now = /* @__PURE__ */ new Date();
  return utimes(path, now, now);
}
async function remembered(keeper, key, compute) {
  if (keeper === null || keeper === void 0) return compute();
  const own = key();
  const known = await keeper.find(own);
  if (known !== null) return known;
  const made = await compute();
  await keeper.put(own, made);
  return made;
}
function nameOf(key) {
  return digest(key.last === true ? { ...key, what: `last ${key.what}`, tensors: {} } : key);
}
function arraysOf({ last, tensors }) {
  return last === true ? digest({ what: "arrays", depends: null, tensors }) : void 0;
}
function digest({ what, depends, tensors }) {
  const names2 = Object.keys(tensors);
  const hash = createHash("sha256").update(JSON.stringify([what, depends, names2.map((name) => [name, tensors[name]?.shape])]));
  for (const name of names2) {
    const { data } = tensors[name];
    hash.update(data instanceof Float64Array ? "F64" : "F32").update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 40);
}
function encode({ tensors, note }, of) {
  const parts = [];
  let begin = 0;
  const entries = Object.entries(tensors).map(([name, { data, shape }]) => {
    const { dtype, bytes } = packed(data);
    parts.push(bytes);
    const entry = { name, dtype, shape, begin };
    begin += Math.ceil(bytes.byteLength / 8) * 8;
    return entry;
  });
  const header = Buffer.from(
    JSON.stringify({ ...of === void 0 ? {} : { of }, note, tensors: entries }, numberAsText)
  );
  const dataFrom = Math.ceil((HEADER_FROM + header.length) / 8) * 8;
  const out = Buffer.alloc(dataFrom + begin, " ");
  MAGIC.copy(out);
  out.writeUInt32LE(header.length, CHECKED_FROM);
  header.copy(out, HEADER_FROM);
  for (const [i, bytes] of parts.entries()) out.set(bytes, dataFrom + (entries[i]?.begin ?? 0));
  out.writeUInt32LE(crc32(out.subarray(CHECKED_FROM)), MAGIC.length);
  return out;
}
function packed(data) {
  if (data instanceof Float64Array) return { dtype: "F64", bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const upper = bfloat16Bits(data);
  if (upper !== null) return { dtype: "BF16", bytes: new Uint8Array(upper.buffer) };
  return { dtype: "F32", bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
function numberAsText(_, value) {
  if (typeof value !== "number" || Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { number: Object.is(value, -0) ? "-0" : String(value) };
}
function textAsNumber(_, value) {
  const isNumber = typeof value === "object" && value !== null && "number" in value && typeof value.number === "string";
  return isNumber ? Number(value.number) : value;
}
var OTHER_ARRAYS = /* @__PURE__ */ Symbol("other arrays");
function decode(given, of) {
  if (given.length < HEADER_FROM || !given.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (crc32(given.subarray(CHECKED_FROM)) !== given.readUInt32LE(MAGIC.length)) return null;
  const bytes = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
  const length = given.readUInt32LE(CHECKED_FROM);
  const header = JSON.parse(given.toString("utf8", HEADER_FROM, HEADER_FROM + length), textAsNumber);
  if (header.of !== of) return OTHER_ARRAYS;
  const dataFrom = bytes.byteOffset + Math.ceil((HEADER_FROM + length) / 8) * 8;
  const tensors = header.tensors.map(({ name, dtype, shape, begin }) => {
    const count2 = shape.reduce((product, size) => product * size, 1);
    const from = dataFrom + begin;
    if (dtype === "F64") return [name, { data: new Float64Array(bytes.buffer, from, count2), shape }];
    if (dtype === "F32") return [name, { data: new Float32Array(bytes.buffer, from, count2), shape }];
    return [name, { data: bfloat16ToFloat32(new Uint16Array(bytes.buffer, from, count2)), shape }];
  });
  return { tensors: Object.fromEntries(tensors), note: header.note };
}

// src/reference/resting.ts
function resting(keeper, context) {
  const lanes = context.lanes.flatMap(
    (lane) => lane.kept === void 0 ? [] : [{ lane, segments: segmentsOf(context, lane, lane.kept) }]
  );
  const until = /* @__PURE__ */ new Map();
  let overflowed = false;
  const open = /* @__PURE__ */ new Map();
  const at = (index, border) => lanes.flatMap(({ lane, segments }) => segments.filter((segment) => segment[border] === index).map((segment) => ({ lane, segment })));
  return {
    rests: (lane, index) => index <= (until.get(lane) ?? -1),
    async before(index) {
      for (const { lane, segment } of at(index, "start")) {
        const key = keyOf(context, lane, segment);
        const known = await keeper.find(key);
        if (known === null) {
          open.set(lane, { key, tensors: {} });
          continue;
        }
        for (const [name, array] of Object.entries(known.tensors)) lane.values.set(name, array);
        until.set(lane, segment.end);
      }
    },
    async after(index) {
      const made = Object.values(context.program.ops[index].outputs);
      overflowed ||= lanes.some(
        ({ lane }) => lane.kept?.values === "looked_at" && made.some((name) => firstNonFinite(lane.values.get(name)?.data ?? []) >= 0)
      );
      for (const { lane, segments } of lanes) {
        const current = open.get(lane);
        const segment = segments.find(({ start, end }) => start <= index && index <= end);
        if (current === void 0 || segment === void 0) continue;
        for (const name of made) if (segment.leaves.includes(name)) current.tensors[name] = lane.values.get(name);
        if (index !== segment.end) continue;
        open.delete(lane);
        if (!overflowed) await keeper.put(current.key, { tensors: current.tensors, note: null });
      }
    }
  };
}
function segmentsOf({ program, keep }, lane, { values, changedAfter }) {
  const { ops } = program;
  const lastUse = /* @__PURE__ */ new Map();
  for (const [index, { inputs }] of ops.entries()) for (const name of Object.values(inputs)) lastUse.set(name, index);
  const stands = (index) => lane.standIns.has(index);
  const goesOn = (end) => end + 1 < ops.length && ops[end + 1]?.layer === ops[end]?.layer && stands(end + 1) === stands(end) && changedAfter?.(end) !== true;
  const segments = [];
  for (let start = 0; start < ops.length; ) {
    let end = start;
    while (goesOn(end)) end++;
    const run = ops.slice(start, end + 1);
    const made = new Set(run.flatMap(({ outputs }) => Object.values(outputs)));
    const products = run.some(({ op }) => op === "linear" || op === "qkv" || op === "attention");
    if (products && !stands(start) && !made.has(program.logits)) {
      segments.push({
        start,
        end,
        reads: [...new Set(run.flatMap(({ inputs }) => Object.values(inputs)))].filter((name) => !made.has(name)),
        leaves: [...made].filter((name) => (lastUse.get(name) ?? -1) > end || values === "looked_at" && keep.has(name))
      });
    }
    start = end + 1;
  }
  return segments;
}
function keyOf({ program, dtype, sequence }, lane, { start, end, reads, leaves }) {
  const { of } = lane.kept ?? {};
  const { segments: prompts, past } = lane.sequence ?? sequence;
  return {
    what: "segment",
    depends: { dtype, recipe: lane.recipe, ops: program.ops.slice(start, end + 1), prompts, past, leaves, of },
    tensors: Object.fromEntries(reads.map((name) => [name, lane.values.get(name)])),
    ...of === void 0 ? {} : { last: true }
  };
}
async function keptLogits({ keeper, dtype, sequence, sums }, lanes, op) {
  const resting2 = lanes.filter(({ kept }) => kept !== void 0);
  if (keeper === null || keeper === void 0 || resting2.length === 0) return null;
  const hidden = (of) => Object.fromEntries(of.map((lane, i) => [String(i), lane.values.get(op.inputs["x"])]));
  const [first, ...others] = resting2.filter(({ kept }) => kept?.of === void 0);
  const final = first === void 0 ? null : digest({ what: "hidden", depends: null, tensors: hidden([first]) });
  const depends = { dtype, recipe: first?.recipe, op, final };
  const keyOfBlock = ({ start, end }) => ({ what: "logits", depends: { ...depends, start, end }, tensors: {} });
  const keyOfSums = (of, name) => ({
    what: "sums",
    depends: { ...depends, recipes: of.map(({ recipe }) => recipe), prompts: sequence.segments, ids: sequence.ids, of: name },
    tensors: hidden(of),
    ...name === void 0 ? {} : { last: true }
  });
  const groups = [
    ...first === void 0 ? [] : [{ lane: null, of: others, key: keyOfSums(others, void 0) }],
    ...resting2.flatMap((lane) => lane.kept?.of === void 0 ? [] : [{ lane, of: [lane], key: keyOfSums([lane], lane.kept.of) }])
  ];
  const known = sums === void 0 ? [] : await Promise.all(groups.map(async (group) => ({ ...group, kept: await keeper.find(group.key) })));
  const whole = sums !== void 0 && lanes.length === resting2.length && known.every(({ kept }) => kept !== null);
  for (const { lane, kept } of known) if (kept !== null) sums?.restore(lane, kept.tensors, whole);
  return {
    summed: /* @__PURE__ */ new Set([...whole && first !== void 0 ? [first] : [], ...known.flatMap(({ of, kept }) => kept === null ? [] : of)]),
    async find(block) {
      const logits = first === void 0 ? void 0 : (await keeper.find(keyOfBlock(block)))?.tensors["logits"];
      return first === void 0 || logits === void 0 ? null : /* @__PURE__ */ new Map([[first, logits]]);
    },
    async put(block, logits) {
      if (first !== void 0) await keeper.put(keyOfBlock(block), { tensors: { logits: logits.get(first) }, note: null });
    },
    async passOver(block) {
      if (first !== void 0) await keeper.has(keyOfBlock(block));
    },
    async end() {
      for (const { lane, key, kept } of known) {
        if (kept === null && sums !== void 0) await keeper.put(key, { tensors: sums.state(lane), note: null });
      }
    }
  };
}

// src/reference/walk.ts
async function walk(options) {
  const { program, checkpoint, sequence, lanes } = options;
  const rotary2 = rotaryValues(program, sequence);
  for (const lane of lanes) {
    const own = lane.sequence === void 0 ? rotary2 : rotaryValues(program, lane.sequence);
    for (const [name, value] of own) lane.values.set(name, value);
  }
  const reader3 = readAhead(checkpoint, [...scannedBlocks(options), ...program.ops.flatMap((op) => linearBlocks(checkpoint, op))]);
  for (let i = scannedBlocks(options).length; i > 0; i--) await reader3.next();
  const lastUse = lastUses(options);
  const rest = options.keeper === null || options.keeper === void 0 ? null : resting(options.keeper, options);
  for (const [index, op] of program.ops.entries()) {
    await rest?.before(index);
    const computing = lanes.filter((lane) => !lane.standIns.has(index) && rest?.rests(lane, index) !== true);
    if (op.op === "embed") await embed(options, op);
    else if (op.op === "linear" || op.op === "qkv") await linears(options, computing, op, reader3);
    else await smallOp(options, computing, op);
    for (const lane of lanes) await runEndingStandIn(options, lane, index);
    await rest?.after(index);
    await options.afterOp(index, op);
    for (const name of lastUse.get(index) ?? []) for (const lane of lanes) lane.values.delete(name);
  }
}
function scannedBlocks({ program, checkpoint, scanAll }) {
  if (!scanAll) return [];
  const streamed = new Set(program.ops.filter((op) => op.op === "linear").map((op) => op.weights["weight"]?.tensor));
  const embedding = program.ops.find((op) => op.op === "embed")?.weights["weight"];
  return embedding === void 0 || streamed.has(embedding.tensor) ? [] : blocksOf(checkpoint, embedding);
}
function linearBlocks(checkpoint, op) {
  if (op.op !== "linear" && op.op !== "qkv") return [];
  return matrices(op).flatMap(({ ref }) => blocksOf(checkpoint, ref));
}
function matrices(op) {
  if (op.op === "linear") {
    const ref = op.weights["weight"];
    return [
      {
        tensor: "y",
        ref,
        bias: op.weights["bias"],
        output: op.outputs["y"],
        shape: (tokens) => [tokens, ref.shape[0]]
      }
    ];
  }
  const { num_heads, num_kv_heads, head_dim } = op.attributes;
  return ["q", "k", "v"].map((name) => ({
    tensor: name,
    ref: op.weights[`${name}_weight`],
    bias: op.weights[`${name}_bias`],
    output: op.outputs[name],
    shape: (tokens) => [tokens, name === "q" ? num_heads : num_kv_heads, head_dim]
  }));
}
async function embed({ program, checkpoint, dtype, sequence, lanes }, op) {
  const read2 = /* @__PURE__ */ new Map();
  const rowsOf = (of) => {
    const known = read2.get(of) ?? embeddingRows(checkpoint, op.weights["weight"], of.ids, dtype);
    read2.set(of, known);
    return known;
  };
  const factor = roundToServing(Float32Array.of(Number(op.attributes["scale"])), dtype)[0];
  for (const lane of lanes) {
    const own = lane.sequence ?? sequence;
    const values = await rowsOf(own);
    const scaled = lane.recipe.compute === "float64" ? Float64Array.from(values, (v) => v * factor) : values.map((v) => v * factor);
    const data = scaled instanceof Float64Array || !roundsOutputs(lane.recipe) ? scaled : roundToServing(scaled, dtype);
    lane.values.set(op.outputs["y"], { data, shape: [own.ids.length, program.hidden_size] });
  }
}
async function runEndingStandIn(options, lane, index) {
  const standIn = lane.standIns.get(index);
  if (standIn?.end !== index) return;
  await options.beforeStandIns?.();
  await standIn.run(lane);
}
var NO_LOGITS = { data: new Float32Array(0), shape: [0, 0] };
async function linears(options, lanes, op, reader3) {
  const { checkpoint, dtype, runner, program } = options;
  const factors = lanes.map((lane) => ({
    lane,
    recipe: Object.values(op.outputs).includes(program.logits) ? leaving(lane.recipe) : lane.recipe,
    x: lane.values.get(op.inputs["x"])
  }));
  const inFlight = inOrder(runner.threads === 1 ? 1 : 2 * runner.threads);
  for (const matrix of matrices(op)) {
    const bias = matrix.bias === void 0 ? null : (await wholeWeight(checkpoint, matrix.bias, dtype)).data;
    const softcap2 = Number(op.attributes["softcap"] ?? 0);
    const streaming = matrix.output === program.logits ? options.logits : void 0;
    const sinks = lanes.map((lane) => collect(lane, op, matrix));
    const kept = streaming === void 0 ? null : await keptLogits(options, lanes, op);
    const needed = factors.filter(({ lane }) => kept?.summed.has(lane) !== true);
    const blocks = blocksOf(checkpoint, matrix.ref);
    if (needed.length === 0) {
      for (const block of blocks) await kept?.passOver(block);
      reader3.skip(blocks.length);
      continue;
    }
    for (let left2 = blocks.length; left2 > 0; left2--) {
      const { block, bytes } = await reader3.next();
      const known = await kept?.find(block) ?? /* @__PURE__ */ new Map();
      const unknown = needed.filter(({ lane }) => !known.has(lane));
      const served2 = servedBlock(checkpoint, block, bytes, dtype);
      const weight = { ...served2, movable: checkpoint.keeps !== true && served2.data.byteLength === served2.data.buffer.byteLength };
      await inFlight.add(runner.linears(unknown, weight, bias?.subarray(block.start, block.end) ?? null, softcap2), async (made) => {
        const products = new Map([...known, ...unknown.map(({ lane }, i) => [lane, made[i]])]);
        if (known.size === 0) await kept?.put(block, products);
        const blocks2 = lanes.map((lane) => products.get(lane) ?? NO_LOGITS);
        if (streaming !== void 0) streaming(block.start, blocks2);
        else for (const [i, sink] of sinks.entries()) sink.add(block, blocks2[i]);
      });
    }
    await inFlight.add(Promise.resolve(), async () => {
      if (streaming === void 0) for (const sink of sinks) sink.finish();
      await kept?.end();
    });
  }
  await inFlight.end();
}
function inOrder(most) {
  const waiting = [];
  const upTo = async (left2) => {
    while (waiting.length > left2) await waiting.shift()?.();
  };
  return {
    async add(result, take3) {
      result.catch(() => void 0);
      waiting.push(async () => {
        await take3(await result);
      });
      await upTo(most - 1);
    },
    end: () => upTo(0)
  };
}
function collect(lane, op, matrix) {
  const tokens = lane.values.get(op.inputs["x"])?.shape[0] ?? 0;
  const width = matrix.ref.shape[0];
  let whole = null;
  return {
    add(block, y) {
      const columns = block.end - block.start;
      if (columns === width) {
        whole = y.data;
        return;
      }
      whole ??= lane.recipe.compute === "float64" ? new Float64Array(tokens * width) : new Float32Array(tokens * width);
      for (let t = 0; t < tokens; t++) whole.set(y.data.subarray(t * columns, (t + 1) * columns), t * width + block.start);
    },
    finish() {
      if (whole !== null) lane.values.set(matrix.output, { data: whole, shape: matrix.shape(tokens) });
    }
  };
}
async function smallOp({ checkpoint, dtype, runner, sequence }, lanes, op) {
  const weights = {};
  for (const [name, ref] of Object.entries(op.weights)) weights[name] = await wholeWeight(checkpoint, ref, dtype);
  const each = lanes.map(async (lane) => {
    const inputs = { ...weights };
    for (const [name, value] of Object.entries(op.inputs)) inputs[name] = lane.values.get(value);
    const outputs = await runOp(runner, op, lane.recipe, inputs, lane.sequence ?? sequence);
    for (const [name, value] of Object.entries(op.outputs)) lane.values.set(value, outputs[name]);
  });
  await Promise.all(each);
}
async function runOp(runner, op, recipe, inputs, sequence) {
  if (op.op === "split_heads") return splitHeads(op, inputs);
  if (op.op !== "attention") return runner.run(op, recipe, inputs);
  return perSegment(sequence, inputs, (part) => runner.run(op, recipe, part));
}
function splitHeads(op, inputs) {
  const { num_heads, num_kv_heads, head_dim } = op.attributes;
  const cut = ([name, { data, shape }]) => [
    name,
    { data, shape: [shape[0] ?? 0, name === "q" ? num_heads : num_kv_heads, head_dim] }
  ];
  return Object.fromEntries(Object.entries(inputs).map(cut));
}
async function perSegment(sequence, inputs, run) {
  if (sequence.segments.length === 1) return run({ ...inputs });
  const parts = [];
  for (const { start, end } of sequence.segments) {
    parts.push(await run(Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, rows(array, start, end)]))));
  }
  const names2 = Object.keys(parts[0] ?? {});
  return Object.fromEntries(names2.map((name) => [name, joinRows(parts.map((part) => part[name]))]));
}
function lastUses({ program, keep }) {
  const last = /* @__PURE__ */ new Map();
  for (const [index, op] of program.ops.entries()) {
    for (const name of [...Object.values(op.outputs), ...Object.values(op.inputs)]) last.set(name, Math.max(index, keep.get(name) ?? 0));
  }
  const at = /* @__PURE__ */ new Map();
  for (const [name, index] of last) {
    if (name.startsWith("cos:") || name.startsWith("sin:")) continue;
    at.set(index, [...at.get(index) ?? [], name]);
  }
  return at;
}

// src/reference/decode.ts
function writer(prompt, { recipe, standIns = /* @__PURE__ */ new Map(), cached = true, called }) {
  return { recipe, standIns, ids: [...prompt], cache: cached ? { past: 0, values: /* @__PURE__ */ new Map() } : null, called: called ?? null };
}
async function nextTokens(context, writers) {
  const { program } = context;
  const beforeAttention = (index) => program.ops[index + 1]?.op === "attention";
  const lanes = writers.map(({ recipe, standIns, ids, cache, called }) => {
    const past = cache?.past ?? 0;
    const segments = [{ start: 0, end: ids.length - past }];
    const lane = { recipe, standIns, values: /* @__PURE__ */ new Map(), sequence: { ids: ids.slice(past), segments, past } };
    const kept2 = { values: "ends", changedAfter: beforeAttention, of: `${called ?? ""}, from ${ids.length} after ${past}` };
    return called === null ? lane : { ...lane, kept: kept2 };
  });
  const kept = writers.map(() => /* @__PURE__ */ new Map());
  const best = lanes.map(({ sequence }) => (sequence?.ids ?? []).map(() => ({ id: -1, value: -Infinity, finite: true })));
  await walk({
    ...context,
    sequence: lanes[0]?.sequence ?? { ids: [], segments: [] },
    lanes,
    scanAll: false,
    sums: {
      state: (lane) => ({ best: asArray(best[lanes.indexOf(lane)] ?? []) }),
      restore: (lane, state) => fill(best[lanes.indexOf(lane)] ?? [], state["best"])
    },
    afterOp(index) {
      const next = program.ops[index + 1];
      if (next?.op !== "attention") return Promise.resolve();
      for (const name of ["k", "v"].map((tensor) => next.inputs[tensor])) {
        for (const [i, lane] of lanes.entries()) {
          const { cache } = writers[i];
          const now = lane.values.get(name);
          if (cache === null || now === void 0) continue;
          const before = cache.values.get(name);
          const all = before === void 0 ? now : joinRows([before, now]);
          lane.values.set(name, all);
          kept[i].set(name, all);
        }
      }
      return Promise.resolve();
    },
    logits(start, blocks) {
      for (const [i, { data, shape }] of blocks.entries()) {
        const [, width = 0] = shape;
        for (const [t, each] of best[i].entries()) take(each, data.subarray(t * width, (t + 1) * width), start);
      }
    }
  });
  for (const [i, { cache, ids }] of writers.entries()) {
    if (cache === null) continue;
    cache.past = ids.length;
    for (const [name, values] of kept[i]) cache.values.set(name, values);
  }
  return best.map((all) => all.map(({ id, finite: finite2 }) => finite2 ? id : null));
}
function asArray(best) {
  return { data: Float64Array.from(best.flatMap(({ id, value, finite: finite2 }) => [id, value, finite2 ? 1 : 0])), shape: [best.length, 3] };
}
function fill(best, { data }) {
  for (const [t, each] of best.entries()) {
    const [id = -1, value = NaN, finite2 = 0] = data.subarray(t * 3, t * 3 + 3);
    Object.assign(each, { id, value, finite: finite2 === 1 });
  }
}
function takeBack({ ids, cache }, length) {
  ids.length = length;
  if (cache === null || cache.past <= length) return;
  cache.past = length;
  for (const [name, values] of cache.values) cache.values.set(name, rows(values, 0, length));
}
function take(best, logits, start) {
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i];
    if (!Number.isFinite(value)) best.finite = false;
    if (!(value > best.value)) continue;
    best.value = value;
    best.id = start + i;
  }
}
function inMemory(checkpoint) {
  const tensors = /* @__PURE__ */ new Map();
  return {
    ...checkpoint,
    keeps: true,
    async read(name, start = 0, end) {
      const whole = tensors.get(name) ?? checkpoint.read(name);
      tensors.set(name, whole);
      return (await whole).subarray(start, end);
    }
  };
}

// src/diff/logits-meter.ts
var MAX_SHIFT = 700;
var SUMS = ["expm1", "shift", "excess", "partition", "sum", "squares", "best", "bestId", "target", "broken"];
function logitsMeter(lanes, targets) {
  const positions = targets.length;
  const running = Array.from({ length: lanes }, () => empty(positions));
  const max = new Float64Array(positions).fill(-Infinity);
  const weight = new Float64Array(positions);
  const second = new Float64Array(positions).fill(-Infinity);
  let weights = new Float64Array(0);
  const known = /* @__PURE__ */ new Set();
  let vocabulary = 0;
  const stateOf = (lane) => [
    ...SUMS.map((name) => [name, running[lane][name]]),
    ...lane === 0 ? Object.entries({ max, weight, second }) : []
  ];
  return {
    add(start, blocks) {
      const oracle = blocks[0]?.data;
      const width = oracle.length / positions;
      vocabulary += width;
      if (weights.length < oracle.length) weights = new Float64Array(oracle.length);
      const open = running.filter((_, lane) => !known.has(lane));
      for (let p = 0; p < positions; p++) addOracle(oracle, p, width, start, targets[p], { max, weight, second }, open, weights);
      for (let lane = 1; lane < lanes; lane++) {
        if (known.has(lane)) continue;
        addLane(running[lane], oracle, blocks[lane]?.data, width, start, targets, weights);
      }
    },
    summarise(noiseLanes, decisiveMargin, leastNoise = []) {
      const noise = Float64Array.from(
        targets,
        (_, p) => Math.max(leastNoise[p] ?? 0, noiseAt(running.slice(1), noiseLanes, p, vocabulary))
      );
      return summarise(running, { max, weight, second }, targets, noise, decisiveMargin);
    },
    state(which) {
      const arrays = which.flatMap((lane, i) => stateOf(lane).map(([name, data]) => [`${i} ${name}`, data]));
      return Object.fromEntries(
        [...arrays, ["vocabulary", [vocabulary]]].map(([name, data]) => [
          name,
          { data: Float64Array.from(data), shape: [data.length] }
        ])
      );
    },
    restore(which, state) {
      for (const [i, lane] of which.entries()) {
        known.add(lane);
        for (const [name, data] of stateOf(lane)) data.set(state[`${i} ${name}`].data);
      }
      if (known.has(0)) vocabulary = state["vocabulary"]?.data[0];
    },
    perPosition: (noiseLanes) => Array.from(targets, (_, p) => {
      const { best, bestId, target, broken: broken2 } = running[0];
      const below = best[p] - target[p];
      return {
        best: bestId[p],
        choices: running.slice(1).map((lane) => lane.broken[p] === 1 ? -1 : lane.bestId[p]),
        nll: broken2[p] === 1 ? NaN : Math.log(weight[p]) + below,
        below_best: below,
        noise: noiseAt(running.slice(1), noiseLanes, p, vocabulary)
      };
    })
  };
}
function empty(positions) {
  const zeros = () => new Float64Array(positions);
  return {
    expm1: zeros(),
    shift: zeros(),
    excess: zeros(),
    partition: zeros(),
    sum: zeros(),
    squares: zeros(),
    best: zeros().fill(-Infinity),
    bestId: new Int32Array(positions).fill(-1),
    target: zeros(),
    broken: new Uint8Array(positions)
  };
}
function addOracle(block, p, width, start, target, state, running, weights) {
  const own = running[0];
  let best = own.best[p];
  let second = state.second[p];
  let id = own.bestId[p];
  for (let i = 0; i < width; i++) {
    const value = block[p * width + i];
    if (!Number.isFinite(value)) own.broken[p] = 1;
    if (value > best) {
      second = best;
      best = value;
      id = start + i;
    } else if (value > second) second = value;
  }
  own.best[p] = best;
  own.bestId[p] = id;
  state.second[p] = second;
  if (target >= start && target < start + width) own.target[p] = block[p * width + target - start];
  const rescale = Math.exp(state.max[p] - best);
  if (rescale !== 1) {
    state.weight[p] = state.weight[p] * rescale;
    for (const { expm1, shift, excess, partition } of running)
      for (const sum2 of [expm1, shift, excess, partition]) sum2[p] = sum2[p] * rescale;
    state.max[p] = best;
  }
  let weight = 0;
  for (let i = p * width; i < (p + 1) * width; i++) {
    const w = Math.exp(block[i] - best);
    weights[i] = w;
    weight += w;
  }
  state.weight[p] = state.weight[p] + weight;
}
function addLane(lane, oracle, block, width, start, targets, weights) {
  for (let p = 0; p < targets.length; p++) {
    let [expm1, shift, excess, partition, sum2, squares] = [0, 0, 0, 0, 0, 0];
    let best = lane.best[p];
    let id = -1;
    for (let i = p * width; i < (p + 1) * width; i++) {
      const value = block[i];
      const raw = value - oracle[i];
      if (raw - raw !== 0) {
        lane.broken[p] = 1;
        continue;
      }
      const w = weights[i];
      const d = clamped(raw);
      const near = d <= 1 && d >= -1;
      const grown = near ? 0 : Math.exp(d);
      const beyond = near ? excessOf(d) : grown - 1 - d;
      expm1 += w * (beyond + d);
      shift += w * d;
      excess += w * beyond;
      partition += w * (near ? beyond + d + 1 : grown);
      sum2 += raw;
      squares += raw * raw;
      if (value > best) {
        best = value;
        id = i;
      }
    }
    lane.expm1[p] = lane.expm1[p] + expm1;
    lane.shift[p] = lane.shift[p] + shift;
    lane.excess[p] = lane.excess[p] + excess;
    lane.partition[p] = lane.partition[p] + partition;
    lane.sum[p] = lane.sum[p] + sum2;
    lane.squares[p] = lane.squares[p] + squares;
    lane.best[p] = best;
    if (id >= 0) lane.bestId[p] = start + id - p * width;
    const target = targets[p];
    if (target >= start && target < start + width) {
      const at = p * width + target - start;
      const expected = oracle[at];
      lane.target[p] = expected + clamped(block[at] - expected);
    }
  }
}
function excessOf(d) {
  if (d > 0.125 || d < -0.125) return Math.expm1(d) - d;
  const s = d * d;
  const even = 1 / 2 + s * (1 / 24 + s * (1 / 720 + s * (1 / 40320 + s / 3628800)));
  const odd = 1 / 6 + s * (1 / 120 + s * (1 / 5040 + s * (1 / 362880 + s / 39916800)));
  return s * (even + d * odd);
}
function clamped(d) {
  return d > MAX_SHIFT ? MAX_SHIFT : d < -MAX_SHIFT ? -MAX_SHIFT : d;
}
function summarise(running, oracle, targets, noise, decisiveMargin) {
  const positions = targets.length;
  const reference = running[0];
  const lanes = running.slice(1);
  const broken2 = (lane) => lane.broken.reduce((sum2, flag2) => sum2 + flag2, 0);
  const mean2 = (lane, value) => {
    if (broken2(lane) > 0) return NaN;
    let sum2 = 0;
    for (let p = 0; p < positions; p++) sum2 += value(p);
    return sum2 / positions;
  };
  const differs = (lane, p) => lane.bestId[p] !== reference.bestId[p];
  const margin = (p) => reference.best[p] - oracle.second[p];
  const logSum = (lane, p) => oracle.max[p] + Math.log(oracle.weight[p]) + (lane === reference ? 0 : logRatio(lane, oracle.weight[p], p));
  return {
    positions,
    kl: lanes.map((lane) => mean2(lane, (p) => divergence(lane, oracle.weight[p], p))),
    top1_agreement: lanes.map((lane) => 1 - sumOver(positions, (p) => differs(lane, p) ? 1 : 0) / positions),
    decisive_flips: lanes.map(
      (lane) => sumOver(positions, (p) => differs(lane, p) && margin(p) > decisiveMargin * noise[p] ? 1 : 0)
    ),
    perplexity: running.map((lane) => perplexity(targets, (p) => logSum(lane, p) - lane.target[p], broken2(lane) > 0)),
    non_finite: running.map(broken2),
    first_non_finite: running.map((lane) => lane.broken.indexOf(1))
  };
}
function sumOver(count2, value) {
  let sum2 = 0;
  for (let i = 0; i < count2; i++) sum2 += value(i);
  return sum2;
}
var CLOSE = 0.5;
function logRatio(lane, weight, p) {
  const e = lane.expm1[p] / weight;
  return Math.abs(e) < CLOSE ? Math.log1p(e) : Math.log(lane.partition[p] / weight);
}
function divergence(lane, weight, p) {
  const e = lane.expm1[p] / weight;
  if (Math.abs(e) >= CLOSE) return Math.max(0, logRatio(lane, weight, p) - lane.shift[p] / weight);
  const correction = Math.abs(e) < 1e-4 ? -(e * e) / 2 + e * e * e / 3 : Math.log1p(e) - e;
  return Math.max(0, lane.excess[p] / weight + correction);
}
function noiseAt(lanes, noiseLanes, p, vocabulary) {
  return Math.max(0, ...noiseLanes.map((lane) => spread(lanes[lane], p, vocabulary)));
}
function spread(lane, p, vocabulary) {
  const mean2 = lane.sum[p] / vocabulary;
  return Math.sqrt(Math.max(0, lane.squares[p] / vocabulary - mean2 * mean2));
}
function perplexity(targets, nll, broken2) {
  let [sum2, count2] = [0, 0];
  for (const [p, target] of targets.entries()) {
    if (target < 0) continue;
    sum2 += nll(p);
    count2++;
  }
  const value = Math.exp(sum2 / count2);
  return count2 === 0 || broken2 || !Number.isFinite(value) ? null : value;
}

// src/diff/read-text.ts
async function readTexts(context, texts, recipes = [], end = null) {
  if (texts.length === 0) return [];
  const { dtype, program } = context;
  const key = { what: "views", depends: { dtype, recipes, ops: program.ops, texts, end }, tensors: {} };
  const views2 = unpacked(
    await remembered(
      context.keeper,
      () => key,
      async () => packed2(await read(context, texts, recipes, end), recipes.length)
    )
  );
  let start = 0;
  return texts.map(({ ids }) => views2.slice(start, start += ids.length + (end === null ? 0 : 1)));
}
function packed2(views2, lanes) {
  const rows2 = views2.flatMap(({ best, nll, below_best, noise, choices }) => [best, nll, below_best, noise, ...choices]);
  return { tensors: { views: { data: Float64Array.from(rows2), shape: [views2.length, 4 + lanes] } }, note: null };
}
function unpacked({ tensors }) {
  const { data, shape } = tensors["views"];
  const [count2 = 0, width = 0] = shape;
  return Array.from({ length: count2 }, (_, i) => {
    const [best = NaN, nll = NaN, below_best = NaN, noise = NaN, ...choices] = data.subarray(i * width, (i + 1) * width);
    return { best, nll, below_best, noise, choices };
  });
}
async function read(context, texts, recipes, end) {
  const sequence = joinPrompts(
    context.program,
    // The last token predicts nothing that is asked for, unless an end is.
    texts.map(({ prompt, ids }) => [...prompt, ...end === null ? ids.slice(0, -1) : ids])
  );
  const targets = new Int32Array(sequence.ids.length).fill(-1);
  const starts = texts.map(({ prompt }, i) => (sequence.segments[i]?.start ?? 0) + prompt.length - 1);
  for (const [i, { ids }] of texts.entries()) targets.set(end === null ? ids : [...ids, end], starts[i]);
  const lanes = [ORACLE, ...recipes].map((recipe) => ({ recipe, values: /* @__PURE__ */ new Map(), standIns: /* @__PURE__ */ new Map() }));
  const logits = logitsMeter(lanes.length, targets);
  await walk({
    ...context,
    sequence,
    lanes,
    keep: /* @__PURE__ */ new Map(),
    scanAll: false,
    afterOp: () => Promise.resolve(),
    logits: (start, blocks) => logits.add(start, blocks)
  });
  const views2 = logits.perPosition(recipes.map((_, i) => i));
  return texts.flatMap(({ ids }, i) => views2.slice(starts[i], starts[i] + ids.length + (end === null ? 0 : 1)));
}

// src/diff/site.ts
function laneInputs(site, lane) {
  const inputs = {};
  for (const [name, value] of site.inputs) {
    const array = lane.values.get(value);
    const tokens = array.shape[0];
    inputs[name] = name === "x" ? { data: array.data, shape: [tokens, array.data.length / tokens] } : array;
  }
  return inputs;
}
function weightOf({ checkpoint, dtype, weights }, ref) {
  const key = `${ref.tensor} ${ref.rows?.start ?? "whole"}`;
  const weight = weights?.get(key) ?? wholeWeight(checkpoint, ref, dtype);
  weights?.set(key, weight);
  return weight;
}
async function siteWeights(context, site) {
  const weights = {};
  for (const [name, refs] of site.weights) weights[name] = joinRows(await Promise.all(refs.map((ref) => weightOf(context, ref))));
  return weights;
}
function namesOf({ op, inputs, outputs }) {
  return { contract: op, inputs: [...inputs], outputs: [...outputs] };
}
function laneOutputs(site, lane) {
  return Object.fromEntries([...site.outputs].map(([name, value]) => [name, lane.values.get(value)]));
}
async function callKernel({ dtype }, kernel, site, inputs, sequence, variant = "fused") {
  const violations = [];
  const call = async (part) => {
    const answer = await kernel.run({ inputs: part, attributes: site.attributes, dtype, variant, repeat: 1 });
    violations.push(...answer.violations);
    return answer.outputs;
  };
  if (!seesOtherTokens(site)) return { outputs: await call(inputs), violations };
  const weights = Object.fromEntries(Object.entries(inputs).filter(([name]) => site.weights.has(name)));
  const tokens = Object.fromEntries(Object.entries(inputs).filter(([name]) => !site.weights.has(name)));
  const outputs = await perSegment(sequence, tokens, (part) => call({ ...part, ...weights }));
  return { outputs, violations };
}
function seesOtherTokens(site) {
  return site.op === "attention" || site.op === "decoder_layer";
}
async function runSite(context, site, recipe, inputs, sequence) {
  const own = leaving(recipe);
  const values = /* @__PURE__ */ new Map();
  for (const [name, value] of site.inputs) values.set(value, inRecipe(inputs[name], recipe, value));
  for (let index = site.start; index <= site.end; index++) {
    const op = context.program.ops[index];
    const given = {};
    for (const [name, value] of Object.entries(op.inputs)) given[name] = values.get(value);
    const outputs = await runStep(context, op, own, given, sequence);
    for (const [name, value] of Object.entries(op.outputs)) values.set(value, outputs[name]);
  }
  return Object.fromEntries([...site.outputs].map(([name, value]) => [name, values.get(value)]));
}
function inRecipe(array, recipe, name) {
  if (recipe.compute === "float32" || name.startsWith("cos:") || name.startsWith("sin:")) return array;
  return { data: Float64Array.from(array.data), shape: array.shape };
}
async function runStep(context, op, recipe, given, sequence) {
  const run = (each, inputs2) => isProduct(each) ? linears2(context, each, recipe, inputs2) : runOp(context.runner, each, recipe, inputs2, sequence);
  const inputs = { ...given };
  if (!isProduct(op)) for (const [name, ref] of Object.entries(op.weights)) inputs[name] = await weightOf(context, ref);
  const weight = (ref) => weightOf(context, ref);
  return context.change === void 0 ? run(op, inputs) : context.change(op, inputs, { recipe, sequence, run, weight });
}
function isProduct({ op }) {
  return op === "linear" || op === "qkv";
}
async function linears2(context, op, recipe, inputs) {
  const outputs = {};
  const x = inputs["x"];
  for (const { tensor, ref, bias, shape } of matrices(op)) {
    const data = (await weightOf(context, ref)).data;
    const added = bias === void 0 ? null : (await weightOf(context, bias)).data;
    const y = await context.runner.linear(recipe, x, { form: "float32", data, shape: [ref.shape[0] ?? 1, ref.shape[1] ?? 1] }, added);
    outputs[tensor] = { data: y.data, shape: shape(x.shape[0] ?? 0) };
  }
  return outputs;
}

// src/diff/fused-lane.ts
function fusedLane(context, placements, fallback, failures) {
  const standIns = /* @__PURE__ */ new Map();
  for (const { kernel, site } of placements) {
    const standIn = {
      end: site.end,
      async run(lane) {
        let outputs = laneOutputs(site, fallback);
        if (failures.length === 0) {
          try {
            const inputs = { ...laneInputs(site, lane), ...await siteWeights(context, site) };
            ({ outputs } = await callKernel(context, kernel, site, inputs, context.sequence));
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            failures.push(`${kernel.name}: ${error.message}`);
          }
        }
        for (const [name, value] of site.outputs) lane.values.set(value, served(outputs[name], context));
      }
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return { recipe: context.recipes[0], values: /* @__PURE__ */ new Map(), standIns };
}
function served({ data, shape }, { dtype }) {
  return { data: data instanceof Float64Array ? roundToServing(Float32Array.from(data), dtype) : data, shape };
}
function kernelNames(placements) {
  return [...new Set(placements.map(({ kernel }) => kernel.name))].join(" ");
}
function lookedAt(sites) {
  const until = /* @__PURE__ */ new Map();
  for (const { inputs, outputs, end } of sites)
    for (const value of [...inputs.values(), ...outputs.values()]) until.set(value, Math.max(end, until.get(value) ?? 0));
  return until;
}

// src/diff/writers.ts
var NOT_FINITE = { why: "logits are NaN or infinite", non_finite: true };
var ONE_TEXT = { ids: [], segments: [{ start: 0, end: 0 }] };
async function writeStandard(context, tasks) {
  const recipe = eager(context.dtype);
  const given = tasks.map((task) => ({ ...task, ends: [...task.ends] }));
  const { note } = await remembered(
    context.keeper,
    () => ({ what: "texts", depends: { recipe, ops: context.program.ops, given }, tensors: {} }),
    async () => ({ tensors: {}, note: await write(context, tasks, { recipe }, /* @__PURE__ */ new Map()) })
  );
  return note;
}
async function writeFused(context, fused, tasks, drafts) {
  if (fused.kind === "texts") return fused.texts.map((ids) => ({ ids, stopped: null }));
  if (fused.kind === "model") return writeModel(context, fused.logits, tasks);
  const { placements } = fused;
  const cached = !placements.some(({ site }) => site.op === "decoder_layer");
  const called = kernelNames(placements);
  const options = { recipe: eager(context.dtype), standIns: standInsOf(context, placements), cached, called };
  return write(context, tasks, options, lookedAt(placements.map(({ site }) => site)), cached ? drafts : []);
}
async function write(context, tasks, options, keep, drafts = []) {
  const { called } = options;
  const pens = tasks.map((task, i) => penOf(task, called === void 0 ? options : { ...options, called: `${called}, text ${i}` }));
  for (const [i, pen] of pens.entries()) {
    let draft = drafts[i] ?? [];
    while (isOpen(pen)) {
      const { writer: own, task } = pen;
      const length = own.ids.length;
      const ahead = length === task.prompt.length ? [] : draft.slice(length - task.prompt.length, -1);
      try {
        own.ids.push(...ahead);
        const [after2 = []] = await nextTokens({ ...context, keep }, [own]);
        const tokens = after2.slice(-1 - ahead.length);
        const parted = tokens.findIndex((id, t) => t < ahead.length && id !== ahead[t]);
        const agreed = parted < 0 ? ahead.length : parted;
        takeBack(own, length + agreed);
        put(pen, tokens[agreed] ?? null);
        if (own.ids.at(-1) !== draft[own.ids.length - task.prompt.length - 1]) draft = [];
      } catch (error) {
        takeBack(own, length);
        stopAll(pens, error);
      }
    }
  }
  return pens.map(written);
}
async function writeModel({ dtype }, logitsOf, tasks) {
  const pens = tasks.map((task) => penOf(task, { recipe: eager(dtype) }));
  for (const pen of pens) {
    while (isOpen(pen)) {
      try {
        const { data, shape } = await logitsOf(pen.writer.ids);
        const best = { id: -1, value: -Infinity, finite: true };
        take(best, data.subarray(data.length - shape[1]), 0);
        put(pen, best.finite ? best.id : null);
      } catch (error) {
        stopAll(pens, error);
      }
    }
  }
  return pens.map(written);
}
function penOf(task, options) {
  return { task, writer: writer(task.prompt, options), stopped: null };
}
function isOpen({ task, writer: { ids }, stopped }) {
  const length = ids.length - task.prompt.length;
  return stopped === null && length < task.tokens && !(length > 0 && task.ends.has(ids.at(-1)));
}
function put(pen, id) {
  if (id === null) pen.stopped = NOT_FINITE;
  else pen.writer.ids.push(id);
}
function stopAll(pens, error) {
  if (!(error instanceof KernelError)) throw error;
  for (const pen of pens) if (isOpen(pen)) pen.stopped = { why: error.message, non_finite: false };
}
function written({ task, writer: { ids }, stopped }) {
  return { ids: ids.slice(task.prompt.length), stopped };
}
function standInsOf(context, placements) {
  const standIns = /* @__PURE__ */ new Map();
  for (const { kernel, site } of placements) {
    const standIn = {
      end: site.end,
      async run(lane) {
        const weights = await siteWeights(context, site);
        const call = async (inputs) => {
          const { outputs: outputs2 } = await callKernel(context, kernel, site, { ...inputs, ...weights }, ONE_TEXT).catch((error) => {
            throw error instanceof KernelError ? new KernelError(`${kernel.name}: ${error.message}`) : error;
          });
          return outputs2;
        };
        const outputs = await (lane.sequence?.past === void 0 || lane.sequence.past === 0 ? call(laneInputs(site, lane)) : tokenByToken(laneInputs(site, lane), lane.sequence.ids.length, call));
        for (const [name, value] of site.outputs) lane.values.set(value, outputs[name]);
      }
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return standIns;
}
async function tokenByToken(inputs, count2, call) {
  const parts = [];
  for (let t = 0; t < count2; t++) {
    const part = Object.entries(inputs).map(([name, array]) => {
      const all = array.shape[0];
      return [name, rows(array, all === count2 ? t : 0, all - count2 + t + 1)];
    });
    parts.push(await call(Object.fromEntries(part)));
  }
  const names2 = Object.keys(parts[0] ?? {});
  return Object.fromEntries(names2.map((name) => [name, joinRows(parts.map((part) => part[name]))]));
}

// src/diff/generation.ts
var PROMPTS = 2;
var MAX_NEW_TOKENS = 16;
var BUDGET_BYTES = 2 * 2 ** 30;
var MIN_STEPS = 8;
var KEPT_BYTES = 256 * 2 ** 20;
var COMMAND_FACTOR = 4;
var FAR_NATS = Math.LN2;
var FAR_STANDARD_ERRORS = 2;
var LOOP_REPEATS = 3;
var LOOP_TOKENS = 8;
async function generate(options) {
  const { program, prompts, fused, config } = options;
  const bytes = weightBytes(options, program);
  const plan = planOf(bytes.step, fused.kind, options.max_new_tokens);
  const context = {
    program,
    dtype: options.dtype,
    runner: options.runner,
    keeper: options.keeper ?? null,
    checkpoint: bytes.all <= KEPT_BYTES ? inMemory(options.checkpoint) : options.checkpoint
  };
  const tasks = prompts.slice(0, plan.prompts).flatMap((prompt) => {
    const tokens = Math.min(plan.tokens, roomAfter(program, prompt));
    return tokens === 0 ? [] : [{ prompt, tokens, ends: endTokens(config) }];
  });
  const standardTexts = await writeStandard(context, tasks);
  const drafts = standardTexts.map(({ ids }) => ids);
  const fusedTexts = await writeFused(context, fused, tasks, drafts);
  const standardViews = await views(context, tasks, standardTexts);
  const parted = fusedTexts.map((text, i) => !isSame(text, standardTexts[i]));
  const fusedViews = await views(
    context,
    tasks,
    fusedTexts.map((text, i) => parted[i] === true ? text : NOTHING)
  );
  return tasks.map((task, i) => {
    const standard = { ...standardTexts[i], views: standardViews[i] };
    const fusedText = parted[i] === true ? { ...fusedTexts[i], views: fusedViews[i] } : standard;
    return entryOf(task, standard, fusedText, options);
  });
}
var NOTHING = { ids: [], stopped: null };
async function views(context, tasks, texts) {
  const all = texts.map(({ ids }, i) => ({ prompt: tasks[i].prompt, ids }));
  const read2 = await readTexts(
    context,
    all.filter(({ ids }) => ids.length > 0)
  );
  return all.map(({ ids }) => ids.length === 0 ? [] : read2.shift());
}
function isSame(a, b) {
  return a.stopped === null && b.stopped === null && a.ids.length === b.ids.length && a.ids.every((id, t) => id === b.ids[t]);
}
function roomAfter({ max_position_embeddings }, prompt) {
  return Math.max(0, max_position_embeddings - prompt.length);
}
function endTokens({ eos_token_id: ends }) {
  return new Set((Array.isArray(ends) ? ends : [ends]).filter((id) => typeof id === "number"));
}
function weightBytes({ checkpoint, fused }, program) {
  const names2 = new Set(program.ops.flatMap(({ weights }) => Object.values(weights).map(({ tensor }) => tensor)));
  const all = sum([...names2], (name) => sizeOf(checkpoint, name));
  const placements = fused.kind === "sites" ? fused.placements : [];
  const sent = sum(placements, ({ kernel, site }) => {
    const given = sum([...site.weights.values()].flat(), ({ tensor }) => sizeOf(checkpoint, tensor));
    return given * (kernel.backend === "command" ? COMMAND_FACTOR : 1);
  });
  return { all, step: all + sent };
}
function sizeOf(checkpoint, tensor) {
  return checkpoint.tensors.get(tensor)?.byteLength ?? 0;
}
function sum(values, of) {
  return values.reduce((total, value) => total + of(value), 0);
}
function planOf(bytes, kind, most) {
  const limit = kind === "model" ? MIN_STEPS : PROMPTS * most;
  const steps = Math.min(limit, Math.max(MIN_STEPS, Math.floor(BUDGET_BYTES / bytes)));
  const prompts = steps > most ? PROMPTS : 1;
  return { prompts, tokens: Math.min(most, Math.floor(steps / prompts)) };
}
function entryOf({ prompt, tokens }, standard, fused, { noise, decisive_margin }) {
  const decisive = decisive_margin * noise;
  const position2 = divergenceOf(standard.ids, fused.ids);
  const below = ({ views: of }, at) => of[at].below_best;
  const margin = position2 === null ? 0 : Math.abs(below(standard, position2) - below(fused, position2));
  const loops = { standard: isLoop(standard.ids), fused: isLoop(fused.ids) };
  const astray = fused.views.some(({ below_best }) => below_best > decisive);
  const average = (of, what) => finite(mean(of.views.map((view2) => view2[what])));
  return {
    prompt: idsText(prompt),
    tokens,
    text_standard: idsText(standard.ids),
    text_fused: idsText(fused.ids),
    ids_prompt: [...prompt],
    ids_standard: [...standard.ids],
    ids_fused: [...fused.ids],
    first_divergence: position2 === null ? null : { position: position2, near_tie: margin <= decisive, margin },
    loops,
    nll_standard: average(standard, "nll"),
    nll_fused: average(fused, "nll"),
    excess_standard: average(standard, "below_best"),
    excess_fused: average(fused, "below_best"),
    ...judge(standard, fused, loops.fused && !loops.standard && astray)
  };
}
function divergenceOf(a, b) {
  const at = a.findIndex((id, i) => i < b.length && id !== b[i]);
  return at < 0 ? null : at;
}
function judge(standard, fused, lost) {
  if (standard.stopped !== null) return { coherent: null, detail: `the standard text ends after ${after(standard)}` };
  if (standard.views.some(({ nll }) => Number.isNaN(nll))) return { coherent: null, detail: "logits of the oracle are NaN or infinite" };
  if (fused.stopped !== null)
    return { coherent: fused.stopped.non_finite ? false : null, detail: `the fused text ends after ${after(fused)}` };
  const [own, other] = [fused, standard].map((text) => text.views.map(({ below_best }) => below_best));
  const excess = mean(own) - mean(other);
  const far = excess > FAR_NATS && excess > FAR_STANDARD_ERRORS * Math.hypot(standardError(own), standardError(other));
  if (far) {
    const times = Math.exp(excess).toPrecision(2);
    return { coherent: false, detail: `to the oracle its tokens are ${times} times less likely than the best ones, in the geometric mean` };
  }
  if (lost)
    return {
      coherent: false,
      detail: "it runs into a loop that the standard text has not, after a token that the oracle would not choose"
    };
  return { coherent: true, detail: null };
}
function after({ ids, stopped }) {
  return `${ids.length} tokens: ${stopped?.why ?? ""}`;
}
function isLoop(ids) {
  for (let period = 1; period * LOOP_REPEATS <= ids.length; period++) {
    const length = Math.max(period * LOOP_REPEATS, LOOP_TOKENS);
    const tail = ids.slice(-length);
    if (tail.length === length && tail.every((id, i) => i < period || id === tail[i - period])) return true;
  }
  return false;
}
function mean(values) {
  return sum(values, (value) => value) / values.length;
}
function standardError(values) {
  const middle = mean(values);
  return Math.sqrt(sum(values, (value) => (value - middle) ** 2) / Math.max(1, values.length - 1) / values.length);
}
function finite(value) {
  return Number.isFinite(value) ? value : null;
}
function idsText(ids) {
  return ids.join(" ");
}

// src/weights/checkpoint.ts
init_errors();

// src/weights/gguf-model.ts
init_errors();

// src/weights/gguf.ts
init_errors();

// src/weights/byte-stream.ts
var FIRST_BYTES = 64 * 1024;
var AFTER_JUMP_BYTES = 4 * 1024;
var MOST_BYTES = 4 * 1024 * 1024;
function startStream(source, fault) {
  return { source, fault, window: Buffer.alloc(0), windowStart: 0, at: 0, nextRead: FIRST_BYTES };
}
function position(stream) {
  return stream.windowStart + stream.at;
}
function left(stream) {
  return stream.source.byteLength - position(stream);
}
async function need(stream, bytes, what) {
  const inWindow = stream.window.byteLength - stream.at;
  if (inWindow >= bytes) return;
  const start = position(stream);
  if (bytes > left(stream)) throw stream.fault(start, `${what} needs ${bytes} bytes, ${Math.max(0, left(stream))} are left: file cut?`);
  const jumped = inWindow < 0;
  if (jumped) stream.nextRead = AFTER_JUMP_BYTES;
  const kept = jumped ? Buffer.alloc(0) : stream.window.subarray(stream.at);
  const from = start + kept.byteLength;
  const to = Math.min(stream.source.byteLength, from + Math.max(bytes - kept.byteLength, stream.nextRead));
  const read2 = await stream.source.slice(from, to);
  const fresh = Buffer.from(read2.buffer, read2.byteOffset, read2.byteLength);
  stream.window = kept.byteLength === 0 ? fresh : Buffer.concat([kept, fresh]);
  stream.windowStart = start;
  stream.at = 0;
  stream.nextRead = Math.min(MOST_BYTES, stream.nextRead * 2);
}
function skip(stream, bytes, what) {
  if (bytes > left(stream)) throw stream.fault(position(stream), `${what} needs ${bytes} bytes, ${left(stream)} are left: file cut?`);
  stream.at += bytes;
}

// src/weights/ggml-types.ts
var GGML_TYPES = new Map([
  [0, "F32", 1, 4],
  [1, "F16", 1, 2],
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  [24, "I8", 1, 1],
  [25, "I16", 1, 2],
  [26, "I32", 1, 4],
  [27, "I64", 1, 8],
  [28, "F64", 1, 8],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18]
].map(([id, dtype, values, bytes]) => [id, { dtype, values, bytes }]));
var REMOVED_TYPES = [4, 5, 31, 32, 33, 36, 37, 38];
var f = Math.fround;
var DECODERS = {
  Q4_0: { values: 32, bytes: 18, decode: (block, out) => decodeHalves(block, out, { at: 2, high: null, min: null, zero: 8 }) },
  Q4_1: { values: 32, bytes: 20, decode: (block, out) => decodeHalves(block, out, { at: 4, high: null, min: 2, zero: 0 }) },
  Q5_0: { values: 32, bytes: 22, decode: (block, out) => decodeHalves(block, out, { at: 6, high: 2, min: null, zero: 16 }) },
  Q5_1: { values: 32, bytes: 24, decode: (block, out) => decodeHalves(block, out, { at: 8, high: 4, min: 2, zero: 0 }) },
  Q8_0: { values: 32, bytes: 34, decode: decodeQ8 },
  Q2_K: { values: 256, bytes: 84, decode: decodeQ2K },
  Q3_K: { values: 256, bytes: 110, decode: decodeQ3K },
  Q4_K: { values: 256, bytes: 144, decode: (block, out) => decodeQ45K(block, out, null, 16) },
  Q5_K: { values: 256, bytes: 176, decode: (block, out) => decodeQ45K(block, out, 16, 48) },
  Q6_K: { values: 256, bytes: 210, decode: decodeQ6K }
};
var DEQUANTIZED = Object.keys(DECODERS);
function dequantize(bytes, dtype) {
  const decoder = Object.hasOwn(DECODERS, dtype) ? DECODERS[dtype] : void 0;
  if (decoder === void 0) return null;
  const blocks = bytes.byteLength / decoder.bytes;
  if (!Number.isInteger(blocks)) throw new RangeError(`${bytes.byteLength} bytes are no whole number of ${dtype} blocks`);
  const out = new Float32Array(blocks * decoder.values);
  for (let i = 0; i < blocks; i++) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + i * decoder.bytes, decoder.bytes);
    decoder.decode(block, out.subarray(i * decoder.values, (i + 1) * decoder.values));
  }
  return out;
}
function half(block, at) {
  return float16ToFloat32(Uint16Array.of(block.getUint16(at, true)))[0];
}
function decodeHalves(block, out, layout) {
  const d = half(block, 0);
  const min = layout.min === null ? 0 : half(block, layout.min);
  const high = layout.high === null ? 0 : block.getUint32(layout.high, true);
  for (let i = 0; i < 32; i++) {
    const nibble = block.getUint8(layout.at + i % 16) >>> (i < 16 ? 0 : 4) & 15;
    const q = (nibble | (high >>> i & 1) << 4) - layout.zero;
    out[i] = f(d * q) + min;
  }
}
function decodeQ8(block, out) {
  const d = half(block, 0);
  for (let i = 0; i < 32; i++) out[i] = d * block.getInt8(2 + i);
}
function decodeQ2K(block, out) {
  const d = half(block, 80);
  const dmin = half(block, 82);
  for (let i = 0; i < 256; i++) {
    const scale = block.getUint8(i >> 4);
    const q = block.getUint8(16 + (i >> 7) * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3;
    out[i] = f(f(d * (scale & 15)) * q) - f(dmin * (scale >>> 4));
  }
}
function decodeQ3K(block, out) {
  const d = half(block, 108);
  for (let i = 0; i < 256; i++) {
    const s = i >> 4;
    const low = block.getUint8(96 + (s & 7)) >>> (s < 8 ? 0 : 4) & 15;
    const scale = (low | (block.getUint8(104 + (s & 3)) >>> 2 * (s >> 2) & 3) << 4) - 32;
    const high = block.getUint8(i & 31) >>> (i >> 5) & 1;
    const q = (block.getUint8(32 + (i >> 7) * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3) - (high === 1 ? 0 : 4);
    out[i] = f(d * scale) * q;
  }
}
function decodeQ45K(block, out, high, values) {
  const d = half(block, 0);
  const dmin = half(block, 2);
  for (let i = 0; i < 256; i++) {
    const group = i >> 5;
    const { scale, min } = scaleAndMin(block, group);
    const nibble = block.getUint8(values + (group >> 1) * 32 + (i & 31)) >>> 4 * (group & 1) & 15;
    const q = nibble | (high === null ? 0 : (block.getUint8(high + (i & 31)) >>> group & 1) << 4);
    out[i] = f(f(d * scale) * q) - f(dmin * min);
  }
}
function scaleAndMin(block, group) {
  const at = (index) => block.getUint8(4 + index);
  if (group < 4) return { scale: at(group) & 63, min: at(group + 4) & 63 };
  const packed3 = at(group + 4);
  return { scale: packed3 & 15 | at(group - 4) >>> 6 << 4, min: packed3 >>> 4 | at(group) >>> 6 << 4 };
}
function decodeQ6K(block, out) {
  const d = half(block, 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7;
    const low = block.getUint8(part * 64 + (i & 63)) >>> (i & 64 ? 4 : 0) & 15;
    const high = block.getUint8(128 + part * 32 + (i & 31)) >>> 2 * (i >> 5 & 3) & 3;
    out[i] = f(d * block.getInt8(192 + (i >> 4))) * ((low | high << 4) - 32);
  }
}

// src/weights/gguf.ts
var GGUF_HEADER_LIMIT = 2 ** 30;
var KEYS_LIMIT = 1e5;
var TENSORS_LIMIT = 1e6;
var ARRAY_LIMIT = 2 ** 30;
var KEY_BYTES = 65535;
var NAME_BYTES = 63;
var DIMENSIONS = 4;
var ALIGNMENT_LIMIT = 2 ** 20;
var KEPT_BYTES2 = 65536;
var KEPT_NUMBERS = 4096;
var STRING = 8;
var ARRAY = 9;
var SIZES = new Map([1, 1, 2, 2, 4, 4, 4, 1, NaN, NaN, 8, 8, 8].map((size, type) => [type, size]));
var TYPE_NAMES = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64"
];
async function readGguf(source) {
  const fault = (at, problem) => invalid(source.name, `${problem} (byte ${at}).`);
  const stream = startStream(source, fault);
  const counts = await readPreamble(stream);
  const metadata = /* @__PURE__ */ new Map();
  let alignment = 32;
  for (let i = 0; i < counts.keys; i++) {
    const at = position(stream);
    const key = await readText(stream, "a key", KEY_BYTES);
    if (key === "") throw fault(at, "a key of the metadata is empty");
    if (metadata.has(key)) throw fault(at, `the key ${quote(key)} stands in the metadata twice`);
    await want(stream, 4, `the type of ${quote(key)}`);
    const type = u32(stream);
    if (key === "general.alignment" && type !== 4) throw fault(at, `general.alignment has type ${typeName(type)}; it must be uint32`);
    const value = await readValue(stream, type, `the value of ${quote(key)}`);
    metadata.set(key, value);
    if (key === "general.alignment") alignment = checkAlignment(value, (problem) => fault(at, problem));
    if (position(stream) > GGUF_HEADER_LIMIT) throw fault(position(stream), `the header is over the limit of ${GGUF_HEADER_LIMIT} bytes`);
  }
  const tensors = await readTable(stream, counts.tensors, alignment);
  const dataStart2 = padded(position(stream), alignment);
  const last = [...tensors.values()].at(-1);
  const end = last === void 0 ? 0 : dataStart2 + last.begin + last.byteLength;
  if (last !== void 0 && end > source.byteLength) {
    const cut = `file cut: the tensors need ${end} bytes, the file has ${source.byteLength}; the last tensor is ${quote(last.name)}`;
    throw invalid(source.name, `${cut}. Download it again.`);
  }
  return {
    source,
    metadata,
    tensors,
    read({ name }, from, to) {
      const first = dataStart2 + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + from, first + to);
    }
  };
}
async function readPreamble(stream) {
  const { source, fault } = stream;
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength));
  const magic = Buffer.from(start.subarray(0, 4)).toString("latin1");
  if (magic !== "GGUF") throw invalid(source.name, notGguf(magic, start));
  await want(stream, 24, "the start of the file");
  stream.at += 4;
  const version = u32(stream);
  if ((version & 65535) === 0 && version !== 0) {
    throw fault(4, "this file is big-endian; only little-endian GGUF is read: convert it again on, or for, a little-endian machine");
  }
  if (version < 2 || version > 3) {
    const old = version === 1 ? "version 1 is older than llama.cpp reads: convert the model again" : "versions 2 and 3 are read";
    throw fault(4, `GGUF version ${version}; ${old}`);
  }
  const tensors = count(stream, "tensors", 24, TENSORS_LIMIT);
  const keys = count(stream, "metadata keys", 13, KEYS_LIMIT);
  return { keys, tensors };
}
function notGguf(magic, start) {
  if (magic === "FUGG")
    return "this is a GGUF file with its bytes swapped (big-endian); only little-endian GGUF is read. Convert it again.";
  if (["GGML", "GGJT", "GGMF", "lmgg", "tjgg", "fmgg"].includes(magic)) {
    return `this is a ${magic.startsWith("GG") ? magic : [...magic].reverse().join("").toUpperCase()} file, older than GGUF. Convert it with llama.cpp, or download a GGUF.`;
  }
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not GGUF");
  return `${foreign ?? `not a GGUF file: it begins with ${quote(magic)}`}. Download it again.`;
}
function count(stream, what, size, limit) {
  const at = position(stream);
  const value = u64(stream);
  if (typeof value === "bigint" || value > limit) throw stream.fault(at, `the header says ${value} ${what}; the limit is ${limit}`);
  if (value * size > left(stream)) throw stream.fault(at, `the header says ${value} ${what}, for which the file is too short: file cut?`);
  return value;
}
function checkAlignment(value, fault) {
  if (typeof value !== "number" || value === 0 || (value & value - 1) !== 0 || value > ALIGNMENT_LIMIT || value < 0) {
    throw fault(`general.alignment is ${String(value)}; it must be a power of two up to ${ALIGNMENT_LIMIT}`);
  }
  return value;
}
async function readValue(stream, type, what) {
  if (type === STRING) return readKeptText(stream, what);
  if (type === ARRAY) return readArray(stream, what);
  const size = SIZES.get(type);
  if (size === void 0) throw stream.fault(position(stream), `${what} has the unknown type ${type}`);
  await want(stream, size, what);
  return scalar(stream, type, what);
}
function scalar(stream, type, what) {
  const { window, at } = stream;
  stream.at += SIZES.get(type) ?? 0;
  switch (type) {
    case 0:
      return window.readUInt8(at);
    case 1:
      return window.readInt8(at);
    case 2:
      return window.readUInt16LE(at);
    case 3:
      return window.readInt16LE(at);
    case 4:
      return window.readUInt32LE(at);
    case 5:
      return window.readInt32LE(at);
    case 6:
      return window.readFloatLE(at);
    case 7: {
      const value = window.readUInt8(at);
      if (value > 1) throw stream.fault(stream.windowStart + at, `${what} is a bool of ${value}; only 0 and 1 are`);
      return value === 1;
    }
    case 10:
      return exact(window.readBigUInt64LE(at));
    case 11:
      return exact(window.readBigInt64LE(at));
    default:
      return window.readDoubleLE(at);
  }
}
function exact(value) {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
async function readArray(stream, what) {
  const at = position(stream);
  await want(stream, 12, what);
  const type = u32(stream);
  const length = u64(stream);
  if (type === ARRAY) throw stream.fault(at, `${what} is an array of arrays, which GGUF does not have`);
  const size = type === STRING ? 8 : SIZES.get(type);
  if (size === void 0) throw stream.fault(at, `${what} is an array of the unknown type ${type}`);
  if (typeof length === "bigint" || length > ARRAY_LIMIT)
    throw stream.fault(at, `${what} has ${length} elements; the limit is ${ARRAY_LIMIT}`);
  if (length * size > left(stream)) throw stream.fault(at, `${what} has ${length} elements, for which the file is too short: file cut?`);
  if (type === STRING) {
    for (let i = 0; i < length; i++) {
      if (stream.at + 8 > stream.window.byteLength) await need(stream, 8, what);
      skip(stream, textLength(stream, what), what);
    }
    return null;
  }
  if (length > KEPT_NUMBERS || type === 7) {
    skip(stream, length * size, what);
    return null;
  }
  await want(stream, length * size, what);
  return Array.from({ length }, () => Number(scalar(stream, type, what)));
}
async function readTable(stream, length, alignment) {
  const tensors = /* @__PURE__ */ new Map();
  let expected = 0;
  for (let i = 0; i < length; i++) {
    const at = position(stream);
    const name = await readText(stream, "the name of a tensor", NAME_BYTES);
    const fault = (problem) => stream.fault(at, `tensor ${quote(name)}: ${problem}`);
    if (tensors.has(name)) throw fault("stands in the file twice");
    const tensor = await readTensor(stream, name, fault);
    if (tensor.begin % alignment !== 0) throw fault(`offset ${tensor.begin} is not a multiple of the alignment ${alignment}`);
    if (tensor.begin !== expected) {
      const kind = tensor.begin < expected ? "overlaps the tensor before it" : "leaves a hole";
      throw fault(`offset ${tensor.begin} ${kind}; ${expected} was expected`);
    }
    expected = padded(tensor.begin + tensor.byteLength, alignment);
    if (tensor.begin + tensor.byteLength > stream.source.byteLength) {
      throw fault(`needs ${tensor.byteLength} bytes at offset ${tensor.begin}, more than the file has: file cut? Download it again`);
    }
    tensors.set(name, tensor);
  }
  return tensors;
}
async function readTensor(stream, name, fault) {
  await want(stream, 4, `tensor ${quote(name)}`);
  const dimensions2 = u32(stream);
  if (dimensions2 > DIMENSIONS) throw fault(`has ${dimensions2} dimensions; at most ${DIMENSIONS} are allowed`);
  await want(stream, 8 * dimensions2 + 12, `tensor ${quote(name)}`);
  const sizes = Array.from({ length: dimensions2 }, () => u64(stream));
  const type = u32(stream);
  const begin = u64(stream);
  const known = GGML_TYPES.get(type);
  if (known === void 0)
    throw fault(REMOVED_TYPES.includes(type) ? `type ${type} was taken out of GGUF: convert the model again` : `unknown type ${type}`);
  const elements = sizes.reduce((product, size) => product * Number(size), 1);
  if (sizes.some((size) => typeof size === "bigint") || elements * known.bytes > Number.MAX_SAFE_INTEGER) {
    throw fault(`the size of shape [${[...sizes].reverse().join(",")}] overflows`);
  }
  const row = Number(sizes[0] ?? 1);
  if (row % known.values !== 0) throw fault(`its rows of ${row} values are not a multiple of ${known.values}, the block of ${known.dtype}`);
  if (typeof begin === "bigint") throw fault(`offset ${begin} is beyond any file`);
  const byteLength = elements / known.values * known.bytes;
  return { name, dtype: known.dtype, shape: sizes.map(Number).reverse(), byteLength, file: stream.source.name, begin };
}
async function want(stream, bytes, what) {
  if (stream.at + bytes > stream.window.byteLength) await need(stream, bytes, what);
}
function u32(stream) {
  const value = stream.window.readUInt32LE(stream.at);
  stream.at += 4;
  return value;
}
function u64(stream) {
  const value = exact(stream.window.readBigUInt64LE(stream.at));
  stream.at += 8;
  return value;
}
function textLength(stream, what) {
  const at = position(stream);
  const stated = stream.window.readBigUInt64LE(stream.at);
  const length = Number(stated);
  stream.at += 8;
  if (length > left(stream)) throw stream.fault(at, `${what} is a string of ${stated} bytes, ${left(stream)} are left: file cut?`);
  return length;
}
async function readText(stream, what, limit) {
  const at = position(stream);
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length > limit) throw stream.fault(at, `${what} is ${length} bytes long; the limit is ${limit}`);
  await want(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}
async function readKeptText(stream, what) {
  await want(stream, 8, what);
  const length = textLength(stream, what);
  if (length <= KEPT_BYTES2) {
    stream.at -= 8;
    return readText(stream, what, KEPT_BYTES2);
  }
  skip(stream, length, what);
  return null;
}
function typeName(type) {
  return TYPE_NAMES[type] ?? String(type);
}
function padded(offset, alignment) {
  return Math.ceil(offset / alignment) * alignment;
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
async function readShards(index, open) {
  const weightMap = await readWeightMap(index);
  const names2 = [...new Set(weightMap.values())].sort();
  if (names2.length > SHARD_LIMIT) throw invalid2(index.name, `names ${names2.length} shards; the limit is ${SHARD_LIMIT}.`);
  const shards = await mapInOrder(names2, async (name, position2) => {
    const shard = await open(name);
    if (shard !== null) return shard;
    const which = `shard ${position2 + 1} of ${names2.length}, ${quote(name)},`;
    throw invalid2(index.name, `${which} is missing from the model. Download it: without it the model is not complete.`);
  });
  checkAgreement(index.name, weightMap, new Map(shards.map((shard, position2) => [names2[position2] ?? "", shard])));
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
    const read2 = readString(cursor, `the shard of tensor ${quote(tensor)} as a string`);
    let shard = known.get(read2);
    if (shard === void 0) {
      const problem = fileNameProblem(read2);
      if (problem !== null) throw cursor.fault(tensorAt, `the shard ${quote(read2)} of tensor ${quote(tensor)} ${problem}: refused`);
      known.set(read2, read2);
      shard = read2;
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
function list(items2) {
  const more = items2.length > LISTED ? ` and ${items2.length - LISTED} more` : "";
  return `${items2.slice(0, LISTED).join(", ")}${more}`;
}
async function mapInOrder(items2, work) {
  const results = [];
  const errors = /* @__PURE__ */ new Map();
  let next = 0;
  const worker = async () => {
    while (next < items2.length && errors.size === 0) {
      const position2 = next++;
      try {
        results[position2] = await work(items2[position2], position2);
      } catch (error) {
        errors.set(position2, error);
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

// src/weights/gguf-model.ts
var PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
var TOWER = /^mmproj/i;
function onlyGguf(names2) {
  const found = names2.filter((name) => name.endsWith(".gguf") && !TOWER.test(name));
  const models = new Set(found.map((name) => PART.exec(name)?.[1] ?? name));
  if (models.size <= 1) return found[0] ?? null;
  const shown = found.slice(0, 10).map((name) => quote(name));
  throw new ModelError(
    "weights_invalid",
    `Found ${models.size} GGUF models (${shown.join(", ")}${found.length > 10 ? ", …" : ""}). Name the one file that is meant, not the folder; on the Hub as org/name/file.gguf.`
  );
}
async function openGguf(name, open) {
  const [, stem = "", number2 = "", total = ""] = PART.exec(name) ?? [];
  const count2 = Number(total);
  if (count2 > SHARD_LIMIT) throw invalid3(name, `says it is one of ${count2} parts; the limit is ${SHARD_LIMIT}.`);
  if (total !== "" && (Number(number2) < 1 || Number(number2) > count2))
    throw invalid3(name, `is named as part ${Number(number2)} of ${count2}.`);
  const names2 = total === "" ? [name] : Array.from({ length: count2 }, (_, index) => `${stem}-${String(index + 1).padStart(5, "0")}-of-${total}.gguf`);
  const files = [];
  for (const [index, part] of names2.entries()) {
    const source = await open(part);
    if (source === null) {
      const which = total === "" ? quote(part) : `part ${index + 1} of ${count2}, ${quote(part)},`;
      throw new ModelError("tensor_missing", `${which} is missing from the model. Download it: without it the model is not complete.`);
    }
    files.push(await readGguf(source));
  }
  checkParts(files);
  return { files, config: configOf(files) };
}
function checkParts(files) {
  const [first] = files;
  if (first === void 0) return;
  const again = "The parts do not belong together: download the model again.";
  const seen = /* @__PURE__ */ new Map();
  for (const [index, { source, metadata, tensors }] of files.entries()) {
    const stated = metadata.get("split.count") ?? 1;
    const count2 = files.length;
    if (stated !== count2 && !(stated === 0 && count2 === 1)) {
      const problem = count2 === 1 ? `is one part of a set of ${String(stated)}; keep the names that end in -00001-of-0000N.gguf.` : `says split.count ${String(stated)}, its name says ${count2}. ${again}`;
      throw invalid3(source.name, problem);
    }
    const number2 = metadata.get("split.no") ?? 0;
    if (number2 !== index) throw invalid3(source.name, `says split.no ${String(number2)}, its name says ${index}. ${again}`);
    const architecture = metadata.get("general.architecture");
    if (architecture !== void 0 && architecture !== first.metadata.get("general.architecture")) {
      throw invalid3(source.name, `is of architecture ${quote(String(architecture))}, ${quote(first.source.name)} is not. ${again}`);
    }
    for (const name of tensors.keys()) {
      const owner = seen.get(name);
      if (owner !== void 0) throw invalid3(source.name, `tensor ${quote(name)} is in ${quote(owner)} too. ${again}`);
      seen.set(name, source.name);
    }
  }
  const total = first.metadata.get("split.tensors.count");
  if (files.length > 1 && total !== void 0 && total !== seen.size) {
    throw invalid3(first.source.name, `says split.tensors.count ${String(total)}, the parts have ${seen.size} tensors. ${again}`);
  }
}
var CONFIG_KEYS = [
  ["block_count", "num_hidden_layers"],
  ["embedding_length", "hidden_size"],
  ["attention.head_count", "num_attention_heads"],
  ["attention.head_count_kv", "num_key_value_heads"],
  ["attention.key_length", "head_dim"],
  ["context_length", "max_position_embeddings"]
];
function configOf(files) {
  const metadata = files[0]?.metadata ?? /* @__PURE__ */ new Map();
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string") {
    throw invalid3(files[0]?.source.name ?? "", "has no general.architecture: not a language model, or damaged.");
  }
  const config = { model_type: architecture };
  for (const [from, to] of CONFIG_KEYS) {
    const value = metadata.get(`${architecture}.${from}`);
    if (typeof value === "number") config[to] = value;
  }
  const rotary2 = metadata.get(`${architecture}.rope.dimension_count`);
  const headDim = config["head_dim"] ?? Number(config["hidden_size"]) / Number(config["num_attention_heads"]);
  if (typeof rotary2 === "number" && typeof headDim === "number" && rotary2 < headDim) config["partial_rotary_factor"] = rotary2 / headDim;
  return config;
}
function invalid3(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/onnx-initializers.ts
init_errors();

// src/weights/onnx-graph.ts
init_errors();

// src/weights/protobuf-stream.ts
async function scanFields(stream, end, what, visit) {
  while (position(stream) < end) {
    const at = position(stream);
    const tag = await readVarint(stream, what);
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (field === 0 || field > 536870911) throw stream.fault(at, `${what} has a field of number ${field}`);
    const length = await valueLength(stream, wire, at, what);
    const valueEnd = position(stream) + length;
    if (valueEnd > end) throw stream.fault(at, `${what}: field ${field} goes ${valueEnd - end} bytes past its end`);
    if (!await visit(field, wire, valueEnd)) {
      if (wire === 0) await readVarint(stream, what);
      else skip(stream, valueEnd - position(stream), what);
    } else if (wire !== 0 && position(stream) !== valueEnd) throw stream.fault(at, `${what}: field ${field} does not end where it should`);
  }
  if (position(stream) !== end) throw stream.fault(position(stream), `${what} does not end where it should`);
}
async function valueLength(stream, wire, at, what) {
  if (wire === 0) return 1;
  if (wire === 1) return 8;
  if (wire === 5) return 4;
  if (wire !== 2) throw stream.fault(at, `${what} has a field of wire type ${wire}`);
  const length = await readVarint(stream, what);
  if (length > BigInt(left(stream))) throw stream.fault(at, `${what} has a field of ${length} bytes, ${left(stream)} are left: file cut?`);
  return Number(length);
}
async function readVarint(stream, what) {
  if (stream.at + 10 > stream.window.byteLength) await need(stream, Math.max(1, Math.min(10, left(stream))), what);
  const { window, at } = stream;
  let small = 0;
  for (let i = 0; i < 10; i++) {
    const byte = window[at + i];
    if (byte === void 0) break;
    if (i < 7) small += (byte & 127) * 2 ** (7 * i);
    if ((byte & 128) !== 0) continue;
    stream.at += i + 1;
    if (i < 7) return BigInt(small);
    let value = 0n;
    for (let j = i; j >= 0; j--) value = value << 7n | BigInt((window[at + j] ?? 0) & 127);
    if (value > 0xffffffffffffffffn) break;
    return value;
  }
  throw stream.fault(position(stream), `${what} holds a number that is cut or longer than 64 bits`);
}
async function readBytes(stream, length, what) {
  if (stream.at + length > stream.window.byteLength) await need(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  return bytes;
}

// src/weights/onnx-graph.ts
var ONNX_LIMIT = 2 ** 31 - 1;
var TENSORS_LIMIT2 = 1e6;
var DIMENSIONS_LIMIT = 64;
var NAME_BYTES2 = 65535;
var ENTRY_BYTES = 4096;
var EXTERNAL_KEYS = ["location", "offset", "length", "checksum", "basepath"];
var VALUE_FIELDS = /* @__PURE__ */ new Map([
  [4, "float_data"],
  [5, "int32_data"],
  [6, "string_data"],
  [7, "int64_data"],
  [9, "raw_data"],
  [10, "double_data"],
  [11, "uint64_data"]
]);
var RAW_DATA = 9;
var INT32_DATA = 5;
async function readInitializers(source) {
  const { name, byteLength } = source;
  if (byteLength > ONNX_LIMIT)
    throw invalid4(name, `${byteLength} bytes; an ONNX file has at most ${ONNX_LIMIT}: its weights must be external.`);
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, byteLength));
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not ONNX");
  if (foreign !== void 0) throw invalid4(name, `${foreign}.`);
  const stream = startStream(
    source,
    (at, problem) => invalid4(name, `${problem} (byte ${at}): not an ONNX file, or damaged. Download it again.`)
  );
  const found = /* @__PURE__ */ new Map();
  let graphs = 0;
  await scanFields(stream, byteLength, "the model", async (field, wire, end) => {
    if (field !== 7 || wire !== 2) return false;
    graphs++;
    if (graphs > 1) throw stream.fault(end, "the model has two graphs");
    await scanFields(stream, end, "the graph", async (inner, innerWire, innerEnd) => {
      if (inner !== 5 || innerWire !== 2) return false;
      const initializer = await readInitializer(stream, innerEnd);
      if (initializer.name === "") throw stream.fault(initializer.at, "an initializer has no name");
      if (found.has(initializer.name))
        throw stream.fault(initializer.at, `initializer ${quote(initializer.name)} stands in the graph twice`);
      if (found.size === TENSORS_LIMIT2) throw stream.fault(initializer.at, `more than ${TENSORS_LIMIT2} initializers`);
      found.set(initializer.name, initializer);
      return true;
    });
    return true;
  });
  if (graphs === 0) throw invalid4(name, "has no graph: not an ONNX model, or cut. Download it again.");
  return found;
}
async function readInitializer(stream, end) {
  const at = stream.windowStart + stream.at;
  const found = { at, name: "", dims: [], type: 0, external: false, entries: /* @__PURE__ */ new Map(), field: null, ranges: [] };
  await scanFields(stream, end, "an initializer", async (field, wire, fieldEnd) => {
    const here = stream.windowStart + stream.at;
    if (VALUE_FIELDS.has(field)) {
      if (found.field !== null && (found.field !== field || field === RAW_DATA)) {
        const both = found.field === field ? "raw_data twice" : `both ${VALUE_FIELDS.get(found.field)} and ${VALUE_FIELDS.get(field)}`;
        throw stream.fault(here, `initializer ${quote(found.name)} has ${both}`);
      }
      found.field = field;
      if (found.ranges.length < 2) found.ranges.push({ start: here, length: wire === 2 ? fieldEnd - here : NaN });
      return false;
    }
    if (field === 1 && wire === 0) found.dims.push(dimension(stream, await readVarint(stream, "a dimension")));
    else if (field === 1 && wire === 2)
      while (stream.windowStart + stream.at < fieldEnd) found.dims.push(dimension(stream, await readVarint(stream, "a dimension")));
    else if (field === 2 && wire === 0) found.type = Number(await readVarint(stream, "the data type"));
    else if (field === 8 && wire === 2) found.name = await readText2(stream, fieldEnd, "the name of an initializer", NAME_BYTES2);
    else if (field === 13 && wire === 2) await readEntry(stream, fieldEnd, found.entries);
    else if (field === 14 && wire === 0) found.external = await readVarint(stream, "data_location") === 1n;
    else return false;
    if (found.dims.length > DIMENSIONS_LIMIT) throw stream.fault(here, `an initializer has more than ${DIMENSIONS_LIMIT} dimensions`);
    return true;
  });
  return found;
}
function dimension(stream, value) {
  const signed = BigInt.asIntN(64, value);
  if (signed < 0n) throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}`);
  if (signed > BigInt(Number.MAX_SAFE_INTEGER))
    throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}: it overflows`);
  return Number(signed);
}
async function readText2(stream, end, what, limit) {
  const at = stream.windowStart + stream.at;
  if (end - at > limit) throw stream.fault(at, `${what} is ${end - at} bytes long; the limit is ${limit}`);
  const bytes = await readBytes(stream, end - at, what);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}
async function readEntry(stream, end, entries) {
  const at = stream.windowStart + stream.at;
  let key = "";
  let value = "";
  await scanFields(stream, end, "an entry of external_data", async (field, wire, fieldEnd) => {
    if (wire !== 2 || field !== 1 && field !== 2) return false;
    const text = await readText2(stream, fieldEnd, "external_data", ENTRY_BYTES);
    if (field === 1) key = text;
    else value = text;
    return true;
  });
  if (!EXTERNAL_KEYS.includes(key))
    throw stream.fault(at, `external_data has the key ${quote(key)}; known are ${EXTERNAL_KEYS.join(", ")}`);
  if (entries.has(key)) throw stream.fault(at, `external_data has the key ${quote(key)} twice`);
  entries.set(key, value);
}
function invalid4(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/onnx-initializers.ts
var VARINT_BYTES = 64 * 1024 * 1024;
var DATA_TYPES = /* @__PURE__ */ new Map([
  [1, ["F32", 32]],
  [2, ["U8", 8]],
  [3, ["I8", 8]],
  [4, ["U16", 16]],
  [5, ["I16", 16]],
  [6, ["I32", 32]],
  [7, ["I64", 64]],
  [8, ["STRING", 0]],
  [9, ["BOOL", 8]],
  [10, ["F16", 16]],
  [11, ["F64", 64]],
  [12, ["U32", 32]],
  [13, ["U64", 64]],
  [14, ["C64", 64]],
  [15, ["C128", 128]],
  [16, ["BF16", 16]],
  [17, ["F8_E4M3", 8]],
  [18, ["F8_E4M3FNUZ", 8]],
  [19, ["F8_E5M2", 8]],
  [20, ["F8_E5M2FNUZ", 8]],
  [21, ["U4", 4]],
  [22, ["I4", 4]],
  [23, ["F4", 4]],
  [24, ["F8_E8M0", 8]],
  [25, ["U2", 2]],
  [26, ["I2", 2]]
]);
var OWN_FIELDS = { F32: 4, C64: 4, F64: 10, C128: 10, I64: 7, U32: 11, U64: 11 };
async function openOnnx(name, open) {
  const source = await open(name);
  if (source === null) throw new ModelError("tensor_missing", `${quote(name)} is missing from the model.`);
  const initializers = await readInitializers(source);
  const folder = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
  const inline = /* @__PURE__ */ new Map();
  const externals = /* @__PURE__ */ new Map();
  for (const initializer of initializers.values()) {
    const fault = (problem) => invalid4(source.name, `initializer ${quote(initializer.name)}: ${problem} (byte ${initializer.at}).`);
    if (!initializer.external) {
      inline.set(initializer.name, placeInline(initializer, source.name, fault));
      continue;
    }
    const { location, offset, length } = externalPlace(initializer, fault);
    let file = externals.get(location);
    if (file === void 0) {
      const opened = await open(folder + location);
      if (opened === null) {
        throw new ModelError(
          "tensor_missing",
          `${source.name}: external data ${quote(location)} is missing. Download it too, into the same folder.`
        );
      }
      file = { source: opened, tensors: /* @__PURE__ */ new Map() };
      externals.set(location, file);
    }
    file.tensors.set(initializer.name, placeExternal(initializer, { source: file.source, offset, length }, fault));
  }
  return [{ source, tensors: inline }, ...externals.values()].map((file) => ({ ...file, read: reader(file.source, file.tensors) }));
}
function describe({ name, dims, type }, file, fault) {
  const known = DATA_TYPES.get(type);
  if (known === void 0) throw fault(`unknown data type ${type}`);
  const [dtype, bits] = known;
  const elements = dims.reduce((product, size) => product * size, 1);
  if (elements * Math.max(bits, 8) > Number.MAX_SAFE_INTEGER) throw fault(`the size of shape [${dims.join(",")}] overflows`);
  return { name, dtype, shape: dims, byteLength: Math.ceil(elements * bits / 8), file, bits, elements };
}
function placeInline(initializer, file, fault) {
  if (initializer.entries.size > 0) throw fault("has external_data, but is not said to be external");
  const { bits, elements, ...tensor } = describe(initializer, file, fault);
  const { field, ranges } = initializer;
  const [range] = ranges;
  if (tensor.dtype === "STRING") return { ...tensor, begin: 0, unreadable: "holds texts" };
  if (field === null || range === void 0) {
    if (elements > 0) throw fault(`has no values; ${elements} were expected`);
    return { ...tensor, begin: 0 };
  }
  if (field !== RAW_DATA && field !== (OWN_FIELDS[tensor.dtype] ?? INT32_DATA))
    throw fault(`its values are ${tensor.dtype}, which do not stand in ${VALUE_FIELDS.get(field)}`);
  const packed3 = ranges.length === 1 && !Number.isNaN(range.length);
  const plain = field === RAW_DATA || field === 4 && bits === 32 || field === 10 && bits === 64;
  if (packed3 && plain) {
    if (range.length !== tensor.byteLength)
      throw fault(`${tensor.dtype} of shape [${tensor.shape.join(",")}] needs ${tensor.byteLength} bytes, ${range.length} are there`);
    return { ...tensor, begin: range.start };
  }
  if (packed3 && field === INT32_DATA && bits >= 8 && range.length <= VARINT_BYTES) {
    if (elements > range.length) throw fault(`int32_data does not hold ${elements} values`);
    return { ...tensor, begin: range.start, varints: { length: range.length, width: bits / 8 } };
  }
  return {
    ...tensor,
    begin: 0,
    unreadable: `keeps its values in ${VALUE_FIELDS.get(field)}, not in one piece: save the model with raw_data`
  };
}
function externalPlace({ entries, field }, fault) {
  const stated = entries.get("location");
  if (stated === void 0) throw fault("is external, but names no location");
  if (field !== null) throw fault(`has both external data and ${VALUE_FIELDS.get(field)}`);
  const location = stated.replace(/^\.\//, "");
  const problem = fileNameProblem(location);
  if (problem !== null) throw fault(`its external file ${quote(stated)} ${problem}: refused`);
  const number2 = (key) => {
    const text = entries.get(key);
    if (text === void 0) return null;
    if (!/^\d{1,15}$/.test(text)) throw fault(`external_data has ${key} ${quote(text)}; a whole number of bytes was expected`);
    return Number(text);
  };
  return { location, offset: number2("offset") ?? 0, length: number2("length") };
}
function placeExternal(initializer, place2, fault) {
  const { source, offset, length } = place2;
  const { dtype, name, shape, byteLength } = describe(initializer, source.name, fault);
  if (dtype === "STRING") throw fault("holds texts, which cannot be external");
  if (length !== null && length !== byteLength) {
    throw fault(`${dtype} of shape [${shape.join(",")}] needs ${byteLength} bytes, external_data has length ${length}`);
  }
  if (offset + byteLength > source.byteLength) {
    throw fault(
      `needs bytes ${offset} to ${offset + byteLength} of ${source.name}, which has ${source.byteLength}: file cut? Download it again`
    );
  }
  return { name, dtype, shape, byteLength, file: source.name, begin: offset };
}
function reader(source, tensors) {
  return async ({ name }, start, end) => {
    const tensor = tensors.get(name);
    if (tensor === void 0) throw new RangeError(`no tensor ${quote(name)}`);
    if (tensor.unreadable !== void 0) throw invalid4(source.name, `initializer ${quote(name)} ${tensor.unreadable}.`);
    if (tensor.varints === void 0) return source.slice(tensor.begin + start, tensor.begin + end);
    const packed3 = await source.slice(tensor.begin, tensor.begin + tensor.varints.length);
    const values = unpack(packed3, tensor.byteLength, tensor.varints.width);
    if (values === null)
      throw invalid4(
        source.name,
        `initializer ${quote(name)}: int32_data does not hold ${tensor.byteLength / tensor.varints.width} values.`
      );
    return values.slice(start, end);
  };
}
function unpack(packed3, byteLength, width) {
  const values = new Uint8Array(byteLength);
  let at = 0;
  let word = 0;
  let shift = 0;
  for (const byte of packed3) {
    if (shift < 32) word |= (byte & 127) << shift;
    shift += 7;
    if ((byte & 128) !== 0) {
      if (shift >= 70) return null;
      continue;
    }
    if (at + width > byteLength) return null;
    for (let i = 0; i < width; i++) values[at++] = word >>> 8 * i & 255;
    word = 0;
    shift = 0;
  }
  return at === byteLength && shift === 0 ? values : null;
}

// src/weights/safetensors.ts
init_errors();
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
  const dataStart2 = PREFIX_BYTES + headerLength;
  const header = await source.slice(PREFIX_BYTES, dataStart2);
  const tensors = scanHeader(source.name, header);
  if (tensors === null) {
    const foreign = await describeStart(source);
    throw invalid5(
      source.name,
      foreign ?? 'the header does not begin with "{" (byte 8): not a safetensors file, or damaged. Download it again.'
    );
  }
  checkLayout(source.name, tensors, dataStart2, source.byteLength);
  return {
    source,
    headBytes: dataStart2,
    dataStart: dataStart2,
    tensors,
    read({ name }, start, end) {
      const first = dataStart2 + (tensors.get(name)?.begin ?? NaN);
      return source.slice(first + start, first + end);
    }
  };
}
async function readHeaderLength(source) {
  const { name, byteLength } = source;
  if (byteLength < PREFIX_BYTES) {
    throw invalid5(name, `not a safetensors file: 8 bytes needed, file has ${byteLength}. Download it again.`);
  }
  const prefix = await source.slice(0, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > 0n && length <= HEADER_LIMIT && Number(length) <= byteLength - PREFIX_BYTES) return Number(length);
  const foreign = await describeStart(source);
  if (foreign !== null) throw invalid5(name, foreign);
  if (length === 0n) throw invalid5(name, "header length 0 (byte 0): a header has 2 bytes or more. Download the file again.");
  if (length > HEADER_LIMIT) {
    const shown = length.toLocaleString("en-US");
    throw invalid5(name, `header length ${shown} (byte 0) is over the limit of 100,000,000: not a safetensors file, or damaged.`);
  }
  throw invalid5(name, `header says ${length} bytes, ${byteLength - PREFIX_BYTES} present: file cut? Download it again.`);
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
    return invalid5(file, `${where}${problem} (byte ${PREFIX_BYTES + at}). The header is damaged: download or save the file again.`);
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
function checkLayout(file, tensors, dataStart2, fileLength) {
  const dataLength = fileLength - dataStart2;
  let previous = null;
  for (const tensor of inFileOrder(tensors)) {
    const expected = previous === null ? 0 : previous.begin + previous.byteLength;
    if (tensor.begin !== expected) throw invalid5(file, describeGap(tensor, previous, expected, dataLength));
    previous = tensor;
  }
  const end = previous === null ? 0 : previous.begin + previous.byteLength;
  if (end > dataLength) {
    const last = previous === null ? "" : `; the last tensor is ${quote(previous.name)}`;
    throw invalid5(file, `file cut: expected ${dataStart2 + end} bytes, has ${fileLength}${last}. Download it again.`);
  }
  if (end < dataLength) {
    throw invalid5(file, `${dataLength - end} bytes after the last tensor (byte ${dataStart2 + end}): damaged, or something was appended.`);
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
  const place2 = `tensor ${quote(tensor.name)}: data_offsets [${tensor.begin},${end}]`;
  if (end > dataLength)
    return `${place2} are outside the data, which has ${dataLength} bytes. The file is cut or damaged: download it again.`;
  if (tensor.begin > expected) return `${place2} leave a hole: bytes ${expected} to ${tensor.begin} of the data belong to no tensor.`;
  const other = previous === null ? "" : ` tensor ${quote(previous.name)} [${previous.begin},${expected}]`;
  return `${place2} overlap${other}: two tensors on the same bytes. The file is damaged: save it again.`;
}
function invalid5(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/torch.ts
init_errors();
import { crc32 as crc322 } from "node:zlib";

// src/weights/torch-pickle.ts
var OPCODE_LIMIT = 5e6;
var STORAGES = {
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.ComplexFloatStorage": "C64",
  "torch.ComplexDoubleStorage": "C128",
  "torch.storage.UntypedStorage": null,
  "torch.UntypedStorage": null
};
var DTYPES = {
  "torch.float32": "F32",
  "torch.float64": "F64",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.uint16": "U16",
  "torch.uint32": "U32",
  "torch.uint64": "U64",
  "torch.bool": "BOOL",
  "torch.complex64": "C64",
  "torch.complex128": "C128",
  "torch.float8_e4m3fn": "F8_E4M3",
  "torch.float8_e5m2": "F8_E5M2",
  "torch.float8_e4m3fnuz": "F8_E4M3FNUZ",
  "torch.float8_e5m2fnuz": "F8_E5M2FNUZ"
};
var ORDERED_DICT = "collections.OrderedDict";
var REBUILD = ["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"];
var PARAMETERS = ["torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"];
var CALLED = [ORDERED_DICT, "torch.Size", ...REBUILD, ...PARAMETERS];
function readPickle(bytes, fault) {
  const machine = {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    fault,
    opcodeAt: 0,
    at: 0,
    stack: [],
    marks: [],
    memo: /* @__PURE__ */ new Map()
  };
  for (let opcodes = 0; ; opcodes++) {
    if (opcodes === OPCODE_LIMIT) throw fault(machine.at, `the pickle has more than ${OPCODE_LIMIT} opcodes`);
    machine.opcodeAt = machine.at;
    const opcode = u8(machine);
    if (opcode === 46) break;
    step(machine, opcode);
  }
  const rest = machine.bytes.byteLength - machine.at;
  if (rest > 0) throw fault(machine.at, `${rest} bytes follow the end of the pickle: something was appended`);
  const value = pop(machine);
  if (machine.stack.length > 0) throw fault(machine.opcodeAt, "the pickle ends with more than one value");
  return value;
}
function step(machine, opcode) {
  const { stack, memo } = machine;
  const push = (value) => void stack.push(value);
  switch (opcode) {
    case 128: {
      const protocol = u8(machine);
      if (protocol < 2 || protocol > 5) throw broken(machine, `has pickle protocol ${protocol}; 2 to 5 are read`);
      return;
    }
    case 149:
      return void take2(machine, 8);
    case 40:
      return void machine.marks.push(stack.length);
    case 78:
      return push(null);
    case 136:
    case 137:
      return push(opcode === 136);
    case 74:
      return push(take2(machine, 4).readInt32LE());
    case 75:
      return push(u8(machine));
    case 77:
      return push(take2(machine, 2).readUInt16LE());
    case 138:
      return push(long(take2(machine, u8(machine))));
    case 71:
      return push(take2(machine, 8).readDoubleBE());
    case 88:
      return push(take2(machine, take2(machine, 4).readUInt32LE()).toString("utf8"));
    case 140:
      return push(take2(machine, u8(machine)).toString("utf8"));
    case 84:
      return push(take2(machine, take2(machine, 4).readUInt32LE()).toString("latin1"));
    case 85:
      return push(take2(machine, u8(machine)).toString("latin1"));
    case 41:
      return push({ kind: "tuple", items: [] });
    case 133:
    case 134:
    case 135:
      return push({ kind: "tuple", items: Array.from({ length: opcode - 132 }, () => pop(machine)).reverse() });
    case 116:
      return push({ kind: "tuple", items: popMark(machine) });
    case 93:
      return push({ kind: "list", items: [] });
    case 143:
      return push({ kind: "set", items: [] });
    case 125:
      return push({ kind: "dict", entries: /* @__PURE__ */ new Map() });
    case 97:
      return append(machine, [pop(machine)]);
    case 101:
    case 144:
      return append(machine, popMark(machine));
    case 115: {
      const value = pop(machine);
      return setItems(machine, [pop(machine), value]);
    }
    case 117:
      return setItems(machine, popMark(machine));
    case 113:
      return void memo.set(u8(machine), top(machine));
    case 114:
      return void memo.set(take2(machine, 4).readUInt32LE(), top(machine));
    case 148:
      return void memo.set(memo.size, top(machine));
    case 104:
      return push(recall(machine, u8(machine)));
    case 106:
      return push(recall(machine, take2(machine, 4).readUInt32LE()));
    case 99:
    case 105: {
      const module = line(machine);
      return push(global(machine, module, line(machine), opcode === 105));
    }
    case 147: {
      const name = pop(machine);
      const module = pop(machine);
      if (typeof name !== "string" || typeof module !== "string") throw broken(machine, "names something by what is no text");
      return push(global(machine, module, name, false));
    }
    case 81:
      return push(storage(machine, pop(machine)));
    case 82: {
      const given = pop(machine);
      return push(rebuild(machine, pop(machine), given));
    }
    case 98: {
      pop(machine);
      const target = kindOf(top(machine));
      if (target !== "dict" && target !== "tensor") throw broken(machine, "sets the state of what is no dict and no tensor");
      return;
    }
    default:
      throw broken(machine, `has opcode 0x${opcode.toString(16).padStart(2, "0")}, which no file of tensors needs; not run, not read`);
  }
}
function broken(machine, problem) {
  return machine.fault(machine.opcodeAt, `the pickle ${problem}`);
}
function take2(machine, length) {
  const end = machine.at + length;
  if (end > machine.bytes.byteLength) throw machine.fault(machine.opcodeAt, "the pickle is cut");
  const bytes = machine.bytes.subarray(machine.at, end);
  machine.at = end;
  return bytes;
}
function u8(machine) {
  return take2(machine, 1).readUInt8();
}
function line(machine) {
  const end = machine.bytes.indexOf(10, machine.at);
  if (end < 0) throw machine.fault(machine.opcodeAt, "the pickle is cut");
  const length = end - machine.at;
  return take2(machine, length + 1).toString("utf8", 0, length);
}
function long(bytes) {
  let value = 0n;
  for (let i = bytes.byteLength - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i] ?? 0);
  const signed = BigInt.asIntN(8 * bytes.byteLength, value);
  return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed;
}
function pop(machine) {
  const value = top(machine);
  machine.stack.pop();
  return value;
}
function top(machine) {
  const value = machine.stack.at(-1);
  if (value === void 0 || machine.stack.length <= (machine.marks.at(-1) ?? 0)) throw broken(machine, "takes more values than it has");
  return value;
}
function popMark(machine) {
  const mark = machine.marks.pop();
  if (mark === void 0) throw broken(machine, "takes values up to a mark that it has not set");
  return machine.stack.splice(mark);
}
function recall(machine, index) {
  const value = machine.memo.get(index);
  if (value === void 0) throw broken(machine, `recalls value ${index}, which it has not stored`);
  return value;
}
function kindOf(value) {
  return typeof value === "object" && value !== null ? value.kind : "scalar";
}
function append(machine, items2) {
  const target = top(machine);
  if (typeof target !== "object" || target === null || target.kind !== "list" && target.kind !== "set")
    throw broken(machine, "appends to what is no list");
  for (const item of items2) target.items.push(item);
}
function setItems(machine, items2) {
  const target = top(machine);
  if (typeof target !== "object" || target === null || target.kind !== "dict") throw broken(machine, "sets items of what is no dict");
  if (items2.length % 2 !== 0) throw broken(machine, "sets a key without a value");
  for (let i = 0; i < items2.length; i += 2) {
    const key = items2[i];
    if (target.entries.has(key)) throw broken(machine, `sets the key ${typeof key === "string" ? quote(key) : "of a dict"} twice`);
    target.entries.set(key, items2[i + 1]);
  }
}
function global(machine, module, member, called) {
  const name = `${module}.${member}`;
  const known = CALLED.includes(name) || Object.hasOwn(STORAGES, name) || Object.hasOwn(DTYPES, name);
  if (!known || called) throw broken(machine, `refers to ${quote(name)}; not run, not read`);
  return { kind: "global", name };
}
function items(value) {
  return typeof value === "object" && value !== null && (value.kind === "tuple" || value.kind === "list") ? value.items : [];
}
function nameOf2(value) {
  return typeof value === "object" && value !== null && value.kind === "global" ? value.name : "";
}
function isCount(value) {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
function storage(machine, id) {
  const [word, type, key, , elements] = items(id);
  const name = nameOf2(type);
  if (word !== "storage" || !Object.hasOwn(STORAGES, name) || typeof key !== "string" || !isCount(elements)) {
    throw broken(machine, "describes a storage in a way that is not torch.save's");
  }
  return { kind: "storage", dtype: STORAGES[name] ?? null, key, elements };
}
function rebuild(machine, called, given) {
  const name = nameOf2(called);
  const values = items(given);
  if (name === ORDERED_DICT && values.length === 0) return { kind: "dict", entries: /* @__PURE__ */ new Map() };
  if (name === "torch.Size") return { kind: "tuple", items: items(values[0]) };
  const [first] = values;
  if (PARAMETERS.includes(name) && typeof first === "object" && first?.kind === "tensor") return first;
  if (!REBUILD.includes(name))
    throw broken(machine, `calls ${name === "" ? "what is no function" : quote(name)} in a way that is not torch.save's`);
  const [, offset, size, stride, , , dtypeGlobal] = values;
  const shape = items(size);
  const steps = items(stride);
  const isStorage = typeof first === "object" && first?.kind === "storage";
  if (!isStorage || !isCount(offset) || !shape.every(isCount) || !steps.every(isCount) || shape.length !== steps.length) {
    throw broken(machine, "describes a tensor with a negative or missing offset, size or stride");
  }
  const dtype = name.endsWith("v3") ? DTYPES[nameOf2(dtypeGlobal)] : first.dtype;
  if (dtype === void 0 || dtype === null) throw broken(machine, "describes a tensor without a dtype");
  return { kind: "tensor", dtype, storage: first, offset, shape: shape.map(Number), stride: steps.map(Number) };
}

// src/weights/torch-zip.ts
var DIRECTORY_LIMIT = 64 * 1024 * 1024;
var TAIL_BYTES = 22 + 65535;
var LOCAL_BYTES = 30;
var ENTRY_BYTES2 = 46;
async function readZip(source, fault) {
  const directory = await findDirectory(source, fault);
  const bytes = view(await source.slice(directory.start, directory.end));
  const entries = /* @__PURE__ */ new Map();
  let at = 0;
  while (at < bytes.byteLength) {
    const { entry, length } = readEntry2(bytes, at, fault);
    if (entries.has(entry.name)) throw fault(`two entries of the archive are named ${quote(entry.name)}`);
    entries.set(entry.name, entry);
    at += length;
  }
  if (entries.size !== directory.count) throw fault(`the archive says ${directory.count} entries, its directory has ${entries.size}`);
  checkLayout2([...entries.values()], directory.start, fault);
  return entries;
}
async function findDirectory(source, fault) {
  const tailStart = Math.max(0, source.byteLength - TAIL_BYTES);
  const tail = view(await source.slice(tailStart, source.byteLength));
  let at = tail.byteLength - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === 101010256 && at + 22 + tail.readUInt16LE(at + 20) === tail.byteLength)) at--;
  if (at < 0) throw fault("the archive has no directory at its end: file cut? Download it again");
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) throw fault("the archive is one of several volumes");
  const plain = { count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), start: tail.readUInt32LE(at + 16) };
  const endAt = tailStart + at;
  const wide = await readZip64(source, endAt, fault);
  const found = wide ?? { ...plain, before: endAt };
  const lies = wide !== null && (plain.count !== 65535 && plain.count !== wide.count || plain.size !== 4294967295 && plain.size !== wide.size || plain.start !== 4294967295 && plain.start !== wide.start);
  if (lies) throw fault("the two end records of the archive contradict each other");
  if (found.size > DIRECTORY_LIMIT) throw fault(`the directory of the archive has ${found.size} bytes; the limit is ${DIRECTORY_LIMIT}`);
  if (found.start + found.size !== found.before) {
    throw fault(`the directory of the archive ends at byte ${found.start + found.size}, not at its end record (byte ${found.before})`);
  }
  return { count: found.count, start: found.start, end: found.start + found.size };
}
async function readZip64(source, endAt, fault) {
  if (endAt < 20) return null;
  const locator = view(await source.slice(endAt - 20, endAt));
  if (locator.readUInt32LE(0) !== 117853008) return null;
  const at = exact2(locator.readBigUInt64LE(8), fault);
  if (at + 56 > endAt - 20) throw fault(`the zip64 end record is said to be at byte ${at}, where it does not fit`);
  const record = view(await source.slice(at, at + 56));
  if (record.readUInt32LE(0) !== 101075792 || at + 12 + exact2(record.readBigUInt64LE(4), fault) !== endAt - 20) {
    throw fault(`there is no zip64 end record at byte ${at}`);
  }
  const [count2 = 0, size = 0, start = 0] = [32, 40, 48].map((offset) => exact2(record.readBigUInt64LE(offset), fault));
  return { count: count2, size, start, before: at };
}
function readEntry2(bytes, at, fault) {
  if (at + ENTRY_BYTES2 > bytes.byteLength || bytes.readUInt32LE(at) !== 33639248) throw fault("the directory of the archive is damaged");
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
  const length = ENTRY_BYTES2 + nameLength + extraLength + commentLength;
  if (at + length > bytes.byteLength) throw fault("the directory of the archive is damaged");
  const name = bytes.toString("utf8", at + ENTRY_BYTES2, at + ENTRY_BYTES2 + nameLength);
  const extra = bytes.subarray(at + ENTRY_BYTES2 + nameLength, at + ENTRY_BYTES2 + nameLength + extraLength);
  const stated = [24, 20, 42].map((offset) => bytes.readUInt32LE(at + offset));
  const [size = 0, compressed = 0, headerAt = 0] = widened(
    stated,
    extra,
    () => fault(`the zip64 field of entry ${quote(name)} is damaged`),
    fault
  );
  if ((bytes.readUInt16LE(at + 8) & 8257) !== 0) throw fault(`entry ${quote(name)} of the archive is encrypted`);
  const method = bytes.readUInt16LE(at + 10);
  if (method !== 0 || compressed !== size) {
    throw fault(`entry ${quote(name)} of the archive is compressed (method ${method}); torch.save stores its entries as they are`);
  }
  return { entry: { name, crc: bytes.readUInt32LE(at + 16), size, headerAt }, length };
}
function widened(stated, extra, damaged, fault) {
  if (!stated.includes(4294967295)) return [...stated];
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const end = at + 4 + extra.readUInt16LE(at + 2);
    let next = at + 4;
    return stated.map((value) => {
      if (value !== 4294967295) return value;
      if (next + 8 > end || end > extra.byteLength) throw damaged();
      next += 8;
      return exact2(extra.readBigUInt64LE(next - 8), fault);
    });
  }
  throw damaged();
}
function checkLayout2(entries, directoryStart, fault) {
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.headerAt - b.headerAt)) {
    if (entry.headerAt < end) throw fault(`entry ${quote(entry.name)} of the archive overlaps the one before it`);
    end = entry.headerAt + LOCAL_BYTES + Buffer.byteLength(entry.name) + entry.size;
    if (end > directoryStart)
      throw fault(`entry ${quote(entry.name)} of the archive goes past byte ${directoryStart}, where its directory is`);
  }
}
async function dataStart(source, entry, fault) {
  const nameBytes = Buffer.byteLength(entry.name);
  const header = view(await source.slice(entry.headerAt, entry.headerAt + LOCAL_BYTES + nameBytes));
  const agrees = header.readUInt32LE(0) === 67324752 && header.readUInt16LE(8) === 0 && (header.readUInt16LE(6) & 8257) === 0 && header.readUInt16LE(26) === nameBytes && header.toString("utf8", LOCAL_BYTES) === entry.name;
  if (!agrees)
    throw fault(`entry ${quote(entry.name)} of the archive is described otherwise at byte ${entry.headerAt} than in the directory`);
  const start = entry.headerAt + LOCAL_BYTES + nameBytes + header.readUInt16LE(28);
  if (start + entry.size > source.byteLength) throw fault(`entry ${quote(entry.name)} of the archive goes past the end of the file`);
  return start;
}
function exact2(value, fault) {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fault(`the archive has a size or offset of ${value}`);
  return Number(value);
}
function view(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// src/weights/torch.ts
var PICKLE_LIMIT = 256 * 1024 * 1024;
var WRAPPERS = ["state_dict", "model", "module"];
var LEGACY = Buffer.from("80028a0a6cfc9c46f920", "hex");
var ITEM_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  C128: 16,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2
};
async function readTorch(source) {
  await refuseForeign(source);
  const fault = (problem) => invalid6(source.name, `${problem}.`);
  const entries = await readZip(source, fault);
  const prefix = archivePrefix(entries, fault);
  const byteorder = entries.get(`${prefix}byteorder`);
  if (byteorder !== void 0 && Buffer.from(await readEntry3(source, byteorder, 16, fault)).toString("latin1") !== "little") {
    throw fault("the values are big-endian; only little-endian ones are read. Save the checkpoint as safetensors");
  }
  const pickle = await readEntry3(source, entries.get(`${prefix}data.pkl`), PICKLE_LIMIT, fault);
  const value = readPickle(pickle, (at, problem) => invalid6(source.name, `${problem} (byte ${at} of data.pkl).`));
  const tensors = /* @__PURE__ */ new Map();
  for (const [name, tensor] of stateDict(value, fault)) {
    tensors.set(name, place(source.name, name, tensor, entries.get(`${prefix}data/${tensor.storage.key}`)));
  }
  return { source, tensors, read: reader2(source, tensors, fault) };
}
async function refuseForeign(source) {
  const start = Buffer.from(await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength)));
  if (start.subarray(0, 4).toString("latin1") === "PK") return;
  const convert = "Load it with PyTorch and save it as safetensors";
  if (start.subarray(0, LEGACY.byteLength).equals(LEGACY)) {
    throw invalid6(source.name, `this is a checkpoint of the legacy format, from before PyTorch 1.6, which is not read. ${convert}.`);
  }
  if (start.toString("latin1", 257, 262) === "ustar")
    throw invalid6(source.name, `this is a tar archive, as PyTorch 0.1 wrote, which is not read. ${convert}.`);
  const foreign = describeForeign(start)?.replaceAll("not safetensors", "not a checkpoint that torch.save wrote");
  throw invalid6(source.name, `${foreign ?? "not a PyTorch checkpoint: it does not begin as a zip archive. Download it again"}.`);
}
function archivePrefix(entries, fault) {
  const names2 = [...entries.keys()];
  const pickles = names2.filter((name) => /(?:^|\/)data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === void 0) throw fault("the archive holds no data.pkl: not a PyTorch checkpoint");
  if (pickles.length > 1) throw fault(`the archive holds ${pickles.length} files data.pkl; one was expected`);
  const prefix = pickle.slice(0, -"data.pkl".length);
  if (names2.some((name) => name === `${prefix}constants.pkl` || name.startsWith(`${prefix}code/`))) {
    throw fault("this is a TorchScript program, which is not read. Save its state_dict() as safetensors");
  }
  return prefix;
}
async function readEntry3(source, entry, limit, fault) {
  if (entry.size > limit) throw fault(`entry ${quote(entry.name)} has ${entry.size} bytes; the limit is ${limit}`);
  const start = await dataStart(source, entry, fault);
  const bytes = await source.slice(start, start + entry.size);
  checkSum(bytes, entry, fault);
  return bytes;
}
function checkSum(bytes, entry, fault) {
  if (crc322(bytes) !== entry.crc)
    throw fault(`entry ${quote(entry.name)} of the archive does not have its checksum: damaged. Download it again`);
}
function stateDict(value, fault) {
  if (!isDict(value)) throw fault("the checkpoint is not a dict of tensors");
  const found = tensorsOf(value);
  if (found.length > 0) return found;
  for (const wrapper of WRAPPERS) {
    const inner = value.entries.get(wrapper);
    if (inner !== void 0 && isDict(inner) && tensorsOf(inner).length > 0) return tensorsOf(inner);
  }
  throw new ModelError("tensor_missing", fault("the checkpoint holds no tensors").message);
}
function isDict(value) {
  return typeof value === "object" && value !== null && value.kind === "dict";
}
function tensorsOf({ entries }) {
  return [...entries].flatMap(
    ([name, value]) => typeof name === "string" && typeof value === "object" && value !== null && value.kind === "tensor" ? [[name, value]] : []
  );
}
function place(file, name, tensor, entry) {
  const fault = (problem) => invalid6(file, `tensor ${quote(name)}: ${problem}.`);
  const { dtype, storage: storage2, offset, shape, stride } = tensor;
  if (entry === void 0) throw fault(`its storage ${quote(storage2.key)} is not in the archive`);
  const itemBytes = ITEM_BYTES[dtype] ?? 1;
  const stated = storage2.elements * (storage2.dtype === null ? 1 : ITEM_BYTES[storage2.dtype] ?? 1);
  if (stated !== entry.size)
    throw fault(`its storage ${quote(storage2.key)} has ${entry.size} bytes in the archive, the pickle says ${stated}`);
  const elements = shape.reduce((product, size) => product * size, 1);
  const reach = shape.reduce((sum2, size, axis) => sum2 + (size - 1) * (stride[axis] ?? 0), 0);
  const end = elements === 0 ? offset : offset + reach + 1;
  if (!(end * itemBytes <= entry.size) || !Number.isSafeInteger(elements * itemBytes)) {
    throw fault(`shape [${shape.join(",")}], stride [${stride.join(",")}] and offset ${offset} leave its storage of ${entry.size} bytes`);
  }
  return {
    name,
    dtype,
    shape,
    byteLength: elements * itemBytes,
    file,
    entry,
    begin: offset * itemBytes,
    contiguous: isContiguous(shape, stride)
  };
}
function isContiguous(shape, stride) {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && stride[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}
function reader2(source, tensors, fault) {
  const starts = /* @__PURE__ */ new Map();
  return async ({ name }, from, to) => {
    const tensor = tensors.get(name);
    if (tensor === void 0) throw new RangeError(`no tensor ${quote(name)}`);
    if (!tensor.contiguous) {
      throw fault(
        `tensor ${quote(name)} is a view of its storage (transposed or with steps), which is not read. Save the checkpoint with .contiguous(), or as safetensors`
      );
    }
    let start = starts.get(tensor.entry);
    if (start === void 0) {
      start = dataStart(source, tensor.entry, fault);
      starts.set(tensor.entry, start);
    }
    const first = await start + tensor.begin;
    const bytes = await source.slice(first + from, first + to);
    if (bytes.byteLength === tensor.entry.size) checkSum(bytes, tensor.entry, fault);
    return bytes;
  };
}
function invalid6(file, problem) {
  return new ModelError("weights_invalid", `${file}: ${problem}`);
}

// src/weights/checkpoint.ts
var OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pdparams)$/i;
var SUPPORTED = `This version reads safetensors (${SINGLE}, or ${INDEX} with its shards), PyTorch (${TORCH_SINGLE}, or ${TORCH_INDEX} with its shards), GGUF and ONNX.`;
async function openCheckpoint(files) {
  const sources = [];
  const tally = { bytes: 0 };
  const open = async (name) => {
    const source = await files.open(name);
    if (source === null) return null;
    sources.push(source);
    return counted(source, tally);
  };
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    return checkpointOf(files.main === void 0 ? await openFound(files, open) : await openNamed(files.main, open), tally, close);
  } catch (error) {
    await close();
    throw error;
  }
}
async function openNamed(name, open) {
  if (name.endsWith(".gguf")) return { format: "gguf", ...await openGguf(name, open) };
  if (name.endsWith(".onnx")) return { format: "onnx", config: null, files: await openOnnx(name, open) };
  if (/\.(?:bin|pt|pth)$/.test(name)) return torch([present(name, await openTorch(name, open))]);
  if (name.endsWith(".safetensors")) return safetensors([present(name, await openSafetensors(name, open))]);
  throw new ModelError("weights_invalid", `${printable(name)}: not a file of weights by its name. ${SUPPORTED}`);
}
async function openFound(files, open) {
  const single = await openSafetensors(SINGLE, open);
  if (single !== null) return safetensors([single]);
  const shards = await openShards(files, INDEX, (name) => openSafetensors(name, open));
  if (shards !== null) return safetensors(shards);
  const names2 = await files.list();
  if (!holdsSafetensors(names2)) {
    if (names2.includes(TORCH_SINGLE)) return openNamed(TORCH_SINGLE, open);
    const torchShards = await openShards(files, TORCH_INDEX, (name) => openTorch(name, open));
    if (torchShards !== null) return torch(torchShards);
    const gguf = onlyGguf(names2);
    if (gguf !== null) return openNamed(gguf, open);
    const onnx = onlyOnnx(names2);
    if (onnx !== null) return openNamed(onnx, open);
  }
  const only = onlyCandidate(names2);
  return safetensors([present(only, await openSafetensors(only, open))]);
}
async function openShards(files, name, open) {
  const index = await files.open(name);
  if (index === null) return null;
  try {
    return await readShards(index, open);
  } finally {
    await index.close();
  }
}
async function openTorch(name, open) {
  const source = await open(name);
  return source === null ? null : readTorch(source);
}
function torch(files) {
  return { format: "torch", config: null, files };
}
function onlyOnnx(names2) {
  const found = names2.filter((name) => name.endsWith(".onnx"));
  if (found.length <= 1) return found[0] ?? null;
  throw new ModelError(
    "weights_invalid",
    `Found ${found.length} ONNX files (${listed(found)}). Name the one file that is meant, not the folder; on the Hub as org/name/file.onnx.`
  );
}
async function openSafetensors(name, open) {
  const source = await open(name);
  return source === null ? null : readSafetensors(source);
}
function safetensors(files) {
  return { format: "safetensors", config: null, files };
}
function present(name, file) {
  if (file === null) throw new ModelError("weights_invalid", `${printable(name)}: the file went away while the model was opened.`);
  return file;
}
function onlyCandidate(names2) {
  const candidates = names2.filter((name) => name.endsWith(".safetensors") && !ADAPTER.test(name));
  const [only] = candidates;
  if (only !== void 0 && candidates.length === 1) return only;
  if (only !== void 0) {
    const found2 = `Found ${candidates.length} safetensors files (${listed(candidates)}) but neither ${SINGLE} nor ${INDEX}`;
    throw new ModelError("weights_invalid", `${found2}, which says which tensor is where. Download the index too.`);
  }
  if (names2.some((name) => ADAPTER.test(name))) {
    throw new ModelError(
      "tensor_missing",
      `Found an adapter (${listed(names2.filter((name) => ADAPTER.test(name)))}) but no model. Merge it into its base model first. ${SUPPORTED}`
    );
  }
  const others = names2.filter((name) => OTHER_WEIGHTS.test(name));
  if (others.length > 0)
    throw new ModelError(
      "tensor_missing",
      `Found weights only as ${listed(others)}. ${SUPPORTED} Convert them or get the safetensors version.`
    );
  const found = names2.length === 0 ? "The folder has no files" : `Found no weights, only ${listed(names2)}`;
  throw new ModelError("tensor_missing", `${found}. ${SUPPORTED}`);
}
function listed(names2) {
  const more = names2.length > 10 ? ` and ${names2.length - 10} more` : "";
  return `${names2.slice(0, 10).map((name) => printable(name)).join(", ")}${more}`;
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
function checkpointOf({ format, config, files }, tally, close) {
  const owners = new Map(files.flatMap((file) => [...file.tensors.keys()].map((name) => [name, file])));
  const [only] = files;
  const tensors = only !== void 0 && files.length === 1 ? only.tensors : new Map(files.flatMap((file) => [...file.tensors]));
  return {
    format,
    config,
    tensors,
    files: new Map(files.map((file) => [file.source.name, file])),
    byteLength: files.reduce((sum2, file) => sum2 + file.source.byteLength, 0),
    get bytesRead() {
      return tally.bytes;
    },
    async read(name, start, end) {
      const tensor = tensors.get(name);
      const file = owners.get(name);
      if (tensor === void 0 || file === void 0) {
        throw new ModelError(
          "tensor_missing",
          `Tensor ${quote(name)} is not among the ${tensors.size} tensors of ${listed(files.map(({ source }) => source.name))}.`
        );
      }
      const from = start ?? 0;
      const to = end ?? tensor.byteLength;
      if (!(from >= 0 && from <= to && to <= tensor.byteLength)) {
        throw new RangeError(`bytes ${from} to ${to} of tensor ${quote(name)}, which has ${tensor.byteLength}`);
      }
      return file.read(tensor, from, to);
    },
    close
  };
}

// src/weights/runnable.ts
init_errors();
var FORMATS = {
  onnx: "ONNX, whose weights are partly folded into its graph",
  gguf: "GGUF, whose tensors are renamed, partly reordered and mostly quantized"
};
function isRunnable(checkpoint) {
  return FORMATS[checkpoint.format] === void 0;
}
function refuseUnlessRunnable(checkpoint, config) {
  const format = FORMATS[checkpoint.format];
  if (format === void 0 && config !== null) return config;
  throw new ModelError(
    "unsupported_weights",
    `The weights are ${format ?? "without config.json"}: the numeric diff does not run on them, only the static check does. Give the safetensors checkpoint that they were made from.`
  );
}

// src/reference/kept-folder.ts
import { createHash as createHash2, webcrypto } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { lstat, mkdir, readdir, rm as rm2, statfs } from "node:fs/promises";
import { cpus } from "node:os";
import { join as join2 } from "node:path";
var LIMIT_BYTES = 20 * 2 ** 30;
var LIMIT_FILES = 1e5;
var SHARE_OF_FREE = 0.5;
var PIECE_BYTES = 8 * 2 ** 20;
var PIECES_AT_ONCE = 4;
var { subtle } = webcrypto;
async function keeperOf({ root, weights }, dtype, checkpoint) {
  const engine = engineName();
  if (engine === null || !await isOwn(root)) return null;
  const model = hashOf([dtype, weights ?? await contentOf(checkpoint)]);
  const folder = join2(root, engine, model);
  try {
    await mkdir(folder, { recursive: true, mode: 448 });
    const { bavail, bsize } = await statfs(folder);
    return openKeeper(folder, Math.min(LIMIT_BYTES, bavail * bsize * SHARE_OF_FREE));
  } catch {
    return null;
  }
}
function engineName() {
  if (false) return null;
  return hashOf(["650620a326bce313a6390440baa093b891149269cdeda06d3a65480466fe4b19", onnxruntimeVersion(), process.platform, process.arch, processor()]);
}
function processor() {
  const model = cpus()[0]?.model ?? "";
  if (process.platform !== "linux") return model;
  try {
    return `${model} ${/^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? ""}`;
  } catch {
    return model;
  }
}
function hashOf(parts) {
  return createHash2("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}
async function isOwn(root) {
  try {
    await mkdir(root, { recursive: true, mode: 448 });
    const stats = await lstat(root);
    const own = process.getuid === void 0 || stats.uid === process.getuid();
    return stats.isDirectory() && own && (stats.mode & 18) === 0;
  } catch {
    return false;
  }
}
async function contentOf({ tensors, read: read2 }) {
  const described = [...tensors.values()].map(({ name, dtype, shape, byteLength }) => [name, dtype, shape, byteLength]);
  const hash = createHash2("sha256").update(JSON.stringify(described));
  const pieces = [];
  const take3 = async (left2) => {
    while (pieces.length > left2) hash.update(new Uint8Array(await pieces.shift()));
  };
  for (const { name, byteLength } of tensors.values()) {
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const piece = read2(name, start, Math.min(start + PIECE_BYTES, byteLength)).then((bytes) => subtle.digest("SHA-256", bytes));
      piece.catch(() => void 0);
      pieces.push(piece);
      await take3(PIECES_AT_ONCE - 1);
    }
  }
  await take3(0);
  return hash.digest("hex");
}
async function prune(root, limits = { bytes: LIMIT_BYTES, files: LIMIT_FILES }) {
  const files = [];
  for (const engine of await names(root)) {
    for (const model of await names(join2(root, engine))) {
      for (const name of await names(join2(root, engine, model))) {
        const path = join2(root, engine, model, name);
        const stats = lookAt(path);
        if (stats !== null) files.push({ path, bytes: stats.size, used: stats.mtimeMs });
      }
    }
  }
  let bytes = files.reduce((sum2, file) => sum2 + file.bytes, 0);
  let count2 = files.length;
  for (const file of files.sort((a, b) => a.used - b.used)) {
    if (bytes <= limits.bytes && count2 <= limits.files) return;
    await rm2(file.path, { force: true }).catch(() => void 0);
    bytes -= file.bytes;
    count2--;
  }
}
function lookAt(path) {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
async function names(folder) {
  return readdir(folder).catch(() => []);
}

export {
  wholeTensor,
  modelType,
  buildProgram,
  checkWeights,
  filesInOrder,
  firstNonFinite,
  rows,
  joinRows,
  remembered,
  digest,
  joinPrompts,
  checkPrompt,
  rotaryAt,
  walk,
  matrices,
  perSegment,
  logitsMeter,
  readTexts,
  laneInputs,
  siteWeights,
  namesOf,
  laneOutputs,
  callKernel,
  seesOtherTokens,
  runSite,
  runStep,
  fusedLane,
  kernelNames,
  lookedAt,
  PROMPTS,
  MAX_NEW_TOKENS,
  generate,
  roomAfter,
  endTokens,
  DTYPE_BITS,
  HEADER_LIMIT,
  PREFIX_BYTES,
  readSafetensors,
  tensorBytes,
  dequantize,
  openCheckpoint,
  isRunnable,
  refuseUnlessRunnable,
  keeperOf,
  prune
};
