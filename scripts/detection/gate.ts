// The gate again and again in one process, for the runs of seeds.mjs and layers.mjs: the program's own `check` with threads that keep their
// sessions, and the marks by which a kernel of the zoo knows a layer. Bundled by scripts/detection.mjs.

import { buildProgram } from '../../src/architectures/registry.js';
import { loadConfig } from '../../src/config/load.js';
import { lookedAt } from '../../src/diff/fused-lane.js';
import { laneInputs, siteWeights } from '../../src/diff/site.js';
import { check } from '../../src/gate.js';
import { openFolder } from '../../src/hub/folder.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { rows, type NdArray } from '../../src/reference/ndarray.js';
import { createOpRunner } from '../../src/reference/op-runner.js';
import { eager } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { joinPrompts } from '../../src/reference/sequence.js';
import { walk, type Lane } from '../../src/reference/walk.js';
import type { Report, ServingDtype } from '../../src/report/types.js';
import { startThreads } from '../../src/threads.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { refuseUnlessRunnable } from '../../src/weights/runnable.js';
import { writeSafetensors } from '../../src/weights/write-safetensors.js';

export interface GateRun {
  readonly models: readonly string[];
  /** Folder with manifests. */
  readonly kernels: string;
  readonly dtype: ServingDtype;
  readonly prompts: readonly Prompt[];
}

type Prompt = { readonly input_ids: readonly number[] } | { readonly text: string };

export interface Gate {
  run(options: GateRun): Promise<Report>;
  close(): Promise<void>;
}

/** Models of one run at the same time. */
const THREADS = 2;

/** @param worker the program's worker.js: what runs is that build of it */
export function openGate(worker: URL): Gate {
  const engine = startThreads(THREADS, worker);
  return {
    async run(options) {
      const config = await loadConfig({ cwd: process.cwd(), overrides: { ...options, fail_on: [] } });
      // Greedy texts decide nothing and take twice the time of all else.
      return check(config, { engine, max_new_tokens: 0 });
    },
    close: () => engine.close(),
  };
}

/** The tensor that tells the layers of an op apart: a weight, or an input where it has none. */
const TOLD_BY: Readonly<Record<string, string>> = {
  rms_norm: 'weight',
  add_rms_norm: 'weight',
  linear: 'weight',
  rms_norm_qkv: 'qkv_weight',
  qk_norm: 'k_weight',
  rope: 'q',
  qk_norm_rope: 'k_weight',
  attention: 'q',
  silu_mul: 'gate',
  gelu_tanh_mul: 'gate',
  swiglu_mlp: 'down_weight',
};

export interface MarkOptions {
  readonly dtype: ServingDtype;
  readonly prompts: readonly (readonly number[])[];
  /** Models with the layer that is marked in each. */
  readonly layers: ReadonlyMap<string, number>;
}

/** Writes, for each op, the file by which `zoo.py --only-in` knows one layer of each model. */
export async function markLayers(options: MarkOptions, fileOf: (op: string) => string): Promise<void> {
  const marks = new Map(Object.keys(TOLD_BY).map((op): [string, NdArray[]] => [op, []]));
  for (const [model, layer] of options.layers) await markLayer(options, model, layer, marks);
  for (const [op, arrays] of marks) {
    const tensors = arrays.map(({ data, shape }, i) => ({
      name: `${TOLD_BY[op] ?? ''}.${i}`,
      dtype: 'F32' as const,
      shape,
      data: new Uint8Array(Float32Array.from(data).buffer),
    }));
    await writeSafetensors(fileOf(op), tensors);
  }
}

async function markLayer(
  { dtype, prompts }: MarkOptions,
  model: string,
  layer: number,
  marks: ReadonlyMap<string, NdArray[]>,
): Promise<void> {
  const files = await openFolder(model);
  const read = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const config = refuseUnlessRunnable(checkpoint, read);
    const program = buildProgram(config);
    const runner = createOpRunner(await loadOnnxRuntime());
    const context = { program, checkpoint, dtype, runner };
    const sites = [...marks.keys()].flatMap((op) => findSites(program, op, config)).filter((site) => site.layer === layer);
    const sequence = joinPrompts(program, prompts);
    const lane: Lane = { recipe: eager(dtype), values: new Map(), standIns: new Map() };
    const add = (site: Site, array: NdArray) => marks.get(site.op)?.push(array);
    await walk({
      ...context,
      sequence,
      lanes: [lane],
      scanAll: false,
      keep: lookedAt(sites),
      async afterOp(index) {
        for (const site of sites.filter(({ end }) => end === index)) {
          const name = TOLD_BY[site.op] as string;
          const array = { ...laneInputs(site, lane), ...(await siteWeights(context, site)) }[name] as NdArray;
          // Attention is called prompt by prompt.
          if (site.op === 'attention') for (const { start, end } of sequence.segments) add(site, rows(array, start, end));
          else add(site, array);
        }
      },
    });
  } finally {
    await checkpoint.close();
  }
}
