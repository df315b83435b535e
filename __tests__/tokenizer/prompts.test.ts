// The built-in prompts, as real vocabularies see them.
import { expect, test } from '@jest/globals';
import { builtInLength, builtInPrompts } from '../../src/tokenizer/prompts.js';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.js';
import { folder } from './model-files.js';

const oneSpace = (text: string): string => text.replace(/ +/g, ' ');

test('there are four different prompts of 250 to 420 characters', () => {
  expect(new Set(builtInPrompts()).size).toBe(4);
  for (const prompt of builtInPrompts()) {
    expect(prompt.length).toBeGreaterThanOrEqual(250);
    expect(prompt.length).toBeLessThanOrEqual(420);
  }
});

test.each(['examples/models/qwen3-mini', 'examples/models/ernie45-mini'])(
  'each is at least 64 tokens for %s and comes back as it was',
  async (path) => {
    const tokenizer = await loadTokenizer(folder(path));
    for (const prompt of builtInPrompts()) {
      const ids = tokenizer.encode(prompt);
      expect(ids.length).toBeGreaterThanOrEqual(64);
      // SentencePiece makes one space of several, as its models ask.
      expect(oneSpace(tokenizer.decode(ids))).toBe(oneSpace(prompt));
    }
  },
);

test('Latin, Han, Arabic and Devanagari letters and digits are all there', () => {
  const all = builtInPrompts().join('');
  for (const script of [/\p{Script=Latin}/u, /\p{Script=Han}/u, /\p{Script=Arabic}/u, /\p{Script=Devanagari}/u, /\d/, /ß/])
    expect(all).toMatch(script);
});

test('the list given out cannot change what the next caller gets', () => {
  const first = builtInPrompts() as string[];
  first.length = 0;
  expect(builtInPrompts()).toHaveLength(4);
});

test('cut to the default of 64 tokens, neither one prompt alone nor all together fill whole tiles', () => {
  const lengths = builtInPrompts().map((_, index) => builtInLength(index, 64));
  expect(lengths).toEqual([64, 64, 61, 50]);
  expect(lengths.reduce((sum, length) => sum + length, 0) % 16).not.toBe(0);
  expect(builtInPrompts().map((_, index) => builtInLength(index, 2))).toEqual([2, 2, 1, 1]);
});
