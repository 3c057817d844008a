"""Data loaders that know their epoch, and that end when nobody uses them any more."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Callable


def renew_loader_in_every_epoch() -> None:
    """Give every epoch of training a data loader of its own.

    fairseq keeps the one that a process began with, and with it the order that was asked for then
    (shuffled or not: ``--curriculum`` never ended) and, in the loader's worker processes, copies of
    the data set that never hear of a new epoch: masks and other noise were drawn as in the first
    one. A resumed run begins with another loader, and so read other data. Validation, which is
    the same in every epoch, keeps its own, unless it was left before its end
    (``--max-valid-steps``): then a thread still reads from it.
    """
    from fairseq.data.iterators import EpochBatchIterator

    unmended = EpochBatchIterator.next_epoch_itr
    if hasattr(unmended, "__wrapped__"):
        return

    @functools.wraps(unmended)
    def next_epoch_itr(
        iterator: Any, *args: Any, set_dataset_epoch: bool = True, **kwargs: Any
    ) -> Any:
        left = iterator._cur_epoch_itr is not None and iterator._cur_epoch_itr.has_next()
        if iterator._next_epoch_itr is None and (set_dataset_epoch or left):
            iterator.dataloader = None
        return unmended(iterator, *args, set_dataset_epoch=set_dataset_epoch, **kwargs)

    EpochBatchIterator.next_epoch_itr = next_epoch_itr


def end_unused_loaders_at_once() -> None:
    """Let the workers of a data loader end when the last one who uses it lets go of it.

    fairseq's iterator holds the loader, which holds the batches, which hold the iterator. Such a
    ring is left to Python's garbage collector, which takes away the queue to the workers before
    torch can tell them to end: they were waited for during 5 s each, and then killed.
    """
    from fairseq.data.iterators import FrozenBatchSampler

    unmended = FrozenBatchSampler.__init__
    if hasattr(unmended, "__wrapped__"):
        return

    @functools.wraps(unmended)
    def __init__(sampler: Any, ordered_batches: Callable[..., Any], *args: Any, **kwargs: Any):
        method = weakref.WeakMethod(ordered_batches)
        unmended(sampler, lambda *order: method()(*order), *args, **kwargs)

    FrozenBatchSampler.__init__ = __init__
