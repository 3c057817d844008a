"""What every teller says of itself: its words, the best guess, and how to tell a story."""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

Asked: TypeAlias = tuple[list[str], str]  # a question and its answer


@dataclass(frozen=True)
class Story:
    """Sentences in the order in which they are told, a question about them, and its answer.

    Attributes:
        before: further questions, which are asked before it, each with its answer. Answers are not
            told, so that no question helps with another.
    """

    sentences: list[list[str]]
    question: list[str]
    answer: str
    before: tuple[Asked, ...] = ()


class Teller(ABC):
    """One kind of stories at one size, over a closed list of words."""

    @property
    @abstractmethod
    def words(self) -> list[str]:
        """All words of sentences, questions and answers, each once, always in the same order."""

    @property
    @abstractmethod
    def answers(self) -> list[str]:
        """The words that an answer can be."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """Accuracy of the best guess of one who reads the question and never the story; exact."""

    @abstractmethod
    def tell(self, numbers: random.Random, split: str) -> Story:
        """Draw a story of ``train``, ``valid`` or ``test``."""
