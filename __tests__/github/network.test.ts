// The built Action on networks that are not github.com's: behind a proxy, on an Enterprise Server, and where files cannot be written.

import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { unhurried } from '../support/waiting.js';
import type { GitHubDouble } from './double.js';
import { startGitHub } from './double.js';
import type { Finished, Start } from './runner.js';
import { MODELS, runAction } from './runner.js';

const INPUTS = { models: join(MODELS, 'tinyllama-mini'), policy: 'static' };

let github: GitHubDouble;
let servers: Server[];
beforeEach(async () => {
  github = await startGitHub();
  servers = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await github.close();
  expect(github.violations).toEqual([]);
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  unhurried(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy through which every host is the double; the hosts that it was asked for. */
async function startProxy(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer();
  server.on('connect', ({ url }: IncomingMessage, client: Socket) => {
    asked.push(url ?? '');
    const upstream = connect(Number(new URL(github.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  return { url: await listen(server), asked };
}

/** A server that has its API below /api/v3, as an Enterprise Server does. */
async function startEnterprise(): Promise<string> {
  const server = createServer((incoming, answer) => {
    const path = incoming.url ?? '';
    if (!path.startsWith('/api/v3/')) {
      github.violations.push(`outside of the API: ${path}`);
      answer.writeHead(404).end();
      return;
    }
    const headers = { ...incoming.headers, host: new URL(github.url).host };
    const onward = httpRequest(github.url + path.slice('/api/v3'.length), { method: incoming.method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(answer);
    });
    incoming.pipe(onward);
  });
  return `${await listen(server)}/api/v3`;
}

function run(more: Partial<Start>): Promise<Finished> {
  return runAction({ inputs: INPUTS, apiUrl: github.url, ...more });
}

describe('behind a proxy', () => {
  it('the comment and the status go through it', async () => {
    const proxy = await startProxy();
    const { code } = await run({ apiUrl: 'http://github.corp.example', env: { http_proxy: proxy.url } });
    expect(code).toBe(0);
    expect(new Set(proxy.asked)).toEqual(new Set(['github.corp.example:80']));
    expect([github.comments.length, github.statuses.length]).toEqual([1, 1]);
  });

  it('a host of no_proxy is asked straight', async () => {
    const proxy = await startProxy();
    const { code, stdout } = await run({
      apiUrl: 'http://github.corp.invalid',
      inputs: { ...INPUTS, comment: 'never' },
      env: { http_proxy: proxy.url, no_proxy: 'corp.invalid' },
    });
    // There is no such host: what counts is that the proxy was not asked.
    expect(code).toBe(0);
    expect(proxy.asked).toEqual([]);
    expect(stdout).toContain('No commit status: no usable answer from GitHub');
  });
});

describe('on an Enterprise Server', () => {
  it('its API is asked below its path, and links lead to it', async () => {
    const { code } = await run({ apiUrl: await startEnterprise(), env: { GITHUB_SERVER_URL: 'https://ghe.corp.example' } });
    expect(code).toBe(0);
    expect(github.statuses).toMatchObject([{ target_url: 'https://ghe.corp.example/octo-org/fast.kernels/actions/runs/77/attempts/1' }]);
    expect(github.comments[0]?.body).toContain('https://ghe.corp.example/octo-org/fast.kernels/actions/runs/77/attempts/1');
    expect(github.comments[0]?.body).not.toContain('https://github.com/octo-org');
  });

  it('nothing is needed that it lacks: artifacts are steps of the workflow, not the business of the bundle', () => {
    const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { dependencies: object };
    expect(
      Object.keys(dependencies)
        .filter((name) => name.startsWith('@actions/'))
        .sort(),
    ).toEqual(['@actions/cache', '@actions/core', '@actions/github']);
  });

  it('without job summaries the rest is as ever', async () => {
    const { code, outputs } = await run({ apiUrl: await startEnterprise(), env: { GITHUB_STEP_SUMMARY: undefined } });
    expect([code, outputs['gate']]).toEqual([0, 'pass']);
    expect(github.comments).toHaveLength(1);
  });
});

describe('where a file of the runner cannot be written', () => {
  it('a summary is one line in the log', async () => {
    const { code, outputs, stdout } = await run({ env: { GITHUB_STEP_SUMMARY: '/no/such/folder/summary' } });
    expect([code, outputs['gate']]).toEqual([0, 'pass']);
    expect(stdout).toContain('::warning::No job summary: ');
  });

  it('outputs fail the step in one line, since later steps would read nothing', async () => {
    const { code, stdout, stderr } = await run({ env: { GITHUB_OUTPUT: '/no/such/folder/output' } });
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/^::error::the run itself failed: .*\/no\/such\/folder\/output/m);
    expect(stdout).not.toMatch(/^\s+at /m);
  });
});

describe('what an earlier or a later step shares with this one', () => {
  it('is nothing: no variable, path or state is written, and only the inputs are read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fused-compat-shared-'));
    const names = ['GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STATE'];
    for (const name of names) await writeFile(join(folder, name), '');
    const shared = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
    // What another invocation would leave behind if inputs were exported.
    const left = { FUSED_COMPAT_POLICY: 'strict', POLICY: 'strict', FAIL_ON: 'COMPATIBLE' };
    const { code, outputs } = await run({ env: { ...shared, ...left } });
    expect([code, outputs['gate']]).toEqual([0, 'pass']);
    expect(await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).toEqual(['', '', '']);
    await rm(folder, { recursive: true });
  });
});
