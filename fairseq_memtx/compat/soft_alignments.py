"""``fairseq-interactive --print-alignment soft``, which ends in a traceback."""

import functools
from typing import Any

from ..errors import MemtxError
from . import command, says

UPSTREAM = "no thread found: main in fairseq_cli/interactive.py"


def needed() -> bool:
    interactive = command("interactive")
    return interactive is not None and says(interactive.make_batches, "encode_fn_target")


def mend() -> None:
    """Refuse it: the command prints pairs of positions, which a soft alignment has not."""
    unchecked = command("interactive").make_batches

    @functools.wraps(unchecked)
    def make_batches(lines: Any, cfg: Any, *arguments: Any) -> Any:
        if cfg.generation.print_alignment == "soft":
            raise MemtxError(
                "fairseq-interactive cannot print --print-alignment soft: use hard, or "
                "fairseq-generate"
            )
        return unchecked(lines, cfg, *arguments)

    command("interactive").make_batches = make_batches
