"""How fast long documents are read: GMAT beside dense, sparse and local attention.

Encoders of RoBERTa base's layers and 1,000 symbols, without a head; see
`benchmarks.long_document_models`.
"""

from typing import Any, Iterator

import torch
from benchmarks.long_document_models import (
    BIGBIRD,
    DENSE,
    FLEX,
    FLEX_WINDOW,
    LONGFORMER,
    MODERNBERT,
    OURS,
    WINDOW,
    Sizes,
    build,
)
from torch import Tensor, nn

from .in_process import prints_json
from .turns import Training, computing, side_by_side, table

MODELS = (OURS, WINDOW, DENSE, MODERNBERT, LONGFORMER, BIGBIRD)  # with dropout 0.1
KERNELS = (OURS, FLEX, WINDOW, FLEX_WINDOW)  # without: FlexAttention drops no weights
TOKENS = 16384  # of a batch, where a document is not longer
BASE = Sizes(layers=12, channels=768, ffn_channels=3072, heads=12)
TINY = Sizes(
    layers=2, channels=16, ffn_channels=32, heads=2, vocabulary=30, chunk=8, memory_tokens=2,
    block=2,
)  # fmt: skip


@prints_json
def documents(
    device: str, _data: str, seconds: str, size: str, precisions: str, length: str
) -> Iterator[dict[str, Any]]:
    """Training steps, and forward passes alone, of documents of this length."""
    yield from measured(MODELS, 0.1, device, seconds, size, precisions, length)


@prints_json
def kernels(
    device: str, _data: str, seconds: str, size: str, precisions: str, length: str
) -> Iterator[dict[str, Any]]:
    """The same of FlexAttention beside groups."""
    yield from measured(KERNELS, 0.0, device, seconds, size, precisions, length)


def measured(
    names: tuple[str, ...], dropout: float, device: str, seconds: str, size: str, precisions: str,
    length: str,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Models beside each other: what is known so far, again and again."""
    sizes, tokens = (TINY, int(length)) if size == "tiny" else (BASE, TOKENS)
    shape = max(1, tokens // int(length)), int(length)
    numbers = torch.Generator().manual_seed(1)
    words = torch.randint(4, sizes.vocabulary, shape, generator=numbers).to(device)
    found: dict[str, Any] = {"table": []}
    models = {}
    for name in names:
        try:
            models[name] = build(name, sizes, int(length), dropout).to(device)
        except Exception as error:
            found["table"].append(f"  {name} was not built: {type(error).__name__}: {error}")
    for precision in precisions.split(","):
        trainings, readings = {}, {}
        for name, model in models.items():
            named, of = name, precision
            if (name, precision) == (BIGBIRD, "amp"):  # which fails under autocast
                named, of = f"{name}, weights of bf16", "bf16"
            trainings[named] = Training(model, Squared(model, words), words.numel(), of)
            readings[named] = Reading(model, words, of)
        for what, works in (("training", trainings), ("forward", readings)):
            lines, title = found["table"], f"{what}, {precision}, {shape[0]} x {shape[1]:,}"
            for rows in side_by_side(works, device, float(seconds)):
                found |= {f"{what}, {precision}": rows, "table": lines + table(title, rows)}
                yield found


class Squared:
    """A loss of a model's features."""

    def __init__(self, model: nn.Module, words: Tensor) -> None:
        self.model, self.words = model, words

    def __call__(self) -> Tensor:
        return self.model(self.words).float().square().mean()


class Reading:
    """A forward pass without gradients."""

    def __init__(self, model: nn.Module, words: Tensor, precision: str) -> None:
        self.model, self.words, self.precision = model, words, precision

    @torch.no_grad()
    def __call__(self) -> int:
        self.model.eval()
        with computing(self.words.device.type, self.precision):
            self.model(self.words)
        return self.words.numel()
