"""The state of streams: named tensors, which a segment leaves for the next one.

The names of a tree, as in torch's state dicts: ``memory``, ``layers.0.visible``. The first
dimension of every tensor are the streams, and zeros are what a stream begins with; so whatever a
layer keeps is moved, detached, reordered, emptied and saved like everything else.
"""

from typing import Callable, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = dict[str, Tensor]


def inside(state: State, name: str) -> State:
    """The part of a state whose names begin with ``name``, by the rest of their names."""
    prefix = f"{name}."
    return {key[len(prefix) :]: part for key, part in state.items() if key.startswith(prefix)}


def under(name: str, state: State) -> State:
    """A state as part ``name`` of a larger one."""
    return {f"{name}.{key}": part for key, part in state.items()}


def detached(state: State) -> State:
    """The same values, out of reach of the gradient."""
    return _each(state, Tensor.detach)


def moved(state: State, device: torch.device | str) -> State:
    """The same on another device."""
    return _each(state, lambda part: part.to(device))


def reordered(state: State, order: Tensor) -> State:
    """Streams ``order``, which may be more or fewer than before."""
    return _each(state, lambda part: part.index_select(0, order))


def emptied(state: State, streams: Tensor) -> State:
    """Zeros for the streams that are marked in ``streams``, ``B``, and the same for the others."""
    return _each(state, lambda part: part.masked_fill(streams.view(-1, *[1] * (part.dim() - 1)), 0))


def _each(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return {name: change(part) for name, part in state.items()}
