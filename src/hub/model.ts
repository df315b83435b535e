// Where a model is that a user named: a folder, or the Hub. From here on nobody asks any more.

import { stat } from 'node:fs/promises';

import { ModelError, UsageError } from '../errors.js';
import { cachedSnapshot, verifySnapshot } from './cache.js';
import { startDownload, type Arriving } from './download.js';
import { openFolder } from './folder.js';
import { connectHub, type HubClient, type Patience, type Tally } from './http.js';
import { openHub, type HubModel } from './hub.js';
import { quote } from './names.js';
import { bytesInWords } from './progress.js';
import { hubReference } from './reference.js';
import { hubSettings, type Environment, type HubSettings } from './settings.js';
import type { SharedCache } from './shared-cache.js';
import type { ModelFiles } from './source.js';

/** What a run computes with beside config and weights. */
const TOKENIZER_FILES =
  /^(?:tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|merges|generation_config)\.(?:json|model|txt)$/;

/** The Hub for all models of a run. Settings are read and sockets opened when the first model needs them. */
export interface HubAccess {
  /** @throws ModelError `hub_unreachable` when the environment cannot be right */
  settings(): Promise<HubSettings>;
  client(): Promise<HubClient>;
  /** Asked before the Hub for what is downloaded in full; null: there is none. */
  readonly shared: SharedCache | null;
  close(): Promise<void>;
}

export interface OpenModel {
  readonly files: ModelFiles;
  /** Requests and bytes of bodies so far; null: files on this machine are read. */
  cost(): Tally | null;
  /** What to say about bytes that were used without a hash that vouches for them; null: there are none. */
  unverified(): string | null;
  /** Whether `copy` has other copies of the files than those read so far. */
  readonly remote: boolean;
  /**
   * A folder, or a file in one, on this machine with what was opened so far and the tokenizer: fetched in full and verified if need be.
   * Comes back when all is there but the `later` files, which arrive in that order.
   */
  copy(later: readonly string[]): Promise<Arriving>;
}

/** A copy that is there. */
function standing(folder: string): Arriving {
  return { folder, arrival: () => Promise.resolve(), whole: () => Promise.resolve() };
}

export function hubAccess(
  env: Environment,
  offline: boolean,
  options: { log?: (message: string) => void; patience?: Patience; shared?: SharedCache } = {},
): HubAccess {
  let settings: Promise<HubSettings> | null = null;
  let client: Promise<HubClient> | null = null;
  const read = (): Promise<HubSettings> =>
    (settings ??= hubSettings(env, offline).catch((error: unknown) => {
      // Seen only by models that need the Hub: local folders are judged all the same.
      throw error instanceof UsageError ? new ModelError('hub_unreachable', error.message) : error;
    }));
  return {
    settings: read,
    shared: options.shared ?? null,
    client: () => (client ??= read().then((found) => connectHub(found, options))),
    close: async () => {
      await (await client?.catch(() => null))?.close();
    },
  };
}

/**
 * Opens a model: the folder or file `path` if there is one, else `org/name[@revision]` on the Hub, or offline in its caches.
 * @param ref `id` as the user wrote it, `path` what it is as a path, absolute
 * @throws ModelError of openFolder and openHub
 */
export async function openModel(ref: { readonly id: string; readonly path: string }, hub: HubAccess): Promise<OpenModel> {
  const isThere = await stat(ref.path).then(
    () => true,
    () => false,
  );
  const reference = isThere ? null : hubReference(ref.id);
  if (reference === null) return { ...localModel(await openFolder(ref.path), ref.path), unverified: () => null };
  const settings = await hub.settings();
  if (settings.offline) {
    const { folder, commit } = await cachedSnapshot(settings, reference);
    const named = reference.file === null ? {} : { main: reference.file };
    const files = { ...(await openFolder(folder)), ...named, id: ref.id, revision: commit };
    return {
      files,
      remote: true,
      cost: () => null,
      unverified: () => `Read from the cache ${quote(folder)} offline: not hash-verified.`,
      copy: async () => {
        await verifySnapshot(folder);
        return standing(folder);
      },
    };
  }
  const client = await hub.client();
  const model = await openHub(reference, client).catch((error: unknown) => {
    throw error instanceof ModelError ? neither(ref.id, error) : error;
  });
  return {
    files: model,
    remote: true,
    cost: () => ({ ...model.tally }),
    unverified: () => rangedReads(model, settings),
    copy: async (later) => {
      const first = neededFiles(model).filter((name) => !later.includes(name));
      const copy = await startDownload(model, reference, [...first, ...later], client, hub.shared);
      if (later.length === 0) await copy.whole();
      // The first failure in order, not in time, is the one to report.
      else await Promise.all(first.map((name) => copy.arrival(name))).catch(() => copy.whole());
      return copy;
    },
  };
}

function localModel(files: ModelFiles, path: string): Omit<OpenModel, 'unverified'> {
  return { files, remote: false, cost: () => null, copy: () => Promise.resolve(standing(path)) };
}

/** Who mistyped a folder must not wonder what the Hub has to do with it. */
function neither(id: string, { code, message }: ModelError): ModelError {
  if (code !== 'model_not_found' && code !== 'hub_unreachable') return new ModelError(code, message);
  return new ModelError(
    code,
    `There is no ${/\.(?:gguf|onnx)$/.test(id) ? 'file' : 'folder'} ${quote(id)}, and as a model on the Hub: ${message}`,
  );
}

function neededFiles({ opened, listing }: HubModel): string[] {
  return [...new Set([...opened, ...[...listing.files.keys()].filter((name) => TOKENIZER_FILES.test(name))])];
}

function rangedReads({ unverified, tally, revision, listing }: HubModel, { endpoint }: HubSettings): string | null {
  if (unverified.size === 0) return null;
  const total = [...unverified].reduce((sum, name) => sum + (listing.files.get(name)?.size ?? 0), 0);
  const cost = `${bytesInWords(tally.bytes)} in ${tally.requests} requests`;
  return `Read by range from ${endpoint} at commit ${revision}: ${cost}, of ${bytesInWords(total)} of weights; not hash-verified, because a hash is of a whole file.`;
}
