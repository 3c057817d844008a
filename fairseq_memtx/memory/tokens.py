"""Memory tokens: learned vectors that stand before a sequence."""

import torch
from torch import Tensor, nn


class MemoryTokens(nn.Module):
    """``M`` learned vectors, the same for every sentence (Memory Transformer, section 3).

    A memory token is treated like the embedding of one more word: it has the scale of a word
    embedding and no position. Position would add nothing, since every row is learned by itself,
    and without it a source token keeps its place whatever ``M`` is, so that memory can be added to
    a trained model or taken away.

    Rows are drawn one by one. (The published RMT code repeats one vector ``M`` times, which leaves
    the rows equal until something else breaks the tie.)

    Args:
        count: ``M``, at least 1.
        channels: ``C``.
        scale: standard deviation at the start; that of an unscaled word embedding if None.
    """

    def __init__(self, count: int, channels: int, scale: float | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, channels))
        nn.init.normal_(self.weight, std=channels**-0.5 if scale is None else scale)

    def forward(self, batch_size: int) -> Tensor:
        """Memory of a batch at the start, ``B x M x C``."""
        return self.weight.unsqueeze(0).expand(batch_size, -1, -1)

    def fitted(self, saved: Tensor) -> Tensor:
        """``saved`` (``M' x C``) cut or grown to ``M`` rows; new rows are this module's own."""
        common = min(len(self.weight), len(saved))
        own = self.weight.detach().to(saved)
        return torch.cat([saved[:common], own[common:]])
