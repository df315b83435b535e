// What the oracle makes of a text that was written by a model: one teacher-forced pass over prompts and texts. Writing is elsewhere.

import type { Program } from '../architectures/program.js';
import { remembered, type Keeper, type Kept } from '../reference/keeper.js';
import type { NdArray } from '../reference/ndarray.js';
import type { OpRunner } from '../reference/op-runner.js';
import { ORACLE, type Recipe } from '../reference/recipes.js';
import { joinPrompts } from '../reference/sequence.js';
import { walk, type Lane } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { logitsMeter, type OracleView } from './logits-meter.js';

export interface ReadContext {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  readonly dtype: ServingDtype;
  readonly runner: OpRunner;
  /** Has what the oracle made of the same texts in earlier runs; default: there is none. */
  readonly keeper?: Keeper | null;
}

export interface Text {
  readonly prompt: readonly number[];
  /** Token ids that follow the prompt. */
  readonly ids: readonly number[];
}

/**
 * @param recipes their distance from the oracle is the noise; none: no noise is measured
 * @param end a token that may follow each text; its entry comes last
 * @returns per text one entry per token of `ids`, in order
 */
export async function readTexts(
  context: ReadContext,
  texts: readonly Text[],
  recipes: readonly Recipe[] = [],
  end: number | null = null,
): Promise<OracleView[][]> {
  if (texts.length === 0) return [];
  const { dtype, program } = context;
  const key = { what: 'views', depends: { dtype, recipes, ops: program.ops, texts, end }, tensors: {} };
  const views = unpacked(
    await remembered(
      context.keeper,
      () => key,
      async () => packed(await read(context, texts, recipes, end), recipes.length),
    ),
  );
  let start = 0;
  return texts.map(({ ids }) => views.slice(start, (start += ids.length + (end === null ? 0 : 1))));
}

/** One row per view: best, nll, below_best, noise, then the choices. */
function packed(views: readonly OracleView[], lanes: number): Kept {
  const rows = views.flatMap(({ best, nll, below_best, noise, choices }) => [best, nll, below_best, noise, ...choices]);
  return { tensors: { views: { data: Float64Array.from(rows), shape: [views.length, 4 + lanes] } }, note: null };
}

function unpacked({ tensors }: Kept): OracleView[] {
  const { data, shape } = tensors['views'] as NdArray;
  const [count = 0, width = 0] = shape;
  return Array.from({ length: count }, (_, i) => {
    const [best = NaN, nll = NaN, below_best = NaN, noise = NaN, ...choices] = data.subarray(i * width, (i + 1) * width);
    return { best, nll, below_best, noise, choices };
  });
}

/** @returns the views of all texts, one after the other */
async function read(context: ReadContext, texts: readonly Text[], recipes: readonly Recipe[], end: number | null): Promise<OracleView[]> {
  const sequence = joinPrompts(
    context.program,
    // The last token predicts nothing that is asked for, unless an end is.
    texts.map(({ prompt, ids }) => [...prompt, ...(end === null ? ids.slice(0, -1) : ids)]),
  );
  const targets = new Int32Array(sequence.ids.length).fill(-1);
  const starts = texts.map(({ prompt }, i) => (sequence.segments[i]?.start ?? 0) + prompt.length - 1);
  for (const [i, { ids }] of texts.entries()) targets.set(end === null ? ids : [...ids, end], starts[i]);
  const lanes = [ORACLE, ...recipes].map((recipe): Lane => ({ recipe, values: new Map(), standIns: new Map() }));
  const logits = logitsMeter(lanes.length, targets);
  await walk({
    ...context,
    sequence,
    lanes,
    keep: new Map(),
    scanAll: false,
    afterOp: () => Promise.resolve(),
    logits: (start, blocks) => logits.add(start, blocks),
  });
  const views = logits.perPosition(recipes.map((_, i) => i));
  return texts.flatMap(({ ids }, i) => views.slice(starts[i], (starts[i] as number) + ids.length + (end === null ? 0 : 1)));
}
