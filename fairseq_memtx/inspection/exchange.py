"""A causal swap: parts of memory are exchanged between two inputs; whose output follows?

Each input has a partner, the next one in its batch. It is read up to where memory is taken from it,
a part of its memory is replaced by that of its partner, and what it predicts from there on is
compared with what it predicts with its own memory, and with all of its partner's.

Shapes: ``P`` places at which something is predicted, ``V`` symbols.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

ALL, OWN = "all", "none"


class Predictions(NamedTuple):
    """What is predicted, and what would have been right."""

    scores: Tensor  # P x V, log probabilities
    own: Tensor  # P, what is right for the input itself
    partners: Tensor | None = None  # P, what is right for its partner, where that can be said


def measure(
    predict: Callable[[Sequence[str]], Predictions], parts: Sequence[str]
) -> dict[str, Any]:
    """Exchange nothing, everything, and every part alone.

    Args:
        predict: exchanges parts, by their names, and predicts.
        parts: all there are.

    Returns:
        ``places``, and how many of them are ``decided`` by memory: their likeliest symbol is
        another if all of memory is exchanged. ``exchanged``, a list of records: the ``part``;
        ``follows``, the share of the decided places whose symbol is that of the partner's memory;
        ``own`` and ``partners``, how often the likeliest symbol is right for either; ``bits`` per
        place, for the input itself; ``moved``, the Kullback-Leibler divergence of what is predicted
        from what is predicted with the input's own memory, in bits a place.
    """
    before, after = predict([]), predict(parts)
    decided = before.scores.argmax(-1) != after.scores.argmax(-1)
    theirs = after.scores.argmax(-1)

    def record(part: str, found: Predictions) -> dict[str, Any]:
        likeliest = found.scores.argmax(-1)
        return {
            "part": part,
            "follows": _share(likeliest.eq(theirs)[decided]),
            "own": _share(likeliest.eq(found.own)),
            "partners": None if found.partners is None else _share(likeliest.eq(found.partners)),
            "bits": float(-found.scores.gather(1, found.own[:, None]).mean()) / math.log(2),
            "moved": _divergence(before.scores, found.scores),
        }

    exchanged = [record(OWN, before), record(ALL, after)]
    exchanged += [record(part, predict([part])) for part in parts]
    return {"places": len(decided), "decided": int(decided.sum()), "exchanged": exchanged}


def exchanged(rows: Tensor, chosen: Sequence[int], dim: int = 1) -> Tensor:
    """Rows ``B x N x ...`` in which some of the ``N`` are the partner's."""
    if not len(chosen):
        return rows
    index = torch.tensor(chosen, device=rows.device)
    partners = rows.roll(-1, dims=0).index_select(dim, index)
    return rows.index_copy(dim, index, partners)


def _share(found: Tensor) -> float | None:
    return float(found.double().mean()) if len(found) else None


def _divergence(before: Tensor, after: Tensor) -> float:
    there = before.exp() * (before - after)
    return float(there.where(before > -math.inf, 0).sum(-1).mean()) / math.log(2)
