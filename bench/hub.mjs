// How long the static check of models on a Hub takes when every request has 50 ms more: one Qwen3-0.6B-shaped model, then
// 50, as `inspect` does it with its default of jobs.
// Run: node bench/hub.mjs. The Hub is on loopback, in a process of its own, so only latency and this program's work are measured.

import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const LATENCY_MS = 50;
const MODELS = 50;
const repository = join(dirname(fileURLToPath(import.meta.url)), '..');

async function bundled(source, folder, name) {
  const outfile = join(folder, name);
  const stdin = { contents: source, resolveDir: repository };
  await build({ stdin, bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile, logLevel: 'error' });
  return outfile;
}

const SERVER = `
  import { shapedModel, QWEN3_06B } from './__tests__/hub/made-shapes.js';
  import { startHub } from './__tests__/support/hub-server.js';
  const [folder, latency, models] = process.argv.slice(2);
  const hub = await startHub({ latencyMs: Number(latency) });
  const files = await shapedModel(folder + '/model', QWEN3_06B);
  for (let i = 0; i < Number(models); i++) hub.add('org/model-' + i, { files });
  process.on('message', (message) => {
    if (message === 'cost') process.send({ requests: hub.seen.length, bytes: hub.bytes() });
    if (message === 'end') process.exit();
  });
  process.send(hub.endpoint);
`;
const GATE = `
  export { loadConfig } from './src/config/load.js';
  export { check } from './src/gate.js';
`;

const folder = await mkdtemp(join(tmpdir(), 'fused-compat-bench-'));
// Beside the packages that it imports.
const bundles = await mkdtemp(join(repository, 'bench', '.bundle-'));
const server = fork(await bundled(SERVER, bundles, 'server.mjs'), [folder, String(LATENCY_MS), String(MODELS)]);
const said = () => new Promise((resolve) => server.once('message', resolve));
try {
  const endpoint = await said();
  const { check, loadConfig } = await import(pathToFileURL(await bundled(GATE, bundles, 'gate.mjs')).href);
  const env = { HOME: folder, HF_ENDPOINT: endpoint };
  let before = { requests: 0, bytes: 0 };
  for (const count of [1, 1, MODELS]) {
    const started = performance.now();
    const models = Array.from({ length: count }, (_, i) => `org/model-${i}`);
    const config = await loadConfig({ overrides: { models, policy: 'static' }, cwd: folder });
    const report = await check(config, { env });
    const seconds = (performance.now() - started) / 1000;
    server.send('cost');
    const cost = await said();
    const [requests, kilobytes] = [cost.requests - before.requests, (cost.bytes - before.bytes) / 1000];
    before = cost;
    if (report.models.some((model) => model.static?.layers.length !== 28)) throw new Error('a model was not read');
    console.log(`${count} model(s), ${LATENCY_MS} ms latency: ${seconds.toFixed(2)} s, ${requests} requests, ${kilobytes.toFixed(0)} kB`);
  }
} finally {
  server.send('end');
  await rm(folder, { recursive: true });
  await rm(bundles, { recursive: true });
}
