// The reference compared with itself: no difference and no alarm, and both are seen where there is one.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { controlled, identityControl, modelControl } from '../../src/diff/control.js';
import { kernelRecord } from '../../src/diff/kernel-level.js';
import type { LogitsSummary } from '../../src/diff/logits-meter.js';
import { measure, yardstick, yardstickOf } from '../../src/diff/measure.js';
import { randomInputs, range } from '../../src/diff/probe-inputs.js';
import { runSite, type Tensors } from '../../src/diff/site.js';
import type { Kernel } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { ORACLE, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { Sequence } from '../../src/reference/sequence.js';
import type { Control } from '../../src/report/types.js';
import { GOLDEN_MODELS, openModel, type OpenModel } from '../support/goldens.js';
import { modelLevel } from '../support/report.js';

const LIMITS = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
const DTYPE = 'bfloat16';
const RECIPES = validRecipes(DTYPE);
const PROMPTS: Sequence = {
  ids: range(0, 13),
  segments: [
    { start: 0, end: 5 },
    { start: 5, end: 13 },
  ],
};
const ONE_TOKEN: Sequence = { ids: [1], segments: [{ start: 0, end: 1 }] };

let runner: OpRunner;
let model: OpenModel;
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
  model = await openModel(GOLDEN_MODELS['qwen3-mini']);
});
afterAll(() => model.checkpoint.close());

interface Setting {
  readonly sequence?: Sequence;
  /** What the walk is made to have had. */
  readonly change?: (recipes: readonly Tensors[]) => readonly Tensors[];
  readonly factor?: number;
}

async function control(op: string, { sequence = PROMPTS, change = (recipes) => recipes, factor = 1 }: Setting = {}): Promise<Control> {
  const context = { ...model, dtype: DTYPE, runner, recipes: RECIPES, sequence, limits: LIMITS } as const;
  const site = findSites(model.program, op)[1] as Site;
  const positions = sequence.segments.flatMap(({ start, end }) => range(0, end - start));
  const random = randomInputs(model.program, site, DTYPE, positions, 1);
  const inputs = mapped(random, (value) => value * factor);
  const run = (recipe: (typeof RECIPES)[number]) => runSite(context, site, recipe, inputs, sequence);
  const oracle = await run(ORACLE);
  const recipes = change(await Promise.all(RECIPES.map(run)));
  const yardsticks = Object.fromEntries(Object.keys(oracle).map((name) => [name, yardstickOf(name, oracle, recipes, DTYPE)]));
  return identityControl(context, site, inputs, { eager: recipes[0] as Tensors, yardsticks });
}

function mapped(tensors: Tensors, change: (value: number, index: number) => number): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, { data: data.map(change), shape }]));
}

describe('eager once more at a site', () => {
  test.each(['rms_norm', 'add_rms_norm', 'linear', 'qk_norm_rope', 'attention', 'silu_mul', 'decoder_layer'])(
    'is eager bit by bit, for %s with prompts and with one token',
    async (op) => {
      for (const sequence of [PROMPTS, ONE_TOKEN]) {
        const result = await control(op, { sequence });
        expect(result).toMatchObject({ level: op, passed: true, max_abs_diff: 0, bitwise_equal: 1 });
        expect(result.detail).toMatch(/^layer [01] .*: all \d+ elements the same, accuracy_ratio [01]\.\d\d$/);
      }
    },
  );

  test('is no alarm where everything is 0, the noise floor too', async () => {
    expect(await control('silu_mul', { factor: 0 })).toMatchObject({ passed: true, max_abs_diff: 0, bitwise_equal: 1 });
  });

  test('does not pass by a single element of the walk that is another', async () => {
    const change = (recipes: readonly Tensors[]) => {
      const [eager, ...others] = recipes as [Tensors, ...Tensors[]];
      return [mapped(eager, (value, i) => (i === 7 ? value * (1 + 2 ** -7) : value)), ...others];
    };
    const result = await control('silu_mul', { change });
    expect(result.passed).toBe(false);
    expect(result.bitwise_equal).toBeLessThan(1);
    expect(result.max_abs_diff).toBeGreaterThan(0);
    expect(result.detail).toMatch(/: 1 of \d+ elements differ, by up to \S+$/);
  });

  test('does not pass where the criteria would fail the reference itself', async () => {
    // Eager overflows where the oracle does not.
    const result = await control('silu_mul', { factor: 2 ** 120 });
    expect(result.passed).toBe(false);
    expect(result.detail).toMatch(/output y: \d+ of \d+ elements are NaN or infinite where the oracle is finite$/);
  });
});

const NAMES = ['eager', 'other'];
function summary(changes: Partial<LogitsSummary> = {}): LogitsSummary {
  return {
    positions: 13,
    kl: [0.5, 1, 9],
    top1_agreement: [1, 1, 1],
    decisive_flips: [0, 0, 5],
    perplexity: [3, 3, 3, 3],
    non_finite: [0, 0, 0, 0],
    first_non_finite: [-1, -1, -1, -1],
    ...changes,
  };
}
const judged = (changes: Partial<LogitsSummary>) => modelControl(summary(changes), NAMES, { sequence: PROMPTS, limits: LIMITS });

describe('the valid recipes as whole models', () => {
  test('pass, whatever the fused model does', () => {
    expect(judged({})).toEqual({
      level: 'model',
      passed: true,
      max_abs_diff: null,
      bitwise_equal: null,
      detail: '2 recipes pass; eager has kl_ratio 0.50',
    });
  });

  test('pass where all of them are the oracle: a floor of 0 is none to divide by', () => {
    expect(judged({ kl: [0, 0, 1] })).toMatchObject({ passed: true, detail: '2 recipes pass; eager has kl_ratio 0.00' });
  });

  test('do not pass by a decisive flip, which then is none', () => {
    expect(judged({ decisive_flips: [0, 1, 0] })).toMatchObject({
      passed: false,
      detail: expect.stringMatching(/^recipe other: 1 decisive flips/),
    });
  });

  test('are not judged where one of them is not finite', () => {
    expect(judged({ non_finite: [0, 0, 1, 0] })).toBeNull();
    expect(judged({ non_finite: [0, 0, 0, 1] })).not.toBeNull();
  });
});

describe('a control that does not pass', () => {
  const failed: Control = {
    level: 'rms_norm',
    passed: false,
    max_abs_diff: 1,
    bitwise_equal: 0.9,
    detail: 'layer 0 norm: 1 of 9 elements differ',
  };
  const kernel: Kernel = {
    name: 'k',
    op: 'rms_norm',
    backend: 'onnxruntime',
    start: () => Promise.reject(new Error('is not run here')),
    run: () => Promise.reject(new Error('is not run here')),
    close: () => Promise.resolve(),
  };
  const site: Site = {
    op: 'rms_norm',
    start: 0,
    end: 0,
    layer: 0,
    name: 'norm',
    inputs: new Map(),
    weights: new Map(),
    outputs: new Map(),
    attributes: {},
  };
  const record = (value: number, given: Control) => {
    const made = kernelRecord(kernel, { device: 'CPU', gpu: false, variants: ['fused'] }, ['eager'], DTYPE, LIMITS);
    made.add(site, 'y', measure(Float32Array.of(value, 2), yardstick(Float64Array.of(1, 2), [Float32Array.of(1, 2)], DTYPE)), {
      ids: [1],
      segments: [],
    });
    made.controlled(given);
    return made;
  };

  test('leaves its kernel open, whether it would pass or fail', () => {
    const detail = 'identity control: the reference differs from itself: layer 0 norm: 1 of 9 elements differ';
    for (const value of [1, 5]) expect(record(value, failed).result()).toMatchObject({ status: 'inconclusive', detail });
    expect(record(1, { ...failed, passed: true }).result().status).toBe('pass');
    expect(record(5, { ...failed, passed: true }).result().status).toBe('fail');
  });

  test('leaves the whole model open', () => {
    const level = modelLevel({ status: 'pass', detail: null });
    expect(controlled(level, failed)).toMatchObject({
      status: 'inconclusive',
      detail: expect.stringMatching(/^identity control: a correct implementation/),
    });
    expect(controlled(level, { ...failed, passed: true })).toBe(level);
    expect(controlled(level, null)).toBe(level);
  });

  test('does not excuse writing where a kernel must not', () => {
    const made = record(1, failed);
    made.violate(site, [{ kind: 'guard_bands', detail: 'wrote past the end' } as never]);
    expect(made.result()).toMatchObject({ status: 'fail', detail: 'layer 0 norm: wrote past the end' });
  });
});
