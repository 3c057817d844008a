"""Tasks. The Memory Transformer needs none: it trains on fairseq's own ``translation``."""

from . import algorithmic_sequences, rmt_language_modeling

__all__ = ["algorithmic_sequences", "rmt_language_modeling"]
