// Every broken or hostile tokenizer file: one message with the file and the cause, never a crash, never ids out of nothing.
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ModelError } from '../../src/errors.js';
import { hostilePattern } from '../../src/tokenizer/hostile-pattern.js';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.js';
import { memory, readJson, text } from './model-files.js';

const JSON_PATH = 'examples/models/qwen3-mini/tokenizer.json';
const MODEL = readFileSync('examples/models/ernie45-mini/tokenizer.model');

async function problem(contents: Record<string, Uint8Array>, prompt?: string): Promise<string> {
  try {
    const tokenizer = await loadTokenizer(memory(contents));
    if (prompt === undefined) throw new Error('the file was accepted');
    throw new Error(`the prompt became ${JSON.stringify(tokenizer.encode(prompt))}`);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    expect(error.code).toBe('tokenizer_invalid');
    return error.message;
  }
}

/** tokenizer.json of a demo model with a change. */
function changed(change: (json: Json) => void): Record<string, Uint8Array> {
  const json = readJson(JSON_PATH) as unknown as Json;
  change(json);
  return { 'tokenizer.json': text(json) };
}
interface Json {
  [section: string]: unknown;
  model: Record<string, unknown> & { vocab: Record<string, unknown>; merges: unknown[] };
  added_tokens: unknown[];
}

const LFS = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n');
const HTML = Buffer.from('<!DOCTYPE html><html><body>Sign in</body></html>');

describe('a model without a tokenizer that can be read', () => {
  test('says which files are supported', async () => {
    expect(await problem({})).toMatch(/^test-model: the model has no tokenizer\.json and no SentencePiece tokenizer\.model; .*input_ids$/);
  });
  test('names the kinds of vocabulary that it found', async () => {
    expect(await problem({ 'vocab.json': text({}), 'merges.txt': Buffer.from('a b') })).toContain(
      'it has vocab.json, merges.txt, which cannot be read',
    );
  });
});

describe.each(['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json'])('%s', (file) => {
  const other: Record<string, Uint8Array> = file === 'tokenizer_config.json' ? { 'tokenizer.model': MODEL } : {};
  test.each([
    ['an empty file', new Uint8Array(0), 'the file is empty'],
    ['a Git LFS pointer', LFS, 'git lfs pull'],
    ['a web page', HTML, 'this is a web page'],
    ['garbage', Buffer.from([0xff, 0xfe, 0x80, 0x00, 0x01]), /not a complete JSON text|cut or is no SentencePiece model/],
  ])('%s is refused', async (_, bytes, cause) => {
    const message = await problem({ ...other, [file]: bytes });
    expect(message).toMatch(new RegExp(`^${file}: `));
    expect(message).toMatch(cause);
  });

  test('a file over the limit is refused without being read', async () => {
    const limit = { 'tokenizer.json': 256e6, 'tokenizer.model': 64e6, 'tokenizer_config.json': 10e6 }[file] ?? 0;
    const huge = { name: file, byteLength: limit + 1, slice: () => Promise.reject(new Error('was read')), close: () => Promise.resolve() };
    const files = { ...memory(other), open: (name: string) => (name === file ? Promise.resolve(huge) : memory(other).open(name)) };
    await expect(loadTokenizer(files)).rejects.toThrow(new RegExp(`^${file}: the file has ${limit + 1} bytes; at most ${limit} `));
  });
});

describe('tokenizer.json', () => {
  test('the file that the changes below start from is accepted', async () => {
    const tokenizer = await loadTokenizer(memory(changed(() => undefined)));
    expect(tokenizer.encode('In the beginning')).toHaveLength(7);
  });

  test('a cut file is refused', async () => {
    const bytes = readFileSync(JSON_PATH);
    expect(await problem({ 'tokenizer.json': bytes.subarray(0, bytes.byteLength - 3) })).toMatch(/was the file cut\?/);
  });

  const cases: [string, (json: Json) => void, string][] = [
    ['no model', (json) => Object.assign(json, { model: null }), '"model" is null'],
    ['a missing vocabulary', (json) => Object.assign(json.model, { vocab: undefined }), '"model.vocab" is missing'],
    [
      'an unknown model type',
      (json) => Object.assign(json.model, { type: 'Magic' }),
      '"model.type" is "Magic"; known: BPE, Unigram, WordPiece',
    ],
    ['a vocabulary as a list', (json) => Object.assign(json.model, { vocab: ['a', 'b'] }), '"model.vocab" is a list'],
    ['an empty vocabulary', (json) => Object.assign(json.model, { vocab: {}, merges: [] }), '"model.vocab" is empty'],
    ['two tokens with one id', (json) => Object.assign(json.model.vocab, { zzz: 5 }), 'the id 5 to two tokens, "#" and "zzz"'],
    ['an id that is a text', (json) => Object.assign(json.model.vocab, { zzz: '5' }), 'token "zzz" the id "5"'],
    ['an id beyond reason', (json) => Object.assign(json.model.vocab, { zzz: 2 ** 40 }), 'the id 1099511627776'],
    ['a negative id', (json) => Object.assign(json.model.vocab, { zzz: -1 }), 'the id -1'],
    [
      'a merge of a token that is missing',
      (json) => json.model.merges.push(['zz', 'q']),
      'needs the token "zz", which "model.vocab" lacks',
    ],
    ['a merge into a token that is missing', (json) => json.model.merges.push('q q'), 'needs the token "qq"'],
    ['a merge of three', (json) => json.model.merges.push(['a', 'b', 'c']), 'it must be two tokens'],
    ['merges that are no list', (json) => Object.assign(json.model, { merges: 'a b' }), '"model.merges" is "a b"'],
    ['random merges', (json) => Object.assign(json.model, { dropout: 0.1 }), '"model.dropout" is 0.1'],
    ['a subword prefix', (json) => Object.assign(json.model, { continuing_subword_prefix: '##' }), 'is not supported for BPE'],
    ['added tokens that are no list', (json) => Object.assign(json, { added_tokens: {} }), '"added_tokens" is {}'],
    ['an added token without content', (json) => json.added_tokens.push({ id: 7 }), 'entry 3 of "added_tokens"'],
    [
      'an added token on the id of another',
      (json) => json.added_tokens.push({ id: 7, content: '<x>' }),
      '"<x>" the id 7, which belongs to "%"',
    ],
    [
      'an added token with another id than its own',
      (json) => json.added_tokens.push({ id: 2000, content: '#' }),
      '"#" the id 2000, but "model.vocab" gives it',
    ],
    [
      'an unknown normalizer',
      (json) => Object.assign(json, { normalizer: { type: 'Magic' } }),
      'the tokenizer library failed: Unknown Normalizer type: Magic',
    ],
    ['a pre-tokenizer that is a text', (json) => Object.assign(json, { pre_tokenizer: 'ByteLevel' }), '"pre_tokenizer" is "ByteLevel"'],
    ['a broken regular expression', (json) => Object.assign(json, { pre_tokenizer: split('(') }), 'the tokenizer library failed: '],
    [
      'a hostile regular expression',
      (json) => Object.assign(json, { pre_tokenizer: split('(a+)+$') }),
      'the regular expression "(a+)+$"; it repeats a group',
    ],
  ];
  test.each(cases)('%s is refused', async (_, change, cause) => {
    const message = await problem(changed(change));
    expect(message).toMatch(/^tokenizer\.json: /);
    expect(message).toContain(cause);
  });

  test('a hostile regular expression is found however deep it lies', async () => {
    const json = { ...readJson(JSON_PATH), pre_tokenizer: null };
    const deep = `${'['.repeat(100_000)}${JSON.stringify(split('(a*)*b'))}${']'.repeat(100_000)}`;
    const bytes = Buffer.from(
      JSON.stringify(json).replace('"pre_tokenizer":null', `"pre_tokenizer":{"type":"Sequence","pretokenizers":${deep}}`),
    );
    expect(await problem({ 'tokenizer.json': bytes })).toContain('(a*)*b');
  });

  test('a character that neither a token nor an unknown-token covers is an error, not a hole', async () => {
    const files = changed((json) => {
      delete json.model.vocab['q'];
      json.model.merges = [];
      json.pre_tokenizer = null;
    });
    expect(await problem(files, 'q')).toContain('the prompt became no tokens at all');
  });

  test('a Unigram vocabulary must be a list of pairs with an unk_id inside it', async () => {
    const unigram = (model: Record<string, unknown>) =>
      changed((json) => Object.assign(json, { pre_tokenizer: null, added_tokens: [], model: { type: 'Unigram', ...model } }));
    const vocab = [
      ['<unk>', 0],
      ['a', -1],
      ['b', -2],
    ];
    const tokenizer = await loadTokenizer(memory(unigram({ vocab, unk_id: 0 })));
    expect(tokenizer.encode('abz')).toEqual([1, 2, 0]);
    expect(await problem(unigram({ vocab: { a: 1 }, unk_id: 0 }))).toContain('must be a list of [token, score]');
    expect(await problem(unigram({ vocab: [['a', 'x']], unk_id: 0 }))).toContain('entry 0 of "model.vocab"');
    expect(await problem(unigram({ vocab, unk_id: 3 }))).toContain('"model.unk_id" is 3, but "model.vocab" has 3 entries');
    expect(await problem(unigram({ vocab, unk_id: null }), 'z')).toContain('no token for a part of the prompt');
    expect(await problem(unigram({ vocab, unk_id: 0, byte_fallback: true }), 'z')).toContain(
      '"byte_fallback" is not supported for Unigram',
    );
  });

  test('a WordPiece vocabulary must have its unknown-token', async () => {
    const wordPiece = (vocab: Record<string, number>) =>
      changed((json) =>
        Object.assign(json, {
          pre_tokenizer: { type: 'Whitespace' },
          added_tokens: [],
          model: { type: 'WordPiece', vocab, unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
        }),
      );
    const tokenizer = await loadTokenizer(memory(wordPiece({ '[UNK]': 0, un: 1, '##do': 2 })));
    expect(tokenizer.encode('undo it')).toEqual([1, 2, 0]);
    expect(await problem(wordPiece({ un: 0 }))).toContain('"model.unk_token" is "[UNK]", which "model.vocab" lacks');
  });
});

function split(regex: string): Record<string, unknown> {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

describe('regular expressions', () => {
  test.each(['(a+)+$', '(a*)*b', '(?:[a-z]+\\s?)*x', '((a+)b?)+', '(a{2,})+', '(?:(?:a+)|b)*', 'x'.repeat(10_001)])(
    '%.30s is refused',
    (pattern) => {
      expect(hostilePattern(pattern)).not.toBeNull();
    },
  );

  // Llama 3, GPT-4o, BLOOM, DeepSeek-V3: patterns of published tokenizers.
  test.each([
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+",
    ' ?[^(\\s|[.,!?…。，、।۔،])]+',
    '[一-龥぀-ゟ゠-ヿ]+|[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+',
    '\\(a+\\)+',
    '(?:a|b)+c*(d+)?',
  ])('%.40s is accepted', (pattern) => {
    expect(hostilePattern(pattern)).toBeNull();
  });
});

describe('tokenizer.model', () => {
  test.each([1, 10, 100, 9000, 14_000, MODEL.byteLength - 1])(
    'a file cut to %d bytes is refused or reads as a whole number of pieces',
    async (length) => {
      const before = process.exitCode;
      expect(await problem({ 'tokenizer.model': MODEL.subarray(0, length) })).toMatch(/^tokenizer\.model: /);
      expect(process.exitCode).toBe(before);
    },
  );

  test('the bytes of other formats are refused', async () => {
    for (const bytes of [Buffer.from('PK\x03\x04 some zip archive'), Buffer.from('\x08\x01\x12\x02ab'), Buffer.alloc(64)]) {
      expect(await problem({ 'tokenizer.model': bytes })).toMatch(
        /^tokenizer\.model: it (is cut or is no SentencePiece model|holds no pieces)|piece 0 is empty/,
      );
    }
  });

  test('a tiktoken vocabulary of the same name is told apart', async () => {
    expect(await problem({ 'tokenizer.model': Buffer.from('IQ== 0\nIg== 1\nIw== 2\n') })).toContain('this is a tiktoken vocabulary');
  });

  test("pieces that SentencePiece itself refuses come with SentencePiece's reason", async () => {
    const twice = Buffer.concat([MODEL, Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x65])]);
    expect(await problem({ 'tokenizer.model': twice })).toMatch(/^tokenizer\.model: SentencePiece cannot load it \(.*already defined/);
  });

  test('a broken table of normalisation rules is refused, which the library would use', async () => {
    const charsmap = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(16)]);
    const spec = Buffer.concat([Buffer.from([0x1a, 2 + charsmap.byteLength, 0x12, charsmap.byteLength]), charsmap]);
    expect(await problem({ 'tokenizer.model': Buffer.concat([MODEL, spec]) })).toContain('precompiled_charsmap of 20 bytes is broken');
  });

  test('what the library cannot load leaves the exit code of the process alone', async () => {
    const before = process.exitCode;
    await problem({ 'tokenizer.model': Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x65]) });
    expect(process.exitCode).toBe(before);
  });
});

describe('tokenizer_config.json', () => {
  test.each([
    [{ add_bos_token: 'yes' }, 'add_bos_token is "yes"; it must be true or false'],
    [{ bos_token: 7 }, "bos_token is 7; it must be the token's text"],
    [{ add_bos_token: true, bos_token: '<bos>' }, 'bos_token is "<bos>", which the vocabulary does not have'],
    [{ added_tokens_decoder: [] }, 'added_tokens_decoder is []'],
    [{ added_tokens_decoder: { x: { content: 'a' } } }, 'added_tokens_decoder has {"x":{"content":"a"}}'],
  ])('%j is refused for both kinds of vocabulary', async (config, cause) => {
    for (const [name, bytes] of [
      ['tokenizer.model', MODEL],
      ['tokenizer.json', readFileSync(JSON_PATH)],
    ] as const) {
      expect(await problem({ [name]: bytes, 'tokenizer_config.json': text(config) })).toContain(`tokenizer_config.json: ${cause}`);
    }
  });

  test('an added token on the id of another token is refused', async () => {
    const config = text({ added_tokens_decoder: { '7': { content: '<x>' } } });
    expect(await problem({ 'tokenizer.json': readFileSync(JSON_PATH), 'tokenizer_config.json': config })).toContain(
      '"<x>" the id 7, which belongs to "%"',
    );
  });

  test('control characters of a hostile file do not reach the message', async () => {
    const message = await problem({
      'tokenizer.model': MODEL,
      'tokenizer_config.json': text({ add_bos_token: '\u001b[31m\n::error::\u202e' }),
    });
    expect(message).toContain('add_bos_token is');
    expect(message).not.toMatch(/[\p{C}]/u);
  });
});
