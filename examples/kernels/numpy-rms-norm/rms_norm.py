"""RMSNorm in NumPy: the smallest kernel of backend `command`. It shows the form; a real one would call its own library here."""

import fused_compat
import numpy as np


@fused_compat.kernel("rms_norm")
def rms_norm(x, weight, eps, weight_offset):
    """One rounding at the end: more accurate than PyTorch, which also rounds before it multiplies by the weight."""
    wide = x.astype(np.float64)
    normed = wide / np.sqrt(np.mean(wide * wide, axis=-1, keepdims=True) + eps)
    return (normed * (weight.astype(np.float64) + weight_offset)).astype(x.dtype)


@fused_compat.kernel("rms_norm", variant="standard")
def rms_norm_unfused(x, weight, eps, weight_offset):
    """Step by step in float32, as the kernel replaces it."""
    wide = x.astype(np.float32)
    squares = wide * wide
    scale = 1 / np.sqrt(squares.mean(axis=-1, keepdims=True) + np.float32(eps))
    return (wide * scale * (weight.astype(np.float32) + np.float32(weight_offset))).astype(x.dtype)


fused_compat.serve()
