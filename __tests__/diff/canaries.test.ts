// Known faults planted into the reference, and the smallest scale error that a run can see: on real sites of small models.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { modelCanary, plantCanaries, zeroLogits, type PlantedCanary } from '../../src/diff/canaries.js';
import { judgeMeasure, kernelRecord, smallestScaleError } from '../../src/diff/kernel-level.js';
import { measure, yardstick, yardstickOf } from '../../src/diff/measure.js';
import { normal, randomInputs, range } from '../../src/diff/probe-inputs.js';
import { runSite, type Tensors } from '../../src/diff/site.js';
import type { Kernel } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { ORACLE, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { Sequence } from '../../src/reference/sequence.js';
import { roundToServing } from '../../src/reference/served-weights.js';
import type { ServingDtype } from '../../src/report/types.js';
import { GOLDEN_MODELS, openModel, type OpenModel } from '../support/goldens.js';
import { modelLevel } from '../support/report.js';

const LIMITS = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
const DTYPE = 'bfloat16';
const RECIPES = validRecipes(DTYPE);
/** Two prompts. */
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

interface Planting {
  readonly sequence?: Sequence;
  readonly limits?: typeof LIMITS;
  readonly change?: (recipes: readonly Tensors[]) => Tensors[];
  readonly inputs?: (inputs: Tensors) => Tensors;
}

async function planted(op: string, { sequence = PROMPTS, limits = LIMITS, change, inputs: made }: Planting = {}): Promise<PlantedCanary[]> {
  const context = { ...model, dtype: DTYPE, runner, recipes: RECIPES, sequence, limits } as const;
  const site = findSites(model.program, op)[1] as Site;
  const positions = sequence.segments.flatMap(({ start, end }) => range(0, end - start));
  const random = randomInputs(model.program, site, DTYPE, positions, 1);
  const inputs = made === undefined ? random : made(random);
  const run = (recipe: (typeof RECIPES)[number]) => runSite(context, site, recipe, inputs, sequence);
  const oracle = await run(ORACLE);
  const given = await Promise.all(RECIPES.map(run));
  const recipes = change === undefined ? given : change(given);
  const yardsticks = Object.fromEntries(Object.keys(oracle).map((name) => [name, yardstickOf(name, oracle, recipes, DTYPE)]));
  return plantCanaries(context, site, inputs, { eager: recipes[0] as Tensors, yardsticks });
}

const names = (canaries: readonly PlantedCanary[]) => canaries.map(({ name }) => name);
const missed = (canaries: readonly PlantedCanary[]) => names(canaries.filter(({ caught }) => !caught));

describe('the canaries of an op', () => {
  const ALWAYS = ['zeros', 'stale_output', 'scale_1_percent', 'dropped_tail'];
  test.each([
    ['rms_norm', ['wrong_eps']],
    ['add_rms_norm', ['wrong_eps']],
    ['linear', []],
    ['rms_norm_qkv', ['wrong_eps']],
    ['qk_norm_rope', ['wrong_eps', 'swapped_rope_layout']],
    ['rope', ['swapped_rope_layout']],
    ['attention', ['no_causal_mask']],
    ['silu_mul', []],
    // Made-up inputs are much larger than what attention adds to them: the layout of RoPE changes the layer's output by less than 5 %.
    ['decoder_layer', ['wrong_eps', 'no_causal_mask']],
  ])('%s are the faults that it can have, and all are caught', async (op, own) => {
    const canaries = await planted(op);
    expect(names(canaries)).toEqual([...ALWAYS, ...own]);
    expect(missed(canaries)).toEqual([]);
    for (const { by, detail } of canaries) {
      expect(['accuracy_ratio', 'max_ratio', 'scale_error']).toContain(by);
      expect(detail).toMatch(/^layer [01] .*, (all outputs|other tokens|the last row|eps|the causal mask|elements paired).*: /);
    }
  });

  test('with one token are those that one token can show: no mask, no layout, and too few elements to tell 1 % from rounding', async () => {
    for (const op of ['attention', 'rope', 'qk_norm_rope']) {
      const canaries = await planted(op, { sequence: ONE_TOKEN });
      expect(names(canaries).filter((name) => name !== 'scale_1_percent')).toEqual([
        'zeros',
        'dropped_tail',
        ...(op === 'qk_norm_rope' ? ['wrong_eps'] : []),
      ]);
      expect(missed(canaries)).toEqual([]);
    }
    expect(names(await planted('silu_mul', { sequence: ONE_TOKEN }))).toEqual(['zeros', 'dropped_tail']);
  });

  test('are none where the output is 0 everywhere: nothing can be planted in it', async () => {
    const zero = (inputs: Tensors): Tensors =>
      Object.fromEntries(Object.entries(inputs).map(([name, { data, shape }]) => [name, { data: new Float32Array(data.length), shape }]));
    expect(await planted('silu_mul', { inputs: zero })).toEqual([]);
  });

  test('that repeat one token leave out what a stale output would be', async () => {
    const same = (inputs: Tensors): Tensors =>
      Object.fromEntries(
        Object.entries(inputs).map(([name, { data, shape }]) => {
          const width = data.length / (shape[0] ?? 1);
          return [name, { data: Float32Array.from(data, (_, i) => data[i % width] as number), shape }];
        }),
      );
    expect(names(await planted('silu_mul', { inputs: same }))).toEqual(['zeros', 'scale_1_percent', 'dropped_tail']);
  });

  test('pass where a recipe is so far off that the noise floor hides everything, and say so', async () => {
    // As a recipe would be that gives half of what it should.
    const halved = (recipes: readonly Tensors[]): Tensors[] => {
      const half = ({ y }: Tensors): Tensors => ({ y: { data: (y as Tensors[string]).data.map((v) => v / 2), shape: y?.shape ?? [] } });
      return recipes.map(half);
    };
    const canaries = await planted('rms_norm', { change: halved });
    expect(missed(canaries)).toEqual(['zeros', 'scale_1_percent', 'dropped_tail', 'wrong_eps']);
    expect(canaries.find(({ name }) => name === 'zeros')).toMatchObject({
      by: null,
      detail: expect.stringMatching(/all outputs 0: changes output y by 100 % while the noise floor is 50 %$/),
    });
  });

  test('pass under thresholds that would let a fault pass', async () => {
    const canaries = await planted('attention', { limits: { ...LIMITS, pass_ratio: 1000, warn_ratio: 1000, scale_standard_errors: 1e6 } });
    // A scale error of exactly −1 has no standard error at all.
    expect(missed(canaries)).toEqual(['stale_output', 'scale_1_percent', 'dropped_tail', 'no_causal_mask']);
  });
});

describe('a kernel beside a canary that passed', () => {
  const kernel: Kernel = {
    name: 'k',
    op: 'rms_norm',
    backend: 'onnxruntime',
    start: () => Promise.reject(new Error('is not started here')),
    run: () => Promise.reject(new Error('is not run here')),
    close: () => Promise.resolve(),
  };
  const device = { device: 'CPU', gpu: false, variants: ['fused'] as const };
  const canary = (caught: boolean): PlantedCanary => ({
    name: 'zeros',
    caught,
    by: caught ? 'accuracy_ratio' : null,
    detail: 'layer 0 norm, all 0',
  });
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
  function judged(factor: number, caught: boolean) {
    const oracle = Float64Array.from(normal(512, 3));
    const eager = roundToServing(Float32Array.from(oracle), DTYPE);
    const fused = eager.map((value) => value * factor);
    const record = kernelRecord(kernel, device, ['eager'], DTYPE, LIMITS);
    record.add(site, 'y', measure(fused, yardstick(oracle, [eager], DTYPE)), { ids: [1], segments: [{ start: 0, end: 1 }] });
    record.watched([canary(caught)]);
    expect(record.canaries).toEqual([{ kernel: 'k', ...canary(caught) }]);
    return record.result();
  }

  test('is inconclusive, and the canary is named; a fault that was seen stays one', () => {
    expect(judged(1, true)).toMatchObject({ status: 'pass', detail: null });
    expect(judged(1, false)).toMatchObject({ status: 'inconclusive', detail: 'canary zeros was not caught: layer 0 norm, all 0' });
    expect(judged(3, false)).toMatchObject({ status: 'fail' });
    expect(judged(3, false).smallest_scale_error).toBeNull();
  });
});

describe('the canary of the model level', () => {
  test('is logits of 0, as many as the lanes have', () => {
    const lane = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] };
    expect(zeroLogits([{ ...lane, data: Float64Array.of(1, 2, 3, 4) }, lane])).toEqual({ data: new Float32Array(4), shape: [2, 2] });
  });

  test('makes a model inconclusive when its criteria let it pass, unless the model fails all the same', () => {
    for (const status of ['pass', 'warn'] as const) {
      const { canaries, judged } = modelCanary(modelLevel({ status, kl_ratio: 1.5, decisive_flips: 0 }));
      expect(canaries).toEqual([{ kernel: null, name: 'zeros', caught: false, by: null, detail: 'all logits 0: kl_ratio 1.50' }]);
      expect(judged(modelLevel())).toMatchObject({
        status: 'inconclusive',
        detail: 'canary zeros was not caught: all logits 0: kl_ratio 1.50',
      });
      expect(judged(modelLevel({ status: 'fail' }))).toMatchObject({ status: 'fail' });
    }
  });

  test('changes nothing when it is caught, or when there is no noise floor to judge anything by', () => {
    const caught = modelCanary(modelLevel({ status: 'fail', kl_ratio: 4000, decisive_flips: 7 }));
    expect(caught.canaries).toMatchObject([{ caught: true, by: 'decisive_flips' }]);
    expect(caught.judged(modelLevel())).toEqual(modelLevel());
    const open = modelCanary(modelLevel({ status: 'inconclusive' }));
    expect(open.canaries).toEqual([]);
    expect(open.judged(modelLevel())).toEqual(modelLevel());
  });
});

describe('the smallest scale error that can be seen', () => {
  /** A correct kernel, or one that is off by a factor, rounding once at its end. */
  function seen(dtype: ServingDtype, elements: number, factor: number) {
    // With digits that no serving dtype holds.
    const exact = Float64Array.from(normal(elements, 5), (value) => value * Math.PI);
    const round = (scale: number) =>
      roundToServing(
        Float32Array.from(exact, (value) => value * scale),
        dtype,
      );
    return measure(round(factor), yardstick(exact, [round(1)], dtype));
  }

  test.each([
    ['bfloat16', 8192],
    ['bfloat16', 512],
    ['float16', 8192],
    ['float16', 512],
    ['float32', 4096],
  ] as const)('in %s with %d elements: a scale just above it is caught, just below it is not', (dtype, elements) => {
    const correct = seen(dtype, elements, 1);
    const smallest = smallestScaleError(correct, dtype, LIMITS) as number;
    // Away from where the correct kernel stands by chance already.
    const sign = correct.scale.mean > 0 ? -1 : 1;
    const level = (share: number) => judgeMeasure(seen(dtype, elements, 1 + sign * share * smallest), dtype, LIMITS).level;
    expect(judgeMeasure(correct, dtype, LIMITS).level).toBe('pass');
    expect(level(1.15)).toBe('fail');
    expect(level(0.85)).not.toBe('fail');
  });

  test('grows with fewer elements, and has no meaning where the oracle is 0', () => {
    const of = (elements: number) => smallestScaleError(seen(DTYPE, elements, 1), DTYPE, LIMITS) as number;
    expect(of(24)).toBeGreaterThan(of(2048));
    // Too few for a standard error: what accuracy_ratio sees is left.
    expect(of(1)).toBeGreaterThan(0.001);
    const nothing = measure(new Float32Array(4), yardstick(new Float64Array(4), [new Float32Array(4)], DTYPE));
    expect(smallestScaleError(nothing, DTYPE, LIMITS)).toBeNull();
  });
});
