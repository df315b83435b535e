// Jobs in real worker threads: those that never end, that die, and that die when nobody looks.

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ModelError } from '../../src/errors.js';
import { startThreads, type Engine } from '../../src/threads.js';
import { scratch } from '../support/models.js';
import { until } from '../support/waiting.js';

// A worker that does what the job's first text says.
const WORKER = `
import { writeFileSync } from 'node:fs';
import { parentPort, threadId, Worker, workerData } from 'node:worker_threads';
const done = (result) => parentPort.postMessage({ kind: 'done', result });
parentPort.on('message', ({ job: { texts: [what, ms] } }) => {
  if (what === 'id') setTimeout(() => done(threadId), Number(ms ?? 0));
  else if (what === 'spin') for (;;);
  else if (what === 'wait') setInterval(() => {}, 1000);
  else if (what === 'throw') throw new Error('the worker broke');
  else if (what === 'exit') process.exit(7);
  else if (what === 'fail') parentPort.postMessage({ kind: 'failed', code: 'weights_invalid', message: 'bad file', stack: null });
  else if (what === 'defect') parentPort.postMessage({ kind: 'failed', code: null, message: 'a defect', stack: 'Error: a defect at x' });
  else if (what === 'layers') { for (const layer of [0, 1, 2]) parentPort.postMessage({ kind: 'layer', layer }); done('layers'); }
  else if (what === 'threads') done(workerData.threads);
  else if (what === 'hand') new Worker(new URL(workerData.hand));
  else if (what === 'late') {
    done('soon broken');
    process.on('exit', () => writeFileSync(new URL('./broke.txt', import.meta.url), ''));
    setTimeout(() => { throw new Error('broke when idle'); }, 20);
  }
});
`;

// What stands beside it writes down that it lives.
const HAND = `
import { appendFileSync } from 'node:fs';
setInterval(() => appendFileSync(new URL('./alive.txt', import.meta.url), '.'), 5);
`;

let root: { folder: string; remove: () => Promise<void> };
let script: URL;
const engines: Engine[] = [];
beforeAll(async () => {
  root = await scratch();
  const path = join(root.folder, 'worker.mjs');
  await writeFile(path, WORKER);
  script = pathToFileURL(path);
  await writeFile(join(root.folder, 'hand.mjs'), HAND);
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});
afterAll(() => root.remove());

function engine(size: number): (what: string, options?: Parameters<Engine['run']>[1], ms?: number) => Promise<unknown> {
  const threads = startThreads(size, script);
  engines.push(threads);
  return (what, options, ms) => threads.run({ kind: 'tokenize', model: '', texts: [what, String(ms ?? 0)] }, options);
}

const TIMEOUT = { ms: 200, error: new ModelError('tokenizer_invalid', 'took too long') };

test.each(['spin', 'wait'])('a job that never ends (%s) is ended with the error of its time-out, and the engine goes on', async (what) => {
  const run = engine(1);
  const before = await run('id');
  const waiting = run(what, { timeout: TIMEOUT });
  const next = run('id');
  await expect(waiting).rejects.toBe(TIMEOUT.error);
  expect(await next).not.toBe(before);
});

test('a job that ends in time is not ended later', async () => {
  const run = engine(1);
  // Started before, so that it answers at once.
  const before = await run('id');
  expect(await run('id', { timeout: { ...TIMEOUT, ms: 1000 } })).toBe(before);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(await run('id')).toBe(before);
});

test.each([
  ['throw', 'the worker broke'],
  ['exit', 'a worker thread ended with code 7 before its job was done'],
])('a worker that dies (%s) is an error of its job alone', async (what, message) => {
  const run = engine(1);
  const broken = run(what);
  const next = run('id');
  await expect(broken).rejects.toThrow(message);
  expect(typeof (await next)).toBe('number');
});

test('a worker that dies between two jobs costs nothing', async () => {
  const run = engine(1);
  expect(await run('late')).toBe('soon broken');
  await until('its death', () => existsSync(join(root.folder, 'broke.txt')));
  // The news of it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(typeof (await run('id'))).toBe('number');
});

test('a failed job leaves its thread in use, and keeps the code of a ModelError and the stack of a defect', async () => {
  const run = engine(1);
  const before = await run('id');
  await expect(run('fail')).rejects.toMatchObject({ name: 'ModelError', code: 'weights_invalid', message: 'bad file' });
  const defect = await run('defect').catch((error: unknown) => error as Error);
  expect(defect).not.toBeInstanceOf(ModelError);
  expect(defect).toMatchObject({ message: 'a defect', stack: 'Error: a defect at x' });
  expect(await run('id')).toBe(before);
});

test('at most as many threads run as were asked for, and all jobs are done', async () => {
  const run = engine(2);
  const ids = await Promise.all(Array.from({ length: 8 }, () => run('id', {}, 20)));
  expect(new Set(ids).size).toBe(2);
});

test.each([
  [1, 1, 1],
  [1, 3, 3],
  [2, 2, 1],
  [2, 5, 2],
  [3, 2, 1],
])('%i jobs on %i cores take %i threads each', async (size, cores, threads) => {
  const started = startThreads(size, script, cores);
  engines.push(started);
  expect(await started.run({ kind: 'tokenize', model: '', texts: ['threads'] })).toBe(threads);
});

test('a thread that is ended takes those along that compute for it', async () => {
  const alive = async () => (await readFile(join(root.folder, 'alive.txt'), 'utf8').catch(() => '')).length;
  // Longer on a machine on which it is not alive by then.
  for (const ms of [500, 5000, 50_000]) {
    if ((await alive()) > 0) break;
    await expect(engine(1)('hand', { timeout: { ...TIMEOUT, ms } })).rejects.toBe(TIMEOUT.error);
    for (const threads of engines.splice(0)) await threads.close();
  }
  const before = await alive();
  expect(before).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await alive()).toBe(before);
});

test('layers are told as they are done', async () => {
  const layers: number[] = [];
  expect(await engine(1)('layers', { onLayer: (layer) => layers.push(layer) })).toBe('layers');
  expect(layers).toEqual([0, 1, 2]);
});

test('a worker script that is not there is an error', async () => {
  const threads = startThreads(1, pathToFileURL(join(root.folder, 'gone.mjs')));
  engines.push(threads);
  await expect(threads.run({ kind: 'tokenize', model: '', texts: [] })).rejects.toThrow(/gone\.mjs/);
});
