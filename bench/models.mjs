// Measures the whole numeric diff of checkpoints: cold and warm, wall time and peak memory, against the floor of the machine.
//   node bench/models.mjs run --out RESULTS FOLDER...    measures, one JSON file per checkpoint
//   node bench/models.mjs table RESULTS [DOCUMENT]       its tables as Markdown, or put between their markers in a document
// The second run of a checkpoint is the warm one: `--check-arg` and `--env` give `check` what makes it keep references, where {cache} is a folder
// that is empty before the first run. With `--kernels FOLDER` (bench/make-kernels.mjs) the kernels in FOLDER/before take the place of the shipped ones,
// and a last run has those in FOLDER/after in their place. bench/run.sh does all of it, with reference.mjs and transformers_forward.py.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bytesOf, configOf, flops, machine, measureRates, ROOT, runNode } from './machine.mjs';
import { MARKERS, tables } from './models-table.mjs';

/** Lengths of the built-in prompts, 239 tokens together (src/tokenizer/prompts.ts); synthetic checkpoints have no tokenizer. */
const LENGTHS = [64, 64, 61, 50];
/** float32 lanes of a walk: eight valid recipes, the model with the kernels standing in, and the one with a perturbation. The oracle is float64. */
const LANES = 10;

/** Each prompt its own tokens. */
function promptsOf(lengths, vocabulary) {
  const most = Math.min(vocabulary, 32_000);
  return lengths.map((length, prompt) => Array.from({ length }, (_, i) => (i * 2371 + prompt * 7919 + 11) % most));
}

/**
 * What no engine can leave out: the products of all lanes and of the texts that were written, and reading the weights once for the lanes and once for
 * every token of a text.
 */
function floorOf(config, lengths, generation, bytes, rates) {
  const work = { float64: flops(config, lengths), float32: LANES * flops(config, lengths) };
  let passes = 1;
  for (const { ids_prompt, ids_fused, ids_standard, first_divergence } of generation ?? []) {
    const read = ids_prompt.length + ids_fused.length;
    work.float32 += flops(config, [read]) + flops(config, [read]);
    work.float64 += flops(config, [read]);
    passes += ids_fused.length + 1;
    if (first_divergence === null) continue;
    // From the first other token on the standard text is written, and read, by itself.
    work.float32 += flops(config, [ids_prompt.length + ids_standard.length]);
    work.float64 += flops(config, [ids_prompt.length + ids_standard.length]);
    passes += ids_standard.length - first_divergence.position;
  }
  return {
    flops: work,
    passes,
    seconds: work.float32 / rates.float32 + work.float64 / rates.float64 + (passes * bytes) / rates.read,
  };
}

/** What a kept reference must not change: everything but times. */
function evidenceOf(report) {
  const { numeric, ...model } = report.models[0];
  return JSON.stringify({ ...model, numeric: numeric === null ? null : { ...numeric, performance: null } });
}

async function check({ cli, folder, cores, args, env }, scratch, prompts) {
  const config = join(scratch, 'config.json');
  writeFileSync(config, JSON.stringify({ models: [folder], prompts: prompts.map((ids) => ({ 'input-ids': ids })) }));
  const output = join(scratch, 'report');
  const fixed = ['--config', config, '--execution-provider', 'cpu', '--fail-on', 'never', '--offline', '--quiet', '--output', output];
  const { seconds, peak_bytes, children_peak_bytes } = await runNode([cli, 'check', ...fixed, ...args], { cores, env });
  const report = JSON.parse(readFileSync(join(output, 'report.json'), 'utf8'));
  return { report, run: { seconds, peak_bytes: peak_bytes + children_peak_bytes } };
}

async function measure(folder, { cli, cores, lengths, args, env, runs, kernels }) {
  const config = configOf(folder);
  const scratch = mkdtempSync(join(tmpdir(), 'bench-models-'));
  const cache = join(scratch, 'cache');
  const put = (text) => text.replaceAll('{cache}', cache);
  // By one path, whatever is in it.
  const judged = join(scratch, 'kernels');
  const place = (when) => {
    rmSync(judged, { recursive: true, force: true });
    cpSync(join(kernels, when), judged, { recursive: true });
  };
  const own = kernels === null ? [] : ['--kernels', judged];
  const target = {
    cli,
    folder,
    cores,
    args: [...own, ...args.map(put)],
    env: Object.fromEntries(env.map((one) => put(one).split(/=(.*)/s, 2))),
  };
  try {
    mkdirSync(cache);
    const rates = await measureRates(cli, folder, cores);
    const prompts = promptsOf(lengths, config.vocab_size);
    const once = async (name) => {
      const done = await check(target, scratch, prompts);
      const { seconds, peak_bytes } = done.run;
      console.log(`${basename(folder)} ${name}: ${seconds.toFixed(1)} s, ${(peak_bytes / 1e6).toFixed(0)} MB`);
      return done;
    };
    if (kernels !== null) place('before');
    const cold = await once('cold');
    const warm = [];
    for (let i = 1; i < runs; i++) warm.push(await once('warm'));
    if (kernels !== null) place('after');
    const changed = kernels === null ? null : await once('with a changed kernel');
    const { verdict, numeric, reasons } = cold.report.models[0];
    if (numeric === null) throw new Error(`${folder}: no numeric diff: ${reasons[0].message}`);
    return {
      kind: 'diff',
      name: basename(folder),
      machine: machine(cores),
      config,
      bytes: bytesOf(folder),
      lengths,
      rates,
      floor: floorOf(config, lengths, numeric.generation, bytesOf(folder), rates),
      verdict,
      kernels: numeric.kernels.length,
      causes_and_trials: numeric.causes.length + (numeric.model?.responsible == null ? 0 : 1),
      cold: cold.run,
      warm: warm.length === 0 ? null : { ...warm.at(-1).run, seconds: Math.min(...warm.map(({ run }) => run.seconds)) },
      changed: changed?.run ?? null,
      same_evidence: warm.length === 0 ? null : warm.every(({ report }) => evidenceOf(report) === evidenceOf(cold.report)),
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function run(out, folders, options) {
  mkdirSync(out, { recursive: true });
  for (const folder of folders) {
    const record = await measure(resolve(folder), options);
    writeFileSync(join(out, `diff-${record.name}.json`), `${JSON.stringify(record, null, 2)}\n`);
  }
}

function table(results, document) {
  const files = readdirSync(results).filter((name) => name.endsWith('.json'));
  const text = tables(files.sort().map((name) => JSON.parse(readFileSync(join(results, name), 'utf8'))));
  if (document === undefined) return console.log(text);
  const before = readFileSync(document, 'utf8');
  const [start, end] = MARKERS.map((marker) => before.indexOf(marker));
  if (start < 0 || end < start) throw new Error(`${document} has no place for the tables: ${MARKERS.join(' and ')}`);
  writeFileSync(document, `${before.slice(0, start + MARKERS[0].length)}\n\n${text}\n\n${before.slice(end)}`);
}

const USAGE = 'usage: node bench/models.mjs run --out RESULTS FOLDER... | table RESULTS [DOCUMENT]';
const { values, positionals } = parseArgs({
  options: {
    out: { type: 'string' },
    cli: { type: 'string', default: join(ROOT, 'dist/cli.js') },
    cores: { type: 'string' },
    prompts: { type: 'string', default: String(LENGTHS.length) },
    runs: { type: 'string', default: '2' },
    kernels: { type: 'string' },
    'check-arg': { type: 'string', multiple: true, default: [] },
    env: { type: 'string', multiple: true, default: [] },
  },
  allowPositionals: true,
});
const [mode, ...rest] = positionals;
if (mode === 'table' && rest.length >= 1 && rest.length <= 2) table(...rest);
else if (mode === 'run' && rest.length > 0 && values.out !== undefined)
  await run(values.out, rest, {
    cli: resolve(values.cli),
    cores: values.cores ?? null,
    lengths: LENGTHS.slice(0, Number(values.prompts)),
    args: values['check-arg'],
    env: values.env,
    runs: Number(values.runs),
    kernels: values.kernels === undefined ? null : resolve(values.kernels),
  });
else throw new Error(USAGE);
