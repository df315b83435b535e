// The inputs of the Action as it finds them. Defaults live in the config schema, not here and not in action.yml: a JavaScript
// action cannot tell an unset input from an empty one (https://github.com/actions/runner/issues/924), so empty means unset.

import { UsageError } from '../errors.js';
import { keptRoot } from '../config/reference-cache.js';

/** always: on every run. on-failure: only when the gate fails, or to bring an earlier comment up to date. */
const COMMENT_MODES = ['always', 'on-failure', 'never'] as const;
export type CommentMode = (typeof COMMENT_MODES)[number];

/** Like `core.getInput`: trimmed, empty when unset. */
export type GetInput = (name: string) => string;

export interface Posting {
  comment: CommentMode;
  /** Tells apart the comments of several workflows on one pull request. */
  commentKey: string;
  /** null: no commit status. */
  statusContext: string | null;
}

function quote(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}

/**
 * How results are posted.
 * @throws UsageError that names the input and its value
 */
export function readPosting(getInput: GetInput): Posting {
  const comment = getInput('comment') || 'always';
  const mode = COMMENT_MODES.find((known) => known === comment);
  if (mode === undefined) throw new UsageError(`input comment must be one of ${COMMENT_MODES.join(', ')}; got ${quote(comment)}`);
  const commentKey = getInput('comment-key') || 'default';
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(commentKey) || commentKey.includes('--')) {
    throw new UsageError(
      `input comment-key must be 1 to 64 letters, digits, dots, underscores or single hyphens; got ${quote(commentKey)}`,
    );
  }
  return { comment: mode, commentKey, statusContext: readStatusContext(getInput) };
}

/**
 * Name of the commit status; null: none is wanted.
 * @throws UsageError that names the input and its value
 */
export function readStatusContext(getInput: GetInput): string | null {
  const context = getInput('status-context') || 'fused-compat';
  if (context.length > 140 || /\p{Cc}/u.test(context)) {
    throw new UsageError(`input status-context must be one line of at most 140 characters, or none; got ${quote(context)}`);
  }
  return context === 'none' ? null : context;
}

/** One line that ends in .txt or .json is a file of prompts; anything else is prompts, one a line. */
function promptsOf(text: string): string | string[] {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const [first = ''] = lines;
  return lines.length === 1 && /\.(txt|json)$/i.test(first) ? first : lines;
}

/** check: judge and post. plan, shard, merge: the three kinds of job that a matrix is made of. */
const MODES = ['check', 'plan', 'shard', 'merge'] as const;
export type Mode = (typeof MODES)[number];

/**
 * @throws UsageError that names the input and its value, and one for inputs that the mode would not hear: who gives `models` to a merge
 * believes that these are judged
 */
export function readMode(getInput: GetInput): Mode {
  const given = getInput('mode') || 'check';
  const mode = MODES.find((known) => known === given);
  if (mode === undefined) throw new UsageError(`input mode must be one of ${MODES.join(', ')}; got ${quote(given)}`);
  const unheard = (mode === 'merge' ? JUDGING_INPUTS : ['parts']).filter((name) => getInput(name) !== '');
  if (unheard.length === 0) return mode;
  const why = mode === 'merge' ? 'mode merge judges nothing: give them to the jobs of mode plan and shard' : `the mode is ${mode}`;
  throw new UsageError(
    unheard.map((name) => `input ${name} is only for mode ${mode === 'merge' ? 'check, plan and shard' : 'merge'}; ${why}`).join('\n'),
  );
}

/**
 * The entry of the matrix that this job is.
 * @throws UsageError when it is given in another mode, where it would go unheard, or not given in mode shard
 */
export function readShard(getInput: GetInput, mode: Mode): string {
  const given = getInput('shard');
  if (mode === 'shard' && given === '') throw new UsageError('input shard is empty; in mode shard it is ${{ toJSON(matrix) }}');
  if (mode !== 'shard' && given !== '') throw new UsageError(`input shard is only for mode shard; the mode is ${mode}`);
  return given;
}

export interface MergeInputs {
  /** Folders that artifacts were downloaded to. */
  parts: string[];
  /** Empty: as the plan says. */
  failOn: string;
  /** Empty: nothing to compare with. */
  baseline: string;
  output: string;
}

export function readMergeInputs(getInput: GetInput): MergeInputs {
  const parts = (getInput('parts') || 'fused-compat-parts').split(/\r\n|\r|\n/).map((line) => line.trim());
  return {
    parts: parts.filter((line) => line !== ''),
    failOn: getInput('fail-on'),
    baseline: getInput('baseline'),
    output: getInput('output') || 'fused-compat-report',
  };
}

/** Inputs that are keys of the config, under the same name. What their values may be is the schema's to say. */
const CONFIG_INPUTS = [
  'models',
  'kernels',
  'policy',
  'fail-on',
  'dtype',
  'execution-provider',
  'require-gpu',
  'offline',
  'prompts',
  'layers',
  'jobs',
  'baseline',
  'shards',
  'runs-on',
  'output',
];

/** What a merge has no use for. */
const JUDGING_INPUTS = ['config', 'cache', ...CONFIG_INPUTS.filter((name) => !['fail-on', 'baseline', 'output'].includes(name))];

/** The config file that was named and the config keys that were given as inputs, for `loadConfig`. */
export function readConfigInputs(getInput: GetInput): { file: string | undefined; overrides: Record<string, unknown> } {
  const given = CONFIG_INPUTS.map((name) => [name, getInput(name)] as const).filter(([, text]) => text !== '');
  const overrides = given.map(([name, text]) => [name, name === 'prompts' ? promptsOf(text) : text] as const);
  return { file: getInput('config') || undefined, overrides: Object.fromEntries(overrides) };
}

/** Token for the Hugging Face Hub; empty when the environment's is to be used. */
export function readHubToken(getInput: GetInput): string {
  return getInput('hf-token');
}

const CACHE_MODES = ['auto', 'true', 'false'] as const;

/**
 * Whether models go through the Actions cache. auto: on GitHub's own runners, which start empty; one that is self-hosted has a disk that
 * lasts, next to which GitHub's cache is slow (https://github.com/actions/cache/issues/928).
 * @throws UsageError that names the input and its value
 */
export function readCache(getInput: GetInput, env: Readonly<Record<string, string | undefined>>): boolean {
  const given = getInput('cache') || 'auto';
  // As core.getBooleanInput takes them.
  const mode = CACHE_MODES.find((known) => known === (/^(?:True|TRUE|False|FALSE)$/.test(given) ? given.toLowerCase() : given));
  if (mode === undefined) throw new UsageError(`input cache must be one of ${CACHE_MODES.join(', ')}; got ${quote(given)}`);
  return mode === 'auto' ? env['RUNNER_ENVIRONMENT'] === 'github-hosted' : mode === 'true';
}

/**
 * Where results of the reference are kept between runs. auto: on self-hosted runners, whose disk lasts, in the user's cache folder, but not for the
 * code of a fork: what runs there could leave results of its own for the runs after it.
 * @returns an absolute path; null: nothing is kept
 */
export function readReferenceCache(
  getInput: GetInput,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  fork: boolean,
): string | null {
  const given = getInput('reference-cache') || 'auto';
  if (given === 'auto' && (fork || env['RUNNER_ENVIRONMENT'] !== 'self-hosted')) return null;
  return keptRoot(given, env, cwd);
}

/** How messages of `loadConfig` name an input. */
export function nameInput(key: string): string {
  return `input ${key}`;
}
