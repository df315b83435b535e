// The one comment on the pull request: what it says around the report, how it is found again, when it is written.

import { html } from '../report/escape.js';
import { renderMarkdown } from '../report/markdown.js';
import type { Report } from '../report/types.js';
import type { Octokit } from './api.js';
import { isForbidden } from './api.js';
import type { Event, PullRequest } from './event.js';

/**
 * Bytes. GitHub's message speaks of 65,536 characters, github.com in fact takes 262,144 bytes, GHES is unknown: 65,000 bytes is
 * under every reading of it.
 */
const MAX_COMMENT_BYTES = 65_000;
/** What github.com's own token writes as. */
const ACTIONS_BOT = 'github-actions[bot]';

/** moved: the pull request has newer commits, whose own run will write. not-needed: the gate passed and there is nothing to correct. */
export type CommentOutcome = 'created' | 'updated' | 'unchanged' | 'moved' | 'not-needed';

/** The first words of our comment; `v1` is the version of its format, and not looked at when it is searched. */
function markerPrefix(key: string): string {
  return `<!-- fused-compat:${key} `;
}

/** Which commit and which attempt of which run a report speaks of. The version is a report's own word, which may be a stranger's. */
export function origin(report: Report, { sha, runUrl }: Pick<Event, 'sha' | 'runUrl'>): string {
  const attempt = /\/attempts\/(\d+)$/.exec(runUrl ?? '')?.[1];
  const run = runUrl === null ? '' : ` · [run${attempt === undefined ? '' : `, attempt ${attempt}`}](${runUrl})`;
  return `<sub>fused-compat ${html(report.tool.version)} · commit ${sha}${run}</sub>`;
}

/**
 * The comment's text, at most 65,000 bytes: marker, report, and which commit and run it speaks of.
 * @param key letters, digits, `.`, `_` and `-`: it stands in an HTML comment
 */
export function commentBody(report: Report, key: string, event: Pick<Event, 'sha' | 'runUrl'>): string {
  const head = `${markerPrefix(key)}v1 -->\n`;
  const foot = `\n\n${origin(report, event)}\n`;
  const budget = MAX_COMMENT_BYTES - Buffer.byteLength(head) - Buffer.byteLength(foot);
  const rest = event.runUrl === null ? 'report.json' : `the [summary of the run](${event.runUrl}) and report.json`;
  // Through UTF-8 once: a lone surrogate in a name would make the request body invalid.
  return Buffer.from(head + renderMarkdown(report, { budget, rest }).trimEnd() + foot).toString();
}

interface Candidate {
  id: number;
  body: string;
  login: string;
  bot: boolean;
}

/** Comments that start with our marker, oldest first. Stops early at one by GitHub's own bot: that is ours whoever else has one. */
async function findCandidates(octokit: Octokit, event: Event, pull: PullRequest, key: string): Promise<Candidate[]> {
  const { owner, repo } = event;
  const found: Candidate[] = [];
  const pages = octokit.paginate.iterator(octokit.rest.issues.listComments, { owner, repo, issue_number: pull.number, per_page: 100 });
  for await (const page of pages) {
    if (!Array.isArray(page.data)) throw new Error('the list of comments is not a list');
    for (const { id, body, user } of page.data) {
      if (body === undefined || !body.startsWith(markerPrefix(key)) || user === null) continue;
      found.push({ id, body, login: user.login, bot: user.type === 'Bot' });
    }
    if (found.some(({ login }) => login === ACTIONS_BOT)) break;
  }
  return found;
}

/** The login this token writes as; null when it belongs to an app, which may not ask. */
async function ownLogin(octokit: Octokit, amongBots: boolean): Promise<string | null> {
  // Only GraphQL tells an app its own name, and `GET /user` is the cheaper question for a person's token.
  if (amongBots) return (await octokit.graphql<{ viewer: { login: string } }>('query { viewer { login } }')).viewer.login;
  try {
    return (await octokit.rest.users.getAuthenticated()).data.login;
  } catch (error) {
    if (isForbidden(error)) return null;
    throw error;
  }
}

/** GraphQL names an app's bot without the suffix in some fields and with it in others. */
function sameLogin(a: string, b: string): boolean {
  const bare = (login: string): string => login.toLowerCase().replace(/\[bot\]$/, '');
  return bare(a) === bare(b);
}

/** Our own earlier comment. Anyone can copy the marker, so its author counts as well. */
async function findOurs(octokit: Octokit, event: Event, pull: PullRequest, key: string): Promise<Candidate | null> {
  const candidates = await findCandidates(octokit, event, pull, key);
  const byActions = candidates.find(({ login, bot }) => bot && login === ACTIONS_BOT);
  if (byActions !== undefined || candidates.length === 0) return byActions ?? null;
  const bots = candidates.some(({ bot }) => bot);
  const own = await ownLogin(octokit, bots);
  return own === null ? null : (candidates.find(({ login }) => sameLogin(login, own)) ?? null);
}

/**
 * Writes `body` as the one comment with this key: creates it, or edits our earlier one.
 * Errors of the API pass through; calling it again after one is safe, because it looks for the comment first.
 */
export async function upsertComment(
  octokit: Octokit,
  event: Event,
  pull: PullRequest,
  { key, body, onlyUpdate }: { key: string; body: string; onlyUpdate: boolean },
): Promise<CommentOutcome> {
  const { owner, repo } = event;
  const ours = await findOurs(octokit, event, pull, key);
  if (ours === null && onlyUpdate) return 'not-needed';
  // GitHub's editor saves CRLF.
  if (ours?.body.replaceAll('\r\n', '\n').trimEnd() === body.trimEnd()) return 'unchanged';
  const current = await octokit.rest.pulls.get({ owner, repo, pull_number: pull.number });
  if (current.data.head.sha !== pull.headSha) return 'moved';
  if (ours === null) await octokit.rest.issues.createComment({ owner, repo, issue_number: pull.number, body });
  else await octokit.rest.issues.updateComment({ owner, repo, comment_id: ours.id, body });
  return ours === null ? 'created' : 'updated';
}
