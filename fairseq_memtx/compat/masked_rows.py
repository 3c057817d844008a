"""Lines longer than a row of ``masked_lm``."""

import functools
import re
from typing import Any

from fairseq.tasks import masked_lm

from ..errors import MemtxError
from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2583"

INVALID = re.compile(r"Size of sample #(\d+) is invalid \(=(\d+)\) since max_positions=(\d+)")


def needed() -> bool:
    return says(masked_lm.MaskedLMTask.filter_indices_by_size, "filter_indices_by_size")


def mend() -> None:
    """Let ``masked_lm --shorten-method`` leave room for the ``<s>`` that is put in front.

    fairseq cuts lines to ``--tokens-per-sample`` and puts ``<s>`` before them, so that just those
    lines are one too long, and left out. What is too long even so is told by the name of the flag
    that a row has its length from.
    """
    unchanged = masked_lm.maybe_shorten_dataset

    @functools.wraps(unchanged)
    def maybe_shorten_dataset(dataset, split, splits, method, tokens_per_sample, seed):
        return unchanged(dataset, split, splits, method, tokens_per_sample - 1, seed)

    masked_lm.maybe_shorten_dataset = maybe_shorten_dataset
    filter_rows = masked_lm.MaskedLMTask.filter_indices_by_size

    @functools.wraps(filter_rows)
    def filter_indices_by_size(task: Any, *arguments: Any, **more: Any) -> Any:
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

    masked_lm.MaskedLMTask.filter_indices_by_size = filter_indices_by_size
