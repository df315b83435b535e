import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareWithBaseline, readBaseline } from '../../src/report/baseline.js';
import type { KernelResult, ModelLevel, ModelReport, Report } from '../../src/report/types.js';
import { serializeReport } from '../../src/report/write.js';
import { kernelResult, modelLevel, modelReport, numericResult, report } from '../support/report.js';

function withKernel(changes: Partial<KernelResult>, model: Partial<ModelReport> = {}, level: Partial<ModelLevel> = {}): Report {
  return report([modelReport({ numeric: numericResult({ kernels: [kernelResult(changes)], model: modelLevel(level) }), ...model })]);
}

function compared(now: Report, before: Report) {
  const [model] = compareWithBaseline(now, before).models;
  return { model: model?.baseline, kernel: model?.baseline?.kernels[0] };
}

describe('against the baseline', () => {
  it('a report is the same as itself, with the numbers of the baseline', () => {
    const result = compareWithBaseline(report([modelReport()]), report([modelReport()]));
    expect(result.baseline).toEqual({ version: '0.1.0', started_at: '2026-01-02T03:04:05.000Z', problem: null, missing_models: [] });
    expect(result.models[0]?.baseline).toEqual({
      change: 'same',
      verdict: 'COMPATIBLE',
      noise_ratio: 1.2,
      detail: null,
      kernels: [{ kernel: 'ort-attention', change: 'same', status: 'pass', noise_ratio: 1.2, detail: null }],
      missing_kernels: [],
    });
  });

  it('a model and its kernels are new where it has no such model, and a kernel where it has no such kernel', () => {
    expect(compared(report([modelReport({ id: 'models/young' })]), report([modelReport()]))).toMatchObject({
      model: { change: 'new', verdict: null },
      kernel: { change: 'new', status: null, noise_ratio: null },
    });
    const { model, kernel } = compared(withKernel({ kernel: 'young' }), withKernel({ kernel: 'old' }));
    expect(kernel).toMatchObject({ kernel: 'young', change: 'new' });
    expect(model).toMatchObject({ change: 'same', detail: '1 kernel new', missing_kernels: ['old'] });
  });

  it('names models that are gone, so that nobody makes a gate green by leaving one out', () => {
    const base = report([modelReport(), modelReport({ id: 'models/failing' })]);
    expect(compareWithBaseline(report([modelReport()]), base).baseline?.missing_models).toEqual(['models/failing']);
  });

  it('another verdict is worse or better, with both named', () => {
    const [bad, good] = [withKernel({ status: 'fail', accuracy_ratio: 812 }, { verdict: 'INCOMPATIBLE' }), withKernel({})];
    expect(compared(bad, good)).toMatchObject({
      model: { change: 'worse', detail: 'verdict COMPATIBLE → INCOMPATIBLE; × noise floor 1.20× → 812×; 1 kernel worse' },
      kernel: { change: 'worse', status: 'pass', detail: 'pass → fail, × noise floor 1.20× → 812×' },
    });
    expect(compared(good, bad)).toMatchObject({ model: { change: 'better' }, kernel: { change: 'better', status: 'fail' } });
  });

  it.each([
    [1.0, 1.9, 'same'],
    [1.0, 2.1, 'worse'],
    [2.1, 1.0, 'better'],
    [812, 880, 'same'],
    [812, 900, 'worse'],
    [900, 700, 'better'],
  ])('an error of %f floors that becomes %f is %s', (before, now, change) => {
    const ratio = (value: number) => withKernel({ status: 'warn', accuracy_ratio: value, max_ratio: null });
    expect(compared(ratio(now), ratio(before)).kernel?.change).toBe(change);
  });

  it('the larger of the two ratios of a kernel counts', () => {
    expect(compared(withKernel({ max_ratio: 3.9 }), withKernel({ max_ratio: 1.2 })).kernel?.change).toBe('worse');
  });

  it('what was not measured on one side is no change of its own', () => {
    expect(compared(withKernel({ accuracy_ratio: null, max_ratio: null }), withKernel({})).kernel?.change).toBe('same');
  });

  it('a kernel that cannot be judged any more is worse, one that can be again is better', () => {
    expect(compared(withKernel({ status: 'inconclusive' }), withKernel({})).kernel?.change).toBe('worse');
    expect(compared(withKernel({}), withKernel({ status: 'inconclusive' })).kernel?.change).toBe('better');
  });

  it('a whole model that leaves the reference further is worse even if no kernel is', () => {
    expect(compared(withKernel({}, {}, { kl_ratio: 3.5 }), withKernel({}, {}, { kl_ratio: 1 })).model?.change).toBe('worse');
  });

  it('one kernel that is worse makes the model worse, whatever became better', () => {
    const kernels = (a: number, b: number) =>
      report([
        modelReport({
          numeric: numericResult({
            kernels: [kernelResult({ kernel: 'a', accuracy_ratio: a }), kernelResult({ kernel: 'b', accuracy_ratio: b })],
          }),
        }),
      ]);
    expect(compared(kernels(1, 9), kernels(9, 1)).model).toMatchObject({ change: 'worse', detail: '1 kernel worse; 1 kernel better' });
  });

  it('other weights or another dtype are said', () => {
    const { model } = compared(withKernel({}, { revision: 'b', dtype: 'float16' }), withKernel({}, { revision: 'a' }));
    expect(model?.detail).toBe('other weights (revision); dtype bfloat16 → float16');
  });

  it('changes no verdict and no gate', () => {
    const bad = withKernel({ status: 'fail' }, { verdict: 'INCOMPATIBLE' });
    expect(compareWithBaseline(bad, bad)).toMatchObject({ gate: 'fail', models: [{ verdict: 'INCOMPATIBLE' }] });
    expect(compareWithBaseline(withKernel({}), bad)).toMatchObject({ gate: 'pass', models: [{ verdict: 'COMPATIBLE' }] });
  });

  it('a report of another policy is not compared', () => {
    const result = compareWithBaseline(report([modelReport()]), report([modelReport()], { policy: 'static' }));
    expect(result.baseline?.problem).toBe('it was made under policy static, this report under evidence');
    expect(result.models[0]?.baseline).toBeNull();
  });

  it('brings no endless or invisible names of the baseline into this report', () => {
    const base = report(Array.from({ length: 5000 }, (_, index) => modelReport({ id: `\u202e${'x'.repeat(10_000)}${index}` })));
    const missing = compareWithBaseline(report([modelReport()]), base).baseline?.missing_models ?? [];
    expect(missing).toHaveLength(100);
    expect(Math.max(...missing.map((name) => name.length))).toBeLessThanOrEqual(200);
    expect(missing.join('')).not.toMatch(/\p{C}/u);
  });

  it('fits the schema of reports', () => {
    const young = report([modelReport(), modelReport({ id: 'models/young' })]);
    expect(() => serializeReport(compareWithBaseline(young, report([modelReport()])))).not.toThrow();
    expect(() => serializeReport(compareWithBaseline(young, 'the file is not there'))).not.toThrow();
  });
});

describe('the file of a baseline', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baseline-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is a report as this program writes it', async () => {
    await writeFile(join(folder, 'good.json'), serializeReport(report([modelReport()])));
    expect(await readBaseline(join(folder, 'good.json'))).toMatchObject({ models: [{ id: 'models/tinyllama-mini' }] });
  });

  it('may be missing: the first run of a branch has none', async () => {
    expect(await readBaseline(join(folder, 'none.json'))).toBe('the file is not there, as on the first run of a base branch');
  });

  it.each([
    ['text', 'not json', 'the file is not JSON in UTF-8'],
    ['HTML', '<!doctype html>', 'the file is not JSON in UTF-8'],
    ['a list', '[]', 'the file is not a report: it must be object'],
    ['another object', '{"schema_version":2}', 'the file is not a report: it must have required property'],
    [
      'a number beyond all',
      serializeReport(report([modelReport()])).replace('12345', '1e999'),
      'the file is not a report: /timing/duration_ms must be',
    ],
    [
      'a key of its own',
      serializeReport(report([modelReport()])).replace('{', '{"__proto__": {"gate": "pass"},'),
      'the file is not a report',
    ],
  ])('that holds %s is not used, and the report says why', async (_, content, problem) => {
    const path = join(folder, 'bad.json');
    await writeFile(path, content);
    const found = await readBaseline(path);
    expect(found).toEqual(expect.stringContaining(problem));
    const result = compareWithBaseline(report([modelReport()]), found);
    expect(result).toMatchObject({ gate: 'pass', baseline: { version: null, problem: expect.stringContaining(problem) } });
    expect(result.models[0]?.baseline).toBeNull();
  });

  it('that is a link, a folder or too large is not read', async () => {
    await symlink('good.json', join(folder, 'link.json'));
    expect(await readBaseline(join(folder, 'link.json'))).toBe('the file is a link: not followed');
    expect(await readBaseline(folder)).toBe('the file is not a regular file');
    await writeFile(join(folder, 'large.json'), '');
    await truncate(join(folder, 'large.json'), 65 * 2 ** 20);
    expect(await readBaseline(join(folder, 'large.json'))).toMatch(/^the file has \d+ bytes; at most \d+ are read$/);
  });
});
