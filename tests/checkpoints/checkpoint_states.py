"""Small checkpoints as fairseq writes them, without training: of a translation model."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from conftest import SMALL, build, words
from fairseq.criterions.label_smoothed_cross_entropy import (
    LabelSmoothedCrossEntropyCriterionConfig,
)
from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.tasks.translation import TranslationConfig
from omegaconf import OmegaConf


def folder(path: Path) -> Path:
    """A data folder with dictionaries and no sets."""
    for language in ("src", "tgt"):
        words().save(str(path / f"dict.{language}.txt"))
    return path


def settings(**flags: Any) -> Namespace:
    """The configuration of the model that `whole` has."""
    model = Namespace(memory_tokens=3, memory_variant="tokens", **{**SMALL, "dropout": 0.0})
    ARCH_CONFIG_REGISTRY["mem_transformer"](model)
    names = {"_name": "mem_transformer", "arch": "mem_transformer"}
    return Namespace(**{**vars(model), **names, **flags})


def whole(data: Path, **flags: Any) -> dict[str, Any]:
    """A checkpoint of a `mem_transformer` in training.

    Args:
        data: from `folder`.
        flags: other settings of the model's configuration than its weights have.
    """
    weights = {name: value.float() for name, value in build().state_dict().items()}
    task = TranslationConfig(_name="translation", data=str(data), source_lang="src")
    task.target_lang = "tgt"
    criterion = LabelSmoothedCrossEntropyCriterionConfig(_name="label_smoothed_cross_entropy")
    cfg = OmegaConf.structured(FairseqConfig(task=task, criterion=criterion))
    moments = {name: torch.zeros(4) for name in ("exp_avg", "exp_avg_sq")}
    return {
        "args": None,
        "cfg": {
            **OmegaConf.to_container(cfg, resolve=True, enum_to_str=True),
            "model": settings(**flags),
        },
        "model": weights,
        "criterion": None,
        "optimizer_history": [
            {
                "criterion_name": "LabelSmoothedCrossEntropyCriterion",
                "optimizer_name": "FairseqAdam",
                "lr_scheduler_state": {"best": None},
                "num_updates": 6,
            }
        ],
        "task_state": {},
        "extra_state": {
            "metrics": {
                "default": [
                    (0, "loss", "AverageMeter", {"val": 1.0, "sum": 6.0, "count": 6, "round": 3})
                ]
            },
            "previous_training_time": 0.5,
            "train_iterator": {
                "version": 2, "epoch": 2, "iterations_in_epoch": 1, "shuffle": True,
            },
            "val_loss": 4.5,
            "best": 4.5,
        },
        "last_optimizer_state": {
            "state": {0: {"step": 6, **moments}},
            "param_groups": [{"lr": 0.005, "betas": (0.9, 0.98), "params": [0]}],
        },
    }  # fmt: skip
