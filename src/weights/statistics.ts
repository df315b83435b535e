// What the numbers of a tensor are like: how many, how many not finite, smallest, largest, mean, RMS. Streamed: memory does not grow with the tensor.
// Patterns of 16 bits and less are counted and the sums made of the counts, so they do not depend on order or blocks.

import type { Checkpoint, TensorDtype } from './checkpoint.js';
import { PATTERNS, startHistogram } from './histogram.js';
import type { NarrowDtype } from './narrow-floats.js';
import { isNarrow, narrowTable } from './narrow-floats.js';
import { bfloat16ToFloat32, float16ToFloat32, numericDtype, toFloat64 } from './values.js';

/** Bytes that are read at once, a multiple of every element's size, and how many such reads are under way while one is counted. */
const READ_BYTES = 2 * 2 ** 20;
const READS_AHEAD = 3;
/** Values that are widened at once. */
const PIECE_VALUES = 2 ** 16;
/** Up to so many values reading them one by one is faster than going through all patterns at the end. */
const FEW_VALUES = 2 ** 15;

/** Statistics of all values; `min` to `rms` are those of the finite ones, null where there are none, or where a sum of F64 values overflows. */
export interface TensorStatistics {
  readonly count: number;
  readonly nan: number;
  readonly inf: number;
  /** Of both signs. */
  readonly zeros: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** √(mean of x²). */
  readonly rms: number | null;
}

interface Collector {
  add(bytes: Uint8Array): void;
  result(): TensorStatistics;
}

/**
 * Statistics of a whole tensor of a checkpoint, read once, in pieces.
 * Counts, minimum and maximum are exact; mean and RMS come from compensated float64 sums, of 16 and fewer bits over patterns, else over values.
 * @throws ModelError `weights_invalid` for a dtype that is neither numeric nor narrow, and those of `Checkpoint.read`
 */
export async function tensorStatistics(checkpoint: Checkpoint, name: string): Promise<TensorStatistics> {
  const tensor = checkpoint.tensors.get(name);
  // A tensor that is not there is refused by the read.
  const byteLength = tensor?.byteLength ?? 0;
  const collector = collectorFor(tensor?.dtype ?? 'F32', name, byteLength);
  const reads: Promise<Uint8Array>[] = [];
  let at = 0;
  do {
    while (reads.length <= READS_AHEAD && (at < byteLength || at === 0)) {
      const read = checkpoint.read(name, at, Math.min(byteLength, at + READ_BYTES));
      // One that fails is reported when its turn comes; until then it must not count as unhandled.
      read.catch(() => undefined);
      reads.push(read);
      at += READ_BYTES;
    }
    collector.add((await reads.shift()) as Uint8Array);
  } while (reads.length > 0);
  return collector.result();
}

/** Statistics of values in memory. Throws as `tensorStatistics` does. */
export function statisticsOf(bytes: Uint8Array, dtype: TensorDtype, tensor = ''): TensorStatistics {
  const collector = collectorFor(dtype, tensor, bytes.byteLength);
  collector.add(bytes);
  return collector.result();
}

function collectorFor(dtype: TensorDtype, name: string, byteLength: number): Collector {
  if (isNarrow(dtype)) return narrowCollector(dtype);
  const numeric = numericDtype({ name, dtype });
  if ((numeric === 'BF16' || numeric === 'F16') && byteLength > 2 * FEW_VALUES) return patternCollector(numeric);
  const totals = startTotals();
  const pieceBytes = PIECE_VALUES * { F64: 8, F32: 4, F16: 2, BF16: 2 }[numeric];
  return {
    add(bytes) {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) addValues(totals, toFloat64(bytes.subarray(at, at + pieceBytes), numeric));
    },
    result: () => finished(totals),
  };
}

function patternCollector(dtype: 'BF16' | 'F16'): Collector {
  const histogram = startHistogram();
  return {
    add: (bytes) => histogram.add(bytes),
    result: () => ofCounts(patternValues(dtype), histogram.counts()),
  };
}

function narrowCollector(dtype: NarrowDtype): Collector {
  const table = narrowTable(dtype);
  const bytesSeen = new Float64Array(256);
  return {
    add(bytes) {
      for (let i = 0; i < bytes.byteLength; i++) {
        const byte = bytes[i] as number;
        bytesSeen[byte] = (bytesSeen[byte] as number) + 1;
      }
    },
    result() {
      if (dtype !== 'F4') return ofCounts(table, bytesSeen);
      const counts = new Float64Array(16);
      for (const [byte, times] of bytesSeen.entries())
        for (const pattern of [byte & 15, byte >>> 4]) counts[pattern] = (counts[pattern] as number) + times;
      return ofCounts(table, counts);
    },
  };
}

const patterns = new Map<'BF16' | 'F16', Float32Array>();

function patternValues(dtype: 'BF16' | 'F16'): Float32Array {
  let values = patterns.get(dtype);
  if (values === undefined) {
    const all = Uint16Array.from({ length: PATTERNS }, (_, pattern) => pattern);
    values = dtype === 'BF16' ? bfloat16ToFloat32(all) : float16ToFloat32(all);
    patterns.set(dtype, values);
  }
  return values;
}

/** A sum and what its additions rounded away: Neumaier's method, https://doi.org/10.1002/zamm.19740540106. */
interface Sum {
  value: number;
  lost: number;
}

function addTo(sum: Sum, term: number): void {
  const next = sum.value + term;
  sum.lost += Math.abs(sum.value) >= Math.abs(term) ? sum.value - next + term : term - next + sum.value;
  sum.value = next;
}

interface Totals {
  count: number;
  nan: number;
  inf: number;
  zeros: number;
  min: number;
  max: number;
  readonly sum: Sum;
  readonly squares: Sum;
}

function startTotals(): Totals {
  const sum = () => ({ value: 0, lost: 0 });
  return { count: 0, nan: 0, inf: 0, zeros: 0, min: Infinity, max: -Infinity, sum: sum(), squares: sum() };
}

/** The products are exact for up to 2^31 equal values: a float16 has 11 significant bits, its square 22. */
function ofCounts(values: Float32Array, counts: Float64Array): TensorStatistics {
  const totals = startTotals();
  for (let i = 0; i < counts.length; i++) {
    const times = counts[i] as number;
    if (times > 0) addTimes(totals, values[i] as number, times);
  }
  return finished(totals);
}

function addTimes(totals: Totals, value: number, times: number): void {
  totals.count += times;
  if (Number.isNaN(value)) totals.nan += times;
  else if (!Number.isFinite(value)) totals.inf += times;
  else {
    if (value === 0) totals.zeros += times;
    totals.min = Math.min(totals.min, value);
    totals.max = Math.max(totals.max, value);
    addTo(totals.sum, times * value);
    addTo(totals.squares, times * (value * value));
  }
}

function addValues(totals: Totals, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // The difference is 0 for finite values only.
    if (value - value !== 0) {
      if (Number.isNaN(value)) totals.nan++;
      else totals.inf++;
      continue;
    }
    if (value === 0) totals.zeros++;
    totals.min = Math.min(totals.min, value);
    totals.max = Math.max(totals.max, value);
    addTo(totals.sum, value);
    addTo(totals.squares, value * value);
  }
  totals.count += values.length;
}

function finished({ count, nan, inf, zeros, min, max, sum, squares }: Totals): TensorStatistics {
  const finite = count - nan - inf;
  if (finite === 0) return { count, nan, inf, zeros, min: null, max: null, mean: null, rms: null };
  const orNull = (value: number) => (Number.isFinite(value) ? value : null);
  const mean = orNull((sum.value + sum.lost) / finite);
  // Zero has two signs; as a smallest or largest number it is one.
  return { count, nan, inf, zeros, min: min + 0, max: max + 0, mean, rms: orNull(Math.sqrt((squares.value + squares.lost) / finite)) };
}
