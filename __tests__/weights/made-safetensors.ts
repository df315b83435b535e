// 62 safetensors files, whole and broken, with what the format's own parser says of them: the Rust library, through safetensors for Python.

import { safetensorsBytes } from './made-files.js';

export interface Sample {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  /** What safetensors 0.8.0 does with the file. */
  readonly rust: 'accepts' | 'refuses';
  /** Our refusal; a number where the file is read: how many tensors it has. */
  readonly ours: RegExp | number;
}

type Row = readonly [name: string, bytes: () => Uint8Array, rust: Sample['rust'], ours: Sample['ours']];

const entry = (dtype: string, shape: string, offsets: string): string => `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const file =
  (header: string | Uint8Array, data: Uint8Array | number = 0, length?: bigint) =>
  (): Uint8Array =>
    safetensorsBytes(header, data, length);
/** A file of the tensor "a" with so many bytes of data. */
const one = (dtype: string, shape: string, offsets: string, data: number): (() => Uint8Array) =>
  file(`{"a":${entry(dtype, shape, offsets)}}`, data);
const raw = (content: string | readonly number[]) => (): Uint8Array => Uint8Array.from(Buffer.from(content as string));
const U8 = (begin: number, end: number): string => entry('U8', `[${end - begin}]`, `[${begin},${end}]`);

// prettier-ignore
const ROWS: readonly Row[] = [
  ['no bytes at all', raw(''), 'refuses', /8 bytes needed, file has 0/],
  ['one byte', raw('a'), 'refuses', /8 bytes needed, file has 1/],
  ['seven bytes', raw('1234567'), 'refuses', /8 bytes needed, file has 7/],
  ['eight zeros', raw([0, 0, 0, 0, 0, 0, 0, 0]), 'refuses', /zero/],
  ['a header of length 0 before data', raw([0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), 'refuses', /header length 0/],
  ['a header of length 2^63', file('{}', 0, 2n ** 63n), 'refuses', /over the limit of 100,000,000/],
  ['a header of length 2^64 - 1', file('{}', 0, 2n ** 64n - 1n), 'refuses', /over the limit of 100,000,000/],
  ['a header one byte over the limit', file('{}', 0, 100_000_001n), 'refuses', /over the limit of 100,000,000/],
  ['a header longer than the file', file('{}', 0, 1000n), 'refuses', /header says 1000 bytes, 2 present: file cut/],
  ['a Git LFS pointer', raw(`version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 9\n`), 'refuses', /Git LFS pointer/],
  ['a web page', raw('<!DOCTYPE html><title>Sign in</title>'), 'refuses', /web page/],
  ['a short pickle', raw([0x80, 0x02, 0x7d, 0x71, 0x00, 0x2e, 0, 0, 0, 0]), 'refuses', /Python pickle/],
  ['the header null', file('null'), 'refuses', /does not begin with "\{"/],
  ['a list as header', file('[]'), 'refuses', /does not begin with "\{"/],
  ['a number as header', file('12'), 'refuses', /does not begin with "\{"/],
  ['a byte order mark', file('\ufeff{}'), 'refuses', /byte order mark/],
  ['bad UTF-8 in a name', file(Buffer.from('7b22ff223a7b7d7d', 'hex')), 'refuses', /not valid UTF-8/],
  ['a lone surrogate in a name', file(`{"\\ud800":${U8(0, 0)}}`), 'refuses', /half of a surrogate pair/],
  ['NUL padding after the header', file('{}\0\0'), 'refuses', /expected the end of the text, got byte 0x00/],
  ['text after the object', file('{}x'), 'refuses', /expected the end of the text/],
  ['a header cut in the middle', file('{"a":{"dtype":"F32"'), 'refuses', /got the end of the text/],
  ['a trailing comma', file(`{"a":${U8(0, 8)},}`, 8), 'refuses', /expected a key in double quotes/],
  ['nesting 200,000 deep in the metadata', file(`{"__metadata__":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`), 'refuses', /expected a string/],
  ['text before the first brace', file('x{}'), 'refuses', /does not begin with "\{"/],
  ['metadata that is no text', file('{"__metadata__":{"a":1}}'), 'refuses', /expected a string in "__metadata__"/],
  ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), 'refuses', /"__metadata__" stands in the header twice/],
  ['metadata that is a list', file('{"__metadata__":[]}'), 'refuses', /expected "__metadata__" as an object/],
  ['a tensor that is null', file('{"a":null}'), 'refuses', /expected dtype, shape and data_offsets as an object/],
  ['a tensor without dtype', file('{"a":{"shape":[8],"data_offsets":[0,8]}}', 8), 'refuses', /has no dtype/],
  ['a tensor without shape', file('{"a":{"dtype":"U8","data_offsets":[0,8]}}', 8), 'refuses', /has no shape/],
  ['a tensor without offsets', file('{"a":{"dtype":"U8","shape":[8]}}', 8), 'refuses', /has no data_offsets/],
  ['the field dtype twice', file('{"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}}', 8), 'refuses', /has dtype twice/],
  ['an unknown dtype', one('Q4_K', '[8]', '[0,8]', 8), 'refuses', /unknown dtype "Q4_K"; known are BOOL/],
  ['a dtype in lower case', one('f32', '[2]', '[0,8]', 8), 'refuses', /unknown dtype "f32"/],
  ['the dtype __proto__', one('__proto__', '[2]', '[0,8]', 8), 'refuses', /unknown dtype "__proto__"/],
  ['a fraction in a shape', one('U8', '[2.5]', '[0,8]', 8), 'refuses', /number with a fraction/],
  ['an exponent in a shape', one('U8', '[8e0]', '[0,8]', 8), 'refuses', /exponent/],
  ['minus zero in an offset', one('U8', '[8]', '[-0,8]', 8), 'refuses', /none negative/],
  ['a negative size', one('U8', '[-8]', '[0,8]', 8), 'refuses', /none negative/],
  ['a size as text', one('U8', '["8"]', '[0,8]', 8), 'refuses', /shape of whole numbers/],
  ['a size that is null', one('U8', '[null]', '[0,8]', 8), 'refuses', /shape of whole numbers/],
  ['offsets in the wrong order', one('U8', '[8]', '[8,0]', 8), 'refuses', /end before they begin/],
  ['three offsets', one('U8', '[8]', '[0,8,8]', 8), 'refuses', /data_offsets has 3 numbers/],
  ['a shape that overflows 64 bits', one('F32', '[2,18446744073709551614]', '[0,8]', 8), 'refuses', /no file is that large/],
  ['a product that overflows', one('F32', '[4294967296,4294967296,4294967296]', '[0,8]', 8), 'refuses', /overflows/],
  ['more bytes than the shape has', one('F32', '[1]', '[0,8]', 8), 'refuses', /needs 4 bytes, data_offsets \[0,8\] hold 8/],
  ['fewer bytes than the shape has', one('F32', '[3]', '[0,8]', 8), 'refuses', /needs 12 bytes, data_offsets \[0,8\] hold 8/],
  ['an odd number of F4', one('F4', '[3]', '[0,2]', 2), 'refuses', /do not fill bytes/],
  ['two tensors on the same bytes', file(`{"a":${U8(0, 8)},"b":${U8(0, 8)}}`, 8), 'refuses', /overlap tensor "a"/],
  ['two tensors that overlap by half', file(`{"a":${U8(0, 8)},"b":${U8(4, 12)}}`, 12), 'refuses', /overlap tensor "a"/],
  ['a hole between two tensors', file(`{"a":${U8(0, 8)},"b":${U8(16, 24)}}`, 24), 'refuses', /leave a hole: bytes 8 to 16/],
  ['a hole at the start', one('U8', '[8]', '[8,16]', 16), 'refuses', /bytes 0 to 8 of the data belong to no tensor/],
  ['an empty tensor inside another', file(`{"a":${U8(0, 8)},"b":${U8(4, 4)}}`, 8), 'refuses', /overlap tensor "a"/],
  ['two bytes missing at the end', one('U8', '[8]', '[0,8]', 6), 'refuses', /file cut: expected/],
  ['bytes after the last tensor', one('U8', '[8]', '[0,8]', 42), 'refuses', /34 bytes after the last tensor/],
  ['a name twice with other bytes', file(`{"a":${U8(0, 8)},"a":${U8(8, 16)}}`, 16), 'refuses', /stands in the header twice/],
  ['a name twice with the same bytes', file(`{"a":${U8(0, 8)},"a":${U8(0, 8)}}`, 8), 'accepts', /stands in the header twice/],
  ['no tensors', file('{}'), 'accepts', 0],
  ['white space around the header', file(` \n{"a":${U8(0, 8)}}\t `, 8), 'accepts', 1],
  ['a scalar and two empty tensors', file(`{"s":${entry('F32', '[]', '[0,4]')},"e":${U8(4, 4)},"f":${U8(0, 0)}}`, 4), 'accepts', 3],
  ['NaN and infinity as values, and a name that is a trap', file(`{"__proto__":${entry('BF16', '[2]', '[0,4]')}}`, Uint8Array.of(0xc0, 0x7f, 0x80, 0x7f)), 'accepts', 1],
  ['a valid header of 30 MB', file(`{"a":${U8(0, 8)}}`.padEnd(30_000_000), 8), 'accepts', 1],
];

export const SAMPLES: readonly Sample[] = ROWS.map(([name, bytes, rust, ours]) => ({ name, bytes, rust, ours }));
