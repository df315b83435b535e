// Which commit and which pull request this run is about, from the environment and the event file of the runner.

import { readFile } from 'node:fs/promises';

export interface PullRequest {
  number: number;
  headSha: string;
  /** From another repository: such runs get a read-only token. */
  fork: boolean;
  /** The commit that it asks to be merged into; null: not known. */
  base: string | null;
}

export interface Event {
  /** `pull_request`, `push`, ... */
  name: string;
  owner: string;
  repo: string;
  /** The commit that was judged and that the status goes to: never a pull request's temporary merge commit. */
  sha: string;
  pullRequest: PullRequest | null;
  /** GITHUB_SHA: what a checkout gives that is not told otherwise. */
  checkout: string | null;
  /** Web page of this attempt of the run; null outside a run. */
  runUrl: string | null;
  /** The run that this one follows (`workflow_run`); only where reports of that run are posted does it count. */
  followed?: FollowedRun | null;
}

/** What GitHub itself says about another run; nothing of it comes from that run's artifacts. */
export interface FollowedRun {
  sha: string;
  runUrl: string | null;
  /** Of a commit of another repository. */
  fork: boolean;
  attempt: number;
  /** Head branch of its pull request as the API looks for it, `owner:branch`; null: it was not about one. */
  head: string | null;
}

type Json = Record<string, unknown>;
type Environment = Readonly<Record<string, string | undefined>>;

const SHA = /^[0-9a-f]{40,64}$/i;
const ATTEMPT = /^[1-9]\d{0,5}$/;

function child(node: unknown, key: string): unknown {
  return typeof node === 'object' && node !== null ? (node as Json)[key] : undefined;
}

function text(node: unknown, key: string): string | null {
  const value = child(node, key);
  return typeof value === 'string' && value !== '' ? value : null;
}

function pullRequestOf(payload: unknown, repository: string): PullRequest | null {
  const pull = child(payload, 'pull_request');
  const number = child(pull, 'number');
  const head = child(pull, 'head');
  const headSha = text(head, 'sha');
  if (typeof number !== 'number' || headSha === null) return null;
  // A deleted fork leaves `repo: null`: not this repository either.
  const from = text(child(head, 'repo'), 'full_name');
  const base = text(child(pull, 'base'), 'sha');
  return {
    number,
    headSha,
    fork: from?.toLowerCase() !== repository.toLowerCase(),
    base: base !== null && SHA.test(base) ? base : null,
  };
}

/**
 * The page of this attempt: without its number the link would lead to whichever attempt is the last.
 * https://docs.github.com/actions/reference/workflows-and-actions/variables names the parts.
 */
function runUrlOf(env: Environment, repository: string): string | null {
  const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: attempt = '' } = env;
  if (run === undefined || !/^\d+$/.test(run)) return null;
  const page = `${server.replace(/\/+$/, '')}/${repository}/actions/runs/${run}`;
  return ATTEMPT.test(attempt) ? `${page}/attempts/${attempt}` : page;
}

/** The payload's `pull_requests` is empty for forks (https://github.com/actions/runner/issues/3444), so head and commit are what it is found by. */
function followedRun(payload: unknown, env: Environment, repository: string): FollowedRun | null {
  const run = child(payload, 'workflow_run');
  const sha = text(run, 'head_sha');
  if (sha === null || !SHA.test(sha)) return null;
  const owner = text(child(child(run, 'head_repository'), 'owner'), 'login');
  const branch = text(run, 'head_branch');
  const isPull = text(run, 'event') === 'pull_request' && owner !== null && branch !== null;
  const own = { ...env, GITHUB_RUN_ID: String(child(run, 'id')), GITHUB_RUN_ATTEMPT: String(child(run, 'run_attempt')) };
  const from = text(child(run, 'head_repository'), 'full_name');
  return {
    sha,
    runUrl: runUrlOf(own, repository),
    fork: from?.toLowerCase() !== repository.toLowerCase(),
    attempt: attemptOf(own),
    head: isPull ? `${owner}:${branch}` : null,
  };
}

/** The event seen from the run that it follows, if it does: that one's commit was judged. */
export function eventOfReports(event: Event): Event {
  const { followed } = event;
  return followed === undefined || followed === null ? event : { ...event, sha: followed.sha, runUrl: followed.runUrl ?? event.runUrl };
}

/** Which attempt of its run this is; 1 outside a run. */
export function attemptOf({ GITHUB_RUN_ATTEMPT: attempt = '' }: Environment): number {
  return ATTEMPT.test(attempt) ? Number(attempt) : 1;
}

/**
 * The event that started this run, or null where there is none to speak of (no `GITHUB_REPOSITORY` or no commit).
 * @throws Error when the event file is there but cannot be read as JSON
 */
export async function readEvent(env: Environment): Promise<Event | null> {
  const repository = env['GITHUB_REPOSITORY'] ?? '';
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository) ?? [];
  if (owner === undefined || repo === undefined) return null;
  const file = env['GITHUB_EVENT_PATH'];
  const payload: unknown = file === undefined || file === '' ? {} : JSON.parse(await readFile(file, 'utf8'));
  const pullRequest = pullRequestOf(payload, repository);
  const sha = pullRequest?.headSha ?? text(child(payload, 'merge_group'), 'head_sha') ?? env['GITHUB_SHA'] ?? '';
  if (!SHA.test(sha)) return null;
  const name = env['GITHUB_EVENT_NAME'] ?? 'unknown';
  const followed = name === 'workflow_run' ? followedRun(payload, env, repository) : null;
  const checkout = SHA.test(env['GITHUB_SHA'] ?? '') ? (env['GITHUB_SHA'] ?? null) : null;
  const event = { name, owner, repo, sha, checkout, pullRequest, runUrl: runUrlOf(env, repository) };
  return followed === null ? event : { ...event, followed };
}
