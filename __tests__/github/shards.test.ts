// A matrix of the Action, job by job as GitHub runs it: the built dist/action.js in processes of its own, artifacts as folders, the loopback GitHub.

import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { Report } from '../../src/report/types.js';
import type { Matrix } from '../../src/shards/plan.js';
import type { GitHubDouble } from './double.js';
import { startGitHub } from './double.js';
import type { Finished, Start } from './runner.js';
import { HEAD, MODELS, pullRequest, runAction, TOKEN } from './runner.js';

const NEWER = 'c'.repeat(40);
const { outputs: OUTPUTS } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as {
  outputs: Record<string, unknown>;
};

let folder: string;
let models: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fused-compat-matrix-'));
  models = Array.from({ length: 12 }, (_, index) => join(folder, `model-${index + 1}`));
  // Every fourth is the sensitive one, INCOMPATIBLE under policy static.
  await Promise.all(models.map((path, index) => symlink(join(MODELS, index % 4 === 3 ? 'qwen3-mini' : 'tinyllama-mini'), path)));
});
afterAll(() => rm(folder, { recursive: true }));

let github: GitHubDouble;
let artifacts: string;
beforeEach(async () => {
  github = await startGitHub();
  artifacts = await mkdtemp(join(folder, 'artifacts-'));
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

interface Job extends Partial<Start> {
  mode: string;
  attempt?: number;
  head?: string;
}

async function job({ mode, attempt = 1, head = HEAD, inputs = {}, env = {}, ...more }: Job): Promise<Finished> {
  const judging: Record<string, string> = mode === 'merge' ? {} : { models: models.join('\n'), policy: 'static' };
  const payload = JSON.parse(JSON.stringify(pullRequest()).replaceAll(HEAD, head)) as unknown;
  const finished = await runAction({
    inputs: { mode, ...judging, ...inputs },
    apiUrl: github.url,
    payload,
    env: { GITHUB_RUN_ATTEMPT: String(attempt), ...env },
    ...more,
  });
  expect(Object.keys(finished.outputs).sort()).toEqual(Object.keys(OUTPUTS).sort());
  expect(finished.stdout + finished.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  return finished;
}

/** What actions/upload-artifact and actions/download-artifact do between two jobs. */
async function keep(path: string | undefined, name: string): Promise<void> {
  await mkdir(join(artifacts, name), { recursive: true });
  await cp(path ?? '', join(artifacts, name, (path ?? '').endsWith('plan.json') ? 'plan.json' : 'report.json'));
}

async function plan(options: Partial<Job> = {}): Promise<Matrix['include']> {
  const finished = await job({ mode: 'plan', ...options });
  expect(finished.code).toBe(0);
  await keep(finished.outputs['plan'], `fused-compat-plan-${options.attempt ?? 1}`);
  return (JSON.parse(finished.outputs['matrix'] ?? '') as Matrix).include;
}

async function shard(entry: Matrix['include'][number] | undefined, options: Partial<Job> = {}): Promise<Finished> {
  const finished = await job({ mode: 'shard', ...options, inputs: { shard: JSON.stringify(entry), ...options.inputs } });
  if (finished.outputs['report-json'] !== '')
    await keep(finished.outputs['report-json'], `fused-compat-shard-${entry?.shard ?? 0}-${options.attempt ?? 1}`);
  return finished;
}

const merge = (options: Partial<Job> = {}): Promise<Finished> =>
  job({ mode: 'merge', ...options, inputs: { parts: artifacts, ...options.inputs } });

async function verdicts(finished: Finished): Promise<string[]> {
  const report = JSON.parse(await readFile(finished.outputs['report-json'] ?? '', 'utf8')) as Report;
  return report.models.map(({ id, verdict }) => `${id}: ${verdict}`);
}

describe('a matrix of 12 models in 4 shards', () => {
  it('with one shard killed, one late and one run again has one comment, one status and the verdicts of a single job', async () => {
    const matrix = await plan();
    expect(matrix.map((entry) => entry.models.length)).toEqual([3, 3, 3, 3]);
    // A shard with failing models is no failed job: the merge has the gate. Shard 2 is killed, shard 3 late.
    for (const number of [0, 3]) expect((await shard(matrix[number])).code).toBe(0);
    expect(github.requests).toEqual([]);

    const first = await merge();
    expect(first.code).toBe(1);
    expect(first.outputs).toMatchObject({ gate: 'fail', models: '12', inconclusive: '6', matrix: '' });
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toContain('Shard 2 of 4 left no report');
    expect(github.statuses.at(-1)).toMatchObject({ sha: HEAD, context: 'fused-compat', state: 'failure' });

    await shard(matrix[2]);
    for (const number of [0, 1]) await shard(matrix[number], { attempt: 2 });
    const second = await merge({ attempt: 2 });
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).not.toContain('left no report');
    expect(new Set(github.statuses.map(({ context, sha }) => `${context} ${sha}`))).toEqual(new Set([`fused-compat ${HEAD}`]));
    const single = await job({ mode: 'check', inputs: { comment: 'never', 'status-context': 'none' } });
    expect(await verdicts(second)).toEqual(await verdicts(single));
    expect(second.outputs).toMatchObject({ gate: single.outputs['gate'], incompatible: '3', compatible: '9', inconclusive: '0' });
    expect(second.summary).toContain('INCOMPATIBLE');
  }, 120_000);

  it('passes when all parts do', async () => {
    const inputs = { models: models.filter((_, index) => index % 4 !== 3).join('\n'), shards: '2' };
    const matrix = await plan({ inputs });
    for (const entry of matrix) await shard(entry, { inputs });
    const finished = await merge();
    expect(finished.code).toBe(0);
    expect(finished.outputs).toMatchObject({ gate: 'pass', verdict: 'COMPATIBLE', models: '9' });
    expect(github.statuses).toMatchObject([{ state: 'success', description: 'gate passed: 9 COMPATIBLE' }]);
  });

  it('of which nothing arrived has an error for its status, and fails', async () => {
    const finished = await merge();
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ gate: 'fail', verdict: '' });
    expect(github.statuses).toMatchObject([
      { state: 'error', description: expect.stringContaining('no plan.json and no report.json arrived') as unknown },
    ]);
    expect(github.comments).toEqual([]);
  });
});

describe('two heads of one pull request', () => {
  it('race: the newer has the comment, whichever is merged last', async () => {
    const inputs = { models: models.slice(0, 2).join('\n'), shards: '1' };
    const [old] = await plan({ inputs });
    await shard(old, { inputs });
    const oldArtifacts = artifacts;
    artifacts = await mkdtemp(join(folder, 'artifacts-'));
    const [newer] = await plan({ inputs, head: NEWER });
    await shard(newer, { inputs, head: NEWER });
    github.headSha = NEWER;
    expect((await merge({ head: NEWER })).code).toBe(0);
    const body = github.comments[0]?.body;
    expect(body).toContain(NEWER);
    artifacts = oldArtifacts;
    const late = await merge();
    expect(late.stdout).toContain('has newer commits');
    expect(github.comments.map((comment) => comment.body)).toEqual([body]);
    expect(github.statuses.map(({ sha }) => sha)).toEqual([NEWER, HEAD]);
    // Parts of one head are never taken for the other's.
    const mixed = await merge({ head: NEWER });
    expect(mixed.code).toBe(1);
    expect(mixed.commands.map(({ message }) => message).join('\n')).toContain('belong to another run');
  });
});

describe('a workflow_run after the run of a fork', () => {
  const followed = {
    id: 76,
    run_attempt: 2,
    event: 'pull_request',
    head_sha: HEAD,
    head_branch: 'fix',
    head_repository: { full_name: 'someone/fast.kernels', owner: { login: 'someone' } },
    pull_requests: [],
  };
  const start = { eventName: 'workflow_run', payload: { workflow_run: followed } };

  async function report(): Promise<void> {
    const single = await job({ mode: 'check', inputs: { models: models[0] ?? '', comment: 'never', 'status-context': 'none' } });
    await keep(single.outputs['report-json'], 'fused-compat-report');
  }

  it('comments on the pull request whose head was judged, and names that run', async () => {
    await report();
    github.pulls = [
      { number: 4, head: 'someone:fix', sha: NEWER },
      { number: 5, head: 'someone:fix', sha: HEAD },
      { number: 6, head: 'mallory:fix', sha: HEAD },
    ];
    const finished = await merge({ ...start, inputs: { parts: artifacts } });
    expect(finished.code).toBe(0);
    expect(github.comments).toMatchObject([{ issue: 5, body: expect.stringContaining('/actions/runs/76/attempts/2') as unknown }]);
    expect(github.statuses).toMatchObject([{ sha: HEAD, state: 'success' }]);
  });

  it('writes no comment where no open pull request has that head', async () => {
    await report();
    github.pulls = [{ number: 4, head: 'someone:fix', sha: NEWER }];
    const finished = await merge(start);
    expect(finished.code).toBe(0);
    expect(finished.stdout).toContain('no open pull request has the head');
    expect(github.comments).toEqual([]);
  });

  it('writes what a stranger put into the report as plain text, and passes nothing that fails', async () => {
    await report();
    const path = join(artifacts, 'fused-compat-report/report.json');
    const made = JSON.parse(await readFile(path, 'utf8')) as Report;
    const id = `@team <img src=x> ${TOKEN}\n::set-output name=gate::pass`;
    await writeFile(
      path,
      JSON.stringify({ ...made, gate: 'pass', models: made.models.map((model) => ({ ...model, id, verdict: 'INCOMPATIBLE' })) }),
    );
    github.pulls = [{ number: 5, head: 'someone:fix', sha: HEAD }];
    const finished = await merge(start);
    expect(finished.code).toBe(1);
    expect(finished.outputs['gate']).toBe('fail');
    expect(finished.commands.map(({ name }) => name)).not.toContain('set-output');
    const body = github.comments[0]?.body ?? '';
    expect(body.replaceAll(/`[^`\n]*`/g, '')).not.toMatch(/<img|@team/);
    expect(body + finished.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(TOKEN);
  });
});

describe('a job of a matrix that is set up wrongly', () => {
  it.each([
    ['an unknown mode', { mode: 'shards' }, 'input mode must be one of check, plan, shard, merge'],
    ['no entry of the matrix', { mode: 'shard' }, 'input shard is empty; in mode shard it is ${{ toJSON(matrix) }}'],
    ['an entry in another mode', { mode: 'check', inputs: { shard: '{}' } }, 'input shard is only for mode shard'],
    ['an entry that is none', { mode: 'shard', inputs: { shard: '{"os": "linux"}' } }, 'input shard is not an entry of the matrix'],
    ['no folder of parts', { mode: 'merge', inputs: { parts: 'none' } }, '"none" is no folder'],
    ['a wrong fail-on', { mode: 'merge', inputs: { 'fail-on': 'RED' } }, 'input fail-on: "RED" is not allowed'],
    ['too many shards', { mode: 'plan', inputs: { shards: '1000' } }, 'input shards: 1000 is out of range'],
  ])('by %s says so and fails', async (_what, start: Job, message) => {
    const finished = await job(start);
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ gate: 'fail', matrix: '' });
    expect(finished.commands.filter(({ name }) => name === 'error').map((command) => command.message)).toEqual([
      expect.stringContaining(message) as unknown,
    ]);
  });

  it('by another configuration than the plan fails and leaves no report', async () => {
    const [entry] = await plan();
    const finished = await shard(entry, { inputs: { policy: 'strict' } });
    expect(finished.code).toBe(1);
    expect(finished.outputs['report-json']).toBe('');
    expect(finished.stdout).toContain('not the one that the plan was made with');
  });

  it('by a model whose name GitHub would take for a secret gives no matrix, instead of one that would be dropped', async () => {
    const finished = await job({ mode: 'plan', inputs: { models: `org/${TOKEN}` } });
    expect(finished.code).toBe(1);
    expect(finished.outputs['matrix']).toBe('');
    expect(finished.commands.map(({ message }) => message).join('\n')).toContain('the matrix holds a secret');
  });
});

describe('merge/action.yml', () => {
  const read = (path: string) =>
    parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as Record<
      'inputs' | 'outputs' | 'runs',
      Record<string, unknown>
    >;

  it('runs the same bundle in mode merge', () => {
    const { inputs, runs } = read('merge/action.yml');
    expect(runs).toEqual({ using: 'node24', main: '../dist/action.js' });
    expect(dirname(join('merge', runs['main'] as string))).toBe('dist');
    expect(inputs['mode']).toMatchObject({ default: 'merge' });
  });

  it('has inputs and outputs of action.yml only', () => {
    const [all, own] = [read('action.yml'), read('merge/action.yml')];
    expect(Object.keys(all.inputs)).toEqual(expect.arrayContaining(Object.keys(own.inputs)));
    expect(Object.keys(own.outputs).sort()).toEqual(
      Object.keys(all.outputs)
        .filter((name) => name !== 'matrix' && name !== 'plan')
        .sort(),
    );
  });
});
