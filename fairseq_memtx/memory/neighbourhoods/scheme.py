"""What every scheme has in common."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional


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


def fill_up(
    missing: int, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values and what is real of them, with ``missing`` tokens of padding more."""
    if real is None:
        real = query.new_ones(len(query), query.size(2), dtype=torch.bool)
    query, key, value = (functional.pad(x, (0, 0, 0, missing)) for x in (query, key, value))
    return query, key, value, functional.pad(real, (0, missing))
