// A job that is cancelled while the built Action works: the signals of the runner, what is kept, and what is left behind.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../src/report/types.js';
import { allGone, newMark, running, speaker } from '../kernels/speaker.js';
import { modelFolder, scratch } from '../support/models.js';
import { until } from '../support/waiting.js';
import type { GitHubDouble } from './double.js';
import { startGitHub } from './double.js';
import type { Start } from './runner.js';
import { MODELS, runAction } from './runner.js';

let root: { folder: string; remove: () => Promise<void> };
let github: GitHubDouble;
beforeAll(async () => {
  root = await scratch();
});
afterAll(() => root.remove());
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

/** A kernel that starts, is called, and never answers. */
async function stuckKernel(mark: string): Promise<string> {
  const folder = await mkdtemp(join(root.folder, 'kernels-'));
  await mkdir(join(folder, 'stuck'));
  await writeFile(join(folder, 'stuck/kernel.json'), JSON.stringify({ ...speaker('never-answers', '.', mark), name: 'stuck' }));
  return folder;
}

describe('a job that is cancelled', () => {
  it.each([
    ['SIGINT', ''],
    ['SIGTERM', 'INCOMPATIBLE'],
  ] as const)('by %s (fail-on: %s) ends its kernels, keeps the report of what was judged, and fails', async (signal, failOn) => {
    const mark = newMark();
    const temp = await mkdtemp(join(root.folder, 'temp-'));
    const start: Start = {
      inputs: {
        models: `no/such/model-here, ${modelFolder('mistral-mini')}`,
        kernels: await stuckKernel(mark),
        'fail-on': failOn,
        jobs: '1',
      },
      apiUrl: github.url,
      env: { RUNNER_TEMP: temp },
      meanwhile: async (action) => {
        await until('the kernel', () => running(mark).length > 0);
        action.kill(signal);
      },
    };
    const { code, outputs, summary, stdout, stderr } = await runAction(start);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(outputs).toMatchObject({ gate: 'fail', verdict: 'INCONCLUSIVE', models: '2', inconclusive: '2' });
    const report = JSON.parse(await readFile(outputs['report-json'] ?? '', 'utf8')) as Report;
    const [judged, stopped] = report.models;
    expect(report.gate).toBe('fail');
    expect([judged?.reasons[0]?.code, stopped?.reasons[0]?.code]).toEqual(['model_not_found', 'cancelled']);
    expect(stopped?.recommendations[0]).toMatch(/^Run it again/);
    // What was found by then.
    expect([stopped?.static?.status, stopped?.numeric]).toEqual(['COMPATIBLE', null]);
    expect(summary).toContain('The job was cancelled before this model was judged.');
    expect(await readFile(outputs['report-markdown'] ?? '', 'utf8')).toContain('cancelled');
    // What takes its place writes these.
    expect(github.requests).toEqual([]);
    expect(stdout).toContain('No comment and no commit status: the job was cancelled');
    expect(stdout).toContain('::error::cancelled: gate failed: 2 INCONCLUSIVE');
    await allGone(mark);
    expect(await readdir(temp)).toEqual([]);
  });

  it('while it waits for GitHub is ended by the second signal, with outputs and report complete', async () => {
    const wait = { status: 429, headers: { 'retry-after': '40' } };
    github.always = [{ when: 'GET', answer: wait }];
    const { code, outputs, summary } = await runAction({
      inputs: { models: join(MODELS, 'tinyllama-mini'), policy: 'static' },
      apiUrl: github.url,
      meanwhile: async (action) => {
        await until('the first request', () => github.requests.length > 0);
        action.kill('SIGINT');
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(action.exitCode).toBeNull();
        action.kill('SIGTERM');
      },
    });
    expect(code).toBe(0);
    expect(outputs).toMatchObject({ gate: 'pass', verdict: 'COMPATIBLE' });
    expect(summary).toContain('COMPATIBLE');
    expect(github.statuses).toEqual([]);
  });
});
