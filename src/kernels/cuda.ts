// Backend `cuda`.
import { KernelError, type Kernel } from './kernel.js';
import type { CudaManifest } from './manifest.js';
export function cudaKernel(manifest: CudaManifest): Promise<Kernel> {
  return Promise.reject(new KernelError(manifest.name));
}
