// Protobuf's wire format over a byte stream: fields are visited or passed over, nothing is kept. What the fields mean is not known here.
// protobufjs wants the whole message in memory, which for a model with inline weights is up to 2 GB.

import type { ByteStream } from './byte-stream.js';
import { left, need, position, skip } from './byte-stream.js';

/** At `stream.at` is the field's value, for wire type 2 the bytes up to `end`. True when the visitor read it all, false to pass over it. */
type Visit = (field: number, wire: number, end: number) => Promise<boolean>;

/** Visits the fields of a message that ends at the byte `end` of the file. */
export async function scanFields(stream: ByteStream, end: number, what: string, visit: Visit): Promise<void> {
  while (position(stream) < end) {
    const at = position(stream);
    const tag = await readVarint(stream, what);
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (field === 0 || field > 0x1fffffff) throw stream.fault(at, `${what} has a field of number ${field}`);
    const length = await valueLength(stream, wire, at, what);
    const valueEnd = position(stream) + length;
    if (valueEnd > end) throw stream.fault(at, `${what}: field ${field} goes ${valueEnd - end} bytes past its end`);
    if (!(await visit(field, wire, valueEnd))) {
      if (wire === 0) await readVarint(stream, what);
      else skip(stream, valueEnd - position(stream), what);
    } else if (wire !== 0 && position(stream) !== valueEnd) throw stream.fault(at, `${what}: field ${field} does not end where it should`);
  }
  if (position(stream) !== end) throw stream.fault(position(stream), `${what} does not end where it should`);
}

/** Bytes of the value; 1 for a varint, which says its own. */
async function valueLength(stream: ByteStream, wire: number, at: number, what: string): Promise<number> {
  if (wire === 0) return 1;
  if (wire === 1) return 8;
  if (wire === 5) return 4;
  if (wire !== 2) throw stream.fault(at, `${what} has a field of wire type ${wire}`);
  const length = await readVarint(stream, what);
  if (length > BigInt(left(stream))) throw stream.fault(at, `${what} has a field of ${length} bytes, ${left(stream)} are left: file cut?`);
  return Number(length);
}

/** An unsigned varint of at most 10 bytes. */
export async function readVarint(stream: ByteStream, what: string): Promise<bigint> {
  if (stream.at + 10 > stream.window.byteLength) await need(stream, Math.max(1, Math.min(10, left(stream))), what);
  const { window, at } = stream;
  let small = 0;
  for (let i = 0; i < 10; i++) {
    const byte = window[at + i];
    if (byte === undefined) break;
    // Below 2^49 a double is exact, and a bigint is needed only once.
    if (i < 7) small += (byte & 0x7f) * 2 ** (7 * i);
    if ((byte & 0x80) !== 0) continue;
    stream.at += i + 1;
    if (i < 7) return BigInt(small);
    let value = 0n;
    for (let j = i; j >= 0; j--) value = (value << 7n) | BigInt((window[at + j] ?? 0) & 0x7f);
    if (value > 0xffffffffffffffffn) break;
    return value;
  }
  throw stream.fault(position(stream), `${what} holds a number that is cut or longer than 64 bits`);
}

/** The next bytes; a view of the window, gone with the next read. */
export async function readBytes(stream: ByteStream, length: number, what: string): Promise<Buffer> {
  if (stream.at + length > stream.window.byteLength) await need(stream, length, what);
  const bytes = stream.window.subarray(stream.at, stream.at + length);
  stream.at += length;
  return bytes;
}
