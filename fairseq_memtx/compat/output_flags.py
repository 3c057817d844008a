"""``--replace-unk`` and ``--sacrebleu``, which end in a traceback or do nothing."""

import functools
from typing import Any

from fairseq.tasks import FairseqTask

from ..errors import MemtxError
from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/3533"

REPLACE_UNK = (
    "--replace-unk cannot be done: fairseq would copy the source word that <unk> is aligned with, "
    "from a source in which that word is <unk> as well: leave it out, and cut text into pieces "
    "(--bpe), which are hardly ever unknown"
)


def needed() -> bool:
    return says(FairseqTask.build_generator, "seq_gen_cls")


def mend() -> None:
    """Look at the flags where every command and hub interface builds its generator.

    ``--replace-unk`` opens the file ``@@ `` where it is given no dictionary, and takes pairs of
    positions for positions (`utils.replace_unk`). Nothing reads ``--sacrebleu`` any more.
    """
    unchecked = FairseqTask.build_generator

    @functools.wraps(unchecked)
    def build_generator(task: Any, models: Any, args: Any, *arguments: Any, **more: Any) -> Any:
        check(args)
        return unchecked(task, models, args, *arguments, **more)

    FairseqTask.build_generator = build_generator


def check(args: Any) -> None:
    """Refuse flags that fairseq accepts and cannot follow.

    Raises:
        MemtxError: with what to do.
    """
    if getattr(args, "replace_unk", None) is not None:
        raise MemtxError(REPLACE_UNK)
    if getattr(args, "sacrebleu", False):
        raise MemtxError("--sacrebleu does nothing in this fairseq: use --scoring sacrebleu")
