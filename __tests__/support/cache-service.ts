// GitHub's cache service, version 2, on loopback: the three calls of its API and the blob store behind signed addresses, as a real HTTP
// server for the real @actions/cache. https://github.com/actions/toolkit/tree/main/packages/cache

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unhurried } from './waiting.js';

export type Call = 'CreateCacheEntry' | 'FinalizeCacheEntryUpload' | 'GetCacheEntryDownloadURL' | 'PUT' | 'GET';

interface Entry {
  readonly key: string;
  readonly version: string;
  bytes: Buffer;
  /** Until it is, nobody finds it. */
  finished: boolean;
}

export interface CacheService {
  readonly url: string;
  readonly calls: Call[];
  readonly entries: Entry[];
  /** Connections that are open. */
  sockets(): number;
  /** Answers a call in another way: with a status and a text, or never. */
  fault: (call: Call) => { status: number; text?: string } | 'stall' | null;
  /** What the runner tells a step about the service. */
  readonly env: Record<string, string>;
  close(): Promise<void>;
}

export const RUNTIME_TOKEN = 'runtime-token-of-the-job';
const SIGNATURE = 'sig=signature-of-the-address';

export async function startCacheService(): Promise<CacheService> {
  const calls: Call[] = [];
  const entries: Entry[] = [];
  let sockets = 0;

  /** null: 409. */
  const answerCall = (call: Call, { key, version }: Record<string, string>): Record<string, unknown> | null => {
    const at = entries.findIndex((entry) => entry.key === key && entry.version === version);
    const entry = entries[at];
    const address = (index: number): string => `${service.url}/blob/${index}?${SIGNATURE}`;
    if (call === 'CreateCacheEntry') {
      if (entry !== undefined) return null;
      entries.push({ key: key ?? '', version: version ?? '', bytes: Buffer.alloc(0), finished: false });
      return { ok: true, signed_upload_url: address(entries.length - 1) };
    }
    if (entry === undefined) return { ok: false };
    if (call === 'FinalizeCacheEntryUpload') entry.finished = true;
    if (call === 'FinalizeCacheEntryUpload') return { ok: true, entry_id: String(at + 1) };
    return entry.finished ? { ok: true, signed_download_url: address(at), matched_key: key } : { ok: false };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://cache');
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const method = /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(pathname)?.[1];
    const call = (method ?? request.method) as Call;
    calls.push(call);
    const fault = service.fault(call);
    if (fault === 'stall') return;
    if (fault !== null) return void response.writeHead(fault.status).end(fault.text ?? '{}');
    if (method !== undefined) {
      if (request.headers.authorization !== `Bearer ${RUNTIME_TOKEN}`) return void response.writeHead(401).end('{}');
      const answer = answerCall(call, JSON.parse(body.toString()) as Record<string, string>);
      const exists = '{"code":"already_exists","msg":"cache entry with the same key, version, and scope already exists"}';
      if (answer === null) return void response.writeHead(409).end(exists);
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    }
    const entry = entries[Number(pathname.split('/')[2])];
    if (entry === undefined || search !== `?${SIGNATURE}`) return void response.writeHead(403).end();
    if (call === 'GET') return void response.writeHead(200, { 'content-length': entry.bytes.byteLength }).end(entry.bytes);
    entry.bytes = body;
    response.writeHead(201, { etag: '"1"', 'last-modified': new Date(0).toUTCString() }).end();
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  unhurried(server);
  server.on('connection', (socket) => {
    sockets++;
    socket.on('close', () => sockets--);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service: CacheService = {
    url,
    calls,
    entries,
    sockets: () => sockets,
    fault: () => null,
    env: {
      ACTIONS_RESULTS_URL: `${url}/`,
      ACTIONS_RUNTIME_TOKEN: RUNTIME_TOKEN,
      ACTIONS_CACHE_SERVICE_V2: 'true',
      // Any other host but github.com is taken for an Enterprise Server, which has version 1.
      GITHUB_SERVER_URL: 'https://github.com',
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return service;
}
