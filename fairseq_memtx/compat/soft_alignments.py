"""``fairseq-interactive --print-alignment soft``, which ends in a traceback."""

from __future__ import annotations

import functools
import sys
from typing import Any

from ..errors import MemtxError
from . import says

UPSTREAM = "no thread found: main in fairseq_cli/interactive.py"


def needed() -> bool:
    command = sys.modules.get("fairseq_cli.interactive")
    return command is not None and says(command.make_batches, "encode_fn_target")


def mend() -> None:
    """Refuse it: the command prints pairs of positions, which a soft alignment has not."""
    command: Any = sys.modules["fairseq_cli.interactive"]
    unchecked = command.make_batches

    @functools.wraps(unchecked)
    def make_batches(lines: Any, cfg: Any, *arguments: Any) -> Any:
        if cfg.generation.print_alignment == "soft":
            raise MemtxError(
                "fairseq-interactive cannot print --print-alignment soft: use hard, or "
                "fairseq-generate"
            )
        return unchecked(lines, cfg, *arguments)

    command.make_batches = make_batches
