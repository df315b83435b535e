// Greedy decoding: one token at a time, with the keys and values of the tokens before it kept. What is done with the texts is src/diff's.

import type { Program } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import type { Keeper } from './keeper.js';
import { joinRows, rows, type NdArray } from './ndarray.js';
import type { OpRunner } from './op-runner.js';
import type { Recipe } from './recipes.js';
import type { KeptLane } from './resting.js';
import { walk, type Lane, type StandIn } from './walk.js';

export interface DecodeContext {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  readonly dtype: ServingDtype;
  readonly runner: OpRunner;
  /** As for `walk`: what the stand-ins look back at. */
  readonly keep: ReadonlyMap<string, number>;
  /** Has what was computed around the stand-ins in the last run; default: there is none. */
  readonly keeper?: Keeper | null;
}

/** A text in the making, by one recipe or with kernels standing in. */
export interface Writer {
  readonly recipe: Recipe;
  readonly standIns: ReadonlyMap<number, StandIn>;
  /** The prompt, and what was written so far. */
  readonly ids: number[];
  /** Keys and values of the first `past` tokens by the name of the value; null: all tokens go through the model each time. */
  readonly cache: { past: number; values: Map<string, NdArray> } | null;
  /** What its text is called between runs; null: nothing of it is kept. */
  readonly called: string | null;
}

export interface WriterOptions {
  readonly recipe: Recipe;
  readonly standIns?: ReadonlyMap<number, StandIn>;
  /** False where something stands in that keeps no keys and values (a kernel that is a whole layer). */
  readonly cached?: boolean;
  readonly called?: string;
}

export function writer(prompt: readonly number[], { recipe, standIns = new Map(), cached = true, called }: WriterOptions): Writer {
  return { recipe, standIns, ids: [...prompt], cache: cached ? { past: 0, values: new Map() } : null, called: called ?? null };
}

/**
 * The most likely token after each of the writers' new tokens, the first of equals; null where a logit is NaN or infinite. Every weight is read once
 * for all of them. The first step takes all tokens of a prompt; later ones take what was written since, and attention sees more keys than queries.
 * Nothing in the writers changes when this throws; afterwards their caches hold all of their tokens.
 * @throws what a stand-in throws, and ModelError for damaged weights
 */
export async function nextTokens(context: DecodeContext, writers: readonly Writer[]): Promise<(number | null)[][]> {
  const { program } = context;
  const beforeAttention = (index: number) => program.ops[index + 1]?.op === 'attention';
  const lanes = writers.map(({ recipe, standIns, ids, cache, called }): Lane => {
    const past = cache?.past ?? 0;
    const segments = [{ start: 0, end: ids.length - past }];
    const lane = { recipe, standIns, values: new Map(), sequence: { ids: ids.slice(past), segments, past } };
    // Keys and values of earlier tokens are put in front there.
    const kept: KeptLane = { values: 'ends', changedAfter: beforeAttention, of: `${called ?? ''}, from ${ids.length} after ${past}` };
    return called === null ? lane : { ...lane, kept };
  });
  const kept = writers.map(() => new Map<string, NdArray>());
  const best = lanes.map(({ sequence }) => (sequence?.ids ?? []).map((): Best => ({ id: -1, value: -Infinity, finite: true })));
  await walk({
    ...context,
    sequence: lanes[0]?.sequence ?? { ids: [], segments: [] },
    lanes,
    scanAll: false,
    sums: {
      state: (lane) => ({ best: asArray(best[lanes.indexOf(lane as Lane)] ?? []) }),
      restore: (lane, state) => fill(best[lanes.indexOf(lane as Lane)] ?? [], state['best'] as NdArray),
    },
    afterOp(index) {
      const next = program.ops[index + 1];
      if (next?.op !== 'attention') return Promise.resolve();
      for (const name of ['k', 'v'].map((tensor) => next.inputs[tensor] as string)) {
        for (const [i, lane] of lanes.entries()) {
          const { cache } = writers[i] as Writer;
          const now = lane.values.get(name);
          // A kernel for all of a layer makes them inside.
          if (cache === null || now === undefined) continue;
          const before = cache.values.get(name);
          const all = before === undefined ? now : joinRows([before, now]);
          lane.values.set(name, all);
          (kept[i] as Map<string, NdArray>).set(name, all);
        }
      }
      return Promise.resolve();
    },
    logits(start, blocks) {
      for (const [i, { data, shape }] of blocks.entries()) {
        const [, width = 0] = shape;
        for (const [t, each] of (best[i] as Best[]).entries()) take(each, data.subarray(t * width, (t + 1) * width), start);
      }
    },
  });
  for (const [i, { cache, ids }] of writers.entries()) {
    if (cache === null) continue;
    cache.past = ids.length;
    for (const [name, values] of kept[i] as Map<string, NdArray>) cache.values.set(name, values);
  }
  return best.map((all) => all.map(({ id, finite }) => (finite ? id : null)));
}

/** The largest logit of one position so far. */
interface Best {
  id: number;
  value: number;
  finite: boolean;
}

function asArray(best: readonly Best[]): NdArray {
  return { data: Float64Array.from(best.flatMap(({ id, value, finite }) => [id, value, finite ? 1 : 0])), shape: [best.length, 3] };
}

function fill(best: readonly Best[], { data }: NdArray): void {
  for (const [t, each] of best.entries()) {
    const [id = -1, value = NaN, finite = 0] = data.subarray(t * 3, t * 3 + 3);
    Object.assign(each, { id, value, finite: finite === 1 } satisfies Best);
  }
}

/** Takes back all tokens of a writer but the first `length`. */
export function takeBack({ ids, cache }: Writer, length: number): void {
  ids.length = length;
  if (cache === null || cache.past <= length) return;
  cache.past = length;
  for (const [name, values] of cache.values) cache.values.set(name, rows(values, 0, length));
}

/** Goes on looking for the largest logit in a block of one position's. */
export function take(best: Best, logits: NdArray['data'], start: number): void {
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i] as number;
    if (!Number.isFinite(value)) best.finite = false;
    if (!(value > best.value)) continue;
    best.value = value;
    best.id = start + i;
  }
}

/**
 * A checkpoint whose tensors stay in memory as they are in the file once they were read: decoding needs all of them for every token.
 * It shares its file with the original, which is the one to close.
 */
export function inMemory(checkpoint: Checkpoint): Checkpoint {
  const tensors = new Map<string, Promise<Uint8Array>>();
  return {
    ...checkpoint,
    keeps: true,
    async read(name, start = 0, end) {
      const whole = tensors.get(name) ?? checkpoint.read(name);
      tensors.set(name, whole);
      return (await whole).subarray(start, end);
    },
  };
}
