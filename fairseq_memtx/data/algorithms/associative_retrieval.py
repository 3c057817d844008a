"""Find the value of a key."""

import math
import random
from dataclasses import dataclass

from ...errors import MemtxError
from .algorithm import Algorithm


@dataclass(frozen=True)
class AssociativeRetrieval(Algorithm):
    """Find the value of a key: ``key value key value ... key [10] value``.

    Keys are letters, ids 11 to 36, and values are digits, ids 0 to 9; none comes twice. Id 0 is
    the digit zero here and never padding.

    Args:
        pairs: of key and value, 1 to 10.
    """

    pairs: int = 4

    vocabulary_size = 37
    answer_length = 1

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= 10:
            raise MemtxError(f"--pairs must be from 1 to 10, one digit for each, not {self.pairs}")

    @property
    def question_length(self) -> int:
        return 2 * self.pairs + 1

    @property
    def questions(self) -> int:
        return math.perm(26, self.pairs) * math.perm(10, self.pairs) * self.pairs

    def row(self, numbers: random.Random) -> list[int]:
        keys = numbers.sample(range(11, 37), self.pairs)
        values = numbers.sample(range(10), self.pairs)
        asked = numbers.randrange(self.pairs)
        pairs = [part for pair in zip(keys, values) for part in pair]
        return [*pairs, keys[asked], 10, values[asked]]
