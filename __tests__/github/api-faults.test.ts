// What the built Action makes of an API that answers wrongly or not at all, with real waits: several runs go on side by side.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { Canned, GitHubDouble } from './double.js';
import { startGitHub } from './double.js';
import type { Finished } from './runner.js';
import { HEAD, MODELS, runAction } from './runner.js';

const PERMISSIONS = { comment: 'pull-requests: write', 'commit status': 'statuses: write' };
const RERUN = 'Run the job again to have it';
const answer = (status: number, message: string, headers: Record<string, string> = {}): Canned => ({
  status,
  body: { message, documentation_url: 'https://docs.github.com/rest' },
  headers,
});

interface Fault {
  answer: Canned;
  /** How the warning says it. */
  why: string;
  /** What to do about it; null: the permission. */
  remedy: string | null;
  /** How often each of the two is tried. */
  tries: number;
}

const FAULTS: Record<string, Fault> = {
  '401': {
    answer: answer(401, 'Bad credentials'),
    why: 'the token in the input github-token is not valid (HTTP 401',
    remedy: null,
    tries: 1,
  },
  '403 for want of a permission': {
    answer: answer(403, 'Resource not accessible by integration'),
    why: 'the token may not do this (HTTP 403',
    remedy: null,
    tries: 1,
  },
  '403 for a secondary rate limit of two minutes': {
    answer: answer(403, 'You have exceeded a secondary rate limit', { 'retry-after': '120' }),
    why: "GitHub's rate limit is used up (HTTP 403",
    remedy: RERUN,
    tries: 1,
  },
  '404': { answer: answer(404, 'Not Found'), why: 'the token may not do this (HTTP 404', remedy: null, tries: 1 },
  '422': {
    answer: answer(422, 'Validation Failed'),
    why: 'GitHub refused what was sent (HTTP 422',
    remedy: 'If it happens again, please report it',
    tries: 1,
  },
  '429 with Retry-After': {
    answer: answer(429, 'Too many requests', { 'retry-after': '1' }),
    why: "GitHub's rate limit is used up (HTTP 429",
    remedy: RERUN,
    tries: 4,
  },
  '500': { answer: answer(500, 'Server Error'), why: 'GitHub did not answer properly (HTTP 500', remedy: RERUN, tries: 4 },
  'a web page': {
    answer: { status: 200, body: '<!doctype html><title>Sign in</title>', headers: { 'content-type': 'text/html' } },
    why: 'text/html instead of JSON',
    remedy: RERUN,
    tries: 1,
  },
  'a web page as an error': {
    answer: { status: 502, body: `<html>${'x'.repeat(100_000)}</html>`, headers: { 'content-type': 'text/html' } },
    why: 'GitHub did not answer properly (HTTP 502',
    remedy: RERUN,
    tries: 4,
  },
  nothing: { answer: { status: 200, body: '' }, why: 'an empty answer', remedy: RERUN, tries: 1 },
  'a cut connection': { answer: { status: 0, drop: true }, why: 'no usable answer from GitHub', remedy: RERUN, tries: 4 },
};

interface Outcome {
  finished: Finished;
  github: GitHubDouble;
}
const outcomes = new Map<string, Outcome>();

async function outcomeOf(name: string, { answer: canned }: Fault): Promise<void> {
  const github = await startGitHub();
  // Reading may go well: what is asked for first must not decide what is tested.
  const writes = ['POST /repos/octo-org/fast.kernels/issues/5/comments', `POST /repos/octo-org/fast.kernels/statuses/${HEAD}`];
  github.always = writes.map((when) => ({ when, answer: canned }));
  const inputs = { models: `${join(MODELS, 'tinyllama-mini')}, ${join(MODELS, 'qwen3-mini')}`, policy: 'static' };
  outcomes.set(name, { finished: await runAction({ inputs, apiUrl: github.url }), github });
}

beforeAll(async () => {
  // Those that wait go first; no more at a time, because each must end within the 50 s of `runAction` on a busy machine too.
  const left = Object.entries(FAULTS).sort(([, a], [, b]) => b.tries - a.tries);
  const inTurn = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await outcomeOf(...next);
  };
  await Promise.all(Array.from({ length: 5 }, inTurn));
});
afterAll(() => Promise.all([...outcomes.values()].map(({ github }) => github.close())));

describe.each(Object.entries(FAULTS))('an API that answers writes with %s', (name, fault) => {
  const outcome = (): Outcome => {
    const found = outcomes.get(name);
    if (found === undefined) throw new Error(`${name} was not run`);
    return found;
  };

  it('changes nothing of the verdict in outputs, summary, report and exit code', () => {
    const { finished } = outcome();
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ gate: 'fail', verdict: 'INCOMPATIBLE', models: '2', compatible: '1', incompatible: '1' });
    expect(finished.outputs['report-json']).not.toBe('');
    expect(finished.summary).toContain('INCOMPATIBLE');
    expect(finished.stdout).toContain('::error::gate failed: 1 INCOMPATIBLE, 1 COMPATIBLE');
    expect(finished.stderr).toBe('');
  });

  it.each(Object.entries(PERMISSIONS))('is one warning for the %s, which says why and what to do', (what, permission) => {
    const { finished } = outcome();
    const lines = finished.commands.filter(({ name: kind }) => kind === 'warning').map(({ message }) => message.replaceAll('%25', '%'));
    expect(lines).toHaveLength(2);
    const line = lines.find((each) => each.startsWith(`No ${what}: `)) ?? '';
    expect(line).toContain(fault.why);
    expect(line).toContain(`${fault.remedy ?? `It takes the permission ${permission}`}; the result of the gate stays as it is.`);
    expect(line.length).toBeLessThan(600);
  });

  it('is tried again only where that may help, and not for ever', () => {
    const { github } = outcome();
    const writes = github.requests.filter((line) => line.startsWith('POST'));
    expect(writes.map((line) => line.replace(/.*\/(comments|statuses).*/, '$1'))).toEqual([
      ...Array.from({ length: fault.tries }, () => 'comments'),
      ...Array.from({ length: fault.tries }, () => 'statuses'),
    ]);
    expect([github.comments, github.statuses]).toEqual([[], []]);
  });
});
