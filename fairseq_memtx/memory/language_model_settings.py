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

    Raises:
        ValueError: if no model can be of these.
    """

    backbone: str  # transformer-xl or transformer
    layers: int  # how many
    channels: int  # C
    ffn_channels: int  # inside a layer's feed-forward sub-layer
    heads: int  # of a layer, a divisor of C
    activation: str  # a name of `ACTIVATIONS`
    norm_first: bool  # of `TransformerLayer`
    final_norm: bool  # whether a norm follows the last layer
    input_bands: tuple[Band, ...]  # of the embedding
    embed_scale: float  # by which rows of the embedding are multiplied
    embed_norm: bool  # whether a norm follows the embedding
    positions: str  # none, sinusoidal or learned; Transformer-XL has distances
    position_rows: int  # of a learned table; 0 if there is none
    output_bands: tuple[Band, ...]  # of the output layer
    output_channels: int  # of the features
    output_bias: bool  # whether words have one
    padding: int  # the symbol that is none
    segment_length: int  # T
    memory_tokens: int  # M
    memory_positions: str  # of `SegmentPositions`
    reads: bool  # of `SegmentLoop`
    writes: bool  # of `SegmentLoop`
    recurrent: bool  # of `SegmentLoop`
    causal: bool  # of `SegmentLoop`
    memory_reads_cache: bool  # of `SegmentLoop`
    cache_length: int  # rows of earlier segments that every layer of Transformer-XL sees
    associative_channels: int  # of the keys of every layer's memory; 0 for layers without
    associative_correction: bool  # of `AssociativeMemory`

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
