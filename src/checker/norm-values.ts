// Reading the tensors that norm-tensors.ts found, and the few statistics that the check takes of them. Scores and findings are made elsewhere.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { Checkpoint, TensorInfo } from '../weights/checkpoint.js';
import { dequantize } from '../weights/ggml-types.js';
import { decodeNarrow } from '../weights/narrow-floats.js';
import { statisticsOf } from '../weights/statistics.js';
import { toFloat64 } from '../weights/values.js';
import type { BiasTensor, NormInventory, NormTensor } from './norm-tensors.js';
import { isGenaiExport } from './norm-tensors.js';

/**
 * Model types whose norms multiply by 1 + weight, so that a stored 0 means 1: Gemma up to 3 (not 3n), Qwen3-Next and its successors
 * (Qwen3NextRMSNorm), Nemotron (LayerNorm1P).
 */
const ONE_PLUS_WEIGHT = new Set([
  'gemma',
  'gemma2',
  'gemma3',
  'gemma3_text',
  'recurrent_gemma',
  'vaultgemma',
  'qwen3_next',
  'qwen3_5',
  'qwen3_5_text',
  'qwen3_5_moe',
  'qwen3_5_moe_text',
  'nemotron',
]);
/** Within those, the gated norm of linear attention multiplies by its weight as it is (Qwen3NextRMSNormGated). */
const PLAIN_MODULE = /(?:^|\.)linear_attn\.norm$/;

/** Values of one norm or bias. For norms `values` are effective: |w|, or |1 + w| where the model type says so. */
export interface Vector {
  readonly name: string;
  readonly module: string;
  readonly layer: number | null;
  readonly values: Float64Array;
  /** Largest |w| as stored. */
  readonly maxStored: number;
}

export interface LayerVectors {
  readonly layer: number;
  /** All heads in one vector where a layer has a norm per head. */
  readonly k: Vector | null;
  readonly q: Vector | null;
  /** The weights differ from head to head: shape [heads, head_dim], or a tensor per head. */
  readonly perHead: boolean;
  readonly norms: readonly Vector[];
  readonly biases: readonly (Vector & { readonly projection: BiasTensor['projection'] })[];
}

export interface NormValues {
  readonly layers: readonly LayerVectors[];
  readonly outer: readonly Vector[];
}

/** Whether this checkpoint's norms multiply by 1 + weight. llama.cpp's converter and onnxruntime-genai's builder add the 1 to what they write. */
export function multipliesByOnePlusWeight(checkpoint: Checkpoint, modelConfig: Record<string, unknown>): boolean {
  if (checkpoint.format === 'gguf' || isGenaiExport(checkpoint)) return false;
  return [modelConfig, textConfig(modelConfig)].some(
    (config) => typeof config['model_type'] === 'string' && ONE_PLUS_WEIGHT.has(config['model_type']),
  );
}

/** config.json of the language model: multi-modal models keep it under `text_config`. */
export function textConfig(modelConfig: Record<string, unknown>): Record<string, unknown> {
  const text = modelConfig['text_config'];
  return typeof text === 'object' && text !== null && !Array.isArray(text) ? { ...modelConfig, ...text } : modelConfig;
}

/** `head_dim`, or what transformers takes for it; undefined when config.json does not say. */
export function headDimOf(config: Record<string, unknown>): number | undefined {
  const explicit = positive(config['head_dim']);
  if (explicit !== undefined) return explicit;
  const hidden = positive(config['hidden_size']);
  const heads = positive(config['num_attention_heads']);
  return hidden !== undefined && heads !== undefined && hidden % heads === 0 ? hidden / heads : undefined;
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
}

/**
 * Reads all tensors of an inventory, in parallel.
 * @throws ModelError `non_finite_weights` naming the first tensor with NaN or infinite values and their count, `weights_invalid` for a
 *   dtype that holds no plain numbers
 */
export async function readNormValues(checkpoint: Checkpoint, inventory: NormInventory, onePlusWeight: boolean): Promise<NormValues> {
  const norm = (found: NormTensor) => readVector(checkpoint, found, onePlusWeight && !PLAIN_MODULE.test(found.module) ? 1 : 0);
  const layers = inventory.layers.map(async (layer): Promise<LayerVectors> => {
    const [k, q, norms, biases] = await Promise.all([
      Promise.all(layer.k.map(norm)),
      Promise.all(layer.q.map(norm)),
      Promise.all(layer.norms.map(norm)),
      Promise.all(layer.biases.map(async (bias) => ({ ...(await readVector(checkpoint, bias, 0)), projection: bias.projection }))),
    ]);
    const perHead = [...layer.k, ...layer.q].some(({ tensor }) => tensor.shape.length === 2) || layer.k.length > 1 || layer.q.length > 1;
    return { layer: layer.layer, k: joined(k), q: joined(q), perHead, norms, biases };
  });
  return { layers: await Promise.all(layers), outer: await Promise.all(inventory.outer.map(norm)) };
}

async function readVector(checkpoint: Checkpoint, { tensor, module, layer }: NormTensor, offset: 0 | 1): Promise<Vector> {
  const stored = await checkpoint.read(tensor.name);
  const decoded = dequantize(stored, tensor.dtype) ?? decodeUnscaled(checkpoint, tensor, stored);
  const bytes = decoded === null ? stored : new Uint8Array(decoded.buffer);
  const dtype = decoded === null ? tensor.dtype : 'F32';
  const { nan, inf, min, max } = statisticsOf(bytes, dtype, tensor.name);
  if (nan + inf > 0) throw nonFinite(tensor, nan, inf);
  const maxStored = Math.max(Math.abs(min ?? 0), Math.abs(max ?? 0));
  const values = toFloat64(bytes, dtype, tensor.name);
  for (let i = 0; i < values.length; i++) values[i] = Math.abs(offset + (values[i] as number));
  return { name: tensor.name, module, layer, values, maxStored };
}

/** Last parts of the names under which exporters keep the scale of a `weight`: compressed-tensors, DeepSeek, ModelOpt, ComfyUI. */
const SCALES = ['weight_scale', 'weight_scale_inv', 'weight_scale_2', 'scale_weight', 'weight.scale'];

/**
 * Values of an FP8 or FP4 tensor, which some exporters make of norms too; null for wider dtypes.
 * @throws ModelError `weights_invalid` when the checkpoint has a scale for it: how it is laid out is not the format's to say, and without it the values are wrong
 */
function decodeUnscaled(checkpoint: Checkpoint, tensor: TensorInfo, stored: Uint8Array): Float32Array | null {
  const values = decodeNarrow(stored, tensor.dtype, tensor.name);
  if (values === null) return null;
  const module = tensor.name.slice(0, tensor.name.lastIndexOf('.') + 1);
  const scale = SCALES.map((last) => `${module}${last}`).find((name) => checkpoint.tensors.has(name));
  if (scale === undefined) return values;
  throw new ModelError(
    'weights_invalid',
    `${tensor.file}: tensor ${quote(tensor.name)} is ${tensor.dtype} with its scale in ${quote(scale)}: scaled norms are not read. ` +
      'Use a checkpoint whose norms are not quantized.',
  );
}

function nonFinite(tensor: TensorInfo, nan: number, inf: number): ModelError {
  const counts = [nan > 0 ? `${nan} NaN` : '', inf > 0 ? `${inf} infinite` : ''].filter((part) => part !== '').join(' and ');
  const values = tensor.shape.reduce((product, size) => product * size, 1);
  return new ModelError(
    'non_finite_weights',
    `${tensor.file}: tensor ${quote(tensor.name)} holds ${counts} of ${values} values; the checkpoint is damaged. Download or export it again.`,
  );
}

/** The heads of a per-head norm, one after the other. */
function joined(vectors: readonly Vector[]): Vector | null {
  const [first] = vectors;
  if (first === undefined || vectors.length === 1) return first ?? null;
  const heads = [...vectors].sort((a, b) => a.module.localeCompare(b.module, 'en', { numeric: true }));
  const values = Float64Array.from(heads.flatMap((head) => [...head.values]));
  return {
    ...first,
    module: first.module.replace(/\.norms\.\d+$/, ''),
    values,
    maxStored: Math.max(...heads.map((head) => head.maxStored)),
  };
}

export function largest(values: Iterable<number>): number {
  let result = -Infinity;
  for (const value of values) if (value > result) result = value;
  return result;
}

/** The lower median: of an even count the smaller of the two in the middle, so that it is a value that occurs. */
export function lowerMedian(values: Float64Array): number {
  return values.toSorted()[(values.length - 1) >> 1] ?? 0;
}
