// The real ONNX Runtime out of a real bundle: unpacked, checked, loaded in threads and processes, refused in a sentence.
// Each file system case with small files is __tests__/reference/native.test.ts.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, NODE_24, ROOT, run } from './bundled.js';
import type { Outcome } from './bundled.js';

const COMPUTED = {
  version: '1.30.0',
  threads: [
    [2, 4],
    [2, 4],
    [2, 4],
    [2, 4],
  ],
};
const MAC = `data:text/javascript,Object.defineProperty(process, 'platform', { value: 'darwin' })`;

let home: string;
let dist: string;
let cache: string;
let cases = 0;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'runtime-'));
  dist = join(home, 'package/dist');
  const entries = ['threads', 'koffi'].flatMap((name) => ['--entry', resolve(ROOT, `__tests__/dist/fixtures/${name}.ts`)]);
  build('--outdir', dist, ...entries);
  writeFileSync(join(dist, 'package.json'), '{ "type": "module" }');
});

beforeEach(() => {
  cases += 1;
  cache = join(home, `cache-${cases}`);
});

afterAll(() => {
  rmSync(home, { recursive: true });
});

function threads(node = process.execPath, args: string[] = [], folder = dist): Promise<Outcome> {
  return run(node, [...args, join(folder, 'threads.js')], { env: { XDG_CACHE_HOME: cache, HOME: cache } });
}

function result({ code, stdout, stderr }: Outcome): unknown {
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as unknown;
}

async function refusal(outcome: Promise<Outcome>): Promise<string> {
  const { code, stdout, stderr } = await outcome;
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  const error = JSON.parse(stdout) as { code: string; message: string };
  expect(error.code).toBe('no_runtime');
  expect(error.message).toMatch(/^[^\n]+\.$/);
  return error.message;
}

function unpacked(): string[] {
  return readdirSync(cache, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

describe('koffi, with which the backend cuda calls the driver,', () => {
  const koffi = (node: string, folder = dist) => run(node, [join(folder, 'koffi.js')], { env: { XDG_CACHE_HOME: cache, HOME: cache } });

  test.each([
    ['this Node', process.execPath],
    ['Node 24', NODE_24],
  ])('comes with dist/ and calls C, on %s', async (_, node) => {
    expect(result(await koffi(node))).toEqual({ same: true });
    expect(unpacked().map((path) => path.slice(path.lastIndexOf('/') + 1))).toEqual(['koffi.node']);
  });

  test('is refused in a sentence where dist/ has none', async () => {
    const other = join(home, `without-${cases}`, 'dist');
    cpSync(dist, other, { recursive: true, filter: (path) => !path.endsWith('native') });
    expect(result(await koffi(process.execPath, other))).toMatchObject({
      name: 'KernelError',
      message: expect.stringMatching(/^koffi, with which fused-compat calls CUDA, could not be loaded \(.+\); it comes with fused-compat for linux-x64$/),
    });
  });
});

describe('with the library that dist/ brings', () => {
  test.each([
    ['this Node', process.execPath],
    ['Node 24', NODE_24],
  ])('four threads that load it at the same moment all compute, on %s', async (_, node) => {
    expect(result(await threads(node))).toEqual(COMPUTED);
  });

  test('two processes at once on an empty cache both compute, and one copy is left', async () => {
    const both = await Promise.all([threads(), threads(NODE_24)]);
    expect(both.map(result)).toEqual([COMPUTED, COMPUTED]);
    expect(unpacked()).toHaveLength(2);
  });

  test('a library damaged in the cache is repaired before it is loaded', async () => {
    await threads();
    const [library] = unpacked().filter((path) => path.endsWith('libonnxruntime.so.1'));
    writeFileSync(library ?? '', 'not a library');
    expect(result(await threads())).toEqual(COMPUTED);
  });

  test('ONNX Runtime leaves no device identifier and no event cache of its telemetry', async () => {
    await threads();
    expect(readdirSync(cache)).toEqual(['fused-compat']);
  });

  test('a cache folder that cannot be used is passed over', async () => {
    writeFileSync(cache, 'a file where a folder should be');
    const outcome = await run(process.execPath, [join(dist, 'threads.js')], { env: { XDG_CACHE_HOME: cache, TMPDIR: join(home, 'tmp') } });
    expect(result(outcome)).toEqual(COMPUTED);
    expect(readdirSync(join(home, 'tmp'))).toEqual([`fused-compat-${String(process.getuid?.())}`]);
  });

  test('when no folder has room for it, one sentence says so, and nothing is left behind', async () => {
    // The largest file that this process may write is some MB: what a full disk does, at a size that is known.
    const script = `ulimit -f 20480 && exec '${process.execPath}' '${join(dist, 'threads.js')}'`;
    const env = { XDG_CACHE_HOME: cache, TMPDIR: join(cache, 'tmp') };
    const message = await refusal(run('/bin/sh', ['-c', script], { env }));
    expect(message).toContain('could not be unpacked');
    expect(message).toContain('50 MB free');
    expect(unpacked().filter((path) => path.includes('libonnxruntime'))).toEqual([]);
  });
});

describe('without a library for this machine', () => {
  test('one sentence says where it runs and what to install', async () => {
    const message = await refusal(threads(process.execPath, ['--import', MAC]));
    expect(message).toBe(
      `fused-compat brings ONNX Runtime for linux-x64 only, not for darwin-${process.arch}: ` +
        `run on linux-x64, or run \`npm ci --omit=dev\` in ${join(home, 'package')}/ first.`,
    );
    expect(existsSync(cache)).toBe(false);
  });

  test('an onnxruntime-node installed beside dist/ is used, when it is of the same version', async () => {
    const other = foreignPackage('installed');
    symlinkSync(join(ROOT, 'node_modules'), join(other, 'node_modules'));
    expect(result(await threads(process.execPath, [], join(other, 'dist')))).toEqual(COMPUTED);
  });

  test('one of another version is named and refused', async () => {
    const other = foreignPackage('older');
    mkdirSync(join(other, 'node_modules/onnxruntime-node'), { recursive: true });
    writeFileSync(join(other, 'node_modules/onnxruntime-node/index.js'), "module.exports = { env: { versions: { node: '1.2.3' } } };");
    const message = await refusal(threads(process.execPath, [], join(other, 'dist')));
    expect(message).toContain(`needs onnxruntime-node 1.30.0 on ${process.platform}-${process.arch}, and the one installed is 1.2.3`);
  });

  test('one that has nothing for this machine either is named with its error', async () => {
    const other = foreignPackage('broken');
    mkdirSync(join(other, 'node_modules/onnxruntime-node'), { recursive: true });
    writeFileSync(join(other, 'node_modules/onnxruntime-node/index.js'), "throw new Error('no binding\\nstack');");
    const message = await refusal(threads(process.execPath, [], join(other, 'dist')));
    expect(message).toContain('the installed onnxruntime-node does not load (no binding)');
  });

  /** The bundle without dist/native, as it is on a machine that has none there. */
  function foreignPackage(name: string): string {
    const other = join(home, name);
    cpSync(dist, join(other, 'dist'), { recursive: true, filter: (path) => !path.endsWith('native') });
    return other;
  }
});

test('an unreadable packed library ends in one sentence', async () => {
  const other = join(home, 'damaged');
  cpSync(dist, join(other, 'dist'), { recursive: true });
  const packed = join(other, 'dist/native/linux-x64/libonnxruntime.so.1.br');
  chmodSync(packed, 0o644);
  writeFileSync(packed, 'version https://git-lfs.github.com/spec/v1\n');
  expect(await refusal(threads(process.execPath, [], join(other, 'dist')))).toContain(`${packed} is damaged`);
});
