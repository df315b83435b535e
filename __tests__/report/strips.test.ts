import { describe, expect, it } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { renderMarkdown } from '../../src/report/markdown.js';
import { STRIP_LEGEND, stripsOf } from '../../src/report/strips.js';
import { renderTerminal } from '../../src/report/terminal.js';
import type { StaticLayer } from '../../src/report/types.js';
import { modelReport, report, staticResult } from '../support/report.js';

function aLayer(layer: number, changes: Partial<StaticLayer> = {}): StaticLayer {
  return { layer, max_k: null, median_k: null, k_ratio: null, max_q: null, median_q: null, q_ratio: null, extreme: false, ...changes };
}

/** Layers with these largest K weights over a median of 1. */
function kLayers(values: number[]): StaticLayer[] {
  return values.map((value, layer) => aLayer(layer, { max_k: value, median_k: 1, k_ratio: value, extreme: value > 10 }));
}

function checked(layers: StaticLayer[], total = layers.length) {
  return staticResult({ layers, layers_total: total, extreme_layers: layers.filter(({ extreme }) => extreme).length });
}

describe('stripsOf', () => {
  it('draws one block per layer, on one scale for every model, and marks extreme layers', () => {
    expect(stripsOf(checked(kLayers([0, 1, 1.5, 5, 10, 10.1, 20, 50, 50.5, 100, 101])), 80)).toEqual({
      heading: 'layers 0 to 10, 6 extreme',
      lines: ['K max    ▁▁▂▃▄▅▅▆▇▇█ 101 (layer 10)', 'K ratio  ▁▁▂▃▄▅▅▆▇▇█ 101 (layer 10)'],
      marks: '              ^^^^^^',
    });
  });

  it('keeps the place of layers that have no norm, and shows the Q norm that makes a layer extreme', () => {
    const layers = [aLayer(1, { max_k: 2, median_k: 1, k_ratio: 2 }), aLayer(3, { max_q: 30, median_q: 1, q_ratio: 30, extreme: true })];
    expect(stripsOf(checked(layers, 6), 80)).toEqual({
      heading: 'layers 0 to 5, 1 extreme',
      lines: ['K max    ·▂···· 2 (layer 1)', 'K ratio  ·▂···· 2 (layer 1)', 'Q max    ···▆·· 30 (layer 3)'],
      marks: '            ^',
    });
  });

  it('shows the ratio over a median of zero as infinite, not as missing', () => {
    const strips = stripsOf(checked([aLayer(0, { max_k: 3, median_k: 0 })]), 80);
    expect(strips?.lines).toEqual(['K max    ▃ 3 (layer 0)', 'K ratio  █ infinite (layer 0)']);
    expect(strips?.marks).toBeNull();
  });

  it('is nothing for a model without Q and K norm', () => {
    expect(stripsOf(checked([], 22), 80)).toBeNull();
  });

  it.each([28, 40, 60, 100])('puts several layers into a block within %i columns, and the largest counts', (width) => {
    const values = new Array<number>(1000).fill(1);
    values[777] = 96.5;
    const strips = stripsOf(checked(kLayers(values)), width);
    for (const line of [...(strips?.lines ?? []), strips?.marks ?? '']) expect(line.length).toBeLessThanOrEqual(width);
    expect(strips?.heading).toMatch(/^layers 0 to 999, \d+ to a block, 1 extreme$/);
    expect(strips?.lines[0]?.match(/▇/g)).toHaveLength(1);
    expect(strips?.marks?.indexOf('^')).toBe(strips?.lines[0]?.indexOf('▇'));
  });

  it('takes a layer number that no model has', () => {
    const strips = stripsOf(checked([aLayer(2 ** 40, { max_k: 1e30, median_k: 1, k_ratio: 1e30, extreme: true })], 2 ** 40 + 1), 60);
    expect(strips?.lines[0]).toMatch(/█/);
    for (const line of strips?.lines ?? []) expect(line.length).toBeLessThanOrEqual(90);
  });
});

describe('the strips of a report', () => {
  const hostile = modelReport({ id: 'a\u001b[31m\u202e```\n# b', numeric: null, static: checked(kLayers([2, 96.5])) });
  const plainModel = modelReport({ id: 'no-norm', numeric: null });
  const inspected = report([hostile, plainModel], { policy: 'static' });

  it('are in the terminal for every model that has norms, with one legend, harmless and complete without colour', () => {
    const text = renderTerminal(inspected, { color: false });
    expect(text).toContain('  layers 0 to 1, 1 extreme\n  K max    ▂▇ 96.5 (layer 1)\n  K ratio  ▂▇ 96.5 (layer 1)\n            ^\n');
    expect(text.match(/Each block is a layer/g)).toHaveLength(1);
    expect(text.replace(/\s+/g, ' ')).toContain(STRIP_LEGEND);
    expect(text).not.toContain('no-norm:');
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(stripVTControlCharacters(renderTerminal(inspected, { color: true }))).toBe(text);
  });

  it.each([40, 60, 80])('stay within %i columns of a terminal', (columns) => {
    const many = modelReport({ numeric: null, static: checked(kLayers(new Array<number>(128).fill(50))) });
    for (const line of renderTerminal(report([many], { policy: 'static' }), { color: false, columns }).split('\n'))
      expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('leave the terminal to the kernels where kernels are run', () => {
    expect(renderTerminal(report([hostile]), { color: false })).not.toContain('Each block');
  });

  it('are in the details of report.md, under every policy', () => {
    const text = renderMarkdown(report([hostile, plainModel]));
    expect(text).toContain(
      '<details><summary>Q/K norms per layer: layers 0 to 1, 1 extreme</summary>\n\n```text\nK max    ▂▇ 96.5 (layer 1)\n' +
        'K ratio  ▂▇ 96.5 (layer 1)\n          ^\n```\n',
    );
    expect(text.match(/Q\/K norms per layer/g)).toHaveLength(1);
  });
});
