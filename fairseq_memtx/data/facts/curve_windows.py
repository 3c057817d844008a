"""Rows of several lengths as windows in order: all of the first length, then of the next.

Shapes: ``B`` rows, ``W`` symbols of a window.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ...errors import MemtxError
from .row import Row
from .story_examples import FactsInNoise

WINDOW = 32  # segments, so that what is in store does not grow with the row


def lengths_of(text: str, least: int) -> list[int]:
    """The lengths that ``--length-curve`` asks for, in segments.

    Args:
        text: numbers with commas between them.
        least: segments that a row has at least.

    Raises:
        MemtxError: if they are no such numbers.
    """
    try:
        lengths = [int(segments) for segments in text.split(",")]
    except ValueError as cause:
        raise MemtxError(
            f"--length-curve {text} is not understood: write whole numbers of segments, such as "
            "8,32,128"
        ) from cause
    if min(lengths) < least:
        raise MemtxError(
            f"--length-curve {text}: {min(lengths)} segments are too few, a story with its "
            f"question needs {least}"
        )
    return lengths


class CurveWindows(Dataset):
    """Batches of windows, one after the other of the same rows.

    Args:
        examples: what the rows are made of.
        segment_length: ``T``.
        lengths: of rows, in segments.
        batch_size: rows of a batch, ``B``; the last ones may be fewer.
    """

    def __init__(
        self, examples: FactsInNoise, segment_length: int, lengths: list[int], batch_size: int
    ) -> None:
        self.examples, self.segment_length, self.batch_size = examples, segment_length, batch_size
        self.plan = [
            (segments, example, begin)
            for segments in lengths
            for example in range(0, len(examples), batch_size)
            for begin in range(0, segments, WINDOW)
        ]
        self.rows = lru_cache(maxsize=1)(self._rows)

    def __len__(self) -> int:
        return len(self.plan)

    def _rows(self, segments: int, example: int) -> list[Row]:
        last = min(example + self.batch_size, len(self.examples))
        length = segments * self.segment_length
        return [self.examples.row(number, length) for number in range(example, last)]

    def __getitem__(self, number: int) -> dict[str, Any]:
        """A window; see `LengthCurve.step`."""
        segments, example, begin = self.plan[number]
        rows = self.rows(segments, example)
        end = min(begin + WINDOW, segments)
        places = [place * self.segment_length for place in (begin, end)]
        source = torch.from_numpy(np.stack([row.window(*places) for row in rows]))
        return {
            "id": torch.arange(example, example + len(rows)),
            "nsentences": len(rows),
            "ntokens": len(rows),
            "net_input": {
                "src_tokens": source,
                "predicted": torch.full((len(rows), 1), source.size(1) - 1),
            },
            "answers": torch.tensor([row.answers[-1] for row in rows]),
            "segments": segments,
            "tokens": segments * self.segment_length,
            "first": begin == 0,
            "last": end == segments,
            "begins": (example, begin) == (0, 0),
            "ends": end == segments and example + len(rows) == len(self.examples),
        }
