"""Which token comes next: the likeliest one, or one that is drawn."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class NextToken:
    """Chooses by logarithms of probabilities ``V``.

    Attributes:
        temperature: probabilities are taken to the power of its inverse; 0 chooses the likeliest.
        top_k: draw among so many of the likeliest; 0 for all.
        top_p: draw among the fewest that have so much of the probability (nucleus sampling,
            arXiv:1904.09751). With `top_k`, among those that both leave.
        seed: of the numbers that are drawn by, on the CPU wherever the model is; None for others
            each time.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        self._random = torch.Generator()
        if self.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(self.seed)

    def __call__(self, scores: Tensor) -> int:
        """Number of the token."""
        if not self.temperature:
            return int(scores.argmax())
        chances = (scores.double().cpu() / self.temperature).softmax(dim=0)
        chances, tokens = chances.sort(descending=True)
        before = chances.cumsum(dim=0) - chances  # what the likelier ones have
        chances[before >= self.top_p] = 0
        if self.top_k:
            chances[self.top_k :] = 0
        return int(tokens[torch.multinomial(chances, 1, generator=self._random)])
