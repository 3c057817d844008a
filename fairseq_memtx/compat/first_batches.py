"""Batches that a resumed run makes as the run before it did."""

from typing import Any

from . import around

UPSTREAM = "no thread found: FairseqTask.get_batch_iterator in tasks/fairseq_task.py"


@around("fairseq.tasks:FairseqTask.get_batch_iterator", told_by="can_reuse_epoch_itr")
def mend(unmended: Any, task: Any, dataset: Any, *args: Any, epoch: int = 1, **kwargs: Any) -> Any:
    """Let every process make the batches that a run makes in its first epoch.

    fairseq makes the batches of an iterator that it uses again once in a process, with the seed
    plus the epoch that this process begins in (``FairseqTask.get_batch_iterator``); every epoch
    then shuffles them with the seed plus its own number. A run that was killed in a later epoch
    went on with other batches, at a place that was counted in the old ones: it read some sentences
    twice and others never. Iterators that are made anew in every epoch, as with
    ``--update-epoch-batch-itr`` or several folders of data, have no such fault.
    """
    anew = kwargs.get("disable_iterator_cache") or kwargs.get("update_epoch_batch_itr")
    made = dataset in task.dataset_to_epoch_iter
    if anew or made or not task.can_reuse_epoch_itr(dataset):
        return unmended(task, dataset, *args, epoch=epoch, **kwargs)
    iterator = unmended(task, dataset, *args, epoch=1, **kwargs)
    iterator.epoch = epoch
    dataset.set_epoch(epoch)
    return iterator
