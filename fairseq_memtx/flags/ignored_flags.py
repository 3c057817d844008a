"""Flags that would be taken and then ignored are refused.

fairseq's models, tasks and criterions hand down dozens of flags, some of which mean nothing to what
was made of them, or nothing beside certain others. A class says which in ``ignored_flags``. A flag
counts as given where its value is neither the default nor that of the architecture's preset.
"""

import argparse
import functools
import logging
from typing import Any, Callable, NamedTuple

from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import ARCH_CONFIG_REGISTRY
from omegaconf import DictConfig

from ..errors import MemtxError

logger = logging.getLogger(__name__)


class Ignored(NamedTuple):
    """Flags that have no effect, and why.

    A flag that all tasks have in common is written with its group: ``dataset.max_tokens``.
    """

    flags: str  # names of the configuration, with spaces between them
    because: str  # the reason, or what to use instead
    when: Callable[[Any], bool] = lambda cfg: True  # by the configuration of its owner


# What fairseq's transformer hands down to every model that is made of it.
NEVER = [
    Ignored("base_layers base_sublayers base_shuffle", "BASE layers are not supported here"),
    Ignored(
        "encoder_xformers_att_config decoder_xformers_att_config",
        "attention of xFormers is not supported here",
    ),
    Ignored("quant_noise_scalar", "scalar quantisation is not supported here"),
]
ALONE = [
    Ignored(
        "quant_noise_pq_block_size",
        "it belongs to --quant-noise-pq, which is not given",
        when=lambda cfg: not cfg.quant_noise_pq,
    ),
    Ignored(
        "adaptive_softmax_dropout adaptive_softmax_factor tie_adaptive_weights",
        "it belongs to --adaptive-softmax-cutoff, which is not given",
        when=lambda cfg: not cfg.adaptive_softmax_cutoff,
    ),
    Ignored(
        "tie_adaptive_proj",
        "it belongs to --tie-adaptive-weights, which is not given",
        when=lambda cfg: not cfg.tie_adaptive_weights,
    ),
    Ignored(
        "share_decoder_input_output_embed",
        "the --adaptive-softmax-cutoff given makes an output of its own",
        when=lambda cfg: (
            cfg.adaptive_softmax_cutoff and getattr(cfg, "backbone", None) != "transformer-xl"
        ),
    ),
    Ignored(
        "no_decoder_final_norm",
        "it belongs to --decoder-normalize-before, which is not given",
        when=lambda cfg: not cfg.decoder_normalize_before,
    ),
]


def check(owner: type, cfg: Any, from_checkpoint: bool = False) -> None:
    """Refuse the first flag that the user gave and that ``owner`` would ignore.

    Args:
        owner: a registered class of model, task or criterion, with ``ignored_flags`` or without.
        cfg: its configuration.
        from_checkpoint: the flags are those of a training that is over; tell, and go on.
    """
    for rule in getattr(owner, "ignored_flags", ()):
        for name in rule.flags.split():
            value = _value(cfg, name)
            if _same(value, _default(owner, arch_of(cfg), name)) or not rule.when(cfg):
                continue
            flag = name.split(".")[-1].replace("_", "-")
            given = f"--{flag}" if value is True else f"--{flag} {value}"
            line = f"{given} would have no effect: {rule.because}"
            if not from_checkpoint:
                raise MemtxError(f"{line}. Leave it out")
            logger.warning(f"the checkpoint was trained with flags of which {line}")


def run_of(cfg: Any) -> Any:
    """The configuration of the whole run around that of one part of it."""
    return cfg._get_parent() if isinstance(cfg, DictConfig) else cfg


def trains_along_a_text(cfg: Any) -> bool:
    """Whether a task stands in a run that trains an `rmt_lm`.

    ``fairseq-generate`` has a model of speech beside every task, by default.
    """
    model = getattr(run_of(cfg), "model", None)
    return getattr(model, "memory_tokens", None) is not None


# Of tasks for models with either backbone.
NO_POSITIONS = Ignored(
    "max_target_positions",
    "--backbone transformer-xl has distances in place of positions",
    when=lambda cfg: _value(cfg, "model.backbone") == "transformer-xl",
)


def _value(cfg: Any, name: str) -> Any:
    group, _, name = name.rpartition(".")
    return getattr(getattr(run_of(cfg), group, None) if group else cfg, name, None)


def arch_of(cfg: Any) -> str | None:
    return getattr(cfg, "_name", None) or getattr(cfg, "arch", None)


@functools.cache
def _default(owner: type, arch: str | None, name: str) -> Any:
    group, _, name = name.rpartition(".")
    if group:
        return getattr(FairseqConfig.__dataclass_fields__[group].default(), name)
    return _defaults(owner, arch).get(name)


@functools.cache
def _defaults(owner: type[Any], arch: str | None) -> dict[str, Any]:
    """Of all flags of a class, as fairseq fills them in where a user says nothing."""
    dataclass = getattr(owner, "__dataclass", None)
    filled = argparse.Namespace()
    if dataclass is None:
        parser = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)
        owner.add_args(parser)
        parser.parse_args([], filled)
    if arch in ARCH_CONFIG_REGISTRY:
        ARCH_CONFIG_REGISTRY[arch](filled)
    return {**(vars(dataclass()) if dataclass else {}), **vars(filled)}


def _same(value: Any, default: Any) -> bool:
    """Old checkpoints and YAML files have None where a command line has a flag's default."""
    return value is None or value == default or str(value) == str(default) or not (value or default)
