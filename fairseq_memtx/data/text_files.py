"""Text of other people: UTF-8, with or without a mark at its start."""

from __future__ import annotations

from pathlib import Path

from .. import text
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
    try:
        return text.read_text(path)
    except MemtxError as cause:
        raise MemtxError(f"{cause}: {advice}") from cause
