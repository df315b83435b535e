// What files of weights are usually called, and what can be told from the names alone. What is in the files is checkpoint.ts's business.

import type { ModelFiles } from '../hub/source.js';

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';
export const TORCH_SINGLE = 'pytorch_model.bin';
export const TORCH_INDEX = 'pytorch_model.bin.index.json';

/** Weights that are to be added to those of a base model. */
export const ADAPTER = /^adapter_.*\.safetensors$/;

/** Whether a model of safetensors files is among these; an adapter is none. */
export function holdsSafetensors(names: readonly string[]): boolean {
  return names.some((name) => name.endsWith('.safetensors') && !ADAPTER.test(name));
}

/** Whether config.json need not be there: the weights that `openCheckpoint` would take are GGUF, which says the same, or ONNX, often alone. */
export async function bringsOwnConfig(files: ModelFiles): Promise<boolean> {
  const own = (name: string) => name.endsWith('.gguf') || name.endsWith('.onnx');
  if (files.main !== undefined) return own(files.main);
  const names = await files.list();
  const others = [INDEX, TORCH_SINGLE, TORCH_INDEX];
  return names.some(own) && !holdsSafetensors(names) && !names.some((name) => others.includes(name));
}
