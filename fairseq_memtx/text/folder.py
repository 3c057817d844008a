"""How the text of a prepared folder was cut, so that other text is cut in the same way.

The record ``prepared.json`` says it, in ``text``; in a folder that is older than that entry, its
settings do. Beside it lie the files of a BPE:

    bpecodes          of subword-nmt
    bpevocab[.LANG]   the pieces that training text has, as subword-nmt writes vocabularies: others
                      are cut further, since no model has seen them
    encoder.json, vocab.bpe   of GPT-2, in place of both
"""

import io
import json
import re
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterable, Self

from ..errors import MemtxError
from .gpt2 import read_encoder
from .lines import read_text
from .moses import moses_splitter
from .symbols import escape
from .words import split_words

RECORD = "prepared.json"
UNITS = ("words", "pieces", "gpt2", "characters", "bytes")
# In WikiText it stands for words that are unknown, as it does for fairseq.
UNKNOWN = "<unk>"


@dataclass(frozen=True)
class FolderText:
    """How the text of a folder was cut."""

    folder: Path  # with the record and, if it has them, the files of a BPE
    unit: str  # one of UNITS; "gpt2" are pieces of bytes
    lowercase: bool = False
    moses: bool = False  # whether punctuation was told apart from words by sacremoses
    dash_splits: bool = False  # whether that split words at dashes
    escape: bool = False  # whether it wrote special characters as in XML
    languages: tuple[str, ...] = ()  # source and target of a translation, else none
    # Whether characters of scripts without spaces were made words of their own, and words that are
    # spelled like fairseq's symbols were escaped; not in older folders.
    spaceless: bool = True
    # Whether it stood apart from words in the text as it was given; None if nobody looked.
    punctuation_apart: bool | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"the unknown unit {self.unit!r}")
        object.__setattr__(self, "languages", tuple(self.languages))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What the record of a folder says; None if it has no record. A damaged one is refused."""
        file = folder / RECORD
        if not file.is_file():
            return None
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            return cls(folder, **(record.get("text") or _from_settings(record["settings"])))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            told = " ".join(str(error).split())[:100] or type(error).__name__
            raise MemtxError(f"{file}: damaged file ({told}): prepare the folder again") from error

    def entry(self) -> dict[str, Any]:
        """For the record."""
        fields = {name: value for name, value in vars(self).items() if name != "folder"}
        return {**fields, "languages": list(self.languages)}

    def change(self, **fields: Any) -> Self:
        """The same with other values."""
        return replace(self, **fields)

    def cutter(self, language: str = "en") -> Callable[[str], str]:
        """A function from a line to its tokens, with a space between them.

        Raises:
            MemtxError: if files are missing or damaged.
            ImportError: if packages are.
        """
        pieces = self.pieces(language if self.languages else None)
        if self.unit == "gpt2":  # which tells words apart by itself
            return (lambda text: pieces(text.lower())) if self.lowercase else pieces
        return lambda text: pieces(self.split(text, language))

    def split(self, text: str, language: str = "en") -> str:
        """Words of a line, with a space between them."""
        return " ".join(self.words(text, language))

    def words(self, text: str, language: str = "en") -> list[str]:
        """Words of a line."""
        # sacremoses would close up what stands on either side of a carriage return.
        text = text.strip().lstrip("\ufeff").replace("\r", " ")
        if self.moses:
            # Case tells the tokenizer where a sentence ends, so it is lost only afterwards.
            text = moses_splitter(language, self.dash_splits, self.escape)(text)
        if self.lowercase:
            text = text.lower()
        words = split_words(text) if self.spaceless else text.split()
        return [
            word if word == UNKNOWN and self.unit == "words" else escape(word) for word in words
        ]

    def pieces(self, language: str | None = None) -> Callable[[str], str]:
        """What cuts words into pieces, all with spaces between them.

        Args:
            language: of a translation, whose sides have vocabularies of their own.

        Raises:
            MemtxError: if files are missing or damaged.
            ImportError: if subword-nmt is not there.
        """
        if self.unit == "words":
            return str
        if self.unit == "gpt2":
            gpt2 = read_encoder(str(self.folder / "encoder.json"), str(self.folder / "vocab.bpe"))
            return lambda text: " ".join(map(str, gpt2.encode(text)))
        bpe = read_codes(self.folder / "bpecodes", self.vocabulary(language))
        return lambda words: " ".join(bpe.segment_tokens(words.split()))

    def vocabulary(self, language: str | None = None) -> set[str] | None:
        """The pieces that training text of a language has; None if the folder does not say."""
        # Of a language model the dictionary has all, of a translation those of both sides.
        for name in ("bpevocab" + (f".{language}" if language else ""), "dict.txt"):
            if (self.folder / name).is_file():
                return set(read_dictionary(self.folder / name))
        return None


def _from_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The same of a folder that is older than the entry."""
    fields: dict[str, Any] = {"lowercase": bool(settings.get("lowercase")), "spaceless": False}
    if "source" in settings:
        languages = (settings["source"], settings["target"])
        dashes = bool(settings["dash_splits"])
        moses = {"moses": True, "dash_splits": dashes, "escape": True}
        return {**fields, **moses, "unit": "pieces", "languages": languages}
    unit = "gpt2" if "classes" in settings and settings["unit"] == "bytes" else settings["unit"]
    raw = bool(settings.get("raw_text"))
    return {**fields, "unit": unit, "moses": raw, "dash_splits": raw}


def read_dictionary(file: Path) -> list[str]:
    """Words of a dictionary, or of a vocabulary of subword-nmt, which looks the same."""
    words = []
    for number, line in enumerate(read_text(file).rstrip("\n").split("\n"), start=1):
        word, _, count = line.rstrip().removesuffix(" #fairseq:overwrite").rpartition(" ")
        if not count.isdigit():
            raise MemtxError(f"{file}, line {number}: no word and count: give a whole dictionary")
        words.append(word)
    return words


def read_codes(codes: Path, vocabulary: Iterable[str] | None = None) -> Any:
    """subword-nmt's BPE; a file that is missing or damaged is refused."""
    from subword_nmt.apply_bpe import BPE

    noise = io.StringIO()
    try:
        with codes.open(encoding="utf-8", newline="\n") as file, redirect_stderr(noise):
            bpe = BPE(file, vocab=vocabulary)
            bpe.segment_tokens(["word"])  # of a version of the codes that the package knows
            return bpe
    except (Exception, SystemExit) as error:
        told = noise.getvalue().split("\n")[0] or error
        raise MemtxError(f"{codes}: no codes of subword-nmt ({told})") from error


def is_lowercase(words: Iterable[str]) -> bool:
    """Whether words have letters, and all of them small: so is the text that they are from."""
    words = list(words)
    return any(map(str.islower, words)) and not any(c.isupper() for word in words for c in word)


_PUNCTUATION = re.compile(r"(\s|^)?[.,;:!?](?=\s|$)")


def punctuation_is_apart(lines: Iterable[str]) -> bool | None:
    """Whether punctuation at the ends of words stands apart from them, as in WikiText.

    Returns:
        None if there is next to none.
    """
    apart = total = 0
    for line in lines:
        for found in _PUNCTUATION.finditer(line):
            total += 1
            apart += found[1] is not None
    return apart > total / 2 if total >= 10 else None
