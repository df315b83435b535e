// What implementations get wrong about heads: which KV head a query head reads, and where one head ends and the next begins.

import type { Op, Program } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { assumedHeadDim, headDim, hypothesis, isAttention, isRope, withAttributes, type Hypothesis, type Subject } from './hypothesis.js';
import { configuredBase, frequencies, tables } from './rotary-hypotheses.js';
import type { Change, OpCall, Tensors } from './site.js';

export function heads({ program, config }: Subject): Hypothesis[] {
  const grouped = (op: Op) => isAttention(op) && isGrouped(program);
  const all = [
    hypothesis(
      'head_mapping',
      'lets query head h read KV head h modulo num_kv_heads where it is h divided by the group size',
      grouped,
      modulo,
    ),
    hypothesis('head_mapping', 'lets all query heads read KV head 0', grouped, (op, inputs, { run }) =>
      run(op, { ...inputs, k: toHeads(inputs['k'] as NdArray, () => 0), v: toHeads(inputs['v'] as NdArray, () => 0) }),
    ),
  ];
  const assumed = assumedHeadDim(program, config);
  const D = headDim(program);
  const splits = assumed !== null && assumed % 2 === 0 && D % assumed === 0 && !program.ops.some(({ op }) => op === 'qk_norm');
  if (!splits) return all;
  const says = `splits Q, K and V into heads of ${assumed} where this model has head_dim ${D}`;
  const concerns = (op: Op) => isRope(op) || isAttention(op);
  return [...all, hypothesis('head_dim', says, concerns, (op, inputs, call) => otherHeads(program, config, assumed, op, inputs, call))];
}

/** More than one KV head, each read by more than one query head. */
function isGrouped(program: Program): boolean {
  const { num_heads, num_kv_heads } = program.ops.find(({ attributes: { num_heads } }) => num_heads !== undefined)?.attributes ?? {};
  return Number(num_kv_heads) > 1 && Number(num_heads) > Number(num_kv_heads);
}

/** Queries are put into the order in which the right mapping reads the wrong heads, and the result back. */
const modulo: Change = async (op, inputs, { run }) => {
  const q = inputs['q'] as NdArray;
  const queries = q.shape[1] as number;
  const kv = inputs['k']?.shape[1] as number;
  const group = queries / kv;
  // Place n of the new order belongs to KV head n / group; the heads that read it by modulo are those with h % kv equal to it.
  const from = (n: number) => Math.floor(n / group) + (n % group) * kv;
  const place = (h: number) => (h % kv) * group + Math.floor(h / kv);
  const { o } = await run(op, { ...inputs, q: toHeads(q, from) });
  return { o: toHeads(o as NdArray, place) };
};

/** [T, N, D] with head n taken from head `from(n)`. */
function toHeads({ data, shape }: NdArray, from: (head: number) => number): NdArray {
  const [tokens = 0, count = 0, size = 0] = shape;
  const out = data.slice();
  for (let t = 0; t < tokens; t++) {
    for (let n = 0; n < count; n++) {
      const start = (t * count + from(n)) * size;
      out.set(data.subarray(start, start + size), (t * count + n) * size);
    }
  }
  return { data: out, shape };
}

async function otherHeads(
  program: Program,
  config: Subject['config'],
  size: number,
  op: Op,
  inputs: Tensors,
  call: OpCall,
): Promise<Tensors> {
  const names = ['q', 'k', 'v', 'o'];
  const split = (array: NdArray): NdArray => ({
    data: array.data,
    shape: [array.shape[0] as number, -1, size].map((n) => (n < 0 ? array.data.length / (array.shape[0] as number) / size : n)),
  });
  const given = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, names.includes(name) ? split(array) : array]));
  const outputs = isRope(op)
    ? await call.run(withAttributes(op, { rotary_dim: size }), {
        ...given,
        ...tables(program, op, call, frequencies(configuredBase(config) ?? 10_000, size)),
      })
    : await call.run(withAttributes(op, { scale: size ** -0.5 }), given);
  const shapes = inputs as Record<string, NdArray>;
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, { data, shape: (name === 'o' ? shapes['q'] : shapes[name])?.shape ?? [] }]),
  );
}
