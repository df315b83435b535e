// Files and folders that the tests of weights and hub make: literal safetensors bytes, byte sources in memory, temporary folders.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ModelError } from '../../src/errors.js';
import type { ByteSource } from '../../src/hub/source.js';

export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A header as text or bytes and the data after it; `length` lies about the header's length. */
export function safetensorsBytes(header: string | Uint8Array, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? Buffer.from(header) : header;
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.byteLength));
  return new Uint8Array(Buffer.concat([prefix, text, typeof data === 'number' ? Buffer.alloc(data, 1) : data]));
}

export function memorySource(bytes: Uint8Array, name = 'model.safetensors'): ByteSource {
  return {
    name,
    byteLength: bytes.byteLength,
    slice: async (start, end) => {
      if (!(start >= 0 && start <= end && end <= bytes.byteLength))
        throw new Error(`asked for bytes ${start}-${end} of ${bytes.byteLength}`);
      return bytes.slice(start, end);
    },
    close: async () => {},
  };
}

/** Calls `use` with a new folder that holds `files`, then removes it. */
export async function withFolder<Result>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'fused-compat-test-'));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The ModelError that the promise must reject with, as `code: message`. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ModelError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

/** Seeded numbers in [0, 1): mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
