// Kernels that write text themselves (op `generate`): called with each prompt's tokens, every token that they wrote laid before the oracle.
// Never a test of equality: where the oracle's choice is a near tie, any of the tied tokens is right.

import { resolve } from 'node:path';
import type { Program } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import { KernelError, type Kernel } from '../kernels/kernel.js';
import { besideProgram } from '../kernels/sites.js';
import type { Recipe } from '../reference/recipes.js';
import type { ModelLevel } from '../report/types.js';
import { endTokens, MAX_NEW_TOKENS, PROMPTS, roomAfter } from './generation.js';
import type { KernelRecord } from './kernel-level.js';
import type { OracleView } from './logits-meter.js';
import type { Timed } from './performance.js';
import { readTexts } from './read-text.js';
import type { SiteContext } from './site.js';

export interface GeneratorOptions extends SiteContext {
  /** Path of the checkpoint's folder. */
  readonly model: string;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly prompts: readonly (readonly number[])[];
  readonly recipes: readonly Recipe[];
  readonly limits: NumericThresholds;
}

export interface Generator {
  readonly kernel: Kernel;
  readonly level: ModelLevel;
  /** What it is timed with. */
  readonly call: Pick<Timed, 'site' | 'inputs'>;
  /** Its texts, one per prompt that was given to it; null where it gave none. */
  readonly texts: readonly (readonly number[])[] | null;
}

export function isGenerator({ op }: Kernel): boolean {
  return op === 'generate';
}

const SITE = besideProgram('generate');

/** Calls a kernel and judges its texts. What it does wrong is in its record and its level. */
export async function judgeGenerator(options: GeneratorOptions, kernel: Kernel, record: KernelRecord): Promise<Generator> {
  const prompts = options.prompts.filter((prompt) => roomAfter(options.program, prompt) > 0).slice(0, PROMPTS);
  const calls = prompts.map((prompt) => callOf(options, prompt));
  const [first = callOf(options, options.prompts[0] ?? [])] = calls;
  const outcome = (level: ModelLevel, texts: Generator['texts']): Generator => {
    if (texts !== null) record.conclude({ level: level.status, detail: level.status === 'pass' ? null : level.detail }, SITE);
    return { kernel, level, call: first, texts };
  };
  try {
    if (prompts.length === 0) throw new KernelError('every prompt fills all positions of the model; give shorter prompts');
    const texts: number[][] = [];
    for (const [i, { site, inputs }] of calls.entries()) {
      const answer = await kernel.run({ inputs, attributes: site.attributes, dtype: options.dtype, variant: 'fused', repeat: 1 });
      record.violate(SITE, answer.violations);
      const output = Array.from(answer.outputs['output_ids']?.data ?? []);
      texts.push(checkText(output, `prompt ${i + 1}`, options.program, Number(site.attributes['max_new_tokens'])));
    }
    return outcome(await judgeTexts(options, prompts, texts), texts);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    record.fail(SITE, error.message);
    return outcome({ ...levelOf(options, []), status: 'inconclusive', detail: `${kernel.name}: ${error.message}` }, null);
  }
}

function callOf({ model, program }: GeneratorOptions, prompt: readonly number[]): Pick<Timed, 'site' | 'inputs'> {
  const attributes = { model_path: resolve(model), max_new_tokens: Math.min(MAX_NEW_TOKENS, roomAfter(program, prompt)) };
  return { site: { ...SITE, attributes }, inputs: { input_ids: { data: Int32Array.from(prompt), shape: [prompt.length] } } };
}

/** @throws KernelError for output that is no text of this model */
function checkText(ids: readonly number[], prompt: string, { vocab_size }: Program, most: number): number[] {
  if (ids.length === 0) throw new KernelError(`${prompt}: output_ids is empty; it holds the new tokens, one at least`);
  if (ids.length > most) {
    throw new KernelError(`${prompt}: output_ids has ${ids.length} tokens, more than max_new_tokens ${most}; it holds the new tokens only`);
  }
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab_size);
  if (wrong !== undefined) throw new KernelError(`${prompt}: output_ids holds ${wrong}; ids go from 0 to ${vocab_size - 1}`);
  return [...ids];
}

/** A token that is to be judged, and where it stands. */
interface Token {
  readonly prompt: number;
  readonly position: number;
  /** null: the text ended here. */
  readonly id: number | null;
  readonly view: OracleView;
}

async function judgeTexts(
  options: GeneratorOptions,
  prompts: readonly (readonly number[])[],
  texts: readonly (readonly number[])[],
): Promise<ModelLevel> {
  const { config, program, recipes, limits } = options;
  const ends = endTokens(config);
  const [end = null] = ends;
  // What comes after the end of a text means nothing.
  const told = texts.map((ids) => {
    const at = ids.findIndex((id) => ends.has(id));
    return at < 0 ? ids : ids.slice(0, at + 1);
  });
  const read = await readTexts(
    options,
    told.map((ids, i) => ({ prompt: prompts[i] as readonly number[], ids })),
    recipes,
    end,
  );
  const tokens = told.flatMap((ids, prompt) => {
    const views = read[prompt] as OracleView[];
    const written = ids.map((id, position): Token => ({ prompt, position, id, view: views[position] as OracleView }));
    const early = ids.length < Math.min(MAX_NEW_TOKENS, roomAfter(program, prompts[prompt] as readonly number[]));
    // A text that ends without the token for it: was the end what the oracle would have said?
    if (!early || ends.has(ids.at(-1) as number)) return written;
    if (end === null) throw new KernelError(unexplainedEnd(prompt, ids.length));
    return [...written, { prompt, position: ids.length, id: null, view: views[ids.length] as OracleView }];
  });
  const level = levelOf(options, tokens);
  if (tokens.some(({ view }) => Number.isNaN(view.nll)))
    return { ...level, status: 'inconclusive', detail: 'logits of the oracle are NaN or infinite' };
  if (!tokens.every(({ view }) => Number.isFinite(view.noise)))
    return {
      ...level,
      status: 'inconclusive',
      detail: 'a valid recipe overflows the serving dtype, so it is not known what a near tie is',
    };
  const wrong = tokens.filter((token) => isDecisive(token, limits));
  const [first] = wrong;
  if (first === undefined) return { ...level, status: 'pass', detail: null };
  return { ...level, status: 'fail', detail: wordsOf(first, wrong.length, limits) };
}

function unexplainedEnd(prompt: number, tokens: number): string {
  return `prompt ${prompt + 1}: it ends after ${tokens} tokens, and config.json names no eos_token_id to end with`;
}

/** Whether another token comes first for the oracle by more than correct implementations could be wrong about. */
function isDecisive({ view }: Token, { decisive_margin }: NumericThresholds): boolean {
  return view.below_best > decisive_margin * view.noise;
}

function wordsOf({ prompt, position, id, view }: Token, count: number, { decisive_margin }: NumericThresholds): string {
  const wrote = id === null ? 'the text ends' : `it wrote ${id}`;
  const others = count === 1 ? '' : `; ${count} tokens are decisively others than the oracle's`;
  return (
    `prompt ${prompt + 1}, new token ${position + 1}: ${wrote} where the oracle's choice is ${view.best}, by a margin of ` +
    `${view.below_best.toPrecision(3)}, over ${decisive_margin} times the logit noise ${view.noise.toPrecision(2)}${others}`
  );
}

/** The figures of the model level that texts can give; there are no logits to compare. */
function levelOf({ recipes, limits }: GeneratorOptions, tokens: readonly Token[]): ModelLevel {
  const nll = tokens.reduce((sum, { view }) => sum + view.nll, 0) / tokens.length;
  const perplexity = Math.exp(nll);
  const first = tokens.filter(({ view }) => view.below_best === 0).length;
  return {
    status: 'inconclusive',
    detail: null,
    kl_fused: null,
    kl_floor: null,
    kl_ratio: null,
    kl_recipes: Object.fromEntries(recipes.map(({ name }) => [name, null])),
    top1_agreement: tokens.length === 0 ? null : first / tokens.length,
    decisive_flips: tokens.length === 0 ? null : tokens.filter((token) => isDecisive(token, limits)).length,
    positions: tokens.length,
    perplexity: { oracle: Number.isFinite(perplexity) ? perplexity : null, eager: null, fused: null },
    amplification: null,
    amplification_curve: [],
    sensitivity: null,
    first_layer_above_floor: null,
    responsible: null,
    layers: [],
  };
}
