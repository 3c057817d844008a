"""Memory primitives in plain PyTorch: nothing here knows of fairseq.

Shapes, in every file of this folder: ``B`` batch, ``T`` source length, ``M`` memory tokens,
``C`` channels, ``H`` heads.
"""

from .attention import attend_to_memory_and_self
from .continued_text import ContinuedText
from .dropout import drop
from .dropped_attention import attend
from .global_attention import (
    ChunkedAttention,
    DenseAttention,
    GroupedAttention,
    Groups,
    SparseAttention,
    WindowAttention,
)
from .hashed_attention import HashedAttention
from .probe import AttentionProbe
from .segments import RecurrentState, StateHolder, StatesOfModels, segment_mask
from .statistics import MemoryStatistics, memory_statistics
from .tokens import MemoryTokens

__all__ = [
    "AttentionProbe",
    "ChunkedAttention",
    "ContinuedText",
    "DenseAttention",
    "GroupedAttention",
    "Groups",
    "HashedAttention",
    "MemoryStatistics",
    "MemoryTokens",
    "RecurrentState",
    "SparseAttention",
    "StateHolder",
    "StatesOfModels",
    "WindowAttention",
    "attend",
    "attend_to_memory_and_self",
    "drop",
    "memory_statistics",
    "segment_mask",
]
