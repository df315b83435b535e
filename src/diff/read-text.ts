// What the oracle makes of a text that was written by a model: one teacher-forced pass over prompts and texts. Writing is elsewhere.

import type { Program } from '../architectures/program.js';
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
  return texts.map(({ ids }, i) => views.slice(starts[i], (starts[i] as number) + ids.length + (end === null ? 0 : 1)));
}
