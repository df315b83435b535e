// Kernels teacher-forced at their sites: each answer beside what the reference makes of the same inputs. Where the sites are and when their turn
// comes is numeric-diff.ts's.

import { KernelError, type Kernel, type Variant } from '../kernels/kernel.js';
import type { Placement, Site } from '../kernels/sites.js';
import { digest, remembered, type Key } from '../reference/keeper.js';
import type { NdArray } from '../reference/ndarray.js';
import { distinctRecipes, ORACLE, sameRecipe, type Recipe } from '../reference/recipes.js';
import type { Lane } from '../reference/walk.js';
import type { Control } from '../report/types.js';
import { plantCanaries, type CanaryContext, type KnownOutputs, type PlantedCanary } from './canaries.js';
import type { Suspects } from './causes.js';
import { identityControl } from './control.js';
import { accuracyRatio, judgeMeasure, place, type KernelRecord } from './kernel-level.js';
import { floorsOf, measure, yardstick, type Measure, type Yardstick } from './measure.js';
import { callKernel, laneInputs, laneOutputs, namesOf, runSite, siteWeights, type Called, type Tensors } from './site.js';

export interface SiteComparison extends CanaryContext {
  readonly eagerLane: Lane;
  readonly records: ReadonlyMap<Kernel, KernelRecord>;
  /** Of the kernels that offer a `standard` variant. */
  readonly standards: ReadonlyMap<Kernel, KernelRecord>;
  /** Sites where kernels leave the reference. */
  readonly suspects: Suspects;
  /** Op contract → first op of the site where its canaries are planted. */
  readonly canariesAt: ReadonlyMap<string, number>;
  /** By op contract, as they are done. */
  readonly controls: Map<string, Control>;
}

/** Runs the oracle, the other recipes and each kernel on eager's own inputs. Sites of the same op share the references. */
export async function compareSites(diff: SiteComparison, placements: readonly Placement<Kernel>[]): Promise<void> {
  const references = new Map<string, SiteReference>();
  // Every recipe needs the weights that the kernel gets.
  const context = { ...diff, weights: new Map<string, Promise<NdArray>>() };
  for (const { kernel, site } of placements) {
    const record = diff.records.get(kernel) as KernelRecord;
    const inputs = laneInputs(site, diff.eagerLane);
    const given = { ...inputs, ...(await siteWeights(context, site)) };
    const reference = references.get(site.op) ?? (await siteReference(context, site, inputs));
    references.set(site.op, reference);
    const called = await answerOf(diff, kernel, site, given, 'fused', record);
    if (called === null) continue;
    const standard = diff.standards.get(kernel);
    const own = standard === undefined || standard.failed ? null : await answerOf(diff, kernel, site, given, 'standard', standard);
    if (diff.canariesAt.get(site.op) === site.start) {
      record.watched(await reference.canaries());
      const control = diff.controls.get(site.op) ?? (await identityControl(context, site, inputs, await reference.known()));
      diff.controls.set(site.op, control);
      record.controlled(control);
    }
    const compare = async (variant: Variant, to: KernelRecord, answered: Called) => {
      to.violate(site, answered.violations);
      for (const [name, measured] of Object.entries(await measures(context, reference, { kernel, variant }, answered.outputs))) {
        to.add(site, name, measured, diff.sequence);
        if (judgeMeasure(measured, diff.dtype, diff.limits).level !== 'pass')
          diff.suspects.note(kernel, variant, { site, inputs, ratio: accuracyRatio(measured) });
      }
    };
    await compare('fused', record, called);
    if (standard !== undefined && own !== null) await compare('standard', standard, own);
  }
}

/** What the reference makes of a site's inputs, each part once and when it is asked for. */
interface SiteReference {
  /** Names the site and its inputs in what is kept between runs. */
  readonly name: string;
  known(): Promise<KnownOutputs>;
  /** The canaries of the site, judged by its yardsticks. */
  canaries(): Promise<readonly PlantedCanary[]>;
}

async function siteReference(diff: SiteComparison, site: Site, inputs: Tensors): Promise<SiteReference> {
  const { dtype, recipes, limits, program, sequence, keeper } = diff;
  const ops = program.ops.slice(site.start, site.end + 1);
  const depends = { dtype, recipes, ops, ...namesOf(site), prompts: sequence.segments };
  // Without a keeper nobody asks for the name.
  const name = keeper === null || keeper === undefined ? '' : digest({ what: 'site', depends, tensors: inputs });
  const key: Key = { what: 'site', depends: { name }, tensors: {} };
  const eager = laneOutputs(site, diff.eagerLane);
  let known: Promise<KnownOutputs> | undefined;
  const once = () => (known ??= knownOutputs(diff, site, inputs, eager, key));
  // While the kernel's process computes, so does the reference; what is kept is only read where it is needed.
  if ((await keeper?.has(key)) !== true) once().catch(() => undefined);
  let canaries: Promise<readonly PlantedCanary[]> | undefined;
  const planted = async () => {
    const made = async () => ({ tensors: {}, note: await plantCanaries(diff, site, inputs, await once()) });
    const { note } = await remembered(
      keeper,
      () => ({ what: 'canaries', depends: { name, limits, place: place(site) }, tensors: {} }),
      made,
    );
    return note as PlantedCanary[];
  };
  return { name, known: once, canaries: () => (canaries ??= planted()) };
}

/** By oracle and recipes; a recipe that does the same as one before it there is not run. */
async function knownOutputs(diff: SiteComparison, site: Site, inputs: Tensors, eager: Tensors, key: Key): Promise<KnownOutputs> {
  const { dtype, recipes, program, sequence } = diff;
  const kinds = program.ops.slice(site.start, site.end + 1).map(({ op }) => op);
  const outputs = [...site.outputs.keys()];
  const { tensors } = await remembered(
    diff.keeper,
    () => key,
    async () => {
      const run = (recipe: Recipe) => runSite(diff, site, recipe, inputs, sequence);
      const [, ...others] = distinctRecipes(recipes, kinds);
      const [oracle, ...made] = (await Promise.all([ORACLE, ...others].map(run))) as [Tensors, ...Tensors[]];
      const entries = outputs.flatMap((name): [string, NdArray][] => {
        const all = [eager, ...made].map((values) => values[name]?.data as Float32Array);
        const floors = Float64Array.from(floorsOf(oracle[name]?.data as Float64Array, all, dtype));
        return [
          [`oracle ${name}`, oracle[name] as NdArray],
          [`floors ${name}`, { data: floors, shape: [floors.length] }],
          ...others.map((recipe, i): [string, NdArray] => [`${recipe.name} ${name}`, made[i]?.[name] as NdArray]),
        ];
      });
      return { tensors: Object.fromEntries(entries), note: null };
    },
  );
  const yardsticks = outputs.map((name): [string, Yardstick] => {
    const all = recipes.map(
      (recipe) => (tensors[`${sameRecipe(recipes, recipe, kinds).name} ${name}`] ?? eager[name])?.data as Float32Array,
    );
    return [name, yardstick(tensors[`oracle ${name}`]?.data as Float64Array, all, dtype, [...(tensors[`floors ${name}`]?.data ?? [])])];
  });
  return { eager, yardsticks: Object.fromEntries(yardsticks) };
}

/** The measures of a kernel's outputs: an output that is bit for bit that of the last run has the measure that it had there. */
async function measures(
  { keeper }: SiteComparison,
  { name: site, known }: SiteReference,
  by: { readonly kernel: Kernel; readonly variant: Variant },
  outputs: Tensors,
): Promise<Readonly<Record<string, Measure>>> {
  const key = (): Key => ({
    what: 'measures',
    depends: { site, kernel: by.kernel.name, variant: by.variant },
    tensors: outputs,
    last: true,
  });
  const { note } = await remembered(keeper, key, async () => {
    const { yardsticks } = await known();
    const entries = Object.entries(outputs).map(([name, { data }]): [string, Measure] => [
      name,
      measure(data as Float32Array, yardsticks[name] as Yardstick),
    ]);
    return { tensors: {}, note: Object.fromEntries(entries) };
  });
  return note as Readonly<Record<string, Measure>>;
}

/** What a variant gives at a site; null, and noted, when it gives no usable answer. */
async function answerOf(
  diff: SiteComparison,
  kernel: Kernel,
  site: Site,
  inputs: Tensors,
  variant: Variant,
  record: KernelRecord,
): Promise<Called | null> {
  try {
    return await callKernel(diff, kernel, site, inputs, diff.sequence, variant);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    record.fail(site, error.message);
    return null;
  }
}
