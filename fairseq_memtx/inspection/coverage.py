"""What each memory slot covers of a long document.

Shapes: ``B`` batch, ``H`` heads, ``M`` memory tokens, ``L`` tokens.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from ..memory import RowKind, capture_attention, is_memory
from ..modules.attention_rows import RowFinder
from .trained_model import TrainedModel

STRETCHES = 32  # of a document, each as long as the others
MOST = 6  # symbols of a slot that are listed
NOTHING = torch.empty(0)  # is kept of the maps


def measure(trained: TrainedModel) -> dict[str, Any]:
    """Follow the attention of every slot over all documents of the set.

    Returns:
        ``layers``: by the name of each in which memory sees tokens, ``M`` lists of shares of a
        slot's attention, over all heads: of `STRETCHES` stretches of the document, and last of
        memory. ``symbols``: of each slot, those that it looks at most for how often they come:
        records of ``symbol`` and ``times_uniform``, the slot's weight on it over that of uniform
        attention among the tokens.
    """
    dictionary = trained.task.source_dictionary
    covered: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    rows_of: dict[str, int] = defaultdict(int)
    weight = torch.zeros(trained.memory_tokens, len(dictionary), dtype=torch.double)
    uniform = torch.zeros(len(dictionary), dtype=torch.double)
    for sample in trained.read("coverage of memory"):
        finder = RowFinder(trained.model, sample["net_input"])

        def add(name: str, maps: Tensor, finder: RowFinder = finder) -> Tensor:
            rows = finder.find(name, maps)
            if rows is None or not is_memory(rows.queries).any() or is_memory(rows.keys).all():
                return NOTHING
            memory, of_tokens = is_memory(rows.keys[0]), rows.keys == RowKind.TOKEN
            slots = maps[:, :, is_memory(rows.queries[0])].mean(1).double()  # B x M x K
            shares = torch.stack(
                [_stretches(*row) for row in zip(slots[..., ~memory], of_tokens[:, ~memory])]
            )
            inside = slots[..., memory].sum(-1, keepdim=True)
            covered[rows.layer] = covered[rows.layer] + torch.cat([shares, inside], -1).sum(0)
            rows_of[rows.layer] += len(slots)
            for row, real, seen in zip(slots, of_tokens, rows.key_symbols):
                weight.index_add_(1, seen[real], row[:, real])
                uniform.index_add_(0, seen[real], (1 / real.double().sum()).expand(int(real.sum())))
            return NOTHING

        with capture_attention(trained.model, add):
            trained.look(sample)
    layers = {layer: (total / rows_of[layer]).tolist() for layer, total in covered.items()}
    return {"layers": layers, "symbols": _symbols(weight, uniform, dictionary)}


def _stretches(slots: Tensor, real: Tensor) -> Tensor:
    """Attention ``M x L`` of slots to a document, by stretches, ``M x STRETCHES``."""
    slots = slots[:, real]
    place = torch.arange(slots.size(1)) * STRETCHES // max(slots.size(1), 1)
    return slots.new_zeros(len(slots), STRETCHES).index_add_(1, place, slots)


def _symbols(weight: Tensor, uniform: Tensor, dictionary: Any) -> list[list[dict[str, Any]]]:
    seen = uniform > uniform.sum() / 1000  # what hardly ever comes says little
    found = []
    for slot in weight:
        ratio = (slot / slot.sum().clamp(min=1e-12)) / (uniform / uniform.sum()).clamp(min=1e-12)
        ratio = ratio.where(seen, 0)
        most = ratio.topk(min(MOST, int(seen.sum())))
        found.append(
            [
                {"symbol": dictionary[symbol], "times_uniform": value}
                for symbol, value in zip(most.indices.tolist(), most.values.tolist())
            ]
        )
    return found
