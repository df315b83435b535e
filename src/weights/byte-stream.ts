// Walking through a file front to back, with a window of its bytes in memory that is refilled by range. What the bytes mean is not known here.

import type { ByteSource } from '../hub/source.js';

/** First read, and the first after a jump: what is wanted there is usually one small record. */
const FIRST_BYTES = 64 * 1024;
const AFTER_JUMP_BYTES = 4 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

export interface ByteStream {
  readonly source: ByteSource;
  /** Makes the error that is thrown for a problem at a byte of the file. */
  readonly fault: (at: number, problem: string) => Error;
  window: Buffer;
  windowStart: number;
  /** Next byte, counted from `windowStart`; may lie beyond the window, where bytes were passed over unread. */
  at: number;
  nextRead: number;
}

export function startStream(source: ByteSource, fault: ByteStream['fault']): ByteStream {
  return { source, fault, window: Buffer.alloc(0), windowStart: 0, at: 0, nextRead: FIRST_BYTES };
}

/** Offset in the file of the next byte. */
export function position(stream: ByteStream): number {
  return stream.windowStart + stream.at;
}

/** Bytes from the next one to the end of the file. */
export function left(stream: ByteStream): number {
  return stream.source.byteLength - position(stream);
}

/**
 * Sees to it that the next `bytes` bytes are in the window, from `stream.at` on. Callers in hot loops look at the window first.
 * @param what named in the error when the file ends before
 */
export async function need(stream: ByteStream, bytes: number, what: string): Promise<void> {
  const inWindow = stream.window.byteLength - stream.at;
  if (inWindow >= bytes) return;
  const start = position(stream);
  if (bytes > left(stream)) throw stream.fault(start, `${what} needs ${bytes} bytes, ${Math.max(0, left(stream))} are left: file cut?`);
  const jumped = inWindow < 0;
  if (jumped) stream.nextRead = AFTER_JUMP_BYTES;
  const kept = jumped ? Buffer.alloc(0) : stream.window.subarray(stream.at);
  const from = start + kept.byteLength;
  const to = Math.min(stream.source.byteLength, from + Math.max(bytes - kept.byteLength, stream.nextRead));
  const read = await stream.source.slice(from, to);
  const fresh = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
  stream.window = kept.byteLength === 0 ? fresh : Buffer.concat([kept, fresh]);
  stream.windowStart = start;
  stream.at = 0;
  stream.nextRead = Math.min(MOST_BYTES, stream.nextRead * 2);
}

/** Passes over bytes without reading those beyond the window. */
export function skip(stream: ByteStream, bytes: number, what: string): void {
  if (bytes > left(stream)) throw stream.fault(position(stream), `${what} needs ${bytes} bytes, ${left(stream)} are left: file cut?`);
  stream.at += bytes;
}
