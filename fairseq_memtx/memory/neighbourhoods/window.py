"""Neighbours are the nearest tokens on either side."""

import torch
from torch import Tensor
from torch.nn import functional

from .groups import Groups
from .placed import PlacedAttention
from .scheme import fill_up


class WindowAttention(PlacedAttention):
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
        near = self.near(own[:, None], theirs)  # Q x K
        return Groups(torch.unflatten(query, 2, (-1, reach)), key, value, real.unsqueeze(2) & near)

    def near(self, place: Tensor, other: Tensor) -> Tensor:
        return (place - other).abs() <= self.window_size // 2
