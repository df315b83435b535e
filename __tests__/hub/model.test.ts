// Models of the Hub through the whole gate.

import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { loadConfig } from '../../src/config/load.js';
import { check, reference } from '../../src/gate.js';
import type { ModelReport } from '../../src/report/types.js';
import type { Engine } from '../../src/threads.js';
import { startEngine } from '../support/engine.js';
import { COMMIT, type Content } from '../support/hub-server.js';
import { refusal, REPOSITORY } from '../weights/made-files.js';
import { ggufBytes, ggufModel } from '../weights/made-gguf.js';
import { HASTY, withHub, type Made } from './made-hub.js';
import { QWEN3_06B, QWEN3_32B, shapedModel } from './made-shapes.js';

async function example(name: string): Promise<Record<string, Content>> {
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const contents = await Promise.all(names.map((file) => readFile(join(REPOSITORY, 'examples/models', name, file))));
  return Object.fromEntries(names.map((file, index) => [file, new Uint8Array(contents[index] ?? [])]));
}

const engine: Engine = startEngine();
afterAll(() => engine.close());

async function judge({ env, home }: Made, models: string[], overrides: Record<string, unknown> = {}): Promise<ModelReport[]> {
  const config = await loadConfig({ overrides: { models, policy: 'static', ...overrides }, cwd: home });
  return (await check(config, { env, engine, patience: HASTY })).models;
}

/** Bytes of all bodies that were asked for; a redirect's is nobody's. */
function transferred({ hub }: Made): number {
  const moved = (url: string, range: string | null) =>
    hub.seen.some((one) => one.at === 'cdn' && one.range === range && one.url.includes(url.replace(/.*\//, '')));
  return hub.seen.reduce((sum, { at, url, range, bytes }) => sum + (at === 'resolve' && moved(url, range) ? 0 : bytes), 0);
}

/** What the kernels did, without times, which are never the same. */
function deeds(model: ModelReport | undefined): unknown {
  return { ...model?.numeric, performance: null };
}

function referenceOf({ env, home }: Made, id: string, offline: boolean): Promise<unknown> {
  const model = { id, path: join(home, id) };
  const output = join(home, 'out.safetensors');
  return reference(
    { model, prompt: { input_ids: [1, 2, 3] }, recipe: 'eager', dtype: 'auto', offline, output },
    { env, engine, patience: HASTY },
  );
}

/** What the weights say, without how they were read. */
function numbers({ static: found }: ModelReport): unknown {
  return {
    ...found,
    bytes_read: 0,
    bytes_total: 0,
    requests: 0,
    bytes_transferred: 0,
    findings: found?.findings.filter(({ code }) => code !== 'not_hash_verified'),
  };
}

describe('a model of the Hub', () => {
  test('has the static check of a local copy, with a note of what was read and that no hash vouches for it', () =>
    withHub(async (made) => {
      made.hub.add('org/qwen3', { files: await example('qwen3-mini') });
      const [remote, local] = await judge(made, ['org/qwen3', join(REPOSITORY, 'examples/models/qwen3-mini')]);
      if (remote === undefined || local === undefined) throw new Error('two models were asked for');
      expect(remote).toMatchObject({
        id: 'org/qwen3',
        revision: COMMIT,
        architecture: 'qwen3',
        verdict: local.verdict,
        dtype: local.dtype,
      });
      expect(remote.static?.bytes_read).toBe(local.static?.bytes_read);
      expect(remote.static?.bytes_total).toBe(local.static?.bytes_total);
      expect(numbers(remote)).toEqual(numbers(local));
      expect([remote.static?.requests, remote.static?.bytes_transferred]).toEqual([made.hub.seen.length, transferred(made)]);
      expect([local.static?.requests, local.static?.bytes_transferred]).toEqual([null, null]);
      const note = remote.static?.findings.find(({ code }) => code === 'not_hash_verified');
      expect(note?.message).toMatch(
        new RegExp(
          `^Read by range from http.* at commit ${COMMIT}: .* in ${made.hub.seen.length} requests, of 3\\.3 MB of weights; not hash-verified`,
        ),
      );
      expect(local.static?.findings.map(({ code }) => code)).not.toContain('not_hash_verified');
    }));

  test('gives way to a folder of the same name, without a request', () =>
    withHub(async (made) => {
      await mkdir(join(made.home, 'org/name'), { recursive: true });
      for (const [name, content] of Object.entries(await example('tinyllama-mini')))
        await writeFile(join(made.home, 'org/name', name), content as Uint8Array);
      const [model] = await judge(made, ['org/name']);
      expect(model).toMatchObject({ verdict: 'COMPATIBLE', revision: null });
      expect(made.hub.sockets()).toBe(0);
    }));

  test('that is neither there nor a folder says both, while the others go on', () =>
    withHub(async (made) => {
      made.hub.add('org/tiny', { files: await example('tinyllama-mini') });
      const [missing, found, path] = await judge(made, ['nope/nope', 'org/tiny', './no/such']);
      expect(missing).toMatchObject({ verdict: 'INCONCLUSIVE', static: null, reasons: [{ code: 'model_not_found' }] });
      expect(missing?.reasons[0]?.message).toMatch(
        /^There is no folder "nope\/nope", and as a model on the Hub: nope\/nope: .* has no such model/,
      );
      expect(missing?.recommendations[0]).toContain('org/name[@revision]');
      expect(path?.reasons[0]?.message).toMatch(/^There is no model folder/);
      expect(found?.verdict).toBe('COMPATIBLE');
    }));

  test('without a network says so, and that there is no such folder', () =>
    withHub(
      (made) =>
        judge(made, ['nope/nope']).then(([model]) =>
          expect(model?.reasons[0]).toMatchObject({
            code: 'hub_unreachable',
            message: expect.stringMatching(
              /^There is no folder "nope\/nope", and as a model on the Hub: nope\/nope: .*could not be reached/,
            ) as unknown,
          }),
        ),
      { env: { HF_ENDPOINT: 'http://127.0.0.1:1' } },
    ));

  test('with an environment that cannot be right is inconclusive alone', () =>
    withHub(async (made) => {
      made.env['HF_ENDPOINT'] = 'nonsense';
      const [remote, local] = await judge(made, ['org/name', join(REPOSITORY, 'examples/models/tinyllama-mini')]);
      expect(remote?.reasons[0]?.code).toBe('hub_unreachable');
      expect(remote?.reasons[0]?.message).toContain('HF_ENDPOINT');
      expect(local?.verdict).toBe('COMPATIBLE');
    }));

  test('is downloaded in full and verified for the numeric diff, and then judged offline without a socket (88)', () =>
    withHub(async (made) => {
      const files = await example('qwen3-mini');
      made.hub.add('org/qwen3', { files: { ...files, 'README.md': 'not needed' }, refs: { 'refs/pr/1': 'b'.repeat(40) } });
      const few = { policy: 'evidence', layers: '0', prompts: ['In the beginning'] };
      const local = join(REPOSITORY, 'examples/models/qwen3-mini');
      const [remote, here] = await judge(made, ['org/qwen3', local], few);
      expect(deeds(remote)).toEqual(deeds(here));
      expect(remote?.numeric?.kernels.length).toBeGreaterThan(0);
      expect(remote?.static).toEqual(here?.static);
      const snapshot = join(made.home, '.cache/fused-compat/models--org--qwen3/snapshots', COMMIT);
      for (const [name, content] of Object.entries(files))
        expect(Buffer.compare(await readFile(join(snapshot, name)), content as Uint8Array)).toBe(0);
      await expect(readFile(join(snapshot, 'README.md'))).rejects.toThrow('ENOENT');
      expect(made.hub.seen.some(({ url }) => url.includes('README'))).toBe(false);

      const before = made.hub.sockets();
      made.env['HF_HUB_OFFLINE'] = '1';
      const [offline, other, exact] = await judge(made, ['org/qwen3', 'org/other', `org/qwen3@${COMMIT}`]);
      expect(offline).toMatchObject({ id: 'org/qwen3', revision: COMMIT, verdict: here?.static?.status });
      expect(numbers(offline as ModelReport)).toEqual(numbers(here as ModelReport));
      expect(exact?.revision).toBe(COMMIT);
      expect(other?.reasons[0]).toMatchObject({
        code: 'hub_unreachable',
        message: expect.stringMatching(/^"org\/other": there is no such folder, the network is not used/) as unknown,
      });
      const [again] = await judge(made, ['org/qwen3'], few);
      expect(deeds(again)).toEqual(deeds(here));
      const weights = Buffer.from(files['model.safetensors'] as Uint8Array);
      weights.writeUInt8(weights.readUInt8(weights.length - 1) ^ 1, weights.length - 1);
      await writeFile(await realpath(join(snapshot, 'model.safetensors')), weights);
      const [damaged] = await judge(made, ['org/qwen3'], few);
      expect(damaged?.verdict).toBe('INCONCLUSIVE');
      expect(damaged).toMatchObject({ numeric: null, reasons: [{ code: 'integrity' }, { code: 'static_incompatible' }] });
      expect(made.hub.sockets()).toBe(before);
    }));

  test('is read in the cache of huggingface_hub where it is there', () =>
    withHub(async (made) => {
      const files = await example('tinyllama-mini');
      made.hub.add('org/tiny', { files });
      const { hubCache } = await (await import('../../src/hub/settings.js')).hubSettings(made.env, false);
      const root = join(hubCache, 'models--org--tiny');
      const { sha256 } = await import('../support/hub-server.js');
      await mkdir(join(root, 'blobs'), { recursive: true });
      await writeFile(join(root, 'blobs', sha256(files['model.safetensors'] as Uint8Array)), files['model.safetensors'] as Uint8Array);
      const [model] = await judge(made, ['org/tiny']);
      expect(model?.verdict).toBe('COMPATIBLE');
      expect(made.hub.seen.map(({ url }) => url.replace(/.*\//, ''))).toEqual(['main?blobs=true', 'config.json']);
    }));
});

describe('a repository of GGUF files', () => {
  const layers = [{ k: [1, 2, 1, 1], q: [1, 1, 1, 1] }];
  const content = ggufBytes(ggufModel('qwen3', layers));
  const other = ggufBytes(ggufModel('qwen3', [{ k: [1, 3, 1, 1], q: [1, 1, 1, 1] }]));

  test('has its one model checked without config.json', () =>
    withHub(async (made) => {
      made.hub.add('org/one', { files: { 'm.gguf': content, 'README.md': 'x', 'mmproj-m.gguf': other } });
      const [model] = await judge(made, ['org/one']);
      expect(model).toMatchObject({ architecture: 'qwen3', verdict: 'COMPATIBLE', static: { max_k_weight: 2 } });
    }));

  test('of several models asks for one, lists them, and takes its name, offline too', () =>
    withHub(async (made) => {
      made.hub.add('org/many', { files: { 'a.gguf': content, 'b.gguf': other, 'sub/c.gguf': content } });
      const [all, b, c, none] = await judge(made, ['org/many', 'org/many/b.gguf', 'org/many/sub/c.gguf@main', 'org/many/d.gguf']);
      expect(all?.reasons[0]?.message).toBe(
        'Found 2 GGUF models ("a.gguf", "b.gguf"). Name the one file that is meant, not the folder; on the Hub as org/name/file.gguf.',
      );
      expect(b).toMatchObject({ id: 'org/many/b.gguf', revision: COMMIT, static: { max_k_weight: 3 } });
      expect(c).toMatchObject({ static: { max_k_weight: 2 } });
      expect(none).toMatchObject({ verdict: 'INCONCLUSIVE', reasons: [{ code: 'model_not_found' }] });
      expect(none?.reasons[0]?.message).toMatch(
        /^There is no file "org\/many\/d\.gguf", and as a model on the Hub: org\/many: has no file "d\.gguf"; it has a\.gguf, b\.gguf, sub\/c\.gguf\.$/,
      );
      const snapshot = join(made.home, '.cache/fused-compat/models--org--many/snapshots', COMMIT);
      await mkdir(join(snapshot, 'sub'), { recursive: true });
      await writeFile(join(snapshot, 'b.gguf'), other);
      await writeFile(join(snapshot, 'sub/c.gguf'), content);
      const [offlineB, offlineC] = await judge(made, [`org/many/b.gguf@${COMMIT}`, `org/many/sub/c.gguf@${COMMIT}`], { offline: true });
      expect([offlineB?.static?.max_k_weight, offlineC?.static?.max_k_weight]).toEqual([3, 2]);
    }));

  test('has no reference run, and the message says what to give instead', () =>
    withHub(async (made) => {
      made.hub.add('org/one', { files: { 'm.gguf': content } });
      expect(await refusal(referenceOf(made, 'org/one', false))).toMatch(
        /^unsupported_weights: The weights are GGUF.*Give the safetensors checkpoint/,
      );
    }));
});

describe('a reference run offline', () => {
  test('opens no socket, and is that of the downloaded model', () =>
    withHub(async (made) => {
      made.hub.add('org/tiny', { files: await example('tinyllama-mini') });
      expect(await refusal(referenceOf(made, 'org/tiny', true))).toMatch(
        /^hub_unreachable: "org\/tiny": .*the network is not used \(--offline/,
      );
      expect(made.hub.sockets()).toBe(0);
      await referenceOf(made, 'org/tiny', false);
      const sockets = made.hub.sockets();
      const first = await readFile(join(made.home, 'out.safetensors'));
      await referenceOf(made, 'org/tiny', true);
      expect(Buffer.compare(await readFile(join(made.home, 'out.safetensors')), first)).toBe(0);
      expect(made.hub.sockets()).toBe(sockets);
    }));
});

describe('the bytes that the static check needs', () => {
  test.each([
    ['of a file of 1.5 GB are at most 300 KB', QWEN3_06B, 300 * 1024, 1.5e9],
    ['of 30 files of 65 GB are at most 3 MB', QWEN3_32B, 3 * 1024 * 1024, 60e9],
  ])('%s, with the numbers of a local read', (_, shape, limit, atLeast) =>
    withHub(async (made) => {
      const files = await shapedModel(join(made.home, 'local'), shape);
      made.hub.add('org/shaped', { files });
      const [remote, local] = await judge(made, ['org/shaped', './local']);
      expect(numbers(remote as ModelReport)).toEqual(numbers(local as ModelReport));
      expect(remote?.static?.layers).toHaveLength(shape.layers);
      expect(remote?.static?.max_k_weight).toBeGreaterThan(30);
      expect(remote?.static?.bytes_total).toBeGreaterThan(atLeast);
      expect(made.hub.bytes()).toBeLessThanOrEqual(limit);
      expect(made.hub.seen.filter(({ at }) => at === 'resolve')).toHaveLength(shape.shards + (shape.shards > 1 ? 2 : 1));
    }),
  );
});
