// What `auto` is: WebGPU where a process can compute on it, the CPU else, without asking where nothing looks like a GPU.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { kernelProcesses } from '../../src/kernels/processes.js';
import { machineShowsGpu } from '../../src/kernels/provider.js';
import { startEngine } from '../support/engine.js';
import { scratch } from '../support/models.js';
import { hostDouble } from './host-double.js';

let root: { folder: string; remove: () => Promise<void> };
const engine = startEngine();
beforeAll(async () => {
  root = await scratch();
});
afterAll(async () => {
  await engine.close();
  await root.remove();
});

let cases = 0;

test.each<[string, Record<string, string>, boolean]>([
  ['an empty machine', {}, false],
  ['an NVIDIA device', { 'dev/nvidia0': '' }, true],
  ["only NVIDIA's control device", { 'dev/nvidiactl': '' }, false],
  ['a GPU of the Windows host', { 'dev/dxg': '' }, true],
  ['an AMD GPU', { 'dev/dri/renderD128': '', 'sys/class/drm/renderD128/device/vendor': '0x1002\n' }, true],
  ['an Intel GPU', { 'dev/dri/renderD129': '', 'sys/class/drm/renderD129/device/vendor': '0x8086\n' }, true],
  ['a virtual display', { 'dev/dri/renderD128': '', 'sys/class/drm/renderD128/device/vendor': '0x1af4\n' }, false],
  ['a display without a vendor', { 'dev/dri/renderD128': '' }, false],
  ['a Vulkan driver', { 'usr/share/vulkan/icd.d/nvidia_icd.json': '{}' }, true],
  ['a Vulkan driver of the administrator', { 'etc/vulkan/icd.d/nvidia_icd.json': '{}' }, true],
  ['a Vulkan driver in software', { 'usr/share/vulkan/icd.d/lvp_icd.x86_64.json': '{}' }, false],
])('%s', async (_name, files, shows) => {
  const folder = join(root.folder, `machine-${++cases}`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  expect(machineShowsGpu(folder, 'linux')).toBe(shows);
});

test('macOS and Windows bring what WebGPU needs', () => {
  expect(machineShowsGpu('/nowhere', 'darwin')).toBe(true);
  expect(machineShowsGpu('/nowhere', 'win32')).toBe(true);
});

test('auto is webgpu where a process can compute on it, and is asked once', async () => {
  const double = hostDouble(join(root.folder, 'capable'));
  const processes = kernelProcesses({ execution_provider: 'auto', host: double.url, log: () => undefined }, () => true);
  expect(await Promise.all([processes.provider(), processes.provider()])).toEqual(['webgpu', 'webgpu']);
  expect(double.pids()).toHaveLength(1);
  await processes.close();
  expect(double.gone()).toBe(true);
});

test('auto is the CPU where no session can be made, and the log says why', async () => {
  const lines: string[] = [];
  const processes = kernelProcesses({ execution_provider: 'auto', host: engine.host, log: (line) => lines.push(line) }, () => true);
  expect(await processes.provider()).toBe('cpu');
  expect(lines).toEqual([
    expect.stringMatching(/^ONNX Runtime's kernels run on the CPU: no session could be made on the webgpu execution provider/),
  ]);
  await processes.close();
});

test('auto is the CPU where nothing looks like a GPU, and no process is started', async () => {
  const host = new URL('file:///nothing/is/here.mjs');
  const processes = kernelProcesses({ execution_provider: 'auto', host, log: () => undefined }, () => false);
  expect(await processes.provider()).toBe('cpu');
  await processes.close();
});

test.each(['cpu', 'webgpu', 'cuda'] as const)('%s is what was asked for', async (execution_provider) => {
  const processes = kernelProcesses({ execution_provider, host: engine.host, log: () => undefined }, () => true);
  expect(await processes.provider()).toBe(execution_provider);
  await processes.close();
});
