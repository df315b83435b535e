// Weights on their way from the file to the graphs: blocks, reading ahead, damaged values, dtypes.

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner, type LocalOpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import {
  blocksOf,
  embeddingRows,
  readAhead,
  roundToServing,
  servedBlock,
  wholeWeight,
  type Block,
} from '../../src/reference/served-weights.js';
import type { ServingDtype } from '../../src/report/types.js';
import type { Checkpoint } from '../../src/weights/checkpoint.js';
import type { NumericDtype } from '../../src/weights/values.js';
import { withTensors, type MadeTensor } from '../support/made-checkpoint.js';
import { refusal, seededRandom } from '../weights/made-files.js';

let runner: LocalOpRunner;
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});

const draw = seededRandom(1);
// Drawn once: a million draws take a second here.
const NOISE = Float32Array.from({ length: 1400 * 1024 }, () => draw() - 0.5);

/** Values that may be changed; another seed gives others. */
function random(seed: number, size: number): Float32Array {
  return size + seed <= NOISE.length
    ? NOISE.slice(seed, seed + size)
    : Float32Array.from({ length: size }, (_, i) => NOISE[i % 1e6] as number);
}

function matrix(rows: number, columns: number, more: Partial<MadeTensor> = {}): MadeTensor {
  return { name: 'w', shape: [rows, columns], values: random(1, rows * columns), ...more };
}

const ref = (tensor: MadeTensor) => ({ tensor: tensor.name, shape: tensor.shape });

/** Faster than toEqual on long arrays by far. */
function sameBits(a: NdArray['data'], b: NdArray['data']): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: NdArray['data']) => new Uint8Array(buffer, byteOffset, byteLength);
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

async function readAll(checkpoint: Checkpoint, blocks: readonly Block[]): Promise<Uint8Array[]> {
  const { next } = readAhead(checkpoint, blocks);
  const read: Uint8Array[] = [];
  for (const block of blocks) {
    const { block: given, bytes } = await next();
    expect(given).toBe(block);
    read.push(bytes);
  }
  await expect(next()).rejects.toThrow('read past the last block');
  return read;
}

test('blocks that nobody asks for are skipped: begun or not, with the next one read in its turn', async () => {
  const tensor = matrix(18 * 512, 256, { dtype: 'F64' });
  await withTensors([tensor], async (checkpoint) => {
    const read: number[] = [];
    const counting = {
      ...checkpoint,
      read: (name: string, start = 0, end?: number) => (read.push(start), checkpoint.read(name, start, end)),
    };
    const blocks = blocksOf(checkpoint, ref(tensor));
    const reader = readAhead(counting, blocks);
    reader.skip(2);
    expect(read).toEqual([]);
    expect((await reader.next()).block).toBe(blocks[2]);
    const begun = read.length;
    expect(begun).toBeGreaterThan(2);
    // Those that were begun, and some after them.
    reader.skip(begun + 3);
    const { block, bytes } = await reader.next();
    expect(block).toBe(blocks[2 + begun + 4]);
    expect(Buffer.compare(bytes, await checkpoint.read('w', block.start * 2048, block.end * 2048))).toBe(0);
    reader.skip(blocks.length - (2 + begun + 5));
    await expect(reader.next()).rejects.toThrow('read past the last block');
  });
});

describe('blocks', () => {
  test.each([
    { about: 'a small matrix is one block', rows: 7, columns: 16, sizes: [7] },
    { about: 'a matrix of exactly one block is one', rows: 512, columns: 1024, sizes: [512] },
    { about: 'a row more makes a second, of the same size', rows: 513, columns: 1024, sizes: [256, 257] },
    { about: 'a large matrix is cut into equal parts of up to 1 MiB', rows: 1300, columns: 1024, sizes: [433, 433, 434] },
    { about: 'wide rows make larger blocks, not ones of few rows', rows: 600, columns: 4096, sizes: [200, 200, 200] },
    { about: 'a few rows stay together, however wide they are', rows: 3, columns: 600_000, sizes: [3] },
  ])('$about', async ({ rows, columns, sizes }) => {
    const tensor = matrix(rows, columns);
    await withTensors([tensor], async (checkpoint) => {
      const blocks = blocksOf(checkpoint, ref(tensor));
      expect(blocks.map(({ start, end }) => end - start)).toEqual(sizes);
      expect(blocks[0]?.start).toBe(0);
      blocks.slice(1).forEach(({ start }, i) => expect(start).toBe(blocks[i]?.end));
      expect(Buffer.concat(await readAll(checkpoint, blocks)).equals(await checkpoint.read('w'))).toBe(true);
    });
  });

  test('of several tensors come in the order asked for, also when they are more than is read ahead', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `w${i}`);
    const tensors = names.map((name, i) => matrix(600, 1024, { name, values: random(i, 600 * 1024) }));
    await withTensors(tensors, async (checkpoint) => {
      const blocks = [...tensors].reverse().flatMap((tensor) => blocksOf(checkpoint, ref(tensor)));
      const read = await readAll(checkpoint, blocks);
      for (const [i, { ref: of, start, end }] of blocks.entries()) {
        expect(Buffer.compare(read[i] as Uint8Array, await checkpoint.read(of.tensor, start * 2048, end * 2048))).toBe(0);
      }
    });
  });

  test.each([513, 1100, 1300])('a matrix of %d rows in blocks gives the bits of the matrix in one piece', async (rows) => {
    const tensor = matrix(rows, 1024);
    const values = random(2, 64 * 1024);
    await withTensors([tensor], async (checkpoint) => {
      const whole = { ref: ref(tensor), start: 0, end: rows };
      const blocks = blocksOf(checkpoint, ref(tensor));
      expect(blocks.length).toBeGreaterThan(1);
      for (const recipe of [ORACLE, eager('bfloat16'), eager('float32')]) {
        const x = { data: recipe === ORACLE ? Float64Array.from(values) : roundToServing(values, 'bfloat16'), shape: [64, 1024] };
        const run = async (block: Block) => {
          const bytes = await checkpoint.read('w', block.start * 2048, block.end * 2048);
          return (await runner.linear(recipe, x, servedBlock(checkpoint, block, bytes, 'bfloat16'), null)).data;
        };
        const expected = await run(whole);
        for (const block of blocks) {
          const width = block.end - block.start;
          const part = await run(block);
          for (let t = 0; t < 64; t++) {
            const row = expected.subarray(t * rows + block.start, t * rows + block.end);
            expect(sameBits(part.subarray(t * width, (t + 1) * width), row)).toBe(true);
          }
        }
      }
    });
  });
});

describe('values that are not finite', () => {
  const damaged = (dtype: NumericDtype, rows = 1300) => {
    const values = random(3, rows * 1024);
    values[5] = NaN;
    values[values.length - 1] = NaN;
    values[1024 * 600] = -Infinity;
    return matrix(rows, 1024, { name: 'model.layers.7.mlp.up_proj.weight', values, dtype });
  };

  test.each(['BF16', 'F16', 'F32', 'F64'] as const)('in a matrix of %s are counted over all its blocks and named', async (dtype) => {
    const tensor = damaged(dtype);
    await withTensors([tensor], async (checkpoint) => {
      const { next } = readAhead(checkpoint, blocksOf(checkpoint, ref(tensor)));
      expect(await refusal(next())).toBe(
        'non_finite_weights: model.safetensors: model.layers.7.mlp.up_proj.weight holds 2 NaN and 1 infinite values; ' +
          'the checkpoint is damaged or diverged in training',
      );
    });
  });

  test('are found in the last value of the last block', async () => {
    const values = random(3, 513 * 1024);
    values[values.length - 1] = Infinity;
    const tensor = matrix(513, 1024, { values });
    await withTensors([tensor], async (checkpoint) => {
      const { next } = readAhead(checkpoint, blocksOf(checkpoint, ref(tensor)));
      expect((await next()).bytes).toHaveLength(256 * 2048);
      expect(await refusal(next())).toContain('w holds 0 NaN and 1 infinite values');
    });
  });

  test('are found however often the blocks are read, and where a tensor is read in other rows', async () => {
    const values = random(3, 1024 * 1024);
    values[1024 * 800] = NaN;
    const tensor = matrix(1024, 1024, { values });
    const part = (start: number) => ({ tensor: 'w', shape: [512, 1024], rows: { start, total: 1024 } });
    await withTensors([tensor], async (checkpoint) => {
      for (let again = 0; again < 2; again++) {
        const sound = readAhead(checkpoint, blocksOf(checkpoint, part(0)));
        await sound.next();
        const broken = readAhead(checkpoint, blocksOf(checkpoint, part(512)));
        expect(await refusal(broken.next())).toContain('w holds 1 NaN and 0 infinite values');
      }
    });
  });

  test('in a norm or a bias are named', async () => {
    const norm = { name: 'model.norm.weight', shape: [3], values: [1, NaN, 1] };
    await withTensors([norm], async (checkpoint) => {
      expect(await refusal(wholeWeight(checkpoint, ref(norm), 'bfloat16'))).toContain('model.norm.weight holds 1 NaN and 0 infinite');
    });
  });

  test('in the embedding are found in the rows that are used', async () => {
    const table = { name: 'model.embed_tokens.weight', shape: [4, 2], values: [1, 2, 3, NaN, 5, 6, 7, 8] };
    await withTensors([table], async (checkpoint) => {
      expect(await refusal(embeddingRows(checkpoint, ref(table), [0, 1], 'bfloat16'))).toContain('model.embed_tokens.weight holds 1 NaN');
      expect(await embeddingRows(checkpoint, ref(table), [3, 0, 3], 'bfloat16')).toEqual(Float32Array.of(7, 8, 1, 2, 7, 8));
    });
  });
});

const WIDER = 'in a dtype of a larger range';

describe('what is served', () => {
  // Values that each rounding changes, ties included.
  const VALUES = [1, -1.00390625, 1.001953125, 0.1, 1 / 3, -60000, 2049, 1e-5, 3.0517578125e-5, 0, 1 + 2 ** -20, -123.456];
  const SERVED: readonly ServingDtype[] = ['bfloat16', 'float16', 'float32'];
  const FILES: readonly NumericDtype[] = ['BF16', 'F16', 'F32', 'F64'];
  const stored = (dtype: NumericDtype) => {
    const values = Float32Array.from(VALUES);
    return dtype === 'BF16' ? roundToServing(values, 'bfloat16') : dtype === 'F16' ? roundToServing(values, 'float16') : values;
  };

  describe.each(FILES)('of a file of %s', (dtype) => {
    test.each(SERVED)('in %s is the stored value rounded once', async (served) => {
      const tensor = { name: 'w', shape: [VALUES.length / 2, 2], values: VALUES, dtype };
      const expected = roundToServing(stored(dtype), served);
      await withTensors([tensor], async (checkpoint) => {
        const bytes = await checkpoint.read('w');
        const block = servedBlock(checkpoint, { ref: ref(tensor), start: 0, end: VALUES.length / 2 }, bytes, served);
        expect((await runner.widen(block)).data).toEqual(expected);
        expect(block.shape).toEqual(tensor.shape);
        expect((await wholeWeight(checkpoint, ref(tensor), served)).data).toEqual(expected);
        expect(await embeddingRows(checkpoint, ref(tensor), [0, 1], served)).toEqual(expected.slice(0, 4));
        // Raw bits go to the graph wherever that loses nothing: half the bytes, and no work here.
        const raw = (dtype === 'BF16' && served !== 'float16') || (dtype === 'F16' && served !== 'bfloat16');
        expect(block.form).toBe(!raw ? 'float32' : dtype === 'BF16' ? 'bfloat16_bits' : 'float16_bits');
      });
    });
  });

  test.each([
    { dtype: 'BF16', served: 'float16', value: 70_144, fits: 65_280, held: '70144', limit: '65504', where: 'in bfloat16 or float32' },
    { dtype: 'F32', served: 'float16', value: -65_520, fits: -65_519, held: '-65520', limit: '65504', where: 'in bfloat16 or float32' },
    { dtype: 'F32', served: 'bfloat16', value: 3.4e38, fits: 3.38e38, held: '3.4e+38', limit: '3.39e38', where: WIDER },
    { dtype: 'F64', served: 'bfloat16', value: 1e39, fits: 1e38, held: 'values beyond float32', limit: '3.39e38', where: WIDER },
    { dtype: 'F64', served: 'float32', value: -1e300, fits: -3e38, held: 'values beyond float32', limit: '3.40e38', where: WIDER },
  ] as const)('a value of $dtype that overflows $served is refused and named, the largest that fits is not', async (one) => {
    const { dtype, served, value, fits, held, limit, where } = one;
    const tensor = (large: number) => ({ name: 'w', shape: [2, 2], values: [large, 1, large / 2, 2], dtype });
    await withTensors([tensor(value)], async (checkpoint) => {
      const message = await refusal(wholeWeight(checkpoint, ref(tensor(value)), served));
      expect(message).toBe(
        `serving_overflow: model.safetensors: w holds ${held}, too large for ${served}, whose largest finite value is ${limit}; serve the model ${where}`,
      );
      const bytes = await checkpoint.read('w');
      const block = { ref: ref(tensor(value)), start: 0, end: 2 };
      expect(() => servedBlock(checkpoint, block, bytes, served)).toThrow('too large');
    });
    await withTensors([tensor(fits)], async (checkpoint) => {
      expect((await wholeWeight(checkpoint, ref(tensor(fits)), served)).data.every(Number.isFinite)).toBe(true);
    });
  });
});
