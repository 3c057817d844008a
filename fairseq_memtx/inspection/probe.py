"""What can be read out of memory by a linear probe.

A probe is a linear layer from memory at a border to what was told before it. It is trained on one
half of the rows and measured on the other. The same probe trained on shuffled answers is the
control: what it reaches is luck.

Shapes: ``B`` rows, ``F`` features, ``K`` answers.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..data.streams import Text
from .handed_on import states, vectors_of
from .text_rows import Rows
from .trained_model import NotMeasured, TrainedModel

ANSWERS = 12  # different ones, the most frequent
PLACES = 8  # at which something is asked, the first
DECAY = 1e-2  # of the squared weights
STEPS = 50  # of L-BFGS


class Question(NamedTuple):
    """What is asked of memory."""

    name: str
    answers: Tensor  # B


def measure(trained: TrainedModel, rows: Rows) -> dict[str, Any]:
    """Probe memory at the border of the rows.

    Returns:
        ``rows``, how many there are, and ``questions``, records: ``question``, ``answers`` (how
        many different ones), ``most_frequent`` (accuracy of saying always that), ``shuffled`` (of
        the control), ``whole`` (of a probe of all parts), and ``parts``, of each part alone.

    Raises:
        NotMeasured: if there are too few rows.
    """
    last: dict[str, Tensor] = {}
    for state in states(trained.model, rows.tokens[:, : rows.border]):
        last = vectors_of(state)
    parts = {part: vector.float() for part, vector in last.items()}
    whole = torch.cat(list(parts.values()), dim=1)
    found = []
    for name, answers in _questions(trained, rows):
        counted = answers.unique(return_counts=True)
        frequent = counted[0][counted[1].argsort(descending=True)[:ANSWERS]]
        kept = torch.isin(answers, frequent)
        if int(kept.sum()) < 2 * len(frequent) or len(frequent) < 2:
            continue
        labels = torch.searchsorted(frequent.sort().values, answers[kept])
        mixed = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
        half = labels[len(labels) // 2 :]
        record = {
            "question": name,
            "answers": len(frequent),
            "most_frequent": float(half.bincount().max()) / len(half),
            "shuffled": accuracy(whole[kept], labels, mixed),
            "whole": accuracy(whole[kept], labels, labels),
            "parts": {part: accuracy(x[kept], labels, labels) for part, x in parts.items()},
        }
        found.append(record)
    if not found:
        raise NotMeasured(
            f"the set has {len(rows.tokens)} rows, too few to train a probe on half of them: give "
            "more"
        )
    return {"rows": len(rows.tokens), "questions": found}


def accuracy(features: Tensor, right: Tensor, taught: Tensor) -> float:
    """Of a probe that was taught the first half of ``taught``, on the second half of ``right``.

    Args:
        features: ``B x F``.
        right: answers, ``B``.
        taught: the same, or shuffled.
    """
    half = len(features) // 2
    mean, scale = features[:half].mean(0), features[:half].std(0).clamp(min=1e-6)
    features = (features - mean) / scale / features.size(1) ** 0.5
    weight = torch.zeros(int(right.max()) + 1, features.size(1), requires_grad=True)
    bias = torch.zeros(len(weight), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = functional.linear(features[:half], weight, bias)
        total = functional.cross_entropy(scores, taught[:half])
        total = total + DECAY / 2 * weight.square().sum() / features.size(1)
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(loss)
    with torch.no_grad():
        said = functional.linear(features[half:], weight, bias).argmax(1)
    return float(said.eq(right[half:]).double().mean())


def _questions(trained: TrainedModel, rows: Rows) -> list[Question]:
    """What is asked later, if something is; of a text, the last and the most frequent word."""
    dictionary = trained.task.source_dictionary
    if isinstance(trained.task.dataset(trained.split), Text):
        read = rows.tokens[:, : rows.border]
        frequent = [row[row >= dictionary.nspecial].mode().values for row in read]
        return [
            Question("the last symbol", read[:, -1]),
            Question("the most frequent symbol", torch.stack(frequent)),
        ]
    asked = rows.target.ne(dictionary.pad()).all(dim=0).nonzero().flatten().tolist()[:PLACES]
    return [Question(f"the answer at {place}", rows.target[:, place]) for place in asked]
