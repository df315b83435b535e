// A kernel whose process belongs to the main thread, as a worker thread sees it: calls go there as questions.

import type { ServingDtype } from '../report/types.js';
import { KernelError, type Kernel, type KernelAnswer, type KernelCall, type KernelDevice, type KernelTensor } from './kernel.js';
import type { KernelManifest } from './manifest.js';

export type KernelQuestion =
  | { readonly kind: 'start_kernel'; readonly kernel: string; readonly dtype: ServingDtype }
  | { readonly kind: 'call_kernel'; readonly kernel: string; readonly call: KernelCall };

/** Failure travels as data: an error that crosses threads loses its class. */
export type KernelReply = { readonly device: KernelDevice } | { readonly answer: KernelAnswer } | { readonly failed: string };

export function remoteKernel(
  { name, op, backend }: KernelManifest,
  dtype: ServingDtype,
  ask: (question: KernelQuestion) => Promise<KernelReply>,
): Kernel {
  return {
    name,
    op,
    backend,
    async start() {
      const reply = await ask({ kind: 'start_kernel', kernel: name, dtype });
      if ('device' in reply) return reply.device;
      throw new KernelError('failed' in reply ? reply.failed : 'no device was named');
    },
    async run(call) {
      const reply = await ask({ kind: 'call_kernel', kernel: name, call: { ...call, inputs: compact(call.inputs) } });
      if ('answer' in reply) return reply.answer;
      throw new KernelError('failed' in reply ? reply.failed : 'there was no answer');
    },
    // The process outlives the model: the run ends it.
    close: () => Promise.resolve(),
  };
}

/** A part of an array would take its whole buffer along to the other thread. */
function compact(inputs: KernelCall['inputs']): Record<string, KernelTensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [
      name,
      { data: data.byteLength === data.buffer.byteLength ? data : data.slice(), shape },
    ]),
  );
}
