// Numeric diffs of sharded models that start before the last shard is there. The order of what happens is the server's and the log's.

import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { filesInOrder } from '../../src/architectures/registry.js';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { arrivingFiles, type FileReply } from '../../src/hub/arriving.js';
import { startDownload } from '../../src/hub/download.js';
import { openFolder } from '../../src/hub/folder.js';
import { hubReference, type HubReference } from '../../src/hub/reference.js';
import type { ModelReport, Report } from '../../src/report/types.js';
import type { Engine } from '../../src/threads.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';
import { bundledProgram, startEngine } from '../support/engine.js';
import { COMMIT, faults, sha256, sizeOf, type Content, type Exchange, type Fault } from '../support/hub-server.js';
import { modelFolder, programOf, scratch } from '../support/models.js';
import { refusal } from '../weights/made-files.js';
import { ended, until } from '../support/waiting.js';
import { HASTY, patterned, withHub, type Made } from './made-hub.js';

/** In the order of the program, which is not that of their names. */
const SHARDS = [3, 1, 4, 2].map((number) => `model-0000${number}-of-00004.safetensors`);
const LAST = SHARDS.at(-1) as string;
const LAYERS = 28;
const PER_SHARD = LAYERS / SHARDS.length;

let engine: Engine;
let folder: { folder: string; remove: () => Promise<void> };
let files: Record<string, Content>;
beforeAll(async () => {
  engine = startEngine();
  folder = await scratch();
  files = await sharded(join(folder.folder, 'local'));
});
afterAll(async () => {
  await engine.close();
  await folder.remove();
});

/** qwen3-mini in four shards, seven layers in each; the first has the embedding, which is the head too, and the last the norm. */
async function sharded(path: string): Promise<Record<string, Content>> {
  await mkdir(path);
  const checkpoint = await openCheckpoint(await openFolder(modelFolder('qwen3-mini')));
  const shardOf = (name: string): string => {
    const layer = /layers\.(\d+)\./.exec(name)?.[1];
    return layer === undefined
      ? ((name === 'model.norm.weight' ? LAST : SHARDS[0]) as string)
      : (SHARDS[Math.floor(Number(layer) / PER_SHARD)] as string);
  };
  const names = [...checkpoint.tensors.keys()];
  for (const shard of SHARDS) {
    const own = names.filter((name) => shardOf(name) === shard).map((name) => checkpoint.tensors.get(name));
    const tensors = own.flatMap((tensor) => (tensor === undefined ? [] : [tensor]));
    await writeSafetensors(
      join(path, shard),
      await Promise.all(
        tensors.map(async ({ name, shape }) => ({ name, dtype: 'BF16' as const, shape, data: await checkpoint.read(name) })),
      ),
    );
  }
  await checkpoint.close();
  const weight_map = Object.fromEntries(names.map((name) => [name, shardOf(name)]));
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json'])
    await writeFile(join(path, name), await readFile(join(modelFolder('qwen3-mini'), name)));
  const listed = await readdir(path);
  return Object.fromEntries(
    await Promise.all(listed.map(async (name) => [name, new Uint8Array(await readFile(join(path, name)))] as const)),
  );
}

/** Does `make` to the download of a file; ranged reads of it before that are answered. */
function whenDownloaded(file: string, make: Fault['make']): Fault {
  const whole = `bytes=0-${sizeOf(files[file] ?? '') - 1}`;
  const exchange = (one: Exchange) => (one.request.headers.range === whole ? make(one) : one.answer());
  return { at: 'cdn', file, make: exchange };
}

async function judge({ env, home }: Made, models: string[], log: (line: string) => void = () => undefined): Promise<ModelReport[]> {
  const overrides = { models, policy: 'evidence', layers: '0,27', prompts: ['In the beginning'] };
  const config = await loadConfig({ overrides, cwd: home });
  return (await check(config, { env, engine, log, patience: HASTY })).models;
}

const snapshot = ({ home }: Made): string => join(home, '.cache/fused-compat/models--org--sharded/snapshots', COMMIT);
const blobs = ({ home }: Made): Promise<string[]> => readdir(join(home, '.cache/fused-compat/models--org--sharded/blobs'));

describe('a sharded model of the Hub', () => {
  test('has its first layers computed while the last shard is held back, with the numbers of a local copy', () =>
    withHub(async (made) => {
      const events: string[] = [];
      let go: (why: string) => void = () => undefined;
      const released = new Promise<string>((resolve) => (go = resolve));
      // Without layers that go ahead the shard is let through all the same, so that the test ends.
      const patience = setTimeout(() => go('nothing was computed'), 300_000);
      const hold = whenDownloaded(LAST, async ({ answer }) => {
        events.push(`last shard let through: ${await released}`);
        await answer();
      });
      made.hub.add('org/sharded', { files, faults: [hold] });
      const [remote, local] = await judge(made, ['org/sharded', join(folder.folder, 'local')], (line) => {
        const layer = /^org\/sharded: layer (\d+) of 28$/.exec(line)?.[1];
        if (layer !== undefined) events.push(`layer ${layer}`);
        if (Number(layer) === LAYERS - PER_SHARD) go('all other layers are done');
      });
      clearTimeout(patience);
      const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `layer ${from + i + 1}`);
      expect(events).toEqual([
        ...range(0, LAYERS - PER_SHARD),
        'last shard let through: all other layers are done',
        ...range(LAYERS - PER_SHARD, LAYERS),
      ]);
      expect(remote?.numeric?.kernels.length).toBeGreaterThan(0);
      // Times are never the same.
      expect({ ...remote?.numeric, performance: null }).toEqual({ ...local?.numeric, performance: null });
      expect(remote?.static).toEqual(local?.static);
      expect(remote?.verdict).toBe(local?.verdict);
      expect((await readdir(snapshot(made))).sort()).toEqual(Object.keys(files).sort());
    }));

  test('whose last shard is broken is inconclusive for that reason, keeps the other files, and fetches only the broken one again', () =>
    withHub(async (made) => {
      const flip = whenDownloaded(LAST, ({ answer }) =>
        answer({ body: (bytes) => Buffer.from(bytes.map((byte, i) => (i === 20_000 ? byte ^ 1 : byte))) }),
      );
      made.hub.add('org/sharded', { files, faults: [flip] });
      const [broken] = await judge(made, ['org/sharded']);
      expect(broken).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
      expect(broken?.reasons[0]).toMatchObject({ code: 'integrity' });
      expect(broken?.reasons[0]?.message).toContain(`org/sharded: ${LAST}: sha256 mismatch: expected ${sha256(files[LAST] ?? '')}`);
      expect(broken?.static?.findings.map(({ code }) => code)).toContain('not_hash_verified');
      expect((await readdir(snapshot(made))).sort()).toEqual(
        Object.keys(files)
          .filter((name) => name !== LAST)
          .sort(),
      );
      expect((await blobs(made)).filter((name) => /\.(?:part|lock)$/.test(name))).toEqual([]);

      made.hub.forget();
      made.hub.add('org/sharded', { files });
      const [again] = await judge(made, ['org/sharded']);
      expect(again?.numeric).not.toBeNull();
      const whole = made.hub.seen.filter(({ at, range }) => at === 'cdn' && /^bytes=0-\d{6,}$/.test(range ?? ''));
      expect(whole.map(({ url }) => url.replace(/^.*\/(model-.*)\?.*$/, '$1'))).toEqual([LAST]);
    }));

  test('whose shard the server will not give ends, with its reason', () =>
    withHub(async (made) => {
      made.hub.add('org/sharded', { files, faults: [whenDownloaded(SHARDS[1] ?? '', faults.status(404))] });
      const [model] = await judge(made, ['org/sharded']);
      expect(model).toMatchObject({ verdict: 'INCONCLUSIVE', numeric: null });
      expect(model?.reasons[0]?.message).toContain(SHARDS[1]);
      expect(await readdir(snapshot(made))).toContain(LAST);
    }));
});

describe('a check of a sharded model', () => {
  test('that is killed while layers are computed leaves no report, and the next one fetches only what was missing', () =>
    withHub(async (made) => {
      const kept = 100_000;
      const size = sizeOf(files[LAST] ?? '');
      made.hub.add('org/sharded', {
        files,
        faults: [
          whenDownloaded(
            LAST,
            faults.cut(() => kept, 'stall'),
          ),
        ],
      });
      const program = bundledProgram();
      try {
        const args = [program.path, 'check', 'org/sharded', '--layers', '0', '--fail-on', 'never', '--format', 'json'];
        const options = { cwd: made.home, env: { ...made.env, XDG_CACHE_HOME: '' }, stdio: ['ignore', 'pipe', 'inherit'] as const };
        const killed = spawn(process.execPath, args, { ...options, stdio: [...options.stdio] });
        const end = ended(killed);
        const computes = () =>
          readFile(`/proc/${killed.pid ?? 0}/maps`, 'utf8').then(
            (maps) => maps.includes('libonnxruntime'),
            () => false,
          );
        const part = join(snapshot(made), '../../blobs', `${sha256(files[LAST] ?? '')}.part`);
        const begun = () =>
          stat(part).then(
            (stats) => stats.size === kept,
            () => false,
          );
        await until('layers and half a shard', async () => killed.exitCode !== null || ((await begun()) && (await computes())));
        killed.kill('SIGKILL');
        expect(await end).toMatchObject({ code: null, signal: 'SIGKILL' });
        expect(await readdir(made.home)).toEqual(['.cache']);
        expect((await readdir(snapshot(made))).sort()).toEqual(
          Object.keys(files)
            .filter((name) => name !== LAST)
            .sort(),
        );

        made.hub.forget();
        const again = spawn(process.execPath, args, { ...options, stdio: [...options.stdio] });
        const { code, stdout } = await ended(again);
        expect(code).toBe(0);
        const [model] = (JSON.parse(stdout) as Report).models;
        expect(model?.numeric?.kernels.length).toBeGreaterThan(0);
        const length = (range: string | null): number => {
          const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
          return Number(end) - Number(start) + 1;
        };
        const large = made.hub.seen.flatMap(({ at, range }) => (at === 'cdn' && length(range) > kept ? [range] : []));
        expect(large).toEqual([`bytes=${kept}-${size - 1}`]);
      } finally {
        program.remove();
      }
    }));
});

describe('files on their way', () => {
  const fetched = { arrived: true } as const;
  const opened = async (path: string, head: Uint8Array, byteLength: number, ask: () => Promise<FileReply>) =>
    (await arrivingFiles(await openFolder(path), [{ name: LAST, byteLength, head }], ask).open(LAST)) ??
    Promise.reject(new Error('no file'));
  const content = () => files[LAST] as Uint8Array;

  test('give their head at once, and everything else when they have arrived', async () => {
    let arrive: (reply: FileReply) => void = () => undefined;
    const arrival = new Promise<FileReply>((resolve) => (arrive = resolve));
    let asked = 0;
    const local = join(folder.folder, 'local');
    const source = await opened(local, content().slice(0, 100), content().byteLength, () => (asked++, arrival));
    expect(await source.slice(8, 100)).toEqual(content().slice(8, 100));
    expect(asked).toBe(0);
    const reads = [source.slice(90, 110), source.slice(200, 210)];
    arrive(fetched);
    expect(await Promise.all(reads)).toEqual([content().slice(90, 110), content().slice(200, 210)]);
    expect(asked).toBe(1);
    await source.close();
  });

  test('are refused when their head or length is not that of the verified file', async () => {
    const local = join(folder.folder, 'local');
    const wrong = content().slice(0, 100).with(50, 1);
    const size = content().byteLength;
    for (const [head, length] of [
      [wrong, size],
      [content().slice(0, 100), size + 1],
    ] as const) {
      const source = await opened(local, head, length, () => Promise.resolve(fetched));
      expect(await refusal(source.slice(200, 210))).toMatch(
        /^integrity: model-00002-of-00004\.safetensors: the server gave other first bytes/,
      );
    }
  });

  test('fail as their download did', async () => {
    const refused = { code: 'no_disk_space', message: 'the disk is full' } as const;
    const source = await opened(folder.folder, new Uint8Array(8), 100, () => Promise.resolve({ refused }));
    expect(await refusal(source.slice(0, 50))).toBe('no_disk_space: the disk is full');
    await source.close();
  });

  test('come in the order in which the program needs them', async () => {
    const checkpoint = await openCheckpoint(await openFolder(join(folder.folder, 'local')));
    expect(filesInOrder(await programOf('qwen3-mini'), checkpoint)).toEqual(SHARDS);
    await checkpoint.close();
  });

  test('are fetched in the order they are named, four at a time, and all are refused once one has failed', () =>
    withHub(async (made) => {
      const names = Array.from({ length: 6 }, (_, i) => `${9 - i}.bin`);
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (go = resolve));
      const given = Object.fromEntries(names.map((name, i) => [name, patterned(1000 + i)]));
      const hold: Fault = { at: 'resolve', make: ({ answer }) => held.then(() => answer()) };
      let fail: () => void = () => undefined;
      const failing = new Promise<void>((resolve) => (fail = resolve));
      const broken: Fault = { at: 'resolve', file: '5.bin', make: (one) => failing.then(() => faults.status(404)(one)) };
      made.hub.add('org/name', { files: given, lfs: () => false, faults: [broken, hold] });
      const requests = () => made.hub.seen.flatMap(({ at, url }) => (at === 'resolve' ? [url.replace(/.*\//, '')] : []));
      const copy = await startDownload(await made.open('org/name'), hubReference('org/name') as HubReference, names, made.client);
      await until('four requests', () => requests().length === 4);
      expect(requests().sort()).toEqual(names.slice(0, 4).sort());
      go();
      await copy.arrival('9.bin');
      fail();
      expect(await refusal(copy.arrival('5.bin'))).toMatch(/5\.bin/);
      expect(await refusal(copy.arrival('9.bin'))).toMatch(/5\.bin/);
      expect(await refusal(copy.whole())).toMatch(/5\.bin/);
      expect((await readdir(copy.folder)).sort()).toEqual(names.filter((name) => name !== '5.bin').sort());
    }));
});
