// Which checkpoints the reference can run: formats whose names and values are those that config.json's architecture means.

import { ModelError } from '../errors.js';
import type { Checkpoint, Format } from './checkpoint.js';

const FORMATS: Readonly<Partial<Record<Format, string>>> = {
  onnx: 'ONNX, whose weights are partly folded into its graph',
  gguf: 'GGUF, whose tensors are renamed, partly reordered and mostly quantized',
};

/** Whether the numeric diff and the reference can run on these weights; the static check reads them all. */
export function isRunnable(checkpoint: Checkpoint): boolean {
  return FORMATS[checkpoint.format] === undefined;
}

/**
 * config.json of a checkpoint that can be run.
 * @throws ModelError `unsupported_weights` naming the format
 */
export function refuseUnlessRunnable(checkpoint: Checkpoint, config: Record<string, unknown> | null): Record<string, unknown> {
  const format = FORMATS[checkpoint.format];
  if (format === undefined && config !== null) return config;
  throw new ModelError(
    'unsupported_weights',
    `The weights are ${format ?? 'without config.json'}: the numeric diff does not run on them, only the static check does. ` +
      'Give the safetensors checkpoint that they were made from.',
  );
}
