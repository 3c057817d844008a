"""Schemes in which neighbours meet in groups, the same for all heads.

The keys and values of the memory go in front of those of every group, and one fused call attends.

``G`` groups of ``Q`` queries and ``K`` keys.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..softmax_attention import attend
from .scheme import SparseAttention


class Groups(NamedTuple):
    """Tokens in groups."""

    query: Tensor  # B x H x G x Q x D
    key: Tensor  # B x H x G x K x D
    value: Tensor  # B x H x G x K x D
    # What a query may see of its group, True where it may, in a shape that broadcasts to B x G x Q
    # x K; None if all of it
    visible: Tensor | None


class GroupedAttention(SparseAttention):
    """A scheme in which neighbours can be laid out in groups that are the same for all heads."""

    @abstractmethod
    def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
        """Lay tokens out so that neighbours meet; queries stay in the order of the tokens.

        Arguments are those of `forward`. The last group may be filled up with padding.
        """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        memory_key: Tensor,
        memory_value: Tensor,
        real: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Attend; see `SparseAttention.forward`."""
        groups = self.group(query, key, value, real)
        batch, _, count = groups.query.shape[:3]
        visible = groups.visible
        if visible is not None:
            # B x G x Q x K -> B*G x 1 x Q x (M + K)
            visible = functional.pad(visible, (memory_key.size(2), 0), value=True)
            visible = visible.expand(batch, count, -1, -1).flatten(0, 1).unsqueeze(1)
        attended = attend(
            _groups_first(groups.query),
            _groups_first(_behind_memory(memory_key, groups.key)),
            _groups_first(_behind_memory(memory_value, groups.value)),
            visible,
            dropout,
        )
        # B*G x H x Q x D -> B x H x G*Q x D
        attended = torch.unflatten(attended, 0, (batch, count)).transpose(1, 2).flatten(2, 3)
        return attended[:, :, : query.size(2)]


def _behind_memory(memory: Tensor, grouped: Tensor) -> Tensor:
    """Memory in front of every group, ``B x H x G x (M + K) x D``."""
    if not memory.size(2):
        return grouped
    memory = memory.unsqueeze(2).expand(-1, -1, grouped.size(2), -1, -1)
    return torch.cat([memory, grouped], dim=3)


def _groups_first(grouped: Tensor) -> Tensor:
    """``B x H x G x N x D -> B*G x H x N x D``: fused attention wants four dimensions."""
    return grouped.transpose(1, 2).flatten(0, 1)
