"""What a head does with memory: write it, work inside it, read it, or ignore it.

The rule. Each row of an attention map spreads a weight of 1 over the keys that it sees. Uniform
attention would give memory the share ``u`` of it that memory has among those keys; the head gives
it the share ``a``. Both are means over all rows of a kind that see memory and tokens alike. How
much more the head looks at memory is the ratio of the odds, in bits:
``g = log2 (a / (1 - a)) - log2 (u / (1 - u))``. Then a head

- **reads** if its tokens look at memory: ``g`` of the tokens' rows is at least 0.585 (3 to 2);
- **works** if its memory looks at memory: ``g`` of the memory's rows is at least 0.585;
- **writes** if its memory looks at tokens: ``g`` of the memory's rows is at most -0.585;
- is what it is most, where it is more than one of them; and
- **ignores** memory otherwise: it takes memory for no more than anything else.

Rows that see memory alone, or tokens alone, have no choice and say nothing, unless a head has no
others of their kind: one whose tokens see memory alone reads, one whose memory sees memory alone
works, and one whose memory sees tokens alone writes.

Shapes: ``B`` batch, ``H`` heads, ``Q`` queries, ``K`` keys.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

CLASSES = ("writes", "works", "reads", "ignores")
LEAST = math.log2(1.5)  # bits: half as much again as the odds of uniform attention
WITHOUT_CHOICE = 32.0  # bits, for a head whose rows see one kind alone


class RowKind(IntEnum):
    """What a row or a column of an attention map is."""

    PADDING = 0
    TOKEN = 1
    MEMORY = 2  # that is read; in an encoder the only one
    WRITTEN = 3  # a segment's write block


@dataclass
class HeadShares:
    """Where the attention of one head goes; shares are 0 to 1, None where there are no such rows.

    Those of uniform attention are beside them. All four are means over rows that have a choice, or
    over all, where none has one.
    """

    memory_to_memory: float | None
    memory_to_memory_uniform: float | None
    tokens_to_memory: float | None
    tokens_to_memory_uniform: float | None

    @property
    def of_memory(self) -> float:
        """How much more memory looks at memory than it would at random, in bits."""
        return _gain(self.memory_to_memory, self.memory_to_memory_uniform)

    @property
    def of_tokens(self) -> float:
        """How much more tokens look at memory than they would at random, in bits."""
        return _gain(self.tokens_to_memory, self.tokens_to_memory_uniform)

    @property
    def name(self) -> str:
        """One of `CLASSES`, by the rule of this file."""
        gains = {"reads": self.of_tokens, "works": self.of_memory, "writes": -self.of_memory}
        most = max(gains, key=gains.__getitem__)
        return most if gains[most] >= LEAST else "ignores"


def is_memory(kinds: Tensor) -> Tensor:
    """Which rows are memory."""
    return kinds >= RowKind.MEMORY


def shares_of(weights: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Sums over the rows of a map, which can be added up over maps for `head_shares`.

    A key is seen where its weight is not 0.

    Args:
        weights: ``B x H x Q x K``.
        queries: kinds, ``B x Q``, as in `RowKind`.
        keys: kinds, ``B x K``.

    Returns:
        ``H x 2 x 2 x 3``: of tokens' and of memory's rows, those without and with a choice: their
        number, their weight on memory, and what uniform attention would put there.
    """
    memory = is_memory(keys)[:, None, None]
    real = (keys != RowKind.PADDING)[:, None, None]
    seen = (weights > 0) & real
    on_memory = (weights * memory).sum(-1)
    uniform = (seen & memory).sum(-1).to(weights) / seen.sum(-1).clamp(min=1)
    choice = (uniform > 0) & (uniform < 1)
    numbers = torch.stack([torch.ones_like(on_memory), on_memory, uniform], dim=-1)
    kinds = ((queries == RowKind.TOKEN), is_memory(queries))
    # Rows of padding may be anything, numbers or not.
    parts = [
        numbers.where((of_kind[:, None] & (choice == chosen))[..., None], 0).sum(dim=(0, 2))
        for of_kind in kinds
        for chosen in (False, True)
    ]
    sums: Tensor = torch.stack(parts, dim=1).unflatten(1, (2, 2)).double()
    return sums


def head_shares(sums: Tensor) -> list[HeadShares]:
    """Of every head, by what `shares_of` gave, summed over all maps of a layer."""
    found = []
    for head in sums:
        tokens, memory = map(_means, head)
        found.append(HeadShares(*memory, *tokens))
    return found


def _means(rows: Tensor) -> tuple[float | None, float | None]:
    """Share of memory, and that of uniform attention, of rows of one kind, ``2 x 3``."""
    without, choice = rows.tolist()
    count, share, uniform = choice if choice[0] else without
    return (share / count, uniform / count) if count else (None, None)


def _gain(share: float | None, uniform: float | None) -> float:
    if share is None or uniform is None:
        return 0.0
    if uniform in (0.0, 1.0):
        return WITHOUT_CHOICE if uniform else -WITHOUT_CHOICE
    return _odds(share) - _odds(uniform)


def _odds(share: float) -> float:
    least = 2.0**-WITHOUT_CHOICE
    share = min(max(share, least), 1 - least)
    return math.log2(share / (1 - share))
