// Names the cause of a fault of a kernel that is a whole model: the reference's whole forward pass is run again with one change at a time,
// and its logits are compared with the kernel's. What can be changed is hypotheses.ts's, and the tied or untied head.

import type { Op, Program, WeightRef } from '../architectures/program.js';
import { KernelError, type Kernel } from '../kernels/kernel.js';
import type { NdArray } from '../reference/ndarray.js';
import { eager, ORACLE, validRecipes, type Recipe } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import { walk, type Lane, type StandIn } from '../reference/walk.js';
import type { Cause } from '../report/types.js';
import { joined, longestPrompts, proof, single, type SearchContext } from './causes.js';
import { hypotheses } from './hypotheses.js';
import type { Hypothesis } from './hypothesis.js';
import { logitsMeter } from './logits-meter.js';
import { runStep } from './site.js';
import type { WholeModel } from './whole-model.js';

/** Whole prompts with up to so many tokens together: each hypothesis is a lane of a forward pass over them. */
const TOKENS = 64;
/** Hypotheses that come closest by one recipe; only they are held to the criteria of the model level. */
const CLOSEST = 4;
/** By how much a change must bring the KL down: a small fault is within the noise of many changes. */
const CLEARLY = 3;
/** As the model level has it: below this a KL is the arithmetic noise of its own computation. */
const LEAST_KL = 1e-14;

/** The whole model with one change. */
interface Candidate {
  readonly hypothesis: Pick<Hypothesis, 'code' | 'says'> & Partial<Hypothesis>;
  readonly program: Program;
}

/** A KL that is to come down by `CLEARLY`, which goes by squares, needs squared distances that come down by this at least. */
const CLOSER = 2;

/** What the kernel gave: [tokens, vocab_size]. */
interface Logits {
  readonly sequence: Sequence;
  readonly data: Float32Array;
}

/** The cause of a whole model's fault; null where nothing, or more than one thing, explains it. */
export async function findModelCause(context: SearchContext, { kernel, call }: Pick<WholeModel, 'kernel' | 'call'>): Promise<Cause | null> {
  const segments = longestPrompts(context.sequence, TOKENS);
  const sequence = joined(context.sequence, segments);
  const logits = await logitsOf(context, kernel, call.site.attributes, sequence);
  if (logits === null) return null;
  const candidates = await closest(context, logits);
  if (candidates.length === 0) return null;
  const instead = await klRatio(context, { hypothesis: { code: 'eps', says: '' }, program: context.program }, logits);
  const fits: (Candidate & { worst: number })[] = [];
  for (const candidate of candidates) {
    const ratio = await klRatio(context, candidate, logits);
    if (ratio <= Math.min(context.limits.pass_ratio, instead / CLEARLY)) fits.push({ ...candidate, worst: ratio });
  }
  const found = single(fits);
  if (found === null) return null;
  const { best, says } = found;
  const evidence = [{ place: null, ratio: best.worst, instead }];
  return { kernel: kernel.name, variant: 'fused', code: best.hypothesis.code, message: `${says}: ${proof('kl_ratio', evidence)}` };
}

async function logitsOf(
  { program, dtype }: SearchContext,
  kernel: Kernel,
  attributes: WholeModel['call']['site']['attributes'],
  sequence: Sequence,
): Promise<Logits | null> {
  const data = new Float32Array(sequence.ids.length * program.vocab_size);
  try {
    for (const { start, end } of sequence.segments) {
      const inputs = { input_ids: { data: Int32Array.from(sequence.ids.slice(start, end)), shape: [end - start] } };
      const { outputs } = await kernel.run({ inputs, attributes, dtype, variant: 'fused', repeat: 1 });
      data.set(outputs['logits']?.data ?? [], start * program.vocab_size);
    }
  } catch (error) {
    if (error instanceof KernelError) return null;
    throw error;
  }
  return data.every(Number.isFinite) ? { sequence, data } : null;
}

/** The other of the embeddings and `lm_head.weight` as the head, where the checkpoint has both. */
function otherHead({ program, checkpoint }: SearchContext): Candidate[] {
  const at = program.ops.findIndex(({ site }) => site === 'lm_head');
  const head = program.ops[at];
  const embedding = program.ops.find(({ op }) => op === 'embed')?.weights['weight'];
  const own = head?.weights['weight'];
  if (head === undefined || own === undefined || embedding === undefined) return [];
  const tied = own.tensor === embedding.tensor;
  const other: WeightRef = tied ? { ...own, tensor: 'lm_head.weight' } : { ...own, tensor: embedding.tensor };
  const info = checkpoint.tensors.get(other.tensor);
  if (info === undefined || info.shape.join() !== own.shape.join()) return [];
  const ops = program.ops.with(at, { ...head, weights: { ...head.weights, weight: other } });
  const says = tied
    ? 'uses lm_head.weight as its head where this model ties the head to the embeddings'
    : 'ties its head to the embeddings where this model has a head of its own';
  return [{ hypothesis: { code: 'tied_head', says }, program: { ...program, ops } }];
}

/** The candidates whose eager logits are closest to the kernel's: lanes of one walk, and one of its own for another head. */
async function closest(context: SearchContext, logits: Logits): Promise<Candidate[]> {
  const { program, dtype } = context;
  // A narrow accumulator shows in a kernel's bits, which a whole model does not keep.
  const tried = hypotheses(context, program.ops.slice(0, -1)).filter(({ code }) => code !== 'accumulation_dtype');
  const all = tried.map((hypothesis): Candidate => ({ hypothesis, program }));
  const recipe = eager(dtype);
  const lanes = [pureLane(recipe), ...all.map((candidate) => changedLane(context, candidate, recipe, logits.sequence))];
  const [limit = 0, ...far] = await distances(context, program, logits, lanes);
  for (const candidate of otherHead(context)) {
    all.push(candidate);
    far.push(...(await distances(context, candidate.program, logits, [pureLane(recipe)])));
  }
  return all
    .map((candidate, i) => ({ candidate, distance: far[i] as number }))
    .filter(({ distance }) => distance < limit / CLOSER)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, CLOSEST)
    .map(({ candidate }) => candidate);
}

/** Sums of (lane − kernel)² over all logits. */
async function distances(context: SearchContext, program: Program, logits: Logits, lanes: readonly Lane[]): Promise<number[]> {
  const sums = lanes.map(() => 0);
  await walkLanes(context, program, logits, lanes, (blocks, kernel) => {
    for (const [i, { data }] of blocks.entries()) {
      let sum = 0;
      for (let j = 0; j < data.length; j++) sum += ((data[j] as number) - (kernel.data[j] as number)) ** 2;
      sums[i] = (sums[i] as number) + sum;
    }
  });
  return sums;
}

/** KL(changed oracle ‖ kernel) over the largest KL of a valid recipe with the same change. */
async function klRatio(context: SearchContext, candidate: Candidate, logits: Logits): Promise<number> {
  const recipes = validRecipes(context.dtype);
  const lanes = [ORACLE, ...recipes].map((recipe) => changedLane(context, candidate, recipe, logits.sequence));
  const meter = logitsMeter(lanes.length + 1, new Int32Array(logits.sequence.ids.length).fill(-1));
  await walkLanes(context, candidate.program, logits, lanes, (blocks, kernel, start) => meter.add(start, [...blocks, kernel]));
  const { kl } = meter.summarise([], context.limits.decisive_margin);
  return (kl[recipes.length] as number) / Math.max(...kl.slice(0, recipes.length), LEAST_KL);
}

function pureLane(recipe: Recipe): Lane {
  return { recipe, values: new Map(), standIns: new Map() };
}

/** A lane in which the ops that a hypothesis concerns are done its way. */
function changedLane(context: SearchContext, { hypothesis, program }: Candidate, recipe: Recipe, sequence: Sequence): Lane {
  const standIns = new Map<number, StandIn>();
  const { change, concerns } = hypothesis;
  if (change === undefined) return pureLane(recipe);
  const changed = { ...context, change };
  const standIn = (op: Op, end: number): StandIn => ({
    end,
    async run(lane) {
      const given = Object.entries(op.inputs).map(([name, value]): [string, NdArray] => [name, lane.values.get(value) as NdArray]);
      const outputs = await runStep(changed, op, recipe, Object.fromEntries(given), sequence);
      for (const [name, value] of Object.entries(op.outputs)) lane.values.set(value, outputs[name] as NdArray);
    },
  });
  // The head gives its logits in blocks, and nothing can stand in for it.
  for (const [index, op] of program.ops.slice(0, -1).entries()) if (concerns?.(op) === true) standIns.set(index, standIn(op, index));
  return { recipe, values: new Map(), standIns };
}

async function walkLanes(
  { checkpoint, dtype, runner }: SearchContext,
  program: Program,
  { sequence, data }: Logits,
  lanes: readonly Lane[],
  compare: (blocks: readonly NdArray[], kernel: NdArray, start: number) => void,
): Promise<void> {
  await walk({
    program,
    checkpoint,
    dtype,
    sequence,
    lanes,
    runner,
    keep: new Map(),
    scanAll: false,
    afterOp: () => Promise.resolve(),
    logits(start, blocks) {
      const [tokens = 0, width = 0] = blocks[0]?.shape ?? [];
      const own = new Float32Array(tokens * width);
      for (let t = 0; t < tokens; t++) {
        const row = t * program.vocab_size + start;
        own.set(data.subarray(row, row + width), t * width);
      }
      compare(blocks, { data: own, shape: [tokens, width] }, start);
    },
  });
}
