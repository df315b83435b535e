// The files a tokenizer is made of: found, measured, read whole and turned into text or JSON. What they mean is told elsewhere in this folder.

import { ModelError } from '../errors.js';
import { printable } from '../hub/names.js';
import type { ByteSource, ModelFiles } from '../hub/source.js';

/** Says what is wrong with a tokenizer file; the model becomes INCONCLUSIVE with it. */
export function invalid(file: string, problem: string): ModelError {
  return new ModelError('tokenizer_invalid', `${file}: ${problem}`);
}

/** A value from a file, shortened and on one line, for a message. */
export function quote(value: unknown): string {
  return value === undefined ? 'missing' : printable(JSON.stringify(value));
}

/** The message of whatever a library threw: some of them throw strings and numbers. */
export function causeOf(thrown: unknown): string {
  return printable(typeof thrown === 'object' && thrown !== null && 'message' in thrown ? String(thrown.message) : String(thrown));
}

/**
 * The bytes of a file, or null where the model has none of that name.
 * @param limit largest size in bytes that is read; vocabularies in use stay far below
 * @throws ModelError `tokenizer_invalid` for a file that is too large, empty, or a placeholder of Git LFS
 */
export async function readTokenizerFile(files: ModelFiles, name: string, limit: number): Promise<Uint8Array | null> {
  let source: ByteSource | null = null;
  let bytes: Uint8Array;
  try {
    source = await files.open(name);
    if (source === null) return null;
    if (source.byteLength === 0) throw invalid(name, 'the file is empty; download it again');
    if (source.byteLength > limit)
      throw invalid(name, `the file has ${source.byteLength} bytes; at most ${limit} (${limit / 1e6} MB) are read`);
    bytes = await source.slice(0, source.byteLength);
  } catch (error) {
    // Links out of the folder, pipes, read errors: the same sentence, but it is the tokenizer that is at fault.
    throw error instanceof ModelError ? new ModelError('tokenizer_invalid', error.message) : error;
  } finally {
    await source?.close();
  }
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString('latin1');
  // A clone without `git lfs pull` leaves a text of some 130 bytes in the place of the file.
  if (head.startsWith('version https://git-lfs')) {
    throw invalid(name, 'this is a Git LFS pointer, not the file itself; run "git lfs pull" in the model folder');
  }
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(head)) {
    throw invalid(name, 'this is a web page, not a tokenizer: a proxy or a login page answered the download; download it again');
  }
  return bytes;
}

/**
 * A JSON object out of a file's bytes.
 * @throws ModelError `tokenizer_invalid` when it is not UTF-8, not JSON or not an object
 */
export function parseJsonObject(name: string, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (thrown) {
    throw invalid(name, `not a complete JSON text (${causeOf(thrown)}); was the file cut? Download it again`);
  }
  if (!isObject(value)) throw invalid(name, 'the JSON text must be an object');
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
