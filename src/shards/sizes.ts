// How large a model is, told from names and sizes alone: no weight is read. What that costs is cost.ts's business.

import type { ModelRef } from '../config/types.js';
import { lanes } from '../hub/lanes.js';
import { openModel, type HubAccess } from '../hub/model.js';
import type { ModelFiles } from '../hub/source.js';
import { readModelConfig } from '../weights/model-config.js';
import type { ModelSize } from './cost.js';

/** Models that are asked for at the same time. */
const AT_ONCE = 8;

/** In the order in which openCheckpoint prefers them: a repository that holds several formats is read in one of them. */
const FORMATS = [/\.safetensors$/, /\.(?:bin|pt|pth)$/, /\.gguf$/, /\.(?:onnx|onnx_data)$/];
const NO_WEIGHTS = /^(?:adapter_|optimizer|scheduler|training_args|rng_state)/;

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
