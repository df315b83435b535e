// What the environment says about the Hub: huggingface_hub's own variables, read as it reads them, and the proxies. Nothing is asked for here.
// https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

import { UsageError } from '../errors.js';
import { quote } from './names.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubSettings {
  /** Without a slash at its end; a mirror may have a path. */
  readonly endpoint: string;
  readonly token: string | null;
  /** No socket is opened. */
  readonly offline: boolean;
  /** huggingface_hub's cache: read, never written. */
  readonly hubCache: string;
  /** Where full downloads are kept, laid out as huggingface_hub's cache. */
  readonly cache: string;
  /** URL of the proxy for an origin; null: none. */
  readonly proxyFor: (origin: URL) => string | null;
  /** A pull request from a fork runs without secrets, which the user may not know. */
  readonly inActions: boolean;
}

const PUBLIC_HUB = 'https://huggingface.co';

/**
 * Settings of a run. `HF_TOKEN` goes to whatever `HF_ENDPOINT` names; the token that `hf auth login` stored goes to huggingface.co only,
 * for which it was given.
 * @param offline `--offline`: as `HF_HUB_OFFLINE=1`
 * @throws UsageError for an endpoint that is no http(s) URL, a proxy that is no URL, or a token that no header can hold
 */
export async function hubSettings(env: Environment, offline: boolean): Promise<HubSettings> {
  const cacheHome = set(env['XDG_CACHE_HOME']) ?? join(set(env['HOME']) ?? homedir(), '.cache');
  const hfHome = absolute(env, set(env['HF_HOME']) ?? join(cacheHome, 'huggingface'));
  const endpoint = endpointOf(set(env['HF_ENDPOINT']) ?? PUBLIC_HUB);
  return {
    endpoint,
    token: await tokenOf(env, hfHome, endpoint),
    offline: offline || isTrue(set(env['HF_HUB_OFFLINE']) ?? env['TRANSFORMERS_OFFLINE']),
    hubCache: absolute(env, set(env['HF_HUB_CACHE']) ?? set(env['HUGGINGFACE_HUB_CACHE']) ?? join(hfHome, 'hub')),
    cache: absolute(env, set(env['FUSED_COMPAT_CACHE']) ?? join(cacheHome, 'fused-compat')),
    proxyFor: proxies(env),
    inActions: env['GITHUB_ACTIONS'] === 'true',
  };
}

function set(value: string | undefined): string | undefined {
  const trimmed = value?.trim();
  return trimmed === '' ? undefined : trimmed;
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'on', 'yes', 'true'].includes(value?.trim().toLowerCase() ?? '');
}

function absolute(env: Environment, path: string): string {
  const home = set(env['HOME']) ?? homedir();
  const expanded = path === '~' ? home : path.startsWith('~/') ? join(home, path.slice(2)) : path;
  return isAbsolute(expanded) ? expanded : resolve(expanded);
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new UsageError(`HF_ENDPOINT: ${quote(text)} is not the address of a Hub; allowed: a URL such as ${PUBLIC_HUB}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('HF_ENDPOINT: must not hold a user name or password; put the token into HF_TOKEN');
  }
  return (url.origin + url.pathname).replace(/\/+$/, '');
}

async function tokenOf(env: Environment, hfHome: string, endpoint: string): Promise<string | null> {
  const given = set(env['HF_TOKEN']) ?? set(env['HUGGING_FACE_HUB_TOKEN']);
  if (given !== undefined) return checkedToken(given, 'HF_TOKEN');
  if (endpoint !== PUBLIC_HUB || isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return null;
  const path = absolute(env, set(env['HF_TOKEN_PATH']) ?? join(hfHome, 'token'));
  const stored = set(await readFile(path, 'utf8').catch(() => ''));
  return stored === undefined ? null : checkedToken(stored, path);
}

function checkedToken(token: string, where: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new UsageError(`${where}: the token holds a space, a line break or a character that no token has; copy it again`);
}

/** http_proxy, https_proxy and no_proxy; lower case wins, as in curl. */
function proxies(env: Environment): (origin: URL) => string | null {
  const named = (name: string): string | null => {
    const value = set(env[name]) ?? set(env[name.toUpperCase()]);
    if (value === undefined) return null;
    const text = value.includes('://') ? value : `http://${value}`;
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
    // Not shown: a proxy's URL may hold its password.
    throw new UsageError(`${name.toUpperCase()}: is not the URL of an http or https proxy, such as http://proxy.example:3128`);
  };
  const byProtocol = { 'http:': named('http_proxy'), 'https:': named('https_proxy') };
  const without = (set(env['no_proxy']) ?? set(env['NO_PROXY']) ?? '').split(/[,\s]+/).filter((entry) => entry !== '');
  return (origin) => {
    if (without.some((entry) => isExcluded(entry.toLowerCase(), origin))) return null;
    return origin.protocol === 'https:' ? byProtocol['https:'] : byProtocol['http:'];
  };
}

/** `*`, `host`, `.host`, `*.host`, each with or without `:port`; a name also stands for what is below it. */
function isExcluded(entry: string, { hostname, port, protocol }: URL): boolean {
  if (entry === '*') return true;
  const [, name = '', entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry.replace(/^\[(.*)\](.*)$/, '[$1]$2')) ?? [];
  if (entryPort !== undefined && entryPort !== (port === '' ? (protocol === 'https:' ? '443' : '80') : port)) return false;
  const bare = name.replace(/^\*?\./, '');
  return hostname === bare || hostname.endsWith(`.${bare}`);
}
