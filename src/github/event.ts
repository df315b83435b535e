// Which commit and which pull request this run is about, from the environment and the event file of the runner.

import { readFile } from 'node:fs/promises';

export interface PullRequest {
  number: number;
  headSha: string;
  /** From another repository: such runs get a read-only token. */
  fork: boolean;
}

export interface Event {
  /** `pull_request`, `push`, ... */
  name: string;
  owner: string;
  repo: string;
  /** The commit that was judged and that the status goes to: never a pull request's temporary merge commit. */
  sha: string;
  pullRequest: PullRequest | null;
  /** Web page of this run; null outside a run. */
  runUrl: string | null;
}

type Json = Record<string, unknown>;

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
  return { number, headSha, fork: from?.toLowerCase() !== repository.toLowerCase() };
}

/** The run's page. https://docs.github.com/actions/reference/workflows-and-actions/variables names the parts. */
function runUrlOf(env: NodeJS.ProcessEnv, repository: string): string | null {
  const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_RUN_ID: run } = env;
  if (run === undefined || !/^\d+$/.test(run)) return null;
  return `${server.replace(/\/+$/, '')}/${repository}/actions/runs/${run}`;
}

/**
 * The event that started this run, or null where there is none to speak of (no `GITHUB_REPOSITORY` or no commit).
 * @throws Error when the event file is there but cannot be read as JSON
 */
export async function readEvent(env: NodeJS.ProcessEnv): Promise<Event | null> {
  const repository = env['GITHUB_REPOSITORY'] ?? '';
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository) ?? [];
  if (owner === undefined || repo === undefined) return null;
  const file = env['GITHUB_EVENT_PATH'];
  const payload: unknown = file === undefined || file === '' ? {} : JSON.parse(await readFile(file, 'utf8'));
  const pullRequest = pullRequestOf(payload, repository);
  const sha = pullRequest?.headSha ?? text(child(payload, 'merge_group'), 'head_sha') ?? env['GITHUB_SHA'] ?? '';
  if (!/^[0-9a-f]{40,64}$/i.test(sha)) return null;
  return { name: env['GITHUB_EVENT_NAME'] ?? 'unknown', owner, repo, sha, pullRequest, runUrl: runUrlOf(env, repository) };
}
