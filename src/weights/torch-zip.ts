// The zip archive that torch.save writes: its directory and where each entry's bytes are. Entries must be stored, not compressed.
// Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3 (zip64).

import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';

export const DIRECTORY_LIMIT = 64 * 1024 * 1024;
/** End record and the longest comment behind it. */
const TAIL_BYTES = 22 + 65_535;
const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;

export interface ZipEntry {
  readonly name: string;
  readonly crc: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly headerAt: number;
}

type Fault = (problem: string) => Error;

interface Directory {
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Entries by name.
 * @throws what `fault` makes: no or two directories, names twice, encryption, compression, entries that overlap or leave the file
 */
export async function readZip(source: ByteSource, fault: Fault): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source, fault);
  const bytes = view(await source.slice(directory.start, directory.end));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  while (at < bytes.byteLength) {
    const { entry, length } = readEntry(bytes, at, fault);
    if (entries.has(entry.name)) throw fault(`two entries of the archive are named ${quote(entry.name)}`);
    entries.set(entry.name, entry);
    at += length;
  }
  if (entries.size !== directory.count) throw fault(`the archive says ${directory.count} entries, its directory has ${entries.size}`);
  checkLayout([...entries.values()], directory.start, fault);
  return entries;
}

async function findDirectory(source: ByteSource, fault: Fault): Promise<Directory> {
  const tailStart = Math.max(0, source.byteLength - TAIL_BYTES);
  const tail = view(await source.slice(tailStart, source.byteLength));
  let at = tail.byteLength - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === 0x06054b50 && at + 22 + tail.readUInt16LE(at + 20) === tail.byteLength)) at--;
  if (at < 0) throw fault('the archive has no directory at its end: file cut? Download it again');
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) throw fault('the archive is one of several volumes');
  const plain = { count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), start: tail.readUInt32LE(at + 16) };
  const endAt = tailStart + at;
  const wide = await readZip64(source, endAt, fault);
  const found = wide ?? { ...plain, before: endAt };
  const lies =
    wide !== null &&
    ((plain.count !== 0xffff && plain.count !== wide.count) ||
      (plain.size !== 0xffffffff && plain.size !== wide.size) ||
      (plain.start !== 0xffffffff && plain.start !== wide.start));
  if (lies) throw fault('the two end records of the archive contradict each other');
  if (found.size > DIRECTORY_LIMIT) throw fault(`the directory of the archive has ${found.size} bytes; the limit is ${DIRECTORY_LIMIT}`);
  if (found.start + found.size !== found.before) {
    throw fault(`the directory of the archive ends at byte ${found.start + found.size}, not at its end record (byte ${found.before})`);
  }
  return { count: found.count, start: found.start, end: found.start + found.size };
}

async function readZip64(
  source: ByteSource,
  endAt: number,
  fault: Fault,
): Promise<{ count: number; size: number; start: number; before: number } | null> {
  if (endAt < 20) return null;
  const locator = view(await source.slice(endAt - 20, endAt));
  if (locator.readUInt32LE(0) !== 0x07064b50) return null;
  const at = exact(locator.readBigUInt64LE(8), fault);
  if (at + 56 > endAt - 20) throw fault(`the zip64 end record is said to be at byte ${at}, where it does not fit`);
  const record = view(await source.slice(at, at + 56));
  if (record.readUInt32LE(0) !== 0x06064b50 || at + 12 + exact(record.readBigUInt64LE(4), fault) !== endAt - 20) {
    throw fault(`there is no zip64 end record at byte ${at}`);
  }
  const [count = 0, size = 0, start = 0] = [32, 40, 48].map((offset) => exact(record.readBigUInt64LE(offset), fault));
  return { count, size, start, before: at };
}

function readEntry(bytes: Buffer, at: number, fault: Fault): { entry: ZipEntry; length: number } {
  if (at + ENTRY_BYTES > bytes.byteLength || bytes.readUInt32LE(at) !== 0x02014b50) throw fault('the directory of the archive is damaged');
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [
    number,
    number,
    number,
  ];
  const length = ENTRY_BYTES + nameLength + extraLength + commentLength;
  if (at + length > bytes.byteLength) throw fault('the directory of the archive is damaged');
  const name = bytes.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength);
  const extra = bytes.subarray(at + ENTRY_BYTES + nameLength, at + ENTRY_BYTES + nameLength + extraLength);
  const stated = [24, 20, 42].map((offset) => bytes.readUInt32LE(at + offset));
  const [size = 0, compressed = 0, headerAt = 0] = widened(
    stated,
    extra,
    () => fault(`the zip64 field of entry ${quote(name)} is damaged`),
    fault,
  );
  if ((bytes.readUInt16LE(at + 8) & 0x2041) !== 0) throw fault(`entry ${quote(name)} of the archive is encrypted`);
  const method = bytes.readUInt16LE(at + 10);
  if (method !== 0 || compressed !== size) {
    throw fault(`entry ${quote(name)} of the archive is compressed (method ${method}); torch.save stores its entries as they are`);
  }
  return { entry: { name, crc: bytes.readUInt32LE(at + 16), size, headerAt }, length };
}

/** Sizes and offset, those of 0xffffffff taken from the zip64 extra field, where they stand in this order. */
function widened(stated: readonly number[], extra: Buffer, damaged: () => Error, fault: Fault): number[] {
  if (!stated.includes(0xffffffff)) return [...stated];
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const end = at + 4 + extra.readUInt16LE(at + 2);
    let next = at + 4;
    return stated.map((value) => {
      if (value !== 0xffffffff) return value;
      if (next + 8 > end || end > extra.byteLength) throw damaged();
      next += 8;
      return exact(extra.readBigUInt64LE(next - 8), fault);
    });
  }
  throw damaged();
}

/** No two entries on the same bytes (a small file that unpacks to a large one), none in or behind the directory. */
function checkLayout(entries: readonly ZipEntry[], directoryStart: number, fault: Fault): void {
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.headerAt - b.headerAt)) {
    if (entry.headerAt < end) throw fault(`entry ${quote(entry.name)} of the archive overlaps the one before it`);
    end = entry.headerAt + LOCAL_BYTES + Buffer.byteLength(entry.name) + entry.size;
    if (end > directoryStart)
      throw fault(`entry ${quote(entry.name)} of the archive goes past byte ${directoryStart}, where its directory is`);
  }
}

/** First byte of an entry's data, after its local header, which must agree with the directory. */
export async function dataStart(source: ByteSource, entry: ZipEntry, fault: Fault): Promise<number> {
  const nameBytes = Buffer.byteLength(entry.name);
  const header = view(await source.slice(entry.headerAt, entry.headerAt + LOCAL_BYTES + nameBytes));
  const agrees =
    header.readUInt32LE(0) === 0x04034b50 &&
    header.readUInt16LE(8) === 0 &&
    (header.readUInt16LE(6) & 0x2041) === 0 &&
    header.readUInt16LE(26) === nameBytes &&
    header.toString('utf8', LOCAL_BYTES) === entry.name;
  if (!agrees)
    throw fault(`entry ${quote(entry.name)} of the archive is described otherwise at byte ${entry.headerAt} than in the directory`);
  const start = entry.headerAt + LOCAL_BYTES + nameBytes + header.readUInt16LE(28);
  if (start + entry.size > source.byteLength) throw fault(`entry ${quote(entry.name)} of the archive goes past the end of the file`);
  return start;
}

function exact(value: bigint, fault: Fault): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fault(`the archive has a size or offset of ${value}`);
  return Number(value);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
