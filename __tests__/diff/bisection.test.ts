// The search for the sites that make a model fail: what it names, and how few walks it takes.

import { describe, expect, test } from '@jest/globals';
import { findResponsible, type Outcome } from '../../src/diff/bisection.js';
import type { Kernel } from '../../src/kernels/kernel.js';
import type { Placement, Site } from '../../src/kernels/sites.js';

function kernel(name: string): Kernel {
  return {
    name,
    op: 'rms_norm',
    backend: 'onnxruntime',
    start: () => Promise.reject(new Error('is not started here')),
    run: () => Promise.reject(new Error('is not run here')),
    close: () => Promise.resolve(),
  };
}

function place(of: Kernel, layer: number | null): Placement<Kernel> {
  const site: Site = {
    op: 'rms_norm',
    start: 0,
    end: 0,
    layer,
    name: 'n',
    inputs: new Map(),
    weights: new Map(),
    outputs: new Map(),
    attributes: {},
  };
  return { kernel: of, site };
}

const NORM = kernel('norm');
const ROPE = kernel('rope');
const LAYERS = 28;
/** Both kernels in every layer, and the norm after the last. */
const ALL = [...Array.from({ length: LAYERS }, (_, layer) => [place(NORM, layer), place(ROPE, layer)]).flat(), place(NORM, null)];

type Bad = (placement: Placement<Kernel>) => boolean;

/** A model is bad as soon as `enough` bad sites are in it; its kl_ratio is ten times their number. */
async function search(
  bad: Bad,
  { placements = ALL, enough = 1, fails = () => false }: { placements?: typeof ALL; enough?: number; fails?: Bad } = {},
) {
  const walks: number[] = [];
  const outcome = (subset: readonly Placement<Kernel>[]): Outcome => {
    const count = subset.filter(bad).length;
    return { reproduces: count >= enough, kl_ratio: count * 10 };
  };
  const responsible = await findResponsible({
    placements,
    full: outcome(placements),
    fails,
    trial(subsets) {
      walks.push(subsets.length);
      return Promise.resolve(subsets.map(outcome));
    },
  });
  return { responsible, walks };
}

const inLayers =
  (of: Kernel, ...layers: (number | null)[]): Bad =>
  ({ kernel: one, site }) =>
    one === of && layers.includes(site.layer);
const norms = ALL.filter((placement) => placement.kernel === NORM);
const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i);

describe('the sites that make a model fail', () => {
  test.each([0, 1, 14, 26, 27])('are one kernel in layer %d, found in three walks: kernels, groups of layers, layers', async (layer) => {
    const { responsible, walks } = await search(inLayers(ROPE, layer));
    expect(responsible).toEqual([{ kernel: 'rope', layers: [layer], kl_ratio: 10 }]);
    expect(walks.length).toBe(3);
    expect(Math.max(...walks)).toBeLessThanOrEqual(8);
  });

  test('are found in one walk where they fail by themselves and the rest is blameless', async () => {
    const bad = inLayers(NORM, 12, 13);
    const { responsible, walks } = await search(bad, { fails: bad });
    expect(responsible).toEqual([{ kernel: 'norm', layers: [12, 13], kl_ratio: 20 }]);
    expect(walks).toEqual([2]);
  });

  test('are all sites of the only kernel, without a walk, where each fails by itself', async () => {
    const { responsible, walks } = await search(() => true, { placements: norms, fails: () => true });
    expect(responsible).toEqual([{ kernel: 'norm', layers: range(0, LAYERS), kl_ratio: 290 }]);
    expect(walks).toEqual([]);
  });

  test('are searched everywhere where those that fail by themselves do not make the model fail', async () => {
    const { responsible } = await search(inLayers(ROPE, 5), { fails: inLayers(NORM, 20) });
    expect(responsible).toEqual([{ kernel: 'rope', layers: [5], kl_ratio: 10 }]);
  });

  test('may be in several layers, and in several kernels', async () => {
    const { responsible } = await search((placement) => inLayers(NORM, 3, 19)(placement) || inLayers(ROPE, 27)(placement));
    expect(responsible).toEqual([
      { kernel: 'norm', layers: [3, 19], kl_ratio: 20 },
      { kernel: 'rope', layers: [27], kl_ratio: 10 },
    ]);
  });

  test('may be outside of the layers', async () => {
    expect((await search(inLayers(NORM, null))).responsible).toEqual([{ kernel: 'norm', layers: [], kl_ratio: 10 }]);
  });

  test('are as many layers together as it takes, where no smaller part does it', async () => {
    // Layers 4 to 7 are one group of the first split.
    const { responsible } = await search(inLayers(NORM, 4, 5, 6), { placements: norms.slice(0, LAYERS), enough: 3 });
    expect(responsible).toMatchObject([{ kernel: 'norm', kl_ratio: 30 }]);
    expect(responsible[0]?.layers).toEqual(expect.arrayContaining([4, 5, 6]));
    expect(responsible[0]?.layers.length).toBeLessThan(LAYERS);
  });

  test('are every layer of a kernel that is a little off everywhere', async () => {
    const { responsible } = await search(({ kernel: one }) => one === ROPE, { enough: 20 });
    expect(responsible).toEqual([{ kernel: 'rope', layers: range(0, LAYERS), kl_ratio: 280 }]);
  });

  test('are no kernel alone where it takes both', async () => {
    expect((await search(() => true, { enough: 50 })).responsible).toEqual([]);
  });

  test('are named as far as eight walks go, with many kernels too', async () => {
    const kernels = range(0, 24).map((i) => kernel(`k${i}`));
    const placements = kernels.flatMap((one) => range(0, LAYERS).map((layer) => place(one, layer)));
    const { responsible, walks } = await search(({ site }) => site.layer === 9, { placements });
    expect(walks.length).toBeLessThanOrEqual(8);
    expect(responsible.length).toBe(24);
    for (const { layers } of responsible) expect(layers).toContain(9);
    expect(responsible[0]?.layers).toEqual([9]);
  });
});
