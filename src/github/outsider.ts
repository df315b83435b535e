// Pull requests from other repositories: whose configuration counts, and when their kernels must not run. What a configuration may change is
// src/config/foreign.ts's business.

import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { isInside, leadsOut } from '../config/confine.js';
import { CONFIG_NAMES, configName, parseConfigFile, readConfigFile, type ConfigFile } from '../config/file.js';
import { loosened } from '../config/foreign.js';
import { keysOf, loadConfig, type LoadOptions } from '../config/load.js';
import type { Config } from '../config/types.js';
import { UsageError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { Octokit } from './api.js';
import { explain, isNotFound, withRetries } from './api.js';
import type { Event } from './event.js';
import type { Desk } from './publish.js';

/**
 * The commit whose configuration is the owners' in a run about a stranger's commit; null: the run is about none.
 * For `pull_request` the stranger's files are what a checkout gives; on `pull_request_target` and `workflow_run` a workflow may have checked them out.
 */
export function ownersCommit({ name, pullRequest, followed, checkout }: Event): { commit: string | null } | null {
  if (name === 'workflow_run') return followed?.fork === true ? { commit: checkout } : null;
  return pullRequest?.fork === true ? { commit: pullRequest.base } : null;
}

/**
 * The configuration of this run. Of a pull request from another repository the file may ask for more than the base branch's, not for less, and
 * name nothing outside of the workspace; and its kernels are refused where the job may hold the token and the secrets of the repository.
 * @throws UsageError
 */
export async function loadGuarded(options: LoadOptions, desk: Desk): Promise<Config> {
  const { event } = desk;
  const owners = event === null ? null : ownersCommit(event);
  const config = owners === null ? await loadConfig(options) : await loadForeign(options, owners.commit, desk);
  if (event !== null && config.policy !== 'static' && config.kernels !== null) await refuseKernels(event, config.kernels, owners !== null);
  return config;
}

async function loadForeign(options: LoadOptions, commit: string | null, desk: Desk): Promise<Config> {
  const { file, cwd, overrides = {} } = options;
  const root = await realpath(cwd);
  const name = configName(file, cwd);
  const path = name === undefined ? null : resolve(cwd, name);
  // The workflow names a file that no pull request could have brought: it is as good as an input.
  if (path !== null && !isInside(root, path))
    return loadConfig({ ...options, confine: { root, own: keysOf(await readConfigFile(file, cwd)) } });
  if (path !== null && (await leadsOut(path, root)))
    throw new UsageError(`${name}: is a link out of the workspace; a pull request from another repository may not bring one`);
  const source = await readConfigFile(file, cwd);
  const { owned, problem } = await ownersFile(name === undefined || file === undefined ? CONFIG_NAMES : [name], cwd, commit, desk);
  const confine = { root, own: keysOf(owned) };
  const theirs = await loadConfig({ ...options, source, confine });
  const models = overrides['models'] ?? (confine.own['models'] === undefined ? theirs.models.map(({ id }) => id) : undefined);
  const ours = await loadConfig({ ...options, source: owned, overrides: { ...overrides, models }, confine }).catch((error: unknown) => {
    throw error instanceof UsageError
      ? new UsageError(`on the base branch: ${error.message.replaceAll('\n', '\non the base branch: ')}`)
      : error;
  });
  const place = (key: string): string => (source === null ? `there is no configuration file: ${key}` : `${source.name}: ${key}`);
  const lines = loosened(theirs, ours, cwd, place);
  if (lines.length === 0) return theirs;
  const doubt = problem === null ? [] : [`The base branch was taken to have no configuration: ${problem}.`];
  throw new UsageError([...lines, ...doubt].join('\n'));
}

/** The first of these files at that commit, in the repository that runs this. */
async function ownersFile(
  names: readonly string[],
  cwd: string,
  commit: string | null,
  desk: Desk,
): Promise<{ owned: ConfigFile | null; problem: string | null }> {
  const { event } = desk;
  if (commit === null || event === null) return { owned: null, problem: 'the event does not name its commit' };
  if (desk.connect === null) return { owned: null, problem: 'the input github-token is empty, and it takes a token to read it' };
  try {
    const octokit = await desk.connect();
    for (const name of names) {
      const path = resolve(cwd, name);
      const text = await withRetries(() => textAt(octokit, event, inRepository(path, cwd), commit), desk.sleep);
      if (text !== null) return { owned: parseConfigFile(text, name, path), problem: null };
    }
    return { owned: null, problem: null };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`on the base branch: ${error.message}`);
    return { owned: null, problem: `${explain(error, false)}; it takes the permission contents: read` };
  }
}

/** Text of a file at a commit; null: there is none. */
async function textAt(octokit: Octokit, { owner, repo }: Event, path: string, ref: string): Promise<string | null> {
  try {
    const { data } = await octokit.rest.repos.getContent({ owner, repo, path, ref });
    if (Array.isArray(data) || data.type !== 'file') throw new Error(`${quote(path)} is no file there`);
    // GitHub gives no content of a file over 1 MB, which a configuration never has.
    if (data.encoding !== 'base64') throw new Error(`${quote(path)} is too large there`);
    return Buffer.from(data.content, 'base64').toString('utf8');
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Path of a file in the repository that it was checked out with, which need not be the workspace. */
function inRepository(path: string, cwd: string): string {
  return relative(checkoutOf(dirname(path), cwd) ?? cwd, path)
    .split(sep)
    .join('/');
}

/** The nearest folder from `folder` up to `cwd` that is a checkout. */
function checkoutOf(folder: string, cwd: string): string | null {
  for (let at = folder; isInside(cwd, at); at = dirname(at)) if (existsSync(join(at, '.git'))) return at;
  return null;
}

/**
 * Refuses kernels where they would run with what only the repository's own code may have, or where they are not those of the pull request.
 * That a checkout is of the default branch excuses nothing: nobody can tell its files from those that an artifact was unpacked over.
 * @throws UsageError
 */
async function refuseKernels({ name, checkout }: Event, kernels: string, stranger: boolean): Promise<void> {
  if (stranger && (name === 'pull_request_target' || name === 'workflow_run'))
    throw new UsageError(
      `on ${name} the kernels of another repository would run with the token and the secrets of this one: judge them on pull_request, or use policy static, which runs none`,
    );
  if (name === 'pull_request_target' && checkout !== null && (await commitOf(kernels)) === checkout)
    throw new UsageError(
      `input kernels: ${quote(basename(kernels))} is checked out at the base branch, so the kernels of the pull request would not be judged: use the event pull_request`,
    );
}

/** The commit that the nearest checkout around a folder is at; null: not known. */
async function commitOf(folder: string): Promise<string | null> {
  try {
    const real = await realpath(folder);
    let at = real;
    while (!existsSync(join(at, '.git')) && dirname(at) !== at) at = dirname(at);
    const git = join(at, '.git');
    const head = (await readFile(join(git, 'HEAD'), 'utf8')).trim();
    const ref = /^ref: (refs\/[\w./-]+)$/.exec(head)?.[1];
    if (ref === undefined) return head;
    const loose = await readFile(join(git, ...ref.split('/')), 'utf8').catch(() => null);
    if (loose !== null) return loose.trim();
    const packed = await readFile(join(git, 'packed-refs'), 'utf8');
    return (
      packed
        .split('\n')
        .find((line) => line.endsWith(` ${ref}`))
        ?.split(' ')[0] ?? null
    );
  } catch {
    return null;
  }
}
