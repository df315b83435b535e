import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.js';
import type { Level, ModelReport, NumericResult, Policy, StaticResult, Verdict } from '../../src/report/types.js';
import { VERDICTS } from '../../src/report/types.js';
import { contradiction, type Thresholds } from '../../src/verdict/consistent.js';
import { decide } from '../../src/verdict/verdict.js';
import { kernelResult, modelLevel, modelReport, numericAt, numericResult, qwenStatic, staticResult } from '../support/report.js';

const config = await loadConfig({ cwd: '/', overrides: { models: 'm' } });
const thresholds: Thresholds = { static: config.static, numeric: config.numeric };
const LEVELS: readonly Level[] = ['pass', 'warn', 'fail', 'inconclusive'];
const STATICS = [null, staticResult(), staticResult({ status: 'WARNING', score: 0.7 }), qwenStatic()];
const FAILURES = [null, 'download_failed', 'weights_invalid', 'no_gpu', 'cancelled', 'kernel_crash'] as const;

/** Numbers that fit to the level. */
function numericOf(level: Level): NumericResult {
  const ratio = { pass: 1, warn: 3, fail: 812, inconclusive: null }[level];
  const numeric = numericAt(level);
  return {
    ...numeric,
    kernels: numeric.kernels.map((kernel) => ({ ...kernel, accuracy_ratio: ratio, max_ratio: ratio })),
    model: modelLevel({ status: level, kl_ratio: ratio, decisive_flips: level === 'fail' ? 3 : 0 }),
  };
}

/** As src/models.ts makes it. */
function judged(checked: StaticResult | null, numeric: NumericResult | null, code: (typeof FAILURES)[number], policy: Policy): ModelReport {
  const failure = code === null ? null : { code: code as never, message: 'because' };
  const { verdict, reasons, recommendations } = decide({ static: checked, numeric, failure, policy, thresholds });
  return modelReport({ static: checked, numeric, verdict, reasons, recommendations });
}

describe('a report as it was written', () => {
  it('never contradicts itself, under any policy', () => {
    for (const policy of ['evidence', 'strict', 'static'] as const)
      for (const checked of STATICS)
        for (const numeric of [null, ...LEVELS.map(numericOf)])
          for (const failure of FAILURES) {
            const model = judged(checked, numeric, failure, policy);
            expect([policy, checked?.status, numeric?.status, failure, contradiction(model, policy, thresholds)]).toEqual([
              policy,
              checked?.status,
              numeric?.status,
              failure,
              null,
            ]);
            expect(contradiction(model, policy, null)).toBeNull();
          }
  });

  it('is seen to contradict itself as soon as its verdict is made milder', () => {
    let seen = 0;
    for (const checked of STATICS)
      for (const numeric of [null, ...LEVELS.map(numericOf)])
        for (const failure of FAILURES) {
          const model = judged(checked, numeric, failure, 'evidence');
          for (const verdict of VERDICTS.slice(VERDICTS.indexOf(model.verdict) + 1)) {
            expect(contradiction({ ...model, verdict }, 'evidence', null)).toBe(
              `its verdict is ${verdict}, but what it holds makes it ${model.verdict}`,
            );
            seen += 1;
          }
        }
    expect(seen).toBeGreaterThan(200);
  });
});

describe('a level that was edited', () => {
  const fine = (changes: Partial<NumericResult>): ModelReport =>
    modelReport({ verdict: 'COMPATIBLE', reasons: [], static: staticResult(), numeric: numericResult(changes) });
  const kernel = (changes: object): Partial<NumericResult> => ({ kernels: [kernelResult(changes)] });
  const canary = { name: 'zeros', caught: false, by: null, detail: '' };

  it.each<[string, Partial<NumericResult>, string]>([
    ['a kernel with NaN', kernel({ non_finite: 3 }), '3 elements of its output are not finite'],
    ['a kernel with a probe that failed', kernel({ probes: [{ name: 'tails', status: 'fail', detail: 'x' }] }), 'a probe is fail'],
    ['a kernel beside a fault that was not seen', { canaries: [{ ...canary, kernel: 'ort-attention' }] }, 'a planted fault was not seen'],
    ['a model beside a fault that was not seen', { canaries: [{ ...canary, kernel: null }] }, 'a planted fault was not seen'],
    ['a model with decisive flips', { model: modelLevel({ decisive_flips: 1 }) }, 'there are decisive flips'],
  ])('of %s is seen without its thresholds', (_what, changes, why) => {
    expect(contradiction(fine(changes), 'evidence', null)).toContain(why);
  });

  it.each<[string, Partial<NumericResult>, string]>([
    ['accuracy_ratio', kernel({ accuracy_ratio: 812 }), 'is pass, but it is 812 times the noise floor, which is above 2'],
    ['max_ratio', kernel({ status: 'warn', max_ratio: 4.5 }), 'is warn, but it is 4.5 times the noise floor, which is above 4'],
    ['kl_ratio', { model: modelLevel({ kl_ratio: 2.5 }) }, 'the model as a whole is pass, but it is 2.5 times'],
  ])('beside %s is seen with its thresholds', (_what, changes, why) => {
    expect(contradiction(fine(changes), 'evidence', thresholds)).toContain(why);
    const lenient = { ...thresholds, numeric: { ...thresholds.numeric, pass_ratio: 1000, warn_ratio: 1000 } };
    expect(contradiction(modelReport({ ...fine(changes), verdict: 'WARNING' }), 'evidence', lenient)).toBeNull();
  });

  it('is not seen in the ratios of kernels that stand for whole layers: their logits are what they are judged by', () => {
    expect(contradiction(fine(kernel({ op: 'decoder_layer', accuracy_ratio: 9 })), 'evidence', thresholds)).toBeNull();
  });

  it.each<[Partial<StaticResult>, Verdict]>([
    [{ score: 0.3 }, 'COMPATIBLE'],
    [{ score: 0.7 }, 'COMPATIBLE'],
    [{ status: 'WARNING', score: 0.3 }, 'WARNING'],
    [{ k_weight_ratio: 42.3 }, 'COMPATIBLE'],
    [{ max_k_weight: 96.5 }, 'COMPATIBLE'],
  ])('of the static check (%j) is seen with its thresholds', (changes, verdict) => {
    const model = modelReport({ verdict, reasons: [], static: staticResult(changes), numeric: null });
    expect(contradiction(model, 'static', thresholds)).toMatch(/^its static check is \w+, but not by its numbers$/);
    expect(contradiction(model, 'static', null)).toBeNull();
  });
});
