"""What a checkpoint of fairseq holds, and what is refused in its place.

A file that is whole and harmless (`safe_loading`) may still be anything. Here is the one
description of the parts that fairseq reads, each with its type, and of what weights are. What is
asked for is what every version of fairseq since 2018 writes; parts that a version left out, and
that fairseq fills in, may be missing.
"""

from __future__ import annotations

import logging
import math
import os
import re
import stat
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.logging import meters
from fairseq.models import ARCH_MODEL_REGISTRY
from fairseq.registry import REGISTRIES as REGISTRIES_OF_PARTS
from fairseq.tasks import TASK_REGISTRY
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from .errors import MemtxError

logger = logging.getLogger(__name__)

# Several workers add their times up in a tensor, and --eval-bleu leaves numbers of numpy.
NUMBER = (int, float, np.number, Tensor)
NOTHING = type(None)
# Where fairseq looks the name of a section up.
REGISTRIES = {
    "model": ARCH_MODEL_REGISTRY,
    "task": TASK_REGISTRY,
    "criterion": CRITERION_REGISTRY,
}
# Parts of the whole, and of what is inside: where, type, whether it may be missing.
PARTS = [
    ("args", (NOTHING, Namespace), True),
    ("cfg", (NOTHING, dict), True),
    ("model", dict, False),
    ("criterion", (NOTHING, dict), True),
    ("extra_state", dict, True),
    ("extra_state.train_iterator", dict, True),
    ("extra_state.train_iterator.epoch", int, True),
    ("extra_state.train_iterator.iterations_in_epoch", int, True),
    ("extra_state.train_iterator.version", int, True),
    ("extra_state.val_loss", (NOTHING, *NUMBER), True),
    ("extra_state.best", (NOTHING, *NUMBER), True),
    ("extra_state.previous_training_time", NUMBER, True),
    ("extra_state.metrics", dict, True),
    ("optimizer_history", list, True),
    ("last_optimizer_state", (NOTHING, dict), True),
    ("last_optimizer_state.state", dict, True),
    ("last_optimizer_state.param_groups", list, True),
    ("task_state", dict, True),
]
OLD_PARTS = ("best_loss", "optimizer")  # in place of optimizer_history, before 2018
HISTORY = [
    ("criterion_name", str),
    ("optimizer_name", str),
    ("lr_scheduler_state", dict),
    ("num_updates", int),
]
FAIRSEQS_OWN = "https://dl.fbaipublicfiles.com/"
NO_CHECKPOINT = "is no checkpoint of fairseq"
ADVICE = "give a file that fairseq-train wrote"


def check(state: Any, path: str) -> None:
    """Refuse what fairseq could not have written.

    Args:
        state: what was read.
        path: of the file.

    Raises:
        MemtxError: naming the part that is wrong.
    """
    try:
        _check(state, path)
    except RecursionError as cause:
        raise MemtxError(
            f"{path} {NO_CHECKPOINT}: it holds itself, or is nested too deep"
        ) from cause


def check_weights(weights: Any, path: str, where: str = "model") -> None:
    """Refuse anything that is not a dict of dense tensors of finite numbers on the CPU.

    Raises:
        MemtxError: naming the first weight that is something else.
    """
    if not isinstance(weights, dict) or not weights:
        raise MemtxError(f"{path} {NO_CHECKPOINT}: {where} holds no weights, {ADVICE}")
    for name, value in weights.items():
        if not isinstance(name, str):
            raise MemtxError(f"{path} has a weight that is named by a {_kind(name)}: {ADVICE}")
        if not isinstance(value, Tensor):
            raise MemtxError(f"{path} has {_kind(value)} for the weight {name}: {ADVICE}")
        wrong = _wrong(value)
        if not wrong and name.endswith(("weight", "bias")) and not value.is_floating_point():
            wrong = f"is of {value.dtype}, and weights are of float"
        if wrong:
            raise MemtxError(f"{path} cannot be used: its weight {name} {wrong}")


def check_named_files(cfg: Any, path: str, overrides: Mapping[str, Any]) -> None:
    """Refuse a configuration that takes text apart by a file of the network, or by a device.

    Args:
        cfg: of a checkpoint, with ``overrides`` put into it.
        path: of the checkpoint.
        overrides: settings that the user gave by hand, who may name any file.

    Raises:
        MemtxError: naming the setting.
    """
    for section in ("bpe", "tokenizer"):
        for name, value in settings(cfg.get(section) if cfg else None):
            own = name.rpartition(".")[2] in overrides
            if own or not isinstance(value, str) or value.startswith(FAIRSEQS_OWN):
                continue
            if re.match(r"(https?|s3)://", value) or _is_device(value):
                raise MemtxError(
                    f"checkpoint {path} is refused, since its setting {section}.{name} would read "
                    f"{value}: give a file of your own for {name}"
                )


def forget_written_files(cfg: Any, path: str, overrides: Mapping[str, Any]) -> None:
    """Take out the one setting by which ``fairseq-validate`` would overwrite a file.

    ``--save-predictions`` of the criterion ``sentence_ranking``, unless the user gave it by hand.
    """
    criterion = cfg.get("criterion") if cfg else None
    written = getattr(criterion, "save_predictions", None)
    if written is not None and "save_predictions" not in overrides:
        logger.warning(
            f"checkpoint {path} would have the predictions written to {written}: give "
            "--save-predictions to have them"
        )
        criterion.save_predictions = None


def settings(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a configuration, of whatever it is made."""
    if isinstance(node, DictConfig):
        node = OmegaConf.to_container(node)
    if isinstance(node, Namespace):
        node = vars(node)
    if isinstance(node, (dict, list, tuple)):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            yield from settings(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node


def _check(state: Any, path: str) -> None:
    if not isinstance(state, dict):
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it holds {_kind(state)}, {ADVICE}")
    for part, kinds, may_be_missing in PARTS:
        _check_part(state, part, kinds, may_be_missing, path)
    if all(state.get(part) is None for part in ("args", "cfg")):
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no cfg, {ADVICE}")
    if "extra_state" not in state and "epoch" not in state:
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no extra_state, {ADVICE}")
    check_weights(state["model"], path)
    _check_history(state, path)
    for part in ("extra_state", "last_optimizer_state"):
        _check_tensors(state.get(part), part, path)
    _check_learning_rates(state.get("last_optimizer_state") or {}, path)
    _check_metrics(state.get("extra_state", {}).get("metrics", {}), path)
    for part in ("args", "cfg"):
        _check_settings(state.get(part), path)
    _check_registered_names(state.get("args"), path)
    _check_sections(state.get("cfg") or {}, state["model"], path)


def _check_part(state: dict, part: str, kinds: Any, may_be_missing: bool, path: str) -> None:
    *outer, last = part.split(".")
    for name in outer:
        state = state.get(name)
        if state is None:
            return
    if last not in state:
        if may_be_missing:
            return
        raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no {part}, {ADVICE}")
    value = state[last]
    # Python's truth values are numbers, fairseq's are not.
    several = isinstance(value, Tensor) and value.numel() != 1
    if not isinstance(value, kinds) or isinstance(value, bool) or several:
        raise MemtxError(f"{path} has {_kind(value)} for {part}: {ADVICE}")
    if isinstance(value, int) and value < 0:
        raise MemtxError(f"{path} has {value} for {part}: {ADVICE}")


def _check_history(state: dict[str, Any], path: str) -> None:
    if "optimizer_history" not in state:
        missing = [part for part in OLD_PARTS if part not in state]
        if missing:
            raise MemtxError(f"{path} {NO_CHECKPOINT}: it has no optimizer_history, {ADVICE}")
        return
    history = state["optimizer_history"]
    if not history or not all(isinstance(entry, dict) for entry in history):
        raise MemtxError(f"{path} has no dicts in its optimizer_history: {ADVICE}")
    for name, kinds in HISTORY:
        if name in history[-1]:
            _check_part(history[-1], name, kinds, True, path)


def _check_tensors(content: Any, part: str, path: str) -> None:
    for name, value in settings(content):
        wrong = _wrong(value) if isinstance(value, Tensor) else None
        if wrong:
            raise MemtxError(f"{path} cannot be used: {name} of its {part} {wrong}")


def _check_learning_rates(optimizer: dict[str, Any], path: str) -> None:
    for group in optimizer.get("param_groups", []):
        rate = group.get("lr", 0.0) if isinstance(group, dict) else None
        if not isinstance(rate, NUMBER) or not math.isfinite(rate):
            raise MemtxError(
                f"{path} has no learning rate in a group of its last_optimizer_state: {ADVICE}"
            )


def _check_metrics(metrics: dict[str, Any], path: str) -> None:
    """Meters are made by the names of their classes."""
    known = {kind.__name__ for kind in meters.Meter.__subclasses__()}
    for name, saved in metrics.items():
        for entry in saved if isinstance(saved, list) else [saved]:
            whole = isinstance(entry, (list, tuple)) and len(entry) == 4
            if not whole or entry[2] not in known or not isinstance(entry[3], dict):
                raise MemtxError(f"{path} has no meters in extra_state.metrics.{name}: {ADVICE}")


def _check_settings(cfg: Any, path: str) -> None:
    """Plain values only, and nothing that is put together while it is read.

    fairseq saves its configuration resolved. ``${oc.env:NAME}`` would read the environment.
    """
    for name, value in settings(cfg):
        if isinstance(value, str) and "${" in value and not re.fullmatch(r"\$\{[\w.]+\}", value):
            raise MemtxError(
                f"checkpoint {path} is refused, since its setting {name} is {value[:80]!r}, which "
                "would be evaluated: fairseq saves plain values"
            )
        if not isinstance(value, (NOTHING, str, int, float)):
            raise MemtxError(f"{path} has {_kind(value)} for the setting {name}: {ADVICE}")


def _check_registered_names(args: Namespace | None, path: str) -> None:
    """Of ``bpe`` and the like: hydra would read a file of that name, wherever it is."""
    for name in REGISTRIES_OF_PARTS:
        value = getattr(args, name, None)
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[\w.-]*", value)):
            raise MemtxError(f"{path} has {value!r} for the setting {name}: give a name")


def _check_sections(cfg: dict[str, Any], weights: dict[str, Tensor], path: str) -> None:
    for section, content in cfg.items():
        if not isinstance(section, str):
            raise MemtxError(f"{path} has a section of cfg that is named by {_kind(section)}")
        if section in REGISTRIES and content is not None:
            if not isinstance(content, (dict, Namespace)):
                raise MemtxError(f"{path} has {_kind(content)} for cfg.{section}: {ADVICE}")
            _check_name(section, dict(settings(content)), path)
    if cfg and not cfg.get("model"):
        raise MemtxError(f"{path} has no cfg.model: {ADVICE}")


def _check_name(section: str, content: dict[str, Any], path: str) -> None:
    name = content.get("_name") or content.get("arch" if section == "model" else section)
    if name not in REGISTRIES[section]:
        raise MemtxError(
            f"{path} is of the {section} {name!r}, which nobody has registered: give the "
            "--user-dir that has it"
        )


def _wrong(value: Tensor) -> str | None:
    """Why a tensor cannot be the weight of a model, or None."""
    if value.is_meta:
        return "has a shape and no numbers"
    if value.layout is not torch.strided or value.is_quantized:
        return f"is {'quantised' if value.is_quantized else 'sparse'}, and weights are dense"
    if value.is_complex():
        return "is complex"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "says the same numbers many times over"
    # Both ends are NaN where one number is, and no copy is made.
    ends = torch.aminmax(value.detach()) if value.numel() and value.dtype is not torch.bool else ()
    if not all(math.isfinite(float(end)) for end in ends):
        return "has NaN or infinity in it: the training diverged, use an earlier checkpoint"
    return None


def _is_device(value: str) -> bool:
    try:
        mode = os.stat(value).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _kind(value: Any) -> str:
    """``a str``, ``an int``, ``None``."""
    name = "None" if value is None else type(value).__name__
    return name if value is None else f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"
