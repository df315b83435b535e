// Every workflow that users are told to copy, in examples/, README.md and docs/, is checked by GitHub's own language service against our
// action.yml, and by the rules of this repository: pinned actions, least permissions, no foreign code with a token that may write.

import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { applySchema, isMapping, normaliseKeys } from '../../src/config/validate.js';

type LanguageService = typeof import('@actions/languageservice');
type Metadata = NonNullable<
  Awaited<
    ReturnType<NonNullable<NonNullable<Parameters<LanguageService['validate']>[1]>['actionsMetadataProvider']>['fetchActionMetadata']>
  >
>;

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Job {
  if?: string;
  permissions?: Record<string, string>;
  steps: Step[];
}
interface Workflow {
  on: unknown;
  permissions?: Record<string, string>;
  jobs: Record<string, Job>;
}

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
/** Inputs of the foreign actions that the workflows use, from their action.yml at the pinned versions. */
const THEIRS: Record<string, string[]> = {
  'cache/restore': ['path', 'key', 'restore-keys', 'fail-on-cache-miss', 'lookup-only'],
  'cache/save': ['path', 'key', 'upload-chunk-size'],
  checkout: ['repository', 'ref', 'token', 'persist-credentials', 'path', 'clean', 'fetch-depth', 'lfs', 'submodules'],
  'upload-artifact': ['name', 'path', 'if-no-files-found', 'retention-days', 'compression-level', 'overwrite', 'include-hidden-files'],
  'download-artifact': ['name', 'artifact-ids', 'path', 'pattern', 'merge-multiple', 'github-token', 'repository', 'run-id'],
};
const ours = { '': 'action.yml', merge: 'merge/action.yml' };

const examples = readdirSync(new URL('examples/workflows/', ROOT)).map((name) => [name, read(`examples/workflows/${name}`)] as const);
const blocks = ['README.md', ...readdirSync(new URL('docs/', ROOT)).map((name) => `docs/${name}`)]
  .filter((path) => path.endsWith('.md'))
  .flatMap((path) =>
    [...read(path).matchAll(/^( *)```ya?ml\n([\s\S]*?)^ *```/gm)].map(
      ([, , text = ''], index) => [`${path}, block ${index + 1}`, text] as const,
    ),
  );

/** Steps or jobs alone, as docs show them, put into the least workflow. */
function asWorkflow(text: string): string {
  const value = parse(text) as unknown;
  if (!Array.isArray(value)) return isMapping(value) && 'on' in value ? text : `on: push\n${text}`;
  const body = text.replaceAll(/^/gm, '      ');
  return `on: push\npermissions: {}\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n${body}`;
}

function isWorkflow(text: string): boolean {
  const value = parse(text) as unknown;
  return Array.isArray(value)
    ? value.every((step) => isMapping(step) && ('uses' in step || 'run' in step))
    : isMapping(value) && 'jobs' in value;
}

let service: LanguageService;
let TextDocument: typeof import('vscode-languageserver-textdocument').TextDocument;
beforeAll(async () => {
  service = await import('@actions/languageservice');
  ({ TextDocument } = await import('vscode-languageserver-textdocument'));
});

let documents = 0;

/** What GitHub's language service has to say, one line for each. It keeps results by address, so each document has its own. */
async function diagnose(text: string): Promise<string[]> {
  const document = TextDocument.create(`file:///.github/workflows/w${documents++}.yml`, 'yaml', 1, text);
  const fetchActionMetadata = async ({
    owner,
    name,
    path = '',
  }: {
    owner: string;
    name: string;
    path?: string;
  }): Promise<Metadata | undefined> => {
    if (owner === 'OWNER' && path in ours) return parse(read(ours[path as keyof typeof ours])) as Metadata;
    const inputs = owner === 'actions' ? THEIRS[path === '' ? name : `${name}/${path}`] : undefined;
    return inputs && { name, description: name, inputs: Object.fromEntries(inputs.map((input) => [input, { description: input }])) };
  };
  const found = await service.validate(document, { actionsMetadataProvider: { fetchActionMetadata } });
  return found.map(({ message, range }) => `line ${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`);
}

describe("GitHub's language service", () => {
  it.each(examples)('finds no fault in examples/workflows/%s', async (_name, text) => {
    expect(await diagnose(text)).toEqual([]);
  });

  it.each(blocks.filter(([, text]) => isWorkflow(text)))('finds no fault in %s', async (_name, text) => {
    expect(await diagnose(asWorkflow(text))).toEqual([]);
  });

  it.each([
    ['an input that the Action does not have', 'mode: plan', 'mdoe: plan', /mdoe/],
    ['an unknown permission', 'statuses: write', 'status: write', /status/],
    ['an output of no step', 'steps.merge.outputs', 'steps.marge.outputs', /marge/],
    ['an unknown key', 'fail-fast: false', 'failfast: false', /failfast/],
  ])('finds %s', async (_what, right, wrong, message) => {
    const matrix = read('examples/workflows/matrix.yml');
    expect(matrix).toContain(right);
    expect((await diagnose(matrix.replace(right, wrong))).join('\n')).toMatch(message);
  });

  it('finds an input that merge/action.yml does not have', async () => {
    const text = read('examples/workflows/scheduled-sweep.yml').replace('status-context: none', 'models: x');
    expect((await diagnose(text)).join('\n')).toContain('models');
  });
});

describe('a YAML block of README.md and docs/', () => {
  it.each(blocks.filter(([, text]) => !isWorkflow(text)))('that is no workflow is a configuration: %s', (_name, text) => {
    const problems: string[] = [];
    const place = (path: readonly string[]): string => path.join('.');
    const value = parse(text) as unknown;
    expect(isMapping(value)).toBe(true);
    problems.push(...applySchema(normaliseKeys(value as Record<string, unknown>, place, problems), place));
    expect(problems).toEqual([]);
  });

  it('is found at all', () => {
    expect(blocks.length).toBeGreaterThan(4);
    expect(blocks.some(([, text]) => isWorkflow(text))).toBe(true);
  });
});

/** What breaks the rules that every workflow to copy has to keep. */
function breaches(text: string): string[] {
  const { on, permissions, jobs } = parse(text) as Workflow;
  const problems: string[] = [];
  const triggers = typeof on === 'string' ? [on] : Array.isArray(on) ? on : Object.keys(on as object);
  if (triggers.includes('pull_request_target')) problems.push('pull_request_target');
  for (const [name, value] of Object.entries(permissions ?? { all: 'write' }))
    if (value !== 'read') problems.push(`every job has ${name}: ${value}`);
  for (const [id, job] of Object.entries(jobs)) problems.push(...jobBreaches(id, job, triggers));
  return problems;
}

function jobBreaches(id: string, { permissions = {}, steps }: Job, triggers: unknown[]): string[] {
  const uses = steps.map((step) => step.uses ?? '');
  const checksOut = uses.some((name) => name.startsWith('actions/checkout@'));
  const downloads = steps.some((step) => step.with?.['run-id'] !== undefined);
  const judges = steps.filter(
    (step) => step.uses?.startsWith('OWNER/') === true && !['plan', 'shard'].includes(String(step.with?.['mode'])),
  );
  const posts = (input: string, off: string): boolean => judges.some((step) => step.with?.[input] !== off);
  const needed: Record<string, string> = {
    ...(checksOut ? { contents: 'read' } : {}),
    ...(downloads ? { actions: 'read' } : {}),
    ...(posts('comment', 'never') ? { 'pull-requests': 'write' } : {}),
    ...(posts('status-context', 'none') ? { statuses: 'write' } : {}),
  };
  const given = Object.keys(permissions).length > 0 || !checksOut ? permissions : { contents: 'read' };
  return [
    ...uses
      .filter((name) => !/^OWNER\/fused-compat(?:\/merge)?@v1$|^actions\/[\w-]+@[0-9a-f]{40}$/.test(name))
      .map((name) => `${id}: ${name} is not pinned`),
    ...steps.filter((step) => step.run !== undefined).map(() => `${id}: a script`),
    ...(JSON.stringify(sorted(given)) === JSON.stringify(sorted(needed))
      ? []
      : [`${id}: has ${JSON.stringify(given)}, needs ${JSON.stringify(needed)}`]),
    ...(checksOut && triggers.includes('workflow_run') ? [`${id}: checks out in a workflow_run`] : []),
    ...steps
      .filter((step) => step.uses?.startsWith('actions/checkout@') === true && step.with?.['persist-credentials'] !== false)
      .map(() => `${id}: leaves the token in the checkout`),
  ];
}

function sorted(map: Record<string, string>): [string, string][] {
  return Object.entries(map).sort();
}

describe('a workflow of examples/', () => {
  it.each(examples)('%s pins what it uses and has the permissions that it needs, and no other', (_name, text) => {
    expect(breaches(text)).toEqual([]);
  });

  it.each([
    ['an action by its tag', /actions\/checkout@\w+/, 'actions/checkout@v6', 'not pinned'],
    ['a permission too many', 'statuses: write', 'statuses: write\n      packages: write', 'packages'],
    ['a permission too few', 'statuses: write # the commit status', '', 'needs'],
    ['a token for every job', 'contents: read', 'contents: write', 'every job'],
    ['pull_request_target', 'on: pull_request', 'on: pull_request_target', 'pull_request_target'],
    ['a token in the checkout', 'persist-credentials: false', 'persist-credentials: true', 'leaves the token'],
  ])('would be refused with %s', (_what, right, wrong, problem) => {
    expect(breaches(read('examples/workflows/single-runner.yml').replace(right, wrong)).join('\n')).toContain(problem);
  });

  it('that joins a matrix always runs, since GitHub counts a skipped job as a success', () => {
    for (const [name, text] of examples) {
      const joining = Object.values((parse(text) as Workflow).jobs).filter((job) =>
        job.steps.some((step) => step.uses?.includes('/merge@') === true),
      );
      if (name !== 'fork-safe-comment.yml') for (const job of joining) expect(job.if).toBe('${{ always() }}');
    }
  });

  it('is there for each way of use', () => {
    expect(examples.map(([name]) => name)).toEqual([
      'fork-safe-comment.yml',
      'fork-safe.yml',
      'matrix.yml',
      'merge-queue.yml',
      'scheduled-sweep.yml',
      'single-runner.yml',
      'static-only.yml',
    ]);
  });
});
