"""A decoder of Transformer-XL layers with a cache, a recurrent memory, or both.

Shapes: those of `recurrent_decoder`.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from fairseq import utils
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .recurrent_decoder import RecurrentMemoryDecoder
from .tied_adaptive_softmax import TiedAdaptiveSoftmax, parse_cutoff
from .transformer_xl_layer import TransformerXLLayer, distance_embedding

logger = logging.getLogger(__name__)

_POSITIONS = "positions"  # under this name the layers' projected distances lie beside the keys


class TransformerXLDecoder(RecurrentMemoryDecoder):
    """Layers of Transformer-XL, with a cache of their inputs, a recurrent memory, or both.

    The cache holds the last rows of the augmented text, memory rows among them, and takes their
    places in it: so does the published code of RMT, whose weights can be converted.

    Its ``version`` is 4 since it takes ``--activation-fn``; up to 3 it ignored the flag.
    """

    def __init__(self, cfg, dictionary, embed_tokens) -> None:
        super().__init__(cfg, dictionary, embed_tokens)
        self.version.fill_(4)
        self.checkpoint_layers = cfg.checkpoint_activations
        self.embed_positions = None  # distances take their place
        heads = cfg.decoder_attention_heads
        self.attention_biases = nn.Parameter(torch.zeros(2, heads, self.embed_dim // heads))

    def build_output_projection(self, cfg, dictionary, embed_tokens) -> None:
        """Tied to the embedding, with a bias for every word, adaptive where there are cutoffs."""
        cutoff = parse_cutoff(cfg.adaptive_softmax_cutoff, len(dictionary))
        if cutoff:
            self.adaptive_softmax = TiedAdaptiveSoftmax(embed_tokens, cutoff)
        else:
            self.output_projection = nn.Linear(self.output_embed_dim, len(dictionary))
            nn.init.zeros_(self.output_projection.bias)
            if cfg.share_decoder_input_output_embed:
                self.output_projection.weight = embed_tokens.weight

    def upgrade_state_dict_named(self, state_dict: dict[str, Any], name: str) -> dict[str, Any]:
        """As fairseq's, but without a projection where an adaptive softmax takes its place.

        An older checkpoint computes on as it was trained, with ReLU.
        """
        super().upgrade_state_dict_named(state_dict, name)
        if state_dict[f"{name}.version"].item() < 4 and self.cfg.activation_fn != "relu":
            logger.warning(
                f"this model was trained with relu, since --activation-fn {self.cfg.activation_fn} "
                "was ignored then: it goes on with relu"
            )
            for layer in self.layers.children():
                layer.activation_fn = utils.get_activation_fn("relu")
        if self.adaptive_softmax is not None:
            state_dict.pop(f"{name}.output_projection.weight", None)
        return state_dict

    def build_decoder_layer(self, cfg, no_encoder_attn: bool = False) -> nn.Module:
        return TransformerXLLayer(
            cfg.decoder_embed_dim,
            cfg.decoder_ffn_embed_dim,
            cfg.decoder_attention_heads,
            cfg.dropout,
            cfg.attention_dropout,
            cfg.activation_dropout or cfg.relu_dropout,  # the older name of the same flag
            cfg.activation_fn,
        )

    def _layers(
        self,
        x: Tensor,
        mask: Tensor,
        padding: Tensor | None,
        cache: Tensor | None,
        keys: dict | None,
    ) -> tuple[Tensor, list[Tensor]]:
        hidden = mask if padding is None else mask | padding[:, None, None]
        ahead = max(self.memory_tokens, 1)
        rows_read = mask.size(1)
        tables = self._positions(rows_read, ahead, x, keys)
        inputs = []
        for index, (layer, dropped) in enumerate(self._each_layer()):
            inputs.append(x)
            if dropped:
                continue
            past = None if keys is None else keys.get(index)
            if past is None and cache is not None:
                past = layer.self_attn.keys_values(cache[:, index].to(x))
            positions = tables[index][:, -(rows_read + ahead) :]
            arguments = (x, past, hidden, positions, self.attention_biases)
            if self.checkpoint_layers and self.training:
                x, keys_values = checkpoint(layer, *arguments, use_reentrant=False)
            else:
                x, keys_values = layer(*arguments)
            if keys is not None:
                keys[index] = keys_values
        return x, inputs

    def _positions(
        self, rows_read: int, ahead: int, like: Tensor, keys: dict | None
    ) -> list[Tensor]:
        """Every layer's table of distances. Generation keeps one that will do for the segment."""
        if keys is not None:
            if _POSITIONS in keys:
                return keys[_POSITIONS]
            rows_read = self.cache_length + 2 * self.memory_tokens + self.segment_length
        distances = distance_embedding(rows_read, ahead, self.embed_dim, like)
        distances = self.dropout_module(distances)
        tables = [layer.self_attn.positions(distances) for layer in self.layers.children()]
        if keys is not None:
            keys[_POSITIONS] = tables
        return tables

    def _reorder_keys(self, keys: dict, order: Tensor) -> None:
        for index, pair in keys.items():
            if index != _POSITIONS:  # the same for all streams
                keys[index] = tuple(part.index_select(0, order) for part in pair)

    def _project_out(self, x: Tensor) -> Tensor:
        return super()._project_out(self.dropout_module(x))
