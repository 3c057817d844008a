"""What one worker reads, all get; what it refuses, all refuse."""

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
    import fairseq_memtx.models  # noqa: F401

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


def trainer_of(folder: str, restore_file: str) -> SimpleNamespace:
    """As much of this worker's trainer as loading asks for."""
    return SimpleNamespace(
        data_parallel_world_size=2, data_parallel_rank=torch.distributed.get_rank(),
        data_parallel_process_group=distributed_utils.get_global_group(),
        tpu=False, is_fsdp=False, device=torch.device("cpu"), checkpoint_suffix="",
        cfg=OmegaConf.create({
            "model": {}, "distributed_training": {"zero_sharding": "none"},
            "checkpoint": {
                "load_checkpoint_on_all_dp_ranks": False,
                "save_dir": folder, "restore_file": restore_file,
            },
        }),
    )  # fmt: skip


def refusals(folder: str) -> list[str]:
    """What a worker says of a checkpoint that only the first has, and of one that is torn."""
    from fairseq.trainer import Trainer

    import fairseq_memtx.models  # noqa: F401
    from fairseq_memtx.errors import MemtxError

    worker, trainer = torch.distributed.get_rank(), trainer_of(folder, restore_file="asked for")
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


def first_checkpoints(folder: str) -> str:
    """Which one a worker begins with."""
    from fairseq_memtx.checkpoints.first_checkpoint import taken_instead
    from fairseq_memtx.compat.broadcast_state import told_by_first_worker

    trainer = trainer_of(folder, restore_file="checkpoint_last.pt")
    last = f"{folder}/checkpoint_last.pt"
    return told_by_first_worker(trainer, lambda: taken_instead(trainer, last))


def test_workers_go_on_from_the_same_whole_checkpoint(tmp_path):
    """Where the last one is torn: the first worker looks, and nobody else."""
    torch.save(
        {"model": {}, "optimizer_history": [{"num_updates": 3}]}, tmp_path / "checkpoint1.pt"
    )
    (tmp_path / "checkpoint_last.pt").write_bytes(b"torn")
    found = call_workers(first_checkpoints, str(tmp_path), timeout=60)
    assert found == [f"{tmp_path}/checkpoint1.pt"] * 2
