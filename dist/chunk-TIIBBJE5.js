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

export {
  loadOnnxRuntime,
  onnxruntimeVersion
};
