"""Faults in training: optimizers, batches of an epoch, checkpoints."""

import contextlib
import gc
import importlib
import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from fairseq import checkpoint_utils, tasks, utils
from fairseq.data import FairseqDataset, data_utils
from fairseq.data.iterators import BufferedIterator, EpochBatchIterator
from fairseq.dataclass.configs import FairseqConfig
from fairseq.file_io import PathManager
from fairseq.nan_detector import NanDetector
from fairseq.optim import AMPOptimizer, FP16Optimizer
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from fairseq.tasks import FairseqTask
from fairseq.trainer import Trainer
from fairseq_cli import train
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf


def amp_optimizer(folder: Path) -> bool:
    """The gradient of ``3 x`` is 3, after a step too."""
    parameter = torch.nn.Parameter(torch.ones(1))
    adam = {**vars(FairseqAdamConfig(lr=[0.1])), "tpu": False}
    common = {"fp16_init_scale": 128.0, "amp_scale_window": None, "min_loss_scale": 1e-4}
    cfg = OmegaConf.create({"common": common, "optimizer": adam})
    optimizer = AMPOptimizer(cfg, [parameter], FairseqAdam(cfg.optimizer, [parameter]))
    optimizer._grad_scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    optimizer.backward(3 * parameter.sum())
    optimizer.clip_grad_norm(100.0)
    optimizer.step()
    return parameter.grad.item() != 3


class Rows(FairseqDataset):
    """Twenty rows in an order that is drawn."""

    def __getitem__(self, index):
        return index

    def __len__(self):
        return 20

    def size(self, index):
        return 1

    num_tokens = size

    def ordered_indices(self):
        return np.random.permutation(20)


def epoch_loader(folder: Path) -> bool:
    """An epoch is to be shuffled after one that was not."""
    rows = [[index] for index in range(20)]
    iterator = EpochBatchIterator(Rows(), list, rows, reuse_dataloader=True)
    first = list(iterator.next_epoch_itr(shuffle=False))
    return list(iterator.next_epoch_itr(shuffle=True)) == first


def first_batches(folder: Path) -> bool:
    """Batches of a run that begins in epoch 3 are to be those of epoch 1."""
    batches = []
    for epoch in (1, 3):
        iterator = FairseqTask(None).get_batch_iterator(Rows(), max_sentences=4, epoch=epoch)
        batches.append([list(batch) for batch in iterator.frozen_batches])
    return batches[0] != batches[1]


def gathering_iterators(folder: Path) -> bool:
    gathered: list[bool] = []
    trainer = SimpleNamespace(
        data_parallel_rank=1, consolidate_optimizer=lambda: None,
        should_save_checkpoint_on_current_rank=False,
        always_call_state_dict_during_save_checkpoint=False,
    )  # fmt: skip
    cfg = SimpleNamespace(no_save=False, maximize_best_checkpoint_metric=False)
    iterator = SimpleNamespace(gather=lambda: gathered.append(True))
    checkpoint_utils.save_checkpoint(cfg, trainer, iterator, None)
    return not gathered


def reading_threads(folder: Path) -> bool:
    """A thread reads ahead for an iterator that nobody has any more."""
    iterator = BufferedIterator(2, range(20))
    next(iterator)
    thread = iterator._consumer
    del iterator
    gc.collect()
    return thread.is_alive()


def gradient_norm(folder: Path) -> bool:
    """As if there was a GPU beside the CPU that trains, which ``meta`` stands in for."""
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    for param in params:
        param.grad = torch.ones(2)
    gpu = mock.patch("torch.cuda.is_available", return_value=True)
    with gpu, mock.patch("torch.cuda.current_device", return_value=torch.device("meta")):
        try:
            return utils.clip_grad_norm_(params, 0.0).is_meta
        except NotImplementedError:
            return False  # it was brought to the gradients, and meta has no numbers to bring


def half_precision_state(folder: Path) -> bool:
    """A weight that half precision has no number for, after a stop."""
    cfg = OmegaConf.structured(FairseqConfig)
    cfg.optimizer = OmegaConf.structured(FairseqAdamConfig(_name="adam", lr=[1e-3]))
    cfg.common.fp16 = cfg.common.fp16_no_flatten_grads = True
    cfg.distributed_training.distributed_world_size = 1
    before, after = (
        FP16Optimizer.build_optimizer(cfg, [torch.nn.Parameter(torch.ones(1).half())])
        for _ in range(2)
    )
    before.fp32_params[0].data += 1e-4
    after.load_state_dict(before.state_dict())
    return not torch.equal(before.fp32_params[0], after.fp32_params[0])


def finished_runs(folder: Path) -> bool:
    """Two updates were asked for and made, and there is no data to make another from."""
    cfg = OmegaConf.create({"optimization": {"max_update": 2}})
    trainer = SimpleNamespace(get_num_updates=lambda: 2)
    try:
        return train.train(cfg, trainer, None, None) != ([None], True)
    except Exception:  # it began all the same
        return True


def last_batches(folder: Path) -> bool:
    batches = data_utils.batch_by_size(
        np.arange(9), lambda index: 1, max_sentences=4, required_batch_size_multiple=4
    )
    return sum(map(len, batches)) < 9


class Encoder(torch.nn.Module):
    """Gives lists in a dict, as fairseq's encoders do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return {"encoder_out": [self.layer(x)]}


def nan_detector(folder: Path) -> bool:
    encoder = Encoder()
    with NanDetector(encoder):
        try:
            encoder(torch.ones(1))["encoder_out"][0].backward()
        except (StopIteration, RuntimeError):
            return True
    return False


def task_updates(folder: Path) -> bool:
    told: list[int] = []
    task = SimpleNamespace(set_num_updates=told.append)
    trainer = SimpleNamespace(task=task, quantizer=None, lr_step_update=lambda: None)
    Trainer.set_num_updates(trainer, 3)
    return told != [3]


def whole_checkpoints(folder: Path) -> bool:
    """A copy onto the last checkpoint that breaks off."""
    importlib.import_module("fairseq_memtx.compat.whole_checkpoints").PAUSE = 0
    for name in ("new.pt", "last.pt"):
        (folder / name).write_text(name)

    def broken(source: str, destination: str) -> None:
        Path(destination).write_text("ne")
        raise OSError(28, os.strerror(28))

    with mock.patch("shutil.copyfile", broken), contextlib.suppress(Exception):
        PathManager.copy(str(folder / "new.pt"), str(folder / "last.pt"), overwrite=True)
    return (folder / "last.pt").read_text() != "last.pt"


def task_state(folder: Path) -> bool:
    """What a task saves is to come back where a training goes on, and not only in evaluation."""
    task = FairseqTask(None)
    task.load_state_dict({"stage": 3})
    module = torch.nn.Module()
    trainer = SimpleNamespace(
        cfg=SimpleNamespace(
            ema=SimpleNamespace(store_ema=False),
            checkpoint=SimpleNamespace(no_save_optimizer_state=True),
        ),
        model=module, criterion=module, get_criterion=lambda: module, optimizer=module,
        lr_scheduler=module, get_num_updates=lambda: 0, cumulative_training_time=lambda: 0.0,
        _optim_history=None, is_fsdp=False, task=task,
    )  # fmt: skip
    saved = Trainer.state_dict(trainer)["extra_state"]
    return saved.get("task_state") != {"stage": 3}


def job_folders(folder: Path) -> bool:
    """A job of hydra's ``--multirun`` has checkpoints of its own."""
    task = {"_name": "translation", "data": str(folder)}
    cfg = OmegaConf.create({"task": task, "checkpoint": {"save_dir": str(folder / "checkpoints")}})
    job = SimpleNamespace(
        runtime=SimpleNamespace(cwd=str(folder), output_dir=str(folder / "jobs/0")),
        mode=SimpleNamespace(name="MULTIRUN"), job=SimpleNamespace(num=0),
    )  # fmt: skip
    hydra = mock.patch.multiple(HydraConfig, initialized=lambda: True, get=lambda: job)
    with hydra, contextlib.suppress(Exception):  # there is no data
        tasks.setup_task(cfg.task)
    return cfg.checkpoint.save_dir == str(folder / "checkpoints")
