// A matrix of the Action, job by job as GitHub runs it: the built dist/action.js in processes of its own, artifacts as folders, the loopback GitHub.

import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { Report } from '../../src/report/types.js';
import type { Matrix } from '../../src/shards/plan.js';
import type { GitHubDouble } from './double.js';
import { FORBIDDEN_ANSWER, startGitHub } from './double.js';
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

/** The job of a shard whose runner dies while it works. */
async function killed(entry: Matrix['include'][number] | undefined): Promise<void> {
  const finished = await runAction({
    inputs: { mode: 'shard', models: models.join('\n'), policy: 'static', shard: JSON.stringify(entry) },
    apiUrl: github.url,
    meanwhile: (action) => {
      action.kill('SIGKILL');
      return Promise.resolve();
    },
  });
  expect([finished.code, finished.outputs['report-json'] ?? '']).toEqual([null, '']);
}

describe('a matrix of 12 models in 4 shards', () => {
  it('with one shard killed, one late and one run again has one comment, one status and the verdicts of a single job', async () => {
    const matrix = await plan();
    expect(matrix.map((entry) => entry.models.length)).toEqual([3, 3, 3, 3]);
    // What shard 1 finds in its first attempt is not what it finds in its second.
    const changed = matrix[0]?.models.find((id) => models.indexOf(id) % 4 !== 3) ?? '';
    const link = async (name: string): Promise<void> => {
      await rm(changed);
      await symlink(join(MODELS, name), changed);
    };
    await link('qwen3-mini');
    // A shard with failing models is no failed job: the merge has the gate. Shard 2 is killed, shard 3 late.
    for (const number of [0, 3]) expect((await shard(matrix[number])).code).toBe(0);
    await killed(matrix[1]);
    expect(github.requests).toEqual([]);

    const first = await merge();
    expect(first.code).toBe(1);
    expect(first.outputs).toMatchObject({ gate: 'fail', models: '12', inconclusive: '6', matrix: '' });
    expect(await verdicts(first)).toContain(`${changed}: INCOMPATIBLE`);
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toContain('Shard 2 of 4 left no report');
    expect(github.comments[0]?.body).toContain('/actions/runs/77/attempts/1');
    expect(github.statuses.at(-1)).toMatchObject({ sha: HEAD, context: 'fused-compat', state: 'failure' });

    await shard(matrix[2]);
    await link('tinyllama-mini');
    for (const number of [0, 1]) await shard(matrix[number], { attempt: 2 });
    const second = await merge({ attempt: 2 });
    expect(await verdicts(second)).toContain(`${changed}: COMPATIBLE`);
    expect(github.statuses.at(-1)).toMatchObject({
      state: 'failure',
      description: expect.stringContaining('gate failed: 3 INCOMPATIBLE, 9 COMPATIBLE') as unknown,
      target_url: expect.stringMatching(/\/runs\/77\/attempts\/2$/) as unknown,
    });
    expect(github.comments[0]?.body).toContain('/actions/runs/77/attempts/2');
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).not.toContain('left no report');
    expect(new Set(github.statuses.map(({ context, sha }) => `${context} ${sha}`))).toEqual(new Set([`fused-compat ${HEAD}`]));
    const single = await job({ mode: 'check', inputs: { comment: 'never', 'status-context': 'none' } });
    expect(await verdicts(second)).toEqual(await verdicts(single));
    expect(second.outputs).toMatchObject({ gate: single.outputs['gate'], incompatible: '3', compatible: '9', inconclusive: '0' });
    expect(second.summary).toContain('INCOMPATIBLE');
  });

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
  it('in their order: the newer takes the comment of the older over', async () => {
    const inputs = { models: models[0] ?? '', shards: '1' };
    for (const head of [HEAD, NEWER]) {
      artifacts = await mkdtemp(join(folder, 'artifacts-'));
      const [entry] = await plan({ inputs, head });
      await shard(entry, { inputs, head });
      github.headSha = head;
      expect((await merge({ head })).code).toBe(0);
    }
    expect(github.comments).toMatchObject([{ body: expect.stringContaining(`commit ${NEWER}`) as unknown }]);
    expect(github.comments[0]?.body).not.toContain(HEAD);
    expect(github.statuses.map(({ sha, state }) => [sha, state])).toEqual([
      [HEAD, 'success'],
      [NEWER, 'success'],
    ]);
  });

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

describe('an artifact that was tampered with', () => {
  const inputs = (): Record<string, string> => ({ models: models.slice(2, 4).join('\n'), shards: '2' });
  let honest: string;
  beforeAll(async () => {
    github = await startGitHub();
    artifacts = await mkdtemp(join(folder, 'honest-'));
    for (const entry of await plan({ inputs: inputs() })) await shard(entry, { inputs: inputs() });
    honest = artifacts;
    await github.close();
  });

  const NAME = 'fused-compat-shard-2-1';
  const edit =
    (change: (report: Report) => unknown) =>
    async (path: string): Promise<void> =>
      writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Report)));
  const stamp = (changes: object) => edit((report) => ({ ...report, shard: { ...report.shard, ...changes } }));
  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['is not JSON', (path) => writeFile(path, 'gate: pass'), 'is not JSON'],
    ['has another schema', edit(() => ({ gate: 'pass', models: [] })), 'is not a report'],
    ['is of another commit', stamp({ commit: 'e'.repeat(40) }), 'judged commit eeee'],
    ['is of another configuration', stamp({ config: 'e'.repeat(64) }), 'was made with another configuration than the plan'],
    ['is of other models', edit((report) => ({ ...report, models: [] })), 'holds other models than the plan gives to shard 2'],
    ['is of a shard that is not', stamp({ shard: 9 }), 'says that it is shard 9 of 2'],
    ['is of an attempt that is not', stamp({ attempt: 7 }), 'says that it is of attempt 7, but this run is in attempt 1'],
    [
      'has a verdict better than its numbers',
      edit((report) => ({ ...report, gate: 'pass', models: report.models.map((model) => ({ ...model, verdict: 'COMPATIBLE' })) })),
      'its verdict is COMPATIBLE, but what it holds makes it INCOMPATIBLE',
    ],
    [
      'has a static check better than its numbers',
      edit((report) => ({
        ...report,
        models: report.models.map((model) => ({ ...model, verdict: 'COMPATIBLE', static: { ...model.static, status: 'COMPATIBLE' } })),
      })),
      'its static check is COMPATIBLE, but not by its numbers',
    ],
    ['is huge', (path) => truncate(path, 2 ** 31), 'has 2147483648 bytes; at most'],
    [
      'is a link',
      async (path) => {
        await rm(path);
        await symlink(join(honest, NAME, 'report.json'), path);
      },
      'is a link: not followed',
    ],
    [
      'is there twice, with other words',
      async (path) => {
        await cp(join(path, '..'), join(path, '../../copy'), { recursive: true });
        await edit((report) => ({ ...report, host: { ...report.host, cpu: 'another' } }))(path);
      },
      'are two different reports of attempt 1: neither counts',
    ],
  ])('because it %s leaves its shard INCONCLUSIVE, is named, and fails the gate', async (_what, tamper, why) => {
    await cp(honest, artifacts, { recursive: true });
    await tamper(join(artifacts, NAME, 'report.json'));
    const finished = await merge();
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ gate: 'fail', models: '2', inconclusive: '1' });
    expect(github.statuses).toMatchObject([{ state: 'failure' }]);
    const warnings = finished.commands.filter(({ name }) => name === 'warning').map(({ message }) => message);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${NAME}/report.json`);
    expect(warnings[0]).toContain(why);
    expect(github.comments[0]?.body.replaceAll(/&#?\w+;/g, '')).toContain(NAME);
  });

  it('is looked for where artifacts are only, whatever a name in an archive says', async () => {
    await cp(honest, artifacts, { recursive: true });
    const report = await readFile(join(artifacts, NAME, 'report.json'));
    await rm(join(artifacts, NAME), { recursive: true });
    for (const name of ['..\\..\\report.json', '..%2freport.json', 'report.json\n']) await writeFile(join(artifacts, name), report);
    await writeFile(join(artifacts, '..', 'report.json'), report);
    const finished = await merge();
    expect([finished.code, finished.outputs['inconclusive']]).toEqual([1, '1']);
    await rm(join(artifacts, '..', 'report.json'));
  });

  it('is no reason to refuse the honest ones', async () => {
    await cp(honest, artifacts, { recursive: true });
    expect((await merge({ inputs: { 'fail-on': 'INCONCLUSIVE' } })).outputs).toMatchObject({
      gate: 'pass',
      inconclusive: '0',
      incompatible: '1',
    });
  });
});

describe('a shard that was cancelled', () => {
  it('fails the merge though fail-on does not name INCONCLUSIVE', async () => {
    const inputs = { models: models.slice(0, 2).join('\n'), shards: '2', 'fail-on': 'INCOMPATIBLE' };
    const [first, second] = await plan({ inputs });
    await shard(first, { inputs });
    const finished = await shard(second, { inputs });
    const path = join(artifacts, 'fused-compat-shard-2-1/report.json');
    const report = JSON.parse(await readFile(path, 'utf8')) as Report;
    const reasons = [{ code: 'cancelled', message: 'The job was cancelled before this model was judged.' }];
    const cancelled = { ...report, models: report.models.map((model) => ({ ...model, verdict: 'INCONCLUSIVE', reasons, static: null })) };
    expect((await merge()).outputs['gate']).toBe('pass');
    await writeFile(path, JSON.stringify(cancelled));
    const merged = await merge();
    expect([finished.code, merged.code, merged.outputs['gate']]).toEqual([0, 1, 'fail']);
    expect(github.statuses.at(-1)).toMatchObject({ state: 'failure', description: expect.stringContaining('1 INCONCLUSIVE') as unknown });
  });
});

describe('a job of a matrix that is set up wrongly', () => {
  it.each<[string, Job, string]>([
    ['an unknown mode', { mode: 'shards' }, 'input mode must be one of check, plan, shard, merge; got "shards"'],
    [
      'an entry of a matrix in mode check',
      { mode: 'check', inputs: { shard: '{}' } },
      'input shard is only for mode shard; the mode is check',
    ],
    ['parts in mode check', { mode: 'check', inputs: { parts: 'x' } }, 'input parts is only for mode merge; the mode is check'],
    [
      'models in mode merge',
      { mode: 'merge', inputs: { models: 'm' } },
      'input models is only for mode check, plan and shard; mode merge judges nothing',
    ],
    ['no folder of parts', { mode: 'merge', inputs: { parts: 'none' } }, '"none" is no folder: no artifact was downloaded to it'],
  ])('by %s sets the status to error, where it may', async (_what, start, message) => {
    const finished = await job(start);
    expect([finished.code, finished.outputs['gate']]).toEqual([1, 'fail']);
    expect(github.statuses).toMatchObject([{ sha: HEAD, context: 'fused-compat', state: 'error' }]);
    // GitHub takes 140 characters.
    expect(github.statuses[0]?.description.slice(0, 60)).toBe(`no verdict: ${message}`.slice(0, 60));
    github.statuses = [];
    github.always = [{ when: 'POST', answer: FORBIDDEN_ANSWER }];
    const forbidden = await job(start);
    expect([forbidden.code, forbidden.outputs['gate']]).toEqual([1, 'fail']);
    expect(forbidden.stdout).toContain('No commit status: the token may not do this (HTTP 403');
  });

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
    const finished = await job({ mode: 'plan', inputs: { models: `org/name, org/${TOKEN}` } });
    expect(finished.code).toBe(1);
    expect(finished.outputs['matrix']).toBe('');
    const said = finished.commands.filter(({ name }) => name === 'error').map(({ message }) => message);
    expect(said).toEqual([expect.stringMatching(/^models\[1\]: the matrix holds a secret.*write that entry otherwise/)]);
  });

  it.each([
    ['HF_TOKEN', 'abc', { models: 'org/name-abc' }, 'models[0]: the matrix holds a secret'],
    ['ACTIONS_RUNTIME_TOKEN', 'x"y-secret', { models: 'org/name', 'runs-on': 'x"y-secret' }, 'runs-on: the matrix holds a secret'],
  ])(
    'by a secret in %s that GitHub would find in the matrix, however short or written, gives none',
    async (name, value, inputs, message) => {
      const finished = await job({ mode: 'plan', inputs, env: { [name]: value } });
      expect([finished.code, finished.outputs['matrix'], finished.outputs['plan']]).toEqual([1, '', '']);
      expect(finished.stdout).toContain(message);
      expect((await job({ mode: 'plan', inputs })).code).toBe(0);
    },
  );

  it('by more models than the output of a job can name says so, instead of giving a matrix that would be dropped', async () => {
    const long = Array.from({ length: 200 }, (_, index) => `models/${index}-${'x'.repeat(3000)}`);
    const files = { 'fused-compat.yml': JSON.stringify({ models: long }) };
    const finished = await job({ mode: 'plan', inputs: { models: '' }, files });
    expect([finished.code, finished.outputs['matrix']]).toEqual([1, '']);
    expect(finished.stdout).toMatch(/their names make a matrix of 6\d{5} characters; GitHub takes 500000 from a job\. Split the list/);
    const half = { 'fused-compat.yml': JSON.stringify({ models: long.slice(0, 100) }) };
    expect((await job({ mode: 'plan', inputs: { models: '' }, files: half })).code).toBe(0);
  });
});

describe('the example workflows', () => {
  interface Step {
    uses?: string;
    with?: Record<string, unknown>;
  }
  interface WorkflowJob {
    strategy?: { matrix?: unknown };
    steps: Step[];
  }
  const examples = new URL('../../examples/workflows/', import.meta.url);
  const uploads = readdirSync(examples).flatMap((file) => {
    const { jobs } = parse(readFileSync(new URL(file, examples), 'utf8')) as { jobs: Record<string, WorkflowJob> };
    return Object.values(jobs).flatMap(({ strategy, steps }) =>
      steps
        .filter(({ uses }) => uses?.startsWith('actions/upload-artifact@'))
        .map((step) => ({ file, inMatrix: strategy?.matrix !== undefined, name: String(step.with?.['name']), ...step.with })),
    );
  });

  it('give each shard and each attempt an artifact of its own, and let a later attempt replace what has one name', () => {
    for (const { file, inMatrix, name, ...options } of uploads) {
      const perAttempt = name.includes('${{ github.run_attempt }}');
      expect([file, name, perAttempt || ('overwrite' in options && options.overwrite === true)]).toEqual([file, name, true]);
      if (inMatrix) expect([name, name.includes('${{ matrix.shard }}'), perAttempt]).toEqual([name, true, true]);
    }
    expect(uploads.filter(({ inMatrix }) => inMatrix).length).toBeGreaterThanOrEqual(2);
    expect(uploads.length).toBeGreaterThanOrEqual(6);
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
