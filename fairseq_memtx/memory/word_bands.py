"""Words in bands of falling frequency: fewer channels for the rarer ones.

With one band these are an ordinary embedding and an ordinary output layer. With several they are
adaptive input (arXiv:1809.10853) and adaptive softmax (arXiv:1609.04309).

Shapes: ``V`` words, ``C`` channels of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Band:
    """Words that follow each other in the dictionary.

    Raises:
        ValueError: if there are no words, or no channels.
    """

    words: int  # how many
    channels: int  # of each of them
    projected: bool  # whether a matrix leads from these channels to the model's, or back

    def __post_init__(self) -> None:
        """Refuse an empty one."""
        if self.words < 1 or self.channels < 1:
            raise ValueError(f"a band has {self.words} words of {self.channels} channels")


class BandedEmbedding(nn.Module):
    """Rows of words.

    Args:
        bands: of the dictionary, in its order.
        channels: ``C``.
    """

    def __init__(self, bands: Sequence[Band], channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.tables = nn.ModuleList(nn.Embedding(band.words, band.channels) for band in bands)
        self.projections = nn.ModuleList(
            _projection(band, band.channels, channels) for band in bands
        )
        self.begins = [0, *accumulate(band.words for band in bands[:-1])]

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens, of any shape, to ``... x C``."""
        bands = torch.bucketize(tokens, tokens.new_tensor(self.begins[1:]), right=True)
        rows = next(self.parameters()).new_empty(*tokens.shape, self.channels)
        for band, begin in enumerate(self.begins):
            chosen = bands == band
            words = self.tables[band](tokens[chosen] - begin)
            rows[chosen] = self.projections[band](words).to(rows)
        return rows


class BandedOutput(nn.Module):
    """Scores of all words.

    Args:
        bands: of the dictionary, in its order.
        channels: of the features.
        bias: whether words, and bands, have one.
    """

    def __init__(self, bands: Sequence[Band], channels: int, bias: bool) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            _projection(band, channels, band.channels) for band in bands
        )
        self.tables = nn.ModuleList(
            nn.Linear(band.channels, band.words, bias=bias) for band in bands
        )
        rarer = len(bands) - 1
        self.clusters = nn.Linear(channels, rarer, bias=bias) if rarer else None

    def forward(self, features: Tensor) -> Tensor:
        """Features to logits, ``... x V``; with several bands, to logarithms of probabilities."""
        parts = zip(self.projections, self.tables)
        first, *others = (cast(Tensor, table(matrix(features))) for matrix, table in parts)
        if self.clusters is None:
            return first
        head = torch.cat([first, self.clusters(features)], dim=-1).log_softmax(dim=-1)
        scores, *clusters = head.split([first.size(-1), *[1] * len(others)], dim=-1)
        rarer = (cluster + x.log_softmax(dim=-1) for cluster, x in zip(clusters, others))
        return torch.cat([scores, *rarer], dim=-1)


def _projection(band: Band, channels: int, others: int) -> nn.Module:
    return nn.Linear(channels, others, bias=False) if band.projected else nn.Identity()
