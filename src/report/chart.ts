// The errors of one model over its layers as a Mermaid chart. Only numbers go in, so nothing in it needs escaping. Mermaid 11.17.2 draws
// each kind of chart that __tests__/report/chart.test.ts has (scripts/screenshot.mjs --mermaid).

import type { ModelLayer, ModelReport } from './types.js';

/** More points than this cannot be told apart in a picture as wide as a comment. */
const MOST_POINTS = 120;
/** A value of 0 has no logarithm; it is drawn this many powers of ten below the smallest of the others. */
const BELOW = 1;

const SERIES = ['injected', 'inherited', 'floor'] as const;
/** Readable on white and on dark; named in the legend, because a chart of this kind draws none. */
const COLOURS: Record<(typeof SERIES)[number], { name: string; code: string }> = {
  injected: { name: 'orange', code: '#e36209' },
  inherited: { name: 'blue', code: '#2f81f7' },
  floor: { name: 'grey', code: '#8b949e' },
};
const WORDS: Record<(typeof SERIES)[number], string> = {
  injected: "injected by the layer's own kernels",
  inherited: "of the layer's output, inherited errors included",
  floor: 'the noise floor of that output',
};

export interface Chart {
  /** Mermaid source, to stand in a fenced block. */
  readonly source: string;
  /** What the lines are. */
  readonly legend: string;
}

/** log10 of the relative RMS errors over the layers, on one axis; null: fewer than two layers were measured. */
export function errorChart({ numeric }: Pick<ModelReport, 'numeric'>): Chart | null {
  const measured = (numeric?.model?.layers ?? []).filter(({ inherited }) => isMeasured(inherited));
  const layers = thinned(measured);
  // A line cannot have gaps: what was not measured in each of these layers is not drawn.
  const drawn = SERIES.filter((name) => layers.every((layer) => isMeasured(layer[name])));
  const values = drawn.flatMap((name) => layers.map((layer) => layer[name] ?? 0)).filter((value) => value > 0);
  if (layers.length < 2 || values.length === 0) return null;
  const least = Math.log10(Math.min(...values)) - (drawn.some((name) => layers.some((layer) => layer[name] === 0)) ? BELOW : 0);
  const lowest = Math.floor(least);
  const highest = Math.max(lowest + 1, Math.ceil(Math.log10(Math.max(...values))));
  const lines = drawn.map((name) => `  line [${layers.map((layer) => point(layer[name] ?? 0, least)).join(', ')}]`);
  const palette = drawn.map((name) => COLOURS[name].code).join(', ');
  const source = [
    `%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "${palette}"}}}}%%`,
    'xychart-beta',
    `  x-axis "layer" ${xAxis(layers)}`,
    `  y-axis "log10 of the relative RMS error" ${lowest} --> ${highest}`,
    ...lines,
  ].join('\n');
  return { source, legend: `${drawn.map((name) => `${COLOURS[name].name}: ${WORDS[name]}`).join('; ')}.` };
}

function isMeasured(value: number | null): boolean {
  return value !== null && Number.isFinite(value);
}

/** Evenly chosen layers, the first and the last among them. */
function thinned(layers: readonly ModelLayer[]): readonly ModelLayer[] {
  if (layers.length <= MOST_POINTS) return layers;
  const step = (layers.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, index) => layers[Math.round(index * step)]).filter((layer) => layer !== undefined);
}

/** A range where the layers are evenly spaced, as all of a model are; else each by its number. */
function xAxis(layers: readonly ModelLayer[]): string {
  const numbers = layers.map(({ layer }) => layer);
  const [first = 0, second = 1] = numbers;
  const even = numbers.every((layer, index) => layer === first + index * (second - first));
  return even ? `${first} --> ${numbers.at(-1) ?? first}` : `[${numbers.join(', ')}]`;
}

function point(value: number, least: number): string {
  return (value > 0 ? Math.log10(value) : least).toFixed(2);
}
