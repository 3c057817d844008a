"""What is the sum of all signed digits?"""

from dataclasses import dataclass

import numpy as np

from ..drawn_examples import at_least
from .reasoning import GlobalReasoning


@dataclass(frozen=True)
class SignedSum(GlobalReasoning):
    """What is the sum of all signed digits, modulo ``k``?

    A task of this project, after the signed expressions that GenBERT is trained on. A token is a
    digit with its sign, such as ``+3`` or ``-7``, and all are equally likely. Every token has the
    same label, the total modulo ``k``.

    Args:
        length: tokens of a sequence, at least 1.
        modulus: ``k``, at least 2.
        largest_digit: digits are 1 to this, at least 1.
    """

    length: int
    modulus: int
    largest_digit: int = 9

    def __post_init__(self) -> None:
        at_least(1, "--sequence-length", self.length)
        at_least(2, "--modulus", self.modulus)
        at_least(1, "--largest-digit", self.largest_digit)

    @property
    def symbols(self) -> list[str]:
        return [f"{number:+d}" for number in self._numbers]

    @property
    def labels(self) -> list[str]:
        return [str(label) for label in range(self.modulus)]

    @property
    def _numbers(self) -> np.ndarray:
        digits = np.arange(1, self.largest_digit + 1)
        return np.concatenate([digits, -digits])

    def draw(self, numbers: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        tokens = numbers.randint(2 * self.largest_digit, size=self.length)
        total = self._numbers[tokens].sum() % self.modulus
        return tokens, np.full(self.length, total)

    def best_accuracy(self, seen: int) -> float:
        """The likeliest sum of what is not seen; ``1/k`` but for short or small-stepped rests."""
        one_token = np.bincount(self._numbers % self.modulus, minlength=self.modulus)
        law = np.fft.fft(one_token / one_token.sum())
        return float(np.fft.ifft(law ** (self.length - seen)).real.max())
