// PyTorch checkpoints: what torch.save writes is read by range, nothing in it is run, and what lies is refused (faults 58 to 62).

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { buildProgram, checkWeights } from '../../src/architectures/registry.js';
import { ModelError } from '../../src/errors.js';
import { openFolder } from '../../src/hub/folder.js';
import { runJob } from '../../src/jobs.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { refuseUnlessRunnable } from '../../src/weights/runnable.js';
import { readTorch } from '../../src/weights/torch.js';
import { readPickle } from '../../src/weights/torch-pickle.js';
import { judged } from './judged.js';
import { memorySource, refusal, REPOSITORY, safetensorsBytes, withFolder } from './made-files.js';
import type { MadeEntry, MadeTensor } from './made-torch.js';
import { call, global, int, pickle, stateDict, tensor, text, torchBytes, tuple, zipBytes } from './made-torch.js';

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const open = (bytes: Uint8Array) => readTorch(memorySource(bytes, 'pytorch_model.bin'));
const refused = (bytes: Uint8Array): Promise<string> => refusal(open(bytes));
const SIX = floats(1, 2, 3, 4, 5, 6);
const made = (over: Partial<MadeTensor> = {}): Buffer => tensor({ key: '0', elements: 6, shape: [2, 3], ...over });
const file = (over: Partial<MadeTensor> = {}, storage: Uint8Array = SIX): Uint8Array =>
  torchBytes(pickle(stateDict({ a: made(over) })), { 0: storage });

async function values(bytes: Uint8Array, name = 'a'): Promise<number[]> {
  const opened = await open(bytes);
  const found = opened.tensors.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return [...new Float32Array((await opened.read(found, 0, found.byteLength)).buffer)];
}

describe('a valid checkpoint', () => {
  test('gives names, dtypes, shapes and values, views of a shared storage included', async () => {
    const members = {
      a: made(),
      b: made({ shape: [2], offset: 3 }),
      tied: made(),
      empty: made({ shape: [0, 3], offset: 6 }),
      scalar: made({ shape: [], offset: 5 }),
    };
    const bytes = torchBytes(pickle(stateDict(members)), { 0: SIX });
    expect([...(await open(bytes)).tensors.values()].map(({ name, dtype, shape, byteLength }) => [name, dtype, shape, byteLength])).toEqual(
      [
        ['a', 'F32', [2, 3], 24],
        ['b', 'F32', [2], 8],
        ['tied', 'F32', [2, 3], 24],
        ['empty', 'F32', [0, 3], 0],
        ['scalar', 'F32', [], 4],
      ],
    );
    expect(await values(bytes)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await values(bytes, 'b')).toEqual([4, 5]);
    expect(await values(bytes, 'scalar')).toEqual([6]);
    expect(await values(bytes, 'empty')).toEqual([]);
  });

  test.each([
    ['HalfStorage', 'F16', 12],
    ['BFloat16Storage', 'BF16', 12],
    ['DoubleStorage', 'F64', 48],
    ['LongStorage', 'I64', 48],
    ['BoolStorage', 'BOOL', 6],
  ])('of a %s has dtype %s', async (storage, dtype, bytes) => {
    const opened = await open(file({ storage }, new Uint8Array(bytes)));
    expect(opened.tensors.get('a')).toMatchObject({ dtype, byteLength: bytes });
  });

  test('with zip64 sizes, an archive comment, parameters and a wrapper around the state dict is read', async () => {
    const parameter = call(
      global('torch._utils', '_rebuild_parameter'),
      made(),
      Buffer.of(0x88),
      call(global('collections', 'OrderedDict')),
    );
    const wrapped = pickle('}(', text('epoch'), int(3), text('state_dict'), stateDict({ a: parameter }), 'u');
    const entries: MadeEntry[] = [
      { name: 'm/data.pkl', data: wrapped, zip64: true },
      { name: 'm/data/0', data: SIX, zip64: true },
    ];
    expect(await values(zipBytes(entries, { zip64: true, comment: 'saved by hand' }))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('of pickle protocol 4 is read', async () => {
    const short = (value: string): Buffer => Buffer.concat([Buffer.of(0x8c, value.length), Buffer.from(value), Buffer.of(0x94)]);
    const name = (module: string, member: string): Buffer => Buffer.concat([short(module), short(member), Buffer.of(0x93, 0x94)]);
    const id = Buffer.concat([tuple(short('storage'), name('torch', 'FloatStorage'), short('0'), short('cpu'), int(6)), Buffer.from('Q')]);
    const built = call(
      name('torch._utils', '_rebuild_tensor_v2'),
      id,
      int(0),
      tuple(int(6)),
      tuple(int(1)),
      Buffer.of(0x89),
      Buffer.from('N'),
    );
    const body = Buffer.concat([Buffer.from('}'), short('a'), built, Buffer.from('s.')]);
    const head = Buffer.concat([Buffer.of(0x80, 4, 0x95), Buffer.alloc(8)]);
    head.writeBigUInt64LE(BigInt(body.byteLength), 3);
    expect(await values(torchBytes(new Uint8Array(Buffer.concat([head, body])), { 0: SIX }))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('that Python pickled with collections.OrderedDict and a persistent id for each storage is read', async () => {
    // pickle.Pickler of CPython 3.11 with protocol 2, then 4, and stand-ins of torch's names: memo, tuples, BUILD with `_metadata` and all.
    const protocol2 =
      '800263636f6c6c656374696f6e730a4f726465726564446963740a71002952710128580100000061710263746f7263682e5f7574696c730a5f726562' +
      '75696c645f74656e736f725f76320a71032828580700000073746f72616765710463746f7263680a466c6f617453746f726167650a71055801000000' +
      '307106580300000063707571074b06747108514b004b024b038671094b034b0186710a8968002952710b74710c52710d580100000062710e68032828' +
      '68046805680668074b0674710f514b034b028571104b0185711189680029527112747113527114757d711558090000005f6d65746164617461711668' +
      '0029527117580000000071187d7119580700000076657273696f6e711a4b01737373622e';
    const protocol4 =
      '800495eb000000000000008c0b636f6c6c656374696f6e73948c0b4f72646572656444696374949394295294288c0161948c0c746f7263682e5f7574' +
      '696c73948c125f72656275696c645f74656e736f725f763294939428288c0773746f72616765948c05746f726368948c0c466c6f617453746f726167' +
      '659493948c0130948c03637075944b067494514b004b024b0386944b034b018694896802295294749452948c016294680728286808680b680c680d4b' +
      '067494514b034b0285944b01859489680229529474945294757d948c095f6d657461646174619468022952948c00947d948c0776657273696f6e944b' +
      '01737373622e';
    for (const hex of [protocol2, protocol4]) {
      const bytes = torchBytes(new Uint8Array(Buffer.from(hex, 'hex')), { 0: SIX });
      expect(await values(bytes)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await values(bytes, 'b')).toEqual([4, 5]);
    }
  });

  test('is read by range: directory, pickle and the tensor that is asked for', async () => {
    const big = new Uint8Array(4 * 1024 * 1024);
    const bytes = torchBytes(
      pickle(stateDict({ big: tensor({ key: '1', elements: big.length / 4, shape: [big.length / 4] }), a: made() })),
      { 0: SIX, 1: big },
    );
    let read = 0;
    const opened = await readTorch({
      ...memorySource(bytes),
      slice: async (start, end) => ((read += end - start), bytes.slice(start, end)),
    });
    const found = opened.tensors.get('a');
    if (found === undefined) throw new Error('a is not there');
    await opened.read(found, 4, 8);
    expect(read).toBeLessThan(80_000);
  });
});

describe('names and opcodes that could run something', () => {
  const inDict = (...parts: (Buffer | string)[]): Uint8Array => torchBytes(pickle('}', text('a'), ...parts, 's'), {});
  const short = (value: string): Buffer => Buffer.concat([Buffer.of(0x8c, value.length), Buffer.from(value)]);

  test.each<[string, Uint8Array, string]>([
    ['os.system', inDict(call(global('os', 'system'), text('touch /tmp/owned'))), 'refers to "os.system"; not run, not read'],
    ['builtins.eval', inDict(call(global('builtins', 'eval'), text('1'))), 'refers to "builtins.eval"'],
    ['posix.system that is never called', inDict(global('posix', 'system')), 'refers to "posix.system"'],
    ['torch.load', inDict(global('torch', 'load')), 'refers to "torch.load"'],
    ['a name of an object of JavaScript', inDict(global('torch', 'constructor')), 'refers to "torch.constructor"'],
    ['a name with a line of its own', inDict(Buffer.from('cos\nsys\u001b[31mtem\n')), 'refers to "os.sys\\u{1b}[31mtem"'],
    ['STACK_GLOBAL', inDict(short('os'), short('system'), Buffer.of(0x93)), 'refers to "os.system"'],
    ['STACK_GLOBAL by the memo', inDict(short('system'), 'q\x07', short('os'), 'h\x07', Buffer.of(0x93)), 'refers to "os.system"'],
    ['INST', inDict('(', 'ios\nsystem\n'), 'refers to "os.system"'],
    ['INST of a name on the list', inDict('(', 'icollections\nOrderedDict\n'), 'refers to "collections.OrderedDict"'],
    ['OBJ', inDict('(', global('collections', 'OrderedDict'), 'o'), 'opcode 0x6f, which no file of tensors needs'],
    ['EXT1', inDict(Buffer.of(0x82, 1)), 'opcode 0x82'],
    ['NEWOBJ', inDict(global('collections', 'OrderedDict'), ')', Buffer.of(0x81)), 'opcode 0x81'],
    ['PERSID as text', inDict('Pstorage\n'), 'opcode 0x50'],
  ])('such as %s are refused by name', async (_, bytes, message) => {
    const said = await refused(bytes);
    expect(said).toContain(message);
    expect(said).toMatch(/^weights_invalid: pytorch_model\.bin: .*\(byte \d+ of data\.pkl\)\.$/);
  });

  test('called in another way than torch.save does are refused', async () => {
    expect(await refused(inDict(call(global('collections', 'OrderedDict'), text('x'))))).toContain(
      'calls "collections.OrderedDict" in a way that is not torch.save\'s',
    );
    expect(await refused(inDict(call(text('os.system'), text('x'))))).toContain('calls what is no function');
    expect(await refused(inDict(text('x'), 'Q'))).toContain('describes a storage in a way');
    expect(await refused(inDict(tuple(text('storage'), global('torch', 'Size'), text('0'), text('cpu'), int(1)), 'Q'))).toContain(
      'describes a storage',
    );
  });
});

describe('a damaged pickle', () => {
  const fault = (at: number, problem: string): ModelError => new ModelError('weights_invalid', `${problem} at ${at}`);
  const read = (...parts: (Buffer | string)[]) => readPickle(pickle(...parts), fault);

  test.each<[string, (Buffer | string)[], RegExp]>([
    ['no value', [], /takes more values than it has/],
    ['two values', ['NN'], /ends with more than one value/],
    ['a second pickle behind STOP', ['N.', 'cos\nsystem\n'], /11 bytes follow the end of the pickle|bytes follow the end/],
    ['a memo it has not set', ['h\x09'], /recalls value 9/],
    ['a mark it has not set', ['t'], /up to a mark that it has not set/],
    ['a value from below a mark', ['N(a'], /takes more values than it has/],
    ['items of no dict', [']NNs'], /sets items of what is no dict/],
    ['an element of no list', ['}Na'], /appends to what is no list/],
    ['a key without a value', ['}(Nu'], /sets a key without a value/],
    ['a key twice', ['}', text('a'), 'Ns', text('a'), 'Ns'], /sets the key "a" twice/],
    ['the state of a list', [']}b'], /sets the state of what is no dict/],
    ['a text longer than the file', [Buffer.from('X\xff\xff\xff\x7f', 'latin1')], /is cut/],
  ])('with %s is refused', (_, parts, message) => {
    expect(() => read(...parts)).toThrow(message);
  });

  test('that ends before STOP, or has another protocol, is refused', () => {
    expect(() => readPickle(pickle('N').subarray(0, 3), fault)).toThrow(/the pickle is cut/);
    expect(() => readPickle(Uint8Array.of(0x80, 9, 0x2e), fault)).toThrow(/pickle protocol 9/);
    expect(() => readPickle(new Uint8Array(0), fault)).toThrow(/the pickle is cut/);
  });

  test('of a list that holds itself is read without end neither in time nor in memory', () => {
    expect(read(']q\x00h\x00a')).toMatchObject({ kind: 'list' });
  });

  test('of more than five million opcodes is refused, of five million not', () => {
    // PROTO, EMPTY_LIST, so many BINPUT, STOP.
    const opcodes = (count: number) => [`]${'q\x00'.repeat(count - 3)}`];
    expect(read(...opcodes(5_000_000))).toMatchObject({ kind: 'list' });
    expect(() => read(...opcodes(5_000_001))).toThrow(/more than 5000000 opcodes/);
  });
});

describe('a damaged archive', () => {
  const good = pickle(stateDict({ a: made() }));
  const entries = (over: Partial<MadeEntry> = {}): MadeEntry[] => [
    { name: 'm/data.pkl', data: good },
    { name: 'm/data/0', data: SIX, ...over },
  ];

  test.each<[string, Uint8Array, string]>([
    ['no directory', zipBytes(entries()).slice(0, -10), 'no directory at its end: file cut?'],
    ['a wrong count', zipBytes(entries(), { zip64: true, count: 3 }), 'end records of the archive contradict each other'],
    ['a directory in the wrong place', zipBytes(entries(), { directoryAt: 5 }), 'the directory of the archive ends at byte'],
    ['a zip64 lie', zipBytes(entries(), { zip64: true, directoryAt: 5 }), 'the directory of the archive ends at byte'],
    [
      'bytes before it',
      new Uint8Array(Buffer.concat([Buffer.from('PK\x03\x04'), zipBytes(entries())])),
      'the directory of the archive ends at byte',
    ],
    [
      'two entries of one name',
      zipBytes([...entries(), { name: 'm/data/0', data: SIX }]),
      'two entries of the archive are named "m/data/0"',
    ],
    ['two pickles', zipBytes([...entries(), { name: 'n/data.pkl', data: good }]), 'holds 2 files data.pkl'],
    ['no pickle', zipBytes([{ name: 'm/data/0', data: SIX }]), 'holds no data.pkl'],
    ['an encrypted entry', zipBytes(entries({ flags: 1 })), 'entry "m/data/0" of the archive is encrypted'],
    ['a compressed entry', zipBytes(entries({ method: 8 })), 'is compressed (method 8)'],
    ['an entry past the directory', zipBytes(entries({ size: 5000 })), 'goes past byte'],
    ['entries on the same bytes', zipBytes(entries({ headerAt: 0 })), 'overlaps the one before it'],
    [
      'a storage that is too small',
      zipBytes(entries({ data: floats(1, 2) })),
      'its storage "0" has 8 bytes in the archive, the pickle says 24',
    ],
    ['a storage that is too large', zipBytes(entries({ data: floats(1, 2, 3, 4, 5, 6, 7) })), 'has 28 bytes in the archive'],
    ['no storage', zipBytes(entries({ name: 'm/data/1' })), 'tensor "a": its storage "0" is not in the archive'],
    [
      'a pickle of another checksum',
      zipBytes([{ name: 'm/data.pkl', data: good, crc: 1 }, ...entries().slice(1)]),
      'entry "m/data.pkl" of the archive does not have its checksum',
    ],
    [
      'a pickle under another name inside',
      zipBytes([{ name: 'm/data.pkl', localName: 'm/evil.pkl', data: good }, ...entries().slice(1)]),
      'is described otherwise at byte 0',
    ],
    ['big-endian values', zipBytes([...entries(), { name: 'm/byteorder', data: Buffer.from('big') }]), 'big-endian'],
    ['a program of TorchScript', zipBytes([...entries(), { name: 'm/constants.pkl', data: good }]), 'this is a TorchScript program'],
    ['code of TorchScript', zipBytes([...entries(), { name: 'm/code/a.py', data: good }]), 'this is a TorchScript program'],
    ['no dict', torchBytes(pickle('N'), {}), 'is not a dict of tensors'],
    ['no tensors', torchBytes(pickle('}'), {}), 'holds no tensors'],
  ])('with %s is refused', async (_, bytes, message) => {
    expect(await refused(bytes)).toContain(message);
  });

  test('with a tensor of another checksum, or another name inside, is refused when that is read', async () => {
    expect(await refusal(values(zipBytes(entries({ crc: 1 }))))).toContain('entry "m/data/0" of the archive does not have its checksum');
    expect(await refusal(values(zipBytes(entries({ localName: 'm/data/9' }))))).toContain('is described otherwise');
  });

  test('of another kind is named', async () => {
    const legacy = Buffer.concat([Buffer.from('80028a0a6cfc9c46f920 6aa850192e'.replace(' ', ''), 'hex'), Buffer.alloc(100)]);
    expect(await refused(new Uint8Array(legacy))).toContain('legacy format, from before PyTorch 1.6');
    const tar = Buffer.alloc(512);
    tar.write('ustar', 257);
    expect(await refused(new Uint8Array(tar))).toContain('this is a tar archive');
    expect(await refused(Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`))).toContain(
      'Git LFS pointer',
    );
    expect(await refused(pickle('N'))).toContain('this is a Python pickle');
    expect(await refused(new Uint8Array(0))).toContain('not a PyTorch checkpoint');
  });
});

describe('a tensor', () => {
  test.each<[Partial<MadeTensor>, string]>([
    [{ shape: [3, 3] }, 'leave its storage of 24 bytes'],
    [{ offset: 1 }, 'leave its storage'],
    [{ stride: [3, 2] }, 'leave its storage'],
    [{ stride: [-3, 1] }, 'negative or missing offset, size or stride'],
    [{ shape: [2, -3] }, 'negative or missing'],
    [{ offset: -1 }, 'negative or missing'],
    [{ stride: [1] }, 'negative or missing'],
    [{ shape: [2 ** 30, 2 ** 30, 2 ** 30], stride: [0, 0, 0] }, 'leave its storage'],
  ])('of %j is refused', async (over, message) => {
    expect(await refused(file(over))).toContain(message);
  });

  test("that is transposed or has steps is refused by name when it is read, and stands in no one else's way", async () => {
    const bytes = torchBytes(pickle(stateDict({ t: made({ shape: [3, 2], stride: [1, 3] }), a: made() })), { 0: SIX });
    expect(await values(bytes)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await refusal(values(bytes, 't'))).toContain('tensor "t" is a view of its storage');
    expect(await values(file({ shape: [1, 6], stride: [99, 1] }))).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('a PyTorch model', () => {
  const QWEN = join(REPOSITORY, 'examples', 'models', 'qwen3-mini');

  /** The tensors of a demo model as torch.save would write them, in `parts` files. */
  async function converted(folder: string, parts: number): Promise<void> {
    const whole = await readFile(join(QWEN, 'model.safetensors'));
    const length = Number(whole.readBigUInt64LE());
    const header = JSON.parse(whole.toString('utf8', 8, 8 + length)) as Record<string, { shape: number[]; data_offsets: [number, number] }>;
    const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
    const map: Record<string, string> = {};
    for (let part = 0; part < parts; part++) {
      const members: Record<string, Buffer> = {};
      const storages: Record<string, Uint8Array> = {};
      const name = parts === 1 ? 'pytorch_model.bin' : `pytorch_model-${part + 1}-of-${parts}.bin`;
      for (const [index, [key, { shape, data_offsets: place }]] of tensors.entries()) {
        if (index % parts !== part) continue;
        storages[`${index}`] = whole.subarray(8 + length + place[0], 8 + length + place[1]);
        members[key] = tensor({ key: `${index}`, storage: 'BFloat16Storage', elements: (place[1] - place[0]) / 2, shape });
        map[key] = name;
      }
      await writeFile(join(folder, name), torchBytes(pickle(stateDict(members)), storages));
    }
    if (parts > 1) await writeFile(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }));
    await writeFile(join(folder, 'config.json'), await readFile(join(QWEN, 'config.json')));
  }

  test.each([1, 3])('in %i files has the static check and the very bytes of its safetensors version, and can be run', async (parts) => {
    await withFolder({}, async (folder) => {
      await converted(folder, parts);
      const [ours, theirs] = await Promise.all([judged(folder, 'static'), judged(QWEN, 'static')]);
      const anyBytes: unknown = expect.any(Number);
      const statics = { ...theirs.static, bytes_read: anyBytes, bytes_total: anyBytes };
      expect(ours).toMatchObject({ verdict: theirs.verdict, dtype: 'bfloat16', static: statics });
      const files = await openFolder(folder);
      const [torch, safetensors] = await Promise.all([openCheckpoint(files), openFolder(QWEN).then(openCheckpoint)]);
      expect(torch.format).toBe('torch');
      expect([...torch.tensors.keys()].sort()).toEqual([...safetensors.tensors.keys()].sort());
      for (const name of torch.tensors.keys()) expect(Buffer.compare(await torch.read(name), await safetensors.read(name))).toBe(0);
      const config = refuseUnlessRunnable(torch, await readModelConfig(files));
      expect(() => checkWeights(buildProgram(config), torch)).not.toThrow();
      await Promise.all([torch.close(), safetensors.close()]);
    });
  });

  test('gives the reference the same logits as its safetensors version', async () => {
    await withFolder({}, async (folder) => {
      await converted(folder, 2);
      const logits = async (model: string): Promise<unknown> =>
        (
          await runJob(
            { kind: 'reference', model, dtype: 'bfloat16', ids: [1, 2, 3], recipe: 'eager' },
            {
              onLayer: () => undefined,
              ask: () => Promise.reject(new Error('nothing is asked here')),
              share: { threads: 1, hand: new URL('none:') },
            },
          )
        ).logits.data;
      const [torch, safetensors] = [await logits(folder), await logits(QWEN)];
      expect(torch).toEqual(safetensors);
    });
  });

  test('is passed over for safetensors, and taken before GGUF', async () => {
    const open = async (files: Record<string, string | Uint8Array>): Promise<string> =>
      withFolder(files, async (folder) => {
        const checkpoint = await openCheckpoint(await openFolder(folder));
        await checkpoint.close();
        return checkpoint.format;
      });
    expect(await open({ 'pytorch_model.bin': 'x', 'model.safetensors': safetensorsBytes('{}') })).toBe('safetensors');
    expect(await open({ 'pytorch_model.bin': file(), 'a.gguf': 'x' })).toBe('torch');
    // An adapter beside a model is not its weights.
    expect(await open({ 'pytorch_model.bin': file(), 'adapter_model.safetensors': safetensorsBytes('{}') })).toBe('torch');
  });

  test('can be named by its file, and needs config.json', async () => {
    await withFolder({ 'w.pt': file() }, async (folder) => {
      const path = join(folder, 'w.pt');
      const files = await openFolder(path);
      const checkpoint = await openCheckpoint(files);
      expect(checkpoint.tensors.size).toBe(1);
      await checkpoint.close();
      expect(await refusal(readModelConfig(files))).toMatch(/^config_invalid: config\.json: is missing/);
    });
  });

  test('whose index names a shard that is not there is refused', async () => {
    const index = JSON.stringify({ weight_map: { a: 'p1.bin', b: 'p2.bin' } });
    await withFolder({ 'p1.bin': file(), 'pytorch_model.bin.index.json': index }, async (folder) => {
      expect(await refusal(openFolder(folder).then(openCheckpoint))).toContain('shard 2 of 2, "p2.bin", is missing');
    });
  });
});
