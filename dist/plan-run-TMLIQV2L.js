import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  makePlan,
  matrixOf,
  unusedRunners
} from "./chunk-HMSEHPGS.js";
import {
  hubAccess,
  openModel
} from "./chunk-CPVUZLU5.js";
import {
  loadManifests
} from "./chunk-QZM43P7H.js";
import {
  lanes
} from "./chunk-Y2OHPJCQ.js";
import "./chunk-LCLR2ZV5.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import {
  readModelConfig
} from "./chunk-D6SERIA7.js";
import {
  SHIPPED_KERNELS
} from "./chunk-CPDI2S7W.js";
import "./chunk-JLC4LN5G.js";
import "./chunk-OWGKBW5B.js";
import {
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import "./chunk-SO7XHSHO.js";
import "./chunk-H45APEIH.js";

// src/shards/plan-run.ts
init_errors();
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

// src/shards/sizes.ts
var AT_ONCE = 8;
var FORMATS = [/\.safetensors$/, /\.(?:bin|pt|pth)$/, /\.gguf$/, /\.(?:onnx|onnx_data)$/];
var NO_WEIGHTS = /^(?:adapter_|optimizer|scheduler|training_args|rng_state)/;
async function measureModels(models, hub) {
  const inTurn = lanes(AT_ONCE);
  return Promise.all(models.map((ref) => inTurn(() => sizeOf(ref, hub).catch(() => ({ bytes: null, layers: null })))));
}
async function sizeOf(ref, hub) {
  const { files } = await openModel(ref, hub);
  const [bytes, layers] = await Promise.all([weightBytes(files), layersOf(files).catch(() => null)]);
  return { bytes, layers };
}
async function weightBytes(files) {
  const sizes = await Promise.all((await weightFiles(files)).map((name) => byteLength(files, name)));
  return sizes.length === 0 ? null : sizes.reduce((sum, size) => sum + size, 0);
}
async function weightFiles(files) {
  if (files.main !== void 0) return [files.main];
  const names = (await files.list()).filter((name) => !NO_WEIGHTS.test(name));
  return FORMATS.map((format) => names.filter((name) => format.test(name))).find((found) => found.length > 0) ?? [];
}
async function byteLength(files, name) {
  const source = await files.open(name);
  await source?.close();
  return source?.byteLength ?? 0;
}
async function layersOf(files) {
  const config = await readModelConfig(files);
  const layers = config?.["num_hidden_layers"];
  return typeof layers === "number" && Number.isSafeInteger(layers) && layers > 0 && layers < 1e4 ? layers : null;
}

// src/shards/plan-run.ts
async function planRun(config, moment, env, log) {
  const kernels = await kernelCount(config);
  const hub = hubAccess(env, config.offline, log === void 0 ? {} : { log });
  try {
    const sizes = config.policy === "static" ? config.models.map(() => ({ bytes: null, layers: null })) : await measureModels(config.models, hub);
    const plan = makePlan(config, sizes, kernels, moment);
    return { plan, matrix: matrixOf(plan), notes: unusedRunners(config) };
  } finally {
    await hub.close();
  }
}
async function kernelCount({ policy, kernels }) {
  if (policy === "static") return 0;
  return (kernels === null ? SHIPPED_KERNELS : await loadManifests(kernels)).length;
}
async function writePlan(plan, folder) {
  const path = join(folder, "plan.json");
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, `${JSON.stringify(plan, null, 2)}
`);
  } catch (error) {
    throw new UsageError(`output: the plan cannot be written to ${quote(folder)} (${error.code ?? "unknown"})`);
  }
  return path;
}
export {
  planRun,
  writePlan
};
