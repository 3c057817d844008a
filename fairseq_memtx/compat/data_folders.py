"""What a folder is that was given as a folder of binarised text, and is none."""

from pathlib import Path
from typing import Any

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/4934"


@around("fairseq.data.data_utils:infer_language_pair", told_by="ls")
def mend(unnamed: Any, path: str) -> Any:
    """Let fairseq say which folder it found no language pair in, and what that folder is."""
    from ..data.data_folder import what_it_is

    if not Path(path).is_dir():
        raise MemtxError(what_it_is(Path(path)))
    pair = unnamed(path)
    if None in pair:
        raise MemtxError(
            "the language pair could not be read from the data folder, which has no "
            f"file of one: {what_it_is(Path(path))}, or name the languages with -s and -t"
        )
    return pair
