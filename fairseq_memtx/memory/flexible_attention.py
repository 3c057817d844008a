"""GMAT's attention in one kernel, which torch compiles from the rule of who sees whom: for GPUs.

`GlobalMemoryAttention` lays tokens out in groups, which copies keys: twice in a window, and
memory's for every group. FlexAttention (arXiv:2412.05496) copies nothing and leaves out blocks of
128 rows in which nobody sees anybody. It drops no attention weights, and has no gradients on a CPU.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .global_memory import GlobalMemoryAttention
from .neighbourhoods import PlacedAttention

logger = logging.getLogger(__name__)


class FlexibleMemoryAttention(GlobalMemoryAttention):
    """`GlobalMemoryAttention` by FlexAttention; without a GPU the ordinary way, which is said once.

    Args:
        memory_tokens: ``M``.
        neighbours: a scheme in which the places of two tokens tell whether they are neighbours.
    """

    neighbours: PlacedAttention

    def __init__(self, memory_tokens: int, neighbours: PlacedAttention) -> None:
        super().__init__(memory_tokens, neighbours)
        self._blocks: tuple[Any, Any] = None, None  # for which rows and device, and what they are

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        real: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Attend; see `GlobalMemoryAttention.forward`.

        Raises:
            ValueError: if weights are to be dropped.
        """
        if dropout:
            raise ValueError("FlexAttention drops no attention weights: set their dropout to 0")
        if query.device.type != "cuda":
            _say_once()
            return super().forward(query, key, value, real)
        return self.by_rule(query, key, value, real, _compiled())

    def by_rule(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        real: Tensor | None,
        kernel: Callable[..., Tensor],
    ) -> Tensor:
        """Attend by torch's ``flex_attention``, compiled or not."""

        def hide(score: Tensor, batch: Tensor, head: Tensor, row: Tensor, read: Tensor) -> Tensor:
            assert real is not None
            # Finite, and in reach of exponents, for a query that may look nowhere. Spelled out
            # here, since torch's compiler takes numbers from outside for what may change.
            return torch.where(real[batch, read], score, -6e4)

        blocks = self.blocks(query.size(2), query.device)
        return kernel(
            query, key, value, score_mod=None if real is None else hide, block_mask=blocks
        )

    def blocks(self, rows: int, device: torch.device) -> Any:
        """The ``BlockMask`` of so many rows, kept until there are others."""
        from torch.nn.attention.flex_attention import create_block_mask

        if self._blocks[0] != (rows, device):
            memory, near = self.memory_tokens, self.neighbours.near

            def sees(batch: Tensor, head: Tensor, row: Tensor, read: Tensor) -> Tensor:
                return (row < memory) | (read < memory) | near(row - memory, read - memory)

            made = create_block_mask(sees, None, None, rows, rows, device=str(device))
            self._blocks = (rows, device), made
        return self._blocks[1]


@cache
def _compiled() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention)


@cache
def _say_once() -> None:
    logger.info("FlexAttention is for GPUs: here tokens are laid out in groups")
