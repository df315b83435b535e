// What implementations get wrong about norms: eps, the offset of the weight, the weight itself, norms of Q and K that are not there.

import type { Op } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { attributes, hypothesis, isNorm, type Hypothesis } from './hypothesis.js';

const EPS = [0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

export function norms(ops: readonly Op[]): Hypothesis[] {
  const own = new Set(ops.filter(isNorm).map(({ attributes: { eps } }) => Number(eps)));
  const offset = (wrong: number, says: string) =>
    attributes(
      'norm_weight_offset',
      says,
      (op) => isNorm(op) && Number(op.attributes['weight_offset'] ?? 0) !== wrong,
      () => ({ weight_offset: wrong }),
    );
  const missing = (names: readonly ('q' | 'k')[], says: string) =>
    hypothesis(
      'missing_qk_norm',
      says,
      ({ op }) => op === 'qk_norm',
      async (op, inputs, { run }) => ({
        ...(await run(op, inputs)),
        ...Object.fromEntries(names.map((name) => [name, inputs[name] as NdArray])),
      }),
    );
  return [
    ...EPS.map((eps) =>
      attributes(
        'eps',
        `adds eps ${power(eps)} to the mean square where this model needs ${[...own].map(power).join(' and ')}`,
        (op) => isNorm(op) && Number(op.attributes['eps']) !== eps,
        () => ({ eps }),
      ),
    ),
    offset(0, 'multiplies by the norm weight where this model needs 1 + weight'),
    offset(1, 'multiplies by 1 + the norm weight where this model needs the weight alone'),
    missing(['q', 'k'], 'leaves out the norms of Q and K'),
    missing(['q'], 'leaves out the norm of Q'),
    missing(['k'], 'leaves out the norm of K'),
    normWeight('leaves out the norm weight', () => 1),
    normWeight('multiplies by the norm weight twice', (weight) => weight * weight),
  ];
}

/** 1e-6, as config.json has it. */
function power(value: number): string {
  return value === 0 ? '0' : value.toExponential();
}

/** Another factor in place of the norm's own, which is weight_offset + weight. */
function normWeight(says: string, factor: (weight: number) => number): Hypothesis {
  return hypothesis('norm_weight', says, isNorm, (op, inputs, { run }) => {
    const offset = Number(op.attributes['weight_offset'] ?? 0);
    const changed = Object.keys(op.weights).map((name): [string, NdArray] => {
      const weight = inputs[name] as NdArray;
      return [name, { data: weight.data.map((w) => factor(w + offset) - offset), shape: weight.shape }];
    });
    return run(op, { ...inputs, ...Object.fromEntries(changed) });
  });
}
