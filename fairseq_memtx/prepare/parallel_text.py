"""Find, read and check the two files of a parallel text.

A text is given as a prefix: ``raw/train`` stands for ``raw/train.de`` and ``raw/train.en``, or the
same with ``.gz``. Whatever is wrong with a file raises `MemtxError`, which says what and where.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import MemtxError
from ..text.lines import decode
from ..text.lines import read_lines as read_bytes
from .folder import sha256

# The tokenizer throws control characters away, so a line of nothing else counts as empty too.
VISIBLE = re.compile(r"[^\s\x00-\x1f]")


@dataclass(frozen=True)
class ParallelText:
    """The two files of train, valid or a test set, known to be readable and of equal length."""

    name: str
    paths: dict[str, Path]
    pairs: int

    def lines(self) -> Iterator[tuple[str, ...]]:
        """One line of each language at a time."""
        return zip(*map(read_lines, self.paths.values()))

    def checksums(self) -> dict[str, str]:
        """The sha256 of each file as it lies on the disk."""
        return {f"{self.name}.{language}": sha256(path) for language, path in self.paths.items()}


def check_text(name: str, prefix: str, languages: list[str]) -> ParallelText:
    """Read both files from end to end, so that nothing is found out half-way through the work."""
    paths = {language: find_file(prefix, language) for language in languages}
    counts = {path: count_lines(path, name) for path in paths.values()}
    if len(set(counts.values())) > 1:
        told = " but ".join(f"{path} has {count} lines" for path, count in counts.items())
        raise MemtxError(f"the two sides of {name} do not match: {told}")
    return ParallelText(name, paths, next(iter(counts.values())))


def find_file(prefix: str, language: str) -> Path:
    """The plain file if there is one, else the compressed one."""
    plain, packed = Path(f"{prefix}.{language}"), Path(f"{prefix}.{language}.gz")
    for path in (plain, packed):
        if path.is_file():
            return path
    raise MemtxError(f"missing file: neither {plain} nor {packed} exists")


def read_lines(path: Path) -> Iterator[str]:
    """The lines without their ends; only a newline ends a line, or the two sides could shift."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(read_bytes(file, path), start=1):
                yield decode(line, f"{path}, line {number}").replace("\r", " ")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MemtxError(f"{path}: damaged or cut-off gzip file ({error})") from error


def count_lines(path: Path, name: str) -> int:
    """The number of lines, at least one; outside train none of them may be empty."""
    number = 0
    for number, line in enumerate(read_lines(path), start=1):
        # In train the pair is left out; here that would change the score without a word.
        if name != "train" and not VISIBLE.search(line):
            raise MemtxError(f"{path}, line {number}: empty line in {name}")
    if not number:
        raise MemtxError(f"{path}: empty file")
    return number
