// The fifth door: a thread that runs single ops of the reference for a model's own thread (src/reference/hands.ts), one after the other.

import { parentPort } from 'node:worker_threads';
import { plainError } from './errors.js';
import { KEPT_FACTORS, type HandAnswer, type HandQuestion } from './reference/hands.js';
import type { NdArray } from './reference/ndarray.js';
import { createOpRunner, type Factor, type OpRunner } from './reference/op-runner.js';
import { loadOnnxRuntime } from './reference/runtime.js';

const port = parentPort;
if (port === null) throw new Error('hand.js is started by worker.js, not by hand');

const held = new Map<number, readonly Factor[]>();
let runner: Promise<OpRunner> | undefined;
let last: Promise<void> = Promise.resolve();

port.on('message', (question: HandQuestion) => {
  last = last.then(() => answer(question));
});

async function answer(question: HandQuestion): Promise<void> {
  try {
    runner ??= loadOnnxRuntime().then(createOpRunner);
    const outputs = await outputsOf(await runner, question);
    send(
      { outputs },
      Object.values(outputs as Readonly<Record<string, NdArray>>).map(({ data }) => data.buffer as ArrayBuffer),
    );
  } catch (error) {
    send({ failed: plainError(error) });
  }
}

function outputsOf(ops: OpRunner, question: HandQuestion): Promise<Readonly<Record<string, NdArray>> | readonly NdArray[]> {
  if (question.kind === 'run') return ops.run(question.op, question.recipe, question.inputs);
  return ops.linears(factorsOf(question), question.weight, question.bias, question.softcap);
}

/** The factors that came along, or those that came with an earlier block of the matrix. */
function factorsOf({ number, factors }: Extract<HandQuestion, { kind: 'linears' }>): readonly Factor[] {
  if (factors !== null) held.set(number, factors);
  for (const old of [...held.keys()].slice(0, -KEPT_FACTORS)) held.delete(old);
  return held.get(number) as readonly Factor[];
}

function send(said: HandAnswer, moved: ArrayBuffer[] = []): void {
  port?.postMessage(said, moved);
}
