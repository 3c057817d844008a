"""Checkpoints are looked at before they are believed.

torch's ``weights_only`` protection stays on; `compat.allow_fairseq_checkpoints` adds to its
allow-list what fairseq itself writes. What else a file may hold is refused here, before anything of
it is built, with a message that names the object and the file.
"""

from __future__ import annotations

import functools
import os
import pickle

import torch
from fairseq import checkpoint_utils

from .errors import MemtxError


def check(path: str) -> None:
    """Look at a checkpoint without loading it.

    Raises:
        MemtxError: if the file is not a whole checkpoint, or if it holds anything that is neither a
            tensor, nor a plain value, nor on the allow-list.
    """
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return  # torch before 2.6 cannot tell; it does the checking, if any, while it loads
    if os.path.getsize(path) == 0:
        raise MemtxError(f"checkpoint {path} is empty: it was never written whole, use another one")
    try:
        objects = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:
        return  # the format of torch before 1.6, which is checked while it is read
    except Exception as cause:
        raise _cut_off(path) from cause
    if objects:
        raise _refused(path, ", ".join(sorted(objects)))


def guard_fairseq() -> None:
    """Put `check` in front of the one function by which fairseq reads checkpoints."""
    load = checkpoint_utils.load_checkpoint_to_cpu
    if hasattr(load, "__wrapped__"):
        return

    @functools.wraps(load)
    def load_checkpoint_to_cpu(path, *args, **kwargs):
        local_path = checkpoint_utils.PathManager.get_local_path(path)
        check(local_path)
        try:
            state = load(path, *args, **kwargs)
        except pickle.UnpicklingError as cause:
            raise _refused(path, str(cause).split("\n", 1)[0]) from cause
        except (RuntimeError, EOFError) as cause:
            raise _cut_off(path) from cause
        if "model" not in state:
            raise MemtxError(
                f"checkpoint {path} holds no model: give a file that fairseq-train wrote"
            )
        return state

    checkpoint_utils.load_checkpoint_to_cpu = load_checkpoint_to_cpu


def _refused(path: str, objects: str) -> MemtxError:
    return MemtxError(
        f"checkpoint {path} is refused, since it holds {objects}, which no checkpoint of fairseq "
        "needs and which could run code: use a checkpoint from a source you trust, or let its "
        "author save the weights alone"
    )


def _cut_off(path: str) -> MemtxError:
    return MemtxError(
        f"checkpoint {path} is cut off or not a checkpoint at all: copy it again, or use an "
        "earlier one"
    )
