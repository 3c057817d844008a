"""Processes that ``torchrun`` started are the workers of one run, with and without GPUs."""

import os
from typing import Any

import torch

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2879"


@around("fairseq.distributed.utils:call_main", told_by="infer_init_method")
def mend(unmended: Any, cfg: Any, main: Any, **kwargs: Any) -> None:
    """Make one run of the processes that ``torchrun`` started.

    fairseq looks at what ``torchrun`` says only where it sees several GPUs itself
    (``infer_init_method`` in ``distributed/utils.py``). Elsewhere, without a GPU or with one a
    host, every process was a run of its own that looked healthy, and wrote over the others'
    checkpoints.
    """
    if not cfg.common.tpu:
        _join(cfg.distributed_training, torch.cuda.is_available() and not cfg.common.cpu)
    unmended(cfg, main, **kwargs)


@mend.also("fairseq.trainer:Trainer.__init__")
def _refuse_to_train_apart(
    unmended: Any, trainer: Any, cfg: Any, *args: Any, **kwargs: Any
) -> None:
    """Stop a worker that trains alone after all: hydra imports the plugin too late for `_join`."""
    workers = launched_workers()
    if workers > 1 and cfg.distributed_training.distributed_world_size == 1:
        raise MemtxError(
            f"this is one of {workers} processes that were launched together, and each would "
            "train alone: give distributed_training.distributed_world_size="
            f"{workers} distributed_training.distributed_rank=$RANK "
            "distributed_training.distributed_init_method=env:// "
            "distributed_training.distributed_no_spawn=true"
        )
    unmended(trainer, cfg, *args, **kwargs)


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
