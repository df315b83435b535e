// What zizmor and GitHub's hardening guide look for in a workflow, as far as it can be told from its text, offline.

import { parse } from 'yaml';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown> & { script?: string };
}
interface Job {
  uses?: string;
  steps?: Step[];
  permissions?: unknown;
  secrets?: unknown;
  'timeout-minutes'?: unknown;
  'runs-on'?: unknown;
  if?: string;
}
interface Workflow {
  on?: unknown;
  permissions?: unknown;
  jobs?: Record<string, Job>;
}

/** Runs with the repository's token and secrets on an event that a stranger can cause. */
const PRIVILEGED = ['pull_request_target', 'workflow_run', 'issue_comment'];
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

function pins(text: string): string[] {
  const lines = text.split('\n').flatMap((line) => /^\s*(?:-\s+)?uses:\s*(.*)$/.exec(line)?.[1] ?? []);
  return lines.flatMap((line) => {
    const [, name = '', comment = ''] = /^["']?([^\s"'#]+)["']?\s*(?:#\s*(.*))?$/.exec(line) ?? [];
    if (OURS.test(name)) return [];
    if (!/^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/.test(name)) return [`uses ${name}: not pinned to a commit`];
    return /^v\d+(?:\.\d+)*\b/.test(comment) ? [] : [`uses ${name}: no comment with its version`];
  });
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

function stepProblems(step: Step, triggers: readonly string[]): string[] {
  const { uses = '', run = '', with: given = {} } = step;
  const problems = expressionsIn([run, given.script ?? ''].join('\n'))
    .filter((expression) => !HARMLESS.test(expression))
    .map((expression) => `\${{ ${expression} }} in a script; pass it through env`);
  if (uses.startsWith('actions/checkout@')) {
    if (given['persist-credentials'] !== false) problems.push('checkout keeps the token on the disk; persist-credentials: false');
    const privileged = triggers.filter((trigger) => PRIVILEGED.includes(trigger));
    const foreign = given['ref'] !== undefined || given['repository'] !== undefined;
    if (privileged.length > 0 && foreign) problems.push(`${privileged.join(', ')} with a checkout of another ref`);
  }
  const caches = uses.startsWith('actions/cache') || (/^actions\/setup-/.test(uses) && given['cache'] !== undefined);
  if (triggers.includes('release') && caches) problems.push(`${uses.split('@')[0] ?? ''} takes a cache into a release`);
  return problems;
}

function jobProblems(name: string, job: Job, triggers: readonly string[]): string[] {
  const problems = (job.steps ?? []).flatMap((step) => stepProblems(step, triggers));
  const minutes = job['timeout-minutes'];
  if (job.uses === undefined && !(typeof minutes === 'number' && minutes > 0 && minutes <= 360)) problems.push('no timeout-minutes');
  const strangers = triggers.some((trigger) => ['pull_request', ...PRIVILEGED].includes(trigger));
  if (strangers && job.secrets === 'inherit') problems.push('secrets: inherit');
  const ownHardware = JSON.stringify(job['runs-on'] ?? '').includes('self-hosted');
  const guarded = /github\.event\.pull_request\.head\.repo\.full_name == github\.repository/.test(job.if ?? '');
  if (strangers && ownHardware && !guarded) problems.push('a self-hosted runner runs the code of forks');
  return problems.map((problem) => `job ${name}: ${problem}`);
}

/** What is wrong with a workflow; empty for one that is as it should be. */
export function audit(text: string): string[] {
  const workflow = parse(text) as Workflow;
  const triggers = triggersOf(workflow);
  const strangers = triggers.some((trigger) => ['pull_request', ...PRIVILEGED].includes(trigger));
  const secrets = [...text.matchAll(/secrets(?:\.|\[['"])(\w+)/g)].map(([, name = '']) => name).filter((name) => name !== 'GITHUB_TOKEN');
  return [
    ...pins(text),
    ...permissionProblems(text, workflow),
    ...Object.entries(workflow.jobs ?? {}).flatMap(([name, job]) => jobProblems(name, job, triggers)),
    ...(strangers ? secrets.map((name) => `secret ${name} on an event that a stranger can cause`) : []),
    ...(triggers.includes('pull_request_target') ? ['pull_request_target'] : []),
  ];
}
