"""Lines of text files of other people: marks at their start, line ends of other systems.

Only a newline ends a line, or the two sides of a translation could shift against each other: Python
takes a lone carriage return for a line's end where it reads text, and eight other characters where
it splits it.
"""

from pathlib import Path
from typing import Iterable, Iterator

from ..errors import MemtxError

MARK = b"\xef\xbb\xbf"  # U+FEFF, which Windows puts at the start of UTF-8
OTHER_MARKS = {b"\xff\xfe": "UTF-16 or UTF-32", b"\xfe\xff": "UTF-16", b"\0\0\xfe\xff": "UTF-32"}


def read_lines(file: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """The lines of a file without their ends, nor a mark at the start of one.

    A mark in a later line was at the start of a file that was put behind another. Other encodings
    are refused.
    """
    for number, line in enumerate(file):
        if number == 0:
            for mark, encoding in OTHER_MARKS.items():
                if line.startswith(mark):
                    raise MemtxError(
                        f"{path}: {encoding}, not UTF-8; do: iconv -f UTF-16 -t UTF-8 FILE > NEW"
                    )
        while line.startswith(MARK):
            line = line[len(MARK) :]
        yield line.rstrip(b"\r\n")


def read_text(path: Path, advice: str = "") -> str:
    """All of a file as text, without a mark at its start; or else an error with the advice."""
    advice = f": {advice}" if advice else ""
    if path.exists() and not path.is_file():
        raise MemtxError(f"{path} is no file{advice}")  # to read from a pipe would never end
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MemtxError(f"{path} cannot be read ({error.strerror}){advice}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MemtxError(f"{path}, line {line}: not UTF-8 ({error.reason}){advice}") from error


def decode(line: bytes, where: str) -> str:
    """A line as text; one that is not UTF-8 is refused, with ``where`` it is, file and line."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MemtxError(f"{where}: not UTF-8 ({error.reason})") from error
    if "\0" in text:
        raise MemtxError(f"{where}: has a zero byte, so it is UTF-16 or no text: give UTF-8")
    return text
