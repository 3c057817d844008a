"""Attention of chosen layers and heads to one input, with memory told from tokens.

Maps of long inputs are made smaller: tokens beside each other are taken together, as queries by
their mean and as keys by their sum, so that rows still sum to one. Memory is left as it is.

Shapes: ``H`` heads, ``Q`` queries, ``K`` keys, ``N`` rows or columns.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import MemtxError
from ..memory import RowKind, capture_attention
from ..modules.attention_rows import AttentionRows, RowFinder
from .trained_model import TrainedModel

LONGEST = 64  # tokens of a map, beyond which some are taken together
NOTHING = torch.empty(0)  # is kept of the maps
LETTER = {RowKind.MEMORY: "m", RowKind.WRITTEN: "w"}  # of memory's rows, before their number


class Side(NamedTuple):
    """Rows or columns of a map, and which of them are taken together."""

    names: list[str]
    kinds: list[int]
    groups: Tensor  # N, counting from 0


def measure(
    trained: TrainedModel, sample: dict[str, Any], layers: str, heads: str
) -> dict[str, Any]:
    """Maps of the first input of a batch.

    Args:
        trained: what reads it.
        sample: a batch.
        layers: their numbers, as ``0,2``, or ``all``; the same in every stack.
        heads: likewise.

    Returns:
        ``maps``, records: ``layer``, ``head``, ``part`` (of which segment), ``queries`` and
        ``keys`` (names), ``query_kinds`` and ``key_kinds`` (numbers of `RowKind`), and
        ``weights``, a list for each query.
    """
    finder = RowFinder(trained.model, sample["net_input"])
    found: list[tuple[AttentionRows, Tensor]] = []

    def add(name: str, weights: Tensor) -> Tensor:
        rows = finder.find(name, weights)
        if rows is not None:
            found.append((rows, weights[0].clone()))
        return NOTHING

    with capture_attention(trained.model, add):
        trained.look(sample)
    numbers = {int(rows.layer.split()[1]) for rows, _ in found}
    chosen = _chosen("--layers", layers, max(numbers) + 1)
    maps = []
    for rows, weights in found:
        if int(rows.layer.split()[1]) not in chosen:
            continue
        dictionary = trained.task.source_dictionary
        keys = _side(rows.keys[0], rows.key_symbols[0], dictionary)
        if rows.layer.startswith("decoder"):
            dictionary = trained.task.target_dictionary
        queries = _side(rows.queries[0], rows.query_symbols[0], dictionary)
        for head in _chosen("--heads", heads, len(weights)):
            smaller = _together(weights[head], queries.groups, keys.groups)
            record = {"layer": rows.layer, "head": head, "part": rows.part}
            record |= {"queries": queries.names, "query_kinds": queries.kinds}
            record |= {"keys": keys.names, "key_kinds": keys.kinds}
            maps.append({**record, "weights": smaller.tolist()})
    return {"maps": maps}


def _chosen(flag: str, numbers: str, count: int) -> list[int]:
    """The numbers that a flag asks for."""
    if numbers == "all":
        return list(range(count))
    chosen = numbers.split(",")
    if all(number.isdecimal() and int(number) < count for number in chosen):
        return [int(number) for number in chosen]
    raise MemtxError(f"{flag} {numbers}: use 'all' or numbers of 0 to {count - 1}, such as 0,1")


def _side(kinds: Tensor, symbols: Tensor, dictionary: Any) -> Side:
    tokens = int((kinds == RowKind.TOKEN).sum())
    together = -(-tokens // LONGEST)
    names: list[str] = []
    of_groups: list[int] = []
    groups = []
    size = 0  # of the group at hand
    for kind, symbol in zip(kinds.tolist(), symbols.tolist()):
        goes_on = kind == RowKind.TOKEN and 0 < size < together and of_groups[-1] == kind
        if not goes_on:
            name = f"[{LETTER[RowKind(kind)]}{symbol}]" if kind in LETTER else "..."
            if kind not in LETTER and symbol >= 0:
                name = dictionary[symbol]
            names.append(name)
            of_groups.append(kind)
            size = 0
        size += 1
        groups.append(len(names) - 1)
    return Side(names, of_groups, torch.tensor(groups))


def _together(weights: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """A map ``Q x K`` by groups of queries and of keys."""
    count = int(queries.max()) + 1
    by_query = weights.new_zeros(count, weights.size(1)).index_add_(0, queries, weights)
    by_query = by_query / queries.bincount(minlength=count)[:, None]
    return by_query.new_zeros(count, int(keys.max()) + 1).index_add_(1, keys, by_query)
