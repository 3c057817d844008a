"""A text that is being written, as far as it was read."""

from __future__ import annotations

from torch import Tensor

from .segments import RecurrentState


class ContinuedText:
    """A text that grows, as far as it was read: the state of beam search.

    Attributes:
        length: tokens read in all.
        state: with which the present segment began.
        tokens: what was read of the present segment, at most ``B x T``; None before its first.
        rows: rows of the segment that went through the layers.
        keys: store of their keys and values.
        inputs: inputs of the layers at these rows, for the cache.
        read_output: what the read block became, ``B x M x C``.
    """

    def __init__(self) -> None:
        self.length = 0
        self.begin_segment(RecurrentState())

    def begin_segment(self, state: RecurrentState) -> None:
        """Forget the present segment and go on with ``state``."""
        self.state = state
        self.tokens: Tensor | None = None
        self.rows = 0
        self.keys: dict = {}
        self.inputs: list[list[Tensor]] = []
        self.read_output: Tensor | None = None

    def reorder(self, order: Tensor) -> None:
        """Rows ``order`` of the batch; the keys are reordered by the layers that wrote them."""
        self.state = self.state.reordered(order)
        self.inputs = [[part.index_select(0, order) for part in parts] for parts in self.inputs]
        if self.tokens is not None:
            self.tokens = self.tokens.index_select(0, order)
            self.read_output = self.read_output.index_select(0, order)
