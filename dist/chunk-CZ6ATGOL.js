import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  difference,
  magnitude,
  multiple,
  percent,
  score
} from "./chunk-GJGK3S23.js";
import {
  VERDICTS
} from "./chunk-HEL6FPUC.js";

// src/report/rows.ts
var EMOJI = {
  INCOMPATIBLE: "❌",
  IMPLEMENTATION_ISSUE: "🛠",
  INCONCLUSIVE: "❔",
  WARNING: "⚠️",
  COMPATIBLE: "✅"
};
var STATIC_COLUMNS = ["K max", "K ratio", "score"];
var NUMERIC_COLUMNS = ["max abs diff", "× noise floor", "amplification", "top-1"];
function columnsOf(report) {
  return report.policy === "static" ? STATIC_COLUMNS : [...STATIC_COLUMNS, ...NUMERIC_COLUMNS];
}
function rowsOf(report) {
  const rows = report.models.map((model) => ({
    model,
    failing: report.fail_on.includes(model.verdict),
    figures: figuresOf(model).slice(0, columnsOf(report).length)
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
    multiple(largest([...kernels.flatMap((kernel) => [kernel.accuracy_ratio, kernel.max_ratio]), numeric?.model?.kl_ratio ?? null])),
    multiple(numeric?.model?.amplification ?? null),
    percent(numeric?.model?.top1_agreement ?? null)
  ];
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
  return `gate ${report.gate === "fail" ? "failed" : "passed"}${never}: ${tally(report.models)}`;
}
function ruleLine(report) {
  return `policy ${report.policy}, ${report.fail_on.length === 0 ? "never fails" : `fails on ${report.fail_on.join(", ")}`}`;
}

export {
  EMOJI,
  columnsOf,
  rowsOf,
  tally,
  gateLine,
  ruleLine
};
