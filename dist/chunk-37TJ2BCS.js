import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  NOT_MEASURED,
  count,
  difference,
  magnitude,
  multiple,
  percent,
  ratioStep
} from "./chunk-JUYFWEVH.js";
import {
  code
} from "./chunk-4PW6NF73.js";

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
  const controls = models.flatMap(({ numeric }) => numeric?.controls ?? []);
  const same = controls.filter(({ passed }) => passed).length;
  const identity = controls.length === 0 ? "" : `; the reference against itself passes ${same} of ${count(controls.length, "control")}`;
  return `${count(planted.length, "canary", "canaries")} planted, ${planted.length - missedCanaries(planted).length} caught${identity}${scale}`;
}
function missedCanaries(canaries) {
  return canaries.filter(({ caught }) => !caught);
}

// src/report/layer-errors.ts
var LAYERS_SHOWN = 12;
function modelSummary(model) {
  const first = model.first_layer_above_floor;
  const ratio = model.kl_ratio === null ? "" : ` ${multiple(model.kl_ratio)} the noise floor`;
  const layers = first !== null ? `leaves the floor in layer ${first}` : model.layers.some(isMeasured) && model.kl_ratio !== null ? "no layer above its own" : "";
  return `Whole model:${[ratio, layers === "" ? "" : ` ${layers}`].filter((part) => part !== "").join(",") || " not judged"}`;
}
function modelBlocks(model) {
  return [figures(model), ...layerTable(model)];
}
function figures(model) {
  const { oracle, eager, fused } = model.perplexity;
  return [
    `- KL(oracle ‖ fused) ${difference(model.kl_fused)} nats; the noise floor is ${difference(model.kl_floor)}, the largest of the valid recipes' (${recipes(model)})`,
    `- top-1 agreement ${percent(model.top1_agreement)}, decisive flips ${model.decisive_flips ?? NOT_MEASURED}, in ${model.positions} positions`,
    `- perplexity of the prompts: oracle ${magnitude(oracle)}, eager ${magnitude(eager)}, fused ${magnitude(fused)}`,
    `- amplification ${multiple(model.amplification)} (final error over the error injected first), sensitivity ${multiple(model.sensitivity)} (the same of a random perturbation, rounding nowhere)`
  ].join("\n");
}
function recipes({ kl_recipes }) {
  return Object.entries(kl_recipes).map(([name, kl]) => `${code(name)} ${difference(kl)}`).join(", ");
}
function layerTable(model) {
  const layers = model.layers.filter(isMeasured);
  if (layers.length === 0) return [];
  const first = model.first_layer_above_floor;
  const shown = chosen(layers, first, LAYERS_SHOWN);
  const row = (layer) => `| ${layer.layer} | ${[layer.injected, layer.inherited, layer.floor].map(difference).join(" | ")} | ${multiple(timesFloor(layer))} | ${layer.layer === first ? "leaves the floor" : ""} |`;
  const hidden = layers.length - shown.length;
  return [
    [
      "| layer | injected | inherited | floor | × floor | |",
      "| --: | --: | --: | --: | --: | --- |",
      ...shown.map(row),
      ...hidden > 0 ? [`
… and ${hidden} more layers in report.json`] : []
    ].join("\n"),
    "<sub><b>injected</b>: largest relative RMS error of the layer’s own kernels on the reference’s inputs. <b>inherited</b>: that of the layer’s output with the kernels everywhere. <b>floor</b>: that of the worst valid recipe.</sub>"
  ];
}
function layerLine(model) {
  const first = model?.first_layer_above_floor ?? null;
  if (model === null || first === null) return null;
  const entries = chosen(model.layers.filter(isMeasured), first, 1).map((layer) => {
    const numbers = [layer.injected, layer.inherited, layer.floor].map(difference).join(" / ");
    return `${layer.layer}: ${numbers}${layer.layer === first ? ", leaves the floor" : ""}`;
  });
  return `errors by layer, relative (injected / inherited / floor): ${entries.join("; ")}`;
}
function chosen(layers, first, most) {
  const at = layers.findIndex(({ layer }) => layer === first);
  const last = layers.length - 1;
  const wanted = new Set([0, last, ...at < 0 ? [] : [at - 1, at, at + 1]].filter((index) => index >= 0 && index <= last));
  const steps = Math.min(most, layers.length);
  for (let i = 0; i < steps && wanted.size < most; i++) wanted.add(Math.round(i * last / Math.max(1, steps - 1)));
  return [...wanted].sort((a, b) => a - b).flatMap((index) => layers[index] ?? []);
}
function isMeasured({ inherited, floor }) {
  return inherited !== null || floor !== null;
}
function timesFloor({ inherited, floor }) {
  return inherited === null || floor === null || floor === 0 ? null : inherited / floor;
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
  modelSummary,
  modelBlocks,
  layerLine,
  probeSummaries,
  STRIP_LEGEND,
  stripsOf
};
