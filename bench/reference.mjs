// Measures `fused-compat reference` on a checkpoint: wall time and peak memory against the floor of the machine.
//   node bench/make-checkpoint.mjs FOLDER && node bench/reference.mjs FOLDER [--cli dist/cli.js] [--cores 0,1] [--limit-mb 500] [--json FILE]
// Exit code 1 when a run takes more memory than the limit. transformers_forward.py measures transformers on the same tokens.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bytesOf, configOf, flops, machine, measureRates, ROOT, runNode } from './machine.mjs';

const PASS = '--one-pass';
const TOKENS = 64;
const RECIPES = { eager: 'float32', oracle: 'float64' };
const IDS = Array.from({ length: TOKENS }, (_, i) => (i * 2371 + 11) % 1000);

/** The whole command, from its start to the written file. */
function runCommand({ cli, folder, cores }, recipe, output) {
  return runNode([cli, 'reference', folder, '--input-ids', IDS.join(','), '--recipe', recipe, '--output', output], { cores });
}

/** Seconds of the same work in a process that has started and loaded its program: reading and computing the model, and writing the file. */
async function runLoaded({ cli, folder, cores }, recipe, output) {
  const { stdout } = await runNode([fileURLToPath(import.meta.url), PASS, cli, folder, recipe, output], { cores });
  return JSON.parse(stdout).seconds;
}

/** What runs in the process of `runLoaded`. */
async function printPass(cli, folder, recipe, output) {
  const gate = /\.\/(gate-[\w-]+\.js)/.exec(readFileSync(cli, 'utf8'))?.[1];
  const { reference } = await import(pathToFileURL(join(dirname(cli), gate)).href);
  const start = performance.now();
  await reference({ model: { id: folder, path: folder }, prompt: { input_ids: IDS }, recipe, dtype: 'auto', offline: true, output });
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
}

async function measure(target, recipe, runs, scratch) {
  const output = join(scratch, 'out.safetensors');
  const whole = [];
  const loaded = [];
  for (let i = 0; i < runs; i++) {
    whole.push(await runCommand(target, recipe, output));
    loaded.push(await runLoaded(target, recipe, output));
  }
  return {
    recipe,
    seconds: Math.min(...whole.map((one) => one.seconds)),
    loaded_seconds: Math.min(...loaded),
    peak_bytes: Math.max(...whole.map((one) => one.peak_bytes + one.children_peak_bytes)),
  };
}

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      cli: { type: 'string', default: join(ROOT, 'dist/cli.js') },
      cores: { type: 'string' },
      runs: { type: 'string', default: '3' },
      'limit-mb': { type: 'string', default: '500' },
      json: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [given] = positionals;
  if (given === undefined)
    throw new Error('usage: node bench/reference.mjs FOLDER [--cli FILE] [--cores 0,1] [--limit-mb 500] [--json FILE]');
  const target = { cli: resolve(values.cli), folder: resolve(given), cores: values.cores ?? null };
  const config = configOf(target.folder);
  const rates = await measureRates(target.cli, target.folder, target.cores);
  const [work, bytes] = [flops(config, [TOKENS]), bytesOf(target.folder)];
  const host = machine(target.cores);
  console.log(`${host.cpu}, ${host.cores} cores${target.cores === null ? '' : `, on ${target.cores}`}, Node ${host.node}`);
  const read = `${(bytes / 1e9).toFixed(2)} GB read at ${(rates.read / 1e9).toFixed(1)} GB/s`;
  console.log(`${read}, ${(work / 1e9).toFixed(0)} GFLOP, ${TOKENS} tokens\n`);
  console.log(
    `| recipe | time, best of ${values.runs} | of it without start | floor | time / floor | peak memory |\n|---|---|---|---|---|---|`,
  );
  const scratch = mkdtempSync(join(tmpdir(), 'bench-reference-'));
  const passes = [];
  try {
    for (const [recipe, type] of Object.entries(RECIPES)) {
      const pass = await measure(target, recipe, Number(values.runs), scratch);
      const floor_seconds = work / rates[type] + bytes / rates.read;
      passes.push({ ...pass, floor_seconds });
      const floor = `${floor_seconds.toFixed(2)} s (${type} GEMM at ${(rates[type] / 1e9).toFixed(0)} GFLOP/s)`;
      const times = `${pass.seconds.toFixed(2)} s | ${pass.loaded_seconds.toFixed(2)} s | ${floor} | ${(pass.seconds / floor_seconds).toFixed(1)}`;
      console.log(`| ${recipe} | ${times} | ${(pass.peak_bytes / 1e6).toFixed(0)} MB |`);
      if (pass.peak_bytes > Number(values['limit-mb']) * 1e6) {
        console.error(`error: ${recipe} took ${(pass.peak_bytes / 1e6).toFixed(0)} MB, more than ${values['limit-mb']} MB`);
        process.exitCode = 1;
      }
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
  const record = {
    kind: 'reference',
    name: basename(target.folder),
    machine: host,
    config,
    bytes,
    tokens: TOKENS,
    flops: work,
    rates,
    passes,
  };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`);
}

const [, , mode, ...rest] = process.argv;
if (mode === PASS) await printPass(...rest);
else await main();
