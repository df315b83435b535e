// A model judged as the gate does it, for tests of formats that no kernel runs on: a job for a thread is a failure.

import type { Config } from '../../src/config/types.js';
import { kernelProcesses } from '../../src/kernels/processes.js';
import { hubAccess } from '../../src/hub/model.js';
import { judgeModel } from '../../src/models.js';
import type { ModelReport, Policy } from '../../src/report/types.js';
import { THRESHOLDS } from '../checker/checkpoints.js';

export function judged(path: string, policy: Policy): Promise<ModelReport> {
  const config: Config = {
    models: [{ id: 'm', path }],
    kernels: null,
    policy,
    fail_on: [],
    dtype: 'auto',
    execution_provider: 'cpu',
    require_gpu: false,
    offline: true,
    prompts: null,
    max_prompt_tokens: 8,
    layers: 'all',
    jobs: null,
    baseline: null,
    allow: [],
    reproduce: [],
    shards: 4,
    runs_on: 'ubuntu-latest',
    runners: [],
    output: path,
    static: THRESHOLDS,
    numeric: { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 },
  };
  const host = new URL('file:///nothing/is/hosted/here');
  const engine = { run: () => Promise.reject(new Error('the test did not expect a job')), host, close: () => Promise.resolve() };
  const processes = kernelProcesses({ execution_provider: 'cpu', host, log: () => undefined });
  const hub = hubAccess({}, true);
  return judgeModel(
    {
      config,
      kernels: policy === 'static' ? null : [],
      unfused: [],
      processes,
      engine,
      reference_cache: null,
      max_new_tokens: 0,
      hub,
      log: () => undefined,
      signal: new AbortController().signal,
    },
    { id: 'm', path },
  );
}
