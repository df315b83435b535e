// Every workflow of this repository and every example, held to the rules of workflow-audit.ts; and those rules, each on a workflow that breaks it.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { diagnose } from '../docs/language-service.js';
import { audit } from './workflow-audit.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHA = 'de0fac2e4500dabe0009e67214ff5f5447ce83dd';

const files = ['.github/workflows', 'examples/workflows'].flatMap((folder) =>
  existsSync(join(ROOT, folder)) ? readdirSync(join(ROOT, folder)).map((name) => join(folder, name)) : [],
);
const workflows = files.filter((name) => /\.ya?ml$/.test(name));

describe('the workflows', () => {
  test('are those of this repository, and more', () => {
    expect(workflows).toEqual(
      expect.arrayContaining(['ci', 'codeql', 'dogfood', 'release'].map((name) => `.github/workflows/${name}.yml`)),
    );
  });

  test.each(workflows)(
    '%s pins every action, asks for no permission too many, and lets no stranger near a script, a secret or our hardware',
    (name) => {
      expect(audit(readFileSync(join(ROOT, name), 'utf8'))).toEqual([]);
    },
  );

  test('pin an action to one commit everywhere', () => {
    const pinned = new Map<string, Set<string>>();
    for (const name of workflows) {
      for (const [, action = '', commit = ''] of readFileSync(join(ROOT, name), 'utf8').matchAll(/uses:\s*([\w./-]+)@([0-9a-f]{40})/g)) {
        pinned.set(action, (pinned.get(action) ?? new Set()).add(commit));
      }
    }
    expect([...pinned].filter(([, commits]) => commits.size > 1).map(([action]) => action)).toEqual([]);
    expect(pinned.size).toBeGreaterThan(3);
  });
});

describe("GitHub's language service", () => {
  const own = workflows.filter((name) => name.startsWith('.github/'));

  test.each(own)('finds no fault in %s', async (name) => {
    expect(await diagnose(readFileSync(join(ROOT, name), 'utf8'))).toEqual([]);
  });

  test('finds an input that our Action does not have', async () => {
    const broken = readFileSync(join(ROOT, '.github/workflows/dogfood.yml'), 'utf8').replace('config: examples', 'confg: examples');
    expect((await diagnose(broken)).join()).toContain('confg');
  });

  test('finds a permission that there is not', async () => {
    const broken = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8').replace('attestations: write', 'attestation: write');
    expect((await diagnose(broken)).join()).toContain('attestation');
  });
});

describe('the one job to require', () => {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8')) as {
    jobs: Record<string, { if?: string; needs?: string[]; steps: { run?: string }[] }>;
  };
  const { ci: last, ...others } = jobs;

  test('waits for all the others and always runs, since GitHub counts a skipped job as a success', () => {
    expect(last?.needs).toEqual(Object.keys(others));
    expect(last?.if).toBe('${{ always() }}');
  });

  test.each([
    ['success', 0],
    ['failure', 1],
    ['skipped', 1],
    ['cancelled', 1],
    ['', 1],
  ])('ends with the result %j of the others in exit code %i', (result, code) => {
    const [step] = last?.steps ?? [];
    expect(spawnSync('bash', ['-e', '-c', step?.run ?? 'exit 9'], { env: { RESULT: result } }).status).toBe(code);
  });
});

describe('the release', () => {
  const release = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8');

  test('attests and tags only what was verified, and only the last job may write', () => {
    expect(release).toMatch(/attest:[\s\S]*?needs: \[verify\][\s\S]*?tag:[\s\S]*?needs: \[verify, attest\]/);
    expect([...release.matchAll(/(\w[\w-]*): write/g)].map(([, name]) => name)).toEqual(['id-token', 'attestations', 'contents']);
    expect(release).not.toMatch(/npm (publish|run build)/);
  });

  test('attests every file that a runner loads', () => {
    const { jobs } = parse(release) as { jobs: { attest: { steps: { with?: Record<string, string> }[] } } };
    const patterns = (jobs.attest.steps.at(-1)?.with?.['subject-path'] ?? '').trim().split('\n');
    const attested = (path: string): boolean =>
      patterns.some((pattern) => (pattern.endsWith('/**') ? path.startsWith(pattern.slice(0, -2)) : path === pattern));
    const { stdout } = spawnSync('git', ['ls-files', 'action.yml', '*/action.yml', 'dist', 'kernels'], { cwd: ROOT, encoding: 'utf8' });
    const loaded = stdout.trim().split('\n');
    expect(loaded).toEqual(expect.arrayContaining(['action.yml', 'merge/action.yml', 'dist/action.js']));
    expect(loaded.filter((path) => !attested(path))).toEqual([]);
    expect(attested('src/action.ts')).toBe(false);
  });
});

describe('Dependabot', () => {
  const { updates } = parse(readFileSync(join(ROOT, '.github/dependabot.yml'), 'utf8')) as {
    updates: { 'package-ecosystem': string; directory?: string; directories?: string[]; cooldown?: { 'default-days'?: number } }[];
  };

  test('keeps packages, our workflows and the examples up to date', () => {
    const places = updates.map(({ 'package-ecosystem': ecosystem, directory = '', directories = [directory] }) => [ecosystem, directories]);
    expect(places).toEqual([
      ['npm', ['/']],
      ['github-actions', ['/', '/examples/workflows']],
    ]);
  });

  test('waits some days, because a release that was taken over is mostly found within days', () => {
    expect(updates.map(({ cooldown }) => (cooldown?.['default-days'] ?? 0) >= 7)).toEqual(updates.map(() => true));
  });
});

const GOOD = `
on: pull_request
permissions:
  contents: read
  statuses: write # the commit status
jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@${SHA} # v6.0.2
        with:
          persist-credentials: false
      - uses: OWNER/fused-compat@v1
      - run: test "$TITLE" && echo \${{ github.sha }}
        env:
          TITLE: \${{ github.event.pull_request.title }}
          TOKEN: \${{ secrets.GITHUB_TOKEN }}
`;

describe('the audit', () => {
  test('has nothing against a workflow that is as it should be', () => {
    expect(audit(GOOD)).toEqual([]);
  });

  test.each<[string, (good: string) => string, RegExp]>([
    ['a tag in place of a commit', (good) => good.replace(SHA, 'v6'), /not pinned/],
    ['a short commit', (good) => good.replace(SHA, SHA.slice(0, 7)), /not pinned/],
    ['a commit without its version', (good) => good.replace(' # v6.0.2', ''), /no comment with its version/],
    ['no permissions', (good) => good.replace(/permissions:[\s\S]*?(?=jobs:)/, ''), /no permissions at the top/],
    ['all permissions', (good) => good.replace(/permissions:[\s\S]*?(?=jobs:)/, 'permissions: write-all\n'), /write-all/],
    ['a permission without a reason', (good) => good.replace(' # the commit status', ''), /no comment that says what for/],
    [
      'a write permission for several jobs',
      (good) => good.replace('jobs:', 'jobs:\n  other:\n    runs-on: ubuntu-latest\n    timeout-minutes: 1\n    steps: []'),
      /statuses: write for all jobs/,
    ],
    ['pull_request_target', (good) => good.replace('pull_request', 'pull_request_target'), /pull_request_target/],
    [
      "a checkout of a fork's commit with the repository's token",
      (good) =>
        good
          .replace('on: pull_request', 'on: { workflow_run: { workflows: [x] } }')
          .replace('persist-credentials: false', 'persist-credentials: false\n          ref: ${{ github.event.workflow_run.head_sha }}'),
      /workflow_run with a checkout of another ref/,
    ],
    ['a title in a script', (good) => good.replace('github.sha', 'github.event.pull_request.title'), /in a script; pass it through env/],
    ['a branch name in a script', (good) => good.replace('github.sha', 'github.head_ref'), /in a script/],
    ["a job's output in a script", (good) => good.replace('github.sha', 'needs.plan.outputs.matrix'), /in a script/],
    ['a checkout that keeps its token', (good) => good.replace('persist-credentials: false', 'fetch-depth: 1'), /persist-credentials/],
    ['a secret on a pull request', (good) => good.replace('secrets.GITHUB_TOKEN', 'secrets.HF_TOKEN'), /secret HF_TOKEN/],
    ['no timeout', (good) => good.replace('    timeout-minutes: 5\n', ''), /no timeout-minutes/],
    ['the code of forks on a machine of ours', (good) => good.replace('ubuntu-latest', '[self-hosted, gpu]'), /self-hosted runner/],
    [
      'a cache in a release',
      (good) =>
        good
          .replace('on: pull_request', 'on: release')
          .replace('OWNER/fused-compat@v1', `actions/setup-node@${SHA} # v6\n        with: { cache: npm, package-manager-cache: false }`),
      /takes a cache into a release/,
    ],
    [
      'a cache that setup-node takes by itself in a job that attests',
      (good) =>
        good
          .replace('statuses: write # the commit status', 'attestations: write # where it is kept')
          .replace('OWNER/fused-compat@v1', `actions/setup-node@${SHA} # v6`),
      /actions\/setup-node takes a cache into a release/,
    ],
    [
      'the secrets of the caller',
      (good) => good.replace('timeout-minutes: 5', 'timeout-minutes: 5\n    secrets: inherit'),
      /secrets: inherit/,
    ],
    ['all secrets at once', (good) => good.replace('secrets.GITHUB_TOKEN', 'toJSON(secrets)'), /all secrets at once/],
    ['a secret by a name from elsewhere', (good) => good.replace('secrets.GITHUB_TOKEN', 'secrets[matrix.secret]'), /all secrets at once/],
    ['a part of a secret', (good) => good.replace('secrets.GITHUB_TOKEN', 'fromJSON(secrets.GITHUB_TOKEN).key'), /does not mask/],
    [
      'an image by its tag',
      (good) => good.replace('timeout-minutes: 5', 'timeout-minutes: 5\n    container: node:24'),
      /image "node:24": not pinned/,
    ],
    [
      'an image of a service by its tag',
      (good) => good.replace('timeout-minutes: 5', 'timeout-minutes: 5\n    services: { hub: { image: nginx } }'),
      /image "nginx": not pinned/,
    ],
    ['an action in an image', (good) => good.replace('OWNER/fused-compat@v1', 'docker://alpine:3'), /docker:\/\/alpine:3: not pinned/],
    ['a script that changes later steps', (good) => good.replace('test "$TITLE"', 'echo A=1 >> "$GITHUB_ENV"'), /GITHUB_ENV/],
    [
      'commands in what is printed',
      (good) => good.replace('TITLE:', 'ACTIONS_ALLOW_UNSECURE_COMMANDS: true\n          TITLE:'),
      /switched on/,
    ],
    [
      'a condition with text around it',
      (good) => good.replace('timeout-minutes: 5', "timeout-minutes: 5\n    if: ${{ false }} && github.ref == 'x'"),
      /is always true/,
    ],
    [
      'a condition with a line break behind it',
      (good) => good.replace('timeout-minutes: 5', 'timeout-minutes: 5\n    if: |\n      ${{ false }}'),
      /is always true/,
    ],
    [
      'trust in a name',
      (good) => good.replace('timeout-minutes: 5', "timeout-minutes: 5\n    if: github.actor == 'dependabot[bot]'"),
      /name of an actor/,
    ],
    [
      'a list that is a text',
      (good) => good.replace('timeout-minutes: 5', "timeout-minutes: 5\n    if: contains('main release', github.ref_name)"),
      /a part of a word/,
    ],
    [
      'a script in a run that follows a fork',
      (good) => good.replace('on: pull_request', 'on: { workflow_run: { workflows: [x] } }'),
      /a script on an event of strangers/,
    ],
  ])('names %s', (_, breakIt, finding) => {
    const broken = breakIt(GOOD);
    expect(broken).not.toBe(GOOD);
    expect(audit(broken).join('\n')).toMatch(finding);
  });

  test('takes an image by its digest and a condition that is one', () => {
    const job = `timeout-minutes: 5\n    if: \${{ always() }}\n    container: node@sha256:${'a'.repeat(64)}`;
    expect(audit(GOOD.replace('timeout-minutes: 5', job))).toEqual([]);
  });

  test('takes a machine of ours that only runs the code of the repository', () => {
    const guard = 'if: ${{ github.event.pull_request.head.repo.full_name == github.repository }}';
    expect(audit(GOOD.replace('runs-on: ubuntu-latest', `${guard}\n    runs-on: [self-hosted, gpu]`))).toEqual([]);
  });
});
