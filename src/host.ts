// The fourth door: a child process that runs one kernel, so that what a native library does wrong stays in here. It speaks with src/kernels/hosted.ts.

import { cudaKernel } from './kernels/cuda.js';
import type { HostAnswer, HostQuestion } from './kernels/hosted.js';
import { DeviceLost, KernelError, type Kernel } from './kernels/kernel.js';
import type { KernelManifest } from './kernels/manifest.js';
import { onnxruntimeKernel, type ExecutionProvider } from './kernels/onnxruntime.js';
import { loadOnnxRuntime, onnxruntimeVersion } from './reference/runtime.js';

let kernel: Kernel | undefined;

async function open(manifest: KernelManifest, provider: ExecutionProvider): Promise<Kernel> {
  if (manifest.backend === 'cuda') return cudaKernel(manifest);
  if (manifest.backend === 'onnxruntime') return onnxruntimeKernel(await loadOnnxRuntime(), onnxruntimeVersion(), manifest, provider);
  throw new KernelError(`backend ${manifest.backend} has processes of its own`);
}

async function answer(question: HostQuestion): Promise<HostAnswer> {
  const { id } = question;
  try {
    if (question.kind === 'start') {
      kernel = await open(question.kernel, question.execution_provider);
      return { kind: 'started', id, device: await kernel.start() };
    }
    if (kernel === undefined) throw new KernelError('no kernel was started');
    return { kind: 'answer', id, answer: await kernel.run(question.call) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', id, message, usable: error instanceof KernelError && !(error instanceof DeviceLost) };
  }
}

if (process.send === undefined) throw new Error('host.js is started by the other doors, not by hand');
process.on('message', (question: HostQuestion) => void answer(question).then((said) => process.send?.(said)));
// The run has ended, or its process died: nothing waits for an answer any more.
process.on('disconnect', () => process.exit(0));
