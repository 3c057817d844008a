"""Criterions; importing registers them. fairseq does not import this folder by itself."""

from . import fused_label_smoothed_cross_entropy, segment_cross_entropy

__all__ = ["fused_label_smoothed_cross_entropy", "segment_cross_entropy"]
