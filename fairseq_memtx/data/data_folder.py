"""A look at a folder of binarised text before hours of training are spent on it.

What is looked at is what a folder alone can tell: sets without their other half, indices that do
not fit their texts, sets of unequal length. Tokens are looked at when a set is opened
(`compat.binarised_data`).
"""

from pathlib import Path
from typing import Any

import numpy as np
from fairseq import utils
from fairseq.data import Dictionary, data_utils

from ..errors import MemtxError
from .binarised_index import AGAIN
from .binarised_text import check_set, count_sentences, read_rows

PREPROCESS = "give the folder that fairseq-preprocess wrote, or run fairseq-preprocess again"


def check(task: Any) -> None:
    """Check every set of the task's language pair, or every set where there is no pair.

    Raises:
        MemtxError: if a file is missing its other half, does not fit its index, or has another
            number of sentences than its translation, its second sentences or its labels; or if
            the folder is no folder of binarised text.
    """
    settings: Any = getattr(task, "cfg", None) or getattr(task, "args", None)
    source, target = (getattr(settings, f"{side}_lang", None) for side in ("source", "target"))
    if not getattr(settings, "data", None):
        return
    for folder in map(Path, utils.split_paths(settings.data)):
        if source and target:
            for pair in (f"{source}-{target}", f"{target}-{source}"):
                check_parallel(sorted(folder.glob(f"*.{pair}.*.bin")))
            continue
        check_parallel(sorted(folder.glob("*.bin")))
        # Of one text in folders of its own, as for sentence_prediction.
        texts = [*folder.glob("input*/*.bin"), *folder.glob("label/*.bin")]
        check_parallel(sorted(texts))
        classes = getattr(settings, "num_classes", None)
        if classes and not settings.regression_target:
            for text in sorted(folder.glob("label/*.bin")):
                check_labels(text, task.label_dictionary, classes)


def load(
    prefix: str, dictionary: Dictionary, impl: str | None = None, combine: bool = False
) -> Any:
    """A whole set of sentences, each of which can be read at any time.

    Args:
        prefix: path of the set without ``.bin``.
        dictionary: of its tokens.
        impl: its format, or None to see for oneself.
        combine: with its shards, as in ``train``, ``train1``, ``train2``.
    """
    sentences = data_utils.load_indexed_dataset(prefix, dictionary, impl, combine)
    if getattr(sentences, "supports_prefetch", False):  # the format "cached" can be read only then
        sentences.prefetch(range(len(sentences)))
    return sentences


def check_parallel(texts: list[Path]) -> None:
    """Check ``.bin`` files; those of one split, such as both its sides, have to be equally long."""
    first: dict[str, tuple[Path, int | None]] = {}
    for text in texts:
        if not text.with_suffix(".idx").exists() and (text.parent / "config.json").exists():
            raise MemtxError(what_it_is(text.parent))
        count = count_sentences(text)
        other, other_count = first.setdefault(text.name.split(".", 1)[0], (text, count))
        if count != other_count:
            raise MemtxError(f"{text} has {count} sentences and {other} has {other_count}: {AGAIN}")


def check_labels(text: Path, dictionary: Dictionary, classes: int) -> None:
    """Check that every sentence of ``sentence_prediction`` has one label, of so many classes.

    The first sentence that has not is named.
    """
    check_set(str(text.with_suffix("")), symbols=len(dictionary))
    sizes, tokens = read_rows(text)
    wrong = np.flatnonzero(sizes != 2)
    if not len(wrong):
        labels = tokens[::2] - dictionary.nspecial
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        sentence = int(wrong[0])
        words = dictionary.string(tokens[int(sizes[:sentence].sum()) :][: int(sizes[sentence])])
        raise MemtxError(
            f"{text} has the label '{words}' in sentence {sentence + 1}, which is none of the "
            f"first {classes} of label/dict.txt (--num-classes): raise that, or give every "
            "sentence one label and run fairseq-preprocess again"
        )


def what_it_is(folder: Path) -> str:
    """One line about a folder that holds no binarised text, and what makes one of it."""
    if not folder.exists():
        return f"there is no data folder {folder}: {PREPROCESS}"
    if not folder.is_dir():
        return f"{folder} is a file and no data folder: {PREPROCESS}"
    names = {file.name for file in folder.iterdir()}
    endings = {Path(name).suffix for name in names}
    if not names:
        return f"the data folder {folder} is empty: {PREPROCESS}"
    if names & {"config.json", "pytorch_model.bin", "tokenizer.json"} or ".safetensors" in endings:
        return (
            f"{folder} is a model of Hugging Face and no folder of binarised text: "
            "fairseq-memtx convert hf-roberta or hf-gpt2 makes a model of fairseq of it, with the "
            "dict.txt that fairseq-preprocess --srcdict takes"
        )
    if ".pt" in endings and not endings & {".bin", ".idx"}:
        return f"{folder} holds checkpoints and no binarised text: {PREPROCESS}"
    if not endings & {".bin", ".idx"}:
        return (
            f"{folder} holds no binarised text: run fairseq-preprocess on the text, or "
            "fairseq-memtx prepare, and give the folder that it wrote"
        )
    return f"the data folder {folder} is half-written, or of another task or language: {PREPROCESS}"
