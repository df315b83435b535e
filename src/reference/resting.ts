// Lanes that rest: what a pure lane computed in an earlier run, on the same values, takes the place of computing it again, layer by layer.

import type { Op, Program } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';
import { digest, type Keeper, type Key } from './keeper.js';
import { firstNonFinite, type NdArray } from './ndarray.js';
import type { Block } from './served-weights.js';
import type { Sequence } from './sequence.js';
import type { Lane } from './walk.js';

/** What of a lane is worth keeping. */
export interface KeptLane {
  /** `looked_at`: also the values inside layers that the walk's caller looks at; `ends`: only what goes from one layer to the next. */
  readonly values: 'looked_at' | 'ends';
  /** Whether the walk's caller changes what is in the lane after an op. */
  changedAfter?(index: number): boolean;
  /** What stands in the lane, for one in which kernels do: only the results of the last run are kept, under this name. */
  readonly of?: string;
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
        ({ lane }) => lane.kept?.values === 'looked_at' && made.some((name) => firstNonFinite(lane.values.get(name)?.data ?? []) >= 0),
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

/**
 * Parts of layers in which a lane computes products; the embedding and the logits are none. Where something stands in a part ends, and what stands
 * there always runs.
 */
function segmentsOf({ program, keep }: Context, lane: Lane, { values, changedAfter }: KeptLane): Segment[] {
  const { ops } = program;
  const lastUse = new Map<string, number>();
  for (const [index, { inputs }] of ops.entries()) for (const name of Object.values(inputs)) lastUse.set(name, index);
  const stands = (index: number) => lane.standIns.has(index);
  const goesOn = (end: number) =>
    end + 1 < ops.length && ops[end + 1]?.layer === ops[end]?.layer && stands(end + 1) === stands(end) && changedAfter?.(end) !== true;
  const segments: Segment[] = [];
  for (let start = 0; start < ops.length;) {
    let end = start;
    while (goesOn(end)) end++;
    const run = ops.slice(start, end + 1);
    const made = new Set(run.flatMap(({ outputs }) => Object.values(outputs)));
    const products = run.some(({ op }) => op === 'linear' || op === 'qkv' || op === 'attention');
    if (products && !stands(start) && !made.has(program.logits)) {
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
  const { of } = lane.kept ?? {};
  const { segments: prompts, past } = lane.sequence ?? sequence;
  return {
    what: 'segment',
    depends: { dtype, recipe: lane.recipe, ops: program.ops.slice(start, end + 1), prompts, past, leaves, of },
    tensors: Object.fromEntries(reads.map((name) => [name, lane.values.get(name) as NdArray])),
    ...(of === undefined ? {} : { last: true }),
  };
}

/** What a caller sums up of the logits, so that it needs none where the sums are known. */
export interface Sums {
  /** @param lane with something standing in; null: what the caller has of the oracle, the recipes, and all else that no kernel changes */
  state(lane: Lane | null): Record<string, NdArray>;
  /**
   * Takes the place of a lane's logits.
   * @param whole whether the logits of the oracle will not be seen either
   */
  restore(lane: Lane | null, state: Readonly<Record<string, NdArray>>, whole: boolean): void;
}

/** The logits of the first kept lane in which no kernel stands, in the blocks of the vocabulary in which they are made, and the sums of the others. */
export interface KeptLogits {
  /** Lanes whose logits nobody needs: all lanes, where the first is among them. */
  readonly summed: ReadonlySet<Lane>;
  /** @returns null: not kept */
  find(block: Block): Promise<ReadonlyMap<Lane, NdArray> | null>;
  put(block: Block, logits: ReadonlyMap<Lane, NdArray>): Promise<void>;
  /** Nobody needs them this time: what is kept of them counts as used all the same, for the next kernel that is changed. */
  passOver(block: Block): Promise<void>;
  /** All blocks were seen. */
  end(): Promise<void>;
}

interface LogitsContext {
  readonly keeper?: Keeper | null;
  readonly dtype: ServingDtype;
  readonly sequence: Sequence;
  readonly sums?: Sums;
}

/** @returns null where nothing of these lanes is kept */
export async function keptLogits(
  { keeper, dtype, sequence, sums }: LogitsContext,
  lanes: readonly Lane[],
  op: Op,
): Promise<KeptLogits | null> {
  const resting = lanes.filter(({ kept }) => kept !== undefined);
  if (keeper === null || keeper === undefined || resting.length === 0) return null;
  // Named by their place: two lanes of one recipe may be different ones.
  const hidden = (of: readonly Lane[]) =>
    Object.fromEntries(of.map((lane, i): [string, NdArray] => [String(i), lane.values.get(op.inputs['x'] as string) as NdArray]));
  const [first, ...others] = resting.filter(({ kept }) => kept?.of === undefined);
  const final = first === undefined ? null : digest({ what: 'hidden', depends: null, tensors: hidden([first]) });
  const depends = { dtype, recipe: first?.recipe, op, final };
  const keyOfBlock = ({ start, end }: Block): Key => ({ what: 'logits', depends: { ...depends, start, end }, tensors: {} });
  const keyOfSums = (of: readonly Lane[], name: string | undefined): Key => ({
    what: 'sums',
    depends: { ...depends, recipes: of.map(({ recipe }) => recipe), prompts: sequence.segments, ids: sequence.ids, of: name },
    tensors: hidden(of),
    ...(name === undefined ? {} : { last: true }),
  });
  const groups = [
    ...(first === undefined ? [] : [{ lane: null, of: others, key: keyOfSums(others, undefined) }]),
    ...resting.flatMap((lane) => (lane.kept?.of === undefined ? [] : [{ lane, of: [lane], key: keyOfSums([lane], lane.kept.of) }])),
  ];
  const known =
    sums === undefined ? [] : await Promise.all(groups.map(async (group) => ({ ...group, kept: await keeper.find(group.key) })));
  const whole = sums !== undefined && lanes.length === resting.length && known.every(({ kept }) => kept !== null);
  for (const { lane, kept } of known) if (kept !== null) sums?.restore(lane, kept.tensors, whole);
  return {
    summed: new Set([...(whole && first !== undefined ? [first] : []), ...known.flatMap(({ of, kept }) => (kept === null ? [] : of))]),
    async find(block) {
      const logits = first === undefined ? undefined : (await keeper.find(keyOfBlock(block)))?.tensors['logits'];
      return first === undefined || logits === undefined ? null : new Map([[first, logits]]);
    },
    async put(block, logits) {
      if (first !== undefined) await keeper.put(keyOfBlock(block), { tensors: { logits: logits.get(first) as NdArray }, note: null });
    },
    async passOver(block) {
      if (first !== undefined) await keeper.has(keyOfBlock(block));
    },
    async end() {
      for (const { lane, key, kept } of known) {
        if (kept === null && sums !== undefined) await keeper.put(key, { tensors: sums.state(lane), note: null });
      }
    },
  };
}
