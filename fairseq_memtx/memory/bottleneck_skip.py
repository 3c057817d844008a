"""Attention of each position over the memory and itself, and over nothing else."""

from __future__ import annotations

import torch
from torch import Tensor


def attend_to_memory_and_self(
    query: Tensor,
    memory_key: Tensor,
    memory_value: Tensor,
    own_key: Tensor,
    own_value: Tensor,
    dropout: torch.nn.Module | None = None,
) -> tuple[Tensor, Tensor]:
    """Softmax attention with ``M + 1`` keys for every query.

    Position ``i`` sees the ``M`` memory rows and its own key ``i``. The same as dense attention
    over ``[memory; sequence]`` in which the sequence part of the mask is the identity, at a cost
    that grows with ``T x M`` and not with ``T x T``.

    Args:
        query: ``B x H x T x C/H``, already scaled.
        memory_key: ``B x H x M x C/H``.
        memory_value: ``B x H x M x C/H``.
        own_key: key of each position, ``B x H x T x C/H``.
        own_value: value of each position, ``B x H x T x C/H``.
        dropout: applied to the attention weights.

    Returns:
        The attended values, ``B x H x T x C/H``, and the weights, ``B x H x T x (M + 1)``, the
        position itself last.
    """
    to_memory = query @ memory_key.transpose(-2, -1)
    to_self = (query * own_key).sum(dim=-1, keepdim=True)
    scores = torch.cat([to_memory, to_self], dim=-1)
    # Half precision is summed in float32, as fairseq's own attention does.
    weights = torch.softmax(scores, dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))
    kept = weights.to(query.dtype)
    if dropout is not None:
        kept = dropout(kept)
    attended = kept[..., :-1] @ memory_value + kept[..., -1:] * own_value
    return attended, weights
