"""Multi-head attention of each position over the memory and itself."""

from __future__ import annotations

from fairseq.modules import MultiheadAttention
from torch import Tensor

from ..memory import attend_to_memory_and_self


class MemoryAndSelfAttention(MultiheadAttention):
    """fairseq's attention with the ``M`` keys of the memory plus the query's own position.

    Same parameters and names as fairseq's, so that its weights can be loaded.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: the sequence, ``T x B x C``; also each position's own key and value.
            key: the memory, ``M x B x C``.
            value: the memory again.
            key_padding_mask: None; memory is never padding.
            need_weights: return the weights, averaged over heads.

        Returns:
            ``T x B x C`` and, where asked for, weights of ``B x T x (M + 1)``, the position itself
            last.
        """
        attended, weights = attend_to_memory_and_self(
            self._split_heads(self.q_proj(query)) * self.scaling,
            self._split_heads(self.k_proj(key)),
            self._split_heads(self.v_proj(value)),
            self._split_heads(self.k_proj(query)),
            self._split_heads(self.v_proj(query)),
            self.dropout_module,
        )
        # B x H x T x C/H -> T x B x C
        attended = attended.permute(2, 0, 1, 3).reshape(query.shape)
        return self.out_proj(attended), weights.mean(dim=1) if need_weights else None

    def _split_heads(self, x: Tensor) -> Tensor:
        """``N x B x C -> B x H x N x C/H``."""
        return x.view(*x.shape[:2], self.num_heads, self.head_dim).permute(1, 2, 0, 3)
