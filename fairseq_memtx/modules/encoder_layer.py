"""Encoder layers over ``[memory; sequence]``.

Shapes: ``T`` source length, ``M`` memory tokens, ``B`` batch, ``C`` channels. Every layer takes and
returns ``(M + T) x B x C`` with the memory in front, as one plain tensor, so that fairseq's encoder
loop, layer drop and activation checkpointing work as they are.

The equations are a reconstruction from the abstract of arXiv:2006.11527 and later papers of the
same authors; the body of the paper and its code were not available to us.
"""

from __future__ import annotations

import torch
from fairseq.modules.transformer_layer import TransformerEncoderLayerBase
from torch import Tensor

from .. import compat
from .memory_attention import MemoryAndSelfAttention


class MemoryEncoderLayer(TransformerEncoderLayerBase):
    """fairseq's encoder layer, able to read from something else than its own input.

    `forward` is fairseq's: this is the layer of the ``tokens`` variant, in which memory tokens are
    ordinary tokens.

    Args:
        cfg: fairseq's transformer configuration.
    """

    def __init__(self, cfg) -> None:
        super().__init__(cfg)
        compat.drop_fast_path(self)

    def build_self_attention(self, embed_dim: int, cfg):
        attention = super().build_self_attention(embed_dim, cfg)
        attention.self_attention = False  # `read` gives keys that are not the queries
        return attention

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        compat.drop_fast_path_weights(state_dict, prefix)
        super(TransformerEncoderLayerBase, self)._load_from_state_dict(state_dict, prefix, *args)

    def read(self, queries: Tensor, context: Tensor, padding_mask: Tensor | None) -> Tensor:
        """``A = LN(Q + MHA(Q, X, X)); LN(A + FF(A))``, or the pre-norm form of the same.

        Args:
            queries: ``Q``, the rows to update, ``N x B x C``.
            context: ``X``, the rows to read from, ``K x B x C``.
            padding_mask: ``B x K``, True where the context is padding.

        Returns:
            The updated rows, ``N x B x C``.
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


class ControllerLayer(MemoryEncoderLayer):
    """MemCtrl: memory has attention and feed-forward sub-layers of its own, the controller.

    Controller and layer both read ``X = [X_m; X_s]``.

    ::

        H_m = controller(X_m, X)
        H_s = layer(X_s, X)

    Args:
        cfg: fairseq's transformer configuration.
        memory_tokens: ``M``.
        shared_controller: a controller that the encoder owns; without one the layer makes its own.
    """

    def __init__(
        self, cfg, memory_tokens: int, shared_controller: MemoryEncoderLayer | None = None
    ) -> None:
        super().__init__(cfg)
        self.memory_tokens = memory_tokens
        if shared_controller is None:
            self.memory_controller = MemoryEncoderLayer(cfg)
        # In a tuple, so that a shared controller is registered (and saved) by its owner alone.
        self._shared_controller = (shared_controller,)

    def forward(
        self, x: Tensor, encoder_padding_mask: Tensor | None, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Update memory and sequence.

        Args:
            x: ``(M + T) x B x C``.
            encoder_padding_mask: ``B x (M + T)``, True at padding, or None.
            attn_mask: there for fairseq's signature; a pattern of its own has no meaning here.

        Returns:
            ``(M + T) x B x C``.
        """
        memory, sequence = x[: self.memory_tokens], x[self.memory_tokens :]
        controller = self._shared_controller[0] or self.memory_controller
        memory = controller.read(memory, x, encoder_padding_mask)
        sequence = self.read_sequence(sequence, memory, x, encoder_padding_mask)
        return torch.cat([memory, sequence])

    def read_sequence(
        self, sequence: Tensor, updated_memory: Tensor, x: Tensor, padding_mask: Tensor | None
    ) -> Tensor:
        """What the sequence reads; the hook in which the variants differ."""
        return self.read(sequence, x, padding_mask)


class BottleneckLayer(ControllerLayer):
    """MemBottleneck: memory is updated first, then the sequence reads the updated memory only.

    ::

        H_m = controller(X_m, X)
        H_s = layer(X_s, H_m)
    """

    def read_sequence(
        self, sequence: Tensor, updated_memory: Tensor, x: Tensor, padding_mask: Tensor | None
    ) -> Tensor:
        return self.read(sequence, updated_memory, None)


class BottleneckSkipLayer(BottleneckLayer):
    """MemBottleneck in which every position also attends to itself.

    **This is our own definition.** A variant of this name is reported, but no text or code that
    defines it was found; do not quote results of this layer as the paper's. Position ``i`` reads
    ``K_i = [H_m; X_s[i]]``: the updated memory and its own state, so that it keeps a path to itself
    inside attention while no token sees another one directly.
    """

    def build_self_attention(self, embed_dim: int, cfg):
        return MemoryAndSelfAttention(
            embed_dim,
            cfg.encoder.attention_heads,
            dropout=cfg.attention_dropout,
            q_noise=self.quant_noise,
            qn_block_size=self.quant_noise_block_size,
        )
