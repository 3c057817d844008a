"""What ``sentence_prediction`` learns from: a row's first token, and targets in a text file."""

import logging
import math
from pathlib import Path
from typing import Any

from ..errors import MemtxError
from ..text.lines import decode, read_lines
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2376"
TASK = "fairseq.tasks.sentence_prediction:SentencePredictionTask"

logger = logging.getLogger(__name__)


@around(f"{TASK}.load_dataset", told_by="regression_target")
def mend(unchecked: Any, task: Any, split: str, *arguments: Any, **more: Any) -> Any:
    """Look at the flags and the targets of the task before it loads a set."""
    from ..data.binarised_text import count_sentences

    _check_tokens(task)
    _tell_first_token(task)
    file = Path(task.cfg.data) / "label" / f"{split}.label"
    if task.cfg.regression_target and file.exists():
        targets = check_targets(file, task.cfg.num_classes)
        sentences = count_sentences(Path(task.cfg.data) / "input0" / f"{split}.bin")
        if targets != sentences:
            raise MemtxError(
                f"{file} has {targets} lines and '{split}' has {sentences} sentences: give every "
                "sentence a line"
            )
    return unchecked(task, split, *arguments, **more)


def _check_tokens(task: Any) -> None:
    """Refuse numbers of no symbol, which would come up in the middle of the model."""
    symbols = len(task.source_dictionary)
    for name in ("init_token", "separator_token"):
        token = getattr(task.cfg, name)
        if token is not None and not 0 <= token < symbols:
            raise MemtxError(
                f"--{name.replace('_', '-')} {token} is no symbol of the dictionary, which has "
                f"{symbols}: use 0 for <s> and 2 for </s>"
            )


def _tell_first_token(task: Any) -> None:
    """Warn, once, of a head that would read the first word for the whole sentence."""
    if task.cfg.init_token is None and not getattr(task, "first_token_told", False):
        task.first_token_told = True
        logger.warning(
            "without --init-token the classification head reads the row of a sentence's first word "
            "in place of that of <s>, which pre-training has in front: add --init-token 0"
        )


def check_targets(file: Path, count: int) -> int:
    """The number of lines of a file such as ``label/train.label``, of ``count`` numbers each."""
    number = 0
    with file.open("rb") as lines:
        for number, line in enumerate(read_lines(lines, file), start=1):
            words = decode(line, f"{file}, line {number}").split()
            if len(words) != count or not all(map(_is_number, words)):
                raise MemtxError(
                    f"{file}, line {number}: {line.decode()[:40]!r} is not {count} number"
                    f"{'s' * (count > 1)} (--num-classes): correct it"
                )
    return number


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
