// What a server's answers and a connection's failures mean to the user: one sentence each, with what to do. Who asks, and again, is http.ts.

import { ModelError } from '../errors.js';
import { printable, quote } from './names.js';
import type { HubSettings } from './settings.js';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What is asked for, for messages. */
export interface Subject {
  /** `org/name` */
  readonly repository: string;
  readonly revision: string;
  /** File of the model; null: the model itself. */
  readonly file: string | null;
}

/** A failure that may be gone at the next try. */
export class Transient extends Error {
  override readonly name = 'Transient';
  constructor(
    message: string,
    /** What it is when it does not go away. */
    readonly final: ModelError,
    /** How long the server asks to wait; null: it does not say. */
    readonly waitMs: number | null = null,
    /** Tries after the first, where fewer make sense than usual. */
    readonly retries: number | null = null,
  ) {
    super(message);
  }
}

export function header(headers: Headers, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : (value?.[0] ?? null);
}

export function nameOf({ repository, revision, file }: Subject): string {
  const model = revision === 'main' ? repository : `${repository}@${printable(revision)}`;
  return file === null ? model : `${model}: ${printable(file)}`;
}

function requestId(headers: Headers): string {
  const id = header(headers, 'x-request-id') ?? header(headers, 'x-amz-cf-id');
  return id === null ? '' : ` (request id ${printable(id)})`;
}

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

/** The error for an answer that is neither a success nor a redirect. */
export function refusalOf(status: number, headers: Headers, subject: Subject, settings: HubSettings, now: number): Transient | ModelError {
  const name = nameOf(subject);
  const id = requestId(headers);
  if (status === 429) {
    const limit = header(headers, 'ratelimit-policy') ?? header(headers, 'ratelimit');
    const which = limit === null ? '' : `, limit ${printable(limit)}`;
    const hint = settings.token === null ? ' Set HF_TOKEN: with a token the limit is higher.' : ' Run later, or with fewer models at once.';
    const final = new ModelError('hub_unreachable', `${name}: ${hostOf(settings)} says "too many requests" (429${which})${id}.${hint}`);
    return new Transient('too many requests (429)', final, waitOf(headers, now));
  }
  if (RETRIED.has(status)) {
    const final = new ModelError('hub_unreachable', `${name}: the server answered ${status} again and again${id}. Run again later.`);
    return new Transient(`server error ${status}`, final, waitOf(headers, now));
  }
  return denialOf(status, headers, subject, settings) ?? unexpected(name, status, headers);
}

function unexpected(name: string, status: number, headers: Headers): ModelError {
  const said = header(headers, 'x-error-message');
  const words = said === null ? '' : `: ${printable(said)}`;
  return new ModelError('download_failed', `${name}: the server answered ${status}${words}${requestId(headers)}.`);
}

function denialOf(status: number, headers: Headers, subject: Subject, settings: HubSettings): ModelError | null {
  const { repository } = subject;
  const name = nameOf(subject);
  const code = header(headers, 'x-error-code');
  const said = header(headers, 'x-error-message') ?? '';
  const id = requestId(headers);
  const page = `${settings.endpoint}/${repository}`;
  const fork =
    settings.inActions && settings.token === null ? ' In a pull request from a fork, secrets such as HF_TOKEN are not available.' : '';
  if (code === 'GatedRepo') {
    const next = settings.token === null ? 'then set HF_TOKEN to a token of that account' : 'with the account whose token is in HF_TOKEN';
    return new ModelError('access_denied', `${name}: the model is gated. Accept its licence at ${page}, ${next}.${fork}${id}`);
  }
  if (status === 451 || /disabled/i.test(said) || code === 'DisabledRepo') {
    return new ModelError('access_denied', `${name}: the Hub has disabled this model; ${page} says why. Take it out of the list.${id}`);
  }
  if (code === 'RevisionNotFound') {
    return new ModelError(
      'model_not_found',
      `${repository}: has no revision ${quote(subject.revision)}. Was the branch renamed, or the commit removed by a force push? See ${page}/commits${id}`,
    );
  }
  if (code === 'EntryNotFound') {
    return new ModelError(
      'download_failed',
      `${name}: the Hub lists this file but does not have it${id}. Run again; it may have just been changed.`,
    );
  }
  if (status === 401 && settings.token !== null) {
    return new ModelError(
      'access_denied',
      `${name}: the Hub does not accept the token (401)${id}. Set HF_TOKEN to a valid one, or unset it.`,
    );
  }
  if (status === 401 || status === 404 || code === 'RepoNotFound') {
    const token = settings.token === null ? 'set HF_TOKEN to a token that may read it' : 'see that the account of HF_TOKEN may read it';
    return new ModelError(
      'model_not_found',
      `${name}: the Hub at ${settings.endpoint} has no such model, or it is private (${status})${id}. Check the name; if it is private, ${token}.${fork}`,
    );
  }
  if (status === 403) {
    return new ModelError(
      'access_denied',
      `${name}: access is forbidden (403)${said === '' ? '' : `: ${printable(said)}`}${id}. See ${page}${fork}`,
    );
  }
  return null;
}

/** Answers over 50 GB the Hub gives by Xet only (huggingface_hub's MAX_HTTP_DOWNLOAD_SIZE). Ranges of such files it may give. */
const HTTP_BYTES = 50_000_000_000;

/** The same error, with what to do about a file that is too large to come by plain HTTP where that may be why the server refused. */
export function tooLargeForHttp(error: unknown, { repository }: Subject, size: number): unknown {
  if (!(error instanceof ModelError) || size <= HTTP_BYTES) return error;
  if (error.code !== 'download_failed' && error.code !== 'access_denied') return error;
  const hint =
    `The file has ${(size / 1e9).toFixed(1)} GB, and those over 50 GB the Hub gives by Xet alone, which this program does not speak: ` +
    `run "hf download ${repository}" (huggingface_hub with hf_xet) first, then again with the same HF_HOME, or with that folder as the model.`;
  return new ModelError(error.code, `${error.message} ${hint}`);
}

/** `Retry-After` in seconds or as a date, else the reset of the `RateLimit` header (`"api";r=0;t=55`), in milliseconds. */
export function waitOf(headers: Headers, now: number): number | null {
  const after = header(headers, 'retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  const reset = /\bt=(\d{1,9})\b/.exec(header(headers, 'ratelimit') ?? '')?.[1];
  return reset === undefined ? null : (Number(reset) + 1) * 1000;
}

export function hostOf(settings: HubSettings): string {
  return new URL(settings.endpoint).host;
}

/** Codes of connections that were cut or never made, by what they are called. */
const CONNECTION: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'no connection was made in time',
  UND_ERR_HEADERS_TIMEOUT: 'the server did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'the data stopped coming',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut',
  UND_ERR_ABORTED: 'the connection was given up',
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ENETUNREACH: 'the network cannot be reached',
  EHOSTUNREACH: 'the host cannot be reached',
};
/** Failures before the first answer of a server: it is most likely not there at all, and a user who mistyped a folder is waiting. */
const NOT_THERE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** The error for a request that got no whole answer. */
export function failureOf(error: unknown, url: URL, subject: Subject, met: boolean, proxy: string | null): Transient | ModelError {
  const { code, message } = codeAndMessage(error);
  const name = nameOf(subject);
  if (code === 'INTERNAL_ADDRESS') {
    return new ModelError('refused_for_safety', `${name}: the server redirects into the internal network: ${printable(message)}. Refused.`);
  }
  const through = proxy === null ? '' : ` through the proxy ${new URL(proxy).host}`;
  if (/Proxy response|proxy/i.test(message) && proxy !== null) {
    return new ModelError(
      'hub_unreachable',
      `${name}: the proxy ${new URL(proxy).host} refused (${printable(message)}). Check HTTPS_PROXY and NO_PROXY.`,
    );
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|ERR_TLS|EPROTO/.test(code)) {
    return new ModelError(
      'hub_unreachable',
      `${name}: no safe connection to ${url.host}${through} (${code}). If a proxy inspects traffic, set NODE_EXTRA_CA_CERTS to its certificate.`,
    );
  }
  const what = CONNECTION[code];
  const words = what === undefined ? printable(message) : `${what} (${code})`;
  const final = new ModelError(
    'hub_unreachable',
    `${name}: ${url.host} could not be reached${through}: ${words}. Check the network, HF_ENDPOINT and the proxy.`,
  );
  if (what === undefined) return final;
  if (!met && NOT_THERE.has(code)) return code === 'EAI_AGAIN' || code === 'ECONNREFUSED' ? new Transient(words, final, 200, 1) : final;
  return new Transient(words, final);
}

export function codeAndMessage(error: unknown): { code: string; message: string } {
  if (typeof error !== 'object' || error === null) return { code: '', message: String(error) };
  const message = 'message' in error ? String(error.message) : '';
  if ('code' in error && typeof error.code === 'string') return { code: error.code, message };
  // Several addresses were tried (AggregateError): the first failure stands for all.
  const [first] = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[]) : [];
  if (first !== undefined) return codeAndMessage(first);
  return 'cause' in error && error.cause !== undefined ? codeAndMessage(error.cause) : { code: '', message };
}
