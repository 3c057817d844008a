"""What a checkpoint of fairseq holds, and what is refused in its place.

A file that is whole and harmless (`safe_loading`) may still be anything. Here is the one
description of the parts that fairseq reads, each with its type, and of what weights are; of the
configuration see `settings`. What is asked for is what every version of fairseq since
2018 writes; parts that a version left out, and that fairseq fills in, may be missing.
"""

import math
from argparse import Namespace
from typing import Any

import torch
from fairseq.logging import meters
from torch import Tensor

from ..errors import MemtxError
from . import optimizer_state, settings
from .optimizer_state import NUMBER
from .settings import ADVICE, entries, kind_of

NOTHING = type(None)
# Parts of the whole, and of what is inside: where, type, whether it may be missing.
PARTS = [
    ("args", (NOTHING, Namespace), True),
    ("cfg", (NOTHING, dict), True),
    ("model", dict, False),
    ("criterion", (NOTHING, dict), True),
    ("extra_state", dict, True),
    ("extra_state.train_iterator", dict, True),
    ("extra_state.train_iterator.epoch", int, False),
    ("extra_state.train_iterator.iterations_in_epoch", int, True),
    ("extra_state.train_iterator.version", int, True),
    # Of `data.stream_iterator`.
    ("extra_state.train_iterator.updates", int, True),
    ("extra_state.train_iterator.layout", dict, True),
    ("extra_state.train_iterator.streams", (NOTHING, list), True),
    ("extra_state.train_iterator.window", (tuple, list), True),
    ("extra_state.val_loss", (NOTHING, *NUMBER), True),
    ("extra_state.best", (NOTHING, *NUMBER), True),
    ("extra_state.previous_training_time", NUMBER, True),
    ("extra_state.metrics", dict, True),
    ("optimizer_history", list, True),
    ("last_optimizer_state", (NOTHING, dict), True),
    ("last_optimizer_state.state", dict, True),
    ("last_optimizer_state.param_groups", list, True),
    ("task_state", dict, True),
]
OLD_PARTS = ("best_loss", "optimizer")  # in place of optimizer_history, before 2018
HISTORY = [
    ("criterion_name", str, True),
    ("optimizer_name", str, True),
    ("lr_scheduler_state", dict, True),
    ("lr_scheduler_state.best", (NOTHING, *NUMBER), True),
    ("num_updates", int, True),
]
# Of a stream's state, by the last part of its name: dimensions, and whether it is a mask.
STATE = {"memory": (3, False), "rows": (3, False), "visible": (2, True)}
STATE |= {"cache": (4, False), "cache_padding": (2, True), "A": (3, False), "z": (2, False)}
OLD_STATE = ("memory", "cache", "cache_padding")
METER = (int, str, str, dict)  # priority, name, class, state
MOST = 1 << 31  # epochs, batches and updates
NO_CHECKPOINT = "is no checkpoint of fairseq"


def check(state: Any, path: str) -> None:
    """Refuse what was read from a file and fairseq could not have written, naming the part."""
    try:
        _check(state, path)
    except ValueError as cause:  # of `entries`
        raise MemtxError(f"{path} {NO_CHECKPOINT}: a part of it has {cause}") from cause


def check_weights(weights: Any, path: str) -> None:
    """Refuse anything but a dict of dense tensors of finite numbers, naming the weight."""
    if not isinstance(weights, dict) or not weights:
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it holds no weights, {ADVICE}")
    for name, value in weights.items():
        if not isinstance(name, str):
            raise MemtxError(f"{path} has a weight that is named by {kind_of(name)}: {ADVICE}")
        if not isinstance(value, Tensor):
            raise MemtxError(f"{path} has {kind_of(value)} for the weight {name}: {ADVICE}")
        wrong = _wrong(value)
        if not wrong and name.endswith(("weight", "bias")) and not value.is_floating_point():
            wrong = f"is of {value.dtype}, and weights are of float"
        if wrong:
            raise MemtxError(f"{path} cannot be used: its weight {name} {wrong}")


def _check(state: Any, path: str) -> None:
    if not isinstance(state, dict):
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it holds {kind_of(state)}, {ADVICE}")
    for part, kinds, may_be_missing in PARTS:
        _check_part(state, part, kinds, may_be_missing, path)
    for either, other in (("cfg", "args"), ("extra_state", "epoch")):
        if state.get(either) is None and state.get(other) is None:
            raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no {either}, {ADVICE}")
    settings.check(state.get("cfg"), state.get("args"), path)
    check_weights(state["model"], path)
    settings.check_sizes(state.get("cfg"), state["model"], path)
    _check_history(state, path)
    _check_streams(state.get("extra_state", {}).get("train_iterator", {}), path)
    for part in ("extra_state", "last_optimizer_state"):
        _check_tensors(state.get(part), part, path)
    optimizer_state.check(state.get("last_optimizer_state") or {}, path)
    _check_metrics(state.get("extra_state", {}).get("metrics", {}), path)


def _check_part(state: Any, part: str, kinds: Any, may_be_missing: bool, path: str) -> None:
    *outer, last = part.split(".")
    for name in outer:
        state = state.get(name)
        if state is None:
            return
    if last not in state:
        if may_be_missing:
            return
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no {part}, {ADVICE}")
    value = state[last]
    # Python's truth values are numbers, fairseq's are not.
    several = isinstance(value, Tensor) and value.numel() != 1
    if not isinstance(value, kinds) or isinstance(value, bool) or several:
        raise MemtxError(f"{path} has {kind_of(value)} for {part}: {ADVICE}")
    if isinstance(value, int) and not 0 <= value < MOST:
        raise MemtxError(f"{path} has {value} for {part}: {ADVICE}")


def _check_history(state: dict[str, Any], path: str) -> None:
    if "optimizer_history" not in state:
        if any(part not in state for part in OLD_PARTS):
            raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no optimizer_history, {ADVICE}")
        return
    history = state["optimizer_history"]
    if not history or not all(isinstance(entry, dict) for entry in history):
        raise MemtxError(f"{path} has no dicts in its optimizer_history: {ADVICE}")
    for part, kinds, may_be_missing in HISTORY:
        _check_part(history[-1], part, kinds, may_be_missing, path)


def _check_streams(iterator: dict[str, Any], path: str) -> None:
    for state in iterator.get("streams") or []:
        if not (state is None or _is_state(state)):
            raise MemtxError(
                f"{path} has no states in extra_state.train_iterator.streams: {ADVICE}"
            )


def _is_state(state: Any) -> bool:
    """Whether these are named tensors that begin with the streams, each as its name needs it."""
    if isinstance(state, tuple):  # memory, cache and its padding, before they had names
        if len(state) > len(OLD_STATE) or len({part is None for part in state[1:]}) > 1:
            return False
        state = {name: part for name, part in zip(OLD_STATE, state) if part is not None}
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        return False
    if not all(isinstance(part, Tensor) and part.dim() for part in state.values()):
        return False
    for name, part in state.items():
        dimensions, is_mask = STATE.get(name.rpartition(".")[2], (part.dim(), None))
        if part.dim() != dimensions or is_mask not in (None, part.dtype is torch.bool):
            return False
    return len({len(part) for part in state.values()}) <= 1


def _check_tensors(content: Any, part: str, path: str) -> None:
    for name, value in entries(content):
        wrong = _wrong(value) if isinstance(value, Tensor) else None
        if wrong:
            raise MemtxError(f"{path} cannot be used: {name} of its {part} {wrong}")


def _check_metrics(metrics: dict[str, Any], path: str) -> None:
    """Meters are made by the names of their classes."""
    known = {kind.__name__ for kind in meters.Meter.__subclasses__()}
    for name, saved in metrics.items():
        for entry in saved if isinstance(saved, list) else [saved]:
            whole = isinstance(entry, (list, tuple)) and tuple(map(type, entry)) == METER
            if not whole or entry[2] not in known or str in map(type, entry[3].values()):
                raise MemtxError(f"{path} has no meters in extra_state.metrics.{name}: {ADVICE}")


def _wrong(value: Tensor) -> str | None:
    """Why a tensor cannot be a weight of a model, or None."""
    if value.is_meta:
        return "has a shape and no numbers"
    if value.layout is not torch.strided or value.is_quantized:
        return f"is {'quantised' if value.is_quantized else 'sparse'}, and weights are dense"
    if value.is_complex():
        return "is complex"
    if value.is_floating_point() and value.element_size() < 2:
        return f"is of {value.dtype}, in which nothing can be computed here"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "says the same numbers many times over"
    # Both ends are NaN where one number is, and no copy is made.
    ends = torch.aminmax(value.detach()) if value.numel() and value.dtype is not torch.bool else ()
    if not all(math.isfinite(float(end)) for end in ends):
        return "has NaN or infinity in it: the training diverged, use an earlier checkpoint"
    return None
