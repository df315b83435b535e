// Model files for tests: a folder of this repository, or bytes in memory.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { ByteSource, ModelFiles } from '../../src/hub/source.js';

export function memory(contents: Record<string, Uint8Array>, id = 'test-model'): ModelFiles {
  const source = (name: string, bytes: Uint8Array): ByteSource => ({
    name,
    byteLength: bytes.byteLength,
    slice: (start, end) => Promise.resolve(bytes.slice(start, end)),
    close: () => Promise.resolve(),
  });
  return {
    id,
    revision: null,
    list: () => Promise.resolve(Object.keys(contents)),
    open: (name) => {
      const bytes = contents[name];
      return Promise.resolve(bytes === undefined ? null : source(name, bytes));
    },
  };
}

export function folder(path: string): ModelFiles {
  if (!existsSync(path)) throw new Error(`no test model at ${path}`);
  const names = readdirSync(path).filter((name) => name.startsWith('tokenizer'));
  return memory(Object.fromEntries(names.map((name) => [name, readFileSync(`${path}/${name}`)])), path);
}

export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

export function text(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
