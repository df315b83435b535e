// Backend `cuda` over the real koffi in the real host process, on a stand-in for the driver in C (fake-libcuda.c): everything but the GPU.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../../src/config/load.js';
import { check } from '../../../src/gate.js';
import { hostedProcess } from '../../../src/kernels/hosted.js';
import type { KernelAnswer, KernelCall } from '../../../src/kernels/kernel.js';
import type { CudaManifest } from '../../../src/kernels/manifest.js';
import { kernelProcesses, type KernelProcess } from '../../../src/kernels/processes.js';
import type { ModelReport } from '../../../src/report/types.js';
import { startEngine } from '../../support/engine.js';
import { shortModel, scratch } from '../../support/models.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SETTINGS = [
  'LD_LIBRARY_PATH',
  'CUDA_HOME',
  'CUDA_PATH',
  'CUDA_VISIBLE_DEVICES',
  'FAKE_DEVICES',
  'FAKE_MEMORY',
  'FAKE_CAPABILITY',
  'FAKE_LOG',
];

const engine = startEngine();
let root: { folder: string; remove: () => Promise<void> };
/** Folders for LD_LIBRARY_PATH. */
let driver: string;
let nvrtc: string;
let log: string;

/** Needs cc, as every CI machine has it; without one this fails and says so. */
function compileLibrary(source: string, library: string): void {
  execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', library, join(HERE, source), '-lm'], { stdio: 'inherit' });
}

beforeAll(async () => {
  root = await scratch();
  driver = join(root.folder, 'driver');
  nvrtc = join(root.folder, 'nvrtc');
  log = join(root.folder, 'log');
  for (const folder of [driver, nvrtc]) mkdirSync(folder);
  compileLibrary('fake-libcuda.c', join(driver, 'libcuda.so.1'));
  compileLibrary('fake-libnvrtc.c', join(nvrtc, 'libnvrtc.so.12'));
});
afterAll(async () => {
  await engine.close();
  await root.remove();
  settings({});
});
beforeEach(() => {
  rmSync(log, { force: true });
  settings({ LD_LIBRARY_PATH: driver, FAKE_LOG: log });
});

/** The host process is started with this environment. */
function settings(values: Readonly<Record<string, string>>): void {
  for (const name of SETTINGS) {
    if (values[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = values[name];
  }
}

function logged(line: RegExp): number {
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((each) => line.test(each)).length;
}

let files = 0;
function file(content: string, extension = 'ptx'): string {
  const path = join(root.folder, `kernel-${++files}.${extension}`);
  writeFileSync(path, content);
  return path;
}

const ENTRIES = [
  'good',
  'tail',
  'half_rows',
  'nothing',
  'past_end',
  'overrun',
  'underrun',
  'in_place',
  'illegal',
  'illegal_when_long',
  'crash',
  'hang',
];

function ptx(...entries: string[]): string {
  const all = [...ENTRIES, 'many_registers', 'own_shared', 'linear_null', 'rope_scalars', ...entries];
  return `.version 8.0\n.target sm_80\n${all.map((name) => `.visible .entry ${name}(\n`).join('')}`;
}

function manifest(changes: Partial<CudaManifest> = {}): CudaManifest {
  return {
    name: 'k',
    op: 'rms_norm',
    dtypes: ['bfloat16'],
    backend: 'cuda',
    ptx: file(ptx()),
    entry: 'good',
    grid: 'T',
    block: 128,
    args: ['x', 'weight', 'y', 'T:i32', 'H:i32', 'eps:f32'],
    ...changes,
  };
}

/** Quarters, which bfloat16 holds. */
function tensor(...shape: number[]) {
  const length = shape.reduce((a, b) => a * b, 1);
  return { data: Float32Array.from({ length }, (_, i) => (((i * 7) % 23) - 11) / 4), shape };
}

const H = 24;

function normCall(T: number, changes: Partial<KernelCall> = {}): KernelCall {
  const inputs = { x: tensor(T, H), weight: tensor(H) };
  return { inputs, attributes: { eps: 1e-5, weight_offset: 0 }, dtype: 'bfloat16', variant: 'fused', repeat: 1, ...changes };
}

async function started(kernel: CudaManifest): Promise<KernelProcess> {
  return hostedProcess(kernel, {
    dtype: 'bfloat16',
    execution_provider: 'cpu',
    host: engine.host,
    folder: root.folder,
    log: () => undefined,
    onSpawn: () => undefined,
  });
}

/** Starts, calls once, ends. */
async function called(kernel: CudaManifest, call: KernelCall = normCall(13)): Promise<KernelAnswer> {
  const running = await started(kernel);
  try {
    return await running.call(call);
  } finally {
    running.kill();
  }
}

async function refusal(what: Promise<unknown>): Promise<string> {
  try {
    await what;
  } catch (error) {
    expect((error as Error).name).toBe('KernelError');
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

async function violations(entry: string, call = normCall(13)): Promise<string[]> {
  return (await called(manifest({ entry }), call)).violations.map(({ check: name, detail }) => `${name}: ${detail}`);
}

describe('a kernel on the device', () => {
  test('gives its outputs in the serving dtype, and the device by name', async () => {
    const running = await started(manifest());
    expect(running.device).toMatchObject({ device: 'Fake H200 (sm_90, driver CUDA 12.4)', gpu: true, variants: ['fused'] });
    const { outputs, violations: found, time_us } = await running.call(normCall(13));
    running.kill();
    expect({ found, time_us, shape: outputs['y']?.shape }).toEqual({ found: [], time_us: null, shape: [13, H] });
    const x = tensor(13, H).data;
    const rows = Array.from({ length: 13 }, (_, row) => x.slice(row * H, (row + 1) * H));
    const expected = rows.flatMap((row) => {
      const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / H + 1e-5);
      return [...row].map((value, i) => value * scale * (tensor(H).data[i] as number));
    });
    // Two roundings to 8 bits.
    for (const [i, value] of [...(outputs['y']?.data ?? [])].entries())
      expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(Math.abs(expected[i] as number) / 128);
  });

  test('is the first that CUDA_VISIBLE_DEVICES leaves, and the report says of how many', async () => {
    settings({ LD_LIBRARY_PATH: driver, FAKE_DEVICES: '3' });
    const running = await started(manifest());
    running.kill();
    expect(running.device.device).toBe('Fake H200 (sm_90, driver CUDA 12.4, device 0 of 3)');
  });

  test('takes no new memory for calls of the same shapes, and a call after a smaller one is whole', async () => {
    const running = await started(manifest());
    const first = await running.call(normCall(13));
    await running.call(normCall(13));
    expect(logged(/^allocation/)).toBe(3);
    await running.call(normCall(5));
    const again = await running.call(normCall(13));
    running.kill();
    expect(again).toEqual(first);
  });

  test('is timed by events: the median of the repeats, in microseconds', async () => {
    expect((await called(manifest(), normCall(13, { repeat: 5 }))).time_us).toBeCloseTo(3, 3);
  });

  test('gets every type of scalar, float32 tables and outputs apart from the inputs of their names', async () => {
    const inputs = { q: tensor(5, 2, 4), k: tensor(5, 1, 4), cos: tensor(5, 2), sin: tensor(5, 2) };
    inputs.cos.data[1] = 0.3;
    const { outputs } = await called(
      manifest({
        op: 'rope',
        entry: 'rope_scalars',
        args: ['q', 'k', 'cos', 'sin', 'out_q', 'out_k', 'layout:i32', 'rotary_dim:u32', 'T:i64', 'Nq:u64', 'Nkv:f32', 'D:f64'],
      }),
      { ...normCall(5), inputs, attributes: { layout: 'interleaved', rotary_dim: 4 } },
    );
    expect([...(outputs['q']?.data ?? [])].slice(0, 4)).toEqual([1, 4, 5, 0.30078125]);
    expect([...(outputs['k']?.data ?? [])].slice(0, 4)).toEqual([2, 1, 4, inputs.k.data[3]]);
  });

  test('gets a null pointer for a tensor that the model does not have, and is refused where it has no place for one', async () => {
    const linear = manifest({ op: 'linear', entry: 'linear_null', args: ['x', 'weight', 'bias', 'y'] });
    const inputs = { x: tensor(1, 4), weight: tensor(1, 4) };
    const first = async (kernel: CudaManifest, given: KernelCall['inputs']) =>
      (await called(kernel, { ...normCall(1), inputs: given, attributes: {} })).outputs['y']?.data[0];
    expect(await first(linear, inputs)).toBe(1);
    expect(await first(linear, { ...inputs, bias: tensor(1) })).toBe(2);
    expect(await refusal(first({ ...linear, args: ['x', 'weight', 'y'] }, { ...inputs, bias: tensor(1) }))).toContain(
      'the model has bias here',
    );
  });
});

describe('what a kernel does wrong', () => {
  test.each([
    ['tail', ['outputs_written: rows 8 to 12 of y were not written for T = 13']],
    ['half_rows', ['outputs_written: 8 elements in rows 1 to 2 of y were not written for T = 13 (first: element 20 of row 1)']],
    ['nothing', ['outputs_written: y was not written at all for T = 13']],
    ['overrun', ['guard_bands: memory after output y was overwritten (the first is 6 bytes behind its end)']],
    ['underrun', ['guard_bands: memory before input x was overwritten (the nearest is 9 bytes before its start)']],
    ['in_place', ['inputs_unchanged: input x was changed (first at element 17)']],
    ['good', []],
  ])('is seen: %s', async (entry, expected) => {
    expect(await violations(entry)).toEqual(expected);
  });

  test('shows in the result when it reads past the end', async () => {
    const { outputs } = await called(manifest({ entry: 'past_end' }));
    expect([...(outputs['y']?.data ?? [])].filter(Number.isNaN)).toHaveLength(H);
  });

  test('on one model leaves a fresh process for the next', async () => {
    const kernel = manifest({ entry: 'illegal_when_long' });
    const processes = kernelProcesses({ execution_provider: 'cpu', host: engine.host, log: () => undefined });
    expect(await refusal(processes.call(kernel, normCall(13)))).toBe(
      'the kernel failed (CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered)',
    );
    expect((await processes.call(kernel, normCall(5))).violations).toEqual([]);
    await processes.call(kernel, normCall(5));
    await processes.close();
    expect(logged(/^init$/)).toBe(2);
  });

  test('and takes its process along is told by the signal', async () => {
    expect(await refusal(called(manifest({ entry: 'crash' })))).toContain("the kernel's process was ended by SIGABRT");
  });

  test('and never ends does not outlive the run', async () => {
    const running = await started(manifest({ entry: 'hang' }));
    const call = refusal(running.call(normCall(13)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await running.close();
    // By itself: nobody had to kill it.
    expect(await call).toContain("the kernel's process ended with exit code 0");
  });
});

describe('a launch that cannot be', () => {
  test.each<[string, Partial<CudaManifest>, RegExp]>([
    ['no blocks', { grid: 'T / 64' }, /^grid\.x \(T \/ 64\) is 0 for T = 13, H = 24; it must be from 1 to 2147483647$/],
    ['too many threads', { block: [64, 'T * 2'] }, /^block is 64 × 26 × 1 = 1664 threads/],
    ['too many registers', { entry: 'many_registers', block: 512 }, /allow 256$/],
    [
      'too much shared memory',
      { entry: 'own_shared', shared_bytes: 232_000 },
      /the device has 231424 bytes for a block beside the kernel's own 1024$/,
    ],
  ])('is refused by its number: %s', async (_, changes, message) => {
    expect(await refusal(called(manifest(changes)))).toMatch(message);
  });

  test('for want of memory says how much was wanted and is free, and a smaller call still works', async () => {
    settings({ LD_LIBRARY_PATH: driver, FAKE_MEMORY: '60000', FAKE_LOG: log });
    const running = await started(manifest());
    const bytes = 2000 * H * 2 + 2 * 4096;
    expect(await refusal(running.call(normCall(2000)))).toBe(
      `out of GPU memory: input x needs ${bytes} bytes, 60000 are free (${Math.ceil(bytes / 256) * 256} bytes of GPU memory were refused (CUDA_ERROR_OUT_OF_MEMORY: it is wrong))`,
    );
    expect(running.usable).toBe(true);
    expect((await running.call(normCall(13))).violations).toEqual([]);
    running.kill();
  });

  test('with dynamic shared memory beyond 48 KiB is asked for and works', async () => {
    expect((await called(manifest({ shared_bytes: 100_000 }))).violations).toEqual([]);
  });
});

describe('a module that does not load', () => {
  test.each<[string, () => Partial<CudaManifest>, RegExp]>([
    [
      'PTX for a newer GPU',
      () => ({ ptx: file(ptx().replace('sm_80', 'sm_100')) }),
      /^"kernel-\d+\.ptx": made for sm_100, newer than the device's sm_90: compile with -arch=compute_90 or lower \(.*CUDA_ERROR_INVALID_PTX/,
    ],
    [
      'a newer PTX version',
      () => ({ ptx: file(ptx().replace('8.0', '9.1')) }),
      /PTX version 9\.1 is newer than the driver \(CUDA 12\.4\) knows: update the driver, or compile with CUDA 12\.4 or older \(.*UNSUPPORTED_PTX_VERSION/,
    ],
    [
      'PTX that is broken',
      () => ({ ptx: file(`${ptx()}broken`) }),
      /the driver does not take it as PTX.*the driver's compiler says: ptxas line 3: syntax error near 'broken' \| ptxas fatal: aborted\)$/,
    ],
    [
      'no PTX',
      () => ({ ptx: file('hello') }),
      /the driver does not take it as PTX; compile it with nvcc -ptx \(.*CUDA_ERROR_INVALID_IMAGE/,
    ],
    ['an empty file', () => ({ ptx: file('') }), /the driver does not take it as PTX/],
    [
      'a cubin for another GPU',
      () => ({ ptx: undefined, cubin: file('cubin for another', 'cubin') }),
      /it has no code for sm_90: compile for sm_90, or ship PTX \(.*CUDA_ERROR_NO_BINARY_FOR_GPU/,
    ],
    ['a fatbin that is none', () => ({ ptx: undefined, fatbin: file('x', 'fatbin') }), /"kernel-\d+\.fatbin" is no CUDA fatbin/],
    [
      'another entry',
      () => ({ entry: 'else' }),
      /^"kernel-\d+\.ptx" has no function else \(.*CUDA_ERROR_NOT_FOUND.*\); declare it as extern "C" __global__$/,
    ],
    ['a file that is gone', () => ({ ptx: join(root.folder, 'gone.ptx') }), /^"gone\.ptx": it cannot be read \(ENOENT\)$/],
  ])('says why and what to do: %s', async (_, changes, message) => {
    expect(await refusal(started(manifest(changes())))).toMatch(message);
  });

  test('gives way to the next: cubin, then PTX', async () => {
    const { violations: found } = await called(manifest({ cubin: file('cubin for another', 'cubin') }));
    expect(found).toEqual([]);
  });
});

describe('CUDA source', () => {
  const source = (text = 'extern "C" __global__ void good(const bf16 *x) {}') => file(text, 'cu');

  test('is compiled by NVRTC for the device, where PTX does not load', async () => {
    settings({ LD_LIBRARY_PATH: `${driver}:${nvrtc}` });
    const newer = file(ptx().replace('sm_80', 'sm_100'));
    expect((await called(manifest({ ptx: newer, source: source() }))).violations).toEqual([]);
    expect((await called(manifest({ ptx: undefined, source: source() }))).violations).toEqual([]);
  });

  test.each([
    ['90', '--gpu-architecture=sm_90'],
    ['103', '--gpu-architecture=compute_90'],
    ['86', '--gpu-architecture=compute_80'],
  ])('is compiled for capability %s with %s, and finds its headers', async (capability, option) => {
    const home = join(root.folder, 'home');
    mkdirSync(join(home, 'include'), { recursive: true });
    writeFileSync(join(home, 'include', 'cuda_fp16.h'), '');
    settings({ LD_LIBRARY_PATH: `${driver}:${nvrtc}`, FAKE_CAPABILITY: capability, CUDA_HOME: home });
    const said = await refusal(started(manifest({ ptx: undefined, source: source('show options') })));
    expect(said).toContain(`${option} | --std=c++17 | -I${root.folder} | -I${home}/include`);
  });

  test('that does not compile is refused with the first lines of the log, made harmless', async () => {
    settings({ LD_LIBRARY_PATH: `${driver}:${nvrtc}` });
    const said = await refusal(started(manifest({ ptx: undefined, source: source('syntax error') })));
    expect(said).toMatch(
      /^"kernel-\d+\.cu": NVRTC 12\.4 does not compile it for sm_90: kernel\.cu\(1\): error: .* \| kernel\.cu\(10\): error: [^|]* \| \.\.\.$/,
    );
    expect(said).not.toContain('\u001b');
  });

  test('without NVRTC asks for PTX, beside what was wrong with the PTX that there is', async () => {
    const newer = file(ptx().replace('sm_80', 'sm_100'));
    const said = await refusal(started(manifest({ ptx: newer, source: source() })));
    expect(said).toMatch(
      /^"kernel-\d+\.ptx": made for sm_100, .*; "kernel-\d+\.cu": NVRTC \(libnvrtc\.so\) cannot be loaded.*: ship PTX, or install NVRTC \(cuda-nvrtc\)$/,
    );
  });
});

describe('check', () => {
  let short: string;
  beforeAll(async () => {
    short = await shortModel('tinyllama-mini', root.folder, 'short', 3);
  });

  /** A folder of kernels on the fake device, and one of ONNX Runtime's own. */
  function kernels(...entries: string[]): string {
    const folder = join(root.folder, `kernels-${++files}`);
    for (const entry of entries) {
      mkdirSync(join(folder, entry), { recursive: true });
      writeFileSync(join(folder, entry, 'k.ptx'), ptx());
      writeFileSync(join(folder, entry, 'kernel.json'), JSON.stringify({ ...manifest({ entry, name: entry }), ptx: 'k.ptx' }));
    }
    mkdirSync(join(folder, 'ort'));
    const ort = { name: 'ort', op: 'rms_norm', dtypes: ['bfloat16'], backend: 'onnxruntime', operator: 'SimplifiedLayerNormalization' };
    if (entries.length < 2) writeFileSync(join(folder, 'ort', 'kernel.json'), JSON.stringify(ort));
    return folder;
  }

  async function judged(folder: string, overrides: Record<string, unknown> = {}): Promise<ModelReport> {
    const prompts = [{ input_ids: Array.from({ length: 13 }, (_, i) => i + 5) }];
    const config = await loadConfig({
      cwd: root.folder,
      overrides: { models: [short], kernels: folder, prompts, ...overrides },
    });
    return (await check(config, { engine, max_new_tokens: 0 })).models[0] as ModelReport;
  }

  const statuses = ({ numeric }: ModelReport) =>
    Object.fromEntries((numeric?.kernels ?? []).map(({ kernel, status, detail, device }) => [kernel, { status, detail, device }]));

  test('judges others beside a kernel that fails on the device, by name', async () => {
    const found = statuses(await judged(kernels('illegal')));
    expect(found['illegal']).toMatchObject({ status: 'inconclusive', detail: expect.stringContaining('CUDA_ERROR_ILLEGAL_ADDRESS') });
    expect(found['ort']?.status).toBe('pass');
  });

  test('without a driver names the cause, judges the other kernel and is INCONCLUSIVE', async () => {
    // The loader stops at a file of that name that is no library, also on machines that have a driver.
    const none = join(root.folder, 'none');
    mkdirSync(none, { recursive: true });
    writeFileSync(join(none, 'libcuda.so.1'), 'no library');
    settings({ LD_LIBRARY_PATH: none });
    const report = await judged(kernels('good'));
    expect(report.verdict).toBe('INCONCLUSIVE');
    const found = statuses(report);
    expect(found['good']?.status).toBe('inconclusive');
    expect(found['good']?.detail).toMatch(/libcuda\.so\.1 cannot be loaded \(.+\): run on a machine with an NVIDIA GPU and its driver$/);
    expect(found['ort']?.status).toBe('pass');
  });

  test('with a driver and no device says so', async () => {
    settings({ LD_LIBRARY_PATH: driver, FAKE_DEVICES: '0', CUDA_VISIBLE_DEVICES: '-1' });
    const { detail } = statuses(await judged(kernels('good')))['good'] ?? {};
    expect(detail).toMatch(
      /CUDA_ERROR_NO_DEVICE.*CUDA_VISIBLE_DEVICES is "-1": run on a machine with an NVIDIA GPU that this process may use$/,
    );
  });

  test('with require-gpu passes a right kernel, and fails one whose backend saw what it did', async () => {
    const found = statuses(await judged(kernels('good', 'tail'), { 'require-gpu': true }));
    expect(found['good']).toMatchObject({ status: 'pass', device: 'Fake H200 (sm_90, driver CUDA 12.4)' });
    expect(found['tail']).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('rows 8 to 12 of y were not written for T = 13'),
    });
  });

  test('with require-gpu is INCONCLUSIVE where a kernel beside it runs on the CPU', async () => {
    expect((await judged(kernels('good'), { 'require-gpu': true })).verdict).toBe('INCONCLUSIVE');
  });
});
