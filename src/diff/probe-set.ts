// What the probes of an op are given: real weights of a site or three, made-up inputs, and what the oracle and the recipes make of them. Kernels of
// the same op share it. How answers are judged is in probes.ts.

import type { Op } from '../architectures/program.js';
import type { Site } from '../kernels/sites.js';
import { digest, remembered, type Key } from '../reference/keeper.js';
import { rows as rowRange, type NdArray } from '../reference/ndarray.js';
import { distinctRecipes, ORACLE, type Recipe } from '../reference/recipes.js';
import type { ServingDtype } from '../report/types.js';
import { yardstick, type Measure } from './measure.js';
import { changeRow, isRotary, oneSequence, randomInputs, range, scaled, takeRows } from './probe-inputs.js';
import { namesOf, runSite, seesOtherTokens, siteWeights, type SiteContext, type Tensors } from './site.js';

/** Numbers of tokens around the tile sizes of kernels. */
const TAILS = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129] as const;
/** Rows of the other probes: two whole tiles of 16 and a part. */
const ROWS = 33;
/** The row that is NaN or loud, in the middle of a tile. */
const ODD_ROW = 8;
/** Rows that are also run alone: of the first tile, the second and the part. */
const ALONE = [5, 20, 32] as const;
/** Powers of two, so that the digits stay the same. */
const LARGE = 2 ** 12;
const TINY = 2 ** -10;
/** Deviation of the attention scores under `large_magnitudes`: exp overflows float32 above 88.7. */
const LARGE_SCORES = 100;
/** Queries and positions as in decoding: one query, or a few, over many keys. */
const DECODE = [
  { queries: 1, positions: 65 },
  { queries: 5, positions: 64 },
] as const;
/** Queries around the place where the window's edge comes in. */
const WINDOW_QUERIES = 4;
const LARGEST: Readonly<Record<ServingDtype, number>> = { bfloat16: 3.38e38, float16: 65504, float32: 3.4e38 };

/** What the oracle and the recipes give for some inputs. */
interface Reference {
  readonly oracle: Tensors;
  /** Eager first. */
  readonly recipes: readonly Tensors[];
}

type Floors = Pick<Measure, 'rms_floor' | 'max_floor'>;

/** Made when it is first asked for: where an earlier run judged the same answers, nobody asks. */
type Lazy<T> = () => Promise<T>;

/** One call of a kernel and what its answer is compared with. */
export interface Trial {
  readonly site: Site;
  readonly inputs: Tensors;
  readonly reference: Lazy<Reference>;
  /** Rows of the output that are compared. */
  readonly rows: readonly number[];
  /** How often each row comes: copies say nothing new about a scale error. */
  readonly copies: number;
  /** Noise floors of more rows of the same kind, by output: a few rows can be exact by luck. */
  readonly floors: Lazy<Readonly<Record<string, Floors>>>;
  /** `T = 128`, for the finding. */
  readonly shape: string;
}

/**
 * What an answer is judged by. `reference`: the criteria of the sites. `finite`: its rows are finite where the oracle's are.
 * `repeats`: answers to the same trial are bitwise equal. `batch`: the first trial's rows are the same, within the noise, in the others.
 */
export type Rule = 'reference' | 'finite' | 'repeats' | 'batch';

export interface Probe {
  readonly name: string;
  readonly rule: Rule;
  readonly trials: readonly Trial[];
  /** What the inputs were, for the words of a pass. */
  readonly tried: string;
}

/** What the kernels of one op share at one site. */
export interface ProbeSet {
  readonly site: Site;
  readonly probes: readonly Probe[];
  readonly weights: Tensors;
  /** What the references depend on, beside the inputs. */
  readonly depends: Readonly<Record<string, unknown>>;
}

export interface ProbeContext extends SiteContext {
  /** Valid recipes, eager first. */
  readonly recipes: readonly Recipe[];
}

/** Ops without probes: what goes in is token ids, and what comes out is a whole model's. */
const NOT_PROBED: ReadonlySet<string> = new Set(['model', 'generate']);

/**
 * Makes the inputs and the references of an op's probes.
 * @param sites of the op in the compared layers, in program order
 * @returns one set per probed site, the one of the middle layer first; none for ops that have no probes
 * @throws ModelError for damaged weights
 */
export async function probeSets(context: ProbeContext, sites: readonly Site[]): Promise<ProbeSet[]> {
  const windowed = sites.find(({ attributes }) => Number(attributes['window'] ?? 0) > 0);
  const sets: ProbeSet[] = [];
  for (const site of probedSites(context, sites)) {
    const keeping = { ...context, weights: new Map<string, Promise<NdArray>>() };
    const maker = trialMaker(keeping, site);
    const probes = seesOtherTokens(site) ? await sequenceProbes(maker, windowed) : await rowProbes(maker);
    sets.push({ site, probes, weights: await siteWeights(keeping, site), depends: maker.depends });
  }
  return sets;
}

/**
 * The first site of the middle one of the compared layers. Norms, where that costs little, also of the first and the last one: a fault in one
 * layer that the model's own activations do not show (a wrong eps beside large values) shows with that layer's weights only. Ops without weights are
 * the same in every layer, and the references of a matrix product would take as long as comparing its sites does.
 */
function probedSites({ program }: ProbeContext, sites: readonly Site[]): Site[] {
  const [first] = sites;
  if (first === undefined || NOT_PROBED.has(first.op)) return [];
  const layers = [...new Set(sites.flatMap(({ layer }) => layer ?? []))];
  const ops = program.ops.slice(first.start, first.end + 1);
  const cheap = first.weights.size > 0 && !ops.some(({ op }) => op === 'linear' || op === 'qkv');
  const chosen = [layers[layers.length >> 1], ...(cheap ? [layers[0], layers.at(-1)] : [])];
  return [...new Set(chosen)].map((layer) => sites.find((site) => site.layer === layer) ?? first);
}

/** Makes inputs and references for one site. */
interface Maker {
  readonly context: ProbeContext;
  readonly site: Site;
  readonly depends: ProbeSet['depends'];
  inputs(positions: readonly number[], seed: number): Tensors;
  /** Is begun at once, unless an earlier run left it. */
  reference(inputs: Tensors): Promise<Lazy<Reference>>;
  eager(inputs: Tensors): Promise<Tensors>;
  /** All rows of an input with its reference. */
  trial(inputs: Tensors, reference: Lazy<Reference>, shape?: string): Trial;
}

function trialMaker(context: ProbeContext, site: Site): Maker {
  const { program, dtype } = context;
  const recipes = distinctRecipes(
    context.recipes,
    program.ops.slice(site.start, site.end + 1).map(({ op }: Op) => op),
  );
  const ops = program.ops.slice(site.start, site.end + 1);
  /** One name of the inputs for all recipes. Without a keeper nobody asks for it. */
  const nameOf = (inputs: Tensors) => (context.keeper ? digest({ what: 'probe inputs', depends: null, tensors: inputs }) : '');
  const keyOf = (recipe: Recipe, of: string): Key => ({
    what: 'probe',
    depends: { dtype, recipe, ops, ...namesOf(site), of },
    tensors: {},
  });
  const run = async (recipe: Recipe, inputs: Tensors, of: string) => {
    const made = async () => ({ tensors: await runSite(context, site, recipe, inputs, oneSequence(inputs)), note: null });
    return (await remembered(context.keeper, () => keyOf(recipe, of), made)).tensors;
  };
  return {
    context,
    site,
    depends: { dtype, recipes, ops, ...namesOf(site) },
    inputs: (positions, seed) => randomInputs(program, site, dtype, positions, seed),
    async reference(inputs) {
      const of = nameOf(inputs);
      const all = [ORACLE, ...recipes];
      const reference = once(async (): Promise<Reference> => {
        const [oracle = {}, ...others] = await Promise.all(all.map((recipe) => run(recipe, inputs, of)));
        return { oracle, recipes: others };
      });
      const there = await Promise.all(all.map(async (recipe) => (await context.keeper?.has(keyOf(recipe, of))) === true));
      if (there.includes(false)) await reference();
      return reference;
    },
    eager: (inputs) => run(recipes[0] as Recipe, inputs, nameOf(inputs)),
    trial(inputs, reference, shape) {
      const tokens = countRows(inputs);
      return { site, inputs, reference, rows: range(0, tokens), copies: 1, floors: NO_FLOORS, shape: shape ?? `T = ${tokens}` };
    },
  };
}

const NO_FLOORS = () => Promise.resolve({});

function once<T>(make: Lazy<T>): Lazy<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Rows of x, q or whatever comes first: the T of the contract. */
function countRows(inputs: Tensors): number {
  return Object.values(inputs)[0]?.shape[0] ?? 0;
}

/** Rows of a reference: right wherever a row's result does not depend on the rows that are left out. */
function referenceRows(reference: Lazy<Reference>, chosen: readonly number[]): Lazy<Reference> {
  return once(async () => {
    const { oracle, recipes } = await reference();
    return { oracle: takeRows(oracle, chosen), recipes: recipes.map((outputs) => takeRows(outputs, chosen)) };
  });
}

/** The noise floors over all rows of a reference. */
function floorsOf(reference: Lazy<Reference>, dtype: ServingDtype): Trial['floors'] {
  return once(async () => {
    const { oracle, recipes } = await reference();
    const of = ([name, { data }]: [string, NdArray]): [string, Floors] => {
      const outputs = recipes.map((values) => (values[name] as NdArray).data as Float32Array);
      const { rms_floor, max_floor } = yardstick(data as Float64Array, outputs, dtype);
      return [name, { rms_floor, max_floor }];
    };
    return Object.fromEntries(Object.entries(oracle).map(of));
  });
}

function head(tensors: Tensors, count: number): Record<string, NdArray> {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, rowRange(array, 0, count)]));
}

/** The first rows of one long input: where no row sees those after it, its reference holds for them too. */
function tails({ trial, context }: Maker, inputs: Tensors, reference: Lazy<Reference>): Probe {
  const floors = floorsOf(reference, context.dtype);
  const trials = TAILS.map((count) => {
    const known = once(async () => {
      const { oracle, recipes } = await reference();
      return { oracle: head(oracle, count), recipes: recipes.map((outputs) => head(outputs, count)) };
    });
    return { ...trial(head(inputs, count), known), floors };
  });
  return { name: 'tails', rule: 'reference', trials, tried: `T = ${TAILS.join(', ')}` };
}

/** A probe of one call. */
function single(name: string, trial: Trial, tried: string, rule: Rule = 'reference'): Probe {
  return { name, rule, trials: [trial], tried };
}

/** The same call again, with another one between, so that what was left over from a call shows. */
function repeats(first: Trial, second: Trial): Probe {
  return {
    name: 'repeats',
    rule: 'repeats',
    trials: [first, second, first, first],
    tried: 'three calls with the same inputs and another between',
  };
}

function batchInvariance(whole: Trial, alone: readonly Trial[], besideLoud: Trial): Probe {
  const tried = `rows ${ALONE.slice(0, -1).join(', ')} and ${ALONE.at(-1)} alone and in a batch of ${ROWS}, and the batch with a large row ${ODD_ROW}`;
  return { name: 'batch_invariance', rule: 'batch', trials: [whole, ...alone, besideLoud], tried };
}

/** Ops whose rows do not see each other: the references of a few inputs serve all probes. */
async function rowProbes(maker: Maker): Promise<Probe[]> {
  const { site, trial } = maker;
  const { program, dtype } = maker.context;
  const base = maker.inputs(range(0, Math.max(...TAILS)), 1);
  const known = await maker.reference(base);
  const part = (chosen: readonly number[], shape?: string) => trial(takeRows(base, chosen), referenceRows(known, chosen), shape);
  const few = part(range(0, ROWS));
  const large = await largestFinite(maker, few.inputs);
  const tiny = scaled(few.inputs, TINY, dtype);
  const zero = scaled(takeRows(base, [0]), 0, dtype);
  const same = range(0, ROWS).map(() => 0);
  const names = [...site.inputs.keys()].filter((name) => !isRotary(name));
  const withOddRow = (change: (value: number) => number) => oddRow(few, names, change);
  const probes = [
    tails(maker, base, known),
    single('large_magnitudes', trial(large.inputs, await maker.reference(large.inputs)), `values of deviation ${large.factor}`),
    single('tiny_magnitudes', trial(tiny, await maker.reference(tiny)), `values of deviation 2^${Math.log2(TINY)}`),
    single('equal_rows', { ...part(same), copies: ROWS, floors: floorsOf(known, dtype) }, `${ROWS} equal rows`),
    single('zeros', trial(takeRows(zero, same), referenceRows(await maker.reference(zero), same)), `${ROWS} rows of zeros`),
    single(
      'nan_row',
      withOddRow(() => NaN),
      `row ${ODD_ROW} of ${names.join(', ')} NaN`,
      'finite',
    ),
    repeats(part(range(0, 65)), part(range(64, 129))),
    batchInvariance(
      few,
      ALONE.map((row) => ({ ...part([row], `row ${row} alone`), rows: [row] })),
      withOddRow((value) => value * large.factor),
    ),
  ];
  if (!site.inputs.has('cos')) return probes;
  const last = program.max_position_embeddings;
  const late = maker.inputs(range(Math.max(0, last - ROWS), last), 11);
  const tried = `positions ${Math.max(0, last - ROWS)} to ${last - 1}`;
  return [...probes, single('late_positions', trial(late, await maker.reference(late)), tried)];
}

/** An input with one row changed; the other rows are compared, with the reference that they have. */
function oddRow(few: Trial, names: readonly string[], change: (value: number) => number): Trial {
  const rows = few.rows.filter((row) => row !== ODD_ROW);
  return { ...few, inputs: changeRow(few.inputs, names, ODD_ROW, change), rows };
}

/** Scales inputs up as far as eager's own result stays finite, with room for kernels that round elsewhere. */
async function largestFinite(maker: Maker, inputs: Tensors): Promise<{ inputs: Tensors; factor: number }> {
  const { dtype } = maker.context;
  const most = LARGEST[dtype] / 4;
  const fits = async (candidate: Tensors) => {
    const arrays = [...Object.values(candidate), ...Object.values(await maker.eager(candidate))];
    return arrays.every(({ data }) => data.every((value) => Math.abs(value) <= most));
  };
  let factor = LARGE;
  while (factor > 1 && !(await fits(scaled(inputs, factor, dtype)))) factor /= 4;
  return { inputs: scaled(inputs, factor, dtype), factor };
}

/** Attention, and whatever holds attention. Rows see those before them, so a first part of an input has the first part of its result. */
async function sequenceProbes(maker: Maker, windowed: Site | undefined): Promise<Probe[]> {
  const base = maker.inputs(range(0, Math.max(...TAILS)), 1);
  const known = await maker.reference(base);
  const part = (count: number) => maker.trial(head(base, count), referenceRows(known, range(0, count)));
  const other = maker.inputs(range(0, 65), 21);
  const whole = [tails(maker, base, known), repeats(part(65), maker.trial(other, await maker.reference(other)))];
  if (maker.site.op !== 'attention') return whole;
  const window = windowed === undefined ? [] : [await windowEdges(trialMaker(maker.context, windowed))];
  return [...whole, ...(await attentionProbes(maker, base, known, part(ROWS))), ...window];
}

async function attentionProbes(maker: Maker, base: Tensors, known: Lazy<Reference>, few: Trial): Promise<Probe[]> {
  const { site, trial } = maker;
  const { dtype } = maker.context;
  const width = few.inputs['q']?.shape[2] ?? 1;
  // Random scores have a deviation of scale · √D.
  const factor = Math.sqrt(LARGE_SCORES / (Number(site.attributes['scale']) * Math.sqrt(width)));
  const large = scaled(few.inputs, factor, dtype, (name) => name !== 'v');
  const tiny = scaled(few.inputs, TINY, dtype);
  const equal = takeRows(
    few.inputs,
    few.rows.map(() => 0),
  );
  const zero = scaled(few.inputs, 0, dtype);
  const floors = floorsOf(known, dtype);
  // The queries are the last of the positions, and their results are rows of what all queries give.
  const decode = (queries: number, positions: number): Trial => {
    const rows = range(positions - queries, positions);
    const inputs = { ...head(base, positions), q: takeRows(base, rows)['q'] as NdArray };
    return { ...trial(inputs, referenceRows(known, rows), `T = ${queries}, S = ${positions}`), rows: range(0, queries), floors };
  };
  return [
    single('large_magnitudes', trial(large, await maker.reference(large)), `scores of deviation ${LARGE_SCORES}`),
    single('tiny_magnitudes', trial(tiny, await maker.reference(tiny)), `values of deviation 2^${Math.log2(TINY)}`),
    single('equal_rows', trial(equal, await maker.reference(equal)), `${ROWS} equal rows`),
    single('zeros', trial(zero, await maker.reference(zero)), `${ROWS} rows of zeros`),
    single(
      'nan_row',
      oddRow(few, ['q'], () => NaN),
      `row ${ODD_ROW} of q NaN`,
      'finite',
    ),
    batchInvariance(
      few,
      ALONE.map((row) => ({ ...decode(1, row + 1), rows: [row], shape: `row ${row} alone` })),
      oddRow(few, ['q'], (value) => value * factor),
    ),
    {
      name: 'decode',
      rule: 'reference',
      trials: DECODE.map(({ queries, positions }) => decode(queries, positions)),
      tried: DECODE.map(({ queries, positions }) => `T = ${queries} with S = ${positions}`).join(', '),
    },
  ];
}

/** Queries before, at and after the first position that the window cuts off. The first keys have large values, so that one too many or too few shows. */
async function windowEdges(maker: Maker): Promise<Probe> {
  const window = Number(maker.site.attributes['window']);
  const positions = window + 2;
  const queries = Math.min(WINDOW_QUERIES, positions);
  const all = maker.inputs(range(0, positions), 31);
  let inputs: Tensors = { ...all, q: takeRows(all, range(positions - queries, positions))['q'] as NdArray };
  const loud = Math.max(1, Math.sqrt(window) / 2);
  for (const row of range(0, Math.min(queries, positions))) inputs = changeRow(inputs, ['v'], row, (value) => value * loud);
  inputs = scaled(inputs, 1, maker.context.dtype);
  const trial = maker.trial(inputs, await maker.reference(inputs), `T = ${queries}, S = ${positions}, window ${window}`);
  return single('window_edges', trial, `T = ${queries} with S = ${positions} and a window of ${window}`);
}
