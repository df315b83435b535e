// Canaries: known faults planted into the reference's own output at one site of each op. Criteria that let one of them pass say nothing about
// a kernel (docs/report.md). What that means for the verdict is src/verdict's.

import type { Op } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import type { Site } from '../kernels/sites.js';
import { rows, type NdArray } from '../reference/ndarray.js';
import type { Recipe } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import { roundToServing } from '../reference/served-weights.js';
import type { Canary, ModelLevel, ServingDtype } from '../report/types.js';
import { judgeMeasure, place } from './kernel-level.js';
import { measure, type Yardstick } from './measure.js';
import { runSite, type SiteContext, type Tensors } from './site.js';

export interface CanaryContext extends SiteContext {
  /** Valid recipes, eager first. */
  readonly recipes: readonly Recipe[];
  readonly sequence: Sequence;
  readonly limits: NumericThresholds;
}

/** What the reference gives at the site. */
export interface KnownOutputs {
  readonly eager: Tensors;
  /** What answers are measured against, by output. */
  readonly yardsticks: Readonly<Record<string, Yardstick>>;
}

/** A canary before it is known which kernel it stands beside. */
export type PlantedCanary = Omit<Canary, 'kernel'>;

interface Mutant {
  readonly name: string;
  /** The fault in words: `its last 4 rows left at 0`. */
  readonly words: string;
  readonly outputs: Tensors;
  /** Relative RMS change of an output from which on the fault is one: below it, this data hides it from everybody. */
  readonly least: number;
  /** Elements of an output from which on the fault must be seen. */
  readonly elements: number;
}

const SCALE = 1.01;
/** Part of the rows that a dropped tail has. */
const TAIL = 16;
/**
 * A fault that depends on the data (a mask with nothing to hide, a layout at position 0, a tail of small rows beside massive ones) must change an
 * output by this much to count. Not a multiple of the noise floor: a floor that is too high is what canaries are there to find.
 */
const LEAST_CHANGE = 0.05;
/**
 * One percent is over six standard errors in every correct 16-bit output of this many elements: with errors of 0.43 % of the RMS (measured: the largest is 0.5 %)
 * relative errors deviate by 3.6 times that, small elements included, and six standard errors are half a percent at 345. Below, `smallest_scale_error` says what is seen.
 */
const ENOUGH_FOR_SCALE = 512;

/**
 * Plants the faults that apply to the site's op and judges each as a kernel would be.
 * @param inputs eager's inputs of the site, without weights
 * @returns those that change the output on this data at all
 */
export async function plantCanaries(context: CanaryContext, site: Site, inputs: Tensors, known: KnownOutputs): Promise<PlantedCanary[]> {
  const { eager } = known;
  const canaries: PlantedCanary[] = [];
  // One at a time: a mutant is as large as the site's output.
  for (const make of [
    () => [zeros(eager)],
    () => staleOutput(eager, context.sequence),
    () => [scaledOutput(eager, context.dtype)],
    () => [droppedTail(eager)],
    () => wrongEps(context, site, inputs),
    () => otherAttributes(context, site, inputs, 'attention', 'no_causal_mask', 'the causal mask left out', { causal: false, window: 0 }),
    () => otherAttributes(context, site, inputs, 'rope', 'swapped_rope_layout', 'elements paired by the other RoPE layout', SWAPPED_LAYOUT),
  ]) {
    for (const mutant of await make()) {
      const judged = judgeMutant(context, site, mutant, known);
      if (judged !== null) canaries.push(judged);
    }
  }
  return canaries;
}

/** By the criteria of the kernels; caught when every output that the fault changes fails. Null: it changes none. */
function judgeMutant({ dtype, limits }: CanaryContext, site: Site, mutant: Mutant, known: KnownOutputs): PlantedCanary | null {
  const { eager } = known;
  const { name } = mutant;
  const where = `${place(site)}, ${mutant.words}`;
  let caught: PlantedCanary | null = null;
  for (const [output, array] of Object.entries(mutant.outputs)) {
    const change = relativeChange(array.data, (eager[output] as NdArray).data);
    if (change === 0 || change < mutant.least || array.data.length < mutant.elements) continue;
    const measured = measure(array.data as Float32Array, known.yardsticks[output] as Yardstick);
    const { level, by, detail } = judgeMeasure(measured, dtype, limits);
    if (level !== 'fail') {
      const noise = measured.rms_oracle === 0 ? '' : ` while the noise floor is ${share(measured.rms_floor / measured.rms_oracle)}`;
      return { name, caught: false, by: null, detail: `${where}: changes output ${output} by ${share(change)}${noise}` };
    }
    caught ??= { name, caught: true, by, detail: `${where}: ${detail ?? ''}` };
  }
  return caught;
}

/** RMS of the difference over RMS; 0 where nothing is there to be changed. Anything that is not a number is a change. */
function relativeChange(data: NdArray['data'], eager: NdArray['data']): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < eager.length; i++) {
    const expected = eager[i] as number;
    difference += ((data[i] as number) - expected) ** 2;
    size += expected * expected;
  }
  const change = Math.sqrt(difference / size);
  return difference === 0 ? 0 : Number.isNaN(change) ? Infinity : change;
}

function share(value: number): string {
  return `${Number((value * 100).toPrecision(2))} %`;
}

function mapped(tensors: Tensors, change: (array: NdArray) => Float32Array): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, { data: change(array), shape: array.shape }]));
}

function countRows(tensors: Tensors): number {
  return Object.values(tensors)[0]?.shape[0] ?? 0;
}

function zeros(eager: Tensors): Mutant {
  return {
    name: 'zeros',
    words: 'all outputs 0',
    outputs: mapped(eager, ({ data }) => new Float32Array(data.length)),
    least: 0,
    elements: 0,
  };
}

/** What a kernel gives that answers with what it computed for another prompt: rows move on by one prompt, or by half of the only one. */
function staleOutput(eager: Tensors, { segments }: Sequence): Mutant[] {
  const count = countRows(eager);
  if (count < 2) return [];
  const shift = segments.length > 1 ? (segments[0]?.end ?? 0) : count >> 1;
  const moved = ({ data, shape }: NdArray) => {
    const out = new Float32Array(data.length);
    const width = data.length / count;
    out.set(rows({ data, shape }, shift, count).data, 0);
    out.set(rows({ data, shape }, 0, shift).data, (count - shift) * width);
    return out;
  };
  return [{ name: 'stale_output', words: "other tokens' outputs", outputs: mapped(eager, moved), least: LEAST_CHANGE, elements: 0 }];
}

function scaledOutput(eager: Tensors, dtype: ServingDtype): Mutant {
  const scaled = ({ data }: NdArray) =>
    roundToServing(
      Float32Array.from(data, (value) => value * SCALE),
      dtype,
    );
  return {
    name: 'scale_1_percent',
    words: `all outputs times ${SCALE}`,
    outputs: mapped(eager, scaled),
    least: 0,
    elements: ENOUGH_FOR_SCALE,
  };
}

function droppedTail(eager: Tensors): Mutant {
  const count = countRows(eager);
  const tail = Math.max(1, Math.floor(count / TAIL));
  const dropped = ({ data }: NdArray) => Float32Array.from(data).fill(0, (data.length / count) * (count - tail));
  const words = tail === 1 ? 'the last row left at 0' : `the last ${tail} rows left at 0`;
  return { name: 'dropped_tail', words, outputs: mapped(eager, dropped), least: LEAST_CHANGE, elements: 0 };
}

const NORMS: ReadonlySet<string> = new Set(['rms_norm', 'qk_norm']);

/**
 * The first norm of the site with an eps as large as the mean square of what it normalises. A factor of ten would often change nothing (an eps of
 * 1e-5 in place of 1e-6 beside a mean square of 1): whether a small one matters, the probe `tiny_magnitudes` says.
 */
async function wrongEps(context: CanaryContext, site: Site, inputs: Tensors): Promise<Mutant[]> {
  const { program } = context;
  const index = indexOf(context, site, (op) => NORMS.has(op));
  if (index === null) return [];
  const op = program.ops[index] as Op;
  // What comes before the norm within the site, which may be nothing.
  const before: Site = { ...site, end: index - 1, outputs: new Map(Object.entries(op.inputs)) };
  const given = await runSite(context, before, context.recipes[0] as Recipe, inputs, context.sequence);
  const eps = Math.max(...Object.values(given).map(({ data }) => meanSquare(data)));
  if (!(eps > 0) || !Number.isFinite(eps)) return [];
  const words = `eps ${eps.toPrecision(2)} for ${String(op.attributes['eps'])}`;
  return [
    { name: 'wrong_eps', words, outputs: await withAttributes(context, site, inputs, index, { eps }), least: LEAST_CHANGE, elements: 0 },
  ];
}

function meanSquare(data: NdArray['data']): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return sum / Math.max(1, data.length);
}

type Attributes = Op['attributes'];

const SWAPPED_LAYOUT = ({ layout }: Attributes): Attributes => ({ layout: layout === 'half' ? 'interleaved' : 'half' });

/** The site by eager, but for other attributes of its first op of that kind. */
async function otherAttributes(
  context: CanaryContext,
  site: Site,
  inputs: Tensors,
  kind: Op['op'],
  name: string,
  words: string,
  change: Attributes | ((given: Attributes) => Attributes),
): Promise<Mutant[]> {
  const index = indexOf(context, site, (op) => op === kind);
  if (index === null) return [];
  const changes = typeof change === 'function' ? change((context.program.ops[index] as Op).attributes) : change;
  return [{ name, words, outputs: await withAttributes(context, site, inputs, index, changes), least: LEAST_CHANGE, elements: 0 }];
}

/** The first op of the site of some kind. */
function indexOf({ program }: CanaryContext, { start, end }: Site, wanted: (op: Op['op']) => boolean): number | null {
  const found = program.ops.slice(start, end + 1).findIndex(({ op }) => wanted(op));
  return found < 0 ? null : start + found;
}

function withAttributes(context: CanaryContext, site: Site, inputs: Tensors, index: number, changes: Attributes): Promise<Tensors> {
  const ops = context.program.ops.map((op, i) => (i === index ? { ...op, attributes: { ...op.attributes, ...changes } } : op));
  const changed = { ...context, program: { ...context.program, ops } };
  return runSite(changed, site, context.recipes[0] as Recipe, inputs, context.sequence);
}

/** Logits that nobody wrote, beside those of the lanes. */
export function zeroLogits(blocks: readonly NdArray[]): NdArray {
  const { data, shape } = blocks[0] as NdArray;
  return { data: new Float32Array(data.length), shape };
}

export interface WatchedModel {
  readonly canaries: readonly Canary[];
  /** The level, or inconclusive where its criteria let the canary pass. */
  judged(level: ModelLevel): ModelLevel;
}

/**
 * The canary of the model level: logits of 0 everywhere, which cost one lane of the comparison and no further walk. They pass where the noise of
 * correct implementations is as large as everything the model says.
 * @param level what the criteria made of them; inconclusive where there is no noise floor, which is the model level's own finding
 */
export function modelCanary(level: ModelLevel): WatchedModel {
  if (level.status === 'inconclusive') return { canaries: [], judged: (given) => given };
  const caught = level.status === 'fail';
  const ratio = `kl_ratio ${level.kl_ratio?.toPrecision(3) ?? 'not finite'}`;
  const detail = `all logits 0: ${level.detail ?? ratio}`;
  const by = caught ? ((level.decisive_flips ?? 0) > 0 ? 'decisive_flips' : 'kl_ratio') : null;
  return {
    canaries: [{ kernel: null, name: 'zeros', caught, by, detail }],
    judged(given) {
      if (caught || given.status === 'fail') return given;
      return { ...given, status: 'inconclusive', detail: `canary zeros was not caught: ${detail}` };
    },
  };
}
