"""What a segment hands on to the next, in named parts: slots of memory, layer memories, caches.

Shapes: ``B`` rows, ``L`` tokens, ``M`` memory tokens, ``C`` channels.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..memory import State
from ..modules.state_holder import StateHolder

KINDS = {"A": "layer memory", "z": "layer memory", "rows": "cache", "visible": "cache"}


def part_of(name: str) -> str:
    """Of ``layers.0.A``, ``layer memory 0``."""
    *_, layer, kind = ("", *name.split("."))
    return f"{KINDS.get(kind, kind)} {layer}"


def parts_of(state: State) -> list[str]:
    """Names of all parts: every slot, and what each layer keeps."""
    slots = state["memory"].size(1) if "memory" in state else 0
    kept = [part_of(name) for name in state if name != "memory"]
    return [*(f"slot {slot}" for slot in range(slots)), *dict.fromkeys(kept)]


def vectors_of(state: State) -> dict[str, Tensor]:
    """Each slot and each layer memory as one vector a row, ``B x C`` or longer."""
    found = {}
    if "memory" in state:
        found = {f"slot {n}": slot for n, slot in enumerate(state["memory"].unbind(dim=1))}
    found |= {part_of(name): kept.flatten(1) for name, kept in state.items() if name[-2:] == ".A"}
    return found


def kept_of(decoder: Any, state: State) -> State:
    """What of a state the next segment reads: no memory where each begins anew."""
    begins_anew = not decoder.loop.recurrent
    return {name: x for name, x in state.items() if not (begins_anew and name == "memory")}


def states(model: Any, tokens: Tensor) -> Iterator[State]:
    """The state before the first segment of some rows, and after each of them.

    Args:
        model: of the family rmt_lm.
        tokens: ``B x L``.
    """
    holder = StateHolder()
    yield kept_of(model.decoder, model.decoder.loop.begin({}, len(tokens)))
    for segment in tokens.split(model.decoder.segment_length, dim=1):
        with torch.no_grad():
            model(segment, holder=holder)
        yield kept_of(model.decoder, holder.state)
