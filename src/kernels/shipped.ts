// The kernels under test when a repository names none: ONNX Runtime's own fused ops, at every site of the models.

import fastGeluMul from '../../kernels/onnxruntime/fast-gelu-mul/kernel.json' with { type: 'json' };
import groupQueryAttention from '../../kernels/onnxruntime/group-query-attention/kernel.json' with { type: 'json' };
import qkNorm from '../../kernels/onnxruntime/qk-norm/kernel.json' with { type: 'json' };
import quickGeluMul from '../../kernels/onnxruntime/quick-gelu-mul/kernel.json' with { type: 'json' };
import rmsNorm from '../../kernels/onnxruntime/rms-norm/kernel.json' with { type: 'json' };
import rotaryEmbedding from '../../kernels/onnxruntime/rotary-embedding/kernel.json' with { type: 'json' };
import skipRmsNorm from '../../kernels/onnxruntime/skip-rms-norm/kernel.json' with { type: 'json' };
import type { KernelManifest } from './manifest.js';

export const SHIPPED_KERNELS = [
  fastGeluMul,
  groupQueryAttention,
  qkNorm,
  quickGeluMul,
  rmsNorm,
  rotaryEmbedding,
  skipRmsNorm,
] as readonly KernelManifest[];

/** The name of a kernel of ours in its second part, as what others are compared with: no manifest can have a space in its name. */
export function unfusedName(name: string): string {
  return `unfused ${name}`;
}
