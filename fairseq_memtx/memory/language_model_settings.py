"""What a `SegmentLanguageModel` is, beside its weights."""

from dataclasses import dataclass

from .activations import ACTIVATIONS
from .segment_positions import MEMORY_POSITIONS
from .word_bands import Band

BACKBONES = ("transformer-xl", "transformer")
POSITIONS = ("none", "sinusoidal", "learned")


@dataclass(frozen=True)
class LanguageModelSettings:
    """Sizes, and what the weights do not show.

    Attributes:
        backbone: ``transformer-xl`` or ``transformer``.
        layers: how many.
        channels: ``C``.
        ffn_channels: inside a layer's feed-forward sub-layer.
        heads: of a layer, a divisor of ``C``.
        activation: a name of `ACTIVATIONS`.
        norm_first: of `TransformerLayer`.
        final_norm: whether a norm follows the last layer.
        input_bands: of the embedding.
        embed_scale: by which rows of the embedding are multiplied.
        embed_norm: whether a norm follows the embedding.
        positions: ``none``, ``sinusoidal`` or ``learned``; Transformer-XL has distances.
        position_rows: of a learned table; 0 if there is none.
        output_bands: of the output layer.
        output_channels: of the features.
        output_bias: whether words have one.
        padding: the symbol that is none.
        segment_length: ``T``.
        memory_tokens: ``M``.
        memory_positions: of `SegmentPositions`.
        reads: of `SegmentLoop`.
        writes: of `SegmentLoop`.
        recurrent: of `SegmentLoop`.
        causal: of `SegmentLoop`.
        memory_reads_cache: of `SegmentLoop`.
        cache_length: rows of earlier segments that every layer of Transformer-XL sees.
        associative_channels: of the keys of every layer's memory; 0 for layers without.
        associative_correction: of `AssociativeMemory`.

    Raises:
        ValueError: if no model can be of these.
    """

    backbone: str
    layers: int
    channels: int
    ffn_channels: int
    heads: int
    activation: str
    norm_first: bool
    final_norm: bool
    input_bands: tuple[Band, ...]
    embed_scale: float
    embed_norm: bool
    positions: str
    position_rows: int
    output_bands: tuple[Band, ...]
    output_channels: int
    output_bias: bool
    padding: int
    segment_length: int
    memory_tokens: int
    memory_positions: str
    reads: bool
    writes: bool
    recurrent: bool
    causal: bool
    memory_reads_cache: bool
    cache_length: int
    associative_channels: int
    associative_correction: bool

    def __post_init__(self) -> None:
        """Refuse what no model can be of."""
        choices = {"backbone": BACKBONES, "activation": ACTIVATIONS, "positions": POSITIONS}
        choices["memory_positions"] = MEMORY_POSITIONS
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}, and not {' or '.join(known)}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, and at least {least}")
        if self.channels % self.heads:
            raise ValueError(f"channels are {self.channels}, and heads, {self.heads}, no divisor")
        come, go = (sum(band.words for band in s) for s in (self.input_bands, self.output_bands))
        if come != go or not come:
            raise ValueError(f"input_bands have {come} words and output_bands {go}")


_LEAST = dict.fromkeys(("layers", "channels", "ffn_channels", "heads", "segment_length"), 1)
_LEAST |= {"output_channels": 1, "memory_tokens": 0, "cache_length": 0, "position_rows": 0}
_LEAST["associative_channels"] = 0
