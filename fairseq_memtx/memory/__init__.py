"""Memory primitives in plain PyTorch: nothing here knows of fairseq.

Shapes, in every file of this folder: ``B`` batch, ``T`` source length, ``M`` memory tokens,
``C`` channels, ``H`` heads.
"""

from .bottleneck_skip import attend_to_memory_and_self
from .continued_text import ContinuedText
from .neighbourhoods import (
    ChunkedAttention,
    DenseAttention,
    GroupedAttention,
    Groups,
    HashedAttention,
    SparseAttention,
    WindowAttention,
)
from .probe import AttentionProbe
from .quick_dropout import drop
from .segments import RecurrentState, StateHolder, StatesOfModels, segment_mask
from .softmax_attention import attend
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
