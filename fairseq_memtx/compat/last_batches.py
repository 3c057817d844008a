"""The last batch of a set, which fairseq leaves out."""

import functools

import numpy as np
from fairseq.data import data_utils

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5036"


def needed() -> bool:
    batches = data_utils.batch_by_size(
        np.arange(3), None, np.ones(3, dtype=int), required_batch_size_multiple=2
    )
    return sum(map(len, batches)) < 3


def mend() -> None:
    """Let no row be left out for ``--required-batch-size-multiple``, which is 8 where nobody asks.

    A last batch whose size is no multiple fairseq throws away, without a word (``batch_by_size`` in
    ``data/data_utils.py``): those are the longest rows, another few with every ``--batch-size``,
    and all of a set where that is below 8. Here they are a batch of their own, of fewer rows than
    the multiple, as the flag's help allows.
    """
    without_last = data_utils.batch_by_size

    @functools.wraps(without_last)
    def batch_by_size(
        indices,
        num_tokens_fn,
        num_tokens_vec=None,
        max_tokens=None,
        max_sentences=None,
        required_batch_size_multiple=1,
        fixed_shapes=None,
    ):
        if not isinstance(indices, np.ndarray):
            indices = np.fromiter(indices, dtype=np.int64)
        limits = max_tokens, max_sentences, required_batch_size_multiple, fixed_shapes
        batches = list(without_last(indices, num_tokens_fn, num_tokens_vec, *limits))
        if fixed_shapes is None:
            # Batches are pieces of ``indices``, in order.
            rest = indices[sum(map(len, batches)) :]
            batches += [rest] if len(rest) else []
        return batches

    data_utils.batch_by_size = batch_by_size
