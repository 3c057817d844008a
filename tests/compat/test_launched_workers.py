"""Processes that were launched together are one run; what would train apart is refused."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.dataclass.configs import CommonConfig
from fairseq.distributed import utils as distributed_utils
from fairseq.trainer import Trainer

from fairseq_memtx.errors import MemtxError, explain

SECOND_OF_THREE = {"MASTER_ADDR": "host", "MASTER_PORT": "1", "WORLD_SIZE": "3", "RANK": "1"}


def joined(monkeypatch, on_gpu: bool = False, launched: bool = True, **settings):
    """The settings with which a command begins that ``torchrun`` started, or nobody."""
    for name, value in SECOND_OF_THREE.items():
        if launched:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    began = []
    monkeypatch.setattr(
        distributed_utils, "distributed_main", lambda device, main, cfg, _: began.append(cfg)
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: on_gpu)
    monkeypatch.setattr("torch.cuda.device_count", lambda: int(on_gpu))
    defaults = {
        "distributed_init_method": None, "distributed_world_size": 1, "distributed_rank": 0,
        "distributed_no_spawn": False, "distributed_backend": "nccl", "device_id": 5, "tpu": False,
        "pipeline_model_parallel": False,
    }  # fmt: skip
    cfg = SimpleNamespace(
        common=SimpleNamespace(tpu=False, cpu=False),
        distributed_training=SimpleNamespace(**{**defaults, **settings}),
    )
    distributed_utils.call_main(cfg, began.append)
    return began[0].distributed_training


@pytest.mark.parametrize("on_gpu", [False, True])
def test_torchrun_makes_one_run(monkeypatch, on_gpu):
    """Also with one GPU a host, where fairseq would not look."""
    settings = joined(monkeypatch, on_gpu)
    assert (settings.distributed_world_size, settings.distributed_rank) == (3, 1)
    assert settings.distributed_init_method == "env://"
    assert settings.distributed_no_spawn
    assert settings.device_id == 0
    assert settings.distributed_backend == ("nccl" if on_gpu else "gloo")


def test_an_address_without_a_gpu_starts_this_worker(monkeypatch):
    """Fairseq would start as many workers as there are GPUs, none, and say nothing."""
    address = {"distributed_init_method": "tcp://host:1", "distributed_world_size": 2}
    settings = joined(monkeypatch, launched=False, **address, distributed_rank=1)
    assert settings.distributed_no_spawn
    assert settings.distributed_rank == 1


def test_without_a_launcher(monkeypatch):
    with pytest.raises(MemtxError, match="--distributed-world-size 4 without a GPU needs a laun"):
        joined(monkeypatch, launched=False, distributed_world_size=4)


def test_training_apart_is_refused(monkeypatch):
    """Hydra reads the configuration before it knows the plugin."""
    for name, value in SECOND_OF_THREE.items():
        monkeypatch.setenv(name, value)
    workers = SimpleNamespace(distributed_world_size=1)
    cfg = SimpleNamespace(common=CommonConfig(cpu=True), distributed_training=workers)
    with pytest.raises(MemtxError, match=r"one of 3 processes .* each would train alone"):
        Trainer(cfg, None, None, None)


def _refuse(worker: int) -> None:
    raise MemtxError(f"no data for worker {worker}: give some")


def load_checkpoint(worker: int) -> None:
    """Fail as fairseq's function of this name."""
    raise ValueError("--finetune-from-model nothing.pt does not exist")


def _fail(worker: int) -> None:
    raise ZeroDivisionError("a fault of the program")


@pytest.mark.parametrize(
    ("end", "says"),
    [(_refuse, "no data for worker 0: give some"), (load_checkpoint, "nothing.pt"), (_fail, None)],
)
def test_workers_that_fairseq_starts_end_in_a_line(end, says):
    """As they do on a machine with several GPUs: torch raises their tracebacks as one text."""
    with pytest.raises(torch.multiprocessing.ProcessRaisedException) as error:
        torch.multiprocessing.start_processes(end, start_method="fork")
    line = explain(error.value)
    assert line is None if says is None else says in line
