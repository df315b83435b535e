// What stands folded below a model's reasons: tables of its kernels, layers, probes, texts, speeds, norms and findings.

import { canaryLine, missedCanaries } from './canaries.js';
import { kernelChange } from './changes.js';
import { code, html, prose } from './escape.js';
import { generationList, generationSummary } from './generation.js';
import { modelBlocks, modelSummary } from './layer-errors.js';
import { count, difference, magnitude, multiple, NOT_MEASURED, percent } from './numbers.js';
import { probeSummaries } from './probes.js';
import { STRIP_LEGEND, stripsOf } from './strips.js';
import type { Finding, KernelResult, KernelTime, ModelReport } from './types.js';

const KERNELS_SHOWN = 60;
const FINDINGS_SHOWN = 20;
/** Characters: a name and a reason, each cut before. */
const SUMMARY_LIMIT = 200;
/** GitHub shows some 100 columns of a code block before it scrolls. */
const STRIP_COLUMNS = 100;

/**
 * Blocks of Markdown.
 * @param compared with a baseline
 */
export function modelDetails(model: ModelReport, compared: boolean): string[] {
  return [
    ...kernelDetails(model, compared),
    ...wholeModel(model),
    ...probeDetails(model),
    ...canaryDetails(model),
    ...generationDetails(model),
    ...speedDetails(model),
    ...layerDetails(model),
    ...findingDetails(model),
  ];
}

/** A list of finished entries, cut after `limit` of them. */
export function list(entries: string[], limit: number): string {
  const shown = entries.slice(0, limit).map((entry) => `- ${entry}`);
  if (entries.length > limit) shown.push(`- … and ${entries.length - limit} more in report.json`);
  return shown.join('\n');
}

function kernelDetails({ numeric, baseline }: ModelReport, compared: boolean): string[] {
  if (numeric === null || numeric.kernels.length === 0) return [];
  const entries = numeric.kernels.map((kernel, index) => ({
    kernel,
    change: baseline === null ? '' : kernelChange(baseline, index, kernel),
  }));
  const worstFirst = entries.sort((a, b) => severity(a.kernel) - severity(b.kernel));
  const head =
    '| kernel | op | status | sites | max abs diff | mean abs diff | bitwise equal | max ULP | × floor | × floor (max) | worst at |';
  const align = '| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |';
  const extra = (text: string): string => (compared ? ` ${text} |` : '');
  const body = worstFirst.slice(0, KERNELS_SHOWN).map(({ kernel, change }) => kernelRow(kernel) + extra(change));
  const more = numeric.kernels.length > KERNELS_SHOWN ? [`\n… and ${numeric.kernels.length - KERNELS_SHOWN} more in report.json`] : [];
  return [
    details(
      `${count(numeric.kernels.length, 'kernel')} on ${deviceOf(numeric.kernels)}`,
      [head + extra('baseline'), align + extra('---'), ...body, ...more].join('\n'),
    ),
  ];
}

function kernelRow(kernel: KernelResult): string {
  const place = [kernel.worst_layer === null ? null : `layer ${kernel.worst_layer}`, kernel.worst_site].filter((part) => part !== null);
  const where = place.length === 0 ? null : place.join(' ');
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
    where === null ? NOT_MEASURED : code(where),
  ];
  return `| ${cells.join(' | ')} |`;
}

function wholeModel({ numeric }: ModelReport): string[] {
  const model = numeric?.model ?? null;
  return model === null ? [] : [details(modelSummary(model), modelBlocks(model).join('\n\n'))];
}

function probeDetails({ numeric }: ModelReport): string[] {
  const summaries = probeSummaries(numeric?.kernels ?? []);
  if (summaries.length === 0) return [];
  const lines = summaries
    .slice(0, KERNELS_SHOWN)
    .flatMap(({ kernel, line, open }) => [
      `- ${code(kernel.kernel)}: ${prose(line)}`,
      ...open.map(({ name, words, detail }) => `  - ${code(name)} ${words}: ${prose(detail)}`),
    ]);
  if (summaries.length > KERNELS_SHOWN) lines.push(`- … and ${summaries.length - KERNELS_SHOWN} more in report.json`);
  const bad = summaries.reduce((sum, { open }) => sum + open.length, 0);
  const outcome = bad === 0 ? 'all pass' : `${bad} did not pass`;
  return [details(`Probes of ${count(summaries.length, 'kernel')}: ${outcome}`, lines.join('\n'))];
}

/** One line when all were caught. */
function canaryDetails(model: ModelReport): string[] {
  const line = canaryLine([model]);
  if (line === null) return [];
  const missed = missedCanaries(model.numeric?.canaries ?? []).map(
    ({ kernel, name, detail }) =>
      `${code(name)} beside ${kernel === null ? 'the whole model' : code(kernel)} was not caught: ${prose(detail)}`,
  );
  return [`<sub>${html(line)}.</sub>`, ...(missed.length === 0 ? [] : [list(missed, KERNELS_SHOWN)])];
}

function generationDetails({ numeric }: ModelReport): string[] {
  const entries = numeric?.generation ?? [];
  return entries.length === 0 ? [] : [details(generationSummary(entries), generationList(entries))];
}

function speedDetails({ numeric }: ModelReport): string[] {
  const performance = numeric?.performance ?? null;
  if (performance === null || performance.kernels.length === 0) return [];
  const head = '| kernel | at | tokens | fused µs | standard µs | speed | standard | clock | note |';
  const align = '| --- | --- | --: | --: | --: | --: | --- | --- | --- |';
  const body = performance.kernels.slice(0, KERNELS_SHOWN).map(speedRow);
  const hidden = performance.kernels.length - body.length;
  const { fused = null, standard = null } = performance.tokens_per_second ?? {};
  const rate =
    performance.tokens_per_second === null ? [] : [`\nTokens per second: ${magnitude(fused)} fused, ${magnitude(standard)} standard.`];
  const more = hidden > 0 ? [`\n… and ${hidden} more in report.json`] : [];
  return [details(`Speed of ${count(performance.kernels.length, 'kernel')}`, [head, align, ...body, ...more, ...rate].join('\n'))];
}

function speedRow(time: KernelTime): string {
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
    time.note === null ? '' : prose(time.note),
  ];
  return `| ${cells.join(' | ')} |`;
}

function severity(kernel: KernelResult): number {
  return ['fail', 'inconclusive', 'warn', 'pass'].indexOf(kernel.status);
}

function deviceOf(kernels: KernelResult[]): string {
  const devices = [...new Set(kernels.map((kernel) => kernel.device ?? kernel.backend))];
  return devices.slice(0, 3).join(', ') + (devices.length > 3 ? ' …' : '');
}

function layerDetails({ static: checked }: ModelReport): string[] {
  const strips = checked === null ? null : stripsOf(checked, STRIP_COLUMNS);
  if (strips === null) return [];
  const picture = [...strips.lines, ...(strips.marks === null ? [] : [strips.marks])].join('\n');
  return [details(`Q/K norms per layer: ${strips.heading}`, `\`\`\`text\n${picture}\n\`\`\`\n\n<sub>${STRIP_LEGEND}</sub>`)];
}

function findingDetails({ static: checked }: ModelReport): string[] {
  if (checked === null || checked.findings.length === 0) return [];
  return [details(count(checked.findings.length, 'finding') + ' in the weights', list(checked.findings.map(findingLine), FINDINGS_SHOWN))];
}

function findingLine(finding: Finding): string {
  return finding.tensor === null ? prose(finding.message) : `${prose(finding.message)} (${code(finding.tensor)})`;
}

/** The empty lines make GitHub parse the body as Markdown again. */
export function details(summary: string, body: string): string {
  return `<details><summary>${html(summary, SUMMARY_LIMIT)}</summary>\n\n${body}\n\n</details>`;
}
