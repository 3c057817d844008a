"""Attention over ``[memory; tokens]`` (GMAT, section 3): a dense memory, sparse tokens.

Shapes: ``B`` batch, ``H`` heads, ``M`` memory tokens, ``L`` tokens, ``N = M + L`` rows, ``D``
channels of a head.
"""

import torch
from torch import Tensor, nn

from .neighbourhoods import SparseAttention
from .softmax_attention import attend, identity_rows


class GlobalMemoryAttention(nn.Module):
    """Memory attends to everything; a token to memory and its neighbours, in one softmax.

    Args:
        memory_tokens: ``M``.
        neighbours: who the neighbours of a token are.
    """

    def __init__(self, memory_tokens: int, neighbours: SparseAttention) -> None:
        super().__init__()
        self.memory_tokens = memory_tokens
        self.neighbours = neighbours

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        real: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Attend.

        Args:
            query: ``B x H x N x D``, memory in front.
            key: the same.
            value: the same, or of any other width.
            real: ``B x N``, False at padding, which nobody sees; None if there is none.
            dropout: probability that an attention weight is dropped.

        Returns:
            ``B x H x N x D``, as wide as ``value``; what padding itself gets is finite and has no
            meaning.
        """
        memory = self.memory_tokens
        of_tokens: Tensor = self.neighbours(
            *(x[:, :, memory:] for x in (query, key, value)),
            *(x[:, :, :memory] for x in (key, value)),
            real=None if real is None else real[:, memory:],
            dropout=dropout,
        )
        if not memory:
            return of_tokens
        visible = None if real is None else real[:, None, None, :]
        of_memory = attend(query[:, :, :memory], key, value, visible, dropout)
        return torch.cat([of_memory, of_tokens], dim=2)

    def attention_map(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        real: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Who reads whom, before dropout, ``B x H x N x N``; see `forward`."""
        # In groups, whatever computes the rest: the values here are as wide as the text is long.
        return GlobalMemoryAttention.forward(
            self, query, key, identity_rows(query, key.size(2)), real
        )
