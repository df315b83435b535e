import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { openFolder } from '../../src/hub/folder.js';
import { readSafetensors, tensorBytes } from '../../src/weights/safetensors.js';
import { memorySource, refusal, safetensorsBytes } from './made-files.js';

const F32_AT_0 = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';

async function accepted(bytes: Uint8Array): Promise<unknown[]> {
  const { tensors } = await readSafetensors(memorySource(bytes));
  return [...tensors.values()].map(({ name, dtype, shape, byteLength, begin }) => [name, dtype, shape, byteLength, begin]);
}

function refused(bytes: Uint8Array): Promise<string> {
  return refusal(readSafetensors(memorySource(bytes)));
}

describe('a valid header', () => {
  test('gives name, dtype, shape, length and place of each tensor', async () => {
    const header =
      '{"__metadata__":{"format":"pt"},"b":{"data_offsets":[8,12],"shape":[2,1],"dtype":"BF16"},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}';
    expect(await accepted(safetensorsBytes(header, 12))).toEqual([
      ['b', 'BF16', [2, 1], 4, 8],
      ['a', 'F64', [1], 8, 0],
    ]);
  });

  test('may have white space before, inside and after', async () => {
    expect(
      await accepted(safetensorsBytes(' \n\t\r{ "a" : { "dtype" : "F32" , "shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] } } \n ', 8)),
    ).toEqual([['a', 'F32', [2], 8, 0]]);
  });

  test('may be empty, or hold scalars and tensors without elements', async () => {
    expect(await accepted(safetensorsBytes('{}'))).toEqual([]);
    const header =
      '{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},"f":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}';
    expect(await accepted(safetensorsBytes(header, 4))).toEqual([
      ['s', 'F32', [], 4, 0],
      ['e', 'F32', [0, 7], 0, 4],
      ['f', 'I8', [0], 0, 0],
    ]);
  });

  test('keeps names that are traps elsewhere as they are', async () => {
    const names = ['__proto__', 'constructor', '', 'a\nb', '\u001b[31m', '\u202e', 'ü', '😀', '"', '\\'];
    const members = names.map((name, index) => `${JSON.stringify(name)}:{"dtype":"U8","shape":[1],"data_offsets":[${index},${index + 1}]}`);
    const found = (await accepted(safetensorsBytes(`{${members.join(',')}}`, names.length))) as [string][];
    expect(found.map(([name]) => name)).toEqual(names);
  });

  test('reads field names written with escapes', async () => {
    expect(await accepted(safetensorsBytes('{"\\u0061":{"\\u0064type":"F\\u00332","shape":[2],"data_offsets":[0,8]}}', 8))).toEqual([
      ['a', 'F32', [2], 8, 0],
    ]);
  });

  test('knows all 22 dtypes', async () => {
    const bits: Record<string, number> = {
      ...{ BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
      ...{ I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64 },
    };
    for (const [dtype, each] of Object.entries(bits)) {
      const bytes = (each * 4) / 8;
      expect(await accepted(safetensorsBytes(`{"a":{"dtype":"${dtype}","shape":[4],"data_offsets":[0,${bytes}]}}`, bytes))).toEqual([
        ['a', dtype, [4], bytes, 0],
      ]);
    }
  });
});

describe('the start of a file', () => {
  const foreign: [string, string | Uint8Array, RegExp][] = [
    ['no bytes', '', /8 bytes needed, file has 0/],
    ['7 bytes', '1234567', /8 bytes needed, file has 7/],
    ['header length 0', new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 1]), /header length 0 \(byte 0\)/],
    ['a block of zeros', new Uint8Array(4096), /first 512 bytes are all zero: the download did not complete/],
    [
      'header length 2^63',
      safetensorsBytes('{}', 0, 2n ** 63n),
      /header length 9,223,372,036,854,775,808 .* over the limit of 100,000,000/,
    ],
    ['header length 2^64 - 1', safetensorsBytes('{}', 0, 2n ** 64n - 1n), /over the limit/],
    ['a header longer than the file', safetensorsBytes('{}', 0, 1000n), /header says 1000 bytes, 2 present: file cut\?/],
    ['a header one byte longer than the file', safetensorsBytes('{}', 0, 3n), /header says 3 bytes, 2 present/],
    [
      'a Git LFS pointer',
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 1503300328\n`,
      /Git LFS pointer for sha256 (ab){32}, 1503300328 bytes, not the file itself\. Run "git lfs pull"/,
    ],
    ['a web page', '<!DOCTYPE html><html><body>Sign in</body></html>', /web page/],
    ['a web page in lower case', '\n<html lang="en">', /web page/],
    ['a JSON error', '{"error":"Repository not found"}', /JSON text/],
    ['a zip archive', Buffer.from('504b0304000008080000000000000000', 'hex'), /zip archive.*Convert it to safetensors/],
    [
      'a zip archive whose first bytes are a length within the limit',
      Buffer.from('504b0304000000000000000000000000', 'hex'),
      /zip archive/,
    ],
    ['a pickle', Buffer.from('80027d71002e00000000', 'hex'), /Python pickle/],
    ['a GGUF file', Buffer.from('47475546030000000000000000000000', 'hex'), /GGUF/],
    ['a header that is no object', safetensorsBytes('[]'), /does not begin with "\{" \(byte 8\)/],
    ['null as a header', safetensorsBytes('null'), /does not begin with "\{"/],
    ['only white space as a header', safetensorsBytes('   '), /does not begin with "\{"/],
  ];
  test.each(foreign)('%s is refused for what it is', async (_, content, message) => {
    const bytes = typeof content === 'string' ? new Uint8Array(Buffer.from(content)) : content;
    expect(await refused(bytes)).toMatch(message);
    expect(await refused(bytes)).toMatch(/^weights_invalid: model\.safetensors: /);
  });
});

describe('a header that is not strict JSON', () => {
  const wrap = (tensor: string): Uint8Array => safetensorsBytes(`{"a":${tensor}}`, 8);
  const cases: [string, Uint8Array, RegExp][] = [
    ['a byte order mark', safetensorsBytes('\ufeff{}'), /byte order mark.*\(byte 8\)/],
    ['bad UTF-8', safetensorsBytes(Buffer.from('7b22ff223a7b7d7d', 'hex')), /not valid UTF-8 \(byte 10\)/],
    ['an encoded surrogate', safetensorsBytes(Buffer.from('7b22eda080223a7b7d7d', 'hex')), /not valid UTF-8 \(byte 10\)/],
    [
      'a lone surrogate in a name',
      safetensorsBytes('{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      /half of a surrogate pair \(byte 9\)/,
    ],
    ['NUL padding', safetensorsBytes('{}\0\0'), /expected the end of the text, got byte 0x00 \(byte 10\)/],
    ['text after the object', safetensorsBytes('{}{}'), /expected the end of the text, got "\{"/],
    ['no closing brace', safetensorsBytes('{"a":{"dtype":"F32"'), /tensor "a": expected "," or "}", got the end of the text \(byte 27\)/],
    ['a trailing comma', safetensorsBytes(`${F32_AT_0.slice(0, -1)},}`, 8), /expected a key in double quotes, got "}"/],
    ['single quotes', safetensorsBytes("{'a':1}"), /expected a key in double quotes, got "'"/],
    ['a missing colon', safetensorsBytes('{"a" 1}'), /expected ":" after a key, got "1"/],
    ['a control character in a name', safetensorsBytes('{"a\u0001":1}'), /control character 0x01 \(byte 11\)/],
    ['an unknown escape', safetensorsBytes('{"\\x41":1}'), /escape that JSON does not have/],
    ['a cut escape', safetensorsBytes('{"\\u00'), /escape that JSON does not have/],
    ['a name without an end', safetensorsBytes('{"aaaa'), /string has no end/],
    ['a tensor that is null', wrap('null'), /tensor "a": expected dtype, shape and data_offsets as an object \{\.\.\.\}, got "n"/],
    ['a tensor that is an array', wrap('[]'), /got "\["/],
    ['a fraction', wrap('{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}'), /shape holds a number with a fraction/],
    ['an exponent', wrap('{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}'), /exponent/],
    ['minus zero', wrap('{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}'), /data_offsets of whole numbers, none negative, got "-"/],
    ['a negative size', wrap('{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}'), /none negative/],
    ['a leading zero', wrap('{"dtype":"F32","shape":[02],"data_offsets":[0,8]}'), /leading zero/],
    ['a size as a string', wrap('{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}'), /shape of whole numbers/],
    ['a size that is null', wrap('{"dtype":"F32","shape":[null],"data_offsets":[0,8]}'), /shape of whole numbers/],
    ['a shape that is a number', wrap('{"dtype":"F32","shape":2,"data_offsets":[0,8]}'), /expected shape as an array/],
    ['a dtype that is a number', wrap('{"dtype":4,"shape":[2],"data_offsets":[0,8]}'), /expected dtype as a string/],
  ];
  test.each(cases)('%s is refused', async (_, bytes, message) => {
    expect(await refused(bytes)).toMatch(message);
  });

  test('text in metadata must be text, and only once', async () => {
    expect(await refused(safetensorsBytes('{"__metadata__":{"a":1}}'))).toMatch(/expected a string in "__metadata__", got "1"/);
    expect(await refused(safetensorsBytes('{"__metadata__":[]}'))).toMatch(/expected "__metadata__" as an object/);
    expect(await refused(safetensorsBytes('{"__metadata__":{},"__metadata__":{}}'))).toMatch(/"__metadata__" stands in the header twice/);
    expect(await refused(safetensorsBytes('{"__metadata__":{"k":"1","k":"1"}}'))).toMatch(/has the key "k" twice/);
  });

  test('nesting 200,000 deep is refused without overflowing the stack', async () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect(await refused(safetensorsBytes(`{"__metadata__":{"a":${deep}}}`))).toMatch(/expected a string/);
    expect(await refused(safetensorsBytes(`{"a":${deep}}`))).toMatch(/expected dtype, shape/);
    expect(await refused(safetensorsBytes(`{"a":{"shape":${deep}}}`))).toMatch(/shape of whole numbers/);
    expect(await refused(safetensorsBytes('{"a":'.repeat(200_000)))).toMatch(/field "a"/);
  });
});

describe('a tensor that contradicts itself', () => {
  const tensor = (body: string, data = 8): Promise<string> => refused(safetensorsBytes(`{"a":{${body}}}`, data));

  test('is refused when a field is missing, repeated or unknown', async () => {
    expect(await tensor('"shape":[2],"data_offsets":[0,8]')).toMatch(/tensor "a": has no dtype/);
    expect(await tensor('"dtype":"F32","data_offsets":[0,8]')).toMatch(/has no shape/);
    expect(await tensor('"dtype":"F32","shape":[2]')).toMatch(/has no data_offsets/);
    expect(await tensor('"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]')).toMatch(/has dtype twice/);
    expect(await tensor('"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]')).toMatch(/has shape twice/);
    expect(await tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]')).toMatch(/has data_offsets twice/);
    expect(await tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1]')).toMatch(/has a field "stride"; only dtype, shape/);
  });

  test('is refused when its dtype is unknown, and the known ones are listed', async () => {
    for (const dtype of ['Q4_K', 'f32', '__proto__', 'toString', '']) {
      expect(await tensor(`"dtype":"${dtype}","shape":[2],"data_offsets":[0,8]`)).toMatch(
        `unknown dtype "${dtype}"; known are BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64`,
      );
    }
  });

  test('is refused when its bytes are not shape times dtype, with both numbers', async () => {
    expect(await tensor('"dtype":"F32","shape":[3],"data_offsets":[0,8]')).toMatch(
      /F32 of shape \[3\] needs 12 bytes, data_offsets \[0,8\] hold 8/,
    );
    expect(await tensor('"dtype":"BF16","shape":[2,3],"data_offsets":[0,8]')).toMatch(/needs 12 bytes/);
    expect(await tensor('"dtype":"F32","shape":[],"data_offsets":[0,8]')).toMatch(/needs 4 bytes/);
  });

  test('is refused when elements narrower than a byte do not fill bytes', async () => {
    expect(await tensor('"dtype":"F4","shape":[3],"data_offsets":[0,2]', 2)).toMatch(/12 bits, which do not fill bytes/);
    expect(await tensor('"dtype":"F6_E2M3","shape":[2],"data_offsets":[0,2]', 2)).toMatch(/12 bits/);
  });

  test('is refused when its offsets are not a pair in order', async () => {
    expect(await tensor('"dtype":"F32","shape":[2],"data_offsets":[8,0]')).toMatch(/\[8,0\] end before they begin/);
    expect(await tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8,8]')).toMatch(/data_offsets has 3 numbers; expected 2/);
    expect(await tensor('"dtype":"F32","shape":[0],"data_offsets":[]')).toMatch(/data_offsets has 0 numbers/);
  });

  test('is refused when sizes overflow or numbers lose their exactness', async () => {
    expect(await tensor('"dtype":"F32","shape":[2,18446744073709551614],"data_offsets":[0,8]')).toMatch(
      /shape holds 18446744073709551614: no file is that large/,
    );
    expect(await tensor('"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]')).toMatch(/overflows/);
    expect(await tensor('"dtype":"U8","shape":[2],"data_offsets":[9007199254740992,9007199254740994]', 2)).toMatch(
      /9007199254740992: no file/,
    );
    expect(await tensor('"dtype":"U8","shape":[2],"data_offsets":[9007199254740989,9007199254740991]', 2)).toMatch(/outside the data/);
    expect(await tensor(`"dtype":"U8","shape":[1${'0'.repeat(500)}],"data_offsets":[0,8]`)).toMatch(/no file is that large/);
  });

  test('is exact up to 2^53 bits', () => {
    expect(tensorBytes('U8', [2 ** 50 - 1])).toBe(2 ** 50 - 1);
    expect(tensorBytes('U8', [2 ** 50])).toMatch(/overflows/);
    expect(tensorBytes('U8', [2 ** 25, 2 ** 24])).toBe(2 ** 49);
    expect(tensorBytes('U8', [94906267, 94906267])).toMatch(/overflows/);
    expect(tensorBytes('F32', [0, 2 ** 53 - 1, 2 ** 53 - 1])).toBe(0);
  });
});

describe('tensors and the bytes of the file', () => {
  const pair = (a: string, b: string, data: number): Uint8Array =>
    safetensorsBytes(`{"a":{"dtype":"U8","shape":[8],"data_offsets":${a}},"b":{"dtype":"U8","shape":[8],"data_offsets":${b}}}`, data);

  test('two tensors on the same bytes are refused, both named', async () => {
    expect(await refused(pair('[0,8]', '[0,8]', 8))).toMatch(/tensor "b": data_offsets \[0,8\] overlap tensor "a" \[0,8\]/);
    expect(await refused(pair('[0,8]', '[4,12]', 12))).toMatch(/tensor "b": data_offsets \[4,12\] overlap tensor "a" \[0,8\]/);
    expect(await refused(pair('[4,12]', '[0,8]', 12))).toMatch(/tensor "a": data_offsets \[4,12\] overlap tensor "b" \[0,8\]/);
  });

  test('holes are refused with their bytes', async () => {
    expect(await refused(pair('[0,8]', '[16,24]', 24))).toMatch(/tensor "b": data_offsets \[16,24\] leave a hole: bytes 8 to 16/);
    expect(await refused(pair('[8,16]', '[16,24]', 24))).toMatch(/bytes 0 to 8 of the data belong to no tensor/);
  });

  test('offsets outside the file are refused', async () => {
    expect(await refused(pair('[0,8]', '[1000,1008]', 16))).toMatch(
      /tensor "b": data_offsets \[1000,1008\] are outside the data, which has 16 bytes/,
    );
  });

  test('a tensor without elements inside another is refused', async () => {
    const header = '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}';
    expect(await refused(safetensorsBytes(header, 8))).toMatch(/tensor "b": .*overlap tensor "a"/);
  });

  test('a name that stands twice is refused even with the same bytes', async () => {
    const member = '"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}';
    expect(await refused(safetensorsBytes(`{${member},${member}}`, 8))).toMatch(/tensor "a": stands in the header twice/);
    expect(await refused(safetensorsBytes(`{${member},${member.replace('"a"', '"\\u0061"')}}`, 8))).toMatch(/stands in the header twice/);
  });

  test('a cut file is refused with expected and actual length', async () => {
    const whole = safetensorsBytes(F32_AT_0, 8);
    const expected = whole.byteLength;
    expect(await refused(whole.subarray(0, expected - 2))).toMatch(
      `file cut: expected ${expected} bytes, has ${expected - 2}; the last tensor is "a"`,
    );
  });

  test('bytes after the last tensor are refused', async () => {
    expect(await refused(safetensorsBytes(F32_AT_0, 42))).toMatch(/34 bytes after the last tensor \(byte 70\)/);
    expect(await refused(safetensorsBytes('{}', 1))).toMatch(/1 bytes after the last tensor/);
  });

  test('hostile names are shown on one line, escaped', async () => {
    const name = 'x\n::error::\u001b[2J\u202e';
    const message = await refused(safetensorsBytes(`{${JSON.stringify(name)}:{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8));
    expect(message).toContain('tensor "x\\u{a}::error::\\u{1b}[2J\\u{202e}"');
    expect(message).not.toMatch(/[\n\u001b\u202e]/);
  });
});

describe('limits', () => {
  /** A file with a header of that length, valid when the limit allows it, without holding it in memory twice. */
  async function withHeader<Result>(length: number, use: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), 'fused-compat-test-'));
    try {
      const handle = await open(join(folder, 'model.safetensors'), 'wx');
      const start = Buffer.alloc(10);
      start.writeBigUInt64LE(BigInt(length));
      start.write('{}', 8);
      await handle.write(start);
      await handle.write(Buffer.alloc(length - 2, ' '));
      await handle.close();
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async function read(folder: string): Promise<number> {
    const source = await (await openFolder(folder)).open('model.safetensors');
    if (source === null) throw new Error('no file');
    try {
      return (await readSafetensors(source)).tensors.size;
    } finally {
      await source.close();
    }
  }

  test.each([99_999_999, 100_000_000])('a header of %i bytes is read', async (length) => {
    expect(await withHeader(length, read)).toBe(0);
  });

  test('a header of 100,000,001 bytes is refused before it is read', async () => {
    const bytes = safetensorsBytes('{}', 0, 100_000_001n);
    const reads: number[] = [];
    const source = memorySource(bytes);
    const watched = {
      ...source,
      byteLength: 200_000_000,
      slice: (start: number, end: number) => (reads.push(end - start), source.slice(start, Math.min(end, 10))),
    };
    expect(await refusal(readSafetensors(watched))).toMatch(/header length 100,000,001 .* over the limit of 100,000,000/);
    expect(Math.max(...reads)).toBeLessThanOrEqual(512);
  });

  test('300,000 tensors in any order are read', async () => {
    const count = 300_000;
    const members: string[] = [];
    for (let index = 0; index < count; index++) {
      const place = (index * 7919) % count;
      members.push(`"t${index}":{"dtype":"U8","shape":[1],"data_offsets":[${place},${place + 1}]}`);
    }
    const { tensors } = await readSafetensors(memorySource(safetensorsBytes(`{${members.join(',')}}`, count)));
    expect(tensors.size).toBe(count);
    expect(tensors.get('t3')).toMatchObject({ begin: 23757 });
  });
});
