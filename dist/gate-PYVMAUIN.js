import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  SHIPPED_KERNELS
} from "./chunk-52E5HEIC.js";
import {
  package_default
} from "./chunk-JWQQMT3Q.js";
import {
  DTYPE_BITS,
  HEADER_LIMIT,
  PREFIX_BYTES,
  buildProgram,
  checkPrompt,
  checkWeights,
  countNonFinite,
  modelType,
  onnxruntimeVersion,
  openCheckpoint,
  openFolder,
  readModelConfig,
  tensorBytes,
  toFloat64
} from "./chunk-RWBYX5VG.js";
import "./chunk-LOTU3U5T.js";
import {
  against,
  count,
  difference,
  magnitude,
  multiple,
  percent,
  score
} from "./chunk-GJGK3S23.js";
import {
  loadManifests
} from "./chunk-GLCLHHNL.js";
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  UsageError,
  init_errors
} from "./chunk-LNJXDEHV.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";

// src/gate.ts
import { availableParallelism, cpus } from "node:os";
init_errors();

// src/checker/norm-values.ts
init_errors();
var ONE_PLUS_WEIGHT = /* @__PURE__ */ new Set([
  "gemma",
  "gemma2",
  "gemma3",
  "gemma3_text",
  "recurrent_gemma",
  "vaultgemma",
  "qwen3_next",
  "qwen3_5",
  "qwen3_5_text",
  "qwen3_5_moe",
  "qwen3_5_moe_text",
  "nemotron"
]);
var PLAIN_MODULE = /(?:^|\.)linear_attn\.norm$/;
function multipliesByOnePlusWeight(modelConfig) {
  return [modelConfig, textConfig(modelConfig)].some(
    (config) => typeof config["model_type"] === "string" && ONE_PLUS_WEIGHT.has(config["model_type"])
  );
}
function textConfig(modelConfig) {
  const text = modelConfig["text_config"];
  return typeof text === "object" && text !== null && !Array.isArray(text) ? { ...modelConfig, ...text } : modelConfig;
}
function headDimOf(config) {
  const explicit = positive(config["head_dim"]);
  if (explicit !== void 0) return explicit;
  const hidden = positive(config["hidden_size"]);
  const heads = positive(config["num_attention_heads"]);
  return hidden !== void 0 && heads !== void 0 && hidden % heads === 0 ? hidden / heads : void 0;
}
function positive(value) {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : void 0;
}
async function readNormValues(checkpoint, inventory, onePlusWeight) {
  const norm = (found) => readVector(checkpoint, found, onePlusWeight && !PLAIN_MODULE.test(found.module) ? 1 : 0);
  const layers = inventory.layers.map(async (layer) => {
    const [k, q, norms, biases2] = await Promise.all([
      Promise.all(layer.k.map(norm)),
      Promise.all(layer.q.map(norm)),
      Promise.all(layer.norms.map(norm)),
      Promise.all(layer.biases.map(async (bias) => ({ ...await readVector(checkpoint, bias, 0), projection: bias.projection })))
    ]);
    const perHead = [...layer.k, ...layer.q].some(({ tensor }) => tensor.shape.length === 2) || layer.k.length > 1 || layer.q.length > 1;
    return { layer: layer.layer, k: joined(k), q: joined(q), perHead, norms, biases: biases2 };
  });
  return { layers: await Promise.all(layers), outer: await Promise.all(inventory.outer.map(norm)) };
}
async function readVector(checkpoint, { tensor, module, layer }, offset) {
  const bytes = await checkpoint.read(tensor.name);
  const { nan, inf } = countNonFinite(bytes, tensor.dtype, tensor.name);
  if (nan + inf > 0) throw nonFinite(tensor, nan, inf);
  const values = toFloat64(bytes, tensor.dtype, tensor.name);
  let maxStored = 0;
  for (let i = 0; i < values.length; i++) {
    const stored2 = values[i];
    maxStored = Math.max(maxStored, Math.abs(stored2));
    values[i] = Math.abs(offset + stored2);
  }
  return { name: tensor.name, module, layer, values, maxStored };
}
function nonFinite(tensor, nan, inf) {
  const counts = [nan > 0 ? `${nan} NaN` : "", inf > 0 ? `${inf} infinite` : ""].filter((part) => part !== "").join(" and ");
  const values = tensor.shape.reduce((product, size) => product * size, 1);
  return new ModelError(
    "non_finite_weights",
    `${tensor.file}: tensor ${quote(tensor.name)} holds ${counts} of ${values} values; the checkpoint is damaged. Download or export it again.`
  );
}
function joined(vectors) {
  const [first] = vectors;
  if (first === void 0 || vectors.length === 1) return first ?? null;
  const heads = [...vectors].sort((a, b) => a.module.localeCompare(b.module, "en", { numeric: true }));
  const values = Float64Array.from(heads.flatMap((head) => [...head.values]));
  return {
    ...first,
    module: first.module.replace(/\.norms\.\d+$/, ""),
    values,
    maxStored: Math.max(...heads.map((head) => head.maxStored))
  };
}
function largest(values) {
  let result = -Infinity;
  for (const value of values) if (value > result) result = value;
  return result;
}
function lowerMedian(values) {
  return values.toSorted()[values.length - 1 >> 1] ?? 0;
}

// src/checker/rope-gain.ts
function jointGain(q, k, headDim, rotaryDim) {
  const heads = q.length / headDim;
  const kvHeads = k.length / headDim;
  if (!Number.isInteger(heads) || !Number.isInteger(kvHeads) || kvHeads === 0 || heads % kvHeads !== 0 && heads !== 1) return null;
  const pairs = [];
  for (let head = 0; head < Math.max(heads, kvHeads); head++) {
    const qHead = headAt(q, heads === 1 ? 0 : head, headDim);
    const kHead = headAt(k, heads === 1 ? head : Math.floor(head * kvHeads / heads), headDim);
    const half = rotaryDim / 2;
    for (let i = 0; i < half; i++) pairs.push(pairMax(qHead, i, i + half) * pairMax(kHead, i, i + half));
    for (let i = rotaryDim; i < headDim; i++) pairs.push(pairMax(qHead, i, i) * pairMax(kHead, i, i));
  }
  return { max: largest(pairs), median: lowerMedian(Float64Array.from(pairs)) };
}
function headAt(values, head, headDim) {
  return values.subarray(head * headDim, (head + 1) * headDim);
}
function pairMax(values, i, j) {
  return Math.max(values[i] ?? 0, values[j] ?? 0);
}

// src/checker/scheme-findings.ts
var OUTPUT_NORMS = ["post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm"];
var INPUT_NORMS = ["input_layernorm", "ln_1", "norm_1", "attention_norm", "attention_layernorm", "pre_attention_layernorm"];
var LATENT_NORM = /(?:^|\.)(?:kv_a|q_a)_layernorm$/;
function schemeFindings(inventory, values, config) {
  return [
    ...layerCount(inventory, config),
    ...qkNormExtent(inventory, values, config),
    ...qkNormPartial(inventory),
    ...outputNorms(inventory),
    ...latentNorms(inventory),
    ...missingNorms(inventory),
    ...normBiases(inventory)
  ];
}
function finding(code, first, value, message) {
  return { code, layer: first?.layer ?? null, tensor: first?.tensor.name ?? null, value, message };
}
function of(count2, inventory) {
  return `${count2} of ${inventory.layersTotal} layers`;
}
function layerCount(inventory, config) {
  const stated = config["num_hidden_layers"] ?? config["n_layer"] ?? config["n_layers"] ?? config["num_layers"];
  const { layersTotal, layers } = inventory;
  if (layersTotal === 0) {
    const message2 = "No layers were found by the names of the tensors, so nothing was checked: a score of 1.00 says nothing about this checkpoint.";
    return [finding("no_layers_found", void 0, 0, message2)];
  }
  if (typeof stated !== "number" || stated === layersTotal && layers.length === layersTotal) return [];
  const gaps = layers.length === layersTotal ? "" : `, of which only ${layers.length} have tensors`;
  const message = `config.json says ${stated} layers, but the weights have ${layersTotal}${gaps}; the numbers here are those of the weights.`;
  return [finding("layer_count_mismatch", void 0, layersTotal, message)];
}
function qkNormExtent(inventory, values, config) {
  const perHead = values.layers.filter((layer) => layer.perHead);
  const headDim = headDimOf(config);
  const first = (layer) => inventory.layers.find((entry) => entry.layer === layer)?.k[0];
  if (perHead.length > 0) {
    const message2 = `Q/K norm has own weights for each head in ${of(perHead.length, inventory)}; kernels that use one vector for all heads get it wrong.`;
    return [finding("qk_norm_per_head", first(perHead[0]?.layer), perHead.length, message2)];
  }
  const wide = values.layers.filter((layer) => headDim !== void 0 && layer.k !== null && layer.k.values.length > headDim);
  if (wide.length === 0) return [];
  const message = `Q/K norm goes over all heads at once in ${of(wide.length, inventory)} (${wide[0]?.k?.values.length ?? 0} weights, head_dim ${headDim ?? 0}), as in OLMo 2; kernels that normalise each head get it wrong.`;
  return [finding("qk_norm_all_heads", first(wide[0]?.layer), wide.length, message)];
}
function qkNormPartial(inventory) {
  const both = inventory.layers.filter((layer) => layer.k.length > 0 && layer.q.length > 0).length;
  const any = inventory.layers.filter((layer) => layer.k.length > 0 || layer.q.length > 0).length;
  if (any === 0 || both === inventory.layers.length) return [];
  const without = inventory.layers.find((layer) => layer.k.length === 0 || layer.q.length === 0);
  const message = `Both Q and K norm are in ${of(both, inventory)}, one of them alone in ${any - both}; layer ${without?.layer ?? 0} is the first that differs.`;
  return [{ ...finding("qk_norm_partial", void 0, both, message), layer: without?.layer ?? null }];
}
function outputNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => OUTPUT_NORMS.includes(norm.module)));
  const layers = inventory.layers.filter((layer) => layer.norms.some((norm) => OUTPUT_NORMS.includes(norm.module)));
  if (layers.length === 0) return [];
  const sandwich = layers.some((layer) => layer.norms.some((norm) => INPUT_NORMS.includes(norm.module)));
  const message = sandwich ? `Sandwich norms in ${of(layers.length, inventory)}: attention and MLP are normalised before and after; a fused residual-add-and-norm must add after the second.` : `Norms after attention and MLP and none before, in ${of(layers.length, inventory)}, as in OLMo 2; a fused norm-and-projection has no place there.`;
  return [finding(sandwich ? "sandwich_norms" : "post_norms", norms[0], layers.length, message)];
}
function latentNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => LATENT_NORM.test(norm.module)));
  if (norms.length === 0) return [];
  const layers = new Set(norms.map((norm) => norm.layer)).size;
  const message = `Norms on compressed Q or KV (multi-head latent attention) in ${of(layers, inventory)}; they are not the Q/K norms that the score is about.`;
  return [finding("latent_norms", norms[0], layers, message)];
}
function missingNorms(inventory) {
  const { layers } = inventory;
  if (layers.length === 0) return [];
  if (layers.every((layer) => layer.norms.length === 0 && layer.k.length === 0 && layer.q.length === 0)) {
    const message2 = `No layer has norm weights: either its norms have none (as in OLMo 1) or the tensors bear names that are not known here.`;
    return [finding("norm_missing", void 0, 0, message2)];
  }
  const counts = /* @__PURE__ */ new Map();
  for (const layer of layers) for (const module of layerModules(layer)) counts.set(module, (counts.get(module) ?? 0) + 1);
  const partial = [...counts].filter(([, count2]) => count2 > layers.length / 2 && count2 < layers.length);
  const [first] = partial;
  if (first === void 0) return [];
  const without = layers.find((layer) => !layerModules(layer).has(first[0]));
  const message = `The norm ${printable(first[0])} is in ${of(first[1], inventory)} only; layer ${without?.layer ?? 0} is the first without it.`;
  return [{ ...finding("norm_missing", void 0, first[1], message), layer: without?.layer ?? null }];
}
function layerModules(layer) {
  return new Set(layer.norms.map((norm) => norm.module).filter((module) => !module.includes(".")));
}
function normBiases(inventory) {
  const biases2 = inventory.layers.flatMap((layer) => layer.normBiases);
  if (biases2.length === 0) return [];
  const layers = new Set(biases2.map((bias) => bias.layer)).size;
  const message = `Norms have biases in ${of(layers, inventory)}: this is LayerNorm, which also subtracts the mean; RMSNorm kernels get it wrong.`;
  return [finding("layernorm_bias", biases2[0], layers, message)];
}

// src/checker/findings.ts
var FLOAT16_MAX = 65504;
function collectFindings(inventory, values, layers, modelConfig, thresholds) {
  const config = textConfig(modelConfig);
  return [
    ...zeroMedians(values),
    ...jointGains(values, layers, config, thresholds),
    ...biases(values, thresholds),
    ...massiveNorms(values, thresholds),
    ...outlierChannels(values, thresholds),
    ...float16Overflow(values),
    ...schemeFindings(inventory, values, config)
  ];
}
function shown(value) {
  return String(Number(value.toPrecision(3)));
}
function place(layer) {
  return layer === null ? "outside of the layers" : `in layer ${layer}`;
}
function sharing(count2, total) {
  return count2 === 1 ? `1 of ${total} layers` : `${count2} of ${total} layers`;
}
function worst(candidates) {
  return candidates.reduce((best, next) => best === void 0 || next.value > best.value ? next : best, void 0);
}
function distinctLayers(candidates) {
  return new Set(candidates.map(({ vector }) => vector.layer)).size;
}
function zeroMedians(values) {
  return ["k", "q"].flatMap((side) => {
    const zero = values.layers.flatMap((layer) => {
      const vector = layer[side];
      return vector !== null && lowerMedian(vector.values) === 0 ? [{ vector, value: largest(vector.values) }] : [];
    });
    const first = worst(zero);
    if (first === void 0) return [];
    const norm = side === "k" ? "K" : "Q";
    const consequence = side === "k" ? "; its ratio counts as infinite" : "";
    const message = `The ${norm} norm ${place(first.vector.layer)} has a median weight of 0 and a largest one of ${shown(first.value)} (${sharing(distinctLayers(zero), values.layers.length)})${consequence}. Half of its channels are switched off: check how the checkpoint was exported.`;
    return [{ code: "zero_median_norm", layer: first.vector.layer, tensor: first.vector.name, value: first.value, message }];
  });
}
function jointGains(values, layers, config, thresholds) {
  const limit = thresholds.extreme_weight ** 2;
  const gains = values.layers.flatMap((layer) => {
    const gain = layerGain(layer, config);
    return gain === null || layer.k === null ? [] : [{ ...gain, vector: layer.k, value: gain.max }];
  });
  const over = gains.filter((gain) => gain.max > limit);
  const suspicious = layers.some(
    ({ extreme, max_k, k_ratio }) => extreme || max_k !== null && (k_ratio === null || k_ratio > thresholds.ratio_warn)
  );
  const top = gains.reduce(
    (best, next) => best === void 0 || next.max > best.max ? next : best,
    void 0
  );
  if (top === void 0 || over.length === 0 && !suspicious) return [];
  const compared = top.median === 0 ? "" : `, ${shown(top.max / top.median)} times the median pair`;
  const judged = over.length === 0 ? `At or below ${shown(limit)} everywhere: taken together the norms are less extreme than the weights of one of them suggest.` : `Over ${shown(limit)} in ${sharing(over.length, values.layers.length)}: such pairs dominate the attention scores.`;
  const message = `The joint gain of K and Q norm reaches ${shown(top.max)} for one RoPE pair ${place(top.vector.layer)}${compared}; unlike the K ratio it stays the same when scale is moved between K and Q. ${judged}`;
  return [{ code: "qk_joint_gain", layer: top.vector.layer, tensor: top.vector.name, value: top.max, message }];
}
function layerGain(layer, config) {
  if (layer.k === null || layer.q === null) return null;
  const headDim = headDimOf(config) ?? Math.min(layer.k.values.length, layer.q.values.length);
  const nested = config["rope_parameters"];
  const fraction = [nested, config].map(
    (source) => typeof source === "object" && source !== null && "partial_rotary_factor" in source ? source.partial_rotary_factor : void 0
  ).find((value) => typeof value === "number" && value > 0 && value <= 1);
  const rotaryDim = 2 * Math.floor(headDim * (typeof fraction === "number" ? fraction : 1) / 2);
  return jointGain(layer.q.values, layer.k.values, headDim, rotaryDim);
}
function biases(values, { extreme_weight: limit }) {
  const projections = ["K", "Q", "V", "QKV"];
  return projections.flatMap((projection) => {
    const found = values.layers.flatMap((layer) => layer.biases.filter((bias) => bias.projection === projection));
    const over = found.map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
    const top = worst(over);
    if (top === void 0) return [];
    const norm = Math.sqrt(top.vector.values.reduce((sum, value) => sum + value * value, 0));
    const message = `The ${projection} projection's bias reaches ${shown(top.value)} ${place(top.vector.layer)} (L2 norm ${shown(norm)}); it is over ${limit} in ${sharing(distinctLayers(over), values.layers.length)}. Rounding steps grow with it, and what the input adds is lost in them.`;
    return [{ code: "bias_norm", layer: top.vector.layer, tensor: top.vector.name, value: norm, message }];
  });
}
function otherNorms(values) {
  return [...values.layers.flatMap((layer) => layer.norms), ...values.outer];
}
function massiveNorms(values, { max_weight_warn: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has a weight of ${shown(top.value)}; norms other than Q and K are over ${limit} ${affected(over, values.layers.length)}. It multiplies rounding errors of its input as much as the input.`;
  return [{ code: "massive_norm_weight", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}
function outlierChannels(values, { ratio_fail: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) / lowerMedian(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const times = Number.isFinite(top.value) ? `${shown(top.value)} times` : "a weight while most have none, beyond any multiple of";
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has an outlier channel at ${times} its median weight; norms other than Q and K are over ${limit} times ${affected(over, values.layers.length)}. A few channels carry most of the signal, and their errors.`;
  return [
    {
      code: "norm_outlier_channels",
      layer: top.vector.layer,
      tensor: top.vector.name,
      value: Number.isFinite(top.value) ? top.value : null,
      message
    }
  ];
}
function affected(over, total) {
  const inLayers = over.filter(({ vector }) => vector.layer !== null);
  if (inLayers.length === 0) return "nowhere else";
  return `in ${sharing(distinctLayers(inLayers), total)}${inLayers.length === over.length ? "" : " and outside of them"}`;
}
function float16Overflow(values) {
  const all = [
    ...values.layers.flatMap((layer) => [layer.k, layer.q, ...layer.biases].filter((vector) => vector !== null)),
    ...otherNorms(values)
  ];
  const over = all.map((vector) => ({ vector, value: vector.maxStored })).filter(({ value }) => value > FLOAT16_MAX);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `${printable(top.vector.module)} ${place(top.vector.layer)} holds ${shown(top.value)}, more than float16 can (${FLOAT16_MAX})${over.length === 1 ? "" : `, and so do ${over.length - 1} more of the norms and biases`}. Served in float16 it overflows: use bfloat16 or float32.`;
  return [{ code: "float16_overflow", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}

// src/checker/norm-tensors.ts
var QK_NORMS = [
  { k: "k_norm", q: "q_norm", families: "Qwen3, Gemma 3, OLMo 2, OLMoE, EXAONE 4, GLM-4.5, MiniMax-M2, Command R+, Chameleon" },
  { k: "k_layernorm", q: "q_layernorm", families: "Phi-1/2, Persimmon, LFM2; StableLM 2 with a norm per head below it (.norms.0 ...)" },
  { k: "key_layernorm", q: "query_layernorm", families: "HunYuan, Ling (Bailing)" },
  { k: "k_ln", q: "q_ln", families: "MPT" }
];
var BIASES = {
  q_proj: "Q",
  k_proj: "K",
  v_proj: "V",
  query: "Q",
  key: "K",
  value: "V",
  qkv_proj: "QKV",
  query_key_value: "QKV",
  c_attn: "QKV",
  Wqkv: "QKV",
  in_proj_qkv: "QKV"
};
var NORM_MODULE = /norm(?:_?\d+)?$|^ln(?:_\w+)?$/i;
var IN_LAYER = /^(|.*?\.)(layers|layer|h|blocks|block)\.(\d{1,5})\.(.+)\.(weight|bias)$/;
var OTHER_TOWER = /(?:^|[._])(?:vision|visual|vit|siglip|clip|image|audio|speech|whisper|talker|mtp|nextn|draft|eagle)/i;
var MAX_NORM_ELEMENTS = 2 ** 22;
function findNormTensors(checkpoint) {
  const stacks = /* @__PURE__ */ new Map();
  const outer = [];
  for (const tensor of checkpoint.tensors.values()) {
    const match = IN_LAYER.exec(tensor.name);
    if (match === null) {
      const module2 = /^(.+)\.weight$/.exec(tensor.name)?.[1];
      if (module2 !== void 0 && isNorm(module2, tensor) && !OTHER_TOWER.test(module2)) outer.push({ tensor, module: module2, layer: null });
      continue;
    }
    const [, prefix = "", container = "", index = "", module = "", kind] = match;
    if (OTHER_TOWER.test(prefix)) continue;
    const stack = getOrAdd(stacks, prefix + container, () => /* @__PURE__ */ new Map());
    const layer = Number(index);
    const entry = getOrAdd(stack, layer, () => ({ layer, k: [], q: [], norms: [], biases: [], normBiases: [] }));
    if (kind === "weight") sortWeight(entry, { tensor, module, layer });
    else sortBias(entry, { tensor, module, layer });
  }
  const deepest = [...stacks.values()].reduce((best, stack) => stack.size > best.size ? stack : best, /* @__PURE__ */ new Map());
  const layers = [...deepest.values()].sort((a, b) => a.layer - b.layer);
  return { layers, layersTotal: (layers.at(-1)?.layer ?? -1) + 1, outer };
}
function sortWeight(entry, norm) {
  const parts = norm.module.replace(/\.norms\.\d+$/, "").split(".");
  const last = parts.at(-1) ?? "";
  const elements = elementsOf(norm.tensor);
  if (norm.tensor.shape.length <= 2 && elements > 0 && elements <= MAX_NORM_ELEMENTS) {
    if (QK_NORMS.some(({ k }) => k === last)) return void entry.k.push(norm);
    if (QK_NORMS.some(({ q }) => q === last)) return void entry.q.push(norm);
  }
  if (isNorm(norm.module, norm.tensor)) entry.norms.push(norm);
}
function sortBias(entry, bias) {
  const last = bias.module.split(".").at(-1) ?? "";
  const projection = Object.hasOwn(BIASES, last) ? BIASES[last] : void 0;
  if (projection !== void 0 && isVector(bias.tensor)) entry.biases.push({ ...bias, projection });
  else if (isNorm(bias.module, bias.tensor)) entry.normBiases.push(bias);
}
function isNorm(module, tensor) {
  return isVector(tensor) && NORM_MODULE.test(module.split(".").at(-1) ?? "");
}
function isVector(tensor) {
  return tensor.shape.length === 1 && elementsOf(tensor) > 0 && elementsOf(tensor) <= MAX_NORM_ELEMENTS;
}
function elementsOf(tensor) {
  return tensor.shape.reduce((product, size) => product * size, 1);
}
function getOrAdd(map, key, make) {
  const found = map.get(key);
  if (found !== void 0) return found;
  const made = make();
  map.set(key, made);
  return made;
}

// src/checker/static-check.ts
async function staticCheck(checkpoint, modelConfig, thresholds) {
  const inventory = findNormTensors(checkpoint);
  const values = await readNormValues(checkpoint, inventory, multipliesByOnePlusWeight(modelConfig));
  const measured = values.layers.filter((layer) => layer.k !== null || layer.q !== null).map((layer) => measure(layer, thresholds));
  const layers = measured.map(({ report }) => report);
  const ratio = maxOrNull(measured.map((layer) => layer.ratio));
  const maxK = maxOrNull(layers.map((layer) => layer.max_k));
  const extreme = layers.filter((layer) => layer.extreme);
  const share = inventory.layersTotal === 0 ? 0 : extreme.length / inventory.layersTotal;
  const scores = {
    ratio: ratioScore(ratio ?? 0, thresholds),
    extreme_layers: extremeLayersScore(share, thresholds),
    max_weight: maxWeightScore(maxK ?? 0, thresholds)
  };
  const { ratio_weight, extreme_layers_weight, max_weight_weight, amplification_per_weight } = thresholds;
  const score2 = cleaned(
    ratio_weight * scores.ratio + extreme_layers_weight * scores.extreme_layers + max_weight_weight * scores.max_weight
  );
  return {
    status: statusOf(score2, ratio ?? 0, maxK ?? 0, thresholds),
    score: score2,
    scores,
    max_k_weight: maxK,
    k_weight_ratio: finiteOrNull(ratio),
    max_q_weight: maxOrNull(layers.map((layer) => layer.max_q)),
    extreme_layers: extreme.length,
    layers_total: inventory.layersTotal,
    estimated_amplification: extreme.reduce((product, layer) => product * (1 + amplification_per_weight * meanMax(layer)), 1),
    bytes_read: checkpoint.bytesRead,
    bytes_total: checkpoint.byteLength,
    findings: collectFindings(inventory, values, layers, modelConfig, thresholds),
    layers
  };
}
function measure(layer, thresholds) {
  const k = statistics(layer.k);
  const q = statistics(layer.q);
  const report = {
    layer: layer.layer,
    max_k: k.max,
    median_k: k.median,
    k_ratio: finiteOrNull(k.ratio),
    max_q: q.max,
    median_q: q.median,
    q_ratio: finiteOrNull(q.ratio),
    extreme: (k.max ?? 0) > thresholds.extreme_weight || (q.max ?? 0) > thresholds.extreme_weight
  };
  return { report, ratio: k.ratio };
}
function statistics(vector) {
  if (vector === null) return { max: null, median: null, ratio: null };
  const max = largest(vector.values);
  const median = lowerMedian(vector.values);
  return { max, median, ratio: median === 0 ? Infinity : max / median };
}
function ratioScore(ratio, { ratio_warn: warn, ratio_fail: fail }) {
  if (ratio > fail) return 0;
  return ratio > warn ? cleaned(0.5 * (fail - ratio) / (fail - warn)) : 1;
}
function extremeLayersScore(share, { extreme_share_warn: warn, extreme_share_fail: fail }) {
  if (share > fail) return 0;
  return share > warn ? cleaned(1 - 0.4 * (share - warn) / (fail - warn)) : 1;
}
function maxWeightScore(max, { max_weight_warn: warn, max_weight_fail: fail }) {
  if (max > fail) return 0;
  return max > warn ? cleaned((fail - max) / (fail - warn)) : 1;
}
function statusOf(score2, ratio, maxK, thresholds) {
  if (score2 < thresholds.score_incompatible) return "INCOMPATIBLE";
  if (score2 < thresholds.score_warning) return "WARNING";
  return ratio < thresholds.compatible_ratio && maxK < thresholds.compatible_max_weight ? "COMPATIBLE" : "WARNING";
}
function meanMax({ max_k: k, max_q: q }) {
  return ((k ?? q ?? 0) + (q ?? k ?? 0)) / 2;
}
function maxOrNull(values) {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : largest(present);
}
function finiteOrNull(value) {
  return value !== null && Number.isFinite(value) ? value : null;
}
function cleaned(value) {
  return Math.round(value * 1e12) / 1e12;
}

// src/models.ts
init_errors();

// src/tokenizer/prompts.ts
var ENGLISH = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light. And God saw the light, that it was good: and God divided the light from the darkness.";
var CODE = `def root_mean_square(values: list[float], eps: float = 1e-6) -> float:
    """Root of the mean of squares, e.g. [3.0, 4.0] -> 3.5355339."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * value
        if index % 1024 == 0:
            print(f"{index:>6d}: {total:.8f}")
    return (total / max(len(values), 1) + eps) ** 0.5
`;
var SCRIPTS = "清晨,河边的小镇刚刚醒来,面包师打开了店门,孩子们背着书包走过石桥。老人坐在树下读报,风把落叶吹到水面上,船慢慢地向远方的大海驶去。 في المساء عاد الصيادون إلى الميناء ومعهم سلال مليئة بالسمك، وجلسوا قرب النار يروون حكايات البحر القديمة. सुबह होते ही किसान अपने खेतों की ओर चल पड़े, और पहाड़ों के पीछे से सूरज धीरे-धीरे निकल आया।";
var GERMAN = "Als der Regen endlich nachließ, öffnete die Uhrmacherin das Fenster ihrer Werkstatt über dem Marktplatz. Drüben läutete die Kirchturmglocke, und zwischen den Pflastersteinen glänzten Pfützen wie kleine Spiegel. „Heute“, sagte sie leise, „stelle ich die Rathausuhr, die seit siebenundzwanzig Jahren fünf Minuten nachgeht.“ Ihr Lehrling lachte und griff nach der Werkzeugkiste.";
function builtInPrompts() {
  return [ENGLISH, CODE, SCRIPTS, GERMAN];
}
var SHORTER_BY = [0, 0, 3, 14];
function builtInLength(index, limit) {
  return Math.max(1, limit - (SHORTER_BY[index] ?? 0));
}

// src/verdict/diagnosis.ts
var SAME_BITS = 0.99;
var RECIPES = {
  norm_weight_swapped: "rounds on the other side of the norm weight than PyTorch eager does for this family",
  float32_probabilities: "keeps the softmax probabilities in float32, as flash attention does",
  float32_inside: "keeps values inside the op in float32 and rounds once at its outputs",
  split_sums: "adds its products in another order",
  all_variants: "rounds once at its outputs, with float32 in between and another order of sums"
};
function diagnose(numeric2) {
  if (numeric2 === null) return [];
  const modelOff = numeric2.model?.status === "warn" || numeric2.model?.status === "fail";
  return numeric2.kernels.flatMap(({ kernel, status, nearest_recipe: recipe, nearest_recipe_equal: equal }) => {
    const off = modelOff || status === "warn" || status === "fail";
    const words = recipe === null ? void 0 : RECIPES[recipe];
    if (!off || words === void 0 || equal === null || equal < SAME_BITS) return [];
    return [
      {
        code: "rounding_point",
        message: `${kernel} ${words}: ${(equal * 100).toFixed(1)} % of its outputs are bitwise those of recipe ${recipe}.`
      }
    ];
  });
}

// src/verdict/reasons.ts
function failureReason({ code, message }) {
  return { code, message };
}
var STATIC_CODES = { INCOMPATIBLE: "static_incompatible", WARNING: "static_warning", COMPATIBLE: "static_compatible" };
function staticReason(result, limits) {
  const head = `Static check ${result.status}, score ${score(result.score)}`;
  const facts = staticFacts(result, limits);
  return { code: STATIC_CODES[result.status], message: `${head}: ${facts.join("; ")}.` };
}
function staticFacts(result, limits) {
  const facts = [];
  const { k_weight_ratio: ratio, max_k_weight: max } = result;
  if (ratio === null && max === null && result.max_q_weight === null) return [`no Q/K norm in ${count(result.layers_total, "layer")}`];
  if (ratio !== null) facts.push(aboveFact("k_ratio", ratio, [limits.ratio_fail, limits.ratio_warn]));
  if (result.extreme_layers > 0) {
    facts.push(`${result.extreme_layers} of ${result.layers_total} layers extreme (a Q or K norm weight above ${limits.extreme_weight})`);
  }
  if (max !== null) facts.push(aboveFact("max_k", max, [limits.max_weight_fail, limits.max_weight_warn, limits.compatible_max_weight]));
  return facts;
}
function aboveFact(name, value, limits) {
  const limit = limits.find((candidate) => value > candidate);
  return limit === void 0 ? `${name} ${magnitude(value)}` : `${name} ${against(value, limit)} > ${limit}`;
}
function numericReasons(numeric2, limits) {
  if (numeric2 === null) return [];
  if (numeric2.kernels.length === 0) {
    return [
      { code: "no_kernels", message: "None of the kernels under test stands for an op of this model, so there is no numeric evidence." }
    ];
  }
  const reasons = ["fail", "inconclusive", "warn"].flatMap((status) => [
    ...numeric2.kernels.filter((kernel) => kernel.status === status).map((kernel) => kernelReason(kernel, limits)),
    ...numeric2.model?.status === status ? [modelReason(numeric2.model, limits)] : []
  ]);
  if (numeric2.model === null) reasons.push({ code: "model_inconclusive", message: "The whole model was not run with the fused kernels." });
  if (numeric2.model?.status === "pass") reasons.push(modelReason(numeric2.model, limits));
  const passing = numeric2.kernels.filter((kernel) => kernel.status === "pass");
  if (passing.length > 0) reasons.push(passingKernels(passing));
  return reasons;
}
var KERNEL_CODES = { fail: "kernel_fail", warn: "kernel_warn", inconclusive: "kernel_inconclusive", pass: "kernel_pass" };
var KERNEL_WORDS = { fail: "fails", warn: "is near the limit", inconclusive: "could not be judged", pass: "passes" };
function kernelReason(kernel, limits) {
  const said = kernel.detail?.replace(/\.$/, "") ?? "";
  const facts = said === "" ? [] : [said];
  if (said === "" && kernel.non_finite > 0)
    facts.push(`${count(kernel.non_finite, "output element")} NaN or infinite where the oracle is finite`);
  if (said === "") facts.push(...ratioFacts(kernel, limits));
  if (kernel.max_abs_diff !== null && !said.includes("max_abs_diff")) facts.push(`max_abs_diff ${difference(kernel.max_abs_diff)}`);
  if (kernel.worst_layer !== null && !said.includes("layer"))
    facts.push(`worst in layer ${kernel.worst_layer}${kernel.worst_site === null ? "" : ` at ${kernel.worst_site}`}`);
  return {
    code: KERNEL_CODES[kernel.status],
    message: sentence(`Kernel ${kernel.kernel} (${kernel.op}) ${KERNEL_WORDS[kernel.status]}`, facts)
  };
}
function ratioFacts(kernel, limits) {
  const ratios = [
    ["accuracy_ratio", kernel.accuracy_ratio],
    ["max_ratio", kernel.max_ratio]
  ];
  return ratios.flatMap(
    ([name, ratio]) => ratio === null || ratio <= limits.pass_ratio ? [] : [aboveFact(name, ratio, [limits.warn_ratio, limits.pass_ratio])]
  );
}
var MODEL_CODES = { fail: "model_fail", warn: "model_warn", inconclusive: "model_inconclusive", pass: "model_pass" };
var MODEL_WORDS = {
  fail: "The whole model leaves the reference",
  warn: "The whole model is near the limit",
  inconclusive: "The whole model could not be judged",
  pass: "The whole model stays within the noise of correct implementations"
};
function modelReason(model, limits) {
  const said = model.detail?.replace(/\.$/, "") ?? "";
  const facts = said === "" ? [] : [said];
  if (model.kl_ratio !== null && !said.includes("kl_ratio")) {
    facts.push(
      model.kl_ratio > limits.pass_ratio ? aboveFact("kl_ratio", model.kl_ratio, [limits.warn_ratio, limits.pass_ratio]) : `kl_ratio ${multiple(model.kl_ratio)}`
    );
  }
  if (model.decisive_flips !== null && !said.includes("flip"))
    facts.push(`${count(model.decisive_flips, "decisive flip")} in ${count(model.positions, "position")}`);
  if (model.top1_agreement !== null) facts.push(`top-1 agreement ${percent(model.top1_agreement)}`);
  return { code: MODEL_CODES[model.status], message: sentence(MODEL_WORDS[model.status], facts) };
}
function passingKernels(kernels) {
  const sites = kernels.reduce((sum, kernel) => sum + kernel.sites, 0);
  const ratios = kernels.flatMap((kernel) => kernel.accuracy_ratio === null ? [] : [kernel.accuracy_ratio]);
  const worst2 = ratios.length === 0 ? "" : `; largest error ${multiple(Math.max(...ratios))} the noise floor`;
  return {
    code: "kernel_pass",
    message: `${count(kernels.length, "kernel")} ${kernels.length === 1 ? "passes" : "pass"} at ${count(sites, "site")}${worst2}.`
  };
}
function sensitiveReason(level) {
  const kernels = level === "pass" ? "this kernel set is fine on it: its error stays within the noise floor" : "this kernel set is near its limit on it";
  return { code: "sensitive_checkpoint", message: `Sensitive checkpoint: its weights can magnify rounding differences, and ${kernels}.` };
}
function sentence(head, facts) {
  return facts.length === 0 ? `${head}.` : `${head}: ${facts.join("; ")}.`;
}

// src/verdict/recommendations.ts
var AFTER_FAILURE = {
  model_not_found: "Check the path: a model is a folder that holds config.json, relative to the file or the folder that names it.",
  config_invalid: "Compare the model's config.json with the published one; download it again if it was cut.",
  unknown_model_type: "Take the model out of the list, or ask for its architecture; until then only `fused-compat inspect` says something about its weights.",
  unsupported_config: "Use a checkpoint without the unsupported setting, or ask for it; guessing it would make the reference worthless.",
  weights_invalid: "Download the weight files again and compare their size or hash with the published ones.",
  weights_mismatch: "Make config.json and the weights come from the same revision of the same model.",
  tensor_missing: "Make sure that every file which the index names is there, and that config.json belongs to these weights.",
  non_finite_weights: "Repair or re-export the checkpoint: no kernel can be judged on NaN or infinite weights.",
  tokenizer_invalid: "Give token ids, which need no tokenizer: `prompts: [{input-ids: [1, 2, 3]}]`; or add the tokenizer.json or tokenizer.model of the model.",
  prompt_too_long: "Shorten the prompt or lower max-prompt-tokens to what the model's max_position_embeddings allows.",
  input_ids_out_of_range: "Use token ids below the model's vocab_size; ids of another model's tokenizer do not fit.",
  no_kernels: "Name the folder of your kernel manifests in `kernels`, or use `policy: static` if no kernel is to be judged.",
  no_gpu: "Run on a runner with a GPU, or drop `require-gpu` to check on the CPU.",
  no_runtime: "Run on linux-x64, or install onnxruntime-node for this platform.",
  internal_error: "This is a defect of fused-compat: run again with FUSED_COMPAT_DEBUG=1 and report the stack."
};
function recommend(evidence, verdict) {
  const { static: checked, numeric: numeric2, failure, policy } = evidence;
  const advice = [];
  if (failure !== null) advice.push(AFTER_FAILURE[failure.code]);
  if (numeric2?.kernels.length === 0) advice.push(AFTER_FAILURE.no_kernels);
  for (const kernel of numeric2?.kernels ?? []) advice.push(forKernel(kernel, evidence.thresholds.numeric.scale_standard_errors));
  const kernelsHold = !numeric2?.kernels.some((kernel) => kernel.status === "fail");
  if (numeric2?.model?.status === "fail" && kernelsHold) {
    advice.push(
      "Every kernel holds by itself, yet their errors add up over the layers: look at the per-layer errors in report.json and start at the layer where `inherited` leaves `floor`."
    );
  }
  if (checked !== null && checked.status !== "COMPATIBLE") advice.push(...forCheckpoint(checked, policy, verdict, numeric2 !== null));
  return [...new Set(advice.filter((entry) => entry !== void 0))];
}
function forKernel(kernel, standardErrors) {
  const where = `Kernel ${kernel.kernel}`;
  if (kernel.status === "inconclusive")
    return `${where}: see that it runs to its end on this model's shapes; until then nothing is known about it.`;
  if (kernel.status === "pass") return void 0;
  if (kernel.non_finite > 0)
    return `${where}: look for an overflow of the serving dtype, a division by zero, or output that is never written.`;
  if (kernel.nearest_recipe !== null && kernel.nearest_recipe !== "eager" && (kernel.nearest_recipe_equal ?? 0) > 0.99) {
    return `${where}: ${percent(kernel.nearest_recipe_equal)} of its output equals the recipe ${kernel.nearest_recipe}; move the rounding to where PyTorch eager has it.`;
  }
  const biased = kernel.scale_error !== null && kernel.scale_error_standard_error !== null && Math.abs(kernel.scale_error) > standardErrors * kernel.scale_error_standard_error;
  const scale = biased ? ` Its output is off by a factor of ${(1 + (kernel.scale_error ?? 0)).toFixed(5)}: look for a constant that is wrong, such as eps, a scale or a reciprocal.` : "";
  return `${where}: ${suspects(kernel.op)}${scale}`;
}
function suspects(op) {
  if (op === "attention")
    return "check the scale (1/sqrt(head_dim)), the causal mask and window, which KV head a query head reads, and that softmax accumulates in float32.";
  if (op.includes("norm"))
    return "round the normalised value to the serving dtype BEFORE the multiply with the norm weight, as PyTorch does; then check eps, weight_offset, and that the mean of squares accumulates in float32.";
  if (op.includes("rope")) return "check the layout (half or interleaved), rotary_dim, and that position 0 is the first token.";
  if (op.endsWith("_mul") || op === "swiglu_mlp")
    return "check which half is the gate, the activation, and that it is rounded before the multiply as PyTorch does.";
  return "check accumulation in float32, the tail of sizes that are no multiple of a tile, and the order of the weight rows.";
}
function forCheckpoint(checked, policy, verdict, ran) {
  const advice = [];
  const size = checked.max_k_weight === null ? "large Q/K norm weights" : `K-norm weights up to ${magnitude(checked.max_k_weight)}`;
  if (verdict === "WARNING" && policy === "evidence" && ran) {
    advice.push(`Keep this model in the list: ${size} make it the first to show a changed rounding, tiling or accumulation.`);
  } else {
    advice.push(
      `Mind ${size}: accumulate the Q/K norm in float32 and round once to the serving dtype before the norm weight is applied, as PyTorch does.`
    );
  }
  if (policy === "static")
    advice.push("Use `policy: evidence` to see whether your kernels really fail on this checkpoint: the static check only tells a risk.");
  if (policy === "strict" && verdict === "INCOMPATIBLE" && ran)
    advice.push("Under `policy: evidence` the numeric diff would decide; `strict` asks for a checkpoint without extreme Q/K norm weights.");
  return advice;
}

// src/verdict/verdict.ts
var MODEL_IN_DOUBT = /* @__PURE__ */ new Set([
  "model_not_found",
  "config_invalid",
  "unknown_model_type",
  "unsupported_config",
  "weights_invalid",
  "weights_mismatch",
  "tensor_missing",
  "non_finite_weights"
]);
function decide(evidence) {
  const level = numericLevel(evidence.numeric);
  const verdict = verdictOf(evidence, level);
  return {
    verdict,
    reasons: reasonsFor(evidence, level, verdict),
    recommendations: recommend(evidence, verdict)
  };
}
function verdictOf({ static: checked, failure, policy }, level) {
  if (level === "fail") return "INCOMPATIBLE";
  if (failure !== null && MODEL_IN_DOUBT.has(failure.code)) return "INCONCLUSIVE";
  const proven = policy !== "static" && (level === "pass" || level === "warn");
  if (checked?.status === "INCOMPATIBLE" && (policy !== "evidence" || !proven)) return "INCOMPATIBLE";
  if (failure !== null || checked === null) return "INCONCLUSIVE";
  if (policy === "static") return checked.status;
  if (!proven) return "INCONCLUSIVE";
  return level === "warn" || checked.status !== "COMPATIBLE" ? "WARNING" : "COMPATIBLE";
}
function numericLevel(numeric2) {
  if (numeric2 === null) return null;
  const levels = [numeric2.status, ...numeric2.kernels.map((kernel) => kernel.status), numeric2.model?.status ?? "inconclusive"];
  if (!numeric2.kernels.some((kernel) => kernel.sites > 0)) levels.push("inconclusive");
  return ["fail", "inconclusive", "warn"].find((level) => levels.includes(level)) ?? "pass";
}
function reasonsFor(evidence, level, verdict) {
  const { static: checked, numeric: numeric2, failure, policy, thresholds } = evidence;
  const failures = failure === null ? [] : [failureReason(failure)];
  const statics = checked === null ? [] : [staticReason(checked, thresholds.static)];
  const numerics = numericReasons(numeric2, thresholds.numeric);
  const unmeasured = numeric2 === null && failure === null && policy !== "static" ? [{ code: "no_kernels", message: "No kernel was run on this model, so there is no numeric evidence." }] : [];
  const unchecked = checked === null && failure === null ? [{ code: "static_inconclusive", message: "The static check did not run." }] : [];
  if (level === "fail") return [...numerics, ...failures, ...statics, ...unchecked];
  if (verdict === "INCONCLUSIVE") return [...failures, ...unchecked, ...unmeasured, ...numerics, ...statics];
  if (verdict === "INCOMPATIBLE") return [...statics, ...failures, ...unmeasured, ...numerics];
  const sensitive = checked !== null && checked.status !== "COMPATIBLE" && (level === "pass" || level === "warn");
  return sensitive && policy !== "static" ? [sensitiveReason(level), ...statics, ...numerics] : [...numerics, ...statics];
}
function gate(verdicts, failOn) {
  if (failOn.length === 0) return "pass";
  return verdicts.length === 0 || verdicts.some((verdict) => failOn.includes(verdict)) ? "fail" : "pass";
}

// src/models.ts
var TOKENIZER_TIMEOUT_MS = 1e4;
async function judgeModel(run, ref) {
  const found = { revision: null, architecture: null, dtype: null, static: null, numeric: null };
  let failure = null;
  try {
    await stages(run, ref, found);
  } catch (error) {
    failure = asFailure(error);
  }
  const { config } = run;
  const evidence = { static: found.static, numeric: found.numeric, failure, policy: config.policy, thresholds: config };
  const { verdict, reasons, recommendations } = decide(evidence);
  return { id: ref.id, ...found, verdict, reasons, diagnosis: diagnose(found.numeric), recommendations };
}
function asFailure(error) {
  if (error instanceof ModelError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal_error", message: `this is a defect of fused-compat, please report it: ${message}` };
}
async function stages(run, ref, found) {
  const { config } = run;
  const files = await openFolder(ref.path);
  found.revision = files.revision;
  const raw = await readModelConfig(files);
  found.architecture = modelType(raw);
  const checkpoint = await openCheckpoint(files);
  try {
    run.log(`${ref.id}: static check`);
    found.dtype = servingDtype(config.dtype, raw, checkpoint);
    found.static = await staticCheck(checkpoint, raw, config.static);
    const program = buildProgram(raw);
    checkWeights(program, checkpoint);
    if (run.kernels !== null) found.numeric = await numeric(run, ref, program, found.dtype, run.kernels);
  } finally {
    await checkpoint.close();
  }
}
async function numeric(run, ref, program, dtype, kernels) {
  const { config, engine, log } = run;
  log(`${ref.id}: tokenizing the prompts`);
  const prompts = await tokenIds(engine, ref, program, config);
  return engine.run(
    {
      kind: "diff",
      model: ref.path,
      dtype,
      prompts,
      kernels,
      execution_provider: config.execution_provider,
      require_gpu: config.require_gpu,
      layers: config.layers,
      limits: config.numeric
    },
    { onLayer: (layer) => log(`${ref.id}: layer ${layer + 1} of ${program.num_hidden_layers}`) }
  );
}
async function tokenIds(engine, ref, program, config) {
  const prompts = config.prompts ?? builtInPrompts().map((text) => ({ text }));
  const texts = prompts.flatMap((prompt) => "text" in prompt ? [prompt.text] : []);
  const encoded = texts.length === 0 ? [] : await tokenize(engine, ref.path, texts);
  let next = 0;
  return prompts.map((prompt, index) => {
    const ids = "text" in prompt ? encoded[next++] : prompt.input_ids;
    const limit = Math.min(config.max_prompt_tokens, program.max_position_embeddings);
    if (config.prompts === null) return ids.slice(0, builtInLength(index, limit));
    checkPrompt(program, ids, `prompt ${index + 1}`);
    return ids.slice(0, limit);
  });
}
function tokenize(engine, model, texts) {
  const error = new ModelError(
    "tokenizer_invalid",
    `tokenizer.json: encoding did not end within ${TOKENIZER_TIMEOUT_MS / 1e3} s; check the regular expressions of its pre_tokenizer`
  );
  return engine.run({ kind: "tokenize", model, texts }, { timeout: { ms: TOKENIZER_TIMEOUT_MS, error } });
}
function servingDtype(chosen, raw, checkpoint) {
  if (chosen !== "auto") return chosen;
  const named = raw["dtype"] ?? raw["torch_dtype"];
  if (named === "bfloat16" || named === "float16" || named === "float32") return named;
  const bytes = { bfloat16: 0, float16: 0, float32: 0 };
  for (const { dtype, byteLength } of checkpoint.tensors.values()) {
    bytes[dtype === "BF16" ? "bfloat16" : dtype === "F16" ? "float16" : "float32"] += byteLength;
  }
  return ["bfloat16", "float16", "float32"].reduce((most, dtype) => bytes[dtype] > bytes[most] ? dtype : most);
}

// src/threads.ts
init_errors();
import { Worker } from "node:worker_threads";
function startThreads(size, script = new URL("./worker.js", import.meta.url)) {
  const idle = [];
  const all = /* @__PURE__ */ new Set();
  const waiting = [];
  let closed = false;
  const take = async () => {
    const free = idle.pop();
    if (free !== void 0) return free;
    if (all.size < size) return start();
    return new Promise((resolve) => waiting.push(resolve));
  };
  const start = () => {
    const worker = new Worker(script);
    worker.unref();
    all.add(worker);
    worker.on("error", () => forget(worker)).on("exit", () => forget(worker));
    return worker;
  };
  const forget = (worker) => {
    all.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  };
  const giveBack = (worker) => {
    const next = waiting.shift();
    if (next === void 0) idle.push(worker);
    else next(worker);
  };
  const drop = (worker) => {
    all.delete(worker);
    void worker.terminate();
    const next = closed ? void 0 : waiting.shift();
    if (next !== void 0) next(start());
  };
  return {
    async run(job, options = {}) {
      const worker = await take();
      worker.ref();
      const { result, usable } = await converse(worker, job, options);
      worker.unref();
      if (usable) giveBack(worker);
      else drop(worker);
      if (result instanceof Error) throw result;
      return result.value;
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
      all.clear();
    }
  };
}
function converse(worker, job, { onLayer, timeout }) {
  return new Promise((resolve) => {
    const finish = (outcome) => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      resolve(outcome);
    };
    const onMessage = (answer) => {
      if (answer.kind === "layer") onLayer?.(answer.layer);
      else if (answer.kind === "done") finish({ result: { value: answer.result }, usable: true });
      else finish({ result: asError(answer), usable: true });
    };
    const onError = (error) => finish({ result: error instanceof Error ? error : new Error(String(error)), usable: false });
    const onExit = (code) => finish({ result: new Error(`a worker thread ended with code ${code} before its job was done`), usable: false });
    const timer = timeout === void 0 ? void 0 : setTimeout(() => finish({ result: timeout.error, usable: false }), timeout.ms);
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage(job);
  });
}
function asError({ code, message, stack }) {
  if (code !== null) return new ModelError(code, message);
  const error = new Error(message);
  if (stack !== null) error.stack = stack;
  return error;
}

// src/weights/write-safetensors.ts
init_errors();
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
var PIECE_BYTES = 64 * 1024 * 1024;
async function writeSafetensors(path, tensors) {
  const ordered = [...tensors].sort((a, b) => DTYPE_BITS[b.dtype] - DTYPE_BITS[a.dtype]);
  const header = encodeHeader(ordered);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const handle = await open(temporary, "wx");
    try {
      await writeAll(handle, header);
      for (const { data } of ordered) await writeAll(handle, data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => void 0);
    throw new UsageError(`Cannot write ${printable(path)}: ${reason(error)}.`);
  }
}
function encodeHeader(tensors) {
  const members = [];
  const names = /* @__PURE__ */ new Set(["__metadata__"]);
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new RangeError(`tensor name ${quote(name)} is taken`);
    names.add(name);
    const byteLength = tensorBytes(dtype, shape);
    if (byteLength !== data.byteLength) {
      throw new RangeError(`tensor ${quote(name)}: ${dtype} [${shape.join(",")}] needs ${byteLength} bytes, got ${data.byteLength}`);
    }
    const end = begin + byteLength;
    members.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${begin},${end}]}`);
    begin = end;
  }
  const text = Buffer.from(`{${members.join(",")}}`);
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > HEADER_LIMIT) throw new RangeError(`a header of ${length} bytes is over the format's limit of ${HEADER_LIMIT}`);
  const header = Buffer.alloc(PREFIX_BYTES + length, " ");
  header.writeBigUInt64LE(BigInt(length));
  text.copy(header, PREFIX_BYTES);
  return header;
}
async function writeAll(handle, bytes) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done));
    done += bytesWritten;
  }
}
function reason(error) {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "the folder does not exist";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `no permission (${code})`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code})`;
    default:
      return code === "" ? printable(String(error)) : code;
  }
}

// src/gate.ts
var MAX_THREADS = 4;
async function check(config, edges = {}) {
  const { clock = () => /* @__PURE__ */ new Date(), log = () => void 0 } = edges;
  const started = clock();
  const kernels = await kernelsUnderTest(config);
  const engine = edges.engine ?? startThreads(Math.min(MAX_THREADS, availableParallelism(), config.models.length));
  try {
    const judged = await Promise.all(
      config.models.map(async (ref) => {
        const from = clock();
        const model = await judgeModel({ config, kernels, engine, log }, ref);
        return { model, timing: { id: ref.id, duration_ms: clock().getTime() - from.getTime() } };
      })
    );
    const models = judged.map(({ model }) => model);
    const timing = {
      started_at: started.toISOString(),
      duration_ms: clock().getTime() - started.getTime(),
      models: judged.map((one) => one.timing)
    };
    return { ...heading(config, models), models, timing };
  } finally {
    if (edges.engine === void 0) await engine.close();
  }
}
async function kernelsUnderTest(config) {
  if (config.policy === "static") return null;
  return config.kernels === null ? SHIPPED_KERNELS : loadManifests(config.kernels);
}
function heading(config, models) {
  return {
    schema_version: 1,
    tool: { name: "fused-compat", version: package_default.version, onnxruntime: config.policy === "static" ? null : onnxruntimeVersion() },
    host: { platform: process.platform, arch: process.arch, node: process.version, cpu: cpus()[0]?.model ?? null, gpu: null },
    policy: config.policy,
    fail_on: config.fail_on,
    gate: gate(
      models.map(({ verdict }) => verdict),
      config.fail_on
    )
  };
}
async function reference(request, edges = {}) {
  const { program, dtype } = await openProgram(request);
  const engine = edges.engine ?? startThreads(1);
  try {
    const model = request.model.path;
    const ids = "text" in request.prompt ? (await tokenize(engine, model, [request.prompt.text]))[0] ?? [] : request.prompt.input_ids;
    asUsage(() => checkPrompt(program, ids, "the prompt"));
    const onLayer = (layer) => edges.log?.(`${request.recipe}: layer ${layer + 1} of ${program.num_hidden_layers}`);
    const result = await engine.run({ kind: "reference", model, dtype, ids, recipe: request.recipe }, { onLayer });
    const tensors = [stored("logits", result.logits), stored("hidden", result.hidden)];
    await writeSafetensors(request.output, tensors);
    return { tensors: tensors.map(({ name, dtype: storedDtype, shape }) => ({ name, dtype: storedDtype, shape })) };
  } finally {
    if (edges.engine === void 0) await engine.close();
  }
}
async function openProgram({ model, dtype }) {
  const files = await openFolder(model.path);
  const raw = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const program = buildProgram(raw);
    checkWeights(program, checkpoint);
    return { program, dtype: servingDtype(dtype, raw, checkpoint) };
  } finally {
    await checkpoint.close();
  }
}
function asUsage(check2) {
  try {
    check2();
  } catch (error) {
    throw error instanceof ModelError ? new UsageError(error.message) : error;
  }
}
function stored(name, { data, shape }) {
  return {
    name,
    dtype: data instanceof Float64Array ? "F64" : "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  };
}
export {
  check,
  reference
};
