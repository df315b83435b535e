// Names the cause of a fault: the site of a kernel that fails is run again with one change at a time, and a cause is named when the changed
// reference gives the kernel's output at every site looked at while the unchanged one does not. What can be changed is hypotheses.ts's.

import type { NumericThresholds } from '../config/types.js';
import { KernelError, type Kernel, type Variant } from '../kernels/kernel.js';
import type { Site } from '../kernels/sites.js';
import { joinRows, rows, type NdArray } from '../reference/ndarray.js';
import { distinctRecipes, eager, ORACLE, validRecipes } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import type { Cause } from '../report/types.js';
import { accuracyRatio, judgeMeasure, place } from './kernel-level.js';
import { hypotheses } from './hypotheses.js';
import type { Hypothesis, Subject } from './hypothesis.js';
import { measure, yardstickOf, type Measure } from './measure.js';
import { callKernel, runSite, siteWeights, type Change, type SiteContext, type Tensors } from './site.js';

/** A site at which a kernel leaves the reference. */
interface Suspect {
  readonly site: Site;
  /** The contract's tensors without the weights. */
  readonly inputs: Tensors;
  readonly ratio: number;
}

export interface Suspects {
  /** Notes a site that warns or fails. */
  note(kernel: Kernel, variant: Variant, suspect: Suspect): void;
  /** The worst site of each kernel and variant, and one more where there is one. */
  all(): { kernel: Kernel; variant: Variant; sites: readonly Suspect[] }[];
}

/** Keeps the inputs of two sites per kernel and variant at most. */
export function suspectList(): Suspects {
  const found = new Map<string, { kernel: Kernel; variant: Variant; sites: Suspect[] }>();
  return {
    note(kernel, variant, suspect) {
      const key = `${variant} ${kernel.name}`;
      const entry = found.get(key) ?? { kernel, variant, sites: [] };
      found.set(key, entry);
      const known = entry.sites.find(({ site }) => site === suspect.site);
      const worse = known !== undefined && known.ratio > suspect.ratio ? known : suspect;
      entry.sites = [...entry.sites.filter((each) => each !== known), worse].sort((a, b) => b.ratio - a.ratio).slice(0, 2);
    },
    all: () => [...found.values()],
  };
}

export interface SearchContext extends SiteContext, Subject {
  readonly sequence: Sequence;
  readonly limits: NumericThresholds;
}

/** Fewer tokens where an op has a matrix product: each hypothesis is run on them several times. */
const TOKENS = { products: 64, others: 256 };
/** Hypotheses that come closest by one recipe; only they are held to the criteria of the gate. */
const CLOSEST = 6;

/** A sum in a narrow accumulator is told from any other small error by its very bits only. */
const SAME_BITS = 0.9;

/** The causes of what was noted; none where nothing, or more than one thing, explains it. */
export async function findCauses(context: SearchContext, suspects: Suspects): Promise<Cause[]> {
  const causes: Cause[] = [];
  for (const { kernel, variant, sites } of suspects.all()) {
    try {
      const cause = await causeAt({ ...context, weights: new Map() }, kernel, variant, sites);
      if (cause !== null) causes.push(cause);
    } catch (error) {
      // A kernel that gives up when it is asked once more is judged already; its cause stays unknown.
      if (!(error instanceof KernelError)) throw error;
    }
  }
  return causes;
}

/** One site with what the kernel gave there. */
interface Observed {
  readonly site: Site;
  readonly inputs: Tensors;
  readonly sequence: Sequence;
  readonly outputs: Tensors;
  /** By the unchanged reference. */
  readonly ratio: number;
}

async function causeAt(context: SearchContext, kernel: Kernel, variant: Variant, sites: readonly Suspect[]): Promise<Cause | null> {
  const observed: Observed[] = [];
  for (const suspect of sites) {
    const seen = await observe(context, kernel, variant, suspect);
    if (seen !== null) observed.push(seen);
  }
  const [first] = observed;
  if (first === undefined) return null;
  const ops = context.program.ops.slice(first.site.start, first.site.end + 1);
  const fits: { hypothesis: Hypothesis; ratios: number[] }[] = [];
  for (const hypothesis of await closest(context, first, hypotheses(context, ops))) {
    const ratios = await explains(context, hypothesis, observed);
    if (ratios !== null) fits.push({ hypothesis, ratios });
  }
  const found = single(fits.map(({ hypothesis, ratios }) => ({ hypothesis, ratios, worst: Math.max(...ratios) })));
  if (found === null) return null;
  const { best, says } = found;
  const evidence = observed.map(({ site, ratio }, i) => ({ place: place(site), ratio: best.ratios[i] as number, instead: ratio }));
  return { kernel: kernel.name, variant, code: best.hypothesis.code, message: `${says}: ${proof('accuracy_ratio', evidence)}` };
}

/** Fits that are this near to the best one are as good. */
const AS_GOOD = 1.1;

/**
 * The best of the hypotheses that fit, in words with those of its kind that fit as well; null when they are of several kinds: then the data do
 * not tell them apart.
 */
export function single<F extends Fit>(fits: readonly F[]): { best: F; says: string } | null {
  const [first] = fits;
  if (first === undefined || fits.some(({ hypothesis }) => hypothesis.code !== first.hypothesis.code)) return null;
  const best = fits.reduce((least, fit) => (fit.worst < least.worst ? fit : least));
  const alike = fits.filter(({ worst }) => worst <= best.worst * AS_GOOD).map(({ hypothesis }) => hypothesis.says);
  const others = [...new Set(alike)].filter((says) => says !== best.hypothesis.says);
  return { best, says: [best.hypothesis.says, ...others].join(', or ') };
}

/** A hypothesis that explains the output, and the largest ratio that is left. */
interface Fit {
  readonly hypothesis: Pick<Hypothesis, 'code' | 'says'>;
  readonly worst: number;
}

/** The numbers behind a cause, in words. */
export function proof(name: string, evidence: readonly { place: string | null; ratio: number; instead: number }[]): string {
  const each = evidence.map(({ place: where, ratio, instead }) => {
    const numbers = `${ratio.toPrecision(2)} instead of ${Number.isFinite(instead) ? Number(instead.toPrecision(3)) : 'NaN'}`;
    return where === null ? numbers : `${numbers} at ${where}`;
  });
  return `with that one change the reference gives its output (${name} ${each.join(', ')})`;
}

/** Calls the kernel again on whole prompts, as many as the bounds allow; null when it does not fail on these. */
async function observe(context: SearchContext, kernel: Kernel, variant: Variant, { site, inputs }: Suspect): Promise<Observed | null> {
  const { sequence, tokens } = somePrompts(context, site, inputs);
  const given = { ...tokens, ...(await siteWeights(context, site)) };
  const { outputs } = await callKernel(context, kernel, site, given, sequence, variant);
  const seen = { site, inputs: tokens, sequence, outputs, ratio: NaN };
  const { level, ratio } = await judged(context, undefined, seen);
  return level === 'pass' ? null : { ...seen, ratio };
}

function somePrompts({ program, sequence }: SearchContext, site: Site, inputs: Tensors): { sequence: Sequence; tokens: Tensors } {
  const products = program.ops.slice(site.start, site.end + 1).some(({ op }) => op === 'linear' || op === 'qkv');
  const segments = longestPrompts(sequence, products ? TOKENS.products : TOKENS.others);
  const tokens = Object.entries(inputs).map(([name, array]): [string, NdArray] => [
    name,
    joinRows(segments.map(({ start, end }) => rows(array, start, end))),
  ]);
  return { sequence: joined(sequence, segments), tokens: Object.fromEntries(tokens) };
}

/** The longest prompts with up to so many tokens together, one at least, in their order. */
export function longestPrompts({ segments }: Sequence, tokens: number): Sequence['segments'] {
  const byLength = [...segments].sort((a, b) => b.end - b.start - (a.end - a.start));
  let left = tokens;
  const chosen = byLength.filter(({ start, end }, i) => {
    const fits = i === 0 || end - start <= left;
    if (fits) left -= end - start;
    return fits;
  });
  return segments.filter((segment) => chosen.includes(segment));
}

/** A sequence of some of the prompts of another. */
export function joined({ ids }: Sequence, segments: Sequence['segments']): Sequence {
  let at = 0;
  return {
    ids: segments.flatMap(({ start, end }) => ids.slice(start, end)),
    segments: segments.map(({ start, end }) => ({ start: at, end: (at += end - start) })),
  };
}

/** The hypotheses whose eager output is closest to the kernel's, closest first. */
async function closest(context: SearchContext, observed: Observed, all: readonly Hypothesis[]): Promise<Hypothesis[]> {
  const { site, inputs, sequence, outputs } = observed;
  const by = (change?: Change) => runSite(changed(context, change), site, eager(context.dtype), inputs, sequence);
  const unchanged = await by();
  const from = (reference: Tensors) =>
    Math.max(...Object.keys(unchanged).map((name) => distance(outputs[name], reference[name], unchanged[name])));
  const limit = from(unchanged);
  const near: { hypothesis: Hypothesis; far: number }[] = [];
  for (const hypothesis of all) {
    const far = from(await by(hypothesis.change));
    if (far < limit || !Number.isFinite(limit)) near.push({ hypothesis, far });
  }
  return near
    .filter(({ far }) => Number.isFinite(far))
    .sort((a, b) => a.far - b.far)
    .slice(0, CLOSEST)
    .map(({ hypothesis }) => hypothesis);
}

function changed(context: SearchContext, change: Change | undefined): SiteContext {
  return change === undefined ? context : { ...context, change };
}

/** RMS of a − b relative to that of the unchanged reference; NaN, too, is far. */
function distance(a: NdArray | undefined, b: NdArray | undefined, unchanged: NdArray | undefined): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < (unchanged?.data.length ?? 0); i++) {
    difference += ((a?.data[i] as number) - (b?.data[i] as number)) ** 2;
    size += (unchanged?.data[i] as number) ** 2;
  }
  return Number.isNaN(difference) ? Infinity : Math.sqrt(difference / (size === 0 ? 1 : size));
}

/** Accuracy ratios against the changed reference at every site; null where one of them does not pass. */
async function explains(context: SearchContext, { code, change }: Hypothesis, observed: readonly Observed[]): Promise<number[] | null> {
  const ratios: number[] = [];
  for (const seen of observed) {
    const { level, ratio, equal } = await judged(context, change, seen);
    if (level !== 'pass' || (code === 'accumulation_dtype' && equal < SAME_BITS)) return null;
    ratios.push(ratio);
  }
  return ratios;
}

/** The criteria of the gate for what the kernel gave, against the reference with a change. */
async function judged(
  context: SearchContext,
  change: Change | undefined,
  { site, inputs, sequence, outputs }: Omit<Observed, 'ratio'>,
): Promise<{ level: 'pass' | 'off'; ratio: number; equal: number }> {
  const { program, dtype, limits } = context;
  const ops = program.ops.slice(site.start, site.end + 1).map(({ op }) => op);
  const by = changed(context, change);
  const oracle = await runSite(by, site, ORACLE, inputs, sequence);
  const recipes: Tensors[] = [];
  for (const recipe of distinctRecipes(validRecipes(dtype), ops)) recipes.push(await runSite(by, site, recipe, inputs, sequence));
  const measures = Object.entries(outputs).map(([name, output]) =>
    measure(output.data as Float32Array, yardstickOf(name, oracle, recipes, dtype)),
  );
  const total = (value: (each: Measure) => number) => measures.reduce((sum, each) => sum + value(each), 0);
  return {
    level: measures.every((each) => judgeMeasure(each, dtype, limits).level === 'pass') ? 'pass' : 'off',
    ratio: Math.max(...measures.map((each) => (each.non_finite > 0 ? NaN : accuracyRatio(each)))),
    equal: Math.max(...recipes.map((_, i) => total(({ equal_to }) => equal_to[i] as number))) / total(({ elements }) => elements),
  };
}
