// config.json as data: found, bounded, valid JSON, an object. What its keys mean belongs to the architectures.

import { ModelError } from '../errors.js';
import type { ByteSource, ModelFiles } from '../hub/source.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import { expectEnd, skipValue, startText } from './json-scanner.js';
import { bringsOwnConfig } from './usual-names.js';

const NAME = 'config.json';
const CONFIG_LIMIT = 10_000_000;

/**
 * The model's config.json; `null` when it is missing and need not be there, because the weights say the same.
 * @throws ModelError `config_invalid`, with line and column where there is one; those of the Hub as they are
 */
export async function readModelConfig(files: ModelFiles): Promise<Record<string, unknown> | null> {
  // A GGUF file that was named by itself: whatever lies beside it may belong to another model.
  if (files.main?.endsWith('.gguf') === true) return null;
  const bytes = await readBytes(files);
  if (bytes === null) return null;
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid(`${foreign}.`);
  const fault = (at: number, problem: string): ModelError => invalid(`${problem} (${lineAndColumn(bytes, at)}).`);
  // The scanner says where a fault is, bounds the depth, and refuses what JSON.parse would take; the values are JSON.parse's.
  const cursor = startText(bytes, fault);
  skipValue(cursor);
  expectEnd(cursor);
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  if (!isObject(value)) throw invalid('must be a JSON object {...} of settings.');
  return value;
}

async function readBytes(files: ModelFiles): Promise<Uint8Array | null> {
  let source: ByteSource | null = null;
  try {
    source = await files.open(NAME);
    if (source === null) {
      if (await bringsOwnConfig(files)) return null;
      throw invalid("is missing. A model folder holds Hugging Face's config.json beside its weights: download it, or check the path.");
    }
    if (source.byteLength > CONFIG_LIMIT) throw invalid(`${source.byteLength} bytes; the limit is ${CONFIG_LIMIT}.`);
    return await source.slice(0, source.byteLength);
  } catch (error) {
    // Links out of the folder, pipes, read errors: the same sentence, but it is the config that is at fault. What the Hub or the network did stays that.
    throw error instanceof ModelError && error.code === 'weights_invalid' ? new ModelError('config_invalid', error.message) : error;
  } finally {
    await source?.close();
  }
}

/** Both from 1; columns count characters. */
function lineAndColumn(bytes: Uint8Array, at: number): string {
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, at).toString('utf8').split('\n');
  return `line ${before.length}, column ${[...(before.at(-1) ?? '')].length + 1}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(problem: string): ModelError {
  return new ModelError('config_invalid', `${NAME}: ${problem}`);
}
