// One opened file of weights, whatever its format: what each reader gives and a checkpoint is put together from.

import type { ByteSource } from '../hub/source.js';
import type { TensorInfo } from './checkpoint.js';

export interface WeightFile {
  readonly source: ByteSource;
  /** Bytes at its beginning that list its tensors, where they stand there together. */
  readonly headBytes?: number;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * Bytes `[start, end)` of one of the tensors, freshly allocated.
   * @throws ModelError `weights_invalid` when the file was cut or changed, or holds the tensor in a form that has no such bytes
   */
  read(tensor: TensorInfo, start: number, end: number): Promise<Uint8Array>;
}
