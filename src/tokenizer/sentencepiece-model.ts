// The vocabulary of a SentencePiece tokenizer.model, read from its protobuf: the WebAssembly library cannot list its pieces.
// Fields: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto

import { invalid } from './tokenizer-files.js';

export interface SentencePieceModel {
  /** Piece of each id. */
  readonly pieces: readonly string[];
  /** Ids of control and unknown pieces, which stand for no text. */
  readonly special: readonly number[];
  /** Id, or null where the model has none. */
  readonly bosId: number | null;
  readonly eosId: number | null;
}

/** ModelProto.SentencePiece.Type */
const UNKNOWN = 2;
const CONTROL = 3;
const WIRE_VARINT = 0;
const WIRE_64 = 1;
const WIRE_BYTES = 2;
const WIRE_32 = 5;
const utf8 = new TextDecoder('utf-8', { fatal: true });

interface Field {
  readonly number: number;
  /** Value of a varint; 0 for the others. */
  readonly value: number;
  /** Content of a length-delimited field; empty for the others. */
  readonly bytes: Uint8Array;
}

/** @throws ModelError `tokenizer_invalid` for bytes that are cut or are no SentencePiece model */
export function readSentencePieceModel(file: string, bytes: Uint8Array): SentencePieceModel {
  const pieces: string[] = [];
  const special: number[] = [];
  // Defaults of TrainerSpec.
  const ids = { bos: 1, eos: 2 };
  for (const field of fields(file, bytes)) {
    if (field.number === 1) {
      const piece = readPiece(file, field.bytes, pieces.length);
      if (piece.type === CONTROL || piece.type === UNKNOWN) special.push(pieces.length);
      pieces.push(piece.text);
    } else if (field.number === 2) {
      for (const inner of fields(file, field.bytes)) {
        if (inner.number === 41) ids.bos = inner.value;
        if (inner.number === 42) ids.eos = inner.value;
      }
    } else if (field.number === 3) {
      for (const inner of fields(file, field.bytes)) if (inner.number === 2) checkCharsmap(file, inner.bytes);
    }
  }
  if (pieces.length === 0) throw invalid(file, 'it holds no pieces; it is no SentencePiece model');
  const within = (id: number): number | null => (id >= 0 && id < pieces.length ? id : null);
  return { pieces, special, bosId: within(ids.bos), eosId: within(ids.eos) };
}

function readPiece(file: string, bytes: Uint8Array, id: number): { text: string; type: number } {
  let text = '';
  let type = 1;
  for (const field of fields(file, bytes)) {
    if (field.number === 3) type = field.value;
    if (field.number !== 1) continue;
    try {
      text = utf8.decode(field.bytes);
    } catch {
      throw invalid(file, `piece ${id} is not UTF-8`);
    }
  }
  if (text === '') throw invalid(file, `piece ${id} is empty`);
  return { text, type };
}

/**
 * The compiled normalisation rules: length of a double-array trie, the trie, then the replacements. The library believes the length;
 * a wrong one gives wrong text without a word (sentencepiece #1263, refused by its C++ version since 0.2.2).
 */
function checkCharsmap(file: string, bytes: Uint8Array): void {
  if (bytes.byteLength === 0) return;
  const trie = bytes.byteLength >= 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : 0;
  if (trie < 4 || trie % 4 !== 0 || trie >= bytes.byteLength - 4 || bytes[bytes.byteLength - 1] !== 0) {
    throw invalid(file, `its precompiled_charsmap of ${bytes.byteLength} bytes is broken (it claims a trie of ${trie} bytes)`);
  }
}

/** Fields of one protobuf message, in order; every length is checked against the bytes that are there. */
function* fields(file: string, bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const cut = () => invalid(file, 'it is cut or is no SentencePiece model; download it again');
  const varint = (): number => {
    // Ten bytes at most; numbers are int32, whose negatives are written as 64-bit, so `| 0` of the low bits is the value.
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw cut();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(32, value));
    }
    throw cut();
  };
  while (at < bytes.byteLength) {
    const key = varint();
    const wire = key & 7;
    let value = 0;
    let length = 0;
    if (wire === WIRE_VARINT) value = varint();
    else if (wire === WIRE_BYTES) length = varint();
    else if (wire === WIRE_64) length = 8;
    else if (wire === WIRE_32) length = 4;
    else throw cut();
    if (length < 0 || at + length > bytes.byteLength || key >>> 3 === 0) throw cut();
    yield { number: key >>> 3, value, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}
