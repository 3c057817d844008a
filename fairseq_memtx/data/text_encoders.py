"""Encoders of text by the record of a prepared folder, with the two methods of fairseq's own.

``encode`` gives tokens with spaces between them, ``decode`` is the way back.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import MemtxError
from ..text.folder import FolderText
from ..text.symbols import unescape
from ..text.units import Bytes, Characters, Lines
from ..text.words import join_words

SEPARATOR = "@@ "
# Of a day: sacremoses sets a space behind every colon.
TIME = re.compile(r"\b([01]?\d|2[0-3]): ([0-5]\d)\b")


@contextmanager
def used(flags: str = "--bpe or --tokenizer") -> Iterator[None]:
    """Tell errors of a text's files by the flags that name them."""
    try:
        yield
    except (MemtxError, ImportError) as cause:
        raise MemtxError(f"{flags} cannot be used: {cause}") from cause


class SplitText:
    """A tokenizer: from text of one language to words, and from words of the other back to text."""

    def __init__(self, record: FolderText, source: str, target: str) -> None:
        from sacremoses import MosesDetokenizer

        self.record, self.source = record, source
        self.moses = MosesDetokenizer(target)

    def encode(self, text: str) -> str:
        """Words of a text."""
        return self.record.split(text, self.source)

    def decode(self, words: str) -> str:
        """Words as text."""
        text = self.moses.detokenize(unescape(words).split())
        return join_words(TIME.sub(r"\1:\2", text))


class PiecesOfWords:
    """A BPE by the record of a folder: from words of a language to their pieces, and back."""

    def __init__(self, record: FolderText, language: str | None = None) -> None:
        with used():
            self._pieces = record.pieces(language)
        self.bpe_symbol = SEPARATOR  # by which masking of whole words knows it

    def encode(self, words: str) -> str:
        """Pieces of words."""
        return self._pieces(words)

    def decode(self, pieces: str) -> str:
        """Words of pieces."""
        return joined(pieces)


class WholeText:
    """A BPE that starts from text as it is, where no tokenizer comes before it."""

    def __init__(self, record: FolderText) -> None:
        self.record = record
        with used():
            self.encode = record.cutter()

    def decode(self, tokens: str) -> str:
        """Text of tokens."""
        if self.record.unit == "pieces":
            tokens = joined(tokens)
        return join_words(unescape(tokens))


class LowerCase:
    """A BPE of fairseq that lower-cases text first."""

    def __init__(self, bpe: Any) -> None:
        self.bpe, self.decode = bpe, bpe.decode

    def encode(self, text: str) -> str:
        """Pieces of a text."""
        return self.bpe.encode(text.lower())


def joined(pieces: str) -> str:
    """Words of pieces."""
    return f"{pieces} ".replace(SEPARATOR, "").rstrip()


def text_cutter(folder: Path) -> Any:
    """An encoder for text of several lines, cut as that of a folder was.

    A folder without a record was made by other means; its text is taken to be cut by white space. A
    record, or codes of pieces, that is damaged is refused.
    """
    record = FolderText.read(folder)
    if record is None:
        return Lines()
    if record.unit == "characters":
        return Characters(accept_cut=True)
    if record.unit == "bytes":
        return Bytes(accept_cut=True)
    return Lines(WholeText(record))
