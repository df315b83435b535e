// Numbers in raw bytes: widening, rounding, finding what is not finite. Bit-exact; the hosts of onnxruntime-node are all little-endian.
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

/** The upper half of a float32, as a number that is a 32-bit integer, which 0xffff0000 is not: half the time. */
const UPPER = -65536;

/** bfloat16 bits to float32: the upper half of the same bits. Four pairs at a time take 1.8 ns a value instead of 3.4. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Int32Array(bits.length);
  const eights = bits.byteOffset % 4 === 0 ? bits.length - (bits.length % 8) : 0;
  const pairs = new Int32Array(bits.buffer, eights === 0 ? 0 : bits.byteOffset, eights / 2);
  for (let i = 0, to = 0; i < pairs.length; i += 4, to += 8) {
    const a = pairs[i] as number;
    const b = pairs[i + 1] as number;
    const c = pairs[i + 2] as number;
    const d = pairs[i + 3] as number;
    wide[to] = a << 16;
    wide[to + 1] = a & UPPER;
    wide[to + 2] = b << 16;
    wide[to + 3] = b & UPPER;
    wide[to + 4] = c << 16;
    wide[to + 5] = c & UPPER;
    wide[to + 6] = d << 16;
    wide[to + 7] = d & UPPER;
  }
  for (let i = eights; i < bits.length; i++) wide[i] = (bits[i] as number) << 16;
  return new Float32Array(wide.buffer);
}

/** The upper halves of float32 values; null where that is not all of them. */
export function bfloat16Bits(values: Float32Array): Uint16Array | null {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const fours = wide.length - (wide.length % 4);
  const bits = new Uint16Array(wide.length);
  const pairs = new Int32Array(bits.buffer, 0, fours / 2);
  let lower = 0;
  for (let i = 0, to = 0; i < fours; i += 4, to += 2) {
    const a = wide[i] as number;
    const b = wide[i + 1] as number;
    const c = wide[i + 2] as number;
    const d = wide[i + 3] as number;
    lower |= a | b | c | d;
    pairs[to] = (a >>> 16) | (b & UPPER);
    pairs[to + 1] = (c >>> 16) | (d & UPPER);
  }
  for (let i = fours; i < wide.length; i++) {
    lower |= wide[i] as number;
    bits[i] = (wide[i] as number) >>> 16;
  }
  return (lower & 0xffff) === 0 ? bits : null;
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

/**
 * The float32 values of `roundToBfloat16`. Rounding the values of kernels takes a tenth of a numeric diff: four at a time, and NaN looked for once, they
 * take 2.9 ns a value instead of 5.1.
 */
export function bfloat16Values(values: Float32Array): Float32Array {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Int32Array(values.length);
  const fours = wide.length - (wide.length % 4);
  // Negative as soon as one is beyond infinity, which is a NaN.
  let room = 0;
  for (let i = 0; i < fours; i += 4) {
    const a = wide[i] as number;
    const b = wide[i + 1] as number;
    const c = wide[i + 2] as number;
    const d = wide[i + 3] as number;
    room |= roomAbove(a) | roomAbove(b) | roomAbove(c) | roomAbove(d);
    rounded[i] = toNearest(a);
    rounded[i + 1] = toNearest(b);
    rounded[i + 2] = toNearest(c);
    rounded[i + 3] = toNearest(d);
  }
  for (let i = fours; i < wide.length; i++) {
    room |= roomAbove(wide[i] as number);
    rounded[i] = toNearest(wide[i] as number);
  }
  return room < 0 ? bfloat16ToFloat32(roundToBfloat16(values)) : new Float32Array(rounded.buffer);
}

function roomAbove(x: number): number {
  return 0x7f800000 - (x & 0x7fffffff);
}

/** Of what is not a NaN. The largest sum is 0x7f807fff: the maximum finite value carries over into infinity as it should. */
function toNearest(x: number): number {
  return ((x + (0x7fff + ((x >>> 16) & 1))) | 0) & UPPER;
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
 * Whether no value is NaN or infinite: on the bits, nothing is widened, and up to the first one only. How many there are says statistics.ts.
 * @throws ModelError `weights_invalid` when the dtype is not one of `NUMERIC_DTYPES`
 */
export function allFinite(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): boolean {
  switch (numericDtype({ name: tensor, dtype })) {
    case 'BF16':
      return allFinite16(words16(bytes), 0x7f80, 0x80);
    case 'F16':
      return allFinite16(words16(bytes), 0x7c00, 0x400);
    case 'F32':
      return noExponentFull(words32(bytes, 4), 0x7f800000, 0x800000, 0x80000000);
    case 'F64':
      return allFinite64(words32(bytes, 8));
  }
}

/** @param lowest bit of the exponent. The last of an odd number of values is looked at alone, as is everything that is not aligned. */
function allFinite16(words: Uint16Array, exponent: number, lowest: number): boolean {
  const paired = words.byteOffset % 4 === 0 ? words.length - (words.length % 2) : 0;
  const pairs = new Int32Array(words.buffer, paired === 0 ? 0 : words.byteOffset, paired / 2);
  if (!noExponentFull(pairs, exponent * 0x10001, lowest * 0x10001, 0x80008000)) return false;
  for (let i = paired; i < words.length; i++) if (((words[i] as number) & exponent) === exponent) return false;
  return true;
}

/** Adding the lowest bit carries a full exponent, and no other, into the place of the sign: two values of 16 bits at a time, and a branch for four words. */
function noExponentFull(words: Int32Array, exponent: number, lowest: number, signs: number): boolean {
  const full = exponent | 0;
  const one = lowest | 0;
  const fours = words.length - (words.length % 4);
  for (let i = 0; i < fours; i += 4) {
    const first = (((words[i] as number) & full) + one) | (((words[i + 1] as number) & full) + one);
    const second = (((words[i + 2] as number) & full) + one) | (((words[i + 3] as number) & full) + one);
    if (((first | second) & signs) !== 0) return false;
  }
  for (let i = fours; i < words.length; i++) if (((((words[i] as number) & full) + one) & signs) !== 0) return false;
  return true;
}

/** Two words to a value, the upper one second; it alone says whether the value is finite. */
function allFinite64(words: Int32Array): boolean {
  for (let i = 1; i < words.length; i += 2) if (((words[i] as number) & 0x7ff00000) === 0x7ff00000) return false;
  return true;
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
