import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  firstLine,
  init_native,
  loadNative
} from "./chunk-AHTNRT6P.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

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
  return import("./onnxruntime-node-7XM7ILON.js");
}
function requireBeside(version, host) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const advice = `run on linux-x64, or run \`npm ci --omit=dev\` in ${root} first`;
  let found;
  try {
    found = createRequire(import.meta.url)("onnxruntime-node");
  } catch (error) {
    const missing = error.code === "MODULE_NOT_FOUND";
    const reason = missing ? "" : ` and the installed onnxruntime-node does not load (${firstLine(error)})`;
    throw new ModelError("no_runtime", `fused-compat brings ONNX Runtime for linux-x64 only, not for ${host}${reason}: ${advice}.`);
  }
  if (found.env.versions.node === version) return found;
  throw new ModelError(
    "no_runtime",
    `fused-compat needs onnxruntime-node ${version} on ${host}, and the one installed is ${found.env.versions.node ?? "of unknown version"}: ${advice}.`
  );
}

// src/reference/recipes.ts
var EAGER = {
  compute: "float32",
  norm_weight: "eager",
  probabilities: "serving",
  inside: "eager",
  between: "serving",
  sums: "whole"
};
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
    { ...base, name: "float32_between", between: "float32" },
    { ...base, name: "split_sums", sums: "halves" },
    { ...base, name: "split_sums_by_four", sums: "quarters" },
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
function leaving(recipe) {
  return recipe.between === "serving" ? recipe : { ...recipe, between: "serving" };
}
function roundsOutputs({ round, between }) {
  return round !== "none" && between === "serving";
}
function sameRecipe(recipes, recipe, ops) {
  const matters = new Set(ops.flatMap((op) => MATTERS[op]));
  return recipes.find((other) => [...matters].every((field) => other[field] === recipe[field])) ?? recipe;
}
function distinctRecipes(recipes, ops) {
  return recipes.filter((recipe) => sameRecipe(recipes, recipe, ops) === recipe);
}

export {
  ORACLE,
  eager,
  validRecipes,
  leaving,
  roundsOutputs,
  sameRecipe,
  distinctRecipes,
  loadOnnxRuntime,
  onnxruntimeVersion
};
