"""Attention of Transformer-XL (arXiv:1901.02860), right also where a row looks ahead.

Shapes: ``B`` batch, ``N`` rows, ``K`` rows that can be read (the cache, then the rows themselves),
``C`` channels, ``H`` heads, ``D`` channels of a head.
"""

import torch
from torch import Tensor, nn

from .softmax_attention import AttentionSoftmax, hide


def distance_embedding(rows_read: int, ahead: int, channels: int, like: Tensor) -> Tensor:
    """Sinusoids of the distances ``K - 1, ..., 0, -1, ..., -ahead``, ``(K + ahead) x C``.

    Distance is query's place less key's place, so a row that looks ahead has a negative one.
    (The published code has none of those, and reads another row's term in their stead.)
    """
    distances = torch.arange(rows_read - 1, -ahead - 1, -1, device=like.device)
    steps = torch.arange(0, channels, 2, device=like.device)
    frequencies = 10000.0 ** (-steps.to(torch.float64) / channels)
    angles = distances.to(torch.float64).unsqueeze(1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :channels].to(like)


class RelativeAttention(nn.Module):
    """Attention by content and by distance (Transformer-XL, section 3.3).

    ``score(i, j) = ((q_i + u) k_j + (q_i + v) W r_{i-j}) / sqrt(D)``

    Args:
        channels: ``C``.
        heads: ``H``, a divisor of ``C``.
        dropout: of the attention weights.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.scaling = (channels // heads) ** -0.5
        self.qkv_proj = nn.Linear(channels, 3 * channels, bias=False)
        self.position_proj = nn.Linear(channels, channels, bias=False)
        self.out_proj = nn.Linear(channels, channels, bias=False)
        self.softmax = AttentionSoftmax()
        self.dropout_module = nn.Dropout(dropout)
        for layer in (self.position_proj, self.out_proj):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.xavier_uniform_(self.qkv_proj.weight, gain=2**-0.5)

    def keys_values(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of rows that are read and not updated, each ``B x H x rows x D``."""
        weight = self.qkv_proj.weight[rows.size(-1) :]
        keys, values = nn.functional.linear(rows, weight).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def positions(self, distances: Tensor) -> Tensor:
        """``W r`` of a `distance_embedding`, ``H x W x D``."""
        return self._split(self.position_proj(distances).unsqueeze(0)).squeeze(0)

    def forward(
        self,
        x: Tensor,
        past: tuple[Tensor, Tensor] | None,
        hidden: Tensor,
        positions: Tensor,
        biases: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Update ``N`` rows.

        Args:
            x: ``B x N x C``, the last ``N`` of the ``K`` rows.
            past: keys and values of the rows before them, ``B x H x (K - N) x D``.
            hidden: what may not be read, True there; broadcasts to ``B x H x N x K``.
            positions: `positions` of ``K`` rows, at least one of them ahead.
            biases: ``u`` and ``v``, ``2 x H x D``.

        Returns:
            The update, ``B x N x C``, and keys and values of all ``K`` rows.
        """
        # One copy in the order in which products read, for one in each of them.
        rows = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = rows.contiguous().unbind()
        if past is not None:
            keys, values = (torch.cat(pair, dim=2) for pair in zip(past, (keys, values)))
        content_bias, position_bias = biases.unsqueeze(2)
        # Scaled here, where there are fewer numbers than among the scores.
        scores = (queries + content_bias) * self.scaling @ keys.transpose(2, 3)
        # One product for all streams, whose distances are the same.
        by_distance = ((queries + position_bias) * self.scaling).transpose(0, 1).flatten(1, 2)
        by_distance = (by_distance @ positions.transpose(1, 2)).unflatten(1, queries.shape[::2])
        scores += _by_key(by_distance, keys.size(2)).transpose(0, 1)
        hide(scores, hidden)
        weights = self.dropout_module(self.softmax(scores))
        attended = (weights @ values).transpose(1, 2).flatten(2)
        return self.out_proj(attended), (keys, values)

    def _split(self, x: Tensor) -> Tensor:
        """``B x N x C`` to ``B x H x N x D``."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)


def _by_key(by_distance: Tensor, rows_read: int) -> Tensor:
    """Terms by distance, ``H x B x N x W``, put in the places of their keys, ``H x B x N x K``.

    Query ``i`` of ``N`` finds key ``j`` at column ``N - 1 - i + j``, so every row starts one column
    further left than the row before. Cutting the same memory into rows of one column less does just
    that. Places whose distance is not in the table hold other rows' terms, and are masked.
    """
    rows, width = by_distance.shape[-2:]
    flat = by_distance.flatten(-2)[..., rows - 1 : rows - 1 + rows * (width - 1)]
    shifted: Tensor = flat.unflatten(-1, (rows, width - 1))
    return shifted[..., :rows_read]
