import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openFolder } from '../../src/hub/folder.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { refusal, REPOSITORY, withFolder } from './made-files.js';

const read = async (folder: string): Promise<Record<string, unknown>> => (await readModelConfig(await openFolder(folder))) ?? {};
const refused = (content: string | Uint8Array): Promise<string> =>
  withFolder({ 'config.json': content }, (folder) => refusal(read(folder)));

describe('config.json', () => {
  test('of the demo models is read', async () => {
    expect(await read(join(REPOSITORY, 'examples', 'models', 'tinyllama-mini'))).toMatchObject({
      model_type: 'llama',
      num_hidden_layers: 22,
    });
    expect(await read(join(REPOSITORY, '__tests__', 'models', 'gemma3-mini'))).toMatchObject({ model_type: 'gemma3_text' });
  });

  test('keeps every kind of value, and odd keys as keys', async () => {
    const text = ' {"a":[1,-2.5e-3,true,false,null,"\\u00e9\\n",{}],"__proto__":{"x":1},"":[]} \n';
    await withFolder({ 'config.json': text }, async (folder) => {
      const config = await read(folder);
      expect(Object.entries(config)).toEqual([
        ['a', [1, -0.0025, true, false, null, 'é\n', {}]],
        ['__proto__', { x: 1 }],
        ['', []],
      ]);
    });
  });

  test('that is missing is asked for', async () => {
    await withFolder({}, async (folder) => {
      expect(await refusal(read(folder))).toMatch(/^config_invalid: config\.json: is missing\. .*download it, or check the path/);
    });
  });

  test('that is no JSON is refused with line and column', async () => {
    expect(await refused('{\n  "a": 1,\n  "bü": tru\n}')).toBe(
      'config_invalid: config.json: expected a value, got "t" (line 3, column 9).',
    );
    expect(await refused('')).toMatch(/expected a value, got the end of the text \(line 1, column 1\)/);
    expect(await refused('{"a":1')).toMatch(/expected "," or "}", got the end of the text \(line 1, column 7\)/);
    expect(await refused('{"a":1,}')).toMatch(/expected a key in double quotes, got "}" \(line 1, column 8\)/);
    expect(await refused('{"a":01}')).toMatch(/expected "," or "}", got "1"/);
    expect(await refused('{"a":1.}')).toMatch(/expected "," or "}", got "\."/);
    expect(await refused('{"a":Infinity}')).toMatch(/expected a value, got "I"/);
    expect(await refused('{"a":1} x')).toMatch(/expected the end of the text, got "x" \(line 1, column 9\)/);
    expect(await refused('// a\n{}')).toMatch(/expected a value, got "\/" \(line 1, column 1\)/);
    expect(await refused("{'a':1}")).toMatch(/expected a key in double quotes, got "'"/);
    expect(await refused('{"a":"\u0007"}')).toMatch(/control character 0x07/);
  });

  test('that is not UTF-8, or has a byte order mark, is refused', async () => {
    expect(await refused('\ufeff{}')).toMatch(/byte order mark/);
    expect(await refused(Buffer.from('{\n"\xff":1}', 'latin1'))).toMatch(/not valid UTF-8 \(line 2, column 2\)/);
    expect(await refused(Buffer.from('{}', 'utf16le'))).toMatch(/config_invalid: config\.json: /);
  });

  test('that is something else is named for what it is', async () => {
    expect(await refused('version https://git-lfs.github.com/spec/v1\noid sha256:x\nsize 1\n')).toMatch(
      /^config_invalid: .*Git LFS pointer/,
    );
    expect(await refused('<!doctype html>')).toMatch(/web page/);
    for (const text of ['[]', 'null', '1', '"x"']) expect(await refused(text)).toMatch(/must be a JSON object/);
  });

  test('is refused above 10,000,000 bytes and beyond a hundred levels', async () => {
    const sized = (bytes: number): string => `{}${' '.repeat(bytes - 2)}`;
    await withFolder({ 'config.json': sized(10_000_000) }, async (folder) => expect(await read(folder)).toEqual({}));
    expect(await refused(sized(10_000_001))).toMatch(/10000001 bytes; the limit is 10000000/);
    const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    await withFolder({ 'config.json': nested(100) }, async (folder) => expect(Object.keys(await read(folder))).toEqual(['a']));
    expect(await refused(nested(101))).toMatch(/nested deeper than 100 levels/);
    expect(await refused('['.repeat(1_000_000))).toMatch(/nested deeper than 100 levels/);
  });

  test('that is a link out of the folder, or a folder, is an invalid config', async () => {
    await withFolder({ other: '{}' }, async (outside) => {
      await withFolder({}, async (folder) => {
        await symlink(join(outside, 'other'), join(folder, 'config.json'));
        expect(await refusal(read(folder))).toMatch(/^config_invalid: config\.json: is a link out of the model folder/);
      });
      await mkdir(join(outside, 'config.json'));
      expect(await refusal(read(outside))).toMatch(/^config_invalid: config\.json: is a folder/);
      await writeFile(join(outside, 'other'), '{}');
    });
  });
});
