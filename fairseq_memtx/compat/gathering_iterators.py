"""Iterators of data whose state lies with several workers."""

from typing import Any

from . import around

UPSTREAM = "no thread found: save_checkpoint in checkpoint_utils.py"


@around("fairseq.checkpoint_utils:save_checkpoint", told_by="end_of_epoch")
def mend(unmended: Any, cfg: Any, trainer: Any, epoch_itr: Any, val_loss: Any) -> Any:
    """Give an iterator of data a moment to gather its state before a checkpoint is written.

    fairseq asks the iterator of the first worker alone for its state (``save_checkpoint`` in
    ``checkpoint_utils.py``), after the others have left; theirs would have to be sent at every step
    to be at hand. So every worker calls the iterator's ``gather``, where it has one, first.
    """
    if not cfg.no_save and hasattr(epoch_itr, "gather"):
        epoch_itr.gather()
    return unmended(cfg, trainer, epoch_itr, val_loss)
