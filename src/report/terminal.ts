// The report for a person at a terminal: a table, the reasons, and the gate's line last, where the eye is.

import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import pico from 'picocolors';
import { canaryLine } from './canaries.js';
import { allowance, notes } from './changes.js';
import type { Phrase } from './changes.js';
import { plain, plainName } from './escape.js';
import { layerLine } from './layer-errors.js';
import { count } from './numbers.js';
import { probeSummaries } from './probes.js';
import { columnsOf, gateLine, rowsOf, ruleLine } from './rows.js';
import type { Row } from './rows.js';
import { STRIP_LEGEND, stripsOf } from './strips.js';
import type { ModelReport, Report, Verdict } from './types.js';

export interface TerminalOptions {
  /** ANSI colours; the caller has looked at NO_COLOR and at whether this is a terminal. */
  color: boolean;
  /** Width in characters; a table that is wider becomes a list. Default: no limit. */
  columns?: number | undefined;
}

/** Text wraps here even in a wider terminal, and where the width is unknown. */
const TEXT_WIDTH = 110;
const NARROWEST = 30;
const PROBES_SHOWN = 5;

type Paint = (text: string) => string;

/** The report as text for a terminal; foreign text in it is free of control characters. */
export function renderTerminal(report: Report, { color, columns = Infinity }: TerminalOptions): string {
  const paint = painter(color);
  const rows = rowsOf(report);
  const names = columnsOf(report);
  const wide = tableOf(rows, names, paint);
  // Every line of the table is as wide as its border, and a border is one column per character.
  const tableWidth = stripVTControlCharacters(wide.split('\n', 1)[0] ?? '').length;
  const overview = tableWidth <= columns ? wide : rows.map((row) => stacked(row, names, paint, columns)).join('\n');
  const reasons = rows.filter((row) => row.model.verdict !== 'COMPATIBLE').map((row) => explained(row, paint, columns));
  const blocks = [
    overview,
    ...layerPictures(report, rows, paint, columns),
    ...reasons,
    ...remarks(report, columns),
    ...canaries(report, paint, columns),
    lastLine(report, paint, columns),
  ];
  return inert(`${blocks.join('\n\n')}\n`);
}

function canaries({ models }: Report, paint: Painter, columns: number): string[] {
  const line = canaryLine(models);
  return line === null ? [] : [wrap(line, columns, '', '  ').map(paint.dim).join('\n')];
}

/** What the baseline and the known failures have to say. */
function remarks(report: Report, columns: number): string[] {
  const lines = notes(report).map((phrase) => wrap(textOf(phrase), columns, '', '  ').join('\n'));
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function textOf(phrase: Phrase): string {
  return phrase.map((part) => (typeof part === 'string' ? part : 'name' in part ? plainName(part.name) : plain(part.words))).join('');
}

/** No line is a command to a GitHub runner that the program's output goes to: `::name::` where a line starts, `##[name]` anywhere in it. */
function inert(text: string): string {
  return text.replaceAll('##[', '## [').replace(/^(?=[^\S\n]*::)/gm, '| ');
}

/** One line: what `--quiet` leaves of the report. */
export function renderGateLine(report: Report, { color, columns = Infinity }: TerminalOptions): string {
  return `${lastLine(report, painter(color), columns)}\n`;
}

interface Painter {
  verdict: Record<Verdict, Paint>;
  bold: Paint;
  dim: Paint;
  good: Paint;
  bad: Paint;
}

function painter(color: boolean): Painter {
  const { red, yellow, green, magenta, bold, dim } = pico.createColors(color);
  return {
    verdict: { INCOMPATIBLE: red, IMPLEMENTATION_ISSUE: red, INCONCLUSIVE: magenta, WARNING: yellow, COMPATIBLE: green },
    bold,
    dim,
    good: (text) => bold(green(text)),
    bad: (text) => bold(red(text)),
  };
}

function tableOf(rows: Row[], names: string[], paint: Painter): string {
  const table = new Table({
    head: ['model', 'verdict', ...names].map(paint.bold),
    colAligns: ['left', 'left', ...names.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const { model, figures } of rows) table.push([plainName(model.id, 48), paint.verdict[model.verdict](model.verdict), ...figures]);
  return table.toString();
}

/** The row of a terminal that is too narrow for the table. */
function stacked({ model, figures }: Row, names: string[], paint: Painter, columns: number): string {
  const head = `${paint.verdict[model.verdict](model.verdict)} ${narrowName(model, columns)}`;
  const facts = names.map((name, index) => `${name} ${figures[index] ?? ''}`).join(', ');
  return [head, ...wrap(facts, columns, '  ', '  ')].join('\n');
}

function explained({ model }: Row, paint: Painter, columns: number): string {
  const lines = [`${paint.bold(narrowName(model, columns))}: ${paint.verdict[model.verdict](model.verdict)}`];
  const allowed = allowance(model);
  if (allowed !== null) lines.push(...wrap(textOf(allowed), columns, '  - ', '    '));
  for (const reason of model.reasons) lines.push(...wrap(plain(reason.message), columns, '  - ', '    '));
  const layers = layerLine(model.numeric?.model ?? null);
  if (layers !== null) lines.push(...wrap(layers, columns, '  - ', '    '));
  lines.push(...probeFindings(model, columns));
  for (const cause of model.diagnosis) lines.push(...wrap(`cause: ${plain(cause.message)}`, columns, '  - ', '    '));
  for (const advice of model.recommendations) lines.push(...wrap(plain(advice), columns, '  > ', '    ').map(paint.dim));
  return lines.join('\n');
}

/** Probes that did not pass, but for those that are a kernel's reason already. */
function probeFindings({ numeric }: ModelReport, columns: number): string[] {
  const findings = probeSummaries(numeric?.kernels ?? []).flatMap(({ kernel, open }) =>
    open
      .filter(({ name, detail }) => kernel.detail !== `probe ${name}: ${detail}`)
      .map(({ name, words, detail }) => `probe ${name} of ${kernel.kernel} ${words}: ${detail}`),
  );
  const hidden = findings.length - PROBES_SHOWN;
  const shown = [...findings.slice(0, PROBES_SHOWN), ...(hidden > 0 ? [`${count(hidden, 'more probe')} in report.json`] : [])];
  return shown.flatMap((finding) => wrap(plain(finding), columns, '  - ', '    '));
}

/** The norms per layer, where the static check is all there is to see; one legend for all models. */
function layerPictures({ policy }: Report, rows: Row[], paint: Painter, columns: number): string[] {
  if (policy !== 'static') return [];
  const width = Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH));
  const pictures = rows.flatMap(({ model }) => {
    const strips = model.static === null ? null : stripsOf(model.static, width - 2);
    if (strips === null) return [];
    const head = `${paint.bold(narrowName(model, columns))}:`;
    const marks = strips.marks === null ? [] : [paint.bad(strips.marks)];
    return [[head, ...wrap(strips.heading, columns, '  ', '  '), ...[...strips.lines, ...marks].map((line) => `  ${line}`)].join('\n')];
  });
  if (pictures.length === 0) return [];
  return [...pictures, wrap(STRIP_LEGEND, columns, '', '').map(paint.dim).join('\n')];
}

/** The model's name, with room for its verdict on the same line. */
function narrowName(model: ModelReport, columns: number): string {
  return plainName(model.id, Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH)) - model.verdict.length - 2);
}

function lastLine(report: Report, paint: Painter, columns: number): string {
  const mark = report.gate === 'fail' ? paint.bad : paint.good;
  const [first = '', ...rest] = wrap(`${gateLine(report)} (${ruleLine(report)})`, columns, '', '  ');
  const [gate = '', after] = first.split(/:(.*)/s);
  return [after === undefined ? first : `${mark(gate)}:${after}`, ...rest].join('\n');
}

/** Words into lines; a word that is longer than a line is broken. */
function wrap(text: string, columns: number, first: string, next: string): string[] {
  const width = Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH));
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ').flatMap((entry) => pieces(entry, width - first.length))) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = next;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  return word.length <= width ? [word] : (word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? []);
}
