"""Text of other people: UTF-8, with or without a mark at its start."""

from __future__ import annotations

from pathlib import Path

from ..errors import MemtxError


def read_text(path: Path, advice: str) -> str:
    """All of a text file, without the mark that some editors put at its start.

    Args:
        path: of the file.
        advice: what to do if it is no text.

    Raises:
        MemtxError: if it is not there, is a folder, cannot be read, or is not UTF-8, naming the
            line.
    """
    if path.exists() and not path.is_file():
        raise MemtxError(f"{path} is no file: {advice}")  # to read from a pipe would never end
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise MemtxError(f"{path} cannot be read ({cause.strerror}): {advice}") from cause
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise MemtxError(f"{path}, line {line}: not UTF-8 ({cause.reason}): {advice}") from cause
