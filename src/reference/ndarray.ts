// A dense row-major array, as ops take and give it.

export interface NdArray {
  /** float32 values (already rounded to the serving dtype where the recipe rounds), or float64 ones of the oracle. */
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/** Index of the first value that is NaN or infinite, or −1. */
export function firstNonFinite(data: ArrayLike<number>): number {
  // 0 · NaN and 0 · ∞ are NaN: one sum tells whether there is anything to look for.
  // Four of them, since each addition waits for the one before.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length - (data.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += 0 * (data[i] as number);
    b += 0 * (data[i + 1] as number);
    c += 0 * (data[i + 2] as number);
    d += 0 * (data[i + 3] as number);
  }
  for (let i = whole; i < data.length; i++) a += 0 * (data[i] as number);
  if (a + b + c + d === 0) return -1;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

/** Rows `[start, end)` of the first axis, without copying. */
export function rows(array: NdArray, start: number, end: number): NdArray {
  const [count = 1, ...rest] = array.shape;
  const stride = count === 0 ? 0 : array.data.length / count;
  return { data: array.data.subarray(start * stride, end * stride), shape: [end - start, ...rest] };
}

/** Joins arrays along the first axis. */
export function joinRows(parts: readonly NdArray[]): NdArray {
  const [first] = parts;
  if (first === undefined) throw new Error('joinRows of nothing');
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, part) => sum + part.data.length, 0);
  const data = first.data instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, shape: [parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0), ...first.shape.slice(1)] };
}
