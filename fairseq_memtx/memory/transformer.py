"""Layers of the Transformer (arXiv:1706.03762), with a norm before or after each sub-layer.

The names of their weights are those of fairseq's layers, and so are their outputs.

Shapes: ``B`` streams, ``N`` rows at hand, ``R`` rows of their segment up to the last of them,
``C`` channels, ``H`` heads, ``D`` channels of a head.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from .associative_memory import AssociativeMemory, around
from .segment import Segment
from .softmax_attention import AttentionSoftmax, hide
from .state import State, inside, under


class SelfAttention(nn.Module):
    """Attention of rows to their segment.

    Args:
        channels: ``C``.
        heads: ``H``, a divisor of ``C``.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scaling = (channels // heads) ** -0.5
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        self.softmax = AttentionSoftmax()

    def forward(self, rows: Tensor, state: State, hidden: Tensor) -> tuple[Tensor, State]:
        """The update, ``B x N x C``, and ``keys`` and ``values`` of all rows so far.

        Args:
            rows: ``B x N x C``.
            state: those of the rows before them, each ``B x H x (R - N) x D``.
            hidden: what may not be read, True there; broadcasts to ``B x H x N x R``.
        """
        queries, keys, values = (
            project(rows).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if "keys" in state:
            keys = torch.cat([state["keys"], keys], dim=2)
            values = torch.cat([state["values"], values], dim=2)
        scores = (queries * self.scaling) @ keys.transpose(2, 3)
        hide(scores, hidden)
        attended = (self.softmax(scores) @ values).transpose(1, 2).flatten(2)
        return self.out_proj(attended), {"keys": keys, "values": values}


class TransformerLayer(nn.Module):
    """Attention and feed-forward, each with its norm; for evaluation, since nothing is dropped.

    Args:
        channels: ``C``.
        ffn_channels: of the feed-forward sub-layer.
        heads: ``H``.
        activation: inside the feed-forward sub-layer.
        norm_first: whether a norm is before its sub-layer, or after the sum.
        layer_memory: what it reads before and writes after; None for a layer without.
    """

    def __init__(
        self,
        channels: int,
        ffn_channels: int,
        heads: int,
        activation: Callable[[Tensor], Tensor] = nn.functional.relu,
        norm_first: bool = False,
        layer_memory: AssociativeMemory | None = None,
    ) -> None:
        super().__init__()
        self.norm_first, self.layer_memory = norm_first, layer_memory
        self.self_attn = SelfAttention(channels, heads)
        self.self_attn_layer_norm = nn.LayerNorm(channels)
        self.activation = activation
        self.fc1 = nn.Linear(channels, ffn_channels)
        self.fc2 = nn.Linear(ffn_channels, channels)
        self.final_layer_norm = nn.LayerNorm(channels)

    def forward(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        """Rows and the state after them.

        Args:
            rows: ``B x N x C``.
            state: the layer's memory; while a segment is written, also ``keys`` and ``values``.
            segment: what is known of the rows.
        """
        return around(self.layer_memory, self._run)(rows, state, segment)

    def _run(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        """Without its memory."""
        first, second, before = self.self_attn_layer_norm, self.final_layer_norm, self.norm_first
        read = first(rows) if before else rows
        attended, state = self.self_attn(read, state, segment.hidden_with(None))
        x = rows + attended if before else first(rows + attended)
        update = self.fc2(self.activation(self.fc1(second(x) if before else x)))
        x = x + update if before else second(x + update)
        return x, {} if segment.last else state


def run_transformer(
    layers: Mapping[str, nn.Module], rows: Tensor, state: State, segment: Segment
) -> tuple[Tensor, State]:
    """A stack of layers, as itself a layer of `SegmentLoop`.

    Args:
        layers: by the names under which their states are kept.
        rows: ``B x N x C``.
        state: of all layers.
        segment: what is known of the rows.
    """
    after: State = {}
    for name, layer in layers.items():
        rows, own = layer(rows, inside(state, name), segment)
        after.update(under(name, own))
    return rows, after
