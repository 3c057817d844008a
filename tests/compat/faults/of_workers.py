"""Faults of several workers, seen by one that is alone or plays both."""

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from fairseq.distributed import utils as distributed
from fairseq.models.distributed_fairseq_model import DistributedFairseqModel
from fairseq.modules.checkpoint_activations import checkpoint_wrapper
from fairseq.trainer import Trainer
from torch.nn.parallel import DistributedDataParallel


def group():
    """Of this process alone."""
    if not torch.distributed.is_initialized():
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    return torch.distributed.group.WORLD


def broadcast_state(folder: Path) -> bool:
    """What the first worker sends is read by the second."""
    sent: list[torch.Tensor] = []
    state = {"args": Namespace(memory_tokens=3), "kind": Path}
    world = group()
    for rank, broadcast in ((0, lambda t, **_: sent.append(t.clone())), (1, None)):
        receive = broadcast or (lambda t, **_: t.copy_(sent.pop(0)))
        with mock.patch.multiple(distributed, get_rank=lambda _, r=rank: r, broadcast=receive):
            try:
                distributed._broadcast_object_slow(state, 0, world, torch.device("cpu"))
            except Exception:  # of torch's protection
                return True
    return False


def data_parallel(folder: Path) -> bool:
    args = SimpleNamespace(
        tpu=False, ddp_backend="pytorch_ddp", device_id=0, broadcast_buffers=False,
        bucket_cap_mb=25, find_unused_parameters=False, gradient_as_bucket_view=False,
        ddp_comm_hook="none", heartbeat_timeout=-1,
    )  # fmt: skip
    try:
        DistributedFairseqModel(args, torch.nn.Linear(2, 2), group(), torch.device("cpu"))
    except ValueError:
        return True
    return False


def gathered_lists(folder: Path) -> bool:
    try:
        return distributed.all_gather_list("x" * 99_999, group()) != ["x" * 99_999]
    except Exception:  # no GPU, or a list that is too long
        return True


def launched_workers(folder: Path) -> bool:
    """One of two that ``torchrun`` started."""
    launched = {"MASTER_ADDR": "host", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"}
    settings = SimpleNamespace(
        distributed_init_method=None, distributed_world_size=1, distributed_rank=0, tpu=False,
        distributed_no_spawn=False, distributed_backend="nccl", device_id=0,
        pipeline_model_parallel=False,
    )  # fmt: skip
    cfg = SimpleNamespace(
        common=SimpleNamespace(tpu=False, cpu=True), distributed_training=settings
    )
    with (
        mock.patch.dict("os.environ", launched),
        mock.patch.object(distributed, "distributed_main"),
    ):
        distributed.call_main(cfg, lambda cfg: None)
    return settings.distributed_world_size == 1


def out_of_memory(folder: Path) -> bool:
    """A worker without figures is to send as many as the others."""
    sent: list[list[str]] = []
    trainer = SimpleNamespace(
        model=torch.nn.Linear(1, 1).train(), device=torch.device("cpu"),
        data_parallel_process_group=group(),
    )  # fmt: skip

    def all_reduce(figures, **_):
        sent.append(sorted(figures))
        return figures

    with mock.patch.object(distributed, "all_reduce_dict", all_reduce):
        for figures in ([{"loss": 1.0}], []):
            Trainer._fast_stat_sync_sum(trainer, figures, 1.0)
    return sent[0] != sent[1]


class Twice(torch.nn.Module):
    """A layer that is recomputed, and used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = checkpoint_wrapper(torch.nn.Linear(2, 2))

    def forward(self, x):
        return self.layer(self.layer(x))


def recomputed_layers(folder: Path) -> bool:
    model = DistributedDataParallel(Twice(), process_group=group(), find_unused_parameters=True)
    try:
        model(torch.ones(1, 2, requires_grad=True)).sum().backward()
    except RuntimeError:
        return True
    return False
