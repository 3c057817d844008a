"""Softmax attention on a CPU: with dropout, and in bfloat16.

torch's fused attention has no dropout on a CPU. What it falls back on spends half of its time on
drawing the mask, and keeps several tensors of the size of the scores for the backward pass. This
keeps the weights alone, and marks the dropped ones by their sign.

In bfloat16 the way back through torch's fused attention takes up to six times as long as the same
in plain products, so it is spelled out there (docs/performance.md).

Shapes: ``N`` batch and the like, ``H`` heads, ``Q`` queries, ``K`` keys, ``D`` channels of a head.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .quick_dropout import draw_marks, drop, gain, is_drawn_here


def attend(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """``softmax(query key^T / sqrt(D)) value``, some of the weights being dropped.

    Args:
        query: ``N x H x Q x D``.
        key: ``N x H x K x D``.
        value: ``N x H x K x D``, or of any other width.
        visible: False where a query may not look, or numbers that are added to the scores; in four
            dimensions that broadcast to ``N x H x Q x K``.
        dropout: probability that a weight is dropped, to the nearest 1/65536 on a CPU.

    Returns:
        ``N x H x Q x D``, as wide as ``value``; finite, and without meaning for a query that may
        look nowhere.
    """
    if dropout and is_drawn_here(query):
        attended: Tensor = _DroppedAttention.apply(  # type: ignore[no-untyped-call]
            query, key, value, visible, dropout
        )
        return attended
    if _is_slow_when_fused(query, key):
        query = query * query.size(-1) ** -0.5
        # One copy in the order in which products read, for one in each of them.
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        scores = query @ key.transpose(-2, -1)
        _see(scores.detach(), visible)
        return drop(scores.softmax(dim=-1), dropout) @ value
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=visible, dropout_p=dropout
    )


def _is_slow_when_fused(query: Tensor, key: Tensor) -> bool:
    """Whether torch's fused attention is slower than a plain one, whose weights can be kept.

    With gradients or without: what is recomputed for the way back has to drop the same weights.
    """
    slow = query.device.type == "cpu" and query.dtype is torch.bfloat16
    queries, keys = query.size(-2), key.size(-2)
    return slow and queries * keys <= _KEPT * (queries + keys)


def _see(scores: Tensor, visible: Tensor | None) -> None:
    """In place: what a query may not see is hidden, or what is given is added."""
    if visible is None:
        return
    if visible.is_floating_point():
        scores += visible
    else:
        hide(scores, ~visible)


def hide(scores: Tensor, hidden: Tensor) -> None:
    """In place, behind autograd's back: the least number where ``hidden`` is True.

    It is finite, so that a query that may look nowhere stays defined. Where others are seen, its
    weight is zero, and so is the gradient of its score.
    """
    scores, least = scores.detach(), torch.finfo(scores.dtype).min
    if scores.device.type != "cpu":
        scores.masked_fill_(hidden, least)
        return
    # There `masked_fill_` goes from one to the next, and the lesser of two is taken many at a time.
    most = torch.where(hidden, scores.new_full((), least), torch.inf)
    torch.minimum(scores, most, out=scores)


def softmax(scores: Tensor) -> Tensor:
    """Weights over the last dimension, summed in float32 at least, in the type of the scores."""
    exact = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim=-1, dtype=exact).to(scores.dtype)


class AttentionSoftmax(nn.Module):
    """`softmax` for an attention that spells out its weights, which can be captured by it.

    See `attention_capture`.
    """

    def forward(self, scores: Tensor) -> Tensor:
        """Scores to weights, ``B x H x queries x keys``."""
        return softmax(scores)

    attention_map = forward


class SoftmaxAttention(nn.Module):
    """`attend` as the part of a module, whose weights can be captured; see `attention_capture`."""

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        visible: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """See `attend`."""
        return attend(query, key, value, visible, dropout)

    def attention_map(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        visible: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Who reads whom, before dropout, ``N x H x Q x K``."""
        return attend(query, key, identity_rows(query, key.size(2)), visible)


def identity_rows(like: Tensor, count: int) -> Tensor:
    """Values whose weighted sum is the weights themselves, ``B x H x count x count``."""
    return torch.eye(count, dtype=like.dtype, device=like.device).expand(*like.shape[:2], -1, -1)


class _DroppedAttention(torch.autograd.Function):
    """Works through ``N`` in blocks whose scores stay in the processor's cache, both ways."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, dropout: float
    ) -> Tensor:
        ctx.scale, ctx.gain = query.size(-1) ** -0.5, gain(dropout)
        ctx.block = max(1, _IN_CACHE // (query[0, ..., 0].numel() * key.size(-2)))
        if visible is not None:
            visible = visible.expand(len(query), *visible.shape[1:])
        out, drawn = value.new_empty(*query.shape[:-1], value.size(-1)), []
        for block in _blocks(ctx.block, len(query)):
            scores = (query[block] * ctx.scale) @ key[block].transpose(-2, -1)
            _see(scores, None if visible is None else visible[block])
            weights = scores.softmax(dim=-1)
            weights.copysign_(draw_marks(weights, dropout))
            torch.matmul(weights.clamp_min(0), value[block] * ctx.gain, out=out[block])
            drawn.append(weights)
        ctx.save_for_backward(query, key, value, out, *drawn)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, *drawn = ctx.saved_tensors
        of_query, of_key, of_value = (x.new_empty(x.shape) for x in (query, key, value))
        # The sum over the keys of weight times gradient, which the softmax takes off.
        share = (gradient * out).sum(dim=-1, keepdim=True)
        for block, weights in zip(_blocks(ctx.block, len(query)), drawn):
            gained, kept = gradient[block] * ctx.gain, weights.clamp_min(0)
            of_scores = (gained @ value[block].transpose(-2, -1)).mul_(kept)
            of_scores.addcmul_(weights.abs(), share[block], value=-1)
            torch.matmul(kept.transpose(-2, -1), gained, out=of_value[block])
            torch.matmul(of_scores, key[block] * ctx.scale, out=of_query[block])
            torch.matmul(of_scores.transpose(-2, -1), query[block] * ctx.scale, out=of_key[block])
        return of_query, of_key, of_value, None, None


_IN_CACHE = 2**21  # scores of a block
_KEPT = 512  # weights for every row read or written, where fused attention would keep none


def _blocks(size: int, count: int) -> Iterator[slice]:
    """``count`` of ``N``, as many of them at a time."""
    for start in range(0, count, size):
        yield slice(start, start + size)
