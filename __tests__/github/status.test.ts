import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect } from '../../src/github/api.js';
import type { Event } from '../../src/github/event.js';
import { setStatus, statusOfFailure, statusOfReport } from '../../src/github/status.js';
import type { GitHubDouble } from './double.js';
import { startGitHub } from './double.js';
import { aModel, aReport } from './report.js';

const SHA = 'a'.repeat(40);
const EVENT: Event = {
  name: 'push',
  owner: 'octo-org',
  repo: 'fast.kernels',
  sha: SHA,
  checkout: SHA,
  pullRequest: null,
  runUrl: 'https://github.com/r/actions/runs/1',
};

let github: GitHubDouble;
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

describe('the commit status', () => {
  it('succeeds with the gate and counts the verdicts, worst first', () => {
    const report = aReport([aModel('a', 'COMPATIBLE'), aModel('b', 'WARNING'), aModel('c', 'COMPATIBLE')]);
    expect(statusOfReport(report)).toEqual({ state: 'success', description: 'gate passed: 1 WARNING, 2 COMPATIBLE' });
  });

  it('counts failures that are allowed and names only the others', () => {
    const allowed = { reason: 'known', until: '2026-12-31', kernels: null };
    const known = { ...aModel('a', 'INCOMPATIBLE'), allowed };
    expect(statusOfReport({ ...aReport([known]), gate: 'pass' })).toEqual({
      state: 'success',
      description: 'gate passed: 1 INCOMPATIBLE, 1 of them allowed',
    });
    expect(statusOfReport(aReport([known, aModel('b', 'INCOMPATIBLE')])).description).toBe(
      'gate failed: 2 INCOMPATIBLE, 1 of them allowed (b)',
    );
  });

  it('fails with the gate and names the models that failed it', () => {
    const report = aReport([aModel('a', 'COMPATIBLE'), aModel('b', 'INCOMPATIBLE'), aModel('c', 'INCONCLUSIVE')]);
    expect(statusOfReport(report)).toEqual({
      state: 'failure',
      description: 'gate failed: 1 INCOMPATIBLE, 1 INCONCLUSIVE, 1 COMPATIBLE (b, c)',
    });
  });

  it('says that nothing can fail when fail-on is never', () => {
    expect(statusOfReport(aReport([aModel('a', 'INCOMPATIBLE')], []))).toEqual({
      state: 'success',
      description: 'gate passed (fail-on: never): 1 INCOMPATIBLE',
    });
  });

  it('is an error when there is no verdict', () => {
    expect(statusOfFailure('input comment must be\none of')).toEqual({
      state: 'error',
      description: 'no verdict: input comment must be one of',
    });
  });

  it('is set on the commit, with the run behind it', async () => {
    const octokit = await connect('ghs_test', github.url);
    await setStatus(octokit, EVENT, 'fused-compat', { state: 'success', description: 'fine' });
    expect(github.statuses).toEqual([
      { sha: SHA, state: 'success', description: 'fine', context: 'fused-compat', target_url: 'https://github.com/r/actions/runs/1' },
    ]);
  });

  it.each(['é'.repeat(300), '😀'.repeat(300), `x${'😀'.repeat(300)}`])(
    'has a description that GitHub takes for a name such as %.4s…',
    async (name) => {
      const octokit = await connect('ghs_test', github.url);
      const status = statusOfReport(aReport([aModel(name, 'INCOMPATIBLE')]));
      expect(status.description.length).toBeLessThanOrEqual(140);
      expect(status.description.length).toBeGreaterThanOrEqual(138);
      expect(Buffer.from(status.description).toString()).toBe(status.description);
      await setStatus(octokit, { ...EVENT, runUrl: null }, 'fused-compat', status);
      expect(github.statuses).toHaveLength(1);
    },
  );
});
