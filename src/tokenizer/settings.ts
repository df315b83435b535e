// tokenizer_config.json: the few keys that change token ids, as transformers reads them. Chat templates and the rest are not its business.

import type { ModelFiles } from '../hub/source.js';
import { invalid, isObject, parseJsonObject, quote, readTokenizerFile } from './tokenizer-files.js';

export const CONFIG_FILE = 'tokenizer_config.json';
const CONFIG_LIMIT = 10e6;
/** Largest token id that is believed; Gemma's vocabulary, the largest in use, has 262,144 entries. */
export const MAX_TOKEN_ID = 2 ** 24;

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

export interface TokenizerSettings {
  /** null: the file does not say, so the tokenizer's own default holds. */
  readonly addBos: boolean | null;
  readonly addEos: boolean | null;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** Every special token that the file names; decoding leaves them out. */
  readonly specialTokens: readonly string[];
  readonly addedTokens: readonly AddedToken[];
  /** LlamaTokenizer's `legacy`: whether text after a special token gets SentencePiece's dummy prefix (transformers #24565). */
  readonly legacy: boolean;
}

const SPECIAL_TOKEN_KEYS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/**
 * Reads tokenizer_config.json; a model without one gets the defaults of transformers.
 * @throws ModelError `tokenizer_invalid` naming the key and its value
 */
export async function readSettings(files: ModelFiles): Promise<TokenizerSettings> {
  const bytes = await readTokenizerFile(files, CONFIG_FILE, CONFIG_LIMIT);
  const config = bytes === null ? {} : parseJsonObject(CONFIG_FILE, bytes);
  const addedTokens = addedTokensDecoder(config['added_tokens_decoder']);
  const special = new Set<string>();
  for (const key of SPECIAL_TOKEN_KEYS) {
    const token = tokenText(config, key);
    if (token !== null) special.add(token);
  }
  for (const token of extraSpecialTokens(config)) special.add(token);
  for (const token of addedTokens) if (token.special) special.add(token.content);
  return {
    addBos: flag(config, 'add_bos_token'),
    addEos: flag(config, 'add_eos_token'),
    bosToken: tokenText(config, 'bos_token'),
    eosToken: tokenText(config, 'eos_token'),
    specialTokens: [...special],
    addedTokens,
    legacy: flag(config, 'legacy') ?? true,
  };
}

function flag(config: Record<string, unknown>, key: string): boolean | null {
  const value = config[key] ?? null;
  if (value !== null && typeof value !== 'boolean') throw invalid(CONFIG_FILE, `${key} is ${quote(value)}; it must be true or false`);
  return value;
}

/** A token as transformers writes it: its text, or an object with the text under `content`. */
function tokenText(config: Record<string, unknown>, key: string): string | null {
  const value = config[key] ?? null;
  const text = isObject(value) ? value['content'] : value;
  if (text === null) return null;
  if (typeof text !== 'string' || text === '') {
    throw invalid(CONFIG_FILE, `${key} is ${quote(value)}; it must be the token's text, or an object with the text as "content"`);
  }
  return text;
}

/** `additional_special_tokens`, called `extra_special_tokens` by newer versions, where it may also be a mapping. */
function extraSpecialTokens(config: Record<string, unknown>): string[] {
  const tokens: string[] = [];
  for (const key of ['additional_special_tokens', 'extra_special_tokens']) {
    const value = config[key];
    const entries: unknown[] = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    for (const entry of entries) {
      const text = isObject(entry) ? entry['content'] : entry;
      if (typeof text === 'string' && text !== '') tokens.push(text);
    }
  }
  return tokens;
}

function addedTokensDecoder(value: unknown): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw invalid(CONFIG_FILE, `added_tokens_decoder is ${quote(value)}; it must be an object from token id to token`);
  return Object.entries(value).map(([key, entry]) => {
    const id = Number(key);
    if (
      !/^\d{1,8}$/.test(key) ||
      id >= MAX_TOKEN_ID ||
      !isObject(entry) ||
      typeof entry['content'] !== 'string' ||
      entry['content'] === ''
    ) {
      throw invalid(
        CONFIG_FILE,
        `added_tokens_decoder has ${quote({ [key]: entry })}; each entry must map a token id to an object with its "content"`,
      );
    }
    return { id, content: entry['content'], special: entry['special'] === true };
  });
}
