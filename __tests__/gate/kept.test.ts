// Results of the reference that are kept between runs: a pull request that only changes kernels does not compute them again, its kernels are
// judged as ever, and what another program, another model or a stranger left is not taken.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import type { Engine } from '../../src/threads.js';
import { BROKEN, CORRECT, type Planted } from '../kernels/planted/kernels.js';
import { drawKernel, plant } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { scratch, shortModel } from '../support/models.js';

const engine = startEngine(2, 2, 'these sources');
let root: { folder: string; remove: () => Promise<void> };
let model: string;
/** Of a run without anything kept. */
let fresh: ModelReport;
beforeAll(async () => {
  root = await scratch();
  model = await shortModel('tinyllama-mini', root.folder, 'model', 2);
  fresh = (await judged(null)).report;
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

interface Judged {
  report: ModelReport;
  /** `81 results kept from earlier runs, 0 computed` as numbers; null: it was not said. */
  kept: { found: number; made: number } | null;
}

async function judged(reference_cache: string | null, { by = engine, kernels }: { by?: Engine; kernels?: string } = {}): Promise<Judged> {
  const prompts = [{ input_ids: [5, 17, 90, 33, 8, 250, 12, 7] }, { input_ids: [61, 44, 3, 99, 4] }];
  const overrides = { models: [model], prompts, ...(kernels === undefined ? {} : { kernels }) };
  const config = await loadConfig({ cwd: root.folder, overrides });
  const lines: string[] = [];
  const { models } = await check(config, { engine: by, max_new_tokens: 4, reference_cache, log: (line) => lines.push(line) });
  const said = lines.map((line) => /(\d+) results kept from earlier runs, (\d+) computed$/.exec(line)).find((m) => m !== null);
  return { report: models[0] as ModelReport, kept: said === undefined ? null : { found: Number(said[1]), made: Number(said[2]) } };
}

/** All of a report but what the clock says. */
function numbers({ numeric, ...rest }: ModelReport): unknown {
  return { ...rest, numeric: numeric === null ? null : { ...numeric, performance: null } };
}

async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

async function kernelFolder(planted: Planted): Promise<string> {
  const folder = join(root.folder, `kernels-${planted.name}`);
  await plant(folder, planted.name, planted.op, drawKernel(planted));
  return folder;
}

const named = (list: readonly Planted[], op: string) => list.find((each) => each.op === op) as Planted;

describe('a second run', () => {
  test('finds everything, computes nothing of the reference, and says the same to the last digit', async () => {
    const folder = join(root.folder, 'second');
    const first = await judged(folder);
    expect(first.kept).toBeNull();
    expect(numbers(first.report)).toEqual(numbers(fresh));
    const second = await judged(folder);
    expect(second.kept?.found).toBeGreaterThan(100);
    expect(second.kept?.made).toBe(0);
    expect(numbers(second.report)).toEqual(numbers(fresh));
  });

  test('uses all that is kept, so that nothing of it is the oldest when room is made', async () => {
    const folder = join(root.folder, 'used');
    await judged(folder);
    const longAgo = new Date('2020-01-01');
    const kept = await files(folder);
    for (const path of kept) await utimes(path, longAgo, longAgo);
    await judged(folder);
    const unused = await Promise.all(kept.map(async (path) => (await stat(path)).mtime.getTime() === longAgo.getTime()));
    expect(unused.filter(Boolean)).toHaveLength(0);
  });

  test('judges kernels that were changed: a broken one fails with what the correct one left', async () => {
    const folder = join(root.folder, 'changed');
    const correct = await judged(folder, { kernels: await kernelFolder(named(CORRECT, 'rms_norm')) });
    expect(correct.report.verdict).toBe('COMPATIBLE');
    const broken = await judged(folder, { kernels: await kernelFolder(named(BROKEN, 'rms_norm')) });
    expect(broken.report.verdict).toBe('INCOMPATIBLE');
    expect(broken.kept?.found).toBeGreaterThan(50);
    const without = await judged(null, { kernels: join(root.folder, `kernels-${named(BROKEN, 'rms_norm').name}`) });
    expect(numbers(broken.report)).toEqual(numbers(without.report));
  });

  test('that follows a changed kernel measures the kernel anew, and takes what was measured of the others', async () => {
    const folder = join(root.folder, 'changed-back');
    const kernels = join(root.folder, 'kernels-changing');
    const change = async (list: readonly Planted[]) => {
      const planted = named(list, 'rms_norm');
      await rm(kernels, { recursive: true, force: true });
      await plant(kernels, 'mine', planted.op, drawKernel(planted));
    };
    await change(CORRECT);
    const correct = await judged(folder, { kernels });
    await change(BROKEN);
    const broken = await judged(folder, { kernels });
    expect(broken.report.verdict).toBe('INCOMPATIBLE');
    // By the same name: what the correct one was measured to be is not taken for it.
    expect(broken.report.numeric?.kernels.find(({ kernel }) => kernel === 'mine')?.status).toBe('fail');
    await change(CORRECT);
    const again = await judged(folder, { kernels });
    expect(numbers(again.report)).toEqual(numbers(correct.report));
    expect(again.kept?.made).toBeGreaterThan(0);
    const last = await judged(folder, { kernels });
    expect(numbers(last.report)).toEqual(numbers(correct.report));
    expect(last.kept?.made).toBe(0);
  });
});

describe('nothing is taken', () => {
  test('of another version of the program', async () => {
    const folder = join(root.folder, 'versions');
    await judged(folder);
    const other = startEngine(2, 2, 'other sources');
    try {
      expect((await judged(folder, { by: other })).kept).toBeNull();
    } finally {
      await other.close();
    }
    expect((await judged(folder)).kept?.made).toBe(0);
  });

  test('of other weights in the same folder, with the same size and date', async () => {
    const folder = join(root.folder, 'weights');
    await judged(folder);
    const file = join(model, 'model.safetensors');
    const before = { bytes: await readFile(file), ...(await stat(file)) };
    const changed = Buffer.from(before.bytes);
    // The last digit of a weight.
    changed[changed.length - 2] = (changed[changed.length - 2] as number) ^ 1;
    await writeFile(file, changed);
    await utimes(file, before.atime, before.mtime);
    expect((await stat(file)).size).toBe(before.size);
    expect((await judged(folder)).kept).toBeNull();
    await writeFile(file, before.bytes);
    expect((await judged(folder)).kept?.made).toBe(0);
  });

  test('that was damaged: it is computed again, and what is not damaged is taken', async () => {
    const folder = join(root.folder, 'damaged');
    await judged(folder);
    for (const [i, file] of (await files(folder)).entries()) {
      if (i % 3 === 0) {
        const bytes = await readFile(file);
        bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
        await writeFile(file, bytes);
      } else if (i % 3 === 1) await writeFile(file, '');
    }
    const { report, kept } = await judged(folder);
    expect(numbers(report)).toEqual(numbers(fresh));
    expect(kept?.found).toBeGreaterThan(50);
    expect(kept?.made).toBeGreaterThan(50);
    expect((await judged(folder)).kept?.made).toBe(0);
  });

  test('from a folder that others can write to, and nothing is left there', async () => {
    const folder = join(root.folder, 'open');
    await judged(folder);
    const left = await files(folder);
    await chmod(folder, 0o777);
    expect((await judged(folder)).kept).toBeNull();
    expect((await files(folder)).sort()).toEqual(left.sort());
  });

  test('by a program that does not know its own sources', async () => {
    const folder = join(root.folder, 'unknown');
    const other = startEngine();
    try {
      await judged(folder, { by: other });
      expect(await judged(folder, { by: other })).toMatchObject({ kept: null });
    } finally {
      await other.close();
    }
    expect(await files(folder)).toEqual([]);
  });
});
