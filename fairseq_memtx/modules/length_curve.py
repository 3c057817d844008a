"""One model over rows of growing length, window by window, and what it takes.

Shapes: ``B`` rows.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import MemtxError
from .peak_memory import PeakMemory
from .state_holder import StateHolder


@dataclass
class Point:
    """What came of one length; a line of the table and of the file."""

    segments: int  # of a row
    tokens: int  # of a row
    accuracy: float  # 0 to 1
    examples: int  # how many rows were read
    chance: float  # accuracy of the best guess of one who reads the question alone
    seconds: float  # for all rows
    tokens_per_second: float  # of all rows
    peak_megabytes: float  # highest use of memory by the process, or of the GPU's


class LengthCurve:
    """Reads windows of rows in order, hands the state on, and measures ``points``.

    Each is written to the file as soon as it is known, one JSON object a line.
    """

    def __init__(self, chance: float, file: Path | None) -> None:
        self.chance, self.file = chance, file
        self.points: list[Point] = []
        if file is not None:
            try:
                file.write_text("")
            except OSError as cause:
                raise MemtxError(f"{file} cannot be written: {cause.strerror}") from cause

    def step(self, sample: dict[str, Any], model: Any) -> None:
        """Read one window.

        Args:
            sample: a batch of the model, with ``tokens`` and ``segments`` of its rows, ``first``
                and ``last`` (whether it is of its rows), ``begins`` and ``ends`` (whether it is of
                all rows of a length), and the ``answers``, ``B``.
            model: a language model that reads segments, in evaluation mode.
        """
        tokens: Tensor = sample["net_input"]["src_tokens"]
        if sample["begins"]:
            self.memory = PeakMemory(tokens.device)
            self.right = self.examples = 0
            self.start = time.perf_counter()
        if sample["first"]:
            self.holder = StateHolder()
        with torch.no_grad():
            output = model(**sample["net_input"], holder=self.holder)
            if sample["last"]:
                scores = model.get_normalized_probs(output, log_probs=True)[:, -1]
                self.right += int(scores.argmax(dim=-1).eq(sample["answers"]).sum())
                self.examples += len(scores)
        if sample["ends"]:
            self._finish(sample["segments"], sample["tokens"])

    def _finish(self, segments: int, tokens: int) -> None:
        seconds = time.perf_counter() - self.start
        point = Point(
            segments,
            tokens,
            self.right / self.examples,
            self.examples,
            self.chance,
            seconds,
            self.examples * tokens / seconds,
            self.memory.megabytes(),
        )
        self.points.append(point)
        if self.file is not None:
            with self.file.open("a") as file:
                file.write(json.dumps(asdict(point)) + "\n")

    def table(self) -> str:
        """All points, a line each, under a line of names."""
        rows = [
            f"{p.segments:>9,} {p.tokens:>11,} {p.accuracy:>9.4f} {p.examples:>9,} {p.chance:>7.4f}"
            f" {p.seconds:>9.1f} {p.tokens_per_second:>11,.0f} {p.peak_megabytes:>8,.0f}"
            for p in self.points
        ]
        names = (
            f"{'segments':>9} {'tokens':>11} {'accuracy':>9} {'examples':>9} {'chance':>7} "
            f"{'seconds':>9} {'tokens/s':>11} {'peak MB':>8}"
        )
        return "\n".join([names, *rows])
