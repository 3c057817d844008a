"""What is measured, of which family, and under which heading."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from . import (
    attention_maps,
    coverage,
    decoder_reading,
    drift,
    exchange_in_encoder,
    exchange_in_segments,
    heads,
    lesion,
    probe,
    text_rows,
    texts,
    writers,
)
from .text_rows import Rows
from .trained_model import TrainedModel

WATCHED = 64  # rows in which memory is exchanged and followed
PROBED = 512  # rows that a probe is made of, half of them to train it


@dataclass
class Wanted:
    """A trained model, and what a user wants to see of it."""

    trained: TrainedModel
    layers: str = "all"
    heads: str = "all"
    beam: int = 1
    example: int = 0
    texts: list[str] = field(default_factory=list)

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The input whose attention is shown, as a batch: the first text, or an example."""
        if self.texts:
            return texts.batch(self.trained, self.texts[:1])
        return self.trained.example(self.example)

    @cached_property
    def rows(self) -> Rows:
        """What a recurrent memory is watched in: the texts, or rows of the set."""
        if self.texts:
            return texts.rows(self.trained, self.texts)
        return text_rows.cut(self.trained, WATCHED)

    def exchanged(self) -> dict[str, Any]:
        """What memory is exchanged between."""
        if self.trained.is_recurrent:
            return exchange_in_segments.swap(self.trained, self.rows)
        if self.texts and self.trained.is_translator:
            return exchange_in_encoder.swap(self.trained, [texts.batch(self.trained, self.texts)])
        return exchange_in_encoder.swap(self.trained, self.trained.samples)


class Part(NamedTuple):
    """Something that is measured."""

    heading: str
    measure: Callable[[Wanted], dict[str, Any]]
    fits: Callable[[TrainedModel], bool] = lambda trained: True


# By name, in the order of the page. The name is that of the files, and of the picture's module.
PARTS = {
    "attention_maps": Part(
        "Attention to one input",
        lambda wanted: attention_maps.measure(
            wanted.trained, wanted.shown, wanted.layers, wanted.heads
        ),
    ),
    "head_classes": Part(
        "What each head does with memory", lambda wanted: heads.measure(wanted.trained)
    ),
    "lesion": Part(
        "With fewer memory tokens", lambda wanted: lesion.measure(wanted.trained, wanted.beam)
    ),
    "exchange": Part("Memory exchanged between two inputs", Wanted.exchanged),
    "drift": Part(
        "How memory drifts",
        lambda wanted: drift.measure(wanted.trained, wanted.rows),
        lambda trained: trained.is_recurrent,
    ),
    "writers": Part(
        "Which tokens wrote memory",
        lambda wanted: writers.measure(wanted.trained, wanted.rows),
        lambda trained: trained.is_recurrent,
    ),
    "probe": Part(
        "What can be read out of memory",
        lambda wanted: probe.measure(wanted.trained, text_rows.cut(wanted.trained, PROBED)),
        lambda trained: trained.is_recurrent,
    ),
    "coverage": Part(
        "What memory slots cover of a document",
        lambda wanted: coverage.measure(wanted.trained),
        lambda trained: not (trained.is_recurrent or trained.is_translator),
    ),
    "decoder_reading": Part(
        "What the decoder takes from memory",
        lambda wanted: decoder_reading.measure(wanted.trained),
        lambda trained: trained.is_translator,
    ),
}
