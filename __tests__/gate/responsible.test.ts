// A kernel that is wrong in one layer only, through the gate: the layer is named, whether it was compared or not.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { openFolder } from '../../src/hub/folder.js';
import { renderMarkdown } from '../../src/report/markdown.js';
import { renderTerminal } from '../../src/report/terminal.js';
import type { ModelReport, Report } from '../../src/report/types.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { toFloat32 } from '../../src/weights/values.js';
import { norm, scaledInOneLayer } from '../kernels/planted/ops.js';
import { drawKernel, plant } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch } from '../support/models.js';

const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const MODEL = 'qwen3-mini';
const PROMPT = Array.from({ length: 24 }, (_, i) => 17 + 31 * i);
/** Its k is this many times too large, which no layer after it can undo. */
const FACTOR = 3;

/** qk_norm as it should be, but for k in one layer. It rounds after the weight, as fused norms do. */
async function wrongIn(layer: number | null): Promise<string> {
  const path = join(root.folder, `wrong-in-${layer}`);
  const checkpoint = await openCheckpoint(await openFolder(modelFolder(MODEL)));
  const first = [...toFloat32(await checkpoint.read(`model.layers.${layer ?? 0}.self_attn.k_norm.weight`), 'BF16').subarray(0, 4)];
  await checkpoint.close();
  const drawing = drawKernel({
    inOut: ['q', 'k'],
    draw(p) {
      const k = norm(p, p.tensor('k'), 'k_weight');
      p.give('q', norm(p, p.tensor('q'), 'q_weight'));
      p.give('k', layer === null ? k : scaledInOneLayer(p, k, 'k_weight', first, FACTOR));
    },
  });
  await plant(path, 'qk', 'qk_norm', drawing);
  return path;
}

const reports = new Map<string, Promise<Report>>();

/** The report of a run, once for all that ask for it. */
function reported(kernels: string, layers: 'all' | number[]): Promise<Report> {
  const run = async () => {
    const overrides = { models: [modelFolder(MODEL)], kernels, layers, prompts: [{ input_ids: PROMPT }] };
    return check(await loadConfig({ cwd: root.folder, overrides }), { engine, max_new_tokens: 0 });
  };
  const key = `${kernels} ${String(layers)}`;
  const report = reports.get(key) ?? run();
  reports.set(key, report);
  return report;
}

async function judged(kernels: string, layers: 'all' | number[]): Promise<ModelReport> {
  return (await reported(kernels, layers)).models[0] as ModelReport;
}

describe('a kernel that is wrong in one layer', () => {
  test.each([
    ['the first', 0, 'all'],
    ['a middle one', 14, 'all'],
    ['the last', 27, 'all'],
    ['a middle one that was not compared', 14, [1]],
  ] as const)('%s makes the model fail, and is named with it', async (_which, layer, layers) => {
    const { verdict, numeric, reasons } = await judged(await wrongIn(layer), layers === 'all' ? layers : [...layers]);
    expect(verdict).toBe('INCOMPATIBLE');
    expect(numeric?.kernels[0]?.status).toBe(layers === 'all' ? 'fail' : 'pass');
    expect(numeric?.model).toMatchObject({
      status: 'fail',
      first_layer_above_floor: layer,
      responsible: [{ kernel: 'qk', layers: [layer] }],
    });
    const message = reasons.find(({ code }) => code === 'model_fail')?.message ?? '';
    expect(message).toContain(`the fused model leaves the noise floor in layer ${layer}; qk in layer ${layer} alone makes kl_ratio `);
  });
});

test('what a layer injects and what it inherits stand side by side in the data, in Markdown and in the terminal', async () => {
  const report = await reported(await wrongIn(14), 'all');
  const layers = report.models[0]?.numeric?.model?.layers ?? [];
  // Only layer 14 makes an error of its own; before it the model is at its floor, and after it no layer finds back.
  for (const { layer, injected, inherited, floor } of layers) {
    expect([layer, (injected ?? NaN) > 0.1]).toEqual([layer, layer === 14]);
    expect([layer, (inherited ?? NaN) > 2 * (floor ?? NaN)]).toEqual([layer, layer >= 14]);
  }
  expect(layers).toHaveLength(28);
  const markdown = renderMarkdown(report);
  expect(markdown).toMatch(/<summary>Whole model: \S+× the noise floor, leaves the floor in layer 14<\/summary>/);
  expect(markdown).toMatch(
    /\n\| 13 \| \S+ \| \S+ \| \S+ \| [01]\.\d\d× \| {2}\|\n\| 14 \| 2(\.\d)? \| \S+ \| \S+ \| \S+× \| leaves the floor \|\n\| 15 /,
  );
  expect(markdown).toMatch(/- perplexity of the prompts: oracle \d+(\.\d+)?, eager \d+(\.\d+)?, fused \d+(\.\d+)?\n/);
  const terminal = renderTerminal(report, { color: false }).replace(/\s+/g, ' ');
  expect(terminal).toMatch(
    /errors by layer, relative \(injected \/ inherited \/ floor\): 0: .*; 13: .*; 14: 2(\.\d)? \/ \S+ \/ \S+, leaves the floor; 15: .*; 27: /,
  );
});

test('a correct kernel that rounds late is named by the one change that it is, its canaries are caught, and nothing is responsible', async () => {
  const { numeric, reasons } = await judged(await wrongIn(null), 'all');
  expect(numeric?.kernels[0]).toMatchObject({ status: 'pass', nearest_recipe: 'norm_weight_swapped' });
  expect(numeric?.canaries?.map(({ kernel, name, caught }) => [kernel, name, caught])).toEqual([
    ['qk', 'zeros', true],
    ['qk', 'stale_output', true],
    ['qk', 'scale_1_percent', true],
    ['qk', 'dropped_tail', true],
    ['qk', 'wrong_eps', true],
    [null, 'zeros', true],
  ]);
  expect(numeric?.controls?.map(({ level, passed, max_abs_diff, bitwise_equal }) => [level, passed, max_abs_diff, bitwise_equal])).toEqual([
    ['qk_norm', true, 0, 1],
    ['model', true, null, null],
  ]);
  // The floor is that of eight correct ways to compute this model. In products as short as these a sum in parts mostly rounds to the same.
  const kls = Object.values(numeric?.model?.kl_recipes ?? {}).map(Number);
  expect(kls).toHaveLength(8);
  expect(new Set(kls).size).toBeGreaterThanOrEqual(5);
  expect(Math.min(...kls)).toBeGreaterThan(0);
  expect(numeric?.model?.kl_floor).toBe(Math.max(...kls));
  // Rounding least, it is nearest, and lifts no floor.
  expect(numeric?.model?.kl_recipes['float32_between']).toBe(Math.min(...kls));
  expect(numeric?.smallest_scale_error).toBe(numeric?.kernels[0]?.smallest_scale_error);
  expect(numeric?.smallest_scale_error).toBeGreaterThan(2 ** -10);
  expect(numeric?.smallest_scale_error).toBeLessThan(0.005);
  expect(numeric?.model).toMatchObject({ status: 'pass', responsible: null, first_layer_above_floor: null });
  // The curve ends before the final norm; what the weights alone do to a perturbation is less than what all layers' rounding adds up to.
  const { amplification_curve: curve, sensitivity, amplification } = numeric?.model ?? {};
  expect(curve?.length).toBe(28);
  expect(curve?.every((value) => value !== null && value > 0)).toBe(true);
  expect(sensitivity).toBeGreaterThan(0);
  expect(sensitivity ?? 0).toBeLessThan(amplification ?? 0);
  expect(reasons.map(({ code }) => code)).not.toContain('canary_passed');
});
