"""Sets of binarised text are looked at as a whole: index, length and every token.

fairseq maps a ``.bin`` file into memory and believes what its index says: an offset, a size or a
token that is wrong ends in an ``IndexError``, in gigabytes of memory or in other people's tokens.
`compat.binarised_data` has it look here first.
"""

import functools
from pathlib import Path

import numpy as np
from fairseq.data import indexed_dataset

from ..errors import MemtxError
from ..text.lines import read_text
from . import binarised_index
from .binarised_index import AGAIN, Index, mapped


def check_set(prefix: str, impl: str | None = None, symbols: int | None = None) -> None:
    """Refuse a set that is not whole: its index, the length of its text or a token.

    Args:
        prefix: path of the set without ``.bin``; nothing is there where a set is not.
        impl: its format by the name of ``--dataset-impl``, or None to see for oneself.
        symbols: of the dictionary; None for a set without one, such as alignments.
    """
    found = indexed_dataset.infer_dataset_impl(prefix)
    impl = impl or found
    text = Path(f"{prefix}.bin")
    if impl in ("fasta", "huffman"):
        raise MemtxError(
            f"{prefix} is a set in the format {impl}, which cannot be looked at before it is "
            "read: run fairseq-preprocess again with --dataset-impl mmap"
        )
    if impl == "raw":
        if Path(prefix).exists():
            read_text(Path(prefix), "give a text with one sentence a line")
    elif count_sentences(text) is not None:
        if found is not None and (impl == "mmap") != (found == "mmap"):
            raise MemtxError(
                f"{text} is not in the format {impl}: leave out --dataset-impl, fairseq sees by "
                "itself which it is"
            )
        if not text.stat().st_size:
            raise MemtxError(f"the text {text} is empty: give fairseq-preprocess a longer one")
        if symbols is not None:
            _check_tokens(text, symbols)


def count_sentences(text: Path) -> int | None:
    """Number of sentences of a ``.bin`` file, once its index is known to fit it.

    None if there is neither of the two; one without the other is refused.
    """
    index = text.with_suffix(".idx")
    for file, other, what in ((text, index, "text"), (index, text, "index")):
        if other.exists() and not file.is_file():
            raise MemtxError(f"{other} has no {what} {file.name}: {AGAIN}")
    return _count(text, _stamp(text)) if text.exists() else None


def _stamp(text: Path) -> tuple[int, ...]:
    """What changes when one of the two files does, so that each is looked at once in a process."""
    states = [file.stat() for file in (text, text.with_suffix(".idx"))]
    return tuple(number for state in states for number in (state.st_mtime_ns, state.st_size))


@functools.cache
def _count(text: Path, stamp: tuple[int, ...]) -> int:
    return len(Index.read(text).sizes)


def read_rows(text: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of a set's sentences, ``N``, and all its tokens, one sentence after the other."""
    count_sentences(text)
    index = Index.read(text)
    return index.sizes, mapped(text, index.dtype, 0, index.tokens()) - index.first


@functools.cache
def _token_range(text: Path, stamp: tuple[int, ...]) -> tuple[int, int]:
    """The lowest and the highest token of a set, whose sentences are to have one at least."""
    index = Index.read(text)
    empty = np.flatnonzero(index.sizes == 0)
    if len(empty):
        raise MemtxError(f"{text} has no token in sentence {int(empty[0]) + 1}: {AGAIN}")
    tokens = mapped(text, index.dtype, 0, index.tokens())
    block = binarised_index.BLOCK
    blocks = [tokens[start : start + block] for start in range(0, len(tokens), block)]
    lowest, highest = min(map(np.min, blocks)), max(map(np.max, blocks))
    return int(lowest) - index.first, int(highest) - index.first


def _check_tokens(text: Path, symbols: int) -> None:
    lowest, highest = _token_range(text, _stamp(text))
    if lowest < 0 or highest >= symbols:
        raise MemtxError(
            f"{text} has the token {lowest if lowest < 0 else highest}, and its dictionary has "
            f"{symbols} words, 0 to {symbols - 1}: use the dict.txt that it was made with, or "
            f"{AGAIN}"
        )
