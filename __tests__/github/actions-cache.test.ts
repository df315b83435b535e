// The real @actions/cache, in its process as the bundle starts it, between a loopback Hub and a loopback cache service.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { actionsCache, type ActionsCache } from '../../src/github/actions-cache.js';
import { downloadModel } from '../../src/hub/download.js';
import { connectHub, type HubClient } from '../../src/hub/http.js';
import { openHub } from '../../src/hub/hub.js';
import { hubReference, type HubReference } from '../../src/hub/reference.js';
import { hubSettings } from '../../src/hub/settings.js';
import type { SharedEntry } from '../../src/hub/shared-cache.js';
import { build } from '../dist/bundled.js';
import { HASTY, patterned, same } from '../hub/made-hub.js';
import { startCacheService, type CacheService } from '../support/cache-service.js';
import { COMMIT, gitHash, sha256, startHub, TOKEN, type HubServer, type Repository } from '../support/hub-server.js';
import { scratch, shortModel } from '../support/models.js';
import { ended, until } from '../support/waiting.js';
import { startGitHub } from './double.js';
import { runAction } from './runner.js';

const WEIGHTS = 'model.safetensors';
const CONFIG = '{"a":1}';
const content = patterned(2_000_000);
const [weightsHash, configHash] = [sha256(content), gitHash(CONFIG)];
const ID = 'org/name';

let dist: string;
beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'fused-compat-dist-'));
  build('--outdir', dist);
});
afterAll(() => rmSync(dist, { recursive: true }));

interface World {
  readonly hub: HubServer;
  readonly service: CacheService;
  readonly home: string;
  /** A machine with an empty disk. */
  machine(options?: Options): Promise<Machine>;
}

interface Options {
  env?: Record<string, string | undefined>;
  script?: string;
  limitMs?: number;
}

interface Machine {
  readonly cache: ActionsCache;
  readonly client: HubClient;
  readonly log: string[];
  readonly home: string;
  readonly temp: string;
  /** Gets the model, and has the cache save what it noted. */
  run(id?: string): Promise<string>;
  /** Lines about the cache. */
  said(): string[];
}

async function withWorld(repository: Partial<Repository>, use: (world: World) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'fused-compat-cache-test-'));
  const [hub, service] = [await startHub(), await startCacheService()];
  const files = { 'config.json': CONFIG, [WEIGHTS]: content };
  hub.add(ID, { files, ...repository });
  hub.add('org/other', { files, ...repository });
  const clients: HubClient[] = [];
  const machine = async ({
    env: given = {},
    script = join(dist, 'actions-cache.js'),
    limitMs = 3_600_000,
  }: Options = {}): Promise<Machine> => {
    const own = await mkdtemp(join(home, 'machine-'));
    const temp = join(own, 'temp');
    await mkdir(temp);
    const env = { PATH: process.env['PATH'], HOME: own, RUNNER_TEMP: temp, HF_ENDPOINT: hub.endpoint, ...service.env, ...given };
    const log: string[] = [];
    const client = connectHub(await hubSettings(env, false), { log: (line) => log.push(line), patience: HASTY });
    clients.push(client);
    const cache = actionsCache({ env, log: (line) => log.push(line), script: pathToFileURL(script), limitMs: () => limitMs });
    const run = async (id = ID): Promise<string> => {
      const reference = hubReference(id) as HubReference;
      const folder = await downloadModel(await openHub(reference, client), reference, ['config.json', WEIGHTS], client, cache);
      await cache.saveAll();
      return folder;
    };
    return { cache, client, log, home: own, temp, run, said: () => log.filter((line) => line.includes('Actions cache')) };
  };
  try {
    await use({ hub, service, home, machine });
  } finally {
    for (const client of clients) await client.close();
    await Promise.all([hub.close(), service.close()]);
    await rm(home, { recursive: true, force: true });
  }
}

async function expectWhole(folder: string): Promise<void> {
  expect(same(await readFile(join(folder, WEIGHTS)), content)).toBe(true);
  expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe(CONFIG);
}

/** Bytes of files that the Hub sent, its listing left out. */
const fetched = ({ hub }: World): number => hub.seen.reduce((sum, { at, bytes }) => sum + (at === 'api' ? 0 : bytes), 0);

/** Puts another archive into the one entry: of `names` below `folder`, with more arguments for tar. */
async function plant({ service, home }: World, folder: string, names: string[], ...more: string[]): Promise<void> {
  const archive = join(home, 'planted.tzst');
  await promisify(execFile)('tar', ['--zstd', '-cf', archive, '-P', '-C', folder, ...more, ...names]);
  const [entry] = service.entries;
  if (entry === undefined) throw new Error('nothing was saved');
  entry.bytes = await readFile(archive);
}

describe('the Actions cache', () => {
  test('brings what one machine downloaded to the next, which asks the Hub for nothing but its listing', () =>
    withWorld({}, async (world) => {
      const { hub, service, machine } = world;
      const first = await machine();
      await expectWhole(await first.run());
      expect(fetched(world)).toBeGreaterThan(content.byteLength);
      const key = service.entries[0]?.key ?? '';
      expect(key).toMatch(new RegExp(`^fused-compat-1-org--name-${COMMIT}-[0-9a-f]{64}$`));
      expect(first.said()).toEqual([`saved in the Actions cache: 2.0 MB as ${key}`]);
      hub.forget();
      service.calls.length = 0;

      const second = await machine();
      await expectWhole(await second.run());
      expect(hub.seen.map(({ at }) => at)).toEqual(['api']);
      expect(second.said()).toEqual([`${ID}: 2.0 MB from the Actions cache, verified`]);
      expect(service.calls).toEqual(['GetCacheEntryDownloadURL', 'GetCacheEntryDownloadURL', 'GET']);
      expect(await readdir(second.temp)).toEqual([]);

      // And what is on the disk is not asked for.
      service.calls.length = 0;
      await second.run();
      expect(service.calls).toEqual([]);
    }));

  test('holds the files under their hashes and nothing else', () =>
    withWorld({}, async ({ service, machine, home }) => {
      await (await machine({ env: { HF_TOKEN: TOKEN } })).run();
      await writeFile(join(home, 'entry.tzst'), service.entries[0]?.bytes ?? '');
      const names = execFileSync('tar', ['--zstd', '-tf', join(home, 'entry.tzst')], { encoding: 'utf8' })
        .trim()
        .split('\n');
      expect(names.sort()).toEqual([`blobs/${weightsHash}`, `blobs/${configHash}`].sort());
      expect(service.entries).toHaveLength(1);
    }));

  test('is asked by commit: another commit of the model is a miss', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      world.hub.add(ID, { files: { 'config.json': CONFIG, [WEIGHTS]: content }, commit: 'd'.repeat(40) });
      const second = await world.machine();
      await expectWhole(await second.run());
      expect(second.said()).toEqual([expect.stringContaining(`-${'d'.repeat(40)}-`)]);
      expect(world.service.entries).toHaveLength(2);
    }));

  test('is not asked for a tokenizer when the weights are on the disk', () =>
    withWorld({}, async (world) => {
      const machine = await world.machine();
      await machine.run();
      await rm(join(machine.home, '.cache/fused-compat/models--org--name/blobs', configHash));
      world.service.calls.length = 0;
      await expectWhole(await machine.run());
      expect(world.service.calls).toEqual([]);
    }));

  test.each<[string, Partial<Repository>]>([
    ['private', { private: true }],
    ['gated', { listing: (model) => ({ ...model, gated: 'auto' }) }],
    ['of a mirror that does not say whether it is either', { listing: (model) => ({ ...model, gated: undefined, private: undefined }) }],
  ])('gets nothing of a model that is %s and was got with a token', (_, repository) =>
    withWorld(repository, async (world) => {
      const machine = await world.machine({ env: { HF_TOKEN: TOKEN } });
      await expectWhole(await machine.run());
      expect(world.service.calls).toEqual([]);
      expect(machine.said()).toEqual([`${ID}: it may not be open to all (gated or private) and stays out of the Actions cache`]);
    }),
  );

  test('gives no token but its own to what it runs', () =>
    withWorld({}, async (world) => {
      const bin = join(world.home, 'bin');
      await mkdir(bin);
      await writeFile(
        join(bin, 'tar'),
        `#!/bin/sh\nenv >> ${join(world.home, 'seen')}\nexec ${execFileSync('which', ['tar'], { encoding: 'utf8' }).trim()} "$@"\n`,
      );
      await chmod(join(bin, 'tar'), 0o755);
      const env = {
        PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
        HF_TOKEN: TOKEN,
        'INPUT_GITHUB-TOKEN': 'ghs_secret',
        GITHUB_ENV: '/somewhere',
      };
      await (await world.machine({ env })).run();
      await (await world.machine({ env })).run();
      const seen = await readFile(join(world.home, 'seen'), 'utf8');
      expect(seen).toContain('TAR_OPTIONS=');
      expect(seen).not.toMatch(/hf_test|ghs_secret|GITHUB_ENV/);
    }));

  test('works without zstd, and does not take what was packed with it', () =>
    withWorld({}, async (world) => {
      const bin = join(world.home, 'bin');
      await mkdir(bin);
      for (const name of ['tar', 'gzip', 'sh']) {
        await symlink(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name));
      }
      await (await world.machine()).run();
      await (await world.machine({ env: { PATH: bin } })).run();
      expect(world.service.entries).toHaveLength(2);
      world.hub.forget();
      await expectWhole(await (await world.machine({ env: { PATH: bin } })).run());
      expect(fetched(world)).toBe(0);
    }));
});

describe('an entry that is not what was saved', () => {
  const changed = content.map((byte, index) => (index === 99 ? byte ^ 1 : byte));

  /** Files in a folder, as `blobs/`. */
  async function stage({ home }: World, files: Record<string, Uint8Array | string>): Promise<string> {
    const folder = await mkdtemp(join(home, 'stage-'));
    await mkdir(join(folder, 'blobs'));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, 'blobs', name), bytes);
    return folder;
  }

  /** A second machine gets the model whatever was planted, says so in one line, and does not try to save over it. */
  async function expectRefused(world: World, right: number, why = ';'): Promise<void> {
    world.hub.forget();
    world.service.calls.length = 0;
    const machine = await world.machine();
    await expectWhole(await machine.run());
    expect(machine.said()).toHaveLength(1);
    expect(machine.said()[0]).toContain(`${ID}: ${right} of 2 files came right from the Actions cache${why}`);
    expect(machine.said()[0]).toContain(`delete its entry ${world.service.entries[0]?.key}`);
    expect(world.hub.seen.filter(({ at }) => at === 'cdn')).toHaveLength(1);
    expect(world.service.calls).not.toContain('CreateCacheEntry');
    expect((await readdir(join(machine.home, '.cache/fused-compat/models--org--name/blobs'))).sort()).toEqual(
      [weightsHash, configHash].sort(),
    );
    expect(await readdir(machine.temp)).toEqual([]);
  }

  test.each<[string, Record<string, Uint8Array | string>, number]>([
    ['one byte off', { [weightsHash]: changed, [configHash]: CONFIG }, 1],
    ['cut', { [weightsHash]: content.subarray(0, -1), [configHash]: CONFIG }, 1],
    ['swapped', { [weightsHash]: CONFIG, [configHash]: content }, 0],
    ['in part', { [configHash]: CONFIG }, 1],
    ['other files', { 'README.md': 'x' }, 0],
  ])('but %s is refused and downloaded', (_, files, right) =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      await plant(world, await stage(world, files), ['blobs']);
      await expectRefused(world, right);
    }),
  );

  test('but no archive at all is refused and downloaded', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      const [entry] = world.service.entries;
      if (entry !== undefined) entry.bytes = Buffer.from('<html>');
      await expectRefused(world, 0, ' (');
    }));

  test('but links to what is elsewhere on the machine is refused and downloaded', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      const folder = await stage(world, { [configHash]: CONFIG });
      const victim = join(world.home, 'victim');
      await writeFile(victim, content);
      await symlink(victim, join(folder, 'blobs', weightsHash));
      await plant(world, folder, ['blobs']);
      await expectRefused(world, 1);
    }));

  test('but two names of one file is refused and downloaded', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      const folder = await stage(world, { [configHash]: CONFIG, other: content });
      await link(join(folder, 'blobs/other'), join(folder, 'blobs', weightsHash));
      await plant(world, folder, ['blobs/other', `blobs/${weightsHash}`, `blobs/${configHash}`]);
      await expectRefused(world, 1);
    }));

  test('but writes all over the machine writes nowhere', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      const victims = join(world.home, 'victims');
      await mkdir(victims);
      await writeFile(join(victims, 'own'), 'own');
      const folder = await stage(world, { own: 'evil', a: 'evil', b: 'evil', [configHash]: CONFIG });
      await symlink(victims, join(folder, 'blobs', weightsHash));
      const names = { own: `${victims}/own`, a: `${victims}/absolute`, b: `${weightsHash}/through-a-link` };
      const renamed = Object.entries(names).map(([from, to]) => `--transform=s,^blobs/${from}$,${to},`);
      await plant(world, folder, [`blobs/${weightsHash}`, 'blobs/own', 'blobs/a', 'blobs/b', `blobs/${configHash}`], ...renamed);
      // That the archive would do it: unpacked without the fence it does.
      await expectRefused(world, 1);
      expect(await readdir(victims)).toEqual(['own']);
      expect(await readFile(join(victims, 'own'), 'utf8')).toBe('own');
      execFileSync('tar', ['--zstd', '-xPf', join(world.home, 'planted.tzst')], { cwd: victims });
      expect(await readFile(join(victims, 'own'), 'utf8')).toBe('evil');
      expect(existsSync(join(victims, 'absolute'))).toBe(true);
    }));

  test('but unpacks to far more is ended', () =>
    withWorld({}, async (world) => {
      const script = join(world.home, 'bomb.mjs');
      const lines = [
        "import { writeFileSync, truncateSync } from 'node:fs';",
        "process.on('message', () => { process.send({ found: true, done: false, problem: null }); writeFileSync('big', ''); truncateSync('big', 1e9); });",
      ];
      await writeFile(script, lines.join('\n'));
      const machine = await world.machine({ script });
      await expectWhole(await machine.run());
      expect(machine.said()).toEqual([expect.stringContaining('(it unpacks to more than was saved); downloading the rest')]);
    }));
});

describe('a cache service that fails', () => {
  /** Two models are downloaded, with one line about the first and none about the second. */
  async function expectMiss(world: World, reason: string, options: Options = {}): Promise<Machine> {
    const machine = await world.machine(options);
    await expectWhole(await machine.run());
    await expectWhole(await machine.run('org/other'));
    expect(machine.said()).toEqual([expect.stringContaining(`${ID}: nothing from the Actions cache: `)]);
    expect(machine.said()[0]).toContain(reason);
    expect(await readdir(machine.temp)).toEqual([]);
    return machine;
  }

  const down = { ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' };
  test.each<[string, Options, string]>([
    ['is down', { env: down }, 'Failed to GetCacheEntryDownloadURL: Unable to make request: ECONNREFUSED'],
    ['is not there', { env: { ACTIONS_RESULTS_URL: undefined } }, 'this runner has no cache service'],
    [
      'is that of an Enterprise Server without one',
      { env: { GITHUB_SERVER_URL: 'https://ghes.example' } },
      'this runner has no cache service',
    ],
    ['may not be read', { env: { ACTIONS_CACHE_MODE: 'none' } }, "the effective cache-mode 'none' does not permit reads."],
    ['gave no token', { env: { ACTIONS_RUNTIME_TOKEN: undefined } }, 'Unable to get the ACTIONS_RUNTIME_TOKEN env variable'],
    ['has no tar', { env: { PATH: '/nowhere' } }, 'GNU tar is needed'],
  ])('because it %s is a miss', (_, options, reason) =>
    withWorld({}, async (world) => {
      await expectMiss(world, reason, options);
    }),
  );

  const late = 'it took longer than 2 s';
  test.each<[string, ReturnType<CacheService['fault']>, string]>([
    ['answers 500 for ever', { status: 500 }, late],
    ['never answers', 'stall', late],
    ['answers with a web page', { status: 200, text: '<html>' }, late],
    ['denies', { status: 403, text: '{"code":"permission_denied","msg":"cache read denied: no scopes"}' }, 'cache read denied: no scopes'],
  ])('because it %s is a miss, and nothing of the try is left', (_, fault, reason) =>
    withWorld({}, async (world) => {
      world.service.fault = () => fault;
      await expectMiss(world, reason, reason === late ? { limitMs: 2_000 } : {});
      await until('the end of all connections', () => world.service.sockets() === 0);
    }),
  );

  test('because its process breaks is a miss', () =>
    withWorld({}, async (world) => {
      const script = join(world.home, 'broken.mjs');
      await writeFile(script, "throw new Error('broken');");
      await expectMiss(world, 'its process ended (1)', { script });
    }));

  test('is left by its process when the Action is gone', () =>
    withWorld({}, async ({ service, home }) => {
      service.fault = () => 'stall';
      const child = spawn(process.execPath, [join(dist, 'actions-cache.js')], {
        env: { ...process.env, ...service.env, RUNNER_TEMP: home },
        detached: true,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      const end = ended(child);
      child.send({ task: 'restore', key: 'key', paths: ['blobs/a'] });
      await until('the first call', () => service.calls.length > 0);
      child.disconnect();
      expect((await end).signal).toBe('SIGKILL');
    }));

  test('while the archive comes is a miss', () =>
    withWorld({}, async (world) => {
      await (await world.machine()).run();
      world.service.fault = (call) => (call === 'GET' ? 'stall' : null);
      const machine = await world.machine({ limitMs: 2_000 });
      await expectWhole(await machine.run());
      expect(machine.said()).toEqual([expect.stringContaining('0 of 2 files came right from the Actions cache (it took longer than 2 s)')]);
    }));

  test.each<[string, (world: World) => Options, string]>([
    ['the job may only read', () => ({ env: { ACTIONS_CACHE_MODE: 'read' } }), "the effective cache-mode 'read' does not permit writes."],
    [
      'the token was made read-only',
      ({ service }) => {
        const text = '{"ok":false,"message":"cache write denied: untrusted event"}';
        service.fault = (call) => (call === 'CreateCacheEntry' ? { status: 200, text } : null);
        return {};
      },
      'cache write denied: untrusted event',
    ],
    [
      'another job was faster',
      ({ service }) => {
        service.fault = (call) => (call === 'GetCacheEntryDownloadURL' ? { status: 200, text: '{"ok":false}' } : null);
        return {};
      },
      'the entry is there already, or another job is saving it',
    ],
    [
      'the store refuses',
      ({ service }) => {
        service.fault = (call) => (call === 'PUT' ? { status: 403 } : null);
        return {};
      },
      '',
    ],
    [
      'the store never answers',
      ({ service }) => {
        service.fault = (call) => (call === 'PUT' ? 'stall' : null);
        return { limitMs: 2_000 };
      },
      'it took longer than 2 s',
    ],
  ])('to save, because %s, is one line', (what, prepare, reason) =>
    withWorld({}, async (world) => {
      if (what === 'another job was faster') await (await world.machine()).run();
      const machine = await world.machine(prepare(world));
      await expectWhole(await machine.run());
      expect(machine.said()).toEqual([expect.stringMatching(/^not saved in the Actions cache: ./)]);
      expect(machine.said()[0]).toContain(reason);
      expect(machine.log.join()).not.toContain('sig=');
      expect(await readdir(machine.temp)).toEqual([]);
    }),
  );

  test('is not asked for more than it can hold', () =>
    withWorld({}, async ({ machine, service }) => {
      const entry: SharedEntry = { key: 'k', hashes: [weightsHash], bytes: 11e9 };
      const { cache } = await machine();
      const result = await cache.restore(entry, () => Promise.reject(new Error('there is nothing to use')));
      expect(result).toEqual({ found: false, problem: '11.0 GB are more than it holds' });
      expect(service.calls).toEqual([]);
    }));
});

describe('the Action', () => {
  async function filesOf(): Promise<Record<string, Uint8Array>> {
    const names = ['config.json', WEIGHTS, 'tokenizer.json', 'tokenizer_config.json'];
    const { folder, remove } = await scratch();
    const model = await shortModel('tinyllama-mini', folder, 'model', 8);
    const read = async (name: string) => [name, new Uint8Array(await readFile(join(model, name)))] as const;
    const files = Object.fromEntries(await Promise.all(names.map(read)));
    await remove();
    return files;
  }

  test('keeps models in the cache from run to run, with the same verdict and after it was posted, but not on a runner of the user', () =>
    withWorld({}, async (world) => {
      const files = await filesOf();
      world.hub.add('org/llama', { files });
      const github = await startGitHub();
      const run = (RUNNER_ENVIRONMENT: string) => {
        const inputs = { models: 'org/llama', layers: '0', prompts: 'Hello' };
        const env = { ...world.service.env, HF_ENDPOINT: world.hub.endpoint, RUNNER_ENVIRONMENT };
        return runAction({ action: join(dist, 'action.js'), inputs, apiUrl: github.url, env });
      };
      try {
        const weights = files[WEIGHTS]?.byteLength ?? 0;
        const own = await run('self-hosted');
        expect(own).toMatchObject({ code: 0 });
        expect(own.stdout).not.toContain('Actions cache');
        expect(world.service.calls).toEqual([]);

        world.hub.forget();
        const first = await run('github-hosted');
        expect(first.outputs['verdict']).toBe(own.outputs['verdict']);
        expect(fetched(world)).toBeGreaterThan(weights);
        expect(first.stdout.indexOf('saved in the Actions cache')).toBeGreaterThan(first.stdout.indexOf('gate passed'));

        world.hub.forget();
        const second = await run('github-hosted');
        expect(second).toMatchObject({ code: 0 });
        expect(second.stdout).toMatch(/org\/llama: .* from the Actions cache, verified/);
        // What is left are the ranges of the static check, which comes first.
        expect(fetched(world)).toBeLessThan(weights / 4);
        expect(second.outputs['verdict']).toBe(first.outputs['verdict']);
      } finally {
        await github.close();
      }
    }));
});
