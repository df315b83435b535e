// Names the rows of an output that are wrong, and what is wrong with them, in words that a kernel's author can act on.

import type { NdArray } from '../reference/ndarray.js';
import type { Sequence } from '../reference/sequence.js';
import type { Measure } from './measure.js';
import type { Tensors } from './site.js';

/** What was compared: one output of one call, or some of its rows. */
export interface Compared {
  readonly fused: Float32Array;
  readonly oracle: Float64Array;
  readonly measure: Measure;
  /** Row of the output that each compared row is. */
  readonly rows: readonly number[];
}

/**
 * Rows with a value that is not finite where the oracle's is, or with an error that a whole output would fail by.
 * @param ratio errors beyond this many times the noise floor are wrong
 */
export function wrongRows({ fused, oracle, measure, rows }: Compared, ratio: number): number[] {
  const width = oracle.length / rows.length;
  return [...rows.keys()].filter((i) => {
    let sum = 0;
    for (let at = i * width; at < (i + 1) * width; at++) {
      if (!Number.isFinite(oracle[at])) continue;
      const error = Math.abs((fused[at] as number) - (oracle[at] as number));
      if (!(error <= ratio * measure.max_floor)) return true;
      sum += error * error;
    }
    return Math.sqrt(sum / width) > ratio * measure.rms_floor;
  });
}

/**
 * `rows 120 to 127 of q are 0`. Null when no single row stands out.
 * @param wrong as `wrongRows` gives them
 */
export function describeRows(output: string, compared: Compared, wrong: readonly number[], written: boolean): string | null {
  if (wrong.length === 0) return null;
  const named = wrong.map((i) => compared.rows[i] as number);
  const words = wrong.length === compared.rows.length && wrong.length > 1 ? `all ${wrong.length} rows` : rowNames(named);
  const [is, was] = wrong.length === 1 ? ['is', 'was'] : ['are', 'were'];
  if (!written) return `${words} of ${output} ${was} not written`;
  return `${words} of ${output} ${is} ${fault(compared, wrong)}`;
}

/** `position 3`, or with several prompts `prompt 2, position 3`: a token of all prompts laid one after the other. */
export function tokenName({ segments }: Pick<Sequence, 'segments'>, token: number): string {
  const prompt = segments.findIndex(({ end }) => token < end);
  const position = `position ${token - (segments[prompt]?.start ?? 0)}`;
  return segments.length > 1 ? `prompt ${prompt + 1}, ${position}` : position;
}

/** `row 5`, `rows 16 to 31`, `every 16th row from 15 to 127`, `rows 1, 4 and 7`, `rows 0 to 3, 9, 12 to 14 and 20 more`. */
export function rowNames(rows: readonly number[]): string {
  const first = rows[0] as number;
  const last = rows.at(-1) as number;
  if (rows.length === 1) return `row ${first}`;
  const step = (rows[1] as number) - first;
  if (step > 1 && rows.length > 3 && rows.every((row, i) => row === first + i * step)) {
    return `every ${ordinal(step)} row from ${first} to ${last}`;
  }
  const ranges: [number, number][] = [];
  for (const row of rows) {
    const open = ranges.at(-1);
    if (open !== undefined && open[1] === row - 1) open[1] = row;
    else ranges.push([row, row]);
  }
  const shown = ranges.slice(0, RANGES_SHOWN);
  const left = rows.length - shown.reduce((sum, [start, end]) => sum + end - start + 1, 0);
  const names = [
    ...shown.map(([start, end]) => (start === end ? `${start}` : `${start} to ${end}`)),
    ...(left > 0 ? [`${left} more`] : []),
  ];
  return `rows ${names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`}`;
}

const RANGES_SHOWN = 4;

function ordinal(n: number): string {
  const tens = n % 100;
  const ending = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${ending}`;
}

/** How much the factors of elements may differ for all of them to be "off by a factor". */
const ONE_FACTOR = 0.02;
/** What is off by less is not told from rounding by its mean. */
const LEAST_FACTOR = 0.001;

function fault({ fused, oracle, measure, rows }: Compared, wrong: readonly number[]): string {
  const width = oracle.length / rows.length;
  const seen = { finite: 0, nan: 0, zero: 0, largest: 0 };
  const factors: number[] = [];
  for (const row of wrong) {
    for (let at = row * width; at < (row + 1) * width; at++) {
      const value = fused[at] as number;
      const expected = oracle[at] as number;
      if (!Number.isFinite(value)) {
        if (Number.isFinite(expected)) seen.nan++;
        continue;
      }
      seen.finite++;
      if (value === 0) seen.zero++;
      seen.largest = Math.max(seen.largest, Math.abs(value - expected));
      if (Math.abs(expected) >= measure.rms_oracle / 16 && expected !== 0) factors.push(value / expected);
    }
  }
  if (seen.nan > 0) return seen.finite === 0 ? 'NaN or infinite' : `NaN or infinite in ${seen.nan} of ${seen.nan + seen.finite} elements`;
  if (seen.zero === seen.finite) return '0';
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / Math.max(1, factors.length);
  const alike = factors.length > 1 && factors.every((factor) => Math.abs(factor / mean - 1) < ONE_FACTOR);
  if (alike && Math.abs(mean - 1) > LEAST_FACTOR) return `off by a factor of ${mean.toPrecision(4)}`;
  return `wrong (by up to ${seen.largest.toPrecision(2)}; correct ones by ${measure.max_floor.toPrecision(2)})`;
}

/** The first tensor that is not bitwise equal (NaN equals NaN), and which of its rows are not; null: all are equal. */
export function differingRows(a: Tensors, b: Tensors): { rows: string; count: number; name: string; was: string } | null {
  for (const [name, { data, shape }] of Object.entries(a)) {
    const other = (b[name] as NdArray).data;
    const width = data.length / (shape[0] ?? 1);
    const wrong = new Set<number>();
    for (let at = 0; at < data.length; at++)
      if (data[at] !== other[at] && !Object.is(data[at], other[at])) wrong.add(Math.floor(at / width));
    if (wrong.size > 0) return { rows: rowNames([...wrong]), count: wrong.size, name, was: wrong.size === 1 ? 'was' : 'were' };
  }
  return null;
}
