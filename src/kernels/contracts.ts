// Op contracts as data: the tensors and attributes of every op a kernel can implement, and the run of program ops it stands for.

import type { OpName } from '../architectures/program.js';

/** One op of the run. Names starting with `#` are values inside the run, which nothing outside may need. */
export interface Step {
  /** Several names: any of them fits. */
  readonly op: OpName | readonly OpName[];
  /** Tensor of the program op → tensor of the contract. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** Tensor of the contract → weights of the program op, joined along the first axis. */
  readonly weights?: Readonly<Record<string, readonly string[]>>;
  /** Like `weights`, but only where the program op has them. */
  readonly optional?: Readonly<Record<string, readonly string[]>>;
}

export interface Contract {
  readonly attributes: readonly string[];
  readonly outputs: readonly string[];
  readonly steps: readonly Step[];
}

const NORM = ['eps', 'weight_offset'] as const;
const ROPE = ['layout', 'rotary_dim'] as const;

const RMS_NORM: Step = { op: 'rms_norm', inputs: { x: 'x' }, weights: { weight: ['weight'] }, outputs: { y: 'y' } };
const QK_NORM: Step = {
  op: 'qk_norm',
  inputs: { q: 'q', k: 'k' },
  weights: { q_weight: ['q_weight'], k_weight: ['k_weight'] },
  outputs: { q: 'q', k: 'k' },
};
const ROTARY: Step = { op: 'rope', inputs: { q: 'q', k: 'k', cos: 'cos', sin: 'sin' }, outputs: { q: 'q', k: 'k' } };
const GATE: Step = { op: 'silu_mul', inputs: { gate: 'gate', up: 'up' }, outputs: { y: 'y' } };

function linear(x: string, weight: string, y: string): Step {
  return { op: 'linear', inputs: { x }, weights: { [weight]: ['weight'] }, outputs: { y } };
}

export const CONTRACTS: ReadonlyMap<string, Contract> = new Map<string, Contract>([
  ['rms_norm', { attributes: NORM, outputs: ['y'], steps: [RMS_NORM] }],
  [
    'add_rms_norm',
    {
      attributes: NORM,
      outputs: ['y', 'residual_out'],
      steps: [
        { op: 'add', inputs: { x: 'x', residual: 'residual' }, outputs: { y: 'residual_out' } },
        { ...RMS_NORM, inputs: { x: 'residual_out' } },
      ],
    },
  ],
  ['linear', { attributes: [], outputs: ['y'], steps: [{ ...linear('x', 'weight', 'y'), optional: { bias: ['bias'] } }] }],
  [
    'rms_norm_qkv',
    {
      attributes: [...NORM, 'num_heads', 'num_kv_heads', 'head_dim'],
      outputs: ['q', 'k', 'v'],
      steps: [
        { ...RMS_NORM, weights: { norm_weight: ['weight'] }, outputs: { y: '#normed' } },
        {
          op: 'qkv',
          inputs: { x: '#normed' },
          weights: { qkv_weight: ['q_weight', 'k_weight', 'v_weight'] },
          optional: { qkv_bias: ['q_bias', 'k_bias', 'v_bias'] },
          outputs: { q: 'q', k: 'k', v: 'v' },
        },
      ],
    },
  ],
  ['qk_norm', { attributes: NORM, outputs: ['q', 'k'], steps: [QK_NORM] }],
  ['rope', { attributes: ROPE, outputs: ['q', 'k'], steps: [ROTARY] }],
  [
    'qk_norm_rope',
    {
      attributes: [...NORM, ...ROPE],
      outputs: ['q', 'k'],
      steps: [
        { ...QK_NORM, outputs: { q: '#q', k: '#k' } },
        { ...ROTARY, inputs: { q: '#q', k: '#k', cos: 'cos', sin: 'sin' } },
      ],
    },
  ],
  [
    'attention',
    {
      attributes: ['scale', 'causal', 'window', 'softcap'],
      outputs: ['o'],
      steps: [{ op: 'attention', inputs: { q: 'q', k: 'k', v: 'v' }, outputs: { o: 'o' } }],
    },
  ],
  ['silu_mul', { attributes: [], outputs: ['y'], steps: [GATE] }],
  ['gelu_tanh_mul', { attributes: [], outputs: ['y'], steps: [{ ...GATE, op: 'gelu_tanh_mul' }] }],
  [
    'swiglu_mlp',
    {
      attributes: ['activation'],
      outputs: ['y'],
      steps: [
        linear('x', 'gate_weight', '#gate'),
        linear('x', 'up_weight', '#up'),
        { op: ['silu_mul', 'gelu_tanh_mul'], inputs: { gate: '#gate', up: '#up' }, outputs: { y: '#activated' } },
        linear('#activated', 'down_weight', 'y'),
      ],
    },
  ],
]);
