// Floats of 8 and 4 bits, and BOOL: what each pattern stands for, by the formats' tables. Scales that belong to such values are not known here.
// FP8 E4M3 and E5M2: https://arxiv.org/abs/2209.05433; FNUZ: https://arxiv.org/abs/2206.02915; E8M0 and E2M1: OCP Microscaling Formats (MX) v1.0.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { TensorDtype } from './checkpoint.js';

/** Dtypes of up to 8 bits that `decodeNarrow` knows. F6 is not among them: safetensors does not say how its bits are packed. */
export const NARROW_DTYPES = ['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ', 'F8_E8M0', 'F4', 'BOOL'] as const;
export type NarrowDtype = (typeof NARROW_DTYPES)[number];

export function isNarrow(dtype: TensorDtype): dtype is NarrowDtype {
  return NARROW_DTYPES.some((known) => known === dtype);
}

/** Sign, `exponentBits`, then the fraction. `special` says what a pattern is that is no number of the usual form. */
interface Form {
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly bias: number;
  readonly special: (pattern: number) => number | null;
}

const FORMS: Readonly<Record<Exclude<NarrowDtype, 'F8_E8M0' | 'BOOL'>, Form>> = {
  // No infinity: only S.1111.111 is NaN, and the largest value is 448.
  F8_E4M3: { exponentBits: 4, fractionBits: 3, bias: 7, special: (pattern) => ((pattern & 0x7f) === 0x7f ? NaN : null) },
  // As IEEE 754 has it: infinities and NaN share the last exponent.
  F8_E5M2: {
    exponentBits: 5,
    fractionBits: 2,
    bias: 15,
    special: (pattern) => ((pattern & 0x7c) !== 0x7c ? null : (pattern & 3) !== 0 ? NaN : pattern < 0x80 ? Infinity : -Infinity),
  },
  // "Finite, NaN, unsigned zero": the pattern of minus zero is the one NaN.
  F8_E4M3FNUZ: { exponentBits: 4, fractionBits: 3, bias: 8, special: (pattern) => (pattern === 0x80 ? NaN : null) },
  F8_E5M2FNUZ: { exponentBits: 5, fractionBits: 2, bias: 16, special: (pattern) => (pattern === 0x80 ? NaN : null) },
  // E2M1: every pattern is a number, up to 6.
  F4: { exponentBits: 2, fractionBits: 1, bias: 1, special: () => null },
};

function valueOf(pattern: number, { exponentBits, fractionBits, bias, special }: Form): number {
  const known = special(pattern);
  if (known !== null) return known;
  const fraction = pattern & (2 ** fractionBits - 1);
  const exponent = (pattern >>> fractionBits) & (2 ** exponentBits - 1);
  const magnitude =
    exponent === 0 ? fraction * 2 ** (1 - bias - fractionBits) : (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
  return pattern >>> (exponentBits + fractionBits) === 0 ? magnitude : -magnitude;
}

const tables = new Map<NarrowDtype, Float32Array>();

/** The values of all patterns: 16 for F4, else 256. Exact: float32 holds every one of them. BOOL has NaN from 2 on. */
export function narrowTable(dtype: NarrowDtype): Float32Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    table = Float32Array.from({ length: dtype === 'F4' ? 16 : 256 }, (_, pattern) => {
      if (dtype === 'BOOL') return pattern < 2 ? pattern : NaN;
      // A scale: 2^(pattern - 127) without sign or zero; 255 is NaN.
      if (dtype === 'F8_E8M0') return pattern === 255 ? NaN : 2 ** (pattern - 127);
      return valueOf(pattern, FORMS[dtype]);
    });
    tables.set(dtype, table);
  }
  return table;
}

/**
 * Values as float32, exactly. F4 has two values to a byte, the first in the low four bits (as torch.float4_e2m1fn_x2).
 * @param tensor name for messages
 * @returns null for a dtype that is not one of `NARROW_DTYPES`
 * @throws ModelError `weights_invalid` for a BOOL that is neither 0 nor 1
 */
export function decodeNarrow(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): Float32Array | null {
  if (!isNarrow(dtype)) return null;
  const table = narrowTable(dtype);
  if (dtype === 'BOOL') refuseOddBooleans(bytes, tensor);
  if (dtype !== 'F4') return Float32Array.from(bytes, (pattern) => table[pattern] as number);
  const values = new Float32Array(2 * bytes.byteLength);
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i] as number;
    values[2 * i] = table[byte & 15] as number;
    values[2 * i + 1] = table[byte >>> 4] as number;
  }
  return values;
}

function refuseOddBooleans(bytes: Uint8Array, tensor: string): void {
  const odd = bytes.findIndex((byte) => byte > 1);
  if (odd === -1) return;
  throw new ModelError(
    'weights_invalid',
    `tensor ${quote(tensor)} is BOOL, but its element ${odd} is the byte ${bytes[odd]}; 0 or 1 was expected. The checkpoint is damaged: save it again.`,
  );
}
