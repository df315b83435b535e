// How far Q and K norm together can stretch what a RoPE pair adds to an attention score. Findings are worded elsewhere.

import { largest, lowerMedian } from './norm-values.js';

export interface JointGain {
  /** Largest gain of a pair. */
  readonly max: number;
  /** Lower median over the pairs. */
  readonly median: number;
}

/**
 * Joint gain per RoPE pair: max(|q_i|, |q_j|) · max(|k_i|, |k_j|), which is the largest factor by which the norm weights can stretch
 * the pair's part of q·k, over all angles of rotation. Pairs are those of the half layout, (i, i + rotaryDim/2); channels that are not
 * rotated are on their own. Scale moved from K to Q within a pair changes |k| ratios but not this.
 * @param q effective weights |w|, [headDim] or [heads · headDim]
 * @param k the same for K; several query heads share one K head
 * @returns null when the lengths are no whole number of heads, or K and Q heads do not match
 */
export function jointGain(q: Float64Array, k: Float64Array, headDim: number, rotaryDim: number): JointGain | null {
  const heads = q.length / headDim;
  const kvHeads = k.length / headDim;
  // One vector for all heads on one side stands for each head of the other.
  if (!Number.isInteger(heads) || !Number.isInteger(kvHeads) || kvHeads === 0 || (heads % kvHeads !== 0 && heads !== 1)) return null;
  const pairs: number[] = [];
  for (let head = 0; head < Math.max(heads, kvHeads); head++) {
    const qHead = headAt(q, heads === 1 ? 0 : head, headDim);
    const kHead = headAt(k, heads === 1 ? head : Math.floor((head * kvHeads) / heads), headDim);
    const half = rotaryDim / 2;
    for (let i = 0; i < half; i++) pairs.push(pairMax(qHead, i, i + half) * pairMax(kHead, i, i + half));
    for (let i = rotaryDim; i < headDim; i++) pairs.push(pairMax(qHead, i, i) * pairMax(kHead, i, i));
  }
  return { max: largest(pairs), median: lowerMedian(Float64Array.from(pairs)) };
}

function headAt(values: Float64Array, head: number, headDim: number): Float64Array {
  return values.subarray(head * headDim, (head + 1) * headDim);
}

function pairMax(values: Float64Array, i: number, j: number): number {
  return Math.max(values[i] ?? 0, values[j] ?? 0);
}
