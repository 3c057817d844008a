"""All tokens are neighbours."""

import torch
from torch import Tensor

from .groups import Groups
from .placed import PlacedAttention


class DenseAttention(PlacedAttention):
    """Every token sees every token: memory tokens in an ordinary transformer."""

    def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
        visible = None if real is None else real[:, None, None, :]
        return Groups(query.unsqueeze(2), key.unsqueeze(2), value.unsqueeze(2), visible)

    def near(self, place: Tensor, other: Tensor) -> Tensor:
        return torch.ones_like(place == other)
