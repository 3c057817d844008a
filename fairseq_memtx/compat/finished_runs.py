"""A run that made all its updates, and is started again."""

import functools
import logging
from typing import Any

from . import command, says

UPSTREAM = "no thread found: train in fairseq_cli/train.py"

logger = logging.getLogger(__name__)


def needed() -> bool:
    train = command("train")
    return train is not None and says(train.train, "validate_and_save")


def mend() -> None:
    """Train no further than ``--max-update``.

    fairseq compares the number of updates with it after an update, and not before one. A run that
    was killed when its last checkpoint was written, or that a queue starts again, made one update
    more each time, and wrote over that checkpoint.
    """
    module: Any = command("train")
    unmended = module.train

    @functools.wraps(unmended)
    def train(cfg: Any, trainer: Any, *arguments: Any) -> tuple[list[float | None], bool]:
        most, made = cfg.optimization.max_update, trainer.get_num_updates()
        if 0 < most <= made:
            logger.info(f"{made} updates were made, --max-update {most} asks for no more")
            return [None], True
        return unmended(cfg, trainer, *arguments)

    module.train = train
