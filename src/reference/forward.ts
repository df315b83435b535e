// One forward pass by one recipe, with everything kept: what `fused-compat reference` writes.

import type { Program } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import type { NdArray } from './ndarray.js';
import type { OpRunner } from './op-runner.js';
import type { Recipe } from './recipes.js';
import { joinPrompts } from './sequence.js';
import { walk, type Lane } from './walk.js';

export interface Forward {
  /** [tokens, vocab_size] */
  readonly logits: NdArray;
  /** [num_hidden_layers + 1, tokens, hidden_size]: the embeddings, then each layer's output; the last one after the final norm. */
  readonly hidden: NdArray;
}

/**
 * Runs one prompt through the program.
 * @throws ModelError for a prompt that does not fit and for damaged weights
 */
export async function forward(
  runner: OpRunner,
  program: Program,
  checkpoint: Checkpoint,
  options: { ids: readonly number[]; recipe: Recipe; dtype: ServingDtype; onLayer?: (layer: number) => void },
): Promise<Forward> {
  const sequence = joinPrompts(program, [options.ids]);
  const lane: Lane = { recipe: options.recipe, values: new Map(), standIns: new Map() };
  const size = options.ids.length * program.hidden_size;
  const float64 = options.recipe.compute === 'float64';
  const hidden = float64 ? new Float64Array(program.hidden.length * size) : new Float32Array(program.hidden.length * size);
  const logitsIndex = program.ops.length - 1;
  let logits: NdArray | undefined;
  await walk({
    program,
    checkpoint,
    sequence,
    runner,
    dtype: options.dtype,
    lanes: [lane],
    scanAll: false,
    keep: new Map(),
    afterOp(index, op) {
      for (const name of Object.values(op.outputs)) {
        const at = program.hidden.indexOf(name);
        if (at >= 0) hidden.set((lane.values.get(name) as NdArray).data, at * size);
      }
      if (index === logitsIndex) logits = lane.values.get(program.logits);
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) options.onLayer?.(op.layer);
      return Promise.resolve();
    },
  });
  return { logits: logits as NdArray, hidden: { data: hidden, shape: [program.hidden.length, options.ids.length, program.hidden_size] } };
}
