"""Flags of ``fairseq-generate`` and ``-interactive`` that end in a traceback or do nothing."""

from __future__ import annotations

import functools
import sys
from typing import Any

from ..errors import MemtxError

REPLACE_UNK = (
    "--replace-unk cannot be done: fairseq would copy the source word that <unk> is aligned with, "
    "from a source in which that word is <unk> as well: leave it out, and cut text into pieces "
    "(--bpe), which are hardly ever unknown"
)


def mend() -> None:
    """Look at the flags where every command and hub interface builds its generator.

    ``--replace-unk`` opens the file ``@@ `` where it is given no dictionary, and takes pairs of
    positions for positions (`utils.replace_unk`). Nothing reads ``--sacrebleu`` any more.
    """
    from fairseq.tasks import FairseqTask

    unchecked = FairseqTask.build_generator
    if not hasattr(unchecked, "__wrapped__"):

        @functools.wraps(unchecked)
        def build_generator(task: Any, models: Any, args: Any, *arguments: Any, **more: Any) -> Any:
            check(args)
            return unchecked(task, models, args, *arguments, **more)

        FairseqTask.build_generator = build_generator
    interactive = sys.modules.get("fairseq_cli.interactive")
    if interactive is not None and not hasattr(interactive.make_batches, "__wrapped__"):
        make_batches = interactive.make_batches

        @functools.wraps(make_batches)
        def made(lines: Any, cfg: Any, *arguments: Any) -> Any:
            if cfg.generation.print_alignment == "soft":
                raise MemtxError(
                    "fairseq-interactive cannot print --print-alignment soft: use hard, or "
                    "fairseq-generate"
                )
            return make_batches(lines, cfg, *arguments)

        interactive.make_batches = made


def check(args: Any) -> None:
    """Refuse flags that fairseq accepts and cannot follow.

    Raises:
        MemtxError: with what to do.
    """
    if getattr(args, "replace_unk", None) is not None:
        raise MemtxError(REPLACE_UNK)
    if getattr(args, "sacrebleu", False):
        raise MemtxError("--sacrebleu does nothing in this fairseq: use --scoring sacrebleu")
