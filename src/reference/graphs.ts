// One ONNX graph per (op, attributes, recipe). The rounding points are those measured against PyTorch in docs/reference.md:
// float32 compute with explicit Cast pairs, because onnxruntime has no bfloat16 arithmetic and does not round float16 per op.

import type { Op } from '../architectures/program.js';
import { DATA_TYPE, graphBuilder, type GraphBuilder } from './onnx.js';
import { roundsOutputs, type Recipe } from './recipes.js';

/** An ONNX graph's inputs and outputs share one name space, but q goes in and q comes out. */
export const OUTPUT_PREFIX = 'out_';

/** How a linear weight reaches its graph: raw bfloat16 or float16 bits straight from the file, or float32 values. */
export type WeightForm = 'bfloat16_bits' | 'float16_bits' | 'float32';

export interface HeadCounts {
  readonly num_heads: number;
  readonly num_kv_heads: number;
  readonly head_dim: number;
}

interface Scope {
  readonly g: GraphBuilder;
  readonly type: 'float32' | 'float64';
  readonly recipe: Recipe;
  /** Rounds to the serving dtype. */
  round(value: string): string;
  /** Rounds only where eager rounds between the steps of one contract. */
  roundInside(value: string): string;
  /** Rounds what the op gives, unless that stays in float32 for the next one. */
  roundOutput(value: string): string;
  /** A float32 graph input in the compute type. */
  parameter(name: string): string;
  scalar(value: number): string;
}

function scope(name: string, recipe: Recipe): Scope {
  const g = graphBuilder(name);
  const type = recipe.compute;
  const round = (value: string) => {
    if (recipe.round === 'none' || recipe.round === 'float32') return value;
    const rounded = g.node('Cast', [value], { to: DATA_TYPE[recipe.round] });
    return g.node('Cast', [rounded], { to: DATA_TYPE[type] });
  };
  return {
    g,
    type,
    recipe,
    round,
    roundInside: (value) => (recipe.inside === 'float32' ? value : round(value)),
    roundOutput: (value) => (roundsOutputs(recipe) ? round(value) : value),
    parameter(parameterName) {
      const input = g.input(parameterName, 'float32');
      return type === 'float32' ? input : g.node('Cast', [input], { to: DATA_TYPE[type] });
    },
    scalar: (value) => g.constant(type, value),
  };
}

function activation(s: Scope, name: string): string {
  return s.g.input(name, s.type);
}

/** In how many parts a sum over `size` elements is taken: in one where it cannot be cut evenly. */
function partsOf({ sums }: Recipe, size: number): number {
  const parts = { whole: 1, halves: 2, quarters: 4 }[sums];
  return size % parts === 0 ? parts : 1;
}

/** Parts of a value along an axis, in the order in which their sums are added: the halves as they lie, of the quarters the last one first. */
function split(s: Scope, value: string, axis: number, parts: number): string[] {
  if (parts === 1) return [value];
  const made = s.g.nodes('Split', [value], new Array<true>(parts).fill(true), { axis, num_outputs: parts });
  return parts === 2 ? made : [...made].reverse();
}

/** One after the other. */
function added(s: Scope, [first = '', ...others]: readonly string[]): string {
  return others.reduce((sum, value) => s.g.node('Add', [sum, value]), first);
}

/** Graph of `y = x Wᵀ (+ bias)`, capped where `softcap` is not 0: x [T, A], weight [B, A], bias [B]. `columns` is A. */
export function linearGraph(recipe: Recipe, form: WeightForm, bias: boolean, columns: number, softcap = 0): Uint8Array {
  const s = scope('linear', recipe);
  const x = activation(s, 'x');
  const weight = weightInput(s, form);
  const c = bias ? [s.parameter('bias')] : [];
  const parts = partsOf(recipe, columns);
  const weights = split(s, weight, 1, parts);
  const products = split(s, x, 1, parts).map((part, i) =>
    s.g.node('Gemm', [part, weights[i] as string, ...(i === parts - 1 ? c : [])], { transB: 1 }),
  );
  let y = added(s, products);
  if (softcap > 0) y = capped(s, s.round(y), softcap, s.roundInside);
  s.g.output(`${OUTPUT_PREFIX}y`, s.roundOutput(y), s.type);
  return s.g.build();
}

/** cap · tanh(x / cap), which eager rounds after each step (modeling_gemma2.py: eager_attention_forward, Gemma2ForCausalLM.forward). */
function capped(s: Scope, x: string, cap: number, round: (value: string) => string): string {
  const ratio = round(s.g.node('Div', [x, s.scalar(cap)]));
  return s.g.node('Mul', [round(tanh(s, ratio)), s.scalar(cap)]);
}

function weightInput(s: Scope, form: WeightForm): string {
  if (form === 'float32') return s.parameter('weight');
  const bits = s.g.input('weight', 'uint16');
  const typed = s.g.node('BitCast', [bits], { to: DATA_TYPE[form === 'bfloat16_bits' ? 'bfloat16' : 'float16'] });
  const wide = s.g.node('Cast', [typed], { to: DATA_TYPE.float32 });
  return s.type === 'float32' ? wide : s.g.node('Cast', [wide], { to: DATA_TYPE.float64 });
}

/** Graph that widens raw 16-bit weights to float32 once, for several lanes to share. */
export function widenGraph(form: Exclude<WeightForm, 'float32'>): Uint8Array {
  const g = graphBuilder('widen');
  const bits = g.input('weight', 'uint16');
  const typed = g.node('BitCast', [bits], { to: DATA_TYPE[form === 'bfloat16_bits' ? 'bfloat16' : 'float16'] });
  g.output(`${OUTPUT_PREFIX}weight`, g.node('Cast', [typed], { to: DATA_TYPE.float32 }), 'float32');
  return g.build();
}

/** Graph of any op that is not a matrix product with weights. `heads` is needed by `attention` only. */
export function opGraph(op: Op, recipe: Recipe, heads: HeadCounts | null): Uint8Array {
  const s = scope(op.op, recipe);
  const outputs = opOutputs(s, op, heads);
  for (const [name, value] of Object.entries(outputs)) s.g.output(`${OUTPUT_PREFIX}${name}`, value, s.type);
  return s.g.build();
}

function opOutputs(s: Scope, op: Op, heads: HeadCounts | null): Record<string, string> {
  switch (op.op) {
    case 'rms_norm':
      return { y: rmsNorm(s, op, activation(s, 'x'), s.parameter('weight')) };
    case 'qk_norm':
      return {
        q: rmsNorm(s, op, activation(s, 'q'), s.parameter('q_weight')),
        k: rmsNorm(s, op, activation(s, 'k'), s.parameter('k_weight')),
      };
    case 'rope':
      return rope(s, op);
    case 'attention':
      if (heads === null) throw new Error('attention graph without head counts');
      return { o: attention(s, op, heads) };
    case 'silu_mul':
      return { y: gated(s, silu) };
    case 'gelu_tanh_mul':
      return { y: gated(s, geluTanh) };
    case 'add':
      return { y: s.roundOutput(s.g.node('Add', [activation(s, 'x'), activation(s, 'residual')])) };
    default:
      throw new Error(`no graph for op ${op.op}`);
  }
}

/** `x · rsqrt(mean(x²) + eps) · (offset + weight)` over the last axis: LlamaRMSNorm rounds before the weight, Gemma3RMSNorm after it. */
function rmsNorm(s: Scope, op: Op, x: string, weight: string): string {
  const { g } = s;
  const axes = g.constant('int64', [-1]);
  const squares = g.node('Mul', [x, x]);
  const parts = partsOf(s.recipe, Object.values(op.weights)[0]?.shape[0] ?? 1);
  const means = split(s, squares, -1, parts).map((part) => g.node('ReduceMean', [part, axes]));
  const mean = parts === 1 ? added(s, means) : g.node('Mul', [added(s, means), s.scalar(1 / parts)]);
  const scale = g.node('Reciprocal', [g.node('Sqrt', [g.node('Add', [mean, s.scalar(Number(op.attributes['eps']))])])]);
  const normed = g.node('Mul', [x, scale]);
  const offset = Number(op.attributes['weight_offset'] ?? 0);
  const effective = offset === 0 ? weight : g.node('Add', [weight, s.scalar(offset)]);
  return s.roundOutput(g.node('Mul', [roundsBeforeWeight(op, s.recipe) ? s.round(normed) : normed, effective]));
}

/** Whether a norm rounds before it multiplies by the weight. */
export function roundsBeforeWeight(op: Op, recipe: Recipe): boolean {
  const eagerAfter = op.eager?.weight !== 'before_rounding';
  return recipe.inside === 'float32' ? false : recipe.norm_weight === 'eager' ? eagerAfter : !eagerAfter;
}

/** Rotary embedding of q and k, [T, heads, D], by cos and sin [T, R/2]; the half layout pairs i with i + R/2, the interleaved one 2i with 2i + 1. */
function rope(s: Scope, op: Op): Record<string, string> {
  const { g } = s;
  const axis = g.constant('int64', [1]);
  const serving = op.eager?.rotary !== 'float32' && s.recipe.inside === 'eager';
  const table = (name: string) => g.node('Unsqueeze', [serving ? s.round(s.parameter(name)) : s.parameter(name), axis]);
  const cos = table('cos');
  const sin = table('sin');
  const roundProduct = (value: string) => (serving ? s.round(value) : value);
  const rotaryDim = Number(op.attributes['rotary_dim']);
  const rotate = (name: 'q' | 'k') => {
    const x = activation(s, name);
    const rotary = slice(g, x, 0, rotaryDim);
    const interleaved = op.attributes['layout'] === 'interleaved';
    const [x1, x2] = interleaved
      ? everyOther(g, rotary, rotaryDim)
      : [slice(g, rotary, 0, rotaryDim / 2), slice(g, rotary, rotaryDim / 2, rotaryDim)];
    const product = (a: string, b: string) => roundProduct(g.node('Mul', [a, b]));
    const y1 = s.roundOutput(g.node('Sub', [product(x1, cos), product(x2, sin)]));
    const y2 = s.roundOutput(g.node('Add', [product(x2, cos), product(x1, sin)]));
    const rotated = interleaved ? interleave(g, y1, y2, rotaryDim) : g.node('Concat', [y1, y2], { axis: -1 });
    // Elements beyond rotary_dim pass through; an empty slice is fine for Concat.
    return g.node('Concat', [rotated, slice(g, x, rotaryDim, Number.MAX_SAFE_INTEGER)], { axis: -1 });
  };
  return { q: rotate('q'), k: rotate('k') };
}

function slice(g: GraphBuilder, value: string, start: number, end: number, step = 1): string {
  return g.node('Slice', [value, ...[[start], [end], [-1], [step]].map((v) => g.constant('int64', v))]);
}

function everyOther(g: GraphBuilder, value: string, size: number): [string, string] {
  return [slice(g, value, 0, size, 2), slice(g, value, 1, size, 2)];
}

function interleave(g: GraphBuilder, even: string, odd: string, size: number): string {
  const last = g.constant('int64', [-1]);
  const pairs = g.node('Concat', [g.node('Unsqueeze', [even, last]), g.node('Unsqueeze', [odd, last])], { axis: -1 });
  return g.node('Reshape', [pairs, g.constant('int64', [0, 0, size])]);
}

/**
 * Scaled dot-product attention, q [T, Nq, D], k and v [S, Nkv, D], additive mask [T, S]: eager rounds the scores, the scaled scores, the
 * probabilities and the result; the softmax itself is float32 (transformers' eager_attention_forward).
 */
function attention(s: Scope, op: Op, heads: HeadCounts): string {
  const { g } = s;
  const { num_heads: Nq, num_kv_heads: Nkv, head_dim: D } = heads;
  const q = activation(s, 'q');
  // What comes in float32 is rounded here, in whatever op of the family it was made: a cache holds keys and values in the serving dtype.
  const cached = (name: string) => (roundsOutputs(s.recipe) ? activation(s, name) : s.round(activation(s, name)));
  const k = cached('k');
  const v = cached('v');
  const mask = activation(s, 'mask');
  const precise = s.recipe.probabilities === 'float32' || s.recipe.inside === 'float32';
  const roundScore = (value: string) => (precise ? value : s.round(value));
  // [Nkv, G, T, D] × [Nkv, 1, D, S]: G query heads share a key/value head.
  const queries = g.node('Transpose', [g.node('Reshape', [q, g.constant('int64', [0, Nkv, Nq / Nkv, D])])], { perm: [1, 2, 0, 3] });
  const keys = g.node('Unsqueeze', [g.node('Transpose', [k], { perm: [1, 2, 0] }), g.constant('int64', [1])]);
  const values = g.node('Unsqueeze', [g.node('Transpose', [v], { perm: [1, 0, 2] }), g.constant('int64', [1])]);
  let scores = roundScore(matmul(s, queries, keys, 3, 2, D));
  scores = roundScore(g.node('Mul', [scores, s.scalar(Number(op.attributes['scale']))]));
  const softcap = Number(op.attributes['softcap'] ?? 0);
  if (softcap > 0) scores = roundScore(capped(s, scores, softcap, roundScore));
  let probabilities = g.node('Softmax', [g.node('Add', [scores, mask])], { axis: -1 });
  if (!precise) probabilities = s.round(probabilities);
  const out = s.roundOutput(g.node('MatMul', [probabilities, values]));
  return g.node('Reshape', [g.node('Transpose', [out], { perm: [2, 0, 1, 3] }), g.constant('int64', [0, Nq, D])]);
}

function matmul(s: Scope, a: string, b: string, axisA: number, axisB: number, size: number): string {
  const parts = partsOf(s.recipe, size);
  const factors = split(s, b, axisB, parts);
  return added(
    s,
    split(s, a, axisA, parts).map((part, i) => s.g.node('MatMul', [part, factors[i] as string])),
  );
}

function gated(s: Scope, act: (s: Scope, x: string) => string): string {
  const gate = activation(s, 'gate');
  const up = activation(s, 'up');
  return s.roundOutput(s.g.node('Mul', [s.roundInside(act(s, gate)), up]));
}

/** x / (1 + exp(−x)): onnxruntime's Sigmoid is not faithful for negative x, this form is (wrong for 0.002 % in bfloat16 against 11 %). */
function silu(s: Scope, x: string): string {
  const { g } = s;
  return g.node('Div', [x, g.node('Add', [g.node('Exp', [g.node('Neg', [x])]), s.scalar(1)])]);
}

/** PyTorch's GELU with `approximate='tanh'`. */
function geluTanh(s: Scope, x: string): string {
  const { g } = s;
  const cubic = g.node('Mul', [g.node('Mul', [g.node('Mul', [x, x]), x]), s.scalar(0.044715)]);
  const inner = g.node('Mul', [g.node('Add', [x, cubic]), s.scalar(Math.sqrt(2 / Math.PI))]);
  return g.node('Mul', [g.node('Mul', [x, s.scalar(0.5)]), g.node('Add', [tanh(s, inner), s.scalar(1)])]);
}

// 1 − 2 / (exp(2x) + 1) is good to 1e-16 in float64, where onnxruntime's Tanh is not known to be; in float32 it would lose small x.
function tanh(s: Scope, x: string): string {
  const { g } = s;
  if (s.type === 'float32') return g.node('Tanh', [x]);
  const denominator = g.node('Add', [g.node('Exp', [g.node('Mul', [x, s.scalar(2)])]), s.scalar(1)]);
  return g.node('Sub', [s.scalar(1), g.node('Div', [s.scalar(2), denominator])]);
}
