// dist/ as a user gets it: the files of the repository in another folder, no node_modules, and Node as a runner starts it.
// dist/ is built from the present sources first; that the committed one is the same is check-dist's matter, tested here too.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { build, NODE_24, ROOT, run } from './bundled.js';
import type { Outcome } from './bundled.js';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const NODES = [
  ['this Node', process.execPath],
  ['Node 24', NODE_24],
] as const;

let home: string;
let clone: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'clone-'));
  // What git has or would add; a `#`, a space and a `%` in the path, because paths become URLs on the way.
  clone = join(home, 'a #1 clone 100%');
  const tracked = execFileSync('git', ['ls-files', '-zco', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  for (const name of tracked.split('\0')) {
    if (name === '' || /^(dist|__tests__)\//.test(name) || !existsSync(join(ROOT, name))) continue;
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    cpSync(join(ROOT, name), join(clone, name));
  }
  build('--outdir', join(clone, 'dist'));
});

afterAll(() => {
  rmSync(home, { recursive: true });
});

/** Runs a bundled program in a folder that is not the clone. */
function start(node: string, program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const cache = join(home, 'cache');
  return run(node, [join(clone, 'dist', program), ...args], { cwd: home, env: { XDG_CACHE_HOME: cache, HOME: home, ...env } });
}

describe.each(NODES)('the command line without node_modules, on %s', (_, node) => {
  test('--version prints the version of package.json', async () => {
    expect(await start(node, 'cli.js', ['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help names the commands', async () => {
    const { code, stdout, stderr } = await start(node, 'cli.js', ['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['check', 'inspect', 'reference']) expect(stdout).toContain(command);
  });

  test('inspect reads a model and needs no native library', async () => {
    const { code, stdout } = await start(node, 'cli.js', ['inspect', join(clone, 'examples/models/qwen3-mini')]);
    expect(stdout).toContain('96.5');
    expect(stdout).toContain('INCOMPATIBLE');
    expect([0, 1]).toContain(code);
    expect(existsSync(join(home, 'cache'))).toBe(false);
  });
});

describe('the Action without node_modules, on Node 24', () => {
  test.each([
    ['tinyllama-mini', 0, 'pass'],
    ['qwen3-mini', 1, 'fail'],
  ])('policy static on %s ends with exit code %i and the output gate=%s', async (model, code, gate) => {
    const output = join(home, `${model}.output`);
    const summary = join(home, `${model}.summary`);
    for (const file of [output, summary]) writeFileSync(file, '');
    const outcome = await start(NODE_24, 'action.js', [], {
      INPUT_MODELS: join(clone, 'examples/models', model),
      INPUT_POLICY: 'static',
      INPUT_OUTPUT: join(home, `report-${model}`),
      GITHUB_ACTIONS: 'true',
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_WORKSPACE: home,
      GITHUB_REPOSITORY: 'owner/name',
      GITHUB_SHA: 'a'.repeat(40),
      RUNNER_TEMP: home,
    });
    expect(outcome).toMatchObject({ code, stderr: '' });
    expect(readFileSync(output, 'utf8')).toMatch(new RegExp(`gate<<.*\n${gate}\n`));
    expect(readFileSync(summary, 'utf8')).toContain(model);
  });
});

describe('what is in dist/', () => {
  const own = (name: string) => readFileSync(join(clone, 'dist', name), 'utf8');

  /** Files that Node evaluates before the first line of a program: its static imports and theirs. */
  function evaluated(name: string, seen = new Set<string>()): Set<string> {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const [, next = ''] of own(name).matchAll(/^(?:import|export)\b[^;]*?["']\.\/([^"']+)["'];$/gm)) evaluated(next, seen);
    return seen;
  }

  test.each(['cli.js', 'action.js'])('%s evaluates neither what judges nor ONNX Runtime, koffi, tokenizers, @actions/cache or the client of GitHub at its start', (name) => {
    const sources = [...evaluated(name)].flatMap((file) => [...own(file).matchAll(/^ *\/\/ ((?:node_modules|src)\/.*)$/gm)].map(([, path]) => path ?? ''));
    expect(sources).toContain(`src/${name.replace('.js', '.ts')}`);
    const later = /^node_modules\/(onnx|koffi|@agnai|@huggingface|@azure|@actions\/(cache|github)|@octokit)|^src\/(gate|models|reference|kernels|diff|tokenizer)\b/;
    expect(sources.filter((path) => later.test(path))).toEqual([]);
  });

  test.each(['node_modules/onnxruntime-node/', 'node_modules/onnx-proto/', 'node_modules/@agnai/sentencepiece-js/'])('%s is there once', (path) => {
    const holders = readdirSync(join(clone, 'dist')).filter((name) => name.endsWith('.js') && own(name).includes(`// ${path}`));
    expect(holders).toHaveLength(1);
  });

  test('the worker is a program of its own', () => {
    expect(own('worker.js')).toContain('// src/worker.ts');
  });

  test('no path of the machine that built it', () => {
    const texts = readdirSync(join(clone, 'dist')).filter((name) => /\.(js|txt|json)$/.test(name));
    for (const name of texts) expect(own(name)).not.toContain(ROOT);
  });

  test('the licences of what is bundled, and of nothing else', () => {
    const titles = [...own('licenses.txt').matchAll(/^(\S+) \S+ \(.*\)\n=+$/gm)].map(([, name]) => name);
    const programs = readdirSync(join(clone, 'dist')).filter((name) => name.endsWith('.js'));
    const bundled = programs.flatMap((name) => [...own(name).matchAll(/^ *\/\/ (?:.*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\//gm)].map(([, name]) => name));
    expect([...new Set(titles)].sort()).toEqual([...new Set(bundled)].sort());
    expect(titles).toEqual(expect.arrayContaining(['onnxruntime-node', '@actions/core', '@agnai/sentencepiece-js', 'yaml', 'koffi']));
    // What is native is not in the programs.
    for (const name of ['libonnxruntime.so.1', 'onnxruntime_binding.node', 'koffi.node']) {
      expect(readdirSync(join(clone, 'dist/native/linux-x64'))).toContain(`${name}.br`);
      expect(own('licenses.txt')).toContain(name);
    }
  });
});

describe('check-dist', () => {
  beforeAll(() => {
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  });
  afterAll(() => {
    rmSync(join(clone, 'node_modules'));
  });

  const checkDist = (node: string) => run(node, [join(clone, 'scripts/check-dist.mjs')], { cwd: home, env: { TMPDIR: home } });

  test.each(NODES)('passes in another folder than the one that built it, on %s', async (_, node) => {
    expect(await checkDist(node)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('names each file that was changed, is missing, or should not be there', async () => {
    const dist = join(clone, 'dist');
    const licences = readFileSync(join(dist, 'licenses.txt'));
    writeFileSync(join(dist, 'cli.js'), `${readFileSync(join(dist, 'cli.js'), 'utf8')}\n`);
    writeFileSync(join(dist, 'extra.js'), '');
    rmSync(join(dist, 'licenses.txt'));
    const { code, stderr } = await checkDist(process.execPath);
    expect(code).toBe(1);
    expect(stderr).toContain('Different:\n  dist/cli.js\n  dist/extra.js\n  dist/licenses.txt\n');
    rmSync(join(dist, 'extra.js'));
    writeFileSync(join(dist, 'licenses.txt'), licences);
    build('--outdir', dist);
  });

  test('takes native parts that another zlib packed, but not other content', async () => {
    const packed = join(clone, 'dist/native/linux-x64/onnxruntime_binding.node.br');
    const content = brotliDecompressSync(readFileSync(packed));
    writeFileSync(packed, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }));
    expect((await checkDist(process.execPath)).code).toBe(0);
    writeFileSync(packed, brotliCompressSync(content.subarray(1)));
    expect((await checkDist(process.execPath)).stderr).toContain('  dist/native/linux-x64/onnxruntime_binding.node.br');
  });
});
