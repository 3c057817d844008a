"""Label-smoothed cross entropy whose gradient is written once.

fairseq takes the loss from a table of ``N x V`` log-probabilities and leaves the way back to
autograd, which writes four more tables of that size. The gradient is a softmax, scaled, with two
constants taken off, and can be written over the table itself:

``d loss / d z = (right + V other) softmax(z) - other - right [v = y]``
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def label_smoothed_nll(
    logits: Tensor, target: Tensor, epsilon: float, padding_idx: int
) -> tuple[Tensor, Tensor]:
    """The same as fairseq's ``label_smoothed_nll_loss`` summed over rows, from logits.

    Args:
        logits: ``N x V``, of any floating type; sums are in float32 at least.
        target: ``N``.
        epsilon: share of the probability that is spread over the other ``V - 1`` symbols.
        padding_idx: rows with this target count nothing.

    Returns:
        The smoothed loss and the plain negative log-likelihood, in nats.
    """
    return _LabelSmoothedNLL.apply(logits, target, epsilon, padding_idx)


class _LabelSmoothedNLL(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, epsilon: float, padding_idx: int
    ) -> tuple[Tensor, Tensor]:
        at_least_float32 = torch.promote_types(logits.dtype, torch.float32)
        lprobs = torch.log_softmax(logits, dim=-1, dtype=at_least_float32)
        ctx.other = epsilon / (lprobs.size(-1) - 1)
        ctx.right = 1.0 - epsilon - ctx.other
        ctx.padding = target.eq(padding_idx)
        ctx.dtype = logits.dtype
        ctx.save_for_backward(lprobs, target)

        nll = -lprobs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        nll = nll.masked_fill_(ctx.padding, 0.0).sum()
        smooth = -lprobs.sum(dim=-1).masked_fill_(ctx.padding, 0.0).sum()
        ctx.mark_non_differentiable(nll)
        return ctx.right * nll + ctx.other * smooth, nll

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        lprobs, target = ctx.saved_tensors
        # In place: the table is ours alone, and another one of its size is what takes the time.
        # (A second backward through the same graph is noticed by autograd, and refused.)
        slope = lprobs.exp_().mul_(grad * (ctx.right + ctx.other * lprobs.size(-1)))
        slope.sub_(grad * ctx.other)
        right = (-ctx.right * grad).to(slope.dtype).expand(len(target), 1)
        slope.scatter_add_(-1, target.unsqueeze(-1), right)
        slope[ctx.padding] = 0.0
        return slope.to(ctx.dtype), None, None, None
