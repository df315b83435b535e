// Exact statistics of every tensor of a local checkpoint, in GB/s: against reading the same bytes and doing nothing, and against NumPy.
//   node bench/make-checkpoint.mjs FOLDER && node bench/statistics.mjs FOLDER [--python /usr/bin/python3]
// The file is read once before, so that all of them read from the page cache. NumPy has one process with a loop over the same pieces.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const RUNS = 5;
const PIECE_BYTES = 2 * 2 ** 20;
const READS_AHEAD = 3;
const repository = join(dirname(fileURLToPath(import.meta.url)), '..');

const PRODUCT = `
  export { openFolder } from './src/hub/folder.js';
  export { openCheckpoint } from './src/weights/checkpoint.js';
  export { tensorStatistics } from './src/weights/statistics.js';
  export { allFinite } from './src/weights/values.js';
`;

/** Two ways, the best of each over all runs: widening to float32, as most would write it, and counting patterns as this program does. */
const NUMPY = `
import json, sys, time
import numpy as np
path, runs, piece = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, 'rb') as f:
    start = 8 + int.from_bytes(f.read(8), 'little')
values = (np.arange(65536, dtype=np.uint32) << 16).view(np.float32).astype(np.float64)
finite = np.isfinite(values)
def pieces():
    with open(path, 'rb') as f:
        f.seek(start)
        while True:
            read = f.read(piece)
            if not read: return
            yield np.frombuffer(read, np.uint16)
def widened():
    n = nan = inf = zeros = 0; low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    for bits in pieces():
        x = (bits.astype(np.uint32) << 16).view(np.float32)
        ok = np.isfinite(x)
        if not ok.all():
            nan += int(np.isnan(x).sum()); inf += int(np.isinf(x).sum()); x = x[ok]
        n += x.size; zeros += x.size - int(np.count_nonzero(x)); low = min(low, x.min()); high = max(high, x.max())
        wide = x.astype(np.float64)
        total += wide.sum(); squares += np.dot(wide, wide)
    return dict(count=n + nan + inf, nan=nan, inf=inf, zeros=zeros, min=float(low), max=float(high), mean=total / n, rms=float(np.sqrt(squares / n)))
def counted():
    counts = np.zeros(65536, np.int64)
    for bits in pieces(): counts += np.bincount(bits, minlength=65536)
    c, v = counts[finite], values[finite]
    n = int(c.sum()); seen = v[c > 0]
    return dict(count=int(counts.sum()), nan=int(counts[np.isnan(values)].sum()), inf=int(counts[np.isinf(values)].sum()), zeros=int(c[v == 0].sum()),
        min=float(seen.min()), max=float(seen.max()), mean=float((c * v).sum() / n), rms=float(np.sqrt((c * v * v).sum() / n)))
out = {'version': np.__version__}
for way in (widened, counted):
    best = float('inf')
    for _ in range(runs):
        begin = time.perf_counter(); result = way(); best = min(best, time.perf_counter() - begin)
    out[way.__name__] = {'seconds': best, 'result': result}
print(json.dumps(out))
`;

const { positionals, values: options } = parseArgs({ allowPositionals: true, options: { python: { type: 'string', default: 'python3' } } });
const folder = resolve(positionals[0] ?? '.');
const file = join(folder, 'model.safetensors');
const gigabytes = statSync(file).size / 1e9;

async function product() {
  const bundles = await mkdtemp(join(repository, 'bench', '.bundle-'));
  try {
    const outfile = join(bundles, 'statistics.mjs');
    const stdin = { contents: PRODUCT, resolveDir: repository };
    await build({ stdin, bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile, logLevel: 'error' });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(bundles, { recursive: true });
  }
}

const best = new Map();
async function timed(name, work) {
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  best.set(name, Math.min(best.get(name) ?? Infinity, seconds));
}

const { allFinite, openCheckpoint, openFolder, tensorStatistics } = await product();
const checkpoint = await openCheckpoint(await openFolder(folder));

/** All tensors in pieces, some read while one is worked on, as tensorStatistics does it. */
async function throughPieces(work) {
  for (const { name, dtype, byteLength } of checkpoint.tensors.values()) {
    const reads = [];
    let at = 0;
    do {
      for (; reads.length <= READS_AHEAD && at < byteLength; at += PIECE_BYTES)
        reads.push(checkpoint.read(name, at, Math.min(byteLength, at + PIECE_BYTES)));
      work(await reads.shift(), dtype);
    } while (reads.length > 0);
  }
}

function readOnly() {
  const handle = openSync(file);
  const buffer = new Uint8Array(PIECE_BYTES);
  while (readSync(handle, buffer, 0, PIECE_BYTES, null) > 0);
  closeSync(handle);
}

const total = { count: 0, nan: 0, inf: 0, zeros: 0, min: Infinity, max: -Infinity };
for (let run = 0; run < RUNS; run++) {
  await timed('read into one buffer, nothing else (readSync)', readOnly);
  await timed('read as the product reads, nothing else', () => throughPieces(() => {}));
  await timed('look for NaN and infinity (each block of the numeric diff)', () => throughPieces((bytes, dtype) => allFinite(bytes, dtype)));
  await timed('exact statistics of every tensor', async () => {
    for (const name of checkpoint.tensors.keys()) {
      const found = await tensorStatistics(checkpoint, name);
      if (run > 0) continue;
      for (const key of ['count', 'nan', 'inf', 'zeros']) total[key] += found[key];
      total.min = Math.min(total.min, found.min ?? Infinity);
      total.max = Math.max(total.max, found.max ?? -Infinity);
    }
  });
}
await checkpoint.close();

console.log(`${cpus()[0].model}, Node ${process.versions.node}, ${gigabytes.toFixed(2)} GB, best of ${RUNS}`);
for (const [name, seconds] of best) console.log(`${(gigabytes / seconds).toFixed(2).padStart(6)} GB/s  ${name}`);
const python = spawnSync(options.python, ['-c', NUMPY, file, String(RUNS), String(PIECE_BYTES)], { encoding: 'utf8' });
if (python.status !== 0) throw new Error(`NumPy did not run: ${python.stderr ?? python.error}`);
const { version, ...ways } = JSON.parse(python.stdout);
for (const [name, { seconds, result }] of Object.entries(ways)) {
  console.log(`${(gigabytes / seconds).toFixed(2).padStart(6)} GB/s  NumPy ${version}, ${name}`);
  for (const key of Object.keys(total))
    if (total[key] !== result[key]) throw new Error(`${key}: ${total[key]} here, ${result[key]} in NumPy`);
}
console.log('counts, minimum and maximum of both are equal');
