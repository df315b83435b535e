// The one place that gets onnxruntime-node: the installed package when run from source, the parts inside dist/ when
// bundled. How the native parts get from dist/native onto disk is native.ts; what is computed with them is not here.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { ModelError } from '../errors.js';
import { firstLine, loadNative } from './native.js';

type OnnxRuntime = typeof import('onnxruntime-node');

/** Set by scripts/build.mjs to the version it bundled; from source there is no such variable. */
declare const BUNDLED_ONNXRUNTIME: string | undefined;

// Since 1.29 ONNX Runtime on Linux writes a device id below ~/.cache and sends usage events to Microsoft unless this is
// set before it starts (https://github.com/microsoft/onnxruntime/pull/27379). It reads the process's real environment,
// which only the main thread's process.env changes; a worker's is a copy.
if (isMainThread) process.env.ORT_DISABLE_TELEMETRY = '1';

let loading: Promise<OnnxRuntime> | undefined;

/**
 * ONNX Runtime, loaded on the first call in each thread. Call it in the main thread before starting workers: they then
 * take the library that was already unpacked and checked.
 * @throws ModelError `no_runtime` in one sentence when there is no ONNX Runtime for this machine
 * @throws Error in a worker whose main thread does not import this module: ONNX Runtime would send telemetry
 */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  if (process.env.ORT_DISABLE_TELEMETRY !== '1')
    throw new Error('src/reference/runtime.ts must be imported by the main thread before workers start');
  return (loading ??= typeof BUNDLED_ONNXRUNTIME === 'undefined' ? importInstalled() : openBundled(BUNDLED_ONNXRUNTIME));
}

/** Version of the ONNX Runtime that `loadOnnxRuntime` gives; nothing is loaded to tell it. */
export function onnxruntimeVersion(): string {
  if (typeof BUNDLED_ONNXRUNTIME !== 'undefined') return BUNDLED_ONNXRUNTIME;
  const manifest: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json');
  return (manifest as { version: string }).version;
}

async function importInstalled(): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    throw new ModelError('no_runtime', `onnxruntime-node could not be loaded (${firstLine(error)}); run \`npm ci\` and try again.`);
  }
}

async function openBundled(version: string): Promise<OnnxRuntime> {
  const host = `${process.platform}-${process.arch}`;
  const folder = fileURLToPath(new URL(`./native/${host}`, import.meta.url));
  if (!existsSync(folder)) return requireBeside(version, host);
  await loadNative({ folder, env: process.env, load: createRequire(import.meta.url) });
  return import('onnxruntime-node');
}

/** Hosts for which dist/native has nothing: an onnxruntime-node that the user installed beside dist/. */
function requireBeside(version: string, host: string): OnnxRuntime {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const advice = `run on linux-x64, or run \`npm ci --omit=dev\` in ${root} first`;
  let found: OnnxRuntime;
  try {
    found = createRequire(import.meta.url)('onnxruntime-node') as OnnxRuntime;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    const reason = missing ? '' : ` and the installed onnxruntime-node does not load (${firstLine(error)})`;
    throw new ModelError('no_runtime', `fused-compat brings ONNX Runtime for linux-x64 only, not for ${host}${reason}: ${advice}.`);
  }
  // Another version has other numbers, and the report would name the wrong one.
  if (found.env.versions.node === version) return found;
  throw new ModelError(
    'no_runtime',
    `fused-compat needs onnxruntime-node ${version} on ${host}, and the one installed is ${found.env.versions.node ?? 'of unknown version'}: ${advice}.`,
  );
}
