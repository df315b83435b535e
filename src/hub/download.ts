// Full copies of a model's files in the cache: resumed where an earlier run stopped, and verified before they bear their name.

import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readlink, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join, relative } from 'node:path';

import { ModelError } from '../errors.js';
import { codeAndMessage, nameOf, tooLargeForHttp } from './answers.js';
import type { Subject } from './answers.js';
import { findBlob, hasContent, modelFolder } from './cache.js';
import { contentHash, type ContentHash } from './content-hash.js';
import type { HubClient } from './http.js';
import { fileUrl, type HubModel } from './hub.js';
import { lanes } from './lanes.js';
import { withLock } from './lock.js';
import { quote } from './names.js';
import { startProgress, type Progress } from './progress.js';
import type { HubReference } from './reference.js';
import { isCommit } from './reference.js';
import { answerChecker, checked, cut, mismatch, wrongRange, type RemoteEntry } from './remote-file.js';
import { sharedEntry, takeShared, type SharedCache } from './shared-cache.js';

const PARALLEL_FILES = 4;
const READ_BYTES = 4 * 1024 * 1024;
/** Writes that fail because there is no room, by the error's code; EFBIG is that of FAT's 4 GiB and of a limit on the process (ulimit -f). */
const FULL: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', "the user's share of the disk is used up"],
  ['EFBIG', 'the file is too large'],
]);

/** A listed file with the hash that its content must have. */
interface Wanted extends RemoteEntry {
  readonly hash: string;
}

interface Place {
  readonly model: HubModel;
  readonly reference: HubReference;
  readonly client: HubClient;
  /** `models--org--name` in the cache. */
  readonly root: string;
  readonly shared: SharedCache | null;
}

/** Files of a model on their way into the cache. */
export interface Arriving {
  /** Where each has its name as soon as it is verified, and not before. */
  readonly folder: string;
  /**
   * Waits until a file stands verified under its name.
   * @throws ModelError as `whole`, as soon as any of the files has failed
   */
  arrival(name: string): Promise<void>;
  /**
   * Waits until all that can be fetched is there.
   * @throws ModelError of the first file, in the order they were named, that could not be had
   */
  whole(): Promise<void>;
}

/**
 * Puts files of a model into the cache and gives the folder that has them, all hashed in this run, whether they were there before or not.
 * Processes that want the same file wait for the one that fetches it.
 * @param shared asked before the Hub for models that anyone may read; what it has is hashed like everything else
 * @throws ModelError `integrity` for content that is not what the Hub's hash says, `no_disk_space`, `download_failed` and those of http.ts
 */
export async function downloadModel(
  model: HubModel,
  reference: HubReference,
  names: Iterable<string>,
  client: HubClient,
  shared: SharedCache | null = null,
): Promise<string> {
  const { folder, whole } = await startDownload(model, reference, names, client, shared);
  await whole();
  return folder;
}

/**
 * As `downloadModel`, but comes back as soon as the download runs.
 * @param names in the order in which the files are needed
 */
export async function startDownload(
  model: HubModel,
  reference: HubReference,
  names: Iterable<string>,
  client: HubClient,
  shared: SharedCache | null = null,
): Promise<Arriving> {
  const { commit, repository, files } = model.listing;
  const root = modelFolder(client.settings.cache, repository);
  const place = { model, reference, client, root, shared };
  const wanted = [...new Set(names)].flatMap((name) => {
    const entry = files.get(name);
    return entry === undefined ? [] : [withHash(place, entry)];
  });
  const explained = (error: unknown): never => {
    throw error instanceof ModelError ? error : diskError(place, error);
  };
  try {
    const snapshot = await folders(root, commit);
    const { fetched, save } = await fetchMissing(place, wanted);
    const stands = async (entry: Wanted): Promise<void> => {
      await fetched.get(entry.hash);
      await linkBlob(root, snapshot, entry);
    };
    const arrivals = new Map(wanted.map((entry) => [entry.name, stands(entry).catch(explained)]));
    const failed = Promise.all(arrivals.values());
    const ended = Promise.allSettled(arrivals.values()).then(async (results) => {
      const failure = results.find((result) => result.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
      if (!isCommit(reference.revision)) await writeRef(root, reference.revision, commit).catch(explained);
      save?.();
    });
    // Whoever waits hears of it; nobody has to.
    for (const promise of [failed, ended]) promise.catch(() => undefined);
    return {
      folder: snapshot,
      // Raced, not awaited one by one: what comes after a failed file would be computed for nothing.
      arrival: (name) => Promise.race([failed, arrivals.get(name)]).then(() => undefined),
      whole: () => ended,
    };
  } catch (error) {
    return explained(error);
  }
}

function subjectOf({ model, reference }: Place, file: string | null): Subject {
  return { repository: model.listing.repository, revision: reference.revision, file };
}

function withHash(place: Place, entry: RemoteEntry): Wanted {
  const { hash } = entry;
  if (hash !== null) return { ...entry, hash };
  const name = nameOf(subjectOf(place, entry.name));
  throw new ModelError(
    'download_failed',
    `${name}: the mirror lacks its hash, so a download could not be verified. Use another HF_ENDPOINT.`,
  );
}

/** Only the top of the cache may be a link: whoever can write into it must not make this program write elsewhere. */
async function folders(root: string, commit: string): Promise<string> {
  const snapshot = join(root, 'snapshots', commit);
  await mkdir(snapshot, { recursive: true });
  await mkdir(join(root, 'blobs'), { recursive: true });
  for (const folder of [root, join(root, 'blobs'), join(root, 'snapshots'), snapshot]) {
    if (!(await lstat(folder)).isDirectory()) {
      throw new ModelError('refused_for_safety', `The cache folder ${quote(folder)} is a link or a file: refused. Remove it.`);
    }
  }
  return snapshot;
}

/** Starts to fetch, in the given order, what the cache lacks: blobs under way by hash, and what to do when all of them are there. */
async function fetchMissing(
  place: Place,
  wanted: readonly Wanted[],
): Promise<{ fetched: ReadonlyMap<string, Promise<void>>; save: (() => void) | null }> {
  const nothing = { fetched: new Map<string, Promise<void>>(), save: null };
  const missing = new Map<string, Wanted>();
  for (const entry of wanted) if (!(await isPresent(place, entry))) missing.set(entry.hash, entry);
  if (missing.size === 0) return nothing;
  const save = await fetchShared(place, wanted, missing);
  if (missing.size === 0) return nothing;
  await assertSpace(place, [...missing.values()]);
  const { client } = place;
  const total = [...missing.values()].reduce((sum, { size }) => sum + size, 0);
  const progress = startProgress(nameOf(subjectOf(place, null)), total, client);
  const run = lanes(PARALLEL_FILES);
  return { fetched: new Map([...missing].map(([hash, entry]) => [hash, run(() => fetchBlob(place, entry, progress))])), save };
}

/** Takes out of `missing` what the shared cache has; gives what saves the rest there for the next machine, if that makes sense. */
async function fetchShared(place: Place, wanted: readonly Wanted[], missing: Map<string, Wanted>): Promise<(() => void) | null> {
  const { shared, client, model, root } = place;
  if (shared === null) return null;
  const say = (message: string): void => client.log(`${nameOf(subjectOf(place, null))}: ${message}`);
  if (!model.listing.open) {
    say(`it may not be open to all (gated or private) and stays out of ${shared.name}`);
    return null;
  }
  const entry = sharedEntry(model.listing, wanted);
  const worthSaving = await takeShared(shared, entry, missing, (path, file) => adopt(path, blobPath(root, file), file), say);
  return worthSaving ? () => shared.save(entry, root) : null;
}

const blobPath = (root: string, { hash }: Wanted): string => join(root, 'blobs', hash);

/** Whether the blob is there and is what its name says; one that is not is removed. huggingface_hub's own copy is taken over. */
async function isPresent({ model, client, root }: Place, entry: Wanted): Promise<boolean> {
  const path = blobPath(root, entry);
  const stats = await lstat(path).catch(() => null);
  if (stats !== null) {
    if (await hasContent(path, entry.size, entry.hash)) return true;
    client.log(`${model.id}: the cached copy of ${entry.name} is damaged and is fetched again`);
    await rm(path, { force: true });
  }
  const other = await findBlob(client.settings, model.listing.repository, entry.hash, entry.size);
  if (other === null || !(await hasContent(other, entry.size, entry.hash))) return false;
  return adopt(other, path, entry);
}

async function adopt(from: string, path: string, entry: Wanted): Promise<boolean> {
  try {
    await link(from, path);
    return true;
  } catch {
    // Another file system. The copy is checked again: between the two looks the other may have changed.
    const temporary = `${path}.${randomUUID()}`;
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const right = await hasContent(temporary, entry.size, entry.hash);
    await (right ? rename(temporary, path) : rm(temporary, { force: true }));
    return right;
  }
}

async function assertSpace(place: Place, missing: readonly Wanted[]): Promise<void> {
  let needed = 0;
  for (const entry of missing) {
    const part = await lstat(`${blobPath(place.root, entry)}.part`).catch(() => null);
    needed += Math.max(0, entry.size - (part?.size ?? 0));
  }
  const { bavail, bsize } = await statfs(place.root);
  const free = bavail * bsize;
  if (needed > free) throw noSpace(place, `${needed} bytes are needed, ${free} are free`);
}

function noSpace({ model, root }: Place, problem: string): ModelError {
  return new ModelError(
    'no_disk_space',
    `${model.id}: ${problem} on the disk of ${quote(root)}. Set FUSED_COMPAT_CACHE to a folder on a larger one.`,
  );
}

function diskError(place: Place, error: unknown): unknown {
  const { code } = codeAndMessage(error);
  const full = FULL.get(code);
  if (full !== undefined) return noSpace(place, `${full} (${code})`);
  if (!/^E[A-Z]+$/.test(code)) return error;
  const problem = `the cache ${quote(place.root)} cannot be written (${code})`;
  return new ModelError('download_failed', `${place.model.id}: ${problem}. Set FUSED_COMPAT_CACHE to a folder that can.`);
}

async function fetchBlob(place: Place, entry: Wanted, progress: Progress): Promise<void> {
  const path = blobPath(place.root, entry);
  await withLock(`${path}.lock`, async () => {
    // The process that held the lock may have fetched it.
    if (await hasContent(path, entry.size, entry.hash)) {
      progress.advance(entry.size);
      return;
    }
    const part = `${path}.part`;
    const file = await openPart(place, part);
    try {
      await fetchInto(place, entry, file, progress);
      await file.sync();
      const [opened, named] = await Promise.all([file.stat(), lstat(part)]);
      if (opened.ino !== named.ino || opened.size !== entry.size) {
        throw new ModelError(
          'integrity',
          `${nameOf(subjectOf(place, entry.name))}: the file in the cache was changed while it was written. Run again.`,
        );
      }
      await rename(part, path);
    } catch (error) {
      const full = FULL.has(codeAndMessage(error).code);
      if (full || (error instanceof ModelError && error.code === 'integrity')) await rm(part, { force: true });
      throw tooLargeForHttp(error, subjectOf(place, entry.name), entry.size);
    } finally {
      await file.close();
    }
    await syncFolder(dirname(path));
  });
}

/** The beginning that an earlier run left, or a new file: never a link, and never a file that has another name too. */
async function openPart(place: Place, path: string): Promise<FileHandle> {
  const refuse = (): ModelError =>
    new ModelError('refused_for_safety', `${place.model.id}: ${quote(path)} in the cache is a link: refused. Remove it.`);
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o644);
  } catch (error) {
    throw codeAndMessage(error).code === 'ELOOP' ? refuse() : error;
  }
  const stats = await file.stat();
  if (stats.isFile() && stats.nlink === 1) return file;
  await file.close();
  throw refuse();
}

/** Fills the file from where it ends. A beginning of an earlier run that turns out wrong is thrown away, once. */
async function fetchInto(place: Place, entry: Wanted, file: FileHandle, progress: Progress): Promise<void> {
  let { size: kept } = await file.stat();
  if (kept > entry.size) await file.truncate((kept = 0));
  for (;;) {
    const check = contentHash(entry.hash, entry.size);
    await hashStart(file, kept, check);
    progress.advance(kept);
    await fetchRest(place, entry, file, kept, check, progress);
    const { matches, got } = check.result();
    if (matches) return;
    await file.truncate(0);
    progress.advance(-entry.size);
    if (kept === 0) throw mismatch(subjectOf(place, entry.name), entry.hash, got);
    place.client.log(`${nameOf(subjectOf(place, entry.name))}: what an earlier run left was damaged; fetching all of it`);
    kept = 0;
  }
}

async function hashStart(file: FileHandle, length: number, check: ContentHash): Promise<void> {
  const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(1, length)));
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, length - at), at);
    if (bytesRead === 0) throw new ModelError('integrity', 'a file in the cache became shorter while it was read. Run again.');
    check.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

async function fetchRest(
  place: Place,
  entry: Wanted,
  file: FileHandle,
  from: number,
  check: ContentHash,
  progress: Progress,
): Promise<void> {
  const { client, model } = place;
  const { commit, repository } = model.listing;
  const { name, size } = entry;
  const subject = subjectOf(place, name);
  const url = fileUrl(client.settings.endpoint, repository, commit, name);
  const assertAnswer = answerChecker(entry, { subject, commit });
  let at = from;
  if (at === size) return;
  await client.persist(subject, async (progressed) => {
    const range = { start: at, end: size };
    const answer = await client.get({ url, subject, tally: model.tally, headers: { range: `bytes=${at}-${size - 1}` } });
    let skip = checked(answer, () => assertAnswer(answer, range, Infinity));
    await answer.read(async (piece) => {
      const fresh = piece.subarray(Math.min(skip, piece.byteLength));
      skip -= piece.byteLength - fresh.byteLength;
      if (fresh.byteLength === 0) return;
      if (at + fresh.byteLength > size) throw wrongRange(subject, `more than the ${size} bytes of the file`);
      check.update(fresh);
      await writeAll(file, fresh, at);
      at += fresh.byteLength;
      progress.advance(fresh.byteLength);
      progressed();
    });
    if (at < size) throw cut(subject, at, size);
  });
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done);
    done += bytesWritten;
  }
}

/** Not everywhere possible, and then not needed. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY).catch(() => null);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** The name in the snapshot leads to the blob, as in huggingface_hub's cache; where the system has no links it is a second name or a copy. */
async function linkBlob(root: string, snapshot: string, entry: Wanted): Promise<void> {
  const path = join(snapshot, ...entry.name.split('/'));
  const blob = blobPath(root, entry);
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => null)) === target) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await symlink(target, temporary)
    .catch(() => link(blob, temporary))
    .catch(() => copyFile(blob, temporary, constants.COPYFILE_EXCL));
  await rename(temporary, path);
}

async function writeRef(root: string, revision: string, commit: string): Promise<void> {
  const path = join(root, 'refs', ...revision.split('/'));
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, commit, { flag: 'wx' });
  await rename(temporary, path);
}
