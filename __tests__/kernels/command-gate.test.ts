// Backend `command` through the gate: a kernel that misbehaves is INCONCLUSIVE with the cause, the other is judged, and nothing stays behind,
// also when the job is cancelled.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { scratch, shortModel } from '../support/models.js';
import { ended, until } from '../support/waiting.js';
import { allGone, inItsTime, newMark, NO_HURRY_S, running, speaker } from './speaker.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let root: { folder: string; remove: () => Promise<void> };
/** Two layers: what a program does wrong is the same in all. */
let model: string;
beforeAll(async () => {
  root = await scratch();
  model = await shortModel('mistral-mini', root.folder, 'model', 2);
});
afterAll(() => root.remove());

/** A folder of kernels, one for each fault; `good` has none. */
async function planted(mark: string, faults: Readonly<Record<string, string>>, timeout_s = NO_HURRY_S): Promise<string> {
  const folder = await mkdtemp(join(root.folder, 'kernels-'));
  for (const [name, fault] of Object.entries(faults)) {
    await mkdir(join(folder, name));
    await writeFile(
      join(folder, name, 'kernel.json'),
      JSON.stringify({ ...speaker(fault, '.', mark, fault === 'none' ? NO_HURRY_S : timeout_s), name }),
    );
  }
  return folder;
}

describe('the gate', () => {
  const engine = startEngine();
  const temporary = process.env['RUNNER_TEMP'];
  let files: string;
  beforeAll(async () => {
    files = await mkdtemp(join(root.folder, 'files-'));
    process.env['RUNNER_TEMP'] = files;
  });
  afterAll(async () => {
    if (temporary === undefined) delete process.env['RUNNER_TEMP'];
    else process.env['RUNNER_TEMP'] = temporary;
    await engine.close();
  });

  async function judged(fault: string, mark: string, timeout_s = NO_HURRY_S): Promise<ModelReport> {
    const kernels = await planted(mark, { bad: fault, good: 'none' }, timeout_s);
    const overrides = { models: [model], kernels, prompts: [{ input_ids: [1, 5, 9, 30, 7] }] };
    return (await check(await loadConfig({ cwd: root.folder, overrides }), { engine, max_new_tokens: 0 })).models[0] as ModelReport;
  }

  test.each<[string, RegExp]>([
    ['prints-before-ready', /before it was ready it printed a line that is not JSON: "Loading the kernel/],
    ['never-answers', /it gave no answer within \d+ s/],
    ['answers-twice', /it answered call 1 twice$/],
    ['dies', /its process ended with exit code 3; its last words: first line \| out of/],
    ['dies-between-calls', /its process ended with exit code 0; its last words: that was all$/],
    ['floods-stderr', /it gave no answer within \d+ s .*its last words: .*noise/],
    ['leaves-child', /its process ended with exit code 4$/],
    ['wrong-shape', /output y has shape \[64, 5\]; it must be \[5, 64\]$/],
    ['big', /it wrote 10,000,000,000 bytes/],
  ])('calls %s INCONCLUSIVE with the cause and judges the other kernel', async (fault, message) => {
    const mark = newMark();
    const timed = message.source.includes('no answer within');
    const { verdict, numeric } = await (timed
      ? inItsTime(async (timeout_s) => {
          const report = await judged(fault, mark, timeout_s);
          return report.numeric?.kernels[0]?.detail?.includes('it was not ready') === true ? null : report;
        })
      : judged(fault, mark));
    expect(verdict).toBe('INCONCLUSIVE');
    const [bad, good] = numeric?.kernels ?? [];
    expect(bad).toMatchObject({ kernel: 'bad', backend: 'command', status: 'inconclusive' });
    expect(bad?.detail).toMatch(message);
    expect(bad?.detail).not.toContain('\u001b');
    expect(good).toMatchObject({ kernel: 'good', backend: 'command', device: 'CPU (Node)', status: 'pass', detail: null });
    expect(good?.sites).toBeGreaterThan(0);
    await allGone(mark);
    expect(await readdir(files)).toEqual([]);
  });

  test.each(['nan', 'wrong-values', 'violates'])('fails a kernel for what it gives (%s)', async (fault) => {
    const mark = newMark();
    const { verdict, numeric } = await judged(fault, mark);
    expect([verdict, numeric?.kernels[0]?.status, numeric?.kernels[1]?.status]).toEqual(['INCOMPATIBLE', 'fail', 'pass']);
    await allGone(mark);
  });

  test.each(['hangs-on-close', 'leaves-child-at-the-end'])('lets the answers of a kernel stand that ends badly (%s)', async (fault) => {
    const mark = newMark();
    const { verdict, numeric } = await judged(fault, mark);
    expect([verdict, numeric?.kernels[0]?.status]).toEqual(['COMPATIBLE', 'pass']);
    await allGone(mark);
    expect(await readdir(files)).toEqual([]);
  });
});

describe('a job that is cancelled', () => {
  let program: string;
  beforeAll(async () => {
    await mkdir(join(ROOT, 'build'), { recursive: true });
    program = await mkdtemp(join(ROOT, 'build', 'test-cli-'));
    const sources = ['cli', 'worker', 'host', 'hand'].map((name) => join(ROOT, 'src', `${name}.ts`));
    const options = ['--bundle', '--packages=external', '--platform=node', '--format=esm', '--log-level=error', `--outdir=${program}`];
    execFileSync(join(ROOT, 'node_modules/.bin/esbuild'), [...sources, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
  });
  afterAll(() => rm(program, { recursive: true }));

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves no process and no file behind', async (signal) => {
    const mark = newMark();
    const kernels = await planted(mark, { bad: 'never-answers', worse: 'leaves-child-at-the-end' });
    const files = await mkdtemp(join(root.folder, 'files-'));
    const args = ['check', model, '--kernels', kernels];
    const job = spawn(process.execPath, [join(program, 'cli.js'), ...args], {
      cwd: root.folder,
      env: { ...process.env, RUNNER_TEMP: files },
      stdio: 'ignore',
    });
    const end = ended(job);
    // Three: the two kernels and what one of them started.
    await until('three processes', () => running(mark).length === 3 || job.exitCode !== null);
    expect([job.exitCode, (await readdir(files)).length]).toEqual([null, 1]);
    job.kill(signal);
    expect(await end).toMatchObject({ code: null, signal });
    await allGone(mark);
    expect(await readdir(files)).toEqual([]);
  });
});
