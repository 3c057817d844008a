"""Which architecture, task and criterion fit together.

Our models say in ``fits`` on which tasks they can be trained, and with which criterions there. Our
tasks say in ``fits_model`` and ``needs`` which other models they can work with; a criterion with an
``only_with`` works with none but ours. What is neither ours nor fairseq's is taken at its word.
"""

import logging
from typing import Any, Iterable

from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

from ..errors import MemtxError

logger = logging.getLogger(__name__)


def check(arch: str, task: str | None) -> None:
    """Refuse an architecture that does not fit the task that a training begins with."""
    model = ARCH_MODEL_REGISTRY.get(arch) or MODEL_REGISTRY.get(arch)
    if model is None or task not in TASK_REGISTRY:
        return
    fits = getattr(model, "fits", None)
    if fits is not None and task not in fits and _known(TASK_REGISTRY[task]):
        raise MemtxError(
            f"--arch {arch} does not fit --task {task}, {model.fits_because}: use --task "
            f"{_or(fits)}"
        )


def check_task(task: type[Any], name: str | None, arch: str | None) -> None:
    """Refuse an architecture that a task of ours cannot work with."""
    model = ARCH_MODEL_REGISTRY.get(arch) or MODEL_REGISTRY.get(arch)
    fits_model = getattr(task, "fits_model", None)
    if fits_model is not None and _known(model) and not fits_model(model):
        raise MemtxError(
            f"--task {name} needs {task.needs}, such as --arch {_or(_ours(name))}, and --arch "
            f"{arch} is none{getattr(task, 'for_others', '')}"
        )


def check_criterion(arch: str, task: str, criterion: str | None) -> None:
    """Refuse the criterion of a training that does not fit its architecture and task."""
    model = ARCH_MODEL_REGISTRY.get(arch) or MODEL_REGISTRY.get(arch)
    if model is None or criterion not in CRITERION_REGISTRY:
        return
    fits = getattr(model, "fits", None)
    kind = CRITERION_REGISTRY[criterion]
    if _known(kind) and (fits is not None or (hasattr(kind, "only_with") and _known(model))):
        fitting = (fits or {}).get(task, () if fits is None else (criterion,))
        if criterion not in fitting:
            advice = f"use --criterion {_or(fitting)}" if fitting else kind.only_with
            raise MemtxError(
                f"--criterion {criterion} does not fit --arch {arch} on --task {task}: {advice}"
            )


def check_output(model: Any, criterion: Any) -> None:
    """Refuse a criterion without an adaptive softmax for a model with one, and the reverse."""
    adaptive = getattr(getattr(model, "decoder", None), "adaptive_softmax", None) is not None
    if isinstance(criterion, CRITERION_REGISTRY["adaptive_loss"]) and not adaptive:
        raise MemtxError("--criterion adaptive_loss needs --adaptive-softmax-cutoff: give it")
    if adaptive and getattr(criterion, "takes_logits", False):
        raise MemtxError(
            "this --criterion takes logits, which a model with --adaptive-softmax-cutoff has not: "
            "use --criterion adaptive_loss"
        )


def check_trained(model: type[Any], task: Any) -> None:
    """Refuse a trained model for a task that it does not fit at all.

    A language model that hands memory on is of some use to fairseq's ``language_modeling``, where
    every text begins with an empty memory; that is told.
    """
    fits = getattr(model, "fits", None)
    name = name_of(type(task))
    if fits is None or name is None or name in fits or not _known(type(task)):
        return
    line = f"a model of {model.__name__} does not fit --task {name}"
    if name not in getattr(model, "bears", ()):
        raise MemtxError(f"{line}, {model.fits_because}: use --task {_or(fits)}")
    logger.warning(
        f"{line}: memory is not carried from batch to batch there, use --task {next(iter(fits))}"
    )


def name_of(task: type) -> str | None:
    """The name under which a task is registered."""
    return next((name for name, kind in TASK_REGISTRY.items() if kind is task), None)


def _known(kind: type) -> bool:
    """Whether a class is ours or fairseq's."""
    return kind.__module__.split(".")[0] in ("fairseq", __package__.split(".")[0])


def _ours(task: str | None) -> list[str]:
    """Names of our models that can be trained on a task."""
    return [name for name, kind in MODEL_REGISTRY.items() if task in getattr(kind, "fits", ())]


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
