"""Adaptive softmax over the embedding itself, as in Transformer-XL.

fairseq's own projects every cluster of rare words to fewer channels. Transformer-XL's base model
does not: all words share one table with the embedding, and every word and cluster has a bias.
"""

import torch
from fairseq.modules import AdaptiveSoftmax
from torch import Tensor, nn

from ..errors import MemtxError


def parse_cutoff(text: str | None, vocabulary: int) -> list[int]:
    """The numbers of ``--adaptive-softmax-cutoff``, which have to rise below ``V``; or none."""
    parts = text.split(",") if text else []
    cutoff = [int(part) if part.strip().isdecimal() else 0 for part in parts]
    edges = [0, *cutoff, vocabulary]
    if any(start >= end for start, end in zip(edges, edges[1:])):
        raise MemtxError(
            f"--adaptive-softmax-cutoff {text} is impossible: the dictionary has {vocabulary} "
            "symbols; use rising numbers below that, or leave it out"
        )
    return cutoff


class TiedAdaptiveSoftmax(AdaptiveSoftmax):
    """fairseq's adaptive softmax (and interface) with other logits.

    Args:
        embed_tokens: the table, ``V x C``.
        cutoff: where each cluster of rarer words begins, rising and below ``V``.
    """

    def __init__(self, embed_tokens: nn.Embedding, cutoff: list[int]) -> None:
        vocabulary, channels = embed_tokens.weight.shape
        super().__init__(vocabulary, channels, cutoff, dropout=0.0)
        edges = self.cutoff
        self.head = TiedHead(embed_tokens, edges[0], clusters=len(edges) - 1)
        self.tail = nn.ModuleList(
            TiedTail(embed_tokens, start, end) for start, end in zip(edges, edges[1:])
        )

    def forward(self, input: Tensor, target: Tensor) -> tuple[list, list]:
        """Logits and targets of every cluster, for fairseq's ``adaptive_loss``.

        That criterion takes index 1 for padding in each of them, where it is the cluster's second
        word. Two words that cannot be, in front of the cluster, keep its own out of the way.
        """
        logits, targets = super().forward(input, target)
        for cluster in range(1, len(targets)):
            if targets[cluster] is not None:
                impossible = nn.functional.pad(logits[cluster], (2, 0), value=float("-inf"))
                logits[cluster], targets[cluster] = impossible, targets[cluster] + 2
        return logits, targets


class TiedTail(nn.Module):
    """Logits of the words ``start`` to ``end``."""

    def __init__(self, embed_tokens: nn.Embedding, start: int, end: int) -> None:
        super().__init__()
        self._embedding = (embed_tokens,)  # in a tuple: the table is registered by its owner alone
        self.start, self.end = start, end
        self.bias = nn.Parameter(torch.zeros(end - start))

    def forward(self, x: Tensor) -> Tensor:
        """``... x C`` to ``... x words``."""
        return nn.functional.linear(x, self._embedding[0].weight[self.start : self.end], self.bias)


class TiedHead(TiedTail):
    """Logits of the most frequent words, and of each cluster of the others."""

    def __init__(self, embed_tokens: nn.Embedding, end: int, clusters: int) -> None:
        super().__init__(embed_tokens, 0, end)
        self.clusters = nn.Linear(embed_tokens.embedding_dim, clusters)
        nn.init.zeros_(self.clusters.weight)
        nn.init.zeros_(self.clusters.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``... x C`` to ``... x (words + clusters)``."""
        return torch.cat([super().forward(x), self.clusters(x)], dim=-1)
