// The report that the rendering tests look at: the published story of three models, one model of every other kind of trouble.

import type { ModelReport, Report } from '../../src/report/types.js';
import { kernelResult, kernelTime, modelLevel, modelReport, numericResult, qwenStatic, report } from '../support/report.js';

export const passing = modelReport();

/** A model whose canaries were caught, or not. */
export function watched(caught: readonly boolean[]): ModelReport {
  const canaries = caught.map((one) => ({
    kernel: 'ort-attention',
    name: 'no_causal_mask',
    caught: one,
    by: one ? ('accuracy_ratio' as const) : null,
    detail: 'layer 3 self_attn.attention, the causal mask left out <b>',
  }));
  return modelReport({ numeric: numericResult({ canaries, smallest_scale_error: 0.0013 }) });
}

export const sensitive = modelReport({
  id: 'models/qwen3-mini',
  architecture: 'qwen3',
  verdict: 'WARNING',
  reasons: [
    {
      code: 'sensitive_checkpoint',
      message: 'Sensitive checkpoint: its weights can magnify rounding differences, and this kernel set is fine on it.',
    },
    {
      code: 'static_incompatible',
      message: 'Static check INCOMPATIBLE, score 0.00: k_ratio 42.3 > 20; 16 of 28 layers extreme; max_k 96.5 > 50.',
    },
  ],
  static: qwenStatic(),
  numeric: numericResult({ model: modelLevel({ amplification: 0.5, kl_ratio: 1.31 }) }),
  recommendations: ['Keep this model in the list: K-norm weights up to 96.5 make it the first to show a changed rounding.'],
});

export const failing = modelReport({
  id: 'models/ernie45-mini',
  architecture: 'ernie4_5',
  verdict: 'INCOMPATIBLE',
  reasons: [
    {
      code: 'kernel_fail',
      message: 'Kernel braid-rope (rope) fails: accuracy_ratio 812 > 4; max_abs_diff 3.1; worst in layer 0 at self_attn.rotary_emb.',
    },
    {
      code: 'model_fail',
      message: 'The whole model leaves the reference: kl_ratio 15300 > 4; 171 decisive flips in 192 positions; top-1 agreement 8.3%.',
    },
  ],
  numeric: numericResult({
    status: 'fail',
    kernels: [
      kernelResult(),
      kernelResult({
        kernel: 'braid-rope',
        op: 'rope',
        backend: 'command',
        device: 'NVIDIA H200',
        status: 'fail',
        detail: 'accuracy_ratio 812 > 4',
        sites: 18,
        max_abs_diff: 3.125,
        mean_abs_diff: 0.41,
        bitwise_equal: 0.0004,
        max_ulp: 32768,
        accuracy_ratio: 812,
        max_ratio: 640,
        nearest_recipe: null,
        nearest_recipe_equal: null,
        worst_layer: 0,
        worst_site: 'self_attn.rotary_emb',
      }),
    ],
    performance: {
      kernels: [
        kernelTime({ layer: 9, fused_us: 80, standard_us: 60, speedup: 0.75, timer: 'wall', standard: 'unfused chain' }),
        kernelTime({ kernel: 'braid-rope', site: 'self_attn.rotary_emb', layer: 9, fused_us: 12.5, standard_us: 31, speedup: 2.48 }),
        kernelTime({
          kernel: 'braid-mlp',
          site: 'mlp',
          layer: 9,
          fused_us: 41,
          standard_us: null,
          speedup: null,
          standard: null,
          note: 'there is no unfused CUDA kernel of ours for gelu_tanh_mul in this dtype',
        }),
      ],
      tokens_per_second: null,
    },
    model: modelLevel({ status: 'fail', kl_fused: 6.47, kl_ratio: 15300, top1_agreement: 0.083, decisive_flips: 171, amplification: 1.02 }),
  }),
  diagnosis: [
    { code: 'rope_layout', message: 'Its output equals the reference with the half-split RoPE layout; ernie4_5 is interleaved.' },
  ],
  recommendations: ['Kernel braid-rope: check the layout (half or interleaved), rotary_dim, and that position 0 is the first token.'],
});

export const unknown: ModelReport = modelReport({
  id: 'models/mystery',
  architecture: null,
  dtype: null,
  verdict: 'INCONCLUSIVE',
  reasons: [
    {
      code: 'unknown_model_type',
      message: 'config.json: model_type "mystery" is not known; known: ernie4_5, gemma3_text, llama, mistral, qwen3',
    },
  ],
  static: null,
  numeric: null,
  recommendations: ['Take the model out of the list, or ask for its architecture.'],
});

/** A model whose every foreign word tries something. */
export const hostile: ModelReport = modelReport({
  id: '../`a|b`<img src=x onerror=alert(1)>@octocat\u202e#1\n| x |\u001b[31m',
  architecture: '</code><script>',
  verdict: 'INCONCLUSIVE',
  reasons: [
    {
      code: 'tensor_missing',
      message:
        'no tensor "model.`|<b>*x*</b> [click](https://evil.example) ![i](x) @octocat fixes #12 GH-3 www.evil.example a@b.example $x$ ~~y~~ _z_ snake_case \\ \u202eabc\u001b[2J\r\nnext"',
    },
    { code: 'internal_error', message: '# not a heading' },
    { code: 'internal_error', message: '1. not a list' },
  ],
  static: qwenStatic({
    findings: [{ code: 'x', layer: 0, tensor: `a|b${'very_long_'.repeat(30)}.weight`, value: 1, message: '--- <!-- hidden' }],
  }),
  numeric: numericResult({
    kernels: [kernelResult({ kernel: 'k|`x', device: '<details>@octocat #5', worst_site: '|||' })],
    performance: {
      kernels: [
        kernelTime({
          kernel: 'k|`x',
          site: '|||',
          fused_us: null,
          standard_us: null,
          speedup: null,
          note: 'a | b </details> @octocat\n#7',
        }),
      ],
      tokens_per_second: null,
    },
  }),
});

export const story = (): Report => report([passing, sensitive, failing, unknown]);
