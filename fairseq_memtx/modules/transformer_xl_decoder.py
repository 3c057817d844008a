"""A decoder of Transformer-XL layers with a cache, a recurrent memory, or both.

Shapes: those of `segment_decoder`.
"""

import logging
import math
from typing import Any, cast

import torch
from fairseq import utils
from fairseq.modules import FairseqDropout, LayerDropModuleList
from torch import Tensor, nn

from ..memory import Segment, State, TransformerXLLayer, run_transformer_xl
from .segment_decoder import SegmentDecoder
from .tied_adaptive_softmax import TiedAdaptiveSoftmax, parse_cutoff

logger = logging.getLogger(__name__)


class TransformerXLDecoder(SegmentDecoder):
    """Layers of Transformer-XL, with a cache of their inputs, a recurrent memory, or both.

    The cache holds the last rows of the augmented text, memory rows among them, and takes their
    places in it: so does the published code of RMT, whose weights can be converted.

    Its ``version`` is 4 since it takes ``--activation-fn``; up to 3 it ignored the flag.
    """

    def __init__(self, cfg: Any, dictionary: Any, embed_tokens: nn.Embedding) -> None:
        super().__init__(dictionary)
        self.register_buffer("version", torch.Tensor([4]))
        self.args, self.embed_dim = cfg, cfg.decoder_embed_dim
        self.padding_idx = embed_tokens.padding_idx
        self.embed_tokens = embed_tokens
        self.embed_scale = 1.0 if cfg.no_scale_embedding else math.sqrt(self.embed_dim)
        self.project_in_dim = _projection(cfg.decoder_input_dim, self.embed_dim)
        self.layernorm_embedding = (
            nn.LayerNorm(self.embed_dim) if cfg.layernorm_embedding else nn.Identity()
        )
        layers = [self._build_layer(cfg) for _ in range(cfg.decoder_layers)]
        self.layers: nn.ModuleList = (
            LayerDropModuleList(cfg.decoder_layerdrop, layers)
            if cfg.decoder_layerdrop
            else nn.ModuleList(layers)
        )
        self.recompute_layers = cfg.checkpoint_activations
        self.project_out_dim = _projection(self.embed_dim, cfg.decoder_output_dim)
        self._build_output(cfg, len(dictionary))
        self.dropout_module = FairseqDropout(cfg.dropout, module_name=type(self).__name__)
        self.settle_segments(cfg)
        heads = cfg.decoder_attention_heads
        self.attention_biases = nn.Parameter(torch.zeros(2, heads, self.embed_dim // heads))

    def _build_layer(self, cfg: Any) -> TransformerXLLayer:
        layer = TransformerXLLayer(
            self.embed_dim,
            cfg.decoder_ffn_embed_dim,
            cfg.decoder_attention_heads,
            cfg.dropout,
            cfg.attention_dropout,
            cfg.activation_dropout or cfg.relu_dropout,  # the older name of the same flag
            utils.get_activation_fn(cfg.activation_fn),
            cfg.cache_length,
        )
        # fairseq's dropout has --retain-dropout.
        for module in list(layer.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Dropout):
                    setattr(module, name, FairseqDropout(child.p, type(module).__name__))
        return layer

    def _build_output(self, cfg: Any, vocabulary: int) -> None:
        """Tied to the embedding, with a bias for every word, adaptive where there are cutoffs."""
        cutoff = parse_cutoff(cfg.adaptive_softmax_cutoff, vocabulary)
        self.adaptive_softmax = TiedAdaptiveSoftmax(self.embed_tokens, cutoff) if cutoff else None
        self.output_projection = None
        if not cutoff:
            self.output_projection = nn.Linear(cfg.decoder_output_dim, vocabulary)
            nn.init.zeros_(self.output_projection.bias)
            if cfg.share_decoder_input_output_embed:
                self.output_projection.weight = self.embed_tokens.weight

    def upgrade_state_dict_named(self, state_dict: dict[str, Any], name: str) -> dict[str, Any]:
        """Let an older checkpoint compute on as it was trained, with ReLU.

        One that tells no version is older than all, as in fairseq.
        """
        version = state_dict.setdefault(f"{name}.version", torch.Tensor([1]))
        if version.item() < 4 and self.args.activation_fn != "relu":
            logger.warning(
                f"this model was trained with relu, since --activation-fn {self.args.activation_fn}"
                " was ignored then: it goes on with relu"
            )
            for layer in self._named_layers().values():
                layer.activation = nn.functional.relu
        return state_dict

    def embed(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Rows ``B x T x C`` of the tokens of a segment from ``begin`` on."""
        x = self.project_in_dim(self.embed_scale * self.embed_tokens(tokens[:, begin:]))
        return self.layernorm_embedding(x)

    def run_layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        """All layers, each with its cache."""
        return run_transformer_xl(
            self._named_layers(),
            self.dropout_module(rows),
            state,
            segment,
            self.attention_biases,
            self.dropout_module,
            self.dropped_layers,
            self.recompute_layers and self.training,
        )

    def _named_layers(self) -> dict[str, TransformerXLLayer]:
        """All of them: fairseq's list of layers leaves some out where LayerDrop does."""
        return {name: cast(TransformerXLLayer, x) for name, x in self.layers.named_children()}

    def leave(self, rows: Tensor) -> Tensor:
        """Features of rows."""
        return self.project_out_dim(self.dropout_module(rows))

    def output_layer(self, features: Tensor) -> Tensor:
        """Logits of features; features themselves for an adaptive softmax."""
        return features if self.output_projection is None else self.output_projection(features)


def _projection(channels: int, others: int) -> nn.Module:
    if channels == others:
        return nn.Identity()
    projection = nn.Linear(channels, others, bias=False)
    nn.init.xavier_uniform_(projection.weight)
    return projection
