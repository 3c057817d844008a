"""What a layer keeps of all segments: values under keys (ARMT, arXiv:2407.04841).

All rows of a segment read it before the layer. After the layer the rows of the write block are
written into it; so each layer has a memory of its own, which goes on at its own height.

Shapes: ``B`` streams, ``N`` rows, ``M`` rows of the write block, ``C`` channels, ``K`` channels of
a key's features.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .segment import Segment
from .segment_loop import Layers
from .state import State

EPSILON = 1e-5  # of the published code, in both quotients
ORDER = 3  # nu of DPFP
# The correction leaves features out of z that are in A. Of a query that has these alone, the
# quotient is thousands of times what rows are, and scores of attention in float16 overflow.
MOST_READ = 64.0


def key_features(x: Tensor) -> Tensor:
    """Features of queries and keys, never negative: DPFP-3 (arXiv:2102.11174, section 5.3).

    Args:
        x: ``... x D``.

    Returns:
        ``... x 6D``: every channel of ``[relu(x); relu(-x)]`` times the one 1, 2 and 3 before it.
    """
    both = torch.cat([x, -x], dim=-1).relu()
    return torch.cat([both * both.roll(places, dims=-1) for places in range(1, ORDER + 1)], dim=-1)


class AssociativeMemory(nn.Module):
    """The memory of one layer.

    Its state, in which zeros are a beginning: ``A``, ``B x K x C``, sums of key times value, and
    ``z``, ``B x K``, the sum of the keys. Both are of float32 at least. They are sums along a whole
    text, and to such a sum half precision adds nothing any more that is 1/256 of it.

    Args:
        channels: ``C``.
        key_channels: of queries and keys, a sixth of ``K``; d_mem of the paper.
        correction: let a key count once in ``z``, however often it is written (gamma).
    """

    def __init__(self, channels: int, key_channels: int = 64, correction: bool = True) -> None:
        super().__init__()
        self.features, self.correction = 2 * ORDER * key_channels, correction
        self.query_proj = nn.Linear(channels, key_channels, bias=False)
        self.key_proj = nn.Linear(channels, key_channels, bias=False)
        self.value_proj = nn.Linear(channels, channels, bias=False)
        self.strength_proj = nn.Linear(channels, 1)
        # So that a trained model to which the memory is added begins as what it was.
        nn.init.zeros_(self.value_proj.weight)

    def forward(
        self, layer: Layers, rows: Tensor, state: State, segment: Segment
    ) -> tuple[Tensor, State]:
        """Read, run the layer, and write.

        Args:
            layer: that which the memory is of.
            rows: ``B x N x C``.
            state: of memory and layer together.
            segment: what is known of the rows.
        """
        own = self._own(state, rows)
        rows, after = layer(rows + self.read(rows, own), state, segment)
        if segment.writes:
            own = self.write(rows[:, segment.write], own)
        return rows, {**after, **own}

    def read(self, rows: Tensor, state: State) -> Tensor:
        """What is stored under the rows' queries, ``B x N x C``; 0 before anything was written."""
        queries = self._features(self.query_proj, rows, state)
        with _exactly(rows):
            stored = _under(queries, state)
        if _in_float16(rows):
            stored = stored.clamp(-MOST_READ, MOST_READ)
        return stored.to(rows)

    def write(self, memory: Tensor, state: State) -> State:
        """The state after rows were written into it, all at once.

        Args:
            memory: outputs of the write block, ``B x M x C``.
            state: before the segment.
        """
        keys = self._features(self.key_proj, memory, state)
        values = self.value_proj(memory).to(keys)
        strength = self.strength_proj(memory).sigmoid().to(keys)
        with _exactly(memory):
            change = strength * (values - _under(keys, state))
            counted = self._novelty(keys, state["z"]) * keys if self.correction else keys
            return {
                "A": state["A"] + keys.transpose(1, 2) @ change,
                "z": state["z"] + counted.sum(dim=1),
            }

    def _features(self, projection: nn.Module, rows: Tensor, state: State) -> Tensor:
        return key_features(projection(rows).to(state["z"]))

    @torch.no_grad()
    def _novelty(self, keys: Tensor, z: Tensor) -> Tensor:
        """How new each key is, ``B x M x 1`` (gamma): 1 if so, 0 if it is in ``z`` already."""
        known = (keys @ z.unsqueeze(2) + EPSILON) / (keys.square().sum(2, keepdim=True) + EPSILON)
        # The published code is told of the first segment; a beginning is zeros, and all is new.
        anew = ~z.any(dim=1)
        return (1 - known).clamp(0, 1).masked_fill(anew[:, None, None], 1)

    def _own(self, state: State, rows: Tensor) -> State:
        if "A" in state:
            return {name: state[name] for name in ("A", "z")}
        exact = torch.promote_types(rows.dtype, torch.float32)
        return {
            "A": rows.new_zeros(len(rows), self.features, rows.size(2), dtype=exact),
            "z": rows.new_zeros(len(rows), self.features, dtype=exact),
        }


def around(memory: AssociativeMemory | None, layer: Layers) -> Layers:
    """A layer with its memory, if it has one."""
    return layer if memory is None else partial(memory, layer)


def _under(keys: Tensor, state: State) -> Tensor:
    """The values that are stored under keys, ``B x N x C``."""
    return keys @ state["A"] / (keys @ state["z"].unsqueeze(2) + EPSILON)


def _exactly(like: Tensor) -> Any:
    """Out of reach of autocast, which would take products with long sums in half precision."""
    return torch.autocast(_device(like), enabled=False)


def _in_float16(rows: Tensor) -> bool:
    """Whether attention computes in float16, to which the rows go."""
    device = _device(rows)
    cast = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.float16
    return cast or rows.dtype is torch.float16


def _device(like: Tensor) -> str:
    """Whose autocast it is."""
    return "cpu" if like.is_meta else like.device.type
