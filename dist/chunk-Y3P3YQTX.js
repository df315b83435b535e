import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  against,
  count,
  difference,
  magnitude,
  multiple,
  percent,
  score,
  wasJudged
} from "./chunk-JUYFWEVH.js";

// src/verdict/recommendations.ts
var AFTER_FAILURE = {
  model_not_found: "Check the path: a model is a folder that holds config.json, relative to the file or the folder that names it, or org/name[@revision] on the Hugging Face Hub.",
  access_denied: "Open the page of the model as the owner of the token: accept its licence if it has one, and set HF_TOKEN to a token that may read it.",
  hub_unreachable: "See that the runner reaches the Hub (HF_ENDPOINT, HTTPS_PROXY, NO_PROXY), then run again; or give a local folder.",
  download_failed: "Run again: what was downloaded is kept. If it fails again, the server or a proxy between damages its answers.",
  integrity: "Run again. If it repeats, a proxy, a mirror or the disk changes bytes: compare the file with the published hash.",
  refused_for_safety: "Do not use this source before you know why it names such a path or address.",
  no_disk_space: "Free space, or set FUSED_COMPAT_CACHE to a folder on a larger disk; `policy: static` needs no download.",
  config_invalid: "Compare the model's config.json with the published one; download it again if it was cut.",
  unknown_model_type: "Take the model out of the list, or ask for its architecture; until then only `fused-compat inspect` says something about its weights.",
  unsupported_config: "Use a checkpoint without the unsupported setting, or ask for it; guessing it would make the reference worthless.",
  weights_invalid: "Download the weight files again and compare their size or hash with the published ones.",
  weights_mismatch: "Make config.json and the weights come from the same revision of the same model.",
  unsupported_weights: "Give the safetensors checkpoint for a numeric diff; `fused-compat inspect` (or `policy: static`) judges these weights by themselves.",
  tensor_missing: "Make sure that every file which the index names is there, and that config.json belongs to these weights.",
  non_finite_weights: "Repair or re-export the checkpoint: no kernel can be judged on NaN or infinite weights.",
  serving_overflow: "Serve the model in bfloat16 or float32 (`dtype`): its values do not fit into the range of the serving dtype.",
  tokenizer_invalid: "Give token ids, which need no tokenizer: `prompts: [{input-ids: [1, 2, 3]}]`; or add the tokenizer.json or tokenizer.model of the model.",
  prompt_too_long: "Shorten the prompt or lower max-prompt-tokens to what the model's max_position_embeddings allows.",
  input_ids_out_of_range: "Use token ids below the model's vocab_size; ids of another model's tokenizer do not fit.",
  no_kernels: "Name the folder of your kernel manifests in `kernels`, or use `policy: static` if no kernel is to be judged.",
  no_gpu: "Run on a runner with a GPU, or drop `require-gpu` to check on the CPU.",
  no_runtime: "Run on linux-x64, or install onnxruntime-node for this platform.",
  cancelled: 'Run it again ("Re-run jobs" of the run) unless a newer commit took its place; of a matrix run the cancelled shard again, and the merge with it.',
  shard_missing: 'Look at the log of its job, then use "Re-run failed jobs" of the run: the reports of the other shards are kept.',
  internal_error: "This is a defect of fused-compat: run again with FUSED_COMPAT_DEBUG=1 and report the stack."
};
function recommend(evidence, verdict) {
  const { static: checked, numeric, failure, policy } = evidence;
  const advice = [];
  if (failure !== null) advice.push(AFTER_FAILURE[failure.code]);
  if (numeric?.kernels.length === 0) advice.push(AFTER_FAILURE.no_kernels);
  for (const kernel of numeric?.kernels ?? []) {
    const cause = numeric?.causes.find((each) => each.kernel === kernel.kernel);
    advice.push(cause === void 0 ? forKernel(kernel, evidence.thresholds.numeric.scale_standard_errors) : forCause(cause));
  }
  if (numeric?.model?.status === "inconclusive") advice.push(forOpenModel(numeric.model));
  const kernelsHold = !numeric?.kernels.some((kernel) => kernel.status === "fail");
  if (numeric?.model?.status === "fail" && kernelsHold) advice.push(forModel(numeric.model));
  if (checked !== null && checked.status !== "COMPATIBLE") advice.push(...forCheckpoint(checked, policy, verdict, numeric !== null));
  return [...new Set(advice.filter((entry) => entry !== void 0))];
}
function forOpenModel({ detail }) {
  if (detail?.startsWith("canary ")) return CANARY;
  if (detail?.startsWith("identity control: ")) return CONTROL;
  return detail?.includes("whose largest finite value") ? AFTER_FAILURE.serving_overflow : void 0;
}
function forModel({ responsible }) {
  const names = [...new Set((responsible ?? []).map(({ kernel }) => kernel))].join(", ");
  return names === "" ? "Every kernel holds by itself, yet their errors add up over the layers: look at the per-layer errors in report.json and start at the layer where `inherited` leaves `floor`." : `Kernel ${names}: it holds at the sites that were compared, yet makes the model fail where the reason says; compare those layers too (\`layers\`), and look for what differs there.`;
}
var CONTROL = "The reference did not agree with itself here: run again, on another machine if it repeats, and report it as a defect of fused-compat.";
var CANARY = "A fault that was planted to see whether this run can see one passed its criteria: use the default thresholds of `numeric`, and more or longer prompts.";
var AFTER_CAUSE = {
  rope_layout: "rotate the pairs that `layout` names: half-split pairs i with i + rotary_dim/2 (Llama, Qwen), interleaved ones 2i with 2i + 1 (ERNIE 4.5); or permute the rows of the Q and K weights once when they are loaded.",
  rope_base: "take rope_theta and the scaling of config.json, or the cos and sin that the call brings, in place of a constant.",
  rotary_dim: "rotate the first rotary_dim dimensions of a head, and only those.",
  position_offset: "let the first token of a prompt have position 0, for queries and keys alike, and count on from the length of the KV cache.",
  missing_qk_norm: "norm Q and K per head before RoPE, as this family does.",
  norm_weight: "multiply by the norm weight once, after the normalisation.",
  norm_weight_offset: "add `weight_offset` to the norm weight: 1 in Gemma, 0 elsewhere.",
  eps: "take rms_norm_eps of config.json, and add it to the mean square under the root.",
  scale: "multiply the scores by the `scale` of the call once, before the softmax.",
  softcap: "cap the scores as softcap · tanh(score / softcap) before the mask.",
  mask: "let a query see the keys up to its own position only: with S keys and T queries, query t has position S − T + t.",
  window: "let a query see itself and the window − 1 positions before it, in the layers that have a window only.",
  head_mapping: "let query head h read KV head floor(h / (num_heads / num_kv_heads)).",
  head_dim: "take head_dim of config.json: it need not be hidden_size / num_attention_heads.",
  activation: "take the activation that hidden_act of config.json names.",
  gate_up_order: "activate the gate projection and multiply by the up projection; see which half of a joined weight is which.",
  missing_bias: "add the checkpoint's biases.",
  tied_head: "follow tie_word_embeddings of config.json: the embeddings are the head only where it is true.",
  accumulation_dtype: "keep accumulators in float32 and round once at the end."
};
function forCause({ kernel, variant, code }) {
  return `Kernel ${kernel}${variant === "standard" ? ", its standard variant first" : ""}: ${AFTER_CAUSE[code]}`;
}
function forKernel(kernel, standardErrors) {
  const where = `Kernel ${kernel.kernel}`;
  if (kernel.status === "inconclusive" && kernel.standard?.status === "fail")
    return `${where}: bring its standard variant to what transformers computes for this model first, the fused one after that: ${suspects(kernel.op)}`;
  if (kernel.status === "inconclusive" && kernel.detail?.startsWith("canary ")) return CANARY;
  if (kernel.status === "inconclusive" && kernel.detail?.startsWith("identity control: ")) return CONTROL;
  if (kernel.status === "inconclusive" && kernel.detail?.startsWith("not compared: ")) return void 0;
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
  if (op === "decoder_layer" || op === "model" || op === "generate")
    return "give the ops inside it as kernels of their own too: the first that fails there is where the error begins.";
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
function numericReasons(numeric, limits) {
  if (numeric === null) return [];
  if (numeric.kernels.length === 0) {
    return [
      { code: "no_kernels", message: "None of the kernels under test stands for an op of this model, so there is no numeric evidence." }
    ];
  }
  const reasons = ["fail", "inconclusive", "warn"].flatMap((status) => [
    ...numeric.kernels.filter((kernel) => kernel.status === status).map((kernel) => kernelReason(kernel, limits)),
    ...numeric.model?.status === status ? [modelReason(numeric.model, limits)] : []
  ]);
  if (numeric.model === null) reasons.push({ code: "model_inconclusive", message: "The whole model was not run with the fused kernels." });
  if (numeric.model?.status === "pass") reasons.push(modelReason(numeric.model, limits));
  reasons.push(...incoherentReason(numeric.generation ?? []));
  const passing = numeric.kernels.filter((kernel) => kernel.status === "pass");
  if (passing.length > 0) reasons.push(passingKernels(passing));
  return reasons;
}
function incoherentReason(texts) {
  const incoherent = texts.filter(({ coherent }) => coherent === false);
  const [first] = incoherent;
  if (first === void 0) return [];
  const head = `The fused model's greedy text is incoherent after ${incoherent.length} of ${count(texts.length, "prompt")}`;
  return [{ code: "generation_incoherent", message: sentence(head, [first.detail ?? ""]) }];
}
var KERNEL_CODES = { fail: "kernel_fail", warn: "kernel_warn", inconclusive: "kernel_inconclusive", pass: "kernel_pass" };
var KERNEL_WORDS = { fail: "fails", warn: "is near the limit", inconclusive: "could not be judged", pass: "passes" };
function kernelReason(kernel, limits) {
  const said = kernel.detail?.replace(/\.$/, "") ?? "";
  const facts = said === "" ? [] : [said];
  if (said === "" && kernel.non_finite > 0)
    facts.push(`${count(kernel.non_finite, "output element")} NaN or infinite where the oracle is finite`);
  if (said === "") facts.push(...ratioFacts(kernel, limits));
  const probed = said.startsWith("probe ") || isCanary(said);
  if (kernel.max_abs_diff !== null && !probed && !said.includes("max_abs_diff"))
    facts.push(`max_abs_diff ${difference(kernel.max_abs_diff)}`);
  if (kernel.worst_layer !== null && !probed && !said.includes("layer"))
    facts.push(`worst in layer ${kernel.worst_layer}${kernel.worst_site === null ? "" : ` at ${kernel.worst_site}`}`);
  if (kernel.status === "fail" && kernel.standard?.status === "pass")
    facts.push("its standard variant passes, so the fault is in the fused one");
  const unjudged = kernel.status === "inconclusive" && kernel.standard?.status === "fail";
  return {
    code: unjudged ? "standard_fail" : isCanary(said) ? "canary_passed" : KERNEL_CODES[kernel.status],
    message: sentence(`Kernel ${kernel.kernel} (${kernel.op}) ${KERNEL_WORDS[kernel.status]}`, facts)
  };
}
function isCanary(said) {
  return said.startsWith("canary ");
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
  facts.push(...responsibleFacts(model));
  return { code: isCanary(said) ? "canary_passed" : MODEL_CODES[model.status], message: sentence(MODEL_WORDS[model.status], facts) };
}
function responsibleFacts({ responsible, layers, first_layer_above_floor: first }) {
  if (responsible === null) return [];
  const left = first === null ? [] : [`the fused model leaves the noise floor in layer ${first}`];
  if (responsible.length === 0) return [...left, "no kernel alone makes it so: their errors add up"];
  return [...left, ...responsible.map((one) => responsibleFact(one, layers.length))];
}
function responsibleFact({ kernel, layers, kl_ratio: ratio }, total) {
  const where = layers.length === 0 ? "outside of the layers" : `in ${layers.length === total && total > 1 ? "every layer" : layerNames(layers)}`;
  return `${kernel} ${where} alone makes ${ratio === null ? "logits that are not finite" : `kl_ratio ${multiple(ratio)}`}`;
}
function layerNames(layers) {
  const ranges = [];
  for (const layer of layers) {
    const open = ranges.at(-1);
    if (open !== void 0 && open[1] === layer - 1) open[1] = layer;
    else ranges.push([layer, layer]);
  }
  const names = ranges.map(([start, end]) => start === end ? `${start}` : `${start} to ${end}`);
  const last = names.pop() ?? "";
  return `layer${layers.length === 1 ? "" : "s"} ${names.length === 0 ? last : `${names.join(", ")} and ${last}`}`;
}
function passingKernels(kernels) {
  const sites = kernels.reduce((sum, kernel) => sum + kernel.sites, 0);
  const ratios = kernels.flatMap((kernel) => kernel.accuracy_ratio === null ? [] : [kernel.accuracy_ratio]);
  const probes = kernels.reduce((sum, kernel) => sum + (kernel.probes?.length ?? 0), 0);
  const probed = probes === 0 ? "" : ` and in ${count(probes, "probe")}`;
  const worst = ratios.length === 0 ? "" : `; largest error ${multiple(Math.max(...ratios))} the noise floor`;
  return {
    code: "kernel_pass",
    message: `${count(kernels.length, "kernel")} ${kernels.length === 1 ? "passes" : "pass"} at ${count(sites, "site")}${probed}${worst}.`
  };
}
function sensitiveReason(level) {
  const kernels = level === "pass" ? "this kernel set is fine on it: its error stays within the noise floor" : "this kernel set is near its limit on it";
  return { code: "sensitive_checkpoint", message: `Sensitive checkpoint: its weights can magnify rounding differences, and ${kernels}.` };
}
function sentence(head, facts) {
  return facts.length === 0 ? `${head}.` : `${head}: ${facts.join("; ")}.`;
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
  "non_finite_weights",
  "integrity"
]);
function decide(evidence) {
  const level = numericLevel(evidence.numeric);
  const verdict = verdictOf(evidence);
  return {
    verdict,
    reasons: reasonsFor(evidence, level, verdict),
    recommendations: recommend(evidence, verdict)
  };
}
function verdictOf({ static: checked, numeric, failure, policy }) {
  const level = numericLevel(numeric);
  if (numericFails(numeric, level)) return "INCOMPATIBLE";
  const inDoubt = failure !== null && MODEL_IN_DOUBT.has(failure.code);
  if (policy === "strict" && checked?.status === "INCOMPATIBLE" && !inDoubt) return "INCOMPATIBLE";
  if (standardFails(numeric)) return "IMPLEMENTATION_ISSUE";
  if (inDoubt) return "INCONCLUSIVE";
  const proven = policy !== "static" && (level === "pass" || level === "warn");
  if (checked?.status === "INCOMPATIBLE" && (policy !== "evidence" || !proven)) return "INCOMPATIBLE";
  if (failure !== null || checked === null) return "INCONCLUSIVE";
  if (policy === "static") return checked.status;
  if (!proven) return "INCONCLUSIVE";
  return level === "warn" || checked.status !== "COMPATIBLE" ? "WARNING" : "COMPATIBLE";
}
function standardFails(numeric) {
  return numeric?.kernels.some(({ standard }) => standard?.status === "fail") ?? false;
}
function numericFails(numeric, level) {
  if (level !== "fail") return false;
  return !standardFails(numeric) || (numeric?.kernels.some(({ status }) => status === "fail") ?? false);
}
function numericLevel(numeric) {
  if (numeric === null) return null;
  const levels = [numeric.status, ...numeric.kernels.map((kernel) => kernel.status), numeric.model?.status ?? "inconclusive"];
  if (!numeric.kernels.some((kernel) => kernel.sites > 0)) levels.push("inconclusive");
  return ["fail", "inconclusive", "warn"].find((level) => levels.includes(level)) ?? "pass";
}
function reasonsFor(evidence, level, verdict) {
  const { static: checked, numeric, failure, policy, thresholds } = evidence;
  const failures = failure === null ? [] : [failureReason(failure)];
  const statics = checked === null ? [] : [staticReason(checked, thresholds.static)];
  const numerics = numericReasons(numeric, thresholds.numeric);
  const unmeasured = numeric === null && failure === null && policy !== "static" ? [{ code: "no_kernels", message: "No kernel was run on this model, so there is no numeric evidence." }] : [];
  const unchecked = checked === null && failure === null ? [{ code: "static_inconclusive", message: "The static check did not run." }] : [];
  if (verdict === "IMPLEMENTATION_ISSUE") {
    const deciding = numerics.filter(({ code }) => code === "standard_fail");
    return [...deciding, ...numerics.filter((reason) => !deciding.includes(reason)), ...failures, ...statics, ...unchecked];
  }
  if (numericFails(numeric, level)) return [...numerics, ...failures, ...statics, ...unchecked];
  if (verdict === "INCONCLUSIVE") return [...failures, ...unchecked, ...unmeasured, ...numerics, ...statics];
  if (verdict === "INCOMPATIBLE") return [...statics, ...failures, ...unmeasured, ...numerics];
  const sensitive = checked !== null && checked.status !== "COMPATIBLE" && (level === "pass" || level === "warn");
  return sensitive && policy !== "static" ? [sensitiveReason(level), ...statics, ...numerics] : [...numerics, ...statics];
}
function gate(models, failOn) {
  if (failOn.length === 0) return "pass";
  return models.length === 0 || models.some((model) => failOn.includes(model.verdict) || !wasJudged(model)) ? "fail" : "pass";
}

// src/verdict/allowances.ts
var OF_KERNELS = [
  "kernel_fail",
  "kernel_warn",
  "kernel_pass",
  "kernel_inconclusive",
  "standard_fail",
  "model_fail",
  "model_warn",
  "model_pass",
  "static_compatible",
  "static_warning",
  "static_incompatible",
  "sensitive_checkpoint"
];
function applyAllowances(report, rules, today) {
  const valid = rules.filter(({ until }) => until >= today);
  const models = report.models.map((model) => ({ ...model, allowed: fails(model, report) ? allowanceOf(model, valid, report) : null }));
  const allow = rules.map((rule) => ({ ...rule, ...effectOf(rule, { ...report, models }, today) }));
  const judged = models.length > 0 && models.every(wasJudged);
  const settled = judged && models.every((model) => model.allowed !== null || !fails(model, report));
  return { ...report, models, allow, gate: settled ? "pass" : report.gate };
}
function fails({ verdict }, { fail_on }) {
  return fail_on.includes(verdict);
}
function isFor({ model }, { id }) {
  return id === model || id.startsWith(`${model}@`);
}
function allowanceOf(model, rules, report) {
  const own = rules.filter((rule) => isFor(rule, model));
  if (!wasJudged(model)) return null;
  const [whole] = own.filter(({ kernel }) => kernel === null).sort((a, b) => a.until < b.until ? 1 : -1);
  if (whole !== void 0) return { reason: whole.reason, until: whole.until, kernels: null };
  const named = new Set(own.flatMap(({ kernel }) => kernel ?? []));
  const faulty = faultyKernels(model, report.fail_on).filter((name) => named.has(name));
  if (faulty.length === 0 || othersFail(model, named, report)) return null;
  const used = own.filter(({ kernel }) => faulty.includes(kernel ?? ""));
  return {
    reason: [...new Set(used.map(({ reason }) => reason))].join("; "),
    until: used.map(({ until }) => until).sort()[0] ?? "",
    kernels: faulty
  };
}
function counts(level, failOn) {
  return level === "fail" || level === "warn" && failOn.includes("WARNING") || level === "inconclusive" && failOn.includes("INCONCLUSIVE");
}
function isFaulty({ status, standard }, failOn) {
  return counts(status, failOn) || counts(standard?.status, failOn);
}
function faultyKernels({ numeric }, failOn) {
  return (numeric?.kernels ?? []).filter((kernel) => isFaulty(kernel, failOn)).map(({ kernel }) => kernel);
}
function othersFail(model, named, { fail_on, policy }) {
  const { numeric, static: checked, reasons } = model;
  if (numeric?.model == null || checked === null || !reasons.every(({ code }) => OF_KERNELS.includes(code))) return true;
  if (checked.status !== "COMPATIBLE" && fail_on.includes("WARNING")) return true;
  if (checked.status === "INCOMPATIBLE" && policy !== "evidence") return true;
  if (faultyKernels(model, fail_on).some((name) => !named.has(name))) return true;
  const { status, responsible } = numeric.model;
  if (!counts(status, fail_on)) return false;
  return status === "inconclusive" || responsible !== null && (responsible.length === 0 || !responsible.every(({ kernel }) => named.has(kernel)));
}
function effectOf(rule, report, today) {
  const models = report.models.filter((model) => isFor(rule, model));
  const [worst] = models.filter((model) => fails(model, report));
  const expired = rule.until < today;
  if (!expired && models.some(({ allowed }) => covers(allowed, rule))) return { status: "used", detail: null };
  const why = unusedBecause(rule, models, worst);
  if (!expired) return { status: "unused", detail: why };
  const now = worst === void 0 || worst.allowed !== null ? `${why}: remove it` : `${worst.id} fails the gate again`;
  return { status: "expired", detail: `expired after ${rule.until}; ${now}` };
}
function covers(allowed, { kernel, reason, until }) {
  if (allowed === null) return false;
  return kernel === null ? allowed.kernels === null && allowed.reason === reason && allowed.until === until : allowed.kernels?.includes(kernel) ?? false;
}
function unusedBecause({ kernel }, models, failing) {
  if (models.length === 0) return "no model of this run has that name";
  const kernels = new Set(models.flatMap(({ numeric }) => numeric?.kernels.map(({ kernel: name }) => name) ?? []));
  if (kernel !== null && models.some(({ numeric }) => numeric !== null) && !kernels.has(kernel))
    return "no kernel of that name ran on this model";
  if (failing === void 0) return "nothing there fails the gate";
  if (failing.allowed !== null) return "another entry allows it already";
  return kernel === null ? "the model was not judged" : "this kernel is not all that makes the model fail";
}

export {
  AFTER_FAILURE,
  decide,
  verdictOf,
  gate,
  applyAllowances
};
