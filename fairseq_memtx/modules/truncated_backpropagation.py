"""Rows that are longer than gradients are to go back: what is far from the answers is only read.

Shapes: ``B`` rows of ``L`` symbols.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .state_holder import StateHolder

WINDOW = 32  # segments read at once, so that what is in store does not grow with the row


def near_the_answers(
    sample: dict[str, Any], model: nn.Module, segment_length: int, depth: int
) -> dict[str, Any]:
    """The end of a batch, with the state that its beginning left; BPTT of depth ``depth``.

    The model reads the beginning as it is, in training mode with dropout, but without gradients.

    Args:
        sample: a batch with ``src_tokens``, ``B x L``, and ``predicted``, where answers are due.
        model: a language model that reads segments.
        segment_length: ``T``.
        depth: segments before that of the first answer through which gradients go.
    """
    inputs = sample["net_input"]
    tokens, predicted = inputs["src_tokens"], inputs["predicted"]
    begin = (int(predicted.min()) // segment_length - depth) * segment_length
    if begin <= 0:
        return sample
    holder = StateHolder()
    with torch.no_grad():
        for window in tokens[:, :begin].split(WINDOW * segment_length, dim=1):
            model(window, predicted=_last_of(window), holder=holder)
    near = {"src_tokens": tokens[:, begin:], "predicted": predicted - begin, "holder": holder}
    return {**sample, "net_input": {**inputs, **near}}


def _last_of(window: Tensor) -> Tensor:
    return window.new_full((len(window), 1), window.size(1) - 1)
