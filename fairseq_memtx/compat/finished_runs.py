"""A run that made all its updates, and is started again."""

import logging
from typing import Any

from . import around

UPSTREAM = "no thread found: train in fairseq_cli/train.py"

logger = logging.getLogger(__name__)


@around("fairseq_cli.train:train", told_by="validate_and_save")
def mend(unmended: Any, cfg: Any, trainer: Any, *arguments: Any) -> tuple[list[float | None], bool]:
    """Train no further than ``--max-update``.

    fairseq compares the number of updates with it after an update, and not before one. A run that
    was killed when its last checkpoint was written, or that a queue starts again, made one update
    more each time, and wrote over that checkpoint.
    """
    most, made = cfg.optimization.max_update, trainer.get_num_updates()
    if 0 < most <= made:
        logger.info(f"{made} updates were made, --max-update {most} asks for no more")
        return [None], True
    return unmended(cfg, trainer, *arguments)
