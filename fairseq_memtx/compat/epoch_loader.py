"""Data loaders that know their epoch and end with it."""

from typing import Any

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1156"
ITERATOR = "fairseq.data.iterators:EpochBatchIterator"


@around(f"{ITERATOR}.next_epoch_itr", told_by="_get_iterator_for_epoch")
def mend(
    unmended: Any, iterator: Any, *args: Any, set_dataset_epoch: bool = True, **kwargs: Any
) -> Any:
    """Give every epoch of training a data loader of its own.

    fairseq keeps the one that a process began with, and with it the order that was asked for then
    (shuffled or not: ``--curriculum`` never ended) and, in the loader's worker processes, copies of
    the data set that never hear of a new epoch: masks and other noise were drawn as in the first
    one. A resumed run begins with another loader, and so read other data.

    Such workers do not end by themselves either, but when Python's garbage collector finds the
    iterator, which has closed the queue to them by then: torch waits 5 s for each and kills it.
    Validation, which is the same in every epoch, keeps its loader and so its workers, unless it was
    left before its end (``--max-valid-steps``): then a thread still reads from it.
    """
    if set_dataset_epoch:
        _keep_nothing(iterator)
    elif iterator._cur_epoch_itr is not None and iterator._cur_epoch_itr.has_next():
        iterator.dataloader = None
    return unmended(iterator, *args, set_dataset_epoch=set_dataset_epoch, **kwargs)


@mend.also(f"{ITERATOR}.load_state_dict")
def _load_state_dict(unmended: Any, iterator: Any, state_dict: dict[str, Any]) -> None:
    _keep_nothing(iterator)
    unmended(iterator, state_dict)


def _keep_nothing(iterator: Any) -> None:
    iterator.reuse_dataloader = iterator.persistent_workers = False
    iterator.dataloader = None
