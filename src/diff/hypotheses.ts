// What implementations get wrong, as changes of single ops of the reference. Which of them a kernel does is causes.ts's.

import type { Op } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { accumulations } from './accumulation.js';
import { gated } from './activations.js';
import { masks, scales } from './attention-hypotheses.js';
import { heads } from './head-hypotheses.js';
import { hypothesis, type Hypothesis, type Subject } from './hypothesis.js';
import { norms } from './norm-hypotheses.js';
import { rotary } from './rotary-hypotheses.js';

/** All hypotheses that make a difference to at least one of these ops. */
export function hypotheses(subject: Subject, ops: readonly Op[]): Hypothesis[] {
  const all = [
    ...rotary(subject, ops),
    ...norms(ops),
    ...scales(subject, ops),
    ...masks(subject, ops),
    ...heads(subject),
    ...gates(ops),
    ...accumulations(subject.dtype),
    hypothesis('missing_bias', 'leaves out the bias', hasBias, (op, inputs, { run }) => run(withoutBias(op), inputs)),
  ];
  return all.filter(({ concerns }) => ops.some(concerns));
}

const BIASES = ['bias', 'q_bias', 'k_bias', 'v_bias'];

function hasBias({ op, weights }: Op): boolean {
  return (op === 'linear' || op === 'qkv') && BIASES.some((name) => name in weights);
}

function withoutBias(op: Op): Op {
  return { ...op, weights: Object.fromEntries(Object.entries(op.weights).filter(([name]) => !BIASES.includes(name))) };
}

const isGate = ({ op }: Op) => op === 'silu_mul' || op === 'gelu_tanh_mul';

const GATES: Readonly<Record<string, string>> = { silu_mul: 'SiLU', gelu_tanh_mul: 'GELU (tanh)' };

function gates(ops: readonly Op[]): Hypothesis[] {
  const own = [...new Set(ops.filter(isGate).map(({ op }) => GATES[op]))].join(' and ');
  const activates = (words: string | undefined) => `activates the gate with ${words} where this model needs ${own}`;
  const swapped = (name: 'silu_mul' | 'gelu_tanh_mul') =>
    hypothesis(
      'activation',
      activates(GATES[name]),
      (op) => isGate(op) && op.op !== name,
      (op, inputs, { run }) => run({ ...op, op: name }, inputs),
    );
  const computed = (name: Parameters<typeof gated>[0], words: string) =>
    hypothesis('activation', activates(words), isGate, (_op, inputs, { recipe }) => Promise.resolve(gated(name, inputs, recipe)));
  return [
    swapped('silu_mul'),
    swapped('gelu_tanh_mul'),
    computed('gelu', 'GELU (erf)'),
    computed('quick_gelu', 'x · sigmoid(1.702 x)'),
    computed('relu', 'ReLU'),
    computed('sigmoid', 'sigmoid'),
    hypothesis('gate_up_order', 'activates the up projection and not the gate', isGate, (op, inputs, { run }) =>
      run(op, { gate: inputs['up'] as NdArray, up: inputs['gate'] as NdArray }),
    ),
  ];
}
