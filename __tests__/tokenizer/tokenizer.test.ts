// Tokenizers against the goldens of transformers, for both kinds of vocabulary. Broken files are in broken-files.test.ts.
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.js';
import { folder, memory, readJson, text } from './model-files.js';

const MODELS = {
  'tinyllama-mini': 'examples/models/tinyllama-mini',
  'qwen3-mini': 'examples/models/qwen3-mini',
  'ernie45-mini': 'examples/models/ernie45-mini',
  'gemma3-mini': '__tests__/models/gemma3-mini',
  'mistral-mini': '__tests__/models/mistral-mini',
};

interface Golden {
  prompts: ({ text: string; input_ids: number[] } & Record<string, number[] | string>)[];
}

describe.each(Object.entries(MODELS))('%s', (name, path) => {
  const golden = readJson(`__tests__/goldens/${name}/golden.json`) as unknown as Golden;

  test('text becomes the ids that transformers gives', async () => {
    const tokenizer = await loadTokenizer(folder(path));
    expect(golden.prompts).toHaveLength(3);
    for (const prompt of golden.prompts) {
      // The goldens were made with prompts cut to 64 tokens.
      const ids = tokenizer.encode(prompt.text);
      expect(prompt.input_ids).toHaveLength(Math.min(ids.length, 64));
      expect(ids.slice(0, 64)).toEqual(prompt.input_ids);
    }
  });

  test('generated ids become the text that transformers gives', async () => {
    const tokenizer = await loadTokenizer(folder(path));
    for (const prompt of golden.prompts) {
      for (const run of ['greedy_f32', 'greedy_bf16', 'greedy_bf16_sdpa']) {
        expect(tokenizer.decode(prompt[`${run}_ids`] as number[])).toBe(prompt[`${run}_text`]);
      }
    }
  });

  test('the vocabulary has the size of the model, and special tokens are left out of text', async () => {
    const tokenizer = await loadTokenizer(folder(path));
    expect(tokenizer.vocabularySize).toBe(1024);
    const ids = golden.prompts[0]?.input_ids ?? [];
    expect(tokenizer.decode([1, ...ids, 2])).toBe(tokenizer.decode(ids));
  });

  test('nothing decodes to nothing, and ids beyond the vocabulary are left out', async () => {
    const tokenizer = await loadTokenizer(folder(path));
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([1, 2])).toBe('');
    const ids = golden.prompts[0]?.input_ids ?? [];
    expect(tokenizer.decode([...ids, 1024, 151_935, -1, 0.5])).toBe(tokenizer.decode(ids));
  });

  test('text in other scripts survives the way there and back', async () => {
    const tokenizer = await loadTokenizer(folder(path));
    for (const sample of ['Straße, naïve, ¿qué?', '春眠不觉晓', 'السلام عليكم', '🙂👩‍👩‍👧'])
      expect(tokenizer.decode(tokenizer.encode(sample))).toBe(sample);
  });
});

describe('special tokens around the text', () => {
  const qwen = 'examples/models/qwen3-mini';
  const ernie = 'examples/models/ernie45-mini';
  const withConfig = (path: string, file: string, config: Record<string, unknown> | null) =>
    loadTokenizer(
      memory({ [file]: readFileSync(`${path}/${file}`), ...(config === null ? {} : { 'tokenizer_config.json': text(config) }) }),
    );

  test.each([
    ['tokenizer.json', qwen],
    ['tokenizer.model', ernie],
  ])('%s: add_bos_token and add_eos_token add the tokens that the config names, in both ways of writing them', async (file, path) => {
    const plain = await withConfig(path, file, { add_bos_token: false });
    const both = await withConfig(path, file, {
      add_bos_token: true,
      add_eos_token: true,
      bos_token: '<s>',
      eos_token: { content: '</s>' },
    });
    const body = plain.encode('And God said');
    expect(body).not.toContain(1);
    expect(both.encode('And God said')).toEqual([1, ...body, 2]);
    expect(both.encode('')).toEqual([1, 2]);
    expect(plain.encode('')).toEqual([]);
  });

  test('a SentencePiece model alone gets <s> and no </s>, as LlamaTokenizer does', async () => {
    const tokenizer = await withConfig(ernie, 'tokenizer.model', null);
    const [first, ...rest] = tokenizer.encode('And God said');
    expect(first).toBe(1);
    expect(rest).not.toContain(1);
    expect(rest).not.toContain(2);
  });

  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  };

  test('the post-processor of tokenizer.json adds its token unless the config says otherwise', async () => {
    const json = { ...readJson(`${qwen}/tokenizer.json`), post_processor: template };
    const silent = await loadTokenizer(memory({ 'tokenizer.json': text(json) }));
    const refused = await loadTokenizer(memory({ 'tokenizer.json': text(json), 'tokenizer_config.json': text({ add_bos_token: false }) }));
    const body = refused.encode('And God said');
    expect(body[0]).not.toBe(1);
    expect(silent.encode('And God said')).toEqual([1, ...body]);
  });

  test('tokenizer.json wins where both files exist', async () => {
    const json = readFileSync(`${qwen}/tokenizer.json`);
    const tokenizer = await loadTokenizer(memory({ 'tokenizer.json': json, 'tokenizer.model': Buffer.from('broken') }));
    expect(tokenizer.encode('In the beginning')).toEqual([43, 80, 261, 812, 267, 80, 294]);
  });

  test('special tokens within a prompt keep their ids, and legacy decides whether a space follows them', async () => {
    const legacy = await withConfig(ernie, 'tokenizer.model', { add_bos_token: false, bos_token: '<s>', eos_token: '</s>', legacy: true });
    const newer = await withConfig(ernie, 'tokenizer.model', { add_bos_token: false, bos_token: '<s>', eos_token: '</s>', legacy: false });
    const alone = legacy.encode('the');
    expect(legacy.encode('the</s>the')).toEqual([...alone, 2, ...alone]);
    expect(newer.encode('the')).toEqual(alone);
    const after = newer.encode('the</s>the').slice(alone.length + 1);
    expect(after).not.toEqual(alone);
    expect(newer.decode(after)).toBe('the');
  });

  test('added tokens of the config are tokens of their own, in both kinds of vocabulary', async () => {
    const config = {
      add_bos_token: false,
      added_tokens_decoder: { '1024': { content: '<think>', special: false }, '1025': { content: '<|end|>', special: true } },
    };
    for (const [file, path] of [
      ['tokenizer.json', qwen],
      ['tokenizer.model', ernie],
    ] as const) {
      const tokenizer = await withConfig(path, file, config);
      const ids = tokenizer.encode('<think>God<|end|>');
      expect(ids[0]).toBe(1024);
      expect(ids.at(-1)).toBe(1025);
      expect(tokenizer.vocabularySize).toBe(1026);
      expect(tokenizer.decode(ids).replaceAll(' ', '')).toBe('<think>God');
    }
  });

  test('a space before a comma survives decoding', async () => {
    const tokenizer = await loadTokenizer(folder(qwen));
    expect(tokenizer.decode(tokenizer.encode('Moses , Aaron .'))).toBe('Moses , Aaron .');
  });
});
