"""Tasks that hear of the number of updates, as models do."""

from typing import Any

from . import around

UPSTREAM = "no thread found: Trainer.set_num_updates in trainer.py"


@around("fairseq.trainer:Trainer.set_num_updates", told_by="quantizer")
def mend(unmended: Any, trainer: Any, num_updates: int) -> None:
    """Let the trainer tell its task how many updates were made.

    fairseq tells the learning rate and the quantizer so (``Trainer.set_num_updates``), after every
    update and when a checkpoint is loaded, unless its optimizer is left out. A task hears of it in
    a step alone, which is too late for what the data of an epoch are to be.
    """
    unmended(trainer, num_updates)
    if hasattr(trainer.task, "set_num_updates"):
        trainer.task.set_num_updates(num_updates)
