// Whole forward passes on made-up models: several prompts in one walk, repeats, threads, weights that are damaged or cut into blocks.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildProgram } from '../../src/architectures/registry.js';
import { forward } from '../../src/reference/forward.js';
import type { NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE, validRecipes, type Recipe } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { joinPrompts } from '../../src/reference/sequence.js';
import { servedBlock } from '../../src/reference/served-weights.js';
import { walk, type Lane } from '../../src/reference/walk.js';
import { startThreads } from '../../src/threads.js';
import { config } from '../architectures/configs.js';
import { build } from '../dist/bundled.js';
import { GOLDEN_MODELS, MODEL_NAMES, openModel, readGolden, rmsDifference, runForward, type OpenModel } from '../support/goldens.js';
import { tensorsOf, withTensors } from '../support/made-checkpoint.js';
import { scratch, shortModel } from '../support/models.js';
import { refusal, seededRandom } from '../weights/made-files.js';

let runner: OpRunner;
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});

function bits(array: NdArray): Buffer {
  return Buffer.from(array.data.buffer, array.data.byteOffset, array.data.byteLength);
}

function lane(recipe: Recipe): Lane {
  return { recipe, values: new Map(), standIns: new Map() };
}

/** Logits of prompts that are run together, by each recipe. */
async function together(model: Pick<OpenModel, 'program' | 'checkpoint'>, prompts: number[][], recipes: Recipe[]): Promise<NdArray[]> {
  const lanes = recipes.map(lane);
  const { program } = model;
  let logits: NdArray[] = [];
  await walk({
    ...model,
    sequence: joinPrompts(program, prompts),
    runner,
    dtype: 'bfloat16',
    lanes,
    scanAll: false,
    keep: new Map(),
    async afterOp(index) {
      if (index === program.ops.length - 1) logits = lanes.map(({ values }) => values.get(program.logits) as NdArray);
    },
  });
  return logits;
}

// Of each model as many layers as it has kinds of them, twice: what is asked here is the same of all.
describe.each(MODEL_NAMES)('%s', (name) => {
  let root: { folder: string; remove: () => Promise<void> };
  let model: OpenModel;
  let ids: readonly (readonly number[])[];
  beforeAll(async () => {
    root = await scratch();
    model = await openModel(await shortModel(name, root.folder, name, 4));
    ids = (await readGolden(name)).ids;
  });
  afterAll(async () => {
    await model.checkpoint.close();
    await root.remove();
  });

  test('three prompts in one walk give what each gives alone, and lanes do not see each other', async () => {
    const recipes = [ORACLE, ...validRecipes('bfloat16')];
    const joined = await together(
      model,
      ids.map((prompt) => [...prompt]),
      recipes,
    );
    for (const [i, recipe] of recipes.entries()) {
      const alone = await Promise.all(ids.map((prompt) => runForward(runner, model, prompt, recipe)));
      const expected = Buffer.concat(alone.map(({ logits }) => bits(logits)));
      expect(bits(joined[i] as NdArray).equals(expected)).toBe(true);
    }
  });

  test('a token sees nothing of those after it', async () => {
    const prompt = [...(ids[1] as readonly number[])];
    const other = [...prompt.slice(0, -1), ((prompt.at(-1) as number) + 1) % model.program.vocab_size];
    const [a, b] = await Promise.all([prompt, other].map(async (one) => (await runForward(runner, model, one, ORACLE)).logits));
    const before = (prompt.length - 1) * model.program.vocab_size;
    expect(a?.data.slice(0, before)).toEqual(b?.data.slice(0, before));
    expect(a?.data.slice(before)).not.toEqual(b?.data.slice(before));
  });

  test('two runs, in sessions of their own, give the same bits', async () => {
    const again = createOpRunner(await loadOnnxRuntime());
    for (const recipe of [ORACLE, ...validRecipes('bfloat16'), eager('float16'), eager('float32')]) {
      const dtype = recipe.round === 'none' ? 'bfloat16' : recipe.round;
      const options = { ids: ids[0] as readonly number[], recipe, dtype };
      const first = await forward(runner, model.program, model.checkpoint, options);
      const second = await forward(again, model.program, model.checkpoint, options);
      expect(bits(second.logits).equals(bits(first.logits))).toBe(true);
      expect(bits(second.hidden).equals(bits(first.hidden))).toBe(true);
    }
  });
});

test('every layer is announced when it is done', async () => {
  const program = buildProgram(config('gemma3_text'));
  const layers: number[] = [];
  await withTensors(tensorsOf(program, seededRandom(1)), async (checkpoint) => {
    const onLayer = (layer: number) => layers.push(layer);
    await forward(runner, program, checkpoint, { ids: [1, 2], recipe: ORACLE, dtype: 'bfloat16', onLayer });
  });
  expect(layers).toEqual([0, 1, 2]);
});

test('biases are added', async () => {
  const program = buildProgram(config('llama', { attention_bias: true, mlp_bias: true }));
  const without = buildProgram(config('llama'));
  const tensors = tensorsOf(program, seededRandom(2));
  const unbiased = tensors.filter(({ name }) => !name.endsWith('.bias'));
  const zeroed = tensors.map((tensor) =>
    tensor.name.endsWith('.bias') ? { ...tensor, values: new Float32Array(tensor.values.length) } : tensor,
  );
  const options = { ids: [3, 1, 4], recipe: eager('bfloat16'), dtype: 'bfloat16' as const };
  const biased = await withTensors(tensors, (checkpoint) => forward(runner, program, checkpoint, options));
  const zero = await withTensors(zeroed, (checkpoint) => forward(runner, program, checkpoint, options));
  const none = await withTensors(unbiased, (checkpoint) => forward(runner, without, checkpoint, options));
  expect(zero.logits.data).toEqual(none.logits.data);
  expect(rmsDifference(biased.logits.data, none.logits.data)).toBeGreaterThan(0.01);
});

test('a vocabulary that comes in several blocks gives the logits of the whole head', async () => {
  const program = buildProgram(config('llama', { vocab_size: 70_001, tie_word_embeddings: true }));
  await withTensors(tensorsOf(program, seededRandom(3)), async (checkpoint) => {
    for (const recipe of [ORACLE, eager('bfloat16')]) {
      const { logits, hidden } = await forward(runner, program, checkpoint, { ids: [5, 70_000], recipe, dtype: 'bfloat16' });
      const ref = { tensor: 'model.embed_tokens.weight', shape: [70_001, 8] };
      const head = servedBlock(checkpoint, { ref, start: 0, end: 70_001 }, await checkpoint.read(ref.tensor), 'bfloat16');
      const normed = { data: hidden.data.slice(-16), shape: [2, 8] };
      const whole = await runner.linear(recipe, normed, head, null);
      expect(logits.shape).toEqual([2, 70_001]);
      expect(bits(logits).equals(bits(whole))).toBe(true);
    }
  });
});

describe('damaged weights stop the walk with the tensor’s name', () => {
  const program = buildProgram(config('qwen3', { tie_word_embeddings: false }));
  const run = (name: string, scanAll: boolean) => {
    const tensors = tensorsOf(program, seededRandom(4)).map((tensor) => {
      if (tensor.name !== name) return tensor;
      const values = Float32Array.from(tensor.values);
      values[values.length - 1] = NaN;
      return { ...tensor, values };
    });
    return withTensors(tensors, (checkpoint) =>
      walk({
        program,
        checkpoint,
        sequence: joinPrompts(program, [[1, 2, 3]]),
        runner,
        dtype: 'bfloat16',
        lanes: [lane(eager('bfloat16'))],
        scanAll,
        keep: new Map(),
        afterOp: () => Promise.resolve(),
      }),
    );
  };

  test('in every tensor that is used', async () => {
    for (const { name } of tensorsOf(program, () => 0)) {
      expect(await refusal(run(name, true))).toContain(`non_finite_weights: model.safetensors: ${name} holds 1 NaN and 0 infinite`);
    }
  });

  test('in embedding rows that no prompt uses only where all are looked at', async () => {
    await expect(run('model.embed_tokens.weight', false)).resolves.toBeUndefined();
    expect(await refusal(run('model.embed_tokens.weight', true))).toContain('model.embed_tokens.weight holds 1 NaN');
  });
});

describe('in a worker thread', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fused-compat-worker-'));
  beforeAll(() => {
    build('--outdir', folder, '--entry', 'src/worker.ts', '--entry', 'src/hand.ts');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('the bundled engine gives the bits that the installed one gives here', async () => {
    const engine = startThreads(2, pathToFileURL(join(folder, 'worker.js')));
    try {
      const model = await openModel(GOLDEN_MODELS['qwen3-mini']);
      const ids = [1, 2, 3, 5, 8, 13];
      const job = { kind: 'reference', model: GOLDEN_MODELS['qwen3-mini'], dtype: 'bfloat16', ids } as const;
      const results = await Promise.all((['oracle', 'eager', 'eager'] as const).map((recipe) => engine.run({ ...job, recipe })));
      for (const [i, recipe] of [ORACLE, eager('bfloat16'), eager('bfloat16')].entries()) {
        const here = await runForward(runner, model, ids, recipe);
        const there = results[i];
        if (there === undefined) throw new Error('no result');
        expect(there.logits.shape).toEqual(here.logits.shape);
        expect(bits(there.logits).equals(bits(here.logits))).toBe(true);
        expect(bits(there.hidden).equals(bits(here.hidden))).toBe(true);
      }
      await model.checkpoint.close();
      const gone = engine.run({ ...job, model: '/no/such/folder', recipe: 'eager' });
      expect(await refusal(gone)).toContain('model_not_found: There is no model folder');
    } finally {
      await engine.close();
    }
  });
});
