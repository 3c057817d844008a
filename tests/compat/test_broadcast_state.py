"""What one worker reads, all get; what it refuses, all refuse."""

from __future__ import annotations

from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.distributed import utils as distributed_utils
from omegaconf import OmegaConf
from worker_pairs import call_workers

pytestmark = pytest.mark.processes


def received() -> dict:
    """What a worker gets of a state that the first one read."""
    import fairseq_memtx  # noqa: F401

    state = None
    if torch.distributed.get_rank() == 0:
        cfg = OmegaConf.create({"model": Namespace(layers=3)}, flags={"allow_objects": True})
        state = {"cfg": cfg, "model": {"weight": torch.arange(4.0)}, "history": [{"updates": 7}]}
    group = distributed_utils.get_global_group()
    return distributed_utils.broadcast_object(state, src_rank=0, group=group)


def test_a_state_arrives_as_it_was():
    for state in call_workers(received):
        assert state["cfg"].model == Namespace(layers=3)
        assert torch.equal(state["model"]["weight"], torch.arange(4.0))
        assert state["history"] == [{"updates": 7}]


def refusals(folder: str) -> list[str]:
    """What a worker says of a checkpoint that only the first has, and of one that is torn."""
    from fairseq.trainer import Trainer

    from fairseq_memtx.errors import MemtxError

    worker = torch.distributed.get_rank()
    trainer = SimpleNamespace(
        data_parallel_world_size=2, data_parallel_rank=worker, tpu=False, is_fsdp=False,
        data_parallel_process_group=distributed_utils.get_global_group(),
        device=torch.device("cpu"),
        cfg=OmegaConf.create({
            "model": {}, "checkpoint": {"load_checkpoint_on_all_dp_ranks": False},
            "distributed_training": {"zero_sharding": "none"},
        }),
    )  # fmt: skip
    said = []
    for name in (f"{folder}/{worker}.pt", f"{folder}/0.pt"):
        with pytest.raises(MemtxError) as error:
            Trainer.load_checkpoint(trainer, name)
        said.append(str(error.value))
    return said


def test_workers_refuse_together(tmp_path):
    """Two hosts without a common disk; a torn file. Nobody waits for the others."""
    (tmp_path / "0.pt").write_bytes(b"torn")
    one, other = call_workers(refusals, str(tmp_path), timeout=60)
    assert one == other
    assert f"worker 0 goes on from {tmp_path}/0.pt and worker 1 from nothing" in one[0]
    assert f"{tmp_path}/0.pt" in one[1]
