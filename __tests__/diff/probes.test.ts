// Probes from both sides: kernels that are right pass all of them; mistakes that the model's own prompts do not show are found, each by the
// probe that is made for it.

import { beforeAll, describe, expect, test } from '@jest/globals';
import { probeSets } from '../../src/diff/probe-set.js';
import { runProbes, type ProbeResult } from '../../src/diff/probes.js';
import { runSite, type SiteContext } from '../../src/diff/site.js';
import { KernelError, type Kernel, type KernelAnswer, type KernelCall, type KernelDevice } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { rotaryAt } from '../../src/reference/sequence.js';
import { roundToServing } from '../../src/reference/served-weights.js';
import { openModel, type OpenModel } from '../support/goldens.js';
import { modelFolder, type ModelName } from '../support/models.js';

const LIMITS = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
const ALL_CHECKS = ['inputs_unchanged', 'guard_bands', 'outputs_written'] as const;

let runner: OpRunner;
const models = new Map<ModelName, Promise<OpenModel>>();
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});

type Inputs = Record<string, NdArray>;

interface Scene {
  readonly site: Site;
  readonly context: SiteContext;
  /** What eager gives. */
  right(inputs: Inputs): Promise<Record<string, NdArray>>;
}

/** How a kernel comes to its answer. */
type Answer = (call: KernelCall, scene: Scene) => Promise<Record<string, NdArray> | KernelAnswer>;

/** What the kernels of an op are asked in a model, with what is right: as in a run, for all of them once. */
async function askedOf(model: ModelName, op: string) {
  const opened = models.get(model) ?? openModel(modelFolder(model));
  models.set(model, opened);
  const context = {
    ...(await opened),
    dtype: 'bfloat16' as const,
    runner,
    recipes: validRecipes('bfloat16'),
    limits: LIMITS,
    weights: new Map(),
  };
  const sites = findSites(context.program, op);
  return { context, sites, sets: await probeSets(context, sites) };
}
const asked = new Map<string, ReturnType<typeof askedOf>>();

/** @param places at how many of the probed sites; the first is the middle layer's */
async function probed(
  model: ModelName,
  op: string,
  answer: Answer,
  device: Partial<KernelDevice> = {},
  places = 1,
): Promise<Map<string, ProbeResult>> {
  const known = asked.get(`${model} ${op}`) ?? askedOf(model, op);
  asked.set(`${model} ${op}`, known);
  const { context, sites, sets: all } = await known;
  const sets = all.slice(0, places);
  const siteOf = ({ attributes }: KernelCall) => sites.find((site) => site.attributes === attributes) as Site;
  const middle = sets[0]?.site as Site;
  const right = (site: Site) => (inputs: Inputs) => {
    const tokens = Object.values(inputs)[0]?.shape[0] ?? 0;
    return runSite(context, site, eager('bfloat16'), inputs, { ids: [], segments: [{ start: 0, end: tokens }] });
  };
  const kernel: Kernel = {
    name: 'k',
    op,
    backend: 'command',
    start: () => Promise.reject(new Error('is started already')),
    async run(call) {
      const site = siteOf(call) ?? middle;
      const given = await answer(call, {
        site: site.layer === middle.layer ? middle : site,
        context,
        right: right(site.layer === middle.layer ? middle : site),
      });
      return 'violations' in given && Array.isArray(given.violations)
        ? (given as KernelAnswer)
        : { outputs: given as Record<string, NdArray>, time_us: null, violations: [] };
    },
    close: () => Promise.resolve(),
  };
  const results = await runProbes(context, sets, kernel, { device: 'CPU', gpu: false, variants: ['fused'], ...device });
  return new Map(results.map((result) => [result.name, result]));
}

/** Inputs without the weights. */
function activations({ inputs }: KernelCall, { site }: Scene): Inputs {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !site.weights.has(name))) as Inputs;
}

const correct: Answer = (call, scene) => scene.right(activations(call, scene));

/** A correct kernel with its outputs changed. */
function spoilt(change: (outputs: Record<string, NdArray>, inputs: Inputs, call: KernelCall) => void): Answer {
  return async (call, scene) => {
    const inputs = activations(call, scene);
    const outputs = await scene.right(inputs);
    const copies = Object.fromEntries(Object.entries(outputs).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));
    change(copies, inputs, call);
    return copies;
  };
}

/** Changes the elements of rows. */
function inRows(array: NdArray, chosen: (row: number, rows: number) => boolean, change: (value: number) => number): void {
  const { data, shape } = array;
  const count = shape[0] ?? 1;
  const width = data.length / count;
  for (let at = 0; at < data.length; at++) if (chosen(Math.floor(at / width), count)) data[at] = change(data[at] as number);
}

const notPassed = (results: Map<string, ProbeResult>) =>
  [...results.values()].filter(({ status }) => status !== 'pass').map(({ name }) => name);

describe('a correct kernel passes all probes', () => {
  const OF_ROWS = ['tails', 'large_magnitudes', 'tiny_magnitudes', 'equal_rows', 'zeros', 'nan_row', 'repeats', 'batch_invariance'];
  test.each<[ModelName, string, string[]]>([
    ['tinyllama-mini', 'rms_norm', OF_ROWS],
    ['tinyllama-mini', 'rms_norm_qkv', OF_ROWS],
    ['ernie45-mini', 'rope', [...OF_ROWS, 'late_positions']],
    ['tinyllama-mini', 'attention', [...OF_ROWS, 'decode']],
    ['mistral-mini', 'attention', [...OF_ROWS, 'decode', 'window_edges']],
  ])('of %s: %s', async (model, op, names) => {
    const results = await probed(model, op, correct, { observes: ALL_CHECKS });
    expect(notPassed(results)).toEqual([]);
    expect([...results.keys()].sort()).toEqual([...names, ...ALL_CHECKS].sort());
  });
});

test('what a backend cannot see is not said to pass', async () => {
  const results = await probed('tinyllama-mini', 'silu_mul', correct);
  for (const check of ALL_CHECKS) expect(results.has(check)).toBe(false);
});

/** The mistake, the probe that finds it, its words, and the probes that say nothing. */
const row = (name: string, op: string, answer: Answer, probe: string, words: RegExp, model: ModelName = 'tinyllama-mini') =>
  [name, model, op, answer, probe, words] as const;

describe('a mistake is found by the probe made for it', () => {
  const BEYOND = spoilt(({ y }) =>
    inRows(
      y as NdArray,
      (at) => at >= 64,
      (value) => value * 1.5,
    ),
  );
  const TAIL = spoilt(({ y }) =>
    inRows(
      y as NdArray,
      (at, rows) => at >= rows - (rows % 16),
      () => 0,
    ),
  );
  const LEAK = spoilt(({ y }, { x }) => {
    const sum = Float64Array.from((x as NdArray).data).reduce((total, value) => total + value, 0);
    inRows(
      y as NdArray,
      () => true,
      (value) => value + 0 * sum,
    );
  });
  const NO_EPS_FLOOR = spoilt(({ y }, { x }) => {
    if ((x as NdArray).data.every((value) => value === 0))
      inRows(
        y as NdArray,
        () => true,
        () => NaN,
      );
  });
  const LOUDEST = spoilt(({ y }, { x }) => {
    const most = Float64Array.from((x as NdArray).data).reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    inRows(
      y as NdArray,
      () => true,
      (value) => value + 1e-5 * most,
    );
  });
  let calls = 0;
  const REMEMBERS = spoilt(({ y }) => {
    calls++;
    if (calls % 2 === 1)
      inRows(
        y as NdArray,
        (at) => at === 3,
        (value) => value * (1 + 2 ** -7),
      );
  });
  // The last row of the first answer of this size stays for good; only size 65 comes twice.
  const kept = new Map<number, Float32Array>();
  const LEFT_OVER = spoilt(({ y }) => {
    const { data, shape } = y as NdArray;
    const last = data.subarray(data.length - data.length / (shape[0] ?? 1)) as Float32Array;
    if (shape[0] !== 65) return;
    last.set(kept.get(65) ?? last);
    kept.set(65, last.slice());
  });
  const IN_PLACE: Answer = async (call, scene) => {
    const outputs = await correct(call, scene);
    (call.inputs['x']?.data as Float32Array)[70] = 3;
    return outputs;
  };
  const OWN_POSITIONS: Answer = (call, scene) => {
    const inputs = activations(call, scene);
    const positions = Array.from({ length: inputs['q']?.shape[0] ?? 0 }, (_, i) => i);
    const own = (name: string) => rotaryAt(scene.context.program, scene.site.inputs.get(name) as string, positions);
    return scene.right({ ...inputs, cos: own('cos'), sin: own('sin') });
  };
  test.each([
    row(
      'tiles of 16 only',
      'rms_norm',
      TAIL,
      'tails',
      /^row 0 of y is 0 for T = 1; also for T = 15, T = 17, T = 63, T = 65, T = 127, T = 129$/,
    ),
    row(
      'wrong beyond 64 tokens',
      'rms_norm',
      BEYOND,
      'tails',
      /^row 64 of y is off by a factor of 1\.500 for T = 65; also for T = 127, T = 128, T = 129$/,
    ),
    row('a sum over all rows', 'rms_norm', LEAK, 'nan_row', /^all 32 rows of y are NaN or infinite for T = 33$/),
    row('a norm without eps', 'rms_norm', NO_EPS_FLOOR, 'zeros', /^all 33 rows of y are NaN or infinite for T = 33$/),
    row(
      'one scale for the batch',
      'rms_norm',
      LOUDEST,
      'batch_invariance',
      /^rows? .* of y differs? with and without a large row beside for T = 33$/,
    ),
    row('state between calls', 'rms_norm', REMEMBERS, 'repeats', /^row 3 of y differs between calls with the same inputs for T = 65$/),
    row(
      'a row left over',
      'rms_norm',
      LEFT_OVER,
      'repeats',
      /^row 64 of y is wrong .* in a call between, with other inputs of the same shape, T = 65$/,
    ),
    row('a change in place', 'rms_norm', IN_PLACE, 'inputs_unchanged', /^row \d+ of x was changed for T = \d+$/),
    row('positions of its own', 'rope', OWN_POSITIONS, 'late_positions', /^all 33 rows of q are wrong \(.*\) for T = 33$/),
    row(
      'a softmax without the maximum',
      'attention',
      naive({ keepMax: false }),
      'large_magnitudes',
      /of o are NaN or infinite.* for T = 33$/,
    ),
    row('ties that count once', 'attention', naive({ ties: true }), 'equal_rows', /^rows 1 to 32 of o are wrong .* for T = 33$/),
    row(
      'queries taken for the first',
      'attention',
      naive({ first: true }),
      'decode',
      /^row 0 of o is wrong .* for T = 1, S = 65; also for T = 5, S = 64$/,
    ),
    row('a window of one more', 'attention', naive({ wider: 1 }), 'window_edges', /of o .* for T = 4, S = 26, window 24$/, 'mistral-mini'),
  ])('%s', async (_name, model, op, answer, probe, words) => {
    const result = (await probed(model, op, answer)).get(probe);
    expect(result).toMatchObject({ name: probe, status: 'fail', detail: expect.stringMatching(words) });
  });

  test('and by no other where only one input shows it', async () => {
    expect(notPassed(await probed('tinyllama-mini', 'rms_norm', BEYOND))).toEqual(['tails']);
    expect(notPassed(await probed('tinyllama-mini', 'rms_norm', LEAK))).toEqual(['nan_row']);
    expect(notPassed(await probed('tinyllama-mini', 'rms_norm', NO_EPS_FLOOR))).toEqual(['zeros']);
  });

  describe('a norm is probed with the weights of the first, the middle and the last layer', () => {
    test.each([0, 21])('so that a mistake in layer %i only is found, and the layer is named', async (layer) => {
      const wrongThere: Answer = (call, scene) => (scene.site.layer === layer ? LEAK : correct)(call, scene);
      const results = await probed('tinyllama-mini', 'rms_norm', wrongThere, {}, 3);
      expect(notPassed(results)).toEqual(['nan_row']);
      expect(results.get('nan_row')?.detail).toMatch(new RegExp(`^[^()]+ \\(weights of layer ${layer} input_layernorm\\)$`));
    });

    test('and one in all of them names all three', async () => {
      const results = await probed('tinyllama-mini', 'rms_norm', LEAK, {}, 3);
      const places = [11, 0, 21].map((layer) => `layer ${layer} input_layernorm`);
      expect(results.get('nan_row')?.detail).toMatch(new RegExp(`\\(weights of ${places.join(', ')}\\)$`));
    });
  });

  test('while the same attention without a mistake passes', async () => {
    expect(notPassed(await probed('mistral-mini', 'attention', naive({})))).toEqual([]);
  });
});

test('rows that the backend saw unwritten are said to be so, and memory beside the outputs is watched', async () => {
  const results = await probed('tinyllama-mini', 'rms_norm_qkv', async (call, scene) => {
    const outputs = await spoilt(({ q }) =>
      inRows(
        q as NdArray,
        (at, rows) => rows === 128 && at >= 120,
        () => NaN,
      ),
    )(call, scene);
    const unwritten = call.inputs['x']?.shape[0] === 128;
    const violations = unwritten
      ? [
          { check: 'outputs_written', detail: 'output q was not written (first at element 7680)' },
          { check: 'guard_bands', detail: 'memory after output q was overwritten' },
        ]
      : [];
    return { outputs, time_us: null, violations } as KernelAnswer;
  });
  expect(results.get('tails')).toMatchObject({ status: 'fail', detail: 'rows 120 to 127 of q were not written for T = 128' });
  expect(results.get('outputs_written')).toMatchObject({ status: 'fail' });
  expect(results.get('guard_bands')).toMatchObject({ status: 'fail', detail: 'memory after output q was overwritten for T = 128' });
});

test('a kernel without an answer leaves its probes open, and is not asked for ever', async () => {
  let calls = 0;
  const results = await probed('tinyllama-mini', 'rms_norm', () => {
    calls++;
    return Promise.reject(new KernelError('T must be a multiple of 16'));
  });
  expect(calls).toBe(2);
  expect(new Set([...results.values()].map(({ status }) => status))).toEqual(new Set(['inconclusive']));
  expect(results.get('tails')?.detail).toBe('T = 1: T must be a multiple of 16');
});

interface Mistakes {
  readonly keepMax?: boolean;
  readonly ties?: boolean;
  readonly first?: boolean;
  readonly wider?: number;
}

/** Attention by plain loops. */
function naive({ keepMax = true, ties = false, first = false, wider = 0 }: Mistakes): Answer {
  return ({ inputs, attributes }) => {
    const { q, k, v } = inputs as unknown as { q: NdArray; k: NdArray; v: NdArray };
    const [T = 0, heads = 1, D = 1] = q.shape;
    const [S = 0, kvHeads = 1] = k.shape;
    const window = Number(attributes['window'] ?? 0);
    const out = new Float32Array(T * heads * D);
    for (let t = 0; t < T; t++) {
      const at = first ? t : S - T + t;
      const from = window > 0 ? Math.max(0, at - window + 1 - wider) : 0;
      for (let h = 0; h < heads; h++) {
        const head = Math.floor((h * kvHeads) / heads);
        const scores: number[] = [];
        for (let s = from; s <= at; s++) {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += (q.data[(t * heads + h) * D + d] as number) * (k.data[(s * kvHeads + head) * D + d] as number);
          scores.push(Math.fround(dot * Number(attributes['scale'])));
        }
        const max = keepMax ? Math.max(...scores) : 0;
        const weights = scores.map((score) => Math.fround(Math.exp(score - max)));
        const sum = ties ? [...new Set(weights)].reduce((a, b) => a + b, 0) : weights.reduce((a, b) => Math.fround(a + b), 0);
        for (let d = 0; d < D; d++) {
          let value = 0;
          for (const [i, weight] of weights.entries()) value += weight * (v.data[((from + i) * kvHeads + head) * D + d] as number);
          out[(t * heads + h) * D + d] = value / sum;
        }
      }
    }
    return Promise.resolve({ o: { data: roundToServing(out, 'bfloat16'), shape: q.shape } });
  };
}
