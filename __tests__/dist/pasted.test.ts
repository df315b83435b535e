// The command that a comment gives, pasted into a shell: the built program is found as `fused-compat`, as npm and README.md put it on the
// path, and judges the same models to the same verdicts.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runAction } from '../github/runner.js';
import { startGitHub } from '../github/double.js';
import type { GitHubDouble } from '../github/double.js';
import type { Report } from '../../src/report/types.js';
import { ROOT, run } from './bundled.js';

const NAME = "it's $HOME `id`; #1";
let home: string;
let path: string;
let github: GitHubDouble;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pasted-'));
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const { bin: programs } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  for (const [name, file] of Object.entries(programs)) symlinkSync(join(ROOT, file), join(bin, name));
  path = [bin, process.env['PATH']].join(delimiter);
  github = await startGitHub();
});
afterAll(async () => {
  await github.close();
  rmSync(home, { recursive: true });
});

/** A checkout with a configuration in a folder of its own, and a model in a folder with a name that a shell would obey. */
function checkout(folder: string): void {
  mkdirSync(join(folder, 'ci/models'), { recursive: true });
  cpSync(join(ROOT, 'examples/models/tinyllama-mini'), join(folder, 'ci/models', NAME), { recursive: true });
  cpSync(join(ROOT, 'examples/models/qwen3-mini'), join(folder, 'ci/models/qwen3-mini'), { recursive: true });
  writeFileSync(join(folder, 'ci/compat.yml'), `models: ["models/${NAME}", models/qwen3-mini]\nfail-on: [WARNING, COMPATIBLE, INCOMPATIBLE]\n`);
}

/** The one line of the only block of shell in a report. */
function commandOf(markdown: string): string {
  const [block, ...others] = [...markdown.matchAll(/^(`{3,})sh\n(.*)\n\1$/gm)].map(([, , line = '']) => line);
  expect(others).toEqual([]);
  return block ?? 'no command';
}

function paste(command: string, cwd: string) {
  return run('/bin/sh', ['-c', command], { cwd, env: { PATH: path, HOME: home } });
}

const verdicts = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as Report).models.map(({ id, verdict }) => [id, verdict]);

describe('the command of a report', () => {
  test('of a static check by the Action ends as the Action did, whatever the names are and wherever the configuration is', async () => {
    const before = join(home, 'static');
    checkout(before);
    const inputs = { config: join(before, 'ci/compat.yml'), policy: 'static', comment: 'never', 'status-context': 'none' };
    const { code, summary, workspace } = await runAction({ inputs, apiUrl: github.url });
    expect(code).toBe(1);
    const judged = verdicts(join(workspace, 'fused-compat-report/report.json'));
    expect(judged.map(([, verdict]) => verdict).sort()).toEqual(['COMPATIBLE', 'INCOMPATIBLE']);

    // inspect writes no files by itself.
    const outcome = await paste(`${commandOf(summary)} --output again`, before);
    expect(outcome).toMatchObject({ code: 1, stderr: '' });
    expect(verdicts(join(before, 'again/report.json')).sort()).toEqual(judged.sort());
  });

  test('of a numeric diff gives the same numbers', async () => {
    const folder = join(home, 'numeric');
    checkout(folder);
    const word = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
    const prompts = word('["It\'s $(id)","Hello `world`"]');
    const given = `fused-compat check --config ci/compat.yml --prompts ${prompts} --layers 0 ${word(`models/${NAME}`)}`;
    const first = await paste(`${given} --output first`, folder);
    expect(first.code).toBe(1);
    const command = commandOf(readFileSync(join(folder, 'first/report.md'), 'utf8'));
    expect(command).toBe(given);
    expect((await paste(command, folder)).code).toBe(1);
    const numbers = (name: string) =>
      (JSON.parse(readFileSync(join(folder, name, 'report.json'), 'utf8')) as Report).models.map(({ numeric }) => numeric?.kernels);
    expect(numbers('fused-compat-report')).toEqual(numbers('first'));
    expect(numbers('first')[0]?.length).toBeGreaterThan(0);
    const texts = (JSON.parse(readFileSync(join(folder, 'first/report.json'), 'utf8')) as Report).models[0]?.numeric?.generation;
    expect(texts?.map(({ prompt }) => prompt)).toEqual(["It's $(id)", 'Hello `world`']);
  });

  test('without the program on the path is not found, so that this can fail', async () => {
    expect((await run('/bin/sh', ['-c', 'fused-compat inspect x'], { cwd: home, env: { PATH: '/usr/bin:/bin' } })).code).toBe(127);
  });
});
