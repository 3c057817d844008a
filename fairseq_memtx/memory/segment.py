"""Who sees whom inside a segment.

A segment is ``[read memory; tokens; write memory]`` (RMT, section 3): both blocks hold the memory
that came in, and the outputs of the write block are the memory that goes on. Where layers have
memories (ARMT) it may be ``[tokens; write memory]``.

Shapes: ``B`` streams, ``M`` memory tokens, ``T`` tokens of a segment, ``N`` rows at hand, ``R``
rows of the segment up to the last of them, ``S`` rows in a cache, ``C`` channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """What layers are told about the rows that go through them at once.

    These are all rows of a segment, or, while a text is written, the next of them.
    """

    hidden: Tensor  # what a row may not see of the segment, N x R, True where it may not
    visible: Tensor  # which rows later segments may see, B x N: all but padding
    # What nobody may see, B x R; None where nobody would (tokens never see the padding that comes
    # after them, so it is about the write block)
    padding: Tensor | None
    blind: Tensor  # which rows see nothing of earlier segments but their memory, N
    memory_tokens: int = 0  # M
    writes: bool = False  # whether the write block is at hand, as the last M rows
    begin: int = 0  # how many rows of the segment went through the layers before
    last: bool = True  # whether the segment's last row is at hand
    longest: int = 0  # rows of the longest segment of this text
    # Where layers keep, while a text is written, what they work out once for all its rows and
    # streams. Nothing that depends on the text may go in here
    constants: dict[str, Tensor] | None = None

    @property
    def write(self) -> slice:
        """Where the write block stands among the rows at hand; nowhere if it is not."""
        rows = len(self.hidden)
        return slice(rows - self.memory_tokens if self.writes else rows, rows)

    def hidden_with(self, visible: Tensor | None) -> Tensor:
        """What may not be seen of a cache and the segment; broadcasts to ``B x H x N x (S + R)``.

        Args:
            visible: which rows of the cache may be seen, ``B x S``; None without a cache.
        """
        hidden = self.hidden
        if self.padding is not None:
            # Padding itself sees itself, since a softmax needs something.
            others = ~torch.eye(len(hidden), dtype=torch.bool, device=hidden.device)
            hidden = hidden | (self.padding[:, None] & others)
        if visible is not None:
            of_cache = ~visible[:, None] | self.blind[:, None]
            hidden = torch.cat([of_cache, hidden.expand(len(visible), -1, -1)], dim=2)
        return hidden if hidden.dim() == 2 else hidden[:, None]


def segment_mask(
    memory_tokens: int,
    tokens: int,
    write: bool = True,
    device: torch.device | None = None,
    read: bool = True,
    causal: bool = False,
) -> Tensor:
    """What each row of a segment may not see of it, True where it may not.

    Read rows see the read block; tokens see the read block and the past; write rows see everything;
    both blocks are bidirectional inside.

    Args:
        memory_tokens: ``M``.
        tokens: ``T``.
        write: whether there is a write block, so ``2M + T`` rows, or not, ``M + T``.
        device: where to put the mask.
        read: whether there is a read block.
        causal: let no row see what comes after it, in the blocks either.
    """
    first = memory_tokens if read else 0
    last = first + tokens
    rows = last + (memory_tokens if write else 0)
    hidden = torch.ones(rows, rows, dtype=torch.bool, device=device).triu(1)
    if not causal:
        hidden[:first, :first] = False
        hidden[last:, last:] = False
    return hidden
