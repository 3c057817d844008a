"""A text that grows while it is written: what of it was read is not read again."""

import torch
from torch import Tensor

from .segment_loop import SegmentLoop
from .state import State, inside, reordered, under


class ContinuedText:
    """Texts of some streams, as far as they were read: the state of beam search.

    The layers keep, in their states, what they need of the segment's rows before. The write block
    is run once, when the segment is full and goes on.

    Args:
        loop: reads the text.
        state: what was left by the text before; none before a new one.

    Attributes:
        length: tokens read in all.
        state: with which the present segment began; what the layers keep since then; its tokens
            so far, ``B x t``; and what its read block became, ``B x M x C``.
        rows: rows of the segment that went through the layers.
    """

    def __init__(self, loop: SegmentLoop, state: State | None = None) -> None:
        self.loop = loop
        self.length = 0
        self.constants: State = {}
        self.state: State = dict(state or {})
        self.rows = 0

    def read(self, tokens: Tensor) -> Tensor:
        """Features of the tokens that were not read yet.

        Args:
            tokens: the whole texts, ``B x text``.
        """
        features = []
        unread = tokens[:, self.length :]
        while unread.size(1):
            if self._tokens() == self.loop.segment_length:
                self._end_segment()
            room = self.loop.segment_length - self._tokens()
            features.append(self._add_tokens(unread[:, :room]))
            unread = unread[:, room:]
        return torch.cat(features, dim=1)

    def reorder(self, order: Tensor) -> None:
        """Go on with streams ``order``."""
        self.state = reordered(self.state, order)

    def _tokens(self) -> int:
        return self.state["tokens"].size(1) if "tokens" in self.state else 0

    def _add_tokens(self, tokens: Tensor) -> Tensor:
        """Read tokens that still fit into the segment; the first bring the read block along."""
        loop, before = self.loop, self._tokens()
        first = not self.rows
        if first:
            self.state = loop.begin(self.state, len(tokens))
        else:
            tokens = torch.cat([self.state["tokens"], tokens], dim=1)
        self.state["tokens"] = tokens
        rows = loop.embed(tokens, before)
        new = rows.size(1)
        if first and loop.rows_ahead:
            rows = torch.cat([loop.block(self.state, tokens, False, rows), rows], dim=1)
        writes = loop.writes and loop.memory is not None
        rows = self._run(rows, last=not writes and tokens.size(1) == loop.segment_length)
        if first:
            self.state["read"] = rows[:, : loop.rows_ahead]
        self.length += new
        return loop.leave(rows[:, -new:])

    def _run(self, rows: Tensor, last: bool) -> Tensor:
        """Run the next rows of the segment, and keep what the layers do."""
        visible = torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device)
        segment = self.loop.segment(visible, self._tokens(), self.rows, last, self.constants)
        others = {name: part for name, part in self.state.items() if not name.startswith("layers.")}
        rows, layers = self.loop.layers(rows, inside(self.state, "layers"), segment)
        self.state = {**others, **under("layers", layers)}
        self.rows += rows.size(1)
        return rows

    def _end_segment(self) -> None:
        """Run the write block and let the next segment begin with what it gives."""
        memory = self.state["read"]
        if self.loop.writes and self.loop.memory is not None:
            block = self.loop.block(self.state, self.state["tokens"], True, memory)
            memory = self._run(block, last=True)
        self.state, self.rows = self.loop.hand_on(memory, inside(self.state, "layers")), 0
