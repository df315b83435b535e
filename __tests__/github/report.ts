// Reports for the tests of src/github: complete as data, with only the parts that matter here filled in.

import type { ModelReport, Report, Verdict } from '../../src/report/types.js';

export function aModel(id: string, verdict: Verdict, message = 'the numbers say so'): ModelReport {
  return {
    id,
    revision: null,
    architecture: 'llama',
    dtype: 'bfloat16',
    verdict,
    reasons: [{ code: 'kernel_pass', message }],
    static: null,
    numeric: null,
    diagnosis: [],
    recommendations: [],
  };
}

export function aReport(models: ModelReport[], failOn: Verdict[] = ['INCOMPATIBLE', 'IMPLEMENTATION_ISSUE', 'INCONCLUSIVE']): Report {
  return {
    schema_version: 1,
    tool: { name: 'fused-compat', version: '0.1.0', onnxruntime: '1.30.0' },
    host: { platform: 'linux', arch: 'x64', node: 'v24.19.0', cpu: 'a CPU', gpu: null },
    policy: 'evidence',
    fail_on: failOn,
    gate: models.some(({ verdict }) => failOn.includes(verdict)) ? 'fail' : 'pass',
    models,
    timing: { started_at: '2026-01-02T03:04:05.000Z', duration_ms: 1234, models: models.map(({ id }) => ({ id, duration_ms: 100 })) },
  };
}
