"""GMAT's attention over ``[memory; tokens]``, arXiv:2006.03274.

The equations are ours, after the abstract and published descriptions; the paper's body and code
were not available.

Shapes: ``B`` batch, ``L`` tokens, ``M`` memory tokens, ``C`` channels, ``H`` heads, ``D = C / H``.
"""

from typing import Callable

import torch
from fairseq.modules import MultiheadAttention
from fairseq.modules.quant_noise import quant_noise
from torch import Tensor, nn

from ..errors import MemtxError
from ..memory import (
    ChunkedAttention,
    DenseAttention,
    FlexibleMemoryAttention,
    GlobalMemoryAttention,
    HashedAttention,
    PlacedAttention,
    SparseAttention,
    WindowAttention,
)

# How a scheme is made from the configuration. A new one is a class and a line here.
SCHEMES: dict[str, Callable[..., SparseAttention]] = {
    "chunked": lambda cfg, channels: ChunkedAttention(cfg.chunk_size),
    "window": lambda cfg, channels: WindowAttention(cfg.window_size),
    "lsh": lambda cfg, channels: HashedAttention(
        cfg.chunk_size, cfg.lsh_buckets, cfg.lsh_rounds, channels
    ),
    "none": lambda cfg, channels: DenseAttention(),
}

# Two ways to compute the same.
KERNELS: dict[str, Callable[..., GlobalMemoryAttention]] = {
    "groups": GlobalMemoryAttention,
    "flex": FlexibleMemoryAttention,
}


class GmatAttention(MultiheadAttention):
    """Memory attends to everything; a token to memory and its neighbours, in one softmax.

    Parameters have fairseq's names, so its weights can be loaded, and serve memory and tokens
    alike unless memory has projections of its own.
    """

    def __init__(self, cfg) -> None:
        channels, noise = cfg.encoder.embed_dim, cfg.quant_noise
        super().__init__(
            channels,
            cfg.encoder.attention_heads,
            dropout=cfg.attention_dropout,
            self_attention=True,
            q_noise=noise.pq,
            qn_block_size=noise.pq_block_size,
        )
        self.memory_tokens = cfg.memory_tokens
        neighbours = SCHEMES[cfg.sparse_attention](cfg, self.head_dim)
        if cfg.attention_kernel == "flex" and not isinstance(neighbours, PlacedAttention):
            raise MemtxError(
                "--attention-kernel flex has to know neighbours by their places, and "
                f"--sparse-attention {cfg.sparse_attention} does not tell: use one that does "
                "(chunked, window, none), or leave the kernel out"
            )
        self.attend = KERNELS[cfg.attention_kernel](cfg.memory_tokens, neighbours)
        self.memory_projections = nn.ModuleDict()
        if cfg.separate_memory_projections:
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                self.memory_projections[name] = quant_noise(
                    nn.Linear(channels, channels), noise.pq, noise.pq_block_size
                )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attend.

        Args:
            query: memory and tokens, ``(M + L) x B x C``.
            key: the same; there for fairseq's signature, as all that follows but the mask.
            value: the same.
            key_padding_mask: ``B x (M + L)``, True at padding.
            need_weights: not used: `memory.capture_attention` is who gives weights.
            attn_mask: not used; who sees whom is the scheme's to say.

        Returns:
            ``(M + L) x B x C``, and None.
        """
        q, k, v = (
            self._heads(self._project(name, query)) for name in ("q_proj", "k_proj", "v_proj")
        )
        real = None if key_padding_mask is None else ~key_padding_mask.bool()
        attended = self.attend(q, k, v, real, self.dropout_module.p if self.training else 0.0)
        # B x H x N x D -> N x B x C
        attended = attended.permute(2, 0, 1, 3).flatten(2)
        return self._project("out_proj", attended), None

    def _project(self, name: str, rows: Tensor) -> Tensor:
        """``(M + L) x B x C``, memory through projections of its own if it has them."""
        shared = getattr(self, name)
        if name not in self.memory_projections:
            return shared(rows)
        memory, tokens = rows[: self.memory_tokens], rows[self.memory_tokens :]
        return torch.cat([self.memory_projections[name](memory), shared(tokens)])

    def _heads(self, rows: Tensor) -> Tensor:
        """``N x B x C -> B x H x N x D``."""
        return rows.unflatten(2, (self.num_heads, self.head_dim)).permute(1, 2, 0, 3)
