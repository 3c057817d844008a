"""Text that is typed is cut into the pieces that the data folder has.

fairseq's ``--tokenizer moses --bpe subword_nmt`` leaves out two of the steps by which a folder was
prepared: it does not make punctuation uniform, and it knows no vocabulary, so that it makes pieces
that the model has never seen (https://github.com/facebookresearch/fairseq/issues/2160). Nor does it
know whether the text was lower-cased. A folder that `prepare_*.py` wrote has all that in its
record; there the flags say which steps are wanted, and the record how they are done.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any, Callable

from ..data.prepared_text import read_record
from ..data.text_encoders import LowerCase, PiecesOfWords, SplitText, WholeText
from ..errors import MemtxError
from ..text import FolderText

logger = logging.getLogger(__name__)


def cut_text_as_the_folder_was() -> None:
    """Let every task build its tokenizer and BPE by the record of its data folder.

    ``fairseq-interactive`` and ``fairseq-generate`` ask the task for both. The hub interfaces do
    not, and get what it builds afterwards.
    """
    from fairseq.hub_utils import GeneratorHubInterface
    from fairseq.models.roberta.hub_interface import RobertaHubInterface
    from fairseq.tasks import FairseqTask

    if hasattr(FairseqTask.build_bpe, "__wrapped__"):
        return
    FairseqTask.build_tokenizer = _by_record(FairseqTask.build_tokenizer, folder_tokenizer)
    FairseqTask.build_bpe = _by_record(FairseqTask.build_bpe, folder_bpe)

    def finish_generator(hub: Any) -> None:
        if record_of(hub.task, hub.cfg.bpe) is not None:
            hub.tokenizer = hub.task.build_tokenizer(hub.cfg.tokenizer)
            hub.bpe = hub.task.build_bpe(hub.cfg.bpe)

    def finish_roberta(hub: Any) -> None:
        record = record_of(hub.task, hub.cfg.bpe)
        if record is not None and record.unit in ("words", "pieces"):
            hub.bpe = WholeText(record)
        elif record is not None and record.lowercase and hub.bpe is not None:
            hub.bpe = LowerCase(hub.bpe)

    for hub, finish in (
        (GeneratorHubInterface, finish_generator),
        (RobertaHubInterface, finish_roberta),
    ):
        hub.__init__ = _and_then(hub.__init__, finish)


def _by_record(build: Callable, wrap: Callable) -> Callable:
    @functools.wraps(build)
    def built(task: Any, settings: Any) -> Any:
        encoder, record = build(task, settings), record_of(task, settings)
        if record is None or record.unit in ("characters", "bytes"):
            return encoder
        return wrap(encoder, record, task, settings)

    return built


def _and_then(build: Callable, finish: Callable[[Any], None]) -> Callable:
    @functools.wraps(build)
    def built(self: Any, *arguments: Any, **more: Any) -> None:
        build(self, *arguments, **more)
        finish(self)

    return built


def record_of(task: Any, settings: Any = None) -> FolderText | None:
    """What the data folder of a task, or else the one with its BPE, says of its text.

    Args:
        task: of fairseq.
        settings: of ``--bpe``.

    Raises:
        MemtxError: if a record is damaged.
    """
    from fairseq import utils

    own = getattr(task, "cfg", None) or getattr(task, "args", None)
    data = getattr(own, "data", None)
    folders = [Path(utils.split_paths(data)[0])] if data else []
    codes = codes_of(settings)
    folders += [codes.parent] if codes else []
    return next(filter(None, map(read_record, folders)), None)


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
    """The tokenizer of a folder, in place of fairseq's of the same name.

    Raises:
        MemtxError: if it is another than the folder's text was split with.
    """
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
    """The BPE of a folder, in place of fairseq's of the same name.

    Raises:
        MemtxError: if it is another than the folder's text was cut with, or its files are damaged.
    """
    name = name_of(settings, "bpe")
    fitting = {"pieces": "subword_nmt", "words": None, "gpt2": "gpt2"}[record.unit]
    if encoder is None and fitting:
        if not record.languages:
            logger.warning(
                f"the text in {record.folder} is cut into pieces: add --bpe {fitting} and its "
                "files, unless the text given is cut as well"
            )
        return None
    if encoder is not None and name != fitting:
        raise MemtxError(
            f"--bpe {name} is not how the text in {record.folder} was cut: "
            + (f"use --bpe {fitting}" if fitting else "leave it out, as its words are whole")
        )
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


def languages_of(task: Any, record: FolderText) -> tuple[str, ...]:
    """Source and target of a task, of the two that the folder has in either order."""
    own = getattr(task, "cfg", None) or getattr(task, "args", None)
    if getattr(own, "source_lang", None) == record.languages[1]:
        return record.languages[::-1]
    return record.languages
