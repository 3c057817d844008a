"""The cache of Transformer-XL, section 3.2: rows that entered a layer in earlier segments.

As a state: ``rows``, ``B x S x C``, and ``visible``, ``B x S``, False where a row may not be read:
padding, or what a stream had before it began anew. No gradient goes through it, even in a window.
While a segment is written, ``entered`` are its own rows so far, of which none is padding.
"""

import torch
from torch import Tensor
from torch.nn import functional

from .segment import Segment
from .state import State


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
    cache: State = {name: state[name] for name in ("rows", "visible") if name in state}
    rows = rows.detach()
    if "entered" in state:
        rows = torch.cat([state["entered"], rows], dim=1)
    if not segment.last:
        return {**cache, "entered": rows}
    visible = functional.pad(segment.visible, (segment.begin, 0), value=True)
    if cache:
        # A checkpoint keeps half precision as float32.
        rows = torch.cat([cache["rows"].to(rows), rows], dim=1)
        visible = torch.cat([cache["visible"], visible], dim=1)
    # Copies, since a view keeps all rows of its segment in store.
    return {"rows": rows[:, -length:].clone(), "visible": visible[:, -length:].clone()}
