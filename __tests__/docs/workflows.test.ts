// Every workflow that users are told to copy, in examples/ and in every Markdown file, is checked by GitHub's own language service against
// our action.yml, and by the rules of this repository: pinned actions, least permissions, no foreign code with a token that may write.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { isMap, isSeq, parse, parseDocument } from 'yaml';
import { applySchema, isMapping, normaliseKeys } from '../../src/config/validate.js';
import { audit, pinsOf } from '../github/workflow-audit.js';
import { blocksIn, blocksOf, markdownFiles } from './blocks.js';
import type { Block } from './blocks.js';
import { diagnose, ourAction } from './language-service.js';

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
const examples = readdirSync(new URL('examples/workflows/', ROOT)).map((name) => [name, read(`examples/workflows/${name}`)] as const);
const allBlocks = markdownFiles().flatMap(blocksIn);
const blocks = allBlocks.filter(({ language }) => language === 'yaml').map(({ place, text }) => [place, text] as const);
/** What stands between fences in our documents; another word for one of these would keep its blocks from being looked at. */
const LANGUAGES = ['yaml', 'json', 'sh', 'python', 'mermaid', 'text'];

/** Steps or jobs alone, as docs show them, put into the least workflow. */
function asWorkflow(text: string): string {
  const value = parse(text) as unknown;
  if (!Array.isArray(value)) return isMapping(value) && 'on' in value ? text : `on: push\npermissions: {}\n${text}`;
  const body = text.replaceAll(/^/gm, '      ');
  return `on: push\npermissions: {}\njobs:\n  job:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n${body}`;
}

function isWorkflow(text: string): boolean {
  const value = parse(text) as unknown;
  return Array.isArray(value)
    ? value.every((step) => isMapping(step) && ('uses' in step || 'run' in step))
    : isMapping(value) && 'jobs' in value;
}

/** Workflows that a check of YAML blocks would pass over: under another language, under none, or by the indentation alone. */
function overlooked(found: readonly Block[]): string[] {
  const strange = found.filter(({ language }) => language !== '' && !LANGUAGES.includes(language));
  const hidden = found.filter(({ language, text }) => language !== 'yaml' && /^\s*(?:-\s+)?(?:uses|runs-on|jobs|steps):/m.test(text));
  return [
    ...strange.map(({ place, language }) => `${place}: ${language} is none of ${LANGUAGES.join(', ')}`),
    ...hidden.map(({ place }) => `${place}: a workflow that is not marked as yaml`),
  ];
}

const documented = blocks.filter(([, text]) => isWorkflow(text)).map(([place, text]) => [place, asWorkflow(text)] as const);
const copied = [...examples.map(([name, text]) => [`examples/workflows/${name}`, text] as const), ...documented];

/** The workflow with an input that no action has, planted in every step that uses one, and how many those are. */
function planted(text: string): { text: string; steps: number } {
  const document = parseDocument(text);
  let steps = 0;
  const jobs = document.get('jobs');
  for (const { value: job } of isMap(jobs) ? jobs.items : []) {
    const list = isMap(job) ? job.get('steps') : undefined;
    for (const step of isSeq(list) ? list.items : []) {
      if (!isMap(step) || !step.has('uses')) continue;
      step.setIn(['with', 'planted-input'], 'x');
      steps += 1;
    }
  }
  return { text: document.toString({ lineWidth: 0 }), steps };
}

describe("GitHub's language service", () => {
  it.each(copied)('finds no fault in %s', async (_name, text) => {
    expect(await diagnose(text)).toEqual([]);
  });

  it.each(copied)('would find an input that there is not, in every step of %s', async (_name, text) => {
    const broken = planted(text);
    expect(broken.steps).toBeGreaterThan(0);
    expect((await diagnose(broken.text)).filter((line) => line.includes('planted-input'))).toHaveLength(broken.steps);
  });

  it('does not pass over an action whose inputs nobody knows', async () => {
    const text = read('examples/workflows/single-runner.yml').replace('actions/upload-artifact@', 'actions/upload-artefact@');
    expect((await diagnose(text)).join()).toContain('Unable to resolve action `actions/upload-artefact@');
  });

  it.each([
    ['an input that the Action does not have', 'mode: plan', 'mdoe: plan', /mdoe/],
    ['an unknown permission', 'statuses: write', 'status: write', /status/],
    ['an output of no step', 'steps.merge.outputs', 'steps.marge.outputs', /marge/],
    ['a job that there is not', 'needs: [plan, shard]', 'needs: [plan, shards]', /shards/],
    ['an unknown key', 'fail-fast: false', 'failfast: false', /failfast/],
  ])('finds %s', async (_what, right, wrong, message) => {
    const matrix = read('examples/workflows/matrix.yml');
    expect(matrix).toContain(right);
    expect((await diagnose(matrix.replace(right, wrong))).join('\n')).toMatch(message);
  });

  it.each(['action.yml', 'merge/action.yml'])('finds no fault in %s', async (path) => {
    expect(await diagnose(read(path), 'action')).toEqual([]);
    expect((await diagnose(read(path).replace('main: ', 'mian: '), 'action')).join()).toMatch(/mian|main/);
  });

  it('finds an input that merge/action.yml does not have', async () => {
    const text = read('examples/workflows/scheduled-sweep.yml').replace('status-context: none', 'models: x');
    expect((await diagnose(text)).join('\n')).toContain('models');
  });
});

/** Outputs that a workflow reads of a step of ours and that it does not have; the language service knows the steps only. */
function unknownOutputs(text: string): string[] {
  const { jobs } = parse(text) as { jobs: Record<string, { steps: (Step & { id?: string })[] }> };
  return Object.values(jobs).flatMap(({ steps }) =>
    steps.flatMap(({ id, uses = '' }) => {
      const [, path] = /^OWNER\/fused-compat(?:\/(\w+))?@/.exec(uses) ?? [null];
      if (id === undefined || path === null) return [];
      const { outputs = {} } = ourAction(path) as { outputs?: Record<string, unknown> };
      const asked = [...text.matchAll(new RegExp(`steps\\.${id}\\.outputs\\.([\\w-]+)`, 'g'))].map(([, name = '']) => name);
      return asked.filter((name) => !(name in outputs)).map((name) => `steps.${id}.outputs.${name}`);
    }),
  );
}

describe('a workflow to copy', () => {
  it.each(copied)('reads only outputs that there are: %s', (_name, text) => {
    expect(unknownOutputs(text)).toEqual([]);
  });

  it.each(copied)('keeps the rules of our own workflows: %s', (_name, text) => {
    expect(audit(text)).toEqual([]);
  });

  it('that reads another output is found', () => {
    expect(unknownOutputs(read('examples/workflows/matrix.yml').replaceAll('outputs.report-json', 'outputs.report'))).toEqual([
      'steps.shard.outputs.report',
      'steps.merge.outputs.report',
    ]);
  });

  it('names the commit and the version of a foreign action that our own workflows name', () => {
    const own = readdirSync(new URL('.github/workflows/', ROOT)).map((name) => read(`.github/workflows/${name}`));
    const pins = [...own, ...copied.map(([, text]) => text)].flatMap(pinsOf);
    const versions = new Map<string, Set<string>>();
    for (const { repository, commit, version } of pins)
      versions.set(repository, (versions.get(repository) ?? new Set()).add(`${commit} ${version}`));
    expect([...versions].filter(([, of]) => of.size > 1)).toEqual([]);
    expect([...versions.keys()]).toEqual(expect.arrayContaining(['actions/checkout', 'actions/cache', 'actions/upload-artifact']));
  });
});

describe('a YAML block of a document', () => {
  it.each(blocks.filter(([, text]) => !isWorkflow(text)))('that is no workflow is a configuration: %s', (_name, text) => {
    expect(configurationProblems(text)).toEqual([]);
  });

  it('that is neither is found', () => {
    expect(configurationProblems('models: [a]\nfail_onn: never\n').join()).toContain('fail-onn: is not a known key');
  });

  it('is found at all, in each of the documents that have some', () => {
    const files = new Set(blocks.map(([place]) => place.split(',')[0]));
    expect([...files].sort()).toEqual(['README.md', 'docs/action.md', 'docs/baseline.md', 'docs/configuration.md', 'docs/shards.md']);
    expect(documented.length).toBeGreaterThan(4);
    expect(documented.length).toBeLessThan(blocks.length);
  });

  it('is not overlooked for its fence, its place or its language', () => {
    expect(overlooked(allBlocks)).toEqual([]);
  });

  it.each([
    ['in a list', '- so:\n\n  ```yaml\n  uses: x\n  ```\n', 'yaml'],
    ['behind tildes', '~~~yaml\nuses: x\n~~~\n', 'yaml'],
    ['in a quote', '> ```yaml title="ci"\n> uses: x\n> ```\n', 'yaml'],
  ])('is seen %s', (_where, markdown, language) => {
    expect(blocksOf(markdown, 'x.md')).toMatchObject([{ language, text: 'uses: x\n' }]);
  });

  it.each([
    ['another language', '```yml\na: 1\n```\n', /yml is none of/],
    ['no language', '```\njobs:\n  a: {}\n```\n', /not marked as yaml/],
    ['indentation alone', 'so:\n\n    steps:\n      - uses: x\n', /not marked as yaml/],
    ['a shell', '```sh\n- uses: x\n```\n', /not marked as yaml/],
  ])('would be missed with %s, so that is refused', (_what, markdown, problem) => {
    expect(overlooked(blocksOf(markdown, 'x.md')).join()).toMatch(problem);
  });
});

function configurationProblems(text: string): string[] {
  const problems: string[] = [];
  const place = (path: readonly string[]): string => path.join('.');
  const value = parse(text) as unknown;
  if (!isMapping(value)) return ['no mapping'];
  problems.push(...applySchema(normaliseKeys(value, place, problems), place));
  return problems;
}

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
