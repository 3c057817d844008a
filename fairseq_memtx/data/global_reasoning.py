"""Two tagging tasks that need the whole sequence, made on the fly.

A model whose tokens see their own chunk alone can only guess what the rest of the sequence holds.
How often the best guess is right is known exactly, so that a better accuracy proves that
information crossed chunks. Both tasks are this project's own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Binomial
from torch.nn import functional
from torch.utils.data import Dataset

from ..errors import MemtxError

NEGLIGIBLE = 1e-12  # a probability that no printed digit shows


class GlobalReasoning(ABC):
    """One task at one size.

    Attributes:
        length: tokens of a sequence, ``L``.
    """

    length: int

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

        Args:
            seen: tokens that the guess may look at, the token itself among them.
        """

    def best_without_memory(self, chunk: int) -> float:
        """Accuracy that no model can beat in the long run whose tokens see their own chunk alone.

        The mean over all tokens of a row ``<s> token ... token </s>``, which is cut every ``chunk``
        positions: its first chunk has one token less and its last chunk may be short.

        Args:
            chunk: positions of a chunk, at least 1.
        """
        tokens_of_chunks = np.bincount(np.arange(1, self.length + 1) // chunk)
        seen, chunks = np.unique(tokens_of_chunks[tokens_of_chunks > 0], return_counts=True)
        right = sum(n * count * self.best_accuracy(int(n)) for n, count in zip(seen, chunks))
        return float(right / self.length)


@dataclass(frozen=True)
class MajorityTagging(GlobalReasoning):
    """Which of two symbols comes more often in the whole sequence?

    Symbols 1 to ``2p`` belong in pairs to ``p`` domains. In every sequence each domain draws the
    share of its first symbol from U(0.4, 0.6); each position draws a domain, all being equally
    likely, and one of its two symbols by that share. The label of a position is the more frequent
    symbol of its domain in the sequence, and the first one where both come equally often.

    Args:
        length: tokens of a sequence, at least 1.
        domains: ``p``, at least 1.

    Raises:
        MemtxError: if a size is below 1.
    """

    length: int
    domains: int

    def __post_init__(self) -> None:
        _at_least(1, "--sequence-length", self.length)
        _at_least(1, "--domains", self.domains)

    @property
    def symbols(self) -> list[str]:
        return [str(symbol) for symbol in range(1, 2 * self.domains + 1)]

    labels = symbols

    def draw(self, numbers: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        shares = numbers.uniform(0.4, 0.6, self.domains)
        domains = numbers.randint(self.domains, size=self.length)
        tokens = 2 * domains + (numbers.random_sample(self.length) >= shares[domains])
        counts = np.bincount(tokens, minlength=2 * self.domains).reshape(self.domains, 2)
        majority = counts.argmax(axis=1)  # of equal counts the first
        return tokens, 2 * domains + majority[domains]

    def best_accuracy(self, seen: int) -> float:
        """Bayes' rule with what is seen of the token's domain: how many tokens, how many first.

        Nothing else that is seen says anything of the label. The integral over the share is a sum
        over Gauss-Legendre nodes, ``S``.
        """
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(100))
        shares, weights = (0.5 + 0.1 * nodes)[:, None], (weights / 2)[:, None]
        unseen = self.length - seen
        first_wins = self._first_wins(shares, unseen)
        in_domain = Binomial(seen - 1, torch.tensor(1 / self.domains, dtype=torch.float64))
        others = torch.arange(seen, dtype=torch.float64)
        right = 0.0
        for count, probability in enumerate(in_domain.log_prob(others).exp().tolist(), start=1):
            if probability < NEGLIGIBLE:
                continue
            first = torch.arange(count + 1)
            likelihood = weights * Binomial(count, shares).log_prob(first.double()).exp()
            wins = first_wins[:, (unseen + 1 + 2 * first - count).clamp(0, 2 * unseen + 1)]
            guesses = torch.stack([(likelihood * wins).sum(0), (likelihood * (1 - wins)).sum(0)])
            right += probability * guesses.amax(0).sum().item()
        return right

    def _first_wins(self, shares: Tensor, unseen: int) -> Tensor:
        """Probability that the first symbol wins, by share and by its lead in what is seen.

        An unseen token adds 1, -1 or 0 to the lead. The law of the sum of all of them is a power
        in the Fourier domain.

        Shape: ``shares`` is ``S x 1``, the result is ``S x (2 unseen + 2)`` for leads of
        ``-unseen - 1`` to ``unseen``. With a smaller lead it never wins, with a larger one always.
        """
        angle = 2 * math.pi * torch.arange(2 * unseen + 1, dtype=torch.float64) / (2 * unseen + 1)
        p = self.domains
        one_token = torch.complex(
            1 - (1 - angle.cos().expand(len(shares), -1)) / p, (1 - 2 * shares) * angle.sin() / p
        )
        change = torch.fft.fftshift(torch.fft.ifft(one_token**unseen).real, dim=1)
        return functional.pad(change.flip(1).cumsum(1), (1, 0))


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

    Raises:
        MemtxError: if a size is too small.
    """

    length: int
    modulus: int
    largest_digit: int = 9

    def __post_init__(self) -> None:
        _at_least(1, "--sequence-length", self.length)
        _at_least(2, "--modulus", self.modulus)
        _at_least(1, "--largest-digit", self.largest_digit)

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


def _at_least(least: int, flag: str, size: int) -> None:
    if size < least:
        raise MemtxError(f"{flag} must be at least {least}, not {size}")


class GlobalReasoningDataset(Dataset):
    """Sequences of a task, each made from its number when it is asked for.

    Example ``i`` depends on the seed, the name of the split and ``i`` alone, and in training on
    the epoch, so that any worker can make it. Sequences are drawn independently: long ones never
    come twice, neither within a set nor in two of them.

    Args:
        reasoning: what to draw from.
        size: examples, at least 1.
        seed: of the random numbers.
        split: names that start with ``valid`` or ``test`` are the same in every epoch.

    Raises:
        MemtxError: if ``size`` is below 1.
    """

    def __init__(self, reasoning: GlobalReasoning, size: int, seed: int, split: str) -> None:
        _at_least(1, f"the number of examples in '{split}'", size)
        self.reasoning = reasoning
        self.size = size
        self.seed = seed
        self.split = split
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Draw other training examples; validation and test stay as they are."""
        if not self.split.startswith(("valid", "test")):
            self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels, ``L`` each, as places in the task's symbols and labels."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no example {index} among {self.size}")
        # RandomState, since its numbers stay the same in every version of numpy.
        place = f"{self.seed}/{self.split}/{self.epoch}/{index}"
        tokens, labels = self.reasoning.draw(np.random.RandomState(list(place.encode())))
        return torch.from_numpy(tokens), torch.from_numpy(labels)
