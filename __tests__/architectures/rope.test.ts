// Frequencies of every type of RoPE scaling against those of transformers, and settings that are refused rather than guessed.

import { describe, expect, test } from '@jest/globals';
import type { RawConfig } from '../../src/architectures/fields.js';
import { ropeTable } from '../../src/architectures/rope.js';
import { ModelError } from '../../src/errors.js';

const LLAMA3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 };
const LONGROPE = {
  rope_type: 'longrope',
  original_max_position_embeddings: 4096,
  short_factor: [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
  long_factor: [1.3, 2, 2.7, 3.4, 4.1, 4.8, 5.5, 6.2],
};

function table(scaling: RawConfig, config: RawConfig = {}) {
  return ropeTable({ rope_theta: 10_000, max_position_embeddings: 131_072, rope_scaling: scaling, ...config }, 16, { theta: 10_000 });
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ModelError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

// Printed by ROPE_INIT_FUNCTIONS of transformers 5.17 with head_dim 16, on a CPU.
describe('frequencies are bit for bit those of transformers', () => {
  test('llama3, as in Llama 3.1 and 3.2', () => {
    expect(table(LLAMA3, { rope_theta: 500_000 })).toEqual({
      inv_freq: [
        1, 0.193922758102417, 0.03760603070259094, 0.00729266507551074, 0.0005248460220173001, 0.00003428102354519069,
        0.000006647869668086059, 0.000001289173155782919,
      ],
      attention_factor: 1,
    });
    expect(table({ ...LLAMA3, factor: 32 }, { rope_theta: 500_000 }).inv_freq.slice(4)).toEqual([
      0.000429556705057621, 0.000008570255886297673, 0.0000016619674170215148, 3.2229328894572973e-7,
    ]);
  });

  test('linear', () => {
    expect(table({ type: 'linear', factor: 3 })).toEqual({
      inv_freq: [
        0.3333333432674408, 0.10540925711393356, 0.03333333507180214, 0.010540925897657871, 0.003333333181217313, 0.0010540926596149802,
        0.0003333333588670939, 0.0001054092645063065,
      ],
      attention_factor: 1,
    });
  });

  test('yarn, as in Qwen 2.5, and with mscale and without truncation', () => {
    expect(table(YARN, { rope_theta: 1_000_000 })).toEqual({
      inv_freq: [
        1, 0.17782793939113617, 0.03162277862429619, 0.004217559937387705, 0.0005000000237487257, 0.000044456985051510856,
        0.000007905693564680405, 0.000001405853367941745,
      ],
      attention_factor: 1.138629436111989,
    });
    const mscaled = { mscale: 1, mscale_all_dim: 0.707, beta_fast: 32, beta_slow: 1, truncate: false };
    expect(table({ ...YARN, factor: 40, original_max_position_embeddings: 4096, ...mscaled })).toEqual({
      inv_freq: [
        1, 0.3162277638912201, 0.10000000149011612, 0.02771085873246193, 0.005524062551558018, 0.0007226381567306817,
        0.00002499999936844688, 0.000007905694474175107,
      ],
      attention_factor: 1.0857263992561355,
    });
    expect(table({ ...YARN, attention_factor: 1.5 }).attention_factor).toBe(1.5);
  });

  test('longrope, for short and for long prompts', () => {
    expect(table(LONGROPE)).toEqual({
      inv_freq: [
        1, 0.2874797582626343, 0.0833333358168602, 0.024325214326381683, 0.0071428571827709675, 0.0021081853192299604,
        0.0006249999860301614, 0.0001860163320088759,
      ],
      attention_factor: 1.1902380714238083,
      long: {
        above: 4096,
        inv_freq: [
          0.7692307829856873, 0.15811388194561005, 0.03703703731298447, 0.009300816804170609, 0.002439024392515421, 0.000658807810395956,
          0.0001818181772250682, 0.00005100448106531985,
        ],
      },
    });
    expect(table({ ...LONGROPE, factor: 1 }).attention_factor).toBe(1);
    expect(table({ ...LONGROPE, attention_factor: 2 }).attention_factor).toBe(2);
  });
});

describe('settings', () => {
  test.each([LLAMA3, YARN, LONGROPE])('rope_parameters of type $rope_type mean the same as rope_scaling', (scaling) => {
    const newer = ropeTable({ max_position_embeddings: 131_072, rope_parameters: { ...scaling, rope_theta: 10_000 } }, 16, { theta: 1 });
    expect(newer).toEqual(table(scaling));
  });

  test('original_max_position_embeddings may stand beside the block, and is max_position_embeddings where it stands nowhere', () => {
    const { original_max_position_embeddings: length, ...without } = LLAMA3;
    expect(table(without, { original_max_position_embeddings: length })).toEqual(table(LLAMA3));
    expect(table(without, { max_position_embeddings: length })).toEqual(table(LLAMA3));
    expect(refusal(() => table(LLAMA3, { original_max_position_embeddings: 4096 }))).toBe(
      'config_invalid: config.json: rope_scaling.original_max_position_embeddings is 8192, but original_max_position_embeddings beside it is 4096',
    );
  });

  test('Phi-3 rotates part of a head, and calls LongRoPE by older names too', () => {
    const phi3 = (scaling: RawConfig | null, keys: RawConfig = {}) =>
      ropeTable({ rope_theta: 10_000, max_position_embeddings: 131_072, rope_scaling: scaling, ...keys }, 16, {
        theta: 10_000,
        phi3: { original_max_position_embeddings: 4096 },
      });
    expect(phi3(null, { partial_rotary_factor: 0.75 }).inv_freq).toHaveLength(6);
    for (const type of ['su', 'yarn', 'longrope']) expect(phi3({ ...LONGROPE, rope_type: type })).toEqual(table(LONGROPE));
    expect(refusal(() => phi3({ rope_type: 'linear', factor: 2 }))).toContain('known: "default", "longrope"');
    expect(refusal(() => phi3(LONGROPE, { partial_rotary_factor: 0.75 }))).toContain('rope_scaling.short_factor is [1,1.1,');
    for (const partial of [0, -1, 1.5, '0.5', 0.1, 0.2]) {
      expect(refusal(() => phi3(null, { partial_rotary_factor: partial }))).toMatch(/^config_invalid: .*partial_rotary_factor is/);
    }
  });

  test.each([
    [
      { type: 'dynamic', factor: 2 },
      'unsupported_config: config.json: RoPE scaling of type "dynamic" is not built in; known: "default", "linear"',
    ],
    [{ type: 'mrope' }, 'RoPE scaling of type "mrope" is not built in'],
    [{ type: ['linear'] }, 'RoPE scaling of type ["linear"]'],
    [
      { rope_type: 'default', mrope_section: [1, 1, 2] },
      'rope_scaling has the key "mrope_section", which is not built in for RoPE scaling of type "default"',
    ],
    [{ ...LLAMA3, beta_fast: 32 }, 'rope_scaling has the key "beta_fast"'],
    [{ type: 'linear' }, 'rope_scaling.factor is missing; it must be a number above 0'],
    [{ type: 'linear', factor: '2' }, 'rope_scaling.factor is "2"'],
    [{ ...LLAMA3, high_freq_factor: 1 }, 'rope_scaling.high_freq_factor is 1; it must be above low_freq_factor 1'],
    [{ ...LLAMA3, original_max_position_embeddings: 2.5 }, 'rope_scaling.original_max_position_embeddings is 2.5'],
    [{ ...YARN, truncate: 'no' }, 'rope_scaling.truncate is "no"; it must be true or false'],
    [{ ...YARN, beta_slow: -1 }, 'rope_scaling.beta_slow is -1'],
    [{ ...LONGROPE, long_factor: [1, 2] }, 'rope_scaling.long_factor is [1,2]; it must be a list of 8 numbers above 0'],
    [{ ...LONGROPE, short_factor: [1, 1, 1, 1, 1, 1, 1, 0] }, 'rope_scaling.short_factor is'],
  ])('%j is refused', (scaling, words) => {
    expect(refusal(() => table(scaling))).toContain(words);
  });

  test('both blocks at once are refused', () => {
    expect(refusal(() => table(YARN, { rope_parameters: { rope_type: 'default' } }))).toContain(
      'has both rope_parameters and rope_scaling',
    );
  });
});
