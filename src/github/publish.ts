// Posts a result to GitHub: comment and commit status. Whatever goes wrong here is one line in the log and never changes the verdict.

import { setTimeout } from 'node:timers/promises';
import type { Report } from '../report/types.js';
import type { Octokit, Sleep } from './api.js';
import { connect, explain, remedy, withRetries } from './api.js';
import type { CommentOutcome } from './comment.js';
import { commentBody, upsertComment } from './comment.js';
import type { Event, PullRequest } from './event.js';
import { readEvent } from './event.js';
import type { Posting } from './inputs.js';
import type { Log } from './log.js';
import type { Redact } from './redact.js';
import type { Status } from './status.js';
import { setStatus } from './status.js';

const COMMENT_PERMISSION = 'pull-requests: write';
const STATUS_PERMISSION = 'statuses: write';

/** Everything that posting needs from outside. */
export interface Desk {
  /** null: not a run of GitHub Actions, or one without a commit. */
  event: Event | null;
  /** null: no token was given. */
  connect: (() => Promise<Octokit>) | null;
  sleep: Sleep;
  log: Log;
  redact: Redact;
}

/** The desk of a real run. A broken event file only means that nothing can be posted. */
export async function openDesk(env: NodeJS.ProcessEnv, token: string, log: Log, redact: Redact): Promise<Desk> {
  const event = await readEvent(env).catch((error: unknown) => {
    log.warning(`The event of this run cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  });
  let client: Promise<Octokit> | null = null;
  const open = (): Promise<Octokit> => (client ??= connect(token, env['GITHUB_API_URL'] || 'https://api.github.com'));
  return { event, connect: token === '' ? null : open, sleep: (milliseconds) => setTimeout(milliseconds), log, redact };
}

/** Runs one act of posting; says in the log why it did not happen and which permission it takes. */
async function attempt(
  what: string,
  permission: string,
  desk: Desk,
  act: (octokit: Octokit, event: Event) => Promise<void>,
): Promise<void> {
  const { event, log, sleep } = desk;
  if (event === null) {
    log.info(`No ${what}: this is no run of GitHub Actions on a commit (GITHUB_REPOSITORY and GITHUB_SHA tell).`);
    return;
  }
  if (desk.connect === null) {
    log.info(`No ${what}: the input github-token is empty. It takes a token with the permission ${permission}.`);
    return;
  }
  try {
    const octokit = await desk.connect();
    await withRetries(() => act(octokit, event), sleep);
  } catch (error) {
    const fork = event.pullRequest?.fork ?? false;
    const line = `No ${what}: ${explain(error, fork)}. ${remedy(error, permission)}; the result of the gate stays as it is.`;
    // Nobody can act on it in a fork's run, so no annotation there.
    if (fork) log.info(line);
    else log.warning(line);
  }
}

function outcomeLine(outcome: CommentOutcome, pull: PullRequest): string {
  const where = `on pull request #${pull.number}`;
  switch (outcome) {
    case 'created':
      return `Comment created ${where}.`;
    case 'updated':
      return `Comment updated ${where}.`;
    case 'unchanged':
      return `The comment ${where} already says this.`;
    case 'not-needed':
      return `No comment ${where}: the gate passed, and the input comment is on-failure.`;
    case 'moved':
      return `No comment ${where}: it has newer commits than the judged ${pull.headSha}; their own run comments.`;
  }
}

/** Head branch of the pull request that the followed run was about. */
function headOf({ followed }: Event): string | null {
  return followed?.head ?? null;
}

/** The open pull request whose head is the event's commit: head and commit are GitHub's own words, no number from an artifact is believed. */
async function findPullRequest(octokit: Octokit, { owner, repo, sha }: Event, head: string | null): Promise<PullRequest | null> {
  if (head === null) return null;
  const { data } = await octokit.rest.pulls.list({ owner, repo, head, state: 'open', per_page: 100 });
  if (!Array.isArray(data)) throw new Error('the list of pull requests is not a list');
  const found = data.find((pull) => pull.head.sha === sha);
  // Its comment is written by this run, whose token may: that the commits are a fork's explains no refusal here.
  return found === undefined ? null : { number: found.number, headSha: sha, fork: false, base: null };
}

/** Writes the one comment of the pull request. Never throws. */
export async function postComment(report: Report, { comment, commentKey }: Posting, desk: Desk): Promise<void> {
  if (comment === 'never') return;
  if (desk.event !== null && desk.event.pullRequest === null && headOf(desk.event) === null) {
    desk.log.info(`No comment: the event ${desk.event.name} has no pull request (on one, it takes the permission ${COMMENT_PERMISSION}).`);
    return;
  }
  await attempt('comment', COMMENT_PERMISSION, desk, async (octokit, event) => {
    const pull = event.pullRequest ?? (await findPullRequest(octokit, event, headOf(event)));
    if (pull === null) {
      desk.log.info(`No comment: no open pull request has the head ${event.sha}; where there are newer commits, their own run comments.`);
      return;
    }
    const body = desk.redact(commentBody(report, commentKey, event));
    const onlyUpdate = comment === 'on-failure' && report.gate === 'pass';
    const outcome = await upsertComment(octokit, event, pull, { key: commentKey, body, onlyUpdate });
    desk.log.info(outcomeLine(outcome, pull));
  });
}

/** Sets the commit status. Never throws. */
export async function postStatus(
  { state, description }: Status,
  { statusContext }: Pick<Posting, 'statusContext'>,
  desk: Desk,
): Promise<void> {
  if (statusContext === null) return;
  await attempt('commit status', STATUS_PERMISSION, desk, async (octokit, event) => {
    await setStatus(octokit, event, statusContext, { state, description: desk.redact(description) });
    desk.log.info(`Commit status ${statusContext} set to ${state} on ${event.sha}.`);
  });
}
