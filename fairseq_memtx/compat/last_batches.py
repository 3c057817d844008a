"""The last batch of a set, which fairseq leaves out."""

from typing import Any

import numpy as np
from fairseq.data import data_utils

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5036"


def _leaves_one_out() -> bool:
    ones = np.ones(3, dtype=int)
    batches = data_utils.batch_by_size(np.arange(3), None, ones, required_batch_size_multiple=2)
    return sum(map(len, batches)) < 3


@around("fairseq.data.data_utils:batch_by_size", told_by=_leaves_one_out)
def mend(
    without_last: Any, indices: Any, *args: Any, fixed_shapes: Any = None, **kwargs: Any
) -> list[Any]:
    """Let no row be left out for ``--required-batch-size-multiple``, which is 8 where nobody asks.

    A last batch whose size is no multiple fairseq throws away, without a word (``batch_by_size`` in
    ``data/data_utils.py``): those are the longest rows, another few with every ``--batch-size``,
    and all of a set where that is below 8. Here they are a batch of their own, of fewer rows than
    the multiple, as the flag's help allows.
    """
    if not isinstance(indices, np.ndarray):
        indices = np.fromiter(indices, dtype=np.int64)
    batches = list(without_last(indices, *args, fixed_shapes=fixed_shapes, **kwargs))
    if fixed_shapes is None:
        # Batches are pieces of ``indices``, in order.
        rest = indices[sum(map(len, batches)) :]
        batches += [rest] if len(rest) else []
    return batches
