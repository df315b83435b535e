// The report as a Markdown document: PR comment, job summary and report.md. How it gets there is src/github/'s business.

import { allowance, notes } from './changes.js';
import type { Phrase } from './changes.js';
import { errorChart } from './chart.js';
import { code, plain, plainName, prose } from './escape.js';
import { failingKernels } from './failing-kernels.js';
import { levelsThatFit } from './fit.js';
import type { Detail } from './fit.js';
import { details, list, modelDetails } from './model-details.js';
import { count } from './numbers.js';
import { reproduceLine } from './reproduce.js';
import { columnsOf, EMOJI, gateLine, isCompared, isFailing, noiseRatio, rowsOf, ruleLine, tally } from './rows.js';
import type { Row } from './rows.js';
import type { ModelReport, Report } from './types.js';

export interface MarkdownOptions {
  /** Most bytes (UTF-8) of the document; default: no limit. */
  budget?: number;
  /** Where to find what did not fit, as Markdown; default: report.json. */
  rest?: string;
}

const REASONS_SHOWN = 20;
/** Characters of foreign text: in a note, in the table, and as the one line of a model. */
const WORDS_LIMIT = 300;
const REASON_LIMIT = 120;
const BRIEF_LIMIT = 160;
const SUMMARY_LIMIT = 100;
const LINES_OPEN = 10;
/** Models whose reasons stand in the open; those of the others are folded, as are all tables. */
const SECTIONS_OPEN = 5;
/** Rows of COMPATIBLE models that stand in the open below others. */
const PASSING_ROWS_OPEN = 20;
const WHERE_TO_RUN = 'In a checkout of this commit. <code>fused-compat</code> is <code>dist/cli.js</code> of the Action.';
const ELSEWHERE = 'Absolute paths are those of the machine that this ran on.';
const COMPARED = ' <b>baseline</b>: against the report of the base branch; worse and better are beyond noise.';

/**
 * The report as Markdown. When it would be larger than `budget` it says less: the models that pass lose their details first, then the
 * last of those that fail, down to one line each; then the table keeps the failing rows only, and then as many of them as fit. The
 * verdict line always stands.
 */
export function renderMarkdown(report: Report, { budget = Infinity, rest = 'report.json' }: MarkdownOptions = {}): string {
  const rows = rowsOf(report);
  const failing = rows.filter((row) => row.failing);
  const fits = (text: string): boolean => Buffer.byteLength(text) <= budget;
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

function joined(blocks: readonly string[]): string {
  return blocks.join('\n\n') + '\n';
}

/** What is said about the models within `room` bytes, and a note of what is left out; null: not even that note fits. */
function sectionsThatFit(
  report: Report,
  rows: readonly Row[],
  { room, rest, whole, allRows }: { room: number; rest: string; whole: boolean; allRows: boolean },
): { note: string[]; text: string[] } | null {
  const parts = rows.map((row, index) => ({
    failing: row.failing,
    text: memo((detail: Exclude<Detail, 'none'>) => modelSection(row, report, detail, index < SECTIONS_OPEN)),
  }));
  const all = levelsThatFit(parts, room);
  if (whole && all.every((level) => level === 'full')) return { note: [], text: parts.map(({ text }) => text('full')) };
  const left = room - NOTE_BYTES - Buffer.byteLength(rest);
  if (left < 0) return null;
  const levels = levelsThatFit(parts, left);
  const shown = (wanted: (level: Detail) => boolean): string[] =>
    parts.flatMap(({ text }, index) => {
      const level = levels[index] ?? 'none';
      return level !== 'none' && wanted(level) ? [text(level)] : [];
    });
  const brief = shown((level) => level === 'brief');
  return { note: [leftOutNote(rows, levels, { rest, allRows })], text: [...shown((level) => level !== 'brief'), ...briefBlock(brief)] };
}

function memo<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

/** Room for the note below, which holds nothing but numbers, and for the fold around many lines. */
const NOTE_BYTES = 320;

/** One line each; folded where nobody would read them all. */
function briefBlock(lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const text = lines.join('\n');
  return [lines.length <= LINES_OPEN ? text : details(`Why ${lines.length} more models fail`, text)];
}

function leftOutNote(rows: readonly Row[], levels: readonly Detail[], { rest, allRows }: { rest: string; allRows: boolean }): string {
  const failing = levels.filter((_, index) => rows[index]?.failing);
  const number = (of: readonly Detail[], level: Detail): number => of.filter((entry) => entry === level).length;
  const parts: string[] = [];
  if (number(failing, 'full') < failing.length)
    parts.push(
      `of ${count(failing.length, 'failing model')}, ${number(failing, 'full')} with details and ${failing.length - number(failing, 'full') - number(failing, 'none')} with reasons`,
    );
  const others = levels.filter((_, index) => rows[index]?.failing === false);
  if (!allRows) parts.push(`no row of ${passing(rows.filter((row) => !row.failing).map(({ model }) => model))}`);
  else if (number(others, 'full') < others.length)
    parts.push(`details of ${number(others, 'full')} of ${count(others.length, 'passing model')}`);
  const here = parts.length === 0 ? 'everything but the chart, the kernels that fail or the command' : parts.join('; ');
  return `_Shortened to fit. Here: ${here}. The rest is in ${rest}._`;
}

function notesOf(report: Report): string[] {
  const lines = notes(report).map((phrase) => `- ${markdownOf(phrase)}`);
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function markdownOf(phrase: Phrase, limit = WORDS_LIMIT): string {
  return phrase.map((part) => (typeof part === 'string' ? part : 'name' in part ? code(part.name) : prose(part.words, limit))).join('');
}

/** The errors over the layers of the worst model that has them. */
function chartOf(rows: readonly Row[]): string[] {
  const candidates = rows.filter(({ model }) => errorChart(model) !== null);
  const peers = candidates.filter(
    ({ failing, model }) => failing === candidates[0]?.failing && model.verdict === candidates[0].model.verdict,
  );
  const [worst] = peers.sort((a, b) => (noiseRatio(b.model) ?? 0) - (noiseRatio(a.model) ?? 0));
  const chart = worst === undefined ? null : errorChart(worst.model);
  if (worst === undefined || chart === null) return [];
  const picture = `\`\`\`mermaid\n${chart.source}\n\`\`\`\n\n<sub>${chart.legend}</sub>`;
  const { id, verdict } = worst.model;
  return [
    verdict === 'COMPATIBLE'
      ? details(`Error over the layers of ${plainName(id)}`, picture)
      : `**Error over the layers of** ${code(id)}\n\n${picture}`,
  ];
}

function title(report: Report): string {
  return `## ${report.gate === 'fail' ? '❌' : '✅'} fused-compat ${gateLine(report)}`;
}

/** One table; where it would be long, the COMPATIBLE models below the others are folded. */
function tables(report: Report, rows: readonly Row[]): string[] {
  const fine = rows.filter(({ failing, model }) => !failing && model.verdict === 'COMPATIBLE');
  if (fine.length <= PASSING_ROWS_OPEN || fine.length === rows.length) return [table(report, rows)];
  const others = rows.filter((row) => !fine.includes(row));
  return [table(report, others), details(`${EMOJI.COMPATIBLE} ${fine.length} more models are COMPATIBLE`, table(report, fine))];
}

function table(report: Report, rows: readonly Row[]): string {
  const columns = columnsOf(report);
  const head = ['model', 'verdict', ...columns];
  const align = ['---', '---', ...columns.map(() => '--:')];
  const body = rows.map(({ model, figures }) => [code(model.id), verdictOf(model), ...figures]);
  return [head, align, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function verdictOf(model: ModelReport): string {
  const allowed = allowance(model);
  return `${EMOJI[model.verdict]} ${model.verdict}${allowed === null ? '' : `, ${markdownOf(allowed, REASON_LIMIT)}`}`;
}

function legend(report: Report): string {
  const rule = ruleLine(report);
  const numeric =
    ' <b>kernel difference</b>: largest |fused − eager| of any kernel. <b>× noise floor</b>: worst error of kernels and model, in multiples of the ' +
    'error that correct implementations show. <b>amplification</b>: final error over the error injected first. ' +
    '<b>top-1</b>: positions where the fused model agrees with the oracle. ' +
    '<b>speed fused/standard</b>: above 1 is faster than standard; it decides nothing.';
  return (
    `<sub>${rule.charAt(0).toUpperCase()}${rule.slice(1)}. <b>K max</b>, <b>K ratio</b>, <b>score</b>: static check of the K-norm weights.` +
    `${report.policy === 'static' ? '' : numeric}${isCompared(report) ? COMPARED : ''} –: not measured.</sub>`
  );
}

function modelSection({ model }: Row, report: Report, detail: Exclude<Detail, 'none'>, open: boolean): string {
  if (detail === 'brief') return briefLine(model);
  const body = modelBody(model, report, detail === 'full');
  // A model that is fine takes one line until someone asks.
  if (model.verdict === 'COMPATIBLE') return details(`${EMOJI.COMPATIBLE} ${plainName(model.id)}`, body);
  if (!open)
    return details(`${EMOJI[model.verdict]} ${plainName(model.id)}: ${plain(model.reasons[0]?.message ?? '', SUMMARY_LIMIT)}`, body);
  return `### ${EMOJI[model.verdict]} ${code(model.id)}\n\n${body}`;
}

/** The deciding reason comes first. */
function briefLine({ id, verdict, reasons }: ModelReport): string {
  const more = reasons.length > 1 ? ` … and ${count(reasons.length - 1, 'more reason')}` : '';
  return `- ${EMOJI[verdict]} ${code(id)}: ${prose(reasons[0]?.message ?? '', BRIEF_LIMIT)}${more}`;
}

function modelBody(model: ModelReport, report: Report, full: boolean): string {
  const parts: string[] = [];
  const subject = [model.architecture, model.dtype, model.revision].filter((entry) => entry !== null).map((entry) => code(entry));
  if (subject.length > 0 && full) parts.push(subject.join(' · '));
  parts.push(
    list(
      model.reasons.map((reason) => prose(reason.message)),
      REASONS_SHOWN,
    ),
  );
  if (model.diagnosis.length > 0)
    parts.push(
      `**Cause**\n\n${list(
        model.diagnosis.map((cause) => prose(cause.message)),
        REASONS_SHOWN,
      )}`,
    );
  if (model.recommendations.length > 0)
    parts.push(
      `**What to do**\n\n${list(
        model.recommendations.map((advice) => prose(advice)),
        REASONS_SHOWN,
      )}`,
    );
  if (full) parts.push(...modelDetails(model, isCompared(report)));
  return parts.join('\n\n');
}

function reproduce(report: Report, rows: readonly Row[]): string[] {
  const failing = rows.filter((row) => row.failing);
  const ids = (failing.length > 0 ? failing : rows).map((row) => row.model.id);
  const line = reproduceLine(report, ids);
  if (line === null) return [];
  const fence = '`'.repeat(Math.max(3, ...[...line.command.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  const some = line.models < ids.length ? ` (${line.models} of ${count(ids.length, 'model')})` : '';
  const notes = [
    WHERE_TO_RUN,
    ...(line.prompts_file === null ? [] : [promptsToWrite(line.prompts_file)]),
    ...(line.elsewhere ? [ELSEWHERE] : []),
  ];
  return [`**Reproduce**${some}\n\n${fence}sh\n${line.command}\n${fence}\n\n<sub>${notes.join(' ')}</sub>`];
}

function promptsToWrite(file: string): string {
  const from = 'the list after <code>--prompts</code> under <code>reproduce</code> in report.json';
  return `The prompts of this run are too long for a line: write ${from} into <code>${file}</code> first.`;
}

/** `20 passing models (20 COMPATIBLE)`. */
function passing(models: readonly ModelReport[]): string {
  return `${count(models.length, 'passing model')} (${tally(models)})`;
}

function failingRowsOnly(report: Report, failing: Row[], shown: number, rest: string): string {
  const others = report.models.filter((model) => !isFailing(model, report));
  const hidden = [
    ...(shown < failing.length ? [count(failing.length - shown, 'more failing model')] : []),
    ...(others.length > 0 ? [passing(others)] : []),
  ];
  const rows = shown > 0 ? [table(report, failing.slice(0, shown))] : [];
  const note =
    hidden.length > 0
      ? [`_Shortened to fit: ${hidden.join(' and ')} in ${rest} only._`]
      : [`_Shortened to fit: the details are in ${rest} only._`];
  return [title(report), ...rows, ...note].join('\n\n') + '\n';
}

function asManyRowsAsFit(report: Report, failing: Row[], fits: (text: string) => boolean, rest: string): string {
  let low = 0;
  let high = failing.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(failingRowsOnly(report, failing, middle, rest))) low = middle;
    else high = middle - 1;
  }
  const text = failingRowsOnly(report, failing, Math.max(low, 0), rest);
  return fits(text) ? text : `${title(report)}\n`;
}
