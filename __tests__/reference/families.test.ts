// The reference against what transformers computed for families and settings beyond the five trained models, with the same bounds, and the
// other side: config.json read wrong in one thing that only these models have is out of them.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RawConfig } from '../../src/architectures/fields.js';
import type { Program } from '../../src/architectures/program.js';
import { buildProgram } from '../../src/architectures/registry.js';
import { createOpRunner, type OpRunner } from '../../src/reference/op-runner.js';
import { eager, ORACLE } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import {
  eagerRatio,
  EXACT_DTYPE,
  FAMILY_MODELS,
  goldenFolder,
  openModel,
  oracleRatio,
  readGolden,
  runForward,
  type FamilyModel,
  type Golden,
  type OpenModel,
} from '../support/goldens.js';

const ORACLE_BOUND = 1.0;
const EAGER_BOUND = 1.2;
const EAGER = eager('bfloat16');

let runner: OpRunner;
const models = new Map<FamilyModel, OpenModel & { golden: Golden }>();

beforeAll(async () => {
  runner = createOpRunner(await loadOnnxRuntime());
  for (const name of FAMILY_MODELS) models.set(name, { ...(await openModel(goldenFolder(name))), golden: await readGolden(name) });
});

afterAll(async () => {
  for (const { checkpoint } of models.values()) await checkpoint.close();
});

function model(name: FamilyModel): OpenModel & { golden: Golden } {
  return models.get(name) as OpenModel & { golden: Golden };
}

/** The largest ratio over the prompts. */
async function oracleAgreement({ golden, ...opened }: Pick<OpenModel, 'program' | 'checkpoint'> & { golden: Golden }): Promise<number> {
  const ratios: number[] = [];
  for (const [prompt, ids] of golden.ids.entries()) {
    const { logits } = await runForward(runner, opened, ids, ORACLE, EXACT_DTYPE);
    ratios.push(oracleRatio(golden, prompt, logits.data));
  }
  return Math.max(...ratios);
}

async function eagerAgreement({ golden, ...opened }: Pick<OpenModel, 'program' | 'checkpoint'> & { golden: Golden }): Promise<number> {
  const ratios: number[] = [];
  for (const [prompt, ids] of golden.ids.entries()) {
    const { logits } = await runForward(runner, opened, ids, EAGER);
    ratios.push(eagerRatio(golden, prompt, logits.data));
  }
  return Math.max(...ratios);
}

describe.each(FAMILY_MODELS)('%s', (name) => {
  test('the oracle is nearer to the float64 logits of transformers than its float32 ones are', async () => {
    expect(await oracleAgreement(model(name))).toBeLessThanOrEqual(ORACLE_BOUND);
  });

  test('eager is as near to the bfloat16 logits of transformers as fused attention is to its eager attention', async () => {
    expect(await eagerAgreement(model(name))).toBeLessThanOrEqual(EAGER_BOUND);
  });

  test('one layer of eager gives the bits of transformers for nearly every value', async () => {
    const { golden, ...opened } = model(name);
    const { hidden } = await runForward(runner, opened, golden.ids[0] ?? [], EAGER);
    const theirs = golden.tensor('p0.bf16.hidden');
    expect(theirs).toHaveLength(hidden.data.length);
    const size = theirs.length / opened.program.hidden.length;
    const equal = (layer: number) => {
      const part = theirs.subarray(layer * size, (layer + 1) * size);
      return part.filter((value, i) => value === hidden.data[layer * size + i]).length / size;
    };
    expect(equal(0)).toBe(1);
    expect(equal(1)).toBeGreaterThan(0.99);
  });
});

function withoutBiases(program: Program): Program {
  const ops = program.ops.map((op) => ({
    ...op,
    weights: Object.fromEntries(Object.entries(op.weights).filter(([name]) => !name.endsWith('bias'))),
  }));
  return { ...program, ops };
}

/** Q and K go into the heads as the projections made them. */
function withoutWideNorms(program: Program): Program {
  const ops = program.ops.map((op) =>
    op.op === 'split_heads'
      ? { ...op, inputs: Object.fromEntries(Object.entries(op.inputs).map(([name, value]) => [name, value.replace('_normed', '')])) }
      : op,
  );
  return { ...program, ops };
}

const YARN = { rope_theta: 10_000, rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32, beta_fast: 4, beta_slow: 0.25 };

// `eager`: false where bfloat16 rounding hides much of the fault.
const FAULTS: { on: FamilyModel; fault: string; keys?: RawConfig; wrong?: (program: Program) => Program; eager: boolean }[] = [
  { on: 'qwen2-mini', fault: 'no biases', wrong: withoutBiases, eager: true },
  { on: 'qwen2-mini', fault: 'the window in the first layer too', keys: { max_window_layers: 0 }, eager: true },
  { on: 'qwen2-mini', fault: 'no window', keys: { use_sliding_window: false }, eager: true },
  { on: 'qwen2-mini', fault: 'a window of one token more', keys: { sliding_window: 9 }, eager: false },
  { on: 'gemma2-mini', fault: 'scores without their cap', keys: { attn_logit_softcapping: null }, eager: true },
  { on: 'gemma2-mini', fault: 'logits without their cap', keys: { final_logit_softcapping: null }, eager: true },
  {
    on: 'gemma2-mini',
    fault: 'the window in the other layers',
    keys: { layer_types: ['full_attention', 'sliding_attention', 'full_attention'] },
    eager: true,
  },
  { on: 'gemma2-mini', fault: 'the scale of head_dim', keys: { query_pre_attn_scalar: 16 }, eager: false },
  { on: 'olmo2-mini', fault: 'Q and K without their norms', wrong: withoutWideNorms, eager: true },
  { on: 'olmo2-mini', fault: 'an eps of 1e-5 for 1e-6', keys: { rms_norm_eps: 1e-5 }, eager: false },
  {
    on: 'phi3-longrope-mini',
    fault: 'the factors of short prompts for long ones',
    keys: { original_max_position_embeddings: 64 },
    eager: true,
  },
  { on: 'phi3-longrope-mini', fault: 'the attention factor of a shorter model', keys: { max_position_embeddings: 24 }, eager: true },
  { on: 'phi3-longrope-mini', fault: 'no window', keys: { sliding_window: null }, eager: true },
  { on: 'llama3-rope-mini', fault: 'unscaled frequencies', keys: { rope_scaling: null }, eager: true },
  { on: 'llama-linear-bias-mini', fault: 'unscaled frequencies', keys: { rope_scaling: null }, eager: true },
  { on: 'llama-linear-bias-mini', fault: 'no biases', wrong: withoutBiases, eager: true },
  { on: 'llama-yarn-mini', fault: 'no attention factor', keys: { rope_parameters: { ...YARN, attention_factor: 1 } }, eager: true },
  { on: 'llama-yarn-mini', fault: 'the default betas', keys: { rope_parameters: { ...YARN, beta_fast: 32, beta_slow: 1 } }, eager: true },
  { on: 'ernie45-bias-mini', fault: 'no biases', wrong: withoutBiases, eager: true },
];

test.each(FAULTS)('$on with $fault is out of bounds by far', async ({ on, keys, wrong, eager: seen }) => {
  const { config, checkpoint, golden } = model(on);
  const read = buildProgram({ ...config, ...keys });
  const faulty = { program: wrong === undefined ? read : wrong(read), checkpoint, golden };
  expect(await oracleAgreement(faulty)).toBeGreaterThan(10 * ORACLE_BOUND);
  if (seen) expect(await eagerAgreement(faulty)).toBeGreaterThan(3 * EAGER_BOUND);
});
