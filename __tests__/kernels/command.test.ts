// Backend `command` with real processes: a program that keeps to the protocol, and every way not to.

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandProcess } from '../../src/kernels/command.js';
import type { KernelCall } from '../../src/kernels/kernel.js';
import type { CommandManifest } from '../../src/kernels/manifest.js';
import type { KernelProcess } from '../../src/kernels/processes.js';
import { scratch } from '../support/models.js';
import { until } from '../support/waiting.js';
import { allGone, inItsTime, newMark, running, speaker } from './speaker.js';

let root: { folder: string; remove: () => Promise<void> };
let folder: string;
let logged: string[] = [];
let started: KernelProcess[] = [];
const mark = newMark();

beforeAll(async () => {
  root = await scratch();
  await writeFile(join(root.folder, 'plain.txt'), 'no program');
});
afterEach(async () => {
  await Promise.all(started.map((each) => each.close()));
  started = [];
  logged = [];
  await allGone(mark);
  expect(await readdir(folder)).toEqual([]);
});
afterAll(() => root.remove());

async function start(fault: string, changes: Partial<CommandManifest> = {}): Promise<KernelProcess> {
  folder = await mkdtemp(join(root.folder, 'files-'));
  const host = new URL('file:///not-used');
  const onSpawn = () => undefined;
  const options = {
    dtype: 'bfloat16',
    execution_provider: 'cpu',
    host,
    folder,
    log: (line: string) => logged.push(line),
    onSpawn,
  } as const;
  const running = await commandProcess({ ...speaker(fault, root.folder, mark), ...changes }, options);
  started.push(running);
  return running;
}

/** One that soon waited long enough for an answer. */
function startHasty(fault: string): Promise<KernelProcess> {
  return inItsTime((timeout_s) =>
    start(fault, { timeout_s }).catch((error: unknown) => {
      if ((error as Error).message.startsWith('it was not ready within')) return null;
      throw error;
    }),
  );
}

const X = { data: Float32Array.of(1, 2, -3, 4, 0.5, 0, 0, -0.5), shape: [2, 4] };
const WEIGHT = { data: Float32Array.of(1, 1, 2, 0.5), shape: [4] };
const CALL: KernelCall = {
  inputs: { x: X, weight: WEIGHT },
  attributes: { eps: 0, weight_offset: 0 },
  dtype: 'bfloat16',
  variant: 'fused',
  repeat: 1,
};
/** By hand: the rows' root mean squares are sqrt(30/4) and sqrt(0.125); in bfloat16. */
const Y = [0.365234375, 0.73046875, -2.1875, 0.73046875, 1.4140625, 0, 0, -0.70703125];

describe('a program that keeps to the protocol', () => {
  test('is greeted, called as often as wanted, and gives what it computed', async () => {
    const kernel = await start('none');
    expect(kernel.device).toEqual({ device: 'CPU (Node)', gpu: false, variants: ['fused', 'standard'] });
    for (let i = 0; i < 3; i++) {
      const { outputs, time_us, violations } = await kernel.call(CALL);
      expect([Object.keys(outputs), outputs['y']?.shape, [...(outputs['y']?.data ?? [])]]).toEqual([['y'], [2, 4], Y]);
      expect([time_us, violations]).toEqual([null, []]);
      expect((await readdir(folder)).length).toBe(1);
      expect(await readdir(join(folder, (await readdir(folder))[0] as string))).toEqual([]);
    }
    expect(kernel.usable).toBe(true);
  });

  test('runs in the folder of its manifest and hears protocol and dtype', async () => {
    expect((await start('greeting')).device.device).toBe(`1 bfloat16 ${root.folder}`);
  });

  test('gets the environment of the manifest and no secret of the job', async () => {
    const secrets = ['GITHUB_TOKEN', 'INPUT_HF-TOKEN', 'HF_TOKEN', 'ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'GITHUB_ENV'];
    const before = { ...process.env };
    for (const name of [...secrets, 'GITHUB_SHA']) process.env[name] = 'x';
    try {
      const names = (await start('environment', { env: { OWN_MARK: mark, OWN_PATH: '/x' } })).device.device.replace(/\.$/, '').split(',');
      expect(names).toEqual(expect.arrayContaining(['OWN_MARK', 'OWN_PATH', 'GITHUB_SHA']));
      expect(names.filter((name) => secrets.includes(name))).toEqual([]);
    } finally {
      process.env = before;
    }
  });

  test('may name a GPU, time its calls and report what its kernel did', async () => {
    expect((await start('gpu')).device).toEqual({ device: 'NVIDIA H200', gpu: true, variants: ['fused'] });
    expect((await (await start('times')).call({ ...CALL, variant: 'standard', repeat: 5 })).time_us).toBe(20);
    const { violations } = await (await start('violates')).call(CALL);
    expect(violations).toEqual([{ check: 'guard_bands', detail: 'before input x' }]);
  });

  test('may give more tensors than its op has, which are left alone', async () => {
    const { outputs } = await (await start('extra-output')).call(CALL);
    expect(Object.keys(outputs)).toEqual(['y']);
  });

  test('may give NaN: that is for the comparison to judge', async () => {
    const { outputs } = await (await start('nan')).call(CALL);
    expect(outputs['y']?.data[3]).toBeNaN();
  });

  test('may flood stderr, of which only the first lines are logged', async () => {
    const kernel = await start('floods-stderr-and-answers');
    expect((await kernel.call(CALL)).outputs['y']?.data[0]).toBe(Y[0]);
    await kernel.close();
    expect(logged.length).toBe(201);
    expect(logged[0]).toMatch(/^kernel speaker: noise noise/);
    expect(logged[200]).toBe('kernel speaker: what it printed after 200 lines is not shown');
  });

  test('is not called for a variant that it has not', async () => {
    const kernel = await start('gpu');
    await expect(kernel.call({ ...CALL, variant: 'standard' })).rejects.toThrow('it has no variant standard');
    expect(kernel.usable).toBe(true);
  });
});

describe('a program that cannot be started', () => {
  test.each<[string, string, Partial<CommandManifest>, RegExp]>([
    [
      'does not exist',
      'none',
      { command: ['no-such-program'] },
      /^it could not be started: the program "no-such-program" was not found; is it installed on this machine\?$/,
    ],
    [
      'may not be executed',
      'none',
      { command: ['./plain.txt'] },
      /^it could not be started: "\.\/plain\.txt" may not be executed \(EACCES\)$/,
    ],
    ['is never ready', 'never-ready', { timeout_s: 2 }, /^it was not ready within 2 s \(timeout_s of its kernel\.json\)$/],
    [
      'prints text before it is ready',
      'prints-before-ready',
      {},
      /^before it was ready it printed a line that is not JSON: "Loading the kernel \.\.\."; stdout is for the protocol, print to stderr$/,
    ],
    [
      'dies before it is ready',
      'dies-before-ready',
      {},
      /ended with exit code 1; its last words: ModuleNotFoundError: No module named 'triton'$/,
    ],
    ['refuses', 'refuses-hello', {}, /^it does not start: needs compute capability 9\.0/],
    ['offers another op', 'other-op', {}, /^it does not offer rms_norm, the op of its kernel\.json; its ops are: rope$/],
    ['names no device', 'no-device', {}, /^before it was ready it sent ready whose device is missing; it must be the name of a device/],
    ['offers no variant', 'no-variants', {}, /sent ready whose variants is \[\]; it must be a list with "fused"/],
    ['offers an unknown variant', 'odd-variant', {}, /sent ready whose variants is \["fused","fast"\]/],
    ['has no list of ops', 'ops-no-list', {}, /sent ready whose ops is "rms_norm"; it must be a list of op names/],
    ['has no name', 'no-name', {}, /sent ready whose name is missing/],
    ['answers hello with a result', 'result-to-hello', {}, /^it answered call 1, which was not asked$/],
  ])('one that %s says so', async (_word, fault, changes, message) => {
    await expect(start(fault, changes)).rejects.toThrow(message);
    expect(started).toEqual([]);
  });
});

describe('a call that gives no usable answer', () => {
  test.each<[string, string, RegExp]>([
    ['dies', 'dies', /^its process ended with exit code 3; its last words: first line \| out of \\u\{1b\}\[31mcheese$/],
    ['crashes', 'crashes', /^its process was ended by SIGSEGV$/],
    ['leaves a child in a session of its own and dies', 'leaves-child', /^its process ended with exit code 4$/],
    ['leaves a child that holds its pipes open and dies', 'leaves-pipes-open', /^its process ended with exit code 5$/],
    ['prints text', 'prints-text', /^it printed a line that is not JSON: "step 1 of 2"; stdout is for the protocol, print to stderr$/],
    ['prints a line without end', 'prints-long-line', /^it printed a line of more than 1048576 bytes: "xxx/],
    ['answers another call', 'wrong-id', /^it answered call 900, which was not asked$/],
    ['prints JSON that is no object', 'no-object', /^it printed JSON that is no object: "\[7\]"/],
    ['sends an unknown message', 'unknown-type', /^it sent a message whose type is not ready, result or error: "\{/],
    ['gives a time that is none', 'bad-time', /^it sent result whose time_us is "fast"; it must be a number of microseconds/],
    [
      'reports what cannot be checked',
      'bad-violation',
      /^it sent result whose violations is .*luck.*inputs_unchanged, guard_bands, outputs_written/,
    ],
    ['gives the wrong shape', 'wrong-shape', /^output y has shape \[4, 2\]; it must be \[2, 4\]$/],
    ['gives the wrong dtype', 'wrong-dtype', /^output y has dtype F32; it must be BF16$/],
    ['leaves an output out', 'missing-output', /^output y is missing; rms_norm gives y$/],
    ['writes no file', 'no-file', /^it wrote no outputs file$/],
    ['writes an empty file', 'empty-file', /^its outputs cannot be read: outputs: not a safetensors file: 8 bytes needed, file has 0\.$/],
    [
      'writes half a file',
      'cut-file',
      /^its outputs cannot be read: outputs: file cut: expected 82 bytes, has 72; the last tensor is "y"\.$/,
    ],
    ['writes another format', 'not-safetensors', /^its outputs cannot be read: outputs: .*not a safetensors file/],
    ['leaves a link', 'link', /^its outputs file cannot be opened \(ELOOP\)$/],
    ['leaves a pipe', 'pipe', /^what it wrote as outputs is no file$/],
    ['leaves a folder', 'folder', /^what it wrote as outputs is no file$/],
    ['writes 10 GB', 'big', /^it wrote 10,000,000,000 bytes; this call's outputs may have 16,777,/],
    ['writes 10 GB and goes on', 'big-and-busy', /^it wrote 10,000,000,000 bytes; this call's outputs may have 16,777,/],
  ])('of a program that %s says so, and the program is ended', async (_word, fault, message) => {
    const kernel = await start(fault);
    await expect(kernel.call(CALL)).rejects.toThrow(message);
    expect(kernel.usable).toBe(false);
    await allGone(mark);
  });

  test('of a program that never answers ends with its time', async () => {
    const kernel = await startHasty('never-answers');
    await expect(kernel.call(CALL)).rejects.toThrow(/^it gave no answer within \d+ s \(timeout_s of its kernel\.json\)$/);
    expect(kernel.usable).toBe(false);
  });

  test('of a program that floods stderr for ever ends with its time and the last of the flood', async () => {
    const kernel = await startHasty('floods-stderr');
    await expect(kernel.call(CALL)).rejects.toThrow(/^it gave no answer within \d+ s .*; its last words: .*noise noise/);
    expect(logged.length).toBeLessThan(202);
  });

  test('of a program that answers with an error bears the message, and the program goes on', async () => {
    const kernel = await start('refuses');
    await expect(kernel.call(CALL)).rejects.toThrow('ValueError: no tile | for H = 64 \\u{1b}[31m');
    await expect(kernel.call(CALL)).rejects.toThrow('ValueError: no tile');
    expect(kernel.usable).toBe(true);
  });
});

describe('a fault between two calls', () => {
  test.each<[string, RegExp]>([
    ['answers-twice', /^it answered call 1 twice$/],
    ['dies-between-calls', /^its process ended with exit code 0; its last words: that was all$/],
  ])('(%s) is told to the next call', async (fault, message) => {
    const kernel = await start(fault);
    await kernel.call(CALL);
    // Whoever keeps the processes must not take a new one before the fault was told.
    expect(kernel.usable).toBe(true);
    await expect(kernel.call(CALL)).rejects.toThrow(message);
    expect(kernel.usable).toBe(false);
  });

  test('that nobody is told any more is logged', async () => {
    const kernel = await start('ready-twice');
    await allGone(mark);
    await kernel.close();
    expect(logged).toEqual([expect.stringMatching(/^kernel speaker: it sent a message that belongs nowhere: /)]);
  });
});

describe('the end', () => {
  test('a program that hangs when its stdin is closed is ended, and the log says so', async () => {
    const kernel = await start('hangs-on-close');
    await kernel.call(CALL);
    await kernel.close();
    await allGone(mark);
    expect(logged).toEqual(['kernel speaker: still ran 5 s after its stdin was closed; it was ended']);
  });

  test('what a program left running is ended, and the log says so', async () => {
    const kernel = await start('leaves-child-at-the-end');
    await kernel.call(CALL);
    // It is seen without an environment for a moment while it is started.
    await until('what it left', () => running(mark).length === 2);
    await kernel.close();
    await allGone(mark);
    expect(logged).toEqual(['kernel speaker: left 1 process behind; ended']);
  });

  test.each(['leaves-child-at-the-end', 'leaves-child-with-its-own-environment'])(
    'kill() leaves nothing behind, at once (%s)',
    async (fault) => {
      const kernel = await start(fault);
      await until('what it left', () => running(mark).length === 2);
      kernel.kill();
      expect(await readdir(folder)).toEqual([]);
      await allGone(mark);
    },
  );
});
