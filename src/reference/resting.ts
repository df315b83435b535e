// Lanes that rest: what a pure lane computed in an earlier run, on the same values, takes the place of computing it again, layer by layer.

import type { Op, Program } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';
import { digest, type Keeper, type Key } from './keeper.js';
import type { NdArray } from './ndarray.js';
import type { Block } from './served-weights.js';
import type { Sequence } from './sequence.js';
import type { Lane } from './walk.js';

/** What of a lane is worth keeping. */
export interface KeptLane {
  /** `looked_at`: also the values inside layers that the walk's caller looks at; `ends`: only what goes from one layer to the next. */
  readonly values: 'looked_at' | 'ends';
  /** An op after which the walk's caller changes what is in the lane. */
  readonly changedAfter?: number;
}

interface Context {
  readonly program: Program;
  readonly dtype: ServingDtype;
  readonly sequence: Sequence;
  readonly lanes: readonly Lane[];
  readonly keep: ReadonlyMap<string, number>;
}

/** A run of ops within a layer, whose results are kept together. */
interface Segment {
  readonly start: number;
  readonly end: number;
  /** Values that it takes from before. */
  readonly reads: readonly string[];
  /** Values that are needed after it. */
  readonly leaves: readonly string[];
}

export interface Resting {
  /** Whether the lane has the results of op `index` already. */
  rests(lane: Lane, index: number): boolean;
  /** Puts what is kept of segments that start here into their lanes. */
  before(index: number): Promise<void>;
  /** Takes what the lanes made, and keeps it where a segment ends. */
  after(index: number): Promise<void>;
}

export function resting(keeper: Keeper, context: Context): Resting {
  const lanes = context.lanes.flatMap((lane) =>
    lane.kept === undefined ? [] : [{ lane, segments: segmentsOf(context, lane, lane.kept) }],
  );
  const until = new Map<Lane, number>();
  // Where values leave the range of the dtype the caller looks for the op that did it, which takes all values of all lanes.
  let overflowed = false;
  const open = new Map<Lane, { key: Key; tensors: Record<string, NdArray> }>();
  const at = (index: number, border: 'start' | 'end') =>
    lanes.flatMap(({ lane, segments }) => segments.filter((segment) => segment[border] === index).map((segment) => ({ lane, segment })));
  return {
    rests: (lane, index) => index <= (until.get(lane) ?? -1),
    async before(index) {
      for (const { lane, segment } of at(index, 'start')) {
        const key = keyOf(context, lane, segment);
        const known = await keeper.find(key);
        if (known === null) {
          open.set(lane, { key, tensors: {} });
          continue;
        }
        for (const [name, array] of Object.entries(known.tensors)) lane.values.set(name, array);
        until.set(lane, segment.end);
      }
    },
    async after(index) {
      const made = Object.values((context.program.ops[index] as Op).outputs);
      overflowed ||= lanes.some(
        ({ lane }) => lane.kept?.values === 'looked_at' && made.some((name) => !allFinite(lane.values.get(name)?.data ?? [])),
      );
      for (const { lane, segments } of lanes) {
        const current = open.get(lane);
        const segment = segments.find(({ start, end }) => start <= index && index <= end);
        if (current === undefined || segment === undefined) continue;
        for (const name of made) if (segment.leaves.includes(name)) current.tensors[name] = lane.values.get(name) as NdArray;
        if (index !== segment.end) continue;
        open.delete(lane);
        if (!overflowed) await keeper.put(current.key, { tensors: current.tensors, note: null });
      }
    },
  };
}

/** Parts of layers in which a lane computes products; the embedding and the logits are none. */
function segmentsOf({ program, keep }: Context, lane: Lane, { values, changedAfter }: KeptLane): Segment[] {
  const { ops } = program;
  const lastUse = new Map<string, number>();
  for (const [index, { inputs }] of ops.entries()) for (const name of Object.values(inputs)) lastUse.set(name, index);
  const segments: Segment[] = [];
  for (let start = 0; start < ops.length;) {
    let end = start;
    while (end + 1 < ops.length && ops[end + 1]?.layer === ops[start]?.layer && end !== changedAfter) end++;
    const run = ops.slice(start, end + 1);
    const made = new Set(run.flatMap(({ outputs }) => Object.values(outputs)));
    const products = run.some(({ op }) => op === 'linear' || op === 'qkv' || op === 'attention');
    const stands = [...lane.standIns.keys()].some((index) => index >= start && index <= end);
    if (products && !stands && !made.has(program.logits)) {
      segments.push({
        start,
        end,
        reads: [...new Set(run.flatMap(({ inputs }) => Object.values(inputs)))].filter((name) => !made.has(name)),
        leaves: [...made].filter((name) => (lastUse.get(name) ?? -1) > end || (values === 'looked_at' && keep.has(name))),
      });
    }
    start = end + 1;
  }
  return segments;
}

function keyOf({ program, dtype, sequence }: Context, lane: Lane, { start, end, reads, leaves }: Segment): Key {
  return {
    what: 'segment',
    depends: { dtype, recipe: lane.recipe, ops: program.ops.slice(start, end + 1), prompts: sequence.segments, leaves },
    tensors: Object.fromEntries(reads.map((name) => [name, lane.values.get(name) as NdArray])),
  };
}

/** Logits of lanes, in the blocks of the vocabulary in which they are made. */
export interface KeptLogits {
  /** @returns null: not kept */
  find(block: Block): Promise<ReadonlyMap<Lane, NdArray> | null>;
  put(block: Block, logits: ReadonlyMap<Lane, NdArray>): Promise<void>;
}

/** @returns null where nothing of these lanes is kept */
export function keptLogits(
  { keeper, dtype }: { keeper?: Keeper | null; dtype: ServingDtype },
  lanes: readonly Lane[],
  op: Op,
): KeptLogits | null {
  const own = lanes.filter(({ kept }) => kept !== undefined);
  if (keeper === null || keeper === undefined || own.length === 0) return null;
  // Named by their place: two lanes of one recipe may be different ones.
  const named = own.map((lane, i): [string, Lane] => [`${i} ${lane.recipe.name}`, lane]);
  const finals = named.map(([name, lane]): [string, NdArray] => [name, lane.values.get(op.inputs['x'] as string) as NdArray]);
  const hidden = digest({ what: 'hidden', depends: null, tensors: Object.fromEntries(finals) });
  const keyOfBlock = ({ start, end }: Block): Key => ({
    what: 'logits',
    depends: { dtype, recipes: own.map(({ recipe }) => recipe), op, start, end, hidden },
    tensors: {},
  });
  return {
    async find(block) {
      const known = await keeper.find(keyOfBlock(block));
      return known === null ? null : new Map(named.map(([name, lane]) => [lane, known.tensors[name] as NdArray]));
    },
    put: (block, logits) =>
      keeper.put(keyOfBlock(block), {
        tensors: Object.fromEntries(named.map(([name, lane]) => [name, logits.get(lane) as NdArray])),
        note: null,
      }),
  };
}

function allFinite(data: ArrayLike<number>): boolean {
  // 0 · NaN and 0 · ∞ are NaN.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += 0 * (data[i] as number);
  return sum === 0;
}
