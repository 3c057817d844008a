"""fairseq's own decoder layers with a recurrent memory: RMT's "no changes to the Transformer".

Shapes: those of `segment_decoder`.
"""

from functools import partial
from typing import Any

import torch
from fairseq.models.transformer import TransformerDecoder
from fairseq.modules import PositionalEmbedding
from torch import Tensor, nn

from ..memory import Segment, SegmentPositions, State, around, inside, under
from .segment_decoder import NEVER, SegmentDecoder


class RecurrentMemoryDecoder(SegmentDecoder, TransformerDecoder):
    """fairseq's decoder, which reads its text segment by segment."""

    def __init__(self, cfg: Any, dictionary: Any, embed_tokens: nn.Module) -> None:
        TransformerDecoder.__init__(self, cfg, dictionary, embed_tokens, no_encoder_attn=True)
        self.settle_segments(cfg)
        self.memory_places = str(cfg.memory_positions)
        if self.own_positions:
            positions = cfg.max_target_positions + self.own_positions
            self.embed_positions = PositionalEmbedding(
                positions, self.embed_dim, self.padding_idx, learned=True
            )
        bias = torch.zeros(len(dictionary)) if cfg.predict_words_only else None
        if bias is not None:
            bias[[dictionary.bos(), dictionary.pad(), dictionary.unk()]] = NEVER
        self.register_buffer("word_bias", bias, persistent=False)

    def embed(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Rows ``B x T x C`` of the tokens of a segment from ``begin`` on."""
        x = self.embed_scale * self.embed_tokens(tokens[:, begin:])
        if self.project_in_dim is not None:
            x = self.project_in_dim(x)
        if self.embed_positions is not None:
            x = x + self._places().tokens(tokens, begin)
        return x if self.layernorm_embedding is None else self.layernorm_embedding(x)

    def place_memory(self, tokens: Tensor, writes: bool) -> Tensor:
        """Rows of positions of a block, by ``--memory-positions``."""
        return self._places().memory(tokens, writes)

    def _places(self) -> SegmentPositions:
        rows = self.loop.memory_tokens, self.loop.rows_ahead
        return SegmentPositions(self.embed_positions, self.memory_places, *rows, self.padding_idx)

    def run_layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        """All layers. Of a segment that is being written they keep ``keys`` and ``values``."""
        # Laid out as fairseq's layers take it, which would copy it in every product otherwise.
        x = self.dropout_module(rows).transpose(0, 1).contiguous().transpose(0, 1)
        forbidden = self._mask(segment, x)
        dropped = self.dropped_layers()
        after: State = {}
        for name, layer in self.layers.named_children():
            own = inside(state, name)
            if name not in dropped:
                run = around(layer.layer_memory, partial(_run_layer, layer, forbidden))
                x, own = run(x, own, segment)
            after.update(under(name, own))
        return (x if self.layer_norm is None else self.layer_norm(x)), after

    def _mask(self, segment: Segment, like: Tensor) -> Tensor:
        """What is added to the scores, ``N x R`` or, with padding, ``B*H x N x R``.

        With the padding in it: beside it torch would add it up anew in every layer, and keep that.
        """
        hidden = segment.hidden_with(None)
        mask = like.new_zeros(hidden.shape).masked_fill(hidden, float("-inf"))
        if segment.padding is not None:
            heads = self.layers.get_submodule("0").self_attn.num_heads
            mask = mask.expand(-1, heads, -1, -1).flatten(0, 1)
        return mask

    def leave(self, rows: Tensor) -> Tensor:
        """Features of rows."""
        return rows if self.project_out_dim is None else self.project_out_dim(rows)

    def output_layer(self, features: Tensor) -> Tensor:
        """Logits, ``... x V``; with ``--predict-words-only`` what is no word is out of reach."""
        logits = super().output_layer(features)
        return logits if self.word_bias is None else logits + self.word_bias


def _run_layer(
    layer: Any, forbidden: Tensor, rows: Tensor, state: State, segment: Segment
) -> tuple[Tensor, State]:
    """A layer of fairseq as one of `SegmentLoop`."""
    kept: dict[str, Any] | None = None if segment.begin == 0 and segment.last else {}
    x, _, _ = layer(
        rows.transpose(0, 1),
        incremental_state=kept,
        prev_self_attn_state=[state["keys"], state["values"]] if "keys" in state else None,
        self_attn_mask=forbidden,
    )
    if segment.last:
        return x.transpose(0, 1), {}
    saved = layer.self_attn._get_input_buffer(kept)
    return x.transpose(0, 1), {"keys": saved["prev_key"], "values": saved["prev_value"]}
