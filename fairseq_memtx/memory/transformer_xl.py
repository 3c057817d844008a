"""Layers of Transformer-XL (arXiv:1901.02860), with a cache of what entered them.

Shapes: ``B`` streams, ``N`` rows at hand, ``R`` rows of their segment up to the last of them,
``S`` rows of the cache, ``C`` channels, ``H`` heads, ``D`` channels of a head.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .associative_memory import AssociativeMemory, around
from .relative_attention import RelativeAttention, distance_embedding
from .row_cache import with_rows
from .segment import Segment
from .state import State, inside, under


class TransformerXLLayer(nn.Module):
    """Attention and feed-forward, each followed by its norm.

    Args:
        channels: ``C``.
        ffn_channels: of the feed-forward sub-layer.
        heads: ``H``.
        dropout: of what the sub-layers give.
        attention_dropout: of the attention weights.
        activation_dropout: inside the feed-forward sub-layer.
        activation: inside the feed-forward sub-layer.
        cache_length: ``S`` of a full cache.
        layer_memory: what it reads before and writes after; None for a layer without.
    """

    def __init__(
        self,
        channels: int,
        ffn_channels: int,
        heads: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        activation: Callable[[Tensor], Tensor] = nn.functional.relu,
        cache_length: int = 0,
        layer_memory: AssociativeMemory | None = None,
    ) -> None:
        super().__init__()
        self.layer_memory = layer_memory
        self.cache_length = cache_length
        self.self_attn = RelativeAttention(channels, heads, attention_dropout)
        self.self_attn_layer_norm = nn.LayerNorm(channels)
        self.activation = activation
        self.fc1 = nn.Linear(channels, ffn_channels)
        self.fc2 = nn.Linear(ffn_channels, channels)
        self.final_layer_norm = nn.LayerNorm(channels)
        self.dropout_module = nn.Dropout(dropout)
        self.activation_dropout_module = nn.Dropout(activation_dropout)
        for layer in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, rows: Tensor, state: State, segment: Segment, *scored_by: Tensor
    ) -> tuple[Tensor, State]:
        """Rows and the state after them.

        Args:
            rows: ``B x N x C``.
            state: the cache; the layer's memory; while a segment is written, also ``keys`` and
                ``values`` of cache and segment so far, each ``B x H x (S + R - N) x D``.
            segment: what is known of the rows.
            scored_by: what `RelativeAttention` takes behind the past: `Segment.hidden_with` the
                cache, `RelativeAttention.positions` of ``S + R`` rows, and the biases that all
                layers share, ``2 x H x D``.
        """
        run = partial(self._run, scored_by=scored_by)
        return around(self.layer_memory, run)(rows, state, segment)

    def _run(
        self, rows: Tensor, state: State, segment: Segment, scored_by: tuple[Tensor, ...]
    ) -> tuple[Tensor, State]:
        """Without its memory."""
        past = None
        if "keys" in state:
            past = state["keys"], state["values"]
        elif "rows" in state:
            past = self.self_attn.keys_values(state["rows"].to(rows))
        attended, (keys, values) = self.self_attn(rows, past, *scored_by)
        x = self.self_attn_layer_norm(rows + self.dropout_module(attended))
        inner = self.activation_dropout_module(self.activation(self.fc1(x)))
        x = self.final_layer_norm(x + self.dropout_module(self.fc2(inner)))
        after = self.skip(rows, state, segment)
        return x, after if segment.last else {**after, "keys": keys, "values": values}

    def skip(self, rows: Tensor, state: State, segment: Segment) -> State:
        """The cache after rows that go past this layer (LayerDrop): it keeps them all the same."""
        return with_rows(state, rows, segment, self.cache_length)


def run_transformer_xl(
    layers: Mapping[str, TransformerXLLayer],
    rows: Tensor,
    state: State,
    segment: Segment,
    biases: Tensor,
    dropout: Callable[[Tensor], Tensor],
    skipped: Callable[[], Collection[str]] = tuple,
    recompute: bool = False,
) -> tuple[Tensor, State]:
    """A stack of layers, as itself a layer of `SegmentLoop`.

    Args:
        layers: by the names under which their states are kept.
        rows: ``B x N x C``.
        state: of all layers.
        segment: what is known of the rows.
        biases: ``u`` and ``v`` of all layers, ``2 x H x D``.
        dropout: of the distances.
        skipped: draws the names of layers that are left out this time (LayerDrop,
            arXiv:1909.11556). What would have entered them goes on to the next.
        recompute: compute each layer again in the backward pass.
    """
    visible = inside(state, next(iter(layers))).get("visible")  # of the cache, in every layer
    hidden = segment.hidden_with(visible)
    tables = _positions(layers, rows, hidden.size(-1), segment, dropout)
    left_out, after = skipped(), {}
    for name, layer in layers.items():
        own = inside(state, name)
        arguments = (rows, own, segment, hidden, tables[name], biases)
        if name in left_out:
            own = {**own, **layer.skip(rows, own, segment)}
        elif recompute:
            rows, own = checkpoint(layer, *arguments, use_reentrant=False)
        else:
            rows, own = layer(*arguments)
        after.update(under(name, own))
    return rows, after


def _positions(
    layers: Mapping[str, TransformerXLLayer],
    rows: Tensor,
    rows_read: int,
    segment: Segment,
    dropout: Callable[[Tensor], Tensor],
) -> State:
    """Every layer's table of distances; while a text is written, one does for all its segments."""
    ahead = max(segment.memory_tokens, 1)
    tables = {} if segment.constants is None else segment.constants
    if not tables:
        layer = next(iter(layers.values()))
        most = rows_read if segment.constants is None else layer.cache_length + segment.longest
        distances = dropout(distance_embedding(most, ahead, rows.size(-1), rows))
        tables.update(
            {name: layer.self_attn.positions(distances) for name, layer in layers.items()}
        )
    return {name: table[:, -(rows_read + ahead) :] for name, table in tables.items()}
