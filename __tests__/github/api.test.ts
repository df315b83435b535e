import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, explain, withRetries } from '../../src/github/api.js';
import type { Octokit } from '../../src/github/api.js';
import type { Canned, GitHubDouble } from './double.js';
import { FORBIDDEN_ANSWER, startGitHub } from './double.js';

let github: GitHubDouble;
let octokit: Octokit;
let waits: number[];
const sleep = (milliseconds: number): Promise<void> => {
  waits.push(milliseconds);
  return Promise.resolve();
};

beforeEach(async () => {
  github = await startGitHub();
  octokit = await connect('ghs_test', github.url);
  waits = [];
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

function answer(...answers: Canned[]): void {
  github.canned = answers.map((canned) => ({ when: 'GET /repos', answer: canned }));
}

function getPull(now?: () => number): Promise<string> {
  const { owner, repo } = github;
  return withRetries(async () => (await octokit.rest.pulls.get({ owner, repo, pull_number: 5 })).data.head.sha, sleep, now);
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error,
  );
}

describe('retries', () => {
  it('go on after server errors and a lost connection, waiting longer each time', async () => {
    answer({ status: 502 }, { status: 0, drop: true }, { status: 503 });
    expect(await getPull()).toBe(github.headSha);
    expect(waits).toEqual([1000, 2000, 4000]);
  });

  it('end after the fourth try', async () => {
    answer({ status: 500 }, { status: 502 }, { status: 503 }, { status: 504 }, { status: 500 });
    expect(explain(await failureOf(getPull()), false)).toMatch(/^GitHub did not answer properly \(HTTP 504: /);
    expect(github.requests).toHaveLength(4);
  });

  it('wait as long as GitHub asks for, by either limit', async () => {
    const secondary = { message: 'You have exceeded a secondary rate limit' };
    answer(
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 403, body: secondary, headers: { 'retry-after': '3' } },
      { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1030' } },
    );
    await getPull(() => 1_000_000);
    expect(waits).toEqual([7000, 3000, 30_000]);
  });

  it('give up at once when GitHub asks for more than a minute', async () => {
    answer({ status: 429, headers: { 'retry-after': '3600' } });
    expect(explain(await failureOf(getPull()), false)).toMatch(/rate limit is used up \(HTTP 429/);
    expect(waits).toEqual([]);
  });

  it('wait a minute for a limit that names no time, and take a date for one', async () => {
    answer({ status: 403, body: { message: 'You have exceeded a secondary rate limit' } });
    await getPull();
    answer({ status: 503, headers: { 'retry-after': new Date(9_000_000).toUTCString() } });
    await getPull(() => 9_000_000 - 5000);
    expect(waits).toEqual([60_000, 5000]);
  });

  it('wait no longer than a minute in all', async () => {
    const limit = { status: 429, headers: { 'retry-after': '35' } };
    answer(limit, limit, limit);
    expect(explain(await failureOf(getPull()), false)).toMatch(/rate limit is used up/);
    expect(waits).toEqual([35_000]);
  });

  it.each([401, 403, 404, 422])('do not repeat what HTTP %i forbids', async (status) => {
    answer({ ...FORBIDDEN_ANSWER, status });
    await failureOf(getPull());
    expect(github.requests).toHaveLength(1);
  });

  it('do not repeat a defect of our own', async () => {
    let calls = 0;
    await failureOf(
      withRetries(() => {
        calls += 1;
        return Promise.reject(new TypeError('x is not a function'));
      }, sleep),
    );
    expect(calls).toBe(1);
  });
});

describe('explanations', () => {
  async function explained(canned: Canned, fork = false): Promise<string> {
    github.canned = Array.from({ length: 4 }, () => ({ when: 'GET /repos', answer: canned }));
    return explain(await failureOf(getPull()), fork);
  }

  it('tell a missing permission from a fork, a bad token and a refusal', async () => {
    expect(await explained(FORBIDDEN_ANSWER)).toMatch(/^the token may not do this \(HTTP 403: Resource not accessible/);
    expect(await explained({ ...FORBIDDEN_ANSWER, status: 404 })).toMatch(/^the token may not do this \(HTTP 404/);
    expect(await explained(FORBIDDEN_ANSWER, true)).toMatch(/^the pull request comes from a fork, whose runs get a read-only token/);
    expect(await explained({ status: 401, body: { message: 'Bad credentials' } })).toMatch(
      /github-token is not valid \(HTTP 401: Bad credentials/,
    );
    expect(await explained({ status: 422, body: { message: 'No commit found' } })).toMatch(/^GitHub refused what was sent/);
  });

  it.each([
    [
      'a web page',
      { status: 200, body: '<!doctype html><title>Sign in</title>', headers: { 'content-type': 'text/html' } },
      'text/html instead of JSON',
    ],
    ['a web page that claims to be JSON', { status: 200, body: '<!doctype html>' }, 'instead of JSON|not valid JSON|Unexpected token'],
    ['nothing', { status: 200, body: '' }, 'an empty answer'],
  ])('do not take %s for an answer', async (_, canned, why) => {
    expect(await explained(canned)).toMatch(new RegExp(`^no usable answer from GitHub \\(.*(${why})`));
    // The double complains of it as well; that is not this test's matter.
    github.violations = [];
  });

  it('tell a web page of an error from the error itself', async () => {
    expect(await explained({ status: 500, body: '<html><b>Unicorn!</b></html>', headers: { 'content-type': 'text/html' } })).toMatch(
      /^GitHub did not answer properly \(HTTP 500/,
    );
    github.violations = [];
  });

  it('say so when there was no answer', async () => {
    expect(await explained({ status: 0, drop: true })).toMatch(/^no usable answer from GitHub \(/);
  });
});
