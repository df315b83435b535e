// The tensor types of GGUF: their numbers, block sizes, and making float32 values of the quantised ones.
// Layouts: ggml/src/ggml-common.h and gguf-py/gguf/quants.py of https://github.com/ggml-org/llama.cpp.

import { float16ToFloat32 } from './values.js';

/** Types of GGUF that are stored in blocks; the others bear the names that safetensors has for them. */
// prettier-ignore
export type BlockDtype =
  | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q8_1' | 'Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K' | 'Q8_K'
  | 'IQ2_XXS' | 'IQ2_XS' | 'IQ3_XXS' | 'IQ1_S' | 'IQ4_NL' | 'IQ3_S' | 'IQ2_S' | 'IQ4_XS' | 'IQ1_M' | 'TQ1_0' | 'TQ2_0' | 'MXFP4' | 'NVFP4' | 'Q1_0';

export interface GgmlType {
  readonly dtype: BlockDtype | 'F32' | 'F16' | 'BF16' | 'F64' | 'I8' | 'I16' | 'I32' | 'I64';
  /** Values in a block. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
}

/** By number in the file. Missing ones were taken out of the format: 4, 5, 31 to 33, 36 to 38. */
// prettier-ignore
export const GGML_TYPES: ReadonlyMap<number, GgmlType> = new Map([
  [0, 'F32', 1, 4], [1, 'F16', 1, 2], [2, 'Q4_0', 32, 18], [3, 'Q4_1', 32, 20], [6, 'Q5_0', 32, 22], [7, 'Q5_1', 32, 24], [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 36], [10, 'Q2_K', 256, 84], [11, 'Q3_K', 256, 110], [12, 'Q4_K', 256, 144], [13, 'Q5_K', 256, 176], [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292], [16, 'IQ2_XXS', 256, 66], [17, 'IQ2_XS', 256, 74], [18, 'IQ3_XXS', 256, 98], [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18], [21, 'IQ3_S', 256, 110], [22, 'IQ2_S', 256, 82], [23, 'IQ4_XS', 256, 136], [24, 'I8', 1, 1], [25, 'I16', 1, 2],
  [26, 'I32', 1, 4], [27, 'I64', 1, 8], [28, 'F64', 1, 8], [29, 'IQ1_M', 256, 56], [30, 'BF16', 1, 2], [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66], [39, 'MXFP4', 32, 17], [40, 'NVFP4', 64, 36], [41, 'Q1_0', 128, 18],
].map(([id, dtype, values, bytes]) => [id, { dtype, values, bytes }] as [number, GgmlType]));

export const REMOVED_TYPES: readonly number[] = [4, 5, 31, 32, 33, 36, 37, 38];

type Decode = (block: DataView, out: Float32Array) => void;

/** Float32 rounding after each operation, as ggml computes. */
const f = Math.fround;

const DECODERS: Partial<Record<string, { readonly values: number; readonly bytes: number; readonly decode: Decode }>> = {
  Q4_0: { values: 32, bytes: 18, decode: (block, out) => decodeHalves(block, out, { at: 2, high: null, min: null, zero: 8 }) },
  Q4_1: { values: 32, bytes: 20, decode: (block, out) => decodeHalves(block, out, { at: 4, high: null, min: 2, zero: 0 }) },
  Q5_0: { values: 32, bytes: 22, decode: (block, out) => decodeHalves(block, out, { at: 6, high: 2, min: null, zero: 16 }) },
  Q5_1: { values: 32, bytes: 24, decode: (block, out) => decodeHalves(block, out, { at: 8, high: 4, min: 2, zero: 0 }) },
  Q8_0: { values: 32, bytes: 34, decode: decodeQ8 },
  Q2_K: { values: 256, bytes: 84, decode: decodeQ2K },
  Q3_K: { values: 256, bytes: 110, decode: decodeQ3K },
  Q4_K: { values: 256, bytes: 144, decode: (block, out) => decodeQ45K(block, out, null, 16) },
  Q5_K: { values: 256, bytes: 176, decode: (block, out) => decodeQ45K(block, out, 16, 48) },
  Q6_K: { values: 256, bytes: 210, decode: decodeQ6K },
};

/** The quantised types that `dequantize` knows. */
export const DEQUANTIZED: readonly string[] = Object.keys(DECODERS);

/**
 * Values of whole blocks as float32, rounded where ggml rounds.
 * @returns null for a type that is not in `DEQUANTIZED`
 */
export function dequantize(bytes: Uint8Array, dtype: string): Float32Array | null {
  const decoder = Object.hasOwn(DECODERS, dtype) ? DECODERS[dtype] : undefined;
  if (decoder === undefined) return null;
  const blocks = bytes.byteLength / decoder.bytes;
  if (!Number.isInteger(blocks)) throw new RangeError(`${bytes.byteLength} bytes are no whole number of ${dtype} blocks`);
  const out = new Float32Array(blocks * decoder.values);
  for (let i = 0; i < blocks; i++) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + i * decoder.bytes, decoder.bytes);
    decoder.decode(block, out.subarray(i * decoder.values, (i + 1) * decoder.values));
  }
  return out;
}

function half(block: DataView, at: number): number {
  return float16ToFloat32(Uint16Array.of(block.getUint16(at, true)))[0] as number;
}

/** Q4 and Q5 of 32 values: low nibbles are the first half; a fifth bit and a minimum where the type has them. */
function decodeHalves(
  block: DataView,
  out: Float32Array,
  layout: { readonly at: number; readonly high: number | null; readonly min: number | null; readonly zero: number },
): void {
  const d = half(block, 0);
  const min = layout.min === null ? 0 : half(block, layout.min);
  const high = layout.high === null ? 0 : block.getUint32(layout.high, true);
  for (let i = 0; i < 32; i++) {
    const nibble = (block.getUint8(layout.at + (i % 16)) >>> (i < 16 ? 0 : 4)) & 15;
    const q = (nibble | (((high >>> i) & 1) << 4)) - layout.zero;
    out[i] = f(d * q) + min;
  }
}

function decodeQ8(block: DataView, out: Float32Array): void {
  const d = half(block, 0);
  for (let i = 0; i < 32; i++) out[i] = d * block.getInt8(2 + i);
}

/** 16 scales and minima of 4 bits, then 2-bit values: each 32 bytes hold four runs of 32. */
function decodeQ2K(block: DataView, out: Float32Array): void {
  const d = half(block, 80);
  const dmin = half(block, 82);
  for (let i = 0; i < 256; i++) {
    const scale = block.getUint8(i >> 4);
    const q = (block.getUint8(16 + (i >> 7) * 32 + (i & 31)) >>> (2 * ((i >> 5) & 3))) & 3;
    out[i] = f(f(d * (scale & 15)) * q) - f(dmin * (scale >>> 4));
  }
}

/** A high bit of 0 means minus 4; 16 scales of 6 bits, less 32. */
function decodeQ3K(block: DataView, out: Float32Array): void {
  const d = half(block, 108);
  for (let i = 0; i < 256; i++) {
    const s = i >> 4;
    const low = (block.getUint8(96 + (s & 7)) >>> (s < 8 ? 0 : 4)) & 15;
    const scale = (low | (((block.getUint8(104 + (s & 3)) >>> (2 * (s >> 2))) & 3) << 4)) - 32;
    const high = (block.getUint8(i & 31) >>> (i >> 5)) & 1;
    const q = ((block.getUint8(32 + (i >> 7) * 32 + (i & 31)) >>> (2 * ((i >> 5) & 3))) & 3) - (high === 1 ? 0 : 4);
    out[i] = f(d * scale) * q;
  }
}

/** Eight scales and minima of 6 bits in 12 bytes, then 4-bit values; Q5_K has their fifth bits in 32 bytes at `high`. */
function decodeQ45K(block: DataView, out: Float32Array, high: number | null, values: number): void {
  const d = half(block, 0);
  const dmin = half(block, 2);
  for (let i = 0; i < 256; i++) {
    const group = i >> 5;
    const { scale, min } = scaleAndMin(block, group);
    const nibble = (block.getUint8(values + (group >> 1) * 32 + (i & 31)) >>> (4 * (group & 1))) & 15;
    const q = nibble | (high === null ? 0 : ((block.getUint8(high + (i & 31)) >>> group) & 1) << 4);
    out[i] = f(f(d * scale) * q) - f(dmin * min);
  }
}

function scaleAndMin(block: DataView, group: number): { scale: number; min: number } {
  const at = (index: number) => block.getUint8(4 + index);
  if (group < 4) return { scale: at(group) & 63, min: at(group + 4) & 63 };
  const packed = at(group + 4);
  return { scale: (packed & 15) | ((at(group - 4) >>> 6) << 4), min: (packed >>> 4) | ((at(group) >>> 6) << 4) };
}

/** 4 low bits, 2 high bits, 16 signed scales; the values less 32. */
function decodeQ6K(block: DataView, out: Float32Array): void {
  const d = half(block, 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7;
    const low = (block.getUint8(part * 64 + (i & 63)) >>> (i & 64 ? 4 : 0)) & 15;
    const high = (block.getUint8(128 + part * 32 + (i & 31)) >>> (2 * ((i >> 5) & 3))) & 3;
    out[i] = f(d * block.getInt8(192 + (i >> 4))) * ((low | (high << 4)) - 32);
  }
}
