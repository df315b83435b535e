// Kernels that are a whole model (op `model`): called with each prompt's tokens, their logits laid beside the lanes' block by block. How far
// logits may be apart is model-level.ts's.

import { resolve } from 'node:path';
import type { Program } from '../architectures/program.js';
import { KernelError, type Kernel } from '../kernels/kernel.js';
import { besideProgram } from '../kernels/sites.js';
import type { NdArray } from '../reference/ndarray.js';
import type { Sequence } from '../reference/sequence.js';
import type { ServingDtype } from '../report/types.js';
import type { KernelRecord } from './kernel-level.js';
import { measure, yardstick } from './measure.js';
import type { Timed } from './performance.js';

export interface WholeModelOptions {
  readonly program: Program;
  /** Path of the checkpoint's folder. */
  readonly model: string;
  readonly dtype: ServingDtype;
  readonly sequence: Sequence;
}

export interface WholeModel {
  readonly kernel: Kernel;
  /** Why there are no logits; null while nothing went wrong. */
  readonly failure: string | null;
  /** What it is timed with: the longest prompt. */
  readonly call: Pick<Timed, 'site' | 'inputs'>;
  /** Calls the kernel, prompt by prompt. What it does wrong is noted in its record. */
  run(): Promise<void>;
  /**
   * Columns `[start, start + width)` of its logits, compared with the lanes' and noted.
   * @param blocks [T, width] of the oracle and the recipes, eager first
   * @returns [T, width]; eager's where the kernel gave up
   */
  block(start: number, blocks: readonly NdArray[]): NdArray;
}

/** Whether a kernel is a whole model that gives logits, and has no sites. */
export function isWholeModel({ op }: Kernel): boolean {
  return op === LOGITS.op;
}

/** Where the differences of logits are noted. */
const LOGITS = besideProgram('model');

/** Its logits, [tokens, vocab_size] float32 per prompt, are all that is kept. */
export function wholeModel(kernel: Kernel, record: KernelRecord, options: WholeModelOptions): WholeModel {
  const { program, dtype, sequence } = options;
  const attributes = { model_path: resolve(options.model), vocab_size: program.vocab_size };
  const inputsOf = ({ start, end }: { start: number; end: number }) => ({
    input_ids: { data: Int32Array.from(sequence.ids.slice(start, end)), shape: [end - start] },
  });
  const longest = sequence.segments.reduce((most, segment) => (segment.end - segment.start > most.end - most.start ? segment : most));
  let logits: Float32Array[] = [];
  let failure: string | null = null;
  return {
    kernel,
    call: { site: { ...LOGITS, attributes }, inputs: inputsOf(longest) },
    get failure() {
      return failure;
    },
    async run() {
      try {
        for (const segment of sequence.segments) {
          const answer = await kernel.run({ inputs: inputsOf(segment), attributes, dtype, variant: 'fused', repeat: 1 });
          record.violate(LOGITS, answer.violations);
          logits.push(answer.outputs['logits']?.data as Float32Array);
        }
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        logits = [];
        failure = `${kernel.name}: ${error.message}`;
        record.fail(LOGITS, error.message);
      }
    },
    block(start, [oracle, ...recipes]) {
      const eager = recipes[0] as NdArray;
      if (failure !== null) return eager;
      const [tokens = 0, width = 0] = eager.shape;
      const data = new Float32Array(tokens * width);
      for (const [i, segment] of sequence.segments.entries()) {
        const own = logits[i] as Float32Array;
        for (let t = segment.start; t < segment.end; t++) {
          const row = (t - segment.start) * program.vocab_size;
          data.set(own.subarray(row + start, row + start + width), t * width);
        }
      }
      const others = recipes.map((recipe) => recipe.data as Float32Array);
      record.add(LOGITS, 'logits', measure(data, yardstick(oracle?.data as Float64Array, others, dtype)), sequence);
      return { data, shape: [tokens, width] };
    },
  };
}

/**
 * Logits [T, vocab_size] of other tokens than the prompts'.
 * @throws KernelError
 */
export async function logitsOf({ kernel, call }: WholeModel, ids: readonly number[], dtype: ServingDtype): Promise<NdArray> {
  const inputs = { input_ids: { data: Int32Array.from(ids), shape: [ids.length] } };
  const answer = await kernel.run({ inputs, attributes: call.site.attributes, dtype, variant: 'fused', repeat: 1 });
  return answer.outputs['logits'] as NdArray;
}
