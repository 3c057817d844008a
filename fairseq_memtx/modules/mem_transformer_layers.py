"""The layers of the Memory Transformer's variants: controller, bottleneck, bottleneck-skip.

The equations are a reconstruction from the abstract of arXiv:2006.11527 and later papers of the
same authors; the body of the paper and its code were not available to us. Shapes and the layer of
the variant ``tokens`` are those of `reading_layer`.
"""

from typing import Any

import torch
from fairseq.modules import MultiheadAttention
from torch import Tensor

from ..memory import AttentionToMemoryAndSelf
from .reading_layer import ReadingLayer


class ControllerLayer(ReadingLayer):
    """MemCtrl: memory has attention and feed-forward sub-layers of its own, the controller.

    Controller and layer both read ``X = [X_m; X_s]``.

    ::

        H_m = controller(X_m, X)
        H_s = layer(X_s, X)

    A ``shared_controller`` is the encoder's; without one the layer makes its own.
    """

    def __init__(
        self, cfg, memory_tokens: int, shared_controller: ReadingLayer | None = None
    ) -> None:
        super().__init__(cfg)
        self.memory_tokens = memory_tokens
        if shared_controller is None:
            self.memory_controller = ReadingLayer(cfg)
        # In a tuple, so that a shared controller is registered (and saved) by its owner alone.
        self._shared_controller = (shared_controller,)

    def forward(
        self, x: Tensor, encoder_padding_mask: Tensor | None, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Update memory and sequence, ``(M + T) x B x C``; the mask is True at padding."""
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


class MemoryAndSelfAttention(MultiheadAttention):
    """fairseq's attention with the ``M`` keys of the memory plus the query's own position.

    Same parameters and names as fairseq's, so that its weights can be loaded.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attend = AttentionToMemoryAndSelf()

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, None]:
        """Attend.

        Args:
            query: the sequence, ``T x B x C``; also each position's own key and value.
            key: the memory, ``M x B x C``.
            value: the memory again.
            key_padding_mask: None; memory is never padding.
            need_weights: not used: `memory.capture_attention` is who gives weights.

        Returns:
            ``T x B x C``, and None.
        """
        attended = self.attend(
            self._split_heads(self.q_proj(query)) * self.scaling,
            self._split_heads(self.k_proj(key)),
            self._split_heads(self.v_proj(value)),
            self._split_heads(self.k_proj(query)),
            self._split_heads(self.v_proj(query)),
            self.dropout_module,
        )
        # B x H x T x C/H -> T x B x C
        attended = attended.permute(2, 0, 1, 3).reshape(query.shape)
        return self.out_proj(attended), None

    def _split_heads(self, x: Tensor) -> Tensor:
        """``N x B x C -> B x H x N x C/H``."""
        return x.view(*x.shape[:2], self.num_heads, self.head_dim).permute(1, 2, 0, 3)
