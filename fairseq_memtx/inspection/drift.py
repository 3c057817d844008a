"""How a recurrent memory drifts from segment to segment."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from .handed_on import states, vectors_of
from .text_rows import Rows
from .trained_model import TrainedModel


def measure(trained: TrainedModel, rows: Rows) -> dict[str, Any]:
    """Follow every slot and every layer memory through the segments of the rows.

    Returns:
        ``parts``: by the name of each, the ``norm`` of its vector before the first segment and
        after each, ``to_before``, its cosine with the one a segment before, and ``to_start``, with
        the one before the first segment, or, where that is zero, after it. All are means over the
        rows; None stands where there is no such vector.
    """
    vectors = [vectors_of(state) for state in states(trained.model, rows.tokens)]
    return {"parts": {part: _followed([state.get(part) for state in vectors])
                      for part in vectors[-1]}}  # fmt: skip


def _followed(vectors: list[Tensor | None]) -> dict[str, list[float | None]]:
    given = [None if vector is None or not vector.any() else vector.float() for vector in vectors]
    start = next((vector for vector in given if vector is not None), None)
    return {
        "norm": [0.0 if vector is None else float(vector.norm(dim=1).mean()) for vector in given],
        "to_before": [None, *(_cosine(*pair) for pair in zip(given, given[1:]))],
        "to_start": [_cosine(start, vector) for vector in given],
    }


def _cosine(one: Tensor | None, other: Tensor | None) -> float | None:
    if one is None or other is None:
        return None
    return float(functional.cosine_similarity(one, other, dim=1).mean())
