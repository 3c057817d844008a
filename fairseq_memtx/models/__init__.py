"""Models, one file a paper; importing registers them."""

from . import gmat_roberta, mem_transformer, rmt_lm

__all__ = ["gmat_roberta", "mem_transformer", "rmt_lm"]
