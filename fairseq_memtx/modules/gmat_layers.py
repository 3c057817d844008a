"""GMAT's layers over ``[memory; tokens]``: together, memory alone, tokens reading memory.

Shapes: ``B`` batch, ``L`` tokens, ``M`` memory tokens, ``C`` channels.
"""

import torch
from torch import Tensor

from .gmat_attention import GmatAttention
from .reading_layer import ReadingLayer


class GlobalMemoryLayer(ReadingLayer):
    """Memory and tokens together: the ordinary layer, and the one that compresses.

    `forward` is fairseq's.
    """

    def build_self_attention(self, embed_dim: int, cfg) -> GmatAttention:
        return GmatAttention(cfg)


class MemoryOnlyLayer(ReadingLayer):
    """Memory attends to memory; tokens wait. Its cost does not depend on ``L``."""

    def __init__(self, cfg) -> None:
        super().__init__(cfg)
        self.memory_tokens = cfg.memory_tokens

    def forward(
        self, x: Tensor, encoder_padding_mask: Tensor | None, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Update the first ``M`` rows of ``(M + L) x B x C``."""
        memory, tokens = x[: self.memory_tokens], x[self.memory_tokens :]
        return torch.cat([self.read(memory, memory, None), tokens])


class DecompressingLayer(MemoryOnlyLayer):
    """Tokens read memory, and nothing else; memory stays as it is."""

    def forward(
        self, x: Tensor, encoder_padding_mask: Tensor | None, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Update the last ``L`` rows of ``(M + L) x B x C``."""
        memory, tokens = x[: self.memory_tokens], x[self.memory_tokens :]
        return torch.cat([memory, self.read(tokens, memory, None)])
