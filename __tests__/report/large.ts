// A report of 200 models with 40 kernels each, as a scheduled sweep of a kernel library makes it: half of the models fail.

import type { KernelResult, ModelReport, Report } from '../../src/report/types.js';
import { kernelResult, kernelTime, modelLevel, modelReport, numericResult, qwenStatic, report } from '../support/report.js';

const FAMILIES = ['llama', 'qwen3', 'gemma3_text', 'mistral', 'ernie4_5'];
const OPS = ['attention', 'rms_norm_qkv', 'qk_norm_rope', 'silu_mul', 'add_rms_norm'];

function kernels(model: number): KernelResult[] {
  return Array.from({ length: 40 }, (_, index) => {
    const kernel = `acme-${OPS[index % 5] ?? ''}-v${Math.floor(index / 5)}`;
    const op = OPS[index % 5] ?? '';
    const ratio = 1 + ((model * 7 + index * 3) % 10) / 12;
    const fine = kernelResult({ kernel, op, accuracy_ratio: ratio, max_ratio: ratio * 1.1, worst_layer: (model + index) % 28 });
    if (model % 2 === 1 || index > model % 7) return fine;
    const detail = `accuracy_ratio ${12 + index} > 4`;
    return { ...fine, status: 'fail', detail, accuracy_ratio: 12 + index, max_ratio: 30 + index, max_abs_diff: 0.5 + index };
  });
}

function aModel(index: number): ModelReport {
  const family = FAMILIES[index % FAMILIES.length] ?? '';
  const tested = kernels(index);
  const bad = tested.filter(({ status }) => status === 'fail');
  // Some are pinned, as users pin those that changed under them.
  const pinned = index % 5 === 0 ? `@${'0123456789abcdef'.repeat(3).slice(0, 40)}` : '';
  const id = `example-org/${family}-${String(index).padStart(3, '0')}-instruct${pinned}`;
  const layers = Array.from({ length: 28 }, (_, layer) => ({
    layer,
    injected: (bad.length > 0 ? 0.02 : 0.001) * (1 + layer / 40),
    inherited: (bad.length > 0 ? 0.03 : 0.0012) * 1.1 ** layer,
    floor: 0.0013 * 1.1 ** layer,
  }));
  const performance = { kernels: tested.map(({ kernel }) => kernelTime({ kernel })), tokens_per_second: null };
  const level = modelLevel(bad.length > 0 ? { status: 'fail', kl_ratio: 20 + (index % 50), top1_agreement: 0.61, layers } : { layers });
  return modelReport({
    id,
    architecture: family,
    verdict: bad.length > 0 ? 'INCOMPATIBLE' : 'COMPATIBLE',
    reasons: [
      ...bad.map(({ kernel, op, detail }) => ({
        code: 'kernel_fail' as const,
        message: `Kernel ${kernel} (${op}) fails: ${detail ?? ''}; max_abs_diff 0.5; worst in layer 3 at self_attn.attention.`,
      })),
      { code: 'kernel_pass', message: `${40 - bad.length} kernels pass at ${28 * (40 - bad.length)} sites.` },
    ],
    static: family === 'qwen3' ? qwenStatic() : modelReport().static,
    numeric: numericResult({ status: bad.length > 0 ? 'fail' : 'pass', kernels: tested, performance, model: level }),
    recommendations: bad.length > 0 ? ['Run the kernels that fail alone, with the command below.'] : [],
  });
}

export const large = (): Report => report(Array.from({ length: 200 }, (_, index) => aModel(index)));
