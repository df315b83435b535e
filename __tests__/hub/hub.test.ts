import { describe, expect, test } from '@jest/globals';

import { COMMIT, TOKEN } from '../support/hub-server.js';
import { bytesOf, oneTensor, patterned, same, textOf, withHub } from './made-hub.js';

const model = { 'config.json': '{"model_type":"llama"}', 'model.safetensors': oneTensor(3_000_000), 'sub/other.txt': 'x', 'empty.txt': '' };

describe('a model on the Hub', () => {
  test('is resolved to one commit, and lists its files', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files: model, refs: { 'refs/pr/1': 'a'.repeat(40), 'release/v1': 'b'.repeat(40) } });
      const files = await open('org/name');
      expect(files).toMatchObject({ id: 'org/name', revision: COMMIT });
      expect(await files.list()).toEqual(['config.json', 'empty.txt', 'model.safetensors']);
      expect(await textOf(files, 'config.json')).toBe(model['config.json']);
      expect(await textOf(files, 'sub/other.txt')).toBe('x');
      expect(await textOf(files, 'empty.txt')).toBe('');
      expect(await files.open('nothing')).toBeNull();
      expect(hub.seen.map(({ url }) => url)).toEqual([
        '/api/models/org/name/revision/main?blobs=true',
        `/org/name/resolve/${COMMIT}/config.json`,
        `/org/name/resolve/${COMMIT}/sub/other.txt`,
      ]);
      expect((await open('org/name@refs/pr/1')).revision).toBe('a'.repeat(40));
      expect((await open('org/name@release/v1')).revision).toBe('b'.repeat(40));
    }));

  test('is read by range, with the redirect to the CDN resolved once and the token kept from it', () =>
    withHub(
      async ({ hub, open }) => {
        hub.add('org/name', { files: model });
        const files = await open('org/name');
        const source = await files.open('model.safetensors');
        const all = model['model.safetensors'];
        const at = [100, 700_000, 1_500_000, 2_900_000];
        if (source === null) throw new Error('is listed');
        const parts = [await source.slice(0, 8), ...(await Promise.all(at.map((start) => source.slice(start, start + 5_000))))];
        expect(parts[0]).toEqual(all.slice(0, 8));
        at.forEach((start, index) => expect(parts[index + 1]).toEqual(all.slice(start, start + 5_000)));
        const kinds = hub.seen.map((one) => one.at);
        expect(kinds).toEqual(['api', 'resolve', 'cdn', 'cdn', 'cdn', 'cdn']);
        for (const one of hub.seen) {
          expect(one.authorization).toBe(one.at === 'cdn' ? null : `Bearer ${TOKEN}`);
          expect(one.encoding).toBe('identity');
        }
        expect(hub.bytes()).toBeLessThan(90_000);
        expect(files.tally.requests).toBe(hub.seen.length);
        expect(files.tally.bytes).toBeLessThanOrEqual(hub.bytes());
        expect([...files.unverified]).toEqual(['model.safetensors']);
      },
      { env: { HF_TOKEN: TOKEN } },
    ));

  test('is verified by hash where all of a file is read', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files: model });
      const files = await open('org/name');
      expect(same(await bytesOf(files, 'model.safetensors'), model['model.safetensors'])).toBe(true);
      expect([...files.unverified]).toEqual([]);
    }));

  test('has its neighbouring reads merged into one request', () =>
    withHub(async ({ hub, open }) => {
      const content = patterned(3_000_000);
      hub.add('org/name', { files: { 'a.safetensors': content } });
      const source = await (await open('org/name')).open('a.safetensors');
      const read = async (start: number, end: number): Promise<void> =>
        expect(same(await source?.slice(start, end), content.slice(start, end))).toBe(true);
      await Promise.all([
        read(100_000, 101_000),
        read(101_500, 102_000),
        read(100_500, 100_600),
        read(1_000_000, 1_900_000),
        read(2_000_000, 2_900_000),
        read(500_000, 500_001),
      ]);
      expect(hub.seen.map(({ range }) => range).filter((range) => range !== null)).toEqual(
        expect.arrayContaining(['bytes=100000-101999', 'bytes=500000-500000', 'bytes=1000000-2899999']),
      );
    }));
});
