import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/kernels/contracts.ts
function tensors(text) {
  return [...text.matchAll(/([a-z_]+)(\??) \[([^\]]*)\](?: (float32|int64))?/g)].map(([, name = "", optional, shape = "", dtype]) => ({
    name,
    shape: shape.split(","),
    dtype: dtype ?? "serving",
    optional: optional === "?"
  }));
}
var ATTRIBUTES = {
  eps: ["float", "added to the mean of squares"],
  weight_offset: ["float", "1 where norms multiply by one plus the stored weight (Gemma), else 0"],
  num_heads: ["int", "query heads Nq"],
  num_kv_heads: ["int", "key/value heads Nkv"],
  head_dim: ["int", "D"],
  layout: ["string", "`half` (element i pairs with i + R/2) or `interleaved` (2i with 2i + 1)"],
  rotary_dim: ["int", "R: the first R of D elements are rotated"],
  scale: ["float", "factor on the scores"],
  causal: ["bool", "a query sees no later position; always true here"],
  window: ["int", "0: none; else a query sees itself and the window − 1 positions before it"],
  softcap: ["float", "0: none; else scores become softcap · tanh(score / softcap)"],
  activation: ["string", "`silu` or `gelu_tanh`"],
  layer_idx: ["int", "the layer, from 0"],
  model_path: ["string", "absolute path of the checkpoint's folder"],
  vocab_size: ["int", "V"],
  max_new_tokens: ["int", "most tokens to write"]
};
function attributes(...names) {
  return names.map((name) => ({ name, type: ATTRIBUTES[name][0], meaning: ATTRIBUTES[name][1] }));
}
var NORM = ["eps", "weight_offset"];
var ROPE = ["layout", "rotary_dim"];
var QK = "q [T,Nq,D], k [T,Nkv,D]";
var TABLES = "cos [T,R/2] float32, sin [T,R/2] float32";
var RMS_NORM = { op: "rms_norm", inputs: { x: "x" }, weights: { weight: ["weight"] }, outputs: { y: "y" } };
var QK_NORM = {
  op: "qk_norm",
  inputs: { q: "q", k: "k" },
  weights: { q_weight: ["q_weight"], k_weight: ["k_weight"] },
  outputs: { q: "q", k: "k" }
};
var ROTARY = { op: "rope", inputs: { q: "q", k: "k", cos: "cos", sin: "sin" }, outputs: { q: "q", k: "k" } };
var GATE = { op: "silu_mul", inputs: { gate: "gate", up: "up" }, outputs: { y: "y" } };
function linear(x, weight, y) {
  return { op: "linear", inputs: { x }, weights: { [weight]: ["weight"] }, outputs: { y } };
}
var CONTRACTS = /* @__PURE__ */ new Map([
  [
    "rms_norm",
    {
      stands_for: "run",
      inputs: tensors("x [T,H], weight [H]"),
      attributes: attributes(...NORM),
      outputs: tensors("y [T,H]"),
      steps: [RMS_NORM]
    }
  ],
  [
    "add_rms_norm",
    {
      stands_for: "run",
      inputs: tensors("x [T,H], residual [T,H], weight [H]"),
      attributes: attributes(...NORM),
      outputs: tensors("y [T,H], residual_out [T,H]"),
      steps: [
        { op: "add", inputs: { x: "x", residual: "residual" }, outputs: { y: "residual_out" } },
        { ...RMS_NORM, inputs: { x: "residual_out" } }
      ]
    }
  ],
  [
    "linear",
    {
      stands_for: "run",
      inputs: tensors("x [T,A], weight [B,A], bias? [B]"),
      attributes: attributes(),
      outputs: tensors("y [T,B]"),
      steps: [{ ...linear("x", "weight", "y"), optional: { bias: ["bias"] } }]
    }
  ],
  [
    "rms_norm_qkv",
    {
      stands_for: "run",
      inputs: tensors("x [T,H], norm_weight [H], qkv_weight [(Nq+2Nkv)·D,H], qkv_bias? [(Nq+2Nkv)·D]"),
      attributes: attributes(...NORM, "num_heads", "num_kv_heads", "head_dim"),
      outputs: tensors(`${QK}, v [T,Nkv,D]`),
      steps: [
        { ...RMS_NORM, weights: { norm_weight: ["weight"] }, outputs: { y: "#normed" } },
        {
          op: "qkv",
          inputs: { x: "#normed" },
          weights: { qkv_weight: ["q_weight", "k_weight", "v_weight"] },
          optional: { qkv_bias: ["q_bias", "k_bias", "v_bias"] },
          outputs: { q: "q", k: "k", v: "v" }
        }
      ]
    }
  ],
  [
    "qk_norm",
    {
      stands_for: "run",
      inputs: tensors(`${QK}, q_weight [D], k_weight [D]`),
      attributes: attributes(...NORM),
      outputs: tensors(QK),
      steps: [QK_NORM]
    }
  ],
  [
    "rope",
    { stands_for: "run", inputs: tensors(`${QK}, ${TABLES}`), attributes: attributes(...ROPE), outputs: tensors(QK), steps: [ROTARY] }
  ],
  [
    "qk_norm_rope",
    {
      stands_for: "run",
      inputs: tensors(`${QK}, q_weight [D], k_weight [D], ${TABLES}`),
      attributes: attributes(...NORM, ...ROPE),
      outputs: tensors(QK),
      steps: [
        { ...QK_NORM, outputs: { q: "#q", k: "#k" } },
        { ...ROTARY, inputs: { q: "#q", k: "#k", cos: "cos", sin: "sin" } }
      ]
    }
  ],
  [
    "attention",
    {
      stands_for: "run",
      inputs: tensors("q [T,Nq,D], k [S,Nkv,D], v [S,Nkv,D]"),
      attributes: attributes("scale", "causal", "window", "softcap"),
      outputs: tensors("o [T,Nq,D]"),
      steps: [{ op: "attention", inputs: { q: "q", k: "k", v: "v" }, outputs: { o: "o" } }]
    }
  ],
  [
    "silu_mul",
    { stands_for: "run", inputs: tensors("gate [T,I], up [T,I]"), attributes: attributes(), outputs: tensors("y [T,I]"), steps: [GATE] }
  ],
  [
    "gelu_tanh_mul",
    {
      stands_for: "run",
      inputs: tensors("gate [T,I], up [T,I]"),
      attributes: attributes(),
      outputs: tensors("y [T,I]"),
      steps: [{ ...GATE, op: "gelu_tanh_mul" }]
    }
  ],
  [
    "swiglu_mlp",
    {
      stands_for: "run",
      inputs: tensors("x [T,H], gate_weight [I,H], up_weight [I,H], down_weight [H,I]"),
      attributes: attributes("activation"),
      outputs: tensors("y [T,H]"),
      steps: [
        linear("x", "gate_weight", "#gate"),
        linear("x", "up_weight", "#up"),
        { op: ["silu_mul", "gelu_tanh_mul"], inputs: { gate: "#gate", up: "#up" }, outputs: { y: "#activated" } },
        linear("#activated", "down_weight", "y")
      ]
    }
  ],
  [
    "decoder_layer",
    {
      stands_for: "layer",
      inputs: tensors(`x [T,H], ${TABLES}`),
      attributes: attributes(
        "layer_idx",
        ...NORM,
        "num_heads",
        "num_kv_heads",
        "head_dim",
        ...ROPE,
        "scale",
        "causal",
        "window",
        "softcap",
        "activation"
      ),
      outputs: tensors("y [T,H]"),
      steps: []
    }
  ],
  [
    "model",
    {
      stands_for: "model",
      inputs: tensors("input_ids [T] int64"),
      attributes: attributes("model_path", "vocab_size"),
      outputs: tensors("logits [T,V]"),
      steps: []
    }
  ],
  [
    "generate",
    {
      stands_for: "model",
      inputs: tensors("input_ids [T] int64"),
      attributes: attributes("model_path", "max_new_tokens"),
      outputs: tensors("output_ids [N] int64"),
      steps: []
    }
  ]
]);
function contractInputs(op) {
  return CONTRACTS.get(op)?.inputs ?? [];
}
function contractOutputs(op) {
  return CONTRACTS.get(op)?.outputs ?? [];
}
var SIZE_ATTRIBUTES = {
  num_heads: "Nq",
  num_kv_heads: "Nkv",
  head_dim: "D",
  rotary_dim: "R",
  vocab_size: "V"
};
function callSizes(op, inputs, given) {
  const sizes = /* @__PURE__ */ new Map();
  for (const { name, shape } of contractInputs(op)) {
    for (const [axis, size] of shape.entries()) {
      const length = inputs[name]?.shape[axis];
      if (length !== void 0 && !sizes.has(size)) sizes.set(size, length);
    }
  }
  for (const [name, size] of Object.entries(SIZE_ATTRIBUTES)) {
    const value = given[name];
    if (typeof value === "number") sizes.set(size, value);
  }
  return sizes;
}
function outputShapes(op, inputs, given) {
  const sizes = callSizes(op, inputs, given);
  return Object.fromEntries(contractOutputs(op).map(({ name, shape }) => [name, shape.map((size) => sizes.get(size) ?? null)]));
}

export {
  CONTRACTS,
  contractInputs,
  contractOutputs,
  callSizes,
  outputShapes
};
