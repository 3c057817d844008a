"""Text for a language model, and what it writes as text while it is written."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from fairseq.data import encoders

from ..data.folder_pieces import name_of
from ..data.text_encoders import WholeText
from ..text.folder import UNITS, FolderText
from ..text.units import NEWLINE, Bytes, Characters, Lines

HALF_A_CHARACTER = "\ufffd"


def text_cutter(folder: Path, settings: Any, unit: str | None) -> Any:
    """What cuts text as that of a folder was, and puts it together again.

    Args:
        folder: of the data, with a record or, if it has GPT-2's pieces, with their files.
        settings: of ``--bpe`` in the training, which are used if the folder tells nothing.
        unit: one of `UNITS`, which is used in place of what the folder tells.
    """
    record, name = FolderText.read(folder), name_of(settings, "bpe")
    if record is not None and unit:
        record = record.change(unit=unit)
    elif record is None and (unit or name in UNITS):
        record = FolderText(folder, unit or str(name))
    elif record is None and all(
        (folder / file).is_file() for file in ("encoder.json", "vocab.bpe")
    ):
        record = FolderText(folder, "gpt2")
    if record is None:
        return Lines(encoders.build_bpe(settings))
    plain = {"characters": Characters, "bytes": Bytes}.get(record.unit)
    return plain() if plain else Lines(WholeText(record))


def as_text(
    decode: Callable[[str], str], before: list[str], tokens: Iterable[str]
) -> Iterator[str]:
    """Tokens as text, bit by bit as they come.

    Args:
        decode: makes text of tokens with spaces between them; further tokens of a line leave it as
            it is but for characters of which they are the rest.
        before: tokens before them, which are text already.
        tokens: as they come.
    """
    ends = [place for place, token in enumerate(before, start=1) if token == NEWLINE]
    line = before[ends[-1] if ends else 0 :]
    text = decode(" ".join(line))
    shown = len(text)
    for token in tokens:
        line.append(token)
        text = decode(" ".join(line))
        if not text.endswith(HALF_A_CHARACTER):
            yield text[shown:]
            shown = len(text)
        if token == NEWLINE:
            line, shown, text = [], 0, ""
    yield text[shown:]
