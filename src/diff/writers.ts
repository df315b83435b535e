// Greedy texts token by token: with kernels standing in, and as eager writes them. What they are worth is generation.ts's.

import { KernelError, type Kernel } from '../kernels/kernel.js';
import type { Placement } from '../kernels/sites.js';
import { remembered } from '../reference/keeper.js';
import { nextTokens, take, takeBack, writer, type Writer, type WriterOptions } from '../reference/decode.js';
import { joinRows, rows, type NdArray } from '../reference/ndarray.js';
import { eager } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import type { StandIn } from '../reference/walk.js';
import { lookedAt, kernelNames } from './fused-lane.js';
import { callKernel, laneInputs, siteWeights, type SiteContext, type Tensors } from './site.js';

/** What writes the fused text. */
export type FusedModel =
  | { readonly kind: 'sites'; readonly placements: readonly Placement<Kernel>[] }
  /** A kernel that is a whole model: logits [T, vocab_size] of all tokens. */
  | { readonly kind: 'model'; logits(ids: readonly number[]): Promise<NdArray> }
  /** A kernel that wrote its texts itself, one per prompt. */
  | { readonly kind: 'texts'; readonly texts: readonly (readonly number[])[] };

/** A prompt and what its text may be. */
export interface Task {
  readonly prompt: readonly number[];
  /** Most tokens of the text. */
  readonly tokens: number;
  /** Tokens that end it. */
  readonly ends: ReadonlySet<number>;
}

export interface Written {
  readonly ids: readonly number[];
  /** Why it is shorter than it could be, where that was no end-of-text token. */
  readonly stopped: { readonly why: string; readonly non_finite: boolean } | null;
}

interface Pen {
  readonly task: Task;
  readonly writer: Writer;
  stopped: Written['stopped'];
}

const NOT_FINITE = { why: 'logits are NaN or infinite', non_finite: true } as const;
/** callKernel looks at borders between prompts only; a text is one prompt. */
const ONE_TEXT: Sequence = { ids: [], segments: [{ start: 0, end: 0 }] };

/** The texts of eager. */
export async function writeStandard(context: SiteContext, tasks: readonly Task[]): Promise<Written[]> {
  const recipe = eager(context.dtype);
  const given = tasks.map((task) => ({ ...task, ends: [...task.ends] }));
  const { note } = await remembered(
    context.keeper,
    () => ({ what: 'texts', depends: { recipe, ops: context.program.ops, given }, tensors: {} }),
    async () => ({ tensors: {}, note: await write(context, tasks, { recipe }, new Map()) }),
  );
  return note as Written[];
}

/**
 * The texts of the model with kernels standing in, or of a kernel that is a whole model. What a kernel does wrong only ends its text.
 * @param drafts what may come: as far as it does, all of it takes one pass over the weights (https://arxiv.org/abs/2211.17192, greedy)
 */
export async function writeFused(
  context: SiteContext,
  fused: FusedModel,
  tasks: readonly Task[],
  drafts: readonly (readonly number[])[],
): Promise<Written[]> {
  if (fused.kind === 'texts') return fused.texts.map((ids) => ({ ids, stopped: null }));
  if (fused.kind === 'model') return writeModel(context, fused.logits, tasks);
  const { placements } = fused;
  // A kernel that is a layer has no place for the keys and values of earlier tokens.
  const cached = !placements.some(({ site }) => site.op === 'decoder_layer');
  const called = kernelNames(placements);
  const options = { recipe: eager(context.dtype), standIns: standInsOf(context, placements), cached, called };
  return write(context, tasks, options, lookedAt(placements.map(({ site }) => site)), cached ? drafts : []);
}

async function write(
  context: SiteContext,
  tasks: readonly Task[],
  options: WriterOptions,
  keep: ReadonlyMap<string, number>,
  drafts: readonly (readonly number[])[] = [],
): Promise<Written[]> {
  const { called } = options;
  const pens = tasks.map((task, i) => penOf(task, called === undefined ? options : { ...options, called: `${called}, text ${i}` }));
  // One after the other: two side by side would share the reading, but each matrix would be widened by a call of its own.
  for (const [i, pen] of pens.entries()) {
    let draft = drafts[i] ?? [];
    while (isOpen(pen)) {
      const { writer: own, task } = pen;
      const length = own.ids.length;
      // The first token comes with the prompt. After the last of the draft nothing is asked for.
      const ahead = length === task.prompt.length ? [] : draft.slice(length - task.prompt.length, -1);
      try {
        own.ids.push(...ahead);
        const [after = []] = await nextTokens({ ...context, keep }, [own]);
        const tokens = after.slice(-1 - ahead.length);
        const parted = tokens.findIndex((id, t) => t < ahead.length && id !== ahead[t]);
        const agreed = parted < 0 ? ahead.length : parted;
        takeBack(own, length + agreed);
        put(pen, tokens[agreed] ?? null);
        if (own.ids.at(-1) !== draft[own.ids.length - task.prompt.length - 1]) draft = [];
      } catch (error) {
        takeBack(own, length);
        stopAll(pens, error);
      }
    }
  }
  return pens.map(written);
}

async function writeModel(
  { dtype }: SiteContext,
  logitsOf: (ids: readonly number[]) => Promise<NdArray>,
  tasks: readonly Task[],
): Promise<Written[]> {
  const pens = tasks.map((task) => penOf(task, { recipe: eager(dtype) }));
  for (const pen of pens) {
    while (isOpen(pen)) {
      try {
        const { data, shape } = await logitsOf(pen.writer.ids);
        const best = { id: -1, value: -Infinity, finite: true };
        take(best, data.subarray(data.length - (shape[1] as number)), 0);
        put(pen, best.finite ? best.id : null);
      } catch (error) {
        stopAll(pens, error);
      }
    }
  }
  return pens.map(written);
}

function penOf(task: Task, options: WriterOptions): Pen {
  return { task, writer: writer(task.prompt, options), stopped: null };
}

function isOpen({ task, writer: { ids }, stopped }: Pen): boolean {
  const length = ids.length - task.prompt.length;
  return stopped === null && length < task.tokens && !(length > 0 && task.ends.has(ids.at(-1) as number));
}

function put(pen: Pen, id: number | null): void {
  if (id === null) pen.stopped = NOT_FINITE;
  else pen.writer.ids.push(id);
}

/** The kernel is not asked again: one that hangs would be waited for once more. */
function stopAll(pens: readonly Pen[], error: unknown): void {
  if (!(error instanceof KernelError)) throw error;
  for (const pen of pens) if (isOpen(pen)) pen.stopped = { why: error.message, non_finite: false };
}

function written({ task, writer: { ids }, stopped }: Pen): Written {
  return { ids: ids.slice(task.prompt.length), stopped };
}

function standInsOf(context: SiteContext, placements: readonly Placement<Kernel>[]): Map<number, StandIn> {
  const standIns = new Map<number, StandIn>();
  for (const { kernel, site } of placements) {
    const standIn: StandIn = {
      end: site.end,
      async run(lane) {
        const weights = await siteWeights(context, site);
        const call = async (inputs: Tensors) => {
          const { outputs } = await callKernel(context, kernel, site, { ...inputs, ...weights }, ONE_TEXT).catch((error: unknown) => {
            throw error instanceof KernelError ? new KernelError(`${kernel.name}: ${error.message}`) : error;
          });
          return outputs;
        };
        const outputs = await (lane.sequence?.past === undefined || lane.sequence.past === 0
          ? call(laneInputs(site, lane))
          : tokenByToken(laneInputs(site, lane), lane.sequence.ids.length, call));
        for (const [name, value] of site.outputs) lane.values.set(value, outputs[name] as NdArray);
      },
    };
    for (let index = site.start; index <= site.end; index++) standIns.set(index, standIn);
  }
  return standIns;
}

/** Calls a kernel as decoding does, with one query at a time: each sees the keys and values up to its own. */
async function tokenByToken(inputs: Tensors, count: number, call: (inputs: Tensors) => Promise<Tensors>): Promise<Tensors> {
  const parts: Tensors[] = [];
  for (let t = 0; t < count; t++) {
    const part = Object.entries(inputs).map(([name, array]): [string, NdArray] => {
      const all = array.shape[0] as number;
      return [name, rows(array, all === count ? t : 0, all - count + t + 1)];
    });
    parts.push(await call(Object.fromEntries(part)));
  }
  const names = Object.keys(parts[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, joinRows(parts.map((part) => part[name] as NdArray))]));
}
