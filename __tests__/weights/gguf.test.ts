// The GGUF reader: what is valid is read exactly, what llama.cpp refuses is refused by name and byte (faults 44 to 53).

import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { staticCheck } from '../../src/checker/static-check.js';
import { openFolder } from '../../src/hub/folder.js';
import type { ByteSource } from '../../src/hub/source.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { readGguf } from '../../src/weights/gguf.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { THRESHOLDS } from '../checker/checkpoints.js';
import { judged } from './judged.js';
import { memorySource, refusal, withFolder } from './made-files.js';
import type { MadeGguf, TensorEntry } from './made-gguf.js';
import { arrayKey, float32, ggufBytes, ggufModel, GGUF_TYPE, key, stringKey, text, u32, u32Key, u64 } from './made-gguf.js';

const source = (made: MadeGguf | Uint8Array): ByteSource => memorySource(made instanceof Uint8Array ? made : ggufBytes(made), 'model.gguf');
const read = (made: MadeGguf | Uint8Array) => readGguf(source(made));
const refused = (made: MadeGguf | Uint8Array): Promise<string> => refusal(read(made));
const one = (over: Partial<TensorEntry> = {}): TensorEntry[] => [{ name: 'a', dims: [4], data: float32(1, 2, 3, 4), ...over }];

describe('a valid file', () => {
  test('gives metadata, shapes in the order of PyTorch, and the values of each tensor', async () => {
    const file = await read({
      keys: [
        stringKey('general.architecture', 'qwen3'),
        key('a.bool', GGUF_TYPE.bool, Buffer.of(1)),
        key('a.f32', GGUF_TYPE.f32, float32(1.5)),
        key('a.i64', GGUF_TYPE.i64, u64(2n ** 64n - 5n)),
        key('a.u64', GGUF_TYPE.u64, u64(2n ** 63n)),
        arrayKey('a.numbers', GGUF_TYPE.u32, [u32(7), u32(8)]),
        arrayKey('a.texts', GGUF_TYPE.string, [text('x'), text('yy')]),
      ],
      tensors: [
        { name: 'm', dims: [2, 3], data: float32(1, 2, 3, 4, 5, 6) },
        { name: 'v', dims: [3], data: float32(7, 8, 9) },
        { name: 'empty', dims: [0], data: new Uint8Array(0) },
      ],
    });
    expect([...file.metadata]).toEqual([
      ['general.architecture', 'qwen3'],
      ['a.bool', true],
      ['a.f32', 1.5],
      ['a.i64', -5],
      ['a.u64', 2n ** 63n],
      ['a.numbers', [7, 8]],
      ['a.texts', null],
    ]);
    expect(file.tensors.get('m')).toMatchObject({ shape: [3, 2], dtype: 'F32', byteLength: 24 });
    const vector = file.tensors.get('v');
    if (vector === undefined) throw new Error('v is not there');
    expect(new Float32Array((await file.read(vector, 0, 12)).buffer)).toEqual(Float32Array.of(7, 8, 9));
    expect(new Float32Array((await file.read(vector, 4, 8)).buffer)).toEqual(Float32Array.of(8));
  });

  test('of version 2, of another alignment, with a type in blocks, and without tensors are read', async () => {
    expect((await read({ version: 2, tensors: one() })).tensors.size).toBe(1);
    const aligned = await read({
      alignment: 64,
      keys: [u32Key('general.alignment', 64)],
      tensors: [...one(), { name: 'q', dims: [64, 2], type: 8, data: new Uint8Array(4 * 34) }],
    });
    expect(aligned.tensors.get('q')).toMatchObject({ dtype: 'Q8_0', shape: [2, 64], byteLength: 136 });
    expect((await read({ keys: [stringKey('a', 'b')] })).tensors.size).toBe(0);
  });

  test.each([3_000_000, 5_000_000, 65_535, 65_536, 65_537])(
    'with a string of %i bytes across the borders of reads has all that follows it exact',
    async (length) => {
      const file = await read({ keys: [stringKey('template', 'x'.repeat(length)), stringKey('after', 'kept')], tensors: one() });
      expect(file.metadata.get('after')).toBe('kept');
      expect(file.metadata.get('template')).toBe(length <= 65_536 ? 'x'.repeat(length) : null);
      expect(file.tensors.get('a')).toMatchObject({ shape: [4] });
    },
  );

  test('with an array of 1,000,001 strings, and one of as many numbers, has all that follows them exact', async () => {
    const texts = Array.from({ length: 1_000_001 }, (_, index) => text(`t${index % 100}`));
    const numbers = arrayKey('numbers', GGUF_TYPE.f32, [new Uint8Array(4 * 1_000_001)], 1_000_001n);
    const file = await read({ keys: [arrayKey('texts', GGUF_TYPE.string, texts), numbers, u32Key('after', 7)], tensors: one() });
    expect(file.metadata.get('after')).toBe(7);
    expect(file.tensors.size).toBe(1);
  });

  test('is read without its data', async () => {
    const bytes = ggufBytes({ tensors: [{ name: 'big', dims: [1024, 1024], data: new Uint8Array(4 * 1024 * 1024) }] });
    let read = 0;
    const counting: ByteSource = { ...source(bytes), slice: async (start, end) => ((read += end - start), bytes.slice(start, end)) };
    await readGguf(counting);
    expect(read).toBeLessThan(70_000);
  });
});

describe('the start of a file', () => {
  test.each([
    ['GGML', 'this is a GGML file, older than GGUF'],
    ['lmgg', 'this is a GGML file, older than GGUF'],
    ['tjgg', 'this is a GGJT file, older than GGUF'],
    ['FUGG', 'bytes swapped (big-endian)'],
    ['ABCD', 'not a GGUF file: it begins with "ABCD"'],
    ['PK\x03\x04', 'zip archive'],
  ])('with magic %j has its own message', async (magic, message) => {
    expect(await refused({ magic })).toContain(message);
  });

  test.each([
    [0, 'GGUF version 0'],
    [1, 'version 1 is older than llama.cpp reads'],
    [4, 'GGUF version 4; versions 2 and 3 are read'],
    [0x03000000, 'this file is big-endian'],
  ])('of version %i has its own message', async (version, message) => {
    expect(await refused({ version })).toContain(message);
  });

  test('that ends early, or is empty, or a pointer of Git LFS is refused', async () => {
    expect(await refused(new Uint8Array(0))).toContain('model.gguf: not a GGUF file');
    expect(await refused(ggufBytes({}).subarray(0, 10))).toContain('the start of the file needs 24 bytes, 10 are left');
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`;
    expect(await refused(Buffer.from(pointer))).toContain('Git LFS pointer');
  });
});

describe('counts and lengths that the file cannot hold are refused before memory is taken', () => {
  test.each<[string, MadeGguf, string]>([
    ['2^63 tensors', { tensorCount: 2n ** 63n }, '9223372036854775808 tensors; the limit is 1000000'],
    ['a million tensors too many', { tensorCount: 1_000_000n }, '1000000 tensors, for which the file is too short'],
    ['2^63 keys', { keyCount: 2n ** 63n }, '9223372036854775808 metadata keys'],
    ['one key more than there is', { keyCount: 2n, keys: [stringKey('a', 'b')], tensors: [] }, 'a key of the metadata is empty'],
    ['one tensor more than there is', { tensorCount: 2n, tensors: [{ name: 'a', dims: [1], data: new Uint8Array(4) }], cut: 32 }, 'cut?'],
    ['a string of 2^62 bytes', { keys: [key('a', GGUF_TYPE.string, u64(2n ** 62n))] }, 'is a string of 4611686018427387904 bytes'],
    ['a key of 2^62 bytes', { keys: [Buffer.concat([u64(2n ** 62n), Buffer.alloc(16)])] }, 'a key is a string of'],
    ['a key of 65,536 bytes', { keys: [stringKey('k'.repeat(65_536), '')] }, 'a key is 65536 bytes long; the limit is 65535'],
    [
      'an array of 2^40 elements',
      { keys: [arrayKey('a', GGUF_TYPE.u8, [], 2n ** 40n)] },
      'has 1099511627776 elements; the limit is 1073741824',
    ],
    [
      'an array of 2^29 strings',
      { keys: [arrayKey('a', GGUF_TYPE.string, [], 2n ** 29n)] },
      'has 536870912 elements, for which the file is too short',
    ],
    ['an array of arrays', { keys: [arrayKey('a', GGUF_TYPE.array, [], 1n)] }, 'array of arrays'],
    ['an array of no known type', { keys: [arrayKey('a', 13, [])] }, 'array of the unknown type 13'],
    ['a value of no known type', { keys: [key('a', 13, Buffer.alloc(8))] }, 'the value of "a" has the unknown type 13'],
    ['a bool of 2', { keys: [key('a', GGUF_TYPE.bool, Buffer.of(2))] }, 'is a bool of 2'],
  ])('%s', async (_, made, message) => {
    expect(await refused(made)).toContain(message);
  });
});

describe('names', () => {
  test('that stand twice, are empty, are too long or no UTF-8 are refused', async () => {
    expect(await refused({ keys: [stringKey('a', 'b'), stringKey('a', 'b')] })).toContain(
      'the key "a" stands in the metadata twice (byte ',
    );
    expect(await refused({ keys: [stringKey('', 'b')] })).toContain('a key of the metadata is empty');
    expect(await refused({ keys: [key(Buffer.of(0xff), GGUF_TYPE.u8, Buffer.of(1))] })).toContain('a key is not valid UTF-8');
    expect(await refused({ tensors: [...one(), ...one()] })).toContain('tensor "a": stands in the file twice');
    expect(await refused({ tensors: one({ name: 'n'.repeat(64) }) })).toContain('is 64 bytes long; the limit is 63');
    expect((await read({ tensors: one({ name: 'n'.repeat(63) }) })).tensors.size).toBe(1);
  });

  test('such as __proto__ are names like any other', async () => {
    const file = await read({ keys: [stringKey('__proto__', 'x')], tensors: one({ name: 'constructor' }) });
    expect(file.metadata.get('__proto__')).toBe('x');
    expect(file.tensors.has('constructor')).toBe(true);
  });
});

describe('alignment', () => {
  test.each([0, 7, 2 ** 31, 2 ** 21])('of %i is refused', async (value) => {
    expect(await refused({ keys: [u32Key('general.alignment', value)], tensors: one() })).toContain(
      `general.alignment is ${value}; it must be a power of two`,
    );
  });

  test('of another type than uint32 is refused', async () => {
    expect(await refused({ keys: [stringKey('general.alignment', '32')] })).toContain(
      'general.alignment has type string; it must be uint32',
    );
    expect(await refused({ keys: [key('general.alignment', GGUF_TYPE.i32, u32(32))] })).toContain('has type int32; it must be uint32');
  });
});

describe('the tensor table', () => {
  test.each<[string, Parameters<typeof one>[0], string]>([
    ['5 dimensions', { dims: [1, 1, 1, 1, 4] }, 'has 5 dimensions; at most 4'],
    ['9 dimensions', { dims: [1, 1, 1, 1, 1, 1, 1, 1, 4] }, 'has 9 dimensions'],
    ['a dimension of 2^63', { dims: [2n ** 63n] }, 'the size of shape [9223372036854775808] overflows'],
    ['a product that overflows', { dims: [2n ** 32n, 2n ** 32n] }, 'overflows'],
    ['type 999', { type: 999 }, 'tensor "a": unknown type 999'],
    ['type 4, which was removed', { type: 4 }, 'type 4 was taken out of GGUF'],
    ['a row of 33 in Q4_0', { dims: [33], type: 2 }, 'its rows of 33 values are not a multiple of 32, the block of Q4_0'],
    ['an offset off the alignment', { offset: 8n }, 'offset 8 is not a multiple of the alignment 32'],
    ['a hole before it', { offset: 64n }, 'offset 64 leaves a hole; 0 was expected'],
    ['an offset of 2^60', { offset: 2n ** 60n }, 'offset 1152921504606846976 is beyond any file'],
    ['an offset of 1 TB', { offset: 2n ** 40n }, 'leaves a hole'],
  ])('with %s is refused', async (_, over, message) => {
    expect(await refused({ tensors: one(over) })).toContain(message);
  });

  test('with overlapping tensors, or data that was cut, is refused', async () => {
    const two = [...one(), { name: 'b', dims: [4], data: float32(1, 2, 3, 4), offset: 0n }];
    expect(await refused({ tensors: two })).toContain('tensor "b": offset 0 overlaps the tensor before it; 32 was expected');
    expect(await refused({ tensors: one(), cut: 17 })).toContain('file cut: the tensors need');
    expect((await read({ tensors: one(), cut: 16 })).tensors.size).toBe(1);
    expect(await refused({ tensors: one({ dims: [1024] }) })).toContain('needs 4096 bytes');
  });

  test("holding NaN values is read: values are not the reader's business", async () => {
    expect((await read({ tensors: one({ data: float32(NaN, 1, 2, 3) }) })).tensors.size).toBe(1);
  });
});

describe('a GGUF model', () => {
  const norms = [
    { k: [2, 96, 2, 2], q: [1, 1, 1, 1] },
    { k: [1, 1, 1, 1], q: [1, 1, 1, 1] },
  ];
  const check = async (path: string) => {
    const files = await openFolder(path);
    const config = await readModelConfig(files);
    const checkpoint = await openCheckpoint(files);
    try {
      return { config, checkpoint, result: await staticCheck(checkpoint, checkpoint.config ?? {}, THRESHOLDS) };
    } finally {
      await checkpoint.close();
    }
  };

  test('is checked from its own metadata, as a file or as the only one of a folder, without config.json', async () => {
    await withFolder(
      { 'm.gguf': ggufBytes(ggufModel('qwen3', norms)), 'mmproj-m.gguf': 'a vision tower', 'README.md': '' },
      async (folder) => {
        for (const path of [folder, join(folder, 'm.gguf')]) {
          const { config, checkpoint, result } = await check(path);
          expect(config).toBeNull();
          expect(checkpoint.format).toBe('gguf');
          expect(checkpoint.config).toEqual({
            model_type: 'qwen3',
            num_hidden_layers: 2,
            hidden_size: 8,
            num_attention_heads: 2,
            head_dim: 4,
          });
          expect(result).toMatchObject({ max_k_weight: 96, k_weight_ratio: 48, layers_total: 2, extreme_layers: 1, max_q_weight: 1 });
          expect(result.findings.map(({ code }) => code)).not.toContain('layer_count_mismatch');
        }
      },
    );
  });

  test('of Gemma has its 1 in the weights already, so that they count as they are', async () => {
    await withFolder({ 'm.gguf': ggufBytes(ggufModel('gemma3', norms)) }, async (folder) => {
      expect((await check(folder)).result.max_k_weight).toBe(96);
    });
  });

  test('has its quantised norms and biases dequantised', async () => {
    const q8 = new Uint8Array(34).fill(2);
    q8.set([0x00, 0x3c]);
    q8[2] = 40;
    const bias = { name: 'blk.0.attn_k.bias', dims: [32], type: 8, data: q8 };
    await withFolder({ 'm.gguf': ggufBytes(ggufModel('qwen2', norms, [bias])) }, async (folder) => {
      const { result } = await check(folder);
      expect(result.findings).toContainEqual(
        expect.objectContaining({ code: 'bias_norm', tensor: 'blk.0.attn_k.bias', value: Math.sqrt(40 ** 2 + 31 * 4) }),
      );
    });
  });

  test('whose norms are of a type without values here is refused by name', async () => {
    const strange = { name: 'blk.0.attn_k.bias', dims: [256], type: 16, data: new Uint8Array(66) };
    await withFolder({ 'm.gguf': ggufBytes(ggufModel('qwen2', norms, [strange])) }, async (folder) => {
      expect(await refusal(check(folder))).toContain('"blk.0.attn_k.bias" has dtype IQ2_XXS');
    });
  });

  test('is judged by its weights under policy static, and INCONCLUSIVE with its static check under policy evidence', async () => {
    const plain = [{ k: [1, 2, 1, 1], q: [1, 1, 1, 1] }];
    await withFolder({ 'm.gguf': ggufBytes(ggufModel('qwen3', plain)), 'config.json': 'of another model' }, async (folder) => {
      const path = join(folder, 'm.gguf');
      const alone = await judged(path, 'static');
      expect(alone).toMatchObject({
        verdict: 'COMPATIBLE',
        architecture: 'qwen3',
        dtype: null,
        static: { max_k_weight: 2 },
        numeric: null,
      });
      const evidence = await judged(path, 'evidence');
      expect(evidence).toMatchObject({ verdict: 'INCONCLUSIVE', static: { max_k_weight: 2 }, numeric: null });
      expect(evidence.reasons[0]).toMatchObject({ code: 'unsupported_weights', message: expect.stringContaining('The weights are GGUF') });
      expect(evidence.recommendations).toContainEqual(expect.stringContaining('Give the safetensors checkpoint'));
    });
  });

  test('that the static check finds INCOMPATIBLE is so without evidence, as any other', async () => {
    const extreme = Array.from({ length: 3 }, () => ({ k: [1, 60, 1, 1], q: [1, 1, 1, 1] }));
    await withFolder({ 'm.gguf': ggufBytes(ggufModel('qwen3', extreme)) }, async (folder) => {
      expect(await judged(folder, 'evidence')).toMatchObject({ verdict: 'INCOMPATIBLE', static: { score: 0 } });
    });
  });

  test('of which there are two must be named', async () => {
    await withFolder({ 'a.gguf': ggufBytes({}), 'b.gguf': ggufBytes({}) }, async (folder) => {
      expect(await refusal(openFolder(folder).then(openCheckpoint))).toContain(
        'Found 2 GGUF models ("a.gguf", "b.gguf"). Name the one file',
      );
    });
  });

  test('without an architecture is refused', async () => {
    await withFolder({ 'a.gguf': ggufBytes({ tensors: one() }) }, async (folder) => {
      expect(await refusal(openFolder(folder).then(openCheckpoint))).toContain('has no general.architecture');
    });
  });
});

describe('a split set', () => {
  const u16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer);
  const part = (no: number, count: number, name: string, keys: readonly Uint8Array[] = []): Uint8Array =>
    ggufBytes({
      keys: [
        ...(no === 0 ? [stringKey('general.architecture', 'qwen3')] : []),
        key('split.no', GGUF_TYPE.u16, u16(no)),
        key('split.count', GGUF_TYPE.u16, u16(count)),
        key('split.tensors.count', GGUF_TYPE.i32, u32(2)),
        ...keys,
      ],
      tensors: [{ name, dims: [4], data: float32(no, 2, 3, 4) }],
    });
  const FIRST = 'm-00001-of-00002.gguf';
  const SECOND = 'm-00002-of-00002.gguf';
  const opened = (files: Record<string, Uint8Array>, name?: string): Promise<string[]> =>
    withFolder(files, async (folder) => {
      const checkpoint = await openCheckpoint(await openFolder(name === undefined ? folder : join(folder, name)));
      try {
        const values = await Promise.all(
          [...checkpoint.tensors.keys()].map(async (tensor) => new Float32Array((await checkpoint.read(tensor)).buffer)[0]),
        );
        return [...checkpoint.tensors.keys()].map((tensor, index) => `${tensor} ${String(values[index])}`);
      } finally {
        await checkpoint.close();
      }
    });

  test('is read whole, from its folder or from any of its parts', async () => {
    const files = { [FIRST]: part(0, 2, 'a'), [SECOND]: part(1, 2, 'b') };
    for (const name of [undefined, FIRST, SECOND]) expect(await opened(files, name)).toEqual(['a 0', 'b 1']);
  });

  test.each<[string, Record<string, Uint8Array>, string]>([
    ['a part missing', { [FIRST]: part(0, 2, 'a') }, 'part 2 of 2, "m-00002-of-00002.gguf", is missing'],
    ['parts in the wrong place', { [FIRST]: part(0, 2, 'a'), [SECOND]: part(0, 2, 'b') }, 'says split.no 0, its name says 1'],
    ['a part of another count', { [FIRST]: part(0, 2, 'a'), [SECOND]: part(1, 3, 'b') }, 'says split.count 3, its name says 2'],
    [
      'a part of another model',
      { [FIRST]: part(0, 2, 'a'), [SECOND]: part(1, 2, 'b', [stringKey('general.architecture', 'llama')]) },
      'is of architecture "llama"',
    ],
    ['a tensor in two parts', { [FIRST]: part(0, 2, 'a'), [SECOND]: part(1, 2, 'a') }, 'tensor "a" is in "m-00001-of-00002.gguf" too'],
    ['part of a set under another name', { 'm.gguf': part(0, 2, 'a') }, 'is one part of a set of 2'],
    ['a name over the limit', { 'm-00001-of-99999.gguf': part(0, 2, 'a') }, 'one of 99999 parts; the limit is 10000'],
    ['a number beyond its count', { 'm-00003-of-00002.gguf': part(0, 2, 'a') }, 'is named as part 3 of 2'],
  ])('with %s is refused', async (_, files, message) => {
    expect(await refusal(opened(files))).toContain(message);
  });

  test('whose tensors are not as many as the first part says is refused', async () => {
    const second = ggufBytes({ keys: [key('split.no', GGUF_TYPE.u16, u16(1)), key('split.count', GGUF_TYPE.u16, u16(2))] });
    expect(await refusal(opened({ [FIRST]: part(0, 2, 'a'), [SECOND]: second }))).toContain(
      'says split.tensors.count 2, the parts have 1 tensors',
    );
  });
});
