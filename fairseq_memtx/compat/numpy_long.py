"""``numpy.compat.long``, which numpy 2 has dropped and fairseq's data sets still use."""

import argparse

import numpy

from . import where

UPSTREAM = "https://github.com/numpy/numpy/pull/23830"


@where(lambda: not hasattr(numpy, "compat"))
def mend() -> None:
    """Give numpy 2 the name that it had.

    In ``token_block_dataset.py`` (break mode ``eos``) and ``language_pair_dataset.py``
    (``--num-batch-buckets``). Removed by numpy 2.0.
    """
    vars(numpy)["compat"] = argparse.Namespace(long=int)
