import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  count,
  difference,
  magnitude,
  ratioStep
} from "./chunk-PWNSI2Q6.js";

// src/report/changes.ts
var SHOWN = 10;
var ORDER = ["worse", "new", "better", "same"];
function kernelChange({ kernels }, index, kernel) {
  const baseline = kernels[index];
  if (baseline === void 0) return "";
  const was = baseline.status === null || baseline.status === kernel.status ? "" : `: was ${baseline.status}`;
  const now = [kernel.accuracy_ratio, kernel.max_ratio].filter((ratio) => ratio !== null);
  return baseline.change + was + ratioStep(baseline.noise_ratio, now.length === 0 ? null : Math.max(...now));
}
function allowance({ allowed }) {
  if (allowed === null) return null;
  const kernels = (allowed.kernels ?? []).slice(0, SHOWN).flatMap((name, index) => [index === 0 ? " for " : ", ", { name }]);
  return ["allowed", ...kernels, ` until ${allowed.until}: `, { words: allowed.reason }];
}
function notes(report) {
  return [...allowNotes(report), ...baselineNotes(report)];
}
function allowNotes({ allow }) {
  const idle = allow.filter(({ status }) => status !== "used");
  const ordered = [...idle.filter(({ status }) => status === "expired"), ...idle.filter(({ status }) => status === "unused")];
  const lines = ordered.slice(0, SHOWN).map(({ model, kernel, status, detail, reason }) => {
    const subject = kernel === null ? [{ name: model }] : [{ name: kernel }, " in ", { name: model }];
    return [
      `⚠️ \`allow\` entry for `,
      ...subject,
      " (",
      { words: reason },
      ")",
      ` ${status === "unused" ? "has no effect: " : ""}`,
      { words: detail ?? "" },
      "."
    ];
  });
  return idle.length <= SHOWN ? lines : [...lines, [`… and ${count(idle.length - SHOWN, "more such entry", "more such entries")} in report.json.`]];
}
function baselineNotes({ baseline, models }) {
  if (baseline === null) return [];
  if (baseline.problem !== null) return [["⚠️ No comparison with the baseline: ", { words: baseline.problem }, "."]];
  const changes = models.map((model) => model.baseline?.change);
  const counts = ORDER.map((change) => [changes.filter((entry) => entry === change).length, change]);
  const shown = counts.filter(([number]) => number > 0).map(([number, change]) => `${number} ${change}`);
  const made = baseline.started_at === null ? [] : [" of ", { words: baseline.started_at }];
  const gone = baseline.missing_models;
  const names = gone.slice(0, SHOWN).flatMap((name, index) => [index === 0 ? " Gone since then: " : ", ", { name }]);
  const more = gone.length > SHOWN ? [` and ${gone.length - SHOWN} more`] : [];
  return [["Against the baseline", ...made, `: ${shown.join(", ")}.`, ...names, ...more, ...gone.length > 0 ? ["."] : []]];
}

// src/report/canaries.ts
function canaryLine(models) {
  const planted = models.flatMap(({ numeric }) => numeric?.canaries ?? []);
  if (planted.length === 0) return null;
  const scales = models.flatMap(({ numeric }) => numeric?.smallest_scale_error ?? []);
  const scale = scales.length === 0 ? "" : `; smallest scale error that could be seen: ${difference(Math.max(...scales) * 100)}%`;
  return `${count(planted.length, "canary", "canaries")} planted, ${planted.length - missedCanaries(planted).length} caught${scale}`;
}
function missedCanaries(canaries) {
  return canaries.filter(({ caught }) => !caught);
}

// src/report/probes.ts
var SEEN_BY_BACKEND = ["outputs_written", "guard_bands", "inputs_unchanged"];
function probeSummaries(kernels) {
  const summaries = kernels.flatMap((kernel) => kernel.probes === null ? [] : [summary(kernel, kernel.probes)]);
  return summaries.sort((a, b) => Number(b.open.length > 0) - Number(a.open.length > 0));
}
function summary(kernel, probes) {
  const named = (status, words) => probes.filter((probe) => probe.status === status).map(({ name, detail }) => ({ name, words, detail }));
  const open = [...named("fail", "fails"), ...named("inconclusive", "could not be judged")];
  const unseen = SEEN_BY_BACKEND.filter((name) => !probes.some((probe) => probe.name === name));
  const passed = probes.length - open.length;
  const all = open.length === 0 ? count(probes.length, "probe") : `${passed} of ${count(probes.length, "probe")}`;
  return {
    kernel,
    line: `${all} ${open.length === 0 && passed === 1 ? "passes" : "pass"}${unseen.length === 0 ? "" : `; its backend cannot see ${unseen.join(", ")}`}`,
    open
  };
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
  const count2 = layers.reduce((most, { layer }) => Math.max(most, layer + 1), total);
  const perBlock = Math.ceil(count2 / room);
  const blocks = Math.ceil(count2 / perBlock);
  const draw = (label, valueOf) => {
    const measured = layers.flatMap((layer) => {
      const value2 = valueOf(layer);
      return value2 === null ? [] : [{ layer: layer.layer, value: value2 }];
    });
    const [first, ...rest] = measured;
    if (first === void 0) return [];
    const largest = rest.reduce((most, one) => one.value > most.value ? one : most, first);
    const strip = new Array(blocks).fill(-1);
    for (const { layer, value: value2 } of measured) {
      const block = Math.floor(layer / perBlock);
      strip[block] = Math.max(strip[block] ?? -1, heightOf(value2));
    }
    const value = largest.value === Infinity ? "infinite" : magnitude(largest.value);
    return [`${label.padEnd(LABEL_WIDTH)}${strip.map(blockOf).join("")}${beside ? ` ${value} (layer ${largest.layer})` : ""}`];
  };
  const marked = new Set(layers.filter((layer) => layer.extreme).map(({ layer }) => Math.floor(layer / perBlock)));
  const marks = Array.from({ length: blocks }, (_, block) => marked.has(block) ? EXTREME : " ").join("");
  const shared = perBlock > 1 ? `, ${perBlock} to a block` : "";
  return {
    heading: `layers 0 to ${count2 - 1}${shared}, ${extreme} extreme`,
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
  kernelChange,
  allowance,
  notes,
  canaryLine,
  missedCanaries,
  probeSummaries,
  STRIP_LEGEND,
  stripsOf
};
