"""The index of a set of binarised text, which says where its sentences are, checked.

A set has ``N`` sentences. Sizes are numbers of tokens, offsets are where a sentence begins.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from fairseq.data import indexed_dataset

from ..errors import MemtxError

AGAIN = "run fairseq-preprocess again, into a new folder"
BLOCK = 1 << 22  # sentences or tokens that are looked at together


class Index(NamedTuple):
    """What an index says of its text."""

    sizes: np.ndarray  # N, mapped
    offsets: np.ndarray  # N, mapped
    unit: int  # how many of an offset a token takes
    dtype: np.dtype  # of a token
    first: int  # the number that stands for symbol 0

    @classmethod
    def read(cls, text: Path) -> Self:
        """The index of a text; one that is not whole or does not fit the text is refused."""
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
    def _of_mmap(cls, path: Path, header: bytes) -> Self:
        version, code, count = struct.unpack("<QBQ", header[9:26])
        dtype = _dtype(path, version, code)
        _check_length(path, 26 + 12 * count)
        sizes = mapped(path, np.int32, 26, count)
        offsets = mapped(path, np.int64, 26 + 4 * count, count)
        return cls(sizes, offsets, dtype.itemsize, dtype, 0)

    @classmethod
    def _of_older_formats(cls, path: Path, header: bytes) -> Self:
        version, code, width, count, sizes = struct.unpack("<QQQQQ", header[8:48])
        dtype = _dtype(path, version, code)
        if width != dtype.itemsize or sizes != count:
            raise MemtxError(f"{path} is damaged, its first numbers contradict each other: {AGAIN}")
        _check_length(path, 48 + 8 * (3 * count + 2))
        dimensions = mapped(path, np.int64, 48, count + 1)
        if not np.array_equal(dimensions, np.arange(count + 1)):
            raise MemtxError(f"{path} is damaged, or of no text: {AGAIN}")
        offsets = mapped(path, np.int64, 48 + 8 * (count + 1), count + 1)
        sizes = mapped(path, np.int64, 48 + 8 * (2 * count + 2), count)
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


def mapped(path: Path, dtype: Any, start: int, count: int) -> np.ndarray:
    """Numbers of a file; none can be mapped of an empty part."""
    if not count:
        return np.empty(0, dtype)
    return np.memmap(path, mode="r", dtype=dtype, offset=start, shape=(count,))
