"""Where a token stands in its segment, as rows that are added to the embedding.

A table begins with rows for symbols that have no position: that of the first token is
``padding + 1``, as in fairseq.

Shapes: ``B`` streams, ``T`` tokens of a segment, ``C`` channels.
"""

import math

import torch
from torch import Tensor, nn


class LearnedPositions(nn.Embedding):
    """A row for each position.

    Args:
        rows: of the table.
        channels: ``C``.
        padding: the symbol that is none.
    """

    def __init__(self, rows: int, channels: int, padding: int) -> None:
        super().__init__(rows, channels)
        self.padding = padding

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of a segment, ``B x T``, to rows ``B x T x C``."""
        return super().forward(_places(tokens, self.padding))


class SinusoidalPositions(nn.Module):
    """Sine and cosine of position times a frequency (arXiv:1706.03762, section 3.5).

    Sines come first, and frequencies are those of tensor2tensor, as in fairseq. They are taken in
    float32 whatever the model's type is.

    Args:
        channels: ``C``.
        padding: the symbol that is none; its row is zero.
    """

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.channels, self.padding = channels, padding

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of a segment, ``B x T``, to rows ``B x T x C`` in float32."""
        half = self.channels // 2
        steps = torch.arange(half, dtype=torch.float32, device=tokens.device)
        frequencies = torch.exp(steps * -(math.log(10000) / (half - 1)))
        angles = _places(tokens, self.padding).float().unsqueeze(-1) * frequencies
        rows = torch.cat([angles.sin(), angles.cos()], dim=-1)
        rows = nn.functional.pad(rows, (0, self.channels - 2 * half))
        return rows.masked_fill(tokens.eq(self.padding).unsqueeze(-1), 0)


def _places(tokens: Tensor, padding: int) -> Tensor:
    """Rows of a table, ``B x T``."""
    real = tokens.ne(padding)
    return real.cumsum(dim=1) * real + padding
