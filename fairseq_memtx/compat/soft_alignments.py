"""``fairseq-interactive --print-alignment soft``, which ends in a traceback."""

from typing import Any

from ..errors import MemtxError
from . import around

UPSTREAM = "no thread found: main in fairseq_cli/interactive.py"


@around("fairseq_cli.interactive:make_batches", told_by="encode_fn_target")
def mend(unchecked: Any, lines: Any, cfg: Any, *arguments: Any) -> Any:
    """Refuse it: the command prints pairs of positions, which a soft alignment has not."""
    if cfg.generation.print_alignment == "soft":
        raise MemtxError(
            "fairseq-interactive cannot print --print-alignment soft: use hard, or fairseq-generate"
        )
    return unchecked(lines, cfg, *arguments)
