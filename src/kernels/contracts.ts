// Op contracts as data: the tensors and attributes of every op a kernel can implement, and the run of program ops it stands for.

import type { AttributeValue, OpName } from '../architectures/program.js';

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

export type TensorDtype = 'serving' | 'float32' | 'int64';

/** A tensor of a contract. Names of sizes are those of docs/kernels.md: T tokens, H hidden size, Nq and Nkv heads, D head_dim, R rotary_dim ... */
export interface ContractTensor {
  readonly name: string;
  /** Row-major; each a size (`T`) or arithmetic over sizes (`R/2`). */
  readonly shape: readonly string[];
  /** `serving`: what the model is served in, whatever that is in this run. */
  readonly dtype: TensorDtype;
  /** Only there where the model has it. */
  readonly optional: boolean;
}

export interface ContractAttribute {
  readonly name: string;
  readonly type: 'float' | 'int' | 'bool' | 'string';
  readonly meaning: string;
}

export interface Contract {
  /** A run of `steps`, all ops of one layer, or the whole model (which has no sites: src/diff/whole-model.ts). */
  readonly stands_for: 'run' | 'layer' | 'model';
  readonly inputs: readonly ContractTensor[];
  readonly attributes: readonly ContractAttribute[];
  readonly outputs: readonly ContractTensor[];
  /** Empty but for runs. */
  readonly steps: readonly Step[];
}

/** `q [T,Nq,D]`, `bias? [B]`, `cos [T,R/2] float32`, one after the other. */
function tensors(text: string): ContractTensor[] {
  return [...text.matchAll(/([a-z_]+)(\??) \[([^\]]*)\](?: (float32|int64))?/g)].map(([, name = '', optional, shape = '', dtype]) => ({
    name,
    shape: shape.split(','),
    dtype: (dtype as TensorDtype | undefined) ?? 'serving',
    optional: optional === '?',
  }));
}

const ATTRIBUTES = {
  eps: ['float', 'added to the mean of squares'],
  weight_offset: ['float', '1 where norms multiply by one plus the stored weight (Gemma), else 0'],
  num_heads: ['int', 'query heads Nq'],
  num_kv_heads: ['int', 'key/value heads Nkv'],
  head_dim: ['int', 'D'],
  layout: ['string', '`half` (element i pairs with i + R/2) or `interleaved` (2i with 2i + 1)'],
  rotary_dim: ['int', 'R: the first R of D elements are rotated'],
  scale: ['float', 'factor on the scores'],
  causal: ['bool', 'a query sees no later position; always true here'],
  window: ['int', '0: none; else a query sees itself and the window − 1 positions before it'],
  softcap: ['float', '0: none; else scores become softcap · tanh(score / softcap)'],
  activation: ['string', '`silu` or `gelu_tanh`'],
  layer_idx: ['int', 'the layer, from 0'],
  model_path: ['string', "absolute path of the checkpoint's folder"],
  vocab_size: ['int', 'V'],
  max_new_tokens: ['int', 'most tokens to write'],
} as const satisfies Readonly<Record<string, readonly [ContractAttribute['type'], string]>>;

function attributes(...names: readonly (keyof typeof ATTRIBUTES)[]): ContractAttribute[] {
  return names.map((name) => ({ name, type: ATTRIBUTES[name][0], meaning: ATTRIBUTES[name][1] }));
}

const NORM = ['eps', 'weight_offset'] as const;
const ROPE = ['layout', 'rotary_dim'] as const;
const QK = 'q [T,Nq,D], k [T,Nkv,D]';
const TABLES = 'cos [T,R/2] float32, sin [T,R/2] float32';

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
  [
    'rms_norm',
    {
      stands_for: 'run',
      inputs: tensors('x [T,H], weight [H]'),
      attributes: attributes(...NORM),
      outputs: tensors('y [T,H]'),
      steps: [RMS_NORM],
    },
  ],
  [
    'add_rms_norm',
    {
      stands_for: 'run',
      inputs: tensors('x [T,H], residual [T,H], weight [H]'),
      attributes: attributes(...NORM),
      outputs: tensors('y [T,H], residual_out [T,H]'),
      steps: [
        { op: 'add', inputs: { x: 'x', residual: 'residual' }, outputs: { y: 'residual_out' } },
        { ...RMS_NORM, inputs: { x: 'residual_out' } },
      ],
    },
  ],
  [
    'linear',
    {
      stands_for: 'run',
      inputs: tensors('x [T,A], weight [B,A], bias? [B]'),
      attributes: attributes(),
      outputs: tensors('y [T,B]'),
      steps: [{ ...linear('x', 'weight', 'y'), optional: { bias: ['bias'] } }],
    },
  ],
  [
    'rms_norm_qkv',
    {
      stands_for: 'run',
      inputs: tensors('x [T,H], norm_weight [H], qkv_weight [(Nq+2Nkv)·D,H], qkv_bias? [(Nq+2Nkv)·D]'),
      attributes: attributes(...NORM, 'num_heads', 'num_kv_heads', 'head_dim'),
      outputs: tensors(`${QK}, v [T,Nkv,D]`),
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
  [
    'qk_norm',
    {
      stands_for: 'run',
      inputs: tensors(`${QK}, q_weight [D], k_weight [D]`),
      attributes: attributes(...NORM),
      outputs: tensors(QK),
      steps: [QK_NORM],
    },
  ],
  [
    'rope',
    { stands_for: 'run', inputs: tensors(`${QK}, ${TABLES}`), attributes: attributes(...ROPE), outputs: tensors(QK), steps: [ROTARY] },
  ],
  [
    'qk_norm_rope',
    {
      stands_for: 'run',
      inputs: tensors(`${QK}, q_weight [D], k_weight [D], ${TABLES}`),
      attributes: attributes(...NORM, ...ROPE),
      outputs: tensors(QK),
      steps: [
        { ...QK_NORM, outputs: { q: '#q', k: '#k' } },
        { ...ROTARY, inputs: { q: '#q', k: '#k', cos: 'cos', sin: 'sin' } },
      ],
    },
  ],
  [
    'attention',
    {
      stands_for: 'run',
      inputs: tensors('q [T,Nq,D], k [S,Nkv,D], v [S,Nkv,D]'),
      attributes: attributes('scale', 'causal', 'window', 'softcap'),
      outputs: tensors('o [T,Nq,D]'),
      steps: [{ op: 'attention', inputs: { q: 'q', k: 'k', v: 'v' }, outputs: { o: 'o' } }],
    },
  ],
  [
    'silu_mul',
    { stands_for: 'run', inputs: tensors('gate [T,I], up [T,I]'), attributes: attributes(), outputs: tensors('y [T,I]'), steps: [GATE] },
  ],
  [
    'gelu_tanh_mul',
    {
      stands_for: 'run',
      inputs: tensors('gate [T,I], up [T,I]'),
      attributes: attributes(),
      outputs: tensors('y [T,I]'),
      steps: [{ ...GATE, op: 'gelu_tanh_mul' }],
    },
  ],
  [
    'swiglu_mlp',
    {
      stands_for: 'run',
      inputs: tensors('x [T,H], gate_weight [I,H], up_weight [I,H], down_weight [H,I]'),
      attributes: attributes('activation'),
      outputs: tensors('y [T,H]'),
      steps: [
        linear('x', 'gate_weight', '#gate'),
        linear('x', 'up_weight', '#up'),
        { op: ['silu_mul', 'gelu_tanh_mul'], inputs: { gate: '#gate', up: '#up' }, outputs: { y: '#activated' } },
        linear('#activated', 'down_weight', 'y'),
      ],
    },
  ],
  [
    'decoder_layer',
    {
      stands_for: 'layer',
      inputs: tensors(`x [T,H], ${TABLES}`),
      attributes: attributes(
        'layer_idx',
        ...NORM,
        'num_heads',
        'num_kv_heads',
        'head_dim',
        ...ROPE,
        'scale',
        'causal',
        'window',
        'softcap',
        'activation',
      ),
      outputs: tensors('y [T,H]'),
      steps: [],
    },
  ],
  [
    'model',
    {
      stands_for: 'model',
      inputs: tensors('input_ids [T] int64'),
      attributes: attributes('model_path', 'vocab_size'),
      outputs: tensors('logits [T,V]'),
      steps: [],
    },
  ],
  [
    'generate',
    {
      stands_for: 'model',
      inputs: tensors('input_ids [T] int64'),
      attributes: attributes('model_path', 'max_new_tokens'),
      outputs: tensors('output_ids [N] int64'),
      steps: [],
    },
  ],
]);

export function contractInputs(op: string): readonly ContractTensor[] {
  return CONTRACTS.get(op)?.inputs ?? [];
}

export function contractOutputs(op: string): readonly ContractTensor[] {
  return CONTRACTS.get(op)?.outputs ?? [];
}

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] } | undefined>>;
type Attributes = Readonly<Record<string, AttributeValue>>;

/** Attributes that are sizes. */
const SIZE_ATTRIBUTES: Readonly<Record<string, string>> = {
  num_heads: 'Nq',
  num_kv_heads: 'Nkv',
  head_dim: 'D',
  rotary_dim: 'R',
  vocab_size: 'V',
};

/** Sizes of a call (T, H, Nq ...), as far as its inputs and attributes tell. */
export function callSizes(op: string, inputs: Shapes, given: Attributes): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, shape } of contractInputs(op)) {
    for (const [axis, size] of shape.entries()) {
      const length = inputs[name]?.shape[axis];
      if (length !== undefined && !sizes.has(size)) sizes.set(size, length);
    }
  }
  for (const [name, size] of Object.entries(SIZE_ATTRIBUTES)) {
    const value = given[name];
    if (typeof value === 'number') sizes.set(size, value);
  }
  return sizes;
}

/** Shape of each output of a call; null for a length that only the kernel knows (how many tokens it generates). */
export function outputShapes(op: string, inputs: Shapes, given: Attributes): Record<string, (number | null)[]> {
  const sizes = callSizes(op, inputs, given);
  return Object.fromEntries(contractOutputs(op).map(({ name, shape }) => [name, shape.map((size) => sizes.get(size) ?? null)]));
}
