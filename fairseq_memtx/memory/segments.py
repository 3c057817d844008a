"""What passes from segment to segment, and who sees whom inside one.

A segment is ``[read memory; tokens; write memory]`` (RMT, section 3): both blocks hold the memory
that came in, and the outputs of the write block are the memory that goes on.

Shapes: ``B`` streams, ``M`` memory tokens, ``T`` tokens of a segment, ``N`` its rows, ``S`` rows in
the cache, ``L`` layers, ``C`` channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class RecurrentState(NamedTuple):
    """What a segment hands to the next one.

    Attributes:
        memory: ``B x M x C``, or None before the first segment or without memory.
        cache: the layers' inputs at the last rows, ``B x L x S x C``, or None where there are none.
        cache_padding: ``B x S``, True where a cached row is not to be read.
    """

    memory: Tensor | None = None
    cache: Tensor | None = None
    cache_padding: Tensor | None = None

    def detached(self) -> RecurrentState:
        """The same values, out of reach of the gradient."""
        return RecurrentState(*(None if part is None else part.detach() for part in self))

    def to(self, device: torch.device) -> RecurrentState:
        """The same on another device."""
        return RecurrentState(*(None if part is None else part.to(device) for part in self))

    def reordered(self, order: Tensor) -> RecurrentState:
        """Rows ``order`` of the batch."""
        return RecurrentState(
            *(None if part is None else part.index_select(0, order) for part in self)
        )


class StateHolder:
    """Carries the state of the streams into a forward pass and out of it.

    Args:
        state: the state before the first segment.
        advance: after how many segments the state is to be kept; all, if None. (A window that moves
            by less than its length comes again to its later segments.)

    Attributes:
        memories: of the last pass, before each segment and after the last one, for statistics;
            they retain the gradients that they get.
    """

    def __init__(self, state: RecurrentState | None = None, advance: int | None = None) -> None:
        self.state = state or RecurrentState()
        self.advance = advance
        self.memories: list[Tensor] = []

    def of(self, model: nn.Module) -> StateHolder:
        """Itself: one model has it."""
        return self

    def note(self, memory: Tensor | None) -> None:
        """Add to `memories`."""
        if memory is not None:
            self.memories.append(memory)
            if memory.requires_grad:
                memory.retain_grad()


class StatesOfModels:
    """A `StateHolder` for each model of an ensemble, since all of them get the same batch."""

    def __init__(self) -> None:
        self._holders: dict[nn.Module, StateHolder] = {}

    def of(self, model: nn.Module) -> StateHolder:
        """The one of this model, which begins a new text at first."""
        return self._holders.setdefault(model, StateHolder())


def segment_mask(
    memory_tokens: int,
    tokens: int,
    cached: int = 0,
    write: bool = True,
    memory_reads_cache: bool = False,
    device: torch.device | None = None,
) -> Tensor:
    """What each row may not see, ``N x (S + N)``, True where it may not.

    Read rows see the read block; tokens see the read block and the past; write rows see everything;
    both blocks are bidirectional inside. Tokens see the cache, memory rows only if asked to.

    Args:
        memory_tokens: ``M``.
        tokens: ``T``.
        cached: ``S``.
        write: whether there is a write block, so ``N = 2M + T``, or not, ``N = M + T``.
        memory_reads_cache: whether memory rows see the cache.
        device: where to put the mask.
    """
    written = memory_tokens if write else 0
    rows = memory_tokens + tokens + written
    hidden = torch.ones(rows, rows, dtype=torch.bool, device=device).triu(1)
    hidden[:memory_tokens, :memory_tokens] = False
    hidden[rows - written :, rows - written :] = False
    from_cache = hidden.new_zeros(rows, cached)
    if not memory_reads_cache:
        from_cache[:memory_tokens] = True
        from_cache[rows - written :] = True
    return torch.cat([from_cache, hidden], dim=1)
