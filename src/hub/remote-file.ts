// One file of a Hub repository as a byte source: ranged reads that are checked, merged and resumed. What is in the file is not known here.

import { ModelError } from '../errors.js';
import { header, nameOf, tooLargeForHttp, Transient } from './answers.js';
import type { Subject } from './answers.js';
import { contentHash, hashName } from './content-hash.js';
import type { Answer, HubClient, Tally } from './http.js';
import type { Lanes } from './lanes.js';
import { printable } from './names.js';
import { mergeRanges, type Range } from './ranges.js';
import type { ByteSource } from './source.js';

/** A file as the Hub's listing has it. */
export interface RemoteEntry {
  readonly name: string;
  readonly size: number;
  /** sha256 or git blob sha1; null where a mirror does not tell. */
  readonly hash: string | null;
}

/** Where a file is, and what all files of one model share. */
export interface RemotePlace {
  readonly client: HubClient;
  readonly subject: Subject;
  readonly url: URL;
  readonly commit: string;
  readonly tally: Tally;
  readonly lanes: Lanes;
  /** Called once when bytes of the file are used that no hash vouches for. */
  readonly onUnverified: () => void;
}

/** Headers of checkpoints of 0.6 billion parameters have 40 KB; those of one shard among many a tenth of that. */
const HEAD_BYTES = 64 * 1024;
const SHARD_HEAD_BYTES = 16 * 1024;
/** Read in full when all of it is asked for, so that its hash can be checked. */
const WHOLE_BYTES = 256 * 1024 * 1024;
/** A server that ignores ranges is put up with for files of this size. */
const SMALL_BYTES = 1024 * 1024;
/** Buffers end at 4 GiB, and nobody needs that much of a remote file at once. */
const SLICE_LIMIT = 2 ** 31;

/** Opens nothing yet: the first read makes the first request. */
export function remoteFile(entry: RemoteEntry, place: RemotePlace): ByteSource {
  const { name, size } = entry;
  const shown = printable(name);
  const fetchRange = rangeFetcher(entry, place);
  const headBytes = Math.min(size, /-\d+-of-\d+/.test(name) ? SHARD_HEAD_BYTES : HEAD_BYTES);
  let head: Promise<Uint8Array> | null = null;
  let whole: Promise<Uint8Array> | null = null;
  let unverified = false;

  const fetchWhole = (): Promise<Uint8Array> => (whole ??= verifiedWhole(entry, place, fetchRange));
  const batch = batchedReads((range) => place.lanes(() => fetchRange(range)));
  const ranged = (range: Range): Promise<Uint8Array> => {
    if (!unverified) place.onUnverified();
    unverified = true;
    return batch(range);
  };

  return {
    name: shown,
    byteLength: size,
    async slice(start, end) {
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= size)) {
        throw new ModelError('weights_invalid', `${shown}: bytes ${start} to ${end} are outside the file, which has ${size} bytes.`);
      }
      if (end - start > SLICE_LIMIT) throw new ModelError('weights_invalid', `${shown}: ${end - start} bytes in one read are too many.`);
      if (start === end) return new Uint8Array(0);
      if (whole !== null || size <= headBytes || (end - start === size && size <= WHOLE_BYTES))
        return (await fetchWhole()).slice(start, end);
      if (start >= headBytes) return ranged({ start, end });
      const first = await (head ??= ranged({ start: 0, end: headBytes }));
      if (end <= headBytes) return first.slice(start, end);
      const bytes = new Uint8Array(end - start);
      bytes.set(first.subarray(start));
      bytes.set(await ranged({ start: headBytes, end }), headBytes - start);
      return bytes;
    },
    close: async () => {
      head = null;
      whole = null;
    },
  };
}

/** All of a file, checked against its hash where there is one. A mismatch is asked for once more: caches along the way heal. */
async function verifiedWhole(
  entry: RemoteEntry,
  place: RemotePlace,
  fetchRange: (range: Range) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { hash, size } = entry;
  if (hash === null) {
    place.onUnverified();
    return place.lanes(() => fetchRange({ start: 0, end: size }));
  }
  return place.client.persist(place.subject, async () => {
    const bytes = await place.lanes(() => fetchRange({ start: 0, end: size }));
    const check = contentHash(hash, size);
    check.update(bytes);
    const { matches, got } = check.result();
    if (matches) return bytes;
    throw new Transient(`${hashName(hash)} mismatch`, mismatch(place.subject, hash, got), 0, 1);
  });
}

export function mismatch(subject: Subject, expected: string, got: string): ModelError {
  return new ModelError(
    'integrity',
    `${nameOf(subject)}: ${hashName(expected)} mismatch: expected ${expected}, got ${got}. What was downloaded is not used.`,
  );
}

/** Reads asked for in one turn of the event loop are sorted and merged, then fetched at the same time. */
function batchedReads(fetchRange: (range: Range) => Promise<Uint8Array>): (range: Range) => Promise<Uint8Array> {
  let waiting: { range: Range; resolve: (bytes: Promise<Uint8Array>) => void }[] = [];
  const flush = (): void => {
    const batch = waiting;
    waiting = [];
    for (const { range, members } of mergeRanges(batch)) {
      const fetched = fetchRange(range);
      for (const member of members) {
        const { start, end } = member.range;
        const alone = start === range.start && end === range.end && members.length === 1;
        member.resolve(alone ? fetched : fetched.then((bytes) => bytes.slice(start - range.start, end - range.start)));
      }
    }
  };
  return (range) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ range, resolve });
    });
}

/** Bytes of one range, from as many answers as it takes. The redirect to the CDN is resolved once and used until it fails. */
function rangeFetcher(entry: RemoteEntry, place: RemotePlace): (range: Range) => Promise<Uint8Array> {
  const { client, subject } = place;
  const check = answerChecker(entry, place);
  let route: URL | null = null;
  let finding: Promise<void> | null = null;

  const ask = async (range: Range): Promise<Answer> => {
    while (route === null && finding !== null) await finding;
    const headers = { range: `bytes=${range.start}-${range.end - 1}` };
    const asked = client.get({ url: route ?? place.url, subject, tally: place.tally, headers });
    if (route === null) {
      const found = asked.then(
        (answer) => void (route = answer.url),
        () => undefined,
      );
      finding = found.finally(() => (finding = null));
    }
    return asked;
  };

  return async ({ start, end }) => {
    const bytes = new Uint8Array(end - start);
    let got = 0;
    const fetched = client.persist(subject, async (progressed) => {
      try {
        const rest = { start: start + got, end };
        const answer = await ask(rest);
        let skip = checked(answer, () => check(answer, rest));
        await answer.read((piece) => {
          const wanted = piece.subarray(Math.min(skip, piece.byteLength));
          skip -= piece.byteLength - wanted.byteLength;
          const fits = answer.status === 200 ? wanted.subarray(0, bytes.byteLength - got) : wanted;
          if (got + fits.byteLength > bytes.byteLength) {
            got = 0;
            throw wrongRange(subject, `more than the ${bytes.byteLength} bytes that were asked for`);
          }
          bytes.set(fits, got);
          got += fits.byteLength;
          if (fits.byteLength > 0) progressed();
        });
        if (got < bytes.byteLength) throw cut(subject, start + got, end);
      } catch (error) {
        if (error instanceof Transient) route = null;
        throw error;
      }
    });
    await fetched.catch((error: unknown) => {
      throw tooLargeForHttp(error, subject, entry.size);
    });
    return bytes;
  };
}

export function checked<T>(answer: Answer, check: () => T): T {
  try {
    return check();
  } catch (error) {
    answer.drop();
    throw error;
  }
}

export function cut(subject: Subject, at: number, end: number): Transient {
  const problem = `${nameOf(subject)}: the server's answer ends at byte ${at} of ${end}, every time. Run again later.`;
  return new Transient(`the answer was cut at byte ${at} of ${end}`, new ModelError('download_failed', problem));
}

export function wrongRange(subject: Subject, problem: string): Transient {
  const final = `${nameOf(subject)}: the server answered a range request with ${problem}. A proxy or mirror in between is at fault.`;
  return new Transient(`wrong range: ${problem}`, new ModelError('integrity', final), 0, 1);
}

/**
 * Checks that an answer holds exactly the range, of the file that was listed: else wrong bytes would be taken for weights.
 * @returns how many bytes of the body come before the range: 0, but for a file of up to `wholeUpTo` bytes that comes in full
 */
export function answerChecker(
  { name, size, hash }: RemoteEntry,
  { subject, commit }: Pick<RemotePlace, 'subject' | 'commit'>,
): (answer: Answer, range: Range, wholeUpTo?: number) => number {
  const etags = new Map<string, string>();
  const shown = nameOf(subject);
  return ({ status, headers, linked, url }, range, wholeUpTo = SMALL_BYTES) => {
    assertListed(subject, { size, hash, commit }, linked ?? headers);
    if (/^text\/html\b/i.test(header(headers, 'content-type') ?? '') && !/\.html?$/i.test(name)) {
      throw new ModelError('hub_unreachable', `${shown}: ${url.host} answered with a web page: a proxy or a login page stands in between.`);
    }
    const encoding = header(headers, 'content-encoding') ?? 'identity';
    if (encoding !== 'identity') {
      throw new ModelError(
        'integrity',
        `${shown}: ${url.host} compressed the answer (${printable(encoding)}) although it was asked not to.`,
      );
    }
    const etag = header(headers, 'etag');
    const before = etags.get(url.host);
    if (etag !== null && before !== undefined && etag !== before)
      throw changed(subject, `ETag ${printable(before)}, then ${printable(etag)}`);
    if (etag !== null) etags.set(url.host, etag);
    if (status === 206) {
      const said = header(headers, 'content-range');
      if (said?.trim() === `bytes ${range.start}-${range.end - 1}/${size}`) return 0;
      throw wrongRange(
        subject,
        `Content-Range ${said === null ? 'missing' : printable(said)}, expected bytes ${range.start}-${range.end - 1}/${size}`,
      );
    }
    const length = header(headers, 'content-length');
    if (length !== null && Number(length) !== size) throw wrongRange(subject, `${printable(length)} bytes; the file has ${size}`);
    if (range.start === 0 && range.end === size) return 0;
    if (size <= wholeUpTo) return range.start;
    throw new ModelError(
      'download_failed',
      `${shown}: ${url.host} does not support range requests (it answered ${status}), so ${size} bytes would have to be read for a few. Use another mirror.`,
    );
  };
}

function assertListed(subject: Subject, listed: { size: number; hash: string | null; commit: string }, headers: Answer['headers']): void {
  const commit = header(headers, 'x-repo-commit');
  if (commit !== null && commit !== listed.commit) throw changed(subject, `commit ${listed.commit}, then ${printable(commit)}`);
  const size = header(headers, 'x-linked-size');
  if (size !== null && Number(size) !== listed.size)
    throw changed(subject, `listed with ${listed.size} bytes, served with ${printable(size)}`);
  const etag = header(headers, 'x-linked-etag')?.replace(/^W\//, '').replaceAll('"', '');
  if (etag !== undefined && listed.hash !== null && etag.length === listed.hash.length && etag !== listed.hash) {
    throw changed(subject, `hash ${listed.hash}, then ${printable(etag)}`);
  }
}

function changed(subject: Subject, how: string): ModelError {
  return new ModelError(
    'integrity',
    `${nameOf(subject)}: changed during the run (${how}). Run again; if it repeats, the mirror is at fault.`,
  );
}
