"""Say a row of symbols again, forwards twice or backwards once."""

import random
from abc import abstractmethod
from dataclasses import dataclass

from ...errors import MemtxError
from .algorithm import Algorithm


@dataclass(frozen=True)
class _Symbols(Algorithm):
    """``X [1] answer`` with ``length`` symbols ``X``, ids 2 and up; 0 stays free for padding.

    Args:
        length: symbols of the question, at least 1.
        alphabet: different symbols, at least 1.
    """

    length: int
    alphabet: int

    def __post_init__(self) -> None:
        for flag, size in [("--sequence-length", self.length), ("--alphabet-size", self.alphabet)]:
            if size < 1:
                raise MemtxError(f"{flag} must be at least 1, not {size}")

    @property
    def vocabulary_size(self) -> int:
        return self.alphabet + 2

    @property
    def question_length(self) -> int:
        return self.length

    @property
    def answer_length(self) -> int:
        return len(self.answer([0] * self.length))

    @property
    def questions(self) -> int:
        return self.alphabet**self.length

    @abstractmethod
    def answer(self, question: list[int]) -> list[int]:
        """What has to follow the start token."""

    def row(self, numbers: random.Random) -> list[int]:
        question = numbers.choices(range(2, self.vocabulary_size), k=self.length)
        return [*question, 1, *self.answer(question)]


class Copy(_Symbols):
    """Say ``X`` twice: ``X [1] X X``."""

    def answer(self, question: list[int]) -> list[int]:
        return question + question


class Reverse(_Symbols):
    """Say ``X`` backwards: ``X [1] reversed(X)``."""

    def answer(self, question: list[int]) -> list[int]:
        return question[::-1]
