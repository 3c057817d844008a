"""Memory primitives in plain PyTorch: nothing here knows of fairseq.

Shapes, in every file of this folder: ``B`` batch, ``T`` source length, ``M`` memory tokens,
``C`` channels, ``H`` heads.
"""

from .attention import attend_to_memory_and_self
from .probe import AttentionProbe
from .tokens import MemoryTokens

__all__ = ["AttentionProbe", "MemoryTokens", "attend_to_memory_and_self"]
