"""Dropout on a CPU, where torch spends its time on drawing what to drop.

torch draws a number of 64 bits for every element, one after the other. Here an element gets 16.
"""

import torch
from torch import Tensor
from torch.nn import functional


def drop(x: Tensor, dropout: float) -> Tensor:
    """``x`` with some elements set to zero and the others made up for it.

    Args:
        x: of any shape.
        dropout: probability of an element, to the nearest 1/65536 on a CPU.
    """
    if not dropout or x.device.type != "cpu":
        return functional.dropout(x, dropout)
    # In place, which gives ones and zeros of 16 bits: torch compares into booleans one by one.
    kept = _draw(x).gt_(_dropped_of_65536(dropout) - 2**15 - 1)
    return x * kept.to(x.dtype).mul_(gain(dropout))


def is_drawn_here(x: Tensor) -> bool:
    """Whether marks can be drawn for such weights: on a CPU, with a float's room for them."""
    exact = x.dtype in (torch.float32, torch.float64)
    return exact and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def draw_marks(like: Tensor, dropout: float) -> Tensor:
    """At most -0.5 for every element that is dropped and at least 0.5 for the others.

    In the shape and type of ``like``.
    """
    return _draw(like).to(like.dtype).sub_(_dropped_of_65536(dropout) - 2**15 - 0.5)


def gain(dropout: float) -> float:
    """By what the kept elements are multiplied."""
    return 2**16 / max(1, 2**16 - _dropped_of_65536(dropout))


def _draw(like: Tensor) -> Tensor:
    """16 random bits for every element, as whole numbers from -32768 on."""
    bits = _random_words(-(-like.numel() // 4)).view(torch.int16)
    return bits[: like.numel()].view(like.shape)


def _random_words(count: int) -> Tensor:
    """Numbers of 64 bits, all of them random."""
    least = -(2**63)
    if torch.compiler.is_compiling():
        # torch.compile knows no `random_`. This gives the same numbers, and takes three times as
        # long where nothing is compiled, since it divides each by the length of its range.
        return torch.randint(least, -least - 1, (count,)) ^ least
    return torch.empty(count, dtype=torch.int64).random_(least, None)


def _dropped_of_65536(dropout: float) -> int:
    return max(1, round(dropout * 2**16))
