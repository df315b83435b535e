// What implementations get wrong about RoPE: the layout, where positions begin, the base, how many dimensions are rotated.

import type { Op, Program, RopeTable } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { rotaryAt } from '../reference/sequence.js';
import { attributes, headDim, hypothesis, isRope, withAttributes, type Hypothesis, type Subject } from './hypothesis.js';
import type { OpCall } from './site.js';

/** Bases of published models. */
const BASES = [10_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 5_000_000, 10_000_000];

export function rotary(subject: Subject, ops: readonly Op[]): Hypothesis[] {
  const { program } = subject;
  const wrong = (layout: 'half' | 'interleaved', says: string) =>
    attributes(
      'rope_layout',
      says,
      (op) => isRope(op) && op.attributes['layout'] !== layout,
      () => ({ layout }),
    );
  const offset = (by: number, only?: 'q' | 'k') => {
    const what = only === undefined ? 'counts positions' : `counts the positions of ${only === 'q' ? 'queries' : 'keys'}`;
    return hypothesis('position_offset', `${what} from ${by} where the first token has position 0`, isRope, async (op, inputs, call) => {
      const moved = await call.run(op, { ...inputs, ...tables(program, op, call, null, by) });
      if (only === undefined) return moved;
      return { ...(await call.run(op, inputs)), [only]: moved[only] as NdArray };
    });
  };
  return [
    wrong('half', 'rotates half-split pairs (element i with i + rotary_dim/2) where this model needs interleaved ones (2i with 2i + 1)'),
    wrong(
      'interleaved',
      'rotates interleaved pairs (element 2i with 2i + 1) where this model needs half-split ones (i with i + rotary_dim/2)',
    ),
    ...[1, -1].flatMap((by) => [offset(by), offset(by, 'q'), offset(by, 'k')]),
    ...bases(subject, ops),
    ...rotaryDims(subject, ops),
  ];
}

/** cos and sin of another table (null: the op's own) at other positions. */
export function tables(
  program: Program,
  op: Op,
  { sequence }: OpCall,
  table: RopeTable | null,
  offset = 0,
): { cos: NdArray; sin: NdArray } {
  const positions = sequence.segments.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => i + offset));
  const name = tableName(op);
  const changed = table === null ? program : { ...program, rope_tables: { ...program.rope_tables, [name]: table } };
  return { cos: rotaryAt(changed, `cos:${name}`, positions), sin: rotaryAt(changed, `sin:${name}`, positions) };
}

function tableName(op: Op): string {
  return (op.inputs['cos'] as string).slice('cos:'.length);
}

/** base^(−2i / dim), every step in float32 as transformers computes it. */
export function frequencies(base: number, dim: number): RopeTable {
  const inv_freq = Array.from({ length: dim / 2 }, (_, i) => Math.fround(1 / Math.fround(base ** Math.fround((2 * i) / dim))));
  return { inv_freq, attention_factor: 1 };
}

function sameTable(a: RopeTable, b: RopeTable): boolean {
  const same = (x: number, y: number) => Math.abs(x - y) <= 1e-6 * Math.abs(y);
  if (a.inv_freq.length !== b.inv_freq.length || !same(a.attention_factor, b.attention_factor)) return false;
  return a.inv_freq.every((value, i) => same(value, b.inv_freq[i] as number));
}

/** rope_theta of config.json, in either of its places. */
export function configuredBase(config: Subject['config']): number | null {
  const nested = config['rope_parameters'];
  const block = typeof nested === 'object' && nested !== null ? (nested as Record<string, unknown>) : {};
  const value = config['rope_theta'] ?? block['rope_theta'];
  return typeof value === 'number' && value > 1 ? value : null;
}

function bases({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const names = new Set(ops.filter(isRope).map(tableName));
  const own = configuredBase(config);
  const needed = own === null ? 'what config.json says' : `${own}`;
  const plain = [...new Set([...(own === null ? [] : [own]), ...BASES])];
  const hypothesesOf = [...names].flatMap((name) => {
    const right = program.rope_tables[name] as RopeTable;
    const using = (says: string, table: RopeTable) =>
      sameTable(table, right) || table.inv_freq.length !== right.inv_freq.length
        ? []
        : [
            hypothesis(
              'rope_base',
              says,
              (op) => isRope(op) && tableName(op) === name,
              (op, inputs, call) => call.run(op, { ...inputs, ...tables(program, op, call, table) }),
            ),
          ];
    const others = Object.entries(program.rope_tables).filter(([other]) => other !== name);
    return [
      ...others.flatMap(([other, table]) =>
        using(`uses the RoPE frequencies of ${other} layers where this layer needs those of ${name}`, table),
      ),
      ...plain.flatMap((base) =>
        using(
          base === own
            ? `computes RoPE with base ${base} alone where config.json scales it`
            : `computes RoPE with base ${base} where this model needs ${needed}`,
          frequencies(base, right.inv_freq.length * 2),
        ),
      ),
    ];
  });
  return hypothesesOf;
}

/** Half of the dimensions rotated where all are, or all where some are. */
function rotaryDims({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const base = configuredBase(config) ?? 10_000;
  const dims = new Set(ops.filter(isRope).map(({ attributes: { rotary_dim } }) => Number(rotary_dim)));
  const D = headDim(program);
  return [...dims].flatMap((right) => {
    const wrong = right < D ? D : right / 2;
    if (wrong % 2 !== 0 || wrong === right) return [];
    const concerns = (op: Op) => isRope(op) && Number(op.attributes['rotary_dim']) === right;
    return [
      hypothesis('rotary_dim', `rotates ${wrong} dimensions of a head where this model needs ${right}`, concerns, (op, inputs, call) =>
        call.run(withAttributes(op, { rotary_dim: wrong }), { ...inputs, ...tables(program, op, call, frequencies(base, wrong)) }),
      ),
    ];
  });
}
