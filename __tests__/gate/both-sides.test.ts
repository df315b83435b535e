// The gate from both sides: kernels that are wrong fail on every model they apply to, kernels that only compute otherwise fail on none.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { openFolder } from '../../src/hub/folder.js';
import type { ModelReport } from '../../src/report/types.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { toFloat32 } from '../../src/weights/values.js';
import { BROKEN, CORRECT, PROMPT_LENGTHS, TRAITS, type Planted } from '../kernels/planted/kernels.js';
import { norm, scaledInOneLayer } from '../kernels/planted/ops.js';
import { drawKernel, plant } from '../kernels/planted/pen.js';
import { startEngine } from '../support/engine.js';
import { DEMO_MODELS, modelFolder, MODELS, scratch, shortModel, type ModelName } from '../support/models.js';

let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

const engine = startEngine();

interface IdPrompt {
  input_ids: number[];
}

async function goldenPrompts(model: ModelName): Promise<IdPrompt[]> {
  const golden = JSON.parse(await readFile(`__tests__/goldens/${model}/golden.json`, 'utf8')) as { prompts: IdPrompt[] };
  return golden.prompts.map(({ input_ids }) => ({ input_ids }));
}

/** The longest of them, of 64 tokens, cut in two so that neither part fills whole tiles. */
async function shortPrompts(model: ModelName): Promise<IdPrompt[]> {
  const ids = (await goldenPrompts(model)).at(-1)?.input_ids ?? [];
  const [first, second] = PROMPT_LENGTHS;
  return [{ input_ids: ids.slice(0, first) }, { input_ids: ids.slice(first, first + second) }];
}

async function judged(model: ModelName, folder: string | null, overrides: Record<string, unknown> = {}): Promise<ModelReport> {
  const prompts = 'prompts' in overrides ? overrides['prompts'] : await shortPrompts(model);
  const config = await loadConfig({
    cwd: root.folder,
    overrides: { models: [modelFolder(model)], kernels: folder ?? '', ...overrides, prompts },
  });
  // What the texts of such kernels are is generation.test.ts's.
  const report = await check(config, { engine, max_new_tokens: 0 });
  return report.models[0] as ModelReport;
}

async function planted(folder: string, kernels: readonly Planted[]): Promise<string> {
  const path = join(root.folder, folder);
  for (const kernel of kernels) await plant(path, kernel.name, kernel.op, drawKernel(kernel));
  return path;
}

function expectIncompatible(report: ModelReport, kernel: string): void {
  const named = report.reasons.filter(({ code, message }) => code === 'kernel_fail' && message.includes(kernel));
  expect({ verdict: report.verdict, named: named.length }).toEqual({ verdict: 'INCOMPATIBLE', named: 1 });
}

const isDemo = (model: ModelName) => (DEMO_MODELS as readonly string[]).includes(model);
// Where a mistake shows on the demo models already, the other two add nothing but time.
const onlyElsewhere = new Set(['attention-window-one-more', 'attention-window-one-less']);
/** The first layers of a model, with fewer sites to be found out at than the whole one has. */
const short = new Map<ModelName, Promise<string>>();
async function placeOf(model: ModelName, { ofTheIssue }: Planted): Promise<string> {
  if (ofTheIssue === true || !isDemo(model)) return modelFolder(model);
  const made = short.get(model) ?? shortModel(model, root.folder, model, 5);
  short.set(model, made);
  return made;
}
const applies = (model: ModelName, kernel: Planted) => kernel.fits(TRAITS[model]) && (isDemo(model) || onlyElsewhere.has(kernel.name));
const pairs = MODELS.flatMap((model) =>
  BROKEN.filter((kernel) => applies(model, kernel)).map((kernel) => [kernel.name, model, kernel] as const),
);

describe('a kernel that is wrong makes the model INCOMPATIBLE, and is named', () => {
  test.each(pairs)('%s on %s', async (name, model, kernel) => {
    const models = [await placeOf(model, kernel)];
    const report = await judged(model, await planted(`broken-${model}-${name}`, [kernel]), { models });
    expectIncompatible(report, name);
  });

  test('every mistake is tried on at least one model, and those of the issue on each demo model they apply to', () => {
    expect(new Set(pairs.map(([name]) => name))).toEqual(new Set(BROKEN.map(({ name }) => name)));
    const tried = (name: string) => pairs.filter((pair) => pair[0] === name && isDemo(pair[1])).map((pair) => pair[1]);
    expect(tried('rope-interleaved-for-half')).toEqual(['tinyllama-mini', 'qwen3-mini']);
    expect(tried('rope-half-for-interleaved')).toEqual(['ernie45-mini']);
    expect(tried('attention-wrong-kv-head')).toEqual(['qwen3-mini']);
    for (const name of ['attention-without-causal-mask', 'attention-without-scale', 'rms-norm-weight-twice']) {
      expect(tried(name)).toEqual([...DEMO_MODELS]);
    }
  });

  test.each([
    ['attention-without-causal-mask', 'tinyllama-mini'],
    ['rms-norm-times-1.002', 'ernie45-mini'],
    ['rope-interleaved-for-half', 'qwen3-mini'],
  ] as const)('%s on %s, with the built-in prompts too', async (name, model) => {
    const kernel = BROKEN.find((one) => one.name === name) as Planted;
    expectIncompatible(await judged(model, await planted(`default-${name}`, [kernel]), { prompts: undefined }), name);
  });
});

describe('a kernel that is wrong in one layer only', () => {
  test.each([
    ['rms_norm', 'model.layers.14.input_layernorm.weight', 'weight', 'x', 'y', 1.01, 14],
    ['qk_norm', 'model.layers.20.self_attn.k_norm.weight', 'k_weight', 'k', 'k', 1.004, 20],
  ] as const)('%s with %s is found, and the layer is named', async (op, tensor, weight, input, output, factor, layer) => {
    const checkpoint = await openCheckpoint(await openFolder(modelFolder('qwen3-mini')));
    const first = [...toFloat32(await checkpoint.read(tensor), 'BF16').subarray(0, 4)];
    await checkpoint.close();
    const kernel: Planted = {
      name: `${op}-one-layer`.replaceAll('_', '-'),
      op,
      inOut: ['q', 'k'],
      fits: () => true,
      draw: (p) => {
        p.give(output, scaledInOneLayer(p, norm(p, p.tensor(input), weight), weight, first, factor));
        if (op === 'qk_norm') p.give('q', norm(p, p.tensor('q'), 'q_weight'));
      },
    };
    const report = await judged('qwen3-mini', await planted(kernel.name, [kernel]));
    expectIncompatible(report, kernel.name);
    expect(report.numeric?.kernels[0]?.detail).toMatch(new RegExp(`^layer ${layer} .*, output ${output}: `));
    expect(report.numeric?.kernels[0]?.worst_layer).toBe(layer);
    // The layers beside it are blameless: compared without this one, the same kernel passes.
    const others = Array.from({ length: 28 }, (_, i) => i).filter((i) => i !== layer);
    const without = await judged('qwen3-mini', join(root.folder, kernel.name), { layers: others });
    expect(without.numeric?.kernels[0]?.status).toBe('pass');
  });
});

describe('a kernel that only computes otherwise fails on no model', () => {
  test.each(MODELS)('%s', async (model) => {
    const kernels = CORRECT.filter(({ fits }) => fits(TRAITS[model]));
    expect(kernels.length).toBeGreaterThanOrEqual(8);
    const report = await judged(model, await planted(`correct-${model}`, kernels));
    expect(report.numeric?.kernels.map(({ kernel, status, detail }) => [kernel, status, detail])).toEqual(
      kernels.map(({ name }) => [name, 'pass', null]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
    expect(report.numeric?.model).toMatchObject({ status: 'pass', decisive_flips: 0 });
    expect(report.verdict).toBe(model === 'qwen3-mini' ? 'WARNING' : 'COMPATIBLE');
  });

  test('an eps that is too large by a factor that bfloat16 cannot show at any site is found by the probe of tiny values', async () => {
    const wrong = BROKEN.find(({ name }) => name === 'rms-norm-eps-1000') as Planted;
    const report = await judged('gemma3-mini', await planted('eps-gemma3', [wrong]));
    const kernel = report.numeric?.kernels[0];
    expect(Math.abs(kernel?.scale_error ?? 1)).toBeLessThan(2 ** -10);
    expect(kernel?.probes?.filter(({ status }) => status !== 'pass').map(({ name }) => name)).toEqual(['tiny_magnitudes']);
    expect(kernel).toMatchObject({ status: 'fail', detail: expect.stringMatching(/^probe tiny_magnitudes: all 33 rows of y are wrong/) });
  });
});

describe("ONNX Runtime's own fused ops", () => {
  // What is known to lose accuracy against PyTorch, and is named for it: float16 products in a family that rotates in float32, and the sums
  // of squares in float32.
  const mayWarn = new Set(['float16 ort-rotary-embedding', 'float32 ort-skip-rms-norm']);
  const cases = MODELS.flatMap((model) => (['bfloat16', 'float16', 'float32'] as const).map((dtype) => [model, dtype] as const));

  test.each(cases)('do not fail on %s served in %s, at any site', async (model, dtype) => {
    const report = await judged(model, null, { dtype, prompts: await goldenPrompts(model) });
    const { kernels, model: whole } = report.numeric ?? { kernels: [], model: null };
    const wrong = kernels.filter(({ kernel, status }) => status !== 'pass' && !(status === 'warn' && mayWarn.has(`${dtype} ${kernel}`)));
    expect(wrong.map(({ kernel, detail }) => [kernel, detail])).toEqual([]);
    // QuickGelu is not for float32, so there the models with SiLU have one kernel less.
    const all = TRAITS[model].qkNorm ? 6 : 5;
    expect(kernels.length).toBe(dtype === 'float32' && model !== 'gemma3-mini' ? all - 1 : all);
    expect(kernels.every(({ sites }) => sites > 0)).toBe(true);
    expect(whole).toMatchObject({ status: 'pass', decisive_flips: 0 });
    expect(['COMPATIBLE', 'WARNING']).toContain(report.verdict);
    expect(report.dtype).toBe(dtype);
  });
});
