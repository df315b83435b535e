// The reference on several threads: the same bits as on one, and threads that die, fail or are not there.

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildProgram } from '../../src/architectures/registry.js';
import type { Op } from '../../src/architectures/program.js';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { startHands, type Hands } from '../../src/reference/hands.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner, type Factor, type LinearWeight, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { Engine } from '../../src/threads.js';
import { roundToBfloat16 } from '../../src/weights/values.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';
import { config } from '../architectures/configs.js';
import { bundledHand, startEngine } from '../support/engine.js';
import { tensorsOf } from '../support/made-checkpoint.js';
import { scratch } from '../support/models.js';
import { seededRandom } from '../weights/made-files.js';

let local: OpRunner;
let bundled: ReturnType<typeof bundledHand>;
let root: { folder: string; remove: () => Promise<void> };
const started: Hands[] = [];
beforeAll(async () => {
  local = createOpRunner(await loadOnnxRuntime());
  bundled = bundledHand();
  root = await scratch();
});
afterEach(async () => {
  for (const hands of started.splice(0)) await hands.close();
});
afterAll(async () => {
  bundled.remove();
  await root.remove();
});

/** A runner of `count` hands, and how many ops this thread did. */
function withHands(count: number, script: URL = bundled.script) {
  let here = 0;
  const counted: OpRunner = {
    ...local,
    run: (...call) => (here++, local.run(...call)),
    linears: (...call) => (here++, local.linears(...call)),
  };
  const hands = startHands(counted, count, script);
  started.push(hands);
  return { runner: hands.runner, here: () => here };
}

const random = seededRandom(7);
const TOKENS = 16;
const COLUMNS = 256;

function made(type: 'float32' | 'float64', ...shape: number[]): NdArray {
  const size = shape.reduce((product, count) => product * count, 1);
  const data = Float32Array.from({ length: size }, () => random() - 0.5);
  return { data: type === 'float64' ? Float64Array.from(data) : data, shape };
}

const ROWS = 1024;
const weights = roundToBfloat16(made('float32', ROWS + 16, COLUMNS).data as Float32Array);

/** A block of a matrix that costs enough to be worth another thread, from some row on. */
function block(movable: boolean, row = 0): LinearWeight {
  const data = weights.slice(row * COLUMNS, (row + ROWS) * COLUMNS);
  return { form: 'bfloat16_bits', data, shape: [ROWS, COLUMNS], movable };
}

function bits({ data }: NdArray): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}

const OP: Op = {
  op: 'silu_mul',
  site: 'mlp',
  layer: 0,
  inputs: { gate: 'gate', up: 'up' },
  outputs: { y: 'y' },
  weights: {},
  attributes: {},
};
const ATTENTION: Op = {
  op: 'attention',
  site: 'attention',
  layer: 0,
  inputs: { q: 'q', k: 'k', v: 'v' },
  outputs: { o: 'o' },
  weights: {},
  attributes: { scale: 0.2, causal: true },
};

describe.each([1, 3])('with %i hands', (count) => {
  test.each([true, false])('blocks of a matrix have the bits that one thread gives (movable: %s)', async (movable) => {
    const factors = [ORACLE, ...validRecipes('bfloat16')].map((recipe): Factor => ({ recipe, x: made(recipe.compute, TOKENS, COLUMNS) }));
    const blocks = Array.from({ length: 8 }, (_, row) => block(movable, row));
    const bias = made('float32', ROWS).data as Float32Array;
    const expected = [];
    for (const weight of blocks) expected.push((await local.linears(factors, weight, bias, 30)).map(bits));
    const { runner, here } = withHands(count);
    expect(runner.threads).toBe(1 + count);
    const products = await Promise.all(blocks.map((weight) => runner.linears(factors, weight, bias, 30)));
    expect(products.map((each) => each.map(bits))).toEqual(expected);
    expect(here()).toBeLessThanOrEqual(blocks.length - 2 * count);
    // Only what may be moved was.
    const moved = blocks.filter(({ data }) => data.length === 0).length;
    expect(moved).toBe(movable ? blocks.length - here() : 0);
  });

  test('factors of several matrices are not taken for each other', async () => {
    const { runner } = withHands(count);
    const weight = block(false);
    const sets = Array.from({ length: 5 }, () => [{ recipe: eager('bfloat16'), x: made('float32', TOKENS, COLUMNS) }]);
    const calls = [...sets, ...sets].map(async (factors) => {
      const [there] = await runner.linears(factors, weight, null);
      const [here] = await local.linears(factors, weight, null);
      expect(bits(there as NdArray)).toBe(bits(here as NdArray));
    });
    await Promise.all(calls);
    expect(calls).toHaveLength(10);
  });

  test('other ops have the bits that one thread gives', async () => {
    const { runner, here } = withHands(count);
    const part = ({ data, shape: [rows = 0, ...rest] }: NdArray): NdArray => ({
      data: data.subarray(data.length / 2),
      shape: [rows / 2, ...rest],
    });
    const gate = part(made('float32', 64, 1024));
    const up = part(made('float32', 64, 1024));
    const [q, k, v] = [made('float64', 64, 8, 64), made('float64', 64, 4, 64), made('float64', 64, 4, 64)];
    const calls = (ops: OpRunner) => [ops.run(OP, eager('bfloat16'), { gate, up }), ops.run(ATTENTION, ORACLE, { q, k, v })];
    const [gated, attended] = await Promise.all(calls(runner));
    const [gatedHere, attendedHere] = await Promise.all(calls(local));
    expect(bits(gated?.['y'] as NdArray)).toBe(bits(gatedHere?.['y'] as NdArray));
    expect(bits(attended?.['o'] as NdArray)).toBe(bits(attendedHere?.['o'] as NdArray));
    expect(here()).toBe(0);
  });

  test('what fails in a hand fails as it does here', async () => {
    const { runner } = withHands(count);
    const x = made('float32', 64, 1024);
    const unknown = { ...OP, op: 'split_heads' as const };
    const failure = async (ops: OpRunner) => String(await ops.run(unknown, eager('bfloat16'), { x }).catch((error: unknown) => error));
    expect(await failure(runner)).toBe('Error: no graph for op split_heads');
    expect(await failure(local)).toBe('Error: no graph for op split_heads');
    const short = { ...block(false), data: new Uint16Array(1024) };
    const wrong = async (ops: OpRunner) =>
      String(await ops.linears([{ recipe: ORACLE, x: made('float64', 64, COLUMNS) }], short, null).catch((error: unknown) => error));
    expect(await wrong(runner)).toBe(await wrong(local));
    expect(await wrong(local)).toMatch(/^Error: /);
  });
});

test('small ops stay in this thread', async () => {
  const { runner, here } = withHands(2, pathToFileURL(join(root.folder, 'gone.mjs')));
  await runner.run(OP, eager('bfloat16'), { gate: made('float32', 4, 8), up: made('float32', 4, 8) });
  await runner.linear(ORACLE, made('float64', 4, 8), { form: 'float32', data: new Float32Array(64), shape: [8, 8] }, null);
  expect(here()).toBe(2);
});

async function script(name: string, source: string): Promise<URL> {
  const path = join(root.folder, name);
  await writeFile(path, source);
  return pathToFileURL(path);
}

test.each([
  ['throws', "throw new Error('the hand broke');", /the hand broke/],
  ['exits', 'process.exit(7);', /a thread of the reference ended with code 7 before its op was done/],
])('a hand that %s fails the ops it had, and the next op starts it anew', async (name, death, message) => {
  const been = join(root.folder, `${name}.txt`);
  const source = `
    import { existsSync, writeFileSync } from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', () => {
      if (existsSync(${JSON.stringify(been)})) return parentPort.postMessage({ outputs: ['answered'] });
      writeFileSync(${JSON.stringify(been)}, '');
      ${death}
    });
  `;
  const { runner } = withHands(1, await script(`${name}.mjs`, source));
  const factors = [{ recipe: eager('bfloat16'), x: made('float32', TOKENS, COLUMNS) }];
  const weight = block(false);
  const ask = () => runner.linears(factors, weight, null);
  const asked = await Promise.allSettled([ask(), ask(), ask()]);
  expect(existsSync(been)).toBe(true);
  expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  for (const result of asked.slice(0, 2)) expect(String((result as PromiseRejectedResult).reason)).toMatch(message);
  expect(await ask()).toEqual(['answered']);
});

test('a script that is not there is an error', async () => {
  const { runner } = withHands(1, pathToFileURL(join(root.folder, 'gone.mjs')));
  const factors = [{ recipe: eager('bfloat16'), x: made('float32', TOKENS, COLUMNS) }];
  await expect(runner.linears(factors, block(true), null)).rejects.toThrow(/gone\.mjs/);
});

describe('a whole model', () => {
  const engines: Engine[] = [];
  let model: string;
  beforeAll(async () => {
    const raw = config('qwen3', {
      hidden_size: COLUMNS,
      intermediate_size: 1024,
      num_hidden_layers: 1,
      head_dim: 64,
      vocab_size: 1024,
      max_position_embeddings: 128,
    });
    model = root.folder;
    const bfloat16 = (values: ArrayLike<number>) => new Uint8Array(roundToBfloat16(Float32Array.from(values)).buffer);
    const tensors = tensorsOf(buildProgram(raw), random).map((tensor) => ({
      ...tensor,
      dtype: 'BF16' as const,
      data: bfloat16(tensor.values),
    }));
    await writeSafetensors(join(model, 'model.safetensors'), tensors);
    await writeFile(join(model, 'config.json'), JSON.stringify({ ...raw, torch_dtype: 'bfloat16' }));
    engines.push(startEngine(1, 1), startEngine(1, 3));
  });
  afterAll(async () => {
    for (const engine of engines) await engine.close();
  });

  const ids = Array.from({ length: 48 }, (_, i) => (i * 37 + 5) % 1024);

  test.each(['oracle', 'eager'] as const)('by recipe %s has the same bits on one thread and on three', async (recipe) => {
    const job = { kind: 'reference', model, dtype: 'bfloat16', ids, recipe } as const;
    const [one, three] = await Promise.all(engines.map((engine) => engine.run(job)));
    if (one === undefined || three === undefined) throw new Error('no result');
    expect(bits(three.logits)).toBe(bits(one.logits));
    expect(bits(three.hidden)).toBe(bits(one.hidden));
  });

  test('has the same report on one thread and on three, but for times', async () => {
    const settings = await loadConfig({
      cwd: root.folder,
      overrides: { models: [model], prompts: [{ input_ids: ids }, { input_ids: [1, 2, 3] }] },
    });
    const reports = [];
    for (const engine of engines) {
      const [report] = (await check(settings, { engine, max_new_tokens: 3 })).models;
      expect(report?.numeric?.kernels.length).toBeGreaterThan(0);
      reports.push({ ...report, numeric: { ...report?.numeric, performance: null } });
    }
    expect(reports[1]).toEqual(reports[0]);
  });
});
