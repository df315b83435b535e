// Which recipes there are, and where two of them are the same.

import { describe, expect, test } from '@jest/globals';
import type { OpName } from '../../src/architectures/program.js';
import { distinctRecipes, eager, leaving, ORACLE, roundsOutputs, sameRecipe, validRecipes } from '../../src/reference/recipes.js';

const RECIPES = validRecipes('bfloat16');
const named = (name: string) => RECIPES.find((recipe) => recipe.name === name);
const namesAt = (...ops: OpName[]) => distinctRecipes(RECIPES, ops).map(({ name }) => name);

test('eager comes first, each recipe but the last changes one thing only, and no two are the same', () => {
  const [first, ...others] = RECIPES;
  expect(first).toEqual(eager('bfloat16'));
  const changes = others.map((recipe) =>
    (Object.keys(recipe) as (keyof typeof recipe)[]).filter((field) => field !== 'name' && recipe[field] !== first?.[field]),
  );
  expect(changes.slice(0, -1).map((fields) => fields.length)).toEqual(others.slice(0, -1).map(() => 1));
  expect(changes.at(-1)).toEqual(['norm_weight', 'probabilities', 'inside', 'sums']);
  const distinct = new Set(RECIPES.map((recipe) => JSON.stringify({ ...recipe, name: '' })));
  expect(distinct.size).toBe(RECIPES.length);
  expect(new Set(RECIPES.map(({ name }) => name)).size).toBe(RECIPES.length);
});

describe('at a site', () => {
  test.each<[OpName, string[]]>([
    ['linear', ['eager', 'split_sums', 'split_sums_by_four']],
    ['rms_norm', ['eager', 'norm_weight_swapped', 'float32_inside', 'split_sums', 'split_sums_by_four', 'all_variants']],
    ['attention', ['eager', 'float32_probabilities', 'float32_inside', 'split_sums', 'split_sums_by_four', 'all_variants']],
    ['rope', ['eager', 'float32_inside']],
    ['silu_mul', ['eager', 'float32_inside']],
    ['add', ['eager']],
  ])('of %s only those run that give something of their own', (op, names) => {
    expect(namesAt(op)).toEqual(names);
  });

  test('what is kept between contracts is eager’s: a site takes and gives values of the serving dtype', () => {
    const between = named('float32_between');
    if (between === undefined) throw new Error('no recipe that keeps float32 between contracts');
    for (const ops of [
      ['linear'],
      ['rms_norm', 'qkv'],
      ['qk_norm', 'rope'],
      ['attention'],
      ['linear', 'silu_mul', 'linear'],
    ] as OpName[][]) {
      expect(sameRecipe(RECIPES, between, ops)).toBe(RECIPES[0]);
      expect(namesAt(...ops)).not.toContain('float32_between');
    }
  });

  test('another order of sums is no other recipe’s', () => {
    const byFour = named('split_sums_by_four');
    if (byFour === undefined) throw new Error('no recipe that sums in four parts');
    expect(sameRecipe(RECIPES, byFour, ['linear'])).toBe(byFour);
    expect(sameRecipe(RECIPES, byFour, ['silu_mul'])).toBe(RECIPES[0]);
  });
});

test('what leaves the model is rounded, also where float32 is kept between contracts', () => {
  const rounded = [...RECIPES, ORACLE].map((recipe) => [recipe.name, roundsOutputs(recipe), roundsOutputs(leaving(recipe))]);
  expect(rounded).toEqual([...RECIPES.map(({ name }) => [name, name !== 'float32_between', true]), ['oracle', false, false]]);
});
