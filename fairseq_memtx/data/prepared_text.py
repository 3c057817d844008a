"""How the text of a data folder was cut, as ``prepared.json`` in it says.

All ``prepare_*.py`` write that record. A folder without one was made by other means; its text is
taken to be cut by white space.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from fairseq.data import Dictionary, encoders

from ..errors import MemtxError
from .text_units import Bytes, Characters, Pieces, Words

RECORD = "prepared.json"


class PreparedText(NamedTuple):
    """What a prepared folder says of its text.

    Attributes:
        unit: ``words``, ``characters``, ``bytes`` or ``pieces``; None if nothing is known.
        lowercase: whether it was lower-cased.
    """

    unit: str | None = None
    lowercase: bool = False


def read_record(folder: Path) -> PreparedText:
    """The record of a folder, or an empty one.

    Raises:
        MemtxError: if the file is damaged.
    """
    file = folder / RECORD
    if not file.is_file():
        return PreparedText()
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))["settings"]
        return PreparedText(settings.get("unit"), bool(settings.get("lowercase")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise MemtxError(
            f"{file} is damaged ({type(cause).__name__}): prepare the folder again, or delete the "
            "file if you know how its text was cut"
        ) from cause


def text_cutter(folder: Path, dictionary: Dictionary) -> Any:
    """An encoder for text like that of a folder, with the two methods of `text_units`.

    Args:
        folder: of the model's data.
        dictionary: the pieces that there are.

    Raises:
        MemtxError: if the record is damaged or of an unknown unit, or the codes of its pieces are
            missing or damaged.
    """
    unit, lowercase = read_record(folder)
    if unit in (None, "words"):
        return Words(lowercase)
    if unit == "characters":
        return Characters(accept_cut=True)
    if unit == "bytes":
        return Bytes(accept_cut=True)
    if unit == "pieces":
        return Pieces(_subword_nmt(folder / "bpecodes", dictionary), lowercase)
    raise MemtxError(f"{folder / RECORD} names the unknown unit {unit!r}: prepare the folder again")


def _subword_nmt(codes: Path, dictionary: Dictionary) -> Any:
    """Cuts words by these codes into pieces that the dictionary has."""
    bpe = encoders.build_bpe(Namespace(bpe="subword_nmt", bpe_codes=str(codes), bpe_separator="@@"))
    bpe.bpe.vocab = set(dictionary.symbols[dictionary.nspecial :])
    return bpe
