"""What a folder is that was given as a folder of binarised text, and is none."""

import functools
from pathlib import Path

from fairseq.data import data_utils

from ..errors import MemtxError
from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/4934"


def needed() -> bool:
    return says(data_utils.infer_language_pair, "ls")


def mend() -> None:
    """Let fairseq say which folder it found no language pair in, and what that folder is."""
    from ..data.data_folder import what_it_is

    unnamed = data_utils.infer_language_pair

    @functools.wraps(unnamed)
    def infer_language_pair(path):
        if not Path(path).is_dir():
            raise MemtxError(what_it_is(Path(path)))
        pair = unnamed(path)
        if None in pair:
            raise MemtxError(
                "the language pair could not be read from the data folder, which has no "
                f"file of one: {what_it_is(Path(path))}, or name the languages with -s and -t"
            )
        return pair

    data_utils.infer_language_pair = infer_language_pair
