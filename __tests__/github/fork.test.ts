// What a pull request from another repository may decide: the built Action with a fork's files in the workspace, the base branch's at the loopback GitHub.

import { readFileSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { GitHubDouble } from './double.js';
import { FORBIDDEN_ANSWER, startGitHub } from './double.js';
import type { Finished, Start } from './runner.js';
import { BASE, HEAD, MERGE, MODELS, pullRequest, runAction } from './runner.js';

const { outputs: OUTPUTS } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as {
  outputs: Record<string, unknown>;
};
const FORK = 'someone/fast.kernels';
const CONFIG = 'fused-compat.yml';
const ELSEWHERE = join(MODELS, 'tinyllama-mini');

let github: GitHubDouble;
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

const base = { models: ['tinyllama-mini'], policy: 'static' };

/** Two models in the workspace. */
async function checkout(workspace: string): Promise<void> {
  for (const name of ['tinyllama-mini', 'qwen3-mini']) await cp(join(MODELS, name), join(workspace, name), { recursive: true });
}

interface Case extends Partial<Start> {
  /** fused-compat.yml of the pull request; null: none. */
  theirs?: object | null;
  /** fused-compat.yml of the base branch; null: none. */
  ours?: object | null;
}

async function run({
  theirs = base,
  ours = base,
  payload = pullRequest(FORK),
  files = {},
  inputs = {},
  ...more
}: Case = {}): Promise<Finished> {
  for (const commit of ours === null ? [] : [BASE, MERGE]) github.files[`${CONFIG}@${commit}`] = JSON.stringify(ours);
  const finished = await runAction({
    inputs,
    apiUrl: github.url,
    payload,
    files: { ...(theirs === null ? {} : { [CONFIG]: JSON.stringify(theirs) }), ...files },
    setup: checkout,
    ...more,
  });
  expect(Object.keys(finished.outputs).sort()).toEqual(Object.keys(OUTPUTS).sort());
  expect(finished.stdout + finished.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  return finished;
}

function errors({ commands }: Finished): string[] {
  return commands.filter(({ name }) => name === 'error').map(({ message }) => message.replaceAll('%0A', '\n'));
}

/** A run that was refused: failed, no verdict, and the error says why. */
function expectRefused(finished: Finished, message: string | RegExp): void {
  expect(errors(finished).join('\n')).toMatch(message);
  expect(finished.code).toBe(1);
  expect(finished.outputs).toMatchObject({ gate: 'fail', verdict: '', matrix: '', 'report-json': '' });
  expect(github.statuses.map(({ state }) => state)).toEqual(['error']);
  expect(github.comments).toEqual([]);
}

describe("a fork's configuration", () => {
  it("that is the base branch's is judged by, whatever stands in it", async () => {
    const until = '2999-12-31';
    const lenient = {
      models: [ELSEWHERE, 'qwen3-mini'],
      policy: 'static',
      allow: [{ model: 'qwen3-mini', reason: 'known', until }],
      'fail-on': ['INCOMPATIBLE'],
      'runs-on': ['self-hosted', 'gpu'],
    };
    const finished = await run({ theirs: lenient, ours: lenient });
    expect(errors(finished)).toEqual([]);
    expect([finished.code, finished.outputs['gate'], finished.outputs['models']]).toEqual([0, 'pass', '2']);
    expect(github.requests[0]).toBe(`GET /repos/octo-org/fast.kernels/contents/${CONFIG}?ref=${BASE}`);
  });

  it('may ask for more: models, verdicts that fail, a stricter policy, no more allowances', async () => {
    const ours = { ...base, 'fail-on': ['INCOMPATIBLE'], allow: [{ model: 'qwen3-mini', reason: 'known', until: '2999-12-31' }] };
    const theirs = { models: ['qwen3-mini', 'tinyllama-mini'], policy: 'static', 'fail-on': ['INCOMPATIBLE', 'WARNING'], jobs: 2 };
    const finished = await run({ theirs, ours });
    expect([finished.code, finished.outputs['gate'], finished.outputs['verdict']]).toEqual([1, 'fail', 'INCOMPATIBLE']);
  });

  const allowed = [{ model: 'qwen3-mini', reason: 'known', until: '2027-01-01' }];
  it.each<[string, object, object, string]>([
    ['a looser policy', { policy: 'static' }, { policy: 'strict' }, 'policy: static is looser than strict'],
    [
      'an endless one',
      { allow: [{ ...allowed[0], until: '9999-12-31' }] },
      { allow: allowed },
      'allow: "qwen3-mini" up to 9999-12-31 is not allowed',
    ],
    [
      'machines of ours',
      { 'runs-on': ['self-hosted', 'gpu'] },
      {},
      'runs-on: ["self-hosted","gpu"] is not what the base branch has ("ubuntu-latest")',
    ],
    ['other kernels', { kernels: 'mine' }, { kernels: 'kernels' }, 'kernels: "mine" is not what the base branch has ("kernels")'],
  ])('that asks for %s is refused', async (_what, theirs, ours, message) => {
    const finished = await run({ theirs: { ...base, ...theirs }, ours: { ...base, ...ours } });
    expect(errors(finished)[0]).toContain(`${CONFIG}: ${message}`);
    expectRefused(finished, /a pull request from another repository may (?:not|only) /);
  });

  it('that was deleted leaves nothing to the fork', async () => {
    const ours = { ...base, 'fail-on': ['WARNING', 'INCOMPATIBLE', 'INCONCLUSIVE', 'IMPLEMENTATION_ISSUE'] };
    const finished = await run({ theirs: null, ours, inputs: { models: 'tinyllama-mini', policy: 'static' } });
    expectRefused(finished, /^there is no configuration file: fail-on: lacks "WARNING"/);
  });

  it.each<[string, Case, string]>([
    ['has none', { ours: null }, 'is not allowed on the base branch'],
    [
      'cannot be read',
      {},
      'The base branch was taken to have no configuration: the token may not do this (HTTP 403: Resource not accessible',
    ],
    ['may not be asked', { inputs: { 'github-token': '' } }, 'the input github-token is empty, and it takes a token to read it'],
  ])('is held against the defaults where the base branch %s', async (what, more, message) => {
    if (what === 'cannot be read') github.always = [{ when: 'GET /repos/octo-org/fast.kernels/contents', answer: FORBIDDEN_ANSWER }];
    const inputs = { policy: 'static', ...more.inputs };
    const models = base.models;
    const bad = await run({ theirs: { models, allow: allowed }, ...more, inputs });
    expect(errors(bad).join('\n')).toContain(message);
    expect([bad.code, bad.outputs['gate']]).toEqual([1, 'fail']);
    const good = await run({ theirs: { models }, ...more, inputs });
    expect([good.code, good.outputs['gate']]).toEqual([0, 'pass']);
  });

  it.each<[string, object, (workspace: string) => Promise<unknown>, RegExp]>([
    ['an absolute model', { models: [ELSEWHERE] }, checkout, /models\[0\]: ".*tinyllama-mini" leads out of the workspace;/],
    [
      'a linked model',
      { models: ['linked'] },
      (at) => symlink(ELSEWHERE, join(at, 'linked')),
      /"linked" leads out of the workspace by a link/,
    ],
    [
      'linked kernels',
      { kernels: 'kernels' },
      (at) => symlink('/usr/lib', join(at, 'kernels')),
      /kernels: "kernels" leads out of the workspace by a link/,
    ],
    [
      'linked prompts',
      { prompts: 'prompts.txt' },
      (at) => symlink('/etc/hostname', join(at, 'prompts.txt')),
      /prompts: "prompts.txt" leads out of the workspace by a link/,
    ],
    [
      'a linked output',
      {},
      (at) => symlink(join(at, '..'), join(at, 'fused-compat-report')),
      /output: "fused-compat-report" leads out of the workspace by a link/,
    ],
  ])('that names %s is refused', async (_what, theirs, setup, message) => {
    const finished = await run({
      theirs: { ...base, ...theirs },
      setup: async (at) => {
        await setup(at);
      },
    });
    expectRefused(finished, message);
    expect(errors(finished)[0]).toContain('a pull request from another repository may name only what is in it');
  });

  it('that is a link out of the workspace is not read', async () => {
    const finished = await run({ theirs: null, setup: (at) => symlink('/etc/passwd', join(at, CONFIG)) });
    expectRefused(finished, /fused-compat\.yml: is a link out of the workspace/);
    expect(finished.stdout).not.toContain('root:');
  });

  it('counts nothing in a pull request of the repository itself, whose authors may write to it', async () => {
    const finished = await run({ payload: pullRequest(), theirs: { models: [ELSEWHERE], policy: 'static', 'fail-on': 'never' } });
    expect([finished.code, finished.outputs['gate']]).toEqual([0, 'pass']);
    expect(github.requests.filter((line) => line.includes('/contents/'))).toEqual([]);
  });

  it('says nothing over what the workflow names', async () => {
    const inputs = { models: ELSEWHERE, policy: 'static', 'fail-on': 'never' };
    const finished = await run({ theirs: null, ours: null, inputs });
    expect(finished.code).toBe(0);
  });

  it('chooses no machine by a plan either', async () => {
    const finished = await run({ theirs: { ...base, 'runs-on': 'self-hosted' }, inputs: { mode: 'plan' } });
    expect(errors(finished)[0]).toContain('runs-on: "self-hosted" is not what the base branch has');
    expect([finished.code, finished.outputs['matrix']]).toEqual([1, '']);
    const good = await run({ inputs: { mode: 'plan' } });
    expect([good.code, JSON.parse(good.outputs['matrix'] ?? '')]).toMatchObject([0, { include: [{ 'runs-on': 'ubuntu-latest' }] }]);
  });
});

describe('where the job may hold the secrets of the repository', () => {
  const withKernels = { models: ['tinyllama-mini'], policy: 'evidence', kernels: 'kernels', layers: '0', prompts: ['Hello'] };
  const ran = 'ran.txt';
  /** A kernel that leaves a file where it runs. */
  const kernel = JSON.stringify({
    name: 'k',
    op: 'rms_norm',
    backend: 'command',
    dtypes: ['float32', 'bfloat16'],
    command: ['touch', `../${ran}`],
  });
  const files = { 'kernels/k/kernel.json': kernel };
  /** A checkout of a commit, as actions/checkout leaves it; of a branch, its name is in HEAD. */
  const at =
    (commit: string, branch?: string) =>
    async (workspace: string): Promise<void> => {
      await checkout(workspace);
      await mkdir(join(workspace, '.git'));
      await writeFile(join(workspace, '.git/HEAD'), branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`);
      if (branch !== undefined)
        await writeFile(join(workspace, '.git/packed-refs'), `# pack-refs with: peeled\n${commit} refs/heads/${branch}\n`);
    };
  const didRun = ({ workspace }: Finished): Promise<boolean> =>
    readFile(join(workspace, 'kernels', ran)).then(
      () => true,
      () => false,
    );
  const target = (from: string): Case => ({
    eventName: 'pull_request_target',
    payload: pullRequest(from),
    theirs: withKernels,
    ours: withKernels,
    files,
  });
  const follow = (from: string): Case => ({
    eventName: 'workflow_run',
    payload: {
      workflow_run: {
        id: 76,
        event: 'pull_request',
        head_sha: HEAD,
        head_branch: 'x',
        head_repository: { full_name: from, owner: { login: 'x' } },
      },
    },
    theirs: withKernels,
    ours: withKernels,
    files,
  });

  it.each<[string, Case, RegExp]>([
    [
      'pull_request_target, of a fork',
      { ...target(FORK), setup: at(HEAD) },
      /the kernels of another repository would run with the token and the secrets/,
    ],
    [
      'pull_request_target, of a fork, from the base branch',
      { ...target(FORK), setup: at(MERGE) },
      /judge them on pull_request, or use policy static/,
    ],
    [
      'pull_request_target, of the base branch',
      { ...target('octo-org/fast.kernels'), setup: at(MERGE, 'main') },
      /would not be judged: use the event pull_request/,
    ],
    [
      'workflow_run after a fork, of its commit',
      { ...follow(FORK), setup: at(HEAD) },
      /on workflow_run the kernels of another repository would run with the token/,
    ],
    [
      'workflow_run after a fork, of nobody knows what',
      { ...follow(FORK), setup: checkout },
      /on workflow_run the kernels of another repository would run with the token/,
    ],
  ])('kernels on %s are refused and do not run', async (_what, start, message) => {
    const finished = await run(start);
    expectRefused(finished, message);
    expect(await didRun(finished)).toBe(false);
  });

  it('kernels on workflow_run are refused even from what says that it is a checkout of the default branch: an artifact can say so too', async () => {
    const finished = await run({ ...follow(FORK), setup: at(MERGE, 'main') });
    expectRefused(finished, /on workflow_run the kernels of another repository/);
    expect(await didRun(finished)).toBe(false);
  });

  it('a run of the repository itself is followed with its kernels', async () => {
    const finished = await run({ ...follow('octo-org/fast.kernels'), setup: at(MERGE) });
    expect(finished.outputs['models']).toBe('1');
    expect(await didRun(finished)).toBe(true);
  });

  it('kernels of the pull request itself run on pull_request, where there is nothing to take', async () => {
    const finished = await run({ theirs: withKernels, ours: withKernels, files, setup: at(MERGE) });
    expect(finished.outputs['models']).toBe('1');
    expect(await didRun(finished)).toBe(true);
  });

  it("policy static runs none, so it is judged by the base branch's configuration, and by no looser one", async () => {
    const finished = await run({ ...target(FORK), theirs: base, ours: base, setup: at(MERGE) });
    expect([finished.code, finished.outputs['gate']]).toEqual([0, 'pass']);
    const after = await run({ ...follow(FORK), theirs: base, ours: base, setup: at(MERGE, 'main') });
    expect([after.code, after.outputs['gate']]).toEqual([0, 'pass']);
    github.statuses = [];
    github.comments = [];
    expectRefused(await run({ ...target(FORK), theirs: { ...base, 'fail-on': 'never' }, ours: base, setup: at(HEAD) }), /fail-on: lacks/);
  });
});
