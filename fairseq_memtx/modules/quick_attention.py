"""fairseq's attention, which in training attends as `memory.attend` does.

fairseq calls torch's function for all of an attention in one place, and spells out its weights in
another, for what a decoder reads of an encoder. `memory.attend` knows what is quickest where:
torch's fused attention on a GPU and in float32, plain products in bfloat16 on a CPU. Where both
compute in float32 on a CPU, a model without memory stays fairseq's to the last bit.

Shapes: ``B`` batch, ``Q`` queries, ``K`` keys, ``C`` channels, ``H`` heads, ``D = C / H``.
"""

from typing import Any

import torch
from fairseq.modules import MultiheadAttention
from torch import Tensor, nn

from ..memory import SoftmaxAttention


class QuickAttention(MultiheadAttention):
    """An attention with the weights and settings of another, which is not used any more.

    In evaluation, and for whoever asks for attention weights, it is its base class.
    """

    def __init__(self, attention: MultiheadAttention) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(attention.__dict__)
        self.attend = SoftmaxAttention()

    def forward(
        self,
        query: Tensor,
        key: Tensor | None,
        value: Tensor | None,
        key_padding_mask: Tensor | None = None,
        incremental_state: dict[str, Any] | None = None,
        need_weights: bool = True,
        static_kv: bool = False,
        attn_mask: Tensor | None = None,
        before_softmax: bool = False,
        need_head_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend; see the base class."""
        weights_asked = need_weights or need_head_weights or before_softmax
        further_keys = self.bias_k is not None or self.add_zero_attn
        exact = query.is_cpu and not torch.is_autocast_enabled("cpu")
        if (
            not self.training
            or weights_asked
            or further_keys
            or incremental_state is not None
            or self.use_xformers
            or (static_kv and exact)  # spelled out, with a softmax in float32 at most
            or self.q_proj._forward_pre_hooks  # noise of --quant-noise-pq, which torch passes by
        ):
            return super().forward(
                query, key, value, key_padding_mask, incremental_state, need_weights, static_kv,
                attn_mask, before_softmax, need_head_weights,
            )  # fmt: skip
        q, k, v = (
            project(rows).unflatten(2, (self.num_heads, self.head_dim)).permute(1, 2, 0, 3)
            for project, rows in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        visible = self._visible(key_padding_mask, attn_mask, q)
        attended = self.attend(q, k, v, visible, self.dropout_module.p)
        # B x H x Q x D -> Q x B x C
        return self.out_proj(attended.permute(2, 0, 1, 3).flatten(2)), None

    def _visible(self, padding: Tensor | None, mask: Tensor | None, query: Tensor) -> Tensor | None:
        """What `memory.attend` is told of ``B x K`` and of ``Q x K`` or ``B*H x Q x K``."""
        real = None if padding is None else ~padding.bool()[:, None, None]
        if mask is None:
            return real
        mask = mask.unflatten(0, (-1, self.num_heads)) if mask.dim() == 3 else mask[None, None]
        mask = mask.to(query.dtype)
        if real is None:
            return mask
        # Finite, so that what sees nothing but padding stays defined.
        return mask.masked_fill(~real, torch.finfo(mask.dtype).min)
