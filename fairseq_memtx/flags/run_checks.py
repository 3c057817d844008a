"""A run is looked at as a whole before anything of it is built.

Data flow: fairseq sets up its task first, with the configuration of the whole run around it, then
builds the model and the criterion, and puts a trainer around them. In front of each of these steps
stands a look at what is to come: what does not fit together, numbers that cannot be, flags that
would be ignored.
"""

import functools
import importlib.util
from typing import Any

import torch
from fairseq import criterions, models, tasks
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.trainer import Trainer

from ..errors import MemtxError
from . import combinations, ignored_flags, sizes


def guard_fairseq() -> None:
    """Put our looks in front of fairseq's functions."""
    set_up, build, measure = tasks.setup_task, models.build_model, criterions.build_criterion
    begin = Trainer.__init__

    @functools.wraps(set_up)
    def setup_task(cfg, **kwargs):
        from_checkpoint = kwargs.get("from_checkpoint", False)
        if from_checkpoint:
            check_task(cfg)
        else:
            check_run(cfg)
        task = set_up(cfg, **kwargs)
        ignored_flags.check(type(task), cfg, from_checkpoint)
        return task

    @functools.wraps(build)
    def build_model(cfg, task, from_checkpoint=False):
        check_model(cfg, task, from_checkpoint)
        return build(cfg, task, from_checkpoint)

    @functools.wraps(measure)
    def build_criterion(cfg, *args, from_checkpoint=False, **kwargs):
        if not from_checkpoint:
            check_criterion(cfg)
        return measure(cfg, *args, from_checkpoint=from_checkpoint, **kwargs)

    @functools.wraps(begin)
    def begin_training(trainer, cfg, task, model, criterion, *args, **kwargs):
        combinations.check_output(model, criterion)
        begin(trainer, cfg, task, model, criterion, *args, **kwargs)

    tasks.setup_task, models.build_model = setup_task, build_model
    criterions.build_criterion = build_criterion
    Trainer.__init__ = begin_training


def check_run(cfg: Any) -> None:
    """Look at the whole run around a task, before it is set up.

    Args:
        cfg: the task's configuration; without a model around it, for generation and evaluation.

    Raises:
        MemtxError: for the first thing that is wrong.
    """
    run = ignored_flags.run_of(cfg)
    name = _task(cfg)
    sizes.check_run(run)
    check_task(cfg)
    arch = _arch(run)
    if arch is not None:
        combinations.check(arch, name)
        check_precision(getattr(run, "common", run))


def check_task(cfg: Any) -> None:
    """Look at the sizes of a task, from a command line or a checkpoint.

    Raises:
        MemtxError: for the first that makes no sense.
    """
    sizes.check_task(cfg, getattr(tasks.TASK_REGISTRY.get(_task(cfg)), "least", {}))


def check_model(cfg: Any, task: Any, from_checkpoint: bool = False) -> None:
    """Look at a model's flags and, where it was trained before, at the task that is to use it.

    Raises:
        MemtxError: if the task cannot use it, or a flag would be ignored.
    """
    name = ignored_flags.arch_of(cfg)
    model = models.ARCH_MODEL_REGISTRY.get(name) or models.MODEL_REGISTRY.get(name)
    if model is None:
        return
    if from_checkpoint:
        combinations.check_trained(model, task)
    else:
        combinations.check_task(type(task), combinations.name_of(type(task)), name)
    ignored_flags.check(model, cfg, from_checkpoint)


def check_criterion(cfg: Any) -> None:
    """Look at the criterion of a training, within the configuration of the run.

    Raises:
        MemtxError: if it does not fit the model and the task, or a flag would be ignored.
    """
    run = ignored_flags.run_of(cfg)
    name = getattr(cfg, "_name", None) or getattr(cfg, "criterion", None)
    arch, task = _arch(run), _task(getattr(run, "task", None) or run)
    if arch is not None and task is not None:
        combinations.check_criterion(arch, task, name)
    if name in CRITERION_REGISTRY:
        ignored_flags.check(CRITERION_REGISTRY[name], cfg)


def _arch(run: Any) -> str | None:
    return ignored_flags.arch_of(getattr(run, "model", None) or run)


def _task(cfg: Any) -> str | None:
    if isinstance(cfg, str):
        return cfg
    return getattr(cfg, "_name", None) or getattr(cfg, "task", None)


def check_precision(common: Any) -> None:
    """Refuse numbers of half precision where nothing can compute with them.

    Raises:
        MemtxError: with what to use instead.
    """
    if getattr(common, "tpu", False) and importlib.util.find_spec("torch_xla") is None:
        raise MemtxError(
            "--bf16 on a command line means a TPU to fairseq, and --tpu needs the package "
            "torch_xla: leave it out, or train with fairseq-hydra-train and common.bf16=true"
        )
    without_gpu = getattr(common, "cpu", False) or not torch.cuda.is_available()
    efficient = getattr(common, "memory_efficient_fp16", False)
    if getattr(common, "fp16", False) and without_gpu and not efficient:
        raise MemtxError(
            "--fp16 needs a GPU, and none is used: leave it out, or use --memory-efficient-fp16"
        )
