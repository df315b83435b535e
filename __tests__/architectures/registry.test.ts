// From config.json and checkpoint to a program that fits them; what is refused, and in which words.

import { describe, expect, test } from '@jest/globals';
import { buildProgram, checkWeights, MODEL_TYPES, modelType } from '../../src/architectures/registry.js';
import type { RawConfig } from '../../src/architectures/fields.js';
import { ModelError } from '../../src/errors.js';
import { tensorsOf, withTensors, type MadeTensor } from '../support/made-checkpoint.js';
import { config, FAMILIES } from './configs.js';

/** The refusal as `code: message`. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ModelError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('was accepted');
}

/** The refusal of a checkpoint that `change` made from what the program wants; 'accepted' when there is none. */
async function fit(raw: RawConfig, change: (tensors: MadeTensor[]) => MadeTensor[], checkedAs: RawConfig = raw): Promise<string> {
  const tensors = change(tensorsOf(buildProgram(raw), () => 0.5));
  return withTensors(tensors, async (checkpoint) => {
    try {
      checkWeights(buildProgram(checkedAs), checkpoint);
      return 'accepted';
    } catch (error) {
      if (error instanceof ModelError) return `${error.code}: ${error.message}`;
      throw error;
    }
  });
}

function zeros(name: string, ...shape: number[]): MadeTensor {
  return { name, shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

describe('model_type', () => {
  test('every family that is listed builds a program', () => {
    expect([...MODEL_TYPES].sort()).toEqual([...FAMILIES].sort());
    for (const family of FAMILIES) expect(buildProgram(config(family)).architecture).toBe(family);
  });

  test('an unknown one is refused with the known ones', () => {
    const message = refusal(() => buildProgram(config('llama', { model_type: 'mamba' })));
    expect(message).toBe(
      'unknown_model_type: config.json: model_type "mamba" is not built in; known: ernie4_5, gemma2, gemma3_text, llama, mistral, olmo2, phi3, qwen2, qwen3',
    );
  });

  test.each([undefined, null, 7, ['llama'], {}, '', 'constructor', '__proto__', 'llama\n::error::x'])(
    '%j is refused in one line',
    (value) => {
      const message = refusal(() => buildProgram(config('llama', { model_type: value })));
      expect(message).toMatch(/^unknown_model_type: config\.json: model_type .* is not built in; known: /);
      expect(message).not.toContain('\n');
    },
  );

  test('is given for reports only where it is a plain word', () => {
    expect(modelType({ model_type: 'qwen3' })).toBe('qwen3');
    for (const value of [undefined, 7, 'a b', '<img>', 'x'.repeat(65)]) expect(modelType({ model_type: value })).toBeNull();
  });

  test('one of enormous length is cut in the message', () => {
    expect(refusal(() => buildProgram({ model_type: 'x'.repeat(1e6) })).length).toBeLessThan(300);
  });
});

describe.each(FAMILIES)('a checkpoint of %s', (family) => {
  test('that holds what config.json implies is accepted', async () => {
    expect(await fit(config(family), (tensors) => tensors)).toBe('accepted');
  });

  test('without one of its tensors is refused by name', async () => {
    const without = 'model.layers.1.mlp.down_proj.weight';
    const message = await fit(config(family), (tensors) => tensors.filter(({ name }) => name !== without));
    expect(message).toMatch(/^tensor_missing: 1 of the tensors/);
    expect(message).toContain(without);
  });

  test('with a tensor that the program has no place for is refused by name', async () => {
    const extra = 'model.layers.0.self_attn.q_proj.lora_A.weight';
    const message = await fit(config(family), (tensors) => [...tensors, zeros(extra, 2, 8)]);
    expect(message).toMatch(/^weights_mismatch: 1 tensors of the checkpoint have no place/);
    expect(message).toContain(extra);
  });

  test('with fewer layers in config.json than in the weights is refused', async () => {
    const message = await fit(config(family), (tensors) => tensors, config(family, { num_hidden_layers: 2 }));
    expect(message).toContain('weights_mismatch');
    expect(message).toContain('the checkpoint has layers beyond num_hidden_layers 2');
  });

  test('with more layers in config.json than in the weights is refused', async () => {
    const message = await fit(config(family), (tensors) => tensors, config(family, { num_hidden_layers: 4 }));
    expect(message).toContain('tensor_missing');
    expect(message).toContain('model.layers.3.');
    expect(message).toContain('check num_hidden_layers');
  });

  test.each([
    ['hidden_size', 16],
    ['intermediate_size', 16],
    ['num_attention_heads', 8],
    ['num_key_value_heads', 1],
    ['head_dim', 8],
    ['vocab_size', 21],
  ])('with another %s in config.json is refused with both shapes', async (key, value) => {
    const message = await fit(config(family), (tensors) => tensors, config(family, { [key]: value }));
    expect(message).toMatch(/^weights_mismatch: model\.safetensors: [\w.]+ has shape \[[\d, ]+\], but config\.json implies \[[\d, ]+\]/);
    expect(message).toContain('check hidden_size');
  });
});

describe('tensors beside the parameters', () => {
  test('that are known to be none are no reason to refuse', async () => {
    const message = await fit(config('qwen3'), (tensors) => [
      ...tensors,
      zeros('lm_head.weight', 20, 8),
      zeros('model.layers.0.self_attn.rotary_emb.inv_freq', 2),
    ]);
    expect(message).toBe('accepted');
  });

  test.each(['bias', 'extra'])('a q_proj.%s that config.json does not speak of is refused', async (kind) => {
    const message = await fit(config('llama'), (tensors) => [...tensors, zeros(`model.layers.0.self_attn.q_proj.${kind}`, 16)]);
    expect(message).toContain('config.json and the checkpoint describe different models');
  });

  test('Q and K norms in a family that has none are refused', async () => {
    const norms = ['q_norm', 'k_norm'].map((norm) => zeros(`model.layers.0.self_attn.${norm}.weight`, 4));
    expect(await fit(config('llama'), (tensors) => [...tensors, ...norms])).toContain('weights_mismatch: 2 tensors');
  });

  test('a tensor of the right size in another shape is refused', async () => {
    const name = 'model.norm.weight';
    const message = await fit(config('llama'), (tensors) => [...tensors.filter((one) => one.name !== name), zeros(name, 1, 8)]);
    expect(message).toContain('has shape [1, 8], but config.json implies [8]');
  });
});

test('a list of hundreds of missing tensors is cut', async () => {
  const message = await fit(config('llama'), (tensors) => tensors.filter(({ name }) => !name.startsWith('model.layers.')));
  expect(message).toMatch(/^tensor_missing: 27 of the tensors/);
  expect(message.length).toBeLessThan(500);
});
