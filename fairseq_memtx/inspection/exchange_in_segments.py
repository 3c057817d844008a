"""A swap of what RMT and ARMT hand on: slots of memory, layer memories, caches.

Shapes: ``B`` rows, ``L`` tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ..data.streams import Text
from ..memory import State
from ..modules.state_holder import StateHolder
from . import text_rows
from .exchange import Predictions, exchanged, measure
from .handed_on import kept_of, part_of, parts_of
from .trained_model import TrainedModel


def swap(trained: TrainedModel, rows: text_rows.Rows) -> dict[str, Any]:
    """Exchange parts of the state at the border of the rows; see `exchange`."""
    border, padding = rows.border, trained.task.target_dictionary.pad()
    holder = StateHolder()
    with torch.no_grad():
        trained.model(rows.tokens[:, :border], holder=holder)
    target = rows.target[:, border:]
    places = target.ne(padding)
    alike = places.eq(places[:1]).all() and not isinstance(
        trained.task.dataset(trained.split), Text
    )

    def predict(parts: Sequence[str]) -> Predictions:
        state = StateHolder(exchange(holder.state, parts))
        with torch.no_grad():
            scores = text_rows.read(trained, rows.tokens[:, border:], state)
        partners = target.roll(-1, dims=0)[places] if alike else None
        return Predictions(scores[places], target[places], partners)

    return measure(predict, parts_of(kept_of(trained.model.decoder, holder.state)))


def exchange(state: State, parts: Sequence[str]) -> State:
    """The state with these parts of each stream's partner."""
    after = {
        name: kept.roll(-1, dims=0) if part_of(name) in parts else kept
        for name, kept in state.items()
    }
    if "memory" in state:
        slots = [int(part.split()[1]) for part in parts if part.startswith("slot ")]
        after["memory"] = exchanged(state["memory"], slots)
    return after
