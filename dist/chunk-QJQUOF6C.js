import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  EMOJI,
  STRIP_LEGEND,
  columnsOf,
  gateLine,
  rowsOf,
  ruleLine,
  stripsOf,
  tally
} from "./chunk-4T3YAHRC.js";
import {
  NOT_MEASURED,
  count,
  difference,
  multiple,
  percent
} from "./chunk-GJGK3S23.js";
import {
  code,
  html,
  plain,
  prose
} from "./chunk-Q6RORYE2.js";

// src/report/markdown.ts
var REASONS_SHOWN = 20;
var KERNELS_SHOWN = 60;
var FINDINGS_SHOWN = 20;
var COMMAND_LIMIT = 2e3;
var STRIP_COLUMNS = 100;
function renderMarkdown(report, { budget = Infinity } = {}) {
  const rows = rowsOf(report);
  const failing = rows.filter((row) => row.failing);
  const fits = (text) => Buffer.byteLength(text) <= budget;
  const steps = [
    () => page(report, rows, [...rows.map((row) => modelSection(row, true)), ...reproduce(report, rows)]),
    () => page(report, rows, [
      ...failing.map((row) => modelSection(row, true)),
      ...reproduce(report, failing),
      cutNote("the details of passing models are")
    ]),
    () => page(report, rows, [...failing.map((row) => modelSection(row, false)), cutNote("everything but the reasons of failing models is")]),
    () => page(report, rows, [cutNote("the details are")]),
    () => failingRowsOnly(report, failing, failing.length)
  ];
  for (const step of steps) {
    const text = step();
    if (fits(text)) return text;
  }
  return asManyRowsAsFit(report, failing, fits);
}
function page(report, rows, sections) {
  return [title(report), table(report, rows), legend(report), ...sections].join("\n\n") + "\n";
}
function title(report) {
  return `## ${report.gate === "fail" ? "❌" : "✅"} fused-compat ${gateLine(report)}`;
}
function table(report, rows) {
  const columns = columnsOf(report);
  const head = ["model", "verdict", ...columns];
  const align = ["---", "---", ...columns.map(() => "--:")];
  const body = rows.map(({ model, figures }) => [code(model.id), `${EMOJI[model.verdict]} ${model.verdict}`, ...figures]);
  return [head, align, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
function legend(report) {
  const rule = ruleLine(report);
  const numeric = " <b>max abs diff</b>: largest |fused − eager| of any kernel. <b>× noise floor</b>: worst error of kernels and model, in multiples of the error that correct implementations show. <b>amplification</b>: final error over the error injected first. <b>top-1</b>: positions where the fused model agrees with the oracle.";
  return `<sub>${rule.charAt(0).toUpperCase()}${rule.slice(1)}. <b>K max</b>, <b>K ratio</b>, <b>score</b>: static check of the K-norm weights.${report.policy === "static" ? "" : numeric} –: not measured.</sub>`;
}
function modelSection({ model }, full) {
  const body = modelBody(model, full);
  if (model.verdict === "COMPATIBLE") return details(`${EMOJI.COMPATIBLE} ${model.id}`, body);
  return `### ${EMOJI[model.verdict]} ${code(model.id)}

${body}`;
}
function modelBody(model, full) {
  const parts = [];
  const subject = [model.architecture, model.dtype, model.revision].filter((entry) => entry !== null).map((entry) => code(entry));
  if (subject.length > 0 && full) parts.push(subject.join(" · "));
  parts.push(
    list(
      model.reasons.map((reason) => prose(reason.message)),
      REASONS_SHOWN
    )
  );
  if (full && model.diagnosis.length > 0)
    parts.push(
      `**Cause**

${list(
        model.diagnosis.map((cause) => prose(cause.message)),
        REASONS_SHOWN
      )}`
    );
  if (full && model.recommendations.length > 0)
    parts.push(
      `**What to do**

${list(
        model.recommendations.map((advice) => prose(advice)),
        REASONS_SHOWN
      )}`
    );
  if (full) parts.push(...kernelDetails(model), ...layerDetails(model), ...findingDetails(model));
  return parts.join("\n\n");
}
function list(entries, limit) {
  const shown = entries.slice(0, limit).map((entry) => `- ${entry}`);
  if (entries.length > limit) shown.push(`- … and ${entries.length - limit} more in report.json`);
  return shown.join("\n");
}
function kernelDetails({ numeric }) {
  if (numeric === null || numeric.kernels.length === 0) return [];
  const worstFirst = [...numeric.kernels].sort((a, b) => severity(a) - severity(b));
  const head = "| kernel | op | status | sites | max abs diff | mean abs diff | bitwise equal | max ULP | × floor | × floor (max) | worst at |";
  const align = "| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |";
  const body = worstFirst.slice(0, KERNELS_SHOWN).map(kernelRow);
  const more = numeric.kernels.length > KERNELS_SHOWN ? [`
… and ${numeric.kernels.length - KERNELS_SHOWN} more in report.json`] : [];
  return [
    details(`${count(numeric.kernels.length, "kernel")} on ${deviceOf(numeric.kernels)}`, [head, align, ...body, ...more].join("\n"))
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
  return `<details><summary>${html(summary)}</summary>

${body}

</details>`;
}
function reproduce(report, rows) {
  const failing = rows.filter((row) => row.failing);
  const ids = (failing.length > 0 ? failing : rows).map((row) => row.model.id).filter((id) => plain(id, COMMAND_LIMIT) === id && id !== "");
  const dash = ids.some((id) => id.startsWith("-")) ? ["--"] : [];
  const command = [
    "fused-compat",
    ...report.policy === "static" ? ["inspect"] : ["check", "--policy", report.policy],
    ...dash,
    ...ids.map(shellWord)
  ].join(" ");
  if (ids.length === 0 || command.length > COMMAND_LIMIT) return [];
  const fence = "`".repeat(Math.max(3, ...[...command.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  return [`**Reproduce**

${fence}sh
${command}
${fence}`];
}
function shellWord(text) {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
function cutNote(what) {
  return `_Shortened to fit: ${what} in report.json only._`;
}
function failingRowsOnly(report, failing, shown) {
  const others = report.models.filter((model) => !report.fail_on.includes(model.verdict));
  const hidden = [
    ...shown < failing.length ? [count(failing.length - shown, "more failing model")] : [],
    ...others.length > 0 ? [`${count(others.length, "passing model")} (${tally(others)})`] : []
  ];
  const rows = shown > 0 ? [table(report, failing.slice(0, shown))] : [];
  const note = hidden.length > 0 ? [`_Shortened to fit: ${hidden.join(" and ")} in report.json only._`] : [cutNote("the details are")];
  return [title(report), ...rows, ...note].join("\n\n") + "\n";
}
function asManyRowsAsFit(report, failing, fits) {
  let low = 0;
  let high = failing.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(failingRowsOnly(report, failing, middle))) low = middle;
    else high = middle - 1;
  }
  const text = failingRowsOnly(report, failing, Math.max(low, 0));
  return fits(text) ? text : `${title(report)}
`;
}

export {
  renderMarkdown
};
