// Prompts as sequences: limits, borders, positions.

import { expect, test } from '@jest/globals';
import { buildProgram } from '../../src/architectures/registry.js';
import { ModelError } from '../../src/errors.js';
import { joinPrompts, rotaryValues } from '../../src/reference/sequence.js';
import { config } from '../architectures/configs.js';

const program = buildProgram(config('llama'));

function refusal(prompts: number[][]): string {
  try {
    joinPrompts(program, prompts);
  } catch (error) {
    if (error instanceof ModelError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

test('prompts are laid one after the other', () => {
  expect(joinPrompts(program, [[1, 2, 3], [4]])).toEqual({
    ids: [1, 2, 3, 4],
    segments: [
      { start: 0, end: 3 },
      { start: 3, end: 4 },
    ],
  });
});

test.each([20, -1, 2 ** 31, 1.5, NaN])('the token id %d is out of range, and the message says what is in range', (id) => {
  expect(refusal([[0, id]])).toBe(`input_ids_out_of_range: the prompt has the token id ${id}; vocab_size is 20, so ids go from 0 to 19`);
});

test('the first and the last id of the vocabulary are in range', () => {
  expect(joinPrompts(program, [[0, 19]]).ids).toEqual([0, 19]);
});

test('a prompt may be as long as max_position_embeddings and no longer', () => {
  const prompt = (length: number) => new Array<number>(length).fill(1);
  expect(joinPrompts(program, [prompt(64)]).ids).toHaveLength(64);
  expect(refusal([prompt(65)])).toBe('prompt_too_long: the prompt has 65 tokens, more than max_position_embeddings 64; shorten it');
  // The limit is each prompt's, not their sum's.
  expect(joinPrompts(program, [prompt(64), prompt(64)]).ids).toHaveLength(128);
});

test('of several prompts the wrong one is named', () => {
  expect(refusal([[1], [2], [99]])).toContain('prompt 3 has the token id 99');
  expect(refusal([[1], []])).toBe('tokenizer_invalid: prompt 2 has no tokens');
});

test('positions start anew with each prompt', () => {
  const values = rotaryValues(
    program,
    joinPrompts(program, [
      [1, 2, 3],
      [4, 5],
    ]),
  );
  const cos = values.get('cos:default');
  const sin = values.get('sin:default');
  expect(cos?.shape).toEqual([5, 2]);
  const positions = [0, 1, 2, 0, 1];
  const frequencies = [1, Math.fround(0.01)];
  const angles = positions.flatMap((position) => frequencies.map((frequency) => Math.fround(position * frequency)));
  expect(cos?.data).toEqual(Float32Array.from(angles, Math.cos));
  expect(sin?.data).toEqual(Float32Array.from(angles, Math.sin));
});

test('LongRoPE takes the frequencies of each prompt by its own length', () => {
  const rope_scaling = { type: 'longrope', short_factor: [1, 1], long_factor: [2, 4] };
  const phi3 = buildProgram(config('phi3', { rope_scaling, max_position_embeddings: 64, original_max_position_embeddings: 3 }));
  const table = phi3.rope_tables['default'];
  expect(table?.attention_factor).toBeGreaterThan(1);
  const angles = (length: number) => {
    const values = rotaryValues(phi3, joinPrompts(phi3, [[1], new Array<number>(length).fill(1), [1, 1]]));
    const [cos, sin] = [values.get('cos:default'), values.get('sin:default')];
    expect(cos?.shape).toEqual([length + 3, 2]);
    // Second token of the prompt in the middle, and of the last one.
    return [2, length + 2].map((row) => Math.atan2(sin?.data[row * 2 + 1] ?? 0, cos?.data[row * 2 + 1] ?? 0));
  };
  const short = table?.inv_freq[1] ?? 0;
  const long = table?.long?.inv_freq[1] ?? 0;
  expect(short / long).toBeCloseTo(4, 5);
  expect(angles(3).map((angle) => angle / short)).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
  expect(angles(4).map((angle) => angle / short)).toEqual([expect.closeTo(0.25, 5), expect.closeTo(1, 5)]);
});
