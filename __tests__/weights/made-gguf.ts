// GGUF files for tests, written field by field, so that each can lie.

export const GGUF_TYPE = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export function u64(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string | Uint8Array, length?: bigint): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(length ?? BigInt(bytes.byteLength)), bytes]);
}

/** A key with the type number and bytes of its value. */
export function key(name: string | Uint8Array, type: number, value: Uint8Array): Buffer {
  return Buffer.concat([text(name), u32(type), value]);
}

export const stringKey = (name: string, value: string): Buffer => key(name, GGUF_TYPE.string, text(value));
export const u32Key = (name: string, value: number): Buffer => key(name, GGUF_TYPE.u32, u32(value));
export const arrayKey = (name: string, type: number, elements: readonly Uint8Array[], length?: bigint): Buffer =>
  key(name, GGUF_TYPE.array, Buffer.concat([u32(type), u64(length ?? elements.length), ...elements]));

export interface TensorEntry {
  readonly name: string;
  /** As in the file: the innermost dimension first. */
  readonly dims: readonly (number | bigint)[];
  /** Type number; F32 by default. */
  readonly type?: number;
  readonly data: Uint8Array;
  /** Instead of the right one. */
  readonly offset?: bigint;
}

export interface MadeGguf {
  readonly keys?: readonly Uint8Array[];
  readonly tensors?: readonly TensorEntry[];
  readonly magic?: string;
  readonly version?: number;
  readonly keyCount?: bigint;
  readonly tensorCount?: bigint;
  readonly alignment?: number;
  /** Bytes cut from the end. */
  readonly cut?: number;
}

export function ggufBytes(made: MadeGguf): Uint8Array {
  const { keys = [], tensors = [], alignment = 32 } = made;
  const pad = (length: number) => Math.ceil(length / alignment) * alignment;
  let offset = 0;
  const table: Buffer[] = [];
  const data: Buffer[] = [];
  for (const tensor of tensors) {
    table.push(
      Buffer.concat([
        text(tensor.name),
        u32(tensor.dims.length),
        ...tensor.dims.map((size) => u64(size)),
        u32(tensor.type ?? 0),
        u64(tensor.offset ?? offset),
      ]),
    );
    const block = Buffer.alloc(pad(tensor.data.byteLength));
    block.set(tensor.data);
    data.push(block);
    offset += block.byteLength;
  }
  const header = Buffer.concat([
    Buffer.from(made.magic ?? 'GGUF', 'latin1'),
    u32(made.version ?? 3),
    u64(made.tensorCount ?? tensors.length),
    u64(made.keyCount ?? keys.length),
    ...keys,
    ...table,
  ]);
  const whole = Buffer.concat([header, Buffer.alloc(pad(header.byteLength) - header.byteLength), ...data]);
  return new Uint8Array(whole.subarray(0, whole.byteLength - (made.cut ?? 0)));
}

export function float32(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** A model of `layers` layers as llama.cpp converts it, each with Q and K norms of 4 weights. */
export function ggufModel(
  architecture: string,
  norms: readonly { k: readonly number[]; q: readonly number[] }[],
  more: readonly TensorEntry[] = [],
): MadeGguf {
  const keys = [
    stringKey('general.architecture', architecture),
    u32Key(`${architecture}.block_count`, norms.length),
    u32Key(`${architecture}.embedding_length`, 8),
    u32Key(`${architecture}.attention.head_count`, 2),
    u32Key(`${architecture}.attention.key_length`, 4),
  ];
  const vector = (name: string, values: readonly number[]): TensorEntry => ({ name, dims: [values.length], data: float32(...values) });
  const layers = norms.flatMap(({ k, q }, layer) => [
    vector(`blk.${layer}.attn_norm.weight`, [1, 1, 1, 1]),
    vector(`blk.${layer}.attn_k_norm.weight`, k),
    vector(`blk.${layer}.attn_q_norm.weight`, q),
    vector(`blk.${layer}.ffn_norm.weight`, [1, 1, 1, 1]),
    { name: `blk.${layer}.attn_k.weight`, dims: [32, 2], type: 8, data: new Uint8Array(2 * 34) },
  ]);
  return { keys, tensors: [vector('output_norm.weight', [1, 1, 1, 1]), ...layers, ...more] };
}
