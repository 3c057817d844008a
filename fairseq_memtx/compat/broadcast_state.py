"""What the first worker of a run reads from a checkpoint, and how the others get it."""

import functools
from typing import Any, Callable
from unittest import mock

import torch.distributed
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer

from ..errors import MemtxError, explain
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5603"


def _broadcast_object(obj: Any, src_rank: int, group: Any, dist_device: Any) -> Any:
    """What ``src_rank`` sends; an error that it sends in place of a state is raised."""
    message = [obj]
    torch.distributed.broadcast_object_list(message, src_rank, group, dist_device)
    if isinstance(message[0], MemtxError):
        raise message[0]
    return message[0]


@around("fairseq.distributed.utils:_broadcast_object_slow", told_by="BytesIO load")
def mend(unmended: Any, obj: Any, src_rank: int, group: Any, dist_device: Any) -> Any:
    """Let several workers load a checkpoint.

    fairseq's workers read what the first one broadcasts with ``torch.load``, whose protection
    (``weights_only``, the default since torch 2.6) refuses fairseq's configuration
    (``_broadcast_object_slow`` in ``distributed/utils.py``). A message of the same run is no file
    from outside: torch's own broadcast of objects does it. The file was read, under protection, by
    the first worker.

    Where that worker refuses the file, the others would wait for its message; where they look at
    another folder, as on two hosts without a common disk, they would not even wait. Now all of them
    end with the same line.
    """
    return _broadcast_object(obj, src_rank, group, dist_device)


@mend.also("fairseq.trainer:Trainer.load_checkpoint")
def _load_checkpoint(
    unmended: Any, trainer: Trainer, filename: str, *args: Any, **kwargs: Any
) -> Any:
    if trainer.data_parallel_world_size == 1 or trainer.tpu:
        return unmended(trainer, filename, *args, **kwargs)
    _agree_on(filename, trainer.data_parallel_process_group)
    read = checkpoint_utils.load_checkpoint_to_cpu
    telling = functools.partial(_read_or_tell_others, read, trainer)
    with mock.patch.object(checkpoint_utils, "load_checkpoint_to_cpu", telling):
        return unmended(trainer, filename, *args, **kwargs)


def told_by_first_worker(trainer: Trainer, decide: Callable[[], Any]) -> Any:
    """What the first worker decides, on all of them; its refusal is raised by all."""
    if trainer.data_parallel_world_size == 1 or trainer.tpu:
        return decide()
    decided: Any = None
    if trainer.data_parallel_rank == 0:
        try:
            decided = decide()
        except MemtxError as error:
            decided = error
    return _broadcast_object(decided, 0, trainer.data_parallel_process_group, trainer.device)


def _agree_on(filename: str, group: Any) -> None:
    """Refuse to go on if some workers have the checkpoint and others have not."""
    mine = filename, PathManager.isfile(filename)
    of_workers: list[Any] = [None] * distributed_utils.get_world_size(group)
    torch.distributed.all_gather_object(of_workers, mine, group)
    for worker, (name, there) in enumerate(of_workers):
        if (name, there) != of_workers[0]:
            raise MemtxError(
                f"worker 0 goes on from {_described(*of_workers[0])} and worker {worker} from "
                f"{_described(name, there)}: give a --save-dir (or --restore-file) that all hosts "
                "share, or copy the checkpoint to each"
            )


def _described(filename: str, there: bool) -> str:
    return filename if there else f"nothing, since it has no {filename}"


def _read_or_tell_others(
    read: Any, trainer: Trainer, path: str, *args: Any, load_on_all_ranks: bool = False
) -> Any:
    """What is `read`; where it cannot be, the workers that wait for it are told."""
    try:
        return read(path, *args, load_on_all_ranks=load_on_all_ranks)
    except Exception as error:
        if not load_on_all_ranks:
            line = explain(error) or f"worker 0 could not read checkpoint {path}: {error}"
            group, device = trainer.data_parallel_process_group, trainer.device
            torch.distributed.broadcast_object_list([MemtxError(line)], 0, group, device)
        raise
