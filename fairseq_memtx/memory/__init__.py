"""Memory primitives in plain PyTorch: nothing here knows of fairseq.

Shapes, in every file of this folder: ``B`` batch, ``T`` source length, ``M`` memory tokens,
``C`` channels, ``H`` heads.
"""

from .associative_memory import AssociativeMemory, around
from .attention_capture import AttentionMaps, capture_attention
from .bottleneck_skip import AttentionToMemoryAndSelf
from .continued_text import ContinuedText
from .exported import load, save
from .flexible_attention import FlexibleMemoryAttention
from .global_memory import GlobalMemoryAttention
from .head_classes import CLASSES, HeadShares, RowKind, head_shares, is_memory, shares_of
from .language_model import SegmentLanguageModel
from .language_model_settings import LanguageModelSettings
from .neighbourhoods import (
    ChunkedAttention,
    DenseAttention,
    GroupedAttention,
    Groups,
    HashedAttention,
    PlacedAttention,
    SparseAttention,
    WindowAttention,
)
from .quick_dropout import drop
from .relative_attention import RelativeAttention, distance_embedding
from .segment import Segment, segment_mask
from .segment_loop import Layers, Reading, SegmentLoop, nowhere
from .segment_positions import SegmentPositions
from .softmax_attention import AttentionSoftmax, SoftmaxAttention, attend
from .state import State, detached, emptied, inside, moved, reordered, under
from .statistics import MemoryStatistics, memory_statistics
from .tokens import MemoryTokens
from .transformer import TransformerLayer, run_transformer
from .transformer_xl import TransformerXLLayer, run_transformer_xl
from .word_bands import Band

__all__ = [
    "AssociativeMemory",
    "AttentionMaps",
    "AttentionSoftmax",
    "AttentionToMemoryAndSelf",
    "Band",
    "CLASSES",
    "ChunkedAttention",
    "ContinuedText",
    "DenseAttention",
    "FlexibleMemoryAttention",
    "GlobalMemoryAttention",
    "GroupedAttention",
    "Groups",
    "HashedAttention",
    "HeadShares",
    "LanguageModelSettings",
    "Layers",
    "MemoryStatistics",
    "MemoryTokens",
    "PlacedAttention",
    "Reading",
    "RelativeAttention",
    "RowKind",
    "Segment",
    "SegmentLanguageModel",
    "SegmentLoop",
    "SegmentPositions",
    "SoftmaxAttention",
    "SparseAttention",
    "State",
    "TransformerLayer",
    "TransformerXLLayer",
    "WindowAttention",
    "around",
    "attend",
    "capture_attention",
    "detached",
    "distance_embedding",
    "drop",
    "emptied",
    "head_shares",
    "inside",
    "is_memory",
    "load",
    "memory_statistics",
    "moved",
    "nowhere",
    "reordered",
    "run_transformer",
    "run_transformer_xl",
    "save",
    "segment_mask",
    "shares_of",
    "under",
]
