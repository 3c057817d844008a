"""What the decoder of a translation model takes from memory.

Shapes: ``B`` batch, ``H`` heads, ``M`` memory tokens, ``T`` source tokens, ``W`` target words.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from ..memory import RowKind, capture_attention, is_memory
from ..modules.attention_rows import RowFinder
from .trained_model import TrainedModel

MOST = 12  # symbols that are listed
SEEN = 5  # times at least, for a symbol to be listed
NOTHING = torch.empty(0)  # is kept of the maps


def measure(trained: TrainedModel) -> dict[str, Any]:
    """Follow the decoder's attention to the encoder over the set, after the reference's words.

    Returns:
        ``layers``, by the name of each the share of its attention that each slot gets, over all
        heads and words; ``uniform``, the share that a slot would get of uniform attention; and
        ``symbols``, those for which the decoder takes most from memory: records of ``symbol`` (the
        word that is to be written), ``times`` and ``share``.
    """
    pad, dictionary = trained.task.target_dictionary.pad(), trained.task.target_dictionary
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    words, uniform = 0, 0.0
    weight = torch.zeros(len(dictionary), dtype=torch.double)
    for sample in trained.read("reading of the decoder"):
        target, finder = sample["target"], RowFinder(trained.model, sample["net_input"])
        layers: list[Tensor] = []

        def add(name: str, maps: Tensor, finder: Any = finder, layers: Any = layers) -> Tensor:
            rows = finder.find(name, maps)
            if rows is not None and rows.layer.startswith("decoder"):
                slots = maps[..., is_memory(rows.keys[0])].mean(1)  # B x W x M
                written = rows.queries == RowKind.TOKEN
                sums[rows.layer] = sums[rows.layer] + slots[written].sum(0).double()
                layers.append(slots.sum(-1))
            return NOTHING

        with capture_attention(trained.model, add):
            trained.look(sample)
        real = target.ne(pad)
        taken = torch.stack(layers).mean(0)[real]
        weight.index_add_(0, target[real], taken.double())
        words += int(real.sum())
        source = sample["net_input"]["src_tokens"].ne(pad).sum(1)
        source = source * (not trained.model.decoder.reads_memory_alone)
        uniform += float((real.sum(1) / (source + trained.memory_tokens)).sum())
    times = torch.zeros(len(dictionary), dtype=torch.double)
    for sample in trained.samples:
        times += sample["target"].flatten().bincount(minlength=len(dictionary))
    return {
        "layers": {layer: (total / words).tolist() for layer, total in sums.items()},
        "uniform": uniform / words,
        "symbols": _symbols(weight, times, dictionary, pad),
    }


def _symbols(weight: Tensor, times: Tensor, dictionary: Any, pad: int) -> list[dict[str, Any]]:
    listed = (times >= SEEN) & (torch.arange(len(times)) != pad)
    share = (weight / times.clamp(min=1)).where(listed, -1)
    most = share.topk(min(MOST, int(listed.sum()))).indices.tolist()
    return [
        {"symbol": dictionary[symbol], "times": int(times[symbol]), "share": float(share[symbol])}
        for symbol in most
    ]
