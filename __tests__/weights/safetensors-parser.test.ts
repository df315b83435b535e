import { describe, expect, test } from '@jest/globals';

import { readSafetensors } from '../../src/weights/safetensors.js';
import { memorySource, refusal } from './made-files.js';
import { SAMPLES } from './made-safetensors.js';

describe("files that the format's own parser was asked about", () => {
  test('are 62, each another one', () => {
    expect(new Set(SAMPLES.map(({ name }) => name)).size).toBe(62);
  });

  test.each(SAMPLES.map((sample) => [sample.name, sample] as const))('%s', async (_, { bytes, rust, ours }) => {
    const file = readSafetensors(memorySource(bytes()));
    if (ours instanceof RegExp) {
      const message = await refusal(file);
      expect(message).toMatch(ours);
      expect(message).toMatch(/^weights_invalid: model\.safetensors: /);
    } else {
      expect((await file).tensors.size).toBe(ours);
      // Never a success on a file that the format's own parser refuses.
      expect(rust).toBe('accepts');
    }
  });
});
