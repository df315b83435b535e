// Greedy text of the model as standard (eager) writes it and with the kernels standing in, and whether the fused text still makes sense to
// the oracle. Never a test of equality: correct implementations part ways at near ties (docs/generation.md).

import type { Program } from '../architectures/program.js';
import type { Kernel } from '../kernels/kernel.js';
import type { Placement } from '../kernels/sites.js';
import { inMemory } from '../reference/decode.js';
import { eager, type Recipe } from '../reference/recipes.js';
import type { Generation } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import type { OracleView } from './logits-meter.js';
import { readTexts, type Text } from './read-text.js';
import type { SiteContext } from './site.js';
import { writeFused, writeStandard, type FusedModel, type Task, type Written } from './writers.js';

/** Prompts that texts are written for. */
export const PROMPTS = 2;
/** Tokens of each text. */
export const MAX_NEW_TOKENS = 16;
/**
 * Every token reads all weights. So many bytes cost a few seconds; a model of which they hold fewer than MIN_STEPS tokens gets these, whose
 * share of its numeric diff does not grow with its size (docs/generation.md).
 */
const BUDGET_BYTES = 2 * 2 ** 30;
const MIN_STEPS = 8;
/** Weights up to here stay in memory between two tokens. */
const KEPT_BYTES = 256 * 2 ** 20;
/** Weights that go to a program go through files, both ways of the bus. */
const COMMAND_FACTOR = 4;

/** A text is far from what the oracle would write where its tokens are on average less than half as likely as the oracle's first choices. */
const FAR_NATS = Math.LN2;
const FAR_STANDARD_ERRORS = 2;
/** A loop: the end of a text is the same tokens three times over, 8 tokens at least. */
const LOOP_REPEATS = 3;
const LOOP_TOKENS = 8;

export interface GenerationOptions extends SiteContext {
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly prompts: readonly (readonly number[])[];
  readonly max_new_tokens: number;
  readonly fused: FusedModel;
  /** Logit noise of the valid recipes: the median over the positions of the prompts. */
  readonly noise: number;
  readonly decisive_margin: number;
}

/**
 * Writes and reads the texts.
 * @returns one entry per prompt; none for prompts that fill all positions of the model
 * @throws ModelError for damaged weights; what a kernel does wrong is in its entry
 */
export async function generate(options: GenerationOptions): Promise<Generation[]> {
  const { program, prompts, fused, config } = options;
  const bytes = weightBytes(options, program);
  const plan = planOf(bytes.step, fused.kind, options.max_new_tokens);
  const context: SiteContext = {
    program,
    dtype: options.dtype,
    runner: options.runner,
    checkpoint: bytes.all <= KEPT_BYTES ? inMemory(options.checkpoint) : options.checkpoint,
  };
  const tasks = prompts.slice(0, plan.prompts).flatMap((prompt): Task[] => {
    const tokens = Math.min(plan.tokens, roomAfter(program, prompt));
    return tokens === 0 ? [] : [{ prompt, start: [], tokens, ends: endTokens(config) }];
  });
  const fusedTexts = await writeFused(context, fused, tasks);
  const fusedViews = await views(context, tasks, fusedTexts, [eager(options.dtype)]);
  const standardTexts = await standardOf(context, tasks, fusedTexts, fusedViews);
  const others = await views(
    context,
    tasks,
    standardTexts.map((text, i) => (text === fusedTexts[i] ? NOTHING : text)),
  );
  return tasks.map((task, i) => {
    const fusedText = { ...(fusedTexts[i] as Written), views: fusedViews[i] as OracleView[] };
    const same = standardTexts[i] === fusedTexts[i];
    const standard = same ? fusedText : { ...(standardTexts[i] as Written), views: others[i] as OracleView[] };
    return entryOf(task, standard, fusedText, options);
  });
}

const NOTHING: Written = { ids: [], stopped: null };

/** Written, and read by the oracle. */
interface ReadText extends Written {
  readonly views: readonly OracleView[];
}

/** What the oracle makes of each text, in one pass; nothing of a text without tokens. */
async function views(
  context: SiteContext,
  tasks: readonly Task[],
  texts: readonly Written[],
  recipes: readonly Recipe[] = [],
): Promise<OracleView[][]> {
  const all = texts.map(({ ids }, i): Text => ({ prompt: (tasks[i] as Task).prompt, ids }));
  const read = await readTexts(
    context,
    all.filter(({ ids }) => ids.length > 0),
    recipes,
  );
  return all.map(({ ids }) => (ids.length === 0 ? [] : (read.shift() as OracleView[])));
}

/**
 * The standard texts. As far as eager would have chosen the tokens of the fused text too, it need not write them once more: one pass over all of
 * them tells, where writing takes a pass for each. From the first other choice on it writes by itself.
 */
async function standardOf(
  context: SiteContext,
  tasks: readonly Task[],
  fused: readonly Written[],
  read: readonly (readonly OracleView[])[],
): Promise<Written[]> {
  const starts = fused.map(({ ids, stopped }, i): readonly number[] | null => {
    const chosen = (read[i] as readonly OracleView[]).map(({ choices }) => choices[0] as number);
    const parted = chosen.findIndex((id, t) => id !== ids[t]);
    // Where eager's logits are not finite it chooses nothing, and what writes on by itself will see it.
    if (parted >= 0) return chosen.slice(0, chosen[parted] === -1 ? parted : parted + 1);
    return stopped === null ? null : ids;
  });
  const open = starts.flatMap((start, i) => (start === null ? [] : [{ ...(tasks[i] as Task), start }]));
  const texts = await writeStandard(context, open);
  return fused.map((text, i) => (starts[i] === null ? text : (texts.shift() as Written)));
}

/** Tokens that the model has positions for. */
export function roomAfter({ max_position_embeddings }: Program, prompt: readonly number[]): number {
  return Math.max(0, max_position_embeddings - prompt.length);
}

/** `eos_token_id` of config.json: a number, a list, or nothing. */
export function endTokens({ eos_token_id: ends }: Readonly<Record<string, unknown>>): ReadonlySet<number> {
  return new Set((Array.isArray(ends) ? ends : [ends]).filter((id): id is number => typeof id === 'number'));
}

function weightBytes({ checkpoint, fused }: GenerationOptions, program: Program): { all: number; step: number } {
  const names = new Set(program.ops.flatMap(({ weights }) => Object.values(weights).map(({ tensor }) => tensor)));
  const all = sum([...names], (name) => sizeOf(checkpoint, name));
  const placements: readonly Placement<Kernel>[] = fused.kind === 'sites' ? fused.placements : [];
  const sent = sum(placements, ({ kernel, site }) => {
    const given = sum([...site.weights.values()].flat(), ({ tensor }) => sizeOf(checkpoint, tensor));
    return given * (kernel.backend === 'command' ? COMMAND_FACTOR : 1);
  });
  return { all, step: all + sent };
}

function sizeOf(checkpoint: Checkpoint, tensor: string): number {
  return checkpoint.tensors.get(tensor)?.byteLength ?? 0;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

/**
 * How many prompts and tokens: by size, never by the clock, so that two runs write the same.
 * @param bytes that one token of one text reads
 * @param most tokens of each text
 */
export function planOf(bytes: number, kind: FusedModel['kind'], most: number): { prompts: number; tokens: number } {
  // A kernel that is a whole model computes all tokens anew for each, in a time that nobody knows.
  const limit = kind === 'model' ? MIN_STEPS : PROMPTS * most;
  const steps = Math.min(limit, Math.max(MIN_STEPS, Math.floor(BUDGET_BYTES / bytes)));
  const prompts = steps > most ? PROMPTS : 1;
  return { prompts, tokens: Math.min(most, Math.floor(steps / prompts)) };
}

function entryOf({ prompt, tokens }: Task, standard: ReadText, fused: ReadText, { noise, decisive_margin }: GenerationOptions): Generation {
  const decisive = decisive_margin * noise;
  const position = divergenceOf(standard.ids, fused.ids);
  const below = ({ views: of }: ReadText, at: number) => (of[at] as OracleView).below_best;
  const margin = position === null ? 0 : Math.abs(below(standard, position) - below(fused, position));
  const loops = { standard: isLoop(standard.ids), fused: isLoop(fused.ids) };
  const astray = fused.views.some(({ below_best }) => below_best > decisive);
  const average = (of: ReadText, what: 'nll' | 'below_best') => finite(mean(of.views.map((view) => view[what])));
  return {
    prompt: idsText(prompt),
    tokens,
    text_standard: idsText(standard.ids),
    text_fused: idsText(fused.ids),
    ids_prompt: [...prompt],
    ids_standard: [...standard.ids],
    ids_fused: [...fused.ids],
    first_divergence: position === null ? null : { position, near_tie: margin <= decisive, margin },
    loops,
    nll_standard: average(standard, 'nll'),
    nll_fused: average(fused, 'nll'),
    excess_standard: average(standard, 'below_best'),
    excess_fused: average(fused, 'below_best'),
    ...judge(standard, fused, loops.fused && !loops.standard && astray),
  };
}

/** Where two texts first differ; null where one is the start of the other. */
function divergenceOf(a: readonly number[], b: readonly number[]): number | null {
  const at = a.findIndex((id, i) => i < b.length && id !== b[i]);
  return at < 0 ? null : at;
}

/** @param lost whether the fused text runs into a loop of its own, after a token that the oracle would not choose */
function judge(standard: ReadText, fused: ReadText, lost: boolean): { coherent: boolean | null; detail: string | null } {
  if (standard.stopped !== null) return { coherent: null, detail: `the standard text ends after ${after(standard)}` };
  if (standard.views.some(({ nll }) => Number.isNaN(nll))) return { coherent: null, detail: 'logits of the oracle are NaN or infinite' };
  if (fused.stopped !== null)
    return { coherent: fused.stopped.non_finite ? false : null, detail: `the fused text ends after ${after(fused)}` };
  const [own, other] = [fused, standard].map((text) => text.views.map(({ below_best }) => below_best)) as [number[], number[]];
  const excess = mean(own) - mean(other);
  const far = excess > FAR_NATS && excess > FAR_STANDARD_ERRORS * Math.hypot(standardError(own), standardError(other));
  if (far) {
    const times = Math.exp(excess).toPrecision(2);
    return { coherent: false, detail: `to the oracle its tokens are ${times} times less likely than the best ones, in the geometric mean` };
  }
  if (lost)
    return {
      coherent: false,
      detail: 'it runs into a loop that the standard text has not, after a token that the oracle would not choose',
    };
  return { coherent: true, detail: null };
}

function after({ ids, stopped }: Written): string {
  return `${ids.length} tokens: ${stopped?.why ?? ''}`;
}

function isLoop(ids: readonly number[]): boolean {
  for (let period = 1; period * LOOP_REPEATS <= ids.length; period++) {
    const length = Math.max(period * LOOP_REPEATS, LOOP_TOKENS);
    const tail = ids.slice(-length);
    if (tail.length === length && tail.every((id, i) => i < period || id === tail[i - period])) return true;
  }
  return false;
}

function mean(values: readonly number[]): number {
  return sum(values, (value) => value) / values.length;
}

function standardError(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(sum(values, (value) => (value - middle) ** 2) / Math.max(1, values.length - 1) / values.length);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Token ids as text, until someone has a tokenizer. */
function idsText(ids: readonly number[]): string {
  return ids.join(' ');
}
