"""Figures that tell whether a recurrent memory is alive: its size, its change, its gradient."""

from typing import NamedTuple

import torch
from torch import Tensor


class MemoryStatistics(NamedTuple):
    """Means over the streams, memory tokens and segments of one window."""

    norm: Tensor  # length of a memory vector
    change: Tensor  # how far it moves in a segment, in parts of its length before
    # Length of the loss's gradient in all memory of the streams at one border between two segments
    # of the window; 0 where none reaches it, as in windows of one segment
    gradient: Tensor


def memory_statistics(memories: list[Tensor]) -> MemoryStatistics:
    """Figures of one window.

    Args:
        memories: ``B x M x C`` before each of its segments and after the last one, after the
            backward pass, with the gradients retained that they got.
    """
    values = torch.stack([memory.detach().float() for memory in memories])
    norms = values.norm(dim=-1)
    steps = values.diff(dim=0).norm(dim=-1) / norms[:-1].clamp(min=1e-12)
    gradients = [
        memory.grad.float().norm()
        for memory in memories[1:]
        if memory.requires_grad and memory.grad is not None
    ]
    gradient = torch.stack(gradients).mean() if gradients else norms.new_zeros(())
    return MemoryStatistics(norms[1:].mean(), steps.mean(), gradient)
