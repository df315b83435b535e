// ONNX Runtime's fused operators as kernels: how each contract's call is put to the operator. One small graph per operator.

import type { AttributeValue } from '../architectures/program.js';
import { DATA_TYPE, graphBuilder, type GraphBuilder } from '../reference/onnx.js';
import { OUTPUT_PREFIX } from '../reference/graphs.js';
import type { KernelTensor } from './kernel.js';

/** The operators have no bfloat16 kernels on the CPU: bfloat16 and float32 calls run in float32, float16 ones in float16. */
export type OperatorType = 'float32' | 'float16';

export interface Call {
  readonly inputs: Readonly<Record<string, KernelTensor>>;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

interface Scope {
  readonly g: GraphBuilder;
  readonly call: Call;
  /** A contract tensor in the operator's type. */
  input(name: string): string;
  output(name: string, value: string): void;
  int64(value: number | readonly number[]): string;
}

type Operator = (scope: Scope) => void;

const MICROSOFT = 'com.microsoft';

const OPERATORS: Readonly<Record<string, Readonly<Record<string, Operator>>>> = {
  SimplifiedLayerNormalization: {
    rms_norm: (s) => s.output('y', simplifiedNorm(s, 'x', 'weight')),
    qk_norm: (s) => {
      s.output('q', simplifiedNorm(s, 'q', 'q_weight'));
      s.output('k', simplifiedNorm(s, 'k', 'k_weight'));
    },
  },
  SkipSimplifiedLayerNormalization: { add_rms_norm: skipNorm },
  RotaryEmbedding: { rope: rotaryEmbedding },
  GroupQueryAttention: { attention: groupQueryAttention },
  QuickGelu: {
    silu_mul: (s) =>
      s.output('y', s.g.node('Mul', [s.g.node('QuickGelu', [s.input('gate')], { alpha: { float: 1 } }, MICROSOFT), s.input('up')])),
  },
  FastGelu: {
    gelu_tanh_mul: (s) => s.output('y', s.g.node('Mul', [s.g.node('FastGelu', [s.input('gate')], {}, MICROSOFT), s.input('up')])),
  },
};

/** Whether the operator can implement the contract at all. */
export function operatorFits(operator: string, op: string): boolean {
  return OPERATORS[operator]?.[op] !== undefined;
}

/** Key of the graph for a call: calls with the same key share a session. */
export function operatorKey(operator: string, op: string, type: OperatorType, call: Call): string {
  const heads = Object.entries(call.inputs).map(([name, { shape }]) => [name, shape.slice(1)]);
  return JSON.stringify([
    operator,
    op,
    type,
    call.attributes,
    heads,
    op === 'rope' || op === 'attention' ? [call.inputs['q']?.shape[0], call.inputs['k']?.shape[0]] : null,
  ]);
}

/** The graph of an operator for a call of a contract; inputs bear the contract's names, outputs have `OUTPUT_PREFIX` before them. */
export function operatorGraph(operator: string, op: string, type: OperatorType, call: Call): Uint8Array {
  const build = OPERATORS[operator]?.[op];
  if (build === undefined) throw new Error(`${operator} does not implement ${op}`);
  const g = graphBuilder(operator);
  build({
    g,
    call,
    // float16 travels as raw bits: what JavaScript type onnxruntime wants for it depends on the Node version.
    input: (name) =>
      type === 'float32' ? g.input(name, 'float32') : g.node('BitCast', [g.input(name, 'uint16')], { to: DATA_TYPE.float16 }),
    output: (name, value) =>
      type === 'float32'
        ? g.output(OUTPUT_PREFIX + name, value, 'float32')
        : g.output(OUTPUT_PREFIX + name, g.node('BitCast', [value], { to: DATA_TYPE.uint16 }), 'uint16'),
    int64: (value) => g.constant('int64', value),
  });
  return g.build();
}

function number(s: Scope, attribute: string): number {
  return Number(s.call.attributes[attribute] ?? 0);
}

function shape(s: Scope, tensor: string): readonly number[] {
  return s.call.inputs[tensor]?.shape ?? [];
}

/** The effective weight, offset + weight, in the operator's type. */
function gamma(s: Scope, weight: string): string {
  const offset = number(s, 'weight_offset');
  const value = s.input(weight);
  return offset === 0 ? value : s.g.node('Add', [value, s.g.node('CastLike', [s.g.constant('float32', offset), value])]);
}

function simplifiedNorm(s: Scope, x: string, weight: string): string {
  return s.g.node('SimplifiedLayerNormalization', [s.input(x), gamma(s, weight)], {
    axis: -1,
    epsilon: { float: number(s, 'eps') },
    stash_type: 1,
  });
}

function skipNorm(s: Scope): void {
  // Outputs: the norm, mean and inverse deviation (left out), and the sum that becomes the residual.
  const [y = '', , , sum = ''] = s.g.nodes(
    'SkipSimplifiedLayerNormalization',
    [s.input('x'), s.input('residual'), gamma(s, 'weight')],
    [true, false, false, true],
    { epsilon: { float: number(s, 'eps') } },
    MICROSOFT,
  );
  s.output('y', y);
  s.output('residual_out', sum);
}

function rotaryEmbedding(s: Scope): void {
  const [T = 0] = shape(s, 'q');
  const positions = s.g.node('Unsqueeze', [
    s.g.constant(
      'int64',
      Array.from({ length: T }, (_, t) => t),
    ),
    s.int64([0]),
  ]);
  const cos = s.input('cos');
  const sin = s.input('sin');
  const rotaryDim = number(s, 'rotary_dim');
  for (const name of ['q', 'k'] as const) {
    const [, heads = 1, D = 1] = shape(s, name);
    // The operator wants [batch, heads, tokens, head_dim].
    const x = s.g.node('Unsqueeze', [s.g.node('Transpose', [s.input(name)], { perm: [1, 0, 2] }), s.int64([0])]);
    const rotated = s.g.node(
      'RotaryEmbedding',
      [x, positions, cos, sin],
      // 0 stands for "all of head_dim"; num_heads matters for partial rotation only.
      {
        interleaved: s.call.attributes['layout'] === 'interleaved' ? 1 : 0,
        rotary_embedding_dim: rotaryDim < D ? rotaryDim : 0,
        num_heads: heads,
      },
      MICROSOFT,
    );
    s.output(name, s.g.node('Transpose', [s.g.node('Squeeze', [rotated, s.int64([0])])], { perm: [1, 0, 2] }));
  }
}

function groupQueryAttention(s: Scope): void {
  const [T = 0, Nq = 1, D = 1] = shape(s, 'q');
  const [S = 0, Nkv = 1] = shape(s, 'k');
  const flat = (value: string, tokens: number, heads: number) => s.g.node('Reshape', [value, s.int64([1, tokens, heads * D])]);
  // The operator wants the last T keys and values beside the queries, and those before as its cache: [batch, heads, tokens, head_dim].
  const split = (name: string) => {
    const value = s.input(name);
    if (S === T) return { past: '', now: flat(value, T, Nkv) };
    const [before = '', last = ''] = s.g.nodes('Split', [value, s.int64([S - T, T])], [true, true], { axis: 0 });
    return { past: s.g.node('Unsqueeze', [s.g.node('Transpose', [before], { perm: [1, 0, 2] }), s.int64([0])]), now: flat(last, T, Nkv) };
  };
  const [k, v] = [split('k'), split('v')];
  const window = number(s, 'window');
  const [o = ''] = s.g.nodes(
    'GroupQueryAttention',
    [flat(s.input('q'), T, Nq), k.now, v.now, k.past, v.past, s.g.constant('int32', [S - 1]), s.g.constant('int32', S)],
    // present_key and present_value are asked for because some versions compute nothing useful without them.
    [true, true, true],
    {
      num_heads: Nq,
      kv_num_heads: Nkv,
      scale: { float: number(s, 'scale') },
      local_window_size: window > 0 ? window : -1,
      ...(number(s, 'softcap') > 0 ? { softcap: { float: number(s, 'softcap') } } : {}),
    },
    MICROSOFT,
  );
  s.output('o', s.g.node('Reshape', [o, s.int64([T, Nq, D])]));
}
