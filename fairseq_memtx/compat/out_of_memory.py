"""A worker that runs out of memory in a step leaves no other waiting."""

from typing import Any

import torch
from fairseq.distributed import utils as distributed_utils
from fairseq.trainer import Trainer
from torch.nn.parallel import DistributedDataParallel

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/pull/3989"

_ADVICE = "use smaller batches (--batch-size, --max-tokens)"


@around("fairseq.trainer:Trainer._fast_stat_sync_sum", told_by="all_reduce_dict")
def mend(
    sum_figures: Any, trainer: Trainer, outputs: list, *stats: Any, ignore: bool = False
) -> Any:
    """Let the other workers go on where one is out of memory, or end with it.

    fairseq leaves such a step out (``train_step`` in ``trainer.py``), but the worker then has no
    figures to log and sends a shorter list than the others', who wait for the rest or break off.
    Now it sends zeros. Under ``--ddp-backend pytorch_ddp`` the others already wait for its
    gradient, inside their backward pass, and nothing can be left out: it ends, with a line.
    """
    if trainer.model.training:
        figures = _figures_of_a_step(trainer, outputs)
        if not outputs:
            outputs, ignore = [figures], True  # fairseq makes zeros of them
    return sum_figures(trainer, outputs, *stats, ignore=ignore)


@mend.also("fairseq.trainer:Trainer._log_oom")
def _log_oom(log_out_of_memory: Any, trainer: Trainer, error: Exception) -> None:
    log_out_of_memory(trainer, error)
    in_parallel = isinstance(getattr(trainer.model, "module", None), DistributedDataParallel)
    if in_parallel and trainer.model.training:
        raise MemtxError(
            f"worker {trainer.data_parallel_rank} is out of memory, and with --ddp-backend "
            f"pytorch_ddp the others cannot go on without it: {_ADVICE}, or --ddp-backend "
            "legacy_ddp, which leaves such a step out"
        ) from error


def _figures_of_a_step(trainer: Trainer, logging_outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Zeros of the kinds that a step logs; all workers learn them together in their first step."""
    if not hasattr(trainer, "_memtx_figures"):
        mine = {
            name: (value.shape, value.dtype) if torch.is_tensor(value) else None
            for name, value in (logging_outputs[0] if logging_outputs else {}).items()
        }
        group = trainer.data_parallel_process_group
        of_workers: list[Any] = [None] * distributed_utils.get_world_size(group)
        torch.distributed.all_gather_object(of_workers, mine, group)
        kinds = next(filter(None, of_workers), None)
        if kinds is None:
            raise MemtxError(f"every worker is out of memory in its first step: {_ADVICE}")
        trainer._memtx_figures = {
            name: 0 if kind is None else torch.zeros(kind[0], dtype=kind[1], device=trainer.device)
            for name, kind in kinds.items()
        }
    return trainer._memtx_figures
