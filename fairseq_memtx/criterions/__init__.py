"""Criterions; importing registers them. fairseq does not import this folder by itself."""

from .. import plugin  # noqa: F401  (before all else)
from . import (  # noqa: F401
    extractive_qa,
    fused_label_smoothed_cross_entropy,
    segment_cross_entropy,
    sequence_tagging,
)
