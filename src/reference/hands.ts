// The reference's ops spread over threads: the model's own and its hands, each with sessions of one thread of its own, so that every number
// is what one thread makes of it. What an op is is op-runner.ts's; the script that a hand runs is src/hand.ts.

import { Worker } from 'node:worker_threads';
import type { Op } from '../architectures/program.js';
import { fromPlainError, type PlainError } from '../errors.js';
import type { NdArray } from './ndarray.js';
import type { Factor, LinearWeight, OpRunner } from './op-runner.js';
import type { Recipe } from './recipes.js';

type Tensors = Readonly<Record<string, NdArray>>;

/** An op to be run: a call of `run` or of `linears`. */
type Work =
  | { readonly kind: 'run'; readonly op: Op; readonly recipe: Recipe; readonly inputs: Tensors }
  | ({ readonly kind: 'linears'; readonly factors: readonly Factor[] } & Product);

interface Product {
  readonly weight: LinearWeight;
  readonly bias: Float32Array | null;
  readonly softcap: number;
}

/** What a hand is asked. Factors travel once for all blocks of a matrix, and then go by their number. */
export type HandQuestion =
  | Extract<Work, { kind: 'run' }>
  | ({ readonly kind: 'linears'; readonly number: number; readonly factors: readonly Factor[] | null } & Product);

/** The op's outputs: by contract name, or one per factor. */
export type HandAnswer = { readonly outputs: Tensors | readonly NdArray[] } | { readonly failed: PlainError };

/** Sets of factors that a hand keeps: that of the matrix at work, and that of the one before, of which blocks may still be under way. */
export const KEPT_FACTORS = 2;
/** Ops that a hand has at once: while it runs one, the next is there already. */
const DEPTH = 2;

// Costs are counted in operations of a matrix product, of which a thread does 79 in a nanosecond (docs/reference.md); the others were measured in that unit.

/** Below this (0.2 ms) an op is done here before another thread has begun it. */
const LEAST_COST = 2 ** 24;
/** A 16-bit weight that is widened: 0.9 ms for a block of 2^19. */
const WIDENED = 64;
/** An element of any other op: 4 ns, most of it for rounding and new memory. */
const ELEMENT = 300;
/** A byte that is copied for another thread. */
const COPIED = 16;

interface Task {
  readonly work: Work;
  readonly cost: number;
  resolve(outputs: Tensors | readonly NdArray[]): void;
  reject(error: unknown): void;
}

interface Hand {
  worker: Worker | null;
  /** What it has not answered, first asked first; it answers in that order. */
  asked: Task[];
  /** Numbers of the sets of factors that it has, oldest first. */
  factors: number[];
}

export interface Hands {
  readonly runner: OpRunner;
  /** Ends the threads, which otherwise end with the thread that started them. */
  close(): Promise<void>;
}

/**
 * An OpRunner of `count` hands and this thread, which takes ops when it has nothing else to do. Threads start with their first op. What fails in a
 * hand fails here in the same way; a hand that dies fails the ops it had, and is started anew for the next.
 * @param local runs ops in this thread
 * @param script src/hand.ts, bundled
 */
export function startHands(local: OpRunner, count: number, script: URL): Hands {
  const hands = Array.from({ length: count }, (): Hand => ({ worker: null, asked: [], factors: [] }));
  const waiting: Task[] = [];
  const number = numbers();
  let busy = false;

  const distribute = (): void => {
    for (let hand = lightest(hands); hand !== undefined && waiting.length > 0; hand = lightest(hands)) give(hand, waiting.shift() as Task);
    if (busy || waiting.length === 0) return;
    busy = true;
    // Not at once: this thread first goes on with the answers that it has.
    setImmediate(() => {
      const task = waiting.shift();
      const done = task === undefined ? Promise.resolve() : runWork(local, task.work).then(task.resolve, task.reject);
      void done.then(() => {
        busy = false;
        distribute();
      });
    });
  };
  const give = (hand: Hand, task: Task) => {
    try {
      hand.worker ??= startHand(hand, script, distribute);
      const { question, moved } = packed(hand, task.work, number);
      hand.worker.postMessage(question, moved);
      hand.asked.push(task);
    } catch (error) {
      // No memory for the copies, most likely.
      task.reject(error);
    }
  };
  const spread = (work: Work): Promise<Tensors | readonly NdArray[]> => {
    const cost = costOf(work);
    if (cost < Math.max(LEAST_COST, 2 * COPIED * copiedBytes(work))) return runWork(local, work);
    return new Promise((resolve, reject) => {
      waiting.push({ work, cost, resolve, reject });
      distribute();
    });
  };
  const linears: OpRunner['linears'] = async (factors, weight, bias, softcap = 0) =>
    (await spread({ kind: 'linears', factors, weight, bias, softcap })) as readonly NdArray[];
  return {
    runner: {
      threads: 1 + count,
      run: async (op, recipe, inputs) => (await spread({ kind: 'run', op, recipe, inputs })) as Record<string, NdArray>,
      linears,
      linear: async (recipe, x, weight, bias, softcap) => (await linears([{ recipe, x }], weight, bias, softcap))[0] as NdArray,
    },
    async close() {
      await Promise.all(hands.flatMap(({ worker }) => worker?.terminate() ?? []));
    },
  };
}

/** Numbers for sets of factors, the same for the same set. */
function numbers(): (factors: readonly Factor[]) => number {
  const known = new WeakMap<readonly Factor[], number>();
  let next = 0;
  return (factors) => {
    const number = known.get(factors) ?? next++;
    known.set(factors, number);
    return number;
  };
}

function runWork(local: OpRunner, work: Work): Promise<Tensors | readonly NdArray[]> {
  if (work.kind === 'run') return local.run(work.op, work.recipe, work.inputs);
  return local.linears(work.factors, work.weight, work.bias, work.softcap);
}

/** The hand with the least to do, of those that can take more. */
function lightest(hands: readonly Hand[]): Hand | undefined {
  const load = ({ asked }: Hand) => asked.reduce((sum, { cost }) => sum + cost, 0);
  const free = hands.filter(({ asked }) => asked.length < DEPTH);
  return free.length === 0 ? undefined : free.reduce((least, hand) => (load(hand) < load(least) ? hand : least));
}

function startHand(hand: Hand, script: URL, distribute: () => void): Worker {
  const worker = new Worker(script);
  // One that waits must not keep its thread alive; while it works, what it was asked is waited for anyway.
  const fail = (error: Error) => {
    if (hand.worker !== worker) return;
    const lost = hand.asked;
    Object.assign(hand, { worker: null, asked: [], factors: [] } satisfies Hand);
    for (const task of lost) task.reject(error);
    distribute();
  };
  worker.on('message', (answer: HandAnswer) => {
    const task = hand.asked.shift();
    // The next op goes on its way before this one's result is looked at.
    distribute();
    if ('failed' in answer) task?.reject(fromPlainError(answer.failed));
    else task?.resolve(answer.outputs);
  });
  worker.on('messageerror', fail);
  worker.on('error', (error: unknown) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => fail(new Error(`a thread of the reference ended with code ${code} before its op was done`)));
  return worker;
}

/** A question, and the memory that goes to the hand with it. */
function packed(hand: Hand, work: Work, number: (factors: readonly Factor[]) => number): { question: HandQuestion; moved: ArrayBuffer[] } {
  const moved: ArrayBuffer[] = [];
  // One copy, which the other thread then owns; posting the array itself would copy all of its buffer, and twice.
  const copy = <T extends Float32Array | Float64Array | Uint16Array>(data: T): T => {
    const own = data.slice() as T;
    moved.push(own.buffer as ArrayBuffer);
    return own;
  };
  const copied = ({ data, shape }: NdArray): NdArray => ({ data: copy(data), shape });
  if (work.kind === 'run') {
    const inputs = Object.fromEntries(Object.entries(work.inputs).map(([name, array]) => [name, copied(array)]));
    return { question: { ...work, inputs }, moved };
  }
  const { weight } = work;
  if (weight.movable === true) moved.push(weight.data.buffer as ArrayBuffer);
  const id = number(work.factors);
  const known = hand.factors.includes(id);
  const question: HandQuestion = {
    kind: 'linears',
    number: id,
    factors: known ? null : work.factors.map(({ recipe, x }) => ({ recipe, x: copied(x) })),
    weight: weight.movable === true ? weight : { ...weight, data: copy(weight.data) },
    bias: work.bias === null ? null : copy(work.bias),
    softcap: work.softcap,
  };
  if (!known) hand.factors = [...hand.factors, id].slice(-KEPT_FACTORS);
  return { question, moved };
}

function costOf(work: Work): number {
  if (work.kind === 'run') {
    const elements = Object.values(work.inputs).reduce((sum, { data }) => sum + data.length, 0);
    return work.op.op === 'attention' ? ELEMENT * elements + attentionCost(work) : ELEMENT * elements;
  }
  const { weight, factors } = work;
  const products = factors.reduce((sum, { recipe, x }) => sum + precision(recipe) * 2 * x.data.length * weight.shape[0], 0);
  return products + (weight.form === 'float32' ? 0 : WIDENED * weight.data.length);
}

/** Two products for each pair of a query and a key, and what is done to their score. */
function attentionCost({ recipe, inputs }: Extract<Work, { kind: 'run' }>): number {
  const [queries = 1, heads = 1, size = 1] = inputs['q']?.shape ?? [];
  const pairs = heads * queries * (inputs['k']?.shape[0] ?? 1);
  return pairs * (precision(recipe) * 4 * size + ELEMENT);
}

function precision({ compute }: Recipe): number {
  return compute === 'float64' ? 2 : 1;
}

/** What is copied for one op. Factors are left out: they are copied once for all blocks. */
function copiedBytes(work: Work): number {
  if (work.kind === 'linears') return work.weight.movable === true ? 0 : work.weight.data.byteLength;
  return Object.values(work.inputs).reduce((sum, { data }) => sum + data.byteLength, 0);
}
