"""Attention of a long sequence over a dense memory and a sparse neighbourhood (GMAT, section 3).

GMAT is arXiv:2006.03274. Its authors published no code and we know the paper by its abstract and
by what others wrote about it, so what follows is an independent implementation.

A token has one softmax over memory and its neighbours. Who they are is all in which the schemes
differ: each is one file of this folder and one class, a `SparseAttention`. Most lay tokens out in
groups in which neighbours meet (`GroupedAttention`) and are one method, ``group``.

Shapes, in every file of this folder: ``B`` batch, ``H`` heads, ``L`` tokens, ``M`` memory tokens,
``D`` channels of a head. ``L`` is any length: what is missing is padded here and cut off again.
"""

from .chunks import ChunkedAttention
from .dense import DenseAttention
from .groups import GroupedAttention, Groups
from .hashed import HashedAttention
from .placed import PlacedAttention
from .scheme import SparseAttention
from .window import WindowAttention

__all__ = [
    "ChunkedAttention",
    "DenseAttention",
    "GroupedAttention",
    "Groups",
    "HashedAttention",
    "PlacedAttention",
    "SparseAttention",
    "WindowAttention",
]
