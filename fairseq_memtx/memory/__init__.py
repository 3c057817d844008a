"""Memory primitives in plain PyTorch: nothing here knows of fairseq.

Shapes, in every file of this folder: ``B`` batch, ``T`` source length, ``M`` memory tokens,
``C`` channels, ``H`` heads.
"""

from .attention_capture import AttentionMaps, capture_attention
from .bottleneck_skip import AttentionToMemoryAndSelf
from .continued_text import ContinuedText
from .global_memory import GlobalMemoryAttention
from .neighbourhoods import (
    ChunkedAttention,
    DenseAttention,
    GroupedAttention,
    Groups,
    HashedAttention,
    SparseAttention,
    WindowAttention,
)
from .quick_dropout import drop
from .segments import RecurrentState, StateHolder, StatesOfModels, segment_mask
from .softmax_attention import AttentionSoftmax, attend
from .statistics import MemoryStatistics, memory_statistics
from .tokens import MemoryTokens

__all__ = [
    "AttentionMaps",
    "AttentionSoftmax",
    "AttentionToMemoryAndSelf",
    "ChunkedAttention",
    "ContinuedText",
    "DenseAttention",
    "GlobalMemoryAttention",
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
    "capture_attention",
    "drop",
    "memory_statistics",
    "segment_mask",
]
