// Results that are kept between runs: one file per result, under a name made of everything that the result depends on. What is kept, and what a
// result is, is for those who compute it.

import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { bfloat16Bits, bfloat16ToFloat32 } from '../weights/values.js';
import type { NdArray } from './ndarray.js';

/** What a result depends on, beside the model and the engine, which have a folder of their own. */
export interface Key {
  readonly what: string;
  /** Plain data. */
  readonly depends: unknown;
  /** Arrays, by name. */
  readonly tensors: Readonly<Record<string, NdArray>>;
  /**
   * Only the result for the last arrays is kept, for what comes of kernels: they are changed all the time, and nobody goes back to what an older
   * one gave.
   */
  readonly last?: true;
}

export interface Kept {
  readonly tensors: Readonly<Record<string, NdArray>>;
  /** Plain data beside them; null: none. */
  readonly note: unknown;
}

export interface Keeper {
  /** @returns null where nothing is kept under the key, or what is there is damaged */
  find(key: Key): Promise<Kept | null>;
  /** Whether something is kept under the key, which counts as a use; it may turn out to be damaged. */
  has(key: Key): Promise<boolean>;
  /** Keeps a result from here on. That it could not be written is no fault of the result: from then on nothing more is kept. */
  put(key: Key, kept: Kept): Promise<void>;
  /** Waits until all is written. */
  flush(): Promise<void>;
  /** Different results that were found from earlier runs, and results that were computed. */
  readonly counts: { readonly found: number; readonly made: number };
}

type Dtype = 'BF16' | 'F32' | 'F64';

interface Header {
  /** Digest of the key's arrays, where they are not in the name. */
  readonly of?: string;
  /** JSON, with what it has no number for as `{"number": "NaN"}`. */
  readonly note: unknown;
  readonly tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[]; readonly begin: number }[];
}

/** Magic and format, then the checksum of all that follows it, then the length of the JSON header. */
const MAGIC = Buffer.from('FCKEPT1\n');
const CHECKED_FROM = MAGIC.length + 4;
const HEADER_FROM = CHECKED_FROM + 4;
/** Bytes that may wait to be written while computing goes on. */
const WAITING_BYTES = 64 * 2 ** 20;

/**
 * @param folder that of one model, dtype and engine; it must be there
 * @param room bytes that may be written
 */
export function openKeeper(folder: string, room: number): Keeper {
  const found = new Set<string>();
  const made = new Set<string>();
  const writing = new Set<Promise<void>>();
  let waiting = 0;
  let left = room;
  const write = async (path: string, bytes: Buffer) => {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await writeFile(temporary, bytes, { flag: 'wx' });
      await rename(temporary, path);
    } catch {
      left = 0;
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    waiting -= bytes.length;
  };
  return {
    get counts() {
      return { found: found.size, made: made.size };
    },
    async find(key) {
      const name = nameOf(key);
      const path = join(folder, name);
      const bytes = await readFile(path).catch(() => null);
      const kept = bytes === null ? null : decode(bytes, arraysOf(key));
      if (kept === null) {
        if (bytes !== null) await rm(path, { force: true }).catch(() => undefined);
        return null;
      }
      if (kept === OTHER_ARRAYS) return null;
      if (!made.has(name)) found.add(name);
      await touch(path).catch(() => undefined);
      return kept;
    },
    has: (key) =>
      touch(join(folder, nameOf(key))).then(
        () => true,
        () => false,
      ),
    async put(key, kept) {
      const name = nameOf(key);
      made.add(name);
      if (left <= 0) return;
      const bytes = encode(kept, arraysOf(key));
      left -= bytes.length;
      waiting += bytes.length;
      const written = write(join(folder, name), bytes).finally(() => writing.delete(written));
      writing.add(written);
      while (waiting > WAITING_BYTES && writing.size > 0) await Promise.race(writing);
    },
    async flush() {
      await Promise.all(writing);
    },
  };
}

/** Its age is that of its last use: the oldest go first when there is too much. */
function touch(path: string): Promise<void> {
  const now = new Date();
  return utimes(path, now, now);
}

/** What is kept under the key, or else what `compute` gives, which then is kept. */
export async function remembered(keeper: Keeper | null | undefined, key: () => Key, compute: () => Promise<Kept>): Promise<Kept> {
  if (keeper === null || keeper === undefined) return compute();
  const own = key();
  const known = await keeper.find(own);
  if (known !== null) return known;
  const made = await compute();
  await keeper.put(own, made);
  return made;
}

function nameOf(key: Key): string {
  return digest(key.last === true ? { ...key, what: `last ${key.what}`, tensors: {} } : key);
}

/** What stands in the file where it is not in its name. */
function arraysOf({ last, tensors }: Key): string | undefined {
  return last === true ? digest({ what: 'arrays', depends: null, tensors }) : undefined;
}

/** A name for all that a result depends on. */
export function digest({ what, depends, tensors }: Key): string {
  const names = Object.keys(tensors);
  const hash = createHash('sha256').update(JSON.stringify([what, depends, names.map((name) => [name, tensors[name]?.shape])]));
  for (const name of names) {
    const { data } = tensors[name] as NdArray;
    hash.update(data instanceof Float64Array ? 'F64' : 'F32').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 40);
}

function encode({ tensors, note }: Kept, of?: string): Buffer {
  const parts: Uint8Array[] = [];
  let begin = 0;
  const entries = Object.entries(tensors).map(([name, { data, shape }]) => {
    const { dtype, bytes } = packed(data);
    parts.push(bytes);
    const entry = { name, dtype, shape, begin };
    begin += Math.ceil(bytes.byteLength / 8) * 8;
    return entry;
  });
  const header = Buffer.from(
    JSON.stringify({ ...(of === undefined ? {} : { of }), note, tensors: entries } satisfies Header, numberAsText),
  );
  const dataFrom = Math.ceil((HEADER_FROM + header.length) / 8) * 8;
  const out = Buffer.alloc(dataFrom + begin, ' ');
  MAGIC.copy(out);
  out.writeUInt32LE(header.length, CHECKED_FROM);
  header.copy(out, HEADER_FROM);
  for (const [i, bytes] of parts.entries()) out.set(bytes, dataFrom + (entries[i]?.begin ?? 0));
  out.writeUInt32LE(crc32(out.subarray(CHECKED_FROM)), MAGIC.length);
  return out;
}

/** Half the bytes where the lower halves of all float32 values are 0, as those of bfloat16 values are. */
function packed(data: NdArray['data']): { dtype: Dtype; bytes: Uint8Array } {
  if (data instanceof Float64Array) return { dtype: 'F64', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const upper = bfloat16Bits(data);
  if (upper !== null) return { dtype: 'BF16', bytes: new Uint8Array(upper.buffer) };
  return { dtype: 'F32', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function numberAsText(_: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return { number: Object.is(value, -0) ? '-0' : String(value) };
}

function textAsNumber(_: string, value: unknown): unknown {
  const isNumber = typeof value === 'object' && value !== null && 'number' in value && typeof value.number === 'string';
  return isNumber ? Number(value.number) : value;
}

/** Sound, but for other arrays than those of the key. */
const OTHER_ARRAYS = Symbol('other arrays');

/** @returns null for anything but what `encode` makes */
function decode(given: Buffer, of?: string): Kept | typeof OTHER_ARRAYS | null {
  if (given.length < HEADER_FROM || !given.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (crc32(given.subarray(CHECKED_FROM)) !== given.readUInt32LE(MAGIC.length)) return null;
  // Views of doubles begin at multiples of 8.
  const bytes = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
  const length = given.readUInt32LE(CHECKED_FROM);
  const header = JSON.parse(given.toString('utf8', HEADER_FROM, HEADER_FROM + length), textAsNumber) as Header;
  if (header.of !== of) return OTHER_ARRAYS;
  const dataFrom = bytes.byteOffset + Math.ceil((HEADER_FROM + length) / 8) * 8;
  const tensors = header.tensors.map(({ name, dtype, shape, begin }): [string, NdArray] => {
    const count = shape.reduce((product, size) => product * size, 1);
    const from = dataFrom + begin;
    if (dtype === 'F64') return [name, { data: new Float64Array(bytes.buffer, from, count), shape }];
    if (dtype === 'F32') return [name, { data: new Float32Array(bytes.buffer, from, count), shape }];
    return [name, { data: bfloat16ToFloat32(new Uint16Array(bytes.buffer, from, count)), shape }];
  });
  return { tensors: Object.fromEntries(tensors), note: header.note };
}
