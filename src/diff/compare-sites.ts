// Kernels teacher-forced at their sites: each answer beside what the reference makes of the same inputs. Where the sites are and when their turn
// comes is numeric-diff.ts's.

import { KernelError, type Kernel, type Variant } from '../kernels/kernel.js';
import type { Placement, Site } from '../kernels/sites.js';
import { remembered } from '../reference/keeper.js';
import type { NdArray } from '../reference/ndarray.js';
import { distinctRecipes, ORACLE, sameRecipe, type Recipe } from '../reference/recipes.js';
import type { Lane } from '../reference/walk.js';
import type { Control } from '../report/types.js';
import { plantCanaries, type CanaryContext, type KnownOutputs, type PlantedCanary } from './canaries.js';
import type { Suspects } from './causes.js';
import { identityControl } from './control.js';
import { accuracyRatio, judgeMeasure, place, type KernelRecord } from './kernel-level.js';
import { floorsOf, measure, yardstick, type Yardstick } from './measure.js';
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
  const references = new Map<string, KnownOutputs & { canaries?: readonly PlantedCanary[] }>();
  // Every recipe needs the weights that the kernel gets.
  const context = { ...diff, kept: new Map<string, Promise<NdArray>>() };
  for (const { kernel, site } of placements) {
    const record = diff.records.get(kernel) as KernelRecord;
    const inputs = laneInputs(site, diff.eagerLane);
    const given = { ...inputs, ...(await siteWeights(context, site)) };
    // While the kernel's process computes, so does the reference.
    const begun = Promise.resolve(references.get(site.op) ?? referenceAt(context, site, inputs));
    begun.catch(() => undefined);
    const called = await answerOf(diff, kernel, site, given, 'fused', record);
    if (called === null) continue;
    const standard = diff.standards.get(kernel);
    const own = standard === undefined || standard.failed ? null : await answerOf(diff, kernel, site, given, 'standard', standard);
    const known: KnownOutputs & { canaries?: readonly PlantedCanary[] } = await begun;
    references.set(site.op, known);
    if (diff.canariesAt.get(site.op) === site.start) {
      record.watched((known.canaries ??= await canariesAt(context, site, inputs, known)));
      const control = diff.controls.get(site.op) ?? (await identityControl(context, site, inputs, known));
      diff.controls.set(site.op, control);
      record.controlled(control);
    }
    const compare = (variant: Variant, to: KernelRecord, answered: Called) => {
      to.violate(site, answered.violations);
      for (const [name, output] of Object.entries(answered.outputs)) {
        const measured = measure(output.data as Float32Array, known.yardsticks[name] as Yardstick);
        to.add(site, name, measured, diff.sequence);
        if (judgeMeasure(measured, diff.dtype, diff.limits).level !== 'pass')
          diff.suspects.note(kernel, variant, { site, inputs, ratio: accuracyRatio(measured) });
      }
    };
    compare('fused', record, called);
    if (standard !== undefined && own !== null) compare('standard', standard, own);
  }
}

/** What the reference makes of a site's inputs; a recipe that does the same as one before it there is not run. */
async function referenceAt(diff: SiteComparison, site: Site, inputs: Tensors): Promise<KnownOutputs> {
  const { dtype, recipes, program, sequence } = diff;
  const eager = laneOutputs(site, diff.eagerLane);
  const ops = program.ops.slice(site.start, site.end + 1);
  const kinds = ops.map(({ op }) => op);
  const outputs = [...site.outputs.keys()];
  const { tensors } = await remembered(
    diff.keeper,
    () => ({ what: 'site', depends: { dtype, recipes, ops, ...namesOf(site), prompts: sequence.segments }, tensors: inputs }),
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

/** The canaries of a site, judged by its yardsticks. */
async function canariesAt(diff: SiteComparison, site: Site, inputs: Tensors, known: KnownOutputs): Promise<PlantedCanary[]> {
  const { dtype, recipes, limits, program, sequence } = diff;
  const ops = program.ops.slice(site.start, site.end + 1);
  const depends = { dtype, recipes, limits, ops, ...namesOf(site), place: place(site), prompts: sequence.segments };
  const { note } = await remembered(
    diff.keeper,
    () => ({ what: 'canaries', depends, tensors: inputs }),
    async () => ({ tensors: {}, note: await plantCanaries(diff, site, inputs, known) }),
  );
  return note as PlantedCanary[];
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
