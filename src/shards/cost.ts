// How much work a model is, told from names and sizes alone: no weight is read. Which shard it goes to is plan.ts's business.

import type { Config, ModelRef } from '../config/types.js';
import { lanes } from '../hub/lanes.js';
import { openModel, type HubAccess } from '../hub/model.js';
import type { ModelFiles } from '../hub/source.js';
import { readModelConfig } from '../weights/model-config.js';

/** What a model costs before its first weight: threads, tokenizer, probes. In MiB of weights, which is what costs are counted in. */
const MODEL_COST = 64;
/** One kernel at the sites of one layer: its calls, the oracle's and those of the recipes that the noise floor is made of. */
const KERNEL_LAYER_COST = 1;
/** Models that are asked for at the same time. */
const AT_ONCE = 8;

/** In the order in which openCheckpoint prefers them: a repository that holds several formats is read in one of them. */
const FORMATS = [/\.safetensors$/, /\.(?:bin|pt|pth)$/, /\.gguf$/, /\.(?:onnx|onnx_data)$/];
const NO_WEIGHTS = /^(?:adapter_|optimizer|scheduler|training_args|rng_state)/;

export interface ModelSize {
  /** Bytes of its weight files; null: it could not be asked. */
  readonly bytes: number | null;
  /** num_hidden_layers of its config.json; null: not known. */
  readonly layers: number | null;
}

/**
 * The sizes of all models, in their order. A model on the Hub takes two small requests. One that cannot be opened has no size and stops
 * nobody: its own shard says what is wrong with it.
 */
export async function measureModels(models: readonly ModelRef[], hub: HubAccess): Promise<ModelSize[]> {
  const inTurn = lanes(AT_ONCE);
  return Promise.all(models.map((ref) => inTurn(() => sizeOf(ref, hub).catch(() => ({ bytes: null, layers: null })))));
}

async function sizeOf(ref: ModelRef, hub: HubAccess): Promise<ModelSize> {
  const { files } = await openModel(ref, hub);
  const [bytes, layers] = await Promise.all([weightBytes(files), layersOf(files).catch(() => null)]);
  return { bytes, layers };
}

async function weightBytes(files: ModelFiles): Promise<number | null> {
  const sizes = await Promise.all((await weightFiles(files)).map((name) => byteLength(files, name)));
  return sizes.length === 0 ? null : sizes.reduce((sum, size) => sum + size, 0);
}

async function weightFiles(files: ModelFiles): Promise<string[]> {
  if (files.main !== undefined) return [files.main];
  const names = (await files.list()).filter((name) => !NO_WEIGHTS.test(name));
  return FORMATS.map((format) => names.filter((name) => format.test(name))).find((found) => found.length > 0) ?? [];
}

async function byteLength(files: ModelFiles, name: string): Promise<number> {
  const source = await files.open(name);
  await source?.close();
  return source?.byteLength ?? 0;
}

async function layersOf(files: ModelFiles): Promise<number | null> {
  const config = await readModelConfig(files);
  const layers = config?.['num_hidden_layers'];
  return typeof layers === 'number' && Number.isSafeInteger(layers) && layers > 0 && layers < 10_000 ? layers : null;
}

/**
 * What each model costs, in MiB of weights; only their proportions count. The static check reads kilobytes of each, whatever its size. A
 * model whose size is not known is taken for as large as the largest: where that is wrong, a shard ends early.
 */
export function costsOf(sizes: readonly ModelSize[], { policy }: Pick<Config, 'policy'>, kernels: number): number[] {
  if (policy === 'static') return sizes.map(() => 1);
  const known = sizes.map(({ bytes, layers }) =>
    bytes === null ? null : MODEL_COST + Math.ceil(bytes / 2 ** 20) + (layers ?? 0) * kernels * KERNEL_LAYER_COST,
  );
  const largest = Math.max(MODEL_COST, ...known.map((cost) => cost ?? 0));
  return known.map((cost) => cost ?? largest);
}
