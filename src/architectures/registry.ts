// The families that are built in, and the way from a config.json and a checkpoint to a program that fits them.

import { ModelError } from '../errors.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { buildDecoder, type DecoderSpec } from './decoder.js';
import { ernie45 } from './ernie4_5.js';
import type { RawConfig } from './fields.js';
import { gemma2 } from './gemma2.js';
import { gemma3Text } from './gemma3_text.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { olmo2 } from './olmo2.js';
import { phi3 } from './phi3.js';
import { wholeTensor, type Program, type WeightRef } from './program.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

const FAMILIES = new Map<string, (config: RawConfig) => DecoderSpec>([
  ['ernie4_5', ernie45],
  ['gemma2', gemma2],
  ['gemma3_text', gemma3Text],
  ['llama', llama],
  ['mistral', mistral],
  ['olmo2', olmo2],
  ['phi3', phi3],
  ['qwen2', qwen2],
  ['qwen3', qwen3],
]);

export const MODEL_TYPES: readonly string[] = [...FAMILIES.keys()];

/** `model_type` of a config.json; null when it is not a plain word. */
export function modelType(config: RawConfig): string | null {
  const value = config['model_type'];
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : null;
}

/**
 * Builds the program that config.json describes.
 * @throws ModelError `unknown_model_type` (lists the known ones), `config_invalid`, `unsupported_config`
 */
export function buildProgram(config: RawConfig): Program {
  const type = modelType(config);
  const family = type === null ? undefined : FAMILIES.get(type);
  if (family === undefined) {
    const shown = JSON.stringify(config['model_type'])?.slice(0, 80) ?? 'missing';
    throw new ModelError('unknown_model_type', `config.json: model_type ${shown} is not built in; known: ${MODEL_TYPES.join(', ')}`);
  }
  return buildDecoder(family(config));
}

/**
 * Checks that the checkpoint holds every tensor of the program in the shape that config.json implies, and no further layers.
 * @throws ModelError `tensor_missing`, `weights_mismatch`
 */
export function checkWeights(program: Program, checkpoint: Checkpoint): void {
  const missing: string[] = [];
  for (const ref of weightRefs(program)) {
    const tensor = checkpoint.tensors.get(ref.tensor);
    if (tensor === undefined) {
      if (!missing.includes(ref.tensor)) missing.push(ref.tensor);
    } else if (tensor.shape.length !== ref.shape.length || tensor.shape.some((size, i) => size !== ref.shape[i])) {
      throw new ModelError(
        'weights_mismatch',
        `${tensor.file}: ${ref.tensor} has shape [${tensor.shape.join(', ')}], but config.json implies [${ref.shape.join(', ')}]; ` +
          'check hidden_size, intermediate_size, num_attention_heads, num_key_value_heads, head_dim and vocab_size',
      );
    }
  }
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(', ');
    throw new ModelError(
      'tensor_missing',
      `${missing.length} of the tensors that config.json implies are not in the checkpoint: ${shown}${missing.length > 5 ? ', …' : ''}; check num_hidden_layers and model_type`,
    );
  }
  refuseUnusedTensors(program, checkpoint);
}

/** The checkpoint's files in the order in which a run of the program needs them first. Those it needs no tensor of come last. */
export function filesInOrder(program: Program, checkpoint: Checkpoint): string[] {
  const needed = [...weightRefs(program)].map(({ tensor }) => checkpoint.tensors.get(tensor)?.file);
  const all = [...needed, ...[...checkpoint.tensors.values()].map(({ file }) => file)];
  return [...new Set(all.filter((file) => file !== undefined))];
}

// A tensor that the program does not use is a parameter that the reference would silently leave out: a layer count that is too small,
// biases without `attention_bias`, a Q norm in a family that has none. Only known non-parameters may be left over.
function refuseUnusedTensors(program: Program, checkpoint: Checkpoint): void {
  const used = new Set([...weightRefs(program)].map((ref) => ref.tensor));
  const harmless = /(^lm_head\.weight$|\.rotary_emb\.inv_freq$|\.masked_bias$|\.attn\.bias$)/;
  const unused = [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && !harmless.test(name));
  if (unused.length === 0) return;
  const layers = new Set(
    unused
      .map((name) => /^model\.layers\.(\d+)\./.exec(name)?.[1])
      .filter((layer) => layer !== undefined && Number(layer) >= program.num_hidden_layers),
  );
  const hint =
    layers.size > 0
      ? `the checkpoint has layers beyond num_hidden_layers ${program.num_hidden_layers}`
      : 'config.json and the checkpoint describe different models';
  throw new ModelError(
    'weights_mismatch',
    `${unused.length} tensors of the checkpoint have no place in the ${program.architecture} model that config.json describes ` +
      `(${unused.slice(0, 3).join(', ')}${unused.length > 3 ? ', …' : ''}): ${hint}`,
  );
}

function* weightRefs(program: Program): Iterable<WeightRef> {
  for (const op of program.ops) for (const ref of Object.values(op.weights)) yield wholeTensor(ref);
}
