"""Tasks that hear of the number of updates, as models do."""

import functools
from typing import Any

from fairseq.trainer import Trainer

from . import says

UPSTREAM = "no thread found: Trainer.set_num_updates in trainer.py"


def needed() -> bool:
    return says(Trainer.set_num_updates, "quantizer")


def mend() -> None:
    """Let the trainer tell its task how many updates were made.

    fairseq tells the learning rate and the quantizer so (``Trainer.set_num_updates``), after every
    update and when a checkpoint is loaded, unless its optimizer is left out. A task hears of it in
    a step alone, which is too late for what the data of an epoch are to be.
    """
    unmended = Trainer.set_num_updates

    @functools.wraps(unmended)
    def set_num_updates(trainer: Any, num_updates: int) -> None:
        unmended(trainer, num_updates)
        if hasattr(trainer.task, "set_num_updates"):
            trainer.task.set_num_updates(num_updates)

    Trainer.set_num_updates = set_num_updates
