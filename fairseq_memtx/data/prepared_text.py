"""How the text of a data folder was cut, as ``prepared.json`` in it says.

``fairseq-memtx prepare`` writes that record. A folder without one was made by other means; its text
is taken to be cut by white space.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..text import FolderText
from ..text.units import Bytes, Characters, Lines, Words
from .text_encoders import WholeText


def text_cutter(folder: Path) -> Any:
    """An encoder for text like that of a folder, with the two methods of `text.units`.

    Args:
        folder: of the model's data.

    Raises:
        MemtxError: if the record is damaged or of an unknown unit, or the codes of its pieces are
            missing or damaged.
    """
    record = FolderText.read(folder)
    if record is None:
        return Words()
    if record.unit == "characters":
        return Characters(accept_cut=True)
    if record.unit == "bytes":
        return Bytes(accept_cut=True)
    return Lines(WholeText(record))
