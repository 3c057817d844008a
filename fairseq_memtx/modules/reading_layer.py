"""fairseq's encoder layer over ``[memory; sequence]``, what all layers with memory are made of.

Shapes: ``T`` source length, ``M`` memory tokens, ``B`` batch, ``C`` channels. Every layer takes and
returns ``(M + T) x B x C`` with the memory in front, as one plain tensor, so that fairseq's encoder
loop, layer drop and activation checkpointing work as they are.
"""

from fairseq.modules.transformer_layer import TransformerEncoderLayerBase
from torch import Tensor

from .fast_path import drop_fast_path, drop_fast_path_weights


class ReadingLayer(TransformerEncoderLayerBase):
    """fairseq's encoder layer, able to read from something else than its own input.

    `forward` is fairseq's: this is the layer of the ``tokens`` variant, in which memory tokens are
    ordinary tokens.
    """

    def __init__(self, cfg) -> None:
        super().__init__(cfg)
        drop_fast_path(self)

    def build_self_attention(self, embed_dim: int, cfg):
        attention = super().build_self_attention(embed_dim, cfg)
        attention.self_attention = False  # `read` gives keys that are not the queries
        return attention

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        drop_fast_path_weights(state_dict, prefix)
        super(TransformerEncoderLayerBase, self)._load_from_state_dict(state_dict, prefix, *args)

    def read(self, queries: Tensor, context: Tensor, padding_mask: Tensor | None) -> Tensor:
        """``A = LN(Q + MHA(Q, X, X)); LN(A + FF(A))``, or the pre-norm form of the same.

        The queries ``Q`` are the rows that are updated, ``N x B x C``, the context ``X`` what they
        read from, ``K x B x C``; the mask ``B x K`` is True where that is padding.
        """
        residual = queries
        if self.normalize_before:
            # Keys and values are normalised too, as in fairseq, where they are the queries.
            queries = self.self_attn_layer_norm(queries)
            context = self.self_attn_layer_norm(context)
        attended, _ = self.self_attn(
            query=queries,
            key=context,
            value=context,
            key_padding_mask=padding_mask,
            need_weights=False,
        )
        x = self.residual_connection(self.dropout_module(attended), residual)
        if not self.normalize_before:
            x = self.self_attn_layer_norm(x)

        residual = x
        if self.normalize_before:
            x = self.final_layer_norm(x)
        x = self.activation_dropout_module(self.activation_fn(self.fc1(x)))
        x = self.residual_connection(self.dropout_module(self.fc2(x)), residual)
        return x if self.normalize_before else self.final_layer_norm(x)
