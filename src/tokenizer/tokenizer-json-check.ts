// What tokenizer.json must hold before the library may have it: the library drops, ignores or misreads most mistakes without a word.
// The rules are those of the Rust library (tokenizers), which refuses the same files.

import { hostilePattern } from './hostile-pattern.js';
import { MAX_TOKEN_ID } from './settings.js';
import type { AddedToken } from './settings.js';
import { invalid, isObject, quote } from './tokenizer-files.js';

const MODEL_TYPES = ['BPE', 'Unigram', 'WordPiece'] as const;
type ModelType = (typeof MODEL_TYPES)[number];

/** tokenizer.json after the check: the sections that the library reads, all of them present. */
export interface CheckedTokenizer {
  readonly modelType: ModelType;
  /** Sections in the library's own form. */
  readonly json: Record<string, unknown>;
  readonly addedTokens: readonly AddedToken[];
  /** Text to id, added tokens included. */
  readonly ids: ReadonlyMap<string, number>;
  readonly unknownId: number | null;
  readonly byteFallback: boolean;
}

/** @throws ModelError `tokenizer_invalid` naming the entry that is wrong */
export function checkTokenizerJson(file: string, json: Record<string, unknown>): CheckedTokenizer {
  const model = json['model'];
  if (!isObject(model)) throw invalid(file, `"model" is ${quote(model)}; it must be an object with the vocabulary`);
  const modelType = typeOf(file, model);
  for (const key of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    const section = json[key] ?? null;
    if (section !== null && !isObject(section)) throw invalid(file, `"${key}" is ${quote(section)}; it must be an object or null`);
    checkPatterns(file, key, section);
  }
  const ids = modelType === 'Unigram' ? unigramVocabulary(file, model) : vocabulary(file, model);
  if (modelType === 'BPE') checkBpe(file, model, ids);
  const unknownId = unknown(file, modelType, model, ids);
  const addedTokens = checkAddedTokens(file, json['added_tokens'], ids);
  return {
    modelType,
    json: {
      normalizer: json['normalizer'] ?? null,
      pre_tokenizer: json['pre_tokenizer'] ?? null,
      post_processor: json['post_processor'] ?? null,
      decoder: json['decoder'] ?? null,
      added_tokens: json['added_tokens'] ?? [],
      model: { ...model, type: modelType },
    },
    addedTokens,
    ids,
    unknownId,
    byteFallback: model['byte_fallback'] === true,
  };
}

/** Files from before 2020 leave the type out; what they hold tells it. */
function typeOf(file: string, model: Record<string, unknown>): ModelType {
  const type = model['type'] ?? ('merges' in model ? 'BPE' : Array.isArray(model['vocab']) ? 'Unigram' : null);
  const known = MODEL_TYPES.find((name) => name === type);
  if (known === undefined) throw invalid(file, `"model.type" is ${quote(type)}; known: ${MODEL_TYPES.join(', ')}`);
  return known;
}

function vocabulary(file: string, model: Record<string, unknown>): Map<string, number> {
  const vocab = model['vocab'];
  if (!isObject(vocab))
    throw invalid(file, `"model.vocab" is ${Array.isArray(vocab) ? 'a list' : quote(vocab)}; it must be an object from token to id`);
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isTokenId(id))
      throw invalid(
        file,
        `"model.vocab" gives token ${quote(token)} the id ${quote(id)}; an id is a whole number from 0 to ${MAX_TOKEN_ID}`,
      );
    const other = tokens.get(id);
    if (other !== undefined) throw invalid(file, `"model.vocab" gives the id ${id} to two tokens, ${quote(other)} and ${quote(token)}`);
    tokens.set(id, token);
    ids.set(token, id);
  }
  if (ids.size === 0) throw invalid(file, '"model.vocab" is empty');
  return ids;
}

function unigramVocabulary(file: string, model: Record<string, unknown>): Map<string, number> {
  const vocab = model['vocab'];
  if (!Array.isArray(vocab) || vocab.length === 0) {
    throw invalid(file, `"model.vocab" is ${quote(vocab)}; a Unigram vocabulary must be a list of [token, score], and not empty`);
  }
  const ids = new Map<string, number>();
  vocab.forEach((entry: unknown, id) => {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') {
      throw invalid(file, `entry ${id} of "model.vocab" is ${quote(entry)}; it must be [token, score]`);
    }
    ids.set(entry[0], id);
  });
  return ids;
}

function isTokenId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKEN_ID;
}

function checkBpe(file: string, model: Record<string, unknown>, ids: ReadonlyMap<string, number>): void {
  // The library knows neither; with them the ids would be other ones, or differ from run to run.
  if (typeof model['dropout'] === 'number' && model['dropout'] > 0) {
    throw invalid(file, `"model.dropout" is ${model['dropout']}; merges dropped at random give other ids in each run. Set it to null`);
  }
  const prefix = model['continuing_subword_prefix'] ?? '';
  if (prefix !== '') throw invalid(file, `"model.continuing_subword_prefix" is ${quote(prefix)}; it is not supported for BPE`);
  const merges = model['merges'];
  if (!Array.isArray(merges)) throw invalid(file, `"model.merges" is ${quote(merges)}; it must be a list of pairs`);
  merges.forEach((merge: unknown, index) => {
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw invalid(file, `entry ${index} of "model.merges" is ${quote(merge)}; it must be two tokens`);
    }
    for (const token of [left, right, left + right]) {
      if (!ids.has(token))
        throw invalid(
          file,
          `entry ${index} of "model.merges", ${quote(merge)}, needs the token ${quote(token)}, which "model.vocab" lacks`,
        );
    }
  });
}

/** Id of the unknown-token. BPE files may name one that only added_tokens knows, or nobody: `encode` then says so if it is needed. */
function unknown(file: string, type: ModelType, model: Record<string, unknown>, ids: ReadonlyMap<string, number>): number | null {
  if (type === 'Unigram') {
    const id = model['unk_id'] ?? null;
    if (id === null || (isTokenId(id) && id < ids.size)) return id;
    throw invalid(file, `"model.unk_id" is ${quote(id)}, but "model.vocab" has ${ids.size} entries`);
  }
  const token = model['unk_token'] ?? null;
  const id = typeof token === 'string' ? (ids.get(token) ?? null) : null;
  if (id === null && type === 'WordPiece') throw invalid(file, `"model.unk_token" is ${quote(token)}, which "model.vocab" lacks`);
  return id;
}

/** Adds the added tokens to `ids`; one may repeat an entry of the vocabulary, but not take its id. */
function checkAddedTokens(file: string, value: unknown, ids: Map<string, number>): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(file, `"added_tokens" is ${quote(value)}; it must be a list`);
  if (value.length === 0) return [];
  const taken = new Map([...ids].map(([token, id]) => [id, token]));
  return value.map((entry: unknown, index) => {
    if (!isObject(entry) || !isTokenId(entry['id']) || typeof entry['content'] !== 'string' || entry['content'] === '') {
      throw invalid(
        file,
        `entry ${index} of "added_tokens" is ${quote(entry)}; it must have a "content" and an "id" from 0 to ${MAX_TOKEN_ID}`,
      );
    }
    const token = { id: entry['id'], content: entry['content'], special: entry['special'] === true };
    const other = taken.get(token.id);
    if (other !== undefined && other !== token.content) {
      throw invalid(file, `"added_tokens" gives ${quote(token.content)} the id ${token.id}, which belongs to ${quote(other)}`);
    }
    const known = ids.get(token.content);
    if (known !== undefined && known !== token.id) {
      throw invalid(file, `"added_tokens" gives ${quote(token.content)} the id ${token.id}, but "model.vocab" gives it ${known}`);
    }
    taken.set(token.id, token.content);
    ids.set(token.content, token.id);
    return token;
  });
}

/** Walks a section for regular expressions, iteratively: a hostile one may be nested deeper than the stack. */
function checkPatterns(file: string, section: string, root: unknown): void {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) {
      for (const entry of value) pending.push(entry);
    } else if (isObject(value)) {
      const pattern = value['Regex'];
      const problem = typeof pattern === 'string' ? hostilePattern(pattern) : null;
      if (problem !== null) throw invalid(file, `"${section}" has the regular expression ${quote(pattern)}; ${problem}`);
      for (const entry of Object.values(value)) pending.push(entry);
    }
  }
}
