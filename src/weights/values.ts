// Numbers in raw bytes: widening, rounding, counting what is not finite. Bit-exact; the hosts of onnxruntime-node are all little-endian.
// Work on integer views wherever bits matter: reading a signalling NaN through a Float32Array sets its quiet bit.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { TensorDtype } from './checkpoint.js';

/** The dtypes that the checks and the reference compute with. */
export const NUMERIC_DTYPES = ['F32', 'F16', 'BF16', 'F64'] as const;
export type NumericDtype = (typeof NUMERIC_DTYPES)[number];

/**
 * The tensor's dtype, when numbers can be made of it.
 * @throws ModelError `weights_invalid` naming tensor and dtype
 */
export function numericDtype(tensor: { readonly name: string; readonly dtype: TensorDtype; readonly file?: string }): NumericDtype {
  const found = NUMERIC_DTYPES.find((dtype) => dtype === tensor.dtype);
  if (found !== undefined) return found;
  const where = tensor.file === undefined ? '' : `${tensor.file}: `;
  throw new ModelError(
    'weights_invalid',
    `${where}tensor ${quote(tensor.name)} has dtype ${tensor.dtype}; this version computes with ${NUMERIC_DTYPES.join(', ')}. ` +
      'Use a checkpoint that is not quantized, or convert it.',
  );
}

/**
 * Values as float32, in new memory. BF16, F16 and F32 are exact to the bit, NaN payloads too; F64 is rounded to nearest even.
 * @param tensor name for the message when the dtype is not one of `NUMERIC_DTYPES`
 * @throws ModelError `weights_invalid`
 */
export function toFloat32(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): Float32Array {
  switch (numericDtype({ name: tensor, dtype })) {
    case 'BF16':
      return bfloat16ToFloat32(words16(bytes));
    case 'F16':
      return float16ToFloat32(words16(bytes));
    case 'F32':
      return new Float32Array(wholeCopy(bytes, 4));
    case 'F64':
      return new Float32Array(float64View(bytes));
  }
}

/** Values as float64, in new memory: exact for every numeric dtype. Throws as `toFloat32` does. */
export function toFloat64(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): Float64Array {
  if (dtype === 'F64') return new Float64Array(wholeCopy(bytes, 8));
  return new Float64Array(toFloat32(bytes, dtype, tensor));
}

/** bfloat16 bits to float32: the upper half of the same bits. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = (bits[i] as number) << 16;
  return new Float32Array(wide.buffer);
}

/** float32 to bfloat16 bits, to nearest, ties to even; a NaN stays a NaN and keeps its upper payload. */
export function roundToBfloat16(values: Float32Array): Uint16Array {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) {
    const x = wide[i] as number;
    // The largest sum is 0x7f807fff: no overflow, and the maximum finite value carries over into infinity as it should.
    bits[i] = (x & 0x7fffffff) > 0x7f800000 ? quietNaN(x >>> 16, 0x7f, 0x40) : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/** Cutting a payload must not leave an infinity. */
function quietNaN(cut: number, payload: number, quiet: number): number {
  return (cut & payload) === 0 ? cut | quiet : cut;
}

/** float16 bits to float32, exact. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const table = float16Table();
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i] as number] as number;
  return new Float32Array(wide.buffer);
}

let float16Bits: Int32Array | null = null;

/** float32 bits of all 65,536 float16 patterns (256 KB), made once: several times faster than branching on each value. */
function float16Table(): Int32Array {
  if (float16Bits !== null) return float16Bits;
  const table = new Int32Array(0x10000);
  const value = new Float32Array(1);
  const valueBits = new Int32Array(value.buffer);
  for (let half = 0; half < 0x10000; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) table[half] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0) table[half] = sign | ((exponent + 112) << 23) | (fraction << 13);
    else {
      value[0] = fraction * 2 ** -24;
      table[half] = sign | (valueBits[0] as number);
    }
  }
  float16Bits = table;
  return table;
}

/** float32 to float16 bits, to nearest, ties to even; 65,520 and above become infinity; a NaN stays a NaN and keeps its upper payload. */
export function roundToFloat16(values: Float32Array): Uint16Array {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) bits[i] = float16Of(wide[i] as number);
  return bits;
}

function float16Of(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | quietNaN(0x7c00 | ((magnitude >>> 13) & 0x3ff), 0x3ff, 0x200);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // From 2^-14 on: exponent bias 127 becomes 15, and rounding may carry up to infinity.
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Up to 2^-25 the nearest is zero, for the tie too.
  if (magnitude <= 0x33000000) return sign;
  // Subnormal: the significand in units of 2^-24.
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift);
}

/**
 * How many values are NaN, how many infinite: on the bits, nothing is widened.
 * @throws ModelError `weights_invalid` when the dtype is not one of `NUMERIC_DTYPES`
 */
export function countNonFinite(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): { nan: number; inf: number } {
  switch (numericDtype({ name: tensor, dtype })) {
    case 'BF16':
      return countIn16(words16(bytes), 0x7f80);
    case 'F16':
      return countIn16(words16(bytes), 0x7c00);
    case 'F32':
      return countIn32(words32(bytes, 4));
    case 'F64':
      return countIn64(words32(bytes, 8));
  }
}

function countIn16(words: Uint16Array, infinity: number): { nan: number; inf: number } {
  if (allFinite16(words, infinity)) return { nan: 0, inf: 0 };
  let nan = 0;
  let inf = 0;
  for (let i = 0; i < words.length; i++) {
    const magnitude = (words[i] as number) & 0x7fff;
    if (magnitude < infinity) continue;
    if (magnitude === infinity) inf++;
    else nan++;
  }
  return { nan, inf };
}

/** Two values at a time: three times as fast as counting, for the weights that all have finite values. False where pairs do not fit. */
function allFinite16(words: Uint16Array, infinity: number): boolean {
  if (words.byteOffset % 4 !== 0 || words.length % 2 !== 0) return false;
  const pairs = new Int32Array(words.buffer, words.byteOffset, words.length / 2);
  const upper = infinity << 16;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i] as number;
    if ((pair & infinity) === infinity || (pair & upper) === upper) return false;
  }
  return true;
}

function countIn32(words: Int32Array): { nan: number; inf: number } {
  let nan = 0;
  let inf = 0;
  for (let i = 0; i < words.length; i++) {
    const magnitude = (words[i] as number) & 0x7fffffff;
    if (magnitude < 0x7f800000) continue;
    if (magnitude === 0x7f800000) inf++;
    else nan++;
  }
  return { nan, inf };
}

/** Two words to a value, the upper one second. */
function countIn64(words: Int32Array): { nan: number; inf: number } {
  let nan = 0;
  let inf = 0;
  for (let i = 1; i < words.length; i += 2) {
    const magnitude = (words[i] as number) & 0x7fffffff;
    if (magnitude < 0x7ff00000) continue;
    if (magnitude === 0x7ff00000 && words[i - 1] === 0) inf++;
    else nan++;
  }
  return { nan, inf };
}

function words16(bytes: Uint8Array): Uint16Array {
  const whole = aligned(bytes, 2);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}

/** @param size bytes of a value: 4, or 8 for two words each */
function words32(bytes: Uint8Array, size: 4 | 8): Int32Array {
  const whole = aligned(bytes, size);
  return new Int32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
}

function float64View(bytes: Uint8Array): Float64Array {
  const whole = aligned(bytes, 8);
  return new Float64Array(whole.buffer, whole.byteOffset, whole.byteLength / 8);
}

/** The same bytes, copied only when a view of `size`-byte values could not be laid over them. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 && bytes.byteLength % size === 0 ? bytes : new Uint8Array(wholeCopy(bytes, size));
}

function wholeCopy(bytes: Uint8Array, size: number): ArrayBuffer {
  if (bytes.byteLength % size !== 0) throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${size}-byte values`);
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}
