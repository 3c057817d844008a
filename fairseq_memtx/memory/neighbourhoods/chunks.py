"""Neighbours are the tokens of a chunk."""

import torch
from torch import Tensor

from .groups import Groups
from .placed import PlacedAttention
from .scheme import fill_up


class ChunkedAttention(PlacedAttention):
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
        query, key, value = (torch.unflatten(x, 2, (-1, size)) for x in (query, key, value))
        return Groups(query, key, value, visible)

    def near(self, place: Tensor, other: Tensor) -> Tensor:
        return place // self.chunk_size == other // self.chunk_size
