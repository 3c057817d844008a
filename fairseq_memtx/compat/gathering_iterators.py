"""Iterators of data whose state lies with several workers."""

import functools
from typing import Any

from fairseq import checkpoint_utils

from . import says

UPSTREAM = "no thread found: save_checkpoint in checkpoint_utils.py"


def needed() -> bool:
    return says(checkpoint_utils.save_checkpoint, "end_of_epoch")


def mend() -> None:
    """Give an iterator of data a moment to gather its state before a checkpoint is written.

    fairseq asks the iterator of the first worker alone for its state (``save_checkpoint`` in
    ``checkpoint_utils.py``), after the others have left; theirs would have to be sent at every step
    to be at hand. So every worker calls the iterator's ``gather``, where it has one, first.
    """
    unmended = checkpoint_utils.save_checkpoint

    @functools.wraps(unmended)
    def save_checkpoint(cfg: Any, trainer: Any, epoch_itr: Any, val_loss: Any) -> Any:
        if not cfg.no_save and hasattr(epoch_itr, "gather"):
            epoch_itr.gather()
        return unmended(cfg, trainer, epoch_itr, val_loss)

    checkpoint_utils.save_checkpoint = save_checkpoint
