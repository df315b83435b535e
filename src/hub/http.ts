// The transport of the Hub: one GET with safe redirects, and trying again as long as it makes sense. What is asked for is not known here.
// On undici, whose defaults (300 s idle, no retry) are not used: https://undici.nodejs.org/#/docs/api/Client

import { Agent, ProxyAgent, request } from 'undici';
import type { Dispatcher } from 'undici';

import { ModelError } from '../errors.js';
import { isInternalHost, publicLookup } from './addresses.js';
import { failureOf, header, nameOf, refusalOf, Transient } from './answers.js';
import type { Headers, Subject } from './answers.js';
import { quote } from './names.js';
import type { HubSettings } from './settings.js';

/** How long to wait for what. */
export interface Patience {
  readonly connectMs: number;
  /** Without an answer, or between two pieces of one: not in total. */
  readonly idleMs: number;
  /** Tries after the first; counted anew whenever data arrives. */
  readonly retries: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** A server that asks for more is not waited for longer than this. */
  readonly longestServerWaitMs: number;
  /** Between two lines of progress. */
  readonly progressMs: number;
}

export const PATIENCE: Patience = {
  connectMs: 10_000,
  idleMs: 30_000,
  retries: 5,
  firstWaitMs: 1_000,
  longestWaitMs: 8_000,
  longestServerWaitMs: 120_000,
  progressMs: 5_000,
};

/** What ranged reads and downloads of one model cost. */
export interface Tally {
  requests: number;
  /** Bodies of successful answers, as they came. */
  bytes: number;
}

export interface Get {
  readonly url: URL;
  readonly subject: Subject;
  readonly tally: Tally;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Of the Hub's redirect to its CDN, which knows size and hash; null when there was no redirect. */
  readonly linked: Headers | null;
  /** Where the answer came from after redirects. */
  readonly url: URL;
  /**
   * Hands over the body piece by piece.
   * @throws Transient when it is cut or stalls
   */
  read(take: (piece: Uint8Array) => void | Promise<void>): Promise<void>;
  /** Gives up the body. */
  drop(): void;
}

export interface HubClient {
  readonly settings: HubSettings;
  readonly patience: Patience;
  readonly log: (message: string) => void;
  /**
   * One try: follows redirects, gives a 2xx answer.
   * @throws Transient when another try may help, ModelError when not
   */
  get(get: Get): Promise<Answer>;
  /**
   * Does `work` again as long as it fails with a Transient and makes sense; `progressed` starts the count anew.
   * @throws ModelError
   */
  persist<T>(subject: Subject, work: (progressed: () => void) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const REDIRECTS = 5;
const CONNECTIONS = 64;

/** Opens no socket before the first `get`. */
export function connectHub(settings: HubSettings, options: { log?: (message: string) => void; patience?: Patience } = {}): HubClient {
  const { log = () => undefined, patience = PATIENCE } = options;
  const dispatchers = dispatcherPool(settings, patience);
  const met = new Set<string>();
  const endpoint = new URL(settings.endpoint);

  const send = async (url: URL, { subject, tally, headers = {} }: Get): Promise<Dispatcher.ResponseData> => {
    tally.requests++;
    // Never to another origin: neither to the CDN nor to a server that the Hub redirects to.
    const token = settings.token !== null && url.origin === endpoint.origin ? { authorization: `Bearer ${settings.token}` } : {};
    try {
      const answer = await request(url, {
        dispatcher: dispatchers.of(url),
        headers: { 'user-agent': 'fused-compat', 'accept-encoding': 'identity', ...headers, ...token },
        headersTimeout: patience.idleMs,
        bodyTimeout: patience.idleMs,
      });
      met.add(url.origin);
      return answer;
    } catch (error) {
      throw failureOf(error, url, subject, met.has(url.origin), settings.proxyFor(url));
    }
  };

  const get = async (what: Get): Promise<Answer> => {
    let { url } = what;
    let linked: Headers | null = null;
    for (let hop = 0; hop <= REDIRECTS; hop++) {
      const { statusCode, headers, body } = await send(url, what);
      if (statusCode >= 200 && statusCode < 300) return answerOf(statusCode, headers, body, linked, url, what);
      // Small, and read so that the connection can be used again; its failure says nothing that the status does not.
      await body.dump({ limit: 16_384 }).catch(() => null);
      if (statusCode === 403 && url.origin !== endpoint.origin) throw expired(what.subject, url);
      if (![301, 302, 303, 307, 308].includes(statusCode)) throw refusalOf(statusCode, headers, what.subject, settings, Date.now());
      if (header(headers, 'x-linked-size') !== null || header(headers, 'x-linked-etag') !== null) linked = headers;
      url = redirected(url, headers, what.subject, endpoint);
    }
    throw new ModelError(
      'refused_for_safety',
      `${nameOf(what.subject)}: more than ${REDIRECTS} redirects, the last one to ${url.host}: refused.`,
    );
  };

  const answerOf = (
    status: number,
    headers: Headers,
    body: Dispatcher.ResponseData['body'],
    linked: Headers | null,
    url: URL,
    { subject, tally }: Get,
  ): Answer => {
    const drop = (): void => {
      // Without a listener, the error of giving up would be nobody's.
      body.on('error', () => undefined).destroy();
    };
    return {
      status,
      headers,
      linked,
      url,
      drop,
      async read(take) {
        // What goes wrong in taking a piece, such as a full disk, is no fault of the network.
        let taking = false;
        try {
          for await (const piece of body as AsyncIterable<Uint8Array>) {
            tally.bytes += piece.byteLength;
            taking = true;
            await take(piece);
            taking = false;
          }
        } catch (error) {
          drop();
          if (taking) throw error;
          throw failureOf(error, url, subject, true, settings.proxyFor(url));
        }
      },
    };
  };

  const persist = async <T>(subject: Subject, work: (progressed: () => void) => Promise<T>): Promise<T> => {
    let failures = 0;
    // What should not happen twice is not forgiven for the data that came before it.
    let grave = 0;
    for (;;) {
      try {
        return await work(() => {
          failures = 0;
        });
      } catch (error) {
        if (!(error instanceof Transient)) throw error;
        if (error.retries === null) failures++;
        else grave++;
        if (failures > patience.retries || grave > (error.retries ?? Infinity)) throw error.final;
        const waitMs = waitBefore(Math.max(failures, 1), error, patience);
        log(`${nameOf(subject)}: ${error.message}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  };

  return { settings, patience, log, get, persist, close: dispatchers.close };
}

/** 1, 2, 4, 8, 8 s, each up to a quarter longer so that many clients do not come back at once; or what the server asks for. */
function waitBefore(failures: number, { waitMs }: Transient, patience: Patience): number {
  if (waitMs !== null) return Math.min(waitMs, patience.longestServerWaitMs);
  return Math.min(patience.firstWaitMs * 2 ** (failures - 1), patience.longestWaitMs) * (1 + Math.random() / 4);
}

/** Addresses of the CDN are signed and run out; the Hub gives a new one. */
function expired(subject: Subject, url: URL): Transient {
  const problem = `${nameOf(subject)}: ${url.host} answered 403 (forbidden), also at a new address that the Hub gave for it.`;
  return new Transient('the address of the file has run out (403)', new ModelError('download_failed', `${problem} Run again.`), 0, 1);
}

/**
 * Where a redirect leads.
 * @throws ModelError `refused_for_safety` for what is no web address, from https to http, and into the internal network unless the Hub is there
 */
export function redirected(from: URL, headers: Headers, subject: Subject, endpoint: URL): URL {
  const location = header(headers, 'location');
  const refuse = (problem: string): ModelError =>
    new ModelError('refused_for_safety', `${nameOf(subject)}: ${from.host} ${problem}: refused.`);
  if (location === null || !URL.canParse(location, from.href))
    throw refuse(`redirects to ${location === null ? 'nowhere' : quote(location)}`);
  const to = new URL(location, from);
  if (to.protocol !== 'http:' && to.protocol !== 'https:')
    throw refuse(`redirects to ${quote(`${to.protocol}...`)}, which is no web address`);
  if (to.protocol === 'http:' && from.protocol === 'https:') throw refuse(`redirects from https to http (${to.host})`);
  if (isInternalHost(to.hostname) && to.hostname !== endpoint.hostname && !isInternalHost(endpoint.hostname)) {
    throw refuse(`redirects into the internal network (${to.host})`);
  }
  to.username = '';
  to.password = '';
  return to;
}

/** Connections by how they are made: straight, straight but only to public addresses, or through a proxy. */
function dispatcherPool(settings: HubSettings, patience: Patience): { of: (url: URL) => Dispatcher; close: () => Promise<void> } {
  const made = new Map<string, Dispatcher>();
  const endpoint = new URL(settings.endpoint);
  const trustsNetwork = isInternalHost(endpoint.hostname);
  const options = { connections: CONNECTIONS, pipelining: 1, keepAliveTimeout: 10_000 };
  const connect = { timeout: patience.connectMs };
  const make = (kind: string, proxy: string | null): Dispatcher => {
    if (proxy !== null) return new ProxyAgent({ uri: proxy, ...options, connect });
    return new Agent({ ...options, connect: kind === 'straight' ? connect : { ...connect, lookup: publicLookup } });
  };
  return {
    of(url) {
      const proxy = settings.proxyFor(url);
      const kind = proxy ?? (trustsNetwork || url.hostname === endpoint.hostname ? 'straight' : 'public');
      let dispatcher = made.get(kind);
      if (dispatcher === undefined) made.set(kind, (dispatcher = make(kind, proxy)));
      return dispatcher;
    },
    async close() {
      await Promise.all([...made.values()].map((dispatcher) => dispatcher.destroy()));
      made.clear();
    },
  };
}
