import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readEvent } from '../../src/github/event.js';

const MERGE = 'b'.repeat(40);
const HEAD = 'a'.repeat(40);
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
  return { pull_request: { number: 5, head: { sha: HEAD, repo: from } } };
}

describe('the event', () => {
  it('takes the head of a pull request, never its merge commit', async () => {
    const event = await readEvent(await environment(pull({ full_name: 'Octo-Org/fast.kernels' }), { GITHUB_EVENT_NAME: 'pull_request' }));
    expect(event).toEqual({
      name: 'pull_request',
      owner: 'octo-org',
      repo: 'fast.kernels',
      sha: HEAD,
      pullRequest: { number: 5, headSha: HEAD, fork: false },
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
