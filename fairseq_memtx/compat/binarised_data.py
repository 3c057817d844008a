"""Binarised text is looked at before it is read, which fairseq does not do.

fairseq maps a ``.bin`` file into memory and believes what its index says: an offset, a size or a
token that is wrong ends in an ``IndexError``, in gigabytes of memory or in other people's tokens.
All its tasks open a set by one function, ``indexed_dataset.make_dataset``, which looks first here.

A set has ``N`` sentences. Sizes are numbers of tokens, offsets are where a sentence begins.
"""

from __future__ import annotations

import functools
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fairseq.data import indexed_dataset

from ..errors import MemtxError
from .text_files import read_text

AGAIN = "run fairseq-preprocess again, into a new folder"
BLOCK = 1 << 22  # sentences or tokens that are looked at together


def check_binarised_data() -> None:
    """Put `check_set` in front of the one function by which fairseq opens binarised text."""
    unchecked = indexed_dataset.make_dataset
    if hasattr(unchecked, "__wrapped__"):
        return

    @functools.wraps(unchecked)
    def make_dataset(path, impl, fix_lua_indexing=False, dictionary=None):
        check_set(path, impl, None if dictionary is None else len(dictionary))
        return unchecked(path, impl, fix_lua_indexing, dictionary)

    indexed_dataset.make_dataset = make_dataset


def check_set(prefix: str, impl: str | None = None, symbols: int | None = None) -> None:
    """Look at all of a set: its index, the length of its text and every token.

    Args:
        prefix: path of the set without ``.bin``; nothing is there where a set is not.
        impl: its format by the name of ``--dataset-impl``, or None to see for oneself.
        symbols: of the dictionary; None for a set without one, such as alignments.

    Raises:
        MemtxError: if it is not whole, was damaged, or is not of this dictionary.
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

    Returns:
        None if there is neither the file nor its index.

    Raises:
        MemtxError: if only one of them is there, or they do not fit each other.
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
    return len(_Index.read(text).sizes)


def read_rows(text: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of a set's sentences, ``N``, and all its tokens, one sentence after the other.

    Raises:
        MemtxError: as `count_sentences` does.
    """
    count_sentences(text)
    index = _Index.read(text)
    return index.sizes, _mapped(text, index.dtype, 0, index.tokens()) - index.first


@functools.cache
def _token_range(text: Path, stamp: tuple[int, ...]) -> tuple[int, int]:
    """The lowest and the highest token of a set, whose sentences are to have one at least."""
    index = _Index.read(text)
    empty = np.flatnonzero(index.sizes == 0)
    if len(empty):
        raise MemtxError(f"{text} has no token in sentence {int(empty[0]) + 1}: {AGAIN}")
    tokens = _mapped(text, index.dtype, 0, index.tokens())
    blocks = [tokens[start : start + BLOCK] for start in range(0, len(tokens), BLOCK)]
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


class _Index(NamedTuple):
    """What an index says of its text.

    Attributes:
        sizes: ``N``, mapped.
        offsets: ``N``, mapped.
        unit: how many of an offset a token takes.
        dtype: of a token.
        first: the number that stands for symbol 0.
    """

    sizes: np.ndarray
    offsets: np.ndarray
    unit: int
    dtype: np.dtype
    first: int

    @classmethod
    def read(cls, text: Path) -> _Index:
        """The index of a text, checked.

        Raises:
            MemtxError: if the files are not whole or do not fit each other.
        """
        path = text.with_suffix(".idx")
        with open(path, "rb") as file:
            header = file.read(48)
        try:
            if header.startswith(b"MMIDIDX\x00\x00"):
                index = cls._of_mmap(path, header)
            elif header.startswith(b"TNTIDX\x00\x00"):
                index = cls._of_older_formats(path, header)
            else:
                raise MemtxError(f"{path} is no index of fairseq: {AGAIN}")
        except struct.error as cause:
            raise MemtxError(f"{path} is cut off: {AGAIN}") from cause
        index._check(text, path)
        return index

    @classmethod
    def _of_mmap(cls, path: Path, header: bytes) -> _Index:
        version, code, count = struct.unpack("<QBQ", header[9:26])
        dtype = _dtype(path, version, code)
        _check_length(path, 26 + 12 * count)
        sizes = _mapped(path, np.int32, 26, count)
        offsets = _mapped(path, np.int64, 26 + 4 * count, count)
        return cls(sizes, offsets, dtype.itemsize, dtype, 0)

    @classmethod
    def _of_older_formats(cls, path: Path, header: bytes) -> _Index:
        version, code, width, count, sizes = struct.unpack("<QQQQQ", header[8:48])
        dtype = _dtype(path, version, code)
        if width != dtype.itemsize or sizes != count:
            raise MemtxError(f"{path} is damaged, its first numbers contradict each other: {AGAIN}")
        _check_length(path, 48 + 8 * (3 * count + 2))
        dimensions = _mapped(path, np.int64, 48, count + 1)
        if not np.array_equal(dimensions, np.arange(count + 1)):
            raise MemtxError(f"{path} is damaged, or of no text: {AGAIN}")
        offsets = _mapped(path, np.int64, 48 + 8 * (count + 1), count + 1)
        sizes = _mapped(path, np.int64, 48 + 8 * (2 * count + 2), count)
        index = cls(sizes, offsets[:-1], 1, dtype, 1)
        if offsets[-1] != index.tokens():
            raise MemtxError(f"{path} is damaged at its last offset: {AGAIN}")
        return index

    def tokens(self) -> int:
        """Of all sentences."""
        return int(self.sizes.sum(dtype=np.int64))

    def _check(self, text: Path, path: Path) -> None:
        """Compare offsets with the sums of sizes, and their end with the length of the text."""
        end = 0
        for start in range(0, len(self.sizes), BLOCK):
            sizes, offsets = (part[start : start + BLOCK] for part in (self.sizes, self.offsets))
            expected = np.zeros(len(sizes), dtype=np.int64)
            np.cumsum(sizes[:-1], out=expected[1:])
            wrong = np.flatnonzero((sizes < 0) | (offsets != end + self.unit * expected))
            if len(wrong):
                sentence = start + int(wrong[0]) + 1
                raise MemtxError(
                    f"{path} is damaged: sentence {sentence} does not begin where the one before "
                    f"it ends, or has a size below zero: {AGAIN}"
                )
            end += self.unit * (int(expected[-1]) + int(sizes[-1]))
        size, whole = text.stat().st_size, end // self.unit * self.dtype.itemsize
        if size < whole:
            raise MemtxError(f"{text} is cut off at {size} of {whole} bytes: {AGAIN}")
        if size > whole:
            raise MemtxError(f"{text} has {size} bytes and its index knows of {whole}: {AGAIN}")


def _dtype(path: Path, version: int, code: int) -> np.dtype:
    dtype = np.dtype(indexed_dataset._code_to_dtype.get(code, np.float64))
    if version != 1 or dtype.kind not in "iu":
        raise MemtxError(f"{path} is damaged, or of another version of fairseq: {AGAIN}")
    return dtype


def _check_length(path: Path, whole: int) -> None:
    size = path.stat().st_size
    if size < whole:
        raise MemtxError(f"{path} is cut off: {AGAIN}")
    if size > whole:
        raise MemtxError(f"{path} is damaged, it is longer than it says: {AGAIN}")


def _mapped(path: Path, dtype: Any, start: int, count: int) -> np.ndarray:
    """Numbers of a file; none can be mapped of an empty part."""
    if not count:
        return np.empty(0, dtype)
    return np.memmap(path, mode="r", dtype=dtype, offset=start, shape=(count,))
