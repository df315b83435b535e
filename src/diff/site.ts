// One site at a time: its inputs, the kernel's call on them, and what a recipe of the reference makes of the same inputs.

import type { Op, Program, WeightRef } from '../architectures/program.js';
import type { Kernel, Variant, Violation } from '../kernels/kernel.js';
import type { Site } from '../kernels/sites.js';
import type { Keeper } from '../reference/keeper.js';
import { joinRows, type NdArray } from '../reference/ndarray.js';
import type { OpRunner } from '../reference/op-runner.js';
import { leaving, type Recipe } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import { wholeWeight } from '../reference/served-weights.js';
import { matrices, perSegment, runOp, type Lane } from '../reference/walk.js';
import type { ServingDtype } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';

export interface SiteContext {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  readonly dtype: ServingDtype;
  readonly runner: OpRunner;
  /** Weights that were read before, by tensor name, where a site is run again and again. */
  readonly weights?: Map<string, Promise<NdArray>>;
  /** Has what the reference made in earlier runs; default: there is none. */
  readonly keeper?: Keeper | null;
  /** What is done otherwise than the program says, to see whether a kernel does it so. */
  readonly change?: Change;
}

/** How an op is to be run. */
export interface OpCall {
  readonly recipe: Recipe;
  readonly sequence: Sequence;
  run(op: Op, inputs: Tensors): Promise<Tensors>;
  weight(ref: WeightRef): Promise<NdArray>;
}

/**
 * Does an op otherwise, or as it is. The inputs hold its weights too, but for matrix products.
 * @returns outputs by contract name
 */
export type Change = (op: Op, inputs: Tensors, call: OpCall) => Promise<Tensors>;

/** Contract tensors by name. */
export type Tensors = Readonly<Record<string, NdArray>>;

/** What a lane has for the inputs of a site, without the weights. x is [T, features]: o_proj's comes out of attention as [T, heads, head_dim]. */
export function laneInputs(site: Site, lane: Lane): Record<string, NdArray> {
  const inputs: Record<string, NdArray> = {};
  for (const [name, value] of site.inputs) {
    const array = lane.values.get(value) as NdArray;
    const tokens = array.shape[0] as number;
    inputs[name] = name === 'x' ? { data: array.data, shape: [tokens, array.data.length / tokens] } : array;
  }
  return inputs;
}

function weightOf({ checkpoint, dtype, weights }: SiteContext, ref: WeightRef): Promise<NdArray> {
  const key = `${ref.tensor} ${ref.rows?.start ?? 'whole'}`;
  const weight = weights?.get(key) ?? wholeWeight(checkpoint, ref, dtype);
  weights?.set(key, weight);
  return weight;
}

/** The weights of a site as the serving dtype holds them. */
export async function siteWeights(context: SiteContext, site: Site): Promise<Record<string, NdArray>> {
  const weights: Record<string, NdArray> = {};
  for (const [name, refs] of site.weights) weights[name] = joinRows(await Promise.all(refs.map((ref) => weightOf(context, ref))));
  return weights;
}

/** How a contract names the values of the program: part of what its results are kept under. */
export function namesOf({ op, inputs, outputs }: Site): Record<string, unknown> {
  return { contract: op, inputs: [...inputs], outputs: [...outputs] };
}

/** Outputs of a site by contract name, as a lane has them. */
export function laneOutputs(site: Site, lane: Lane): Record<string, NdArray> {
  return Object.fromEntries([...site.outputs].map(([name, value]) => [name, lane.values.get(value) as NdArray]));
}

export interface Called {
  readonly outputs: Record<string, NdArray>;
  readonly violations: readonly Violation[];
}

/**
 * Calls a kernel for all tokens: at once, or prompt by prompt where tokens see each other.
 * @param inputs weights included
 * @throws KernelError
 */
export async function callKernel(
  { dtype }: Pick<SiteContext, 'dtype'>,
  kernel: Kernel,
  site: Site,
  inputs: Tensors,
  sequence: Sequence,
  variant: Variant = 'fused',
): Promise<Called> {
  const violations: Violation[] = [];
  const call = async (part: Tensors) => {
    const answer = await kernel.run({ inputs: part, attributes: site.attributes, dtype, variant, repeat: 1 });
    violations.push(...answer.violations);
    return answer.outputs;
  };
  if (!seesOtherTokens(site)) return { outputs: await call(inputs), violations };
  // Weights have no rows of tokens.
  const weights = Object.fromEntries(Object.entries(inputs).filter(([name]) => site.weights.has(name)));
  const tokens = Object.fromEntries(Object.entries(inputs).filter(([name]) => !site.weights.has(name)));
  const outputs = await perSegment(sequence, tokens, (part) => call({ ...part, ...weights }));
  return { outputs, violations };
}

/** Whether a token's result depends on the tokens before it. */
export function seesOtherTokens(site: Site): boolean {
  return site.op === 'attention' || site.op === 'decoder_layer';
}

/**
 * Runs the ops of a site by a recipe. A contract takes and gives values of the serving dtype, whatever the recipe keeps between contracts.
 * @param inputs the contract's tensors without the weights, float32
 * @returns the site's outputs by contract name; float64 for the oracle
 */
export async function runSite(
  context: SiteContext,
  site: Site,
  recipe: Recipe,
  inputs: Tensors,
  sequence: Sequence,
): Promise<Record<string, NdArray>> {
  const own = leaving(recipe);
  const values = new Map<string, NdArray>();
  for (const [name, value] of site.inputs) values.set(value, inRecipe(inputs[name] as NdArray, recipe, value));
  for (let index = site.start; index <= site.end; index++) {
    const op = context.program.ops[index] as Op;
    const given: Record<string, NdArray> = {};
    for (const [name, value] of Object.entries(op.inputs)) given[name] = values.get(value) as NdArray;
    const outputs = await runStep(context, op, own, given, sequence);
    for (const [name, value] of Object.entries(op.outputs)) values.set(value, outputs[name] as NdArray);
  }
  return Object.fromEntries([...site.outputs].map(([name, value]) => [name, values.get(value) as NdArray]));
}

/** Values as the recipe's graphs take them: float64 for the oracle, but cos and sin always float32. */
function inRecipe(array: NdArray, recipe: Recipe, name: string): NdArray {
  if (recipe.compute === 'float32' || name.startsWith('cos:') || name.startsWith('sin:')) return array;
  return { data: Float64Array.from(array.data), shape: array.shape };
}

/** One op of the program by a recipe, or what the context's change makes of it. */
export async function runStep(context: SiteContext, op: Op, recipe: Recipe, given: Tensors, sequence: Sequence): Promise<Tensors> {
  const run = (each: Op, inputs: Tensors): Promise<Tensors> =>
    isProduct(each) ? linears(context, each, recipe, inputs) : runOp(context.runner, each, recipe, inputs, sequence);
  const inputs: Record<string, NdArray> = { ...given };
  if (!isProduct(op)) for (const [name, ref] of Object.entries(op.weights)) inputs[name] = await weightOf(context, ref);
  const weight = (ref: WeightRef) => weightOf(context, ref);
  return context.change === undefined ? run(op, inputs) : context.change(op, inputs, { recipe, sequence, run, weight });
}

function isProduct({ op }: Op): boolean {
  return op === 'linear' || op === 'qkv';
}

async function linears(context: SiteContext, op: Op, recipe: Recipe, inputs: Tensors): Promise<Record<string, NdArray>> {
  const outputs: Record<string, NdArray> = {};
  const x = inputs['x'] as NdArray;
  for (const { tensor, ref, bias, shape } of matrices(op)) {
    const data = (await weightOf(context, ref)).data as Float32Array;
    const added = bias === undefined ? null : ((await weightOf(context, bias)).data as Float32Array);
    const y = await context.runner.linear(recipe, x, { form: 'float32', data, shape: [ref.shape[0] ?? 1, ref.shape[1] ?? 1] }, added);
    outputs[tensor] = { data: y.data, shape: shape(x.shape[0] ?? 0) };
  }
  return outputs;
}
