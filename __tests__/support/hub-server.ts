// A Hugging Face Hub on loopback: the Hub and its CDN as two real HTTP servers of two origins, with a switch for faults.
// It answers as huggingface.co does where this program looks; what it answered is on record.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { unhurried } from './waiting.js';

/** Content of a file: bytes, or a file on disk whose sha256 nobody computes. */
export type Content = Uint8Array | string | { path: string; size: number; sha256: string };

export interface Repository {
  files: Record<string, Content>;
  commit?: string;
  /** Branches and tags beside `main`, which is `commit`. */
  refs?: Record<string, string>;
  /** 404 without the server's token. */
  private?: boolean;
  /** 403 always, 401 without a token. */
  gated?: boolean;
  disabled?: boolean;
  /** Where the repository has moved: `org/name`. */
  renamedTo?: string;
  /** Files served by the CDN; default: `*.safetensors`. */
  lfs?: (name: string) => boolean;
  /** The listing has no sizes: only `tree` has them. */
  bareListing?: boolean;
  /** Changes the listing before it is sent. */
  listing?: (model: Record<string, unknown>) => unknown;
  faults?: Fault[];
}

/** What a fault changes about an answer. */
export interface Changes {
  status?: number;
  /** null: left out. */
  headers?: Record<string, string | null>;
  body?: (bytes: Buffer) => Buffer;
  cut?: { bytes: (length: number) => number; then: 'destroy' | 'stall' };
}

export interface Exchange {
  readonly at: 'api' | 'resolve' | 'cdn';
  readonly file: string | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Answers as if there were no fault, with headers changed (null: left out) and the body passed through `body`. */
  readonly answer: (changes?: Changes) => Promise<void>;
  /** Writes bytes to the socket as they are and closes it unless told otherwise. */
  readonly raw: (text: string, end?: boolean) => void;
}

/** What goes wrong: with which requests, how often, and how. */
export interface Fault {
  at: Exchange['at'];
  file?: string;
  /** Requests before the first fault; default none. */
  after?: number;
  /** Default: every time. */
  times?: number;
  make: (exchange: Exchange) => void | Promise<void>;
}

export interface Seen {
  at: Exchange['at'];
  url: string;
  range: string | null;
  authorization: string | null;
  encoding: string | null;
  /** Bytes of the body that were handed to the socket. */
  bytes: number;
}

export interface HubServer {
  readonly endpoint: string;
  readonly cdn: string;
  readonly seen: Seen[];
  /** Connections that were opened. */
  sockets(): number;
  bytes(): number;
  forget(): void;
  add(id: string, repository: Repository): void;
  close(): Promise<void>;
}

export const TOKEN = 'hf_testTokenOfTheLoopbackHub';
export const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

/** Latency is added to every request before it is looked at; `paceBytes` are written every few milliseconds; with `tls` both servers speak https. */
export async function startHub(
  options: { latencyMs?: number; paceBytes?: number; tls?: { key: string; cert: string } } = {},
): Promise<HubServer> {
  const repositories = new Map<string, Repository>();
  const seen: Seen[] = [];
  let sockets = 0;
  const servers: Server[] = [];
  const listen = async (handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<string> => {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      response.on('error', () => undefined);
      const start = (): void => void handle(request, response).catch((error: unknown) => response.destroy(error as Error));
      if (options.latencyMs === undefined) start();
      else setTimeout(start, options.latencyMs);
    };
    const server = options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer);
    server.on('connection', () => sockets++);
    unhurried(server);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const record = (at: Exchange['at'], request: IncomingMessage): Seen => {
    const one = {
      at,
      url: request.url ?? '',
      range: request.headers.range ?? null,
      authorization: request.headers.authorization ?? null,
      encoding: request.headers['accept-encoding'] ?? null,
      bytes: 0,
    };
    seen.push(one);
    return one;
  };

  type Reply = { status: number; headers: Record<string, string>; body: Buffer | null };

  const exchange = async (
    at: Exchange['at'],
    repository: Repository,
    file: string | null,
    request: IncomingMessage,
    response: ServerResponse,
    one: Seen,
    reply: () => Promise<Reply>,
  ): Promise<void> => {
    const answer: Exchange['answer'] = async ({ status, headers = {}, body, cut } = {}) => {
      const made = await reply();
      const bytes = body === undefined ? (made.body ?? Buffer.alloc(0)) : body(made.body ?? Buffer.alloc(0));
      const all: Record<string, string | null> = { 'content-length': String(bytes.byteLength), ...made.headers, ...headers };
      response.writeHead(
        status ?? made.status,
        Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null)),
      );
      if (cut === undefined) return send(response, bytes, one, options.paceBytes);
      response.flushHeaders();
      await send(response, bytes.subarray(0, cut.bytes(bytes.byteLength)), one, options.paceBytes, false);
      if (cut.then === 'destroy') setTimeout(() => response.socket?.destroy(), 10);
    };
    const raw: Exchange['raw'] = (text, end = true) => {
      const bytes = Buffer.from(text, 'latin1');
      one.bytes += bytes.byteLength;
      response.socket?.write(bytes, () => end && response.socket?.destroy());
    };
    const fault = repository.faults?.find(
      (candidate) => candidate.at === at && (candidate.file === undefined || candidate.file === file) && (candidate.times ?? 1) > 0,
    );
    if (fault === undefined) return answer();
    if ((fault.after ?? 0) > 0) {
      fault.after = (fault.after ?? 0) - 1;
      return answer();
    }
    if (fault.times !== undefined) fault.times--;
    await fault.make({ at, file, request, response, answer, raw });
  };

  const refuse = (response: ServerResponse, status: number, code: string, message: string): void => {
    response.writeHead(status, {
      'x-error-code': code,
      'x-error-message': message,
      'x-request-id': 'Root=1-loopback',
      'content-type': 'application/json',
    });
    response.end(JSON.stringify({ error: message }));
  };

  /** The repository, if this request may see it; what stands in the way is answered. */
  const admitted = (id: string, request: IncomingMessage, response: ServerResponse): Repository | null => {
    const repository = repositories.get(id);
    const { authorization } = request.headers;
    if (authorization !== undefined && authorization !== `Bearer ${TOKEN}`)
      refuse(response, 401, '', 'Invalid credentials in Authorization header');
    else if (repository === undefined || (repository.private === true && authorization === undefined)) {
      refuse(response, authorization === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found');
    } else if (repository.disabled === true) refuse(response, 403, '', 'Access to this resource is disabled.');
    else return repository;
    return null;
  };

  const commitOf = (repository: Repository, revision: string): string | null => {
    const commit = repository.commit ?? COMMIT;
    return revision === 'main' || revision === commit ? commit : (repository.refs?.[revision] ?? null);
  };

  const hub = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://hub');
    const api = /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree)\/([^/]+))?$/.exec(pathname);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const id = api?.[1] ?? resolve?.[1] ?? '';
    const one = record(api === null ? 'resolve' : 'api', request);
    const repository = admitted(id, request, response);
    if (repository === null) return;
    if (repository.renamedTo !== undefined) {
      response.writeHead(307, { location: pathname.replace(id, repository.renamedTo) + search });
      response.end();
      return;
    }
    const revision = decodeURIComponent(api?.[3] ?? resolve?.[2] ?? 'main');
    const commit = commitOf(repository, revision);
    const file = resolve === null ? null : (resolve[3] ?? '').split('/').map(decodeURIComponent).join('/');
    await exchange(one.at, repository, file, request, response, one, async () => {
      if (commit === null) return errorReply(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
      if (api !== null) return jsonReply(api[2] === 'tree' ? tree(repository) : model(id, repository, commit));
      if (repository.gated === true)
        return errorReply(request.headers.authorization === undefined ? 401 : 403, 'GatedRepo', 'Access to model is restricted');
      const content = repository.files[file ?? ''];
      if (file === null || content === undefined) return errorReply(404, 'EntryNotFound', 'Entry not found');
      const headers = { 'x-repo-commit': commit, 'x-request-id': 'Root=1-loopback' };
      if (!isLfs(repository, file)) return fileReply(content, request, { ...headers, etag: `"${gitHash(content)}"` });
      const location = `${cdn}/${id}/${encodeURIComponent(file)}?Signature=${seen.length}`;
      const linked = { 'x-linked-size': String(sizeOf(content)), 'x-linked-etag': `"${sha256(content)}"` };
      return { status: 302, headers: { ...headers, ...linked, location }, body: Buffer.from('Found. Redirecting') };
    });
  };

  const cdnHandler = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://cdn');
    const [, org = '', name = '', encoded = ''] = pathname.split('/');
    const file = decodeURIComponent(encoded);
    const repository = repositories.get(`${org}/${name}`);
    const content = repository?.files[file];
    const one = record('cdn', request);
    if (repository === undefined || content === undefined) return void response.writeHead(403).end();
    await exchange('cdn', repository, file, request, response, one, () =>
      fileReply(content, request, { etag: `"cdn-${sha256(content).slice(0, 16)}"` }),
    );
  };

  const endpoint = await listen(hub);
  const cdn = await listen(cdnHandler);
  return {
    endpoint,
    cdn,
    seen,
    sockets: () => sockets,
    bytes: () => seen.reduce((sum, one) => sum + one.bytes, 0),
    forget: () => void seen.splice(0),
    add: (id, repository) => void repositories.set(id, repository),
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    },
  };
}

function model(id: string, repository: Repository, sha: string): unknown {
  const siblings = Object.entries(repository.files).map(([rfilename, content]) =>
    repository.bareListing === true ? { rfilename } : { rfilename, ...listed(repository, rfilename, content, 'blobId') },
  );
  const plain = {
    id,
    modelId: id,
    sha,
    private: repository.private === true,
    gated: repository.gated === true ? 'manual' : false,
    siblings,
  };
  return repository.listing === undefined ? plain : repository.listing(plain);
}

function tree(repository: Repository): unknown {
  return Object.entries(repository.files).map(([path, content]) => ({ type: 'file', path, ...listed(repository, path, content, 'oid') }));
}

function listed(repository: Repository, name: string, content: Content, hashKey: string): Record<string, unknown> {
  const size = sizeOf(content);
  if (!isLfs(repository, name)) return { size, [hashKey]: gitHash(content) };
  const hash = sha256(content);
  return { size, [hashKey]: '0'.repeat(40), lfs: { size, [hashKey === 'oid' ? 'oid' : 'sha256']: hash, pointerSize: 134 } };
}

function isLfs(repository: Repository, name: string): boolean {
  return repository.lfs?.(name) ?? name.endsWith('.safetensors');
}

function jsonReply(value: unknown): { status: number; headers: Record<string, string>; body: Buffer } {
  return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: Buffer.from(JSON.stringify(value)) };
}

function errorReply(status: number, code: string, message: string): { status: number; headers: Record<string, string>; body: Buffer } {
  const headers = { 'x-error-code': code, 'x-error-message': message, 'x-request-id': 'Root=1-loopback' };
  return { status, headers, body: Buffer.from(JSON.stringify({ error: message })) };
}

async function fileReply(
  content: Content,
  request: IncomingMessage,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Record<string, string>; body: Buffer }> {
  const size = sizeOf(content);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return { status: 200, headers: { ...headers, 'accept-ranges': 'bytes' }, body: await bytesOf(content, 0, size) };
  const start = Number(from);
  const end = Math.min(size, to === '' || to === undefined ? size : Number(to) + 1);
  if (start >= size) return { status: 416, headers: { 'content-range': `bytes */${size}` }, body: Buffer.alloc(0) };
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end - 1}/${size}` },
    body: await bytesOf(content, start, end),
  };
}

async function send(response: ServerResponse, bytes: Buffer, one: Seen, pace: number | undefined, end = true): Promise<void> {
  const step = pace ?? 1024 * 1024;
  for (let at = 0; at < bytes.byteLength; at += step) {
    if (response.destroyed || response.socket === null) return;
    const piece = bytes.subarray(at, at + step);
    one.bytes += piece.byteLength;
    const room = response.write(piece);
    if (pace !== undefined) await new Promise((resolve) => setTimeout(resolve, 2));
    if (!room && response.writableNeedDrain && !response.destroyed) {
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
    }
  }
  if (end) response.end();
}

export function sizeOf(content: Content): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : content instanceof Uint8Array ? content.byteLength : content.size;
}

async function bytesOf(content: Content, start: number, end: number): Promise<Buffer> {
  if (typeof content === 'string') return Buffer.from(content).subarray(start, end);
  if (content instanceof Uint8Array) return Buffer.from(content.buffer, content.byteOffset + start, end - start);
  const file = await open(content.path);
  try {
    const bytes = Buffer.alloc(end - start);
    await file.read(bytes, 0, bytes.byteLength, start);
    return bytes;
  } finally {
    await file.close();
  }
}

const hashes = new WeakMap<object, string>();

export function sha256(content: Content): string {
  if (typeof content === 'string') return createHash('sha256').update(content).digest('hex');
  if (!(content instanceof Uint8Array)) return content.sha256;
  const known = hashes.get(content) ?? createHash('sha256').update(content).digest('hex');
  hashes.set(content, known);
  return known;
}

export function gitHash(content: Content): string {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content instanceof Uint8Array ? content : Buffer.alloc(0);
  return createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');
}

/** Faults that several tests use. */
export const faults = {
  status:
    (status: number, headers: Record<string, string> = {}): Fault['make'] =>
    ({ response }) => {
      response.writeHead(status, { 'x-request-id': 'Root=1-loopback', ...headers });
      response.end();
    },
  reset: ({ response }: Exchange): void => void response.socket?.resetAndDestroy(),
  /** Never answers. */
  stall: (): void => undefined,
  /** Headers of the whole answer, then so many bytes of its body, then the end of the connection or of all life on it. */
  cut:
    (bytes: (length: number) => number, then: 'destroy' | 'stall' = 'destroy'): Fault['make'] =>
    ({ answer }) =>
      answer({ cut: { bytes, then } }),
};
