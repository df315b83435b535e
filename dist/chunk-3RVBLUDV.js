import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  reproduceLine
} from "./chunk-XZGXZK4Z.js";
import {
  STRIP_LEGEND,
  allowance,
  canaryLine,
  kernelChange,
  missedCanaries,
  modelBlocks,
  modelSummary,
  notes,
  probeSummaries,
  stripsOf
} from "./chunk-37TJ2BCS.js";
import {
  EMOJI,
  NOT_MEASURED,
  columnsOf,
  count,
  difference,
  gateLine,
  isCompared,
  isFailing,
  magnitude,
  multiple,
  noiseRatio,
  percent,
  rowsOf,
  ruleLine,
  tally
} from "./chunk-JUYFWEVH.js";
import {
  code,
  html,
  plain,
  plainName,
  prose
} from "./chunk-4PW6NF73.js";

// src/report/chart.ts
var MOST_POINTS = 120;
var BELOW = 1;
var SERIES = ["injected", "inherited", "floor"];
var COLOURS = {
  injected: { name: "orange", code: "#e36209" },
  inherited: { name: "blue", code: "#2f81f7" },
  floor: { name: "grey", code: "#8b949e" }
};
var WORDS = {
  injected: "injected by the layer's own kernels",
  inherited: "of the layer's output, inherited errors included",
  floor: "the noise floor of that output"
};
function errorChart({ numeric }) {
  const measured = (numeric?.model?.layers ?? []).filter(({ inherited }) => isMeasured(inherited));
  const layers = thinned(measured);
  const drawn = SERIES.filter((name) => layers.every((layer) => isMeasured(layer[name])));
  const values = drawn.flatMap((name) => layers.map((layer) => layer[name] ?? 0)).filter((value) => value > 0);
  if (layers.length < 2 || values.length === 0) return null;
  const least = Math.log10(Math.min(...values)) - (drawn.some((name) => layers.some((layer) => layer[name] === 0)) ? BELOW : 0);
  const lowest = Math.floor(least);
  const highest = Math.max(lowest + 1, Math.ceil(Math.log10(Math.max(...values))));
  const lines = drawn.map((name) => `  line [${layers.map((layer) => point(layer[name] ?? 0, least)).join(", ")}]`);
  const palette = drawn.map((name) => COLOURS[name].code).join(", ");
  const source = [
    `%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "${palette}"}}}}%%`,
    "xychart-beta",
    `  x-axis "layer" ${xAxis(layers)}`,
    `  y-axis "log10 of the relative RMS error" ${lowest} --> ${highest}`,
    ...lines
  ].join("\n");
  return { source, legend: `${drawn.map((name) => `${COLOURS[name].name}: ${WORDS[name]}`).join("; ")}.` };
}
function isMeasured(value) {
  return value !== null && Number.isFinite(value);
}
function thinned(layers) {
  if (layers.length <= MOST_POINTS) return layers;
  const step = (layers.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, index) => layers[Math.round(index * step)]).filter((layer) => layer !== void 0);
}
function xAxis(layers) {
  const numbers = layers.map(({ layer }) => layer);
  const [first = 0, second = 1] = numbers;
  const even = numbers.every((layer, index) => layer === first + index * (second - first));
  return even ? `${first} --> ${numbers.at(-1) ?? first}` : `[${numbers.join(", ")}]`;
}
function point(value, least) {
  return (value > 0 ? Math.log10(value) : least).toFixed(2);
}

// src/report/failing-kernels.ts
var FEWEST_MODELS = 3;
var KERNELS_SHOWN = 10;
function failingKernels(models) {
  const byName = /* @__PURE__ */ new Map();
  let failing = 0;
  for (const model of models) {
    const failed = (model.numeric?.kernels ?? []).filter(({ status }) => status === "fail");
    if (failed.length > 0) failing += 1;
    for (const kernel of failed) byName.set(kernel.kernel, withFailure(byName.get(kernel.kernel), kernel, model.id));
  }
  if (failing < FEWEST_MODELS) return [];
  const sorted = [...byName.values()].sort((a, b) => b.models - a.models || (b.worst?.ratio ?? 0) - (a.worst?.ratio ?? 0));
  const rows = sorted.slice(0, KERNELS_SHOWN).map(({ kernel, models: number, worst }) => {
    const cells = [code(kernel.kernel), code(kernel.op), `${number} of ${models.length}`, multiple(worst?.ratio ?? null)];
    return `| ${[...cells, worst === null ? "" : code(worst.model)].join(" | ")} |`;
  });
  const more = sorted.length > rows.length ? [`
… and ${count(sorted.length - rows.length, "more kernel")} in report.json`] : [];
  const head = "| kernel | op | fails in models | worst × noise floor | there |\n| --- | --- | --: | --: | --- |";
  return [["**Kernels that fail**\n", head, ...rows, ...more].join("\n")];
}
function withFailure(known, kernel, model) {
  const ratios = [kernel.accuracy_ratio, kernel.max_ratio].filter((ratio) => ratio !== null);
  const entry = known ?? { kernel, models: 0, worst: null };
  entry.models += 1;
  if (ratios.length > 0 && Math.max(...ratios) > (entry.worst?.ratio ?? -1)) entry.worst = { ratio: Math.max(...ratios), model };
  return entry;
}

// src/report/fit.ts
var SEPARATOR = 2;
var BRIEF_SHARE = 0.4;
var REASONS_SHARE = 0.6;
function levelsThatFit(parts, room) {
  const levels = parts.map(() => "none");
  let used = 0;
  const raise = (failing, detail, limit) => {
    for (const [index, part] of parts.entries()) {
      if (part.failing !== failing) continue;
      const before = levels[index] ?? "none";
      const more = sizeOf(part.text(detail)) - (before === "none" ? 0 : sizeOf(part.text(before)));
      if (used + more > limit) return false;
      used += more;
      levels[index] = detail;
    }
    return true;
  };
  raise(true, "brief", room * BRIEF_SHARE);
  raise(true, "reasons", room * REASONS_SHARE);
  if (raise(true, "full", room)) raise(false, "full", room);
  return levels;
}
function sizeOf(text) {
  return Buffer.byteLength(text) + SEPARATOR;
}

// src/report/generation.ts
var TEXT_LIMIT = 400;
var PROMPT_TAIL = 60;
function generationSummary(entries) {
  const kinds = entries.map(kindOf);
  const counts = [...new Set(kinds)].map((kind) => {
    const number = kinds.filter((each) => each === kind).length;
    return number === entries.length ? kind : `${kind} after ${number}`;
  });
  return `Greedy text after ${count(entries.length, "prompt")}: ${counts.join(", ")}`;
}
function kindOf({ coherent, first_divergence: parts }) {
  if (coherent === false) return "incoherent";
  if (coherent === null) return "could not be judged";
  if (parts === null) return "the same";
  return parts.near_tie ? "parts at a near tie" : "parts, and is coherent";
}
function generationList(entries) {
  return entries.flatMap(generationItem).join("\n");
}
function generationItem(entry) {
  const { prompt, first_divergence: parts, text_standard, text_fused, nll_standard, nll_fused, loops, detail } = entry;
  const after = `- after ${code(tail(prompt))}`;
  const why = detail === null ? "" : `: ${code(detail, TEXT_LIMIT)}`;
  const shown = (name, text, nll, loop) => `  - ${name}: ${text === "" ? "nothing" : code(text, TEXT_LIMIT)} (NLL ${magnitude(nll)}${loop ? ", ends in a loop" : ""})`;
  if (text_standard === text_fused && detail === null) {
    return [`${after}: the same text`, shown("both", text_fused, nll_fused, loops.fused)];
  }
  const where = parts === null ? "" : `, at new token ${parts.position + 1} (margin ${magnitude(parts.margin)})`;
  return [
    `${after}: ${kindOf(entry)}${where}${why}`,
    shown("standard", text_standard, nll_standard, loops.standard),
    shown("fused", text_fused, nll_fused, loops.fused)
  ];
}
function tail(prompt) {
  const signs = [...prompt];
  return signs.length <= PROMPT_TAIL ? prompt : `…${signs.slice(-PROMPT_TAIL).join("")}`;
}

// src/report/model-details.ts
var KERNELS_SHOWN2 = 60;
var FINDINGS_SHOWN = 20;
var SUMMARY_LIMIT = 200;
var STRIP_COLUMNS = 100;
function modelDetails(model, compared) {
  return [
    ...kernelDetails(model, compared),
    ...wholeModel(model),
    ...probeDetails(model),
    ...canaryDetails(model),
    ...generationDetails(model),
    ...speedDetails(model),
    ...layerDetails(model),
    ...findingDetails(model)
  ];
}
function list(entries, limit) {
  const shown = entries.slice(0, limit).map((entry) => `- ${entry}`);
  if (entries.length > limit) shown.push(`- … and ${entries.length - limit} more in report.json`);
  return shown.join("\n");
}
function kernelDetails({ numeric, baseline }, compared) {
  if (numeric === null || numeric.kernels.length === 0) return [];
  const entries = numeric.kernels.map((kernel, index) => ({
    kernel,
    change: baseline === null ? "" : kernelChange(baseline, index, kernel)
  }));
  const worstFirst = entries.sort((a, b) => severity(a.kernel) - severity(b.kernel));
  const head = "| kernel | op | status | sites | max abs diff | mean abs diff | bitwise equal | max ULP | × floor | × floor (max) | worst at |";
  const align = "| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |";
  const extra = (text) => compared ? ` ${text} |` : "";
  const body = worstFirst.slice(0, KERNELS_SHOWN2).map(({ kernel, change }) => kernelRow(kernel) + extra(change));
  const more = numeric.kernels.length > KERNELS_SHOWN2 ? [`
… and ${numeric.kernels.length - KERNELS_SHOWN2} more in report.json`] : [];
  return [
    details(
      `${count(numeric.kernels.length, "kernel")} on ${deviceOf(numeric.kernels)}`,
      [head + extra("baseline"), align + extra("---"), ...body, ...more].join("\n")
    )
  ];
}
function kernelRow(kernel) {
  const place = [kernel.worst_layer === null ? null : `layer ${kernel.worst_layer}`, kernel.worst_site].filter((part) => part !== null);
  const where = place.length === 0 ? null : place.join(" ");
  const cells = [
    code(kernel.kernel),
    code(kernel.op),
    kernel.status,
    String(kernel.sites),
    difference(kernel.max_abs_diff),
    difference(kernel.mean_abs_diff),
    percent(kernel.bitwise_equal),
    kernel.max_ulp === null ? NOT_MEASURED : String(kernel.max_ulp),
    multiple(kernel.accuracy_ratio),
    multiple(kernel.max_ratio),
    where === null ? NOT_MEASURED : code(where)
  ];
  return `| ${cells.join(" | ")} |`;
}
function wholeModel({ numeric }) {
  const model = numeric?.model ?? null;
  return model === null ? [] : [details(modelSummary(model), modelBlocks(model).join("\n\n"))];
}
function probeDetails({ numeric }) {
  const summaries = probeSummaries(numeric?.kernels ?? []);
  if (summaries.length === 0) return [];
  const lines = summaries.slice(0, KERNELS_SHOWN2).flatMap(({ kernel, line, open }) => [
    `- ${code(kernel.kernel)}: ${prose(line)}`,
    ...open.map(({ name, words, detail }) => `  - ${code(name)} ${words}: ${prose(detail)}`)
  ]);
  if (summaries.length > KERNELS_SHOWN2) lines.push(`- … and ${summaries.length - KERNELS_SHOWN2} more in report.json`);
  const bad = summaries.reduce((sum, { open }) => sum + open.length, 0);
  const outcome = bad === 0 ? "all pass" : `${bad} did not pass`;
  return [details(`Probes of ${count(summaries.length, "kernel")}: ${outcome}`, lines.join("\n"))];
}
function canaryDetails(model) {
  const line = canaryLine([model]);
  if (line === null) return [];
  const missed = missedCanaries(model.numeric?.canaries ?? []).map(
    ({ kernel, name, detail }) => `${code(name)} beside ${kernel === null ? "the whole model" : code(kernel)} was not caught: ${prose(detail)}`
  );
  return [`<sub>${html(line)}.</sub>`, ...missed.length === 0 ? [] : [list(missed, KERNELS_SHOWN2)]];
}
function generationDetails({ numeric }) {
  const entries = numeric?.generation ?? [];
  return entries.length === 0 ? [] : [details(generationSummary(entries), generationList(entries))];
}
function speedDetails({ numeric }) {
  const performance = numeric?.performance ?? null;
  if (performance === null || performance.kernels.length === 0) return [];
  const head = "| kernel | at | tokens | fused µs | standard µs | speed | standard | clock | note |";
  const align = "| --- | --- | --: | --: | --: | --: | --- | --- | --- |";
  const body = performance.kernels.slice(0, KERNELS_SHOWN2).map(speedRow);
  const hidden = performance.kernels.length - body.length;
  const { fused = null, standard = null } = performance.tokens_per_second ?? {};
  const rate = performance.tokens_per_second === null ? [] : [`
Tokens per second: ${magnitude(fused)} fused, ${magnitude(standard)} standard.`];
  const more = hidden > 0 ? [`
… and ${hidden} more in report.json`] : [];
  return [details(`Speed of ${count(performance.kernels.length, "kernel")}`, [head, align, ...body, ...more, ...rate].join("\n"))];
}
function speedRow(time) {
  const place = time.layer === null ? time.site : `layer ${time.layer} ${time.site}`;
  const cells = [
    code(time.kernel),
    code(place),
    String(time.tokens),
    magnitude(time.fused_us),
    magnitude(time.standard_us),
    multiple(time.speedup),
    time.standard ?? NOT_MEASURED,
    time.timer ?? NOT_MEASURED,
    time.note === null ? "" : prose(time.note)
  ];
  return `| ${cells.join(" | ")} |`;
}
function severity(kernel) {
  return ["fail", "inconclusive", "warn", "pass"].indexOf(kernel.status);
}
function deviceOf(kernels) {
  const devices = [...new Set(kernels.map((kernel) => kernel.device ?? kernel.backend))];
  return devices.slice(0, 3).join(", ") + (devices.length > 3 ? " …" : "");
}
function layerDetails({ static: checked }) {
  const strips = checked === null ? null : stripsOf(checked, STRIP_COLUMNS);
  if (strips === null) return [];
  const picture = [...strips.lines, ...strips.marks === null ? [] : [strips.marks]].join("\n");
  return [details(`Q/K norms per layer: ${strips.heading}`, `\`\`\`text
${picture}
\`\`\`

<sub>${STRIP_LEGEND}</sub>`)];
}
function findingDetails({ static: checked }) {
  if (checked === null || checked.findings.length === 0) return [];
  return [details(count(checked.findings.length, "finding") + " in the weights", list(checked.findings.map(findingLine), FINDINGS_SHOWN))];
}
function findingLine(finding) {
  return finding.tensor === null ? prose(finding.message) : `${prose(finding.message)} (${code(finding.tensor)})`;
}
function details(summary, body) {
  return `<details><summary>${html(summary, SUMMARY_LIMIT)}</summary>

${body}

</details>`;
}

// src/report/markdown.ts
var REASONS_SHOWN = 20;
var WORDS_LIMIT = 300;
var REASON_LIMIT = 120;
var BRIEF_LIMIT = 160;
var SUMMARY_LIMIT2 = 100;
var LINES_OPEN = 10;
var SECTIONS_OPEN = 5;
var PASSING_ROWS_OPEN = 20;
var WHERE_TO_RUN = "In a checkout of this commit. <code>fused-compat</code> is <code>dist/cli.js</code> of the Action.";
var ELSEWHERE = "Absolute paths are those of the machine that this ran on.";
var COMPARED = " <b>baseline</b>: against the report of the base branch; worse and better are beyond noise.";
function renderMarkdown(report, { budget = Infinity, rest = "report.json" } = {}) {
  const rows = rowsOf(report);
  const failing = rows.filter((row) => row.failing);
  const fits = (text2) => Buffer.byteLength(text2) <= budget;
  const above = [title(report), ...notesOf(report)];
  const whole = { rows: tables(report, rows), chart: [...failingKernels(report.models), ...chartOf(rows)], below: reproduce(report, rows) };
  const short = { ...whole, rows: [table(report, failing)] };
  const shorter = failing.length === 0 || failing.length === rows.length ? [] : [short, { ...short, chart: [] }];
  for (const frame of [whole, { ...whole, chart: [] }, { ...whole, chart: [], below: [] }, ...shorter]) {
    const top = [...above, ...frame.rows, legend(report)];
    const room = budget - Buffer.byteLength(joined([...top, ...frame.chart, ...frame.below]));
    if (room < 0) continue;
    const sections = sectionsThatFit(report, rows, { room, rest, whole: frame === whole, allRows: frame.rows === whole.rows });
    if (sections !== null) return joined([...top, ...sections.note, ...frame.chart, ...sections.text, ...frame.below]);
  }
  const text = failingRowsOnly(report, failing, failing.length, rest);
  return fits(text) ? text : asManyRowsAsFit(report, failing, fits, rest);
}
function joined(blocks) {
  return blocks.join("\n\n") + "\n";
}
function sectionsThatFit(report, rows, { room, rest, whole, allRows }) {
  const parts = rows.map((row, index) => ({
    failing: row.failing,
    text: memo((detail) => modelSection(row, report, detail, index < SECTIONS_OPEN))
  }));
  const all = levelsThatFit(parts, room);
  if (whole && all.every((level) => level === "full")) return { note: [], text: parts.map(({ text }) => text("full")) };
  const left = room - NOTE_BYTES - Buffer.byteLength(rest);
  if (left < 0) return null;
  const levels = levelsThatFit(parts, left);
  const shown = (wanted) => parts.flatMap(({ text }, index) => {
    const level = levels[index] ?? "none";
    return level !== "none" && wanted(level) ? [text(level)] : [];
  });
  const brief = shown((level) => level === "brief");
  return { note: [leftOutNote(rows, levels, { rest, allRows })], text: [...shown((level) => level !== "brief"), ...briefBlock(brief)] };
}
function memo(make) {
  const known = /* @__PURE__ */ new Map();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}
var NOTE_BYTES = 320;
function briefBlock(lines) {
  if (lines.length === 0) return [];
  const text = lines.join("\n");
  return [lines.length <= LINES_OPEN ? text : details(`Why ${lines.length} more models fail`, text)];
}
function leftOutNote(rows, levels, { rest, allRows }) {
  const failing = levels.filter((_, index) => rows[index]?.failing);
  const number = (of, level) => of.filter((entry) => entry === level).length;
  const parts = [];
  if (number(failing, "full") < failing.length)
    parts.push(
      `of ${count(failing.length, "failing model")}, ${number(failing, "full")} with details and ${failing.length - number(failing, "full") - number(failing, "none")} with reasons`
    );
  const others = levels.filter((_, index) => rows[index]?.failing === false);
  if (!allRows) parts.push(`no row of ${passing(rows.filter((row) => !row.failing).map(({ model }) => model))}`);
  else if (number(others, "full") < others.length)
    parts.push(`details of ${number(others, "full")} of ${count(others.length, "passing model")}`);
  const here = parts.length === 0 ? "everything but the chart, the kernels that fail or the command" : parts.join("; ");
  return `_Shortened to fit. Here: ${here}. The rest is in ${rest}._`;
}
function notesOf(report) {
  const lines = notes(report).map((phrase) => `- ${markdownOf(phrase)}`);
  return lines.length === 0 ? [] : [lines.join("\n")];
}
function markdownOf(phrase, limit = WORDS_LIMIT) {
  return phrase.map((part) => typeof part === "string" ? part : "name" in part ? code(part.name) : prose(part.words, limit)).join("");
}
function chartOf(rows) {
  const candidates = rows.filter(({ model }) => errorChart(model) !== null);
  const peers = candidates.filter(
    ({ failing, model }) => failing === candidates[0]?.failing && model.verdict === candidates[0].model.verdict
  );
  const [worst] = peers.sort((a, b) => (noiseRatio(b.model) ?? 0) - (noiseRatio(a.model) ?? 0));
  const chart = worst === void 0 ? null : errorChart(worst.model);
  if (worst === void 0 || chart === null) return [];
  const picture = `\`\`\`mermaid
${chart.source}
\`\`\`

<sub>${chart.legend}</sub>`;
  const { id, verdict } = worst.model;
  return [
    verdict === "COMPATIBLE" ? details(`Error over the layers of ${plainName(id)}`, picture) : `**Error over the layers of** ${code(id)}

${picture}`
  ];
}
function title(report) {
  return `## ${report.gate === "fail" ? "❌" : "✅"} fused-compat ${gateLine(report)}`;
}
function tables(report, rows) {
  const fine = rows.filter(({ failing, model }) => !failing && model.verdict === "COMPATIBLE");
  if (fine.length <= PASSING_ROWS_OPEN || fine.length === rows.length) return [table(report, rows)];
  const others = rows.filter((row) => !fine.includes(row));
  return [table(report, others), details(`${EMOJI.COMPATIBLE} ${fine.length} more models are COMPATIBLE`, table(report, fine))];
}
function table(report, rows) {
  const columns = columnsOf(report);
  const head = ["model", "verdict", ...columns];
  const align = ["---", "---", ...columns.map(() => "--:")];
  const body = rows.map(({ model, figures }) => [code(model.id), verdictOf(model), ...figures]);
  return [head, align, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
function verdictOf(model) {
  const allowed = allowance(model);
  return `${EMOJI[model.verdict]} ${model.verdict}${allowed === null ? "" : `, ${markdownOf(allowed, REASON_LIMIT)}`}`;
}
function legend(report) {
  const rule = ruleLine(report);
  const numeric = " <b>kernel difference</b>: largest |fused − eager| of any kernel. <b>× noise floor</b>: worst error of kernels and model, in multiples of the error that correct implementations show. <b>amplification</b>: final error over the error injected first. <b>top-1</b>: positions where the fused model agrees with the oracle. <b>speed fused/standard</b>: above 1 is faster than standard; it decides nothing.";
  return `<sub>${rule.charAt(0).toUpperCase()}${rule.slice(1)}. <b>K max</b>, <b>K ratio</b>, <b>score</b>: static check of the K-norm weights.${report.policy === "static" ? "" : numeric}${isCompared(report) ? COMPARED : ""} –: not measured.</sub>`;
}
function modelSection({ model }, report, detail, open) {
  if (detail === "brief") return briefLine(model);
  const body = modelBody(model, report, detail === "full");
  if (model.verdict === "COMPATIBLE") return details(`${EMOJI.COMPATIBLE} ${plainName(model.id)}`, body);
  if (!open)
    return details(`${EMOJI[model.verdict]} ${plainName(model.id)}: ${plain(model.reasons[0]?.message ?? "", SUMMARY_LIMIT2)}`, body);
  return `### ${EMOJI[model.verdict]} ${code(model.id)}

${body}`;
}
function briefLine({ id, verdict, reasons }) {
  const more = reasons.length > 1 ? ` … and ${count(reasons.length - 1, "more reason")}` : "";
  return `- ${EMOJI[verdict]} ${code(id)}: ${prose(reasons[0]?.message ?? "", BRIEF_LIMIT)}${more}`;
}
function modelBody(model, report, full) {
  const parts = [];
  const subject = [model.architecture, model.dtype, model.revision].filter((entry) => entry !== null).map((entry) => code(entry));
  if (subject.length > 0 && full) parts.push(subject.join(" · "));
  parts.push(
    list(
      model.reasons.map((reason) => prose(reason.message)),
      REASONS_SHOWN
    )
  );
  if (model.diagnosis.length > 0)
    parts.push(
      `**Cause**

${list(
        model.diagnosis.map((cause) => prose(cause.message)),
        REASONS_SHOWN
      )}`
    );
  if (model.recommendations.length > 0)
    parts.push(
      `**What to do**

${list(
        model.recommendations.map((advice) => prose(advice)),
        REASONS_SHOWN
      )}`
    );
  if (full) parts.push(...modelDetails(model, isCompared(report)));
  return parts.join("\n\n");
}
function reproduce(report, rows) {
  const failing = rows.filter((row) => row.failing);
  const ids = (failing.length > 0 ? failing : rows).map((row) => row.model.id);
  const line = reproduceLine(report, ids);
  if (line === null) return [];
  const fence = "`".repeat(Math.max(3, ...[...line.command.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  const some = line.models < ids.length ? ` (${line.models} of ${count(ids.length, "model")})` : "";
  const notes2 = [
    WHERE_TO_RUN,
    ...line.prompts_file === null ? [] : [promptsToWrite(line.prompts_file)],
    ...line.elsewhere ? [ELSEWHERE] : []
  ];
  return [`**Reproduce**${some}

${fence}sh
${line.command}
${fence}

<sub>${notes2.join(" ")}</sub>`];
}
function promptsToWrite(file) {
  const from = "the list after <code>--prompts</code> under <code>reproduce</code> in report.json";
  return `The prompts of this run are too long for a line: write ${from} into <code>${file}</code> first.`;
}
function passing(models) {
  return `${count(models.length, "passing model")} (${tally(models)})`;
}
function failingRowsOnly(report, failing, shown, rest) {
  const others = report.models.filter((model) => !isFailing(model, report));
  const hidden = [
    ...shown < failing.length ? [count(failing.length - shown, "more failing model")] : [],
    ...others.length > 0 ? [passing(others)] : []
  ];
  const rows = shown > 0 ? [table(report, failing.slice(0, shown))] : [];
  const note = hidden.length > 0 ? [`_Shortened to fit: ${hidden.join(" and ")} in ${rest} only._`] : [`_Shortened to fit: the details are in ${rest} only._`];
  return [title(report), ...rows, ...note].join("\n\n") + "\n";
}
function asManyRowsAsFit(report, failing, fits, rest) {
  let low = 0;
  let high = failing.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(failingRowsOnly(report, failing, middle, rest))) low = middle;
    else high = middle - 1;
  }
  const text = failingRowsOnly(report, failing, Math.max(low, 0), rest);
  return fits(text) ? text : `${title(report)}
`;
}

export {
  renderMarkdown
};
