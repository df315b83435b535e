// ONNX Runtime from source, that is from node_modules. From the bundle: __tests__/dist/runtime.test.ts.

import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { loadOnnxRuntime, onnxruntimeVersion } from '../../src/reference/runtime.js';

test('gives the installed onnxruntime-node, once, and its version', async () => {
  const runtime = await loadOnnxRuntime();
  expect(await loadOnnxRuntime()).toBe(runtime);
  expect(new runtime.Tensor('float32', Float32Array.of(1, 2), [2]).dims).toEqual([2]);
  expect(typeof runtime.InferenceSession.create).toBe('function');
  expect(runtime.env.versions.node).toBe(onnxruntimeVersion());
});

test('the version bundled and tested is the one that package-lock.json pins', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, { version: string }> };
  expect(onnxruntimeVersion()).toBe(lock.packages['node_modules/onnxruntime-node']?.version);
});

test('does not start where telemetry could not be switched off', () => {
  const before = process.env.ORT_DISABLE_TELEMETRY;
  try {
    process.env.ORT_DISABLE_TELEMETRY = '0';
    expect(() => loadOnnxRuntime()).toThrow('must be imported by the main thread');
  } finally {
    process.env.ORT_DISABLE_TELEMETRY = before;
  }
});
