"""Rotary embeddings of an implementation that was written for Llama and now serves ERNIE 4.5, in NumPy; run with `half` or `interleaved`.

Llama rotates the pairs (i, i + rotary_dim/2) of a head, ERNIE 4.5 the pairs (2i, 2i + 1). With `half` this is the mistake that made
ERNIE-4.5-0.3B write gibberish, with standard and fused kernels alike; with `interleaved` it is right.
"""

import sys

import fused_compat
import numpy as np

PAIRS = sys.argv[1]


def pairs(x, rotary_dim):
    """First and second elements of the pairs, as views of x [T, heads, head_dim]."""
    if PAIRS == "half":
        return x[..., : rotary_dim // 2], x[..., rotary_dim // 2 : rotary_dim]
    return x[..., 0:rotary_dim:2], x[..., 1:rotary_dim:2]


def rotated(x, cos, sin, rotary_dim, dtype):
    """In `dtype`, rounded once at the end."""
    wide = x.astype(dtype)
    out = wide.copy()
    first, second = pairs(wide, rotary_dim)
    to_first, to_second = pairs(out, rotary_dim)
    c, s = cos.astype(dtype)[:, None, :], sin.astype(dtype)[:, None, :]
    to_first[...] = first * c - second * s
    to_second[...] = second * c + first * s
    return out.astype(x.dtype)


@fused_compat.kernel("rope")
def rope(q, k, cos, sin, layout, rotary_dim):
    """The fused kernel: Q and K together."""
    both = rotated(np.concatenate([q, k], axis=1), cos, sin, rotary_dim, np.float64)
    return both[:, : q.shape[1]], both[:, q.shape[1] :]


@fused_compat.kernel("rope", variant="standard")
def rope_unfused(q, k, cos, sin, layout, rotary_dim):
    """What it replaces: one after the other."""
    return rotated(q, cos, sin, rotary_dim, np.float32), rotated(k, cos, sin, rotary_dim, np.float32)


fused_compat.serve()
