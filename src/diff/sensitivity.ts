// The model's own sensitivity: a seeded perturbation of the size of a kernel's error, put in at the first site and followed through an unrounded
// model. Beside it, the amplification of the fused model shows what came from rounding and kernels further on.

import type { Program } from '../architectures/program.js';
import type { Site } from '../kernels/sites.js';
import type { NdArray } from '../reference/ndarray.js';
import { ORACLE, type Recipe } from '../reference/recipes.js';
import type { Lane, StandIn } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import { normal } from './probe-inputs.js';

export interface Perturbed {
  /** Computes along with the other lanes, but no logits. */
  readonly lane: Lane;
  /** Where the perturbation goes in. */
  readonly site: Site;
  /**
   * Perturbs the outputs of the site, once the lane has them.
   * @param rms what their error shall be, up to a factor of √2
   */
  perturb(rms: number): void;
  /** RMS error of the final hidden state over that put in; null: nothing was put in. */
  sensitivity(finalError: number | undefined): number | null;
}

const SEED = 20_000;

/**
 * Float32 without rounding is exact enough for a perturbation of the size of 16-bit rounding and costs no more than any recipe; one of the size
 * of float32 rounding needs float64.
 */
function unrounded(dtype: ServingDtype): Recipe {
  return dtype === 'float32' ? ORACLE : { ...ORACLE, name: 'unrounded', compute: 'float32' };
}

/** @param site the first one where a kernel stands in */
export function perturbed(program: Program, site: Site, dtype: ServingDtype): Perturbed {
  const head = program.ops.findIndex(({ outputs }) => Object.values(outputs).includes(program.logits));
  // The final hidden state is all that is looked at, and lm_head is the largest product of a small model.
  const nothing: StandIn = { end: head, run: () => Promise.resolve() };
  const lane: Lane = {
    recipe: unrounded(dtype),
    values: new Map(),
    standIns: new Map([[head, nothing]]),
    kept: { values: 'ends', changedAfter: (index) => index === site.end },
  };
  let injected = 0;
  return {
    lane,
    site,
    perturb(rms) {
      const names = [...site.outputs.values()];
      const arrays = names.map((name) => lane.values.get(name) as NdArray);
      const elements = arrays.reduce((sum, { data }) => sum + data.length, 0);
      const size = Math.sqrt(arrays.reduce((sum, { data }) => sum + sumOfSquares(data), 0) / elements);
      if (!(rms > 0) || !(size > 0) || !Number.isFinite(rms / size)) return;
      // In powers of two: what comes of it does not depend on the exact size, and that of a kernel that was changed a little is known already.
      const relative = 2 ** Math.round(Math.log2(rms / size));
      let squares = 0;
      for (const [i, array] of arrays.entries()) {
        // Relative to each value, as rounding errors are.
        const noise = normal(array.data.length, SEED + i);
        const data = array.data.map((value, at) => value * (1 + relative * (noise[at] as number)));
        for (let at = 0; at < data.length; at++) squares += ((data[at] as number) - (array.data[at] as number)) ** 2;
        lane.values.set(names[i] as string, { data, shape: array.shape });
      }
      injected = Math.sqrt(squares / elements);
    },
    sensitivity: (finalError) => (injected > 0 && finalError !== undefined && Number.isFinite(finalError) ? finalError / injected : null),
  };
}

function sumOfSquares(data: NdArray['data']): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return sum;
}
