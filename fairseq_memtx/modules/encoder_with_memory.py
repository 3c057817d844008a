"""fairseq's encoder with memory in front of its tokens.

Data flow: the encoder puts ``M`` places in front of the tokens and hands them to fairseq's own
forward; where that embeds its input, the places become the memory vectors. The layers work on
``[memory; tokens]``.

Shapes: ``B`` batch, ``T`` tokens, ``M`` memory tokens, ``C`` channels.
"""

from fairseq.distributed import fsdp_wrap
from fairseq.models.transformer import TransformerEncoderBase
from fairseq.modules.checkpoint_activations import checkpoint_wrapper
from torch import Tensor, cat, nn

from ..errors import MemtxError
from ..memory import MemoryTokens


class EncoderWithMemory(TransformerEncoderBase):
    """fairseq's encoder over ``[memory; tokens]``.

    Memory has no positions, and tokens keep theirs: ``max_source_positions`` counts tokens alone.
    Subclasses say what a layer is. ``memory_scale`` is that of `MemoryTokens`.
    """

    position_flag = "--max-source-positions"

    def __init__(self, cfg, dictionary, embed_tokens, memory_scale: float | None = None) -> None:
        self.memory_tokens = cfg.memory_tokens
        super().__init__(cfg, dictionary, embed_tokens)
        if self.memory_tokens:
            self.memory = MemoryTokens(
                self.memory_tokens, embed_tokens.embedding_dim, scale=memory_scale
            )

    @staticmethod
    def wrap_layer(cfg, layer: nn.Module) -> nn.Module:
        """A layer, wrapped for activation checkpointing and FSDP as fairseq wraps its own."""
        if cfg.checkpoint_activations:
            layer = checkpoint_wrapper(layer, offload_to_cpu=cfg.offload_activations)
        return fsdp_wrap(
            layer, min_num_params=0 if cfg.checkpoint_activations else cfg.min_params_to_wrap
        )

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Tensor | None = None,
        return_all_hiddens: bool = False,
        token_embeddings: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Encode ``B x T``, padded on either side, which may not be more tokens than positions.

        Args:
            src_tokens: what to encode.
            src_lengths: not used, as in fairseq.
            return_all_hiddens: return the input and output of every layer.
            token_embeddings: ``B x T x C``, in place of looking the tokens up.
            memory: ``B x M x C``, in place of the learned memory.

        Returns:
            What fairseq's encoder returns, with ``M + T`` places for ``T``; ``src_lengths`` still
            counts tokens.
        """
        if src_tokens.size(1) > self.max_source_positions:
            raise too_long(src_tokens.size(1), self.position_flag, self.max_source_positions)
        if token_embeddings is not None or memory is not None:
            if token_embeddings is None:
                token_embeddings = self.embed_tokens(src_tokens)
            token_embeddings = self._with_memory(token_embeddings, memory)
        encoder_out = super().forward(
            # Any symbol but padding: the padding mask is right, and the embedding never sees it.
            self._with_places(src_tokens, self.dictionary.bos()),
            src_lengths,
            return_all_hiddens,
            token_embeddings,
        )
        encoder_out["src_lengths"] = [
            lengths - self.memory_tokens for lengths in encoder_out["src_lengths"]
        ]
        return encoder_out

    def forward_embedding(
        self, src_tokens: Tensor, token_embedding: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Embed ``B x (M + T)``, memory being the embedding of its places."""
        tokens = src_tokens[:, self.memory_tokens :]
        if token_embedding is None:
            token_embedding = self._with_memory(self.embed_tokens(tokens), None)
        # Places are padding here, since padding is what has no position and is not counted.
        places = self._with_places(tokens, self.padding_idx)
        return super().forward_embedding(places, token_embedding)

    def _with_memory(self, embedded: Tensor, memory: Tensor | None) -> Tensor:
        """The given or the learned memory in front of embedded tokens, ``B x (M + T) x C``."""
        if not self.memory_tokens:
            return embedded
        if memory is None:
            memory = self.memory(len(embedded))
        return cat([memory.to(embedded), embedded], dim=1)

    def _with_places(self, tokens: Tensor, symbol: int) -> Tensor:
        """``M`` times ``symbol`` in front of the tokens, ``B x (M + T)``."""
        if not self.memory_tokens:
            return tokens
        return cat([tokens.new_full((len(tokens), self.memory_tokens), symbol), tokens], dim=1)


def too_long(tokens: int, flag: str, positions: int) -> MemtxError:
    """The error for a row with more tokens than there are positions."""
    return MemtxError(
        f"a source of {tokens} tokens is longer than {flag} {positions}: shorten it, or train "
        "with more positions"
    )
