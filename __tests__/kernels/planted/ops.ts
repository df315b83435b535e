// The ops of the contracts as graphs, each with the places where it can be drawn otherwise: rightly (tilings, orders of sums) or wrongly.

import type { Pen } from './pen.js';

export interface NormChoice {
  /** Sum of squares in two halves, the second one first. */
  readonly split?: boolean;
  /** A mistake: multiplies by the weight again. */
  readonly twice?: boolean;
  /** A mistake: eps times this. */
  readonly epsFactor?: number;
}

export function norm(p: Pen, x: string, weightName: string, { split = false, twice = false, epsFactor = 1 }: NormChoice = {}): string {
  const weight = p.op('Add', p.tensor(weightName), p.attribute('weight_offset'));
  const eps = p.op('Mul', p.attribute('eps'), p.scalar(epsFactor));
  const normed = p.op('Div', x, p.op('Sqrt', p.op('Add', meanSquare(p, x, split), eps)));
  const y = p.op('Mul', normed, weight);
  return twice ? p.op('Mul', y, weight) : y;
}

function meanSquare(p: Pen, x: string, split: boolean): string {
  const squares = p.op('Mul', x, x);
  const axes = p.ints(-1);
  if (!split) return p.op('ReduceMean', squares, axes);
  const [a = '', b = ''] = p.g.nodes('Split', [squares], [true, true], { axis: -1, num_outputs: 2 });
  const sum = p.op('Add', p.op('ReduceSum', b, axes), p.op('ReduceSum', a, axes));
  return p.op('Div', sum, p.op('CastLike', p.dim(x, -1), sum));
}

/** Rotates [T, heads, D] by cos and sin [T, D/2], assembled from halves or pairs. */
export function rotate(p: Pen, x: string, layout: 'half' | 'interleaved'): string {
  const [cos, sin] = ['cos', 'sin'].map((name) => p.op('Unsqueeze', p.tensor(name), p.ints(1))) as [string, string];
  const D = p.dim(x, 2);
  const half = p.op('Div', D, p.ints(2));
  const [a, b] =
    layout === 'half'
      ? [p.slice(x, 2, p.ints(0), half), p.slice(x, 2, half, D)]
      : [p.slice(x, 2, p.ints(0), D, 2), p.slice(x, 2, p.ints(1), D, 2)];
  const real = p.op('Sub', p.op('Mul', a, cos), p.op('Mul', b, sin));
  const imaginary = p.op('Add', p.op('Mul', a, sin), p.op('Mul', b, cos));
  if (layout === 'half') return p.join(2, real, imaginary);
  const pairs = p.join(3, p.op('Unsqueeze', real, p.ints(3)), p.op('Unsqueeze', imaginary, p.ints(3)));
  return p.op('Reshape', pairs, p.join(0, p.ints(0, 0), D));
}

/** The same for the half layout in another form: x · [cos, cos] + [−x₂, x₁] · [sin, sin]. */
export function rotateByConcatenation(p: Pen, x: string): string {
  const [cos, sin] = ['cos', 'sin'].map((name) => p.op('Unsqueeze', p.join(1, p.tensor(name), p.tensor(name)), p.ints(1))) as [
    string,
    string,
  ];
  const D = p.dim(x, 2);
  const half = p.op('Div', D, p.ints(2));
  const turned = p.join(2, p.op('Neg', p.slice(x, 2, half, D)), p.slice(x, 2, p.ints(0), half));
  return p.op('Add', p.op('Mul', turned, sin), p.op('Mul', x, cos));
}

export interface AttentionChoice {
  /** Softmax over two blocks of keys, joined as flash decoding does. */
  readonly splitKeys?: boolean;
  /** Mistakes. */
  readonly noCausalMask?: boolean;
  readonly noScale?: boolean;
  readonly wrongKvHead?: boolean;
  readonly windowShift?: number;
}

/** q [T, Nq, D], k and v [S, Nkv, D] → [T, Nq, D]. */
export function attention(p: Pen, choice: AttentionChoice = {}): string {
  const [q, k, v] = ['q', 'k', 'v'].map((name) => p.tensor(name)) as [string, string, string];
  const kvHeads = p.dim(k, 1);
  // Query head h reads key/value head h / group; the mistake takes h modulo the number of key/value heads.
  const wrong = choice.wrongKvHead === true;
  const group = p.op('Div', p.dim(q, 1), kvHeads);
  const order = wrong ? [group, kvHeads] : [kvHeads, group];
  const perm = wrong ? [2, 1, 0, 3] : [1, 2, 0, 3];
  const queries = p.turn(p.op('Reshape', q, p.join(0, p.ints(0), ...order, p.dim(q, 2))), ...perm);
  const keys = p.op('Unsqueeze', p.turn(k, 1, 2, 0), p.ints(1));
  const values = p.op('Unsqueeze', p.turn(v, 1, 0, 2), p.ints(1));
  const product = p.op('MatMul', queries, keys);
  const scores = choice.noScale === true ? product : p.op('Mul', product, p.attribute('scale'));
  // Finite, so that a block of keys that a query does not see at all gives no −inf − −inf.
  const masked = p.op('Where', hidden(p, q, k, choice), p.scalar(-1e30), scores);
  const out = choice.splitKeys === true ? splitSoftmax(p, masked, values, p.dim(k, 0)) : softmax(p, masked, values);
  return p.op('Reshape', p.turn(out, ...(wrong ? [2, 1, 0, 3] : [2, 0, 1, 3])), p.op('Shape', q));
}

/** Which keys a query must not see, [T, S]. */
function hidden(p: Pen, q: string, k: string, { noCausalMask = false, windowShift = 0 }: AttentionChoice): string {
  const scalarOf = (size: string) => p.op('Squeeze', size);
  const [T, S] = [scalarOf(p.dim(q, 0)), scalarOf(p.dim(k, 0))];
  const zero = scalarOf(p.ints(0));
  const one = scalarOf(p.ints(1));
  const rows = p.op('Unsqueeze', p.op('Range', p.op('Sub', S, T), S, one), p.ints(1));
  const columns = p.op('Unsqueeze', p.op('Range', zero, S, one), p.ints(0));
  const window = p.size('window');
  const reach = p.op('Sub', rows, p.op('Add', window, p.ints(windowShift)));
  const beyond = p.op('And', p.op('Greater', window, p.ints(0)), p.op('LessOrEqual', columns, reach));
  return noCausalMask ? beyond : p.op('Or', p.op('Greater', columns, rows), beyond);
}

function softmax(p: Pen, scores: string, values: string): string {
  return p.op('MatMul', p.g.node('Softmax', [scores], { axis: -1 }), values);
}

function splitSoftmax(p: Pen, allScores: string, allValues: string, keys: string): string {
  // A key that nobody sees, so that neither block is empty where there is one key only.
  const scores = p.op('Pad', allScores, p.ints(0, 0, 0, 0, 0, 0, 0, 1), p.scalar(-1e30));
  const values = p.op('Pad', allValues, p.ints(0, 0, 0, 0, 0, 0, 1, 0));
  const S = p.op('Add', keys, p.ints(1));
  const middle = p.op('Div', S, p.ints(2));
  const last = p.ints(-1);
  const blocks = (
    [
      [p.ints(0), middle],
      [middle, S],
    ] as const
  ).map(([start, end]) => {
    const part = p.slice(scores, 3, start, end);
    const top = p.op('ReduceMax', part, last);
    const weights = p.op('Exp', p.op('Sub', part, top));
    return { top, sum: p.op('ReduceSum', weights, last), out: p.op('MatMul', weights, p.slice(values, 2, start, end)) };
  }) as [Block, Block];
  const top = p.op('Max', blocks[0].top, blocks[1].top);
  const rescaled = blocks.map((block) => {
    const factor = p.op('Exp', p.op('Sub', block.top, top));
    return { sum: p.op('Mul', block.sum, factor), out: p.op('Mul', block.out, factor) };
  }) as [{ sum: string; out: string }, { sum: string; out: string }];
  return p.op('Div', p.op('Add', rescaled[0].out, rescaled[1].out), p.op('Add', rescaled[0].sum, rescaled[1].sum));
}

interface Block {
  readonly top: string;
  readonly sum: string;
  readonly out: string;
}

/** x · 1 / (1 + exp(−x)), or by ONNX Runtime's Sigmoid. */
export function silu(p: Pen, x: string, sigmoid = false): string {
  if (sigmoid) return p.op('Mul', x, p.op('Sigmoid', x));
  return p.op('Div', x, p.op('Add', p.op('Exp', p.op('Neg', x)), p.scalar(1)));
}

export function linear(p: Pen, x: string, weightName: string): string {
  return p.g.node('Gemm', [x, p.tensor(weightName)], { transB: 1 });
}

/** The same as two products over halves of the inner dimension, as split-K kernels do. */
export function linearSplitK(p: Pen, x: string, weightName: string): string {
  const weight = p.tensor(weightName);
  const size = p.dim(x, 1);
  const middle = p.op('Div', size, p.ints(2));
  const part = (from: string, to: string) => p.g.node('Gemm', [p.slice(x, 1, from, to), p.slice(weight, 1, from, to)], { transB: 1 });
  return p.op('Add', part(middle, size), part(p.ints(0), middle));
}

/** y, times a factor only where the first weights are those of one layer. */
export function scaledInOneLayer(p: Pen, y: string, weightName: string, firstWeights: readonly number[], factor: number): string {
  const first = p.slice(p.tensor(weightName), 0, p.ints(0), p.ints(firstWeights.length));
  const difference = p.op('ReduceMax', p.op('Abs', p.op('Sub', first, p.g.constant(p.type, firstWeights))));
  return p.op('Where', p.op('Equal', difference, p.scalar(0)), p.op('Mul', y, p.scalar(factor)), y);
}

/** y with the rows for which `row` (int64 positions along the first axis → bool) is true replaced. */
export function replaceRows(p: Pen, y: string, rank: 2 | 3, row: (positions: string, rows: string) => string, value: number): string {
  const scalarOf = (size: string) => p.op('Squeeze', size);
  const T = p.dim(y, 0);
  const positions = p.op('Range', scalarOf(p.ints(0)), scalarOf(T), scalarOf(p.ints(1)));
  const chosen = p.op('Reshape', row(positions, T), p.ints(-1, ...Array.from({ length: rank - 1 }, () => 1)));
  return p.op('Where', chosen, p.scalar(value), y);
}
