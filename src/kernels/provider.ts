// What execution provider `auto` is on this machine. What runs on the provider is onnxruntime.ts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostedProcess } from './hosted.js';
import { KernelError } from './kernel.js';
import type { OnnxruntimeManifest } from './manifest.js';
import type { ExecutionProvider } from './onnxruntime.js';
import type { ProcessOptions } from './processes.js';

/** Any kernel will do: what is asked is whether its device is there. */
const TRIAL: OnnxruntimeManifest = {
  name: 'trial',
  op: 'rms_norm',
  dtypes: ['float32'],
  backend: 'onnxruntime',
  operator: 'SimplifiedLayerNormalization',
};

/**
 * `webgpu` where a process of ours can compute on it, else `cpu`. Starting one takes a second, so machines that show no GPU are not asked.
 * @param showsGpu whether a GPU can be expected
 */
export async function automaticProvider(
  options: Omit<ProcessOptions, 'dtype' | 'execution_provider'>,
  showsGpu: () => boolean,
): Promise<ExecutionProvider> {
  if (!showsGpu()) return 'cpu';
  try {
    const trial = await hostedProcess(TRIAL, { ...options, dtype: 'float32', execution_provider: 'webgpu' });
    await trial.close();
    return 'webgpu';
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    options.log(`ONNX Runtime's kernels run on the CPU: ${error.message}`);
    return 'cpu';
  }
}

/** PCI vendors of GPUs: NVIDIA, AMD, Intel. Virtual display adapters, which compute nothing, have others. */
const VENDORS = new Set(['0x10de', '0x1002', '0x8086']);

/**
 * Whether the machine has a device node of a GPU, or a Vulkan driver that is none of software. Nothing is loaded to tell.
 * @param root the root of the file system
 */
export function machineShowsGpu(root = '/', platform: NodeJS.Platform = process.platform): boolean {
  // Metal and Direct3D come with the system.
  if (platform === 'darwin' || platform === 'win32') return true;
  const nodes = list(join(root, 'dev'));
  if (nodes.some((name) => /^(?:nvidia\d+|dxg)$/.test(name))) return true;
  const renders = list(join(root, 'dev/dri')).filter((name) => name.startsWith('renderD'));
  if (renders.some((name) => VENDORS.has(text(join(root, 'sys/class/drm', name, 'device/vendor'))))) return true;
  const drivers = ['usr/share/vulkan/icd.d', 'usr/local/share/vulkan/icd.d', 'etc/vulkan/icd.d'].flatMap((folder) =>
    list(join(root, folder)),
  );
  return drivers.some((name) => name.endsWith('.json') && !/^(?:lvp|swrast|vk_swiftshader)/.test(name));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function text(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}
