// The tables of docs/reference.md are those that scripts/reference-table.mjs makes of the code as it is.

import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { MARKERS } from '../../scripts/reference-table.js';
import { createOpRunner } from '../../src/reference/op-runner.js';
import { ORACLE, validRecipes } from '../../src/reference/recipes.js';
import { loadOnnxRuntime } from '../../src/reference/runtime.js';
import { ALL_MODELS, EXACT_DTYPE, goldenFolder, openModel, oracleRatio, readGolden, runForward } from '../support/goldens.js';

/** Cells of the two tables, heads included. */
function documented(): string[][][] {
  const document = readFileSync('docs/reference.md', 'utf8');
  const made = document.slice(document.indexOf(MARKERS[0]), document.indexOf(MARKERS[1]));
  const tables = made.split('\n\n').filter((part) => part.startsWith('|'));
  return tables.map((table) =>
    table.split('\n').map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    ),
  );
}

test('the tables have a row for every model and prompt and a column for every recipe', async () => {
  const recipes = validRecipes('bfloat16').map(({ name }) => `\`${name}\``);
  const [distances = [], divergences = []] = documented();
  expect(distances[0]).toEqual(['model', 'tokens', '`oracle`', ...recipes]);
  expect(divergences[0]).toEqual(['model', 'tokens', 'PyTorch eager', 'PyTorch SDPA', ...recipes]);
  const rows: string[][] = [];
  for (const name of ALL_MODELS) for (const ids of (await readGolden(name)).ids) rows.push([name, String(ids.length)]);
  for (const table of [distances, divergences]) expect(table.slice(2).map((cells) => cells.slice(0, 2))).toEqual(rows);
});

test('the numbers are within the bounds that the page names', () => {
  const [distances = []] = documented();
  for (const [, , oracle, eager] of distances.slice(2)) {
    expect(Number(oracle)).toBeLessThanOrEqual(1.0);
    expect(Number(eager)).toBeLessThanOrEqual(1.2);
  }
});

// The oracle's column only: the other recipes' bits, and so their numbers, depend on the processor.
test('the oracle’s numbers are those of the code', async () => {
  const runner = createOpRunner(await loadOnnxRuntime());
  const [distances = []] = documented();
  const now: string[] = [];
  for (const name of ALL_MODELS) {
    const golden = await readGolden(name);
    const model = await openModel(goldenFolder(name));
    for (const [prompt, ids] of golden.ids.entries()) {
      const { logits } = await runForward(runner, model, ids, ORACLE, EXACT_DTYPE);
      now.push(oracleRatio(golden, prompt, logits.data).toFixed(2));
    }
    await model.checkpoint.close();
  }
  expect(distances.slice(2).map(([, , oracle]) => oracle)).toEqual(now);
});
