// The tables of docs/reference.md: how near the recipes come to what transformers computed on the small models.
// reference-table.mjs runs this and writes the file.

import {
  ALL_MODELS,
  eagerRatio,
  EXACT_DTYPE,
  goldenFolder,
  meanKl,
  openModel,
  oracleRatio,
  readGolden,
  runForward,
  type Golden,
  type OpenModel,
} from '../__tests__/support/goldens.js';
import type { OpRunner } from '../src/reference/op-runner.js';
import { ORACLE, validRecipes } from '../src/reference/recipes.js';

export const MARKERS = ['<!-- made by scripts/reference-table.mjs -->', '<!-- end of what scripts/reference-table.mjs made -->'] as const;

const RECIPES = validRecipes('bfloat16');

/** Both tables as Markdown. */
export async function referenceTables(runner: OpRunner): Promise<string> {
  const distances: string[][] = [];
  const divergences: string[][] = [];
  for (const name of ALL_MODELS) {
    const golden = await readGolden(name);
    const model = await openModel(goldenFolder(name));
    for (const prompt of golden.ids.keys()) {
      const { distance, divergence } = await measure(runner, model, golden, prompt);
      const tokens = String(golden.ids[prompt]?.length);
      distances.push([name, tokens, ...distance.map((ratio) => ratio.toFixed(2))]);
      divergences.push([name, tokens, ...divergence.map((kl) => (kl * 1e4).toFixed(1))]);
    }
    await model.checkpoint.close();
  }
  const names = RECIPES.map((recipe) => `\`${recipe.name}\``);
  return [
    'Distance of the logits, as a share of the distance that two of PyTorch’s own computations have. `oracle`: RMS to float64, where PyTorch’s',
    'float32 is 1. All others: RMS to bfloat16 with eager attention, where PyTorch’s bfloat16 with SDPA attention is 1.',
    '',
    ...markdown(['model', 'tokens', '`oracle`', ...names], distances),
    '',
    'KL divergence from PyTorch’s float64, mean over positions, in 1e-4 nats.',
    '',
    ...markdown(['model', 'tokens', 'PyTorch eager', 'PyTorch SDPA', ...names], divergences),
  ].join('\n');
}

async function measure(
  runner: OpRunner,
  model: OpenModel,
  golden: Golden,
  prompt: number,
): Promise<{ distance: number[]; divergence: number[] }> {
  const ids = golden.ids[prompt] ?? [];
  const exact = golden.tensor(`p${prompt}.f64.logits`);
  const kl = (logits: ArrayLike<number>) => meanKl(exact, logits, model.program.vocab_size);
  const distance = [oracleRatio(golden, prompt, (await runForward(runner, model, ids, ORACLE, EXACT_DTYPE)).logits.data)];
  const divergence = ['bf16', 'bf16_sdpa'].map((kind) => kl(golden.tensor(`p${prompt}.${kind}.logits`)));
  for (const recipe of RECIPES) {
    const { logits } = await runForward(runner, model, ids, recipe);
    distance.push(eagerRatio(golden, prompt, logits.data));
    divergence.push(kl(logits.data));
  }
  return { distance, divergence };
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
