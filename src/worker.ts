// The third door: a worker thread. onnxruntime blocks its thread while it computes, so the main one stays free for progress.

import { parentPort, workerData } from 'node:worker_threads';
import { plainError } from './errors.js';
import { runJob, type Job, type JobResults, type Question, type Reply, type ReplyTo } from './jobs.js';
import type { Answer, Message, ThreadData } from './threads.js';

const port = parentPort;
if (port === null) throw new Error('worker.js is started by the other doors, not by hand');

const { threads, hand } = workerData as ThreadData;
const share = { threads, hand: new URL(hand) };
const asked = new Map<number, (reply: Reply) => void>();
let questions = 0;

/** Asks the main thread and waits for its reply. */
function ask<Q extends Question>(question: Q): Promise<ReplyTo<Q>> {
  const id = questions++;
  return new Promise((resolve) => {
    asked.set(id, resolve as (reply: Reply) => void);
    send({ kind: 'ask', id, question });
  });
}

function send(answer: Answer, movable: ArrayBuffer[] = []): void {
  port?.postMessage(answer, movable);
}

port.on('message', (message: Message) => {
  if (message.kind === 'reply') {
    asked.get(message.id)?.(message.reply);
    asked.delete(message.id);
    return;
  }
  runJob(message.job, { onLayer: (layer) => send({ kind: 'layer', layer }), share, ask }).then(
    (result) => send({ kind: 'done', result }, movable(result)),
    (error: unknown) => send({ kind: 'failed', ...plainError(error) }),
  );
});

/** Memory that goes to the other thread without a copy: the logits of a large vocabulary are 78 MB. */
function movable(result: JobResults[Job['kind']]): ArrayBuffer[] {
  return 'logits' in result ? [result.logits, result.hidden].map(({ data }) => data.buffer as ArrayBuffer) : [];
}
