"""Tasks. The Memory Transformer needs none: it trains on fairseq's own ``translation``."""

from .. import plugin  # noqa: F401  (before all else)
from . import (  # noqa: F401
    algorithmic_sequences,
    extractive_qa,
    facts_in_noise,
    global_reasoning,
    reading,
    rmt_language_modeling,
    sequence_tagging,
)
