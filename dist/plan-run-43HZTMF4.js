import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  makePlan,
  matrixOf,
  measureModels,
  unusedRunners
} from "./chunk-FTX2O5U7.js";
import {
  hubAccess
} from "./chunk-PEJY4RTW.js";
import {
  loadManifests
} from "./chunk-QZM43P7H.js";
import "./chunk-Y2OHPJCQ.js";
import "./chunk-WXPIR4WJ.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-TCVENN23.js";
import {
  SHIPPED_KERNELS
} from "./chunk-CPDI2S7W.js";
import "./chunk-JLC4LN5G.js";
import "./chunk-OKHQOVWE.js";
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
