// The trusted forward pass: walks a program op by op with several lanes side by side (oracle, recipes, models with kernels standing in),
// so each weight is read once for all of them. What is measured along the way is the caller's.

import type { Op, Program } from '../architectures/program.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import type { Keeper } from './keeper.js';
import { joinRows, rows, type NdArray } from './ndarray.js';
import type { Factor, OpRunner } from './op-runner.js';
import { leaving, roundsOutputs, type Recipe } from './recipes.js';
import { keptLogits, resting, type KeptLane, type Sums } from './resting.js';
import { rotaryValues, type Sequence } from './sequence.js';
import {
  blocksOf,
  embeddingRows,
  readAhead,
  roundToServing,
  servedBlock,
  wholeWeight,
  type Block,
  type BlockReader,
} from './served-weights.js';

/** Something that stands in for the ops from where it is registered up to `end`. */
export interface StandIn {
  readonly end: number;
  /** Takes its inputs from the lane's values and leaves its outputs there. */
  run(lane: Lane): Promise<void>;
}

export interface Lane {
  readonly recipe: Recipe;
  /** Values by name; freed after their last use. */
  readonly values: Map<string, NdArray>;
  /** Op index → what stands in there. Empty for pure recipes. */
  readonly standIns: ReadonlyMap<number, StandIn>;
  /** Its own tokens, where lanes go through different ones; default: those of the walk. */
  readonly sequence?: Sequence;
  /** What of it is kept between runs, where the walk has a keeper; default: nothing. */
  readonly kept?: KeptLane;
}

export interface WalkOptions {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  readonly dtype: ServingDtype;
  readonly sequence: Sequence;
  readonly lanes: readonly Lane[];
  readonly runner: OpRunner;
  /** Value → index of the last op after which the caller looks at it, where that is later than the program's own last use. */
  readonly keep: ReadonlyMap<string, number>;
  /** Waited for before anything stands in: kernels that the caller still asks about an earlier op. */
  beforeStandIns?(): Promise<void>;
  /** Called when all lanes have done an op; values made by it are in the lanes. */
  afterOp(index: number, op: Op): Promise<void>;
  /** Blocks of columns `[start, start + width)` of the logits, one [T, width] per lane. When absent, `logits` is assembled like any value. */
  logits?(start: number, blocks: readonly NdArray[]): void;
  /** What the caller sums up of the logits of kept lanes; where it is known from an earlier run, `logits` gets empty blocks for those after the first. */
  readonly sums?: Sums;
  /** Also read tensors whose rows are only partly used, so that no NaN goes unseen. */
  readonly scanAll: boolean;
  /** Has what lanes made in earlier runs; default: there is none. */
  readonly keeper?: Keeper | null;
}

/** Runs the whole program. Afterwards the lanes hold what `keep` kept to the last op. */
export async function walk(options: WalkOptions): Promise<void> {
  const { program, checkpoint, sequence, lanes } = options;
  const rotary = rotaryValues(program, sequence);
  for (const lane of lanes) {
    const own = lane.sequence === undefined ? rotary : rotaryValues(program, lane.sequence);
    for (const [name, value] of own) lane.values.set(name, value);
  }
  const reader = readAhead(checkpoint, [...scannedBlocks(options), ...program.ops.flatMap((op) => linearBlocks(checkpoint, op))]);
  for (let i = scannedBlocks(options).length; i > 0; i--) await reader.next();
  const lastUse = lastUses(options);
  const rest = options.keeper === null || options.keeper === undefined ? null : resting(options.keeper, options);
  for (const [index, op] of program.ops.entries()) {
    await rest?.before(index);
    // Those that compute by their recipe: nothing stands in there, and nothing is known from an earlier run.
    const computing = lanes.filter((lane) => !lane.standIns.has(index) && rest?.rests(lane, index) !== true);
    if (op.op === 'embed') await embed(options, op);
    else if (op.op === 'linear' || op.op === 'qkv') await linears(options, computing, op, reader);
    else await smallOp(options, computing, op);
    for (const lane of lanes) await runEndingStandIn(options, lane, index);
    await rest?.after(index);
    await options.afterOp(index, op);
    for (const name of lastUse.get(index) ?? []) for (const lane of lanes) lane.values.delete(name);
  }
}

function scannedBlocks({ program, checkpoint, scanAll }: WalkOptions): Block[] {
  if (!scanAll) return [];
  const streamed = new Set(program.ops.filter((op) => op.op === 'linear').map((op) => op.weights['weight']?.tensor));
  const embedding = program.ops.find((op) => op.op === 'embed')?.weights['weight'];
  return embedding === undefined || streamed.has(embedding.tensor) ? [] : blocksOf(checkpoint, embedding);
}

function linearBlocks(checkpoint: Checkpoint, op: Op): Block[] {
  if (op.op !== 'linear' && op.op !== 'qkv') return [];
  return matrices(op).flatMap(({ ref }) => blocksOf(checkpoint, ref));
}

/** One product with weights of a `linear` or `qkv` op. */
interface Matrix {
  /** Contract tensor that it makes: y, or q, k and v. */
  readonly tensor: string;
  readonly ref: Op['weights'][string];
  readonly bias: Op['weights'][string] | undefined;
  readonly output: string;
  readonly shape: (tokens: number) => number[];
}

/** The products of a `linear` or `qkv` op, in the order in which their weights are read. */
export function matrices(op: Op): Matrix[] {
  if (op.op === 'linear') {
    const ref = op.weights['weight'] as Matrix['ref'];
    return [
      {
        tensor: 'y',
        ref,
        bias: op.weights['bias'],
        output: op.outputs['y'] as string,
        shape: (tokens) => [tokens, ref.shape[0] as number],
      },
    ];
  }
  const { num_heads, num_kv_heads, head_dim } = op.attributes as Record<string, number>;
  return (['q', 'k', 'v'] as const).map((name) => ({
    tensor: name,
    ref: op.weights[`${name}_weight`] as Matrix['ref'],
    bias: op.weights[`${name}_bias`],
    output: op.outputs[name] as string,
    shape: (tokens) => [tokens, (name === 'q' ? num_heads : num_kv_heads) as number, head_dim as number],
  }));
}

async function embed({ program, checkpoint, dtype, sequence, lanes }: WalkOptions, op: Op): Promise<void> {
  const read = new Map<Sequence, Promise<Float32Array>>();
  const rowsOf = (of: Sequence) => {
    const known = read.get(of) ?? embeddingRows(checkpoint, op.weights['weight'] as Matrix['ref'], of.ids, dtype);
    read.set(of, known);
    return known;
  };
  // transformers holds Gemma's factor in the weights' dtype, so every implementation multiplies by the rounded one, the oracle too.
  const factor = roundToServing(Float32Array.of(Number(op.attributes['scale'])), dtype)[0] as number;
  for (const lane of lanes) {
    const own = lane.sequence ?? sequence;
    const values = await rowsOf(own);
    const scaled = lane.recipe.compute === 'float64' ? Float64Array.from(values, (v) => v * factor) : values.map((v) => v * factor);
    const data = scaled instanceof Float64Array || !roundsOutputs(lane.recipe) ? scaled : roundToServing(scaled, dtype);
    lane.values.set(op.outputs['y'] as string, { data, shape: [own.ids.length, program.hidden_size] });
  }
}

async function runEndingStandIn(options: WalkOptions, lane: Lane, index: number): Promise<void> {
  const standIn = lane.standIns.get(index);
  if (standIn?.end !== index) return;
  await options.beforeStandIns?.();
  await standIn.run(lane);
}

/** In the place of logits that nobody needs. */
const NO_LOGITS: NdArray = { data: new Float32Array(0), shape: [0, 0] };

async function linears(options: WalkOptions, lanes: readonly Lane[], op: Op, reader: BlockReader): Promise<void> {
  const { checkpoint, dtype, runner, program } = options;
  const factors = lanes.map((lane): Factor & { lane: Lane } => ({
    lane,
    recipe: Object.values(op.outputs).includes(program.logits) ? leaving(lane.recipe) : lane.recipe,
    x: lane.values.get(op.inputs['x'] as string) as NdArray,
  }));
  // While one block is multiplied the next is read; a thread that is done finds another one waiting.
  const inFlight = inOrder(runner.threads === 1 ? 1 : 2 * runner.threads);
  for (const matrix of matrices(op)) {
    const bias = matrix.bias === undefined ? null : (await wholeWeight(checkpoint, matrix.bias, dtype)).data;
    const softcap = Number(op.attributes['softcap'] ?? 0);
    const streaming = matrix.output === program.logits ? options.logits : undefined;
    const sinks = lanes.map((lane) => collect(lane, op, matrix));
    const kept = streaming === undefined ? null : await keptLogits(options, lanes, op);
    const needed = factors.filter(({ lane }) => kept?.summed.has(lane) !== true);
    const blocks = blocksOf(checkpoint, matrix.ref);
    // Who read them in the run whose results take their place also looked for NaN in them.
    if (needed.length === 0) {
      for (const block of blocks) await kept?.passOver(block);
      reader.skip(blocks.length);
      continue;
    }
    for (let left = blocks.length; left > 0; left--) {
      const { block, bytes } = await reader.next();
      const known = (await kept?.find(block)) ?? new Map<Lane, NdArray>();
      const unknown = needed.filter(({ lane }) => !known.has(lane));
      const served = servedBlock(checkpoint, block, bytes, dtype);
      const weight = { ...served, movable: checkpoint.keeps !== true && served.data.byteLength === served.data.buffer.byteLength };
      await inFlight.add(runner.linears(unknown, weight, bias?.subarray(block.start, block.end) ?? null, softcap), async (made) => {
        const products = new Map([...known, ...unknown.map(({ lane }, i): [Lane, NdArray] => [lane, made[i] as NdArray])]);
        if (known.size === 0) await kept?.put(block, products);
        const blocks = lanes.map((lane) => products.get(lane) ?? NO_LOGITS);
        if (streaming !== undefined) streaming(block.start, blocks);
        else for (const [i, sink] of sinks.entries()) sink.add(block, blocks[i] as NdArray);
      });
    }
    await inFlight.add(Promise.resolve(), async () => {
      if (streaming === undefined) for (const sink of sinks) sink.finish();
      await kept?.end();
    });
  }
  await inFlight.end();
}

/** Takes results in the order in which they were asked for, with fewer than `most` under way. */
function inOrder(most: number) {
  const waiting: (() => Promise<void>)[] = [];
  const upTo = async (left: number) => {
    while (waiting.length > left) await waiting.shift()?.();
  };
  return {
    async add<T>(result: Promise<T>, take: (value: T) => void | Promise<void>): Promise<void> {
      // One that fails is told when its turn comes, or not at all when another one failed before.
      result.catch(() => undefined);
      waiting.push(async () => {
        await take(await result);
      });
      await upTo(most - 1);
    },
    end: () => upTo(0),
  };
}

/** Puts blocks of columns together to a whole matrix, without a copy when there is one block only. */
function collect(lane: Lane, op: Op, matrix: Matrix) {
  const tokens = lane.values.get(op.inputs['x'] as string)?.shape[0] ?? 0;
  const width = matrix.ref.shape[0] as number;
  let whole: NdArray['data'] | null = null;
  return {
    add(block: Block, y: NdArray) {
      const columns = block.end - block.start;
      if (columns === width) {
        whole = y.data;
        return;
      }
      whole ??= lane.recipe.compute === 'float64' ? new Float64Array(tokens * width) : new Float32Array(tokens * width);
      for (let t = 0; t < tokens; t++) whole.set(y.data.subarray(t * columns, (t + 1) * columns), t * width + block.start);
    },
    finish() {
      if (whole !== null) lane.values.set(matrix.output, { data: whole, shape: matrix.shape(tokens) });
    },
  };
}

async function smallOp({ checkpoint, dtype, runner, sequence }: WalkOptions, lanes: readonly Lane[], op: Op): Promise<void> {
  const weights: Record<string, NdArray> = {};
  for (const [name, ref] of Object.entries(op.weights)) weights[name] = await wholeWeight(checkpoint, ref, dtype);
  const each = lanes.map(async (lane) => {
    const inputs: Record<string, NdArray> = { ...weights };
    for (const [name, value] of Object.entries(op.inputs)) inputs[name] = lane.values.get(value) as NdArray;
    const outputs = await runOp(runner, op, lane.recipe, inputs, lane.sequence ?? sequence);
    for (const [name, value] of Object.entries(op.outputs)) lane.values.set(value, outputs[name] as NdArray);
  });
  await Promise.all(each);
}

/** Runs one op by a recipe; attention prompt by prompt, all else on all tokens at once. */
export async function runOp(
  runner: OpRunner,
  op: Op,
  recipe: Recipe,
  inputs: Readonly<Record<string, NdArray>>,
  sequence: Sequence,
): Promise<Record<string, NdArray>> {
  if (op.op === 'split_heads') return splitHeads(op, inputs);
  if (op.op !== 'attention') return runner.run(op, recipe, inputs);
  return perSegment(sequence, inputs, (part) => runner.run(op, recipe, part));
}

/** [T, heads · head_dim] as [T, heads, head_dim]: the same values. */
function splitHeads(op: Op, inputs: Readonly<Record<string, NdArray>>): Record<string, NdArray> {
  const { num_heads, num_kv_heads, head_dim } = op.attributes as Record<string, number>;
  const cut = ([name, { data, shape }]: [string, NdArray]): [string, NdArray] => [
    name,
    { data, shape: [shape[0] ?? 0, (name === 'q' ? num_heads : num_kv_heads) as number, head_dim as number] },
  ];
  return Object.fromEntries(Object.entries(inputs).map(cut));
}

/** Calls `run` with the rows of each prompt and joins what it gives. */
export async function perSegment(
  sequence: Sequence,
  inputs: Readonly<Record<string, NdArray>>,
  run: (part: Record<string, NdArray>) => Promise<Record<string, NdArray>>,
): Promise<Record<string, NdArray>> {
  // One prompt is all there is, also where it has more keys than queries.
  if (sequence.segments.length === 1) return run({ ...inputs });
  const parts: Record<string, NdArray>[] = [];
  for (const { start, end } of sequence.segments) {
    parts.push(await run(Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, rows(array, start, end)]))));
  }
  const names = Object.keys(parts[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, joinRows(parts.map((part) => part[name] as NdArray))]));
}

/** Op index → names of values that nothing needs after it. Rotary tables stay to the end. */
function lastUses({ program, keep }: WalkOptions): Map<number, string[]> {
  const last = new Map<string, number>();
  for (const [index, op] of program.ops.entries()) {
    for (const name of [...Object.values(op.outputs), ...Object.values(op.inputs)]) last.set(name, Math.max(index, keep.get(name) ?? 0));
  }
  const at = new Map<number, string[]>();
  for (const [name, index] of last) {
    if (name.startsWith('cos:') || name.startsWith('sin:')) continue;
    at.set(index, [...(at.get(index) ?? []), name]);
  }
  return at;
}
