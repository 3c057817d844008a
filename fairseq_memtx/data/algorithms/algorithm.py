"""What every algorithm says of itself: the format of its rows, and how to draw one."""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Algorithm(ABC):
    """One task at one size: the format of its rows, and a way to draw them.

    The sizes that it takes are fields of a dataclass.
    """

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """Ids are below it."""

    @property
    @abstractmethod
    def question_length(self) -> int:
        """That many ids at the start of a row decide all that follow."""

    @property
    @abstractmethod
    def answer_length(self) -> int:
        """That many targets at the end count."""

    @property
    @abstractmethod
    def questions(self) -> int:
        """How many different questions there are."""

    @property
    def source_length(self) -> int:
        """What the model reads, ``L``; a row has one id more."""
        return self.question_length + self.answer_length

    @abstractmethod
    def row(self, numbers: random.Random) -> list[int]:
        """Draw an example, ``source_length + 1`` ids."""
