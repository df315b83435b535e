// The whole model in figures: what a reader of Markdown and of the terminal sees of its layers.

import { describe, expect, test } from '@jest/globals';
import { layerLine, modelBlocks, modelSummary } from '../../src/report/layer-errors.js';
import type { ModelLayer, ModelLevel } from '../../src/report/types.js';
import { modelLevel } from '../support/report.js';

/** A model of 40 layers that leaves the floor in one of them, or in none. */
function model(first: number | null, changes: Partial<ModelLevel> = {}): ModelLevel {
  const layers = Array.from({ length: 40 }, (_, layer): ModelLayer => {
    const off = first !== null && layer >= first;
    return { layer, injected: layer === first ? 0.8 : 0.001, inherited: off ? 0.7 : 0.002, floor: 0.0025 };
  });
  return modelLevel({ layers, first_layer_above_floor: first, ...changes });
}

const rowsOf = (level: ModelLevel) => (modelBlocks(level)[1] ?? '').split('\n').filter((line) => /^\| \d/.test(line));
const numbers = (level: ModelLevel) => rowsOf(level).map((row) => Number(/\d+/.exec(row)?.[0]));

describe('the table of layers', () => {
  test('shows the layer that leaves the floor with those beside it, the first and the last, and some between', () => {
    expect(rowsOf(model(20))).toHaveLength(12);
    expect(numbers(model(20))).toEqual(expect.arrayContaining([0, 19, 20, 21, 39]));
    expect(rowsOf(model(20)).find((row) => row.startsWith('| 20 '))).toBe('| 20 | 0.8 | 0.7 | 2.5e-3 | 280× | leaves the floor |');
    expect(rowsOf(model(20)).find((row) => row.startsWith('| 19 '))).toBe('| 19 | 1e-3 | 2e-3 | 2.5e-3 | 0.80× |  |');
    expect(modelBlocks(model(20))[1]).toContain('… and 28 more layers in report.json');
  });

  test.each([
    [0, [0, 1, 39]],
    [39, [0, 38, 39]],
    [null, [0, 39]],
  ] as const)('at its ends too: %s', (first, among) => {
    expect(numbers(model(first))).toEqual(expect.arrayContaining([...among]));
    expect(rowsOf(model(first)).filter((row) => row.includes('leaves the floor'))).toHaveLength(first === null ? 0 : 1);
  });

  test('shows all layers of a small model, and none where none was measured', () => {
    const { layers } = model(1);
    expect(numbers(modelLevel({ layers: layers.slice(0, 3) }))).toEqual([0, 1, 2]);
    expect(modelBlocks(modelLevel({ layers: [] }))).toHaveLength(1);
    expect(modelBlocks(modelLevel({ layers: [{ layer: 0, injected: null, inherited: null, floor: null }] }))).toHaveLength(1);
  });

  test('says nothing where a value is none', () => {
    const layers = [{ layer: 0, injected: null, inherited: null, floor: 0.1 }];
    expect(rowsOf(modelLevel({ layers, first_layer_above_floor: 0 }))).toEqual(['| 0 | – | – | 0.1 | – | leaves the floor |']);
  });
});

test('the figures are KL beside its floor, flips, perplexity and amplification', () => {
  expect(modelBlocks(modelLevel({ decisive_flips: 3 }))[0]?.split('\n')).toEqual([
    expect.stringMatching(
      /^- KL\(oracle ‖ fused\) 4.1e-4 nats; the noise floor is 4.2e-4, the largest of .*`eager` 4.2e-4, `late_norm` 3.9e-4\)$/,
    ),
    '- top-1 agreement 99.5%, decisive flips 3, in 192 positions',
    '- perplexity of the prompts: oracle 8.1, eager 8.11, fused 8.1',
    expect.stringMatching(/^- amplification 5.10× .*, sensitivity 4.20× /),
  ]);
});

test.each([
  [model(20, { kl_ratio: 31 }), 'Whole model: 31.0× the noise floor, leaves the floor in layer 20'],
  [model(null), 'Whole model: 0.97× the noise floor, no layer above its own'],
  [model(7, { kl_ratio: null }), 'Whole model: leaves the floor in layer 7'],
  [model(null, { kl_ratio: null }), 'Whole model: not judged'],
])('the summary says where it stands', (level, words) => {
  expect(modelSummary(level)).toBe(words);
});

test('the terminal names the layers around the one that leaves the floor, and nothing where none does', () => {
  expect(layerLine(model(20))).toBe(
    'errors by layer, relative (injected / inherited / floor): 0: 1e-3 / 2e-3 / 2.5e-3; 19: 1e-3 / 2e-3 / 2.5e-3; ' +
      '20: 0.8 / 0.7 / 2.5e-3, leaves the floor; 21: 1e-3 / 0.7 / 2.5e-3; 39: 1e-3 / 0.7 / 2.5e-3',
  );
  expect(layerLine(model(null))).toBeNull();
  expect(layerLine(null)).toBeNull();
});
