"""``--replace-unk`` and ``--sacrebleu``, which end in a traceback or do nothing."""

from typing import Any

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/3533"

REPLACE_UNK = (
    "--replace-unk cannot be done: fairseq would copy the source word that <unk> is aligned with, "
    "from a source in which that word is <unk> as well: leave it out, and cut text into pieces "
    "(--bpe), which are hardly ever unknown"
)


@around("fairseq.tasks:FairseqTask.build_generator", told_by="seq_gen_cls")
def mend(unchecked: Any, task: Any, models: Any, args: Any, *others: Any, **more: Any) -> Any:
    """Look at the flags where every command and hub interface builds its generator.

    ``--replace-unk`` opens the file ``@@ `` where it is given no dictionary, and takes pairs of
    positions for positions (`utils.replace_unk`). Nothing reads ``--sacrebleu`` any more.
    """
    if getattr(args, "replace_unk", None) is not None:
        raise MemtxError(REPLACE_UNK)
    if getattr(args, "sacrebleu", False):
        raise MemtxError("--sacrebleu does nothing in this fairseq: use --scoring sacrebleu")
    return unchecked(task, models, args, *others, **more)
