"""Which of two symbols comes more often?"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Binomial
from torch.nn import functional

from ..drawn_examples import at_least
from .reasoning import GlobalReasoning

NEGLIGIBLE = 1e-12  # a probability that no printed digit shows


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
    """

    length: int
    domains: int

    def __post_init__(self) -> None:
        at_least(1, "--sequence-length", self.length)
        at_least(1, "--domains", self.domains)

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
