"""Label-smoothed cross entropy whose gradient is written at once, while the loss is taken.

fairseq takes the loss from a table of ``N x V`` log-probabilities and leaves the way back to
autograd, which writes four more tables of that size. The gradient is a softmax with two constants
taken off:

``d loss / d z = softmax(z) - other - right [v = y]``, where ``right + V other = 1``.

So it is the one table that is kept, in the precision of the logits, and none is where nothing is
trained. The loss needs no more than the softmax's denominator, which one entry a row gives. Rows
are worked through in blocks, which stay in the processor's cache.
"""

from typing import Any

import torch
from torch import Tensor

# Logits of a block: on a GPU blocks cost launches, and what they save is memory.
_AT_ONCE, _AT_ONCE_ON_A_GPU = 2**21, 2**26


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
        ctx.dtype = logits.dtype
        # float16 cannot hold what is small until it is multiplied by the scale of the loss.
        kept = at_least_float32 if ctx.dtype is torch.float16 else ctx.dtype
        slope = torch.empty_like(logits, dtype=kept) if ctx.needs_input_grad[0] else None

        losses = []
        of_target = target.unsqueeze(-1)
        real = of_target.ne(padding_idx).to(at_least_float32)
        at_once = _AT_ONCE if logits.device.type == "cpu" else _AT_ONCE_ON_A_GPU
        rows = max(1, at_once // symbols)
        for block in (slice(start, start + rows) for start in range(0, max(1, len(logits)), rows)):
            symbol, counts = of_target[block], real[block]
            scores = logits[block].to(at_least_float32)
            probabilities = torch.softmax(scores, dim=-1)
            # The logarithm of the softmax's denominator is the likeliest symbol's logit less its
            # log-probability, which is at least -log V: nothing underflows.
            likeliest = probabilities.amax(dim=-1, keepdim=True)
            denominator = scores.amax(dim=-1, keepdim=True) - likeliest.log()
            nll = denominator - scores.gather(-1, symbol)
            smooth = symbols * denominator - scores.sum(dim=-1, keepdim=True)
            losses.append((torch.cat([nll, smooth], dim=-1) * counts).sum(dim=0))
            if slope is not None:
                probabilities.sub_(other)
                probabilities.scatter_add_(-1, symbol, torch.full_like(counts, -right))
                torch.mul(probabilities, counts, out=slope[block])
        if slope is not None:
            ctx.save_for_backward(slope)
        nll, smooth = torch.stack(losses).sum(dim=0).unbind()
        ctx.mark_non_differentiable(nll)
        return right * nll + other * smooth, nll

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        # In place: the table is ours alone, and another one of its size is what takes the time.
        # (A second backward through the same graph is noticed by autograd, and refused.)
        return slope.mul_(grad).to(ctx.dtype), None, None, None
