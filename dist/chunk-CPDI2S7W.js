import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// kernels/onnxruntime/fast-gelu-mul/kernel.json
var kernel_default = {
  name: "ort-fast-gelu-mul",
  op: "gelu_tanh_mul",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "FastGelu"
};

// kernels/onnxruntime/group-query-attention/kernel.json
var kernel_default2 = {
  name: "ort-group-query-attention",
  op: "attention",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "GroupQueryAttention"
};

// kernels/onnxruntime/qk-norm/kernel.json
var kernel_default3 = {
  name: "ort-qk-norm",
  op: "qk_norm",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "SimplifiedLayerNormalization"
};

// kernels/onnxruntime/quick-gelu-mul/kernel.json
var kernel_default4 = {
  name: "ort-quick-gelu-mul",
  op: "silu_mul",
  dtypes: ["bfloat16", "float16"],
  backend: "onnxruntime",
  operator: "QuickGelu"
};

// kernels/onnxruntime/rms-norm/kernel.json
var kernel_default5 = {
  name: "ort-rms-norm",
  op: "rms_norm",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "SimplifiedLayerNormalization"
};

// kernels/onnxruntime/rotary-embedding/kernel.json
var kernel_default6 = {
  name: "ort-rotary-embedding",
  op: "rope",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "RotaryEmbedding"
};

// kernels/onnxruntime/skip-rms-norm/kernel.json
var kernel_default7 = {
  name: "ort-skip-rms-norm",
  op: "add_rms_norm",
  dtypes: ["bfloat16", "float16", "float32"],
  backend: "onnxruntime",
  operator: "SkipSimplifiedLayerNormalization"
};

// src/kernels/shipped.ts
var SHIPPED_KERNELS = [
  kernel_default,
  kernel_default2,
  kernel_default3,
  kernel_default4,
  kernel_default5,
  kernel_default6,
  kernel_default7
];
function unfusedName(name) {
  return `unfused ${name}`;
}

export {
  SHIPPED_KERNELS,
  unfusedName
};
