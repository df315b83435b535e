// SentencePiece's tokenizer.model through @agnai/sentencepiece-js (WebAssembly), with the special tokens that transformers' LlamaTokenizer adds.

import { devNull } from 'node:os';
import type { SentencePieceProcessor } from '@agnai/sentencepiece-js';
import { readSentencePieceModel } from './sentencepiece-model.js';
import type { SentencePieceModel } from './sentencepiece-model.js';
import { CONFIG_FILE } from './settings.js';
import type { TokenizerSettings } from './settings.js';
import { causeOf, invalid, quote } from './tokenizer-files.js';
import type { Tokenizer } from './tokenizer.js';

/** A NormalizerSpec with add_dummy_prefix = false. Protobuf merges a message given twice, so appending it changes that one setting. */
const NO_DUMMY_PREFIX = Uint8Array.of(0x1a, 0x02, 0x18, 0x00);

/**
 * Opens a SentencePiece model.
 * @throws ModelError `tokenizer_invalid`
 */
export async function openSentencePiece(file: string, bytes: Uint8Array, settings: TokenizerSettings): Promise<Tokenizer> {
  refuseTiktoken(file, bytes);
  const model = readSentencePieceModel(file, bytes);
  const vocabulary = readVocabulary(model, settings);
  const prefix = (settings.addBos ?? true) ? specialIds(vocabulary.ids, settings.bosToken, model.bosId, 'bos_token') : [];
  const suffix = (settings.addEos ?? false) ? specialIds(vocabulary.ids, settings.eosToken, model.eosId, 'eos_token') : [];
  const processor = await load(file, bytes);
  // Without `legacy`, text after a special token gets no dummy prefix (https://github.com/huggingface/transformers/pull/24565).
  const following = settings.legacy ? processor : await load(file, Buffer.concat([bytes, NO_DUMMY_PREFIX]));
  return {
    vocabularySize: vocabulary.size,
    encode: (text) => [
      ...prefix,
      ...splitAtSpecial(text, vocabulary.special).flatMap((part) =>
        typeof part === 'number' ? [part] : (part.first ? processor : following).encodeIds(part.text),
      ),
      ...suffix,
    ],
    decode: (ids) => decodeRuns(processor, ids, model.pieces.length, vocabulary),
  };
}

interface Vocabulary {
  readonly size: number;
  readonly ids: ReadonlyMap<string, number>;
  /** Text of tokens that are found in a prompt before SentencePiece sees it. */
  readonly special: ReadonlyMap<string, number>;
  /** Left out of decoded text. */
  readonly hidden: ReadonlySet<number>;
  /** Added tokens that stand for text. */
  readonly shown: ReadonlyMap<number, string>;
}

function readVocabulary(model: SentencePieceModel, settings: TokenizerSettings): Vocabulary {
  const ids = new Map(model.pieces.map((piece, id) => [piece, id]));
  const special = new Map<string, number>();
  const hidden = new Set(model.special);
  const shown = new Map<number, string>();
  let size = model.pieces.length;
  for (const token of settings.addedTokens) {
    ids.set(token.content, token.id);
    special.set(token.content, token.id);
    if (token.special) hidden.add(token.id);
    else shown.set(token.id, token.content);
    size = Math.max(size, token.id + 1);
  }
  const own = [settings.bosToken === null ? model.bosId : null, settings.eosToken === null ? model.eosId : null];
  const named = [...settings.specialTokens, ...own.flatMap((id) => (id === null ? [] : [model.pieces[id] ?? '']))];
  for (const token of named) {
    const id = ids.get(token);
    if (id === undefined) continue;
    special.set(token, id);
    hidden.add(id);
  }
  return { size, ids, special, hidden, shown };
}

function specialIds(ids: ReadonlyMap<string, number>, token: string | null, fallback: number | null, key: string): number[] {
  const id = token === null ? fallback : ids.get(token);
  if (id === undefined) throw invalid(CONFIG_FILE, `${key} is ${quote(token)}, which the vocabulary does not have`);
  return id === null ? [] : [id];
}

/** Cuts a text at the special tokens in it, the longest first where several fit. */
function splitAtSpecial(text: string, special: ReadonlyMap<string, number>): (number | { text: string; first: boolean })[] {
  const parts: (number | { text: string; first: boolean })[] = [];
  const tokens = [...special.keys()].sort((a, b) => b.length - a.length).map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  const pattern = new RegExp(tokens.length === 0 ? '(?!)' : tokens.join('|'), 'g');
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), first: parts.length === 0 });
    parts.push(special.get(match[0]) ?? NaN);
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), first: parts.length === 0 });
  return parts;
}

/** Runs of SentencePiece's own ids through SentencePiece; added tokens, which it does not know, as they are written. */
function decodeRuns(processor: SentencePieceProcessor, ids: readonly number[], pieces: number, vocabulary: Vocabulary): string {
  let text = '';
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) text += processor.decodeIds(run);
    run = [];
  };
  for (const id of ids) {
    if (vocabulary.hidden.has(id)) continue;
    const added = vocabulary.shown.get(id);
    if (added !== undefined) {
      flush();
      text += added;
    } else if (Number.isInteger(id) && id >= 0 && id < pieces) run.push(id);
  }
  flush();
  return text;
}

/** Llama 3 and others publish a tiktoken vocabulary under the same name: lines of a base64 text and a rank. */
function refuseTiktoken(file: string, bytes: Uint8Array): void {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString('latin1');
  if (/^[A-Za-z0-9+/]+={0,2} \d+\n/.test(head)) {
    throw invalid(file, 'this is a tiktoken vocabulary, not a SentencePiece model; add the tokenizer.json of the same model');
  }
}

/**
 * One SentencePiece instance with the given model. The package can only load from a path and never looks at the result: it is given
 * the null device first, then the bytes through the file system inside its WebAssembly, with the status read.
 */
async function load(file: string, bytes: Uint8Array): Promise<SentencePieceProcessor> {
  // Emscripten sets the exit code of this process when the code inside gives up; it is ours to set.
  const exitCode = process.exitCode;
  try {
    const { SentencePieceProcessor: Processor } = await import('@agnai/sentencepiece-js');
    const processor = new Processor();
    await processor.load(devNull);
    const wasm = processor.sentencepiece;
    wasm.FS.writeFile('tokenizer.model', bytes);
    const path = new wasm.StringView('tokenizer.model');
    const view = path.getView();
    processor.processor.delete();
    processor.processor = new wasm.SentencePieceProcessor();
    const status = processor.processor.Load(view);
    const result = status.ToString();
    for (const handle of [status, view, path]) handle.delete();
    wasm.FS.unlink('tokenizer.model');
    if (result !== 'OK') throw new Error(result);
    return processor;
  } catch (thrown) {
    throw invalid(file, `SentencePiece cannot load it (${causeOf(thrown)}); download it again`);
  } finally {
    process.exitCode = exitCode;
  }
}
