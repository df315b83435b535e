// A property: whatever is changed in a valid file, it is refused with a ModelError, or it is still a file whose tensors cover its data exactly.

import { describe, expect, test } from '@jest/globals';

import { ModelError } from '../../src/errors.js';
import type { SafetensorsFile } from '../../src/weights/safetensors.js';
import { DTYPE_BITS, readSafetensors } from '../../src/weights/safetensors.js';
import { memorySource, safetensorsBytes, seededRandom } from './made-files.js';

type Random = () => number;

const DTYPES = Object.entries(DTYPE_BITS).filter(([, bits]) => bits % 8 === 0);
const pick = <Item>(random: Random, items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

function randomHeader(random: Random): { header: string; data: number } {
  let begin = 0;
  const members: string[] = [];
  for (let index = below(random, 6); index >= 0; index--) {
    const [dtype, bits] = pick(random, DTYPES);
    const shape = Array.from({ length: below(random, 4) }, () => below(random, 5));
    const end = begin + shape.reduce((product, size) => product * size, bits / 8);
    const fields = [`"dtype":"${dtype}"`, `"shape":[${shape.join(',')}]`, `"data_offsets":[${begin},${end}]`];
    members.push(`"t${index}":{${random() < 0.5 ? fields.join(',') : fields.reverse().join(', ')}}`);
    begin = end;
  }
  if (random() < 0.5) members.reverse();
  if (random() < 0.3) members.unshift('"__metadata__":{"format":"pt"}');
  return { header: `{${members.join(',')}}${' '.repeat(below(random, 9))}`, data: begin };
}

const FIELD_EDITS: readonly ((text: string, random: Random) => string)[] = [
  (text, random) => replaceNumber(text, random, (value) => String(Number(value) + 1)),
  (text, random) => replaceNumber(text, random, (value) => `-${value}`),
  (text, random) => replaceNumber(text, random, (value) => `${value}.0`),
  (text, random) => replaceNumber(text, random, (value) => `${value}e0`),
  (text, random) =>
    replaceNumber(text, random, () => pick(random, ['18446744073709551615', '9007199254740993', 'null', '"1"', '[]', 'true', '00'])),
  (text, random) =>
    text.replace(pick(random, DTYPES)[0], pick(random, [...DTYPES.map(([dtype]) => dtype), 'F4', 'f32', 'Q8_0', '__proto__'])),
  (text, random) =>
    text.replace(
      pick(random, ['dtype', 'shape', 'data_offsets', 't0', 't1']),
      pick(random, ['dtype', 'shape', 't0', 't1', '__metadata__', '__proto__']),
    ),
  (text, random) =>
    text.replace(pick(random, ['{', '}', '[', ']', ',', ':', '"']), pick(random, ['', '{', '}', '[', ']', ',', ':', '"', '\\'])),
  (text) => text.replace(/("t\d":\{[^}]*\})/, '$1,$1'),
];

function replaceNumber(text: string, random: Random, change: (value: string) => string): string {
  const numbers = [...text.matchAll(/(?<=[[,] ?)\d+(?=[\],])/g)];
  if (numbers.length === 0) return text;
  const { 0: value, index } = pick(random, numbers);
  return text.slice(0, index) + change(value) + text.slice(index + value.length);
}

function mutate(random: Random, header: string, data: number): Uint8Array {
  if (random() < 0.5) return safetensorsBytes(pick(random, FIELD_EDITS)(header, random), data);
  const bytes = safetensorsBytes(header, data);
  const at = below(random, bytes.byteLength);
  const kind = below(random, 4);
  if (kind === 0) return bytes.slice(0, at);
  if (kind === 1) return new Uint8Array([...bytes, below(random, 256)]);
  if (kind === 2) return new Uint8Array([...bytes.slice(0, at), ...bytes.slice(at + 1)]);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
  return bytes;
}

/** Written another way than the reader: every byte of the data belongs to exactly one tensor. */
function coversExactly(file: SafetensorsFile): boolean {
  const owners = new Uint8Array(file.source.byteLength - file.dataStart);
  for (const { begin, byteLength, shape, dtype } of file.tensors.values()) {
    if (shape.reduce((product, size) => product * size, 1) * DTYPE_BITS[dtype] !== byteLength * 8) return false;
    for (let at = begin; at < begin + byteLength; at++) owners[at] = (owners[at] ?? 0) + 1;
  }
  return owners.every((count) => count === 1);
}

describe('a random valid file', () => {
  test('is accepted as it is, and after a mutation refused or still exact', async () => {
    const random = seededRandom(20_240_607);
    const outcome = { refused: 0, accepted: 0 };
    for (let round = 0; round < 4000; round++) {
      const { header, data } = randomHeader(random);
      expect(coversExactly(await readSafetensors(memorySource(safetensorsBytes(header, data))))).toBe(true);
      const mutated = mutate(random, header, data);
      try {
        expect(coversExactly(await readSafetensors(memorySource(mutated)))).toBe(true);
        outcome.accepted++;
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        expect(error.code).toBe('weights_invalid');
        outcome.refused++;
      }
    }
    // Both happen, or the property says nothing: a flipped bit in the data or in a name is still a valid file.
    expect(outcome.refused).toBeGreaterThan(1500);
    expect(outcome.accepted).toBeGreaterThan(300);
  });
});
