// Measures `fused-compat reference` on a checkpoint: wall time and peak memory against the floor of the machine.
//   node bench/make-checkpoint.mjs FOLDER && node bench/reference.mjs FOLDER [--cli dist/cli.js] [--limit-mb 500]
// Exit code 1 when a run takes more memory than the limit.

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TOKENS = 64;
const RUNS = 3;
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Prints the process's peak memory when it ends. VmHWM and not ru_maxrss, which on Linux starts at what the parent had. */
const PEAK = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) process.on('exit', () => {
    const peak = process.platform === 'linux' ? /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1] : process.resourceUsage().maxRSS;
    process.stderr.write('peak ' + peak + ' kB\\n');
  });
`)}`;

function run(cli, folder, recipe, output) {
  const ids = Array.from({ length: TOKENS }, (_, i) => (i * 2371 + 11) % 1000).join(',');
  const args = ['--import', PEAK, cli, 'reference', folder, '--input-ids', ids, '--recipe', recipe, '--output', output];
  return new Promise((done, fail) => {
    const start = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.on('error', fail);
    child.on('close', (code) => {
      const seconds = (performance.now() - start) / 1000;
      const peak = /peak (\d+) kB/.exec(stderr);
      if (code !== 0 || peak === null) fail(new Error(`${recipe} ended with code ${code}: ${stderr}`));
      else done({ seconds, peak: (Number(peak[1]) * 1024) / 1e6 });
    });
  });
}

/** FLOPs of one forward pass: every matrix once per token, and attention's two products over the whole (masked) square. */
function flops(config) {
  const {
    hidden_size: H,
    intermediate_size: I,
    num_hidden_layers: L,
    num_attention_heads: Nq,
    num_key_value_heads: Nkv,
    vocab_size: V,
  } = config;
  const D = config.head_dim ?? H / Nq;
  const layer = (Nq + 2 * Nkv) * D * H + Nq * D * H + 3 * H * I;
  return 2 * TOKENS * (L * layer + V * H) + L * 4 * TOKENS * TOKENS * Nq * D;
}

/** GFLOP/s of onnxruntime's Gemm on matrices of 1024 × 1024, one thread, as the reference engine is set up. */
async function gemmRate(type) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const { default: onnxProto } = await import('onnx-proto');
  const { onnx } = onnxProto;
  const elemType = type === 'float64' ? 11 : 1;
  const value = (name) => ({ name, type: { tensorType: { elemType } } });
  const graph = {
    name: 'gemm',
    node: [
      {
        opType: 'Gemm',
        input: ['a', 'b'],
        output: ['y'],
        attribute: [{ name: 'transB', type: onnx.AttributeProto.AttributeType.INT, i: 1 }],
      },
    ],
    input: [value('a'), value('b')],
    output: [value('y')],
  };
  const model = onnx.ModelProto.encode(
    onnx.ModelProto.fromObject({ irVersion: 10, opsetImport: [{ domain: '', version: 21 }], graph }),
  ).finish();
  const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 };
  const session = await InferenceSession.create(model, { ...options, extra: { session: { disable_prepacking: '1' } } });
  const size = 1024;
  const Values = type === 'float64' ? Float64Array : Float32Array;
  const matrix = () =>
    new Tensor(
      type,
      Values.from({ length: size * size }, () => Math.random() - 0.5),
      [size, size],
    );
  const feeds = { a: matrix(), b: matrix() };
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * size ** 3) / best / 1e6;
}

/** GB/s of reading the file from start to end, in pieces of 16 MiB into the same memory. */
function readRate(path) {
  const piece = Buffer.allocUnsafe(16 * 2 ** 20);
  const file = openSync(path, 'r');
  const start = performance.now();
  let bytes = 0;
  for (let count; (count = readSync(file, piece, 0, piece.length, bytes)) > 0;) bytes += count;
  closeSync(file);
  return bytes / (performance.now() - start) / 1e6;
}

const { values, positionals } = parseArgs({
  options: { cli: { type: 'string', default: join(ROOT, 'dist/cli.js') }, 'limit-mb': { type: 'string', default: '500' } },
  allowPositionals: true,
});
const [folder] = positionals;
if (folder === undefined) throw new Error('usage: node bench/reference.mjs FOLDER [--cli FILE] [--limit-mb 500]');
const weights = join(folder, 'model.safetensors');
const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
process.env.ORT_DISABLE_TELEMETRY = '1';

readRate(weights); // so that both the floor and the runs find the file in the page cache
const [work, bytes, rate] = [flops(config), statSync(weights).size, readRate(weights)];
console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`);
console.log(`${(bytes / 1e9).toFixed(2)} GB read at ${rate.toFixed(1)} GB/s, ${(work / 1e9).toFixed(0)} GFLOP, ${TOKENS} tokens\n`);
console.log('| recipe | time, best of 3 | floor | time / floor | peak memory |\n|---|---|---|---|---|');
const scratch = mkdtempSync(join(tmpdir(), 'bench-reference-'));
try {
  for (const [recipe, type] of [
    ['eager', 'float32'],
    ['oracle', 'float64'],
  ]) {
    const speed = await gemmRate(type);
    const floor = work / speed / 1e9 + bytes / rate / 1e9;
    const runs = [];
    for (let i = 0; i < RUNS; i++) runs.push(await run(resolve(values.cli), folder, recipe, join(scratch, 'out.safetensors')));
    const seconds = Math.min(...runs.map((one) => one.seconds));
    const peak = Math.max(...runs.map((one) => one.peak));
    const how = `${floor.toFixed(2)} s (${type} GEMM at ${speed.toFixed(0)} GFLOP/s)`;
    console.log(`| ${recipe} | ${seconds.toFixed(2)} s | ${how} | ${(seconds / floor).toFixed(1)} | ${peak.toFixed(0)} MB |`);
    if (peak > Number(values['limit-mb'])) {
      console.error(`error: ${recipe} took ${peak.toFixed(0)} MB, more than ${values['limit-mb']} MB`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(scratch, { recursive: true });
}
