// Seeded runs: all correct kernels of the zoo through the gate with prompts drawn by a seed. One file per run, so that what is there is not run again.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { exponential, largest, measured, number, table } from './text.mjs';
import { MODELS, numpyZoo, results, save, startFolder } from './zoo.mjs';

/** Title of the section of docs/detection.md. */
export const SEEDS = 'Correct kernels with seeded prompts';

/** What is run. Each seed comes once, so that no prompts are the same. */
const RUNS = [['bfloat16', 1], ['float16', 2], ['float32', 3], ...[4, 5, 6, 7].map((seed) => ['bfloat16', seed])];

/** Tokens of the prompts that every seed has; one more is of a length by the seed. */
const LENGTHS = [1, 2, 17, 64];
const LONGEST = 63;
/** Ids of the demo models' vocabularies that are no special tokens. */
const IDS = { first: 3, count: 1021 };

/** Numbers in [0, 1): mulberry32, https://github.com/bryc/code/blob/master/jshash/PRNGs.md#mulberry32 */
function drawer(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Random tokens, and one token again and again. */
export function promptsOf(seed) {
  const draw = drawer(seed);
  const token = () => IDS.first + Math.floor(draw() * IDS.count);
  const prompts = [...LENGTHS, 3 + Math.floor(draw() * (LONGEST - 2))].map((length) => Array.from({ length }, token));
  const repeated = token();
  return [...prompts, Array.from({ length: 3 + Math.floor(draw() * 20) }, () => repeated)];
}

const fileOf = (out, dtype, seed, model) => join(out, 'seeds', `${dtype}-${seed}-${basename(model)}.json`);

/** What the numbers do not say by themselves. */
const NOTES = [
  '- `accuracy ratio`, `max ratio` and `scale error` are the largest of a run, over all kernels, sites and outputs; `KL ratio` is that of the worst of the models in which the',
  '  kernels run free. Ratios warn above 2 and fail above 4.',
  '- qwen3-mini is a WARNING for its K-norm weights, whatever the kernels do.',
  '- `silu-mul-tanh` is a correct kernel for halves only: where the gate is negative, 1 + tanh(x/2) cancels, and around x = −8 the result is off by up to 2300 units of roundoff of float32',
  '  (by exp: 3). That it warns in float32 (and does so with the prompts of seed 13 on mistral-mini, max ratio 2.14) is no false alarm.',
];

/** Runs what is not in the folder yet. */
export async function runSeeds(gate, out) {
  const kernels = numpyZoo().filter(({ wrong }) => !wrong);
  startFolder(join(out, 'seeds'));
  for (const [dtype, seed] of RUNS) {
    const left = MODELS.filter((model) => !existsSync(fileOf(out, dtype, seed, model)));
    if (left.length === 0) continue;
    const folder = mkdtempSync(join(tmpdir(), 'detection-seeds-'));
    try {
      for (const kernel of kernels) kernel.write(folder, dtype);
      const ids = promptsOf(seed);
      for (const model of left) {
        const started = performance.now();
        const report = await gate.run({ models: [model], kernels: folder, dtype, prompts: ids.map((input_ids) => ({ input_ids })) });
        const result = { dtype, seed, model: basename(model), lengths: ids.map(({ length }) => length), ...said(report.models[0]) };
        save(fileOf(out, dtype, seed, model), { ...result, seconds: (performance.now() - started) / 1000 });
        const loud = alarms(result);
        console.error(
          `${dtype} seed ${seed} ${result.model}: ${result.kernels.length} kernels, ${loud.length === 0 ? 'silent' : loud.join('; ')}`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

function said({ verdict, reasons, numeric, static: checked }) {
  if (numeric === null) throw new Error(reasons.map(({ message }) => message).join('; '));
  const { status, kl_ratio, decisive_flips, positions, detail } = numeric.model;
  const of = ({ kernel, op, status: level, detail: why, sites, accuracy_ratio, max_ratio, scale_error, scale_error_standard_error }) => ({
    ...{ kernel, op, status: level, detail: why, sites, accuracy_ratio, max_ratio, scale_error, scale_error_standard_error },
  });
  return {
    verdict,
    static: checked.status,
    status: numeric.status,
    reasons: reasons.map(({ code }) => code),
    model_level: { status, kl_ratio, decisive_flips, positions, detail },
    canaries: { planted: numeric.canaries.length, caught: numeric.canaries.filter(({ caught }) => caught).length },
    kernels: numeric.kernels.map((result) => ({
      ...of(result),
      probes: result.probes.length,
      probes_open: result.probes.filter((probe) => probe.status !== 'pass'),
    })),
  };
}

/** Everything that is not a pass. */
export function alarms({ status, kernels, model_level: level }) {
  const loud = kernels.filter((kernel) => kernel.status !== 'pass').map((kernel) => `${kernel.kernel} ${kernel.status}: ${kernel.detail}`);
  if (level.status !== 'pass') loud.push(`model level ${level.status}: ${level.detail ?? `kl_ratio ${level.kl_ratio}`}`);
  return loud.length === 0 && status !== 'pass' ? [status] : loud;
}

/** The section of docs/detection.md; null where nothing was run. */
export function seedsSection(out, { correct }) {
  const found = results(join(out, 'seeds'));
  if (found === null) return null;
  const runs = [...found.runs].sort((a, b) => order(a) - order(b));
  const judged = runs.flatMap(({ dtype, kernels }) => kernels.map((kernel) => ({ ...kernel, dtype })));
  const loud = runs.filter((run) => alarms(run).length > 0).length;
  const failed = runs.filter(({ status }) => status === 'fail' || status === 'inconclusive').length;
  return [
    `## ${SEEDS}`,
    '',
    `${measured(found.about)}: ${runs.length} runs of the gate, each with all correct NumPy kernels that have a site in the model, and with prompts of`,
    `random tokens drawn by the seed: of ${LENGTHS.slice(0, -1).join(', ')} and ${LENGTHS.at(-1)} tokens, one of a drawn length, and one token again and again.`,
    `${correct.length} kernels were judged ${judged.length} times at ${judged.reduce((sum, { sites }) => sum + sites, 0)} sites and by ${judged.reduce((sum, { probes }) => sum + probes, 0)} probes, and`,
    `${runs.length} times in whole models. Runs with a kernel or a model level that fails: ${failed}; that warns: ${loud - failed}. Whatever the seed, a run must still see`,
    `its canaries: ${sum(runs, ({ canaries }) => canaries.caught)} of ${sum(runs, ({ canaries }) => canaries.planted)} were caught.`,
    '',
    runTable(runs),
    '',
    kernelTable(correct, judged),
    '',
    ...NOTES,
    '',
  ].join('\n');
}

const DTYPES = ['bfloat16', 'float16', 'float32'];
const order = ({ dtype, seed, model }) => 1000 * DTYPES.indexOf(dtype) + 10 * seed + MODELS.findIndex((path) => basename(path) === model);

function sum(list, value) {
  return list.reduce((total, each) => total + value(each), 0);
}

function runTable(runs) {
  const head = ['dtype', 'seed', 'model', 'kernels', 'prompts', 'accuracy ratio', 'max ratio', 'scale error'];
  return table(
    [...head, 'KL ratio', 'decisive flips', 'verdict', 'alarms'],
    runs.map((run) => [
      run.dtype,
      run.seed,
      run.model,
      run.kernels.length,
      run.lengths.join(', '),
      number(largest(run.kernels.map((kernel) => kernel.accuracy_ratio)), 3),
      number(largest(run.kernels.map((kernel) => kernel.max_ratio)), 3),
      exponential(largest(run.kernels.map((kernel) => kernel.scale_error))),
      number(run.model_level.kl_ratio),
      run.model_level.decisive_flips,
      // Of the checkpoint itself, whatever the kernels do.
      run.verdict === 'WARNING' && run.status === 'pass' ? 'WARNING (static)' : run.verdict,
      alarms(run).join('; ') || 'none',
    ]),
  );
}

function kernelTable(correct, judged) {
  const cell = (name, dtype) => {
    const mine = judged.filter((one) => one.kernel === name && one.dtype === dtype);
    const of = (key) => number(largest(mine.map((one) => one[key])), 3);
    return mine.length === 0 ? '–' : `${of('accuracy_ratio')} / ${of('max_ratio')}`;
  };
  return table(
    ['kernel', 'how it computes', 'runs', 'alarms', ...DTYPES.map((dtype) => `${dtype}: accuracy / max ratio`)],
    correct.map(({ name, words }) => {
      const mine = judged.filter((one) => one.kernel === name);
      const alarmed = mine.filter(({ status }) => status !== 'pass').length;
      return [`\`${name}\``, words, mine.length, alarmed, ...DTYPES.map((dtype) => cell(name, dtype))];
    }),
  );
}
