"""Tasks that go on with the state that their checkpoint has."""

import functools
from typing import Any

from fairseq.trainer import Trainer

from . import says

UPSTREAM = "no thread found: Trainer.load_checkpoint in trainer.py"


def needed() -> bool:
    return says(Trainer.state_dict, "task")


def mend() -> None:
    """Let a training that goes on give its task the state that it had.

    fairseq saves it with every checkpoint (``task_state``) and reads it for evaluation alone; the
    trainer drops it. It hands ``extra_state`` on, to all workers, so a copy goes there.
    """
    save, load = Trainer.state_dict, Trainer.load_checkpoint

    @functools.wraps(save)
    def state_dict(trainer: Any) -> dict[str, Any]:
        state = save(trainer)
        state["extra_state"]["task_state"] = state["task_state"]
        return state

    @functools.wraps(load)
    def load_checkpoint(trainer: Any, *args: Any, **kwargs: Any) -> Any:
        extra = load(trainer, *args, **kwargs)
        if extra is not None and "task_state" in extra:
            trainer.task.load_state_dict(extra["task_state"])
        return extra

    Trainer.state_dict, Trainer.load_checkpoint = state_dict, load_checkpoint
