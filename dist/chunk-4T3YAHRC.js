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

// src/report/strips.ts
var STEPS = [1, 2, 5, 10, 20, 50, 100];
var BLOCKS = [..."▁▂▃▄▅▆▇█"];
var NOTHING = "·";
var EXTREME = "^";
var LABEL_WIDTH = 9;
var FEWEST_BLOCKS = 16;
var VALUE_WIDTH = 22;
var STRIP_LEGEND = `Each block is a layer: ${BLOCKS.map((block, index) => index < STEPS.length ? `${block} up to ${STEPS[index] ?? ""}` : `${block} above`).join(", ")}, ${NOTHING} no such norm, ${EXTREME} extreme layer.`;
function stripsOf({ layers, layers_total: total, extreme_layers: extreme }, width) {
  if (layers.length === 0) return null;
  const beside = width - LABEL_WIDTH - VALUE_WIDTH >= FEWEST_BLOCKS;
  const room = Math.max(1, width - LABEL_WIDTH - (beside ? VALUE_WIDTH : 0));
  const count = layers.reduce((most, { layer }) => Math.max(most, layer + 1), total);
  const perBlock = Math.ceil(count / room);
  const blocks = Math.ceil(count / perBlock);
  const draw = (label, valueOf) => {
    const measured = layers.flatMap((layer) => {
      const value2 = valueOf(layer);
      return value2 === null ? [] : [{ layer: layer.layer, value: value2 }];
    });
    const [first, ...rest] = measured;
    if (first === void 0) return [];
    const largest2 = rest.reduce((most, one) => one.value > most.value ? one : most, first);
    const strip = new Array(blocks).fill(-1);
    for (const { layer, value: value2 } of measured) {
      const block = Math.floor(layer / perBlock);
      strip[block] = Math.max(strip[block] ?? -1, heightOf(value2));
    }
    const value = largest2.value === Infinity ? "infinite" : magnitude(largest2.value);
    return [`${label.padEnd(LABEL_WIDTH)}${strip.map(blockOf).join("")}${beside ? ` ${value} (layer ${largest2.layer})` : ""}`];
  };
  const marked = new Set(layers.filter((layer) => layer.extreme).map(({ layer }) => Math.floor(layer / perBlock)));
  const marks = Array.from({ length: blocks }, (_, block) => marked.has(block) ? EXTREME : " ").join("");
  const shared = perBlock > 1 ? `, ${perBlock} to a block` : "";
  return {
    heading: `layers 0 to ${count - 1}${shared}, ${extreme} extreme`,
    lines: [...draw("K max", ({ max_k }) => max_k), ...draw("K ratio", kRatio), ...draw("Q max", ({ max_q }) => max_q)],
    marks: marked.size === 0 ? null : `${" ".repeat(LABEL_WIDTH)}${marks.trimEnd()}`
  };
}
function kRatio({ max_k: max, k_ratio: ratio }) {
  return max === null ? null : ratio ?? Infinity;
}
function heightOf(value) {
  const step = STEPS.findIndex((limit) => value <= limit);
  return step === -1 ? STEPS.length : step;
}
function blockOf(height) {
  return BLOCKS[height] ?? NOTHING;
}

export {
  EMOJI,
  columnsOf,
  rowsOf,
  tally,
  gateLine,
  ruleLine,
  STRIP_LEGEND,
  stripsOf
};
