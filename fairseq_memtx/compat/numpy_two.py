"""Names and arguments that numpy 2 has dropped and fairseq still uses."""

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


def repair_batch_buckets() -> None:
    """Let ``--num-batch-buckets`` call ``numpy.percentile`` by the names of today.

    What fairseq's ``data_utils.get_buckets`` calls ``interpolation`` is ``method`` since numpy
    1.22, and numpy 2.4 no longer knows the old name.
    """
    from fairseq.data import bucket_pad_length_dataset, data_utils
    from fairseq.data.audio import raw_audio_dataset

    try:
        data_utils.get_buckets(numpy.arange(4), 2)
    except TypeError:
        for module in (data_utils, bucket_pad_length_dataset, raw_audio_dataset):
            module.get_buckets = get_buckets


def get_buckets(sizes: numpy.ndarray, num_buckets: int) -> numpy.ndarray:
    """fairseq's: the longest sizes of so many equal parts of a data set."""
    shares = numpy.linspace(0, 100, num_buckets + 1)
    return numpy.unique(numpy.percentile(sizes, shares, method="lower")[1:])
