"""The cache of Transformer-XL, section 3.2: rows that entered a layer in earlier segments.

As a state: ``rows``, ``B x S x C``, and ``visible``, ``B x S``, False where a row may not be read:
padding, or what a stream had before it began anew. No gradient goes through it, even in a window.
While a segment is written, its own rows so far stand behind those of the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .segment import Segment
from .state import State


def cached(state: State, segment: Segment) -> State:
    """What earlier segments left in a layer's state, without the rows of the present one."""
    if "rows" not in state:
        return {}
    size = state["visible"].size(1) - segment.begin
    return {name: state[name][:, :size] for name in ("rows", "visible")}


def with_rows(state: State, rows: Tensor, segment: Segment, length: int) -> State:
    """The cache in a layer's state after rows of a segment entered the layer.

    Args:
        state: before it.
        rows: ``B x N x C``.
        segment: what is known of them.
        length: ``S`` of a full cache; nothing is kept if it is 0.
    """
    if not length:
        return {}
    rows, visible = rows.detach(), segment.visible
    if "rows" in state:
        # A checkpoint keeps half precision as float32.
        rows = torch.cat([state["rows"].to(rows), rows], dim=1)
        visible = torch.cat([state["visible"], visible], dim=1)
    if segment.last:
        # Copies, since a view keeps all rows of its segment in store.
        rows, visible = rows[:, -length:].clone(), visible[:, -length:].clone()
    return {"rows": rows, "visible": visible}
