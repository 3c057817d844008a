"""Rows that a recurrent memory is watched in: a text up to a border, and what follows it.

Shapes: ``B`` rows of ``L`` tokens.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.streams import Text
from .trained_model import NotMeasured, TrainedModel

SEGMENTS = 8  # of a row that is cut out of a text


class Rows(NamedTuple):
    """Texts of one length."""

    tokens: Tensor  # B x L
    target: Tensor  # B x L, padding where nothing is asked
    border: int  # tokens before the segment in which the first is asked, whole segments of them


def cut(trained: TrainedModel, count: int) -> Rows:
    """Rows of the set: its examples, or pieces of its text, spread evenly over it.

    Raises:
        NotMeasured: if they are too short for memory to be handed on.
    """
    length = trained.model.decoder.segment_length
    data = trained.task.dataset(trained.split)
    if isinstance(data, Text):
        tokens, target = _of_text(data, length, count, trained.task.source_dictionary.eos())
        border = tokens.size(1) // length // 2 * length
    else:
        rows = [data[index] for index in range(min(count, len(data)))]
        tokens, target = (torch.stack([row[side] for row in rows]) for side in ("source", "target"))
        asked = target.ne(trained.task.source_dictionary.pad()).any(dim=0)
        border = int(asked.nonzero()[0]) // length * length
    if border < 1:
        raise NotMeasured(
            f"rows of the set '{trained.split}' end before memory is handed on: give a set with "
            f"more than one segment of {length} tokens"
        )
    return Rows(tokens, target, border)


def _of_text(text: Text, length: int, count: int, first: int) -> tuple[Tensor, Tensor]:
    segments = min(SEGMENTS, (len(text) - 1) // length)
    size = segments * length
    count = max(1, min(count, (len(text) - 1) // max(size, 1)))
    starts = torch.linspace(0, len(text) - 1 - size, count).long().tolist()
    rows = torch.stack([text.read(start, start + size + 1) for start in starts])
    return rows[:, :-1], rows[:, 1:]


def read(trained: TrainedModel, tokens: Tensor, holder: Any, **more: Any) -> Tensor:
    """Log probabilities of what follows each token, ``B x L x V``; the state is in the holder."""
    output = trained.model(tokens, holder=holder, **more)
    scores: Tensor = trained.model.get_normalized_probs(output, log_probs=True)
    return scores
