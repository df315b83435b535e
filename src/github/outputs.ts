// The outputs of the Action, see action.yml. All are always set, so that a later step never reads an output that is not there.

import { VERDICTS, type Report, type Verdict } from '../report/types.js';

export type Outputs = Record<
  | 'verdict'
  | 'gate'
  | 'report-json'
  | 'report-markdown'
  | 'models'
  | 'compatible'
  | 'warning'
  | 'incompatible'
  | 'implementation-issue'
  | 'inconclusive'
  | 'matrix'
  | 'plan',
  string
>;

/** What stands while there is no report, and stays if there never is one: the gate fails closed. */
export const NO_REPORT: Outputs = {
  verdict: '',
  gate: 'fail',
  'report-json': '',
  'report-markdown': '',
  models: '',
  compatible: '',
  warning: '',
  incompatible: '',
  'implementation-issue': '',
  inconclusive: '',
  matrix: '',
  plan: '',
};

/** Those of mode plan: it judges nothing, so there is no verdict and the gate stays shut. */
export function outputsOfPlan(matrix: string, plan: string): Outputs {
  return { ...NO_REPORT, matrix, plan };
}

/** @param files where the report was written; null: it could not be, which fails the gate whatever the verdict is */
export function outputsOf(report: Report, files: { json: string; markdown: string } | null): Outputs {
  const count = (verdict: Verdict): string => String(report.models.filter((model) => model.verdict === verdict).length);
  return {
    // VERDICTS goes from the worst to the best.
    verdict: VERDICTS.find((verdict) => report.models.some((model) => model.verdict === verdict)) ?? '',
    gate: files === null ? 'fail' : report.gate,
    'report-json': files?.json ?? '',
    'report-markdown': files?.markdown ?? '',
    models: String(report.models.length),
    compatible: count('COMPATIBLE'),
    warning: count('WARNING'),
    incompatible: count('INCOMPATIBLE'),
    'implementation-issue': count('IMPLEMENTATION_ISSUE'),
    inconclusive: count('INCONCLUSIVE'),
    matrix: '',
    plan: '',
  };
}
