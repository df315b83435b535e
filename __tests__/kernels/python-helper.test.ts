// kernels/python/fused_compat.py: its safetensors code against ours, and NumPy kernels behind it, right and wrong.

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { openFolder } from '../../src/hub/folder.js';
import type { ByteSource } from '../../src/hub/source.js';
import { commandProcess } from '../../src/kernels/command.js';
import { CONTRACTS } from '../../src/kernels/contracts.js';
import type { KernelCall } from '../../src/kernels/kernel.js';
import type { CommandManifest } from '../../src/kernels/manifest.js';
import type { KernelProcess } from '../../src/kernels/processes.js';
import type { KernelResult, ServingDtype } from '../../src/report/types.js';
import { readSafetensors } from '../../src/weights/safetensors.js';
import { roundToBfloat16, roundToFloat16 } from '../../src/weights/values.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';
import { startEngine } from '../support/engine.js';
import { scratch, shortModel } from '../support/models.js';
import { NUMPY_PYTHON, PYTHON, PYTHON_ENV } from './python.js';
import { allGone, newMark, NO_HURRY_S } from './speaker.js';

const KERNEL = fileURLToPath(new URL('fixtures/numpy_kernel.py', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../examples/kernels/numpy-rms-norm', import.meta.url));

const withPython = PYTHON === null ? describe.skip : describe;
const withNumPy = NUMPY_PYTHON === null ? describe.skip : describe;

let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(() => root.remove());

function python(program: string | null, code: string, ...args: string[]): string {
  return execFileSync(program ?? 'python3', ['-c', code, ...args], { env: { ...process.env, ...PYTHON_ENV }, encoding: 'utf8' });
}

withPython('its own reader and writer of safetensors', () => {
  test('read what ours wrote, and write what ours reads', async () => {
    const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => (first + 37 * i) % 256);
    const tensors = [
      { name: 'self_attn.q_proj.weight', dtype: 'BF16', shape: [2, 3], data: bytes(12, 1) },
      { name: 'é "quoted"', dtype: 'F16', shape: [5], data: bytes(10, 2) },
      { name: 'cos', dtype: 'F32', shape: [1, 2, 2], data: bytes(16, 3) },
      { name: 'input_ids', dtype: 'I64', shape: [2], data: bytes(16, 4) },
      { name: 'none', dtype: 'F32', shape: [0, 4], data: bytes(0, 5) },
      { name: 'scalar', dtype: 'F32', shape: [], data: bytes(4, 6) },
    ] as const;
    const [first, second] = [join(root.folder, 'first.safetensors'), join(root.folder, 'second.safetensors')];
    await writeSafetensors(first, tensors);
    python(PYTHON, 'import sys, fused_compat as f; f.write_safetensors(sys.argv[2], f.read_safetensors(sys.argv[1]))', first, second);
    const file = await readSafetensors((await (await openFolder(root.folder)).open('second.safetensors')) as ByteSource);
    try {
      for (const { name, dtype, shape, data } of tensors) {
        const read = file.tensors.get(name);
        expect(read).toMatchObject({ dtype, shape });
        expect([...(await file.read(read as never, 0, data.byteLength))]).toEqual([...data]);
      }
    } finally {
      await file.source.close();
    }
  });

  test('knows the outputs of every contract, in its order', () => {
    const outputs = JSON.parse(python(PYTHON, 'import json, fused_compat as f; print(json.dumps(f.OUTPUTS))')) as Record<string, string[]>;
    for (const [op, contract] of CONTRACTS) expect([op, outputs[op]]).toEqual([op, contract.outputs.map(({ name }) => name)]);
  });

  test('refuses an op or a variant that it does not know', () => {
    const refused = 'import fused_compat as f\ntry: f.kernel(%)\nexcept ValueError as e: print(e)';
    expect(python(PYTHON, refused.replace('%', '"rmsnorm"'))).toMatch(/^unknown op 'rmsnorm'; known are rms_norm, /);
    expect(python(PYTHON, refused.replace('%', '"rms_norm", "fast"'))).toMatch(/^unknown variant 'fast'; known are fused, standard/);
  });
});

withNumPy('a NumPy kernel', () => {
  let started: KernelProcess[] = [];
  let logged: string[] = [];
  const mark = newMark();
  afterEach(async () => {
    await Promise.all(started.map((each) => each.close()));
    started = [];
    logged = [];
    await allGone(mark);
  });

  function manifest(fault: string, changes: Partial<CommandManifest> = {}): CommandManifest {
    const env = { ...PYTHON_ENV, OWN_MARK: mark, ...changes.env };
    const command = [NUMPY_PYTHON ?? '', KERNEL, fault] as const;
    return {
      name: 'numpy',
      op: 'rms_norm',
      dtypes: ['bfloat16'],
      backend: 'command',
      command,
      cwd: root.folder,
      timeout_s: NO_HURRY_S,
      ...changes,
      env,
    };
  }

  async function start(fault: string, changes: Partial<CommandManifest> = {}, dtype: ServingDtype = 'bfloat16'): Promise<KernelProcess> {
    const folder = await mkdtemp(join(root.folder, 'files-'));
    const rest = { execution_provider: 'cpu', host: new URL('file:///not-used'), folder, onSpawn: () => undefined } as const;
    const kernel = await commandProcess(manifest(fault, changes), { ...rest, dtype, log: (line) => logged.push(line) });
    started.push(kernel);
    return kernel;
  }

  const X = { data: Float32Array.of(1, 2, -3, 4, 0.5, 0, 0, -0.5, 2, 2, 2, 2), shape: [3, 4] };
  const WEIGHT = { data: Float32Array.of(1, 1, 2, 0.5), shape: [4] };
  const CALL: KernelCall = {
    inputs: { x: X, weight: WEIGHT },
    attributes: { eps: 1e-6, weight_offset: 1 },
    dtype: 'bfloat16',
    variant: 'fused',
    repeat: 1,
  };

  test.each<[ServingDtype, (value: number) => number]>([
    ['bfloat16', (value) => (roundToBfloat16(Float32Array.of(value))[0] as number) << 16],
    ['float16', (value) => roundToFloat16(Float32Array.of(value))[0] as number],
    ['float32', (value) => new Int32Array(Float32Array.of(value).buffer)[0] as number],
  ])('gets and gives %s, contiguous and aligned', async (dtype, bits) => {
    const kernel = await start('aligned', { env: { OWN_DTYPE: dtype } }, dtype);
    expect(kernel.device.device).toMatch(/^CPU \(NumPy \d/);
    expect(kernel.device).toMatchObject({ gpu: false, variants: ['fused'] });
    const { outputs, violations } = await kernel.call({ ...CALL, dtype });
    expect([violations, outputs['y']?.shape]).toEqual([[], [3, 4]]);
    const scale = 1 / Math.sqrt(30 / 4 + 1e-6);
    const wanted = [1 * 2, 2 * 2, -3 * 3, 4 * 1.5].map((value) => bits(value * scale));
    expect([...(outputs['y']?.data ?? [])].slice(0, 4).map(bits)).toEqual(wanted);
  });

  test('may print: that goes to the log', async () => {
    const kernel = await start('none');
    await kernel.call(CALL);
    await kernel.close();
    expect(logged).toEqual(expect.arrayContaining(["kernel numpy: a print of the kernel's own", 'kernel numpy: a print of a child']));
  });

  test('is timed when it is asked to', async () => {
    const kernel = await start('none');
    expect((await kernel.call(CALL)).time_us).toBeNull();
    expect((await kernel.call({ ...CALL, repeat: 3 })).time_us).toBeGreaterThan(0);
  });

  test('may return a dict, of which the outputs are taken', async () => {
    expect(Object.keys((await (await start('returns-dict')).call(CALL)).outputs)).toEqual(['y']);
  });

  test('may return a tuple in the order of the op', async () => {
    const kernel = await start('in-order', { op: 'add_rms_norm' });
    const inputs = { ...CALL.inputs, residual: { data: Float32Array.from(X.data, () => 1), shape: X.shape } };
    const { outputs } = await kernel.call({ ...CALL, inputs, attributes: { eps: 0, weight_offset: 0 } });
    expect([...(outputs['residual_out']?.data ?? [])].slice(0, 4)).toEqual([2, 3, -2, 5]);
    expect(outputs['y']?.data[8]).toBe(1);
  });

  test.each([
    ['changes-input', 'inputs_unchanged', 'input x was changed (first at element 6)'],
    ['writes-before', 'guard_bands', 'memory before input weight was written (first 8 bytes before it)'],
    ['writes-after', 'guard_bands', 'memory after input x was written (first 0 bytes after its end)'],
    ['unwritten-rows', 'outputs_written', 'row 2 of y: 4 of 12 elements were not written'],
  ])('that does wrong on the side (%s) is found out', async (fault, wrong, detail) => {
    const kernel = await start(fault);
    for (let i = 0; i < 2; i++) {
      const { violations } = await kernel.call(CALL);
      expect(violations).toEqual([{ check: wrong, detail }]);
    }
  });

  test.each([
    ['raises', /^ValueError: no tile for H = 4 \| numpy_kernel\.py:\d+: raise ValueError\("no tile for H = %d" % x\.shape\[-1\]\)$/],
    ['memory', /^out of memory on CPU \(NumPy [^)]*\): MemoryError: tried to allocate 3 EiB \| numpy_kernel\.py:\d+: raise MemoryError/],
    ['returns-list', /^output y is a list, not a NumPy array$/],
    ['returns-two', /^the function returned 2 values; rms_norm gives y$/],
    ['returns-float64', /^output y has dtype float64; it must be float32$/],
    ['returns-other-dict', /^the function's dict has no y; rms_norm gives y$/],
  ])('that gives no answer (%s) says why, and goes on', async (fault, message) => {
    const kernel = await start(fault);
    await expect(kernel.call(CALL)).rejects.toThrow(message);
    await expect(kernel.call(CALL)).rejects.toThrow(message);
    expect(kernel.usable).toBe(true);
  });

  test('that ends the process is told with its last words', async () => {
    const kernel = await start('exits');
    await expect(kernel.call(CALL)).rejects.toThrow(/^its process ended with exit code 1; its last words: .*enough$/);
  });

  test('that has no place for an input is not called without it', async () => {
    const kernel = await start('none', { op: 'linear' });
    const inputs = { x: { data: Float32Array.of(1, 2), shape: [1, 2] }, weight: { data: Float32Array.of(3, 4), shape: [1, 2] } };
    expect((await kernel.call({ ...CALL, attributes: {}, inputs })).outputs['y']?.data[0]).toBe(11);
    const biased = { ...inputs, bias: { data: Float32Array.of(1), shape: [1] } };
    await expect(kernel.call({ ...CALL, attributes: {}, inputs: biased })).rejects.toThrow(
      'linear does not take bias, input of linear here',
    );
  });

  test('that asks for what its op has not says what there is', async () => {
    const kernel = await start('missing-parameter', { op: 'silu_mul' });
    const gate = { data: Float32Array.of(1), shape: [1, 1] };
    await expect(kernel.call({ ...CALL, attributes: {}, inputs: { gate, up: gate } })).rejects.toThrow(
      'parameter beta of silu_mul is no input or attribute of silu_mul here; there are: gate, up',
    );
  });

  test('rounds to bfloat16 as we do, NaN, infinities and ties included', () => {
    const values = new Float32Array(4096);
    const bits = new Uint32Array(values.buffer);
    let state = 1;
    for (let i = 0; i < bits.length; i++) bits[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    for (let i = 0; i < 1024; i++) bits[i] = ((bits[i] as number) & 0xffff0000) | 0x8000;
    bits.set([0x7f800000, 0xff800000, 0x7f7fffff, 0x7fc00000, 0x7f800001, 0xffffffff, 0], 2000);
    const code = [
      'import sys, numpy as np, fused_compat as f',
      "values = np.frombuffer(bytes.fromhex(sys.argv[1]), dtype='<u4').view(np.float32)",
      'print(f._NumPy().bfloat16_bits(values).tobytes().hex())',
    ].join('\n');
    const rounded = Buffer.from(python(NUMPY_PYTHON, code, Buffer.from(values.buffer).toString('hex')).trim(), 'hex');
    const ours = roundToBfloat16(values);
    const isNaN = (word: number) => (word & 0x7fff) > 0x7f80;
    for (let i = 0; i < ours.length; i++) {
      const [theirs, own] = [rounded.readUInt16LE(2 * i), ours[i] as number];
      expect(isNaN(theirs) && isNaN(own) ? own : theirs).toBe(own);
    }
  });
});

withNumPy('through the gate', () => {
  const engine = startEngine();
  let short: string;
  beforeAll(async () => {
    short = await shortModel('mistral-mini', root.folder, 'model', 3);
  });
  afterAll(() => engine.close());

  async function judged(kernels: string, dtype: ServingDtype): Promise<{ verdict: string; kernels: readonly KernelResult[] }> {
    const prompts = [{ input_ids: [1, 5, 9, 30, 7, 2, 44] }];
    const overrides = { models: [short], kernels, prompts, dtype };
    const [model] = (await check(await loadConfig({ cwd: root.folder, overrides }), { engine, max_new_tokens: 0 })).models;
    return { verdict: model?.verdict ?? '', kernels: model?.numeric?.kernels ?? [] };
  }

  async function planted(fault: string): Promise<string> {
    const folder = await mkdtemp(join(root.folder, 'kernels-'));
    await mkdir(join(folder, 'numpy'));
    const command = [NUMPY_PYTHON, KERNEL, fault];
    const manifest = {
      name: 'numpy',
      op: 'rms_norm',
      dtypes: ['bfloat16', 'float16', 'float32'],
      backend: 'command',
      command,
      env: PYTHON_ENV,
    };
    await writeFile(join(folder, 'numpy', 'kernel.json'), JSON.stringify(manifest));
    return folder;
  }

  test.each<ServingDtype>(['bfloat16', 'float16', 'float32'])('the example passes in %s', async (dtype) => {
    const manifest = JSON.parse(await readFile(join(EXAMPLE, 'kernel.json'), 'utf8')) as { command: string[] };
    expect(manifest.command).toEqual(['python3', 'rms_norm.py']);
    const path = process.env['PATH'];
    // Where python3 itself has no NumPy, the one that has it comes first.
    if (NUMPY_PYTHON?.startsWith('/') === true) process.env['PATH'] = `/usr/bin:${path ?? ''}`;
    try {
      const { verdict, kernels } = await judged(EXAMPLE, dtype);
      expect([verdict, kernels.length]).toEqual(['COMPATIBLE', 1]);
      expect(kernels[0]).toMatchObject({ kernel: 'numpy-rms-norm', backend: 'command', status: 'pass' });
      expect(kernels[0]?.device).toMatch(/^CPU \(NumPy/);
      expect(kernels[0]?.sites).toBeGreaterThan(0);
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('a kernel that is 1 % too large fails', async () => {
    const { verdict, kernels } = await judged(await planted('scale'), 'bfloat16');
    expect([verdict, kernels[0]?.status]).toEqual(['INCOMPATIBLE', 'fail']);
  });

  test('a kernel that changes its input fails, whatever its numbers say', async () => {
    const { verdict, kernels } = await judged(await planted('writes-after'), 'bfloat16');
    expect([verdict, kernels[0]?.status]).toEqual(['INCOMPATIBLE', 'fail']);
    expect(kernels[0]?.detail).toMatch(/memory after input x was written/);
  });

  test('a kernel that raises is INCONCLUSIVE with its message', async () => {
    const { verdict, kernels } = await judged(await planted('raises'), 'bfloat16');
    expect([verdict, kernels[0]?.status]).toEqual(['INCONCLUSIVE', 'inconclusive']);
    expect(kernels[0]?.detail).toMatch(/ValueError: no tile for H = 64 \| numpy_kernel\.py/);
  });
});
