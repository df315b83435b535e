// ONNX initializers: files encoded by protobufjs, which is not the reader under test, and bytes that lie (faults 54 to 57).

import { execFile } from 'node:child_process';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';

import { staticCheck } from '../../src/checker/static-check.js';
import { openFolder } from '../../src/hub/folder.js';
import type { ByteSource } from '../../src/hub/source.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { openOnnx } from '../../src/weights/onnx-initializers.js';
import { roundToBfloat16, roundToFloat16 } from '../../src/weights/values.js';
import { THRESHOLDS } from '../checker/checkpoints.js';
import { judged } from './judged.js';
import { memorySource, refusal, withFolder } from './made-files.js';

const { onnx } = onnxProto;
type Tensor = NonNullable<Parameters<typeof onnx.TensorProto.create>[0]>;

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const vector = (name: string, values: readonly number[], more: Tensor = {}): Tensor => ({
  name,
  dims: [values.length],
  dataType: 1,
  rawData: floats(...values),
  ...more,
});
const external = (name: string, entries: Record<string, string>, more: Tensor = {}): Tensor => ({
  name,
  dims: [4],
  dataType: 1,
  dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
  externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  ...more,
});
function model(...initializer: Tensor[]): Uint8Array {
  const node = Array.from({ length: 3 }, (_, index) => ({
    opType: 'Add',
    input: [`i${index}`],
    output: [`o${index}`],
    name: '/model/layers.0/add',
  }));
  const bytes = onnx.ModelProto.encode({
    irVersion: 10,
    producerName: 'test',
    opsetImport: [{ version: 21 }],
    graph: { name: 'g', node, initializer },
  }).finish();
  // protobufjs gives a Buffer, whose slices share its memory.
  return new Uint8Array(bytes);
}

async function open(bytes: Uint8Array): Promise<{ name: string; dtype: string; shape: readonly number[]; bytes: Uint8Array }[]> {
  const [file] = await openOnnx('model.onnx', async (name) => (name === 'model.onnx' ? memorySource(bytes, name) : null));
  if (file === undefined) throw new Error('no file');
  return Promise.all(
    [...file.tensors.values()].map(async (tensor) => ({
      name: tensor.name,
      dtype: tensor.dtype,
      shape: tensor.shape,
      bytes: await file.read(tensor, 0, tensor.byteLength),
    })),
  );
}
const refused = (bytes: Uint8Array): Promise<string> => refusal(open(bytes));
const varint = (value: bigint): number[] => (value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]);
/** A length-delimited field. */
const field = (number: number, ...bytes: number[]): number[] => [
  ...varint(BigInt(number * 8 + 2)),
  ...varint(BigInt(bytes.length)),
  ...bytes,
];

describe('inline initializers', () => {
  test('are found with dtype, shape and the bytes of their values', async () => {
    const half = new Uint8Array(roundToFloat16(Float32Array.of(1, -2.5)).buffer);
    const tensors = await open(
      model(
        { name: 'matrix', dims: [2, 3], dataType: 1, rawData: floats(1, 2, 3, 4, 5, 6) },
        { name: 'floats', dims: [2], dataType: 1, floatData: [1.5, -2] },
        { name: 'doubles', dims: [2], dataType: 11, doubleData: [1.5, -2] },
        { name: 'half', dims: [2], dataType: 10, rawData: half },
        { name: 'half as integers', dims: [2], dataType: 10, int32Data: [...roundToFloat16(Float32Array.of(1, -2.5))] },
        { name: 'bfloat16 as integers', dims: [1], dataType: 16, int32Data: [...roundToBfloat16(Float32Array.of(-3))] },
        { name: 'int8 as integers', dims: [3], dataType: 3, int32Data: [-1, 2, -128] },
        { name: 'int4', dims: [3], dataType: 22, rawData: Uint8Array.of(0x21, 0x03) },
        { name: 'scalar', dims: [], dataType: 1, rawData: floats(9) },
        { name: 'empty', dims: [0], dataType: 1 },
      ),
    );
    expect(tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, [...bytes]])).toEqual([
      ['matrix', 'F32', [2, 3], [...floats(1, 2, 3, 4, 5, 6)]],
      ['floats', 'F32', [2], [...floats(1.5, -2)]],
      ['doubles', 'F64', [2], [...new Uint8Array(Float64Array.of(1.5, -2).buffer)]],
      ['half', 'F16', [2], [...half]],
      ['half as integers', 'F16', [2], [...half]],
      ['bfloat16 as integers', 'BF16', [1], [0x40, 0xc0]],
      ['int8 as integers', 'I8', [3], [255, 2, 128]],
      ['int4', 'I4', [3], [0x21, 0x03]],
      ['scalar', 'F32', [], [...floats(9)]],
      ['empty', 'F32', [0], []],
    ]);
  });

  test('are found without reading the large ones', async () => {
    const big = { name: 'big', dims: [1024, 1024], dataType: 1, rawData: new Uint8Array(4 * 1024 * 1024) };
    const bytes = model(big, vector('a', [1, 2]), { ...big, name: 'big2' }, vector('b', [3, 4]));
    let read = 0;
    const source: ByteSource = { ...memorySource(bytes), slice: async (start, end) => ((read += end - start), bytes.slice(start, end)) };
    const [file] = await openOnnx('m.onnx', async () => source);
    expect([...(file?.tensors.keys() ?? [])]).toEqual(['big', 'a', 'big2', 'b']);
    expect(read).toBeLessThan(100_000);
  });

  test.each<[string, Tensor[], string]>([
    [
      'doubles in int32_data',
      [{ name: 'a', dims: [1], dataType: 11, int32Data: [7] }],
      'its values are F64, which do not stand in int32_data',
    ],
    [
      'integers in float_data',
      [{ name: 'a', dims: [1], dataType: 6, floatData: [7] }],
      'its values are I32, which do not stand in float_data',
    ],
    ['raw_data and float_data', [vector('a', [1], { floatData: [1] })], 'has both'],
    ['too few bytes', [vector('a', [1, 2], { dims: [3] })], 'initializer "a": F32 of shape [3] needs 12 bytes, 8 are there'],
    ['no values', [{ name: 'a', dims: [3], dataType: 1 }], 'has no values; 3 were expected'],
    ['a negative dimension', [vector('a', [1], { dims: [-1] })], 'has the dimension -1'],
    ['a shape that overflows', [vector('a', [1], { dims: [2 ** 50, 2 ** 50] })], 'overflows'],
    ['an unknown data type', [vector('a', [1], { dataType: 99 })], 'unknown data type 99'],
    ['no name', [vector('', [1])], 'an initializer has no name'],
    ['a name twice', [vector('a', [1]), vector('a', [1])], 'initializer "a" stands in the graph twice'],
    ['65 dimensions', [vector('a', [1], { dims: Array.from({ length: 65 }, () => 1) })], 'more than 64 dimensions'],
    ['external data, but inline', [vector('a', [1], { externalData: [{ key: 'location', value: 'x' }] })], 'is not said to be external'],
    ['too few integers', [{ name: 'a', dims: [3], dataType: 10, int32Data: [1, 2] }], 'int32_data does not hold 3 values'],
    [
      'integers for a fraction of 2^49 values',
      [{ name: 'a', dims: [2 ** 49], dataType: 3, int32Data: [1, 2] }],
      'int32_data does not hold 562949953421312 values',
    ],
    [
      'integers of two bytes, but one too few',
      [{ name: 'a', dims: [2], dataType: 10, int32Data: [300] }],
      'int32_data does not hold 2 values',
    ],
    ['too many integers', [{ name: 'a', dims: [1], dataType: 10, int32Data: [1, 2] }], 'int32_data does not hold 1 values'],
    ['texts', [{ name: 'a', dims: [1], dataType: 8, stringData: [Uint8Array.of(65)] }], 'holds texts'],
  ])('with %s are refused', async (_, tensors, message) => {
    expect(await refused(model(...tensors))).toContain(message);
  });
});

describe('a broken protobuf', () => {
  const graph = (...bytes: number[]): Uint8Array => Uint8Array.from([8, 10, ...field(7, ...bytes)]);

  test.each<[string, Uint8Array, string]>([
    ['a varint of 11 bytes', Uint8Array.from([8, ...Array.from({ length: 10 }, () => 255), 1]), 'longer than 64 bits'],
    ['a length past the end', Uint8Array.from([8, 10, 58, 100, 1]), 'has a field of 100 bytes, 1 are left: file cut?'],
    ['a length of 2^63', Uint8Array.from([8, 10, 58, ...varint(2n ** 63n)]), 'has a field of 9223372036854775808 bytes'],
    [
      'an inner length past the outer end',
      Uint8Array.from([8, 10, 58, 3, 42, 60, 1, ...Array.from({ length: 80 }, () => 0)]),
      'past its end',
    ],
    ['a group', graph(3 * 8 + 3), 'a field of wire type 3'],
    ['field number 0', graph(2, 0), 'a field of number 0'],
    ['two graphs', Uint8Array.from([8, 10, ...field(7), ...field(7)]), 'the model has two graphs'],
    ['no graph', Uint8Array.from([8, 10]), 'has no graph'],
    ['nothing', new Uint8Array(0), 'has no graph'],
    ['a web page', Buffer.from('<!DOCTYPE html><html>'), 'this is a web page'],
    [
      'a Git LFS pointer',
      Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`),
      'Git LFS pointer',
    ],
    ['a name that is no UTF-8', graph(...field(5, ...field(8, 255))), 'is not valid UTF-8'],
  ])('with %s is refused', async (_, bytes, message) => {
    expect(await refused(bytes)).toContain(message);
  });

  test('over 2 GB is refused before it is read', async () => {
    const source: ByteSource = { ...memorySource(new Uint8Array(0), 'm.onnx'), byteLength: 2 ** 31 };
    expect(await refusal(openOnnx('m.onnx', async () => source))).toContain('an ONNX file has at most 2147483647');
  });

  test('of graphs nested 100,000 deep, or a flood of unknown fields, costs neither stack nor memory', async () => {
    const inner: number[][] = [];
    let length = 0;
    for (let depth = 0; depth < 100_000; depth++) {
      const head = [...varint(BigInt(6 * 8 + 2)), ...varint(BigInt(length))];
      inner.push(head);
      length += head.length;
    }
    const nested = Uint8Array.from(inner.reverse().flat());
    const flood = Array.from({ length: 200_000 }, () => [0xa0, 0x06, 1]).flat();
    const bytes = Uint8Array.from([8, 10, ...flood, 58, ...varint(BigInt(nested.length + 4)), ...field(1, 120, 120), ...nested]);
    expect(bytes.byteLength).toBeGreaterThan(800_000);
    expect(await open(bytes)).toEqual([]);
  });
});

describe('external data', () => {
  const DATA = floats(0, 0, 1, 2, 3, 4);
  const at = (location: string): Uint8Array => model(external('a', { location, offset: '8', length: '16' }));
  const values = async (folder: string): Promise<number[]> => {
    const checkpoint = await openCheckpoint(await openFolder(join(folder, 'model.onnx')));
    try {
      return [...new Float32Array((await checkpoint.read('a')).buffer)];
    } finally {
      await checkpoint.close();
    }
  };
  const inFolder = <T>(files: Record<string, string | Uint8Array>, use: (folder: string) => Promise<T>): Promise<T> =>
    withFolder({ 'data.bin': DATA, ...files }, use);

  test('is read by range from the file it names, once for all tensors in it', async () => {
    const bytes = model(
      external('a', { location: './data.bin', offset: '8', length: '16', checksum: 'x' }),
      external('b', { location: 'data.bin' }),
      vector('c', [5]),
    );
    await inFolder({ 'model.onnx': bytes }, async (folder) => {
      expect(await values(folder)).toEqual([1, 2, 3, 4]);
      const checkpoint = await openCheckpoint(await openFolder(folder));
      expect([...checkpoint.tensors.values()].map(({ name, file }) => `${name} ${file}`)).toEqual([
        'c model.onnx',
        'a data.bin',
        'b data.bin',
      ]);
      expect(new Float32Array((await checkpoint.read('b')).buffer)[2]).toBe(1);
      expect(new Float32Array((await checkpoint.read('b', 8, 12)).buffer)[0]).toBe(1);
      await checkpoint.close();
    });
  });

  test.each([
    ['/etc/passwd', 'is an absolute path'],
    ['../data.bin', 'leaves the model through ".."'],
    ['a/../../data.bin', 'leaves the model through ".."'],
    ['a\\data.bin', 'holds a backslash'],
    ['C:data.bin', 'drive letter'],
    ['%2e%2e/data.bin', 'percent-encoded'],
    ['', 'is empty'],
    ['/dev/zero', 'is an absolute path'],
  ])('at %j is refused', async (location, message) => {
    await inFolder({ 'model.onnx': at(location) }, async (folder) => expect(await refusal(values(folder))).toContain(message));
  });

  test('behind a link out of the folder, a linked folder, a pipe or a folder is refused, and none is waited for', async () => {
    await withFolder({ 'secret.bin': DATA }, async (outside) => {
      for (const location of ['linked.bin', 'linked/secret.bin', 'pipe', 'sub']) {
        await inFolder({ 'model.onnx': at(location) }, async (folder) => {
          await symlink(join(outside, 'secret.bin'), join(folder, 'linked.bin'));
          await symlink(outside, join(folder, 'linked'));
          await promisify(execFile)('mkfifo', [join(folder, 'pipe')]);
          await mkdir(join(folder, 'sub'));
          expect(await refusal(values(folder))).toMatch(/out of the model folder|is a pipe|is a folder/);
        });
      }
    });
  });

  test('behind a hard link is a file of the folder like any other', async () => {
    await inFolder({ 'model.onnx': at('hard.bin') }, async (folder) => {
      await link(join(folder, 'data.bin'), join(folder, 'hard.bin'));
      expect(await values(folder)).toEqual([1, 2, 3, 4]);
    });
  });

  test('in the layout of the Hugging Face cache is read', async () => {
    await withFolder({}, async (cache) => {
      const snapshot = join(cache, 'snapshots', 'a'.repeat(40));
      await mkdir(snapshot, { recursive: true });
      await mkdir(join(cache, 'blobs'));
      for (const [name, hash, content] of [
        ['model.onnx', 'b'.repeat(64), at('data.bin')],
        ['data.bin', 'c'.repeat(64), DATA],
      ] as const) {
        await writeFile(join(cache, 'blobs', hash), content);
        await symlink(`../../blobs/${hash}`, join(snapshot, name));
      }
      expect(await values(snapshot)).toEqual([1, 2, 3, 4]);
    });
  });

  test.each<[Record<string, string>, string]>([
    [{ location: 'data.bin', offset: '-8' }, 'has offset "-8"; a whole number of bytes was expected'],
    [{ location: 'data.bin', offset: '0x8' }, 'has offset "0x8"'],
    [{ location: 'data.bin', length: '1e3' }, 'has length "1e3"'],
    [{ location: 'data.bin', offset: '16' }, 'needs bytes 16 to 32 of data.bin, which has 24'],
    [{ location: 'data.bin', offset: '1125899906842624' }, 'has offset'],
    [{ location: 'data.bin', offset: '999999999999999' }, 'needs bytes 999999999999999'],
    [{ location: 'data.bin', length: '12' }, 'needs 16 bytes, external_data has length 12'],
    [{ location: 'gone.bin' }, 'external data "gone.bin" is missing'],
    [{ offset: '0' }, 'names no location'],
    [{ location: 'data.bin', evil: '1' }, 'has the key "evil"; known are'],
  ])('with %j is refused', async (entries, message) => {
    await inFolder({ 'model.onnx': model(external('a', entries)) }, async (folder) =>
      expect(await refusal(values(folder))).toContain(message),
    );
  });

  test('with a key twice, or inline values too, is refused', async () => {
    const twice = external('a', {}, { externalData: [1, 2].map(() => ({ key: 'location', value: 'data.bin' })) });
    expect(await refused(model(twice))).toContain('the key "location" twice');
    expect(await refused(model(external('a', { location: 'data.bin' }, { rawData: floats(1, 2, 3, 4) })))).toContain(
      'both external data and raw_data',
    );
  });
});

describe('the static check of an ONNX file', () => {
  const layers = (name: (layer: number, side: 'k' | 'q') => string): Tensor[] =>
    [0, 1].flatMap((layer) => [vector(name(layer, 'k'), [1, 60, 1, 1]), vector(name(layer, 'q'), [1, 1, 1, 1])]);
  const check = async (tensors: Tensor[], config: string | null) =>
    withFolder({ 'model.onnx': model(...tensors), ...(config === null ? {} : { 'config.json': config }) }, (folder) =>
      judged(join(folder, 'model.onnx'), 'static'),
    );

  test.each([
    ['onnxruntime-genai', (layer: number, side: string) => `model.layers.${layer}.attn.${side}_norm.layernorm.weight`],
    ['Optimum and torch.onnx', (layer: number, side: string) => `model.layers.${layer}.self_attn.${side}_norm.weight`],
    ['paths with slashes', (layer: number, side: string) => `/model/layers.${layer}/attn/${side}_norm/layernorm/weight`],
  ])('finds K and Q norms by the names of %s', async (_, name) => {
    const { static: result, verdict } = await check(layers(name), null);
    expect(result).toMatchObject({ max_k_weight: 60, max_q_weight: 1, layers_total: 2, extreme_layers: 2, status: 'INCOMPATIBLE' });
    expect(verdict).toBe('INCOMPATIBLE');
  });

  test('takes the final norm and the biases of onnxruntime-genai for what they are', async () => {
    const tensors = [
      ...layers((layer, side) => `model.layers.${layer}.attn.${side}_norm.layernorm.weight`),
      vector('model.layers.2.final_norm_layernorm.weight', [1, 30, 1]),
      vector('model.layers.1.attn.k_proj.Add.bias', [50, 0]),
    ];
    const { static: result } = await check(tensors, null);
    expect(result).toMatchObject({ layers_total: 2 });
    expect(result?.findings).toContainEqual(expect.objectContaining({ code: 'bias_norm', layer: 1, value: 50 }));
    expect(result?.findings).toContainEqual(expect.objectContaining({ code: 'massive_norm_weight', layer: null, value: 30 }));
  });

  test('adds the 1 of Gemma where config.json says so, but not to what onnxruntime-genai wrote, which has it', async () => {
    const gemma = JSON.stringify({ model_type: 'gemma3_text', num_hidden_layers: 2 });
    const plain = layers((layer, side) => `model.layers.${layer}.self_attn.${side}_norm.weight`);
    expect((await check(plain, gemma)).static).toMatchObject({ max_k_weight: 61 });
    const genai = layers((layer, side) => `model.layers.${layer}.attn.${side}_norm.layernorm.weight`);
    expect((await check(genai, gemma)).static).toMatchObject({ max_k_weight: 60 });
  });

  test('says so when nothing tells the family, and not when something does', async () => {
    const plain = layers((layer, side) => `model.layers.${layer}.self_attn.${side}_norm.weight`);
    const codes = async (config: string | null) => (await check(plain, config)).static?.findings.map(({ code }) => code);
    expect(await codes(null)).toContain('model_type_unknown');
    expect(await codes('{"model_type":"qwen3"}')).not.toContain('model_type_unknown');
  });

  test('is all that is done: the numeric diff is refused with what to give instead', async () => {
    const tensors = [vector('model.layers.0.self_attn.k_norm.weight', [1, 1]), vector('model.layers.0.self_attn.q_norm.weight', [1, 1])];
    await withFolder({ 'model.onnx': model(...tensors) }, async (folder) => {
      const report = await judged(folder, 'evidence');
      expect(report).toMatchObject({ verdict: 'INCONCLUSIVE', static: { score: 1 }, reasons: [{ code: 'unsupported_weights' }, {}] });
      expect(report.reasons[0]?.message).toContain('The weights are ONNX');
    });
  });

  test('of one among several in a folder wants its name', async () => {
    await withFolder({ 'a.onnx': model(), 'b.onnx': model() }, async (folder) => {
      expect(await refusal(openFolder(folder).then(openCheckpoint))).toContain('Found 2 ONNX files (a.onnx, b.onnx). Name the one file');
    });
  });

  test('counts an empty file of no layers as nothing checked', async () => {
    await withFolder({ 'a.onnx': model() }, async (folder) => {
      const checkpoint = await openCheckpoint(await openFolder(folder));
      const result = await staticCheck(checkpoint, {}, THRESHOLDS);
      await checkpoint.close();
      expect(result.findings.map(({ code }) => code)).toContain('no_layers_found');
    });
  });
});
