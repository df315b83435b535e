// What a checkpoint holds: named tensors, read lazily by range. Formats (safetensors ...) live in their own files.

/** The 22 dtypes of the safetensors format, named as the format names them. */
export type Dtype =
  | 'BOOL' | 'F4' | 'F6_E2M3' | 'F6_E3M2' | 'U8' | 'I8' | 'F8_E5M2' | 'F8_E4M3' | 'F8_E8M0' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ'
  | 'I16' | 'U16' | 'F16' | 'BF16' | 'I32' | 'U32' | 'F32' | 'C64' | 'F64' | 'I64' | 'U64';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  /** Row-major, as in PyTorch: a linear weight is [out_features, in_features]. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** File the tensor is in, for messages. */
  readonly file: string;
}

export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of all weight files, headers included. */
  readonly byteLength: number;
  /** Bytes read from weight files so far, headers included. */
  readonly bytesRead: number;
  /**
   * Raw little-endian bytes of a tensor, or of `[start, end)` within it. Freshly allocated and aligned for typed-array views of the tensor's dtype.
   * @throws ModelError `tensor_missing`, or `weights_invalid` when the file was cut or changed since it was opened
   */
  read(name: string, start?: number, end?: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
