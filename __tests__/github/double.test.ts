// The double must complain, or the tests that use it show nothing.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GitHubDouble } from './double.js';
import { startGitHub } from './double.js';

let github: GitHubDouble;
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(() => github.close());

async function send(method: string, path: string, body?: unknown, token = 'token x'): Promise<number> {
  const headers = { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: token }) };
  const response = await fetch(github.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  await response.text();
  return response.status;
}

const REPO = '/repos/octo-org/fast.kernels';
const SHA = 'a'.repeat(40);

describe('the loopback GitHub', () => {
  it('has no complaint about correct requests, nor about its own answers', async () => {
    expect(await send('POST', `${REPO}/issues/5/comments`, { body: 'hello' })).toBe(201);
    expect(await send('GET', `${REPO}/issues/5/comments?per_page=100&page=1`)).toBe(200);
    expect(await send('PATCH', `${REPO}/issues/comments/1001`, { body: 'again' })).toBe(200);
    expect(await send('GET', `${REPO}/pulls/5`)).toBe(200);
    expect(
      await send('POST', `${REPO}/statuses/${SHA}`, { state: 'success', context: 'c', description: 'd', target_url: 'https://x' }),
    ).toBe(201);
    expect(await send('GET', '/user')).toBe(403);
    github.actor = { login: 'octocat', type: 'User', installation: false };
    expect(await send('GET', '/user')).toBe(200);
    expect(await send('POST', '/graphql', { query: 'query { viewer { login } }' })).toBe(200);
    expect(github.violations).toEqual([]);
  });

  it.each([
    ['a state that GitHub does not know', 'POST', `${REPO}/statuses/${SHA}`, { state: 'passed' }, 'allowed values'],
    ['a missing state', 'POST', `${REPO}/statuses/${SHA}`, { context: 'c' }, "required property 'state'"],
    ['a misspelt key', 'POST', `${REPO}/statuses/${SHA}`, { state: 'success', targetUrl: 'https://x' }, 'body.targetUrl is unknown'],
    ['a comment without a body', 'POST', `${REPO}/issues/5/comments`, {}, "required property 'body'"],
    ['a body of another type', 'PATCH', `${REPO}/issues/comments/1`, { body: 5 }, 'must be string'],
    ['an unknown query parameter', 'GET', `${REPO}/issues/5/comments?perpage=100`, undefined, 'query parameter perpage is unknown'],
    ['a number that is none', 'GET', `${REPO}/pulls/five`, undefined, 'path parameter pull_number'],
    ['a wrong method', 'PUT', `${REPO}/issues/comments/1`, { body: 'x' }, 'no such operation'],
    ['a wrong path', 'GET', `${REPO}/pull/5`, undefined, 'no such operation'],
    ['another GraphQL query', 'POST', '/graphql', { query: 'query { user }' }, 'unknown GraphQL query'],
  ])('complains about %s', async (_what, method, path, body, complaint) => {
    await send(method, path, body);
    expect(github.violations[0]).toContain(complaint);
  });

  it('complains about a request without a token', async () => {
    await send('GET', `${REPO}/pulls/5`, undefined, '');
    expect(github.violations).toEqual([expect.stringContaining('no token')]);
  });

  it('complains about an answer of its own that GitHub would not give', async () => {
    github.canned.push({ when: 'GET', answer: { status: 200, body: [{ id: 'x' }] } });
    await send('GET', `${REPO}/issues/5/comments`);
    expect(github.violations.join()).toContain('answer: ');
  });

  it('refuses what the description does not limit but GitHub does', async () => {
    expect(await send('POST', `${REPO}/statuses/${SHA}`, { state: 'success', description: 'x'.repeat(141) })).toBe(422);
    expect(await send('POST', `${REPO}/statuses/${SHA}`, { state: 'success', description: 'x'.repeat(140) })).toBe(201);
    expect(await send('POST', `${REPO}/issues/5/comments`, { body: 'x'.repeat(65_537) })).toBe(422);
    expect(await send('POST', `${REPO}/issues/5/comments`, { body: 'x'.repeat(65_536) })).toBe(201);
    expect(github.statuses).toHaveLength(1);
    expect(github.comments).toHaveLength(1);
    expect(github.violations).toEqual([]);
  });
});
