// Times of kernels beside a standard: what is compared with what, what is said where nothing can be compared, and that nothing throws.

import { describe, expect, test } from '@jest/globals';
import type { Op, Program } from '../../src/architectures/program.js';
import { measurePerformance, timedSite, type PerformanceContext, type Timed } from '../../src/diff/performance.js';
import { KernelError, type Kernel, type KernelAnswer, type KernelCall, type KernelDevice } from '../../src/kernels/kernel.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import type { KernelTime } from '../../src/report/types.js';

const T = 4;
const rope = { layout: 'half', rotary_dim: 2 };
const op = (name: Op['op'], layer: number, inputs: Record<string, string>, outputs: Record<string, string>, attributes = {}): Op => ({
  op: name,
  layer,
  site: name,
  inputs,
  outputs,
  weights: {},
  attributes,
});

/** Three layers of residual addition and rope. Weights are left out: there is no checkpoint here. */
const LAYERS = [0, 1, 2].flatMap((l) => [
  op('add', l, { x: 'x', residual: 'r' }, { y: `sum${l}` }),
  op('rope', l, { q: 'q', k: 'k', cos: 'cos:a', sin: 'sin:a' }, { q: `q${l}`, k: `k${l}` }, rope),
  op('attention', l, { q: `q${l}`, k: `k${l}`, v: 'v' }, { o: `o${l}` }, { scale: 1, causal: true, window: 0, softcap: 0 }),
]);
const PROGRAM = { ops: LAYERS, num_hidden_layers: 3, logits: 'logits' } as unknown as Program;

const zeros = (...shape: number[]): NdArray => ({ data: new Float32Array(shape.reduce((a, b) => a * b)), shape });
const QKV = { q: zeros(T, 2, 2), k: zeros(T, 1, 2), v: zeros(T, 1, 2) };
const ROPE_INPUTS = { q: QKV.q, k: QKV.k, cos: zeros(T, 1), sin: zeros(T, 1) };

const siteOf = (name: string): Site => timedSite(PROGRAM, findSites(PROGRAM, name)) as Site;

interface Made extends Kernel {
  readonly calls: KernelCall[];
}

/** A kernel whose answers are zeros, and whose clock says what it is told to. */
function made(name: string, opName: string, backend: Kernel['backend'], clock: (call: KernelCall) => number | null): Made {
  const calls: KernelCall[] = [];
  return {
    name,
    op: opName,
    backend,
    calls,
    start: () => Promise.resolve(device()),
    close: () => Promise.resolve(),
    run(call): Promise<KernelAnswer> {
      calls.push(call);
      const { q, k } = call.inputs;
      const outputs = (opName === 'attention' ? { o: q } : { q, k }) as Record<string, NdArray>;
      return Promise.resolve({ outputs, time_us: clock(call), violations: [] });
    },
  };
}

function device(changes: Partial<KernelDevice> = {}): KernelDevice {
  return { device: 'NVIDIA H200', gpu: true, variants: ['fused'], ...changes };
}

async function timeOf(
  kernel: Kernel,
  on: KernelDevice,
  unfused: readonly Kernel[] = [],
  inputs: Timed['inputs'] = ROPE_INPUTS,
): Promise<KernelTime> {
  const context = {
    program: PROGRAM,
    dtype: 'bfloat16',
    sequence: {
      ids: [1, 2, 3, 4],
      segments: [
        { start: 0, end: 3 },
        { start: 3, end: 4 },
      ],
    },
    unfused,
  } as unknown as PerformanceContext;
  const { kernels } = await measurePerformance(context, [{ kernel, device: on, site: siteOf(kernel.op), inputs }]);
  return kernels[0] as KernelTime;
}

const both = (call: KernelCall) => (call.variant === 'fused' ? 10 : 40);

test('the site that stands for a kernel is the first of the middle layer, else the first of all', () => {
  expect(siteOf('rope').layer).toBe(1);
  expect(
    timedSite(
      PROGRAM,
      findSites(PROGRAM, 'rope').filter(({ layer }) => layer !== 1),
    )?.layer,
  ).toBe(0);
  expect(timedSite(PROGRAM, [])).toBeUndefined();
});

describe('a kernel with a standard variant', () => {
  test('is compared with it, by the clock of the device', async () => {
    const kernel = made('k', 'rope', 'command', both);
    expect(await timeOf(kernel, device({ variants: ['fused', 'standard'] }))).toEqual({
      kernel: 'k',
      site: 'rope',
      layer: 1,
      tokens: T,
      fused_us: 10,
      standard_us: 40,
      speedup: 4,
      timer: 'device',
      standard: 'own',
      note: null,
    });
    expect(new Set(kernel.calls.map(({ repeat }) => repeat))).toEqual(new Set([1, 20]));
  });

  test('that tells no time is timed by the clock around the call, and the report says what that holds', async () => {
    const time = await timeOf(
      made('k', 'rope', 'command', () => null),
      device({ variants: ['fused', 'standard'] }),
    );
    expect(time).toMatchObject({
      timer: 'wall',
      standard: 'own',
      note: 'the clock holds the way of the tensors to the kernel and back too',
    });
    expect(time.fused_us).toBeGreaterThan(0);
    expect(time.speedup).toBe((time.standard_us ?? NaN) / (time.fused_us ?? NaN));
  });

  test('whose variants tell time by different clocks is not compared', async () => {
    const kernel = made('k', 'rope', 'command', ({ variant }) => (variant === 'fused' ? 10 : null));
    expect(await timeOf(kernel, device({ variants: ['fused', 'standard'] }))).toMatchObject({
      fused_us: 10,
      standard_us: null,
      speedup: null,
      note: 'fused was timed by the device clock and standard by the wall clock, which do not compare',
    });
  });

  test('that crashes in one of them keeps the time of the other', async () => {
    const kernel = made('k', 'rope', 'command', ({ variant }) => {
      if (variant === 'standard') throw new KernelError('illegal address');
      return 10;
    });
    expect(await timeOf(kernel, device({ variants: ['fused', 'standard'] }))).toMatchObject({
      fused_us: 10,
      standard_us: null,
      note: 'the standard could not be timed: illegal address',
    });
  });
});

describe('a cuda kernel', () => {
  test('is compared with the sum of ours, op by op', async () => {
    const ours = made('unfused cuda-rope', 'rope', 'cuda', () => 25);
    expect(await timeOf(made('k', 'rope', 'cuda', both), device(), [ours])).toMatchObject({
      fused_us: 10,
      standard_us: 25,
      speedup: 2.5,
      timer: 'device',
      standard: 'unfused chain',
      note: null,
    });
    expect(ours.calls[0]?.inputs['q']?.shape).toEqual([T, 2, 2]);
  });

  test('is not compared with itself, and where we have none the op is named', async () => {
    const ours = made('unfused cuda-rope', 'rope', 'cuda', () => 25);
    const nothing = {
      fused_us: 10,
      standard_us: null,
      speedup: null,
      standard: null,
      note: 'there is no unfused CUDA kernel of ours for rope in this dtype',
    };
    expect(await timeOf(made('cuda-rope', 'rope', 'cuda', both), device(), [ours])).toMatchObject(nothing);
    expect(await timeOf(made('k', 'rope', 'cuda', both), device(), [])).toMatchObject(nothing);
    expect(ours.calls).toEqual([]);
  });
});

test.each([
  ['command', device(), 'a command that offers no standard variant is compared with nothing: its device is not known'],
  ['onnxruntime', device({ device: 'webgpu' }), 'there are no unfused ops of ours for ONNX Runtime on webgpu'],
] as const)('a kernel of backend %s without anything to compare with says so', async (backend, on, note) => {
  expect(await timeOf(made('k', 'rope', backend, both), on)).toMatchObject({ fused_us: 10, standard_us: null, standard: null, note });
});

test('where tokens see each other, the longest prompt is what is timed', async () => {
  const kernel = made('k', 'attention', 'command', both);
  const time = await timeOf(kernel, device({ variants: ['fused', 'standard'] }), [], QKV);
  expect(time).toMatchObject({ tokens: 3, speedup: 4 });
  expect(kernel.calls[0]?.inputs['q']?.shape).toEqual([3, 2, 2]);
});

test('a kernel that fails gets no time, and the next one is timed', async () => {
  const broken = made('broken', 'rope', 'command', () => {
    throw new KernelError('was ended by SIGSEGV');
  });
  expect(await timeOf(broken, device())).toMatchObject({
    fused_us: null,
    timer: null,
    note: 'the timed call failed: was ended by SIGSEGV',
  });
});

test.each([
  ['model', ['fused', 'standard'], { fused: 2 / 10e-6, standard: 2 / 40e-6 }, null],
  [
    'model',
    ['fused'],
    { fused: 2 / 10e-6, standard: null },
    'a whole model is compared with its own standard variant only, and it offers none',
  ],
  ['generate', ['fused', 'standard'], { fused: 3 / 10e-6, standard: 3 / 40e-6 }, null],
] as const)('a kernel that is a whole model tells tokens per second: %s with %j', async (opName, variants, rate, note) => {
  const kernel: Kernel = {
    ...made('whole', opName, 'command', both),
    run: (call) => Promise.resolve({ outputs: { output_ids: zeros(3) }, time_us: both(call), violations: [] }),
  };
  const site = { ...siteOf('rope'), op: opName, weights: new Map() };
  const inputs = { input_ids: { data: Int32Array.of(1, 2), shape: [2] } };
  const context = { program: PROGRAM, dtype: 'bfloat16', sequence: { ids: [1, 2], segments: [{ start: 0, end: 2 }] }, unfused: [] };
  const on = device({ variants });
  const result = await measurePerformance(context as unknown as PerformanceContext, [{ kernel, device: on, site, inputs }]);
  expect(result.tokens_per_second).toEqual({
    fused: expect.closeTo(rate.fused, 3),
    standard: rate.standard === null ? null : expect.closeTo(rate.standard, 3),
  });
  expect(result.kernels[0]).toMatchObject({ tokens: 2, note });
});
