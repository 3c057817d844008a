"""Models, one file a paper; importing registers them."""

from .. import plugin  # noqa: F401  (before all else)
from . import gmat_roberta, mem_transformer, rmt_lm

__all__ = ["gmat_roberta", "mem_transformer", "rmt_lm"]
