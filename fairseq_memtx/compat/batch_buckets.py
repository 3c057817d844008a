"""``--num-batch-buckets``, which calls ``numpy.percentile`` by a name of former days."""

import numpy
from fairseq.data import bucket_pad_length_dataset, data_utils
from fairseq.data.audio import raw_audio_dataset

from . import where

UPSTREAM = (
    "no thread found: get_buckets in data/data_utils.py; "
    "numpy: https://github.com/numpy/numpy/pull/20327"
)


def _fails() -> bool:
    try:
        data_utils.get_buckets(numpy.arange(4), 2)
    except TypeError:
        return True
    return False


@where(_fails)
def mend() -> None:
    """Let fairseq's ``data_utils.get_buckets`` say ``method``.

    What it calls ``interpolation`` is ``method`` since numpy 1.22, and numpy 2.4 no longer knows
    the old name.
    """
    for module in (data_utils, bucket_pad_length_dataset, raw_audio_dataset):
        module.get_buckets = get_buckets


def get_buckets(sizes: numpy.ndarray, num_buckets: int) -> numpy.ndarray:
    """fairseq's: the longest sizes of so many equal parts of a data set."""
    shares = numpy.linspace(0, 100, num_buckets + 1)
    return numpy.unique(numpy.percentile(sizes, shares, method="lower")[1:])
