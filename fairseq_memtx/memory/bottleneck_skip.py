"""Attention of each position over the memory and itself, and over nothing else."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .softmax_attention import identity_rows, softmax


class AttentionToMemoryAndSelf(nn.Module):
    """Softmax attention with ``M + 1`` keys for every query.

    Position ``i`` sees the ``M`` memory rows and its own key ``i``. The same as dense attention
    over ``[memory; sequence]`` in which the sequence part of the mask is the identity, at a cost
    that grows with ``T x M`` and not with ``T x T``.
    """

    def forward(
        self,
        query: Tensor,
        memory_key: Tensor,
        memory_value: Tensor,
        own_key: Tensor,
        own_value: Tensor,
        dropout: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            query: ``B x H x T x C/H``, already scaled.
            memory_key: ``B x H x M x C/H``.
            memory_value: ``B x H x M x C/H``, or of any other width, as `own_value` then.
            own_key: key of each position, ``B x H x T x C/H``.
            own_value: value of each position, ``B x H x T x C/H``.
            dropout: applied to the attention weights.

        Returns:
            The attended values, ``B x H x T x C/H``.
        """
        to_memory = query @ memory_key.transpose(-2, -1)
        to_self = (query * own_key).sum(dim=-1, keepdim=True)
        weights = softmax(torch.cat([to_memory, to_self], dim=-1)).to(query.dtype)
        if dropout is not None:
            weights = dropout(weights)
        return weights[..., :-1] @ memory_value + weights[..., -1:] * own_value

    def attention_map(
        self,
        query: Tensor,
        memory_key: Tensor,
        memory_value: Tensor,
        own_key: Tensor,
        own_value: Tensor,
        dropout: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Who reads whom of ``[memory; sequence]``, before dropout, ``B x H x T x (M + T)``."""
        memory_tokens = memory_key.size(2)
        one = identity_rows(query, memory_tokens + own_key.size(2))
        of_memory, own = one[:, :, :memory_tokens], one[:, :, memory_tokens:]
        return self.forward(query, memory_key, of_memory, own_key, own)
