"""The checkpoint that a training run begins with: the one asked for, or the newest whole one."""

import logging
import os
import re
from typing import Any

import torch
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer

from ..compat.broadcast_state import told_by_first_worker
from ..errors import MemtxError
from ..put_around import put_around
from . import safe_loading

logger = logging.getLogger(__name__)

# fairseq's default of --restore-file, which it looks for in --save-dir.
LAST = "checkpoint_last.pt"


def guard_fairseq() -> None:
    """Let fairseq's trainer begin with a checkpoint that is there and whole."""
    put_around("fairseq.trainer:Trainer.load_checkpoint", _load_checkpoint)


def _load_checkpoint(load: Any, trainer: Trainer, filename: str, *args: Any, **kwargs: Any) -> Any:
    # Before anything is loaded, and sent to workers who would wait for it.
    other = told_by_first_worker(trainer, lambda: taken_instead(trainer, filename))
    return load(trainer, other or filename, *args, **kwargs)


def taken_instead(trainer: Trainer, filename: str) -> str | None:
    """The newest whole checkpoint where the last one is torn, None where it is not.

    A checkpoint that somebody asked for, and that is not there or no file, is refused.
    """
    cfg = trainer.cfg.checkpoint
    last = os.path.join(cfg.save_dir, LAST.replace(".pt", f"{trainer.checkpoint_suffix}.pt"))
    asked_for = cfg.restore_file != LAST or filename != last
    if not PathManager.isfile(filename):
        if asked_for or PathManager.exists(filename):
            raise MemtxError(
                f"there is no checkpoint {filename}, or it is no file: check --restore-file and "
                "--finetune-from-model"
            )
        return None
    if asked_for or trainer.is_fsdp:  # whose workers read a file each
        return None
    try:
        safe_loading.check(filename)
    except safe_loading.TornCheckpoint as torn:
        whole = newest_whole(cfg.save_dir, trainer.checkpoint_suffix)
        if whole is not None:
            logger.warning(f"going on from {whole}, the newest whole checkpoint, since {torn}")
        return whole
    return None


def newest_whole(folder: str, suffix: str = "") -> str | None:
    """The whole checkpoint in a ``--save-dir`` that was written after the most updates."""
    names = re.compile(rf"checkpoint(\d+|_\d+_\d+|_best|\.best_.+){re.escape(suffix)}\.pt")
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if names.fullmatch(name)]
    updates = {path: _updates(path) for path in sorted(paths)}
    for path in sorted(paths, key=updates.__getitem__, reverse=True):
        try:
            safe_loading.check(path)
        except MemtxError:
            continue
        if updates[path] >= 0:
            return path
    return None


def _updates(path: str) -> int:
    """Updates before a checkpoint was written, without a look at its tensors; -1 if torn."""
    try:
        state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        return int(state["optimizer_history"][-1]["num_updates"])
    except Exception:  # whatever torch says of a torn file
        return -1
