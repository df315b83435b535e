// tokenizer.json through @huggingface/tokenizers. The library trusts its input; tokenizer-json-check.ts is what makes that safe.

import { Tokenizer as UntypedTokenizer } from '@huggingface/tokenizers';
import { CONFIG_FILE } from './settings.js';
import type { AddedToken, TokenizerSettings } from './settings.js';
import { invalid, parseJsonObject, quote } from './tokenizer-files.js';
import { checkTokenizerJson } from './tokenizer-json-check.js';
import type { CheckedTokenizer } from './tokenizer-json-check.js';
import type { Tokenizer } from './tokenizer.js';

/** What is used of the library. Its own types cannot be resolved as ES modules (imports without extension in 0.2.0). */
interface LibraryTokenizer {
  encode(text: string): { ids: number[] };
  decode(ids: number[], options: { clean_up_tokenization_spaces: boolean }): string;
}
const Library = UntypedTokenizer as unknown as new (json: Record<string, unknown>, config: Record<string, unknown>) => LibraryTokenizer;

/**
 * Opens a tokenizer.json.
 * @throws ModelError `tokenizer_invalid`; whatever else the library throws is the caller's to put into words
 */
export function openTokenizerJson(file: string, bytes: Uint8Array, settings: TokenizerSettings): Tokenizer {
  const checked = checkTokenizerJson(file, parseJsonObject(file, bytes));
  const extra = settings.addedTokens.filter((token) => !checked.ids.has(token.content));
  const ids = withExtra(checked, extra);
  // add_bos_token and add_eos_token, where given, take the place of the file's own post-processor (transformers' TokenizersBackend).
  const explicit = settings.addBos !== null || settings.addEos !== null;
  const prefix = settings.addBos === true ? specialIds(ids, settings.bosToken, 'bos_token') : [];
  const suffix = settings.addEos === true ? specialIds(ids, settings.eosToken, 'eos_token') : [];
  const library = new Library(
    {
      ...checked.json,
      added_tokens: [...list(checked.json['added_tokens']), ...extra],
      post_processor: explicit ? null : checked.json['post_processor'],
    },
    { eos_token: settings.eosToken ?? undefined },
  );
  const special = specialIdSet(checked, extra, settings, ids);
  const known = new Set(ids.values());
  return {
    vocabularySize: largest(known) + 1,
    encode(text) {
      const body = library.encode(text).ids;
      refuseByteFallback(file, checked, body);
      return [...prefix, ...body, ...suffix];
    },
    decode(all) {
      const shown = all.filter((id) => known.has(id) && !special.has(id));
      // decode([]) throws; clean_up_tokenization_spaces, which defaults to true here and to false in transformers, eats spaces before commas.
      return shown.length === 0 ? '' : library.decode(shown, { clean_up_tokenization_spaces: false });
    },
  };
}

/** The library's Unigram gives the unknown-token where the Rust one spells a character in bytes. */
function refuseByteFallback(file: string, checked: CheckedTokenizer, ids: readonly number[]): void {
  if (checked.modelType !== 'Unigram' || !checked.byteFallback || checked.unknownId === null || !ids.includes(checked.unknownId)) return;
  throw invalid(
    file,
    'the prompt has a character that is not in the vocabulary, and "byte_fallback" is not supported for Unigram; give the prompt as input_ids',
  );
}

function withExtra(checked: CheckedTokenizer, extra: readonly AddedToken[]): Map<string, number> {
  const ids = new Map(checked.ids);
  const taken = new Map([...ids].map(([token, id]) => [id, token]));
  for (const token of extra) {
    const other = taken.get(token.id);
    if (other !== undefined)
      throw invalid(CONFIG_FILE, `added_tokens_decoder gives ${quote(token.content)} the id ${token.id}, which belongs to ${quote(other)}`);
    taken.set(token.id, token.content);
    ids.set(token.content, token.id);
  }
  return ids;
}

/** As transformers: a flag without a token to add adds nothing. */
function specialIds(ids: ReadonlyMap<string, number>, token: string | null, key: string): number[] {
  if (token === null) return [];
  const id = ids.get(token);
  if (id === undefined) throw invalid(CONFIG_FILE, `${key} is ${quote(token)}, which the vocabulary does not have`);
  return [id];
}

function specialIdSet(
  checked: CheckedTokenizer,
  extra: readonly AddedToken[],
  settings: TokenizerSettings,
  ids: ReadonlyMap<string, number>,
): Set<number> {
  const special = new Set<number>();
  for (const token of [...checked.addedTokens, ...extra]) if (token.special) special.add(token.id);
  for (const token of settings.specialTokens) {
    const id = ids.get(token);
    if (id !== undefined) special.add(id);
  }
  return special;
}

function largest(values: Iterable<number>): number {
  let result = -1;
  for (const value of values) if (value > result) result = value;
  return result;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
