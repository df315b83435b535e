import { readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openFolder } from '../../src/hub/folder.js';
import type { Checkpoint } from '../../src/weights/checkpoint.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';
import { refusal, REPOSITORY, safetensorsBytes, withFolder } from './made-files.js';

const MODELS = [
  ...['tinyllama-mini', 'qwen3-mini', 'ernie45-mini'].map((name) => join(REPOSITORY, 'examples', 'models', name)),
  ...['mistral-mini', 'gemma3-mini'].map((name) => join(REPOSITORY, '__tests__', 'models', name)),
];
const INDEX = 'model.safetensors.index.json';
const tensorFile = (...names: string[]): Uint8Array =>
  safetensorsBytes(
    `{${names.map((name, at) => `"${name}":{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`).join(',')}}`,
    names.length,
  );

async function withCheckpoint<Result>(folder: string, use: (checkpoint: Checkpoint) => Promise<Result>): Promise<Result> {
  const checkpoint = await openCheckpoint(await openFolder(folder));
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

const refused = async (folder: string): Promise<string> => refusal(openFolder(folder).then(openCheckpoint));
const refusedFiles = (files: Record<string, string | Uint8Array>): Promise<string> => withFolder(files, refused);
const index = (weightMap: Record<string, string>): string => JSON.stringify({ metadata: { total_size: 3 }, weight_map: weightMap });

/** All tensors of a model as they are in its file, found with JSON.parse instead of the reader under test. */
async function plainTensors(folder: string): Promise<{ name: string; dtype: 'BF16'; shape: number[]; data: Uint8Array }[]> {
  const file = await readFile(join(folder, 'model.safetensors'));
  const length = Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: 'BF16'; shape: number[]; data_offsets: [number, number] }
  >;
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => ({ name, dtype, shape, data: file.subarray(8 + length + begin, 8 + length + end) }),
    );
}

describe.each(MODELS)('%s', (folder) => {
  test('gives each tensor as the file has it, and counts the bytes it read', async () => {
    const plain = await plainTensors(folder);
    await withCheckpoint(folder, async (checkpoint) => {
      const { byteLength } = await readFile(join(folder, 'model.safetensors'));
      expect([...checkpoint.tensors.keys()]).toEqual(plain.map(({ name }) => name));
      expect(checkpoint.byteLength).toBe(byteLength);
      expect(checkpoint.bytesRead).toBeLessThan(byteLength / 10);
      for (const { name, dtype, shape, data } of plain) {
        expect(checkpoint.tensors.get(name)).toMatchObject({ name, dtype, shape, byteLength: data.byteLength, file: 'model.safetensors' });
        expect(Buffer.compare(await checkpoint.read(name), data)).toBe(0);
      }
      expect(checkpoint.bytesRead).toBe(byteLength);
    });
  });

  test('gives the same tensors when it is split into shards', async () => {
    const plain = await plainTensors(folder);
    await withFolder({}, async (sharded) => {
      const names = ['model-00001-of-00003.safetensors', 'model-00002-of-00003.safetensors', 'model-00003-of-00003.safetensors'];
      const of = (position: number): string => names[position % 3] ?? '';
      for (const name of names) {
        await writeSafetensors(
          join(sharded, name),
          plain.filter((_, position) => of(position) === name),
        );
      }
      await writeFile(join(sharded, INDEX), index(Object.fromEntries(plain.map(({ name }, position) => [name, of(position)]))));
      await withCheckpoint(sharded, async (checkpoint) => {
        expect([...checkpoint.tensors.keys()].sort()).toEqual(plain.map(({ name }) => name).sort());
        for (const [position, { name, shape, data }] of plain.entries()) {
          expect(checkpoint.tensors.get(name)).toMatchObject({ shape, file: of(position) });
          expect(Buffer.compare(await checkpoint.read(name), data)).toBe(0);
        }
        expect(checkpoint.bytesRead).toBe(checkpoint.byteLength);
      });
    });
  });
});

describe('reading a tensor', () => {
  test('reads only the range asked for, in new memory', async () => {
    const file = safetensorsBytes(
      '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}}',
      Buffer.from('0123456789a'),
    );
    await withFolder({ 'model.safetensors': file }, (folder) =>
      withCheckpoint(folder, async (checkpoint) => {
        const opened = checkpoint.bytesRead;
        expect(opened).toBe(file.byteLength - 11);
        const part = await checkpoint.read('b', 4, 8);
        expect(Buffer.from(part).toString()).toBe('789a');
        expect(checkpoint.bytesRead).toBe(opened + 4);
        // Though b starts at an odd byte of the file, its values can be viewed.
        expect(new Float32Array((await checkpoint.read('b')).buffer)).toHaveLength(2);
        expect(Buffer.from(await checkpoint.read('a', 1)).toString()).toBe('12');
        expect((await checkpoint.read('a', 3, 3)).byteLength).toBe(0);
        await expect(checkpoint.read('a', 0, 4)).rejects.toThrow(RangeError);
        await expect(checkpoint.read('a', 2, 1)).rejects.toThrow(RangeError);
        expect(await refusal(checkpoint.read('c'))).toBe('tensor_missing: Tensor "c" is not among the 2 tensors of model.safetensors.');
        expect(await refusal(checkpoint.read('__proto__'))).toMatch(/^tensor_missing/);
      }),
    );
  });

  test('is refused when the file was cut after it was opened', async () => {
    await withFolder({ 'model.safetensors': tensorFile('a', 'b') }, (folder) =>
      withCheckpoint(folder, async (checkpoint) => {
        await truncate(join(folder, 'model.safetensors'), 20);
        expect(await refusal(checkpoint.read('a'))).toMatch(/^weights_invalid: model\.safetensors: the file changed during the read/);
      }),
    );
  });
});

describe('which files are the weights', () => {
  test('a lone safetensors file of any name is taken, adapters aside', async () => {
    await withFolder({ 'weights.safetensors': tensorFile('a'), 'adapter_model.safetensors': tensorFile('b') }, (folder) =>
      withCheckpoint(folder, async ({ tensors }) => expect([...tensors.keys()]).toEqual(['a'])),
    );
  });

  test('model.safetensors comes before an index, as in transformers', async () => {
    await withFolder({ 'model.safetensors': tensorFile('a'), [INDEX]: 'not JSON' }, (folder) =>
      withCheckpoint(folder, async ({ tensors }) => expect([...tensors.keys()]).toEqual(['a'])),
    );
  });

  test('several without an index are refused and listed', async () => {
    expect(await refusedFiles({ 'x.safetensors': '', 'y.safetensors': '' })).toMatch(
      /^weights_invalid: Found 2 safetensors files \(x\.safetensors, y\.safetensors\) but neither model\.safetensors nor model\.safetensors\.index\.json/,
    );
  });

  test('none at all is said with what was found and what is supported', async () => {
    expect(await refusedFiles({})).toMatch(/^tensor_missing: The folder has no files\. This version reads safetensors/);
    expect(await refusedFiles({ 'config.json': '{}' })).toMatch(
      /^tensor_missing: Found no weights, only config\.json\. This version reads safetensors/,
    );
    expect(await refusedFiles({ 'model.npz': 'x', 'tf_model.h5': 'x', 'config.json': '{}' })).toMatch(
      /^tensor_missing: Found weights only as model\.npz, tf_model\.h5\. This version reads safetensors.* Convert them/,
    );
    expect(await refusedFiles({ 'adapter_model.safetensors': tensorFile('a') })).toMatch(
      /^tensor_missing: Found an adapter .*Merge it into its base model/,
    );
    const many = Object.fromEntries(Array.from({ length: 14 }, (_, at) => [`${10 + at}.pt`, 'x']));
    expect(await refusedFiles(many)).toMatch(/19\.pt and 4 more\./);
  });

  test('a link out of the folder is refused, not passed over', async () => {
    await withFolder({ 'other.safetensors': tensorFile('a') }, async (outside) => {
      await withFolder({}, async (folder) => {
        await symlink(join(outside, 'other.safetensors'), join(folder, 'model.safetensors'));
        expect(await refused(folder)).toMatch(/^weights_invalid: model\.safetensors: is a link out of the model folder/);
      });
    });
  });
});

describe('an index', () => {
  const good = { 'a.safetensors': tensorFile('a', 'b'), 'c.safetensors': tensorFile('c') };
  const listed = { a: 'a.safetensors', b: 'a.safetensors', c: 'c.safetensors' };
  const withIndex = (text: string | Uint8Array, files: Record<string, string | Uint8Array> = good): Promise<string> =>
    refusedFiles({ ...files, [INDEX]: text });

  test('with its shards is a checkpoint', async () => {
    await withFolder({ ...good, [INDEX]: index(listed) }, (folder) =>
      withCheckpoint(folder, async ({ tensors }) => expect([...tensors.keys()]).toEqual(['a', 'b', 'c'])),
    );
  });

  test('that is not a JSON object with a weight_map of strings is refused', async () => {
    expect(await withIndex('')).toMatch(
      /^weights_invalid: model\.safetensors\.index\.json: expected the index as an object \{\.\.\.\}, got the end of the text \(byte 0\)/,
    );
    expect(await withIndex('<html><body>Sign in')).toMatch(/web page/);
    expect(await withIndex('version https://git-lfs.github.com/spec/v1\n')).toMatch(/Git LFS pointer/);
    expect(await withIndex('[]')).toMatch(/expected the index as an object/);
    expect(await withIndex('{}')).toMatch(/has no "weight_map"/);
    expect(await withIndex('\ufeff{}')).toMatch(/byte order mark/);
    expect(await withIndex(index(listed).slice(0, -3))).toMatch(/got the end of the text|string has no end/);
    expect(await withIndex(`${index(listed)} x`)).toMatch(/expected the end of the text, got "x"/);
    expect(await withIndex('{"weight_map":[]}')).toMatch(/expected "weight_map" as an object \{\.\.\.\}, got "\["/);
    expect(await withIndex('{"weight_map":{}}')).toMatch(/"weight_map" lists no tensors/);
    expect(await withIndex('{"weight_map":{"a":1}}')).toMatch(/expected the shard of tensor "a" as a string, got "1"/);
    expect(await withIndex('{"metadata":{"x":[1,]},"weight_map":{}}')).toMatch(/expected a value, got "\]" \(byte 20\)/);
    expect(await withIndex(`{"metadata":${'['.repeat(200_000)}`)).toMatch(/nested deeper than 100 levels/);
    const { a, b } = listed;
    expect(await withIndex(`{"weight_map":${JSON.stringify({ a, b })},"weight_map":{}}`)).toMatch(/"weight_map" stands in the index twice/);
    expect(await withIndex(`{"weight_map":{"a":"a.safetensors","a":"c.safetensors"}}`)).toMatch(/tensor "a" stands in "weight_map" twice/);
  });

  const outside = ['../x.safetensors', '/etc/x', 'C:\\x', 'a\\..\\b', '%2e%2e/x', 'https://example.com/x', 'x\0y', '', 'a/../../x'];
  test.each(outside)('that names the shard %j is refused by that name', async (shard) => {
    const message = await withIndex(index({ ...listed, b: shard }));
    expect(message).toMatch(/^weights_invalid: model\.safetensors\.index\.json: the shard ".*" of tensor "b" .*: refused/);
    expect(message).toContain(JSON.stringify(shard).replace('\\u0000', '\\u{0}'));
  });

  test('with a shard that is a link out of the folder is refused', async () => {
    await withFolder({ secret: tensorFile('c') }, async (other) => {
      await withFolder({ 'a.safetensors': tensorFile('a', 'b'), [INDEX]: index(listed) }, async (folder) => {
        await symlink(join(other, 'secret'), join(folder, 'c.safetensors'));
        expect(await refused(folder)).toMatch(/c\.safetensors: is a link out of the model folder/);
      });
    });
  });

  test('with a missing shard says which of how many', async () => {
    await withFolder({ ...good, [INDEX]: index(listed) }, async (folder) => {
      await rm(join(folder, 'c.safetensors'));
      expect(await refused(folder)).toMatch(
        /^weights_invalid: model\.safetensors\.index\.json: shard 2 of 2, "c\.safetensors", is missing from the model/,
      );
    });
  });

  test('with a broken shard names the shard, the first in order when several are', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 30 }, (_, at) => [`s${10 + at}.safetensors`, at < 12 ? tensorFile(`t${at}`) : 'broken']),
    );
    const map = index(Object.fromEntries(Object.keys(files).map((name, at) => [`t${at}`, name])));
    for (let round = 0; round < 5; round++)
      expect(await withIndex(map, files)).toMatch(/^weights_invalid: s22\.safetensors: not a safetensors file/);
  });

  test('that lists tensors which their shards lack is refused', async () => {
    expect(await withIndex(index({ ...listed, d: 'c.safetensors' }))).toMatch(
      /^tensor_missing: .*tensors that are not in the shard the index names: "d" \(index: "c\.safetensors", in no shard\)/,
    );
    expect(await withIndex(index({ ...listed, b: 'c.safetensors' }))).toMatch(/"b" \(index: "c\.safetensors", is in "a\.safetensors"\)/);
    const more = Object.fromEntries(Array.from({ length: 13 }, (_, at) => [`x${at}`, 'c.safetensors']));
    expect(await withIndex(index({ ...listed, ...more }))).toMatch(/"x9" \(index: "c\.safetensors", in no shard\) and 3 more\./);
  });

  test('that leaves out tensors of its shards is refused', async () => {
    expect(await withIndex(index({ a: 'a.safetensors', c: 'c.safetensors' }))).toMatch(
      /^weights_invalid: .*tensors that the index does not list: "b" in "a\.safetensors"/,
    );
  });

  test('whose shards hold a tensor twice is refused', async () => {
    expect(await withIndex(index(listed), { ...good, 'c.safetensors': tensorFile('c', 'a') })).toMatch(
      /^weights_invalid: .*tensors that are in two shards: "a" in "a\.safetensors" and "c\.safetensors"/,
    );
  });

  test('may have 10,000 shards and no more', async () => {
    const shards = (count: number): string =>
      index(Object.fromEntries(Array.from({ length: count }, (_, at) => [`t${at}`, `${at}.safetensors`])));
    expect(await withIndex(shards(10_001))).toMatch(/names 10001 shards; the limit is 10000/);
    expect(await withIndex(shards(10_000))).toMatch(/shard 1 of 10000, "0\.safetensors", is missing/);
  });

  test('may have 250,000,000 bytes and no more', async () => {
    const sized = (bytes: number): Promise<string> =>
      withFolder({ [INDEX]: '{"weight_map":{"a":"a.safetensors"}}' }, async (folder) => {
        await truncate(join(folder, INDEX), bytes);
        return refused(folder);
      });
    expect(await sized(250_000_001)).toMatch(/250000001 bytes; the limit for an index is 250000000/);
    expect(await sized(250_000_000)).toMatch(/expected the end of the text, got byte 0x00/);
  });

  test('is not confused by names that are traps or look alike when cut', async () => {
    const long = (end: string): string => `${'x'.repeat(230)}${end}.safetensors`;
    const files = {
      [long('1')]: safetensorsBytes('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', Buffer.of(7)),
      [long('2')]: tensorFile('b'),
    };
    const map = `{"weight_map":{"__proto__":"${long('1')}","b":"${long('2')}"}}`;
    await withFolder({ ...files, [INDEX]: map }, (folder) =>
      withCheckpoint(folder, async (checkpoint) => {
        expect([...(await checkpoint.read('__proto__'))]).toEqual([7]);
        expect([...(await checkpoint.read('b'))]).toEqual([1]);
      }),
    );
  });
});
