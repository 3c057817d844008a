"""Noise between the sentences of a story: words that are drawn, without end, from any place on.

A word of noise depends on its key and its place alone, so that a window of a row is made without
what stands before it.
"""

from abc import ABC, abstractmethod

import numpy as np

from ...errors import MemtxError

MOST_WORDS = 5000  # so that the rarest is drawn at least once in 65,536 times
_DRAWN_AT_ONCE = 16  # words of 16 bits that one step of Philox's counter gives


class Passage(ABC):
    """The noise of one row, which goes on for as long as it is read."""

    @abstractmethod
    def read(self, begin: int, end: int) -> np.ndarray:
        """Words ``begin`` to ``end``, as places in `Noise.words`."""

    @abstractmethod
    def borders(self, length: int) -> int:
        """At how many places among the first ``length`` words a sentence may stand."""

    @abstractmethod
    def border(self, number: int) -> int:
        """How many words stand before such a place, from 0 on."""


class Noise(ABC):
    """What passages are made of.

    Attributes:
        words: of passages.
        vocabulary: those of them that a model is to know, most frequent first.
    """

    words: list[str]
    vocabulary: list[str]

    @abstractmethod
    def passage(self, key: int, part: str) -> Passage:
        """The passage of a key of 128 bits, for ``train``, ``valid`` or ``test``."""


class DrawnNoise(Noise):
    """Words ``w0``, ``w1``, ... with Zipf's frequencies: ``wR`` in proportion to ``1 / (R + 1)``.

    Args:
        size: how many there are.

    Raises:
        MemtxError: if there are too few or too many.
    """

    def __init__(self, size: int) -> None:
        if not 1 <= size <= MOST_WORDS:
            raise MemtxError(f"--noise-words {size} is impossible: use 1 to {MOST_WORDS}")
        self.words = self.vocabulary = [f"w{rank}" for rank in range(size)]
        shares = np.cumsum(1 / np.arange(1, size + 1))
        numbers = (np.arange(1 << 16) + 0.5) / (1 << 16)
        self.word_of_number = np.searchsorted(shares / shares[-1], numbers).astype(np.int16)

    def passage(self, key: int, part: str) -> "DrawnPassage":
        return DrawnPassage(self.word_of_number, key)


class DrawnPassage(Passage):
    """Drawn words, between which a sentence may stand anywhere.

    Args:
        word_of_number: for every number of 16 bits.
        key: of the numbers.
    """

    def __init__(self, word_of_number: np.ndarray, key: int) -> None:
        self.word_of_number, self.key = word_of_number, key

    def read(self, begin: int, end: int) -> np.ndarray:
        first = begin // _DRAWN_AT_ONCE
        count = -(-end // _DRAWN_AT_ONCE) - first
        # The bits of Philox are the same in every version of numpy.
        numbers = np.random.Philox(key=self.key, counter=first).random_raw(4 * count)
        numbers = numbers.astype("<u8", copy=False).view("<u2")
        offset = first * _DRAWN_AT_ONCE
        return self.word_of_number[numbers[begin - offset : end - offset]]

    def borders(self, length: int) -> int:
        return length + 1

    def border(self, number: int) -> int:
        return number
