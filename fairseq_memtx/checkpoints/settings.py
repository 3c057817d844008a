"""What the configuration in a checkpoint may say.

It comes with the file, and models, tasks and criterions are made of it. It holds plain values and
names that are registered here; nothing in it is put together while it is read, is a file of the
network, or has a file overwritten.
"""

import argparse
import logging
import os
import re
import stat
from argparse import Namespace
from collections.abc import Mapping
from enum import Enum
from typing import Any

from fairseq.criterions import CRITERION_DATACLASS_REGISTRY, CRITERION_REGISTRY
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import FairseqConfig
from fairseq.dataclass.utils import interpret_dc_type
from fairseq.models import (
    ARCH_CONFIG_REGISTRY,
    ARCH_MODEL_NAME_REGISTRY,
    ARCH_MODEL_REGISTRY,
    MODEL_DATACLASS_REGISTRY,
)
from fairseq.registry import REGISTRIES as PART_REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY, TASK_REGISTRY
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ..errors import MemtxError

logger = logging.getLogger(__name__)

ADVICE = "give a file that fairseq-train wrote"
# Where fairseq looks the name of a section up.
REGISTRIES = {
    "model": ARCH_MODEL_REGISTRY,
    "task": TASK_REGISTRY,
    "criterion": CRITERION_REGISTRY,
}
# And what its settings are, for those that say so.
KINDS = {
    "model": MODEL_DATACLASS_REGISTRY,
    "task": TASK_DATACLASS_REGISTRY,
    "criterion": CRITERION_DATACLASS_REGISTRY,
}
READ = ("common", "dataset", "generation")  # sections that commands read, and every version has
# A model is as large by these settings as its own largest weight, or than this.
SIZES = {
    "_dim": 10_000,
    "_heads": 10_000,
    "_layers": 1_000,
    "_positions": 1_000_000,
    "memory_tokens": 10_000,
    "associative_channels": 10_000,
    "cache_length": 1_000_000,
}
MOST_ENTRIES = 100_000
FAIRSEQS_OWN = "https://dl.fbaipublicfiles.com/"


def check(cfg: dict[str, Any] | None, args: Namespace | None, path: str) -> None:
    """Refuse settings that fairseq could not have saved, naming the first.

    ``cfg`` is the configuration in sections, ``args`` the flat one of older versions.
    """
    for settings in (cfg, args):
        _check_values(settings, path)
    for part in PART_REGISTRIES:
        # hydra would read a file of the name that is given to --bpe and the like, wherever it is.
        name = getattr(args, part, None)
        if name is not None and not (isinstance(name, str) and re.fullmatch(r"[\w.-]*", name)):
            raise MemtxError(f"{path} has {name!r} for the setting {part}: {ADVICE}")
    for section, content in (cfg or {}).items():
        if not isinstance(section, str):
            raise MemtxError(f"{path} has a section of cfg that is named by {kind_of(section)}")
        if section in REGISTRIES and content is not None:
            _check_section(section, content, path)
    if not cfg:
        return
    for section in (*REGISTRIES, *READ):
        if not cfg.get(section):
            raise MemtxError(f"{path} has no cfg.{section}: {ADVICE}")
    for section in ("tokenizer", "bpe", "scoring"):
        _check_named_part(section, cfg.get(section), path)
    for section, field in FairseqConfig.__dataclass_fields__.items():
        fixed = isinstance(field.type, type) and issubclass(field.type, FairseqDataclass)
        if section in cfg and fixed:
            _check_kinds(section, cfg[section], field.type, path)
    for section, kinds in KINDS.items():
        name = _name(section, cfg[section])
        kind = kinds.get(ARCH_MODEL_NAME_REGISTRY.get(name, name) if section == "model" else name)
        if kind is not None and isinstance(cfg[section], dict):
            _check_kinds(section, cfg[section], kind, path)
    _check_numbers(cfg["model"], path)


def check_sizes(cfg: dict[str, Any] | None, weights: dict[str, Tensor], path: str) -> None:
    """Refuse a model that is larger than its own weights by far, naming the setting.

    It is built before weights are compared, and may be larger than the machine.
    """
    largest = max((size for value in weights.values() for size in value.shape), default=0)
    for name, value in entries((cfg or {}).get("model")):
        for ending, most in SIZES.items():
            fits = max(most, len(weights) if ending == "_layers" else largest)
            if not name.endswith(ending) or not isinstance(value, (int, float)):
                continue
            if value > fits or (value < 0 and ending in ("_heads", "_layers")):
                raise MemtxError(
                    f"{path} has {value} for the setting {name}, which its own weights are far "
                    f"from: {ADVICE}"
                )


def check_named_files(cfg: Any, path: str, overrides: Mapping[str, Any]) -> None:
    """Refuse to take text apart by a file of the network, or by a device, naming the setting.

    ``overrides`` are settings that the user gave by hand, who may name any file.
    """
    for section in ("bpe", "tokenizer"):
        for name, value in entries(cfg.get(section) if cfg else None):
            if name in overrides or not isinstance(value, str) or value.startswith(FAIRSEQS_OWN):
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
    criterion: Any = cfg.get("criterion") if cfg else None
    written = getattr(criterion, "save_predictions", None)
    if written is not None and "save_predictions" not in overrides:
        logger.warning(
            f"checkpoint {path} would have the predictions written to {written}: give "
            "--save-predictions to have them"
        )
        criterion.save_predictions = None


def entries(node: Any) -> list[tuple[str, Any]]:
    """Names and values of a configuration, or of a state, of whatever it is made.

    More than `MOST_ENTRIES` are a ValueError: a list that is in another twice, which is in another
    twice and so on, has no end for those who follow it.
    """
    found: list[tuple[str, Any]] = []
    rest: list[tuple[str, Any]] = [
        ("", OmegaConf.to_container(node) if isinstance(node, DictConfig) else node)
    ]
    for _ in range(MOST_ENTRIES):
        if not rest:
            return found
        name, content = rest.pop()
        if isinstance(content, Namespace):
            content = vars(content)
        if isinstance(content, (dict, list, tuple)):
            pairs = content.items() if isinstance(content, dict) else enumerate(content)
            rest += [(f"{name}.{key}" if name else str(key), value) for key, value in pairs]
        else:
            found.append((name, content))
    raise ValueError(f"more than {MOST_ENTRIES} entries")


def kind_of(value: Any) -> str:
    """``a str``, ``an int``, ``None``."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def _check_values(settings: Any, path: str) -> None:
    """Plain values only. ``${oc.env:NAME}`` would read the environment; fairseq saves results."""
    for name, value in entries(settings):
        if isinstance(value, str) and "${" in value and not re.fullmatch(r"\$\{[\w.]+\}", value):
            raise MemtxError(
                f"checkpoint {path} is refused, since its setting {name} is {value[:80]!r}, which "
                "would be evaluated: fairseq saves plain values"
            )
        if value is not None and not isinstance(value, (str, int, float)):
            raise MemtxError(f"{path} has {kind_of(value)} for the setting {name}: {ADVICE}")


def _check_section(section: str, content: Any, path: str) -> None:
    if not isinstance(content, (dict, Namespace)):
        raise MemtxError(f"{path} has {kind_of(content)} for cfg.{section}: {ADVICE}")
    name = _name(section, content)
    if name not in REGISTRIES[section]:
        raise MemtxError(
            f"{path} is of the {section} {name!r}, which nobody has registered: give the "
            "--user-dir that has it"
        )


def _check_named_part(section: str, content: Any, path: str) -> None:
    """Of a section that may be missing, and is a name or has one."""
    known = PART_REGISTRIES[section]["registry"]
    name = content if isinstance(content, str) or content is None else _name(section, content)
    if name not in (None, *known) or content == {}:
        raise MemtxError(f"{path} has {content!r} for cfg.{section}: {ADVICE}")


def _check_kinds(section: str, content: Any, kind: type[FairseqDataclass], path: str) -> None:
    """Of a section whose settings have names and kinds that are known."""
    if not isinstance(content, dict):
        raise MemtxError(f"{path} has {kind_of(content)} for cfg.{section}: {ADVICE}")
    for name, field in kind.__dataclass_fields__.items():
        value = content.get(name)
        if value is not None and not _is_of_kind(value, interpret_dc_type(field.type)):
            raise MemtxError(f"{path} has {value!r} for the setting {section}.{name}: {ADVICE}")


def _name(section: str, content: Any) -> Any:
    """As fairseq finds it: old sections are flat configurations."""
    found = vars(content) if isinstance(content, Namespace) else content
    if not isinstance(found, dict):
        return None
    name = found.get("_name") or found.get("arch" if section == "model" else section)
    return name if isinstance(name, str) else None


def _check_numbers(model: dict[str, Any] | Namespace, path: str) -> None:
    """What is a number on the command line is one in a checkpoint, or is not set by default."""
    flags, preset = argparse.ArgumentParser(add_help=False), Namespace()
    arch = _name("model", model)
    ARCH_MODEL_REGISTRY[arch].add_args(flags)
    ARCH_CONFIG_REGISTRY[arch](preset)
    kinds = {flag.dest: flag.type for flag in flags._actions}
    for name, value in (vars(model) if isinstance(model, Namespace) else model).items():
        unset = value is None and getattr(preset, name, None) is None
        if not unset and not _is_of_kind(value, kinds.get(name)):
            raise MemtxError(f"{path} has {value!r} for the setting {name}, a number: {ADVICE}")


def _is_of_kind(value: Any, kind: Any) -> bool:
    """Whether a value is of the kind that a setting takes; kinds that are no plain ones take all.

    Older versions saved some truth values as words, and numbers as values of a choice.
    """
    if isinstance(kind, type) and issubclass(kind, Enum):
        return isinstance(value, (str, int, float))
    if kind is bool:
        return isinstance(value, (bool, int)) or str(value).lower() in ("true", "false")
    if kind is int:
        return isinstance(value, int)
    if kind is float:
        return isinstance(value, (int, float))
    return kind is not str or isinstance(value, (str, int, float))


def _is_device(value: str) -> bool:
    try:
        mode = os.stat(value).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
