// One site by each recipe: whatever a recipe keeps between contracts, a contract gives values of the serving dtype.

import { expect, test } from '@jest/globals';
import { randomInputs, range } from '../../src/diff/probe-inputs.js';
import { runSite } from '../../src/diff/site.js';
import { findSites, type Site } from '../../src/kernels/sites.js';
import { createOpRunner } from '../../src/reference/op-runner.js';
import { distinctRecipes, sameRecipe, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { roundToServing } from '../../src/reference/served-weights.js';
import { GOLDEN_MODELS, openModel } from '../support/goldens.js';

const DTYPE = 'bfloat16';
const RECIPES = validRecipes(DTYPE);

test.each(['rms_norm', 'rms_norm_qkv', 'linear', 'qk_norm_rope', 'attention', 'swiglu_mlp', 'decoder_layer'])(
  'every recipe gives bfloat16 at a site of %s, and those that are left out give the bits of the one that stands for them',
  async (op) => {
    const runner = createOpRunner(await loadOnnxRuntime());
    const model = await openModel(GOLDEN_MODELS['qwen3-mini']);
    const site = findSites(model.program, op)[1] as Site;
    const tokens = 9;
    const inputs = randomInputs(model.program, site, DTYPE, range(0, tokens), 1);
    const sequence = { ids: range(0, tokens), segments: [{ start: 0, end: tokens }] };
    const ops = model.program.ops.slice(site.start, site.end + 1).map((one) => one.op);
    const made = new Map(
      await Promise.all(
        RECIPES.map(async (recipe) => [recipe, await runSite({ ...model, dtype: DTYPE, runner }, site, recipe, inputs, sequence)] as const),
      ),
    );
    for (const recipe of RECIPES) {
      for (const [name, { data }] of Object.entries(made.get(recipe) ?? {})) {
        expect(data).toEqual(roundToServing(Float32Array.from(data), DTYPE));
        expect(data).toEqual(made.get(sameRecipe(RECIPES, recipe, ops))?.[name]?.data);
      }
    }
    // Something was left out, and something of its own was not.
    const distinct = distinctRecipes(RECIPES, ops);
    expect(distinct.length).toBeLessThan(RECIPES.length);
    if (op !== 'linear') {
      const [eagerly, ...others] = distinct.map((recipe) => made.get(recipe));
      expect(others.at(-1)).not.toEqual(eagerly);
    }
    await model.checkpoint.close();
  },
);
