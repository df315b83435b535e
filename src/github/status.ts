// The commit status: the line next to the commit that a branch protection rule or ruleset can require.

import { gateLine, isFailing } from '../report/rows.js';
import type { Report } from '../report/types.js';
import type { Octokit } from './api.js';
import type { Event } from './event.js';
import { plainLine } from './log.js';

/** GitHub refuses a longer one with 422; its OpenAPI description does not say so. */
const MAX_DESCRIPTION = 140;

export interface Status {
  state: 'success' | 'failure' | 'error';
  description: string;
}

/** `text` in at most 140 characters (UTF-16 units), never half of one. */
function fit(text: string): string {
  const line = plainLine(text).trim();
  if (line.length <= MAX_DESCRIPTION) return line;
  const cut = line.slice(0, MAX_DESCRIPTION - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** The status of a finished run. Counts first, because names may be cut. */
export function statusOfReport(report: Report): Status {
  const failing = report.models.filter((model) => isFailing(model, report)).map(({ id }) => id);
  const names = report.gate === 'fail' && failing.length > 0 ? ` (${failing.join(', ')})` : '';
  return {
    state: report.gate === 'pass' ? 'success' : 'failure',
    description: fit(`${gateLine(report)}${names}`),
  };
}

/** The status of a run that came to no verdict. */
export function statusOfFailure(message: string): Status {
  return { state: 'error', description: fit(`no verdict: ${message}`) };
}

/** Sets the status `context` on the commit that was judged. Errors of the API pass through; setting it again is harmless. */
export async function setStatus(octokit: Octokit, event: Event, context: string, { state, description }: Status): Promise<void> {
  const { owner, repo, sha, runUrl } = event;
  const target = runUrl === null ? {} : { target_url: runUrl };
  await octokit.rest.repos.createCommitStatus({ owner, repo, sha, state, description, context, ...target });
}
