// Backend `command`.
import { KernelError } from './kernel.js';
import type { CommandManifest } from './manifest.js';
import type { KernelProcess, ProcessOptions } from './processes.js';
export function commandProcess(manifest: CommandManifest, _options: ProcessOptions): Promise<KernelProcess> {
  return Promise.reject(new KernelError(manifest.name));
}
