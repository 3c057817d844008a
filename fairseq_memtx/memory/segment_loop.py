"""The loop over segments: where memory goes from one segment to the next (RMT, section 3).

Data flow: the text is cut into segments of ``T`` tokens. Each becomes rows ``[read memory; tokens;
write memory]``, which go through all layers at once. The tokens' rows are the features; the write
block's are the memory of the next segment. Nothing is kept here: the state comes in and goes out.
(Where layers keep what that wrote, there may be no read block; see `associative_memory`.)

Shapes: ``B`` streams, ``T`` tokens of a segment, ``M`` memory tokens, ``N`` rows, ``C`` channels.
"""

from dataclasses import dataclass
from typing import Callable, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .segment import Segment, segment_mask
from .state import State, detached, emptied, inside, under
from .tokens import MemoryTokens

# What every layer is, and a stack of layers too: rows ``B x N x C`` and the layer's own state to
# rows and the state after them. A layer without a state gives back an empty one.
Layers: TypeAlias = Callable[[Tensor, State, Segment], tuple[Tensor, State]]


class Reading(NamedTuple):
    """What came of a text."""

    features: Tensor  # B x text x C, without the text of the warm-up
    state: State  # with which the next window begins, out of reach of the gradient
    memories: list[Tensor]  # B x M x C before each segment and after the last one


def rows_from(text: Tensor, begin: int) -> Tensor:
    """The rows of a text from ``begin`` on, where it is given in rows, ``B x T x C``."""
    return text[:, begin:]


def unchanged(rows: Tensor) -> Tensor:
    """The rows themselves."""
    return rows


def nowhere(tokens: Tensor, writes: bool) -> Tensor:
    """Zero: memory has no position."""
    return torch.zeros((), device=tokens.device)


@dataclass(frozen=True)
class SegmentLoop:
    """Reads texts segment by segment.

    An RMT of torch's own layers::

        def __init__(self):
            ...
            self.memory = MemoryTokens(4, channels, scale=1.0)
            self.loop = SegmentLoop(self.layers, segment_length=16, memory=self.memory)

        def layers(self, rows, state, segment):
            return self.encoder(rows, segment.hidden, is_causal=False), state

        def forward(self, tokens, state=None):
            reading = self.loop.read(self.embedding(tokens), state)
            return self.projection(reading.features), reading.state

    Args:
        layers: see `Layers`.
        segment_length: ``T``.
        memory: the learned memory of the first segment; None for a model without memory.
        embed: tokens of a segment, and how many of them were embedded before, to the rows of the
            others; for a text in other forms than rows.
        leave: rows of tokens to features.
        padding_idx: the token that is none; None for a text without padding.
        reads: whether there is a read block. There has to be one of the two.
        writes: whether there is a write block. Without one, what goes on is the read block.
        recurrent: whether memory goes on, or begins anew in each segment.
        memory_positions: tokens of a segment, and whether it is about its write block or its read
            block, to what is added to the rows of the block.
        causal: whether memory rows see nothing that comes after them, as in published GPT-2 models.
        memory_reads_cache: whether memory rows see what layers keep of earlier segments.
        recompute: compute segments again in the backward pass, to save activation memory.
    """

    layers: Layers
    segment_length: int
    memory: MemoryTokens | None = None
    embed: Callable[[Tensor, int], Tensor] = rows_from
    leave: Callable[[Tensor], Tensor] = unchanged
    padding_idx: int | None = None
    reads: bool = True
    writes: bool = True
    recurrent: bool = True
    memory_positions: Callable[[Tensor, bool], Tensor] = nowhere
    causal: bool = False
    memory_reads_cache: bool = False
    recompute: bool = False

    @property
    def memory_tokens(self) -> int:
        """``M``."""
        return 0 if self.memory is None else len(self.memory.weight)

    @property
    def rows_ahead(self) -> int:
        """Rows of the read block."""
        return self.memory_tokens if self.reads else 0

    def read(
        self,
        text: Tensor,
        state: State | None = None,
        resets: Tensor | None = None,
        warm_up: int = 0,
        advance: int | None = None,
    ) -> Reading:
        """Read a window of a text.

        Args:
            text: ``B x text``, or what else `embed` takes, padded on the right.
            state: what the window before it left; a new text without it.
            resets: ``B x segments``, True where a stream begins anew with this segment.
            warm_up: the first segments that are read without being predicted.
            advance: after how many segments the next window begins; all, if None. (A window that
                moves by less than its length comes again to its later segments.)
        """
        state = self.begin(state or {}, len(text))
        following, features, memories = None, [], _memory_of(state)
        for index, segment in enumerate(text.split(self.segment_length, dim=1)):
            if index == advance:
                following = state
            reset = None if resets is None else resets[:, index]
            if self.recompute and torch.is_grad_enabled():
                rows, state = checkpoint(
                    self.read_segment, segment, state, reset, use_reentrant=False
                )
            else:
                rows, state = self.read_segment(segment, state, reset)
            memories += _memory_of(state)
            if index >= warm_up:
                features.append(rows)
        return Reading(
            torch.cat(features, dim=1),
            detached(state if following is None else following),
            memories,
        )

    def read_segment(
        self, tokens: Tensor, state: State, reset: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """One segment: features ``B x T x C`` and the state after it.

        Args:
            tokens: ``B x T``, the last segment of a text may be shorter.
            state: what the segment before it handed on.
            reset: ``B``, True for a stream that begins anew.
        """
        state = self.begin(state, len(tokens), reset)
        rows = self.embed(tokens, 0)
        first, last = self.rows_ahead, self.rows_ahead + rows.size(1)
        if self.memory is not None:
            ahead = [self.block(state, tokens, False, rows)] if self.reads else []
            behind = [self.block(state, tokens, True, rows)] if self.writes else []
            rows = torch.cat([*ahead, rows, *behind], dim=1)
        visible = torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device)
        if self.padding_idx is not None:
            visible[:, first:last] = tokens.ne(self.padding_idx)
        segment = self.segment(visible, last - first, 0, last=True)
        rows, layers = self.layers(rows, inside(state, "layers"), segment)
        memory = rows[:, last:] if self.writes else rows[:, :first]
        return self.leave(rows[:, first:last]), self.hand_on(memory, layers)

    def begin(self, state: State, streams: int, reset: Tensor | None = None) -> State:
        """The state with which a segment begins: learned memory where none was handed on."""
        if reset is not None:
            state = emptied(state, reset)
        if self.memory is None:
            return state
        learned, memory = self.memory(streams), state.get("memory")
        if memory is None or not self.recurrent:
            return {**state, "memory": learned}
        # Also where no stream begins anew: data parallelism waits for the learned memory's
        # gradient, of zero then, in every step.
        anew = memory.new_zeros(streams, dtype=torch.bool) if reset is None else reset
        memory = torch.where(anew[:, None, None], learned.to(memory), memory)
        return {**state, "memory": memory}

    def block(self, state: State, tokens: Tensor, writes: bool, like: Tensor) -> Tensor:
        """The read or the write block as it enters the layers, ``B x M x C``.

        Args:
            state: with which the segment began.
            tokens: of the segment, up to the block.
            writes: which of the two.
            like: rows of the segment, by their type.
        """
        return state["memory"].to(like) + self.memory_positions(tokens, writes).to(like)

    def hand_on(self, memory: Tensor, layers: State) -> State:
        """The state after a segment, of its memory and of what its layers keep."""
        state = under("layers", layers)
        if self.memory is not None:
            state["memory"] = memory.clone()  # a view keeps all rows of its segment in store
        return state

    def segment(
        self,
        visible: Tensor,
        tokens: int,
        begin: int,
        last: bool,
        constants: State | None = None,
    ) -> Segment:
        """What layers are told of rows at hand; see `Segment`.

        Args:
            visible: ``B x N``, False for padding.
            tokens: how many the segment has, those at hand included.
            begin: rows before them.
            last: whether the last row is among them.
            constants: of the text.
        """
        end = begin + visible.size(1)
        writes = self.writes and self.memory is not None
        hidden = segment_mask(
            self.memory_tokens, tokens, writes, visible.device, self.reads, self.causal
        )
        of_memory = torch.ones(len(hidden), dtype=torch.bool, device=visible.device)
        of_memory[self.rows_ahead : self.rows_ahead + tokens] = False
        whole = begin == 0 and last
        return Segment(
            hidden[begin:end, :end],
            visible,
            ~visible if writes and whole and self.padding_idx is not None else None,
            of_memory[begin:end] & (not self.memory_reads_cache),
            self.memory_tokens,
            writes and last,
            begin,
            last,
            self.segment_length + (self.reads + writes) * self.memory_tokens,
            constants,
        )


def _memory_of(state: State) -> list[Tensor]:
    return [state["memory"]] if "memory" in state else []
