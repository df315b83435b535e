// The third door: a worker thread. onnxruntime blocks its thread while it computes, so the main one stays free for progress.

import { parentPort } from 'node:worker_threads';
import { ModelError } from './errors.js';
import { runJob, type Job, type JobResults } from './jobs.js';
import type { Answer } from './threads.js';

const port = parentPort;
if (port === null) throw new Error('worker.js is started by the other doors, not by hand');

port.on('message', (job: Job) => {
  const send = (answer: Answer) => port.postMessage(answer);
  runJob(job, (layer) => send({ kind: 'layer', layer })).then(
    (result) => port.postMessage({ kind: 'done', result } satisfies Answer, movable(result)),
    (error: unknown) =>
      send({
        kind: 'failed',
        code: error instanceof ModelError ? error.code : null,
        message: error instanceof Error ? error.message : String(error),
        stack: error instanceof Error ? (error.stack ?? null) : null,
      }),
  );
});

/** Memory that goes to the other thread without a copy: the logits of a large vocabulary are 78 MB. */
function movable(result: JobResults[Job['kind']]): ArrayBuffer[] {
  return 'logits' in result ? [result.logits, result.hidden].map(({ data }) => data.buffer as ArrayBuffer) : [];
}
