// Checkpoints for tests: tensors in memory behind the Checkpoint interface. Real files are read through openCheckpoint instead.
import type { StaticThresholds } from '../../src/config/types.js';
import { ModelError } from '../../src/errors.js';
import type { Checkpoint, Dtype, TensorInfo } from '../../src/weights/checkpoint.js';

/** Defaults of schemas/config.schema.json. */
export const THRESHOLDS: StaticThresholds = {
  extreme_weight: 10,
  ratio_warn: 15,
  ratio_fail: 20,
  extreme_share_warn: 0.3,
  extreme_share_fail: 0.5,
  max_weight_warn: 20,
  max_weight_fail: 50,
  ratio_weight: 0.4,
  extreme_layers_weight: 0.3,
  max_weight_weight: 0.3,
  amplification_per_weight: 0.001,
  score_incompatible: 0.5,
  score_warning: 0.8,
  compatible_ratio: 20,
  compatible_max_weight: 10,
};

export interface Given {
  values: readonly number[];
  shape?: readonly number[];
  dtype?: Dtype;
}

function complete(entry: readonly number[] | Given | null): Given {
  if (entry === null) return { values: [], shape: [64, 64] };
  return isGiven(entry) ? entry : { values: entry };
}

function isGiven(entry: readonly number[] | Given): entry is Given {
  return !Array.isArray(entry);
}

/** Float32 tensors by name; a matrix that must not be read is given as `null`. */
export function inMemory(given: Record<string, readonly number[] | Given | null>): Checkpoint {
  const tensors = new Map<string, TensorInfo>();
  const contents = new Map<string, Uint8Array>();
  for (const [name, entry] of Object.entries(given)) {
    const { values, shape, dtype } = complete(entry);
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    const byteLength = entry === null ? 64 * 64 * 4 : bytes.byteLength;
    tensors.set(name, { name, dtype: dtype ?? 'F32', shape: shape ?? [values.length], byteLength, file: 'model.safetensors' });
    if (entry !== null) contents.set(name, bytes);
  }
  let bytesRead = 0;
  return {
    format: 'safetensors',
    config: null,
    tensors,
    byteLength: [...tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0),
    get bytesRead() {
      return bytesRead;
    },
    read(name) {
      const bytes = contents.get(name);
      if (bytes === undefined) return Promise.reject(new ModelError('tensor_missing', `the test did not expect ${name} to be read`));
      bytesRead += bytes.byteLength;
      return Promise.resolve(bytes.slice());
    },
    close: () => Promise.resolve(),
  };
}

/** A K norm whose largest weight is `max` and whose lower median is `median`. */
export function norm(max: number, median: number): number[] {
  return [median, max, median, median];
}

/** One layer per entry, each with the given K and Q norm and a Llama layer's two other norms. */
export function qkLayers(layers: readonly { k?: readonly number[]; q?: readonly number[] }[]): Record<string, readonly number[] | null> {
  const tensors: Record<string, readonly number[] | null> = {};
  layers.forEach(({ k, q }, index) => {
    const layer = `model.layers.${index}`;
    tensors[`${layer}.input_layernorm.weight`] = [1, 1, 1, 1];
    tensors[`${layer}.post_attention_layernorm.weight`] = [1, 1, 1, 1];
    tensors[`${layer}.self_attn.q_proj.weight`] = null;
    if (k !== undefined) tensors[`${layer}.self_attn.k_norm.weight`] = k;
    if (q !== undefined) tensors[`${layer}.self_attn.q_norm.weight`] = q;
  });
  return tensors;
}
