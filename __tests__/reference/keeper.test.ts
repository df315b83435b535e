// Results that are kept between runs: what is found is what was put, and nothing else is ever found.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKeeper, remembered, type Kept, type Key } from '../../src/reference/keeper.js';
import { prune } from '../../src/reference/kept-folder.js';
import { keptRoot } from '../../src/config/reference-cache.js';

const ROOM = 2 ** 30;

let root: string;
let folder: string;
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fused-compat-keeper-'));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(async () => {
  folder = join(root, String(made++));
  await mkdir(folder);
});

const x = { data: Float32Array.of(1, 2, 3), shape: [3] };
const KEY: Key = { what: 'site', depends: { recipe: 'eager', ops: [{ op: 'rms_norm', attributes: { eps: 1e-6 } }] }, tensors: { x } };
const KEPT: Kept = {
  tensors: {
    bfloat16: { data: Float32Array.of(1, -2.5, NaN, Infinity, -0), shape: [5, 1] },
    float32: { data: Float32Array.of(Math.fround(0.1), 1e-45), shape: [2] },
    float64: { data: Float64Array.of(Math.PI, -0, NaN), shape: [1, 3] },
    nothing: { data: new Float32Array(0), shape: [0, 4] },
  },
  note: { words: ['ünïcode', null, 1] },
};

async function file(): Promise<string> {
  const [name, ...others] = await readdir(folder);
  expect(others).toEqual([]);
  return join(folder, name as string);
}

describe('what was kept', () => {
  test('is found by a later run bit for bit, in half the bytes where values are bfloat16', async () => {
    const first = openKeeper(folder, ROOM);
    await first.put(KEY, KEPT);
    await first.flush();
    const second = openKeeper(folder, ROOM);
    const found = await second.find(KEY);
    expect(found?.note).toEqual(KEPT.note);
    for (const [name, { data, shape }] of Object.entries(KEPT.tensors)) {
      const given = found?.tensors[name];
      expect(given?.shape).toEqual(shape);
      expect(given?.data.constructor).toBe(data.constructor);
      expect(Array.from(given?.data ?? [], (v) => (Object.is(v, -0) ? '-0' : String(v)))).toEqual(
        Array.from(data, (v) => (Object.is(v, -0) ? '-0' : String(v))),
      );
    }
    expect(second.counts).toEqual({ found: 1, made: 0 });
    const text = (await readFile(await file())).toString('latin1');
    expect(['bfloat16","dtype":"BF16', 'float32","dtype":"F32', 'float64","dtype":"F64'].map((part) => text.includes(part))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('has the numbers for which JSON has none', async () => {
    const keeper = openKeeper(folder, ROOM);
    const note = { scale: { mean: -0, standard_error: Infinity }, list: [NaN, -Infinity, 0, null] };
    await keeper.put(KEY, { tensors: {}, note });
    await keeper.flush();
    expect((await keeper.find(KEY))?.note).toEqual(note);
  });

  test('is known to be there without being read, which counts as a use', async () => {
    const keeper = openKeeper(folder, ROOM);
    expect(await keeper.has(KEY)).toBe(false);
    await keeper.put(KEY, KEPT);
    await keeper.flush();
    await utimes(await file(), 1000, 1000);
    expect(await keeper.has(KEY)).toBe(true);
    expect((await stat(await file())).mtimeMs).toBeGreaterThan(1e6);
  });

  test('of a kernel is that for its last arrays only, in one file', async () => {
    const last = (value: number): Key => ({ ...KEY, last: true, tensors: { x: { data: Float32Array.of(value), shape: [1] } } });
    const keeper = openKeeper(folder, ROOM);
    await keeper.put(last(1), { tensors: {}, note: 'one' });
    await keeper.flush();
    expect((await keeper.find(last(1)))?.note).toBe('one');
    expect(await keeper.find(last(2))).toBeNull();
    // That it was for other arrays is no damage.
    expect((await keeper.find(last(1)))?.note).toBe('one');
    await keeper.put(last(2), { tensors: {}, note: 'two' });
    await keeper.flush();
    expect(await keeper.find(last(1))).toBeNull();
    expect((await keeper.find(last(2)))?.note).toBe('two');
    await file();
    // What is named by its arrays is another result.
    expect(await keeper.find({ ...KEY, tensors: last(2).tensors })).toBeNull();
  });

  test.each<[string, Key]>([
    ['another kind of result', { ...KEY, what: 'probe' }],
    ['another recipe', { ...KEY, depends: { ...(KEY.depends as object), recipe: 'split_sums' } }],
    ['another attribute of an op', { ...KEY, depends: { recipe: 'eager', ops: [{ op: 'rms_norm', attributes: { eps: 1e-5 } }] } }],
    ['another value', { ...KEY, tensors: { x: { ...x, data: Float32Array.of(1, 2, 3.0000002) } } }],
    ['another sign of zero', { ...KEY, tensors: { x: { ...x, data: Float32Array.of(-0, 2, 3) } } }],
    ['another shape', { ...KEY, tensors: { x: { ...x, shape: [3, 1] } } }],
    ['another name', { ...KEY, tensors: { q: x } }],
    ['another dtype', { ...KEY, tensors: { x: { ...x, data: Float64Array.of(1, 2, 3) } } }],
  ])('is not found for %s', async (_, key) => {
    const keeper = openKeeper(folder, ROOM);
    await keeper.put(KEY, KEPT);
    await keeper.flush();
    expect(await keeper.find(key)).toBeNull();
    expect(await keeper.find(KEY)).not.toBeNull();
  });

  test('is not believed when one bit of it changed, wherever, nor when it was cut or replaced, and is removed', async () => {
    const keeper = openKeeper(folder, ROOM);
    await keeper.put(KEY, KEPT);
    await keeper.flush();
    const path = await file();
    const whole = await readFile(path);
    const flipped = Array.from(whole, (_, at) => {
      const copy = Buffer.from(whole);
      copy[at] = (copy[at] as number) ^ 1;
      return copy;
    });
    for (const bytes of [...flipped, whole.subarray(0, -1), whole.subarray(0, 10), Buffer.alloc(0), Buffer.from('{"note":1}')]) {
      await writeFile(path, bytes);
      expect(await keeper.find(KEY)).toBeNull();
      expect(await readdir(folder)).toEqual([]);
    }
    await writeFile(path, whole);
    expect(await keeper.find(KEY)).not.toBeNull();
  });
});

describe('keeping', () => {
  test('goes through a result that was computed, and computes only once', async () => {
    const keeper = openKeeper(folder, ROOM);
    let computed = 0;
    const compute = () => Promise.resolve({ tensors: {}, note: ++computed });
    const key = () => KEY;
    expect((await remembered(keeper, key, compute)).note).toBe(1);
    await keeper.flush();
    expect((await remembered(keeper, key, compute)).note).toBe(1);
    expect((await remembered(null, key, compute)).note).toBe(2);
    expect(keeper.counts).toEqual({ found: 0, made: 1 });
  });

  test('stops where its room ends, and results go on', async () => {
    const keeper = openKeeper(folder, 100);
    for (const what of ['a', 'b', 'c']) await keeper.put({ ...KEY, what }, KEPT);
    await keeper.flush();
    expect(await readdir(folder)).toHaveLength(1);
  });

  test('that the disk does not take harms no result and leaves nothing half written', async () => {
    const keeper = openKeeper(join(folder, 'not', 'there'), ROOM);
    const { note } = await remembered(
      keeper,
      () => KEY,
      () => Promise.resolve({ ...KEPT, note: 7 }),
    );
    await keeper.flush();
    expect(note).toBe(7);
    expect(await readdir(folder)).toEqual([]);
  });
});

test('what was not used for the longest time goes first when the folder holds too many bytes or files', async () => {
  const model = join(folder, 'engine', 'model');
  await mkdir(model, { recursive: true });
  for (const [name, used] of [
    ['old', 1000],
    ['new', 3000],
    ['middle', 2000],
  ] as const) {
    await writeFile(join(model, name), Buffer.alloc(100));
    await utimes(join(model, name), used, used);
  }
  await prune(folder, { bytes: 300, files: 3 });
  expect(await readdir(model)).toHaveLength(3);
  await prune(folder, { bytes: 250, files: 3 });
  expect((await readdir(model)).sort()).toEqual(['middle', 'new']);
  await prune(folder, { bytes: 250, files: 1 });
  expect(await readdir(model)).toEqual(['new']);
  await prune(join(folder, 'not there'), { bytes: 0, files: 0 });
});

test('a found result counts as used', async () => {
  const keeper = openKeeper(folder, ROOM);
  await keeper.put(KEY, KEPT);
  await keeper.flush();
  const path = await file();
  await utimes(path, 1000, 1000);
  await keeper.find(KEY);

  expect((await stat(path)).mtimeMs).toBeGreaterThan(1e12);
});

describe('the folder', () => {
  const home = { HOME: '/home/me' };
  test.each<[string, Record<string, string>, string | null]>([
    ['auto', home, '/home/me/.cache/fused-compat/reference'],
    ['auto', { ...home, XDG_CACHE_HOME: '/cache' }, '/cache/fused-compat/reference'],
    ['auto', { ...home, XDG_CACHE_HOME: 'relative' }, '/home/me/.cache/fused-compat/reference'],
    ['auto', { ...home, FUSED_COMPAT_CACHE: '/own' }, '/own/reference'],
    ['kept', home, '/here/kept'],
    ['/kept', home, '/kept'],
    ['none', home, null],
  ])('for %s with %j is %s', (given, env, expected) => {
    expect(keptRoot(given, env, '/here')).toBe(expected);
  });
});
