// A model on the Hugging Face Hub or a mirror of it, as files that are read by range. Full copies are download.ts's business.

import { extname } from 'node:path';

import { ModelError } from '../errors.js';
import { nameOf } from './answers.js';
import { cachedBlob } from './cache.js';
import type { HubClient, Tally } from './http.js';
import { lanes } from './lanes.js';
import { listModel, type Listing } from './listing.js';
import { printable, quote } from './names.js';
import type { HubReference } from './reference.js';
import { remoteFile } from './remote-file.js';
import type { ByteSource, ModelFiles } from './source.js';

/**
 * Ranges of one model that are fetched at the same time. The norms of a model of 28 layers are 84 ranges of some kilobytes: with 8 at once
 * and 50 ms latency they take a second, with 16 the half of it (bench/hub.mjs).
 */
const PARALLEL_RANGES = 16;
const FILES_SHOWN = 10;

export interface HubModel extends ModelFiles {
  readonly revision: string;
  readonly listing: Listing;
  /** Requests and bytes so far. */
  readonly tally: Tally;
  /** Files of which bytes were used that no hash vouches for. */
  readonly unverified: ReadonlySet<string>;
  /** Files that were opened, in order. */
  readonly opened: ReadonlySet<string>;
}

/**
 * Resolves the revision to one commit and lists its files; they are read when they are asked for. A file that a cache holds is read there.
 * @throws ModelError `model_not_found`, `access_denied`, `hub_unreachable` and the others of this folder
 */
export async function openHub(reference: HubReference, client: HubClient): Promise<HubModel> {
  const tally: Tally = { requests: 0, bytes: 0 };
  const listing = await listModel(client, reference, tally);
  const { commit, repository, files } = listing;
  if (reference.file !== null && !files.has(reference.file)) throw noFile(reference, reference.file, [...files.keys()]);
  const opened = new Set<string>();
  const unverified = new Set<string>();
  const run = lanes(PARALLEL_RANGES);

  const open = async (name: string): Promise<ByteSource | null> => {
    const entry = files.get(name);
    if (entry === undefined) return null;
    opened.add(name);
    const onUnverified = (): void => void unverified.add(name);
    const local = await cachedBlob(client.settings, repository, entry);
    if (local !== null) {
      onUnverified();
      return local;
    }
    const subject = { repository, revision: reference.revision, file: name };
    const url = fileUrl(client.settings.endpoint, repository, commit, name);
    return remoteFile(entry, { client, subject, url, commit, tally, lanes: run, onUnverified });
  };
  client.log(`${nameOf({ ...reference, file: null })}: commit ${commit}`);
  return {
    id: reference.id,
    revision: commit,
    ...(reference.file === null ? {} : { main: reference.file }),
    listing,
    tally,
    unverified,
    opened,
    list: () => Promise.resolve([...files.keys()].filter((name) => !name.includes('/')).sort()),
    open,
  };
}

function noFile(reference: HubReference, file: string, names: readonly string[]): ModelError {
  const alike = names.filter((name) => extname(name) === extname(file)).sort();
  const shown = alike.slice(0, FILES_SHOWN).map((name) => printable(name));
  const has = alike.length === 0 ? `no ${extname(file)} file at all` : `${shown.join(', ')}${alike.length > FILES_SHOWN ? ', …' : ''}`;
  return new ModelError('model_not_found', `${nameOf({ ...reference, file: null })}: has no file ${quote(file)}; it has ${has}.`);
}

/** Each part of the name percent-encoded, the slashes kept. */
export function fileUrl(endpoint: string, repository: string, commit: string, name: string): URL {
  return new URL(`${endpoint}/${repository}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`);
}
