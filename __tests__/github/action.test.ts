// The whole Action, from inputs to GitHub: the built dist/action.js in a process of its own, against the loopback GitHub.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { GitHubDouble } from './double.js';
import { chatter, FORBIDDEN_ANSWER, startGitHub } from './double.js';
import type { Finished, Start } from './runner.js';
import { HEAD, MERGE, MODELS, pullRequest, runAction, TOKEN } from './runner.js';

const GOOD = join(MODELS, 'tinyllama-mini');
const BAD = join(MODELS, 'qwen3-mini');
const { outputs: OUTPUTS } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as {
  outputs: Record<string, unknown>;
};

let github: GitHubDouble;
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

/** A run of the static policy, which takes no kernels and is quick. Whatever happens, all outputs are there and no stack trace is. */
async function run({ inputs = {}, ...more }: Partial<Start> = {}): Promise<Finished> {
  const finished = await runAction({ inputs: { models: GOOD, policy: 'static', ...inputs }, apiUrl: github.url, ...more });
  expect(Object.keys(finished.outputs).sort()).toEqual(Object.keys(OUTPUTS).sort());
  expect(finished.stdout + finished.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  return finished;
}

/** Markdown without fenced blocks and code spans, in which GitHub interprets nothing. */
function outsideCode(markdown: string): string {
  return markdown.replaceAll(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

function errors({ commands }: Finished): string[] {
  return commands.filter(({ name }) => name === 'error').map(({ message }) => message);
}

describe('a run on a pull request', () => {
  it('that passes comments, sets the status, writes summary and report, and exits with 0', async () => {
    const finished = await run();
    expect(finished.code).toBe(0);
    expect(github.comments).toMatchObject([{ issue: 5, login: 'github-actions[bot]' }]);
    expect(github.statuses).toEqual([
      {
        sha: HEAD,
        state: 'success',
        context: 'fused-compat',
        description: 'gate passed: 1 COMPATIBLE',
        target_url: 'https://github.com/octo-org/fast.kernels/actions/runs/77/attempts/1',
      },
    ]);
    expect(finished.outputs).toMatchObject({ verdict: 'COMPATIBLE', gate: 'pass', models: '1', compatible: '1', incompatible: '0' });
    expect(finished.summary).toContain('COMPATIBLE');
    const report = JSON.parse(await readFile(finished.outputs['report-json'] ?? '', 'utf8')) as { gate: string };
    expect(report.gate).toBe('pass');
    expect(finished.outputs['report-json']).toBe(join(finished.workspace, 'fused-compat-report/report.json'));
    expect(await readFile(finished.outputs['report-markdown'] ?? '', 'utf8')).toContain('COMPATIBLE');
    expect(errors(finished)).toEqual([]);
  });

  it('updates its comment and does not repeat it, after 40 others and a copy of its marker by someone else', async () => {
    chatter(github, 40, 5);
    const copy = '<!-- fused-compat:default v1 -->\nAll fine, merge it!';
    github.comments.push({ id: 41, body: copy, login: 'mallory', type: 'User', issue: 5 });
    await run();
    await run({ inputs: { models: `${GOOD}\n${BAD}` } });
    expect(github.comments).toHaveLength(42);
    expect(github.comments[40]?.body).toBe(copy);
    expect(github.comments[41]?.body).toContain('INCOMPATIBLE');
  });

  it('that fails says why, for each model and as a whole, and exits with 1', async () => {
    const finished = await run({ inputs: { models: `${GOOD}, ${BAD}` } });
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ verdict: 'INCOMPATIBLE', gate: 'fail', models: '2', compatible: '1', incompatible: '1' });
    expect(github.statuses).toMatchObject([{ state: 'failure' }]);
    expect(errors(finished)).toEqual([expect.stringContaining('qwen3-mini'), 'gate failed: 1 INCOMPATIBLE, 1 COMPATIBLE']);
    expect(finished.stdout).toContain('42.3');
  });

  it.each([
    ['passes', GOOD, 0],
    ['fails', BAD, 1],
  ])('that may not write still %s', async (_what, models, code) => {
    github.always = [{ when: 'POST', answer: FORBIDDEN_ANSWER }];
    const finished = await run({ inputs: { models } });
    expect(finished.code).toBe(code);
    expect(finished.outputs['gate']).toBe(code === 0 ? 'pass' : 'fail');
    const warnings = finished.commands.filter(({ name }) => name === 'warning').map(({ message }) => message);
    expect(warnings).toEqual([expect.stringContaining('pull-requests: write'), expect.stringContaining('statuses: write')]);
    expect(finished.summary).not.toBe('');
  });

  it('from a fork explains its read-only token', async () => {
    github.always = [{ when: 'POST', answer: FORBIDDEN_ANSWER }];
    const finished = await run({ payload: pullRequest('someone/fast.kernels') });
    expect([finished.code, finished.outputs['gate'], finished.outputs['models']]).toEqual([0, 'pass', '1']);
    expect(finished.summary).toContain('COMPATIBLE');
    for (const what of ['comment', 'commit status'])
      expect(finished.stdout).toMatch(new RegExp(`^No ${what}: the pull request comes from a fork`, 'm'));
    expect(finished.commands.filter(({ name }) => name === 'warning' || name === 'error')).toEqual([]);
    expect((await run({ payload: pullRequest('someone/fast.kernels'), inputs: { models: BAD } })).code).toBe(1);
  });

  it('that has moved on is not commented, but the judged commit has its status', async () => {
    github.headSha = 'c'.repeat(40);
    expect((await run()).code).toBe(0);
    expect(github.comments).toEqual([]);
    expect(github.statuses).toMatchObject([{ sha: HEAD }]);
  });

  it('writes after a 502', async () => {
    github.canned = [{ when: 'POST /repos/octo-org/fast.kernels/issues', answer: { status: 502 } }];
    await run();
    expect(github.comments).toHaveLength(1);
  });

  it('runs kernels under the default policy and tells the sensitive checkpoint from the broken kernel', async () => {
    const finished = await run({ inputs: { models: BAD, policy: '', layers: '0,27', prompts: 'Hello' } });
    expect(finished.code).toBe(0);
    expect(finished.outputs).toMatchObject({ verdict: 'WARNING', gate: 'pass', warning: '1' });
  });
});

describe('a run without a pull request', () => {
  it('on a push sets the status of that commit and says why there is no comment', async () => {
    const finished = await run({ eventName: 'push', payload: { ref: 'refs/heads/main' } });
    expect(finished.code).toBe(0);
    expect(finished.stdout).toMatch(/^No comment: the event push has no pull request/m);
    expect(github.statuses).toMatchObject([{ sha: MERGE }]);
    expect(github.comments).toEqual([]);
  });

  it('in a merge queue sets the status of its head', async () => {
    const finished = await run({ eventName: 'merge_group', payload: { merge_group: { head_sha: HEAD } } });
    expect([finished.code, finished.outputs['gate']]).toEqual([0, 'pass']);
    expect(github.statuses).toMatchObject([{ sha: HEAD, state: 'success' }]);
    expect(finished.stdout).toMatch(/^No comment: the event merge_group has no pull request/m);
    expect(github.requests.filter((line) => line.includes('/issues/'))).toEqual([]);
  });

  it.each([
    ['a token', { inputs: { 'github-token': '' } }],
    ['a summary file', { env: { GITHUB_STEP_SUMMARY: undefined }, inputs: { comment: 'never', 'status-context': 'none' } }],
    ['a repository', { env: { GITHUB_REPOSITORY: undefined } }],
  ])('and without %s still gates', async (_what, start: Partial<Start>) => {
    expect((await run(start)).code).toBe(0);
    expect((await run({ ...start, inputs: { ...start.inputs, models: BAD } })).code).toBe(1);
    expect(github.requests).toEqual([]);
  });

  it('gates while GitHub cannot be reached', async () => {
    const finished = await run({ apiUrl: 'http://127.0.0.1:9', inputs: { comment: 'never' } });
    expect(finished.code).toBe(0);
    expect(finished.stdout).toContain('No commit status: no usable answer from GitHub');
  });
});

describe('a run that comes to no verdict', () => {
  it.each([
    ['policy', 'sometimes', 'sometimes'],
    ['fail-on', 'INCOMPATIBEL', 'INCOMPATIBEL'],
    ['require-gpu', 'yes', 'yes'],
    ['layers', 'first', 'first'],
    ['dtype', 'int4', 'int4'],
    ['execution-provider', 'tpu', 'tpu'],
    ['config', 'no/such.yml', 'no/such.yml'],
  ])('because of %s: %s names both, fails closed and says so in the status', async (name, value, shown) => {
    const finished = await run({ inputs: { [name]: value } });
    expect(finished.code).toBe(1);
    expect(errors(finished)).toHaveLength(1);
    expect(errors(finished)[0]).toContain(name === 'config' ? 'configuration file' : `input ${name}`);
    expect(errors(finished)[0]).toContain(shown);
    expect(finished.outputs).toMatchObject({ gate: 'fail', verdict: '', models: '', 'report-json': '' });
    expect(github.statuses).toMatchObject([{ sha: HEAD, state: 'error' }]);
    expect(github.comments).toEqual([]);
  });

  it.each([
    ['comment', 'yes'],
    ['comment-key', '-->'],
  ])('because of %s: %s names both', async (name, value) => {
    const finished = await run({ inputs: { [name]: value } });
    expect(finished.code).toBe(1);
    expect(errors(finished)[0]).toContain(`input ${name}`);
    expect(finished.outputs['gate']).toBe('fail');
  });

  it('because no model is named', async () => {
    const finished = await run({ inputs: { models: '' } });
    expect(finished.code).toBe(1);
    expect(errors(finished)[0]).toContain('no model');
  });

  it('prints the verdict but does not pass when the report cannot be written', async () => {
    const finished = await run({ files: { taken: '' }, inputs: { output: 'taken' } });
    expect(finished.code).toBe(1);
    expect(finished.stdout).toContain('gate passed');
    expect(errors(finished)).toEqual([expect.stringContaining('cannot write the report')]);
    expect(finished.outputs).toMatchObject({ verdict: 'COMPATIBLE', gate: 'fail', 'report-json': '' });
    expect(github.statuses).toMatchObject([{ state: 'error' }]);
  });
});

describe('a hostile repository', () => {
  const PWNED = [
    'x\n::error::pwned',
    '::add-mask::a',
    '##[error]pwned',
    '@octocat <img src=x> | `a` [b](https://evil)',
    '\u001b[31m\r::warning::pwned',
  ];

  it('gets no command, no escape sequence and no markup out of its names', async () => {
    const finished = await run({ inputs: { models: '' }, files: { 'fused-compat.yml': JSON.stringify({ models: PWNED }) } });
    expect(finished.code).toBe(1);
    expect(finished.outputs).toMatchObject({ verdict: 'INCONCLUSIVE', models: '5', inconclusive: '5' });
    const masks = finished.commands.filter(({ name }) => name === 'add-mask').map(({ message }) => message);
    expect(masks).toEqual([TOKEN]);
    expect(finished.commands.filter(({ name, message }) => name !== 'add-mask' && /^pwned/.test(message))).toEqual([]);
    expect(finished.commands.map(({ name }) => name).filter((name) => !['add-mask', 'error', 'debug'].includes(name))).toEqual([]);
    expect(finished.stdout).not.toContain('\u001b');
    expect(github.comments).toHaveLength(1);
    const text = outsideCode(github.comments[0]?.body ?? '');
    expect(text).not.toMatch(/<img|@octocat|\]\(https:\/\/evil/);
    expect(text.match(/<!--/g)).toHaveLength(1);
  });

  it('gets no token into the comment, the status, the summary or the report', async () => {
    const secret = `hf_${'a1B2'.repeat(8)}`;
    const models = [`missing/${TOKEN}`, `missing/${secret}`, 'missing/top-secret-value'];
    const finished = await run({
      inputs: { models: '' },
      env: { HF_TOKEN: 'top-secret-value' },
      files: { 'fused-compat.yml': JSON.stringify({ models }) },
    });
    expect(finished.outputs['models']).toBe('3');
    const report = await readFile(finished.outputs['report-json'] ?? '', 'utf8');
    const posted = JSON.stringify([github.comments, github.statuses, finished.summary, report]);
    expect(posted).toContain('missing/***');
    expect(posted).not.toMatch(/ghs_|hf_a1|top-secret/);
    const spoken = finished.stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'));
    expect(spoken.join('\n')).not.toMatch(/ghs_|hf_a1|top-secret/);
  });
});
