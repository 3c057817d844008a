"""Tasks that go on with the state that their checkpoint has."""

from typing import Any

from . import around

UPSTREAM = "no thread found: Trainer.load_checkpoint in trainer.py"


@around("fairseq.trainer:Trainer.state_dict", told_by="task")
def mend(save: Any, trainer: Any) -> dict[str, Any]:
    """Let a training that goes on give its task the state that it had.

    fairseq saves it with every checkpoint (``task_state``) and reads it for evaluation alone; the
    trainer drops it. It hands ``extra_state`` on, to all workers, so a copy goes there.
    """
    state = save(trainer)
    state["extra_state"]["task_state"] = state["task_state"]
    return state


@mend.also("fairseq.trainer:Trainer.load_checkpoint")
def _load_checkpoint(load: Any, trainer: Any, *args: Any, **kwargs: Any) -> Any:
    extra = load(trainer, *args, **kwargs)
    if extra is not None and "task_state" in extra:
        trainer.task.load_state_dict(extra["task_state"])
    return extra
