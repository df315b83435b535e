// Local copies in the layout of huggingface_hub's cache: `models--org--name/{refs,blobs,snapshots}`. Its own is read, ours is written too.
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache

import { constants } from 'node:fs';
import { lstat, open, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { ModelError } from '../errors.js';
import { contentHash, isContentHash } from './content-hash.js';
import { openFolder } from './folder.js';
import { printable, quote } from './names.js';
import type { HubReference } from './reference.js';
import { isCommit } from './reference.js';
import type { RemoteEntry } from './remote-file.js';
import type { HubSettings } from './settings.js';
import type { ByteSource } from './source.js';

const READ_BYTES = 4 * 1024 * 1024;

export function modelFolder(cache: string, repository: string): string {
  return join(cache, `models--${repository.replace('/', '--')}`);
}

function caches({ cache, hubCache }: HubSettings): string[] {
  return [cache, hubCache];
}

/** A listed file out of a cache, if one has it with the listed size; null otherwise. The content is not hashed. */
export async function cachedBlob(settings: HubSettings, repository: string, { name, size, hash }: RemoteEntry): Promise<ByteSource | null> {
  const path = await findBlob(settings, repository, hash, size);
  if (path === null || hash === null) return null;
  const source = await (await openFolder(dirname(path))).open(hash);
  return source === null ? null : { ...source, name: printable(name) };
}

/** Path of a regular file of that size under a blob's name. */
export async function findBlob(settings: HubSettings, repository: string, hash: string | null, size: number): Promise<string | null> {
  if (hash === null) return null;
  for (const cache of caches(settings)) {
    const path = join(modelFolder(cache, repository), 'blobs', hash);
    const found = await lstat(path).catch(() => null);
    if (found?.isFile() === true && found.size === size) return path;
  }
  return null;
}

/**
 * The snapshot folder of a model in a cache, without the network.
 * @throws ModelError `hub_unreachable` when no cache has one
 */
export async function cachedSnapshot(settings: HubSettings, reference: HubReference): Promise<{ folder: string; commit: string }> {
  const { repository, revision } = reference;
  for (const cache of caches(settings)) {
    const root = modelFolder(cache, repository);
    const commit = isCommit(revision) ? revision : await commitOf(join(root, 'refs', ...revision.split('/')));
    if (commit === null) continue;
    const folder = join(root, 'snapshots', commit);
    if ((await lstat(folder).catch(() => null))?.isDirectory() === true) return { folder, commit };
  }
  throw new ModelError(
    'hub_unreachable',
    `${quote(reference.id)}: there is no such folder, the network is not used (--offline or HF_HUB_OFFLINE), and no cache has revision ` +
      `${quote(revision)} (looked in ${caches(settings).map(quote).join(' and ')}). Run once with the network, or give a local folder.`,
  );
}

/**
 * Hashes the files of a cached snapshot: in the caches' layout each is a link to a blob that bears its hash as its name.
 * @throws ModelError `integrity` for a blob that is not what its name says
 */
export async function verifySnapshot(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const target = await readlink(join(folder, name)).catch(() => null);
    // Without links (Windows) a cache holds copies, and no name says what they should be.
    const hash = target === null ? '' : basename(target);
    if (!isContentHash(hash)) continue;
    const blob = await realpath(join(folder, name)).catch(() => null);
    const size = blob === null ? 0 : (await lstat(blob)).size;
    if (blob !== null && (await hasContent(blob, size, hash))) continue;
    throw new ModelError(
      'integrity',
      `${quote(join(folder, name))} is not what its hash ${hash} says. Remove the folder ${quote(dirname(dirname(folder)))} and run once with the network.`,
    );
  }
}

async function commitOf(ref: string): Promise<string | null> {
  const text = await readFile(ref, 'utf8').catch(() => '');
  const commit = text.trim();
  return isCommit(commit) ? commit : null;
}

/** Whether a local file, which must not be a link, is the content that `hash` names. Reads all of it. */
export async function hasContent(path: string, size: number, hash: string): Promise<boolean> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size !== size) return false;
    const check = contentHash(hash, size);
    const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(size, 1)));
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - at), at);
      if (bytesRead === 0) return false;
      check.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return check.result().matches;
  } finally {
    await file.close();
  }
}
