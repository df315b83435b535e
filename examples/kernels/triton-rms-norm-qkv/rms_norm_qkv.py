"""RMSNorm fused with the Q, K and V projections, in Triton. Needs PyTorch, Triton and a GPU that Triton compiles for."""

import fused_compat
import torch
import triton
import triton.language as tl

TOKENS, COLUMNS, INNER = 64, 64, 64


@triton.jit
def rms_norm_product(
    x_ptr,
    norm_weight_ptr,
    weight_ptr,
    bias_ptr,
    y_ptr,
    tokens,
    hidden,
    columns,
    eps,
    weight_offset,
    HAS_BIAS: tl.constexpr,
    ROUND_FIRST: tl.constexpr,
    TOKENS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    column = tl.program_id(1).to(tl.int64) * COLUMNS + tl.arange(0, COLUMNS)
    x_rows = x_ptr + row[:, None] * hidden
    dtype = x_ptr.dtype.element_ty

    squares = tl.zeros((TOKENS,), dtype=tl.float32)
    for start in range(0, hidden, INNER):
        inner = start + tl.arange(0, INNER)
        x = tl.load(x_rows + inner[None, :], mask=(row[:, None] < tokens) & (inner[None, :] < hidden), other=0.0).to(tl.float32)
        squares += tl.sum(x * x, axis=1)
    scale = 1.0 / tl.sqrt(squares / hidden + eps)

    sums = tl.zeros((TOKENS, COLUMNS), dtype=tl.float32)
    for start in range(0, hidden, INNER):
        inner = start + tl.arange(0, INNER)
        x = tl.load(x_rows + inner[None, :], mask=(row[:, None] < tokens) & (inner[None, :] < hidden), other=0.0).to(tl.float32)
        norm_weight = tl.load(norm_weight_ptr + inner, mask=inner < hidden, other=0.0).to(tl.float32) + weight_offset
        normed = x * scale[:, None]
        # LlamaRMSNorm rounds here too; Gemma3RMSNorm only after the weight.
        if ROUND_FIRST:
            normed = normed.to(dtype).to(tl.float32)
        normed = (normed * norm_weight[None, :]).to(dtype)
        weight = tl.load(
            weight_ptr + column[None, :] * hidden + inner[:, None],
            mask=(column[None, :] < columns) & (inner[:, None] < hidden),
            other=0.0,
        )
        sums += tl.dot(normed, weight)

    if HAS_BIAS:
        sums += tl.load(bias_ptr + column, mask=column < columns, other=0.0).to(tl.float32)[None, :]
    mask = (row[:, None] < tokens) & (column[None, :] < columns)
    tl.store(y_ptr + row[:, None] * columns + column[None, :], sums.to(dtype), mask=mask)


def split(y, num_heads, num_kv_heads, head_dim):
    parts = y.split([num_heads * head_dim, num_kv_heads * head_dim, num_kv_heads * head_dim], dim=1)
    return tuple(part.reshape(y.shape[0], -1, head_dim) for part in parts)


@fused_compat.kernel("rms_norm_qkv")
def rms_norm_qkv(x, norm_weight, qkv_weight, eps, weight_offset, num_heads, num_kv_heads, head_dim, qkv_bias=None):
    tokens, hidden = x.shape
    columns = qkv_weight.shape[0]
    y = torch.empty((tokens, columns), dtype=x.dtype, device=x.device)
    rms_norm_product[(triton.cdiv(tokens, TOKENS), triton.cdiv(columns, COLUMNS))](
        x,
        norm_weight,
        qkv_weight,
        x if qkv_bias is None else qkv_bias,
        y,
        tokens,
        hidden,
        columns,
        eps,
        float(weight_offset),
        HAS_BIAS=qkv_bias is not None,
        ROUND_FIRST=weight_offset == 0,
        TOKENS=TOKENS,
        COLUMNS=COLUMNS,
        INNER=INNER,
    )
    return split(y, num_heads, num_kv_heads, head_dim)


@fused_compat.kernel("rms_norm_qkv", variant="standard")
def rms_norm_qkv_unfused(x, norm_weight, qkv_weight, eps, weight_offset, num_heads, num_kv_heads, head_dim, qkv_bias=None):
    wide = x.float()
    normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    if weight_offset == 0:
        normed = normed.to(x.dtype) * norm_weight
    else:
        normed = (normed * (norm_weight.float() + weight_offset)).to(x.dtype)
    return split(torch.nn.functional.linear(normed, qkv_weight, qkv_bias), num_heads, num_kv_heads, head_dim)


fused_compat.serve()
