// Greedy decoding with keys and values kept, against what transformers wrote, and against going through all tokens each time.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { readTexts } from '../../src/diff/read-text.js';
import { inMemory, nextTokens, writer, type Writer } from '../../src/reference/decode.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import type { Lane } from '../../src/reference/walk.js';
import { GOLDEN_MODELS, openModel, type GoldenModel, type OpenModel } from '../support/goldens.js';

const DTYPE = 'bfloat16';
const EAGER = eager(DTYPE);
const DECISIVE_MARGIN = 10;

let runner: OpRunner;
const opened: OpenModel[] = [];
beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
});
afterAll(async () => {
  for (const { checkpoint } of opened) await checkpoint.close();
});

async function open(name: GoldenModel) {
  const model = await openModel(GOLDEN_MODELS[name]);
  opened.push(model);
  const { prompts } = JSON.parse(await readFile(`__tests__/goldens/${name}/golden.json`, 'utf8')) as {
    prompts: { input_ids: number[]; greedy_bf16_ids: number[] }[];
  };
  return { program: model.program, checkpoint: inMemory(model.checkpoint), prompts };
}

type Context = Awaited<ReturnType<typeof open>>;

async function write(context: Context, by: Writer, tokens: number): Promise<number[]> {
  const from = by.ids.length;
  while (by.ids.length < from + tokens) {
    const [after] = await nextTokens({ ...context, dtype: DTYPE, runner, keep: new Map() }, [by]);
    by.ids.push(after?.at(-1) ?? -1);
  }
  return by.ids.slice(from);
}

describe('eager writes what transformers’ eager attention wrote, as long as the oracle does not call it a near tie', () => {
  // 20, 24 and 64 tokens; mistral-mini's window is 24, so keys leave it while it writes.
  test.each([
    ['mistral-mini', 0, 12],
    ['mistral-mini', 1, 12],
    ['mistral-mini', 2, 12],
    ['ernie45-mini', 0, 30],
    ['gemma3-mini', 1, 8],
  ] as const)('%s, prompt %d, %d tokens', async (name, index, tokens) => {
    const context = await open(name);
    const { input_ids: prompt, greedy_bf16_ids: theirs } = context.prompts[index] as Context['prompts'][number];
    const ours = await write(context, writer(prompt, { recipe: EAGER }), tokens);
    const parted = ours.findIndex((id, i) => id !== theirs[i]);
    const compared = parted < 0 ? tokens : parted;
    expect(ours.slice(0, compared)).toEqual(theirs.slice(0, compared));
    expect(compared).toBeGreaterThanOrEqual(8);
    if (parted < 0) return;
    const texts = [ours, theirs].map((ids) => ({ prompt, ids: ids.slice(0, parted + 1) }));
    const [own, other] = await readTexts({ ...context, dtype: DTYPE, runner }, texts, validRecipes(DTYPE));
    const [a, b] = [own?.[parted], other?.[parted]];
    const margin = Math.abs((a?.below_best ?? NaN) - (b?.below_best ?? NaN));
    expect(margin).toBeLessThanOrEqual(DECISIVE_MARGIN * (a?.noise ?? 0));
  });
});

describe('keys and values that are kept', () => {
  test.each(['mistral-mini', 'gemma3-mini'] as const)('change nothing in what %s writes', async (name) => {
    const context = await open(name);
    const prompt = context.prompts[2]?.input_ids ?? [];
    const cached = writer(prompt, { recipe: EAGER });
    const ids = await write(context, cached, 4);
    expect(await write(context, writer(prompt, { recipe: EAGER, cached: false }), 4)).toEqual(ids);
    // All but the last token, which nothing has gone through yet.
    expect(cached.cache?.past).toBe(prompt.length + 3);
    expect(cached.cache?.values.size).toBe(2 * context.program.num_hidden_layers);
  });

  test('that are lost change it', async () => {
    const context = await open('mistral-mini');
    const prompt = context.prompts[0]?.input_ids ?? [];
    const wrong = writer(prompt, { recipe: EAGER });
    await write(context, wrong, 1);
    const forgetful: Writer = { ...wrong, cache: { past: prompt.length, values: new Map() } };
    expect(await write(context, forgetful, 6)).not.toEqual((await write(context, writer(prompt, { recipe: EAGER }), 7)).slice(1));
  });

  test('begin with a prompt of one token', async () => {
    const context = await open('mistral-mini');
    const one = [context.prompts[0]?.input_ids[0] ?? 0];
    const ids = await write(context, writer(one, { recipe: EAGER }), 3);
    expect(await write(context, writer(one, { recipe: EAGER, cached: false }), 3)).toEqual(ids);
  });

  test('stay as they were when something that stands in throws', async () => {
    const context = await open('mistral-mini');
    const prompt = context.prompts[0]?.input_ids ?? [];
    let broken = false;
    const index = context.program.ops.findLastIndex(({ op }) => op === 'silu_mul');
    const op = context.program.ops[index];
    const standIns = new Map([
      [
        index,
        {
          end: index,
          run: async (lane: Lane) => {
            if (broken) throw new Error('broken');
            const [gate, up] = ['gate', 'up'].map((name) => lane.values.get(op?.inputs[name] ?? ''));
            if (op === undefined || gate === undefined || up === undefined) throw new Error('nothing to multiply');
            const { y } = await runner.run(op, EAGER, { gate, up });
            if (y !== undefined) lane.values.set(op.outputs['y'] ?? '', y);
          },
        },
      ],
    ]);
    const by = writer(prompt, { recipe: EAGER, standIns });
    const first = await write(context, by, 2);
    broken = true;
    await expect(write(context, by, 1)).rejects.toThrow('broken');
    expect(by.cache?.past).toBe(prompt.length + 1);
    broken = false;
    expect([...first, ...(await write(context, by, 2))]).toEqual(await write(context, writer(prompt, { recipe: EAGER }), 4));
  });
});
