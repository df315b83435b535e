// Builders of report values for tests: a plausible whole, of which a test changes what it is about.

import type {
  KernelResult,
  KernelTime,
  Level,
  ModelLevel,
  ModelReport,
  NumericResult,
  Report,
  StaticResult,
} from '../../src/report/types.js';

export function staticResult(changes: Partial<StaticResult> = {}): StaticResult {
  return {
    status: 'COMPATIBLE',
    score: 1,
    scores: { ratio: 1, extreme_layers: 1, max_weight: 1 },
    max_k_weight: null,
    k_weight_ratio: null,
    max_q_weight: null,
    extreme_layers: 0,
    layers_total: 22,
    estimated_amplification: 1,
    bytes_read: 2048,
    bytes_total: 4_194_304,
    requests: null,
    bytes_transferred: null,
    findings: [],
    layers: [],
    ...changes,
  };
}

/** The published figures of Qwen3-0.6B's K norm. */
export function qwenStatic(changes: Partial<StaticResult> = {}): StaticResult {
  return staticResult({
    status: 'INCOMPATIBLE',
    score: 0,
    scores: { ratio: 0, extreme_layers: 0, max_weight: 0 },
    max_k_weight: 96.5,
    k_weight_ratio: 96.5 / 2.28125,
    max_q_weight: 12.25,
    extreme_layers: 16,
    layers_total: 28,
    estimated_amplification: 1.42,
    findings: [
      {
        code: 'massive_norm_weight',
        layer: 0,
        tensor: 'model.layers.0.self_attn.k_norm.weight',
        value: 96.5,
        message: 'K-norm weight 96.5 at channel 13',
      },
    ],
    layers: [
      {
        layer: 0,
        max_k: 96.5,
        median_k: 2.28125,
        k_ratio: 96.5 / 2.28125,
        max_q: 12.25,
        median_q: 1.5,
        q_ratio: 12.25 / 1.5,
        extreme: true,
      },
    ],
    ...changes,
  });
}

export function kernelResult(changes: Partial<KernelResult> = {}): KernelResult {
  return {
    kernel: 'ort-attention',
    op: 'attention',
    backend: 'onnxruntime',
    device: 'CPU (onnxruntime 1.30.0)',
    status: 'pass',
    detail: null,
    sites: 28,
    max_abs_diff: 0.00048828125,
    mean_abs_diff: 0.000046,
    bitwise_equal: 0.9941,
    max_ulp: 2,
    ulp_histogram: { '0': 0.9941, '1': 0.0058, '2': 0.0001, '3-4': 0, '5-8': 0, '>8': 0 },
    accuracy_ratio: 1.04,
    max_ratio: 1.2,
    scale_error: 0.00001,
    scale_error_standard_error: 0.00002,
    non_finite: 0,
    nearest_recipe: 'eager',
    nearest_recipe_equal: 0.9941,
    worst_layer: 3,
    worst_site: 'self_attn.attention',
    smallest_scale_error: 0.001,
    probes: null,
    standard: null,
    ...changes,
  };
}

export function modelLevel(changes: Partial<ModelLevel> = {}): ModelLevel {
  return {
    status: 'pass',
    detail: null,
    kl_fused: 0.00041,
    kl_floor: 0.000423,
    kl_ratio: 0.97,
    kl_recipes: { eager: 0.000423, late_norm: 0.00039 },
    top1_agreement: 0.9948,
    decisive_flips: 0,
    positions: 192,
    perplexity: { oracle: 8.1, eager: 8.11, fused: 8.1 },
    amplification: 5.1,
    amplification_curve: [1.3],
    sensitivity: 4.2,
    first_layer_above_floor: null,
    responsible: null,
    layers: [{ layer: 0, injected: 0.001, inherited: 0.0012, floor: 0.0013 }],
    ...changes,
  };
}

export function numericResult(changes: Partial<NumericResult> = {}): NumericResult {
  return {
    status: 'pass',
    recipes: ['eager', 'late_norm', 'float32_probabilities'],
    prompt_tokens: [64, 64, 64],
    kernels: [kernelResult()],
    causes: [],
    model: modelLevel(),
    generation: null,
    performance: null,
    canaries: null,
    controls: null,
    smallest_scale_error: 0.001,
    ...changes,
  };
}

/** A diff whose one kernel and whose model level came out as `status`. */
export function numericAt(status: Level): NumericResult {
  const detail = status === 'pass' ? null : `made to ${status}`;
  return numericResult({ status, kernels: [kernelResult({ status, detail })], model: modelLevel({ status, detail }) });
}

export function modelReport(changes: Partial<ModelReport> = {}): ModelReport {
  return {
    id: 'models/tinyllama-mini',
    revision: null,
    architecture: 'llama',
    dtype: 'bfloat16',
    verdict: 'COMPATIBLE',
    reasons: [{ code: 'kernel_pass', message: '1 kernel passes at 28 sites.' }],
    static: staticResult(),
    numeric: numericResult(),
    diagnosis: [],
    recommendations: [],
    baseline: null,
    allowed: null,
    ...changes,
  };
}

export function report(models: ModelReport[], changes: Partial<Report> = {}): Report {
  const fail_on: Report['fail_on'] = ['INCOMPATIBLE', 'IMPLEMENTATION_ISSUE', 'INCONCLUSIVE'];
  return {
    schema_version: 1,
    tool: { name: 'fused-compat', version: '0.1.0', onnxruntime: '1.30.0' },
    host: { platform: 'linux', arch: 'x64', node: '24.19.0', cpu: 'Some CPU @ 2.00GHz', gpu: null },
    policy: 'evidence',
    fail_on,
    gate: models.some((model) => fail_on.includes(model.verdict)) ? 'fail' : 'pass',
    models,
    baseline: null,
    allow: [],
    reproduce: [],
    timing: { started_at: '2026-01-02T03:04:05.000Z', duration_ms: 12_345, models: models.map(({ id }) => ({ id, duration_ms: 4115 })) },
    ...changes,
  };
}

/** One kernel that is twice as fast as its own standard variant. */
export function kernelTime(changes: Partial<KernelTime> = {}): KernelTime {
  return {
    kernel: 'ort-attention',
    site: 'self_attn.attention',
    layer: 14,
    tokens: 64,
    fused_us: 100,
    standard_us: 200,
    speedup: 2,
    timer: 'device',
    standard: 'own',
    note: null,
    ...changes,
  };
}

/** The report without what a clock said: the same in every run. */
export function withoutTimes(given: Report): Report {
  return { ...given, timing: { ...given.timing, started_at: '', duration_ms: 0, models: [] }, models: given.models.map(modelWithoutTimes) };
}

function modelWithoutTimes(model: ModelReport): ModelReport {
  return model.numeric === null ? model : { ...model, numeric: numericWithoutTimes(model.numeric) };
}

/** The numeric diff without microseconds and what follows from them; that something was measured stays to be seen. */
export function numericWithoutTimes(numeric: NumericResult): NumericResult {
  const { performance } = numeric;
  const measured = (value: number | null) => (value === null ? null : 0);
  const kernels = performance?.kernels.map((time) => ({
    ...time,
    fused_us: measured(time.fused_us),
    standard_us: measured(time.standard_us),
    speedup: measured(time.speedup),
  }));
  const rate = performance?.tokens_per_second ?? null;
  const tokens_per_second = rate === null ? null : { fused: measured(rate.fused), standard: measured(rate.standard) };
  return { ...numeric, performance: kernels === undefined ? null : { kernels, tokens_per_second } };
}
