// Talking to GitHub: the client, which failures are worth another try, and what a failure means for the user. No operation lives here.

import type { getOctokit } from '@actions/github';
import { plain } from '../report/escape.js';

export type Octokit = ReturnType<typeof getOctokit>;
export type Sleep = (milliseconds: number) => Promise<void>;

/** One answer may take this long. GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Tries in all. */
const ATTEMPTS = 4;
/** All waits together may take this long: a GPU runner costs money, and the verdict does not depend on it. */
const LONGEST_WAIT_MS = 60_000;
/** What GitHub asks for where a rate limit names no time (its page "Rate limits for the REST API"). */
const UNNAMED_LIMIT_MS = 60_000;

/**
 * A client for the API at `apiUrl`. The package is loaded only now: it reads the environment and the event file while it loads,
 * and most of a run needs none of it.
 */
export async function connect(token: string, apiUrl: string): Promise<Octokit> {
  const github = await import('@actions/github');
  const octokit = github.getOctokit(token, { baseUrl: apiUrl.replace(/\/+$/, '') });
  octokit.hook.before('request', (options) => {
    options.request = { ...options.request, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
  });
  octokit.hook.after('request', ({ data, headers }) => {
    // A proxy's page or a wrong GITHUB_API_URL can say 200 too; octokit hands on such text as if it were the answer.
    if (typeof data === 'object' && data !== null) return;
    const type = headers['content-type']?.split(';')[0];
    throw new Error(`${apiUrl} gave ${data === '' || data === undefined ? 'an empty answer' : `${type ?? 'text'} instead of JSON`}`);
  });
  return octokit;
}

interface Failure {
  /** HTTP status; null: there was no answer. */
  status: number | null;
  message: string;
  headers: Record<string, unknown>;
}

function describe(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (typeof error !== 'object' || error === null) return { status: null, message, headers: {} };
  const { response } = error as { response?: { status?: unknown; headers?: Record<string, unknown> } };
  // octokit gives a failed connection the status 500, so only a response counts.
  return { status: typeof response?.status === 'number' ? response.status : null, message, headers: response?.headers ?? {} };
}

function isConnectionFailure(error: unknown): boolean {
  return error instanceof Error && (error.name === 'HttpError' || error.name === 'AbortError' || error.name === 'TimeoutError');
}

function isRateLimit({ status, message, headers }: Failure): boolean {
  if (status === 429) return true;
  // The secondary limit comes as 403 too, https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
  return (
    status === 403 && (headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0' || /rate limit/i.test(message))
  );
}

/** How long GitHub asks to wait, or a doubling second when it says nothing. */
function waitFor(failure: Failure, attempt: number, now: number): number {
  const { headers } = failure;
  const asked = typeof headers['retry-after'] === 'string' ? headers['retry-after'] : '';
  if (/^\d+$/.test(asked)) return Number(asked) * 1000;
  // RFC 9110 allows a date, which proxies use.
  const date = Date.parse(asked);
  if (Number.isFinite(date)) return Math.max(0, date - now);
  const reset = Number(headers['x-ratelimit-reset'] ?? NaN);
  if (headers['x-ratelimit-remaining'] === '0' && Number.isFinite(reset)) return Math.max(0, reset * 1000 - now);
  if (isRateLimit(failure)) return UNNAMED_LIMIT_MS;
  return 1000 * 2 ** (attempt - 1);
}

/**
 * Runs `task` again after a server error, a rate limit or a lost connection, a few times. The task as a whole is repeated, not the
 * request: after a 502 nobody knows whether the comment was made, so it must be looked for again.
 */
export async function withRetries<T>(task: () => Promise<T>, sleep: Sleep, now: () => number = Date.now): Promise<T> {
  let waited = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task();
    } catch (error) {
      const failure = describe(error);
      const passing = failure.status === null ? isConnectionFailure(error) : failure.status >= 500 || isRateLimit(failure);
      const wait = waitFor(failure, attempt, now());
      if (!passing || attempt === ATTEMPTS || waited + wait > LONGEST_WAIT_MS) throw error;
      waited += wait;
      await sleep(wait);
    }
  }
}

/** Whether `error` says that this token may never do it, as opposed to not now. */
export function isForbidden(error: unknown): boolean {
  const failure = describe(error);
  return (failure.status === 403 || failure.status === 404) && !isRateLimit(failure);
}

export function isNotFound(error: unknown): boolean {
  return describe(error).status === 404;
}

/** Why `error` kept us from writing and what to change, as the part of a sentence that follows a colon. */
export function explain(error: unknown, fork: boolean): string {
  const { status, message: said } = describe(error);
  // A proxy's page may stand in it.
  const message = plain(said, 300);
  if (status === null) return `no usable answer from GitHub (${message})`;
  const answer = `(HTTP ${status}: ${message})`;
  if (isRateLimit(describe(error))) return `GitHub's rate limit is used up ${answer}`;
  if (status === 401) return `the token in the input github-token is not valid ${answer}`;
  if (status === 422) return `GitHub refused what was sent ${answer}`;
  if (status !== 403 && status !== 404) return `GitHub did not answer properly ${answer}`;
  return fork ? `the pull request comes from a fork, whose runs get a read-only token ${answer}` : `the token may not do this ${answer}`;
}

/** What to do about it, as a sentence without its full stop. */
export function remedy(error: unknown, permission: string): string {
  const failure = describe(error);
  const { status } = failure;
  if (status !== null && [401, 403, 404].includes(status) && !isRateLimit(failure)) return `It takes the permission ${permission}`;
  if (status === 422) return 'If it happens again, please report it';
  return 'Run the job again to have it';
}
