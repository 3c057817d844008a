"""What every head does with memory, over a whole set."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ..memory import CLASSES, capture_attention, head_shares, shares_of
from ..modules.attention_rows import RowFinder
from .trained_model import TrainedModel

NOTHING = torch.empty(0)  # is kept of the maps


def measure(trained: TrainedModel) -> dict[str, Any]:
    """Read the set and classify every head by the rule of `memory.head_classes`.

    Returns:
        ``heads``, a list of records with ``layer``, ``head``, ``class`` and shares of attention
        beside those of uniform attention; and ``counts`` of the classes.
    """
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    for sample in trained.read("attention of all heads"):
        finder = RowFinder(trained.model, sample["net_input"])

        def add(name: str, weights: Tensor, finder: RowFinder = finder) -> Tensor:
            rows = finder.find(name, weights)
            if rows is not None:
                sums[rows.layer] = sums[rows.layer] + shares_of(weights, rows.queries, rows.keys)
            return NOTHING

        with capture_attention(trained.model, add):
            trained.look(sample)
    heads = [
        {"layer": layer, "head": number, "class": head.name, **asdict(head)}
        for layer, total in sums.items()
        for number, head in enumerate(head_shares(total))
    ]
    counts = {name: sum(head["class"] == name for head in heads) for name in CLASSES}
    return {"heads": heads, "counts": counts}
