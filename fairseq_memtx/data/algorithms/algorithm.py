"""What every algorithm says of itself: the format of its rows, and how to draw one."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod


class Algorithm(ABC):
    """One task at one size: the format of its rows, and a way to draw them.

    Attributes:
        vocabulary_size: ids are below it.
        question_length: that many ids at the start of a row decide all that follow.
        answer_length: that many targets at the end count.
        questions: how many different questions there are.
    """

    vocabulary_size: int
    question_length: int
    answer_length: int
    questions: int

    @property
    def source_length(self) -> int:
        """What the model reads, ``L``; a row has one id more."""
        return self.question_length + self.answer_length

    @abstractmethod
    def row(self, numbers: random.Random) -> list[int]:
        """Draw an example, ``source_length + 1`` ids."""
