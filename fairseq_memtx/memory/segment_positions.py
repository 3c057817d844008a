"""Where the rows of a segment stand: its tokens, and its memory where that has positions.

Shapes: ``B`` streams, ``T`` tokens of a segment, ``M`` memory tokens, ``C`` channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .segment_loop import nowhere

MEMORY_POSITIONS = ("none", "own", "running")


@dataclass(frozen=True)
class SegmentPositions:
    """Rows that are added to those of a segment.

    Args:
        embed: tokens, ``B x T``, to rows, ``B x T x C``, by their places.
        of_memory: ``none``, as in the papers; ``own``, the last ``M`` rows of a learned table, as
            the published ARMT of GPT-2 has them; or ``running``, places between those of the
            tokens, as the published RMT of GPT-2 has them.
        memory_tokens: ``M``.
        rows_ahead: of the read block.
        padding: the symbol that is none.
    """

    embed: Callable[[Tensor], Tensor]
    of_memory: str
    memory_tokens: int
    rows_ahead: int
    padding: int

    def tokens(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Of the tokens of a segment from ``begin`` on."""
        ahead = self.rows_ahead if self.of_memory == "running" else 0
        return self._running(tokens)[:, ahead + begin :]

    def memory(self, tokens: Tensor, writes: bool) -> Tensor:
        """Of a block, broadcasting to ``B x M x C``.

        Args:
            tokens: of the segment, up to the block.
            writes: whether it is the write block.
        """
        count = self.memory_tokens
        if self.of_memory == "none":
            return nowhere(tokens, writes)
        if self.of_memory == "own":
            return cast(nn.Embedding, self.embed).weight[-count:]
        rows = self._running(tokens, count if writes else 0)
        return rows[:, -count:] if writes else rows[:, :count]

    def _running(self, tokens: Tensor, behind: int = 0) -> Tensor:
        """Of the read block, if it takes places, of tokens, and of ``behind`` rows after them."""
        ahead = self.rows_ahead if self.of_memory == "running" else 0
        others = tokens.new_full((len(tokens), ahead + behind), self.padding + 1)
        return self.embed(torch.cat([others[:, :ahead], tokens, others[:, ahead:]], dim=1))
