import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  KernelError,
  blocksOf,
  embeddingRows,
  readAhead,
  roundToServing,
  servedBlock,
  wholeWeight
} from "./chunk-S7CZWMKT.js";
import {
  bfloat16ToFloat32
} from "./chunk-OKHQOVWE.js";
import {
  onnxruntimeVersion
} from "./chunk-TIIBBJE5.js";
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
  const missing = [];
  for (const ref of weightRefs(program)) {
    const tensor = checkpoint.tensors.get(ref.tensor);
    if (tensor === void 0) {
      if (!missing.includes(ref.tensor)) missing.push(ref.tensor);
    } else if (tensor.shape.length !== ref.shape.length || tensor.shape.some((size, i) => size !== ref.shape[i])) {
      throw new ModelError(
        "weights_mismatch",
        `${tensor.file}: ${ref.tensor} has shape [${tensor.shape.join(", ")}], but config.json implies [${ref.shape.join(", ")}]; check hidden_size, intermediate_size, num_attention_heads, num_key_value_heads, head_dim and vocab_size`
      );
    }
  }
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(", ");
    throw new ModelError(
      "tensor_missing",
      `${missing.length} of the tensors that config.json implies are not in the checkpoint: ${shown}${missing.length > 5 ? ", …" : ""}; check num_hidden_layers and model_type`
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
  let sum2 = 0;
  for (let i = 0; i < data.length; i++) sum2 += 0 * data[i];
  if (sum2 === 0) return -1;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}
function rows(array, start, end) {
  const [count = 1, ...rest] = array.shape;
  const stride = count === 0 ? 0 : array.data.length / count;
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
  const { long } = table;
  const inv_freq = long !== void 0 && positions.some((position) => position >= long.above) ? long.inv_freq : table.inv_freq;
  const factor = Math.fround(table.attention_factor);
  const half = inv_freq.length;
  const data = new Float32Array(positions.length * half);
  for (const [t, position] of positions.entries()) {
    for (let i = 0; i < half; i++) data[t * half + i] = Math.fround(of(Math.fround(position * inv_freq[i]))) * factor;
  }
  return { data, shape: [positions.length, half] };
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
  let left = room;
  const write2 = async (path, bytes) => {
    const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      await writeFile(temporary, bytes, { flag: "wx" });
      await rename(temporary, path);
    } catch {
      left = 0;
      await rm(temporary, { force: true }).catch(() => void 0);
    }
    waiting -= bytes.length;
  };
  return {
    get counts() {
      return { found: found.size, made: made.size };
    },
    async find(key) {
      const name = digest(key);
      const path = join(folder, name);
      const bytes = await readFile(path).catch(() => null);
      const kept = bytes === null ? null : decode(bytes);
      if (kept === null) {
        if (bytes !== null) await rm(path, { force: true }).catch(() => void 0);
        return null;
      }
      if (!made.has(name)) found.add(name);
      const now = /* @__PURE__ */ new Date();
      await utimes(path, now, now).catch(() => void 0);
      return kept;
    },
    async put(key, kept) {
      const name = digest(key);
      made.add(name);
      if (left <= 0) return;
      const bytes = encode(kept);
      left -= bytes.length;
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
async function remembered(keeper, key, compute) {
  if (keeper === null || keeper === void 0) return compute();
  const own = key();
  const known = await keeper.find(own);
  if (known !== null) return known;
  const made = await compute();
  await keeper.put(own, made);
  return made;
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
function encode({ tensors, note }) {
  const parts = [];
  let begin = 0;
  const entries = Object.entries(tensors).map(([name, { data, shape }]) => {
    const { dtype, bytes } = packed(data);
    parts.push(bytes);
    const entry = { name, dtype, shape, begin };
    begin += Math.ceil(bytes.byteLength / 8) * 8;
    return entry;
  });
  const header = Buffer.from(JSON.stringify({ note, tensors: entries }));
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
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  let lower = 0;
  for (let i = 0; i < bits.length; i++) lower |= bits[i];
  if ((lower & 65535) !== 0) return { dtype: "F32", bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const upper = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) upper[i] = bits[i] >>> 16;
  return { dtype: "BF16", bytes: new Uint8Array(upper.buffer) };
}
function decode(given) {
  if (given.length < HEADER_FROM || !given.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (crc32(given.subarray(CHECKED_FROM)) !== given.readUInt32LE(MAGIC.length)) return null;
  const bytes = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
  const length = given.readUInt32LE(CHECKED_FROM);
  const header = JSON.parse(given.toString("utf8", HEADER_FROM, HEADER_FROM + length));
  const dataFrom = bytes.byteOffset + Math.ceil((HEADER_FROM + length) / 8) * 8;
  const tensors = header.tensors.map(({ name, dtype, shape, begin }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const from = dataFrom + begin;
    if (dtype === "F64") return [name, { data: new Float64Array(bytes.buffer, from, count), shape }];
    if (dtype === "F32") return [name, { data: new Float32Array(bytes.buffer, from, count), shape }];
    return [name, { data: bfloat16ToFloat32(new Uint16Array(bytes.buffer, from, count)), shape }];
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
  const segments = [];
  for (let start = 0; start < ops.length; ) {
    let end = start;
    while (end + 1 < ops.length && ops[end + 1]?.layer === ops[start]?.layer && end !== changedAfter) end++;
    const run = ops.slice(start, end + 1);
    const made = new Set(run.flatMap(({ outputs }) => Object.values(outputs)));
    const products = run.some(({ op }) => op === "linear" || op === "qkv" || op === "attention");
    const stands = [...lane.standIns.keys()].some((index) => index >= start && index <= end);
    if (products && !stands && !made.has(program.logits)) {
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
  return {
    what: "segment",
    depends: { dtype, recipe: lane.recipe, ops: program.ops.slice(start, end + 1), prompts: sequence.segments, leaves },
    tensors: Object.fromEntries(reads.map((name) => [name, lane.values.get(name)]))
  };
}
async function keptLogits({ keeper, dtype, sequence, sums }, lanes, op) {
  const [first, ...others] = lanes.filter(({ kept }) => kept !== void 0);
  if (keeper === null || keeper === void 0 || first === void 0) return null;
  const hidden = (of) => Object.fromEntries(of.map((lane, i) => [String(i), lane.values.get(op.inputs["x"])]));
  const depends = { dtype, recipe: first.recipe, op };
  const final = digest({ what: "hidden", depends: null, tensors: hidden([first]) });
  const keyOfBlock = ({ start, end }) => ({ what: "logits", depends: { ...depends, start, end, final }, tensors: {} });
  const keyOfSums = {
    what: "sums",
    depends: { ...depends, recipes: others.map(({ recipe }) => recipe), prompts: sequence.segments, ids: sequence.ids, final },
    tensors: hidden(others)
  };
  const known = sums === void 0 ? null : await keeper.find(keyOfSums);
  if (known !== null) sums?.restore(known.tensors);
  return {
    summed: new Set(known === null ? [] : others),
    async find(block) {
      const logits = (await keeper.find(keyOfBlock(block)))?.tensors["logits"];
      return logits === void 0 ? null : /* @__PURE__ */ new Map([[first, logits]]);
    },
    put: (block, logits) => keeper.put(keyOfBlock(block), { tensors: { logits: logits.get(first) }, note: null }),
    async end() {
      if (known === null && sums !== void 0) await keeper.put(keyOfSums, { tensors: sums.state(), note: null });
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
  const next = readAhead(checkpoint, [...scannedBlocks(options), ...program.ops.flatMap((op) => linearBlocks(checkpoint, op))]);
  for (let i = scannedBlocks(options).length; i > 0; i--) await next();
  const lastUse = lastUses(options);
  const rest = options.keeper === null || options.keeper === void 0 ? null : resting(options.keeper, options);
  for (const [index, op] of program.ops.entries()) {
    await rest?.before(index);
    const computing = lanes.filter((lane) => !lane.standIns.has(index) && rest?.rests(lane, index) !== true);
    if (op.op === "embed") await embed(options, op);
    else if (op.op === "linear" || op.op === "qkv") await linears(options, computing, op, next);
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
    const data = lane.recipe.round === "none" || scaled instanceof Float64Array ? scaled : roundToServing(scaled, dtype);
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
async function linears(options, lanes, op, next) {
  const { checkpoint, dtype, runner, program } = options;
  const factors = lanes.map((lane) => ({
    lane,
    recipe: lane.recipe,
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
    for (let left = blocksOf(checkpoint, matrix.ref).length; left > 0; left--) {
      const { block, bytes } = await next();
      if (lanes.length === 0) continue;
      const known = await kept?.find(block) ?? /* @__PURE__ */ new Map();
      const unknown = needed.filter(({ lane }) => !known.has(lane));
      const served2 = servedBlock(checkpoint, block, bytes, dtype);
      const weight = { ...served2, movable: checkpoint.keeps !== true && served2.data.byteLength === served2.data.buffer.byteLength };
      await inFlight.add(runner.linears(unknown, weight, bias?.subarray(block.start, block.end) ?? null, softcap2), async (made) => {
        const products = new Map([...known, ...unknown.map(({ lane }, i) => [lane, made[i]])]);
        if (known.size === 0) await kept?.put(block, products);
        const blocks = lanes.map((lane) => products.get(lane) ?? NO_LOGITS);
        if (streaming !== void 0) streaming(block.start, blocks);
        else for (const [i, sink] of sinks.entries()) sink.add(block, blocks[i]);
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
  const upTo = async (left) => {
    while (waiting.length > left) await waiting.shift()?.();
  };
  return {
    async add(result, take2) {
      result.catch(() => void 0);
      waiting.push(async () => {
        await take2(await result);
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
function writer(prompt, { recipe, standIns = /* @__PURE__ */ new Map(), cached = true }) {
  return { recipe, standIns, ids: [...prompt], cache: cached ? { past: 0, values: /* @__PURE__ */ new Map() } : null };
}
async function nextTokens(context, writers) {
  const { program } = context;
  const lanes = writers.map(({ recipe, standIns, ids, cache }) => {
    const past = cache?.past ?? 0;
    const segments = [{ start: 0, end: ids.length - past }];
    return { recipe, standIns, values: /* @__PURE__ */ new Map(), sequence: { ids: ids.slice(past), segments, past } };
  });
  const kept = writers.map(() => /* @__PURE__ */ new Map());
  const best = lanes.map(({ sequence }) => (sequence?.ids ?? []).map(() => ({ id: -1, value: -Infinity, finite: true })));
  await walk({
    ...context,
    sequence: lanes[0]?.sequence ?? { ids: [], segments: [] },
    lanes,
    scanAll: false,
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

// src/reference/recipes.ts
var EAGER = { compute: "float32", norm_weight: "eager", probabilities: "serving", inside: "eager", sums: "whole" };
var ORACLE = { ...EAGER, name: "oracle", compute: "float64", round: "none" };
function eager(dtype) {
  return { ...EAGER, name: "eager", round: dtype };
}
function validRecipes(dtype) {
  const base = eager(dtype);
  return [
    base,
    { ...base, name: "norm_weight_swapped", norm_weight: "swapped" },
    { ...base, name: "float32_probabilities", probabilities: "float32" },
    { ...base, name: "float32_inside", inside: "float32" },
    { ...base, name: "split_sums", sums: "halves" },
    { ...base, name: "all_variants", norm_weight: "swapped", probabilities: "float32", inside: "float32", sums: "halves" }
  ];
}
var MATTERS = {
  embed: [],
  rms_norm: ["norm_weight", "inside", "sums"],
  qk_norm: ["norm_weight", "inside", "sums"],
  linear: ["sums"],
  qkv: ["sums"],
  split_heads: [],
  rope: ["inside"],
  attention: ["probabilities", "inside", "sums"],
  silu_mul: ["inside"],
  gelu_tanh_mul: ["inside"],
  add: []
};
function sameRecipe(recipes, recipe, ops) {
  const matters = new Set(ops.flatMap((op) => MATTERS[op]));
  return recipes.find((other) => [...matters].every((field) => other[field] === recipe[field])) ?? recipe;
}
function distinctRecipes(recipes, ops) {
  return recipes.filter((recipe) => sameRecipe(recipes, recipe, ops) === recipe);
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
    sums: (count) => ({
      state() {
        const entries = running.slice(1, count + 1).flatMap(
          (sums, i) => SUMS.map((name) => [`${i + 1} ${name}`, { data: Float64Array.from(sums[name]), shape: [positions] }])
        );
        return Object.fromEntries(entries);
      },
      restore(state) {
        for (let lane = 1; lane <= count; lane++) {
          known.add(lane);
          for (const name of SUMS) running[lane][name].set(state[`${lane} ${name}`].data);
        }
      }
    }),
    perPosition: (noiseLanes) => Array.from(targets, (_, p) => {
      const { best, bestId, target, broken } = running[0];
      const below = best[p] - target[p];
      return {
        best: bestId[p],
        choices: running.slice(1).map((lane) => lane.broken[p] === 1 ? -1 : lane.bestId[p]),
        nll: broken[p] === 1 ? NaN : Math.log(weight[p]) + below,
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
  const broken = (lane) => lane.broken.reduce((sum2, flag2) => sum2 + flag2, 0);
  const mean2 = (lane, value) => {
    if (broken(lane) > 0) return NaN;
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
    perplexity: running.map((lane) => perplexity(targets, (p) => logSum(lane, p) - lane.target[p], broken(lane) > 0)),
    non_finite: running.map(broken),
    first_non_finite: running.map((lane) => lane.broken.indexOf(1))
  };
}
function sumOver(count, value) {
  let sum2 = 0;
  for (let i = 0; i < count; i++) sum2 += value(i);
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
function perplexity(targets, nll, broken) {
  let [sum2, count] = [0, 0];
  for (const [p, target] of targets.entries()) {
    if (target < 0) continue;
    sum2 += nll(p);
    count++;
  }
  const value = Math.exp(sum2 / count);
  return count === 0 || broken || !Number.isFinite(value) ? null : value;
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
  const [count = 0, width = 0] = shape;
  return Array.from({ length: count }, (_, i) => {
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
function weightOf({ checkpoint, dtype, kept }, ref) {
  const key = `${ref.tensor} ${ref.rows?.start ?? "whole"}`;
  const weight = kept?.get(key) ?? wholeWeight(checkpoint, ref, dtype);
  kept?.set(key, weight);
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
  const values = /* @__PURE__ */ new Map();
  for (const [name, value] of site.inputs) values.set(value, inRecipe(inputs[name], recipe, value));
  for (let index = site.start; index <= site.end; index++) {
    const op = context.program.ops[index];
    const given = {};
    for (const [name, value] of Object.entries(op.inputs)) given[name] = values.get(value);
    const outputs = await runStep(context, op, recipe, given, sequence);
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
  const options = { recipe: eager(context.dtype), standIns: standInsOf(context, placements), cached };
  return write(context, tasks, options, lookedAt(placements.map(({ site }) => site)), cached ? drafts : []);
}
async function write(context, tasks, options, keep, drafts = []) {
  const pens = tasks.map((task) => penOf(task, options));
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
async function tokenByToken(inputs, count, call) {
  const parts = [];
  for (let t = 0; t < count; t++) {
    const part = Object.entries(inputs).map(([name, array]) => {
      const all = array.shape[0];
      return [name, rows(array, all === count ? t : 0, all - count + t + 1)];
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
  const position = divergenceOf(standard.ids, fused.ids);
  const below = ({ views: of }, at) => of[at].below_best;
  const margin = position === null ? 0 : Math.abs(below(standard, position) - below(fused, position));
  const loops = { standard: isLoop(standard.ids), fused: isLoop(fused.ids) };
  const astray = fused.views.some(({ below_best }) => below_best > decisive);
  const average = (of, what) => finite(mean(of.views.map((view) => view[what])));
  return {
    prompt: idsText(prompt),
    tokens,
    text_standard: idsText(standard.ids),
    text_fused: idsText(fused.ids),
    ids_prompt: [...prompt],
    ids_standard: [...standard.ids],
    ids_fused: [...fused.ids],
    first_divergence: position === null ? null : { position, near_tie: margin <= decisive, margin },
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
import { createHash as createHash2 } from "node:crypto";
import { lstat, mkdir, readdir, rm as rm2, stat, statfs } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join as join2 } from "node:path";
var LIMIT_BYTES = 20 * 2 ** 30;
var SHARE_OF_FREE = 0.5;
var PIECE_BYTES = 8 * 2 ** 20;
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
  return hashOf(["96cab56e2ad51837270e9489038d36de7e881f3646302a01b70b0ee89a27582f", onnxruntimeVersion(), process.platform, process.arch, processor()]);
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
  const hash = createHash2("sha256");
  for (const { name, dtype, shape, byteLength } of tensors.values()) {
    hash.update(JSON.stringify([name, dtype, shape]));
    let ahead = read2(name, 0, Math.min(PIECE_BYTES, byteLength));
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const bytes = await ahead;
      const next = start + PIECE_BYTES;
      if (next < byteLength) ahead = read2(name, next, Math.min(next + PIECE_BYTES, byteLength));
      hash.update(bytes);
    }
    await ahead;
  }
  return hash.digest("hex");
}
async function prune(root, limit = LIMIT_BYTES) {
  const files = [];
  for (const engine of await names(root)) {
    for (const model of await names(join2(root, engine))) {
      for (const name of await names(join2(root, engine, model))) {
        const path = join2(root, engine, model, name);
        const stats = await stat(path).catch(() => null);
        if (stats !== null) files.push({ path, bytes: stats.size, used: stats.mtimeMs });
      }
    }
  }
  let total = files.reduce((sum2, { bytes }) => sum2 + bytes, 0);
  for (const { path, bytes } of files.sort((a, b) => a.used - b.used)) {
    if (total <= limit) return;
    await rm2(path, { force: true }).catch(() => void 0);
    total -= bytes;
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
  joinPrompts,
  checkPrompt,
  rotaryAt,
  walk,
  matrices,
  perSegment,
  ORACLE,
  eager,
  validRecipes,
  sameRecipe,
  distinctRecipes,
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
  lookedAt,
  PROMPTS,
  MAX_NEW_TOKENS,
  generate,
  roomAfter,
  endTokens,
  isRunnable,
  refuseUnlessRunnable,
  keeperOf,
  prune
};
