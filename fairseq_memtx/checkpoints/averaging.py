"""The mean of several checkpoints' weights, for which fairseq's wheel has no script.

The result carries the configuration of the last input and no optimiser state: it is for generation,
or for ``--finetune-from-model``.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import MemtxError
from ..written_aside import written_aside
from . import safe_loading

NEEDED = ("args", "cfg", "model", "task_state", "extra_state", "optimizer_history")


def average_files(options: argparse.Namespace) -> None:
    """Average checkpoints by the options of ``fairseq-memtx average``, and write the result."""
    if options.output.exists():
        raise MemtxError(f"{options.output} exists: delete it, or give another --output")
    if not options.output.parent.is_dir():
        raise MemtxError(f"there is no folder {options.output.parent}: make it, for --output")
    inputs = options.inputs or newest_epochs(*options.last)
    averaged = average(inputs)
    with written_aside(options.output) as (partial,):
        torch.save(averaged, partial)
    print(f"wrote {options.output}, the average of {', '.join(map(str, inputs))}")


def newest_epochs(count: str, folder: str) -> list[Path]:
    """The last ``count`` of ``checkpoint<epoch>.pt`` in a folder, oldest first."""
    if not count.isdecimal():
        raise MemtxError(f"--last {count} {folder}: {count} is no number of epochs, such as 5")
    if not Path(folder).is_dir():
        raise MemtxError(f"there is no folder {folder}: check --last")
    epochs = {
        int(match[1]): path
        for path in Path(folder).glob("checkpoint*.pt")
        if (match := re.fullmatch(r"checkpoint(\d+)\.pt", path.name))
    }
    if not 1 <= int(count) <= len(epochs):
        raise MemtxError(
            f"{folder} has {len(epochs)} epoch checkpoints and {count} are to be averaged: "
            "train without --no-epoch-checkpoints, or give fewer"
        )
    return [epochs[epoch] for epoch in sorted(epochs)[-int(count) :]]


def average(paths: list[Path]) -> dict[str, Any]:
    """The mean of the models, in float64, with what the last file holds beside its weights.

    What counts, such as a version, is the last file's too. A file that is missing, broken, or of
    another model than the first is refused.
    """
    total: dict[str, Tensor] = {}
    first = None
    for path in tqdm(paths, desc="checkpoints", unit="file"):
        if not path.exists():
            raise MemtxError(f"there is no checkpoint {path}: check --inputs")
        state = safe_loading.load_checkpoint(str(path))
        weights = state["model"]
        described = {name: (value.shape, value.dtype) for name, value in weights.items()}
        first = first or described
        if described != first:
            raise MemtxError(
                f"checkpoint {path} is of another model or precision than {paths[0]}: average "
                "checkpoints of one training run"
            )
        for name, value in weights.items():
            total[name] = total.get(name, 0) + value.double()
    state["model"] = {
        name: (total[name] / len(paths)).to(value.dtype) if value.is_floating_point() else value
        for name, value in weights.items()
    }
    return {name: state[name] for name in NEEDED if name in state}
