"""What both tasks say of themselves, and what can be known of them without memory."""

from abc import ABC, abstractmethod

import numpy as np


class GlobalReasoning(ABC):
    """One task at one size."""

    length: int  # tokens of a sequence, L

    @property
    @abstractmethod
    def symbols(self) -> list[str]:
        """Names of the tokens there are; a drawn token is a place in this list."""

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """Names of the labels there are, likewise."""

    @abstractmethod
    def draw(self, numbers: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and labels of a sequence, ``L`` each."""

    @abstractmethod
    def best_accuracy(self, seen: int) -> float:
        """How often the best guess of a token's label is right, 0 to 1.

        It may look at so many tokens, the token itself among them.
        """

    def best_without_memory(self, chunk: int) -> float:
        """Accuracy that no model can beat in the long run whose tokens see their own chunk alone.

        The mean over all tokens of a row ``<s> token ... token </s>``, which is cut every ``chunk``
        positions: its first chunk has one token less and its last chunk may be short.
        """
        tokens_of_chunks = np.bincount(np.arange(1, self.length + 1) // chunk)
        seen, chunks = np.unique(tokens_of_chunks[tokens_of_chunks > 0], return_counts=True)
        right = sum(n * count * self.best_accuracy(int(n)) for n, count in zip(seen, chunks))
        return float(right / self.length)
