// Full downloads, in this process and in others that are killed: the numbers are those of docs/reliability.md.

import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmod, link, lstat, mkdir, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { downloadModel } from '../../src/hub/download.js';
import { hubReference, type HubReference } from '../../src/hub/reference.js';
import { selfSigned } from '../support/certificate.js';
import { COMMIT, faults, sha256, type Fault } from '../support/hub-server.js';
import { refusal, seededRandom } from '../weights/made-files.js';
import { ended, until } from '../support/waiting.js';
import { IMPATIENT, patterned, same, withHub, type Made } from './made-hub.js';

const WEIGHTS = 'model.safetensors';
const SIZE = 3_000_000;
const content = patterned(SIZE);
const hash = sha256(content);

async function download({ open, client }: Made, id = 'org/name', names = [WEIGHTS]): Promise<string> {
  return downloadModel(await open(id), hubReference(id) as HubReference, names, client);
}

const root = ({ home }: Made): string => join(home, '.cache/fused-compat/models--org--name');
const blob = (made: Made): string => join(root(made), 'blobs', hash);
const blobs = (made: Made): Promise<string[]> => readdir(join(root(made), 'blobs')).catch(() => []);

function serve({ hub }: Made, ...given: Fault[]): void {
  hub.add('org/name', { files: { 'config.json': '{}', [WEIGHTS]: content }, faults: given });
}

async function expectWhole(made: Made, folder: string): Promise<void> {
  expect(same(await readFile(join(folder, WEIGHTS)), content)).toBe(true);
  expect(await blobs(made)).toEqual([hash]);
}

const fetched = ({ hub }: Made): number => hub.seen.reduce((sum, { at, bytes }) => sum + (at === 'cdn' ? bytes : 0), 0);

describe('a download', () => {
  test('is laid out as in the cache of huggingface_hub, and fetched once', () =>
    withHub(async (made) => {
      serve(made);
      const folder = await download(made, 'org/name', ['config.json', WEIGHTS]);
      expect(folder).toBe(join(root(made), 'snapshots', COMMIT));
      expect(same(await readFile(join(folder, WEIGHTS)), content)).toBe(true);
      expect((await lstat(join(folder, WEIGHTS))).isSymbolicLink()).toBe(true);
      expect(await readFile(join(root(made), 'refs/main'), 'utf8')).toBe(COMMIT);
      made.hub.forget();
      await download(made, 'org/name', ['config.json', WEIGHTS]);
      expect(made.hub.seen.map(({ at }) => at)).toEqual(['api']);
    }));

  test('says how far it is', () =>
    withHub(
      async (made) => {
        serve(made);
        await download(made);
        expect(made.log[1]).toBe('org/name: downloading 3.0 MB');
        expect(made.log[2]).toMatch(/^org\/name: downloading, \d+ % of 3\.0 MB, [\d.]+ \w+\/s, \d+ s left$/);
      },
      { server: { paceBytes: 300_000 } },
    ));

  test.each([
    ['before its first byte', 0],
    ['in its middle', 1_500_000],
    ['before its last byte', SIZE - 1],
  ])('that is cut %s is resumed there (70)', (_, kept) =>
    withHub(async (made) => {
      // What a client has received but not yet taken is lost with the connection: it ends when all of it was taken.
      const cut: Fault['make'] = async (exchange) => {
        await faults.cut(() => kept, 'stall')(exchange);
        await until('what was sent', async () => (await lstat(`${blob(made)}.part`)).size >= kept);
        exchange.response.socket?.destroy();
      };
      serve(made, { at: 'cdn', times: 1, make: cut });
      await expectWhole(made, await download(made));
      expect(made.hub.seen.filter(({ at }) => at === 'cdn').map(({ range }) => range)).toEqual([
        `bytes=0-${SIZE - 1}`,
        `bytes=${kept}-${SIZE - 1}`,
      ]);
      expect(fetched(made)).toBe(SIZE);
    }),
  );

  test('that stalls is resumed, and a server that ignores the range then is read from its start (68, 72)', () =>
    withHub(
      async (made) => {
        const whole: Fault['make'] = ({ answer }) =>
          answer({ status: 200, headers: { 'content-range': null, 'content-length': String(SIZE) }, body: () => Buffer.from(content) });
        serve(made, { at: 'cdn', times: 1, make: faults.cut(() => 1_000_000, 'stall') }, { at: 'cdn', times: 1, make: whole });
        await expectWhole(made, await download(made));
      },
      { patience: IMPATIENT },
    ));

  test('whose bytes are wrong is removed and refused, with both hashes (76)', () =>
    withHub(async (made) => {
      const flip = (bytes: Buffer): Buffer => {
        const copy = Buffer.from(bytes);
        copy[7] = (copy[7] ?? 0) ^ 1;
        return copy;
      };
      serve(made, { at: 'cdn', make: ({ answer }) => answer({ body: flip }) });
      expect(await refusal(download(made))).toMatch(
        new RegExp(`^integrity: org/name: model\\.safetensors: sha256 mismatch: expected ${hash}, got [0-9a-f]{64}`),
      );
      expect(await blobs(made)).toEqual([]);
    }));

  test('that a web page answers leaves nothing (77)', () =>
    withHub(async (made) => {
      const headers = { 'content-type': 'text/html', 'content-range': null };
      serve(made, { at: 'cdn', make: ({ answer }) => answer({ status: 200, headers, body: () => Buffer.from('<html>') }) });
      expect(await refusal(download(made))).toMatch(/^hub_unreachable: .*web page/);
      expect(await blobs(made)).toEqual([`${hash}.part`]);
      expect((await lstat(`${blob(made)}.part`)).size).toBe(0);
    }));

  test('that is larger than the disk is refused before it starts (89)', () =>
    withHub(async (made) => {
      const huge = 10 ** 15;
      made.hub.add('org/name', { files: { [WEIGHTS]: { path: '/dev/null', size: huge, sha256: hash } } });
      expect(await refusal(download(made))).toMatch(
        /^no_disk_space: org\/name: 1000000000000000 bytes are needed, \d+ are free on the disk of ".*FUSED_COMPAT_CACHE/,
      );
      expect(fetched(made)).toBe(0);
    }));

  test('from a mirror without hashes is refused, since it could not be verified (86)', () =>
    withHub(async (made) => {
      made.hub.add('org/name', {
        files: { [WEIGHTS]: content },
        listing: (model) => ({ ...model, siblings: [{ rfilename: WEIGHTS, size: SIZE }] }),
      });
      expect(await refusal(download(made))).toMatch(/^download_failed: org\/name: model\.safetensors: the mirror lacks its hash/);
    }));
});

describe('a cache', () => {
  test.each<[string, (path: string) => Promise<void>]>([
    ['truncated', (path) => truncate(path, SIZE - 5)],
    ['empty', (path) => truncate(path, 0)],
    ['of zeros of the right size', async (path) => (await truncate(path, 0), truncate(path, SIZE))],
    [
      'one byte off',
      (path) =>
        writeFile(
          path,
          content.map((byte, i) => (i === 99 ? byte ^ 1 : byte)),
        ),
    ],
  ])('whose blob is %s is fetched again (94)', (_, damage) =>
    withHub(async (made) => {
      serve(made);
      await download(made);
      await damage(blob(made));
      await expectWhole(made, await download(made));
      expect(made.log.join('\n')).toContain('the cached copy of model.safetensors is damaged and is fetched again');
    }),
  );

  test('whose half download was damaged is fetched from its start, once', () =>
    withHub(async (made) => {
      serve(made);
      await mkdir(join(root(made), 'blobs'), { recursive: true });
      await writeFile(`${blob(made)}.part`, new Uint8Array(1_000_000));
      await expectWhole(made, await download(made));
      expect(made.log.join('\n')).toContain('what an earlier run left was damaged');
    }));

  test('whose files have the time 0, or tomorrow, is used as it is (95)', () =>
    withHub(async (made) => {
      serve(made);
      await download(made);
      for (const time of [0, Date.now() / 1000 + 86_400]) await utimes(blob(made), time, time);
      made.hub.forget();
      await expectWhole(made, await download(made));
      expect(fetched(made)).toBe(0);
    }));

  test('of huggingface_hub that has the file is taken over after a look at its hash', () =>
    withHub(async (made) => {
      serve(made);
      const theirs = join(made.client.settings.hubCache, 'models--org--name/blobs');
      await mkdir(theirs, { recursive: true });
      await writeFile(join(theirs, hash), content);
      await expectWhole(made, await download(made));
      expect(fetched(made)).toBe(0);
      await rm(join(made.home, '.cache/fused-compat'), { recursive: true });
      await writeFile(join(theirs, hash), new Uint8Array(SIZE));
      await expectWhole(made, await download(made));
      expect(fetched(made)).toBe(SIZE);
    }));

  test('with a planted link at the temporary name, or a second name of a victim, is refused (93)', () =>
    withHub(async (made) => {
      serve(made);
      const victim = join(made.home, 'victim');
      await writeFile(victim, 'precious');
      await mkdir(join(root(made), 'blobs'), { recursive: true });
      for (const plant of [() => symlink(victim, `${blob(made)}.part`), () => link(victim, `${blob(made)}.part`)]) {
        await plant();
        expect(await refusal(download(made))).toMatch(/^refused_for_safety: org\/name: ".*\.part" in the cache is a link/);
        expect(await readFile(victim, 'utf8')).toBe('precious');
        await rm(`${blob(made)}.part`);
      }
      await symlink(victim, blob(made));
      await expectWhole(made, await download(made));
      expect(await readFile(victim, 'utf8')).toBe('precious');
    }));

  test('whose folder of blobs is a link is refused (93)', () =>
    withHub(async (made) => {
      serve(made);
      await mkdir(root(made), { recursive: true });
      await mkdir(join(made.home, 'elsewhere'));
      await symlink(join(made.home, 'elsewhere'), join(root(made), 'blobs'));
      expect(await refusal(download(made))).toMatch(/^refused_for_safety: The cache folder ".*blobs" is a link/);
      expect(await readdir(join(made.home, 'elsewhere'))).toEqual([]);
    }));

  test('that cannot be written says so (90)', () =>
    withHub(async (made) => {
      serve(made);
      await writeFile(join(made.home, 'file'), '');
      await mkdir(join(made.home, '.cache'));
      await symlink(join(made.home, 'file'), join(made.home, '.cache/fused-compat'));
      expect(await refusal(download(made))).toMatch(
        /^download_failed: org\/name: the cache ".*" cannot be written \(E[A-Z]+\)\. Set FUSED_COMPAT_CACHE/,
      );
      await chmod(join(made.home, 'file'), 0o600);
    }));

  test('with the lock of a dead process is taken over (92)', () =>
    withHub(async (made) => {
      serve(made);
      await mkdir(join(root(made), 'blobs'), { recursive: true });
      for (const pid of [2 ** 22 + 5, process.pid]) {
        await rm(blob(made), { force: true });
        await writeFile(`${blob(made)}.lock`, JSON.stringify({ pid, host: hostname(), id: 'dead' }));
        await expectWhole(made, await download(made));
      }
    }));
});

const PROGRAM = join(__dirname_(), 'download-process.mjs');

/** The same download in a process of its own. */
function inProcess({ env }: Made, more: Record<string, string> = {}): ChildProcess {
  return fork(PROGRAM, ['org/name', WEIGHTS], {
    env: { PATH: process.env['PATH'] ?? '', ...env, ...more },
    execArgv: [],
    silent: true,
  });
}

function __dirname_(): string {
  return fileURLToPath(new URL('.', import.meta.url));
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; out: string }> {
  const { code, stdout, stderr } = await ended(child);
  return { code, out: stdout + stderr };
}

describe('processes', () => {
  const CHUNK = 1_000_000;

  test('killed at ten random points and started again fetch at most one extra chunk for each, and end byte-equal (91)', () =>
    withHub(
      async (made) => {
        serve(made);
        const random = seededRandom(7);
        for (let kill = 0; kill < 10; kill++) {
          const child = inProcess(made);
          const end = ended(child);
          const before = fetched(made);
          const target = before + 20_000 + Math.floor(random() * 250_000);
          await until('some bytes', () => fetched(made) >= target || child.exitCode !== null);
          child.kill('SIGKILL');
          await end;
          expect((await blobs(made)).includes(hash)).toBe(false);
        }
        const { code, out } = await outcome(inProcess(made));
        expect([code, out]).toEqual([0, expect.stringContaining('snapshots')]);
        await expectWhole(made, join(root(made), 'snapshots', COMMIT));
        expect(fetched(made)).toBeLessThanOrEqual(SIZE + 10 * CHUNK);
        expect(new Set(made.hub.seen.flatMap(({ at, range }) => (at === 'cdn' ? [range] : []))).size).toBeGreaterThan(5);
      },
      { server: { paceBytes: 16_384 } },
    ));

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ended by %s die of it, leave nothing under a final name, and are resumed by the next (91)',
    (signal) =>
      withHub(
        async (made) => {
          serve(made);
          const child = inProcess(made);
          const end = ended(child);
          await until('half a megabyte', () => fetched(made) >= 500_000 || child.exitCode !== null);
          child.kill(signal);
          // A shell shows 130 and 143.
          expect(await end).toMatchObject({ code: null, signal });
          expect((await blobs(made)).sort()).toEqual([`${hash}.lock`, `${hash}.part`]);
          expect(await readdir(join(root(made), 'snapshots', COMMIT))).toEqual([]);
          const kept = (await lstat(`${blob(made)}.part`)).size;
          expect(kept).toBeGreaterThan(0);
          made.hub.forget();
          expect(await outcome(inProcess(made))).toMatchObject({ code: 0 });
          await expectWhole(made, join(root(made), 'snapshots', COMMIT));
          expect(made.hub.seen.flatMap(({ at, range }) => (at === 'cdn' ? [range] : []))).toEqual([`bytes=${kept}-${SIZE - 1}`]);
        },
        { server: { paceBytes: 16_384 } },
      ),
  );

  test('that want the same file at once fetch it once, and both have it (92)', () =>
    withHub(
      async (made) => {
        serve(made);
        const results = await Promise.all([1, 2, 3].map(() => outcome(inProcess(made))));
        expect(results.map(({ code, out }) => [code, out])).toEqual(results.map(() => [0, expect.stringContaining('snapshots')]));
        await expectWhole(made, join(root(made), 'snapshots', COMMIT));
        expect(fetched(made)).toBe(SIZE);
      },
      { server: { paceBytes: 65_536 } },
    ));
});

describe('a server with a certificate of its own (67)', () => {
  async function downloaded(
    certificate: { key: string; cert: string },
    trusted: boolean,
  ): Promise<{ code: number | null; out: string; seen: number }> {
    return withHub(
      async (made) => {
        serve(made);
        const path = join(made.home, 'own.pem');
        await writeFile(path, certificate.cert);
        const { code, out } = await outcome(inProcess(made, trusted ? { NODE_EXTRA_CA_CERTS: path } : {}));
        if (code === 0) await expectWhole(made, join(root(made), 'snapshots', COMMIT));
        else expect(await blobs(made)).toEqual([]);
        return { code, out, seen: made.hub.seen.length };
      },
      { server: { tls: certificate } },
    );
  }

  test('is used once NODE_EXTRA_CA_CERTS names that certificate, as the message advises', async () => {
    const certificate = selfSigned();
    const refused = await downloaded(certificate, false);
    expect(refused).toMatchObject({ code: 1, seen: 0, out: expect.stringMatching(/DEPTH_ZERO_SELF_SIGNED_CERT.*set NODE_EXTRA_CA_CERTS/) });
    expect(await downloaded(certificate, true)).toMatchObject({ code: 0 });
  });

  test.each([
    ['has run out', selfSigned('127.0.0.1', -1), 'CERT_HAS_EXPIRED'],
    ['is for another address', selfSigned('127.0.0.2'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('that %s is refused though it is trusted', async (_, certificate, code) => {
    const refused = await downloaded(certificate, true);
    expect(refused).toMatchObject({ code: 1, seen: 0, out: expect.stringContaining(`no safe connection to 127.0.0.1`) });
    expect(refused.out).toContain(`(${code})`);
  });
});

describe('a disk that fills while a file is written (89)', () => {
  const user = `"$NODE" ${JSON.stringify(PROGRAM)} org/name ${WEIGHTS}`;
  /** A file system of its own of 4 MB, where this machine lets a user have one; filled up as soon as the download has begun. */
  const ownDisk = [
    'mount -t tmpfs -o size=4m none "$CACHE"',
    `${user} & download=$!`,
    'until [ -s "$CACHE"/models--org--name/blobs/*.part ]; do :; done',
    'cat /dev/zero > "$CACHE/filler" 2>/dev/null',
    'wait $download; code=$?; ls "$CACHE"/models--org--name/blobs; exit $code',
  ].join('\n');
  /** Works everywhere: no file of this process may have more than 1 MB. */
  const limited = `ulimit -f 2000; ${user}; code=$?; ls "$CACHE"/models--org--name/blobs; exit $code`;
  const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
  const ways: [string, string[], string][] = [['a limit on files', ['sh', '-c', limited], 'the file is too large (EFBIG)']];
  if (mayMount) ways.push(['a full file system', ['unshare', '-rm', 'sh', '-c', ownDisk], 'the disk is full (ENOSPC)']);

  test.each(ways)('by %s: the download says so and leaves nothing', (_, [command = '', ...args], problem) =>
    withHub(
      async (made) => {
        serve(made);
        const cache = join(made.home, 'cache');
        await mkdir(cache);
        const env = { PATH: process.env['PATH'] ?? '', ...made.env, FUSED_COMPAT_CACHE: cache, CACHE: cache, NODE: process.execPath };
        const { code, out } = await outcome(spawn(command, args, { env }));
        expect(out).toContain(`org/name: ${problem} on the disk of "${cache}/models--org--name". Set FUSED_COMPAT_CACHE`);
        expect(code).toBe(1);
        // Nothing is listed after the message: neither a whole file, nor half of one, nor a lock.
        expect(out).not.toMatch(new RegExp(`^${hash}`, 'm'));
      },
      { server: { paceBytes: 32_768 } },
    ),
  );
});
