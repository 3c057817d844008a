"""The last batch of a set, which fairseq leaves out."""

from __future__ import annotations

import functools

import numpy as np


def keep_last_batches() -> None:
    """Let no row be left out for ``--required-batch-size-multiple``, which is 8 where nobody asks.

    A last batch whose size is no multiple fairseq throws away, without a word (``batch_by_size`` in
    ``data/data_utils.py``): those are the longest rows, another few with every ``--batch-size``,
    and all of a set where that is below 8. Here they come in batches of their own, whose sizes are
    multiples, or below one, as the flag's help says.
    """
    from fairseq.data import data_utils

    without_last = data_utils.batch_by_size
    if hasattr(without_last, "__wrapped__"):
        return

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
        multiple = required_batch_size_multiple
        if not isinstance(indices, np.ndarray):
            indices = np.fromiter(indices, dtype=np.int64)
        limits = max_tokens, max_sentences, multiple, fixed_shapes
        batches = list(without_last(indices, num_tokens_fn, num_tokens_vec, *limits))
        if fixed_shapes is None:
            # Batches are pieces of ``indices``, in order.
            rest = indices[sum(map(len, batches)) :]
            whole = len(rest) - len(rest) % multiple
            batches += [part for part in (rest[:whole], rest[whole:]) if len(part)]
        return batches

    data_utils.batch_by_size = batch_by_size
