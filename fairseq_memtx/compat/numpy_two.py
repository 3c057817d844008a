"""Names that numpy 2 has dropped and fairseq still uses."""

from __future__ import annotations

import argparse

import numpy


def restore_numpy_long() -> None:
    """Give numpy 2 the ``np.compat.long`` that fairseq's data sets still use.

    In ``token_block_dataset.py`` (break mode ``eos``) and ``language_pair_dataset.py``
    (``--num-batch-buckets``). Removed by numpy 2.0: https://github.com/numpy/numpy/pull/23830
    """
    if not hasattr(numpy, "compat"):
        numpy.compat = argparse.Namespace(long=int)
