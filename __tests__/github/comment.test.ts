import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, withRetries } from '../../src/github/api.js';
import type { Octokit } from '../../src/github/api.js';
import { commentBody, upsertComment } from '../../src/github/comment.js';
import type { CommentOutcome } from '../../src/github/comment.js';
import type { Event, PullRequest } from '../../src/github/event.js';
import type { Report } from '../../src/report/types.js';
import type { GitHubDouble } from './double.js';
import { chatter, startGitHub } from './double.js';
import { aModel, aReport } from './report.js';

const PULL: PullRequest = { number: 5, headSha: 'a'.repeat(40), fork: false, base: null };
const EVENT: Event = {
  name: 'pull_request',
  owner: 'octo-org',
  repo: 'fast.kernels',
  sha: PULL.headSha,
  checkout: PULL.headSha,
  pullRequest: PULL,
  runUrl: 'https://github.com/octo-org/fast.kernels/actions/runs/77/attempts/2',
};
const GOOD = aReport([aModel('tinyllama-mini', 'COMPATIBLE')]);
const BAD = aReport([aModel('tinyllama-mini', 'INCOMPATIBLE')]);
const MARKER = '<!-- fused-compat:default v1 -->\n';

let github: GitHubDouble;
let octokit: Octokit;

beforeEach(async () => {
  github = await startGitHub();
  octokit = await connect('ghs_test', github.url);
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

function write(report: Report, key = 'default', onlyUpdate = false): Promise<CommentOutcome> {
  const body = commentBody(report, key, EVENT);
  return withRetries(
    () => upsertComment(octokit, EVENT, PULL, { key, body, onlyUpdate }),
    () => Promise.resolve(),
  );
}

function theirs(login: string, type: 'User' | 'Bot', body = `${MARKER}theirs`): void {
  github.comments.push({ id: github.comments.length + 1, body, login, type, issue: 5 });
}

describe('the comment', () => {
  it('is created by the first run and updated by the second', async () => {
    expect(await write(GOOD)).toBe('created');
    expect(await write(BAD)).toBe('updated');
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toBe(commentBody(BAD, 'default', EVENT));
    expect(github.comments[0]?.body).toContain('INCOMPATIBLE');
  });

  it('takes three requests: look, see that the head is still the same, write', async () => {
    await write(GOOD);
    expect(github.requests).toEqual([
      'GET /repos/octo-org/fast.kernels/issues/5/comments?per_page=100',
      'GET /repos/octo-org/fast.kernels/pulls/5',
      'POST /repos/octo-org/fast.kernels/issues/5/comments',
    ]);
  });

  it('is not written again when it already says the same', async () => {
    await write(GOOD);
    if (github.comments[0] !== undefined) github.comments[0].body = github.comments[0].body.replaceAll('\n', '\r\n');
    expect(await write(GOOD)).toBe('unchanged');
    expect(github.requests.filter((line) => /^(POST|PATCH)/.test(line))).toHaveLength(1);
  });

  it.each([40, 140, 300])('is found after %i other comments', async (count) => {
    chatter(github, count, 5);
    await write(GOOD);
    expect(await write(BAD)).toBe('updated');
    expect(github.comments).toHaveLength(count + 1);
  });

  it('is not looked for on other pages once it was found', async () => {
    await write(GOOD);
    github.comments.push(
      ...Array.from({ length: 150 }, (_, index) => ({ id: 2000 + index, body: 'later', login: 'p', type: 'User' as const, issue: 5 })),
    );
    github.requests.length = 0;
    expect(await write(BAD)).toBe('updated');
    expect(github.requests.filter((line) => line.includes('/comments?'))).toHaveLength(1);
  });

  it('leaves a copy of the marker by a person alone and makes its own', async () => {
    theirs('mallory', 'User');
    expect(await write(GOOD)).toBe('created');
    expect(await write(BAD)).toBe('updated');
    expect(github.comments.map(({ login }) => login)).toEqual(['mallory', 'github-actions[bot]']);
    expect(github.comments[0]?.body).toBe(`${MARKER}theirs`);
    expect(github.requests).toContain('GET /user');
    expect(github.requests).not.toContain('POST /graphql');
  });

  it("leaves another app's copy alone and makes its own", async () => {
    theirs('other-app[bot]', 'Bot');
    expect(await write(GOOD)).toBe('created');
    expect(await write(BAD)).toBe('updated');
    expect(github.comments).toHaveLength(2);
    expect(github.comments[0]?.body).toBe(`${MARKER}theirs`);
  });

  it('leaves a person alone who is named like a bot', async () => {
    theirs('github-actions', 'User');
    expect(await write(GOOD)).toBe('created');
    expect(github.comments[0]?.body).toBe(`${MARKER}theirs`);
  });

  it('leaves a comment alone that only quotes the marker', async () => {
    theirs('github-actions[bot]', 'Bot', `> ${MARKER}`);
    expect(await write(GOOD)).toBe('created');
  });

  it("is a person's when the token is, and is found again among others' copies", async () => {
    github.actor = { login: 'Octocat', type: 'User', installation: false };
    theirs('mallory', 'User');
    expect(await write(GOOD)).toBe('created');
    expect(await write(BAD)).toBe('updated');
    expect(github.comments.map(({ login }) => login)).toEqual(['mallory', 'Octocat']);
  });

  it('is not doubled because a rate limit hid who the token belongs to', async () => {
    github.actor = { login: 'octocat', type: 'User', installation: false };
    await write(GOOD);
    const limited = { message: 'You have exceeded a secondary rate limit', documentation_url: 'https://docs.github.com' };
    github.canned = [{ when: 'GET /user', answer: { status: 403, body: limited, headers: { 'retry-after': '1' } } }];
    expect(await write(BAD)).toBe('updated');
    expect(github.comments).toHaveLength(1);
  });

  it("is another app's when the token is", async () => {
    github.actor = { login: 'kernel-ci[bot]', type: 'Bot', installation: true };
    theirs('other-app[bot]', 'Bot');
    theirs('mallory', 'User');
    expect(await write(GOOD)).toBe('created');
    expect(await write(BAD)).toBe('updated');
    expect(github.comments.map(({ login }) => login)).toEqual(['other-app[bot]', 'mallory', 'kernel-ci[bot]']);
    expect(github.requests).not.toContain('GET /user');
  });

  it('is one per key', async () => {
    await write(GOOD, 'gpu');
    await write(GOOD, 'gpu-2');
    expect(await write(BAD, 'gpu')).toBe('updated');
    expect(github.comments.map(({ body }) => body.split('\n')[0])).toEqual([
      '<!-- fused-compat:gpu v1 -->',
      '<!-- fused-compat:gpu-2 v1 -->',
    ]);
  });

  it('is not written when the pull request has moved on', async () => {
    await write(GOOD);
    github.headSha = 'c'.repeat(40);
    expect(await write(BAD)).toBe('moved');
    expect(github.comments[0]?.body).toBe(commentBody(GOOD, 'default', EVENT));
  });

  it('with on-failure waits for a failure, and is brought up to date after it', async () => {
    expect(await write(GOOD, 'default', true)).toBe('not-needed');
    expect(github.comments).toEqual([]);
    await write(BAD);
    expect(await write(GOOD, 'default', true)).toBe('updated');
  });

  it('is not doubled when the answer to its creation is lost', async () => {
    github.canned = [{ when: 'POST', answer: { status: 502, afterDoing: true } }];
    expect(await write(GOOD)).toBe('unchanged');
    expect(github.comments).toHaveLength(1);
  });

  it('is not written on an answer that is no list', async () => {
    github.canned = [{ when: 'GET', answer: { status: 200, body: 'proxy error', headers: { 'content-type': 'text/html' } } }];
    await expect(write(GOOD)).rejects.toThrow();
    expect(github.comments).toEqual([]);
    github.violations = github.violations.filter((line) => !line.includes('answer: '));
  });
});

describe("the comment's text", () => {
  it('starts with the marker and ends with commit and run', () => {
    const body = commentBody(GOOD, 'default', EVENT);
    expect(body.startsWith(MARKER)).toBe(true);
    expect(body).toContain(`commit ${PULL.headSha} · [run, attempt 2](${EVENT.runUrl ?? ''})</sub>`);
  });

  it('has no markup, mention or link out of the version that a report of a stranger names', () => {
    const report = { ...GOOD, tool: { ...GOOD.tool, version: '1</sub><img src=x> @team [a](https://evil)' } };
    expect(commentBody(report, 'default', EVENT).split('<sub>')[1]).not.toMatch(/<img|@team|\]\(https:\/\/evil|<\/sub>./);
  });

  it('stays under 65,000 bytes with marker and footer, and keeps both', async () => {
    const models = Array.from({ length: 2000 }, (_, index) =>
      aModel(`org/modèle-${index}-${'é'.repeat(40)}`, index % 2 === 0 ? 'WARNING' : 'INCOMPATIBLE'),
    );
    const body = commentBody(aReport(models), 'default', EVENT);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(65_000);
    expect(Buffer.byteLength(body)).toBeGreaterThan(30_000);
    expect(body.startsWith(MARKER)).toBe(true);
    expect(body.trimEnd().endsWith('</sub>')).toBe(true);
    expect(await write(aReport(models))).toBe('created');
  });

  it('gives hostile names no marker, no mention, no markup and no broken character', async () => {
    const hostile = 'x\n<!-- fused-compat:gpu v1 -->\n@octocat #1 <img src=x> [a](https://evil) | `a` \ud800';
    const report = aReport([aModel(hostile, 'INCOMPATIBLE', hostile)]);
    const body = commentBody(report, 'default', EVENT);
    expect(body.split('\n').filter((line) => line.startsWith('<!--'))).toEqual([MARKER.trimEnd()]);
    expect(body).not.toContain('<img');
    expect(body).not.toMatch(/(^|[^\w`])@octocat/);
    expect(body).not.toContain('[a](https://evil)');
    expect(Buffer.from(body).toString()).toBe(body);
    expect(await write(report)).toBe('created');
    expect(await write(report)).toBe('unchanged');
  });
});
