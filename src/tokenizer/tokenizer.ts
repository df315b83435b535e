// Text to token ids and back, whatever file the model keeps its vocabulary in. How each file is read lives in its own module.

import { ModelError } from '../errors.js';
import type { ModelFiles } from '../hub/source.js';
import { openSentencePiece } from './sentencepiece.js';
import { readSettings } from './settings.js';
import { causeOf, invalid, readTokenizerFile } from './tokenizer-files.js';
import { openTokenizerJson } from './tokenizer-json.js';

export interface Tokenizer {
  /**
   * Token ids as transformers' `tokenizer(text).input_ids`, with the special tokens that the model's tokenizer adds.
   * @throws ModelError `tokenizer_invalid` when the vocabulary cannot express the text
   */
  encode(text: string): number[];
  /** Text of token ids as transformers' `decode(ids, skip_special_tokens=True)`; ids without a token are left out. */
  decode(ids: readonly number[]): string;
  /** Largest token id + 1: embeddings need at least so many rows. */
  readonly vocabularySize: number;
}

const JSON_FILE = 'tokenizer.json';
const MODEL_FILE = 'tokenizer.model';
const JSON_LIMIT = 256e6;
const MODEL_LIMIT = 64e6;
/** Kinds of vocabulary that models come with and that are not read here; named so that the message can say what was found. */
const OTHER_FILES = [
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'spiece.model',
  'tekken.json',
  'tiktoken.model',
  'tokenizer.model.v3',
  'added_tokens.json',
];

/**
 * Loads a model's tokenizer: `tokenizer.json` where there is one, else SentencePiece's `tokenizer.model`; `tokenizer_config.json` says
 * which special tokens are added. Run it where it can be stopped: a hostile regular expression in tokenizer.json can keep `encode` busy for ever.
 * @throws ModelError `tokenizer_invalid` with the file and the cause
 */
export async function loadTokenizer(files: ModelFiles): Promise<Tokenizer> {
  const settings = await readSettings(files);
  const json = await readTokenizerFile(files, JSON_FILE, JSON_LIMIT);
  if (json !== null) {
    const open = (): Tokenizer => openTokenizerJson(JSON_FILE, json, settings);
    return guard(JSON_FILE, attempt(JSON_FILE, open));
  }
  const model = await readTokenizerFile(files, MODEL_FILE, MODEL_LIMIT);
  if (model === null) throw await missing(files);
  const opened = await openSentencePiece(MODEL_FILE, model, settings).catch((thrown: unknown) => {
    throw explain(MODEL_FILE, thrown);
  });
  return guard(MODEL_FILE, opened);
}

/** Holds a tokenizer to its promises: only ModelErrors, only real ids, and never nothing for something. */
function guard(file: string, tokenizer: Tokenizer): Tokenizer {
  return {
    vocabularySize: tokenizer.vocabularySize,
    encode(text) {
      const ids = attempt(file, () => tokenizer.encode(text));
      // The libraries give undefined for a character that neither the vocabulary nor an unknown-token covers, and [] for a model that did not load.
      if (ids.some((id) => !Number.isInteger(id) || id < 0)) {
        throw invalid(file, 'the vocabulary has no token for a part of the prompt, and no unknown-token to stand in for it');
      }
      if (ids.length === 0 && text !== '') throw invalid(file, 'the prompt became no tokens at all: the vocabulary cannot express it');
      return ids;
    },
    decode: (ids) => (ids.length === 0 ? '' : attempt(file, () => tokenizer.decode(ids))),
  };
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    throw explain(file, thrown);
  }
}

function explain(file: string, thrown: unknown): ModelError {
  return thrown instanceof ModelError ? thrown : invalid(file, `the tokenizer library failed: ${causeOf(thrown)}`);
}

async function missing(files: ModelFiles): Promise<ModelError> {
  const present = new Set(await files.list());
  const found = OTHER_FILES.filter((name) => present.has(name));
  const seen = found.length === 0 ? '' : ` (it has ${found.join(', ')}, which cannot be read)`;
  return invalid(
    files.id,
    `the model has no ${JSON_FILE} and no SentencePiece ${MODEL_FILE}${seen}; save one with transformers' ` +
      'AutoTokenizer.from_pretrained(...).save_pretrained(...), or give the prompts as input_ids',
  );
}
