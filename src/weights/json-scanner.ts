// A strict JSON scanner over bytes: exact integers, no duplicate keys hidden, no recursion, and the byte of each fault.
// JSON.parse cannot stand in: it keeps the last of two equal keys, rounds beyond 2^53, and takes 4e0 and -0 for integers.

import { isUtf8 } from 'node:buffer';

export interface Cursor {
  readonly bytes: Buffer;
  at: number;
  /** Makes the error that is thrown for a problem at a byte offset. */
  readonly fault: (at: number, problem: string) => Error;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** No model file nests deeper than a handful; the bound keeps later recursive readers off the end of the stack. */
const DEPTH_LIMIT = 100;

/**
 * A cursor at the start of a JSON text.
 * @throws what `fault` makes, on a byte order mark or bytes that are not UTF-8
 */
export function startText(bytes: Uint8Array, fault: Cursor['fault']): Cursor {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw fault(0, 'the text starts with a byte order mark, which JSON does not allow');
  if (!isUtf8(bytes)) throw fault(invalidUtf8At(bytes), 'the text is not valid UTF-8');
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, fault };
}

/** Offset of the character that is not valid UTF-8, by bisection: the check itself is native and much faster than a loop. */
function invalidUtf8At(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.byteLength;
  while (invalid - valid > 1) {
    let middle = (valid + invalid) >>> 1;
    while (middle > valid && ((bytes[middle] ?? 0) & 0xc0) === 0x80) middle--;
    if (middle === valid) break;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else invalid = middle;
  }
  return valid;
}

/** Ends a text: only white space may follow. */
export function expectEnd(cursor: Cursor): void {
  skipSpace(cursor);
  if (cursor.at < cursor.bytes.byteLength) throw unexpected(cursor, 'the end of the text');
}

export function skipSpace(cursor: Cursor): void {
  const { bytes } = cursor;
  let at = cursor.at;
  for (; ; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  cursor.at = at;
}

/** Walks an object: `visit` is called at the start of each member's value and must read exactly that value. */
export function scanObject(cursor: Cursor, what: string, visit: (key: string, keyAt: number) => void): void {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_OBJECT) throw unexpected(cursor, `${what} as an object {...}`);
  cursor.at++;
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_OBJECT) {
    cursor.at++;
    return;
  }
  for (;;) {
    skipSpace(cursor);
    const keyAt = cursor.at;
    const key = readString(cursor, 'a key in double quotes');
    passColon(cursor);
    visit(key, keyAt);
    if (!passComma(cursor, CLOSE_OBJECT)) return;
  }
}

/** Reads an array of integers in 0..2^53 - 1, exactly. */
export function readUnsignedArray(cursor: Cursor, what: string): number[] {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== OPEN_ARRAY) throw unexpected(cursor, `${what} as an array [...]`);
  cursor.at++;
  const values: number[] = [];
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] === CLOSE_ARRAY) {
    cursor.at++;
    return values;
  }
  do {
    skipSpace(cursor);
    values.push(readUnsigned(cursor, what));
  } while (passComma(cursor, CLOSE_ARRAY));
  return values;
}

function readUnsigned(cursor: Cursor, what: string): number {
  const { bytes } = cursor;
  const start = cursor.at;
  let at = start;
  let value = 0;
  for (; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + (byte - ZERO);
  }
  if (at === start) throw unexpected(cursor, `${what} of whole numbers, none negative`);
  const next = bytes[at];
  if (next === DOT || next === 0x65 || next === 0x45) {
    throw cursor.fault(start, `${what} holds a number with a fraction or an exponent; only whole numbers are allowed`);
  }
  if (bytes[start] === ZERO && at > start + 1) throw cursor.fault(start, `${what} holds a number with a leading zero`);
  if (value > Number.MAX_SAFE_INTEGER) {
    const digits = bytes.toString('latin1', start, Math.min(at, start + 40));
    throw cursor.fault(start, `${what} holds ${digits}${at - start > 40 ? '…' : ''}: no file is that large`);
  }
  cursor.at = at;
  return value;
}

/** Reads a string. Lone surrogates (`"\ud800"`) are refused: no two readers agree on what they are. */
export function readString(cursor: Cursor, what: string): string {
  skipSpace(cursor);
  const start = cursor.at;
  const plain = skipString(cursor, what);
  if (plain) return cursor.bytes.toString('utf8', start + 1, cursor.at - 1);
  const value: unknown = JSON.parse(cursor.bytes.toString('utf8', start, cursor.at));
  if (typeof value !== 'string' || /\p{Cs}/u.test(value)) throw cursor.fault(start, 'a string holds half of a surrogate pair');
  return value;
}

/** Passes a string; `true` when it has no escapes. */
function skipString(cursor: Cursor, what: string): boolean {
  const { bytes } = cursor;
  if (bytes[cursor.at] !== QUOTE) throw unexpected(cursor, what);
  let plain = true;
  for (let at = cursor.at + 1; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      cursor.at = at + 1;
      return plain;
    }
    if (byte < 0x20) throw cursor.fault(at, `a string holds the control character 0x${byte.toString(16).padStart(2, '0')}`);
    if (byte === BACKSLASH) {
      plain = false;
      at += escapeLength(bytes, at) - 1;
      if (Number.isNaN(at)) throw cursor.fault(cursor.at, 'a string holds an escape that JSON does not have');
    }
  }
  throw cursor.fault(cursor.at, 'a string has no end');
}

/** Length of the escape at `at`, NaN when there is no such escape. */
function escapeLength(bytes: Uint8Array, at: number): number {
  const letter = String.fromCharCode(bytes[at + 1] ?? 0);
  if (letter !== 'u') return '"\\/bfnrt'.includes(letter) ? 2 : NaN;
  const digits = String.fromCharCode(...bytes.subarray(at + 2, at + 6));
  return /^[0-9a-f]{4}$/i.test(digits) ? 6 : NaN;
}

/** Passes one value of any kind, checking its grammar. Iterative: nesting costs no stack. */
export function skipValue(cursor: Cursor): void {
  const closers: number[] = [];
  for (;;) {
    skipSpace(cursor);
    const opener = cursor.bytes[cursor.at];
    if (opener === OPEN_OBJECT || opener === OPEN_ARRAY) {
      if (closers.length === DEPTH_LIMIT) throw cursor.fault(cursor.at, `nested deeper than ${DEPTH_LIMIT} levels`);
      const closer = opener === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      cursor.at++;
      skipSpace(cursor);
      if (cursor.bytes[cursor.at] !== closer) {
        closers.push(closer);
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        continue;
      }
      cursor.at++;
    } else skipScalar(cursor);
    for (;;) {
      const closer = closers.at(-1);
      if (closer === undefined) return;
      if (passComma(cursor, closer)) {
        if (closer === CLOSE_OBJECT) skipKey(cursor);
        break;
      }
      closers.pop();
    }
  }
}

function skipKey(cursor: Cursor): void {
  skipSpace(cursor);
  skipString(cursor, 'a key in double quotes');
  passColon(cursor);
}

function skipScalar(cursor: Cursor): void {
  const { bytes, at } = cursor;
  const first = bytes[at] ?? 0;
  if (first === QUOTE) {
    skipString(cursor, 'a value');
    return;
  }
  const pattern =
    first === MINUS || (first >= ZERO && first <= NINE) ? /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/ : /^(?:true|false|null)/;
  // A number longer than this is no number that anybody wrote.
  const text = bytes.toString('latin1', at, at + 400);
  const length = pattern.exec(text)?.[0].length;
  if (length === undefined) throw unexpected(cursor, 'a value');
  cursor.at += length;
}

function passColon(cursor: Cursor): void {
  skipSpace(cursor);
  if (cursor.bytes[cursor.at] !== COLON) throw unexpected(cursor, '":" after a key');
  cursor.at++;
}

/** After an element: `true` past a comma, `false` past the closing bracket. */
function passComma(cursor: Cursor, closer: number): boolean {
  skipSpace(cursor);
  const byte = cursor.bytes[cursor.at];
  if (byte !== COMMA && byte !== closer) throw unexpected(cursor, `"," or "${String.fromCharCode(closer)}"`);
  cursor.at++;
  return byte === COMMA;
}

function unexpected(cursor: Cursor, expected: string): Error {
  const byte = cursor.bytes[cursor.at];
  if (byte === undefined) return cursor.fault(cursor.at, `expected ${expected}, got the end of the text`);
  const got = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  return cursor.fault(cursor.at, `expected ${expected}, got ${got}`);
}
