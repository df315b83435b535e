// What the network and the Hub can do to a read: the numbers are those of docs/reliability.md.

import { truncate, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { selfSigned } from '../support/certificate.js';
import { COMMIT, faults, TOKEN, type Changes, type Fault, type Repository } from '../support/hub-server.js';
import { readSafetensors } from '../../src/weights/safetensors.js';
import { refusal, safetensorsBytes } from '../weights/made-files.js';
import { bytesOf, IMPATIENT, oneTensor, same, textOf, withHub, type Made } from './made-hub.js';

const WEIGHTS = 'model.safetensors';
const content = oneTensor(600_000);
const files = { 'config.json': '{"model_type":"llama"}', [WEIGHTS]: content };
const START = 200_000;
const END = 260_000;

/** Reads a range of the weights behind a fault; the head of the file is not needed for it. */
async function readRange({ hub, open }: Made, fault: Fault, repository: Partial<Repository> = {}): Promise<Uint8Array> {
  hub.add('org/name', { files, faults: [fault], ...repository });
  return bytesOf(await open('org/name'), WEIGHTS, START, END);
}

const wanted = content.slice(START, END);
const changed =
  (changes: Changes): Fault['make'] =>
  ({ answer }) =>
    answer(changes);

const ranges = (made: Made): string[] => made.hub.seen.flatMap(({ at, range }) => (at === 'cdn' && range !== null ? [range] : []));

describe('a busy or broken server (65, 66)', () => {
  test.each([
    ['seconds', { 'retry-after': '1' }],
    ['a date', { 'retry-after': new Date(Date.now() + 2_000).toUTCString() }],
    ['the RateLimit header', { ratelimit: '"api";r=0;t=1' }],
  ])('says 429 with %s to wait: waited for, said, and then read', (_, headers) =>
    withHub(async (made) => {
      expect(same(await readRange(made, { at: 'resolve', times: 1, make: faults.status(429, headers) }), wanted)).toBe(true);
      expect(made.log.filter((line) => line.includes('too many requests (429); trying again in 0.0 s'))).toHaveLength(1);
    }),
  );

  test('says 429 for ever: given up after five more tries, with the limit and the hint at HF_TOKEN', () =>
    withHub(async (made) => {
      const message = await refusal(
        readRange(made, { at: 'api', make: faults.status(429, { 'ratelimit-policy': '"fixed window";"api";q=500;w=300' }) }),
      );
      expect(message).toMatch(
        /^hub_unreachable: org\/name: .*"too many requests" \(429, limit .*q=500;w=300\).*request id Root=1-loopback.*Set HF_TOKEN/,
      );
      expect(made.hub.seen).toHaveLength(6);
    }));

  test.each([408, 500, 502, 503, 504])('answers %d once: asked again', (status) =>
    withHub(async (made) => {
      expect(same(await readRange(made, { at: 'cdn', times: 1, make: faults.status(status) }), wanted)).toBe(true);
    }),
  );

  test('answers 503 for ever: given up with the request id', () =>
    withHub(async (made) => {
      const message = await refusal(readRange(made, { at: 'cdn', make: faults.status(503) }));
      expect(message).toMatch(
        /^hub_unreachable: org\/name: model\.safetensors: the server answered 503 again and again \(request id Root=1-loopback\)/,
      );
    }));
});

describe('a connection (67, 68, 69)', () => {
  test('that is reset is made again', () =>
    withHub(async (made) => {
      expect(same(await readRange(made, { at: 'cdn', times: 2, make: faults.reset }), wanted)).toBe(true);
    }));

  test('that nobody takes is given up after one more try, before the user thinks that it hangs', () =>
    withHub(
      async ({ open, log }) => {
        expect(await refusal(open('nope/nope'))).toMatch(
          /^hub_unreachable: nope\/nope: 127\.0\.0\.1:1 could not be reached: .*ECONNREFUSED.*HF_ENDPOINT/,
        );
        expect(log).toHaveLength(1);
      },
      { env: { HF_ENDPOINT: 'http://127.0.0.1:1' } },
    ));

  test('to a name that nobody knows is given up in one line', () =>
    withHub(
      async ({ open }) =>
        expect(await refusal(open('nope/nope'))).toMatch(/^hub_unreachable: nope\/nope: hub\.invalid could not be reached/),
      {
        env: { HF_ENDPOINT: 'https://hub.invalid' },
      },
    ));

  test('to a server that speaks no TLS is not tried again', () =>
    withHub(async ({ hub }) => {
      await withHub(
        async ({ open, log }) => {
          expect(await refusal(open('nope/nope'))).toMatch(
            /^hub_unreachable: .*no safe connection to 127\.0\.0\.1:\d+ \(.*NODE_EXTRA_CA_CERTS/,
          );
          expect(log).toEqual([]);
        },
        { env: { HF_ENDPOINT: hub.endpoint.replace('http:', 'https:') } },
      );
    }));

  test('to a server that vouches for itself is not tried again, and nothing is asked of it', () =>
    withHub(
      async ({ open, log, hub }) => {
        expect(await refusal(open('org/name'))).toMatch(
          /^hub_unreachable: org\/name: no safe connection to 127\.0\.0\.1:\d+ \(DEPTH_ZERO_SELF_SIGNED_CERT\)\. If a proxy inspects traffic, set NODE_EXTRA_CA_CERTS/,
        );
        expect(log).toEqual([]);
        expect(hub.seen).toEqual([]);
        expect(hub.sockets()).toBe(1);
      },
      { server: { tls: selfSigned() } },
    ));

  test('on which nothing is answered is given up after the idle time and made again', () =>
    withHub(
      async (made) => {
        expect(same(await readRange(made, { at: 'cdn', times: 1, make: faults.stall }), wanted)).toBe(true);
        expect(made.log.join()).toContain('the server did not answer in time');
      },
      { patience: IMPATIENT },
    ));

  test('whose data stops is resumed at the byte it stopped at', () =>
    withHub(
      async (made) => {
        const fault: Fault = { at: 'cdn', times: 1, make: faults.cut(() => 20_000, 'stall') };
        expect(same(await readRange(made, fault), wanted)).toBe(true);
        expect(ranges(made)).toEqual([`bytes=${START}-${END - 1}`, `bytes=${START + 20_000}-${END - 1}`]);
      },
      { patience: IMPATIENT },
    ));

  test('that trickles is waited for as long as data comes', () =>
    withHub(
      async (made) => {
        const trickle: Fault['make'] = async ({ response, answer }) => {
          await answer({ cut: { bytes: () => 59_990, then: 'stall' } });
          for (let at = END - 10; at < END; at++) {
            await new Promise((resolve) => setTimeout(resolve, 200));
            response.write(content.subarray(at, at + 1));
          }
          response.end();
        };
        expect(same(await readRange(made, { at: 'cdn', times: 1, make: trickle }), wanted)).toBe(true);
        expect(made.hub.seen.filter(({ at }) => at === 'cdn')).toHaveLength(1);
      },
      { patience: { idleMs: 1_500 } },
    ));
});

describe('a body (70, 71, 75)', () => {
  test.each([
    ['before its first byte', 0],
    ['after 1 %', 0.01],
    ['in its middle', 0.5],
    ['before its last byte', 0.99999],
  ])('that is cut %s is resumed there, with one line in the log', (_, share) =>
    withHub(async (made) => {
      const kept = Math.floor((END - START) * share);
      expect(same(await readRange(made, { at: 'cdn', times: 1, make: faults.cut(() => kept) }), wanted)).toBe(true);
      expect(ranges(made)).toEqual([`bytes=${START}-${END - 1}`, `bytes=${START + kept}-${END - 1}`]);
      expect(made.log.filter((line) => line.includes('trying again'))).toHaveLength(1);
    }),
  );

  test('that is always cut before its first byte is given up', () =>
    withHub(async (made) => {
      expect(await refusal(readRange(made, { at: 'cdn', make: faults.cut(() => 0) }))).toMatch(
        /^hub_unreachable: org\/name: model\.safetensors: /,
      );
    }));

  const raw =
    (head: string, bytes: Uint8Array): Fault['make'] =>
    ({ raw: write }) =>
      write(
        `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ${START}-${END - 1}/${content.byteLength}\r\n${head}\r\n${Buffer.from(bytes).toString('latin1')}`,
      );

  test.each([
    ['a length that is larger than it', raw(`Content-Length: ${END - START + 5}\r\n`, wanted)],
    ['a length that is smaller than it', raw(`Content-Length: ${END - START - 5}\r\n`, wanted)],
    ['no length, ended by the connection too early', raw('', wanted.subarray(0, 30_000))],
    ['no length, and too many bytes', raw('', content.subarray(START, END + 10))],
  ])('with %s is not taken as it is, and asked for again', (_, make) =>
    withHub(async (made) => {
      expect(same(await readRange(made, { at: 'cdn', times: 1, make }), wanted)).toBe(true);
      expect(made.hub.seen.filter(({ at }) => at === 'cdn').length).toBeGreaterThanOrEqual(2);
    }),
  );

  test('with too many bytes every time is refused', () =>
    withHub(async (made) => {
      const message = await refusal(readRange(made, { at: 'cdn', make: raw('', content.subarray(START, END + 10)) }));
      expect(message).toMatch(/^integrity: .*more than the 60000 bytes that were asked for/);
    }));

  test('that says it is compressed is refused', () =>
    withHub(async (made) => {
      const message = await refusal(readRange(made, { at: 'cdn', make: changed({ headers: { 'content-encoding': 'gzip' } }) }));
      expect(message).toMatch(/^integrity: .*compressed the answer \(gzip\) although it was asked not to/);
    }));
});

describe('an answer to a range (72, 73, 74, 77)', () => {
  const whole: Fault['make'] = changed({
    status: 200,
    headers: { 'content-range': null, 'content-length': String(content.byteLength) },
    body: () => Buffer.from(content),
  });

  test('that is the whole of a small file is cut out of it, never spliced', () =>
    withHub(async (made) => {
      expect(same(await readRange(made, { at: 'cdn', make: whole }), wanted)).toBe(true);
    }));

  test('that is the whole of a large file is refused before it is read', () =>
    withHub(async ({ hub, open }) => {
      const large = new Uint8Array(3_000_000);
      const make: Fault['make'] = changed({
        status: 200,
        headers: { 'content-range': null, 'content-length': '3000000' },
        body: () => Buffer.from(large),
      });
      hub.add('org/name', { files: { [WEIGHTS]: large }, faults: [{ at: 'cdn', make }] });
      const message = await refusal(bytesOf(await open('org/name'), WEIGHTS, START, END));
      expect(message).toMatch(/^download_failed: .*does not support range requests \(it answered 200\)/);
    }));

  test.each([
    ['shifted', `bytes ${START + 1}-${END}/${content.byteLength}`],
    ['shorter', `bytes ${START}-${END - 2}/${content.byteLength}`],
    ['longer', `bytes ${START}-${END}/${content.byteLength}`],
    ['of unknown total', `bytes ${START}-${END - 1}/*`],
    ['of another total', `bytes ${START}-${END - 1}/${content.byteLength + 1}`],
    ['missing', null],
  ])('whose Content-Range is %s is refused after one more try', (_, range) =>
    withHub(async (made) => {
      const message = await refusal(readRange(made, { at: 'cdn', make: changed({ headers: { 'content-range': range } }) }));
      expect(message).toMatch(/^integrity: org\/name: model\.safetensors: the server answered a range request with Content-Range/);
      expect(made.hub.seen.filter(({ at }) => at === 'cdn')).toHaveLength(2);
    }),
  );

  test('that is in several parts is refused', () =>
    withHub(async (made) => {
      const headers = { 'content-range': null, 'content-type': 'multipart/byteranges; boundary=X' };
      expect(await refusal(readRange(made, { at: 'cdn', make: changed({ headers }) }))).toMatch(/^integrity: .*Content-Range missing/);
    }));

  test('is not asked for of an empty file', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files: { [WEIGHTS]: new Uint8Array(0) } });
      expect(await bytesOf(await open('org/name'), WEIGHTS)).toHaveLength(0);
      expect(hub.seen.map(({ at }) => at)).toEqual(['api']);
    }));

  test.each(['api', 'resolve', 'cdn'] as const)('that is a web page (%s) is taken for a login page, not for data', (at) =>
    withHub(async (made) => {
      const page = '<!DOCTYPE html><title>Log in</title>';
      const headers = { 'content-type': 'text/html; charset=utf-8', 'content-range': null, 'content-length': String(page.length) };
      const fault: Fault = { at, make: changed({ status: 200, headers, body: () => Buffer.from(page) }) };
      expect(await refusal(readRange(made, fault))).toMatch(/^hub_unreachable: .*web page.*a proxy or a login page/);
    }),
  );
});

describe('content (76, 81)', () => {
  const flipped = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy[3] = (copy[3] ?? 0) ^ 1;
    return copy;
  };

  test.each([
    [WEIGHTS, 'cdn', 'sha256'],
    ['config.json', 'resolve', 'git blob sha1'],
  ] as const)('of %s with one bit flipped is refused by its hash, both hashes named', (name, at, hash) =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, faults: [{ at, file: name, make: changed({ body: flipped }) }] });
      const message = await refusal(bytesOf(await open('org/name'), name));
      expect(message).toMatch(new RegExp(`^integrity: org/name: ${name}: ${hash} mismatch: expected [0-9a-f]{40,64}, got [0-9a-f]{40,64}`));
      hub.add('org/name', { files, faults: [{ at, file: name, times: 1, make: changed({ body: flipped }) }] });
      expect(await bytesOf(await open('org/name'), name)).toHaveLength(name === WEIGHTS ? content.byteLength : 22);
    }),
  );

  test('whose ETag changes between two ranges is refused', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, faults: [{ at: 'cdn', after: 1, make: changed({ headers: { etag: '"other"' } }) }] });
      const source = await (await open('org/name')).open(WEIGHTS);
      await source?.slice(START, END);
      expect(await refusal(source?.slice(START + 300_000, END + 300_000) ?? Promise.resolve())).toMatch(
        /^integrity: .*changed during the run \(ETag .*"other"/,
      );
    }));

  test.each([
    ['commit', { 'x-repo-commit': 'f'.repeat(40) }],
    ['size', { 'x-linked-size': '7' }],
    ['size 0, as a mirror gave it,', { 'x-linked-size': '0' }],
    ['hash', { 'x-linked-etag': `"${'f'.repeat(64)}"` }],
  ])('whose %s is not the listed one is refused', (_, headers) =>
    withHub(async (made) => {
      expect(await refusal(readRange(made, { at: 'resolve', make: changed({ headers }) }))).toMatch(/^integrity: .*changed during the run/);
    }),
  );
});

describe('a redirect (78, 79)', () => {
  const to = (location: string): Fault['make'] => changed({ status: 302, headers: { location } });

  test('of a file to a file, an unsafe place or round and round is refused', () =>
    withHub(async (made) => {
      for (const location of ['file:///etc/passwd', 'ftp://example.com/x', 'data:text/plain,x']) {
        expect(await refusal(readRange(made, { at: 'resolve', make: to(location) }))).toMatch(/^refused_for_safety: .*no web address/);
      }
      expect(await refusal(readRange(made, { at: 'resolve', make: to('http://[') }))).toMatch(/^refused_for_safety: .*redirects to/);
      made.hub.forget();
      const loop: Fault['make'] = ({ request, response }) => void response.writeHead(302, { location: request.url ?? '' }).end();
      expect(await refusal(readRange(made, { at: 'resolve', make: loop }))).toMatch(/^refused_for_safety: .*more than 5 redirects/);
      expect(made.hub.seen.filter(({ at }) => at === 'resolve')).toHaveLength(6);
    }));

  test('whose signed address has run out is resolved again, once', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, faults: [{ at: 'cdn', after: 1, times: 1, make: faults.status(403) }] });
      const source = await (await open('org/name')).open(WEIGHTS);
      await source?.slice(START, END);
      expect(same(await source?.slice(START + 300_000, END + 300_000), content.slice(START + 300_000, END + 300_000))).toBe(true);
      expect(hub.seen.map(({ at }) => at)).toEqual(['api', 'resolve', 'cdn', 'cdn', 'resolve', 'cdn']);
      hub.add('org/two', { files, faults: [{ at: 'cdn', make: faults.status(403) }] });
      hub.forget();
      expect(await refusal(bytesOf(await open('org/two'), WEIGHTS, START, END))).toMatch(/^download_failed: .*answered 403 \(forbidden\)/);
      expect(hub.seen.map(({ at }) => at)).toEqual(['api', 'resolve', 'cdn', 'resolve', 'cdn']);
    }));

  test('to the new name of a model is followed with the token, and the new name said', () =>
    withHub(
      async ({ hub, open, log }) => {
        hub.add('old/name', { files: {}, renamedTo: 'new/name' });
        hub.add('new/name', { files, private: true });
        const model = await open('old/name');
        expect(await textOf(model, 'config.json')).toBe(files['config.json']);
        expect(log.join('\n')).toContain('old/name is now called new/name on the Hub');
        expect(model.id).toBe('old/name');
      },
      { env: { HF_TOKEN: TOKEN } },
    ));
});

describe('access (80, 82)', () => {
  const cases: [string, Partial<Repository> | null, Record<string, string>, RegExp][] = [
    [
      'a model that is private or not there, without a token',
      null,
      {},
      /^model_not_found: .*has no such model, or it is private \(401\).*set HF_TOKEN/,
    ],
    ['a model that is not there, with a token', null, { HF_TOKEN: TOKEN }, /^model_not_found: .*\(404\).*account of HF_TOKEN may read it/],
    ['a wrong token', {}, { HF_TOKEN: 'hf_wrong' }, /^access_denied: .*does not accept the token \(401\)/],
    [
      'a gated model, without a token',
      { gated: true },
      {},
      /^access_denied: .*is gated\. Accept its licence at http.*\/org\/name, then set HF_TOKEN/,
    ],
    [
      'a gated model whose licence is not accepted',
      { gated: true },
      { HF_TOKEN: TOKEN },
      /^access_denied: .*is gated\. Accept its licence at .*with the account/,
    ],
    ['a model that the Hub has disabled', { disabled: true }, {}, /^access_denied: .*has disabled this model/],
    [
      'a pull request from a fork',
      { private: true },
      { GITHUB_ACTIONS: 'true' },
      /^model_not_found: .*from a fork, secrets such as HF_TOKEN are not available/,
    ],
  ];
  test.each(cases)('%s has its own message', (_, repository, env, message) =>
    withHub(
      async ({ hub, open }) => {
        if (repository !== null) hub.add('org/name', { files, ...repository });
        const said = await refusal(open('org/name').then((model) => textOf(model, 'config.json')));
        expect(said).toMatch(message);
        expect(said).not.toContain(env['HF_TOKEN'] ?? 'hf_');
      },
      { env },
    ),
  );

  test('a commit that a force push removed, or a file that went away, is said as such', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, faults: [{ at: 'resolve', make: faults.status(404, { 'x-error-code': 'EntryNotFound' }) }] });
      expect(await refusal(open(`org/name@${'d'.repeat(40)}`))).toMatch(/^model_not_found: org\/name: has no revision "d{40}".*force push/);
      expect(await refusal(bytesOf(await open('org/name'), WEIGHTS))).toMatch(/^download_failed: .*lists this file but does not have it/);
    }));

  test('a branch that is named like a commit is refused', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, refs: { ['e'.repeat(40)]: COMMIT } });
      expect(await refusal(open(`org/name@${'e'.repeat(40)}`))).toMatch(/^integrity: .*named like a commit/);
    }));
});

describe('names (83, 84, 85)', () => {
  test('revisions with slashes are encoded, and those that no Hub has are refused before a request', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, refs: { 'refs/pr/1': COMMIT } });
      await open('org/name@refs/pr/1');
      expect(hub.seen[0]?.url).toBe('/api/models/org/name/revision/refs%2Fpr%2F1?blobs=true');
      hub.forget();
      for (const revision of ['../../x', 'a/../b', '/etc', 'a b', 'a\\b', 'x'.repeat(300), '%2e%2e/x', 'a\nb']) {
        await expect((async () => open(`org/name@${revision}`))()).rejects.toThrow(/refused|not the name of a model/);
      }
      expect(hub.seen).toEqual([]);
    }));

  test('of files with spaces, signs and foreign letters are asked for exactly', () =>
    withHub(async ({ hub, open }) => {
      const names = [
        'a b.json',
        'a#b.json',
        'a?b.json',
        '100%.json',
        'é.json',
        'e\u0301.json',
        'A.json',
        'a.json',
        `${'n'.repeat(250)}.json`,
        'CON',
        'dot.',
      ];
      hub.add('org/name', { files: Object.fromEntries(names.map((name) => [name, `{"name":${JSON.stringify(name)}}`])) });
      const model = await open('org/name');
      for (const name of names) expect(JSON.parse(await textOf(model, name))).toEqual({ name });
    }));

  test.each(['../../x', '/etc/passwd', '\\\\server\\share', 'C:\\x', 'a/../b', 'a\0b'])('of files such as %j refuse the model', (name) =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files: { ...files, [name]: 'x' } });
      expect(await refusal(open('org/name'))).toMatch(/^refused_for_safety: org\/name: lists a file/);
    }),
  );

  test('of blobs that are no hash refuse the model', () =>
    withHub(async ({ hub, open }) => {
      const listing = (model: Record<string, unknown>): unknown => ({
        ...model,
        siblings: [{ rfilename: WEIGHTS, size: 3, lfs: { size: 3, sha256: '../../../evil' } }],
      });
      hub.add('org/name', { files, listing });
      expect(await refusal(open('org/name'))).toMatch(/^refused_for_safety: .*with a hash that is none: "\.\.\/\.\.\/\.\.\/evil"/);
    }));
});

describe('a mirror (86)', () => {
  test('whose listing has no sizes is asked for its tree', () =>
    withHub(async ({ hub, open }) => {
      hub.add('org/name', { files, bareListing: true });
      expect(await textOf(await open('org/name'), 'config.json')).toBe(files['config.json']);
      expect(hub.seen.map(({ url }) => url)[1]).toBe(`/api/models/org/name/tree/${COMMIT}?recursive=true`);
    }));

  test('that has no sizes at all is refused by what it lacks', () =>
    withHub(async ({ hub, open }) => {
      const noSizes: Fault['make'] = changed({
        headers: { 'content-length': null },
        body: () => Buffer.from('[{"type":"file","path":"config.json"}]'),
      });
      hub.add('org/name', { files, bareListing: true, faults: [{ at: 'api', after: 1, make: noSizes }] });
      expect(await refusal(open('org/name'))).toMatch(/^download_failed: org\/name: the mirror lacks the sizes/);
    }));

  test('that answers with something else than a listing is refused', () =>
    withHub(async ({ hub, open }) => {
      for (const listing of [[], { sha: COMMIT }, { sha: 'main', siblings: [] }, 'x', null]) {
        hub.add('org/name', { files, listing: () => listing });
        expect(await refusal(open('org/name'))).toMatch(/^download_failed: org\/name: .*gave no commit and file list/);
      }
    }));

  test('without X-Repo-Commit and X-Linked-Size is read, since the listing has both', () =>
    withHub(async (made) => {
      const headers = { 'x-repo-commit': null, 'x-linked-size': null, 'x-linked-etag': null };
      expect(same(await readRange(made, { at: 'resolve', make: changed({ headers }) }), wanted)).toBe(true);
    }));
});

describe('a proxy (67)', () => {
  async function withProxy(
    onConnect: (client: Socket, head: string) => void,
    use: (proxy: string, asked: string[]) => Promise<void>,
  ): Promise<void> {
    const asked: string[] = [];
    const server = createServer((client) => {
      client.on('error', () => undefined);
      client.once('data', (data) => {
        asked.push(data.toString('latin1').split('\r\n')[0] ?? '');
        onConnect(client, data.toString('latin1'));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
    } finally {
      server.close();
    }
  }

  const tunnel = (client: Socket, head: string): void => {
    const [, host = '', port = ''] = /^CONNECT ([^:]+):(\d+)/.exec(head) ?? [];
    void import('node:net').then(({ connect }) => {
      const server = connect(Number(port), host, () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
      server.on('error', () => client.destroy());
      client.pipe(server).pipe(client);
    });
  };

  test('that the environment names is gone through, but not to what NO_PROXY names', () =>
    withHub(async ({ hub }) => {
      hub.add('org/name', { files });
      await withProxy(tunnel, async (proxy, asked) => {
        const env = { HF_ENDPOINT: hub.endpoint, HTTP_PROXY: proxy };
        await withHub(async ({ open }) => expect(await textOf(await open('org/name'), 'config.json')).toBe(files['config.json']), { env });
        expect(asked[0]).toBe(`CONNECT ${new URL(hub.endpoint).host} HTTP/1.1`);
        asked.length = 0;
        await withHub(async ({ open }) => expect((await open('org/name')).revision).toBe(COMMIT), {
          env: { ...env, NO_PROXY: 'example.com, 127.0.0.1' },
        });
        expect(asked).toEqual([]);
      });
    }));

  test('that refuses is named, and not asked again', () =>
    withProxy(
      (client) => client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n'),
      (proxy, asked) =>
        withHub(
          async ({ open }) => {
            expect(await refusal(open('org/name'))).toMatch(
              /^hub_unreachable: org\/name: the proxy 127\.0\.0\.1:\d+ refused .*407.*HTTPS_PROXY/,
            );
            expect(asked).toHaveLength(1);
          },
          { env: { HTTP_PROXY: proxy } },
        ),
    ));
});

describe('a file of over 50 GB, which the Hub gives as a whole by Xet only (87)', () => {
  const SIZE = 51_000_000_000;
  const header = JSON.stringify({ a: { dtype: 'U8', shape: [SIZE - 1000], data_offsets: [0, SIZE - 1000] } });

  /** Sparse on disk; the server refuses as CloudFront does: answers over 50 GB, or all of them. */
  async function large({ hub, home }: Made, refused: (answerBytes: number) => boolean): Promise<void> {
    const path = join(home, 'large');
    await writeFile(path, safetensorsBytes(header.padEnd(992)));
    await truncate(path, SIZE);
    const make: Fault['make'] = ({ request, response, answer }) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      if (!refused(from === undefined ? SIZE : Number(to) + 1 - Number(from))) return answer();
      response.writeHead(403, { 'x-amz-cf-id': 'loopback' }).end();
    };
    hub.add('org/name', { files: { ...files, [WEIGHTS]: { path, size: SIZE, sha256: 'ab'.repeat(32) } }, faults: [{ at: 'cdn', make }] });
  }

  test('is read by ranges, which it does give', () =>
    withHub(async (made) => {
      await large(made, (bytes) => bytes > 50_000_000_000);
      const source = await (await made.open('org/name')).open(WEIGHTS);
      if (source === null) throw new Error('not listed');
      const file = await readSafetensors(source);
      const [tensor] = file.tensors.values();
      if (tensor === undefined) throw new Error('no tensor');
      expect(await file.read(tensor, SIZE - 1004, SIZE - 1000)).toEqual(new Uint8Array(4));
      expect(made.hub.bytes()).toBeLessThan(100_000);
      expect(ranges(made)).toEqual(['bytes=0-65535', `bytes=${SIZE - 4}-${SIZE - 1}`]);
    }));

  test('of which not even a range is given is refused with the way around it, and asked for twice at most', () =>
    withHub(async (made) => {
      await large(made, () => true);
      const message = await refusal(bytesOf(await made.open('org/name'), WEIGHTS, 0, 1000));
      expect(message).toMatch(/^download_failed: org\/name: model\.safetensors: 127\.0\.0\.1:\d+ answered 403 \(forbidden\)/);
      expect(message).toContain(
        'The file has 51.0 GB, and those over 50 GB the Hub gives by Xet alone, which this program does not speak: run "hf download org/name"',
      );
      expect(ranges(made)).toHaveLength(2);
    }));

  test('and a smaller file that is refused gets no such advice', () =>
    withHub(async (made) => {
      const message = await refusal(readRange(made, { at: 'cdn', make: faults.status(403) }));
      expect(message).toMatch(/^download_failed: .*answered 403/);
      expect(message).not.toContain('Xet');
    }));
});
