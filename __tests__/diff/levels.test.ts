// Where pass, warn and fail begin, for one kernel and for a whole model.

import { describe, expect, test } from '@jest/globals';
import type { Program } from '../../src/architectures/program.js';
import { kernelRecord } from '../../src/diff/kernel-level.js';
import type { LogitsSummary } from '../../src/diff/logits-meter.js';
import { UNIT_ROUNDOFF, type Measure } from '../../src/diff/measure.js';
import { layerMeter, modelLevels, worstLevel } from '../../src/diff/model-level.js';
import type { Kernel, KernelDevice } from '../../src/kernels/kernel.js';
import type { Site } from '../../src/kernels/sites.js';
import type { Sequence } from '../../src/reference/sequence.js';
import type { Lane } from '../../src/reference/walk.js';
import type { KernelResult, ModelLevel, ServingDtype } from '../../src/report/types.js';

const LIMITS = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
const DEVICE: KernelDevice = { device: 'CPU', gpu: false, variants: ['fused'] };
const KERNEL: Kernel = {
  name: 'k',
  op: 'rms_norm',
  backend: 'onnxruntime',
  start: () => Promise.resolve(DEVICE),
  run: () => Promise.reject(new Error('is not run here')),
  close: () => Promise.resolve(),
};

function site(layer: number | null, name = 'input_layernorm'): Site {
  return { op: 'rms_norm', start: 0, end: 0, layer, name, inputs: new Map(), weights: new Map(), outputs: new Map(), attributes: {} };
}

/** Two prompts, of 4 and of 6 tokens. */
const SEQUENCE: Sequence = {
  ids: Array.from({ length: 10 }, (_, i) => i),
  segments: [
    { start: 0, end: 4 },
    { start: 4, end: 10 },
  ],
};

/** What a correct kernel shows, with some of it changed. */
function shown(changes: Partial<Measure> = {}): Measure {
  return {
    elements: 100,
    max_abs_diff: 0,
    sum_abs_diff: 0,
    bitwise_equal: 100,
    max_ulp: 0,
    ulp_counts: [100, 0, 0, 0, 0, 0],
    rms_error: 1,
    max_error: 1,
    rms_oracle: 100,
    rms_floor: 1,
    max_floor: 1,
    scale: { mean: 0, standard_error: 1e-5 },
    scale_floor: 0,
    non_finite: 0,
    first_non_finite: null,
    equal_to: [100, 50],
    ...changes,
  };
}

function result(measures: readonly Partial<Measure>[], dtype: ServingDtype = 'bfloat16'): KernelResult {
  const record = kernelRecord(KERNEL, DEVICE, ['eager', 'other'], dtype, LIMITS);
  for (const [layer, changes] of measures.entries()) record.add(site(layer), 'y', shown(changes), SEQUENCE);
  return record.result();
}

const above = (value: number) => value * (1 + 1e-12);

describe('a kernel', () => {
  test.each([
    [0, 'pass'],
    [1.999, 'pass'],
    [2, 'pass'],
    [above(2), 'warn'],
    [3.999, 'warn'],
    [4, 'warn'],
    [above(4), 'fail'],
    [1e6, 'fail'],
  ] as const)('with errors %d times the floor is a %s, by RMS and by maximum', (ratio, status) => {
    expect(result([{}, { rms_error: ratio }]).status).toBe(status);
    expect(result([{}, { max_error: ratio }]).status).toBe(status);
  });

  test('is named with the worst site, its output and the number', () => {
    const { status, detail, accuracy_ratio, max_ratio, worst_layer, worst_site } = result([
      {},
      { rms_error: 5 },
      { rms_error: 9, max_error: 3 },
      {},
    ]);
    expect({ status, accuracy_ratio, max_ratio, worst_layer, worst_site }).toEqual({
      status: 'fail',
      accuracy_ratio: 9,
      max_ratio: 3,
      worst_layer: 2,
      worst_site: 'input_layernorm',
    });
    expect(detail).toBe('layer 2 input_layernorm, output y: accuracy_ratio 9.00 > 4');
  });

  test('that fails by something else than the largest ratio is named with the site that fails', () => {
    const failing = [{ scale: { mean: 0.002, standard_error: 1e-5 } }, { non_finite: 1 }];
    for (const changes of failing) {
      const judged = result([{}, changes, { rms_error: 1.9 }]);
      expect(judged).toMatchObject({ status: 'fail', worst_layer: 1, accuracy_ratio: 1.9 });
      expect(judged.detail).toMatch(/^layer 1 input_layernorm, /);
    }
    const record = kernelRecord(KERNEL, DEVICE, ['eager', 'other'], 'bfloat16', LIMITS);
    for (const [layer, rms_error] of [1, 1, 1.9].entries()) record.add(site(layer), 'y', shown({ rms_error }), SEQUENCE);
    expect(record.result()).toMatchObject({ status: 'pass', worst_layer: 2 });
    record.violate(site(1, 'post_attention_layernorm'), [{ check: 'inputs_unchanged', detail: 'input x was changed' }]);
    expect(record.result()).toMatchObject({ status: 'fail', worst_layer: 1, worst_site: 'post_attention_layernorm' });
  });

  const quarter = UNIT_ROUNDOFF.bfloat16 / 4;
  test.each([
    ['beyond all three bounds', above(quarter), quarter / 7, 0, 'fail'],
    ['downwards as well', -above(quarter), quarter / 7, 0, 'fail'],
    ['at a quarter of the unit roundoff', quarter, quarter / 7, 0, 'pass'],
    ['within six standard errors', above(quarter), quarter / 6 + 1e-9, 0, 'pass'],
    ['within twice that of a valid recipe', above(quarter), quarter / 7, quarter / 2 + 1e-9, 'pass'],
    ['beyond twice that of a valid recipe', above(quarter), quarter / 7, quarter / 2 - 1e-9, 'fail'],
  ] as const)('with a scale error %s: %d ± %d, floor %d, is a %s', (_word, mean, standard_error, scale_floor, status) => {
    const judged = result([{ scale: { mean, standard_error }, scale_floor }]);
    expect(judged.status).toBe(status);
    expect(judged.scale_error).toBe(mean);
    if (status === 'fail') expect(judged.detail).toContain('all values are off by a factor of');
  });

  test('in float32 may be off by its own arithmetic', () => {
    const off = (mean: number) => result([{ scale: { mean, standard_error: mean / 100 } }], 'float32').status;
    expect(off(8 * UNIT_ROUNDOFF.float32)).toBe('pass');
    expect(off(above(8 * UNIT_ROUNDOFF.float32))).toBe('fail');
  });

  test('fails by a single value that is not finite', () => {
    const judged = result([{}, { non_finite: 1, first_non_finite: 73 }]);
    expect(judged).toMatchObject({ status: 'fail', non_finite: 1 });
    expect(judged.detail).toBe(
      'layer 1 input_layernorm, output y: 1 of 100 elements are NaN or infinite where the oracle is finite, the first at prompt 2, position 3',
    );
  });

  test('that is not finite in many layers is named with the first of them, also where errors of others are larger', () => {
    const broken = { non_finite: 1, first_non_finite: 0 };
    expect(result([{ rms_error: 9 }, broken, { ...broken, rms_error: 5 }]).detail).toMatch(
      /^layer 1 .*, the first at prompt 1, position 0$/,
    );
  });

  test('that gives something where the answer is 0 everywhere fails, with null for the ratio that has no value', () => {
    const judged = result([{ rms_error: 1, rms_floor: 0, max_error: 1, max_floor: 0, rms_oracle: 0 }]);
    expect(judged).toMatchObject({ status: 'fail', accuracy_ratio: null, max_ratio: null });
    expect(result([{ rms_error: 0, rms_floor: 0, max_error: 0, max_floor: 0, rms_oracle: 0 }]).status).toBe('pass');
  });

  test('that gave up is inconclusive, with the place and the reason; but a fault seen before stays a fault', () => {
    const record = kernelRecord(KERNEL, DEVICE, ['eager', 'other'], 'bfloat16', LIMITS);
    record.fail(site(null, 'norm'), 'crashed');
    expect(record.failed).toBe(true);
    expect(record.result()).toMatchObject({
      status: 'inconclusive',
      detail: 'norm: crashed',
      sites: 0,
      accuracy_ratio: null,
      max_abs_diff: null,
    });

    const later = kernelRecord(KERNEL, DEVICE, ['eager', 'other'], 'bfloat16', LIMITS);
    later.add(site(0), 'y', shown(), SEQUENCE);
    later.fail(site(1), 'crashed');
    expect(later.result()).toMatchObject({ status: 'inconclusive', detail: 'layer 1 input_layernorm: crashed', sites: 1 });
    later.add(site(2), 'y', shown({ rms_error: 5 }), SEQUENCE);
    expect(later.result()).toMatchObject({ status: 'fail' });
  });

  test('with no site in the chosen layers is inconclusive', () => {
    expect(result([])).toMatchObject({ status: 'inconclusive', detail: 'no site of the chosen layers', sites: 0 });
  });

  test('is nearest to the recipe that it equals most, over all sites', () => {
    expect(result([{ equal_to: [10, 90] }, { equal_to: [20, 40] }])).toMatchObject({ nearest_recipe: 'other', nearest_recipe_equal: 0.65 });
  });

  test.each([
    [[9999, 10000], 'eager'],
    [[9989, 10000], 'other'],
    [[10000, 10000], 'eager'],
    [[10000, 9999], 'eager'],
  ] as const)(
    'that equals two recipes in %j of 10000 elements is nearest to %s: of those within 0.1 % it is the first',
    (equal_to, name) => {
      const share = equal_to[name === 'eager' ? 0 : 1] / 10000;
      expect(result([{ elements: 10000, equal_to }])).toMatchObject({ nearest_recipe: name, nearest_recipe_equal: share });
    },
  );

  test('could have been seen to be off by what its worst site hides', () => {
    const sharp = { scale: { mean: 0, standard_error: 1e-5 } };
    const blurred = { scale: { mean: -1e-4, standard_error: 1e-3 } };
    expect(result([sharp]).smallest_scale_error).toBeCloseTo(UNIT_ROUNDOFF.bfloat16 / 4, 12);
    expect(result([sharp, blurred]).smallest_scale_error).toBeCloseTo(1e-4 + 6e-3, 12);
    // A site that fails has shown what it has to show.
    expect(result([sharp, { ...blurred, rms_error: 9 }]).smallest_scale_error).toBeCloseTo(UNIT_ROUNDOFF.bfloat16 / 4, 12);
    expect(result([{ rms_error: 9 }]).smallest_scale_error).toBeNull();
  });

  test('adds up its outputs: means over elements, shares of the histogram, largest differences', () => {
    const judged = result([
      { elements: 100, sum_abs_diff: 10, max_abs_diff: 2, bitwise_equal: 50, max_ulp: 3, ulp_counts: [50, 50, 0, 0, 0, 0] },
      { elements: 300, sum_abs_diff: 30, max_abs_diff: 1, bitwise_equal: 150, max_ulp: 9, ulp_counts: [150, 0, 0, 0, 0, 150] },
    ]);
    expect(judged).toMatchObject({ mean_abs_diff: 0.1, max_abs_diff: 2, bitwise_equal: 0.5, max_ulp: 9, sites: 2 });
    expect(judged.ulp_histogram).toEqual({ '0': 0.5, '1': 0.125, '2': 0, '3-4': 0, '5-8': 0, '>8': 0.375 });
  });
});

const PROGRAM: Program = {
  architecture: 'llama',
  ops: [],
  rope_tables: {},
  num_hidden_layers: 1,
  hidden_size: 2,
  vocab_size: 4,
  max_position_embeddings: 8,
  hidden: ['embeddings', 'normed'],
  layer_outputs: ['0.out'],
  logits: 'logits',
};

const lane = (values: Record<string, number[]>, oracle = false): Lane => ({
  recipe: {} as Lane['recipe'],
  standIns: new Map(),
  values: new Map(
    Object.entries(values).map(([name, data]) => [
      name,
      { data: oracle ? Float64Array.from(data) : Float32Array.from(data), shape: [1, 2] },
    ]),
  ),
});
const op = (y: string) => ({ op: 'add', layer: 0, site: '', inputs: {}, weights: {}, attributes: {}, outputs: { y } }) as const;

/** Two recipes, then one model with kernels for each further KL. */
function model(
  kl: readonly number[],
  changes: Partial<LogitsSummary> = {},
  failure: string | null = null,
  inherited = 0.3,
  floor = 0.2,
): ModelLevel {
  const all = [0.5, 1, ...kl];
  const logits: LogitsSummary = {
    positions: 10,
    kl: all,
    top1_agreement: all.map(() => 1),
    decisive_flips: all.map(() => 0),
    perplexity: [3, ...all.map(() => 3)],
    non_finite: [0, ...all.map(() => 0)],
    first_non_finite: [-1, ...all.map(() => -1)],
    ...changes,
  };
  const levels = modelLevels({
    program: PROGRAM,
    sequence: SEQUENCE,
    recipes: ['eager', 'other'],
    assemblies: kl.map(() => ({ placements: [{ kernel: KERNEL, site: site(0) }], failure })),
    injected: () => ({ rms: 0.5, relative: 0.01 }),
    layers: {
      afterOp: () => undefined,
      relative: [[Math.min(0.1, floor), floor, inherited, 0.4]],
      absolute: [[1, 2, 3, 4]],
      final: [1, 1, 2, 3],
    },
    logits,
    sensitivity: 1.5,
    limits: LIMITS,
  });
  return worstLevel(levels) as ModelLevel;
}

describe('a whole model', () => {
  test.each([
    [0, 'pass'],
    [2, 'pass'],
    [above(2), 'warn'],
    [4, 'warn'],
    [above(4), 'fail'],
  ] as const)('with a KL of %d times the largest of the valid recipes is a %s', (ratio, status) => {
    expect(model([ratio])).toMatchObject({ status, kl_ratio: ratio, kl_floor: 1, kl_fused: ratio, kl_recipes: { eager: 0.5, other: 1 } });
  });

  test('fails by one decisive flip, however small its KL', () => {
    const level = model([0.1], { decisive_flips: [0, 0, 1] });
    expect(level.status).toBe('fail');
    expect(level.detail).toMatch(/^1 decisive flip/);
    expect(model([0.1], { decisive_flips: [1, 1, 0] }).status).toBe('pass');
  });

  test('fails when its logits are not finite', () => {
    expect(model([NaN], { non_finite: [0, 0, 0, 4], first_non_finite: [-1, -1, -1, 6] })).toMatchObject({
      status: 'fail',
      kl_fused: null,
      kl_ratio: null,
      detail: "the fused model's logits are NaN or infinite at 4 of 10 positions (the first: prompt 2, position 2)",
    });
  });

  test.each([
    ['the oracle', [1, 0, 0, 0], "the oracle's own logits are not finite at 1 of 10 positions (the first: prompt 1, position 1)"],
    [
      'a valid recipe',
      [0, 0, 2, 0],
      'the logits of a valid recipe overflow the serving dtype at 2 of 10 positions (the first: prompt 1, position 1), so there is no noise floor',
    ],
  ])('cannot be judged when %s is not finite', (_word, non_finite, detail) => {
    const first_non_finite = non_finite.map((count) => (count > 0 ? 1 : -1));
    expect(model([0.1], { non_finite, first_non_finite })).toMatchObject({ status: 'inconclusive', detail });
  });

  test('whose kernel gave up has no figures', () => {
    expect(model([0.1], {}, 'k: crashed')).toMatchObject({
      status: 'inconclusive',
      detail: 'k: crashed',
      kl_fused: null,
      kl_ratio: null,
      top1_agreement: null,
    });
  });

  test('is the worst of its assemblies', () => {
    expect(model([1, 3])).toMatchObject({ status: 'warn', kl_ratio: 3 });
    expect(model([1.5, 1])).toMatchObject({ status: 'pass', kl_ratio: 1.5 });
    expect(model([9, 1], { decisive_flips: [0, 0, 0, 1] })).toMatchObject({ status: 'fail', kl_ratio: 9 });
  });

  test('reports amplification and the layers: injected, inherited, floor', () => {
    expect(model([1])).toMatchObject({ amplification: 4, layers: [{ layer: 0, injected: 0.01, inherited: 0.3, floor: 0.2 }] });
  });

  test('reports how the first error grows over the layers, beside what the weights alone do to it', () => {
    expect(model([1])).toMatchObject({ amplification_curve: [6], sensitivity: 1.5, responsible: null });
  });

  test('leaves the noise floor where the error is over twice that of the worst recipe', () => {
    expect(model([1]).first_layer_above_floor).toBeNull();
    expect(model([1], {}, null, 0.41).first_layer_above_floor).toBe(0);
    expect(model([1], {}, null, NaN).first_layer_above_floor).toBe(0);
    expect(model([1], {}, 'k: crashed', 0.41)).toMatchObject({ first_layer_above_floor: null, amplification_curve: [null] });
  });

  test('does not leave a noise floor of 0 by what float32 could not show, but does by more', () => {
    const exact = (error: number) => {
      const lanes = [
        lane({ '0.out': [3, 4] }, true),
        lane({ '0.out': [3, 4] }),
        lane({ '0.out': [3, 4] }),
        lane({ '0.out': [3, 4 + error] }, true),
      ];
      const meter = layerMeter(PROGRAM, lanes);
      meter.afterOp(op('0.out'));
      return model([1], {}, null, meter.relative[0]?.[2], meter.relative[0]?.[0]).first_layer_above_floor;
    };
    expect(exact(1e-9)).toBeNull();
    expect(exact(1e-6)).toBe(0);
  });

  test('whose layer gives 0 everywhere, as the oracle does, is at its floor', () => {
    const zero = () => lane({ '0.out': [0, 0] }, true);
    const meter = layerMeter(PROGRAM, [zero(), zero(), lane({ '0.out': [0, 1] })]);
    meter.afterOp(op('0.out'));
    expect(meter.relative[0]).toEqual([0, Infinity]);
  });

  test('without any noise among recipes is compared with the noise of arithmetic, not with zero', () => {
    expect(model([1e-14], { kl: [0, 0, 1e-14] })).toMatchObject({ status: 'pass', kl_ratio: 1 });
    expect(model([1e-12], { kl: [0, 0, 1e-12] })).toMatchObject({ status: 'fail' });
  });
});

describe('the distance of hidden states', () => {
  test('is relative per layer and absolute at the end; a kernel that runs across the end of a layer is read when it is done', () => {
    const lanes = [lane({ '0.out': [3, 4], normed: [1, 1] }, true), lane({ '0.out': [3, 4.5], normed: [1, 2] }), lane({})];
    const meter = layerMeter(PROGRAM, lanes);
    meter.afterOp(op('0.out'));
    expect(meter.relative[0]).toEqual([0.1]);
    lanes[2]?.values.set('0.out', { data: Float32Array.of(0, 0), shape: [1, 2] });
    lanes[2]?.values.set('normed', { data: Float32Array.of(1, 1), shape: [1, 2] });
    meter.afterOp(op('normed'));
    expect(meter.relative[0]).toEqual([0.1, 1]);
    expect(meter.final[0]).toBeCloseTo(Math.SQRT1_2, 15);
    expect(meter.final[1]).toBe(0);
  });
});
