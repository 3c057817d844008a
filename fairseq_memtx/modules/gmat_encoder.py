"""RoBERTa's encoder with GMAT's layers, and recurrent memory over the segments of a document.

Shapes: ``B`` batch, ``L`` tokens, ``M`` memory tokens, ``C`` channels.
"""

import torch
from fairseq.models.transformer import TransformerConfig
from torch import Tensor, nn

from .encoder_with_memory import EncoderWithMemory, too_long
from .gmat_layers import DecompressingLayer, GlobalMemoryLayer, MemoryOnlyLayer
from .quicken import quicken

# RoBERTa's weights, and so its word embeddings, begin with this standard deviation.
ROBERTA_SCALE = 0.02


class GlobalMemoryEncoder(EncoderWithMemory):
    """Layers over ``[memory; tokens]`` that returns what fairseq's encoder would: tokens alone.

    With compression, ``compress_layers`` of memory and tokens are followed by ``memory_layers`` of
    memory alone and ``decompress_layers`` in which tokens read memory.
    """

    position_flag = "--max-positions"

    def __init__(self, args, dictionary, embed_tokens) -> None:
        cfg = TransformerConfig.from_namespace(args)
        self.segments, self.document_length = args.segments, args.max_positions
        cfg.max_source_positions = segment_length(args.max_positions, args.segments)
        kinds = {
            GlobalMemoryLayer: cfg.compress_layers,
            MemoryOnlyLayer: cfg.memory_layers,
            DecompressingLayer: cfg.decompress_layers,
        }
        if not any(kinds.values()):
            kinds = {GlobalMemoryLayer: cfg.encoder.layers}
        self._kinds = [kind for kind, count in kinds.items() for _ in range(count)]
        super().__init__(cfg, dictionary, embed_tokens, memory_scale=ROBERTA_SCALE)
        quicken(self)

    def build_encoder_layer(self, cfg) -> nn.Module:
        """The next layer, from the bottom up."""
        return self.wrap_layer(cfg, self._kinds.pop(0)(cfg))

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Tensor | None = None,
        return_all_hiddens: bool = False,
        token_embeddings: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> dict[str, list[Tensor]]:
        """Encode ``B x L``, padded on the right; see `EncoderWithMemory`.

        With segments (RMT, arXiv:2207.06881, table 3), each is read with the memory that the one
        before it left, and with a copy of the first token, ``<s>``, in front. The row of ``<s>`` in
        the result is that of the last segment that a document has, which alone has seen all of it.

        Returns:
            What fairseq's encoder returns, for the ``L`` tokens; besides, ``memory``: the last
            layer's, ``M x B x C``.
        """
        length = self.max_source_positions - 1  # of a segment without <s>
        if self.segments == 1 or src_tokens.size(1) <= length + 1:
            return self.read(src_tokens, src_lengths, return_all_hiddens, token_embeddings, memory)
        if src_tokens.size(1) > self.document_length:
            raise too_long(src_tokens.size(1), self.position_flag, self.document_length)
        outs: list[dict[str, list[Tensor]]] = []
        for start in range(1, src_tokens.size(1), length):
            segment, embedded = src_tokens[:, start : start + length], token_embeddings
            segment = torch.cat([src_tokens[:, :1], segment], dim=1)
            if embedded is not None:
                embedded = torch.cat([embedded[:, :1], embedded[:, start : start + length]], dim=1)
            out = self.read(segment, None, return_all_hiddens, embedded, memory)
            if memory is not None:  # a document that has ended keeps its memory
                ended = segment[:, 1:].eq(self.padding_idx).all(dim=1)
                left = torch.where(ended[:, None], memory.transpose(0, 1), out["memory"][0])
                out["memory"] = [left]
            memory = out["memory"][0].transpose(0, 1)
            outs.append(out)
        return self._joined(outs)

    def read(self, *args, **kwargs) -> dict[str, list[Tensor]]:
        """Encode one segment; see `EncoderWithMemory.forward`."""
        encoder_out = super().forward(*args, **kwargs)
        memory = self.memory_tokens
        [x] = encoder_out["encoder_out"]
        [padding] = encoder_out["encoder_padding_mask"]
        return {
            **encoder_out,
            "encoder_out": [x[memory:]],
            "memory": [x[:memory]],
            "encoder_padding_mask": [padding[:, memory:]],
            "encoder_embedding": [x[:, memory:] for x in encoder_out["encoder_embedding"]],
            "encoder_states": [x[memory:] for x in encoder_out["encoder_states"]],
        }

    def _joined(self, outs: list[dict[str, list[Tensor]]]) -> dict[str, list[Tensor]]:
        """What one forward pass over all segments would have returned."""
        padding = [out["encoder_padding_mask"][0] for out in outs]
        # B: a document's last segment with more than <s> in it
        last = torch.stack([~part[:, 1:].all(dim=1) for part in padding]).sum(dim=0) - 1
        last = last.clamp(min=0)

        def join(parts: list[Tensor]) -> Tensor:
            """``T x B x C`` of every segment to ``L x B x C``."""
            first = torch.stack([part[0] for part in parts])
            first = first[last, torch.arange(len(last), device=last.device)]
            return torch.cat([first.unsqueeze(0), *(part[1:] for part in parts)])

        states = zip(*(out["encoder_states"] for out in outs))
        lengths = [out["src_lengths"][0] - 1 for out in outs]
        embedding = [out["encoder_embedding"][0].transpose(0, 1) for out in outs]
        return {
            **outs[-1],
            "encoder_out": [join([out["encoder_out"][0] for out in outs])],
            "encoder_states": [join(list(layer)) for layer in states],
            "encoder_padding_mask": [
                torch.cat([padding[0], *(part[:, 1:] for part in padding[1:])], dim=1)
            ],
            "encoder_embedding": [join(embedding).transpose(0, 1)],
            "src_lengths": [1 + torch.stack(lengths).sum(dim=0, dtype=lengths[0].dtype)],
        }

    def max_positions(self) -> int:
        """Tokens of the longest document."""
        return self.document_length


def segment_length(document: int, segments: int) -> int:
    """Positions of a segment, ``<s>`` among them, in a document of so many positions."""
    return 1 + -(-(document - 1) // segments)
