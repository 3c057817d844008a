"""Checkpoints are looked at before they are believed.

torch's ``weights_only`` protection stays on; `compat.allow_fairseq_checkpoints` adds to its
allow-list what fairseq itself writes. What else a file may hold is refused here, before anything of
it is built, with a message that names the object and the file.
"""

from __future__ import annotations

import functools
import os
import pickle
import re
from typing import Any

import torch
from fairseq import checkpoint_utils

from .errors import MemtxError


class TornCheckpoint(MemtxError):
    """A file that is not whole: empty, cut off or damaged."""


def check(path: str) -> None:
    """Look at a checkpoint before anything of it is built.

    Raises:
        TornCheckpoint: if the file is not a whole checkpoint.
        MemtxError: if it is a folder, or if it holds anything that is neither a tensor, nor a plain
            value, nor on the allow-list.
    """
    if os.path.isdir(path):
        raise MemtxError(
            f"checkpoint {path} is a folder: give the file in it, such as checkpoint_best.pt"
        )
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return  # torch before 2.6 cannot tell; it does the checking, if any, while it loads
    if os.path.getsize(path) == 0:
        raise TornCheckpoint(
            f"checkpoint {path} is empty: it was never written whole, use another one"
        )
    try:
        objects = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # the format of torch before 1.6 can be looked at only by loading it
        objects = _objects_of_old_format(path)
    except Exception as cause:
        raise _cut_off(path) from cause
    if objects:
        raise MemtxError(
            f"checkpoint {path} is refused, since it holds {', '.join(sorted(objects))}, which no "
            "checkpoint of fairseq needs and which could run code: use a checkpoint from a source "
            "you trust, or let its author save the weights alone"
        )


def load(path: str) -> dict[str, Any]:
    """A checkpoint as it was written, checked, on the CPU."""
    check(path)
    return torch.load(path, map_location="cpu")


def guard_fairseq() -> None:
    """Put `check` in front of the one function by which fairseq reads checkpoints."""
    unguarded = checkpoint_utils.load_checkpoint_to_cpu
    if hasattr(unguarded, "__wrapped__"):
        return

    @functools.wraps(unguarded)
    def load_checkpoint_to_cpu(path, *args, **kwargs):
        check(checkpoint_utils.PathManager.get_local_path(path))
        try:
            return unguarded(path, *args, **kwargs)
        except (
            KeyError
        ) as cause:  # fairseq's upgrade of old checkpoints misses what all of them had
            raise MemtxError(
                f"{path} is no checkpoint of fairseq: give a file that fairseq-train wrote"
            ) from cause

    checkpoint_utils.load_checkpoint_to_cpu = load_checkpoint_to_cpu


def _objects_of_old_format(path: str) -> list[str]:
    try:
        torch.load(path, map_location="cpu")
    except pickle.UnpicklingError as cause:
        named = re.search(r"GLOBAL ([\w.]+)", str(cause))
        if named:
            return [named[1]]
        raise _cut_off(path) from cause
    except Exception as cause:
        raise _cut_off(path) from cause
    return []


def _cut_off(path: str) -> TornCheckpoint:
    return TornCheckpoint(
        f"checkpoint {path} is cut off or not a checkpoint at all: copy it again, or use an "
        "earlier one"
    )
