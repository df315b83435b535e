// What other tools' default criteria say of a kernel's output. Each is as its authors wrote it; ours are in src/diff/kernel-level.ts.

/** One output of one call, all of the same length. */
export interface Output {
  /** The kernel's, values of bfloat16 or float16. */
  readonly fused: Float32Array;
  /** What PyTorch eager gives in the same dtype. */
  readonly eager: Float32Array;
  /** float64. */
  readonly oracle: Float64Array;
}

/** Ops that are matrix products at heart: llama.cpp allows them more. */
const PRODUCTS: ReadonlySet<string> = new Set(['linear', 'rms_norm_qkv', 'swiglu_mlp', 'attention']);

/** Whether each tool would reject the output. */
export const CRITERIA = {
  // torch/testing/_comparison.py: bfloat16 rtol 1.6e-2, float16 1e-3; atol 1e-5; NaN differs from everything.
  assert_close: ({ fused, eager }: Output, _op: string, dtype: string) =>
    anyBeyond(fused, eager, 1e-5, dtype === 'float16' ? 1e-3 : 1.6e-2),
  // src/kernelbench/eval.py: torch.allclose(reference, kernel) with atol = rtol = 1e-2 for halves: relative to the kernel's own output.
  kernelbench: ({ fused, eager }: Output) => anyBeyond(eager, fused, 1e-2, 1e-2),
  // tests/test_flash_attn.py: at most twice eager's own largest error, and 1e-5 for rounding.
  flash_attention({ fused, eager, oracle }: Output) {
    const most = largestError(fused, oracle);
    return !(most <= 2 * largestError(eager, oracle) + 1e-5);
  },
  // tests/test-backend-ops.cpp: NMSE 1e-7; 5e-4 for MUL_MAT and FLASH_ATTN_EXT.
  llama_cpp: ({ fused, oracle }: Output, op: string) => !(normalisedError(fused, oracle) <= (PRODUCTS.has(op) ? 5e-4 : 1e-7)),
  // tools/comparator: an element fails when it is off by more than 1e-5 and by more than 1e-5 of its value.
  polygraphy({ fused, eager }: Output) {
    return eager.some((expected, i) => {
      const error = Math.abs((fused[i] as number) - expected);
      return !(error <= 1e-5 || error <= 1e-5 * Math.abs(expected)) && !bothSame(fused[i] as number, expected);
    });
  },
} as const;

export type Tool = keyof typeof CRITERIA;
export const TOOLS = Object.keys(CRITERIA) as Tool[];

function anyBeyond(values: Float32Array, expected: Float32Array, absolute: number, relative: number): boolean {
  return expected.some((b, i) => {
    const a = values[i] as number;
    return !(Math.abs(a - b) <= absolute + relative * Math.abs(b)) && !bothSame(a, b);
  });
}

/** Infinities are equal; NaN is not. */
function bothSame(a: number, b: number): boolean {
  return a === b;
}

function largestError(values: Float32Array, oracle: Float64Array): number {
  // Math.max gives NaN when one of them is.
  return oracle.reduce(
    (most, expected, i) => (Number.isFinite(expected) ? Math.max(most, Math.abs((values[i] as number) - expected)) : most),
    0,
  );
}

function normalisedError(values: Float32Array, oracle: Float64Array): number {
  let error = 0;
  let size = 0;
  for (const [i, expected] of oracle.entries()) {
    if (!Number.isFinite(expected)) continue;
    error += ((values[i] as number) - expected) ** 2;
    size += expected ** 2;
  }
  return error === 0 ? 0 : error / size;
}
