"""PyTorch's scaled_dot_product_attention under test, with attention written out step by step as its unfused path. Needs PyTorch; a GPU if there is one."""

import fused_compat
import torch


def hidden(q, k, causal, window):
    """[T, S], true where a query must not look. The queries are the last T of S positions."""
    tokens, positions = q.shape[0], k.shape[0]
    query = torch.arange(positions - tokens, positions, device=q.device)[:, None]
    key = torch.arange(positions, device=q.device)[None, :]
    mask = torch.zeros(tokens, positions, dtype=torch.bool, device=q.device)
    if causal:
        mask |= key > query
    if window > 0:
        mask |= key <= query - window
    return mask


def heads_first(x, repeat=1):
    """[tokens, heads, D] to [1, heads * repeat, tokens, D]."""
    return x.transpose(0, 1).repeat_interleave(repeat, dim=0)[None]


@fused_compat.kernel("attention")
def attention(q, k, v, scale, causal, window, softcap):
    if softcap > 0:
        raise ValueError("scaled_dot_product_attention has no soft cap")
    plain = q.shape[0] == k.shape[0] and window == 0
    result = torch.nn.functional.scaled_dot_product_attention(
        heads_first(q),
        heads_first(k),
        heads_first(v),
        # is_causal lets PyTorch take a kernel that never makes the mask.
        attn_mask=None if plain else ~hidden(q, k, causal, window),
        is_causal=bool(causal) and plain,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return result[0].transpose(0, 1).contiguous()


@fused_compat.kernel("attention", variant="standard")
def attention_unfused(q, k, v, scale, causal, window, softcap):
    """As transformers' eager_attention_forward: scores and probabilities are tensors in memory."""
    groups = q.shape[1] // k.shape[1]
    scores = heads_first(q) @ heads_first(k, groups).transpose(2, 3) * scale
    if softcap > 0:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores.masked_fill(hidden(q, k, causal, window), float("-inf"))
    probabilities = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    return (probabilities @ heads_first(v, groups))[0].transpose(0, 1).contiguous()


fused_compat.serve()
