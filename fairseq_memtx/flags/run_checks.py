"""A run is looked at as a whole before anything of it is built.

Data flow: fairseq sets up its task first, with the configuration of the whole run around it, then
builds the model and the criterion, and puts a trainer around them. In front of each of these steps
stands a look at what is to come: what does not fit together, numbers that cannot be, flags that
would be ignored.
"""

import importlib.util
from typing import Any

import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

from ..errors import MemtxError
from ..put_around import put_around
from . import combinations, ignored_flags, sizes


def guard_fairseq() -> None:
    """Put our looks in front of fairseq's functions."""
    put_around("fairseq.tasks:setup_task", _set_up_task)
    put_around("fairseq.models:build_model", _build_model)
    put_around("fairseq.criterions:build_criterion", _build_criterion)
    put_around("fairseq.trainer:Trainer.__init__", _begin_training)


def _set_up_task(set_up: Any, cfg: Any, **kwargs: Any) -> Any:
    """After a look at the run around the task, which in generation and evaluation has no model."""
    from_checkpoint = kwargs.get("from_checkpoint", False)
    name, run = _task(cfg), ignored_flags.run_of(cfg)
    if not from_checkpoint:
        sizes.check_run(run)
    sizes.check_task(cfg, getattr(TASK_REGISTRY.get(name), "least", {}))
    arch = _arch(run)
    if arch is not None and not from_checkpoint:
        combinations.check(arch, name)
        check_precision(getattr(run, "common", run))
    task = set_up(cfg, **kwargs)
    ignored_flags.check(type(task), cfg, from_checkpoint)
    return task


def _build_model(build: Any, cfg: Any, task: Any, from_checkpoint: bool = False) -> Any:
    """After a look at its flags and, where it was trained before, at the task that is to use it."""
    name = ignored_flags.arch_of(cfg)
    model = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
    if model is not None:
        if from_checkpoint:
            combinations.check_trained(model, task)
        else:
            combinations.check_task(type(task), combinations.name_of(type(task)), name)
        ignored_flags.check(model, cfg, from_checkpoint)
    return build(cfg, task, from_checkpoint)


def _build_criterion(build: Any, cfg: Any, task: Any, from_checkpoint: bool = False) -> Any:
    """After a look at the criterion of a training, within the configuration of the run."""
    if not from_checkpoint:
        run = ignored_flags.run_of(cfg)
        name = getattr(cfg, "_name", None) or getattr(cfg, "criterion", None)
        arch, task_name = _arch(run), _task(getattr(run, "task", None) or run)
        if arch is not None and task_name is not None:
            combinations.check_criterion(arch, task_name, name)
        if name in CRITERION_REGISTRY:
            ignored_flags.check(CRITERION_REGISTRY[name], cfg)
    return build(cfg, task, from_checkpoint)


def _begin_training(
    begin: Any, trainer: Any, cfg: Any, task: Any, model: Any, criterion: Any, *args: Any, **kw: Any
) -> None:
    combinations.check_output(model, criterion)
    begin(trainer, cfg, task, model, criterion, *args, **kw)


def _arch(run: Any) -> str | None:
    return ignored_flags.arch_of(getattr(run, "model", None) or run)


def _task(cfg: Any) -> str | None:
    if isinstance(cfg, str):
        return cfg
    return getattr(cfg, "_name", None) or getattr(cfg, "task", None)


def check_precision(common: Any) -> None:
    """Refuse numbers of half precision where nothing can compute with them."""
    if getattr(common, "tpu", False) and importlib.util.find_spec("torch_xla") is None:
        raise MemtxError(
            "--tpu needs the package torch_xla: leave it out (--bf16 works without, on a CPU and a "
            "GPU)"
        )
    without_gpu = getattr(common, "cpu", False) or not torch.cuda.is_available()
    efficient = getattr(common, "memory_efficient_fp16", False)
    if getattr(common, "fp16", False) and without_gpu and not efficient:
        raise MemtxError(
            "--fp16 needs a GPU, and none is used: leave it out, or use --memory-efficient-fp16"
        )
