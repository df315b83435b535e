// Unpacking of native files, with small files in place of the 46 MB library and a `load` that reads what it is given.
// The real library in the real bundle is __tests__/dist/runtime.test.ts.

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setEnvironmentData } from 'node:worker_threads';
import { brotliCompressSync } from 'node:zlib';
import { ModelError } from '../../src/errors.js';
import { loadNative, nativeBinding } from '../../src/reference/native.js';

const FILES = { 'addon.node': 'the addon', 'library.so.1': 'the library' };

let home: string;
let folder: string;
let cache: string;
let loaded: string[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'native-'));
  folder = join(home, 'native');
  cache = join(home, 'cache');
  loaded = [];
  mkdirSync(folder);
  writeManifest('1.0.0');
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, `${name}.br`), brotliCompressSync(content));
});

afterEach(() => {
  rmSync(home, { recursive: true });
  forgetChecked();
});

/** The path that a process hands to its worker threads. */
function forgetChecked(): void {
  setEnvironmentData('fused-compat:onnxruntime-binding', undefined);
}

function writeManifest(version: string): void {
  const files = Object.entries(FILES).map(([name, content]) => ({
    name,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  }));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ onnxruntime: version, files }));
}

/** Reads the addon and the library beside it, as the dynamic linker would. */
function load(path: string): unknown {
  loaded.push(path);
  return [readFileSync(path, 'utf8'), readFileSync(join(path, '../library.so.1'), 'utf8')];
}

function start(env: NodeJS.ProcessEnv = { XDG_CACHE_HOME: cache, HOME: home }, loader = load): Promise<void> {
  return loadNative({ folder, env, load: loader });
}

async function refusal(promise: Promise<void>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ModelError);
  expect((error as ModelError).code).toBe('no_runtime');
  return (error as ModelError).message;
}

describe('where the files go', () => {
  test('the runner’s tool cache comes before the user’s cache folder, and that before the temporary folder', async () => {
    await start({ RUNNER_TOOL_CACHE: join(home, 'tools'), XDG_CACHE_HOME: cache });
    forgetChecked();
    await start({ XDG_CACHE_HOME: cache });
    forgetChecked();
    await start({ HOME: home });
    const roots = loaded.map((path) => path.slice(home.length + 1).replace(/\/onnxruntime-1\.0\.0-[0-9a-f]{16}\/addon\.node$/, ''));
    expect(roots).toEqual(['tools/fused-compat', 'cache/fused-compat', '.cache/fused-compat']);
  });

  test('a relative cache folder in the environment does not count', async () => {
    await start({ RUNNER_TOOL_CACHE: 'tools', XDG_CACHE_HOME: cache });
    expect(loaded[0]?.startsWith(cache)).toBe(true);
  });

  test('the addon and the library lie side by side, for the user alone, with nothing temporary left', async () => {
    await start();
    expect(nativeBinding()).toEqual(['the addon', 'the library']);
    const target = join(loaded[0] ?? '', '..');
    expect(readdirSync(target).sort()).toEqual(['addon.node', 'library.so.1']);
    expect([join(target, '..'), target].map((path) => lstatSync(path).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  test('another version has a folder of its own', async () => {
    await start();
    forgetChecked();
    writeManifest('2.0.0');
    await start();
    expect(new Set(loaded.map((path) => join(path, '..'))).size).toBe(2);
  });

  test('many at once all find whole files', async () => {
    await Promise.all(Array.from({ length: 20 }, () => start()));
    expect(loaded).toHaveLength(20);
    expect(readdirSync(join(loaded[0] ?? '', '..'))).toHaveLength(2);
  });
});

describe('what is checked', () => {
  test.each(['addon.node', 'library.so.1'])('%s is unpacked again when its content changed', async (name) => {
    await start();
    forgetChecked();
    writeFileSync(join(loaded[0] ?? '', '..', name), 'something else');
    await start();
    expect(nativeBinding()).toEqual(['the addon', 'the library']);
  });

  test('an intact file is not written again', async () => {
    await start();
    forgetChecked();
    const before = lstatSync(loaded[0] ?? '').ino;
    await start();
    expect(lstatSync(loaded[1] ?? '').ino).toBe(before);
  });

  test('a worker thread takes what its process has already checked', async () => {
    await start();
    rmSync(folder, { recursive: true });
    await start();
    expect(loaded[1]).toBe(loaded[0]);
  });

  test.each([
    ['is not brotli', Buffer.from('not brotli at all')],
    ['is cut off', brotliCompressSync(Buffer.from('the library, once longer')).subarray(0, 8)],
    ['holds other bytes', brotliCompressSync('the librarz')],
    ['holds more bytes', brotliCompressSync('the library'.repeat(1e6))],
    ['is missing', null],
  ])('a packed file that %s is named as damaged, and nothing is loaded', async (_, content) => {
    const packed = join(folder, 'library.so.1.br');
    if (content === null) rmSync(packed);
    else writeFileSync(packed, content);
    expect(await refusal(start())).toBe(
      `${packed} is damaged (its content does not have the hash in its manifest): check fused-compat out again.`,
    );
    expect(loaded).toEqual([]);
    expect(readdirSync(join(cache, 'fused-compat'), { recursive: true }).filter((name) => String(name).includes('library'))).toEqual([]);
  });
});

describe('folders that are not used', () => {
  const bad = () => join(home, 'tools');
  const env = () => ({ RUNNER_TOOL_CACHE: bad(), XDG_CACHE_HOME: cache, TMPDIR: join(home, 'tmp') });

  test.each<[string, (root: string) => void]>([
    [
      'others can write to',
      (root) => {
        mkdirSync(root);
        chmodSync(root, 0o777);
      },
    ],
    ['is a link', (root) => symlinkSync(home, root)],
    ['is a file', (root) => writeFileSync(root, '')],
    [
      'lies below a file',
      (root) => {
        rmSync(join(root, '..'), { recursive: true });
        writeFileSync(join(root, '..'), '');
      },
    ],
  ])('one that %s: the next one is taken', async (_, prepare) => {
    mkdirSync(bad());
    prepare(join(bad(), 'fused-compat'));
    await start(env());
    expect(loaded.map((path) => path.startsWith(cache))).toEqual([true]);
  });

  test('one whose file system does not allow programs: the next one is taken', async () => {
    await start(env(), (path) => {
      if (path.startsWith(bad())) throw new Error(`${path}: failed to map segment from shared object`);
      return load(path);
    });
    expect(loaded[0]?.startsWith(cache)).toBe(true);
  });

  test('when none is left, one sentence names each with its reason and says what to do', async () => {
    const message = await refusal(
      start(env(), (path) => {
        throw new Error(`failed to map segment from shared object\n  more about ${path}`);
      }),
    );
    expect(message).toContain(`${join(bad(), 'fused-compat')}: failed to map segment from shared object; ${join(cache, 'fused-compat')}: `);
    expect(message).toContain(`; ${join(home, 'tmp/fused-compat-')}`);
    expect(message).toMatch(/: set XDG_CACHE_HOME to a folder of your own, .*programs to run\.$/);
    expect(message).not.toContain('\n');
  });
});

test.each([
  "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by libonnxruntime.so.1)",
  'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by libonnxruntime.so.1)',
  'Error relocating libonnxruntime.so.1: __vsnprintf_chk: symbol not found',
  'libstdc++.so.6: cannot open shared object file: No such file or directory',
])('a system without the needed libraries is named at the first attempt: %s', async (reason) => {
  let attempts = 0;
  const message = await refusal(
    start(undefined, () => {
      attempts += 1;
      throw new Error(reason);
    }),
  );
  expect(attempts).toBe(1);
  expect(message).toContain(reason);
  expect(message).toMatch(/^ONNX Runtime needs glibc 2\.28 or newer and libstdc\+\+, .*Alpine.*\.$/);
});
