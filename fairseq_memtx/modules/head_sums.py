"""Shares of attention of all heads of a model, summed over all that it reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..memory import HeadShares, capture_attention, head_shares, shares_of
from .attention_rows import RowFinder

NOTHING = torch.empty(0)  # is kept of the maps


class HeadSums:
    """Listens to a model and adds up."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    @contextmanager
    def listening(self, model: nn.Module, net_input: dict[str, Any]) -> Iterator[None]:
        """Hear the attention of one pass over ``net_input``."""
        finder = RowFinder(model, net_input)

        def add(name: str, weights: Tensor) -> Tensor:
            rows = finder.find(name, weights)
            # Where LayerDrop leaves layers out, calls are not numbers of segments.
            if rows is not None and rows.fit(weights):
                found = shares_of(weights, rows.queries, rows.keys)
                self.sums[rows.layer] = self.sums.get(rows.layer, 0) + found
            return NOTHING

        with capture_attention(model, add):
            yield

    def heads(self) -> Iterator[tuple[str, int, HeadShares]]:
        """Layer, number and shares of every head."""
        for layer, total in self.sums.items():
            for number, head in enumerate(head_shares(total)):
                yield layer, number, head
