// What measurements of whole models share: the floor of this machine (reading, products of matrices), the work in a checkpoint, and runs of
// a program on chosen cores with their time and peak memory. What is run and how it is told is in models.mjs and reference.mjs.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SAMPLE_MS = 50;

/** Prints a Node process's peak memory when it ends. VmHWM and not ru_maxrss, which on Linux starts at what the parent had. */
const PEAK = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) process.on('exit', () => {
    const peak = process.platform === 'linux' ? /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1] : process.resourceUsage().maxRSS;
    process.stderr.write('peak ' + peak + ' kB\\n');
  });
`)}`;

export function machine(cores) {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    used_cores: cores,
    system: `${platform()} ${release()}`,
    node: process.version,
    day: new Date().toISOString().slice(0, 10),
  };
}

/** `--cores 0,1` as a command's beginning; null: all cores, which is the only choice off Linux. */
const pinned = (cores) => (cores === null ? [] : ['taskset', '-c', cores]);

/**
 * Runs Node on the cores. `seconds` is from start to end; `peak_bytes` is the program's own peak, `children_peak_bytes` that of each process below it,
 * added up (an upper bound: they need not have had it at the same time).
 */
export function runNode(args, { cores, env = {}, accept = [0] }) {
  const [program, ...rest] = [...pinned(cores), process.execPath, '--import', PEAK, ...args];
  return new Promise((done, fail) => {
    const start = performance.now();
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const children = new Map();
    const sampler = setInterval(() => sample(child.pid, children), SAMPLE_MS);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    child.on('error', fail);
    child.on('close', (code) => {
      clearInterval(sampler);
      const seconds = (performance.now() - start) / 1000;
      const peak = /peak (\d+) kB/.exec(stderr);
      if (!accept.includes(code) || peak === null) return fail(new Error(`${args.join(' ')} ended with code ${code}: ${stderr || stdout}`));
      const children_peak_bytes = [...children.values()].reduce((sum, kilobytes) => sum + kilobytes * 1024, 0);
      done({ seconds, peak_bytes: Number(peak[1]) * 1024, children_peak_bytes, stdout });
    });
  });
}

/** Notes the peak memory of all processes below one, in kB. */
function sample(top, peaks) {
  if (platform() !== 'linux') return;
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = /^\d+ \(.*\) \S (\d+)/s.exec(readProc(`${name}/stat`))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (pid) => {
    for (let at = parents.get(pid); at !== undefined; at = parents.get(at)) if (at === top) return true;
    return false;
  };
  for (const pid of parents.keys()) {
    const peak = isBelow(pid) ? /VmHWM:\s+(\d+)/.exec(readProc(`${pid}/status`))?.[1] : undefined;
    if (peak !== undefined) peaks.set(pid, Math.max(Number(peak), peaks.get(pid) ?? 0));
  }
}

/** Empty for a process that has just ended. */
function readProc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}

export function weightFiles(folder) {
  return readdirSync(folder)
    .filter((name) => /^model.*\.safetensors$/.test(name))
    .map((name) => join(folder, name));
}

export const bytesOf = (folder) => weightFiles(folder).reduce((sum, path) => sum + statSync(path).size, 0);

export const configOf = (folder) => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

/** Bytes per second of reading a checkpoint from start to end, in pieces of 16 MiB into the same memory: the second time, from the page cache. */
function readRate(folder) {
  readAll(folder);
  const start = performance.now();
  return readAll(folder) / ((performance.now() - start) / 1000);
}

function readAll(folder) {
  const piece = Buffer.allocUnsafe(16 * 2 ** 20);
  let bytes = 0;
  for (const path of weightFiles(folder)) {
    const file = openSync(path, 'r');
    for (let at = 0, count; (count = readSync(file, piece, 0, piece.length, at)) > 0; at += count) bytes += count;
    closeSync(file);
  }
  return bytes;
}

/** FLOPs of one forward pass over prompts of these lengths: every matrix once per token, and attention's two products over the whole (masked) squares. */
export function flops(config, lengths) {
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
  const sum = (of) => lengths.reduce((total, length) => total + of(length), 0);
  return 2 * sum((T) => T) * (L * layer + V * H) + L * 4 * sum((T) => T * T) * Nq * D;
}

/** Protocol buffers' bytes for one field: a number, or a text or message as bytes. */
function field(number, value) {
  if (typeof value === 'number') return Buffer.from([number << 3, value]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

/** An ONNX model y = a bᵀ (onnx.proto: ModelProto, GraphProto, NodeProto). */
function gemmModel(elementType) {
  const value = (name) => Buffer.concat([field(1, name), field(2, field(1, field(1, elementType)))]);
  const transB = Buffer.concat([field(1, 'transB'), field(3, 1), Buffer.from([0xa0, 0x01, 2])]);
  const node = Buffer.concat([field(1, 'a'), field(1, 'b'), field(2, 'y'), field(4, 'Gemm'), field(5, transB)]);
  const graph = Buffer.concat([field(1, node), field(2, 'gemm'), field(11, value('a')), field(11, value('b')), field(12, value('y'))]);
  return Buffer.concat([field(1, 10), field(8, field(2, 21)), field(7, graph)]);
}

/** The ONNX Runtime that a built program has, so that nothing need be installed: dist/ has it packed. */
async function onnxRuntimeOf(dist) {
  process.env.ORT_DISABLE_TELEMETRY = '1';
  const entry = readdirSync(dist).find((name) => /^onnxruntime-node-.*\.js$/.test(name));
  if (entry === undefined) throw new Error(`${dist} has no ONNX Runtime; build it with \`npm run build\``);
  const natives = /native_exports\s*}\s*from\s*"(\.\/[^"]+)"/.exec(readFileSync(join(dist, entry), 'utf8'))?.[1];
  const { init_native: init, native_exports: native } = await import(pathToFileURL(join(dist, natives)).href);
  init();
  const folder = join(dist, 'native', `${process.platform}-${process.arch}`);
  await native.loadNative({ folder, env: process.env, load: createRequire(import.meta.url) });
  const module = await import(pathToFileURL(join(dist, entry)).href);
  return module.default ?? module;
}

/** FLOP/s of ONNX Runtime's Gemm on matrices of 1024 × 1024 with so many threads, other options as the reference engine has them. Best of 10. */
async function gemmRate({ InferenceSession, Tensor }, type, threads) {
  const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 4 };
  const extra = { session: { disable_prepacking: '1' } };
  const session = await InferenceSession.create(gemmModel(type === 'float64' ? 11 : 1), { ...options, extra });
  const size = 1024;
  const Values = type === 'float64' ? Float64Array : Float32Array;
  const values = () => Values.from({ length: size * size }, () => Math.random() - 0.5);
  const feeds = { a: new Tensor(type, values(), [size, size]), b: new Tensor(type, values(), [size, size]) };
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * size ** 3) / (best / 1000);
}

async function printRates(cli, folder, threads) {
  const ort = await onnxRuntimeOf(dirname(cli));
  const rates = { read: readRate(folder) };
  for (const type of ['float32', 'float64']) rates[type] = await gemmRate(ort, type, threads);
  console.log(JSON.stringify({ ...rates, threads }));
}

/** What the cores can do: bytes/s of reading this checkpoint, FLOP/s in float32 and float64, with as many threads as there are cores. */
export async function measureRates(cli, folder, cores) {
  const threads = cores === null ? cpus().length : cores.split(',').length;
  const { stdout } = await runNode([fileURLToPath(import.meta.url), cli, folder, String(threads)], { cores });
  return JSON.parse(stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , cli, folder, threads] = process.argv;
  await printRates(cli, folder, Number(threads));
}
