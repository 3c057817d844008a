"""A checkpoint as a model that writes, with its task and the folder that has its dictionary."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import torch
from fairseq import checkpoint_utils, tasks, utils
from omegaconf import open_dict

from ..errors import MemtxError


class TrainedModel(NamedTuple):
    """What a checkpoint holds."""

    model: Any  # made fast, which ends its training; on a GPU where there is one
    task: Any
    cfg: Any
    folder: Path  # of the data


def load(options: argparse.Namespace, kind: type, other: str) -> TrainedModel:
    """Load ``options.checkpoint`` for ``options.data``; a task of another kind is refused.

    Args:
        options: those, and ``cpu``.
        kind: of the task, or several.
        other: what to do with a checkpoint of another kind.

    Raises:
        MemtxError: if there is no such checkpoint or dictionary, or it is of another kind.
    """
    path = options.checkpoint
    if not path.exists():
        raise MemtxError(f"there is no checkpoint {path}: give one that fairseq-train wrote")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    cfg = state["cfg"]
    task_class = tasks.TASK_REGISTRY[cfg.task._name]
    if not issubclass(task_class, kind):
        raise MemtxError(f"{path} was trained with --task {cfg.task._name}: {other}")
    folder = data_folder(options, cfg.task.data)
    with open_dict(cfg):
        cfg.task.data = str(folder)
    (model,), cfg, task = checkpoint_utils.load_model_ensemble_and_task([str(path)], state=state)
    if torch.cuda.is_available() and not options.cpu:
        model = model.cuda()
    model.make_generation_fast_()
    return TrainedModel(model, task, cfg, folder)


def data_folder(options: argparse.Namespace, then: str | None) -> Path:
    """``--data``, or the folder of the training, or else the one of the checkpoint."""
    named = utils.split_paths(then or "")[:1]
    folders = [options.data] if options.data else [*map(Path, named), options.checkpoint.parent]
    for folder in folders:
        if any(folder.glob("dict*.txt")):
            return folder
    looked = " or ".join(map(str, folders))
    raise MemtxError(
        f"there is no dictionary (dict.txt) in {looked}: give the data folder of the training "
        "with --data"
    )
