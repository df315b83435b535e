import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  VERDICTS
} from "./chunk-HEL6FPUC.js";

// src/report/numbers.ts
var NOT_MEASURED = "–";
function score(value) {
  if (value === null) return NOT_MEASURED;
  return (value < 1 ? Math.min(value, 0.99) : value).toFixed(2);
}
function magnitude(value) {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? exponent(rounded, 2) : String(rounded);
}
function difference(value) {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(2));
  const size = Math.abs(rounded);
  return size === 0 || size >= 0.01 && size < 1e4 ? String(rounded) : exponent(rounded, 1);
}
function multiple(value) {
  if (value === null) return NOT_MEASURED;
  if (value >= 1e5) return `${exponent(value, 1)}×`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`;
}
function percent(value) {
  if (value === null) return NOT_MEASURED;
  if (value === 0 || value === 1) return `${value * 100}%`;
  if (value < 1e-3) return "<0.1%";
  return `${Math.min(value * 100, 99.9).toFixed(1)}%`;
}
function against(value, limit) {
  for (let digits = 3; digits < 15; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.sign(rounded - limit) === Math.sign(value - limit)) return String(rounded);
  }
  return String(value);
}
function count(number, noun, plural = `${noun}s`) {
  return `${number} ${number === 1 ? noun : plural}`;
}
function exponent(value, digits) {
  return value.toExponential(digits).replace("e+", "e").replace(/\.0+e/, "e");
}

// src/report/judged.ts
var NOT_JUDGED = ["cancelled", "shard_missing"];
function wasCancelled(models) {
  return models.some(({ reasons }) => reasons.some(({ code }) => code === "cancelled"));
}
function wasJudged({ reasons }) {
  return !reasons.some(({ code }) => NOT_JUDGED.includes(code));
}

// src/report/rows.ts
var EMOJI = {
  INCOMPATIBLE: "❌",
  IMPLEMENTATION_ISSUE: "🛠",
  INCONCLUSIVE: "❔",
  WARNING: "⚠️",
  COMPATIBLE: "✅"
};
var STATIC_COLUMNS = ["K max", "K ratio", "score"];
var NUMERIC_COLUMNS = ["kernel difference", "× noise floor", "amplification", "top-1", "speed fused/standard"];
function columnsOf(report) {
  return [...STATIC_COLUMNS, ...report.policy === "static" ? [] : NUMERIC_COLUMNS, ...isCompared(report) ? ["baseline"] : []];
}
function isFailing(model, { fail_on }) {
  return fail_on.includes(model.verdict) && model.allowed === null || fail_on.length > 0 && !wasJudged(model);
}
function rowsOf(report) {
  const rows = report.models.map((model) => ({
    model,
    failing: isFailing(model, report),
    figures: [
      ...figuresOf(model).slice(0, report.policy === "static" ? STATIC_COLUMNS.length : void 0),
      ...isCompared(report) ? [modelChange(model) ?? NOT_MEASURED] : []
    ]
  }));
  const rank = (row) => (row.failing ? 0 : VERDICTS.length) + VERDICTS.indexOf(row.model.verdict);
  return rows.sort((a, b) => rank(a) - rank(b));
}
function figuresOf({ static: checked, numeric }) {
  const norm = (value) => checked !== null && value === null ? "none" : magnitude(value);
  const kernels = numeric?.kernels ?? [];
  return [
    norm(checked?.max_k_weight ?? null),
    norm(checked?.k_weight_ratio ?? null),
    score(checked?.score ?? null),
    difference(largest(kernels.map((kernel) => kernel.max_abs_diff))),
    multiple(noiseRatio({ numeric })),
    multiple(numeric?.model?.amplification ?? null),
    percent(numeric?.model?.top1_agreement ?? null),
    multiple(speed(numeric?.performance ?? null))
  ];
}
function speed(performance) {
  const { fused = null, standard = null } = performance?.tokens_per_second ?? {};
  if (fused !== null && standard !== null && standard > 0) return fused / standard;
  const compared = performance?.kernels.filter(({ speedup }) => speedup !== null) ?? [];
  const sum = (of) => compared.reduce((total, kernel) => total + (kernel[of] ?? 0), 0);
  return compared.length === 0 ? null : sum("standard_us") / sum("fused_us");
}
function isCompared({ baseline }) {
  return baseline !== null && baseline.problem === null;
}
function modelChange(model) {
  const { baseline } = model;
  if (baseline === null) return null;
  const was = baseline.verdict === null || baseline.verdict === model.verdict ? "" : `: was ${baseline.verdict}`;
  return baseline.change + was + ratioStep(baseline.noise_ratio, noiseRatio(model));
}
function ratioStep(before, now) {
  return before === null || now === null ? "" : `, ${multiple(before)} → ${multiple(now)}`;
}
function noiseRatio({ numeric }) {
  const kernels = numeric?.kernels ?? [];
  return largest([...kernels.flatMap((kernel) => [kernel.accuracy_ratio, kernel.max_ratio]), numeric?.model?.kl_ratio ?? null]);
}
function largest(values) {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : Math.max(...measured);
}
function tally(models) {
  const counts = VERDICTS.map((verdict) => [models.filter((model) => model.verdict === verdict).length, verdict]);
  const shown = counts.filter(([number]) => number > 0).map(([number, verdict]) => `${number} ${verdict}`);
  return shown.length === 0 ? "no model" : shown.join(", ");
}
function gateLine(report) {
  const never = report.fail_on.length === 0 ? " (fail-on: never)" : "";
  const allowed = report.models.filter((model) => model.allowed !== null).length;
  const known = allowed === 0 ? "" : `, ${allowed} of them allowed`;
  return `gate ${report.gate === "fail" ? "failed" : "passed"}${never}: ${tally(report.models)}${known}`;
}
function ruleLine(report) {
  return `policy ${report.policy}, ${report.fail_on.length === 0 ? "never fails" : `fails on ${report.fail_on.join(", ")}`}`;
}

export {
  NOT_MEASURED,
  score,
  magnitude,
  difference,
  multiple,
  percent,
  against,
  count,
  wasCancelled,
  wasJudged,
  EMOJI,
  columnsOf,
  isFailing,
  rowsOf,
  isCompared,
  ratioStep,
  noiseRatio,
  tally,
  gateLine,
  ruleLine
};
