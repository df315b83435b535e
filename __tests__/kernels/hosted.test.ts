// Kernels in processes of ours, with processes that crash, hang and answer nonsense: INCONCLUSIVE with the cause, the next model gets a
// fresh process, and nothing is left running.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { hostedProcess } from '../../src/kernels/hosted.js';
import type { KernelCall } from '../../src/kernels/kernel.js';
import type { KernelManifest } from '../../src/kernels/manifest.js';
import { kernelProcesses, type ProcessOptions } from '../../src/kernels/processes.js';
import type { Report } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { scratch, shortModel } from '../support/models.js';
import { numericWithoutTimes } from '../support/report.js';
import { until } from '../support/waiting.js';
import { hostDouble, type HostDouble } from './host-double.js';
import { plant } from './planted/pen.js';

let root: { folder: string; remove: () => Promise<void> };
const engine = startEngine();
let cases = 0;
/** Three layers: what a kernel's process does is the same in all. */
let model: string;
beforeAll(async () => {
  root = await scratch();
  model = await shortModel('mistral-mini', root.folder, 'model', 3);
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const newDouble = (): HostDouble => hostDouble(join(root.folder, `host-${++cases}`));
const manifest = (name: string): KernelManifest => ({
  name,
  op: 'silu_mul',
  dtypes: ['bfloat16'],
  backend: 'onnxruntime',
  model: '/none.onnx',
});
const PATIENT = { start: 3_600_000, call: 3_600_000 };

function options({ url: host }: HostDouble): ProcessOptions {
  return { dtype: 'bfloat16', execution_provider: 'cpu', host, folder: root.folder, log: () => undefined, onSpawn: () => undefined };
}

const CALL: KernelCall = {
  inputs: { gate: { data: Float32Array.of(1, -1), shape: [1, 2] }, up: { data: Float32Array.of(2, 2), shape: [1, 2] } },
  attributes: {},
  dtype: 'bfloat16',
  variant: 'fused',
  repeat: 1,
};

/** A process that was killed is in /proc until its end was noticed. */
async function gone(double: HostDouble): Promise<void> {
  await until('the end of all its processes', () => double.gone());
}

describe('a process of a kernel', () => {
  test('answers, and ends when it is closed', async () => {
    const double = newDouble();
    const running = await hostedProcess(manifest('good'), options(double));
    expect(running.device).toEqual({ device: 'a double', gpu: false, variants: ['fused', 'standard'] });
    const { outputs } = await running.call(CALL);
    expect(outputs['y']?.shape).toEqual([1, 2]);
    expect(outputs['y']?.data[0]).toBe(1.4609375);
    expect(running.usable).toBe(true);
    expect(double.gone()).toBe(false);
    await running.close();
    await gone(double);
  });

  test('that does not end when it is asked to is ended', async () => {
    const double = newDouble();
    const running = await hostedProcess(manifest('stay'), options(double));
    await running.close();
    await gone(double);
  });

  test.each([
    ['crash-at-start', PATIENT, /^the kernel's process ended with exit code 7; its last words: no such driver$/],
    ['hang-at-start', { ...PATIENT, start: 1000 }, /^no answer within 1 s; the kernel was ended$/],
    ['nonsense-at-start', PATIENT, /an answer that makes no sense and was ended/],
    ['refuse', PATIENT, /^no such device here$/],
  ])('that cannot start is a KernelError with the cause: %s', async (name, timeouts, message) => {
    const double = newDouble();
    await expect(hostedProcess(manifest(name), options(double), timeouts)).rejects.toMatchObject({
      name: 'KernelError',
      message: expect.stringMatching(message),
    });
    await gone(double);
  });

  test.each([
    ['crash', PATIENT, /^the kernel's process was ended by SIGSEGV; its last words: illegal address \| at block 3$/],
    ['hang', { ...PATIENT, call: 1000 }, /^no answer within 1 s; the kernel was ended$/],
    ['null', PATIENT, /an answer that makes no sense/],
    ['text', PATIENT, /an answer that makes no sense/],
    ['no-outputs', PATIENT, /an answer that makes no sense/],
    ['lying-shape', PATIENT, /an answer that makes no sense/],
    ['other-id', PATIENT, /an answer that makes no sense/],
  ])('that breaks in a call is a KernelError with the cause, and of no use any more: %s', async (name, timeouts, message) => {
    const double = newDouble();
    const running = await hostedProcess(manifest(name), options(double), timeouts);
    await expect(running.call(CALL)).rejects.toMatchObject({ name: 'KernelError', message: expect.stringMatching(message) });
    expect(running.usable).toBe(false);
    await gone(double);
    await running.close();
  });

  test('that gives another shape is a KernelError, and can be called again', async () => {
    const running = await hostedProcess(manifest('short'), options(newDouble()));
    await expect(running.call(CALL)).rejects.toMatchObject({ message: 'output y has shape [1, 3]; it must be [1, 2]' });
    expect(running.usable).toBe(true);
    await running.close();
  });

  test('that answers twice is ended, and the next call gets another', async () => {
    const double = newDouble();
    const processes = kernelProcesses({ execution_provider: 'cpu', host: double.url, log: () => undefined });
    await processes.call(manifest('twice-once'), CALL);
    await gone(double);
    expect((await processes.call(manifest('twice-once'), CALL)).outputs['y']?.data[0]).toBe(1.4609375);
    expect(double.pids()).toHaveLength(2);
    await processes.close();
    await gone(double);
  });
});

async function checked(double: HostDouble, kernels: readonly string[], models: readonly string[]): Promise<Report> {
  const folder = join(root.folder, `kernels-${++cases}`);
  for (const name of kernels) await plant(folder, name, 'silu_mul', new Uint8Array(0));
  const prompts = [{ input_ids: [1, 5, 9, 30, 7] }];
  const overrides = { models, kernels: folder, prompts, jobs: 1, 'execution-provider': 'cpu' };
  const config = await loadConfig({ cwd: root.folder, overrides });
  const report = await check(config, { engine: { ...engine, host: double.url }, max_new_tokens: 0 });
  await gone(double);
  return report;
}

describe('in a run', () => {
  test.each(['crash', 'null', 'text', 'no-outputs', 'lying-shape', 'short', 'other-id', 'crash-at-start'])(
    'a kernel that does "%s" is INCONCLUSIVE, and the kernel beside it is judged',
    async (name) => {
      const [judged] = (await checked(newDouble(), [name, 'good'], [model])).models;
      expect(judged?.verdict).toBe('INCONCLUSIVE');
      expect(judged?.numeric?.kernels.map(({ kernel, status }) => [kernel, status])).toEqual(
        [
          [name, 'inconclusive'],
          ['good', 'pass'],
        ].sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      );
      expect(judged?.numeric?.performance?.kernels.map(({ kernel }) => kernel)).toEqual(['good']);
    },
  );

  test('a kernel that crashes on one model gets a fresh process for the next', async () => {
    const double = newDouble();
    const { models } = await checked(double, ['crash-twice'], [model, await shortModel('mistral-mini', root.folder, 'second', 3)]);
    expect(models.map(({ verdict }) => verdict)).toEqual(['INCONCLUSIVE', 'COMPATIBLE']);
    expect(models[0]?.reasons[0]?.message).toContain('was ended by SIGSEGV; its last words: illegal address');
    expect(double.pids()).toHaveLength(3);
  });

  test('a kernel that broke is not tried again at each site of the model', async () => {
    const double = newDouble();
    await checked(double, ['crash'], [model]);
    // Once free-running, once on the reference's inputs; the model has three sites.
    expect(double.pids().length).toBeLessThanOrEqual(2);
  });

  test('a crash while it is timed takes nothing away from the numeric result', async () => {
    const [sound] = (await checked(newDouble(), ['good'], [model])).models;
    const [judged] = (await checked(newDouble(), ['crash-when-timed'], [model])).models;
    expect(judged?.verdict).toBe('COMPATIBLE');
    const { performance, ...numeric } = judged?.numeric ?? {};
    const renamed = JSON.stringify(numeric).replaceAll('crash-when-timed', 'good');
    expect(JSON.parse(renamed)).toEqual({ ...sound?.numeric, performance: undefined });
    expect(performance?.kernels).toMatchObject([{ fused_us: null, standard_us: null, speedup: null, timer: null, standard: null }]);
    expect(performance?.kernels[0]?.note).toMatch(/^the timed call failed: the kernel's process was ended by SIGSEGV/);
  });

  test('the GPU that a kernel ran on is named in the report, and only then', async () => {
    expect((await checked(newDouble(), ['on-gpu', 'good'], [model])).host.gpu).toBe('a double');
    expect((await checked(newDouble(), ['good'], [model])).host.gpu).toBeNull();
  });
});

describe("a kernel's own standard variant", () => {
  test.each([
    ['good', 'COMPATIBLE', 'pass', 'pass', 'model_pass'],
    ['one-variant', 'COMPATIBLE', 'pass', null, 'model_pass'],
    ['both-off', 'IMPLEMENTATION_ISSUE', 'inconclusive', 'fail', 'standard_fail'],
    ['standard-off', 'IMPLEMENTATION_ISSUE', 'inconclusive', 'fail', 'standard_fail'],
    ['fused-off', 'INCOMPATIBLE', 'fail', 'pass', 'kernel_fail'],
    ['standard-fault', 'IMPLEMENTATION_ISSUE', 'inconclusive', 'fail', 'standard_fail'],
    ['standard-crash', 'COMPATIBLE', 'pass', 'inconclusive', 'model_pass'],
  ] as const)('%s: %s', async (name, verdict, fused, standard, code) => {
    const report = await checked(newDouble(), [name], [model]);
    const [judged] = report.models;
    const [kernel] = judged?.numeric?.kernels ?? [];
    expect({
      verdict: judged?.verdict,
      fused: kernel?.status,
      standard: kernel?.standard?.status ?? null,
      code: judged?.reasons[0]?.code,
    }).toEqual({
      verdict,
      fused,
      standard,
      code,
    });
    expect(report.gate).toBe(verdict === 'COMPATIBLE' ? 'pass' : 'fail');
  });

  test('that is wrong is named with place and number, beside what the fused one does', async () => {
    const of = async (name: string) => (await checked(newDouble(), [name], [model])).models[0];
    const both = await of('both-off');
    expect(both?.reasons[0]?.message).toMatch(
      /^Kernel both-off \(silu_mul\) could not be judged: its own standard variant already leaves the reference \(layer \d mlp\S*, output y: .*\); the fused one leaves the reference too/,
    );
    expect(both?.recommendations[0]).toMatch(
      /^Kernel both-off: bring its standard variant to what transformers computes for this model first/,
    );
    const alone = await of('standard-off');
    expect(alone?.reasons[0]?.message).toContain('the fused one stays within the noise of the reference');
    const fused = await of('fused-off');
    expect(fused?.reasons[0]?.message).toContain('its standard variant passes, so the fault is in the fused one');
  });

  test('is what the fused one is timed against', async () => {
    const [judged] = (await checked(newDouble(), ['good', 'one-variant'], [model])).models;
    expect(judged?.numeric?.performance?.kernels).toMatchObject([
      { kernel: 'good', layer: 1, tokens: 5, fused_us: 10, standard_us: 25, speedup: 2.5, timer: 'wall', standard: 'own', note: null },
      { kernel: 'one-variant', fused_us: 10, timer: 'wall', standard: 'unfused chain', note: null },
    ]);
    expect(judged?.numeric?.performance?.kernels[1]?.standard_us).toBeGreaterThan(0);
    expect(numericWithoutTimes(judged?.numeric ?? (null as never)).performance?.tokens_per_second).toBeNull();
  });
});
