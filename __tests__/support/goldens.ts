// The small models and what transformers computed on them: five trained ones (examples/models/README.md) and eight random ones of further
// families (__tests__/models/README.md), made with transformers 5.17 and PyTorch 2.11.
// The measures of agreement between them and the reference are here too; what they must be is golden.test.ts's.

import { readFile } from 'node:fs/promises';
import { brotliDecompressSync } from 'node:zlib';
import { buildProgram, checkWeights } from '../../src/architectures/registry.js';
import type { Program } from '../../src/architectures/program.js';
import { openFolder } from '../../src/hub/folder.js';
import type { ByteSource, ModelFiles } from '../../src/hub/source.js';
import { forward, type Forward } from '../../src/reference/forward.js';
import type { OpRunner } from '../../src/reference/op-runner.js';
import type { Recipe } from '../../src/reference/recipes.js';
import type { ServingDtype } from '../../src/report/types.js';
import { openCheckpoint, type Checkpoint } from '../../src/weights/checkpoint.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { toFloat64 } from '../../src/weights/values.js';

/** Name → folder, relative to the repository. */
export const GOLDEN_MODELS = {
  'tinyllama-mini': 'examples/models/tinyllama-mini',
  'qwen3-mini': 'examples/models/qwen3-mini',
  'ernie45-mini': 'examples/models/ernie45-mini',
  'mistral-mini': '__tests__/models/mistral-mini',
  'gemma3-mini': '__tests__/models/gemma3-mini',
} as const;

/** Random weights, one prompt or two, given as ids: made by scripts/gpu/goldens.py. */
export const FAMILY_MODELS = [
  'qwen2-mini',
  'gemma2-mini',
  'olmo2-mini',
  'phi3-longrope-mini',
  'llama3-rope-mini',
  'llama-linear-bias-mini',
  'llama-yarn-mini',
  'ernie45-bias-mini',
] as const;
export type FamilyModel = (typeof FAMILY_MODELS)[number];

export type GoldenModel = keyof typeof GOLDEN_MODELS;
export const MODEL_NAMES = Object.keys(GOLDEN_MODELS) as GoldenModel[];
export const PROMPTS = [0, 1, 2] as const;
export const ALL_MODELS = [...MODEL_NAMES, ...FAMILY_MODELS] as const;
/** As what the oracle is served to be compared with float64 and float32 goldens, which have Gemma's embedding factor in float32. */
export const EXACT_DTYPE: ServingDtype = 'float32';

export interface Golden {
  readonly ids: readonly (readonly number[])[];
  /** Values of a tensor such as `p0.bf16.logits`; every dtype there is exact in float64. */
  tensor(name: string): Float64Array;
}

export interface OpenModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly program: Program;
  readonly checkpoint: Checkpoint;
}

export function goldenFolder(model: GoldenModel | FamilyModel): string {
  return model in GOLDEN_MODELS ? GOLDEN_MODELS[model as GoldenModel] : `__tests__/models/${model}`;
}

export async function readGolden(model: GoldenModel | FamilyModel): Promise<Golden> {
  const { prompts } = JSON.parse(await readFile(`__tests__/goldens/${model}/golden.json`, 'utf8')) as {
    prompts: { input_ids: number[] }[];
  };
  const checkpoint = await openCheckpoint(await unpacked(model));
  const tensors = new Map<string, Float64Array>();
  for (const { name, dtype } of checkpoint.tensors.values()) {
    if (!name.endsWith('.input_ids')) tensors.set(name, toFloat64(await checkpoint.read(name), dtype));
  }
  await checkpoint.close();
  return {
    ids: prompts.map(({ input_ids }) => input_ids),
    tensor(name) {
      const values = tensors.get(name);
      if (values === undefined) throw new Error(`the golden of ${model} has no ${name}`);
      return values;
    },
  };
}

/** `golden.safetensors` of a model, which lies packed: unpacked they all would be a fifth of what the repository may weigh. */
async function unpacked(model: GoldenModel | FamilyModel): Promise<ModelFiles> {
  const name = 'golden.safetensors';
  const bytes = brotliDecompressSync(await readFile(`__tests__/goldens/${model}/${name}.br`));
  const source: ByteSource = {
    name,
    byteLength: bytes.length,
    slice: (start, end) => Promise.resolve(new Uint8Array(bytes.subarray(start, end))),
    close: () => Promise.resolve(),
  };
  return {
    id: model,
    revision: null,
    list: () => Promise.resolve([name]),
    open: (asked) => Promise.resolve(asked === name ? source : null),
  };
}

/** Opens a model folder and builds its program; close the checkpoint afterwards. */
export async function openModel(folder: string): Promise<OpenModel> {
  const files = await openFolder(folder);
  const config = (await readModelConfig(files)) ?? {};
  const checkpoint = await openCheckpoint(files);
  const program = buildProgram(config);
  checkWeights(program, checkpoint);
  return { config, program, checkpoint };
}

export function runForward(
  runner: OpRunner,
  model: Pick<OpenModel, 'program' | 'checkpoint'>,
  ids: readonly number[],
  recipe: Recipe,
  dtype: ServingDtype = 'bfloat16',
): Promise<Forward> {
  return forward(runner, model.program, model.checkpoint, { ids, recipe, dtype });
}

/** Root of the mean squared difference; infinite where either is not a number, so that no comparison passes by NaN. */
export function rmsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) throw new Error(`${a.length} values against ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Number.isNaN(sum) ? Infinity : Math.sqrt(sum / a.length);
}

/** RMS(oracle − golden f64) / RMS(golden f32 − golden f64), on logits. */
export function oracleRatio(golden: Golden, prompt: number, logits: ArrayLike<number>): number {
  const exact = golden.tensor(`p${prompt}.f64.logits`);
  return rmsDifference(logits, exact) / rmsDifference(golden.tensor(`p${prompt}.f32.logits`), exact);
}

/** RMS(recipe − golden bf16) / RMS(golden bf16_sdpa − golden bf16), on logits. */
export function eagerRatio(golden: Golden, prompt: number, logits: ArrayLike<number>): number {
  const served = golden.tensor(`p${prompt}.bf16.logits`);
  return rmsDifference(logits, served) / rmsDifference(golden.tensor(`p${prompt}.bf16_sdpa.logits`), served);
}

/** KL(exact ‖ other) in nats, mean over positions. */
export function meanKl(exact: ArrayLike<number>, other: ArrayLike<number>, vocabulary: number): number {
  const positions = exact.length / vocabulary;
  let sum = 0;
  for (let p = 0; p < positions; p++) {
    const a = logSoftmax(exact, p * vocabulary, vocabulary);
    const b = logSoftmax(other, p * vocabulary, vocabulary);
    for (let i = 0; i < vocabulary; i++) sum += Math.exp(a[i] as number) * ((a[i] as number) - (b[i] as number));
  }
  return sum / positions;
}

function logSoftmax(logits: ArrayLike<number>, start: number, size: number): Float64Array {
  const row = Float64Array.from({ length: size }, (_, i) => logits[start + i] as number);
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = max + Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0));
  return row.map((x) => x - log);
}
