// The report as a Markdown document: PR comment, job summary and report.md. How it gets there is src/github/'s business.

import { canaryLine, missedCanaries } from './canaries.js';
import { code, html, plain, prose } from './escape.js';
import { count, difference, magnitude, multiple, NOT_MEASURED, percent } from './numbers.js';
import { probeSummaries } from './probes.js';
import { columnsOf, EMOJI, gateLine, rowsOf, ruleLine, tally } from './rows.js';
import type { Row } from './rows.js';
import { STRIP_LEGEND, stripsOf } from './strips.js';
import type { Finding, KernelResult, KernelTime, ModelReport, Report } from './types.js';

export interface MarkdownOptions {
  /** Most bytes (UTF-8) of the document; default: no limit. */
  budget?: number;
}

const REASONS_SHOWN = 20;
const KERNELS_SHOWN = 60;
const FINDINGS_SHOWN = 20;
const COMMAND_LIMIT = 2000;
/** GitHub shows some 100 columns of a code block before it scrolls. */
const STRIP_COLUMNS = 100;

/**
 * The report as Markdown. When it would be larger than `budget` it says less: details of failing models only, then their reasons
 * only, then failing rows only, then as many of them as fit. The verdict line always stands.
 */
export function renderMarkdown(report: Report, { budget = Infinity }: MarkdownOptions = {}): string {
  const rows = rowsOf(report);
  const failing = rows.filter((row) => row.failing);
  const fits = (text: string): boolean => Buffer.byteLength(text) <= budget;

  const steps: (() => string)[] = [
    () => page(report, rows, [...rows.map((row) => modelSection(row, true)), ...reproduce(report, rows)]),
    () =>
      page(report, rows, [
        ...failing.map((row) => modelSection(row, true)),
        ...reproduce(report, failing),
        cutNote('the details of passing models are'),
      ]),
    () =>
      page(report, rows, [...failing.map((row) => modelSection(row, false)), cutNote('everything but the reasons of failing models is')]),
    () => page(report, rows, [cutNote('the details are')]),
    () => failingRowsOnly(report, failing, failing.length),
  ];
  for (const step of steps) {
    const text = step();
    if (fits(text)) return text;
  }
  return asManyRowsAsFit(report, failing, fits);
}

function page(report: Report, rows: Row[], sections: string[]): string {
  return [title(report), table(report, rows), legend(report), ...sections].join('\n\n') + '\n';
}

function title(report: Report): string {
  return `## ${report.gate === 'fail' ? '❌' : '✅'} fused-compat ${gateLine(report)}`;
}

function table(report: Report, rows: Row[]): string {
  const columns = columnsOf(report);
  const head = ['model', 'verdict', ...columns];
  const align = ['---', '---', ...columns.map(() => '--:')];
  const body = rows.map(({ model, figures }) => [code(model.id), `${EMOJI[model.verdict]} ${model.verdict}`, ...figures]);
  return [head, align, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function legend(report: Report): string {
  const rule = ruleLine(report);
  const numeric =
    ' <b>max abs diff</b>: largest |fused − eager| of any kernel. <b>× noise floor</b>: worst error of kernels and model, in multiples of the ' +
    'error that correct implementations show. <b>amplification</b>: final error over the error injected first. ' +
    '<b>top-1</b>: positions where the fused model agrees with the oracle. ' +
    '<b>speed fused/standard</b>: above 1 is faster than standard; it decides nothing.';
  return (
    `<sub>${rule.charAt(0).toUpperCase()}${rule.slice(1)}. <b>K max</b>, <b>K ratio</b>, <b>score</b>: static check of the K-norm weights.` +
    `${report.policy === 'static' ? '' : numeric} –: not measured.</sub>`
  );
}

function modelSection({ model }: Row, full: boolean): string {
  const body = modelBody(model, full);
  // A model that is fine takes one line until someone asks.
  if (model.verdict === 'COMPATIBLE') return details(`${EMOJI.COMPATIBLE} ${model.id}`, body);
  return `### ${EMOJI[model.verdict]} ${code(model.id)}\n\n${body}`;
}

function modelBody(model: ModelReport, full: boolean): string {
  const parts: string[] = [];
  const subject = [model.architecture, model.dtype, model.revision].filter((entry) => entry !== null).map((entry) => code(entry));
  if (subject.length > 0 && full) parts.push(subject.join(' · '));
  parts.push(
    list(
      model.reasons.map((reason) => prose(reason.message)),
      REASONS_SHOWN,
    ),
  );
  if (full && model.diagnosis.length > 0)
    parts.push(
      `**Cause**\n\n${list(
        model.diagnosis.map((cause) => prose(cause.message)),
        REASONS_SHOWN,
      )}`,
    );
  if (full && model.recommendations.length > 0)
    parts.push(
      `**What to do**\n\n${list(
        model.recommendations.map((advice) => prose(advice)),
        REASONS_SHOWN,
      )}`,
    );
  if (full)
    parts.push(
      ...kernelDetails(model),
      ...probeDetails(model),
      ...canaryDetails(model),
      ...speedDetails(model),
      ...layerDetails(model),
      ...findingDetails(model),
    );
  return parts.join('\n\n');
}

function list(entries: string[], limit: number): string {
  const shown = entries.slice(0, limit).map((entry) => `- ${entry}`);
  if (entries.length > limit) shown.push(`- … and ${entries.length - limit} more in report.json`);
  return shown.join('\n');
}

function kernelDetails({ numeric }: ModelReport): string[] {
  if (numeric === null || numeric.kernels.length === 0) return [];
  const worstFirst = [...numeric.kernels].sort((a, b) => severity(a) - severity(b));
  const head =
    '| kernel | op | status | sites | max abs diff | mean abs diff | bitwise equal | max ULP | × floor | × floor (max) | worst at |';
  const align = '| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |';
  const body = worstFirst.slice(0, KERNELS_SHOWN).map(kernelRow);
  const more = numeric.kernels.length > KERNELS_SHOWN ? [`\n… and ${numeric.kernels.length - KERNELS_SHOWN} more in report.json`] : [];
  return [
    details(`${count(numeric.kernels.length, 'kernel')} on ${deviceOf(numeric.kernels)}`, [head, align, ...body, ...more].join('\n')),
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
function details(summary: string, body: string): string {
  return `<details><summary>${html(summary)}</summary>\n\n${body}\n\n</details>`;
}

/** One line to paste into a shell. A name that is not shown as it is could not be pasted, so it is left out. */
function reproduce(report: Report, rows: Row[]): string[] {
  const failing = rows.filter((row) => row.failing);
  const ids = (failing.length > 0 ? failing : rows).map((row) => row.model.id).filter((id) => plain(id, COMMAND_LIMIT) === id && id !== '');
  const dash = ids.some((id) => id.startsWith('-')) ? ['--'] : [];
  const command = [
    'fused-compat',
    ...(report.policy === 'static' ? ['inspect'] : ['check', '--policy', report.policy]),
    ...dash,
    ...ids.map(shellWord),
  ].join(' ');
  if (ids.length === 0 || command.length > COMMAND_LIMIT) return [];
  const fence = '`'.repeat(Math.max(3, ...[...command.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  return [`**Reproduce**\n\n${fence}sh\n${command}\n${fence}`];
}

function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function cutNote(what: string): string {
  return `_Shortened to fit: ${what} in report.json only._`;
}

function failingRowsOnly(report: Report, failing: Row[], shown: number): string {
  const others = report.models.filter((model) => !report.fail_on.includes(model.verdict));
  const hidden = [
    ...(shown < failing.length ? [count(failing.length - shown, 'more failing model')] : []),
    ...(others.length > 0 ? [`${count(others.length, 'passing model')} (${tally(others)})`] : []),
  ];
  const rows = shown > 0 ? [table(report, failing.slice(0, shown))] : [];
  const note = hidden.length > 0 ? [`_Shortened to fit: ${hidden.join(' and ')} in report.json only._`] : [cutNote('the details are')];
  return [title(report), ...rows, ...note].join('\n\n') + '\n';
}

function asManyRowsAsFit(report: Report, failing: Row[], fits: (text: string) => boolean): string {
  let low = 0;
  let high = failing.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(failingRowsOnly(report, failing, middle))) low = middle;
    else high = middle - 1;
  }
  const text = failingRowsOnly(report, failing, Math.max(low, 0));
  return fits(text) ? text : `${title(report)}\n`;
}
