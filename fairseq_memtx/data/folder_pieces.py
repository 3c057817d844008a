"""By which steps text was cut into the pieces of a data folder, and by which it is to be cut now.

A folder that ``fairseq-memtx prepare`` wrote has that in its record. The flags (``--tokenizer``,
``--bpe``) say which steps are wanted, and the record how they are done.
"""

import logging
from pathlib import Path
from typing import Any

from ..errors import MemtxError
from ..text.folder import FolderText
from .text_encoders import LowerCase, PiecesOfWords, SplitText, WholeText

logger = logging.getLogger(__name__)

FITTING = {"pieces": "subword_nmt", "words": None, "gpt2": "gpt2"}  # --bpe, by units


def record_of(task: Any, settings: Any = None) -> FolderText | None:
    """What the data folder of a task, or else the one with its ``--bpe``, says of its text."""
    from fairseq import utils

    own = getattr(task, "cfg", None) or getattr(task, "args", None)
    data = getattr(own, "data", None)
    folders = [Path(utils.split_paths(data)[0])] if data else []
    codes = codes_of(settings)
    folders += [codes.parent] if codes else []
    return next(filter(None, map(FolderText.read, folders)), None)


def name_of(settings: Any, kind: str) -> str | None:
    """What ``--bpe`` or ``--tokenizer`` names, in a configuration or in plain flags."""
    return getattr(settings, "_name", None) or getattr(settings, kind, None)


def codes_of(settings: Any) -> Path | None:
    """``--bpe-codes``, whether settings are those of ``--bpe`` or lie beside them."""
    whole = settings._get_parent() if hasattr(settings, "_get_parent") else None
    for place in (settings, getattr(whole, "bpe", None)):
        codes = getattr(place, "bpe_codes", None)
        if codes and codes != "???":
            return Path(codes)
    return None


def folder_tokenizer(encoder: Any, record: FolderText, task: Any, settings: Any) -> Any:
    """The tokenizer of a folder, in place of fairseq's of the same name; another is refused."""
    name = name_of(settings, "tokenizer")
    if encoder is None:
        if record.moses and record.languages:
            logger.info(
                f"without --tokenizer moses, {record.folder} takes text whose words are told apart "
                "from punctuation already"
            )
        return None
    if name == "space":
        return encoder
    if not (record.moses and record.languages):
        logger.warning(
            f"--tokenizer {name} splits text before it is cut as that in {record.folder} was, and "
            "that was given as it is: leave it out, unless that text had been split so before"
        )
        return encoder
    if name != "moses":
        raise MemtxError(
            f"--tokenizer {name} is not how the text in {record.folder} was split: use --tokenizer "
            "moses"
        )
    for flag, own, given in (
        ("--moses-no-dash-splits", not record.dash_splits, settings.moses_no_dash_splits),
        ("--moses-no-escape", not record.escape, settings.moses_no_escape),
    ):
        if own != given:
            logger.warning(
                f"text is split {'with' if own else 'without'} {flag}, as {record.folder} was"
            )
    return SplitText(record, *languages_of(task, record))


def folder_bpe(encoder: Any, record: FolderText, task: Any, settings: Any) -> Any:
    """The BPE of a folder, in place of fairseq's of the same name; another is refused."""
    name = name_of(settings, "bpe")
    fitting = FITTING[record.unit]
    if encoder is None and fitting:
        if not record.languages:
            logger.warning(
                f"the text in {record.folder} is cut into pieces: add --bpe {fitting} and its "
                "files, unless the text given is cut as well"
            )
        return None
    if encoder is not None and name != fitting:
        raise misfit(name, record)
    codes, own = codes_of(settings), record.folder / "bpecodes"
    if codes and codes.is_file() and own.is_file() and codes.read_bytes() != own.read_bytes():
        logger.warning(f"--bpe-codes {codes} is not the BPE of {record.folder}: {own} is used")
    if record.unit == "gpt2":
        return LowerCase(encoder) if record.lowercase else encoder
    if record.languages:
        language = languages_of(task, record)[0]
        if record.vocabulary(language) is None:
            logger.warning(
                f"{record.folder} has no bpevocab.{language}, since an older version prepared it: "
                "some words get other pieces than there, prepare it again"
            )
        return PiecesOfWords(record, language)
    return WholeText(record)


def misfit(bpe: str | None, record: FolderText) -> MemtxError:
    """What to raise where ``--bpe`` is another than a folder's text was cut with."""
    fitting = FITTING[record.unit]
    advice = f"use --bpe {fitting}" if fitting else "leave it out, as its words are whole"
    return MemtxError(f"--bpe {bpe} is not how the text in {record.folder} was cut: {advice}")


def languages_of(task: Any, record: FolderText) -> tuple[str, ...]:
    """Source and target of a task, of the two that the folder has in either order."""
    own = getattr(task, "cfg", None) or getattr(task, "args", None)
    if getattr(own, "source_lang", None) == record.languages[1]:
        return record.languages[::-1]
    return record.languages
