// The evidence of docs/detection.md: known-wrong and known-right kernels through the gate, and what other tools say of the same outputs.
//   node scripts/detection.mjs prepare           bundles the recorder and the gate into build/detection (needs the development packages)
//   node scripts/detection.mjs numpy FOLDER      the NumPy kernels of __tests__/kernels/zoo on the CPU → FOLDER/numpy.json
//   node scripts/detection.mjs cuda FOLDER       mutants of kernels/cuda, made with nvcc, on a GPU → FOLDER/cuda.json
//   node scripts/detection.mjs seeds FOLDER      the correct ones with prompts drawn by seeds → FOLDER/seeds/; goes on where it was ended
//   node scripts/detection.mjs layers FOLDER     the broken ones wrong in one layer only → FOLDER/layers/; goes on where it was ended
//   node scripts/detection.mjs table FOLDER...   writes docs/detection.md from what is there
//   node scripts/detection.mjs --check           the committed table names the kernels that exist
// --dist FOLDER: another build of the program than dist/. --only PATTERN: measures the
// kernels whose names it fits and keeps the other results.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runLayers } from './detection/layers.mjs';
import { cudaZoo } from './detection/mutants.mjs';
import { runSeeds } from './detection/seeds.mjs';
import { DOCUMENT, problems, render } from './detection/table.mjs';
import { applies, MODELS, numpyZoo, ROOT } from './detection/zoo.mjs';

const RECORDER = join(ROOT, 'build/detection/record.js');
const GATE = join(ROOT, 'build/detection/gate.js');
const DTYPE = 'bfloat16';
/** Prompts that end in the middle of a tile of 16, longer than the windows of 24. */
const PROMPTS = [27, 30].map((length, i) => Array.from({ length }, (_, t) => 3 + ((t * 389 + i * 61) % 1000)));

/** Kernels of the same op, right or wrong, that go through the gate together: each gets a model of its own there. */
function groups(kernels) {
  const found = new Map();
  for (const kernel of kernels) {
    const key = `${kernel.op} ${kernel.wrong}`;
    found.set(key, [...(found.get(key) ?? []), kernel]);
  }
  return [...found.values()];
}

/** The program itself; gives its report. */
function gate(dist, folder, kernels, models, gpu) {
  const output = join(folder, 'report');
  const config = join(folder, 'fused-compat.yml');
  writeFileSync(config, JSON.stringify({ prompts: PROMPTS.map((ids) => ({ 'input-ids': ids })) }));
  const args = ['check', ...models, '--config', config, '--kernels', kernels, '--dtype', DTYPE, '--fail-on', 'never', '--output', output];
  if (gpu) args.push('--require-gpu');
  const { status, stderr } = spawnSync(process.execPath, [join(dist, 'cli.js'), ...args, '--quiet'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the program ended with ${status}: ${stderr}`);
  return JSON.parse(readFileSync(join(output, 'report.json'), 'utf8'));
}

/** What a report says of each kernel on each model. */
function judgements(report) {
  return report.models.flatMap(({ id, numeric, reasons }) => {
    if (numeric === null) throw new Error(`${id}: ${reasons.map(({ message }) => message).join('; ')}`);
    return numeric.kernels.map((result) => ({
      ...pick(result, ['kernel', 'status', 'detail', 'device', 'accuracy_ratio', 'max_ratio', 'scale_error', 'non_finite']),
      model: basename(id),
      probes: (result.probes ?? []).filter(({ status }) => status !== 'pass'),
      // Of the worst of the kernels that ran free; the others were no worse.
      free: numeric.model === null ? null : pick(numeric.model, ['status', 'kl_ratio', 'decisive_flips']),
    }));
  });
}

function pick(object, keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}

function missedBy(kernel, ours) {
  const passes = ({ kernel: name, status }) => name === kernel.name && status !== 'fail';
  const models = new Set(ours.filter(passes).map(({ model }) => model));
  return MODELS.filter((path) => models.has(basename(path)) && applies(kernel, path));
}

/** @param kept results of kernels that are not measured again */
async function run(kind, zoo, out, dist, kept) {
  const work = mkdtempSync(join(tmpdir(), 'detection-'));
  const gpu = kind === 'cuda';
  const started = performance.now();
  try {
    const { record } = await import(pathToFileURL(RECORDER).href);
    const results = { ...kept };
    for (const [i, kernels] of groups(zoo).entries()) {
      const folder = join(work, String(i));
      for (const kernel of kernels) kernel.write(join(folder, 'kernels'));
      const ours = judgements(gate(dist, folder, join(folder, 'kernels'), MODELS, gpu));
      // Alone where the sites and the probes saw nothing: there the model level speaks of this kernel only.
      const missed = kernels
        .filter(({ wrong }) => wrong && kernels.length > 1)
        .map((kernel) => ({ kernel, models: missedBy(kernel, ours) }));
      for (const { kernel, models } of missed.filter((one) => one.models.length > 0)) {
        kernel.write(join(folder, `alone-${kernel.name}`));
        const alone = judgements(gate(dist, folder, join(folder, `alone-${kernel.name}`), models, gpu));
        const same = (one) => (two) => two.kernel === one.kernel && two.model === one.model;
        for (const one of alone) ours[ours.findIndex(same(one))] = { ...one, alone: true };
      }
      const host = pathToFileURL(join(dist, 'host.js'));
      const options = { kernels: join(folder, 'kernels'), dtype: DTYPE, prompts: PROMPTS, host, log: () => undefined };
      const others = await record({ ...options, models: MODELS });
      for (const kernel of kernels) {
        const { name } = kernel;
        const models = MODELS.map((path) => basename(path));
        results[name] = models.flatMap((model, at) => {
          const mine = ours.find((one) => one.kernel === name && one.model === model);
          const theirs = others[MODELS[at]]?.[name];
          return mine === undefined || !applies(kernel, MODELS[at]) ? [] : [{ ...mine, others: theirs }];
        });
      }
      const seen = kernels.filter(({ name }) => results[name].some(({ status }) => status === 'fail')).length;
      const label = `${kernels[0].op}, ${kernels[0].wrong ? 'wrong' : 'right'}`;
      console.error(`${label}: ${seen} of ${kernels.length} fail; ${((performance.now() - started) / 1000).toFixed(0)} s`);
    }
    const about = {
      kind,
      date: new Date().toISOString().slice(0, 10),
      cpu: cpus()[0]?.model,
      seconds: (performance.now() - started) / 1000,
    };
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, `${kind}.json`), `${JSON.stringify({ about, results }, null, 1)}\n`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Results that are there already. */
function earlier(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).results : {};
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean' }, dist: { type: 'string' }, only: { type: 'string' } },
});
const [task, ...folders] = positionals;
const dist = resolve(values.dist ?? join(ROOT, 'dist'));
const chosen = (name) => new RegExp(values.only ?? '').test(name);
if (values.check) {
  const found = problems(ROOT);
  for (const problem of found) console.error(`${DOCUMENT}: ${problem}`);
  process.exitCode = found.length === 0 ? 0 : 1;
} else if (task === 'prepare') {
  const entries = ['record.ts', 'gate.ts'].flatMap((name) => ['--entry', join(ROOT, 'scripts/detection', name)]);
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--outdir', join(ROOT, 'build/detection'), ...entries]);
} else if ((task === 'seeds' || task === 'layers') && folders.length === 1) {
  if (!existsSync(GATE)) throw new Error('run `node scripts/detection.mjs prepare` first');
  const { markLayers, openGate } = await import(pathToFileURL(GATE).href);
  const gate = openGate(pathToFileURL(join(dist, 'worker.js')));
  try {
    if (task === 'seeds') await runSeeds(gate, resolve(folders[0]));
    else await runLayers(gate, markLayers, resolve(folders[0]), chosen);
  } finally {
    await gate.close();
  }
} else if ((task === 'numpy' || task === 'cuda') && folders.length === 1) {
  if (!existsSync(RECORDER)) throw new Error('run `node scripts/detection.mjs prepare` first');
  const out = resolve(folders[0]);
  const made = mkdtempSync(join(tmpdir(), 'detection-mutants-'));
  try {
    await run(
      task,
      task === 'numpy' ? numpyZoo().filter(({ name }) => chosen(name)) : await cudaZoo(ROOT, made, chosen),
      out,
      dist,
      values.only === undefined ? {} : earlier(join(out, `${task}.json`)),
    );
  } finally {
    rmSync(made, { recursive: true });
  }
} else if (task === 'table' && folders.length > 0) {
  await render(ROOT, folders);
} else {
  throw new Error('what to do? See the head of scripts/detection.mjs');
}
