"""What a model answers: the best spans of all windows of a question, and a file of them."""

import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import MemtxError
from .windows import WindowedQuestion


class Answer(NamedTuple):
    """A part of a context; without text and characters, it says that there is no answer there."""

    text: str  # as it stands in the context
    probability: float  # that it begins and ends there, in the window that is surest of it
    start: int | None  # its first character
    end: int | None  # the character after it


def best_answers(
    asked: WindowedQuestion, log_probabilities: Tensor, longest: int, count: int
) -> list[Answer]:
    """The likeliest spans of whole words, best first.

    Args:
        asked: a question of ``W`` windows.
        log_probabilities: ``2 x W x L``, of the first and the last piece being at a position.
        longest: pieces that an answer has at most.
        count: answers that are wanted; no two are at the same place.
    """
    begins, ends = map(torch.from_numpy, asked.context.word_edges())
    never = float("-inf")
    found: dict[tuple[int, int] | None, float] = {}
    for (first, last), (start, end) in zip(asked.windows, log_probabilities.unbind(dim=1)):
        context = slice(asked.context_offset, asked.context_offset + last - first)
        start = start[context].masked_fill(~begins[first:last], never)
        end = end[context].masked_fill(~ends[first:last], never)
        # n x longest: from every piece on to itself, to the next, ...
        reached = functional.pad(end, (0, longest - 1), value=never).unfold(0, longest, 1)
        scores = (start[:, None] + reached).flatten()
        for score, place in zip(*(best.tolist() for best in scores.topk(min(count, len(scores))))):
            if score == never:
                break
            begin, further = divmod(place, longest)
            span = first + begin, first + begin + further
            found[span] = max(score, found.get(span, never))
    if asked.question.may_be_unanswerable:
        # No window may know an answer, so the least sure of them decides.
        found[None] = log_probabilities[:, :, 0].sum(dim=0).min().item()
    best = sorted(found.items(), key=lambda item: -item[1])[:count]
    return [_answer(asked, span, score) for span, score in best]


def _answer(asked: WindowedQuestion, span: tuple[int, int] | None, score: float) -> Answer:
    probability = math.exp(score)
    if span is None:
        return Answer("", probability, None, None)
    start, end = int(asked.context.starts[span[0]]), int(asked.context.ends[span[1]])
    return Answer(asked.question.context[start:end], probability, start, end)


class AnswersFile:
    """A JSON object of questions' ids and their answers, complete after every batch."""

    END = b"\n}\n"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin()

    def check(self) -> None:
        """Try to open the file, and make its folder if there is none."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            open(self.path, "ab").close()
        except OSError as cause:
            raise MemtxError(
                f"--n-best-file {self.path} cannot be written ({cause.strerror}): name another"
            ) from cause

    def begin(self) -> None:
        """Forget what was written: the next answers begin the file anew."""
        self.names: set[str] = set()

    def add(self, answers: dict[str, list[Answer]]) -> None:
        """Append answers; those to a question that is there already are left out."""
        lines = [
            f"{json.dumps(name)}: {json.dumps([a._asdict() for a in of_question])}"
            for name, of_question in answers.items()
            if name not in self.names
        ]
        if not lines:
            return
        with open(self.path, "r+b" if self.names else "wb") as file:
            if self.names:
                file.seek(-len(self.END), os.SEEK_END)
            file.write(b",\n" if self.names else b"{\n")
            file.write(",\n".join(lines).encode() + self.END)
        self.names.update(answers)
