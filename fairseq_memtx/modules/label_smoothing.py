"""Label-smoothed cross entropy without a table of log-probabilities.

fairseq writes all ``N x V`` log-probabilities, reads them twice, and lets autograd write three more
tables of that size on the way back. The loss needs one number per row beside the logits,

``log Z = logsumexp(z)``; ``nll = log Z - z[y]``; ``smooth = V log Z - sum(z)``

and its gradient is a scaled softmax with two constants taken off, written once.
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
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
        vocabulary = scores.size(-1)
        other = epsilon / (vocabulary - 1)
        right = 1.0 - epsilon - other

        log_z = torch.logsumexp(scores, dim=-1)
        real = target.ne(padding_idx)
        nll = log_z - scores.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        smooth = vocabulary * log_z - scores.sum(dim=-1)
        nll, smooth = nll[real].sum(), smooth[real].sum()

        ctx.save_for_backward(logits, log_z, target, real)
        ctx.right, ctx.other = right, other
        ctx.mark_non_differentiable(nll)
        return right * nll + other * smooth, nll

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        logits, log_z, target, real = ctx.saved_tensors
        total = ctx.right + ctx.other * logits.size(-1)
        slope = (logits - log_z.unsqueeze(-1)).exp_().mul_(total).sub_(ctx.other)
        slope.scatter_add_(-1, target.unsqueeze(-1), slope.new_full((len(target), 1), -ctx.right))
        slope.mul_((grad * real).unsqueeze(-1))
        return slope.to(logits.dtype), None, None, None
