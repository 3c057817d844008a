"""Dictionaries are read as they are meant, or refused in one line that names file and line.

All families, tasks and commands read theirs by ``Dictionary.add_from_file``. fairseq's own names no
file, takes a mark at the start of a file for a part of its first word, and takes counts below zero.
"""

import io
from pathlib import Path
from typing import Any

from fairseq.file_io import PathManager

from ..errors import MemtxError
from ..text.lines import read_text
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/4660"

FORMAT = "a dictionary has a word, a space and a count in every line, as fairseq-preprocess writes"


@around("fairseq.data:Dictionary.add_from_file", told_by="rsplit")
def mend(unchecked: Any, dictionary: Any, file: Any) -> None:
    """Put the check around the one method by which fairseq reads a dictionary."""
    from ..data.data_folder import what_it_is

    if not isinstance(file, str):
        return unchecked(dictionary, file)
    path = Path(PathManager.get_local_path(file))
    if not path.exists():
        raise MemtxError(f"there is no dictionary {path}: {what_it_is(path.parent)}")
    text = read_text(path, FORMAT)
    known = len(dictionary)
    try:
        # Of whatever line ends, as if it was read from the file.
        unchecked(dictionary, io.StringIO(text, newline=None))
    except (ValueError, RuntimeError) as cause:
        # Every line before has added one word.
        what = "a word that is there already" if "uplicate" in str(cause) else "no word and count"
        raise MemtxError(f"{path}, line {len(dictionary) - known + 1}: {what}: {FORMAT}") from cause
    counts = dictionary.count[known:]
    if not counts:
        raise MemtxError(f"{path} is empty: {FORMAT}")
    if min(counts) < 0:
        line = next(number for number, count in enumerate(counts, start=1) if count < 0)
        raise MemtxError(f"{path}, line {line}: a count below zero: {FORMAT}")
