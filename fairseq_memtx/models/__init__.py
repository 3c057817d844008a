"""Models, one file a paper; importing registers them."""

from . import mem_transformer, rmt_lm

__all__ = ["mem_transformer", "rmt_lm"]
