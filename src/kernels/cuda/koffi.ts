// The one place that gets koffi, which calls C libraries: the installed package when run from source, the parts inside dist/ when bundled.
// Only the host process (src/host.ts) calls it, when its kernel needs it.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { firstLine, loadPacked } from '../../reference/native.js';
import { KernelError } from '../kernel.js';

/** A loaded library: gives functions by their C prototypes. */
export interface Library {
  func(prototype: string): (...args: never[]) => unknown;
}

export interface Koffi {
  /** @throws Error with the loader's words */
  load(name: string): Library;
  /** Address of an array's memory. Keep the array in use for as long as C has it. */
  address(array: ArrayBufferView): bigint;
}

/** Set by scripts/build.mjs to the version it bundled; from source there is no such variable. */
declare const BUNDLED_KOFFI: string | undefined;

/**
 * koffi, ready to use.
 * @throws KernelError in one sentence when there is none for this machine
 */
export async function loadKoffi(): Promise<Koffi> {
  try {
    if (typeof BUNDLED_KOFFI === 'undefined') return await import('koffi/indirect');
    const host = `${process.platform}-${process.arch}`;
    const folder = fileURLToPath(new URL(`./native/${host}`, import.meta.url));
    // Hosts for which dist/native has nothing: a koffi that the user installed beside dist/.
    if (!existsSync(folder)) return createRequire(import.meta.url)('koffi') as Koffi;
    await loadPacked('koffi', { folder, env: process.env, load: createRequire(import.meta.url) });
    return await import('koffi/indirect');
  } catch (error) {
    throw new KernelError(
      `koffi, with which fused-compat calls CUDA, could not be loaded (${firstLine(error)}); it comes with fused-compat for linux-x64`,
    );
  }
}
