"""A head that gives every token scores of its own."""

from torch import Tensor, nn


class TokenHead(nn.Module):
    """Labels of tokens from their features.

    Args:
        channels: ``C``, of the features.
        labels: ``K``, how many scores a token gets.
        dropout: on the features.
    """

    def __init__(self, channels: int, labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(channels, labels)
        # As all of RoBERTa's weights; fairseq does so before there is a head.
        nn.init.normal_(self.out_proj.weight, std=0.02)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``B x L x C -> B x L x K``."""
        return self.out_proj(self.dropout(features))
