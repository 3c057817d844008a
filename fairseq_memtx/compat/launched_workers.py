"""Processes that ``torchrun`` started are the workers of one run, with and without GPUs."""

import functools
import os
from typing import Any

import torch
from fairseq.distributed import utils as distributed_utils
from fairseq.trainer import Trainer

from ..errors import MemtxError
from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2879"


def needed() -> bool:
    return says(distributed_utils.call_main, "infer_init_method")


def mend() -> None:
    """Make one run of the processes that ``torchrun`` started.

    fairseq looks at what ``torchrun`` says only where it sees several GPUs itself
    (``infer_init_method`` in ``distributed/utils.py``). Elsewhere, without a GPU or with one a
    host, every process was a run of its own that looked healthy, and wrote over the others'
    checkpoints.
    """
    unmended = distributed_utils.call_main

    @functools.wraps(unmended)
    def call_main(cfg: Any, main: Any, **kwargs: Any) -> None:
        if not cfg.common.tpu:
            _join(cfg.distributed_training, torch.cuda.is_available() and not cfg.common.cpu)
        unmended(cfg, main, **kwargs)

    distributed_utils.call_main = call_main
    _refuse_to_train_apart()


def launched_workers() -> int:
    """How many processes ``torchrun`` started for this run; 1 if it was not used."""
    names = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in names) else 1


def _join(settings: Any, on_gpu: bool) -> None:
    """Fill in what fairseq does not: how many workers there are, and, on a CPU, which this is."""
    workers = launched_workers()
    if settings.distributed_init_method is None and workers > 1:
        settings.distributed_world_size = workers
        if not on_gpu:
            settings.distributed_init_method = "env://"
            settings.distributed_rank = int(os.environ["RANK"])
    if on_gpu or settings.distributed_world_size == 1:
        return
    if settings.distributed_init_method is None:
        raise MemtxError(
            f"--distributed-world-size {settings.distributed_world_size} without a GPU needs a "
            "launcher: torchrun --nproc_per_node "
            f'{settings.distributed_world_size} "$(which fairseq-train)" ...'
        )
    settings.device_id, settings.distributed_no_spawn = 0, True  # fairseq would count GPUs
    if settings.distributed_backend == "nccl":
        settings.distributed_backend = "gloo"


def _refuse_to_train_apart() -> None:
    """Stop a worker that trains alone after all: hydra imports the plugin too late for `_join`."""
    unmended = Trainer.__init__

    @functools.wraps(unmended)
    def __init__(self, cfg: Any, *args: Any, **kwargs: Any) -> None:
        workers = launched_workers()
        if workers > 1 and cfg.distributed_training.distributed_world_size == 1:
            raise MemtxError(
                f"this is one of {workers} processes that were launched together, and each would "
                "train alone: give distributed_training.distributed_world_size="
                f"{workers} distributed_training.distributed_rank=$RANK "
                "distributed_training.distributed_init_method=env:// "
                "distributed_training.distributed_no_spawn=true"
            )
        unmended(self, cfg, *args, **kwargs)

    Trainer.__init__ = __init__
