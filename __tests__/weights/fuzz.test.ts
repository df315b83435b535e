// Properties of every reader of weights: whatever the bytes, they are refused with a ModelError, or are what an independent parser reads too.
// A failure prints the shrunk input and the seed that gives it again. How many cases, which seed, and what is bounded: guarded.ts.

import { deepStrictEqual } from 'node:assert/strict';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import onnxProto from 'onnx-proto';

import { readGguf } from '../../src/weights/gguf.js';
import { openOnnx } from '../../src/weights/onnx-initializers.js';
import { DTYPE_BITS, readSafetensors } from '../../src/weights/safetensors.js';
import { readShards } from '../../src/weights/shards.js';
import { readTorch } from '../../src/weights/torch.js';
import { edited, edits, huge } from './edits.js';
import type { ReadTensor } from './guarded.js';
import { CASES, guarded, SEED, watchAllocations } from './guarded.js';
import { memorySource, safetensorsBytes } from './made-files.js';
import { arrayKey, ggufBytes, GGUF_TYPE, key, stringKey, text as ggufText, u32, u64 } from './made-gguf.js';
import { call, global, int, pickle, stateDict, tensor, text, torchBytes, tuple } from './made-torch.js';
import { ggufOracle, indexOracle, onnxOracle, safetensorsOracle } from './oracles.js';

const { onnx } = onnxProto;

let unwatch: () => void;
beforeAll(() => {
  unwatch = watchAllocations();
});
afterAll(() => unwatch());

/**
 * Runs the property on all cases. At least a twentieth of them must be accepted and a twentieth refused, or it says nothing.
 * @param check whether the input was accepted; throws what is wrong
 */
async function holds<Input>(inputs: fc.Arbitrary<Input>, check: (input: Input) => Promise<boolean>): Promise<void> {
  const seen = { accepted: 0, refused: 0 };
  const property = fc.asyncProperty(inputs, async (input) => {
    seen[(await check(input)) ? 'accepted' : 'refused']++;
  });
  await fc.assert(property, { numRuns: CASES, seed: SEED });
  expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(CASES / 20);
}

const shown = (tensors: readonly ReadTensor[]): unknown[] =>
  tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, bytes === null ? null : Buffer.from(bytes).toString('hex')]);

describe('any input is refused with a ModelError, or read as an independent parser reads it:', () => {
  test('safetensors', async () => {
    const member = fc.record({
      name: fc.oneof(
        { weight: 4, arbitrary: fc.string({ maxLength: 4, unit: 'binary' }) },
        fc.constantFrom('a', '__proto__', '', '\ud800'),
      ),
      dtype: fc.constantFrom(...(Object.keys(DTYPE_BITS) as (keyof typeof DTYPE_BITS)[])),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
    });
    const file = fc.record({
      members: fc.array(member, { maxLength: 4 }),
      metadata: fc.boolean(),
      reversed: fc.boolean(),
      space: fc.constantFrom('', ' ', '\n\t'),
      // On the header's text, so that its length stays right, and on the bytes.
      textEdits: edits,
      byteEdits: edits,
    });
    await holds(file, async ({ members, metadata, reversed, space, textEdits, byteEdits }) => {
      let end = 0;
      const fields = members.map(({ name, dtype, shape }) => {
        const begin = end;
        end += Math.ceil(shape.reduce((product, size) => product * size, DTYPE_BITS[dtype]) / 8);
        return `${JSON.stringify(name)}:${space}{"dtype":"${dtype}","shape":[${shape.join()}],"data_offsets":[${begin},${space}${end}]}`;
      });
      if (reversed) fields.reverse();
      if (metadata) fields.unshift('"__metadata__":{"format":"pt"}');
      const header = edited(Buffer.from(`{${fields.join(`${space},`)}}${space}`), textEdits);
      const bytes = edited(safetensorsBytes(header, end), byteEdits);
      const tensors = await guarded(bytes, 'model.safetensors', async (source) => [await readSafetensors(source)]);
      deepStrictEqual(tensors === null ? null : shown(tensors), safetensorsOracle(bytes));
      return tensors !== null;
    });
  });

  test('GGUF', async () => {
    const count = fc.oneof({ weight: 30, arbitrary: fc.constant(undefined) }, huge);
    const value = fc.oneof(
      fc.string({ maxLength: 6 }).map((given) => stringKey('s', given)),
      fc.tuple(fc.nat(14), fc.uint8Array({ maxLength: 9 })).map(([type, bytes]) => key('v', type, bytes)),
      fc.array(fc.nat(255), { maxLength: 5 }).map((items) => arrayKey('a', GGUF_TYPE.u32, items.map(u32))),
      fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }).map((items) =>
        arrayKey(
          't',
          GGUF_TYPE.string,
          items.map((item) => ggufText(item)),
        ),
      ),
      fc.tuple(fc.nat(13), huge).map(([type, length]) => arrayKey('l', type, [u64(1)], length)),
      fc.constantFrom(8, 32, 64, 3).map((alignment) => key('general.alignment', GGUF_TYPE.u32, u32(alignment))),
    );
    const entry = fc.record(
      {
        name: fc.string({ maxLength: 5 }),
        dims: fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(4) }, huge), { maxLength: 5 }),
        type: fc.constantFrom(0, 0, 0, 1, 30, 28, 2, 8, 999),
        data: fc.uint8Array({ minLength: 1, maxLength: 32 }),
        offset: huge,
      },
      { requiredKeys: ['name', 'dims', 'data'] },
    );
    const file = fc.record({
      keys: fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(stringKey('n', 'x')) }, value), { maxLength: 3 }),
      tensors: fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.string({ maxLength: 5 }).map((name) => ({ name, dims: [2, 3], data: new Uint8Array(24).fill(7) })) },
          entry,
        ),
        { maxLength: 3 },
      ),
      keyCount: count,
      tensorCount: count,
      byteEdits: edits,
    });
    await holds(file, async ({ keys, tensors, keyCount, tensorCount, byteEdits }) => {
      const lies = { ...(keyCount === undefined ? {} : { keyCount }), ...(tensorCount === undefined ? {} : { tensorCount }) };
      const bytes = edited(
        ggufBytes({
          keys,
          tensors: tensors.map(({ offset, ...rest }: { offset?: bigint } & (typeof tensors)[number]) =>
            offset === undefined ? rest : { ...rest, offset },
          ),
          ...lies,
        }),
        byteEdits,
      );
      const read = await guarded(bytes, 'model.gguf', async (source) => [await readGguf(source)]);
      if (read !== null)
        deepStrictEqual(
          read.map(({ name, shape, bytes: values }) => [name, shape, values]),
          ggufOracle(bytes),
        );
      return read !== null;
    });
  });

  test('ONNX', async () => {
    const initializer = fc.record(
      {
        name: fc.string({ maxLength: 4 }),
        dims: fc.array(fc.nat(3), { maxLength: 3 }),
        dataType: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.nat(27)),
        rawData: fc.uint8Array({ maxLength: 12 }),
        floatData: fc.array(fc.float(), { maxLength: 3 }),
        int32Data: fc.array(fc.integer(), { maxLength: 3 }),
        doubleData: fc.array(fc.double(), { maxLength: 2 }),
        dataLocation: fc.nat(1),
        externalData: fc.array(
          fc.record({ key: fc.constantFrom('location', 'offset', 'length', 'x'), value: fc.constantFrom('d.bin', '../d', '0', '4', '-1') }),
          {
            maxLength: 3,
          },
        ),
      },
      { requiredKeys: ['name', 'dims', 'dataType'] },
    );
    const right = fc
      .string({ minLength: 1, maxLength: 4 })
      .map((name) => ({ name, dims: [2], dataType: 1, rawData: new Uint8Array(8).fill(5) }));
    const file = fc.record({
      initializers: fc.array(fc.oneof({ weight: 4, arbitrary: right }, initializer), { maxLength: 3 }),
      byteEdits: edits,
    });
    await holds(file, async ({ initializers, byteEdits }) => {
      const encoded = onnx.ModelProto.encode({ irVersion: 10, graph: { name: 'g', initializer: initializers } }).finish();
      const bytes = edited(new Uint8Array(encoded), byteEdits);
      const tensors = await guarded(bytes, 'model.onnx', (source) =>
        openOnnx('model.onnx', async (name) =>
          name === 'model.onnx' ? source : name === 'd.bin' ? memorySource(new Uint8Array(8), name) : null,
        ),
      );
      if (tensors === null) return false;
      const decoded = onnxOracle(bytes);
      const names = (all: readonly { name?: string | null }[]): unknown[] => all.map(({ name }) => name).sort();
      deepStrictEqual(names(tensors), names(decoded));
      for (const { name, rawData, dims, dataLocation } of decoded) {
        const found: ReadTensor | undefined = tensors.find((one) => one.name === name);
        deepStrictEqual(found?.shape, (dims ?? []).map(Number));
        if (
          dataLocation !== onnx.TensorProto.DataLocation.EXTERNAL &&
          rawData !== null &&
          rawData !== undefined &&
          rawData.byteLength > 0 &&
          found?.bytes !== null
        )
          expect(Buffer.compare(found?.bytes ?? Buffer.alloc(0), rawData)).toBe(0);
      }
      return true;
    });
  });

  test('PyTorch archives and their pickles', async () => {
    const storage = Uint8Array.from({ length: 24 }, (_, index) => index);
    const number = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: -1, max: 6 }) }, fc.constantFrom(2 ** 20, 2 ** 31 - 1));
    const made = fc
      .record({
        key: fc.constantFrom('0', '0', '0', '1'),
        storage: fc.constantFrom('FloatStorage', 'FloatStorage', 'HalfStorage', 'XStorage'),
        elements: fc.constantFrom(6, 6, 6, 12, -1),
        shape: fc.array(number, { maxLength: 3 }),
        stride: fc.option(fc.array(number, { maxLength: 3 }), { nil: undefined }),
        offset: number,
      })
      .map(({ stride, shape, ...rest }) => tensor({ ...rest, shape, stride: stride ?? shape.map(() => 1) }));
    const whole = fc.constant(tensor({ key: '0', elements: 6, shape: [2, 3] }));
    const opcode = fc.oneof(
      fc.nat(255).map((byte) => Buffer.of(byte)),
      fc.constantFrom(...'()]}tRuQbsa012hq.NK'.split('')).map((letter) => Buffer.from(letter)),
      fc.string({ maxLength: 3 }).map(text),
      fc.integer().map(int),
      fc.constantFrom('os system', 'collections OrderedDict', 'torch FloatStorage', 'torch._utils _rebuild_tensor_v2').map((name) => {
        const [module = '', member = ''] = name.split(' ');
        return global(module, member);
      }),
      fc.constant(call(global('collections', 'OrderedDict'), tuple())),
    );
    const file = fc.record({
      members: fc.dictionary(fc.string({ maxLength: 3 }), fc.oneof({ weight: 3, arbitrary: whole }, made, opcode), {
        minKeys: 1,
        maxKeys: 3,
      }),
      before: fc.oneof({ weight: 2, arbitrary: fc.constant<Buffer[]>([]) }, fc.array(opcode, { maxLength: 6 })),
      // On the pickle, whose checksum is made after them, and on the archive.
      pickleEdits: edits,
      byteEdits: edits,
      zip64: fc.boolean(),
    });
    await holds(file, async ({ members, before, pickleEdits, byteEdits, zip64 }) => {
      const data = edited(pickle(...before, stateDict(members)), pickleEdits);
      const bytes = edited(torchBytes(data, { 0: storage }, [], { zip64 }), byteEdits);
      const tensors = await guarded(bytes, 'pytorch_model.bin', async (source) => [await readTorch(source)]);
      // No parser of torch's is at hand: what was read must be a piece of the one storage.
      for (const { bytes: values } of tensors ?? [])
        if (values !== null) expect(Buffer.from(storage).includes(Buffer.from(values))).toBe(true);
      return tensors !== null;
    });
  });

  test('the index of a sharded checkpoint', async () => {
    const shards: Record<string, readonly string[]> = { 'a.safetensors': ['x', 'y'], 'b.safetensors': ['z'] };
    const right = fc.constant([
      ['x', 'a.safetensors'],
      ['y', 'a.safetensors'],
      ['z', 'b.safetensors'],
    ] as [string, string][]);
    const name = fc.constantFrom('x', 'y', 'z', '__proto__', '');
    const shard = fc.constantFrom(
      'a.safetensors',
      'b.safetensors',
      '../a',
      '/etc/passwd',
      'C:\\x',
      '%2e%2e/a',
      'https://h/a',
      'c\0',
      'none',
    );
    const file = fc.record({
      map: fc.oneof({ weight: 3, arbitrary: right }, fc.array(fc.tuple<[string, string]>(name, shard), { maxLength: 4 })),
      more: fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.json({ maxDepth: 3 })), { maxLength: 2 }),
      byteEdits: edits,
    });
    await holds(file, async ({ map, more, byteEdits }) => {
      const inner = map.map(([tensorName, place]) => `${JSON.stringify(tensorName)}:${JSON.stringify(place)}`).join(', ');
      const members = [...more.map(([field, json]) => `${JSON.stringify(field)}:${json}`), `"weight_map":{${inner}}`];
      const bytes = edited(Buffer.from(`{${members.join(',')}}`), byteEdits);
      const asked: string[] = [];
      const tensors = await guarded(bytes, 'model.safetensors.index.json', (source) =>
        readShards(source, async (wanted) => {
          asked.push(wanted);
          const held = Object.hasOwn(shards, wanted) ? (shards[wanted] ?? []) : null;
          if (held === null) return null;
          const infos = held.map((one) => ({ name: one, dtype: 'U8' as const, shape: [0], byteLength: 0, file: wanted }));
          return { source, tensors: new Map(infos.map((info) => [info.name, info])), read: async () => new Uint8Array(0) };
        }),
      );
      for (const wanted of asked) expect(wanted).not.toMatch(/(?:^|\/)\.\.(?:\/|$)|^\/|\\|^[a-z]+:|%2e|\0/i);
      const found = tensors === null ? null : tensors.map(({ name: one, file: place }) => `${one} ${place}`).sort();
      if (found !== null) deepStrictEqual(found, indexOracle(bytes));
      return found !== null;
    });
  });
});

test('the guard sees what it is there for', async () => {
  const bytes = new Uint8Array(10);
  const opened = (open: () => unknown) => guarded(bytes, 'f', async () => (open(), []));
  await expect(opened(() => new Float64Array(1000))).rejects.toThrow('took 8000 bytes of memory');
  await expect(opened(() => Buffer.alloc(5000))).rejects.toThrow('took 5000 bytes');
  await expect(opened(() => decodeURIComponent('%'))).rejects.toThrow('URI malformed');
  await expect(guarded(bytes, 'f', async (source) => (await source.slice(5, 11), []))).rejects.toThrow('asked for bytes 5-11 of 10');
  expect(await opened(() => new Uint8Array(bytes.buffer))).toEqual([]);
});
