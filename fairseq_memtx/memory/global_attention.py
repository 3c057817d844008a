"""Attention of a long sequence over a dense memory and a sparse neighbourhood (GMAT, section 3).

GMAT is arXiv:2006.03274. Its authors published no code and we know the paper by its abstract and
by what others wrote about it, so what follows is an independent implementation.

A token has one softmax over memory and its neighbours. Who they are is all in which the schemes,
subclasses of `SparseAttention`, differ. Most are a `GroupedAttention`: tokens are laid out in
groups in which neighbours meet, the keys and values of the memory go in front of those of every
group, and one fused call attends. Such a scheme is one method, `group`.

Shapes: ``B`` batch, ``H`` heads, ``L`` tokens, ``M`` memory tokens, ``D`` channels of a head; ``G``
groups of ``Q`` queries and ``K`` keys. ``L`` is any length: what is missing to whole groups is
padded here and cut off again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .dropped_attention import attend


class Groups(NamedTuple):
    """Tokens in groups.

    Attributes:
        query: ``B x H x G x Q x D``.
        key: ``B x H x G x K x D``.
        value: ``B x H x G x K x D``.
        visible: what a query may see of its group, True where it may, in a shape that
            broadcasts to ``B x G x Q x K``; None if all of it.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    visible: Tensor | None


class SparseAttention(nn.Module, ABC):
    """Softmax attention of each token over the memory and over its neighbours."""

    @abstractmethod
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
        """Attend.

        Args:
            query: of the tokens, ``B x H x L x D``.
            key: of the tokens, the same.
            value: of the tokens, the same.
            memory_key: ``B x H x M x D``; ``M`` may be 0.
            memory_value: ``B x H x M x D``.
            real: ``B x L``, False at padding, which nobody sees; None if there is none.
            dropout: probability that an attention weight is dropped.

        Returns:
            ``B x H x L x D``; what padding itself gets is finite and has no meaning.
        """


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
        attended = attended.unflatten(0, (batch, count)).transpose(1, 2).flatten(2, 3)
        return attended[:, :, : query.size(2)]


class DenseAttention(GroupedAttention):
    """Every token sees every token: memory tokens in an ordinary transformer."""

    def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
        visible = None if real is None else real[:, None, None, :]
        return Groups(query.unsqueeze(2), key.unsqueeze(2), value.unsqueeze(2), visible)


class ChunkedAttention(GroupedAttention):
    """A token sees its chunk: the sequence is cut into chunks of ``C`` tokens.

    Args:
        chunk_size: ``C``, at least 1.
    """

    def __init__(self, chunk_size: int) -> None:
        super().__init__()
        self.chunk_size = chunk_size

    def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
        size = min(self.chunk_size, query.size(2))
        missing = -query.size(2) % size
        if missing:
            query, key, value, real = fill_up(missing, query, key, value, real)
        visible = None if real is None else real.view(len(real), -1, 1, size)
        return Groups(*(x.unflatten(2, (-1, size)) for x in (query, key, value)), visible)


class WindowAttention(GroupedAttention):
    """A token sees itself and the ``W / 2`` tokens on either side.

    A group is ``W / 2`` queries and the keys of three such stretches, their own in the middle.

    Args:
        window_size: ``W``, even and at least 2.
    """

    def __init__(self, window_size: int) -> None:
        super().__init__()
        self.window_size = window_size

    def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
        reach = min(self.window_size // 2, query.size(2))
        if real is None:
            real = query.new_ones(len(query), query.size(2), dtype=torch.bool)
        query, key, value, real = fill_up(-query.size(2) % reach, query, key, value, real)

        around = (reach, reach)
        real = functional.pad(real, around).unfold(1, 3 * reach, reach)  # B x G x K
        key, value = (
            functional.pad(x, (0, 0, *around)).unfold(2, 3 * reach, reach).transpose(-2, -1)
            for x in (key, value)
        )
        own = torch.arange(reach, device=query.device)
        theirs = torch.arange(-reach, 2 * reach, device=query.device)
        near = (own[:, None] - theirs).abs() <= reach  # Q x K
        return Groups(query.unflatten(2, (-1, reach)), key, value, real.unsqueeze(2) & near)


def fill_up(
    missing: int, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values and what is real of them, with ``missing`` tokens of padding more."""
    if real is None:
        real = query.new_ones(len(query), query.size(2), dtype=torch.bool)
    tokens = (functional.pad(x, (0, 0, 0, missing)) for x in (query, key, value))
    return (*tokens, functional.pad(real, (0, missing)))


def _behind_memory(memory: Tensor, grouped: Tensor) -> Tensor:
    """Memory in front of every group, ``B x H x G x (M + K) x D``."""
    if not memory.size(2):
        return grouped
    memory = memory.unsqueeze(2).expand(-1, -1, grouped.size(2), -1, -1)
    return torch.cat([memory, grouped], dim=3)


def _groups_first(grouped: Tensor) -> Tensor:
    """``B x H x G x N x D -> B*G x H x N x D``: fused attention wants four dimensions."""
    return grouped.transpose(1, 2).flatten(0, 1)
