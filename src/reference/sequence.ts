// The tokens of a run: prompts laid one after the other, and what depends on positions only.

import type { Program } from '../architectures/program.js';
import { ModelError } from '../errors.js';
import { joinRows, type NdArray } from './ndarray.js';

export interface Sequence {
  /** Token ids of all prompts, one after the other. */
  readonly ids: readonly number[];
  /** Where each prompt stands in `ids`: attention never crosses these borders. */
  readonly segments: readonly { readonly start: number; readonly end: number }[];
  /** Tokens before these, whose keys and values are kept: positions start there. Default: 0. */
  readonly past?: number;
}

/**
 * Joins prompts into one sequence.
 * @throws ModelError `input_ids_out_of_range`, `prompt_too_long`
 */
export function joinPrompts(program: Program, prompts: readonly (readonly number[])[]): Sequence {
  const ids: number[] = [];
  const segments = prompts.map((prompt, index) => {
    checkPrompt(program, prompt, prompts.length > 1 ? `prompt ${index + 1}` : 'the prompt');
    const start = ids.length;
    ids.push(...prompt);
    return { start, end: ids.length };
  });
  return { ids, segments };
}

/** @throws ModelError `input_ids_out_of_range`, `prompt_too_long` */
export function checkPrompt(program: Program, prompt: readonly number[], name: string): void {
  if (prompt.length === 0) throw new ModelError('tokenizer_invalid', `${name} has no tokens`);
  if (prompt.length > program.max_position_embeddings) {
    throw new ModelError(
      'prompt_too_long',
      `${name} has ${prompt.length} tokens, more than max_position_embeddings ${program.max_position_embeddings}; shorten it`,
    );
  }
  const wrong = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= program.vocab_size);
  if (wrong !== undefined) {
    throw new ModelError(
      'input_ids_out_of_range',
      `${name} has the token id ${wrong}; vocab_size is ${program.vocab_size}, so ids go from 0 to ${program.vocab_size - 1}`,
    );
  }
}

/** `cos:NAME` and `sin:NAME` [T, rotary_dim / 2] in float32, as transformers computes them; positions start at 0 in each prompt, or after what is kept. */
export function rotaryValues(program: Program, sequence: Sequence): Map<string, NdArray> {
  const { segments, past = 0 } = sequence;
  const prompts = segments.map(({ start, end }) => Array.from({ length: end - start }, (_, i) => past + i));
  const names = Object.keys(program.rope_tables).flatMap((name) => [`cos:${name}`, `sin:${name}`]);
  return new Map(names.map((name) => [name, joinRows(prompts.map((positions) => rotaryAt(program, name, positions)))]));
}

/** A value `cos:NAME` or `sin:NAME` at the given positions of one prompt; the highest says which frequencies LongRoPE takes. */
export function rotaryAt(program: Program, value: string, positions: readonly number[]): NdArray {
  const of = value.startsWith('cos:') ? Math.cos : Math.sin;
  const table = program.rope_tables[value.slice('cos:'.length)];
  if (table === undefined) throw new Error(`no RoPE table for ${value}`);
  const { long } = table;
  const inv_freq = long !== undefined && positions.some((position) => position >= long.above) ? long.inv_freq : table.inv_freq;
  const factor = Math.fround(table.attention_factor);
  const half = inv_freq.length;
  const data = new Float32Array(positions.length * half);
  for (const [t, position] of positions.entries()) {
    for (let i = 0; i < half; i++) data[t * half + i] = Math.fround(of(Math.fround(position * (inv_freq[i] as number)))) * factor;
  }
  return { data, shape: [positions.length, half] };
}
