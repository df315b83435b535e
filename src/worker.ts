// The third door: a worker thread. onnxruntime blocks its thread while it computes, so the main one stays free for progress.

import { parentPort } from 'node:worker_threads';
import { ModelError } from './errors.js';
import { runJob, type Job } from './jobs.js';
import type { Answer } from './threads.js';

const port = parentPort;
if (port === null) throw new Error('worker.js is started by the other doors, not by hand');

port.on('message', (job: Job) => {
  const send = (answer: Answer) => port.postMessage(answer);
  runJob(job, (layer) => send({ kind: 'layer', layer })).then(
    (result) => send({ kind: 'done', result }),
    (error: unknown) =>
      send({
        kind: 'failed',
        code: error instanceof ModelError ? error.code : null,
        message: error instanceof Error ? error.message : String(error),
        stack: error instanceof Error ? (error.stack ?? null) : null,
      }),
  );
});
