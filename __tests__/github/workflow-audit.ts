// What zizmor (https://docs.zizmor.sh/audits) and GitHub's hardening guide look for in a workflow, as far as it can be told from its text,
// offline. Whether a commit is in the repository that it is said to be of takes the network, and is not looked at.

import { parse } from 'yaml';

interface Step {
  uses?: string;
  run?: string;
  if?: unknown;
  with?: Record<string, unknown> & { script?: string };
}
interface Job {
  uses?: string;
  steps?: Step[];
  permissions?: unknown;
  secrets?: unknown;
  'timeout-minutes'?: unknown;
  'runs-on'?: unknown;
  if?: unknown;
  container?: unknown;
  services?: Record<string, unknown>;
}
interface Workflow {
  on?: unknown;
  permissions?: unknown;
  jobs?: Record<string, Job>;
}

/** Runs with the repository's token and secrets on an event that a stranger can cause. */
const PRIVILEGED = ['pull_request_target', 'workflow_run', 'issue_comment'];
/** What others will trust: a job that may write one of these is taken for a release. */
const PUBLISHES = ['id-token', 'attestations', 'packages', 'contents'];
/** Expressions whose value no stranger chooses. */
const HARMLESS =
  /^(?:github\.(?:sha|run_id|run_number|run_attempt|repository|repository_owner|workspace|server_url|api_url)|runner\.\w+|needs\.[\w-]+\.result|steps\.[\w-]+\.(?:outcome|conclusion)|job\.status)$/;
/** Ours, under the name that examples give it, or of this very commit. */
const OURS = /^(?:\.\/|\.$|OWNER\/fused-compat(?:\/[\w-]+)?@v\d+$)/;

function triggersOf({ on }: Workflow): string[] {
  if (typeof on === 'string') return [on];
  return Array.isArray(on) ? on.map(String) : Object.keys((on as object | null) ?? {});
}

function expressionsIn(text: string): string[] {
  return [...text.matchAll(/\$\{\{\s*([\s\S]*?)\s*\}\}/g)].map(([, inner = '']) => inner);
}

function usesOf(text: string): { name: string; comment: string }[] {
  const lines = text.split('\n').flatMap((line) => /^\s*(?:-\s+)?uses:\s*(.*)$/.exec(line)?.[1] ?? []);
  const parts = lines.map((line) => /^["']?([^\s"'#]+)["']?\s*(?:#\s*(.*))?$/.exec(line) ?? []);
  return parts.map(([, name = '', comment = '']) => ({ name, comment })).filter(({ name }) => !OURS.test(name));
}

/** The foreign repositories of which a workflow uses something, with the commit and the version that the comment says. */
export function pinsOf(text: string): { repository: string; commit: string; version: string }[] {
  return usesOf(text).map(({ name, comment }) => {
    const [path = '', commit = ''] = name.split('@');
    return { repository: path.split('/').slice(0, 2).join('/'), commit, version: comment.split(' ')[0] ?? '' };
  });
}

function pinProblems(text: string): string[] {
  return usesOf(text).flatMap(({ name, comment }) => {
    if (!/^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/.test(name)) return [`uses ${name}: not pinned to a commit`];
    return /^v\d+(?:\.\d+)*\b/.test(comment) ? [] : [`uses ${name}: no comment with its version`];
  });
}

/** Images of containers without a digest. */
function imageProblems({ container, services = {} }: Job): string[] {
  const images = [container, ...Object.values(services)].map((one) =>
    typeof one === 'object' && one !== null && 'image' in one ? one.image : one,
  );
  return images
    .filter((image) => image !== undefined && !/@sha256:[0-9a-f]{64}"$/.test(JSON.stringify(image)))
    .map((image) => `image ${JSON.stringify(image)}: not pinned to a digest`);
}

/** Conditions that say something else than they seem to. */
function conditionProblems(condition: unknown): string[] {
  if (typeof condition !== 'string') return [];
  const problems: string[] = [];
  // Text around an expression makes it a string, which is true.
  if (condition.includes('${{') && !/^\$\{\{[^}]*\}\}$/.test(condition)) problems.push(`if: ${condition.trim()} is always true`);
  // The actor of a re-run is whoever started it; a pull request of a bot can be continued by anyone who may push to its branch.
  if (/github\.(?:triggering_)?actor\s*[!=]=|\[bot\]/.test(condition)) problems.push('trusts the name of an actor');
  if (/contains\(\s*'[^']*'\s*,/.test(condition)) problems.push('contains() with a text in place of a list: a part of a word is enough');
  return problems;
}

function permissionProblems(text: string, { permissions, jobs = {} }: Workflow): string[] {
  const all = [permissions, ...Object.values(jobs).map((job) => job.permissions)];
  const problems = all.filter((each) => typeof each === 'string').map((each) => `permissions: ${each}`);
  if (permissions === undefined) problems.push('no permissions at the top');
  const writes = Object.entries((typeof permissions === 'object' ? permissions : null) ?? {}).filter(([, level]) => level === 'write');
  if (Object.keys(jobs).length > 1)
    problems.push(...writes.map(([name]) => `${name}: write for all jobs; give it to the one that needs it`));
  const unexplained = text.split('\n').filter((line) => /^\s+[\w-]+:\s*write\s*$/.test(line));
  return [...problems, ...unexplained.map((line) => `${line.trim()}: no comment that says what for`)];
}

function scriptProblems({ run = '', with: given = {} }: Step, strangers: boolean): string[] {
  const problems = expressionsIn([run, given.script ?? ''].join('\n'))
    .filter((expression) => !HARMLESS.test(expression))
    .map((expression) => `\${{ ${expression} }} in a script; pass it through env`);
  // A variable such as LD_PRELOAD is a way into every later step.
  if (strangers && /GITHUB_(?:ENV|PATH)\b/.test(run))
    problems.push('a script writes to GITHUB_ENV or GITHUB_PATH on an event of strangers');
  return problems;
}

/** Whether a step may take files out of a cache that another run has filled. */
function takesCache({ uses = '', with: given = {} }: Step): boolean {
  // setup-node caches by itself when package.json names its package manager.
  if (uses.startsWith('actions/setup-node@')) return given['cache'] !== undefined || given['package-manager-cache'] !== false;
  return uses.startsWith('actions/cache') || (/^[\w-]+\/setup-/.test(uses) && given['cache'] !== undefined);
}

function checkoutProblems({ uses = '', with: given = {} }: Step, triggers: readonly string[]): string[] {
  if (!uses.startsWith('actions/checkout@')) return [];
  const privileged = triggers.filter((trigger) => PRIVILEGED.includes(trigger));
  const foreign = given['ref'] !== undefined || given['repository'] !== undefined;
  return [
    ...(given['persist-credentials'] === false ? [] : ['checkout keeps the token on the disk; persist-credentials: false']),
    ...(privileged.length > 0 && foreign ? [`${privileged.join(', ')} with a checkout of another ref`] : []),
  ];
}

function jobProblems(name: string, job: Job, workflow: Workflow): string[] {
  const triggers = triggersOf(workflow);
  const strangers = isForStrangers(triggers);
  const steps = job.steps ?? [];
  const problems = [
    ...steps.flatMap((step) => [...scriptProblems(step, strangers), ...checkoutProblems(step, triggers), ...conditionProblems(step.if)]),
    ...conditionProblems(job.if),
    ...imageProblems(job),
  ];
  const granted = Object.entries(job.permissions ?? workflow.permissions ?? {});
  const publishes = triggers.includes('release') || granted.some(([scope, level]) => PUBLISHES.includes(scope) && level === 'write');
  const cached = steps.filter((step) => publishes && takesCache(step)).map(({ uses = '' }) => uses.split('@')[0] ?? '');
  problems.push(...cached.map((uses) => `${uses} takes a cache into a release`));
  const minutes = job['timeout-minutes'];
  if (job.uses === undefined && !(typeof minutes === 'number' && minutes > 0 && minutes <= 360)) problems.push('no timeout-minutes');
  if (job.secrets === 'inherit') problems.push('secrets: inherit');
  const ownHardware = JSON.stringify(job['runs-on'] ?? '').includes('self-hosted');
  const guarded = String(job.if).includes('github.event.pull_request.head.repo.full_name == github.repository');
  if (strangers && ownHardware && !guarded) problems.push('a self-hosted runner runs the code of forks');
  if (triggers.some((trigger) => PRIVILEGED.includes(trigger)) && steps.some(({ run }) => run !== undefined))
    problems.push("a script on an event of strangers that has the repository's token");
  return problems.map((problem) => `job ${name}: ${problem}`);
}

function secretProblems(text: string, strangers: boolean): string[] {
  const names = [...text.matchAll(/secrets(?:\.|\[['"])(\w+)/g)].map(([, name = '']) => name).filter((name) => name !== 'GITHUB_TOKEN');
  return [
    ...(strangers ? names.map((name) => `secret ${name} on an event that a stranger can cause`) : []),
    ...(/toJSON\(\s*secrets\s*\)|secrets\[(?!['"])/i.test(text) ? ['all secrets at once; name the one that is needed'] : []),
    ...(/fromJSON\(\s*secrets[.[]/i.test(text) ? ['a part of a secret, which the runner does not mask'] : []),
  ];
}

function isForStrangers(triggers: readonly string[]): boolean {
  return triggers.some((trigger) => ['pull_request', ...PRIVILEGED].includes(trigger));
}

/** What is wrong with a workflow; empty for one that is as it should be. */
export function audit(text: string): string[] {
  const workflow = parse(text) as Workflow;
  const triggers = triggersOf(workflow);
  return [
    ...pinProblems(text),
    ...permissionProblems(text, workflow),
    ...Object.entries(workflow.jobs ?? {}).flatMap(([name, job]) => jobProblems(name, job, workflow)),
    ...secretProblems(text, isForStrangers(triggers)),
    ...(text.includes('ACTIONS_ALLOW_UNSECURE_COMMANDS') ? ['commands that anything printed could give are switched on'] : []),
    ...(triggers.includes('pull_request_target') ? ['pull_request_target'] : []),
  ];
}
