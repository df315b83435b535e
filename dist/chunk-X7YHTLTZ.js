import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  FileProblem,
  REPORT_BYTES,
  asReport,
  readJsonFile
} from "./chunk-S665G4ZQ.js";
import {
  multiple,
  noiseRatio
} from "./chunk-JUYFWEVH.js";
import {
  VERDICTS
} from "./chunk-HEL6FPUC.js";
import {
  plain
} from "./chunk-4PW6NF73.js";

// src/report/baseline.ts
var LEVELS = ["fail", "inconclusive", "warn", "pass"];
var NAMES_SHOWN = 100;
var NAME_LIMIT = 200;
async function readBaseline(path) {
  try {
    return asReport((await readJsonFile(path, REPORT_BYTES)).value);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return /ENOENT/.test(error.message) ? "the file is not there, as on the first run of a base branch" : `the file ${error.message}`;
  }
}
function compareWithBaseline(report, base) {
  const problem = typeof base === "string" ? base : incomparable(report, base);
  if (typeof base === "string" || problem !== null) {
    const made = typeof base === "string" ? { version: null, started_at: null } : madeBy(base);
    return { ...report, baseline: { ...made, problem, missing_models: [] } };
  }
  const before = new Map(base.models.map((model) => [model.id, model]));
  const here = new Set(report.models.map(({ id }) => id));
  const baseline = { ...madeBy(base), problem: null, missing_models: names([...before.keys()].filter((id) => !here.has(id))) };
  return {
    ...report,
    baseline,
    models: report.models.map((model) => ({ ...model, baseline: modelBaseline(model, before.get(model.id)) }))
  };
}
function incomparable({ policy }, base) {
  return base.policy === policy ? null : `it was made under policy ${base.policy}, this report under ${policy}`;
}
function madeBy({ tool, timing }) {
  return { version: plain(tool.version, NAME_LIMIT), started_at: plain(timing.started_at, NAME_LIMIT) };
}
function names(list) {
  return list.slice(0, NAMES_SHOWN).map((name) => plain(name, NAME_LIMIT));
}
function modelBaseline(model, before) {
  const kernels = model.numeric?.kernels ?? [];
  const old = new Map((before?.numeric?.kernels ?? []).map((kernel) => [kernel.kernel, kernel]));
  const compared = kernels.map((kernel) => kernelBaseline(kernel, old.get(kernel.kernel)));
  if (before === void 0)
    return { change: "new", verdict: null, noise_ratio: null, detail: null, kernels: compared, missing_kernels: [] };
  const verdict = step(VERDICTS, before.verdict, model.verdict);
  const kl = ratioChange(before.numeric?.model?.kl_ratio ?? null, model.numeric?.model?.kl_ratio ?? null);
  const ran = new Set(kernels.map(({ kernel }) => kernel));
  const [was, is] = [noiseRatio(before), noiseRatio(model)];
  const facts = [
    ...verdict === "same" ? [] : [`verdict ${before.verdict} → ${model.verdict}`],
    ...ratioChange(was, is) === "same" ? [] : [`× noise floor ${multiple(was)} → ${multiple(is)}`],
    ...["worse", "better", "new"].flatMap((change) => counted(change, compared)),
    ...before.revision === model.revision ? [] : ["other weights (revision)"],
    ...before.dtype === model.dtype ? [] : [`dtype ${before.dtype ?? "unknown"} → ${model.dtype ?? "unknown"}`]
  ];
  return {
    // The verdict speaks first; where it stays, anything worse is worse, whatever became better.
    change: verdict === "same" ? worst([kl, ...compared.map(({ change }) => change)]) : verdict,
    verdict: before.verdict,
    noise_ratio: was,
    detail: facts.length === 0 ? null : facts.join("; "),
    kernels: compared,
    missing_kernels: names([...old.keys()].filter((name) => !ran.has(name)))
  };
}
function counted(change, kernels) {
  const number = kernels.filter((kernel) => kernel.change === change).length;
  return number === 0 ? [] : [`${number} ${number === 1 ? "kernel" : "kernels"} ${change}`];
}
function worst(changes) {
  return ["worse", "better"].find((change) => changes.includes(change)) ?? "same";
}
function kernelBaseline(kernel, before) {
  if (before === void 0) return { kernel: kernel.kernel, change: "new", status: null, noise_ratio: null, detail: null };
  const [was, is] = [largerRatio(before), largerRatio(kernel)];
  const status = step(LEVELS, before.status, kernel.status);
  const change = status === "same" ? ratioChange(was, is) : status;
  const levels = status === "same" ? "" : `${before.status} → ${kernel.status}, `;
  const detail = change === "same" ? null : `${levels}× noise floor ${multiple(was)} → ${multiple(is)}`;
  return { kernel: kernel.kernel, change, status: before.status, noise_ratio: was, detail };
}
function largerRatio({ accuracy_ratio: rms, max_ratio: max }) {
  return rms === null || max === null ? rms ?? max : Math.max(rms, max);
}
function step(order, before, now) {
  return now === before ? "same" : order.indexOf(now) < order.indexOf(before) ? "worse" : "better";
}
function ratioChange(before, now) {
  if (before === null || now === null || Math.abs(now - before) <= Math.max(1, before / 10)) return "same";
  return now > before ? "worse" : "better";
}

export {
  readBaseline,
  compareWithBaseline
};
