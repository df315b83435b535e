// Text of a kernel's process, cut into lines and kept within bounds. What the lines mean is not known here.

import { printable } from '../hub/names.js';

const NEWLINE = 0x0a;

/**
 * Takes chunks and gives lines, without their newline. Of a line over `limit` bytes only its beginning is given, and to `onTooLong`; the rest
 * up to the newline is dropped.
 */
export function splitLines(limit: number, onLine: (line: string) => void, onTooLong: (start: string) => void): (chunk: Buffer) => void {
  let pieces: Buffer[] = [];
  let length = 0;
  let dropping = false;
  const take = (piece: Buffer, whole: boolean) => {
    if (!dropping) {
      pieces.push(piece);
      length += piece.byteLength;
    }
    if (!dropping && length > limit) {
      dropping = true;
      const start = Buffer.concat(pieces).subarray(0, limit).toString('utf8');
      pieces = [];
      onTooLong(start);
    }
    if (!whole) return;
    const line = dropping ? null : Buffer.concat(pieces).toString('utf8');
    pieces = [];
    length = 0;
    dropping = false;
    if (line !== null) onLine(line);
  };
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end), true);
      start = end + 1;
    }
    if (start < chunk.byteLength) take(chunk.subarray(start), false);
  };
}

/** Enough of stderr to see why a program gave up. */
const TAIL_BYTES = 4096;
const LAST_LINES = 3;
/** A program that prints more is not read by anybody; the tail still is. */
const LOGGED_LINES = 200;
const LOGGED_LINE_BYTES = 1024;

export interface Words {
  push(chunk: Buffer): void;
  /** `; its last words: ...`, or nothing where it said nothing. */
  last(): string;
}

/** Keeps the tail of what a program prints on stderr, and logs the first of its lines. */
export function listen(log: (line: string) => void): Words {
  let tail = Buffer.alloc(0);
  let logged = 0;
  const write = (line: string) => {
    if (line.trim() === '' || logged > LOGGED_LINES) return;
    logged += 1;
    log(logged > LOGGED_LINES ? `what it printed after ${LOGGED_LINES} lines is not shown` : printable(line.trimEnd()));
  };
  const split = splitLines(LOGGED_LINE_BYTES, write, write);
  return {
    push(chunk) {
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
      if (logged <= LOGGED_LINES) split(chunk);
    },
    last() {
      const words = oneLine(tail.toString('utf8'));
      return words === '' ? '' : `; its last words: ${words}`;
    },
  };
}

/** The last lines of a text that a program wrote, escaped and in one. */
export function oneLine(text: string): string {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return lines
    .slice(-LAST_LINES)
    .map((line) => printable(line.trim()))
    .join(' | ');
}
