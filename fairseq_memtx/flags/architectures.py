"""The architectures that there are: their names, sizes and numbers of parameters."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import torch
from fairseq.data import Dictionary
from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf
from torch import nn

from . import presets

HEADER = ("architecture", "layers", "d", "ffn", "heads", "memory", "cache", "parameters")
MANY = 1_000_000  # symbols; cutoffs of an adaptive softmax are below them


class Architecture(NamedTuple):
    """A row of the table; sizes as text, since those of two sides stand in one place."""

    name: str
    layers: str
    channels: int
    ffn_channels: int
    heads: int
    memory_tokens: int
    cache: int
    parameters: int


def names() -> list[str]:
    """Names of our architectures."""
    return sorted(path.stem for path in presets.FOLDER.glob("*.yaml"))


def architectures(symbols: int) -> Iterator[Architecture]:
    """All of them.

    Args:
        symbols: of the dictionary, which embeddings have a row for each of.
    """
    many = _Words()
    for name in names():
        weights = [weight.shape for weight in _on_meta(name, many).parameters()]
        # Whatever is about as long as so large a dictionary grows with it.
        a_symbol = sum(shape.numel() // max(shape) for shape in weights if max(shape) > MANY // 2)
        count = sum(shape.numel() for shape in weights)
        yield _row(name, count + (symbols - MANY) * a_symbol)


class _Words(Dictionary):
    """A dictionary of `MANY` words, which are not there."""

    def __len__(self) -> int:
        return MANY


def _row(name: str, parameters: int) -> Architecture:
    sizes = presets.read(name)
    sides = [side for side in ("encoder", "decoder") if f"{side}_layers" in sizes]
    layers = "+".join(str(sizes[f"{side}_layers"]) for side in sides)
    side = sides[0]
    return Architecture(
        name,
        layers,
        sizes[f"{side}_embed_dim"],
        sizes[f"{side}_ffn_embed_dim"],
        sizes[f"{side}_attention_heads"],
        sizes["memory_tokens"],
        sizes.get("cache_length", 0),
        parameters,
    )


def _on_meta(name: str, dictionary: Dictionary) -> nn.Module:
    """A model without values."""
    model = ARCH_MODEL_REGISTRY[name]
    task = next(iter(model.fits))
    cfg: Any = getattr(TASK_REGISTRY[task], "__dataclass")(_name=task)
    length = {"tokens_per_sample": getattr(cfg, "tokens_per_sample", 1) or 512}
    stub: Any = Namespace(source_dictionary=dictionary, target_dictionary=dictionary, cfg=cfg)
    settings = getattr(model, "__dataclass", None)
    if settings is None:
        args: Any = Namespace(**length)
        ARCH_CONFIG_REGISTRY[name](args)
    else:
        model_cfg = settings(**presets.read(name), **length)
        args = OmegaConf.structured(FairseqConfig(task=cfg, model=model_cfg)).model
    # fairseq draws RoBERTa's weights on the CPU, where there are none.
    with torch.device("meta"), mock.patch.object(torch.Tensor, "cpu", lambda tensor: tensor):
        return model.build_model(args, stub)
