import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { UsageError } from '../../src/errors.js';
import { openFolder } from '../../src/hub/folder.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import type { TensorToWrite } from '../../src/weights/write-safetensors.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';
import { withFolder } from './made-files.js';

const TENSORS: TensorToWrite[] = [
  { name: 'bytes', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
  { name: '__proto__', dtype: 'BF16', shape: [1, 2], data: Uint8Array.of(4, 5, 6, 7) },
  { name: 'naïve "x"\n', dtype: 'F64', shape: [], data: new Uint8Array(8).fill(9) },
  { name: 'none', dtype: 'F32', shape: [0, 4], data: new Uint8Array(0) },
];

describe('writing safetensors', () => {
  test('gives a file that reads back the same, with every tensor aligned and a header padded to 8 bytes', async () => {
    await withFolder({}, async (folder) => {
      await writeSafetensors(join(folder, 'model.safetensors'), TENSORS);
      expect(await readdir(folder)).toEqual(['model.safetensors']);
      expect(Number((await readFile(join(folder, 'model.safetensors'))).readBigUInt64LE()) % 8).toBe(0);
      const checkpoint = await openCheckpoint(await openFolder(folder));
      expect([...checkpoint.tensors.keys()]).toEqual(['naïve "x"\n', 'none', '__proto__', 'bytes']);
      for (const { name, dtype, shape, data } of TENSORS) {
        expect(checkpoint.tensors.get(name)).toMatchObject({ dtype, shape });
        expect(await checkpoint.read(name)).toEqual(data);
      }
      await checkpoint.close();
    });
  });

  test('gives the same bytes each time, and a valid file for no tensors', async () => {
    await withFolder({}, async (folder) => {
      for (const name of ['a', 'b']) await writeSafetensors(join(folder, name), TENSORS);
      expect(await readFile(join(folder, 'a'))).toEqual(await readFile(join(folder, 'b')));
      await writeSafetensors(join(folder, 'c'), []);
      expect((await readFile(join(folder, 'c'))).toString('latin1')).toBe('\x08\0\0\0\0\0\0\0{}      ');
    });
  });

  test('replaces an older file, and a link instead of what it points to', async () => {
    await withFolder({ old: 'old', kept: 'kept' }, async (folder) => {
      await symlink('kept', join(folder, 'link'));
      for (const name of ['old', 'link']) {
        await writeSafetensors(join(folder, name), []);
        expect((await readFile(join(folder, name))).byteLength).toBe(16);
      }
      expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('kept');
    });
  });

  test('says what is wrong with the path and leaves nothing behind', async () => {
    await withFolder({ file: 'x' }, async (folder) => {
      await mkdir(join(folder, 'dir'));
      const failed = (name: string): Promise<unknown> =>
        writeSafetensors(join(folder, name), TENSORS).then(
          () => null,
          (error: unknown) => error,
        );
      for (const [name, message] of [
        ['missing/x', /^Cannot write .*missing\/x: the folder does not exist\.$/],
        ['file/x', /the folder does not exist/],
        ['dir', /Cannot write .*dir: it is a folder/],
        ['x'.repeat(300), /^Cannot write .*ENAMETOOLONG/],
      ] as const) {
        const error = await failed(name);
        expect(error).toBeInstanceOf(UsageError);
        expect((error as UsageError).message).toMatch(message);
      }
      expect(await readdir(folder)).toEqual(['dir', 'file']);
    });
  });

  test('refuses tensors that contradict themselves before it writes', async () => {
    await withFolder({}, async (folder) => {
      const one = TENSORS[0] as TensorToWrite;
      const write = (...tensors: TensorToWrite[]): Promise<void> => writeSafetensors(join(folder, 'x'), tensors);
      await expect(write(one, one)).rejects.toThrow(/tensor name "bytes" is taken/);
      await expect(write({ ...one, name: '__metadata__' })).rejects.toThrow(/taken/);
      await expect(write({ ...one, shape: [4] })).rejects.toThrow(/U8 \[4\] needs 4 bytes, got 3/);
      await expect(write({ ...one, dtype: 'F4', shape: [3] })).rejects.toThrow(RangeError);
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
