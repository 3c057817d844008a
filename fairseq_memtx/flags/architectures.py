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

MANY = 1_000_000  # symbols; cutoffs of an adaptive softmax are below them


class Architecture(NamedTuple):
    """A row of the table; layers as text, since those of two sides stand in one place."""

    name: str
    layers: str
    d: int
    ffn: int
    heads: int
    memory: int
    cache: int
    parameters: int


def architectures(symbols: int) -> Iterator[Architecture]:
    """All of ours, with parameters for a dictionary of so many symbols."""
    many = _Words()
    for name in sorted(path.stem for path in presets.FOLDER.glob("*.yaml")):
        weights = [weight.shape for weight in _on_meta(name, many).parameters()]
        # Whatever is about as long as so large a dictionary grows with it.
        a_symbol = sum(shape.numel() // max(shape) for shape in weights if max(shape) > MANY // 2)
        parameters = sum(shape.numel() for shape in weights) + (symbols - MANY) * a_symbol
        sizes = presets.read(name)
        sides = [side for side in ("encoder", "decoder") if f"{side}_layers" in sizes]
        yield Architecture(
            name,
            "+".join(str(sizes[f"{side}_layers"]) for side in sides),
            sizes[f"{sides[0]}_embed_dim"],
            sizes[f"{sides[0]}_ffn_embed_dim"],
            sizes[f"{sides[0]}_attention_heads"],
            sizes["memory_tokens"],
            sizes.get("cache_length", 0),
            parameters,
        )


class _Words(Dictionary):
    """A dictionary of `MANY` words, which are not there."""

    def __len__(self) -> int:
        return MANY


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
