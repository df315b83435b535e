// What a launch is made of, without a GPU: sizes of every op, limits, arguments as C has them; and manifests that ask for what there is not.

import { describe, expect, test } from '@jest/globals';
import { CONTRACTS } from '../../../src/kernels/contracts.js';
import { cudaProblems, namedTensors, sizesOf } from '../../../src/kernels/cuda-manifest.js';
import type { Device, LoadedFunction } from '../../../src/kernels/cuda/driver.js';
import { launchArguments, launchShape, launchSizes, packArguments, slotAddresses } from '../../../src/kernels/cuda/launch.js';
import { unwritten } from '../../../src/kernels/cuda/memory.js';
import type { KernelCall } from '../../../src/kernels/kernel.js';
import type { CudaManifest } from '../../../src/kernels/manifest.js';

const MANIFEST: CudaManifest = {
  name: 'k',
  op: 'rms_norm',
  dtypes: ['bfloat16'],
  backend: 'cuda',
  ptx: '/k.ptx',
  entry: 'k',
  grid: 'T',
  block: 128,
  args: ['x', 'weight', 'y', 'T:i32', 'H:i32', 'eps:f32', 'weight_offset:f32'],
};

const DEVICE: Device = {
  name: 'GPU',
  capability: 90,
  driver: '13.0',
  count: 1,
  limits: {
    max_threads: 1024,
    max_block_x: 1024,
    max_block_y: 1024,
    max_block_z: 64,
    max_grid_x: 2 ** 31 - 1,
    max_grid_y: 65535,
    max_grid_z: 65535,
    shared_bytes: 49152,
    l2_bytes: 1,
    major: 9,
    minor: 0,
    shared_bytes_opt_in: 232448,
  },
};
const FUNCTION: LoadedFunction = { handle: 1n, maxThreads: 1024, staticShared: 0 };

const tensor = (...shape: number[]) => ({ data: new Float32Array(0), shape });

/** T 5, H 64, Nq 8, Nkv 2, D 16, R 8, S 9, I 96. */
const QK = { q: tensor(5, 8, 16), k: tensor(5, 2, 16) };
const TABLES = { cos: tensor(5, 4), sin: tensor(5, 4) };
const WEIGHTS = { q_weight: tensor(16), k_weight: tensor(16) };
const HEADS = { num_heads: 8, num_kv_heads: 2, head_dim: 16 };

describe('sizes', () => {
  test.each<[string, KernelCall['inputs'], KernelCall['attributes'], Record<string, number>]>([
    ['rms_norm', { x: tensor(5, 64), weight: tensor(64) }, { eps: 1e-6 }, { T: 5, H: 64 }],
    ['add_rms_norm', { x: tensor(5, 64), residual: tensor(5, 64), weight: tensor(64) }, {}, { T: 5, H: 64 }],
    ['linear', { x: tensor(5, 64), weight: tensor(96, 64) }, {}, { T: 5, H: 64, I: 96 }],
    [
      'rms_norm_qkv',
      { x: tensor(5, 64), norm_weight: tensor(64), qkv_weight: tensor(192, 64) },
      HEADS,
      { T: 5, H: 64, Nq: 8, Nkv: 2, D: 16 },
    ],
    ['qk_norm', { ...QK, ...WEIGHTS }, {}, { T: 5, Nq: 8, Nkv: 2, D: 16 }],
    ['rope', { ...QK, ...TABLES }, { layout: 'half', rotary_dim: 8 }, { T: 5, Nq: 8, Nkv: 2, D: 16, R: 8 }],
    ['qk_norm_rope', { ...QK, ...WEIGHTS, ...TABLES }, { rotary_dim: 8 }, { T: 5, Nq: 8, Nkv: 2, D: 16, R: 8 }],
    ['attention', { q: tensor(5, 8, 16), k: tensor(9, 2, 16), v: tensor(9, 2, 16) }, {}, { T: 5, Nq: 8, Nkv: 2, D: 16, S: 9 }],
    ['silu_mul', { gate: tensor(5, 96), up: tensor(5, 96) }, {}, { T: 5, I: 96 }],
    ['gelu_tanh_mul', { gate: tensor(5, 96), up: tensor(5, 96) }, {}, { T: 5, I: 96 }],
    [
      'swiglu_mlp',
      { x: tensor(5, 64), gate_weight: tensor(96, 64), up_weight: tensor(96, 64), down_weight: tensor(64, 96) },
      {},
      { T: 5, H: 64, I: 96 },
    ],
  ])('of %s come from its tensors, and are those that its manifests may use', (op, inputs, attributes, sizes) => {
    expect(launchSizes(op, { inputs, attributes })).toEqual(sizes);
    expect([...sizesOf(op)].sort()).toEqual(Object.keys(sizes).sort());
  });

  test('are there for every op of one launch', () => {
    for (const [op, { steps }] of CONTRACTS) if (steps.length > 0) expect(sizesOf(op)).toContain('T');
  });
});

describe('a launch', () => {
  const shape = (changes: Partial<CudaManifest>, kernel: Partial<LoadedFunction> = {}) =>
    launchShape({ ...MANIFEST, ...changes }, { T: 13, H: 64 }, DEVICE, { ...FUNCTION, ...kernel });

  test('has one block where nothing else is said', () => {
    expect(shape({ grid: ['ceil_div(T, 4)', 2], block: [32, 2, 4], shared_bytes: 'H * 4' })).toEqual({
      grid: [4, 2, 1],
      block: [32, 2, 4],
      sharedBytes: 256,
    });
  });

  test.each<[string, Partial<CudaManifest>, string]>([
    ['no blocks', { grid: 'T / 64' }, 'grid.x (T / 64) is 0 for T = 13, H = 64; it must be from 1 to 2147483647'],
    [
      'a negative number of blocks',
      { grid: [1, 'T - 14'] },
      'grid.y (T - 14): T - 14 is -1 here; it must be a whole number from 0 for T = 13',
    ],
    ['too many blocks', { grid: [1, 'T * 6000'] }, 'grid.y (T * 6000) is 78000 for T = 13, H = 64; it must be from 1 to 65535'],
    ['too long a side', { block: [1, 1, 'H + 1'] }, 'block.z (H + 1) is 65 for T = 13, H = 64; it must be from 1 to 64'],
    ['too many threads', { block: ['H', 17] }, 'block is 64 × 17 × 1 = 1088 threads for T = 13, H = 64; the device allows 1024'],
    [
      'too much shared memory',
      { shared_bytes: 'H * 4096' },
      'shared_bytes is 262144 for T = 13, H = 64; the device has 232448 bytes for a block',
    ],
    ['a division by zero', { grid: 'H / (T - 13)' }, 'grid.x (H / (T - 13)): it divides by 0 for T = 13, H = 64'],
    ['a size that the op has not', { grid: 'S' }, 'grid.x (S): S has no value for this op for T = 13, H = 64'],
  ])('with %s is refused by the number', (_, changes, message) => {
    expect(() => shape(changes)).toThrow(message);
  });

  test('is held to the registers and the shared memory of the kernel itself', () => {
    expect(() => shape({ block: 512 }, { maxThreads: 256 })).toThrow('registers or its __launch_bounds__ allow 256');
    expect(() => shape({ shared_bytes: 232448 }, { staticShared: 1024 })).toThrow(
      "the device has 231424 bytes for a block beside the kernel's own 1024",
    );
    expect(shape({ shared_bytes: 231424 }, { staticShared: 1024 }).sharedBytes).toBe(231424);
  });
});

describe('arguments', () => {
  const rope: CudaManifest = {
    ...MANIFEST,
    op: 'rope',
    args: ['q', 'k', 'out_q', 'layout:i32', 'rotary_dim:u32', 'T:i64', 'Nq:u64', 'D:f32', 'Nkv:f64'],
  };
  const sizes = { T: 5, Nq: 8, Nkv: 2, D: 16, R: 8 };
  const addresses: Readonly<Record<string, bigint>> = { q: 0x7f00_0000_1000n, out_q: 0x7f00_0000_2000n };

  test('lie in slots of eight bytes, little-endian, pointers that are not there as null', () => {
    const args = launchArguments(rope, { layout: 'interleaved', rotary_dim: 8 }, sizes, (name) => addresses[name]);
    const view = new DataView(packArguments(args).buffer);
    expect(view.byteLength).toBe(72);
    expect([0, 8, 16].map((at) => view.getBigUint64(at, true))).toEqual([0x7f00_0000_1000n, 0n, 0x7f00_0000_2000n]);
    expect([view.getInt32(24, true), view.getUint32(32, true), view.getBigInt64(40, true), view.getBigUint64(48, true)]).toEqual([
      1,
      8,
      5n,
      8n,
    ]);
    expect([view.getFloat32(56, true), view.getFloat64(64, true)]).toEqual([16, 2]);
    expect([...slotAddresses(0x1000n, 3)]).toEqual([0x1000n, 0x1008n, 0x1010n]);
  });

  test('give strings and truth as numbers', () => {
    const value = (args: string[], attributes: KernelCall['attributes']) =>
      launchArguments({ ...MANIFEST, args }, attributes, {}, () => undefined).map((argument) => argument.value);
    expect(value(['layout:i32'], { layout: 'half' })).toEqual([0]);
    expect(value(['layout:i32'], { layout: 'interleaved' })).toEqual([1]);
    expect(value(['activation:i32'], { activation: 'silu' })).toEqual([0]);
    expect(value(['activation:i32'], { activation: 'gelu_tanh' })).toEqual([1]);
    expect(value(['causal:bool', 'window:i32'], { causal: true, window: 0 })).toEqual([1, 0]);
  });

  test.each([
    ['window:i32', 2 ** 31, 'window is 2147483648 here, which i32 cannot hold; give it another type in args'],
    ['window:u32', -1, 'window is -1 here, which u32 cannot hold'],
    ['weight_offset:i32', 0.5, 'weight_offset is 0.5 here, which i32 cannot hold'],
    ['window:bool', 2, 'window is 2 here, which bool cannot hold'],
  ])('%s cannot be %d', (arg, value, message) => {
    const [name = ''] = arg.split(':');
    expect(() => launchArguments({ ...MANIFEST, args: [arg] }, { [name]: value }, {}, () => undefined)).toThrow(message);
  });

  test('that the call has no value for are refused', () => {
    expect(() => launchArguments({ ...MANIFEST, args: ['eps:f32'] }, {}, {}, () => undefined)).toThrow('eps:f32 has no value in this call');
  });
});

describe('a manifest', () => {
  const problems = (changes: Partial<CudaManifest>) => cudaProblems({ ...MANIFEST, ...changes });
  const REST = ['x', 'weight', 'y'];

  test('that is right has none', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ op: 'rope', args: ['q', 'k', 'cos', 'sin', 'out_q', 'out_k', 'layout:i32', 'R:i32'] })).toEqual([]);
    expect(problems({ op: 'linear', args: ['x', 'weight', 'y', 'H:i32', 'I:i32'], grid: 'I' })).toEqual([]);
    expect(problems({ op: 'linear', args: ['x', 'weight', 'bias', 'y'] })).toEqual([]);
  });

  test('calls outputs that have the name of an input out_NAME', () => {
    expect(namedTensors('qk_norm_rope').map(({ name }) => name)).toEqual([
      ...['q', 'k', 'q_weight', 'k_weight', 'cos', 'sin'],
      ...['out_q', 'out_k'],
    ]);
    expect(
      namedTensors('rms_norm_qkv')
        .map(({ name }) => name)
        .slice(-3),
    ).toEqual(['q', 'k', 'v']);
  });

  test.each<[Partial<CudaManifest>, string]>([
    [{ args: [...REST, 'z'] }, 'args: "z" is no tensor of rms_norm; its tensors are x, weight, y'],
    [{ args: [...REST, 'T'] }, 'args: "T" is no tensor of rms_norm; a scalar needs its type: "T:i32"'],
    [{ args: [...REST, 'S:i32'] }, 'args: "S:i32": rms_norm has no scalar S; it has T, H, eps, weight_offset'],
    [{ args: [...REST, 'x:i32'] }, 'args: "x:i32": x is a tensor; write "x"'],
    [{ args: [...REST, 'eps:i32'] }, 'args: "eps:i32": eps goes to f32 or f64'],
    [{ args: [...REST, '__proto__'] }, 'args: "__proto__" is no tensor of rms_norm; its tensors are x, weight, y'],
    [
      { args: [...REST, 'constructor:i32'] },
      'args: "constructor:i32": rms_norm has no scalar constructor; it has T, H, eps, weight_offset',
    ],
    [{ args: ['x', 'y'] }, 'args lacks input "weight" of rms_norm'],
    [{ args: ['x', 'weight'] }, 'args lacks output "y" of rms_norm'],
    [{ args: [...REST, 'out_y'] }, 'args: "out_y" is no tensor of rms_norm; did you mean "y"?'],
    [{ op: 'rope', args: ['q', 'k', 'cos', 'sin'] }, 'args lacks output "out_q" of rope'],
    [{ grid: 'S' }, 'grid.x "S": rms_norm has no S; it has T, H'],
    [{ grid: ['T', 0] }, 'grid.y 0: it must be at least 1'],
    [{ block: '4 - 4' }, 'block.x "4 - 4": it must be at least 1'],
    [
      { block: 'process.exit()' },
      'block.x "process.exit()": "." at character 8 is not allowed; allowed are whole numbers, names, + - * / ( ) and commas',
    ],
    [{ shared_bytes: 'T *' }, 'shared_bytes "T *": it ends too early'],
    [{ entry: { float16: 'k' } }, 'entry has none for dtype bfloat16'],
    [{ op: 'generate' }, 'op generate is for backend command'],
  ])('with %j is refused', (changes, problem) => {
    expect(problems(changes)).toContain(problem);
  });
});

describe('what a kernel did not write', () => {
  const rows = (written: (row: number, column: number) => boolean, T = 128, columns = 4) => {
    const bits = Uint16Array.from({ length: T * columns }, (_, i) => (written(Math.floor(i / columns), i % columns) ? 0x3f80 : 0xffd5));
    return unwritten('q', bits, 'bfloat16', [T, 2, columns / 2]).map(({ check, detail }) => `${check}: ${detail}`);
  };
  test.each<[string, (row: number, column: number) => boolean, string[]]>([
    ['nothing', () => true, []],
    ['the tail', (row) => row < 120, ['outputs_written: rows 120 to 127 of q were not written for T = 128']],
    ['one row', (row) => row !== 7, ['outputs_written: row 7 of q was not written for T = 128']],
    ['all', () => false, ['outputs_written: q was not written at all for T = 128']],
    [
      'rows here and there',
      (row) => row !== 7 && row !== 8 && row !== 90,
      ['outputs_written: rows 7 to 8 and 1 other of q were not written for T = 128'],
    ],
    [
      'the end of each row',
      (_, column) => column < 3,
      ['outputs_written: 128 elements in rows 0 to 127 of q were not written for T = 128 (first: element 3 of row 0)'],
    ],
  ])('is named: %s', (_, written, said) => {
    expect(rows(written)).toEqual(said);
  });

  test('is not a NaN that the kernel computed', () => {
    for (const nan of [0x7fff, 0xffc0, 0x7fc0, 0x7f81, 0xffff])
      expect(unwritten('y', Uint16Array.of(nan, 0), 'bfloat16', [1, 2])).toEqual([]);
    for (const nan of [0x7fff, 0xfe00, 0x7e00, 0xffff]) expect(unwritten('y', Uint16Array.of(nan, 0), 'float16', [1, 2])).toEqual([]);
    for (const nan of [0x7fffffff, 0xffc00000, 0x7fc00000]) expect(unwritten('y', Uint32Array.of(nan, 0), 'float32', [1, 2])).toEqual([]);
  });
});
