import { describe, expect, it } from '@jest/globals';
import type { AllowRule } from '../../src/config/types.js';
import type { Level, ModelReport, Report } from '../../src/report/types.js';
import { applyAllowances } from '../../src/verdict/allowances.js';
import { kernelResult, modelLevel, modelReport, numericResult, qwenStatic, report } from '../support/report.js';

const TODAY = '2026-06-15';
const rule = (changes: Partial<AllowRule> = {}): AllowRule => ({
  model: 'models/bad',
  kernel: null,
  reason: 'known, issue 12',
  until: '2026-12-31',
  ...changes,
});

/** A model whose kernels came out as named, and the whole model with them. */
function broken(
  kernels: Record<string, Level>,
  changes: Partial<ModelReport> = {},
  level: Partial<ReturnType<typeof modelLevel>> = {},
): ModelReport {
  return modelReport({
    id: 'models/bad',
    verdict: 'INCOMPATIBLE',
    reasons: [{ code: 'kernel_fail', message: 'Kernel fails.' }],
    numeric: numericResult({
      status: 'fail',
      kernels: Object.entries(kernels).map(([kernel, status]) => kernelResult({ kernel, status })),
      model: modelLevel({ status: 'fail', ...level }),
    }),
    ...changes,
  });
}

function settled(models: ModelReport[], rules: AllowRule[], changes: Partial<Report> = {}): Report {
  return applyAllowances(report(models, changes), rules, TODAY);
}

describe('a known failure', () => {
  it('does not fail the gate, keeps its verdict, and is shown with its reason and day', () => {
    const result = settled([broken({ a: 'fail' })], [rule()]);
    expect(result.gate).toBe('pass');
    expect(result.models[0]).toMatchObject({
      verdict: 'INCOMPATIBLE',
      allowed: { reason: 'known, issue 12', until: '2026-12-31', kernels: null },
    });
    expect(result.allow).toEqual([{ ...rule(), status: 'used', detail: null }]);
  });

  it('fails the gate without a rule, as before', () => {
    expect(settled([broken({ a: 'fail' })], [])).toMatchObject({ gate: 'fail', allow: [], models: [{ allowed: null }] });
  });

  it('excuses no other model', () => {
    const result = settled([broken({ a: 'fail' }), broken({ a: 'fail' }, { id: 'models/other' })], [rule()]);
    expect(result.gate).toBe('fail');
    expect(result.models.map(({ allowed }) => allowed !== null)).toEqual([true, false]);
  });

  it('is found whatever revision the model is pinned to, but not by a part of its name', () => {
    expect(settled([broken({ a: 'fail' }, { id: 'org/m@abc' })], [rule({ model: 'org/m' })]).gate).toBe('pass');
    expect(settled([broken({ a: 'fail' }, { id: 'org/m2' })], [rule({ model: 'org/m' })]).gate).toBe('fail');
    expect(settled([broken({ a: 'fail' }, { id: 'org/m@abc' })], [rule({ model: 'org/m@def' })]).gate).toBe('fail');
  });

  it.each([
    ['2026-06-15', 'pass', 'used', null],
    ['2026-06-14', 'fail', 'expired', 'expired after 2026-06-14; models/bad fails the gate again'],
  ])('counts to the end of its last day: %s on 2026-06-15 is a %s', (until, gate, status, detail) => {
    const result = settled([broken({ a: 'fail' })], [rule({ until })]);
    expect(result.gate).toBe(gate);
    expect(result.allow[0]).toMatchObject({ status, detail });
  });

  it('never excuses a model that was not judged', () => {
    const cancelled = { code: 'cancelled' as never, message: 'The job was cancelled.' };
    const result = settled([broken({ a: 'fail' }, { verdict: 'INCONCLUSIVE', reasons: [cancelled] })], [rule()]);
    expect(result).toMatchObject({
      gate: 'fail',
      models: [{ allowed: null }],
      allow: [{ status: 'unused', detail: 'the model was not judged' }],
    });
  });

  it('makes no gate pass that failed for another reason', () => {
    expect(settled([], [rule()], { gate: 'fail' }).gate).toBe('fail');
  });
});

describe('a rule for one kernel', () => {
  const forA = rule({ kernel: 'a' });

  it('covers the model when that kernel alone makes it fail', () => {
    const result = settled([broken({ a: 'fail', b: 'pass' })], [forA]);
    expect(result).toMatchObject({ gate: 'pass', models: [{ allowed: { kernels: ['a'] } }], allow: [{ status: 'used' }] });
  });

  it('does not cover it when another kernel fails too, until that one has a rule of its own', () => {
    const result = settled([broken({ a: 'fail', b: 'fail' })], [forA]);
    expect(result).toMatchObject({
      gate: 'fail',
      allow: [{ status: 'unused', detail: 'this kernel is not all that makes the model fail' }],
    });
    const both = settled([broken({ a: 'fail', b: 'fail' })], [forA, rule({ kernel: 'b', reason: 'also known', until: '2026-07-01' })]);
    expect(both).toMatchObject({
      gate: 'pass',
      models: [{ allowed: { kernels: ['a', 'b'], reason: 'known, issue 12; also known', until: '2026-07-01' } }],
    });
  });

  it.each<[string, ModelReport]>([
    [
      'another kernel is to blame for the whole model',
      broken({ a: 'fail' }, {}, { responsible: [{ kernel: 'b', layers: [1], kl_ratio: 9 }] }),
    ],
    ['no kernel alone makes the whole model fail', broken({ a: 'fail' }, {}, { responsible: [] })],
    ['the whole model could not be judged', broken({ a: 'fail' }, {}, { status: 'inconclusive' })],
    ['another kernel could not be judged', broken({ a: 'fail', b: 'inconclusive' })],
    ['files were missing as well', broken({ a: 'fail' }, { reasons: [{ code: 'download_failed', message: 'x' }] })],
    ['the static check did not run', broken({ a: 'fail' }, { static: null })],
    ['the kernel passes and the model fails', broken({ a: 'pass' })],
  ])('does not cover it when %s', (_, model) => {
    expect(settled([model], [forA]).gate).toBe('fail');
    // The same with a rule for whatever fails: the case itself could have been allowed.
    expect(settled([model], [rule()]).gate).toBe('pass');
  });

  it('covers the model level where its own kernel is to blame', () => {
    const model = broken({ a: 'fail', b: 'pass' }, {}, { responsible: [{ kernel: 'a', layers: [1], kl_ratio: 9 }] });
    expect(settled([model], [forA]).gate).toBe('pass');
  });

  it('does not cover a checkpoint that policy strict refuses by itself', () => {
    const model = broken({ a: 'fail' }, { static: qwenStatic() });
    expect(settled([model], [forA], { policy: 'strict' }).gate).toBe('fail');
    expect(settled([model], [forA]).gate).toBe('pass');
    expect(settled([model], [forA], { fail_on: ['INCOMPATIBLE', 'WARNING'] }).gate).toBe('fail');
  });

  it('covers a standard variant that leaves the reference', () => {
    const standard = { status: 'fail' as const, detail: 'x', accuracy_ratio: 9, max_abs_diff: 1, bitwise_equal: 0 };
    const model = broken({}, { verdict: 'IMPLEMENTATION_ISSUE', reasons: [{ code: 'standard_fail', message: 'x' }] });
    const numeric = numericResult({ kernels: [kernelResult({ kernel: 'a', standard })] });
    expect(settled([{ ...model, numeric }], [forA]).gate).toBe('pass');
    expect(settled([{ ...model, numeric }], [rule({ kernel: 'b' })]).gate).toBe('fail');
  });
});

describe('a rule that has no effect says why', () => {
  const fine = modelReport({ id: 'models/bad' });

  it.each<[string, AllowRule, ModelReport[]]>([
    ['no model of this run has that name', rule({ model: 'models/gone' }), [fine]],
    ['no kernel of that name ran on this model', rule({ kernel: 'gone' }), [fine]],
    ['nothing there fails the gate', rule(), [fine]],
    ['nothing there fails the gate', rule({ kernel: 'ort-attention' }), [fine]],
  ])('%s', (detail, unused, models) => {
    expect(settled(models, [unused])).toMatchObject({ gate: 'pass', allow: [{ status: 'unused', detail }] });
  });

  it('another entry allows it already', () => {
    expect(settled([broken({ a: 'fail' })], [rule(), rule({ kernel: 'a' })]).allow).toMatchObject([
      { status: 'used' },
      { status: 'unused', detail: 'another entry allows it already' },
    ]);
  });

  it('an expired one may go once nothing fails', () => {
    const result = settled([fine], [rule({ until: '2026-01-01' })]);
    expect(result).toMatchObject({
      gate: 'pass',
      allow: [{ status: 'expired', detail: 'expired after 2026-01-01; nothing there fails the gate: remove it' }],
    });
  });
});
