// Where a model leaves the range of its serving dtype. From there on the values of PyTorch eager are infinite or NaN, and no kernel can be
// judged by them; what that means for the verdict is src/verdict's.

import type { Op } from '../architectures/program.js';
import { firstNonFinite } from '../reference/ndarray.js';
import type { Sequence } from '../reference/sequence.js';
import { elsewhere, LARGEST_FINITE, limitOf } from '../reference/served-weights.js';
import type { Lane } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import { tokenName } from './rows.js';

export interface OverflowWatch {
  /** Looks at what an op gave; call it for every op in the order of the walk. */
  afterOp(op: Op): void;
  /** The first op whose result in eager is not finite, in words; null: none so far. */
  readonly found: string | null;
}

/** @param oracle the lane that says how large the values are */
export function overflowWatch(dtype: ServingDtype, sequence: Sequence, oracle: Lane, eager: Lane): OverflowWatch {
  let found: string | null = null;
  return {
    afterOp(op) {
      if (found !== null) return;
      for (const value of Object.values(op.outputs)) {
        const data = eager.values.get(value)?.data;
        const at = data === undefined ? -1 : firstNonFinite(data);
        if (data === undefined || at < 0) continue;
        const where = `${op.layer === null ? '' : `layer ${op.layer} `}${op.site} (${op.op})`;
        const token = tokenName(sequence, Math.floor((at * sequence.ids.length) / data.length));
        found = `${where}, ${token}: ${words(dtype, oracle.values.get(value)?.data ?? [])}`;
        return;
      }
    },
    get found() {
      return found;
    },
  };
}

function words(dtype: ServingDtype, oracle: ArrayLike<number>): string {
  if (firstNonFinite(oracle) >= 0)
    return 'NaN or infinite in float64 already, so the model itself diverges there; check config.json and the weights';
  let largest = 0;
  for (let i = 0; i < oracle.length; i++) largest = Math.max(largest, Math.abs(oracle[i] as number));
  const what =
    largest > LARGEST_FINITE[dtype]
      ? `values of up to ${Number(largest.toPrecision(3))} overflow ${dtype}`
      : `something inside the op overflows ${dtype} (its results are ${Number(largest.toPrecision(3))} at most)`;
  return `${what}, whose largest finite value is ${limitOf(dtype)}, in PyTorch eager too; serve the model ${elsewhere(dtype)}`;
}
