"""A look at a folder of binarised text before hours of training are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fairseq import utils
from fairseq.data.indexed_dataset import MMapIndexedDataset, infer_dataset_impl

from .errors import MemtxError

ADVICE = "was the last fairseq-preprocess cut off? Delete the folder and run it again"


def check(task: Any) -> None:
    """Check every set of the task's language pair, or every set where there is no pair.

    Raises:
        MemtxError: if a file is missing its other half, is shorter than its index says, or has
            another number of sentences than its translation.
    """
    settings = getattr(task, "cfg", None) or getattr(task, "args", None)
    source, target = (getattr(settings, f"{side}_lang", None) for side in ("source", "target"))
    if not getattr(settings, "data", None):
        return
    for folder in map(Path, utils.split_paths(settings.data)):
        if not (source and target):
            # Of one text, or of several in folders of their own, as for sentence_prediction.
            for text in sorted([*folder.glob("*.bin"), *folder.glob("*/*.bin")]):
                count_sentences(text)
            continue
        for pair in (f"{source}-{target}", f"{target}-{source}"):
            sentences: dict[str, tuple[Path, int]] = {}
            for text in sorted(folder.glob(f"*.{pair}.*.bin")):
                split = text.name.split(".", 1)[0]
                count = count_sentences(text)
                other, other_count = sentences.setdefault(split, (text, count))
                if count != other_count:
                    raise MemtxError(
                        f"{text} has {count} sentences and {other.name} has {other_count}: {ADVICE}"
                    )


def count_sentences(text: Path) -> int:
    """Number of sentences of a ``.bin`` file, once it is known to be whole.

    Raises:
        MemtxError: if it is not.
    """
    index_file = text.with_suffix(".idx")
    if not index_file.exists():
        raise MemtxError(f"{text} has no index {index_file.name}: {ADVICE}")
    kind = infer_dataset_impl(str(text.with_suffix("")))
    if kind not in (None, "mmap"):
        return 0  # an older format, which fairseq checks as it reads
    try:
        index = MMapIndexedDataset.Index(str(index_file))
        start, length = index[len(index) - 1] if len(index) else (0, 0)
    except Exception as cause:
        raise MemtxError(f"{index_file} is cut off: {ADVICE}") from cause
    size = start + length * np.dtype(index.dtype).itemsize
    if text.stat().st_size < size:
        raise MemtxError(f"{text} is cut off at {text.stat().st_size} of {size} bytes: {ADVICE}")
    return len(index)
