"""Label-smoothed cross entropy whose gradient is written once.

fairseq takes the loss from a table of ``N x V`` log-probabilities and leaves the way back to
autograd, which writes four more tables of that size. The gradient is a softmax with two constants
taken off, and can be written over the softmax itself:

``d loss / d z = softmax(z) - other - right [v = y]``, where ``right + V other = 1``.

So the softmax is the one table. The loss needs only its denominator, which one entry a row gives.
"""

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
        symbols = logits.size(-1)
        other = epsilon / (symbols - 1)
        right = 1.0 - epsilon - other
        ctx.other, ctx.right, ctx.dtype = other, right, logits.dtype
        ctx.padding = target.eq(padding_idx)
        probabilities = torch.softmax(logits, dim=-1, dtype=at_least_float32)
        ctx.save_for_backward(probabilities, target)

        # The logarithm of the softmax's denominator is the likeliest symbol's logit less its
        # log-probability, which is at least -log V: nothing underflows.
        best, symbol = logits.max(dim=-1, keepdim=True)
        best = best.to(at_least_float32)
        best_log_probability = probabilities.gather(-1, symbol).log()
        nll = best - logits.gather(-1, target.unsqueeze(-1)) - best_log_probability
        total = logits.sum(dim=-1, keepdim=True, dtype=at_least_float32)
        smooth = symbols * (best - best_log_probability) - total
        padding = ctx.padding.unsqueeze(-1)
        nll, smooth = (loss.masked_fill(padding, 0.0).sum() for loss in (nll, smooth))
        ctx.mark_non_differentiable(nll)
        return right * nll + other * smooth, nll

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        probabilities, target = ctx.saved_tensors
        # In place: the table is ours alone, and another one of its size is what takes the time.
        # (A second backward through the same graph is noticed by autograd, and refused.)
        slope = probabilities.mul_(grad).sub_(grad * ctx.other)
        right = (-ctx.right * grad).to(slope.dtype).expand(len(target), 1)
        slope.scatter_add_(-1, target.unsqueeze(-1), right)
        slope.masked_fill_(ctx.padding.unsqueeze(-1), 0.0)
        return slope.to(ctx.dtype), None, None, None
