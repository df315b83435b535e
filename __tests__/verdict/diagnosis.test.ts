import { describe, expect, test } from '@jest/globals';
import { validRecipes } from '../../src/reference/recipes.js';
import type { Cause } from '../../src/report/types.js';
import { diagnose } from '../../src/verdict/diagnosis.js';
import { recommend } from '../../src/verdict/recommendations.js';
import { kernelResult, modelLevel, numericResult } from '../support/report.js';

const cause = (changes: Partial<Cause> = {}): Cause => ({
  kernel: 'ort-attention',
  variant: 'fused',
  code: 'scale',
  message: 'does not scale the attention scores',
  ...changes,
});
const swapped = { nearest_recipe: 'norm_weight_swapped', nearest_recipe_equal: 1, bitwise_equal: 0.7 } as const;

describe('the diagnosis', () => {
  test('is empty for kernels that pass, and without a numeric diff', () => {
    expect(diagnose(numericResult())).toEqual([]);
    expect(diagnose(null)).toEqual([]);
  });

  test('gives a cause as a sentence, and names the standard variant where it alone has it', () => {
    const kernels = [kernelResult({ status: 'fail' })];
    expect(diagnose(numericResult({ kernels, causes: [cause()] }))).toEqual([
      { code: 'scale', message: 'ort-attention does not scale the attention scores.' },
    ]);
    expect(diagnose(numericResult({ kernels, causes: [cause({ variant: 'standard' })] }))[0]?.message).toBe(
      'ort-attention in its standard variant does not scale the attention scores.',
    );
  });

  test('says once what standard and fused have alike, and both where they differ', () => {
    const alike = [cause(), cause({ variant: 'standard' })];
    expect(diagnose(numericResult({ causes: alike })).map(({ message }) => message)).toEqual([
      'ort-attention, standard and fused alike, does not scale the attention scores.',
    ]);
    const apart = [cause(), cause({ variant: 'standard', code: 'mask', message: 'lets tokens see those after them' })];
    expect(diagnose(numericResult({ causes: apart })).map(({ code }) => code)).toEqual(['scale', 'mask']);
  });

  test('tells the rounding on the other side of the norm weight of a kernel that passes, too, and other roundings only where something is wrong', () => {
    const told = diagnose(numericResult({ kernels: [kernelResult(swapped)] }));
    expect(told).toMatchObject([{ code: 'rounding_point' }]);
    expect(told[0]?.message).toMatch(/within the noise of correct implementations here\.$/);
    const flash = kernelResult({ ...swapped, nearest_recipe: 'float32_probabilities' });
    expect(diagnose(numericResult({ kernels: [flash] }))).toEqual([]);
    const [off] = diagnose(numericResult({ kernels: [flash], model: modelLevel({ status: 'fail' }) }));
    expect(off).toMatchObject({ code: 'rounding_point' });
    expect(off?.message).not.toContain('within the noise');
  });

  test('has words for every recipe but eager', () => {
    const messages = validRecipes('bfloat16').map(({ name }) => {
      const kernel = kernelResult({ ...swapped, status: 'fail', nearest_recipe: name });
      return diagnose(numericResult({ kernels: [kernel] }))[0]?.message;
    });
    expect(messages[0]).toBeUndefined();
    expect(new Set(messages.slice(1).map((message) => message?.split(':')[0])).size).toBe(messages.length - 1);
    for (const message of messages.slice(1)) expect(message).toMatch(/^\S+ (rounds|keeps|adds) /);
  });

  test('says nothing of a rounding point below 99 % of equal outputs', () => {
    expect(diagnose(numericResult({ kernels: [kernelResult({ ...swapped, status: 'fail', nearest_recipe_equal: 0.98 })] }))).toEqual([]);
  });
});

test('what to do follows the cause where there is one, and the usual suspects where there is none', () => {
  const numeric = numericResult({ status: 'fail', kernels: [kernelResult({ status: 'fail', detail: 'accuracy_ratio 9 > 4' })] });
  const advice = (causes: Cause[]) =>
    recommend(
      {
        static: null,
        numeric: { ...numeric, causes },
        failure: null,
        policy: 'evidence',
        thresholds: { static: {} as never, numeric: { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 } },
      },
      'INCOMPATIBLE',
    )[0];
  expect(advice([cause()])).toBe('Kernel ort-attention: multiply the scores by the `scale` of the call once, before the softmax.');
  expect(advice([])).toContain('check the scale (1/sqrt(head_dim)), the causal mask and window');
});
