import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { attemptOf, eventOfReports, readEvent } from '../../src/github/event.js';

const MERGE = 'b'.repeat(40);
const HEAD = 'a'.repeat(40);
const BASE = 'd'.repeat(40);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fused-compat-event-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function environment(payload: unknown, more: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const file = join(folder, `${Math.random()}.json`);
  await writeFile(file, typeof payload === 'string' ? payload : JSON.stringify(payload));
  return { GITHUB_REPOSITORY: 'octo-org/fast.kernels', GITHUB_SHA: MERGE, GITHUB_EVENT_PATH: file, GITHUB_RUN_ID: '77', ...more };
}

function pull(from: unknown): unknown {
  return { pull_request: { number: 5, head: { sha: HEAD, repo: from }, base: { sha: BASE } } };
}

describe('the event', () => {
  it('takes the head of a pull request, never its merge commit', async () => {
    const event = await readEvent(await environment(pull({ full_name: 'Octo-Org/fast.kernels' }), { GITHUB_EVENT_NAME: 'pull_request' }));
    expect(event).toEqual({
      name: 'pull_request',
      owner: 'octo-org',
      repo: 'fast.kernels',
      sha: HEAD,
      checkout: MERGE,
      pullRequest: { number: 5, headSha: HEAD, fork: false, base: BASE },
      runUrl: 'https://github.com/octo-org/fast.kernels/actions/runs/77',
    });
  });

  it.each([
    ['another repository', { full_name: 'someone/fast.kernels' }],
    ['a deleted repository', null],
  ])('knows a pull request from %s as a fork', async (_what, from) => {
    expect((await readEvent(await environment(pull(from))))?.pullRequest?.fork).toBe(true);
  });

  it('takes the head of a merge group', async () => {
    const event = await readEvent(await environment({ merge_group: { head_sha: HEAD } }));
    expect(event).toMatchObject({ sha: HEAD, pullRequest: null });
  });

  it('takes the commit itself on a push and without an event file', async () => {
    expect(await readEvent(await environment({ ref: 'refs/heads/main' }))).toMatchObject({ sha: MERGE, pullRequest: null });
    expect(await readEvent({ GITHUB_REPOSITORY: 'o/r', GITHUB_SHA: MERGE })).toMatchObject({ sha: MERGE, runUrl: null });
  });

  it('makes links on an Enterprise Server', async () => {
    const event = await readEvent(await environment({}, { GITHUB_SERVER_URL: 'https://ghe.example.com/' }));
    expect(event?.runUrl).toBe('https://ghe.example.com/octo-org/fast.kernels/actions/runs/77');
  });

  it('links to its own attempt, where that is known', async () => {
    const page = 'https://github.com/octo-org/fast.kernels/actions/runs/77';
    expect((await readEvent(await environment({}, { GITHUB_RUN_ATTEMPT: '3' })))?.runUrl).toBe(`${page}/attempts/3`);
    expect((await readEvent(await environment({}, { GITHUB_RUN_ATTEMPT: '../3' })))?.runUrl).toBe(page);
  });

  it('is nothing outside a run', async () => {
    expect(await readEvent({})).toBeNull();
    expect(await readEvent({ GITHUB_REPOSITORY: 'o/r' })).toBeNull();
    expect(await readEvent({ GITHUB_REPOSITORY: 'o/r/../../x', GITHUB_SHA: MERGE })).toBeNull();
    expect(await readEvent({ GITHUB_REPOSITORY: 'o/r', GITHUB_SHA: 'not a commit' })).toBeNull();
  });

  it('does not take a broken event file for a push', async () => {
    await expect(readEvent(await environment('{"pull_request":'))).rejects.toThrow();
  });
});

describe('the run that a workflow_run follows', () => {
  const repository = (name: string) => ({ full_name: name, owner: { login: name.split('/')[0] } });
  const run = {
    id: 76,
    run_attempt: 2,
    event: 'pull_request',
    head_sha: HEAD,
    head_branch: 'fix',
    head_repository: repository('someone/fast.kernels'),
  };
  const follow = async (changes: object) =>
    readEvent(await environment({ workflow_run: { ...run, ...changes } }, { GITHUB_EVENT_NAME: 'workflow_run' }));

  it('gives its commit, page and branch to the reports that are posted, and to nothing else', async () => {
    const event = await follow({});
    expect(event).toMatchObject({ sha: MERGE, pullRequest: null });
    const posted = event && eventOfReports(event);
    expect(posted).toMatchObject({ sha: HEAD, runUrl: 'https://github.com/octo-org/fast.kernels/actions/runs/76/attempts/2' });
    expect(posted?.followed?.head).toBe('someone:fix');
  });

  it('is of a fork unless it ran for a commit of this repository', async () => {
    expect((await follow({}))?.followed).toMatchObject({ fork: true, attempt: 2 });
    expect((await follow({ head_repository: null }))?.followed?.fork).toBe(true);
    expect((await follow({ head_repository: repository('Octo-Org/fast.kernels') }))?.followed?.fork).toBe(false);
  });

  it.each([
    ['of a push', { event: 'push' }, null],
    ['of a repository that is gone', { head_repository: null }, null],
    ['without a branch', { head_branch: null }, null],
  ])('%s has no pull request to look for', async (_what, changes, head) => {
    expect((await follow(changes))?.followed?.head).toBe(head);
  });

  it('is none where the commit is no commit, or the event another', async () => {
    expect((await follow({ head_sha: 'main' }))?.followed).toBeUndefined();
    expect((await readEvent(await environment({ workflow_run: run }, { GITHUB_EVENT_NAME: 'push' })))?.followed).toBeUndefined();
  });
});

describe('the attempt of a run', () => {
  it.each([
    ['3', 3],
    ['', 1],
    ['0', 1],
    ['-1', 1],
    ['many', 1],
  ])('is from %j %d', (GITHUB_RUN_ATTEMPT, attempt) => {
    expect(attemptOf({ GITHUB_RUN_ATTEMPT })).toBe(attempt);
  });
});
