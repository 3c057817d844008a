"""Which rows and columns of the families' attention maps are memory.

Maps come by the name of a module, in the order of its calls (`memory.capture_attention`); who calls
whom how often is known here.

Shapes: ``B`` batch, ``T`` tokens, ``M`` memory tokens, ``Q`` queries, ``K`` keys, ``N`` rows.
"""

import re
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..memory import RowKind
from .encoder_with_memory import EncoderWithMemory
from .gmat_encoder import GlobalMemoryEncoder
from .gmat_layers import DecompressingLayer, MemoryOnlyLayer
from .segment_decoder import SegmentDecoder


class AttentionRows(NamedTuple):
    """Whose map it is, and what its rows and columns are."""

    layer: str  # such as "encoder 0", "controller 0", "decoder 0" or, with one stack, "layer 0"
    part: int  # which segment of the text, 0 where there is but one
    queries: Tensor  # kinds (`RowKind`), B x Q
    keys: Tensor  # kinds, B x K
    query_symbols: Tensor  # of tokens; of memory its number; B x Q
    key_symbols: Tensor  # B x K

    def fit(self, weights: Tensor) -> bool:
        """Whether they are rows and columns of this map."""
        return (self.queries.shape, self.keys.shape) == (weights.shape[::2], weights.shape[::3])


class RowFinder:
    """Finds the rows of every map of one pass over one batch.

    Inside, rows are ``B x N x 2``: their kinds and their symbols.

    Args:
        model: of one of the families, or of another.
        net_input: what it reads.
    """

    def __init__(self, model: nn.Module, net_input: dict[str, Any]) -> None:
        self.net_input = net_input
        self.calls: dict[str, int] = {}
        self.holders = {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, (EncoderWithMemory, SegmentDecoder))
        }

    def find(self, name: str, weights: Tensor) -> AttentionRows | None:
        """Rows of the next map of a module; None for an attention that meets no memory."""
        call = self.calls.get(name, 0)
        self.calls[name] = call + 1
        (layer,) = re.findall(r"layers\.(\d+)", name) or [str(call)]
        queries, keys = weights.shape[2:]
        holder = next((self.holders[h] for h in self.holders if name.startswith(f"{h}.")), None)
        if isinstance(holder, SegmentDecoder):
            return _named(f"layer {layer}", call, *self._segment(holder, call, keys))
        if isinstance(holder, GlobalMemoryEncoder):
            rows = self._part(holder, call)
            memory, tokens = rows.tensor_split([holder.memory_tokens], dim=1)
            kind = type(holder.layers.get_submodule(layer))
            of_queries = {MemoryOnlyLayer: memory, DecompressingLayer: tokens}.get(kind, rows)
            of_keys = memory if issubclass(kind, MemoryOnlyLayer) else rows
            return _named(f"layer {layer}", call, of_queries, of_keys)
        if isinstance(holder, EncoderWithMemory):
            rows = _with_memory(holder, self.net_input["src_tokens"])
            if "memory_controller" in name:
                return _named(f"controller {layer}", 0, rows[:, :queries], rows)
            return _named(f"encoder {layer}", 0, rows[:, -queries:], rows[:, :keys])
        if name.endswith("encoder_attn") and self.holders:
            (encoder,) = self.holders.values()
            written = _tokens(self.net_input["prev_output_tokens"], encoder.padding_idx)
            rows = _with_memory(encoder, self.net_input["src_tokens"])
            return _named(f"decoder {layer}", 0, written, rows[:, :keys])  # or memory alone
        return None

    def _part(self, encoder: GlobalMemoryEncoder, call: int) -> Tensor:
        """Rows of a document, or of one of its segments, each of which begins with ``<s>``."""
        tokens, length = self.net_input["src_tokens"], encoder.max_source_positions - 1
        if encoder.segments > 1 and tokens.size(1) > length + 1:
            begin = 1 + call * length
            tokens = torch.cat([tokens[:, :1], tokens[:, begin : begin + length]], dim=1)
        return _with_memory(encoder, tokens)

    def _segment(self, decoder: SegmentDecoder, call: int, keys: int) -> tuple[Tensor, Tensor]:
        """Rows of a segment, and those with what the cache has of earlier ones in front."""
        length = decoder.segment_length
        tokens = self.net_input["src_tokens"][:, call * length : (call + 1) * length]
        rows = _laid_out(decoder.loop, _tokens(tokens, decoder.padding_idx))
        cached = keys - rows.size(1)
        if not cached:
            return rows, rows
        # The last rows of segments that all are whole, whatever their tokens were.
        unknown = rows.new_full((len(rows), length), RowKind.TOKEN)
        earlier = torch.stack([unknown, torch.full_like(unknown, -1)], dim=-1)
        earlier = _laid_out(decoder.loop, earlier)
        earlier = earlier.repeat(1, -(-cached // earlier.size(1)), 1)[:, -cached:]
        return rows, torch.cat([earlier, rows], dim=1)


def _named(layer: str, part: int, queries: Tensor, keys: Tensor) -> AttentionRows:
    (of_queries, read), (of_keys, seen) = queries.unbind(-1), keys.unbind(-1)
    return AttentionRows(layer, part, of_queries, of_keys, read, seen)


def _tokens(tokens: Tensor, padding: int) -> Tensor:
    return torch.stack([tokens.ne(padding).long() * RowKind.TOKEN, tokens], dim=-1)


def _memory(count: int, kind: RowKind, like: Tensor) -> Tensor:
    numbers = torch.arange(count, device=like.device)
    rows = torch.stack([torch.full_like(numbers, kind), numbers], dim=-1)
    return rows.expand(len(like), -1, -1)


def _with_memory(encoder: Any, tokens: Tensor) -> Tensor:
    """Memory in front of tokens, ``B x (M + T) x 2``."""
    rows = _tokens(tokens, encoder.padding_idx)
    return torch.cat([_memory(encoder.memory_tokens, RowKind.MEMORY, rows), rows], dim=1)


def _laid_out(loop: Any, rows: Tensor) -> Tensor:
    """A segment's rows, with its blocks of memory."""
    written = loop.memory_tokens if loop.writes else 0
    ahead = _memory(loop.rows_ahead, RowKind.MEMORY, rows)
    return torch.cat([ahead, rows, _memory(written, RowKind.WRITTEN, rows)], dim=1)
