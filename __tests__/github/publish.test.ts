import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect } from '../../src/github/api.js';
import type { Event } from '../../src/github/event.js';
import type { Posting } from '../../src/github/inputs.js';
import { createLog } from '../../src/github/log.js';
import type { Desk } from '../../src/github/publish.js';
import { openDesk, postComment, postStatus } from '../../src/github/publish.js';
import { redactor } from '../../src/github/redact.js';
import { statusOfFailure, statusOfReport } from '../../src/github/status.js';
import type { Report } from '../../src/report/types.js';
import type { Canned, GitHubDouble } from './double.js';
import { FORBIDDEN_ANSWER, startGitHub } from './double.js';
import { aModel, aReport } from './report.js';

const SHA = 'a'.repeat(40);
const PULL_EVENT: Event = {
  name: 'pull_request',
  owner: 'octo-org',
  repo: 'fast.kernels',
  sha: SHA,
  checkout: SHA,
  pullRequest: { number: 5, headSha: SHA, fork: false, base: null },
  runUrl: 'https://github.com/octo-org/fast.kernels/actions/runs/77',
};
const PUSH_EVENT: Event = { ...PULL_EVENT, name: 'push', pullRequest: null };
const FORK_EVENT: Event = { ...PULL_EVENT, pullRequest: { number: 5, headSha: SHA, fork: true, base: null } };
const POSTING: Posting = { comment: 'always', commentKey: 'default', statusContext: 'fused-compat' };
const TOKEN = `ghs_${'a1B2'.repeat(9)}`;
const REPORT = aReport([aModel('tinyllama-mini', 'INCOMPATIBLE')]);

let github: GitHubDouble;
let infos: string[];
let warnings: string[];

beforeEach(async () => {
  github = await startGitHub();
  infos = [];
  warnings = [];
});
afterEach(async () => {
  await github.close();
  expect(github.violations).toEqual([]);
});

function desk(event: Event | null, token = TOKEN): Desk {
  const redact = redactor([token]);
  return {
    event,
    connect: token === '' ? null : () => connect(token, github.url),
    sleep: () => Promise.resolve(),
    log: createLog({ info: (line) => infos.push(line), warning: (line) => warnings.push(line) }, redact),
    redact,
  };
}

async function postReport(report: Report, posting: Posting, at: Desk): Promise<void> {
  await postComment(report, posting, at);
  await postStatus(statusOfReport(report), posting, at);
}

describe('posting a report', () => {
  it('writes comment and status and says so', async () => {
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(github.comments).toHaveLength(1);
    expect(github.statuses).toMatchObject([{ sha: SHA, state: 'failure', context: 'fused-compat' }]);
    expect(infos).toEqual(['Comment created on pull request #5.', `Commit status fused-compat set to failure on ${SHA}.`]);
    expect(warnings).toEqual([]);
  });

  it('hides tokens in the comment and in the status', async () => {
    await postReport(aReport([aModel(`m ${TOKEN}`, 'INCOMPATIBLE', `hf_${'a1B2'.repeat(8)}`)]), POSTING, desk(PULL_EVENT));
    expect(JSON.stringify([github.comments, github.statuses])).not.toMatch(/ghs_|hf_a1/);
    expect(github.comments).toHaveLength(1);
  });

  it('writes nothing that was turned off', async () => {
    await postReport(REPORT, { comment: 'never', commentKey: 'default', statusContext: null }, desk(PULL_EVENT));
    expect(github.requests).toEqual([]);
    expect([...infos, ...warnings]).toEqual([]);
  });

  it('sets the status of a push and says why there is no comment', async () => {
    await postReport(REPORT, POSTING, desk(PUSH_EVENT));
    expect(github.requests).toEqual([`POST /repos/octo-org/fast.kernels/statuses/${SHA}`]);
    expect(infos[0]).toMatch(/^No comment: the event push has no pull request.*pull-requests: write/);
    expect(warnings).toEqual([]);
  });

  it('does without a token, in one line each', async () => {
    await postReport(REPORT, POSTING, desk(PULL_EVENT, ''));
    expect(github.requests).toEqual([]);
    expect(infos).toEqual([
      'No comment: the input github-token is empty. It takes a token with the permission pull-requests: write.',
      'No commit status: the input github-token is empty. It takes a token with the permission statuses: write.',
    ]);
  });

  it('does outside a run', async () => {
    await postReport(REPORT, POSTING, desk(null));
    expect(infos).toEqual([
      expect.stringMatching(/^No comment: this is no run/),
      expect.stringMatching(/^No commit status: this is no run/),
    ]);
    expect(github.requests).toEqual([]);
  });

  it('names the permission that each refused write needs, and does not let one refusal stop the other', async () => {
    github.always = [{ when: 'POST', answer: FORBIDDEN_ANSWER }];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(warnings).toEqual([
      expect.stringMatching(/^No comment: the token may not do this \(HTTP 403.*permission pull-requests: write/),
      expect.stringMatching(/^No commit status: the token may not do this \(HTTP 403.*permission statuses: write/),
    ]);
    expect(github.requests.filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  it('sets the status even when the comment may not be written', async () => {
    github.always = [{ when: 'GET', answer: { ...FORBIDDEN_ANSWER, status: 404 } }];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(github.statuses).toHaveLength(1);
    expect(warnings).toHaveLength(1);
  });

  it('explains the read-only token of a fork without a warning that nobody there can act on', async () => {
    github.always = [{ when: 'POST', answer: FORBIDDEN_ANSWER }];
    await postReport(REPORT, POSTING, desk(FORK_EVENT));
    expect(warnings).toEqual([]);
    expect(infos[0]).toMatch(/^No comment: the pull request comes from a fork.*permission pull-requests: write/);
  });

  it('gives up on a server that is down, in one line each', async () => {
    github.always = [{ when: '', answer: { status: 0, drop: true } }];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(warnings).toEqual([
      expect.stringMatching(/^No comment: no usable answer from GitHub/),
      expect.stringMatching(/^No commit status: no usable answer from GitHub/),
    ]);
  });

  it.each<[string, Canned, RegExp]>([
    ['401', { status: 401, body: { message: 'Bad credentials' } }, /github-token is not valid \(HTTP 401/],
    ['404', { status: 404, body: { message: 'Not Found' } }, /the token may not do this \(HTTP 404/],
    ['422', { status: 422, body: { message: 'Validation Failed' } }, /GitHub refused what was sent \(HTTP 422/],
    ['429', { status: 429, body: { message: 'Too many requests' } }, /rate limit is used up \(HTTP 429/],
    ['500', { status: 500, body: { message: 'Server Error' } }, /GitHub did not answer properly \(HTTP 500/],
    ['a web page', { status: 200, body: '<!doctype html>', headers: { 'content-type': 'text/html' } }, /text\/html instead of JSON/],
    ['nothing', { status: 200, body: '' }, /an empty answer/],
  ])('that gets %s for every request is one line for each thing that was not written', async (_, answer, why) => {
    github.always = [{ when: '', answer }];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(warnings).toEqual([expect.stringMatching(/^No comment: /), expect.stringMatching(/^No commit status: /)]);
    for (const line of warnings) expect(line).toMatch(why);
    expect(infos).toEqual([]);
    // Some of these GitHub's description does not know.
    github.violations = [];
  });

  it('writes after a 502', async () => {
    github.canned = [
      { when: 'POST /repos/octo-org/fast.kernels/issues', answer: { status: 502 } },
      { when: 'POST /repos/octo-org/fast.kernels/statuses', answer: { status: 502 } },
    ];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(github.comments).toHaveLength(1);
    expect(github.statuses).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('leaves a comment to the run of the newer commit, but still sets its own status', async () => {
    github.headSha = 'c'.repeat(40);
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    expect(github.comments).toEqual([]);
    expect(github.statuses).toMatchObject([{ sha: SHA }]);
    expect(infos[0]).toMatch(/newer commits/);
  });

  it('lets no message of the server become a command', async () => {
    github.always = [
      {
        when: 'POST',
        answer: { status: 422, body: { message: 'x\n::error::pwned ##[error]y', documentation_url: 'https://docs.github.com' } },
      },
    ];
    await postReport(REPORT, POSTING, desk(PULL_EVENT));
    for (const line of [...infos, ...warnings]) {
      expect(line).not.toMatch(/\n|##\[/);
      expect(line).toMatch(/^No /);
    }
    expect(warnings).toHaveLength(2);
  });
});

describe('posting that there is no verdict', () => {
  it('sets an error status with no token in it', async () => {
    await postStatus(statusOfFailure(`none with ${TOKEN}`), POSTING, desk(PULL_EVENT));
    expect(github.statuses).toMatchObject([{ state: 'error', description: 'no verdict: none with ***' }]);
  });
});

describe('the desk', () => {
  it('posts nothing for an event file that cannot be read, and says so', async () => {
    const log = createLog({ info: (line) => infos.push(line), warning: (line) => warnings.push(line) }, redactor([]));
    const env = {
      GITHUB_REPOSITORY: 'octo-org/fast.kernels',
      GITHUB_SHA: SHA,
      GITHUB_EVENT_PATH: '/no/such/event.json',
      GITHUB_API_URL: github.url,
    };
    await postReport(REPORT, POSTING, await openDesk(env, TOKEN, log, redactor([])));
    expect(warnings).toEqual([expect.stringMatching(/^The event of this run cannot be read: .*ENOENT/)]);
    expect(github.requests).toEqual([]);
  });

  it('speaks to the API that the runner names', async () => {
    const log = createLog({ info: (line) => infos.push(line), warning: (line) => warnings.push(line) }, redactor([]));
    const env = { GITHUB_REPOSITORY: 'octo-org/fast.kernels', GITHUB_SHA: SHA, GITHUB_API_URL: `${github.url}/` };
    await postReport(REPORT, POSTING, await openDesk(env, TOKEN, log, redactor([])));
    expect(github.statuses).toMatchObject([{ sha: SHA }]);
  });
});
