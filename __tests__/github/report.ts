// Short reports for the tests of src/github: what a model is called, how it was judged and why is all that matters there.

import type { ModelReport, Report, Verdict } from '../../src/report/types.js';
import { modelReport, report } from '../support/report.js';

export function aModel(id: string, verdict: Verdict, message = 'the numbers say so'): ModelReport {
  return modelReport({ id, verdict, reasons: [{ code: 'kernel_pass', message }], static: null, numeric: null });
}

export function aReport(models: ModelReport[], failOn?: Verdict[]): Report {
  if (failOn === undefined) return report(models);
  return report(models, { fail_on: failOn, gate: models.some(({ verdict }) => failOn.includes(verdict)) ? 'fail' : 'pass' });
}
