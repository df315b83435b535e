import { execFile } from 'node:child_process';
import { appendFile, mkdir, open, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, test } from '@jest/globals';

import { openFolder } from '../../src/hub/folder.js';
import { fileNameProblem, printable, quote } from '../../src/hub/names.js';
import type { ByteSource } from '../../src/hub/source.js';
import { refusal, REPOSITORY, withFolder } from '../weights/made-files.js';

async function opened(folder: string, name: string): Promise<ByteSource> {
  const source = await (await openFolder(folder)).open(name);
  if (source === null) throw new Error(`no ${name}`);
  return source;
}

async function content(folder: string, name: string): Promise<string> {
  const source = await opened(folder, name);
  try {
    return Buffer.from(await source.slice(0, source.byteLength)).toString();
  } finally {
    await source.close();
  }
}

const refusedFile = async (folder: string, name: string): Promise<string> => refusal((await openFolder(folder)).open(name));

describe('a model folder', () => {
  test('lists its files in order and gives them by name', async () => {
    await withFolder({ 'b.json': 'B', 'a.txt': 'A' }, async (folder) => {
      await mkdir(join(folder, 'sub'));
      await writeFile(join(folder, 'sub', 'c.txt'), 'C');
      const files = await openFolder(folder);
      expect(files).toMatchObject({ id: folder, revision: null });
      expect(await files.list()).toEqual(['a.txt', 'b.json']);
      expect(await content(folder, 'a.txt')).toBe('A');
      expect(await content(folder, 'sub/c.txt')).toBe('C');
    });
  });

  test('has null for files that it does not have', async () => {
    await withFolder({ 'a.txt': 'A' }, async (folder) => {
      const files = await openFolder(folder);
      expect(await files.open('b.txt')).toBeNull();
      expect(await files.open('a.txt/b')).toBeNull();
      expect(await files.open('x'.repeat(5000))).toBeNull();
    });
  });

  test('may be given with a trailing slash, or as a link', async () => {
    await withFolder({ 'a.txt': 'A' }, async (folder) => {
      await withFolder({}, async (other) => {
        await symlink(folder, join(other, 'model'));
        expect(await content(`${join(other, 'model')}/`, 'a.txt')).toBe('A');
      });
    });
  });

  test('that is missing is said to be missing', async () => {
    expect(await refusal(openFolder('/no/such/folder'))).toBe(
      'model_not_found: There is no model folder "/no/such/folder" (ENOENT). Check the path.',
    );
    expect(await refusal(openFolder(''))).toMatch(/^model_not_found: .*empty name/);
    expect(await refusal(openFolder('a\0b'))).toMatch(/^model_not_found: There is no model folder "a\\u\{0\}b"/);
    expect(await refusal(openFolder('x'.repeat(5000)))).toMatch(/^model_not_found: .*ENAMETOOLONG/);
  });

  test('that is a file is said to be a file', async () => {
    await withFolder({ 'model.txt': 'GGUF' }, async (folder) => {
      expect(await refusal(openFolder(join(folder, 'model.txt')))).toMatch(/^model_not_found: .*model\.txt" is a file, not a folder/);
    });
  });
});

describe('names of files', () => {
  const bad = [
    ...['', '.', '..', '../x', 'a/../../b', 'a/..', './a', 'a//b', 'a/', '/etc/passwd', '//server/share', '\\\\server\\share', 'a\\..\\b'],
    ...['C:\\x', 'C:x', 'c:/x', 'https://example.com/x', 'file:///etc/passwd', '%2e%2e/x', '%2E%2E%2fx', 'a%00b', 'a\0b'],
  ];
  test.each(bad)('%j is refused by name', async (name) => {
    await withFolder({ x: 'X' }, async (folder) => {
      expect(await refusedFile(folder, name)).toContain(`weights_invalid: File name ${quote(name)} `);
    });
  });

  test('unusual names that stay inside are fine', async () => {
    const names = ['..a', 'a..', 'a..b', '...', 'a b#?.json', 'ünïcode', '100%', '1:b', 'a b:c', 'CON'];
    await withFolder(Object.fromEntries(names.map((name) => [name, name])), async (folder) => {
      for (const name of names) {
        expect(fileNameProblem(name)).toBeNull();
        expect(await content(folder, name)).toBe(name);
      }
    });
  });

  test('are shown on one line, without control or direction characters, and cut when long', () => {
    expect(printable('a\n\u001b[1m\u202eb\u2028\ud800')).toBe('a\\u{a}\\u{1b}[1m\\u{202e}b\\u{2028}\\u{d800}');
    expect(printable('Größe 😀 | x')).toBe('Größe 😀 | x');
    expect(quote('a"b\\')).toBe('"a\\"b\\\\"');
    expect(printable('x'.repeat(1_000_000))).toHaveLength(161);
  });
});

describe('links', () => {
  test('inside the folder are followed', async () => {
    await withFolder({ real: 'R' }, async (folder) => {
      await symlink('real', join(folder, 'link'));
      expect(await content(folder, 'link')).toBe('R');
    });
  });

  test('out of the folder are refused, whether of the file or of a folder on the way', async () => {
    await withFolder({ secret: 'S' }, async (outside) => {
      await withFolder({}, async (folder) => {
        await symlink(join(outside, 'secret'), join(folder, 'file'));
        await symlink(outside, join(folder, 'dir'));
        await symlink('/dev/zero', join(folder, 'zero'));
        for (const name of ['file', 'dir/secret', 'zero']) {
          expect(await refusedFile(folder, name)).toMatch(`weights_invalid: ${name}: is a link out of the model folder`);
        }
      });
    });
  });

  test('into a sibling whose name starts alike are refused', async () => {
    await withFolder({}, async (parent) => {
      await mkdir(join(parent, 'model'));
      await mkdir(join(parent, 'model-2'));
      await writeFile(join(parent, 'model-2', 'x'), 'X');
      await symlink('../model-2/x', join(parent, 'model', 'x'));
      expect(await refusedFile(join(parent, 'model'), 'x')).toMatch(/link out of the model folder/);
    });
  });

  test('to nothing, or to themselves, are refused', async () => {
    await withFolder({}, async (folder) => {
      await symlink('gone', join(folder, 'dangling'));
      await symlink('loop', join(folder, 'loop'));
      expect(await refusedFile(folder, 'dangling')).toMatch(/dangling: is a link to a file that is not there/);
      expect(await refusedFile(folder, 'loop')).toMatch(/loop: cannot be read \(ELOOP\)/);
    });
  });

  test('of the Hugging Face cache are followed to its blobs, and nowhere else', async () => {
    await withFolder({}, async (cache) => {
      const snapshot = join(cache, 'models--org--name', 'snapshots', 'c'.repeat(40));
      const blobs = join(cache, 'models--org--name', 'blobs');
      await mkdir(join(snapshot, 'sub'), { recursive: true });
      await mkdir(blobs);
      await writeFile(join(blobs, 'a'.repeat(40)), 'config');
      await writeFile(join(blobs, 'b'.repeat(64)), 'weights');
      await writeFile(join(blobs, 'notes'), 'x');
      await writeFile(join(cache, 'a'.repeat(40)), 'x');
      await symlink(`../../blobs/${'a'.repeat(40)}`, join(snapshot, 'config.json'));
      await symlink(`../../../blobs/${'b'.repeat(64)}`, join(snapshot, 'sub', 'model.safetensors'));
      await symlink('../../blobs/notes', join(snapshot, 'notes'));
      await symlink(`../../../${'a'.repeat(40)}`, join(snapshot, 'elsewhere'));
      await symlink('/etc/hostname', join(blobs, 'd'.repeat(40)));
      await symlink(`../../blobs/${'d'.repeat(40)}`, join(snapshot, 'twice'));
      expect(await content(snapshot, 'config.json')).toBe('config');
      expect(await content(snapshot, 'sub/model.safetensors')).toBe('weights');
      expect(await (await openFolder(snapshot)).list()).toContain('config.json');
      for (const name of ['notes', 'elsewhere', 'twice']) expect(await refusedFile(snapshot, name)).toMatch(/link out of the model folder/);
      // The same layout under another name is just a link that leaves.
      const copy = join(cache, 'models--org--name', 'copies', 'c');
      await mkdir(copy, { recursive: true });
      await symlink(`../../blobs/${'a'.repeat(40)}`, join(copy, 'config.json'));
      expect(await refusedFile(copy, 'config.json')).toMatch(/link out of the model folder/);
    });
  });
});

describe('what is not a file', () => {
  test('is refused at once: a pipe, a socket, a folder, a device', async () => {
    await withFolder({}, async (folder) => {
      await promisify(execFile)('mkfifo', [join(folder, 'pipe')]);
      await mkdir(join(folder, 'dir'));
      const server = createServer().listen(join(folder, 'socket'));
      await new Promise((resolve) => server.once('listening', resolve));
      try {
        expect(await refusedFile(folder, 'pipe')).toMatch(/pipe: is a pipe, not a file/);
        expect(await refusedFile(folder, 'dir')).toMatch(/dir: is a folder, not a file/);
        expect(await refusedFile(folder, 'socket')).toMatch(/socket: is a socket, not a file/);
        expect(await refusedFile('/dev', 'null')).toMatch(/null: is a device, not a file/);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });
});

describe('reading', () => {
  test('gives exactly the bytes asked for, each time in new memory at offset 0', async () => {
    await withFolder({ f: '0123456789' }, async (folder) => {
      const source = await opened(folder, 'f');
      expect(source).toMatchObject({ name: 'f', byteLength: 10 });
      const first = await source.slice(2, 5);
      expect(Buffer.from(first).toString()).toBe('234');
      expect([first.byteOffset, first.buffer.byteLength]).toEqual([0, 3]);
      first.fill(0);
      expect(Buffer.from(await source.slice(2, 5)).toString()).toBe('234');
      expect((await source.slice(10, 10)).byteLength).toBe(0);
      await source.close();
    });
  });

  test('refuses ranges outside the file', async () => {
    await withFolder({ f: '0123456789' }, async (folder) => {
      const source = await opened(folder, 'f');
      for (const [start, end] of [
        [-1, 2],
        [0, 11],
        [5, 4],
        [0.5, 2],
        [0, NaN],
        [0, 2 ** 53],
      ] as const) {
        expect(await refusal(source.slice(start, end))).toMatch(/weights_invalid: f: bytes .* are outside the file, which has 10 bytes/);
      }
      await source.close();
    });
  });

  test('gives more than one piece of 64 MiB whole', async () => {
    await withFolder({}, async (folder) => {
      const path = join(folder, 'big');
      const marks = [0, 2 ** 26 - 1, 2 ** 26, 2 ** 27, 2 ** 27 + 4];
      const handle = await open(path, 'wx');
      await handle.truncate(2 ** 27 + 5);
      for (const [index, at] of marks.entries()) await handle.write(Buffer.of(index + 1), 0, 1, at);
      await handle.close();
      const source = await opened(folder, 'big');
      const bytes = await source.slice(0, source.byteLength);
      expect(marks.map((at) => bytes[at])).toEqual([1, 2, 3, 4, 5]);
      expect(bytes.reduce((sum, byte) => sum + byte, 0)).toBe(15);
      await source.close();
    });
  });

  test('more than memory can hold is refused, not a crash', async () => {
    await withFolder({ f: '' }, async (folder) => {
      await truncate(join(folder, 'f'), 2 ** 43);
      const source = await opened(folder, 'f');
      expect(await refusal(source.slice(0, 2 ** 43))).toMatch(/weights_invalid: f: 8796093022208 bytes in one read are more/);
      expect((await source.slice(2 ** 43 - 2, 2 ** 43)).byteLength).toBe(2);
      await source.close();
    });
  });

  const changes: [string, (path: string) => Promise<void>][] = [
    ['cut', (path) => truncate(path, 3)],
    ['grown', (path) => appendFile(path, 'x')],
    ['rewritten at the same length', (path) => writeFile(path, '9876543210').then(() => utimes(path, 1, 1))],
    ['removed', (path) => rm(path)],
    [
      'replaced by another with the same length and time',
      async (path) => {
        const { atime, mtime } = await stat(path);
        await writeFile(`${path}.new`, '0123456789');
        await utimes(`${path}.new`, atime, mtime);
        await rename(`${path}.new`, path);
      },
    ],
  ];
  test.each(changes)('a file that was %s since it was opened is refused', async (_, change) => {
    await withFolder({ f: '0123456789' }, async (folder) => {
      const source = await opened(folder, 'f');
      expect((await source.slice(0, 10)).byteLength).toBe(10);
      await change(join(folder, 'f'));
      // All of those that look together, and the next one too.
      const messages = await Promise.all(Array.from({ length: 20 }, (_, i) => refusal(source.slice(i % 5, 10))));
      for (const message of [...messages, await refusal(source.slice(0, 10))])
        expect(message).toMatch(/weights_invalid: f: the file changed during the read/);
      await source.close();
    });
  });

  test('the demo models are read', async () => {
    const source = await opened(join(REPOSITORY, 'examples', 'models', 'qwen3-mini'), 'config.json');
    expect(JSON.parse(Buffer.from(await source.slice(0, source.byteLength)).toString())).toMatchObject({ model_type: 'qwen3' });
    await source.close();
  });
});
