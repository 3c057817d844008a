"""Lines longer than a row of ``masked_lm``."""

import re
from typing import Any

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2583"

TASK = "fairseq.tasks.masked_lm:MaskedLMTask"
INVALID = re.compile(r"Size of sample #(\d+) is invalid \(=(\d+)\) since max_positions=(\d+)")


@around(f"{TASK}.filter_indices_by_size", told_by="filter_indices_by_size")
def mend(filter_rows: Any, task: Any, *arguments: Any, **more: Any) -> Any:
    """Let ``masked_lm --shorten-method`` leave room for the ``<s>`` that is put in front.

    fairseq cuts lines to ``--tokens-per-sample`` and puts ``<s>`` before them, so that just those
    lines are one too long, and left out. What is too long even so is told by the name of the flag
    that a row has its length from.
    """
    try:
        return filter_rows(task, *arguments, **more)
    except Exception as cause:
        found = INVALID.search(str(cause))
        if not found:
            raise
        row, size, limit = map(int, found.groups())
        flag = "tokens-per-sample" if limit >= task.cfg.tokens_per_sample else "max-positions"
        raise MemtxError(
            f"row {row} has {size} tokens with <s>, and --{flag} allows {limit}: raise it, or "
            "cut long lines with --shorten-method truncate"
        ) from cause


@mend.also("fairseq.tasks.masked_lm:maybe_shorten_dataset")
def _leave_room(
    shorten: Any, rows: Any, split: str, splits: Any, method: str, length: int, seed: int
) -> Any:
    return shorten(rows, split, splits, method, length - 1, seed)
