// Kernels under test that are known to be right or wrong, and the models each of them stands in.

import type { ModelName } from '../../support/models.js';
import { attention, linear, linearSplitK, norm, replaceRows, rotate, rotateByConcatenation, silu, type NormChoice } from './ops.js';
import type { Drawing, Pen } from './pen.js';

/** What decides whether a kernel, or a mistake, makes a difference in a model. */
export interface Traits {
  readonly layout: 'half' | 'interleaved';
  readonly kvHeads: number;
  readonly qkNorm: boolean;
  readonly window: boolean;
  readonly activation: 'silu' | 'gelu';
}

export const TRAITS: Readonly<Record<ModelName, Traits>> = {
  'tinyllama-mini': { layout: 'half', kvHeads: 1, qkNorm: false, window: false, activation: 'silu' },
  'qwen3-mini': { layout: 'half', kvHeads: 2, qkNorm: true, window: false, activation: 'silu' },
  'ernie45-mini': { layout: 'interleaved', kvHeads: 1, qkNorm: false, window: false, activation: 'silu' },
  'mistral-mini': { layout: 'half', kvHeads: 2, qkNorm: false, window: true, activation: 'silu' },
  'gemma3-mini': { layout: 'half', kvHeads: 1, qkNorm: true, window: true, activation: 'gelu' },
};

export interface Planted extends Drawing {
  readonly name: string;
  /** A mistake that the gate was made to find: it is planted in whole models. */
  readonly ofTheIssue?: boolean;
  readonly op: string;
  fits(traits: Traits): boolean;
}

/** Prompts that end in the middle of a tile of 16, alone and together. */
export const PROMPT_LENGTHS = [27, 30] as const;

const everywhere = () => true;
const withSilu = ({ activation }: Traits) => activation === 'silu';
const withQkNorm = ({ qkNorm }: Traits) => qkNorm;
const IN_OUT = ['q', 'k'] as const;

function rmsNorm(choice?: NormChoice): Drawing['draw'] {
  return (p) => p.give('y', norm(p, p.tensor('x'), 'weight', choice));
}

function qkNorm(choice?: NormChoice): Drawing['draw'] {
  return (p) => {
    for (const name of IN_OUT) p.give(name, norm(p, p.tensor(name), `${name}_weight`, choice));
  };
}

function rope(turn: (p: Pen, x: string) => string): Drawing['draw'] {
  return (p) => {
    for (const name of IN_OUT) p.give(name, turn(p, p.tensor(name)));
  };
}

function flash(choice?: Parameters<typeof attention>[1]): Drawing['draw'] {
  return (p) => p.give('o', attention(p, choice));
}

const siluMul: Drawing['draw'] = (p) => p.give('y', p.op('Mul', silu(p, p.tensor('gate')), p.tensor('up')));

function scaledBy(factor: number): NonNullable<Drawing['spoil']> {
  return (p, value) => p.op('Mul', value, p.scalar(factor));
}

/** The rows after the last whole tile of 16 are left as they were. */
function tailLeftOut(rank: 2 | 3): NonNullable<Drawing['spoil']> {
  return (p, value) =>
    replaceRows(p, value, rank, (at, T) => p.op('GreaterOrEqual', at, p.op('Mul', p.op('Div', T, p.ints(16)), p.ints(16))), 0);
}

const oneRowNaN: NonNullable<Drawing['spoil']> = (p, value) => replaceRows(p, value, 2, (at) => p.op('Equal', at, p.ints(5)), NaN);

/** The issue's mistakes first. */
export const BROKEN: readonly Planted[] = [
  {
    name: 'rope-interleaved-for-half',
    ofTheIssue: true,
    op: 'rope',
    inOut: IN_OUT,
    fits: ({ layout }) => layout === 'half',
    draw: rope((p, x) => rotate(p, x, 'interleaved')),
  },
  {
    name: 'rope-half-for-interleaved',
    ofTheIssue: true,
    op: 'rope',
    inOut: IN_OUT,
    fits: ({ layout }) => layout === 'interleaved',
    draw: rope((p, x) => rotate(p, x, 'half')),
  },
  { name: 'attention-without-causal-mask', ofTheIssue: true, op: 'attention', fits: everywhere, draw: flash({ noCausalMask: true }) },
  { name: 'attention-without-scale', ofTheIssue: true, op: 'attention', fits: everywhere, draw: flash({ noScale: true }) },
  {
    name: 'attention-wrong-kv-head',
    ofTheIssue: true,
    op: 'attention',
    fits: ({ kvHeads }) => kvHeads > 1,
    draw: flash({ wrongKvHead: true }),
  },
  { name: 'rms-norm-weight-twice', ofTheIssue: true, op: 'rms_norm', fits: everywhere, draw: rmsNorm({ twice: true }) },
  { name: 'qk-norm-weight-twice', op: 'qk_norm', inOut: IN_OUT, fits: withQkNorm, draw: qkNorm({ twice: true }) },
  { name: 'attention-window-one-more', op: 'attention', fits: ({ window }) => window, draw: flash({ windowShift: 1 }) },
  { name: 'attention-window-one-less', op: 'attention', fits: ({ window }) => window, draw: flash({ windowShift: -1 }) },
  // In gemma3-mini's wide rows eps is worth 0.08 %, a quarter of what bfloat16 can show.
  { name: 'rms-norm-eps-1000', op: 'rms_norm', fits: withSilu, draw: rmsNorm({ epsFactor: 1000 }) },
  {
    name: 'qk-norm-eps-1000',
    op: 'qk_norm',
    inOut: IN_OUT,
    fits: (traits) => withQkNorm(traits) && withSilu(traits),
    draw: qkNorm({ epsFactor: 1000 }),
  },
  { name: 'rms-norm-tail-left-out', op: 'rms_norm', fits: everywhere, draw: rmsNorm(), spoil: tailLeftOut(2) },
  { name: 'attention-tail-left-out', op: 'attention', fits: everywhere, draw: flash(), spoil: tailLeftOut(3) },
  { name: 'rms-norm-times-1.002', op: 'rms_norm', fits: everywhere, draw: rmsNorm(), spoil: scaledBy(1.002) },
  { name: 'attention-times-1.002', op: 'attention', fits: everywhere, draw: flash(), spoil: scaledBy(1.002) },
  { name: 'silu-mul-times-1.01', op: 'silu_mul', fits: withSilu, draw: siluMul, spoil: scaledBy(1.01) },
  { name: 'attention-zeros', op: 'attention', fits: everywhere, draw: flash(), spoil: scaledBy(0) },
  { name: 'silu-mul-nan-row', op: 'silu_mul', fits: withSilu, draw: siluMul, spoil: oneRowNaN },
  {
    name: 'silu-mul-gate-and-up-swapped',
    op: 'silu_mul',
    fits: withSilu,
    draw: (p) => p.give('y', p.op('Mul', silu(p, p.tensor('up')), p.tensor('gate'))),
  },
];

/** Other tilings, other orders of sums, other places of rounding: none of them is wrong. */
export const CORRECT: readonly Planted[] = [
  { name: 'attention-split-kv', op: 'attention', fits: everywhere, draw: flash({ splitKeys: true }) },
  { name: 'attention-float64', op: 'attention', type: 'float64', fits: everywhere, draw: flash() },
  { name: 'rms-norm-split-sums', op: 'rms_norm', fits: everywhere, draw: rmsNorm({ split: true }) },
  { name: 'rms-norm-float64', op: 'rms_norm', type: 'float64', fits: everywhere, draw: rmsNorm() },
  { name: 'qk-norm-split-sums', op: 'qk_norm', inOut: IN_OUT, fits: withQkNorm, draw: qkNorm({ split: true }) },
  { name: 'rope-concatenated', op: 'rope', inOut: IN_OUT, fits: ({ layout }) => layout === 'half', draw: rope(rotateByConcatenation) },
  {
    name: 'rope-pairs',
    op: 'rope',
    inOut: IN_OUT,
    fits: ({ layout }) => layout === 'interleaved',
    draw: rope((p, x) => rotate(p, x, 'interleaved')),
  },
  {
    name: 'silu-mul-sigmoid',
    op: 'silu_mul',
    fits: withSilu,
    draw: (p) => p.give('y', p.op('Mul', silu(p, p.tensor('gate'), true), p.tensor('up'))),
  },
  { name: 'silu-mul-float64', op: 'silu_mul', type: 'float64', fits: withSilu, draw: siluMul },
  { name: 'rms-norm-qkv-bfloat16', op: 'rms_norm_qkv', bits: true, fits: everywhere, draw: rmsNormQkv },
  {
    name: 'qk-norm-rope',
    op: 'qk_norm_rope',
    inOut: IN_OUT,
    fits: withQkNorm,
    draw: (p) => {
      for (const name of IN_OUT) p.give(name, rotateByConcatenation(p, norm(p, p.tensor(name), `${name}_weight`)));
    },
  },
  {
    name: 'add-rms-norm',
    op: 'add_rms_norm',
    fits: everywhere,
    draw: (p) => {
      const sum = p.op('Add', p.tensor('x'), p.tensor('residual'));
      p.give('y', norm(p, sum, 'weight'));
      p.give('residual_out', sum);
    },
  },
  { name: 'linear-split-k', op: 'linear', fits: everywhere, draw: (p) => p.give('y', linearSplitK(p, p.tensor('x'), 'weight')) },
  {
    name: 'swiglu-mlp',
    op: 'swiglu_mlp',
    fits: withSilu,
    draw: (p) => {
      const x = p.tensor('x');
      p.give('y', linear(p, p.op('Mul', silu(p, linear(p, x, 'gate_weight')), linear(p, x, 'up_weight')), 'down_weight'));
    },
  },
];

function rmsNormQkv(p: Pen): void {
  const all = linear(p, norm(p, p.tensor('x'), 'norm_weight'), 'qkv_weight');
  const [heads, kvHeads, D] = ['num_heads', 'num_kv_heads', 'head_dim'].map((name) => p.size(name)) as [string, string, string];
  const toK = p.op('Mul', heads, D);
  const toV = p.op('Add', toK, p.op('Mul', kvHeads, D));
  const end = p.op('Add', toV, p.op('Mul', kvHeads, D));
  const part = (from: string, to: string, count: string) => p.op('Reshape', p.slice(all, 1, from, to), p.join(0, p.ints(0), count, D));
  p.give('q', part(p.ints(0), toK, heads));
  p.give('k', part(toK, toV, kvHeads));
  p.give('v', part(toV, end, kvHeads));
}
