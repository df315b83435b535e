// The Hub's listing of a model: which commit a revision is, and which files it has with size and hash. No file is read here.
// https://huggingface.co/docs/hub/api#get-apimodelsrepoidrevisionrevision

import { ModelError } from '../errors.js';
import { header, nameOf } from './answers.js';
import type { Subject } from './answers.js';
import { isContentHash } from './content-hash.js';
import type { HubClient, Tally } from './http.js';
import { fileNameProblem, printable, quote } from './names.js';
import type { HubReference } from './reference.js';
import { isCommit } from './reference.js';
import type { RemoteEntry } from './remote-file.js';

export interface Listing {
  readonly commit: string;
  /** As the Hub calls it now: it may have been renamed. */
  readonly repository: string;
  readonly files: ReadonlyMap<string, RemoteEntry>;
  /** Whether anyone may read it who reaches this Hub: it is neither gated nor private, or was listed without a token. */
  readonly open: boolean;
}

const LISTING_BYTES = 64 * 1024 * 1024;
const FILES_LIMIT = 100_000;

type Json = Readonly<Record<string, unknown>>;

/**
 * Asks the Hub once, so that everything after it is of one commit.
 * @throws ModelError as answers.ts says; `refused_for_safety` for file names that leave the model
 */
export async function listModel(client: HubClient, { repository, revision }: HubReference, tally: Tally): Promise<Listing> {
  const subject = { repository, revision, file: null };
  const base = `${client.settings.endpoint}/api/models/${repository}`;
  const { value } = await getJson(client, subject, new URL(`${base}/revision/${encodeURIComponent(revision)}?blobs=true`), tally);
  const model = asObject(value);
  const commit = model?.['sha'];
  const siblings = model?.['siblings'];
  if (model === null || typeof commit !== 'string' || !isCommit(commit) || !Array.isArray(siblings)) {
    throw new ModelError(
      'download_failed',
      `${nameOf(subject)}: ${base} gave no commit and file list. Is HF_ENDPOINT the address of a Hub?`,
    );
  }
  if (isCommit(revision) && revision !== commit) {
    throw new ModelError(
      'integrity',
      `${nameOf(subject)}: the Hub answered with commit ${commit}: a branch that is named like a commit? Refused.`,
    );
  }
  let entries = siblings.map((file) => entryOf(subject, asObject(file), 'rfilename', 'blobId'));
  // Mirrors may leave sizes out of the model's own page.
  if (entries.some((entry) => entry === null)) entries = await listTree(client, subject, base, commit, tally);
  const open =
    client.settings.token === null
      ? model['gated'] !== 'auto' && model['gated'] !== 'manual'
      : model['gated'] === false && model['private'] === false;
  return { commit, repository: renamed(client, model, subject), files: filesOf(subject, entries), open };
}

function renamed(client: HubClient, model: Json, subject: Subject): string {
  const now = model['id'];
  if (typeof now !== 'string' || now === subject.repository || !/^[\w.-]+\/[\w.-]+$/.test(now) || fileNameProblem(now) !== null) {
    return subject.repository;
  }
  if (now.toLowerCase() !== subject.repository.toLowerCase()) {
    client.log(`${subject.repository} is now called ${now} on the Hub: change the name in your list`);
  }
  return now;
}

async function listTree(client: HubClient, subject: Subject, base: string, commit: string, tally: Tally): Promise<(RemoteEntry | null)[]> {
  const entries: (RemoteEntry | null)[] = [];
  let url: URL | null = new URL(`${base}/tree/${commit}?recursive=true`);
  const origin = url.origin;
  while (url !== null && entries.length <= FILES_LIMIT) {
    const { value, next }: { value: unknown; next: URL | null } = await getJson(client, subject, url, tally);
    if (!Array.isArray(value)) throw lacks(subject);
    for (const item of value as unknown[]) {
      const file = asObject(item);
      if (file?.['type'] === 'file') entries.push(entryOf(subject, file, 'path', 'oid'));
    }
    url = next !== null && next.origin === origin && next.href !== url.href ? next : null;
  }
  return entries;
}

function filesOf(subject: Subject, entries: readonly (RemoteEntry | null)[]): Map<string, RemoteEntry> {
  if (entries.length > FILES_LIMIT) {
    throw new ModelError('download_failed', `${nameOf(subject)}: lists more than ${FILES_LIMIT} files; no model has that many.`);
  }
  const files = new Map<string, RemoteEntry>();
  for (const entry of entries) {
    if (entry === null) throw lacks(subject);
    files.set(entry.name, entry);
  }
  return files;
}

function lacks(subject: Subject): ModelError {
  return new ModelError(
    'download_failed',
    `${nameOf(subject)}: the mirror lacks the sizes of the files, without which a cut download is not seen. Use another HF_ENDPOINT.`,
  );
}

/** One file; null when its size is not told. */
function entryOf(subject: Subject, file: Json | null, nameKey: string, hashKey: string): RemoteEntry | null {
  const name = file?.[nameKey];
  if (file === null || typeof name !== 'string') return null;
  const problem = fileNameProblem(name);
  if (problem !== null)
    throw new ModelError('refused_for_safety', `${nameOf(subject)}: lists a file ${quote(name)}, which ${problem}: refused.`);
  const lfs = asObject(file['lfs']);
  const size = lfs?.['size'] ?? file['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return null;
  const hash = lfs === null ? file[hashKey] : (lfs['sha256'] ?? lfs['oid']);
  if (hash === undefined || hash === null) return { name, size, hash: null };
  // It names a file in the cache: nothing but digits may pass.
  if (typeof hash === 'string' && isContentHash(hash)) return { name, size, hash };
  throw new ModelError(
    'refused_for_safety',
    `${nameOf(subject)}: lists ${quote(name)} with a hash that is none: ${printable(JSON.stringify(hash))}. Refused.`,
  );
}

async function getJson(client: HubClient, subject: Subject, url: URL, tally: Tally): Promise<{ value: unknown; next: URL | null }> {
  return client.persist(subject, async () => {
    const answer = await client.get({ url, subject, tally });
    const pieces: Uint8Array[] = [];
    let length = 0;
    await answer.read((piece) => {
      length += piece.byteLength;
      if (length > LISTING_BYTES)
        throw new ModelError('download_failed', `${nameOf(subject)}: the file list is over ${LISTING_BYTES} bytes.`);
      pieces.push(piece);
    });
    const next = /<([^>]+)>\s*;\s*rel="next"/.exec(header(answer.headers, 'link') ?? '')?.[1];
    const following = next !== undefined && URL.canParse(next, url.href) ? new URL(next, url) : null;
    return { value: parsed(subject, url, Buffer.concat(pieces).toString('utf8')), next: following };
  });
}

function parsed(subject: Subject, url: URL, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const page = /^\s*</.test(text) ? 'a web page: a proxy or a login page stands in between' : `no JSON: ${printable(text.slice(0, 40))}`;
    throw new ModelError('hub_unreachable', `${nameOf(subject)}: ${url.host} answered with ${page}.`);
  }
}

function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}
