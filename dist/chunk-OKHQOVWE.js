import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/weights/values.ts
init_errors();
var NUMERIC_DTYPES = ["F32", "F16", "BF16", "F64"];
function numericDtype(tensor) {
  const found = NUMERIC_DTYPES.find((dtype) => dtype === tensor.dtype);
  if (found !== void 0) return found;
  const where = tensor.file === void 0 ? "" : `${tensor.file}: `;
  throw new ModelError(
    "weights_invalid",
    `${where}tensor ${quote(tensor.name)} has dtype ${tensor.dtype}; this version computes with ${NUMERIC_DTYPES.join(", ")}. Use a checkpoint that is not quantized, or convert it.`
  );
}
function toFloat32(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return bfloat16ToFloat32(words16(bytes));
    case "F16":
      return float16ToFloat32(words16(bytes));
    case "F32":
      return new Float32Array(wholeCopy(bytes, 4));
    case "F64":
      return new Float32Array(float64View(bytes));
  }
}
function toFloat64(bytes, dtype, tensor = "") {
  if (dtype === "F64") return new Float64Array(wholeCopy(bytes, 8));
  return new Float64Array(toFloat32(bytes, dtype, tensor));
}
function bfloat16ToFloat32(bits) {
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16;
  return new Float32Array(wide.buffer);
}
function roundToBfloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) {
    const x = wide[i];
    bits[i] = (x & 2147483647) > 2139095040 ? quietNaN(x >>> 16, 127, 64) : x + 32767 + (x >>> 16 & 1) >>> 16;
  }
  return bits;
}
function quietNaN(cut, payload, quiet) {
  return (cut & payload) === 0 ? cut | quiet : cut;
}
function float16ToFloat32(bits) {
  const table = float16Table();
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i]];
  return new Float32Array(wide.buffer);
}
var float16Bits = null;
function float16Table() {
  if (float16Bits !== null) return float16Bits;
  const table = new Int32Array(65536);
  const value = new Float32Array(1);
  const valueBits = new Int32Array(value.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 32768) << 16;
    const exponent = half >>> 10 & 31;
    const fraction = half & 1023;
    if (exponent === 31) table[half] = sign | 2139095040 | fraction << 13;
    else if (exponent !== 0) table[half] = sign | exponent + 112 << 23 | fraction << 13;
    else {
      value[0] = fraction * 2 ** -24;
      table[half] = sign | valueBits[0];
    }
  }
  float16Bits = table;
  return table;
}
function roundToFloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) bits[i] = float16Of(wide[i]);
  return bits;
}
function float16Of(x) {
  const sign = x >>> 16 & 32768;
  const magnitude = x & 2147483647;
  if (magnitude > 2139095040) return sign | quietNaN(31744 | magnitude >>> 13 & 1023, 1023, 512);
  if (magnitude >= 1199570944) return sign | 31744;
  if (magnitude >= 947912704) return sign | magnitude - 939524096 + 4095 + (magnitude >>> 13 & 1) >>> 13;
  if (magnitude <= 855638016) return sign;
  const significand = magnitude & 8388607 | 8388608;
  const shift = 126 - (magnitude >>> 23);
  return sign | significand + (1 << shift - 1) - 1 + (significand >>> shift & 1) >>> shift;
}
function allFinite(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return allFinite16(words16(bytes), 32640, 128);
    case "F16":
      return allFinite16(words16(bytes), 31744, 1024);
    case "F32":
      return noExponentFull(words32(bytes, 4), 2139095040, 8388608, 2147483648);
    case "F64":
      return allFinite64(words32(bytes, 8));
  }
}
function allFinite16(words, exponent, lowest) {
  const paired = words.byteOffset % 4 === 0 ? words.length - words.length % 2 : 0;
  const pairs = new Int32Array(words.buffer, paired === 0 ? 0 : words.byteOffset, paired / 2);
  if (!noExponentFull(pairs, exponent * 65537, lowest * 65537, 2147516416)) return false;
  for (let i = paired; i < words.length; i++) if ((words[i] & exponent) === exponent) return false;
  return true;
}
function noExponentFull(words, exponent, lowest, signs) {
  const full = exponent | 0;
  const one = lowest | 0;
  const fours = words.length - words.length % 4;
  for (let i = 0; i < fours; i += 4) {
    const first = (words[i] & full) + one | (words[i + 1] & full) + one;
    const second = (words[i + 2] & full) + one | (words[i + 3] & full) + one;
    if (((first | second) & signs) !== 0) return false;
  }
  for (let i = fours; i < words.length; i++) if (((words[i] & full) + one & signs) !== 0) return false;
  return true;
}
function allFinite64(words) {
  for (let i = 1; i < words.length; i += 2) if ((words[i] & 2146435072) === 2146435072) return false;
  return true;
}
function words16(bytes) {
  const whole = aligned(bytes, 2);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}
function words32(bytes, size) {
  const whole = aligned(bytes, size);
  return new Int32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
}
function float64View(bytes) {
  const whole = aligned(bytes, 8);
  return new Float64Array(whole.buffer, whole.byteOffset, whole.byteLength / 8);
}
function aligned(bytes, size) {
  return bytes.byteOffset % size === 0 && bytes.byteLength % size === 0 ? bytes : new Uint8Array(wholeCopy(bytes, size));
}
function wholeCopy(bytes, size) {
  if (bytes.byteLength % size !== 0) throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${size}-byte values`);
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}

export {
  numericDtype,
  toFloat32,
  toFloat64,
  bfloat16ToFloat32,
  roundToBfloat16,
  float16ToFloat32,
  roundToFloat16,
  allFinite
};
