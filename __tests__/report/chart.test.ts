import { describe, expect, it } from '@jest/globals';
import { errorChart } from '../../src/report/chart.js';
import { renderMarkdown } from '../../src/report/markdown.js';
import type { ModelLayer } from '../../src/report/types.js';
import { modelLevel, modelReport, numericResult, report } from '../support/report.js';

function chartOf(layers: ModelLayer[]) {
  return errorChart(modelReport({ numeric: numericResult({ model: modelLevel({ layers }) }) }));
}

const layer = (number: number, injected: number | null, inherited: number | null, floor: number | null): ModelLayer => ({
  layer: number,
  injected,
  inherited,
  floor,
});

/** The grammar of Mermaid's xychart as far as it is used here: directive, axes, lines of numbers. */
const NUMBER = String.raw`-?\d+(?:\.\d+)?`;
const LIST = String.raw`\[${NUMBER}(?:, ${NUMBER})*\]`;
const CHART = new RegExp(
  String.raw`^%%\{init: \{"themeVariables": \{"xyChart": \{"plotColorPalette": "#[0-9a-f]{6}(?:, #[0-9a-f]{6})*"\}\}\}\}%%\nxychart-beta\n` +
    String.raw`  x-axis "layer" (?:\d+ --> \d+|${LIST})\n  y-axis "log10 of the relative RMS error" ${NUMBER} --> ${NUMBER}(?:\n  line ${LIST})+$`,
);

describe('the chart of errors over layers', () => {
  it('draws injected, inherited and floor on a logarithmic scale', () => {
    expect(chartOf([layer(0, 0.01, 0.1, 0.001), layer(1, 0.1, 1, 0.002)])?.source).toBe(
      [
        '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#e36209, #2f81f7, #8b949e"}}}}%%',
        'xychart-beta',
        '  x-axis "layer" 0 --> 1',
        '  y-axis "log10 of the relative RMS error" -3 --> 0',
        '  line [-2.00, -1.00]',
        '  line [-1.00, 0.00]',
        '  line [-3.00, -2.70]',
      ].join('\n'),
    );
  });

  it('leaves a line out that has gaps, and its colour and name with it', () => {
    const chart = chartOf([layer(0, null, 0.1, 0.001), layer(1, 0.1, 1, 0.002)]);
    expect(chart?.source.match(/line/g)).toHaveLength(2);
    expect(chart?.source).not.toContain('#e36209');
    expect(chart?.legend).not.toMatch(/orange|injected/);
  });

  it('draws an error of 0 below all others and has room for it', () => {
    const chart = chartOf([layer(0, 0, 0.01, 0.01), layer(1, 0.01, 0.01, 0.01)]);
    expect(chart?.source).toContain('-3 --> -2');
    expect(chart?.source).toContain('line [-3.00, -2.00]');
  });

  it('is not there for less than two measured layers, nor where nothing is wrong at all', () => {
    expect(chartOf([])).toBeNull();
    expect(chartOf([layer(0, 1, 1, 1)])).toBeNull();
    expect(chartOf([layer(0, 1, null, 1), layer(1, 1, null, 1)])).toBeNull();
    expect(chartOf([layer(0, 0, 0, 0), layer(1, 0, 0, 0)])).toBeNull();
    expect(errorChart(modelReport({ numeric: null }))).toBeNull();
  });

  it.each<[string, ModelLayer[]]>([
    ['every layer', Array.from({ length: 80 }, (_, index) => layer(index, 0.1, 0.1, 0.1))],
    ['far too many layers', Array.from({ length: 5000 }, (_, index) => layer(index, 0.1, 10 ** (index % 9), 1e-30))],
    ['some layers', [0, 5, 11].map((index) => layer(index, 0.1, 0.1, 0.1))],
    ['errors without end', [layer(0, 1e300, 1e-300, 5e-324), layer(1, 1.7e308, 1, 1)]],
    ['layers that are equal', [layer(3, 1, 1, 1), layer(3, 1, 1, 1)]],
  ])('of %s is a chart that Mermaid reads', (_, layers) => {
    const { source } = chartOf(layers) ?? { source: '' };
    expect(source).toMatch(CHART);
    expect(source.length).toBeLessThan(6000);
    const [, low = '', high = ''] = /error" (\S+) --> (\S+)\n/.exec(source) ?? [];
    const points = [...source.matchAll(/line \[(.*)\]/g)].flatMap(([, list = '']) => list.split(', ').map(Number));
    expect(Math.min(...points)).toBeGreaterThanOrEqual(Number(low));
    expect(Math.max(...points)).toBeLessThanOrEqual(Number(high));
  });

  it('is of the worst model of the worst verdict, open where it fails and folded where all is fine', () => {
    const layers = [layer(0, 0.1, 0.1, 0.1), layer(1, 0.1, 0.1, 0.1)];
    const model = (id: string, kl_ratio: number, verdict: 'INCOMPATIBLE' | 'COMPATIBLE') =>
      modelReport({ id, verdict, numeric: numericResult({ model: modelLevel({ kl_ratio, layers }) }) });
    const failing = renderMarkdown(
      report([model('fine', 90, 'COMPATIBLE'), model('bad', 50, 'INCOMPATIBLE'), model('worst', 70, 'INCOMPATIBLE')]),
    );
    expect(failing).toContain('**Error over the layers of** `worst`\n\n```mermaid\n');
    expect(failing.match(/```mermaid/g)).toHaveLength(1);
    expect(renderMarkdown(report([model('fine', 0.9, 'COMPATIBLE')]))).toContain(
      '<details><summary>Error over the layers of fine</summary>\n\n```mermaid\n',
    );
  });
});
